/*
 * h_fetch.c - Fetch: sessions and control flow (log.md 12, observed.md 3, KIP-227)
 *
 * Runs in: backend. start resolves and reads; when nothing is due it registers interest and waits;
 * finish looks at what became ready only, and when the answer is due reads everything again.
 * Never: holds a session's lock or a pin of the image while it waits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "backend/dispatch_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/errlist.h"
#include "ottla/common/hash.h"

/* A partition that got no wait node is looked at so often. */
#define POLL_US (20 * 1000)

/* Arena bytes that reading and answering one partition may take. */
#define BYTES_PER_PART (sizeof(FetchRead) + sizeof(FetchResponsePartition) + 512)

typedef enum FetchMode {
    FETCH_SESSIONLESS,
    FETCH_FULL, /* answered whole, then kept as a new session */
    FETCH_INCREMENTAL,
} FetchMode;

typedef struct FetchContext {
    FetchRequest req;
    FetchArgs args;
    FetchMode mode;
    FetchPart *parts; /* of the request itself; not FETCH_INCREMENTAL */
    FetchRead *reads;
    int32_t count;
    int64_t deadline_us;
    int64_t total; /* bytes that are ready, as counted while waiting */
    bool poll;
    bool read; /* reads may hold slices */

    /* FETCH_INCREMENTAL: which session, and that nobody else went on with it meanwhile. */
    int32_t session_index;
    uint32_t session_serial;
    int32_t session_id;
    int32_t session_epoch; /* the next one expected after this request */
} FetchContext;

static ReqResult
fetch_fail(Request *rq, int16_t error, int32_t session_id)
{
    return fetch_answer_send(rq, &(FetchAnswer){.error = error, .session_id = session_id});
}

/* ---- sessions ------------------------------------------------------------------------------- */

static FetchKey
session_key(const FetchContext *ctx, StrView name, Uuid id, int32_t partition)
{
    return (FetchKey){
        .id = id, .name = name, .partition = partition, .by_id = ctx->args.version >= 13};
}

/* Adds, changes and forgets what the request says. False: no room for all of it. */
static bool
session_update(FetchHold *hold, const FetchContext *ctx)
{
    const FetchChunks *chunks = fetch_session_chunks();
    FetchSet *set = &hold->session->set;
    for (int32_t t = 0; t < ctx->req.topics_count; t++) {
        const FetchRequestTopic *topic = &ctx->req.topics[t];
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            FetchKey key =
                session_key(ctx, topic->topic, topic->topic_id, topic->partitions[p].partition);
            int32_t index = fetch_set_add(set, chunks, &key);
            if (index < 0) {
                return false;
            }
            part_set(fetch_set_part(set, chunks, index), &topic->partitions[p]);
            fetch_set_heat(set, chunks, index);
        }
    }
    for (int32_t t = 0; t < ctx->req.forgotten_topics_data_count; t++) {
        const FetchRequestForgottenTopic *topic = &ctx->req.forgotten_topics_data[t];
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            FetchKey key = session_key(ctx, topic->topic, topic->topic_id, topic->partitions[p]);
            int32_t index = fetch_set_find(set, chunks, &key);
            if (index >= 0) {
                FetchPart *part = fetch_set_part(set, chunks, index);
                if (part->node != WAIT_NODE_NONE) {
                    wait_unregister(fetch_session_waiter(hold), part->node);
                }
                fetch_set_remove(set, chunks, index);
            }
        }
    }
    return true;
}

/* What became ready since the last look joins the hot parts. count: add their bytes to the total. */
static bool
session_take_ready(FetchHold *hold, FetchContext *ctx, bool rescan, bool count)
{
    const FetchChunks *chunks = fetch_session_chunks();
    FetchSet *set = &hold->session->set;
    WaitTake take;
    int32_t node;
    uint32_t key;
    bool due = false;
    wait_begin_take(&take, fetch_session_waiter(hold), rescan);
    if (take.everything) {
        for (int32_t i = 0; i < set->part_high; i++) {
            FetchPart *part = fetch_set_part(set, chunks, i);
            if (part->in_use) {
                fetch_set_heat(set, chunks, i);
                ctx->poll |= fetch_wait_register(fetch_session_waiter(hold), part, ctx->args.bound,
                                                 (uint32_t)i) == FETCH_POLL;
                due |= count && part->ref.slot >= 0 &&
                       fetch_wait_count(part, ctx->args.bound, &ctx->total);
            }
        }
    }
    while (wait_next(&take, &node, &key)) {
        if ((int32_t)key < set->part_high) {
            FetchPart *part = fetch_set_part(set, chunks, (int32_t)key);
            if (part->in_use && part->node == node) {
                fetch_set_heat(set, chunks, (int32_t)key);
                due |= count && fetch_wait_count(part, ctx->args.bound, &ctx->total);
            }
        }
    }
    wait_end_take(&take);
    return due;
}

/* The hot parts become what this pass reads. */
static bool
session_collect(FetchHold *hold, FetchContext *ctx, Request *rq)
{
    const FetchChunks *chunks = fetch_session_chunks();
    const FetchSet *set = &hold->session->set;
    request_grow(rq, (size_t)set->hot_count * BYTES_PER_PART);
    int32_t *order = arena_calloc(rq->arena, (size_t)set->hot_count + 1, sizeof *order);
    FetchRead *reads = arena_calloc(rq->arena, (size_t)set->hot_count + 1, sizeof *reads);
    if (order == NULL || reads == NULL) {
        return false;
    }
    fetch_set_hot_sorted(set, chunks, order);
    for (int32_t i = 0; i < set->hot_count; i++) {
        FetchPart *part = fetch_set_part(set, chunks, order[i]);
        reads[i] = (FetchRead){.part = part,
                               .topic = fetch_set_topic(set, chunks, part->topic),
                               .index = order[i]};
    }
    ctx->reads = reads;
    ctx->count = set->hot_count;
    return true;
}

/*
 * A part that stands at its end and of which the client knows everything need not be looked at again
 * until its node says so. Registered first, looked at afterwards [W1 of waitlist.h].
 */
static void
session_cool(FetchHold *hold, const FetchContext *ctx, const FetchRead *r)
{
    PlogOffsets now;
    if (r->error != 0 || r->diverging || r->slice.len > 0) {
        return;
    }
    if (fetch_wait_register(fetch_session_waiter(hold), r->part, ctx->args.bound,
                            (uint32_t)r->index) != FETCH_REGISTERED ||
        !plog_offsets_peek(r->part->ref, &now)) {
        return;
    }
    if (plog_bound_offset(&now, ctx->args.bound) <= r->part->fetch_offset &&
        now.high_watermark == r->part->told_high_watermark &&
        now.log_start_offset == r->part->told_log_start) {
        r->part->ready_bytes = 0;
        fetch_set_cool(&hold->session->set, fetch_session_chunks(), r->index);
    }
}

/* Is this partition news to the client? Notes what it is told. */
static bool
session_news(FetchRead *r)
{
    int64_t high_watermark = r->error != 0 ? -1 : r->offsets.high_watermark;
    int64_t log_start = r->error != 0 ? -1 : r->offsets.log_start_offset;
    bool news = r->error != 0 || r->diverging || r->slice.len > 0 ||
                high_watermark != r->part->told_high_watermark ||
                log_start != r->part->told_log_start;
    r->part->told_high_watermark = high_watermark;
    r->part->told_log_start = log_start;
    return news;
}

/* A full fetch becomes a session with the same parts; 0: there is no room for one. */
static int32_t
session_begin(const FetchContext *ctx)
{
    const FetchChunks *chunks = fetch_session_chunks();
    FetchSessionNew what = {.part_count = ctx->count,
                            .by_id = ctx->args.version >= 13,
                            .privileged = ctx->args.replica_id >= 0,
                            .now_ms = clock_mono_us() / 1000};
    FetchHold hold;
    if (!fetch_session_create(&what, &hold)) {
        return 0;
    }
    FetchSet *set = &hold.session->set;
    for (int32_t i = 0; i < ctx->count; i++) {
        const FetchRead *r = &ctx->reads[i];
        FetchKey key = {.id = r->topic->id,
                        .name = {r->topic->name, r->topic->name_len},
                        .partition = r->part->partition,
                        .by_id = r->topic->by_id};
        int32_t index = fetch_set_add(set, chunks, &key);
        if (index < 0) {
            fetch_session_destroy(&hold);
            return 0;
        }
        FetchPart *part = fetch_set_part(set, chunks, index);
        part->fetch_offset = r->part->fetch_offset;
        part->max_bytes = r->part->max_bytes;
        part->current_leader_epoch = r->part->current_leader_epoch;
        part->last_fetched_epoch = r->part->last_fetched_epoch;
        part->told_high_watermark = r->part->told_high_watermark;
        part->told_log_start = r->part->told_log_start;
        FetchTopic *topic = fetch_set_topic(set, chunks, part->topic);
        if (topic->by_id && topic->name_len == 0 && r->topic->name_len > 0) {
            memcpy(topic->name, r->topic->name, (size_t)r->topic->name_len);
            topic->name_len = r->topic->name_len;
        }
    }
    int32_t id = (int32_t)atomic_u32_load(&hold.session->id);
    fetch_session_unlock(&hold);
    return id;
}

/* ---- answering ------------------------------------------------------------------------------ */

static void
fetch_release(Request *rq)
{
    FetchContext *ctx = rq->state;
    if (ctx->read) {
        fetch_read_release(ctx->reads, ctx->count);
        ctx->read = false;
    }
}

/* Everything was just read; hold: the session's lock, or none. */
static ReqResult
fetch_answer(Request *rq, FetchContext *ctx, FetchHold *hold)
{
    FetchAnswer answer = {.reads = ctx->reads, .count = ctx->count};
    bool incremental = ctx->mode == FETCH_INCREMENTAL;
    for (int32_t i = 0; i < ctx->count; i++) {
        FetchRead *r = &ctx->reads[i];
        bool news = session_news(r);
        r->answered = news || !incremental;
        if (incremental && r->slice.len > 0) {
            fetch_set_move_to_end(&hold->session->set, fetch_session_chunks(), r->index);
        }
        if (incremental) {
            session_cool(hold, ctx, r);
        }
    }
    if (incremental) {
        answer.session_id = ctx->session_id;
        atomic_i64_store(&hold->session->used_ms, rq->now_us / 1000);
        wait_detach(fetch_session_waiter(hold), rq->now_us);
        fetch_session_unlock(hold);
    } else if (ctx->mode == FETCH_FULL) {
        answer.session_id = session_begin(ctx);
    }
    return fetch_answer_send(rq, &answer);
}

/* Reads everything (again) and answers. */
static ReqResult
fetch_complete(Request *rq, FetchContext *ctx, FetchHold *hold)
{
    fetch_release(rq);
    if (ctx->mode == FETCH_INCREMENTAL && !session_collect(hold, ctx, rq)) {
        fetch_session_unlock(hold);
        return request_close(rq, "no memory for a fetch of %d partitions", ctx->count);
    }
    (void)fetch_read_all(ctx->reads, ctx->count, &ctx->args);
    ctx->read = true;
    return fetch_answer(rq, ctx, hold);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void
fetch_set_deadline(Request *rq, const FetchContext *ctx)
{
    int64_t poll_us = rq->now_us + POLL_US;
    rq->deadline_us = ctx->poll && poll_us < ctx->deadline_us ? poll_us : ctx->deadline_us;
    rq->wait_event = WAIT_EV_FETCH_MIN_BYTES;
}

/* Registers every partition that was read, then counts what came since. True: answer now. */
static bool
fetch_register(FetchContext *ctx, FetchHold *hold)
{
    bool due = false;
    if (hold == NULL) {
        fetch_nodes_begin();
    }
    for (int32_t i = 0; i < ctx->count; i++) {
        FetchRead *r = &ctx->reads[i];
        if (r->unknown) {
            continue;
        }
        FetchInterest interest =
            hold == NULL ? fetch_nodes_register(r->part, ctx->args.bound, (uint32_t)i)
                         : fetch_wait_register(fetch_session_waiter(hold), r->part,
                                               ctx->args.bound, (uint32_t)r->index);
        ctx->poll |= interest == FETCH_POLL;
        due |= interest == FETCH_GONE || fetch_wait_count(r->part, ctx->args.bound, &ctx->total);
    }
    if (hold == NULL) {
        fetch_nodes_end();
    }
    return due || ctx->total >= ctx->args.min_bytes;
}

/* What became ready of a request without a session. True: answer now. */
static bool
fetch_take_ready(FetchContext *ctx, bool rescan)
{
    WaitTake take;
    int32_t node;
    uint32_t key;
    wait_begin_take(&take, my_slot_index, rescan);
    if (take.everything) {
        wait_end_take(&take);
        return fetch_register(ctx, NULL);
    }
    bool due = false;
    while (wait_next(&take, &node, &key)) {
        if ((int32_t)key < ctx->count && !ctx->reads[key].unknown) {
            due |= fetch_wait_count(ctx->reads[key].part, ctx->args.bound, &ctx->total);
        }
    }
    wait_end_take(&take);
    return due || ctx->total >= ctx->args.min_bytes;
}

/* After the first pass: answer, or wait. hold as in fetch_answer. */
static ReqResult
fetch_first(Request *rq, FetchContext *ctx, FetchHold *hold, const FetchSummary *sum)
{
    bool session = ctx->mode == FETCH_INCREMENTAL;
    if (ctx->req.max_wait_ms <= 0 || (sum->known == 0 && (!session || hold->session->set.part_count == ctx->count)) ||
        sum->bytes >= ctx->args.min_bytes || sum->ends_wait) {
        return fetch_answer(rq, ctx, hold);
    }
    ctx->deadline_us = rq->received_us + (int64_t)ctx->req.max_wait_ms * 1000;
    ctx->total = sum->bytes;
    if (session) {
        wait_attach(fetch_session_waiter(hold));
    }
    if (fetch_register(ctx, session ? hold : NULL)) {
        return fetch_complete(rq, ctx, hold);
    }
    fetch_release(rq); /* nothing is held while it waits: deleted files give their space back */
    fetch_set_deadline(rq, ctx);
    if (session) {
        fetch_session_unlock(hold);
    }
    return REQ_PENDING;
}

/* ---- start ---------------------------------------------------------------------------------- */

static void
args_set(FetchContext *ctx, const Request *rq)
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
    ctx->args.min_bytes =
        req->min_bytes < ctx->args.max_bytes ? req->min_bytes : ctx->args.max_bytes;
}

/* An isolation level that does not exist: every partition fails, and from version 7 the top too. */
static ReqResult
fetch_bad_isolation(Request *rq, FetchContext *ctx)
{
    if (!context_own_parts(ctx, &ctx->req)) {
        return request_close(rq, "no memory for a fetch");
    }
    for (int32_t i = 0; i < ctx->count; i++) {
        FetchRead *r = &ctx->reads[i];
        *r = (FetchRead){.part = r->part,
                         .topic = r->topic,
                         .index = i,
                         .error = KERR_UNKNOWN_SERVER_ERROR,
                         .unknown = true,
                         .answered = true};
    }
    return fetch_answer_send(rq, &(FetchAnswer){.error = KERR_UNKNOWN_SERVER_ERROR,
                                                .reads = ctx->reads,
                                                .count = ctx->count});
}

/* The request's own partitions, with or without becoming a session. */
static ReqResult
fetch_start_full(Request *rq, FetchContext *ctx)
{
    if (!context_own_parts(ctx, &ctx->req)) {
        return request_close(rq, "no memory for a fetch");
    }
    FetchSummary sum = fetch_read_all(ctx->reads, ctx->count, &ctx->args);
    ctx->read = true;
    return fetch_first(rq, ctx, NULL, &sum);
}

static ReqResult
fetch_start_incremental(Request *rq, FetchContext *ctx)
{
    FetchHold hold;
    if (!fetch_session_lock(ctx->req.session_id, &hold)) {
        return fetch_fail(rq, KERR_FETCH_SESSION_ID_NOT_FOUND, 0);
    }
    FetchSession *s = hold.session;
    int16_t error = s->epoch != ctx->req.session_epoch ? KERR_INVALID_FETCH_SESSION_EPOCH
                    : s->by_id != (ctx->args.version >= 13) ? KERR_FETCH_SESSION_TOPIC_ID_ERROR
                                                            : 0;
    if (error != 0) {
        fetch_session_unlock(&hold);
        return fetch_fail(rq, error, 0);
    }
    if (!session_update(&hold, ctx)) {
        fetch_session_destroy(&hold);
        return fetch_fail(rq, KERR_FETCH_SESSION_ID_NOT_FOUND, 0);
    }
    if (s->set.part_count == 0) {
        fetch_session_destroy(&hold);
        ctx->mode = FETCH_SESSIONLESS;
        return fetch_start_full(rq, ctx);
    }
    s->epoch = fetch_epoch_next(s->epoch);
    ctx->mode = FETCH_INCREMENTAL;
    ctx->session_index = hold.index;
    ctx->session_serial = atomic_u32_load(&s->serial);
    ctx->session_id = ctx->req.session_id;
    ctx->session_epoch = s->epoch;
    (void)session_take_ready(&hold, ctx, false, false);
    if (!session_collect(&hold, ctx, rq)) {
        fetch_session_unlock(&hold);
        return request_close(rq, "no memory for a fetch session");
    }
    FetchSummary sum = fetch_read_all(ctx->reads, ctx->count, &ctx->args);
    ctx->read = true;
    return fetch_first(rq, ctx, &hold, &sum);
}

ReqResult
h_fetch_start(Request *rq)
{
    FetchContext *ctx = arena_calloc(rq->arena, 1, sizeof *ctx);
    if (ctx == NULL) {
        return request_close(rq, "no memory for a fetch");
    }
    rq->state = ctx;
    rq->release = fetch_release;
    if (!request_read(rq, &fetch_request_desc, &ctx->req)) {
        return REQ_CLOSE;
    }
    args_set(ctx, rq);
    if (ctx->args.isolation != 0 && ctx->args.isolation != 1) {
        return fetch_bad_isolation(rq, ctx);
    }
    if (ctx->req.session_epoch != FETCH_EPOCH_INITIAL &&
        ctx->req.session_epoch != FETCH_EPOCH_FINAL) {
        return fetch_start_incremental(rq, ctx);
    }
    FetchHold old;
    if (ctx->req.session_id != 0 && fetch_session_lock(ctx->req.session_id, &old)) {
        fetch_session_destroy(&old);
    }
    ctx->mode = ctx->req.session_epoch == FETCH_EPOCH_FINAL ? FETCH_SESSIONLESS : FETCH_FULL;
    return fetch_start_full(rq, ctx);
}

/* ---- finish --------------------------------------------------------------------------------- */

static ReqResult
fetch_finish_incremental(Request *rq, FetchContext *ctx, bool over)
{
    FetchHold hold;
    if (!fetch_session_relock(ctx->session_index, ctx->session_serial, &hold)) {
        return fetch_fail(rq, KERR_INVALID_FETCH_SESSION_EPOCH, ctx->session_id);
    }
    if (hold.session->epoch != ctx->session_epoch) {
        fetch_session_unlock(&hold);
        return fetch_fail(rq, KERR_INVALID_FETCH_SESSION_EPOCH, ctx->session_id);
    }
    bool due = session_take_ready(&hold, ctx, rq->rescan || ctx->poll, true);
    if (over || due || ctx->total >= ctx->args.min_bytes) {
        return fetch_complete(rq, ctx, &hold);
    }
    fetch_set_deadline(rq, ctx);
    fetch_session_unlock(&hold);
    return REQ_PENDING;
}

ReqResult
h_fetch_finish(Request *rq)
{
    FetchContext *ctx = rq->state;
    bool over = rq->cancelled || rq->now_us >= ctx->deadline_us;
    if (ctx->mode == FETCH_INCREMENTAL) {
        return fetch_finish_incremental(rq, ctx, over);
    }
    if (over || fetch_take_ready(ctx, rq->rescan || ctx->poll)) {
        return fetch_complete(rq, ctx, NULL);
    }
    fetch_set_deadline(rq, ctx);
    return REQ_PENDING;
}

void
h_fetch_drop(Request *rq)
{
    FetchContext *ctx = rq->state;
    FetchHold hold;
    if (ctx->mode != FETCH_INCREMENTAL) {
        fetch_nodes_drop();
    } else if (fetch_session_relock(ctx->session_index, ctx->session_serial, &hold)) {
        wait_detach(fetch_session_waiter(&hold), rq->now_us);
        fetch_session_unlock(&hold);
    }
}
