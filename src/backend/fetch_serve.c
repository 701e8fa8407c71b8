/*
 * fetch_serve.c - a fetch session while a request is served on it
 *
 * Runs in: backend, under the session's lock. What the request changes, what became ready, what the
 * client is told, and which parts have nothing to say until their node does.
 * Never: answers, waits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "ottla/common/assert.h"
#include "ottla/controller/image.h"

/* Arena bytes that reading and answering one hot part of a session may take, names not counted. */
#define BYTES_PER_PART (sizeof(FetchEntry) + sizeof(int32_t) + 64)

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

bool
fetch_serve_update(FetchHold *hold, const FetchContext *ctx, const Request *rq)
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

bool
fetch_serve_take_ready(FetchHold *hold, FetchContext *ctx, bool rescan, bool count)
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

bool
fetch_serve_collect(FetchHold *hold, FetchContext *ctx, Request *rq)
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

void
fetch_serve_news(FetchHold *hold, FetchContext *ctx)
{
    const FetchChunks *chunks = fetch_session_chunks();
    FetchSet *set = &hold->session->set;

    for (int32_t i = 0; i < ctx->list.count; i++) {
        FetchEntry *e = &ctx->list.entries[i];

        e->answered = session_news(fetch_set_part(set, chunks, (int32_t)e->part), e);
        if (e->data >= 0)
            fetch_set_move_to_end(set, chunks, (int32_t)e->part);
        session_cool(hold, ctx, e);
    }
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

int32_t
fetch_serve_begin(const FetchContext *ctx, int64_t now_us)
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

void
fetch_serve_leave(FetchHold *hold, int64_t now_us)
{
    wait_detach(fetch_session_waiter(hold), now_us);
    fetch_session_unlock(hold);
}

bool
fetch_serve_register(FetchContext *ctx, const FetchHold *hold)
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

bool
fetch_serve_poll(const FetchHold *hold, FetchContext *ctx)
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
