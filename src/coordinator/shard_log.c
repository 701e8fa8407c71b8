/*
 * shard_log.c - what a shard's operations put into its log, and what their answers wait for
 *
 * Runs in: coordinator. Spec: groups-and-transactions.md 1.5, 1.6, 8.3 to 8.5.
 * State is ahead of the log until the end of the turn; offsets are known beforehand, since nobody else appends
 * to the partition. An append that fails, or that lands elsewhere, drops the shard: there is no other undo.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "coordinator/worker_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "ottla/coordinator/shared.h"
#include "ottla/replica/interest.h"
#include "ottla/storage/logdir_state.h"

#define BATCH_ARENA_CHUNK 16384

/* ---- out of an operation ------------------------------------------------------------------------ */

static int8_t
codec(void)
{
    int32_t set = conf_int32(CONF_OFFSETS_TOPIC_COMPRESSION_CODEC);

    return set < BATCH_CODEC_NONE || set > BATCH_CODEC_LAST ? BATCH_CODEC_NONE : (int8_t)set;
}

static int
gather(Worker *w, Host *host, ErrInfo *err)
{
    int32_t count = 0;
    int rc = 0;

    if (host->batches.arena == NULL) {
        Arena *arena = arena_new(BATCH_ARENA_CHUNK, 0);

        ot_assert(arena != NULL);
        batches_init(&host->batches, arena, codec(), w->settings.max_batch_bytes);
    }
    host->next_offset += w->out.record_count;
    if (!w->out.spread || group_out_fits(&w->out, &w->settings))
        return batches_add(&host->batches, w->out.records, clock_wall_ms(), err);
    for (GroupRecord *next, *r = w->out.records; r != NULL && rc == 0; r = next, count++) {
        next = r->next;
        if (count + 1 < w->out.whole)
            continue;
        r->next = NULL; /* the first ones together, the others each for itself */
        rc = batches_add(&host->batches, count < w->out.whole ? w->out.records : r, clock_wall_ms(),
                         err);
    }
    return rc;
}

/* The core answers a call. */
static void
take_reply(Worker *w, Host *host, const GroupReply *reply, bool failed)
{
    Call *call = call_find(&w->calls, reply->token);
    Answer *answer;

    if (call == NULL)
        return; /* its client is gone */
    if (failed)
        answer = answer_new(&call->cookie, KERR_UNKNOWN_SERVER_ERROR, NULL, 0, NULL);
    else
        answer =
            answer_new(&call->cookie, reply->status, reply->desc, reply->version, reply->message);
    call_end(&w->calls, call);
    if (!failed)
        answer_wait(w, host, answer, reply->when);
    answer_release(answer);
}

void
host_take_out(Worker *w, Host *host)
{
    ErrInfo err = {.code = OT_E_MESSAGE_TOO_LARGE};
    bool failed = w->out.failed;

    if (failed)
        (void)err_set(&err, OT_E_MESSAGE_TOO_LARGE, "an operation found no room");
    else if (w->out.record_count > 0)
        failed = gather(w, host, &err) != 0;
    for (const GroupReply *r = w->out.replies; r != NULL; r = r->next)
        take_reply(w, host, r, failed);
    for (const GroupRebalance *r = w->out.rebalances; r != NULL; r = r->next) {
        rebalance_history_add(w->index, r);
        coordinator_count_add(w->index, COORDINATOR_REBALANCES, 1);
    }
    if (!failed)
        return;
    log_msg(LL_ERROR, COORDINATOR_LOG, "the shard is loaded again: %s; partition=%d", err.text,
            (int)host->partition);
    host_fail(w, host, KERR_UNKNOWN_SERVER_ERROR, host_next_backoff(host));
}

/* ---- appending ---------------------------------------------------------------------------------- */

static void
remember_wait(Host *host, int64_t end, const ReplicaWait *wait)
{
    HostWait *at;

    if (host->wait_count < HOST_WAITS_MAX)
        host->wait_count++;
    at = &host->waits[(host->wait_first + host->wait_count - 1) % HOST_WAITS_MAX];
    *at = (HostWait){.end = end, .wait = *wait};
}

static int
append_one(Worker *w, Host *host, const BuiltBatch *built, ErrInfo *err)
{
    ReplicaAppendArgs args = {.origin = PLOG_ORIGIN_COORDINATOR, .acks = -1};
    int64_t expected = host->next_offset - host->batches.records;
    ReplicaAppendResult res;
    Batch batch;
    int rc;

    batch_from_bytes(built->bytes, &batch);
    args.batch = &batch;
    crashpoint("coordinator.before_append");
    rc = replica_append(host->ref, &args, &res, err);
    crashpoint("coordinator.after_append");
    if (rc != 0)
        return rc;
    host->batches.records -= built->records;
    coordinator_count_add(w->index, COORDINATOR_BATCHES, 1);
    coordinator_count_add(w->index, COORDINATOR_RECORDS, built->records);
    if (res.log.base_offset != expected)
        return err_set(err, OT_E_CORRUPT,
                       "somebody else wrote to the log; offset=%lld expected=%lld",
                       (long long)res.log.base_offset, (long long)expected);
    remember_wait(host, res.log.last_offset + 1, &res.wait);
    return 0;
}

static void
forget_batches(Host *host)
{
    arena_free(host->batches.arena);
    host->batches = (Batches){0};
}

/* Says why nothing can be written, and how soon that is tried again. */
static void
append_failed(Worker *w, Host *host, int rc, const ErrInfo *err)
{
    static LogRate rate;
    const PartitionSlot *slot = pslot_find(host->ref);
    int16_t code = coordinator_code_of(rc);
    int64_t retry_us = host_next_backoff(host);

    if (rc == OT_E_KAFKA_STORAGE_ERROR && slot != NULL &&
        logdir_state(pslot_dir(slot)) == LOGDIR_FULL)
        code = KERR_COORDINATOR_NOT_AVAILABLE;
    if (rc == OT_E_CORRUPT) /* the log is fine: it says more than the shard knows */
        code = KERR_COORDINATOR_NOT_AVAILABLE;
    if (code == KERR_COORDINATOR_NOT_AVAILABLE)
        retry_us = RETRY_WRITE_US;
    log_limited(&rate, 1, LL_WARNING, COORDINATOR_LOG,
                "cannot write what groups did: %s; partition=%d answer=%d", err->text,
                (int)host->partition, (int)code);
    host_fail(w, host, code, retry_us);
}

void
host_flush(Worker *w, Host *host)
{
    ErrInfo err = {0};
    int rc;

    if (host->batches.arena == NULL)
        return;
    rc = batches_finish(&host->batches, &err);
    for (const BuiltBatch *b = host->batches.first; b != NULL && rc == 0; b = b->next)
        rc = append_one(w, host, b, &err);
    forget_batches(host);
    if (rc != 0)
        append_failed(w, host, rc, &err);
}

/* ---- waiting ------------------------------------------------------------------------------------ */

/* Registers for what the first wait needs, and what the queue of the high watermark needs. */
static void
watch(Host *host)
{
    uint32_t mask = WAIT_ON_STATE;
    Interest interest = {.ref = host->ref, .key = (uint32_t)host->partition};

    if (host->wait_count > 0)
        mask |= replica_wait_mask(&host->waits[host->wait_first].wait);
    if (host->replicated.count > 0)
        mask |= WAIT_ON_HIGH_WATERMARK;
    interest.mask = mask;
    host->poll = interest_register(my_slot_index, &interest, &host->wait_node) == INTEREST_POLL;
}

static void
unwatch(Host *host)
{
    wait_unregister(my_slot_index, host->wait_node);
    host->wait_node = WAIT_NODE_NONE;
    host->poll = false;
}

/* What a commit that will not come means to those who wait for it; the shard stays when its log does. */
static void
wait_failed(Worker *w, Host *host, int rc, const ErrInfo *err)
{
    int16_t code = coordinator_code_of(rc);
    QueuedReply *item;
    int64_t end = host->waits[host->wait_first].end;

    if (rc != OT_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND) {
        log_msg(LL_WARNING, COORDINATOR_LOG, "the shard is dropped: %s; partition=%d", err->text,
                (int)host->partition);
        host_fail(w, host, code, host_next_backoff(host));
        return;
    }
    while ((item = reply_queue_take_safe(&host->durable, end)) != NULL) {
        answer_fail(item->answer, host->partition, code);
        free(item);
    }
    host->committed = end;
    host->wait_first = (host->wait_first + 1) % HOST_WAITS_MAX;
    host->wait_count--;
}

/* Moves host->committed on. False: the shard was dropped. */
static bool
look(Worker *w, Host *host)
{
    while (host->wait_count > 0) {
        HostWait *first = &host->waits[host->wait_first];
        ErrInfo err = {0};
        int rc = replica_check_wait(host->ref, &first->wait, &err);

        if (rc != 0) {
            wait_failed(w, host, rc, &err);
            if (host->state != HOST_ACTIVE && host->state != HOST_LOADING)
                return false;
            continue;
        }
        if (first->wait.for_hw || first->wait.for_disk)
            break;
        host->committed = first->end;
        host->wait_first = (host->wait_first + 1) % HOST_WAITS_MAX;
        host->wait_count--;
    }
    return true;
}

static void
send_safe(ReplyQueue *queue, int64_t safe)
{
    QueuedReply *item;

    while ((item = reply_queue_take_safe(queue, safe)) != NULL) {
        answer_release(item->answer);
        free(item);
    }
}

static void
send_late(Worker *w, const Host *host, ReplyQueue *queue)
{
    QueuedReply *item;

    while ((item = reply_queue_take_late(queue, w->now_us)) != NULL) {
        Answer *answer = item->answer;

        coordinator_count_add(w->index, COORDINATOR_REPLIES_LATE, 1);
        answer_fail(answer, host->partition, answer->late_status);
        free(item);
    }
}

/* What may leave now leaves. False: the shard was dropped. */
static bool
send_what_may(Worker *w, Host *host)
{
    PlogOffsets offsets;

    if (!look(w, host))
        return false;
    send_safe(&host->durable, host->wait_count == 0 ? host->next_offset : host->committed);
    if (host->replicated.count > 0 && plog_offsets_peek(host->ref, &offsets))
        send_safe(&host->replicated, offsets.high_watermark);
    return true;
}

void
host_settle(Worker *w, Host *host)
{
    if (host->wait_count == 0 && host->replicated.count == 0 && host->durable.count == 0)
        return;
    if (!send_what_may(w, host))
        return;
    send_late(w, host, &host->durable);
    send_late(w, host, &host->replicated);
    if (host->wait_count == 0 && host->replicated.count == 0) {
        unwatch(host);
        return;
    }
    watch(host);
    (void)send_what_may(w, host); /* registered, then looked */
}

void
host_answer_all(Host *host, int16_t code)
{
    QueuedReply *item;

    while ((item = reply_queue_take(&host->durable)) != NULL) {
        answer_fail(item->answer, host->partition, code);
        free(item);
    }
    while ((item = reply_queue_take(&host->replicated)) != NULL) {
        answer_fail(item->answer, host->partition, code);
        free(item);
    }
    forget_batches(host);
    host->wait_count = 0;
    unwatch(host);
}
