/*
 * requests.c - messages between backends and the controller worker
 *
 * Both ends are the same binary, so the form is our own: fixed fields, then strings with their lengths, of
 * which one holds the rows of known hosts as they are, then the body.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/requests.h"

#include <string.h>

#define TEXT_COUNT 4 /* client id, principal, listener, hosts */

/* In front of the strings; a length of -1 is null. */
typedef struct Head {
    int16_t api_key;
    int16_t api_version;
    int32_t auto_create;
    int32_t lengths[TEXT_COUNT];
    int32_t body;
} Head;

BytesView
controller_request_encode(const ControllerRequest *request, Arena *arena)
{
    const StrView texts[TEXT_COUNT] = {
        request->client_id,
        request->principal,
        request->listener,
        {(const char *)request->hosts, request->host_count * (int32_t)sizeof(KnownHost)},
    };
    Head head = {.api_key = request->api_key,
                 .api_version = request->api_version,
                 .auto_create = request->auto_create,
                 .body = request->body.len};
    size_t size = sizeof head + (size_t)request->body.len;
    uint8_t *bytes, *at;

    for (int i = 0; i < TEXT_COUNT; i++) {
        head.lengths[i] = texts[i].ptr == NULL ? -1 : texts[i].len;
        size += (size_t)texts[i].len;
    }
    bytes = size > INT32_MAX ? NULL : arena_alloc(arena, size);
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
controller_request_decode(BytesView message, ControllerRequest *ret)
{
    StrView hosts;
    StrView *texts[TEXT_COUNT] = {&ret->client_id, &ret->principal, &ret->listener, &hosts};
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
    ret->auto_create = head.auto_create != 0;
    ret->hosts = (const KnownHost *)hosts.ptr; /* bytes: they lie anywhere */
    ret->host_count = hosts.len / (int32_t)sizeof(KnownHost);
    ret->body = (BytesView){at, head.body};
    for (int32_t i = 0; i < ret->host_count; i++)
        if (ret->hosts[i].name[LIMIT_HOST_LEN] != '\0')
            return false;
    return left == head.body && hosts.len % (int32_t)sizeof(KnownHost) == 0;
}

bool
controller_reply_decode(BytesView message, ControllerReply *ret)
{
    if (message.ptr == NULL || message.len < CONTROLLER_REPLY_HEAD)
        return false;
    memcpy(&ret->status, message.ptr, sizeof ret->status);
    ret->body =
        (BytesView){message.ptr + CONTROLLER_REPLY_HEAD, message.len - CONTROLLER_REPLY_HEAD};
    return true;
}
