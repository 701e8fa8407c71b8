/*
 * requests.c - messages between backends and coordinator workers
 *
 * Both ends are the same binary, so the form is our own: fixed fields, then the strings with their
 * lengths, then the body.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/coordinator/requests.h"

#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/conf.h"

#define TEXT_COUNT 4

/* In front of the strings; a length of -1 is null. */
typedef struct Head {
    int16_t api_key;
    int16_t api_version;
    int32_t lengths[TEXT_COUNT];
    int32_t body;
} Head;

BytesView
coordinator_request_encode(const CoordinatorRequest *request, Arena *arena)
{
    const StrView texts[TEXT_COUNT] = {request->client_id, request->client_host, request->principal,
                                       request->listener};
    Head head = {.api_key = request->api_key,
                 .api_version = request->api_version,
                 .body = request->body.len};
    size_t size = sizeof head + (size_t)request->body.len;
    uint8_t *bytes, *at;

    for (int i = 0; i < TEXT_COUNT; i++) {
        head.lengths[i] = texts[i].ptr == NULL ? -1 : texts[i].len;
        size += (size_t)texts[i].len;
    }
    if (request->body.len > COORDINATOR_BODY_MAX || size > MBOX_MESSAGE_MAX)
        return (BytesView){NULL, 0};
    bytes = arena_alloc(arena, size);
    if (bytes == NULL)
        return (BytesView){NULL, 0};
    memcpy(bytes, &head, sizeof head);
    at = bytes + sizeof head;
    for (int i = 0; i < TEXT_COUNT; i++) {
        if (texts[i].len > 0)
            memcpy(at, texts[i].ptr, (size_t)texts[i].len);
        at += texts[i].len;
    }
    if (request->body.len > 0)
        memcpy(at, request->body.ptr, (size_t)request->body.len);
    return (BytesView){bytes, (int32_t)size};
}

bool
coordinator_request_decode(BytesView message, CoordinatorRequest *ret)
{
    StrView *texts[TEXT_COUNT] = {&ret->client_id, &ret->client_host, &ret->principal,
                                  &ret->listener};
    const uint8_t *at = message.ptr + sizeof(Head);
    int64_t left = (int64_t)message.len - (int64_t)sizeof(Head);
    Head head;

    if (left < 0)
        return false;
    memcpy(&head, message.ptr, sizeof head);
    for (int i = 0; i < TEXT_COUNT; i++) {
        int32_t len = head.lengths[i] < 0 ? 0 : head.lengths[i];

        if (len > left)
            return false;
        *texts[i] = (StrView){head.lengths[i] < 0 ? NULL : (const char *)at, len};
        at += len;
        left -= len;
    }
    ret->api_key = head.api_key;
    ret->api_version = head.api_version;
    ret->body = (BytesView){at, head.body};
    return left == head.body;
}

bool
coordinator_reply_decode(BytesView message, CoordinatorReply *ret)
{
    int32_t at = COORDINATOR_REPLY_HEAD;

    if (message.ptr == NULL || message.len < at)
        return false;
    memcpy(&ret->status, message.ptr, sizeof ret->status);
    memcpy(&ret->exception_count, message.ptr + sizeof ret->status, sizeof ret->exception_count);
    if (ret->exception_count < 0 ||
        ret->exception_count > (message.len - at) / COORDINATOR_REPLY_EXCEPTION)
        return false;
    ret->exceptions = message.ptr + at;
    at += ret->exception_count * COORDINATOR_REPLY_EXCEPTION;
    ret->body = (BytesView){message.ptr + at, message.len - at};
    return true;
}

ReplyException
coordinator_reply_exception(const CoordinatorReply *reply, int32_t i)
{
    const uint8_t *at = reply->exceptions + (size_t)i * COORDINATOR_REPLY_EXCEPTION;
    ReplyException exception;

    ot_assert(i >= 0 && i < reply->exception_count);
    memcpy(&exception.index, at, sizeof exception.index);
    memcpy(&exception.code, at + sizeof exception.index, sizeof exception.code);
    return exception;
}

void
coordinator_reply_put_head(int16_t status, int32_t exceptions, uint8_t ret[COORDINATOR_REPLY_HEAD])
{
    memcpy(ret, &status, sizeof status);
    memcpy(ret + sizeof status, &exceptions, sizeof exceptions);
}

void
coordinator_reply_put_exception(ReplyException exception, uint8_t ret[COORDINATOR_REPLY_EXCEPTION])
{
    memcpy(ret, &exception.index, sizeof exception.index);
    memcpy(ret + sizeof exception.index, &exception.code, sizeof exception.code);
}

int32_t
coordinator_worker_count(void)
{
    int32_t threads = conf_int32(CONF_GROUP_COORDINATOR_THREADS);

    return threads > MBOX_COORDINATORS_MAX ? MBOX_COORDINATORS_MAX : threads;
}

MboxWorker
coordinator_worker_of(int32_t partition)
{
    ot_assert(partition >= 0);
    return (MboxWorker)(MBOX_COORDINATOR_FIRST + partition % coordinator_worker_count());
}
