/*
 * h_group_lists.c - requests that name several groups: split by coordinator worker, answers merged
 *
 * Runs in: backend. Spec: groups-and-transactions.md 8.1; design.md 11 "Mailboxes". DescribeGroups,
 * DeleteGroups, ConsumerGroupDescribe, OffsetFetch 8 and above. Each worker gets one message of the same API and
 * version with its groups; results come in the order of the request. Where one worker has all groups and nothing
 * is to be filled in, body and answer pass through as they are. A worker that does not answer, or a shard that fails behind
 * it, is an error of its groups alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/group_list_apis_int.h"
#include "backend/group_split_int.h"
#include "backend/names_int.h"
#include "backend/route_int.h"
#include "ottla/common/assert.h"

/* Arena bytes that an encoded answer may take decoded: members of a few hundred bytes take less. */
#define DECODED_FACTOR 16
#define ANSWER_HEAD    1024

typedef struct ListWork {
    const GroupListApi *api;
    void *in;
    const char *keys;
    GroupSplit split;
    RouteCall calls[SPLIT_PARTS_MAX]; /* by part; of parts without keys: not used */
    void *replies[SPLIT_PARTS_MAX];   /* decoded */
    int16_t *except[SPLIT_PARTS_MAX]; /* codes of results that do not hold; NULL: all hold */
    int32_t only;                     /* part whose answer is relayed as it is; -1: merged */
} ListWork;

_Static_assert(SPLIT_PARTS_MAX >= MBOX_COORDINATORS_MAX, "a part for each worker");

/* ---- arrays of a struct that the table describes ------------------------------------------------ */

static char *
array_of(const void *msg, const ArrayPlace *place, int32_t *ret_count)
{
    char *pointer;

    memcpy(&pointer, (const char *)msg + place->pointer_at, sizeof pointer);
    memcpy(ret_count, (const char *)msg + place->count_at, sizeof *ret_count);
    return pointer;
}

static void
array_set(void *msg, const ArrayPlace *place, void *pointer, int32_t count)
{
    memcpy((char *)msg + place->pointer_at, &pointer, sizeof pointer);
    memcpy((char *)msg + place->count_at, &count, sizeof count);
}

static StrView
text_at(const char *at)
{
    StrView text;

    memcpy(&text, at, sizeof text);
    return text;
}

static StrView
group_of(const ListWork *work, int32_t i)
{
    return text_at(work->keys + (size_t)i * work->api->keys.element_bytes);
}

/* ---- asking --------------------------------------------------------------------------------------- */

static bool
choose_parts(Request *rq, ListWork *work, int32_t count)
{
    const GroupListApi *api = work->api;

    if (!group_split_init(&work->split, count, rq->arena))
        return false;
    if (api->plain && !group_split_unique(&work->split, (const StrView *)(const void *)work->keys,
                                          api->unique, rq->arena))
        return false;
    for (int32_t i = 0; i < count; i++) {
        MboxWorker worker = MBOX_COORDINATOR_FIRST;
        StrView group = group_of(work, i);
        int16_t code = api->no_empty_id && group.len == 0 ? KERR_INVALID_GROUP_ID
                                                          : route_worker(group, &worker);

        group_split_put(&work->split, i, (int32_t)(worker - MBOX_COORDINATOR_FIRST), code);
    }
    return true;
}

/* The request of one part, with its keys alone. */
static bool
ask_part(Request *rq, ListWork *work, int32_t part)
{
    size_t element = work->api->keys.element_bytes;
    size_t bytes = work->api->request->body->bytes;
    int32_t count = work->split.counts[part];
    void *msg = arena_alloc(rq->arena, bytes);
    char *keys = arena_calloc(rq->arena, (size_t)count, element);

    if (msg == NULL || keys == NULL)
        return false;
    for (int32_t i = 0; i < work->split.count; i++) {
        const SplitKey *key = &work->split.keys[i];

        if (key->part == part)
            memcpy(keys + (size_t)key->place * element, work->keys + (size_t)i * element, element);
    }
    memcpy(msg, work->in, bytes);
    array_set(msg, &work->api->keys, keys, count);
    route_begin_message(rq, &work->calls[part], (MboxWorker)(MBOX_COORDINATOR_FIRST + part), msg);
    return true;
}

static bool
ask(Request *rq, ListWork *work)
{
    bool edits = work->api->edits != NULL && work->api->edits(rq->head.api_version, work->in);

    work->only = edits ? -1 : group_split_only(&work->split);
    if (work->only >= 0) {
        route_begin(rq, &work->calls[work->only], (MboxWorker)(MBOX_COORDINATOR_FIRST + work->only),
                    rq->body);
        return true;
    }
    for (int32_t part = 0; part < SPLIT_PARTS_MAX; part++)
        if (work->split.counts[part] > 0 && !ask_part(rq, work, part))
            return false;
    return true;
}

ReqResult
h_group_lists_start(Request *rq)
{
    ListWork *work = arena_calloc(rq->arena, 1, sizeof *work);
    const GroupListApi *api = group_list_api(rq->head.api->key);
    int32_t count;

    ot_assert(api != NULL);
    if (work == NULL)
        return request_close(rq, "no memory for a request about groups");
    rq->state = work;
    work->api = api;
    work->in = arena_calloc(rq->arena, 1, api->request->body->bytes);
    if (work->in == NULL)
        return request_close(rq, "no memory for a request about groups");
    if (!request_read(rq, api->request, work->in))
        return REQ_CLOSE;
    work->keys = array_of(work->in, &api->keys, &count);
    if (!choose_parts(rq, work, count) || !ask(rq, work)) {
        h_group_lists_drop(rq);
        return request_close(rq, "no memory for the groups of a request");
    }
    rq->deadline_us = route_deadline_us(rq);
    rq->wait_event = WAIT_EV_COORDINATOR_REPLY;
    return h_group_lists_finish(rq);
}

/* ---- answering ------------------------------------------------------------------------------------ */

static bool
take_exceptions(Request *rq, ListWork *work, int32_t part)
{
    const CoordinatorReply *reply = &work->calls[part].reply;
    int32_t count = work->split.counts[part];

    if (reply->exception_count == 0)
        return true;
    work->except[part] = arena_calloc(rq->arena, (size_t)count, sizeof(int16_t));
    if (work->except[part] == NULL)
        return false;
    for (int32_t i = 0; i < reply->exception_count; i++) {
        ReplyException exception = coordinator_reply_exception(reply, i);

        if (exception.index < 0 || exception.index >= count)
            return false;
        work->except[part][exception.index] = exception.code;
    }
    return true;
}

/* Reads the answers of the workers; a part whose answer cannot be read gets a code. */
static void
decode_replies(Request *rq, ListWork *work)
{
    const MessageDesc *desc = work->api->response;

    for (int32_t part = 0; part < SPLIT_PARTS_MAX; part++) {
        RouteCall *call = &work->calls[part];
        WireReader r;

        if (work->split.counts[part] == 0 || call->status != 0)
            continue;
        request_grow(rq, (size_t)call->reply.body.len * DECODED_FACTOR + desc->body->bytes +
                             (size_t)work->split.counts[part] * sizeof(int16_t));
        work->replies[part] = arena_calloc(rq->arena, 1, desc->body->bytes);
        call->status = KERR_UNKNOWN_SERVER_ERROR;
        if (work->replies[part] == NULL || !take_exceptions(rq, work, part))
            continue;
        wire_reader_init(&r, call->reply.body.ptr, (size_t)call->reply.body.len, rq->arena);
        desc->read(&r, rq->head.api_version, work->replies[part]);
        if (r.err == 0)
            call->status = 0;
    }
}

/* The key whose answer the i-th one gets. */
static const SplitKey *
key_of(const ListWork *work, int32_t i)
{
    const SplitKey *key = &work->split.keys[i];

    return key->like >= 0 ? &work->split.keys[key->like] : key;
}

/* Why there is no result of the i-th key: a code, or 0. */
static int16_t
code_of(const ListWork *work, int32_t i)
{
    const SplitKey *key = key_of(work, i);

    if (key->code != 0)
        return key->code;
    if (work->calls[key->part].status != 0)
        return work->calls[key->part].status;
    return work->except[key->part] == NULL ? 0 : work->except[key->part][key->place];
}

/* What the worker says of the i-th key; NULL: nothing that holds. */
static const char *
answered(const ListWork *work, int32_t i)
{
    const SplitKey *key = key_of(work, i);
    const GroupListApi *api = work->api;
    const char *results, *result;
    int32_t count;

    if (code_of(work, i) != 0)
        return NULL;
    results = array_of(work->replies[key->part], &api->results, &count);
    if (key->place >= count)
        return NULL;
    result = results + (size_t)key->place * api->results.element_bytes;
    return strview_equal(text_at(result + api->result_group_at), group_of(work, i)) ? result : NULL;
}

static void
put_result(Request *rq, const ListWork *work, int32_t i, char *to)
{
    const GroupListApi *api = work->api;
    const char *from = answered(work, i);
    int16_t code = code_of(work, i);
    StrView name;

    if (from != NULL) {
        memcpy(to, from, api->results.element_bytes);
        if (api->edits != NULL && api->edits(rq->head.api_version, work->in))
            api->edit(rq->head.api_version, to);
        return;
    }
    rq->failed = true;
    name = name_echo(rq->arena, group_of(work, i));
    api->init_result(to);
    memcpy(to + api->result_group_at, &name, sizeof name);
    api->set_code(to, code == 0 ? KERR_UNKNOWN_SERVER_ERROR : code);
}

static ReqResult
merge(Request *rq, ListWork *work)
{
    const GroupListApi *api = work->api;
    size_t element = api->results.element_bytes;
    WireSizer size = {0};
    char *results;
    void *out;
    int32_t n = 0;

    decode_replies(rq, work);
    request_grow(rq, ((size_t)work->split.left + 1) * (element + 64));
    out = arena_alloc(rq->arena, api->response->body->bytes);
    results = arena_calloc(rq->arena, (size_t)work->split.left + 1, element);
    if (out == NULL || results == NULL)
        return request_close(rq, "no memory for an answer about groups");
    for (int32_t i = 0; i < work->split.count; i++)
        if (!work->split.keys[i].left_out)
            put_result(rq, work, i, results + (size_t)n++ * element);
    api->response->init(out);
    array_set(out, &api->results, results, n);
    /* A group that is named again and again is in there as often. */
    api->response->size(&size, rq->head.api_version, out);
    if (size.err != 0 || size.bytes > MBOX_MESSAGE_MAX)
        return request_close(rq, "an answer about groups of more than %d bytes", MBOX_MESSAGE_MAX);
    request_grow(rq, size.bytes + ANSWER_HEAD);
    return request_respond(rq, api->response, out);
}

ReqResult
h_group_lists_finish(Request *rq)
{
    ListWork *work = rq->state;
    bool waiting = false;

    for (int32_t part = 0; part < SPLIT_PARTS_MAX; part++)
        if (work->split.counts[part] > 0)
            waiting |= !route_poll(rq, &work->calls[part]);
    if (waiting)
        return REQ_PENDING;
    if (work->only >= 0 && work->calls[work->only].status == 0 &&
        work->calls[work->only].reply.exception_count == 0) {
        rq->failed = true; /* maybe: it is looked at */
        return request_respond_body(rq, work->calls[work->only].reply.body);
    }
    return merge(rq, work);
}

void
h_group_lists_drop(Request *rq)
{
    ListWork *work = rq->state;

    for (int32_t part = 0; part < SPLIT_PARTS_MAX; part++)
        if (work->split.counts[part] > 0)
            route_drop(&work->calls[part]);
}

/* ---- OffsetFetch: one group up to version 7 ------------------------------------------------------- */

#define OFFSET_FETCH_LISTS 8

ReqResult
h_offset_fetch_start(Request *rq)
{
    return rq->head.api_version < OFFSET_FETCH_LISTS ? h_groups_start(rq) : h_group_lists_start(rq);
}

ReqResult
h_offset_fetch_finish(Request *rq)
{
    return rq->head.api_version < OFFSET_FETCH_LISTS ? h_groups_finish(rq)
                                                     : h_group_lists_finish(rq);
}

void
h_offset_fetch_drop(Request *rq)
{
    if (rq->head.api_version < OFFSET_FETCH_LISTS)
        h_groups_drop(rq);
    else
        h_group_lists_drop(rq);
}
