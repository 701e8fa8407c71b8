/*
 * h_fetch.c - Fetch: start, wait, finish, answer (log.md 12, observed.md 3, KIP-227)
 *
 * Runs in: backend. start resolves and reads; when nothing is due it registers interest and waits;
 * finish looks at what became ready only, and when the answer is due reads everything again.
 * Never: holds a session's lock, a pin of the image or a file while it waits.
 *
 * A session is attached (its wake-ups come here) from before the look at what is ready until the
 * answer, so that nothing that becomes ready in between goes unnoticed. The answer is encoded under the
 * session's lock: it is made of the session's own parts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/quota_int.h"
#include "ottla/common/conf.h"
#include "ottla/common/errlist.h"
#include "ottla/ipc/counters.h"

/* Partitions that got no wait node are looked at so often: at most 5 % of a core. */
#define POLL_US          (20 * 1000)
#define POLL_US_PER_PART 20

/* What an answer has beside its records, for quotas. */
#define ANSWER_HEAD_BYTES 24
#define ANSWER_PART_BYTES 48

/* More entries than this are refused: the default of max.partitions, and a bound of memory. */
#define FETCH_ENTRIES_MAX 100000

static ReqResult
fetch_fail(Request *rq, int16_t error, int32_t session_id)
{
    rq->failed = true;
    return fetch_answer_send(rq, &(FetchAnswer){.error = error, .session_id = session_id});
}

/* ---- answering ---------------------------------------------------------------------------------- */

static void
fetch_release(Request *rq)
{
    FetchContext *ctx = rq->state;

    fetch_list_release(&ctx->list);
}

/* Everything was just read. The connection's interest ends unless a fetch follows soon. */
static ReqResult
answer_whole(Request *rq, FetchContext *ctx)
{
    FetchAnswer answer = {.list = &ctx->list, .committed = ctx->args.isolation == 1};

    for (int32_t i = 0; i < ctx->list.count; i++)
        ctx->list.entries[i].answered = true;
    if (ctx->mode == FETCH_FULL)
        answer.session_id = fetch_serve_begin(ctx, rq->now_us);
    if (fetch_nodes_count() > 0) {
        rq->conn->idle = fetch_nodes_drop;
        rq->conn->idle_at_us = rq->now_us + WAIT_IDLE_DROP_US;
    }
    return fetch_answer_send(rq, &answer);
}

/* The hot parts of a session were just read; its lock is held, and given up here. */
static ReqResult
answer_news(Request *rq, FetchContext *ctx, FetchHold *hold)
{
    FetchAnswer answer = {
        .list = &ctx->list, .session_id = ctx->session_id, .committed = ctx->args.isolation == 1};
    ReqResult result;

    fetch_serve_news(hold, ctx);
    atomic_i64_store(&hold->session->used_ms, rq->now_us / 1000);
    result = fetch_answer_send(rq, &answer);
    fetch_serve_leave(hold, rq->now_us);
    return result;
}

/* Bytes of the answer, as far as quotas are concerned. */
static int64_t
answer_bytes(const FetchList *list)
{
    int64_t bytes = ANSWER_HEAD_BYTES;

    for (int32_t i = 0; i < list->count; i++) {
        const FetchEntry *e = &list->entries[i];

        if (e->data >= 0)
            bytes += list->data[e->data].slice.len;
        if (e->data >= 0 || e->error != 0)
            bytes += ANSWER_PART_BYTES;
    }
    return bytes;
}

/*
 * The client is over a quota: it gets nothing, and its partitions stay as they were. A full fetch that
 * would have become a session becomes none (Kafka's clients ask anew).
 */
static ReqResult
answer_throttled(Request *rq, const FetchContext *ctx, FetchHold *hold)
{
    ReqResult result =
        fetch_answer_send(rq, &(FetchAnswer){.session_id = hold == NULL ? 0 : ctx->session_id});

    if (hold != NULL)
        fetch_serve_leave(hold, rq->now_us);
    return result;
}

static ReqResult
fetch_answer(Request *rq, FetchContext *ctx, FetchHold *hold)
{
    if (!rq->quota_exempt && quota_fetch(rq, answer_bytes(&ctx->list)))
        return answer_throttled(rq, ctx, hold);
    return hold == NULL ? answer_whole(rq, ctx) : answer_news(rq, ctx, hold);
}

/* Reads everything (again) and answers. hold: the session's lock, or NULL. */
static ReqResult
fetch_complete(Request *rq, FetchContext *ctx, FetchHold *hold)
{
    fetch_release(rq);
    if (hold != NULL && !fetch_serve_collect(hold, ctx, rq)) {
        fetch_serve_leave(hold, rq->now_us);
        return request_close(rq, "no memory for a fetch session");
    }
    ctx->args.again = true;
    (void)fetch_read_all(&ctx->list, &ctx->args); /* due, whatever it says */
    return fetch_answer(rq, ctx, hold);
}

/* ---- waiting ------------------------------------------------------------------------------------ */

/* The partitions without a node were just looked at. */
static void
poll_later(FetchContext *ctx, int64_t now_us)
{
    ctx->poll_us = now_us + POLL_US + (int64_t)ctx->list.count * POLL_US_PER_PART;
}

static bool
poll_is_due(const FetchContext *ctx, int64_t now_us)
{
    return ctx->poll && now_us >= ctx->poll_us;
}

static void
fetch_set_deadline(Request *rq, const FetchContext *ctx)
{
    rq->deadline_us =
        ctx->poll && ctx->poll_us < ctx->deadline_us ? ctx->poll_us : ctx->deadline_us;
    rq->wait_event = WAIT_EV_FETCH_MIN_BYTES;
}

/* Registers a request's own partitions that are kept, and counts what came since; others are polled. */
static bool
register_own(Request *rq, FetchContext *ctx)
{
    FetchList *list = &ctx->list;
    bool due = false;

    rq->conn->idle = NULL;
    fetch_nodes_begin();
    for (int32_t i = 0; i < list->kept_count; i++) {
        FetchPart *part = &list->kept[i].part;
        InterestResult interest = fetch_nodes_register(part, ctx->args.bound, (uint32_t)i);

        ctx->poll |= interest == INTEREST_POLL;
        due |= interest == INTEREST_GONE || fetch_wait_count(part, ctx->args.bound, &ctx->total);
    }
    fetch_nodes_end();
    return due;
}

/* Registers what was read, then counts what came since. True: answer now. */
static bool
fetch_register(Request *rq, FetchContext *ctx, const FetchHold *hold, const FetchSummary *sum)
{
    bool due;

    if (hold != NULL) {
        due = fetch_serve_register(ctx, hold);
    } else {
        due = register_own(rq, ctx);
        ctx->poll |= sum->known > ctx->list.kept_count;
    }
    poll_later(ctx, rq->now_us);
    return due || ctx->total >= ctx->args.min_bytes;
}

/* Is anything asked for that could come? Cold parts of a session are there all the same. */
static bool
anything_known(const FetchContext *ctx, const FetchHold *hold, const FetchSummary *sum)
{
    return sum->known > 0 || (hold != NULL && hold->session->set.part_count > ctx->list.count);
}

/* After the first pass: answer, or wait. hold as in fetch_complete. */
static ReqResult
fetch_first(Request *rq, FetchContext *ctx, FetchHold *hold, const FetchSummary *sum)
{
    if (ctx->req.max_wait_ms <= 0 || sum->bytes >= ctx->args.min_bytes || sum->ends_wait ||
        !anything_known(ctx, hold, sum))
        return fetch_answer(rq, ctx, hold);
    ctx->deadline_us = rq->received_us + (int64_t)ctx->req.max_wait_ms * 1000;
    ctx->total = sum->bytes;
    if (fetch_register(rq, ctx, hold, sum))
        return fetch_complete(rq, ctx, hold);
    fetch_release(rq); /* deleted files give their space back */
    if (hold == NULL)
        fetch_keep_names(&ctx->list, rq->arena);
    fetch_set_deadline(rq, ctx);
    if (hold != NULL)
        fetch_session_unlock(hold);
    return REQ_PENDING;
}

/* ---- start -------------------------------------------------------------------------------------- */

static void
args_set(FetchContext *ctx, Request *rq)
{
    const FetchRequest *req = &ctx->req;
    int16_t version = rq->head.api_version;
    int64_t cap = conf_int64(CONF_FETCH_MAX_BYTES);
    int32_t replica = version >= 15 ? req->replica_state.replica_id : req->replica_id;

    ctx->args = (FetchArgs){
        .version = version,
        .isolation = req->isolation_level,
        .bound = replica >= 0 || replica == -2 ? PLOG_BOUND_LEO
                 : req->isolation_level == 1   ? PLOG_BOUND_LSO
                                               : PLOG_BOUND_HW,
        .replica_id = replica,
        .max_bytes = req->max_bytes < cap ? req->max_bytes : (int32_t)cap,
        .arena = rq->arena,
    };
    rq->quota_exempt = replica >= 0; /* a follower */
    ctx->args.max_bytes = quota_fetch_cap(rq, ctx->args.max_bytes);
    ctx->args.min_bytes =
        req->min_bytes < ctx->args.max_bytes ? req->min_bytes : ctx->args.max_bytes;
}

/* The request's own partitions into ctx->list. */
static bool
take_own_parts(Request *rq, FetchContext *ctx)
{
    if (ctx->named > FETCH_ENTRIES_MAX)
        (void)request_close(rq, "a fetch of %d partitions", ctx->named); /* notes why */
    else if (fetch_own_list(rq, ctx->named, &ctx->list))
        return true;
    else
        (void)request_close(rq, "no memory for a fetch of %d partitions", ctx->named);
    return false;
}

/*
 * An isolation level that does not exist: every partition fails, from version 7 the top too, from 13
 * the top alone.
 */
static ReqResult
fetch_bad_isolation(Request *rq, FetchContext *ctx)
{
    if (ctx->args.version >= 13)
        return fetch_fail(rq, KERR_UNKNOWN_SERVER_ERROR, 0);
    if (!take_own_parts(rq, ctx))
        return REQ_CLOSE;
    for (int32_t i = 0; i < ctx->list.count; i++) {
        FetchEntry *e = &ctx->list.entries[i];

        e->error = KERR_UNKNOWN_SERVER_ERROR;
        e->unknown = true;
        e->answered = true;
    }
    return fetch_answer_send(
        rq, &(FetchAnswer){.error = KERR_UNKNOWN_SERVER_ERROR, .list = &ctx->list});
}

/* The request's own partitions, with or without becoming a session. */
static ReqResult
fetch_start_full(Request *rq, FetchContext *ctx)
{
    FetchSummary sum;

    if (!take_own_parts(rq, ctx))
        return REQ_CLOSE;
    sum = fetch_read_all(&ctx->list, &ctx->args);
    return fetch_first(rq, ctx, NULL, &sum);
}

/* What is wrong with going on with this session; 0: nothing. */
static int16_t
session_fault(const FetchSession *s, const FetchContext *ctx)
{
    if (s->epoch != ctx->req.session_epoch)
        return KERR_INVALID_FETCH_SESSION_EPOCH;
    if (s->by_id != (ctx->args.version >= 13))
        return KERR_FETCH_SESSION_TOPIC_ID_ERROR;
    return 0;
}

static ReqResult
fetch_start_incremental(Request *rq, FetchContext *ctx)
{
    FetchHold hold;
    FetchSummary sum;
    int16_t error;

    if (!fetch_session_lock(ctx->req.session_id, &hold))
        return fetch_fail(rq, KERR_FETCH_SESSION_ID_NOT_FOUND, 0);
    error = session_fault(hold.session, ctx);
    if (error != 0) {
        fetch_session_unlock(&hold);
        return fetch_fail(rq, error, 0);
    }
    if (!fetch_serve_update(&hold, ctx, rq)) {
        fetch_session_destroy(&hold);
        return fetch_fail(rq, KERR_FETCH_SESSION_ID_NOT_FOUND, 0);
    }
    if (hold.session->set.part_count == 0) {
        fetch_session_destroy(&hold);
        ctx->mode = FETCH_SESSIONLESS;
        return fetch_start_full(rq, ctx);
    }
    hold.session->epoch = fetch_epoch_next(hold.session->epoch);
    atomic_i64_store(&hold.session->used_ms, rq->now_us / 1000);
    ctx->mode = FETCH_INCREMENTAL;
    ctx->session_index = hold.index;
    ctx->session_serial = atomic_u32_load(&hold.session->serial);
    ctx->session_id = ctx->req.session_id;
    ctx->session_epoch = hold.session->epoch;
    wait_attach(fetch_session_waiter(&hold)); /* before the look, or what comes between is missed */
    (void)fetch_serve_take_ready(&hold, ctx, false, false); /* read in any case */
    if (!fetch_serve_collect(&hold, ctx, rq)) {
        fetch_serve_leave(&hold, rq->now_us);
        return request_close(rq, "no memory for a fetch session");
    }
    sum = fetch_read_all(&ctx->list, &ctx->args);
    return fetch_first(rq, ctx, &hold, &sum);
}

ReqResult
h_fetch_start(Request *rq)
{
    FetchContext *ctx = arena_calloc(rq->arena, 1, sizeof *ctx);
    FetchHold old;

    if (ctx == NULL)
        return request_close(rq, "no memory for a fetch");
    rq->state = ctx;
    rq->release = fetch_release;
    if (!fetch_request_parse(rq, &ctx->req, &ctx->named))
        return REQ_CLOSE;
    args_set(ctx, rq);
    if (ctx->args.isolation != 0 && ctx->args.isolation != 1)
        return fetch_bad_isolation(rq, ctx);
    if (ctx->req.session_epoch != FETCH_EPOCH_INITIAL &&
        ctx->req.session_epoch != FETCH_EPOCH_FINAL)
        return fetch_start_incremental(rq, ctx);
    if (fetch_session_lock(ctx->req.session_id, &old))
        fetch_session_destroy(&old);
    ctx->mode = ctx->req.session_epoch == FETCH_EPOCH_FINAL ? FETCH_SESSIONLESS : FETCH_FULL;
    return fetch_start_full(rq, ctx);
}

/* ---- finish ------------------------------------------------------------------------------------- */

/* All of a request without a session is read again: answer, or wait on. */
static ReqResult
fetch_look_again(Request *rq, FetchContext *ctx)
{
    FetchSummary sum;

    ctx->args.again = true;
    sum = fetch_read_all(&ctx->list, &ctx->args);
    return fetch_first(rq, ctx, NULL, &sum);
}

/* What became ready of a request without a session. */
static ReqResult
fetch_take_ready(Request *rq, FetchContext *ctx)
{
    bool due = false;
    WaitTake take;
    int32_t node;
    uint32_t key;

    wait_begin_take(&take, my_slot_index, rq->rescan);
    if (take.everything || poll_is_due(ctx, rq->now_us)) {
        wait_end_take(&take);
        return fetch_look_again(rq, ctx);
    }
    while (wait_next(&take, &node, &key))
        if (key < (uint32_t)ctx->list.kept_count)
            due |= fetch_wait_count(&ctx->list.kept[key].part, ctx->args.bound, &ctx->total);
    wait_end_take(&take);
    if (due || ctx->total >= ctx->args.min_bytes)
        return fetch_complete(rq, ctx, NULL);
    fetch_set_deadline(rq, ctx);
    return REQ_PENDING;
}

/* Locks the session again, unless somebody else went on with it. */
static bool
session_resume(const FetchContext *ctx, FetchHold *ret)
{
    if (!fetch_session_relock(ctx->session_index, ctx->session_serial, ret))
        return false;
    if (ret->session->epoch == ctx->session_epoch)
        return true;
    fetch_session_unlock(ret);
    return false;
}

static ReqResult
fetch_finish_incremental(Request *rq, FetchContext *ctx, bool over)
{
    FetchHold hold;
    bool due;

    if (!session_resume(ctx, &hold))
        return fetch_fail(rq, KERR_INVALID_FETCH_SESSION_EPOCH, ctx->session_id);
    due = fetch_serve_take_ready(&hold, ctx, rq->rescan, true);
    if (poll_is_due(ctx, rq->now_us)) {
        due |= fetch_serve_poll(&hold, ctx);
        poll_later(ctx, rq->now_us);
    }
    if (over || due || ctx->total >= ctx->args.min_bytes)
        return fetch_complete(rq, ctx, &hold);
    fetch_set_deadline(rq, ctx);
    fetch_session_unlock(&hold);
    return REQ_PENDING;
}

ReqResult
h_fetch_finish(Request *rq)
{
    FetchContext *ctx = rq->state;
    bool expired = !rq->cancelled && rq->now_us >= ctx->deadline_us;
    bool over = rq->cancelled || expired;

    if (expired)
        stat_add(STAT_FETCHES_EXPIRED, 1);
    if (ctx->mode == FETCH_INCREMENTAL)
        return fetch_finish_incremental(rq, ctx, over);
    if (over)
        return fetch_complete(rq, ctx, NULL);
    return fetch_take_ready(rq, ctx);
}

void
h_fetch_drop(Request *rq)
{
    const FetchContext *ctx = rq->state;
    FetchHold hold;

    if (ctx->mode != FETCH_INCREMENTAL)
        fetch_nodes_drop();
    else if (session_resume(ctx, &hold))
        fetch_serve_leave(&hold, rq->now_us);
}
