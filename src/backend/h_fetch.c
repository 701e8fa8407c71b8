/*
 * h_fetch.c - Fetch: sessions and control flow (log.md 12, observed.md 3, KIP-227)
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
#include "ottla/common/assert.h"
#include "ottla/common/conf.h"
#include "ottla/common/errlist.h"
#include "ottla/controller/image.h"

/* Partitions that got no wait node are looked at so often: at most 5 % of a core. */
#define POLL_US          (20 * 1000)
#define POLL_US_PER_PART 20

/* What an answer has beside its records, for quotas. */
#define ANSWER_HEAD_BYTES 24
#define ANSWER_PART_BYTES 48

/* More entries than this are refused: the default of max.partitions, and a bound of memory. */
#define FETCH_ENTRIES_MAX 100000

/* Arena bytes that reading and answering one hot part of a session may take, names not counted. */
#define BYTES_PER_PART (sizeof(FetchEntry) + sizeof(int32_t) + 64)

typedef enum FetchMode {
    FETCH_SESSIONLESS,
    FETCH_FULL, /* answered whole, then kept as a new session */
    FETCH_INCREMENTAL,
} FetchMode;

typedef struct FetchContext {
    FetchRequest req;
    FetchArgs args;
    FetchMode mode;
    int32_t named;  /* partitions that the request names */
    FetchList list; /* what this pass reads */
    int64_t deadline_us;
    int64_t total;   /* bytes that are ready, as counted while waiting */
    bool poll;       /* some partition has no wait node */
    int64_t poll_us; /* when to look at those again */

    /* FETCH_INCREMENTAL: which session, and that nobody else went on with it meanwhile. */
    int32_t session_index;
    uint32_t session_serial;
    int32_t session_id;
    int32_t session_epoch; /* the next one expected after this request */
} FetchContext;

static ReqResult
fetch_fail(Request *rq, int16_t error, int32_t session_id)
{
    rq->failed = true;
    return fetch_answer_send(rq, &(FetchAnswer){.error = error, .session_id = session_id});
}

/* ---- sessions ----------------------------------------------------------------------------------- */

static void
session_forget(FetchHold *hold, const FetchKey *key)
{
    const FetchChunks *chunks = fetch_session_chunks();
    int32_t index = fetch_set_find(&hold->session->set, chunks, key);

    if (index < 0)
        return;
    wait_unregister(fetch_session_waiter(hold),
                    fetch_set_part(&hold->session->set, chunks, index)->node);
    fetch_set_remove(&hold->session->set, chunks, index);
}

/* Adds, changes and forgets what the request says. False: no room for all of it. */
static bool
session_update(FetchHold *hold, const FetchContext *ctx, const Request *rq)
{
    const FetchChunks *chunks = fetch_session_chunks();
    bool by_id = ctx->args.version >= 13;
    FetchSet *set = &hold->session->set;
    FetchWalk walk;

    fetch_walk_init(&walk, rq);
    while (fetch_walk_next(&walk)) {
        FetchKey key = {.id = walk.topic.topic_id,
                        .name = walk.topic.topic,
                        .partition = walk.part.partition,
                        .by_id = by_id};
        int32_t index = fetch_set_add(set, chunks, &key);

        if (index < 0)
            return false;
        fetch_part_set(fetch_set_part(set, chunks, index), &walk.part);
        fetch_set_heat(set, chunks, index);
    }
    for (int32_t t = 0; t < ctx->req.forgotten_topics_data_count; t++) {
        const FetchRequestForgottenTopic *topic = &ctx->req.forgotten_topics_data[t];

        for (int32_t p = 0; p < topic->partitions_count; p++) {
            FetchKey key = {.id = topic->topic_id,
                            .name = topic->topic,
                            .partition = topic->partitions[p],
                            .by_id = by_id};

            session_forget(hold, &key);
        }
    }
    return true;
}

/*
 * Interest in a part. Once a request found no node free it does not search again for each of the
 * other parts without one.
 */
static InterestResult
session_register(const FetchHold *hold, FetchContext *ctx, FetchPart *part, int32_t index)
{
    InterestResult interest = INTEREST_POLL;

    if (!ctx->poll || part->node != WAIT_NODE_NONE)
        interest =
            fetch_wait_register(fetch_session_waiter(hold), part, ctx->args.bound, (uint32_t)index);
    ctx->poll |= interest == INTEREST_POLL;
    return interest;
}

/* Interest was dropped, or somebody died: the ready nodes say nothing. */
static bool
session_take_all(FetchHold *hold, FetchContext *ctx, bool count)
{
    const FetchChunks *chunks = fetch_session_chunks();
    FetchSet *set = &hold->session->set;
    bool due = false;

    for (int32_t i = 0; i < set->part_high; i++) {
        FetchPart *part = fetch_set_part(set, chunks, i);

        if (!part->in_use)
            continue;
        fetch_set_heat(set, chunks, i);
        (void)session_register(hold, ctx, part, i); /* gone or polled: the count says so */
        if (count && part->ref.slot >= 0)
            due |= fetch_wait_count(part, ctx->args.bound, &ctx->total);
    }
    return due;
}

/*
 * What became ready since the last look joins the hot parts. count: also add their bytes to the
 * total; true then: answer now.
 */
static bool
session_take_ready(FetchHold *hold, FetchContext *ctx, bool rescan, bool count)
{
    const FetchChunks *chunks = fetch_session_chunks();
    FetchSet *set = &hold->session->set;
    bool due = false;
    WaitTake take;
    int32_t node;
    uint32_t key;

    wait_begin_take(&take, fetch_session_waiter(hold), rescan);
    if (take.everything)
        due = session_take_all(hold, ctx, count);
    while (wait_next(&take, &node, &key)) {
        FetchPart *part;

        if (take.everything || key >= (uint32_t)set->part_high)
            continue;
        part = fetch_set_part(set, chunks, (int32_t)key);
        if (!part->in_use || part->node != node)
            continue;
        fetch_set_heat(set, chunks, (int32_t)key);
        if (count && part->ref.slot >= 0)
            due |= fetch_wait_count(part, ctx->args.bound, &ctx->total);
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
    size_t name_bytes = hold->session->by_id ? 0 : LIMIT_TOPIC_NAME_LEN;
    ArenaMark mark;
    int32_t *order;

    ctx->list.set = set;
    ctx->list.count = 0;
    request_grow(rq, (size_t)set->hot_count * (BYTES_PER_PART + name_bytes));
    if (!fetch_list_room(&ctx->list, set->hot_count, rq->arena))
        return false;
    mark = arena_mark(rq->arena);
    order = arena_alloc(rq->arena, (size_t)set->hot_count * sizeof *order);
    if (order == NULL)
        return false;
    fetch_set_hot_sorted(set, chunks, order);
    for (int32_t i = 0; i < set->hot_count; i++)
        ctx->list.entries[ctx->list.count++] =
            (FetchEntry){.topic = (uint32_t)fetch_set_part(set, chunks, order[i])->topic,
                         .part = (uint32_t)order[i],
                         .data = -1};
    arena_release(rq->arena, mark);
    return true;
}

/*
 * A part that stands at its end and of which the client knows everything need not be looked at again
 * until its node says so. Registered first, looked at afterwards [W1 of waitlist.h].
 */
static void
session_cool(FetchHold *hold, FetchContext *ctx, const FetchEntry *e)
{
    const FetchChunks *chunks = fetch_session_chunks();
    int32_t index = (int32_t)e->part;
    FetchPart *part = fetch_set_part(&hold->session->set, chunks, index);
    PlogOffsets now;

    if (e->error != 0 || e->diverging || e->data >= 0)
        return;
    if (session_register(hold, ctx, part, index) != INTEREST_REGISTERED ||
        !plog_offsets_peek(part->ref, &now))
        return;
    if (plog_bound_offset(&now, ctx->args.bound) > part->fetch_offset ||
        now.high_watermark != part->told_high_watermark ||
        now.log_start_offset != part->told_log_start)
        return;
    part->ready_bytes = 0;
    fetch_set_cool(&hold->session->set, chunks, index);
}

/* Is this partition news to the client? Notes in the session's part what it is told. */
static bool
session_news(FetchPart *part, const FetchEntry *e)
{
    int64_t high_watermark = e->error != 0 ? -1 : e->high_watermark;
    int64_t log_start = e->error != 0 ? -1 : e->log_start_offset;
    bool news = e->error != 0 || e->diverging || e->data >= 0 ||
                high_watermark != part->told_high_watermark || log_start != part->told_log_start;

    part->told_high_watermark = high_watermark;
    part->told_log_start = log_start;
    return news;
}

/* One part of a full fetch joins the session made of it. */
static bool
session_copy_part(FetchHold *hold, const FetchLook *look, const Image *image)
{
    const FetchChunks *chunks = fetch_session_chunks();
    FetchSet *set = &hold->session->set;
    int32_t index = fetch_set_add(set, chunks, &look->key);
    const ImageTopic *found = NULL;
    FetchTopic *topic;
    FetchPart *part;

    if (index < 0)
        return false;
    part = fetch_set_part(set, chunks, index);
    part->fetch_offset = look->part->fetch_offset;
    part->max_bytes = look->part->max_bytes;
    part->current_leader_epoch = look->part->current_leader_epoch;
    part->last_fetched_epoch = look->part->last_fetched_epoch;
    (void)session_news(part, look->entry); /* told all the same */
    topic = fetch_set_topic(set, chunks, part->topic);
    if (!topic->by_id || topic->name_len > 0 || look->entry->unknown || image == NULL)
        return true;
    found = image_topic_by_id(image, topic->id);
    if (found != NULL) {
        topic->name_len = image_topic_name(found).len;
        memcpy(topic->name, image_topic_name(found).ptr, (size_t)topic->name_len);
    }
    return true;
}

/* All of them, in their order. */
static bool
session_copy(FetchHold *hold, const FetchList *list)
{
    ImagePin pin = image_pin(); /* for the names of topics asked for by id */
    FetchCursor cursor;
    FetchLook look;
    bool good = true;

    fetch_cursor_init(&cursor, list);
    while (good && fetch_cursor_next(&cursor, &look))
        good = session_copy_part(hold, &look, image_of(&pin));
    image_unpin(&pin);
    return good;
}

/* A full fetch becomes a session with the same parts; 0: there is no room for one. */
static int32_t
session_begin(const FetchContext *ctx, int64_t now_us)
{
    FetchSessionNew what = {.part_count = ctx->list.count,
                            .by_id = ctx->args.version >= 13,
                            .privileged = ctx->args.replica_id >= 0,
                            .now_ms = now_us / 1000};
    FetchHold hold;
    int32_t id;

    if (!fetch_session_create(&what, &hold))
        return 0;
    if (!session_copy(&hold, &ctx->list)) {
        fetch_session_destroy(&hold);
        return 0;
    }
    id = (int32_t)atomic_u32_load(&hold.session->id);
    fetch_session_unlock(&hold);
    return id;
}

/* Nobody serves the session from here on: nobody is woken for it. */
static void
session_leave(FetchHold *hold, int64_t now_us)
{
    wait_detach(fetch_session_waiter(hold), now_us);
    fetch_session_unlock(hold);
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
        answer.session_id = session_begin(ctx, rq->now_us);
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
    const FetchChunks *chunks = fetch_session_chunks();
    FetchSet *set = &hold->session->set;
    FetchAnswer answer = {
        .list = &ctx->list, .session_id = ctx->session_id, .committed = ctx->args.isolation == 1};
    ReqResult result;

    for (int32_t i = 0; i < ctx->list.count; i++) {
        FetchEntry *e = &ctx->list.entries[i];

        e->answered = session_news(fetch_set_part(set, chunks, (int32_t)e->part), e);
        if (e->data >= 0)
            fetch_set_move_to_end(set, chunks, (int32_t)e->part);
        session_cool(hold, ctx, e);
    }
    atomic_i64_store(&hold->session->used_ms, rq->now_us / 1000);
    result = fetch_answer_send(rq, &answer);
    session_leave(hold, rq->now_us);
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
        session_leave(hold, rq->now_us);
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
    if (hold != NULL && !session_collect(hold, ctx, rq)) {
        session_leave(hold, rq->now_us);
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

/* Registers the parts of a session that were read, then counts what came since. */
static bool
register_session(FetchContext *ctx, const FetchHold *hold)
{
    const FetchChunks *chunks = fetch_session_chunks();
    bool due = false;

    for (int32_t i = 0; i < ctx->list.count; i++) {
        int32_t index = (int32_t)ctx->list.entries[i].part;
        FetchPart *part = fetch_set_part(&hold->session->set, chunks, index);

        if (ctx->list.entries[i].unknown)
            continue;
        due |= session_register(hold, ctx, part, index) == INTEREST_GONE ||
               fetch_wait_count(part, ctx->args.bound, &ctx->total);
    }
    return due;
}

/* The same for a request's own partitions that are kept; others are polled. */
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
        due = register_session(ctx, hold);
    } else {
        due = register_own(rq, ctx);
        ctx->poll |= sum->known > ctx->list.kept_count;
    }
    poll_later(ctx, rq->now_us);
    return due || ctx->total >= ctx->args.min_bytes;
}

/* The parts of a session that have no node. They are hot, so this pass has read them. */
static bool
session_poll(const FetchHold *hold, FetchContext *ctx)
{
    bool due = false;

    ot_assert(hold->session->epoch == ctx->session_epoch); /* nobody changed the parts */
    for (int32_t i = 0; i < ctx->list.count; i++) {
        FetchPart *part = fetch_set_part(&hold->session->set, fetch_session_chunks(),
                                         (int32_t)ctx->list.entries[i].part);

        if (part->node == WAIT_NODE_NONE && part->ref.slot >= 0)
            due |= fetch_wait_count(part, ctx->args.bound, &ctx->total);
    }
    return due;
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
    if (!session_update(&hold, ctx, rq)) {
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
    (void)session_take_ready(&hold, ctx, false, false); /* read in any case */
    if (!session_collect(&hold, ctx, rq)) {
        session_leave(&hold, rq->now_us);
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
    due = session_take_ready(&hold, ctx, rq->rescan, true);
    if (poll_is_due(ctx, rq->now_us)) {
        due |= session_poll(&hold, ctx);
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
    bool over = rq->cancelled || rq->now_us >= ctx->deadline_us;

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
        session_leave(&hold, rq->now_us);
}
