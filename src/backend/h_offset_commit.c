/*
 * h_offset_commit.c - OffsetCommit and OffsetDelete: what exists is judged here, the rest by the coordinator
 *
 * Runs in: backend. Spec: groups-and-transactions.md 3.2, 3.4; observed.md 12. An OffsetCommit of which nothing
 * exists never reaches the group; an OffsetDelete does, because an unknown group counts first. Where
 * everything exists, body and answer pass through as they are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/offset_parts_int.h"
#include "backend/route_int.h"

#define ID_INSTEAD_OF_NAME 10 /* OffsetCommit from this version on */

/* Arena bytes of a partition in the structs that are made here, and encoded. */
#define COMMIT_BYTES \
    (sizeof(OffsetCommitRequestPartition) + 2 * sizeof(OffsetCommitResponsePartition) + 64)
#define DELETE_BYTES \
    (sizeof(OffsetDeleteRequestPartition) + 2 * sizeof(OffsetDeleteResponsePartition) + 32)
#define TOPIC_BYTES 384

typedef struct OffsetWork {
    RouteCall call;
    int16_t *codes; /* offset_parts_int.h */
    int32_t refused;
    bool whole; /* the request went on as it came */
    union {
        OffsetCommitRequest commit;
        OffsetDeleteRequest delete;
    } in;
} OffsetWork;

static ReqResult
no_memory(Request *rq)
{
    return request_close(rq, "no memory for the offsets of a request");
}

static bool
make_room(Request *rq, OffsetWork *work, int64_t parts, size_t part_bytes, int32_t topics)
{
    request_grow(rq, (size_t)parts * part_bytes + (size_t)topics * TOPIC_BYTES);
    work->codes = arena_calloc(rq->arena, (size_t)parts + 1, sizeof *work->codes);
    return work->codes != NULL;
}

/* ---- OffsetCommit ------------------------------------------------------------------------------- */

static void
judge_commit(const Request *rq, OffsetWork *work)
{
    const OffsetCommitRequest *in = &work->in.commit;
    bool by_id = rq->head.api_version >= ID_INSTEAD_OF_NAME;
    ImagePin pin = image_pin();
    int64_t at = 0;

    for (int32_t i = 0; i < in->topics_count; i++) {
        const OffsetCommitRequestTopic *topic = &in->topics[i];
        const ImageTopic *found = by_id ? image_topic_by_id(pin.image, topic->topic_id)
                                        : image_topic_by_name(pin.image, topic->name);
        int16_t unknown =
            by_id && found == NULL ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
        int32_t count = found == NULL ? 0 : image_topic_partition_count(found);

        for (int32_t k = 0; k < topic->partitions_count; k++) {
            int32_t index = topic->partitions[k].partition_index;

            work->codes[at] = index < 0 || index >= count ? unknown : 0;
            work->refused += work->codes[at++] != 0;
        }
    }
    image_unpin(&pin);
}

static ReqResult
answer_commit(Request *rq, const OffsetCommitResponse *reply, int16_t status)
{
    const OffsetWork *work = rq->state;
    OffsetCommitResponse out;

    rq->failed = work->refused > 0 || status != 0;
    if (!offset_commit_merge(&work->in.commit, work->codes, reply, status, rq->arena, &out))
        return no_memory(rq);
    return request_respond(rq, &offset_commit_response_desc, &out);
}

ReqResult
h_offset_commit_start(Request *rq)
{
    OffsetWork *work = arena_calloc(rq->arena, 1, sizeof *work);
    OffsetCommitRequest kept;
    MboxWorker worker;
    bool has_empty;
    int64_t parts;
    int16_t code;

    if (work == NULL)
        return no_memory(rq);
    if (!request_read(rq, &offset_commit_request_desc, &work->in.commit))
        return REQ_CLOSE;
    rq->state = work;
    parts = offset_commit_count(&work->in.commit, &has_empty);
    if (!make_room(rq, work, parts, COMMIT_BYTES, work->in.commit.topics_count))
        return no_memory(rq);
    judge_commit(rq, work);
    if (work->refused == parts)
        return answer_commit(rq, NULL, 0);
    code = route_worker(work->in.commit.group_id, &worker);
    if (code != 0)
        return answer_commit(rq, NULL, code);
    work->whole = work->refused == 0 && !has_empty;
    if (work->whole) {
        route_begin(rq, &work->call, worker, rq->body);
    } else {
        if (!offset_commit_keep(&work->in.commit, work->codes, rq->arena, &kept))
            return no_memory(rq);
        route_begin_message(rq, &work->call, worker, &kept);
    }
    rq->deadline_us = route_deadline_us(rq);
    rq->wait_event = WAIT_EV_COORDINATOR_REPLY;
    return h_offset_commit_finish(rq);
}

ReqResult
h_offset_commit_finish(Request *rq)
{
    OffsetWork *work = rq->state;
    OffsetCommitResponse reply;
    WireReader r;

    if (!route_poll(rq, &work->call))
        return REQ_PENDING;
    if (work->call.status != 0)
        return answer_commit(rq, NULL, work->call.status);
    if (work->whole)
        return request_respond_body(rq, work->call.reply.body);
    wire_reader_init(&r, work->call.reply.body.ptr, (size_t)work->call.reply.body.len, rq->arena);
    offset_commit_response_read(&r, rq->head.api_version, &reply);
    return r.err != 0 ? answer_commit(rq, NULL, KERR_UNKNOWN_SERVER_ERROR)
                      : answer_commit(rq, &reply, 0);
}

void
h_offset_commit_drop(Request *rq)
{
    OffsetWork *work = rq->state;

    route_drop(&work->call);
}

/* ---- OffsetDelete ------------------------------------------------------------------------------- */

static void
judge_delete(OffsetWork *work)
{
    const OffsetDeleteRequest *in = &work->in.delete;
    ImagePin pin = image_pin();
    int64_t at = 0;

    for (int32_t i = 0; i < in->topics_count; i++) {
        const ImageTopic *found = image_topic_by_name(pin.image, in->topics[i].name);
        int32_t count = found == NULL ? 0 : image_topic_partition_count(found);

        for (int32_t k = 0; k < in->topics[i].partitions_count; k++) {
            int32_t index = in->topics[i].partitions[k].partition_index;

            work->codes[at] = index < 0 || index >= count ? KERR_UNKNOWN_TOPIC_OR_PARTITION : 0;
            work->refused += work->codes[at++] != 0;
        }
    }
    image_unpin(&pin);
}

static ReqResult
fail_delete(Request *rq, int16_t code)
{
    OffsetDeleteResponse out;

    rq->failed = true;
    offset_delete_response_init(&out);
    out.error_code = code;
    return request_respond(rq, &offset_delete_response_desc, &out);
}

ReqResult
h_offset_delete_start(Request *rq)
{
    OffsetWork *work = arena_calloc(rq->arena, 1, sizeof *work);
    OffsetDeleteRequest kept;
    MboxWorker worker;
    int16_t code;

    if (work == NULL)
        return no_memory(rq);
    if (!request_read(rq, &offset_delete_request_desc, &work->in.delete))
        return REQ_CLOSE;
    rq->state = work;
    code = route_worker(work->in.delete.group_id, &worker);
    if (code != 0)
        return fail_delete(rq, code);
    if (!make_room(rq, work, offset_delete_count(&work->in.delete), DELETE_BYTES,
                   work->in.delete.topics_count))
        return no_memory(rq);
    judge_delete(work);
    if (!offset_delete_keep(&work->in.delete, work->codes, rq->arena, &kept))
        return no_memory(rq);
    route_begin_message(rq, &work->call, worker, &kept);
    rq->deadline_us = route_deadline_us(rq);
    rq->wait_event = WAIT_EV_COORDINATOR_REPLY;
    return h_offset_delete_finish(rq);
}

ReqResult
h_offset_delete_finish(Request *rq)
{
    OffsetWork *work = rq->state;
    OffsetDeleteResponse reply, out;
    WireReader r;

    if (!route_poll(rq, &work->call))
        return REQ_PENDING;
    if (work->call.status != 0)
        return fail_delete(rq, work->call.status);
    wire_reader_init(&r, work->call.reply.body.ptr, (size_t)work->call.reply.body.len, rq->arena);
    offset_delete_response_read(&r, rq->head.api_version, &reply);
    if (r.err != 0)
        return fail_delete(rq, KERR_UNKNOWN_SERVER_ERROR);
    if (reply.error_code != 0)
        return fail_delete(rq, reply.error_code);
    if (!offset_delete_merge(&work->in.delete, work->codes, &reply, rq->arena, &out))
        return no_memory(rq);
    rq->failed = work->refused > 0;
    return request_respond(rq, &offset_delete_response_desc, &out);
}

void
h_offset_delete_drop(Request *rq)
{
    OffsetWork *work = rq->state;

    route_drop(&work->call);
}
