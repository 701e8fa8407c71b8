/*
 * answers.c - requests that wait for an answer, answers on their way
 *
 * Runs in: coordinator. A token is the entry of a call and the serial of its use, so an old one names
 * nobody: a core that keeps the token of a client that hung up answers into nothing. Memory that cannot be had
 * ends the worker: it is started again and reads its logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "coordinator/worker_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/random.h"
#include "ottla/coordinator/shared.h"

#define CALLS_PER_TURN 64 /* whose clients are looked after */

void
env_begin(Worker *w, GroupEnv *env)
{
    arena_reset(w->arena);
    group_out_init(&w->out, w->arena);
    metadata_view_begin(&w->view);
    *env = (GroupEnv){.now_us = clock_mono_us(),
                      .wall_ms = clock_wall_ms(),
                      .settings = &w->settings,
                      .metadata = &w->view.metadata,
                      .random = random_bytes,
                      .out = &w->out};
}

void
env_end(Worker *w)
{
    metadata_view_end(&w->view);
}

int16_t
coordinator_code_of(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case OT_E_UNKNOWN_TOPIC_OR_PARTITION:
    case OT_E_NOT_ENOUGH_REPLICAS:
    case OT_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case OT_E_REQUEST_TIMED_OUT:
        return KERR_COORDINATOR_NOT_AVAILABLE;
    case OT_E_NOT_LEADER_OR_FOLLOWER:
    case OT_E_KAFKA_STORAGE_ERROR:
        return KERR_NOT_COORDINATOR;
    case OT_E_MESSAGE_TOO_LARGE:
    case OT_E_RECORD_LIST_TOO_LARGE:
        return KERR_UNKNOWN_SERVER_ERROR;
    default:
        return err_to_kafka(rc);
    }
}

/* ---- answers ------------------------------------------------------------------------------------- */

static size_t bytes_held; /* of answers that wait for their shards */

Answer *
answer_new(const MboxCookie *cookie, int16_t status, const MessageDesc *desc, int16_t version,
           const void *message)
{
    WireSizer size = {0};
    WireWriter writer;
    Answer *answer;

    if (message != NULL)
        desc->size(&size, version, message);
    if (size.err != 0 || size.bytes > COORDINATOR_REPLY_MAX) {
        size.bytes = 0;
        message = NULL;
        status = KERR_UNKNOWN_SERVER_ERROR;
    }
    answer = malloc(sizeof *answer + size.bytes);
    ot_assert(answer != NULL);
    bytes_held += size.bytes;
    *answer = (Answer){.cookie = *cookie,
                       .status = status,
                       .late_status = KERR_COORDINATOR_NOT_AVAILABLE,
                       .waits = 1,
                       .size = size.bytes};
    if (message != NULL) {
        wire_writer_init(&writer, answer->bytes, size.bytes);
        desc->write(&writer, version, message);
    }
    return answer;
}

void
answer_set_parts(Answer *answer, const int32_t *partitions, int32_t count)
{
    size_t room =
        MBOX_MESSAGE_MAX - COORDINATOR_REPLY_HEAD - (size_t)count * COORDINATOR_REPLY_EXCEPTION;

    if (count < 2 || answer->status != 0 || answer->size > room)
        return;
    answer->parts = calloc((size_t)count, sizeof *answer->parts);
    ot_assert(answer->parts != NULL);
    answer->part_count = count;
    for (int32_t i = 0; i < count; i++)
        answer->parts[i].partition = partitions[i];
}

void
answer_except(Answer *answer, int32_t partition, int16_t code)
{
    if (answer->parts == NULL && answer->status == 0)
        answer->status = code;
    for (int32_t i = 0; i < answer->part_count; i++)
        if (answer->parts[i].partition == partition && answer->parts[i].code == 0)
            answer->parts[i].code = code;
}

/* Results that do not hold, as they travel; malloc'ed, NULL: none. */
static uint8_t *
exceptions_of(const Answer *answer, int32_t *ret_count)
{
    int32_t count = 0;
    uint8_t *bytes, *at;

    for (int32_t i = 0; i < answer->part_count; i++)
        count += answer->parts[i].code != 0;
    *ret_count = count;
    if (count == 0)
        return NULL;
    at = bytes = malloc((size_t)count * COORDINATOR_REPLY_EXCEPTION);
    ot_assert(bytes != NULL);
    for (int32_t i = 0; i < answer->part_count; i++) {
        if (answer->parts[i].code == 0)
            continue;
        coordinator_reply_put_exception((ReplyException){i, answer->parts[i].code}, at);
        at += COORDINATOR_REPLY_EXCEPTION;
    }
    return bytes;
}

void
answer_release(Answer *answer)
{
    uint8_t head[COORDINATOR_REPLY_HEAD];
    uint8_t *exceptions;
    int32_t count;

    if (--answer->waits > 0)
        return;
    exceptions = exceptions_of(answer, &count);
    coordinator_reply_put_head(answer->status, count, head);
    crashpoint("coordinator.before_reply");
    mbox_reply(&answer->cookie,
               (struct iovec[]){{head, sizeof head},
                                {exceptions, (size_t)count * COORDINATOR_REPLY_EXCEPTION},
                                {answer->bytes, answer->status == 0 ? answer->size : 0}},
               3);
    crashpoint("coordinator.after_reply");
    free(exceptions);
    free(answer->parts);
    bytes_held -= answer->size;
    free(answer);
}

size_t
answers_bytes(void)
{
    return bytes_held;
}

void
answer_fail(Answer *answer, int32_t partition, int16_t code)
{
    answer_except(answer, partition, code);
    answer_release(answer);
}

void
answer_wait(Worker *w, Host *host, Answer *answer, GroupReplyWhen when)
{
    ReplyQueue *queue = when == REPLY_COMMITTED ? &host->durable : &host->replicated;
    QueuedReply *item;

    if (when == REPLY_NOW)
        return;
    item = calloc(1, sizeof *item);
    ot_assert(item != NULL);
    item->need = host->next_offset;
    item->deadline_us = w->now_us + w->commit_timeout_us;
    item->answer = answer;
    answer->waits++;
    reply_queue_push(queue, item);
}

/* ---- calls ---------------------------------------------------------------------------------------- */

void
calls_init(Calls *calls)
{
    *calls = (Calls){.first_free = -1};
}

static void
grow(Calls *calls)
{
    int32_t room = calls->room == 0 ? 256 : calls->room * 2;
    Call *list = reallocarray(calls->list, (size_t)room, sizeof *list);

    ot_assert(list != NULL);
    memset(list + calls->room, 0, (size_t)(room - calls->room) * sizeof *list);
    for (int32_t i = room - 1; i >= calls->room; i--) {
        list[i].next_free = calls->first_free;
        calls->first_free = i;
    }
    calls->list = list;
    calls->room = room;
}

GroupToken
call_begin(Calls *calls, const MboxCookie *cookie, int16_t api_key, int32_t partition)
{
    int32_t at;
    Call *call;

    if (calls->first_free < 0)
        grow(calls);
    at = calls->first_free;
    call = &calls->list[at];
    calls->first_free = call->next_free;
    calls->count++;
    *call = (Call){.cookie = *cookie,
                   .serial = call->serial + 1,
                   .partition = partition,
                   .api_key = api_key,
                   .used = true,
                   .next_free = -1};
    return (GroupToken)call->serial << 32 | (uint32_t)(at + 1);
}

Call *
call_find(Calls *calls, GroupToken token)
{
    int64_t at = (int64_t)(token & UINT32_MAX) - 1;

    if (at < 0 || at >= calls->room || !calls->list[at].used ||
        calls->list[at].serial != (uint32_t)(token >> 32))
        return NULL;
    return &calls->list[at];
}

void
call_end(Calls *calls, Call *call)
{
    call->used = false;
    call->next_free = calls->first_free;
    calls->first_free = (int32_t)(call - calls->list);
    calls->count--;
}

void
calls_abandon(Worker *w, bool all)
{
    Calls *calls = &w->calls;
    int32_t looks = all || calls->room < CALLS_PER_TURN ? calls->room : CALLS_PER_TURN;

    if (calls->count == 0)
        return;
    for (int32_t i = 0; i < looks; i++) {
        Call *call = &calls->list[calls->look_at];

        calls->look_at = (calls->look_at + 1) % calls->room;
        if (call->used && mbox_is_abandoned(&call->cookie))
            call_end(calls, call);
    }
}
