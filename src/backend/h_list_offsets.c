/*
 * h_list_offsets.c - ListOffsets: where a partition begins and ends, and what was written when
 *
 * Runs in: backend. Spec: log.md 14.1; observed.md 4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/named_int.h"
#include "backend/names_int.h"
#include "ottla/common/err.h"
#include "ottla/protocol/msg_list_offsets.h"
#include "ottla/replica/replica.h"
#include "ottla/storage/plog.h"

/* Positions that have no timestamp. */
enum {
    POSITION_LATEST = -1,
    POSITION_EARLIEST = -2,
    POSITION_MAX_TIMESTAMP = -3,  /* from version 7 */
    POSITION_EARLIEST_LOCAL = -4, /* 8 */
    POSITION_LATEST_TIERED = -5,  /* 9 */
    POSITION_PENDING_UPLOAD = -6, /* 11 */
};

#define REPLICA_CONSUMER (-1)

typedef struct Lookup {
    Request *rq;
    PlogBound bound; /* what this reader may see */
} Lookup;

static bool
is_served(int64_t timestamp, int16_t version)
{
    switch (timestamp) {
    case POSITION_MAX_TIMESTAMP:
        return version >= 7;
    case POSITION_EARLIEST_LOCAL:
        return version >= 8;
    case POSITION_LATEST_TIERED:
        return version >= 9;
    case POSITION_PENDING_UPLOAD:
        return version >= 11;
    default:
        return timestamp >= POSITION_EARLIEST;
    }
}

/* What a timestamp or position means; a negative code. */
static int
look_up(const Lookup *look, PartitionRef ref, int64_t timestamp, PlogFound *ret)
{
    PlogOffsets offsets;
    ErrInfo err;
    int rc = plog_offsets(ref, &offsets, &err);
    int64_t bound;

    *ret = (PlogFound){-1, -1, -1};
    if (rc < 0)
        return rc;
    bound = plog_bound_offset(&offsets, look->bound);
    switch (timestamp) {
    case POSITION_LATEST:
        *ret = (PlogFound){bound, -1, offsets.leader_epoch};
        return 0;
    case POSITION_EARLIEST:
    case POSITION_EARLIEST_LOCAL: /* nothing is tiered */
        return plog_find_earliest(ref, ret, &err);
    case POSITION_LATEST_TIERED:
    case POSITION_PENDING_UPLOAD:
        return 0;
    case POSITION_MAX_TIMESTAMP:
        rc = plog_find_max_timestamp(ref, look->rq->arena, ret, &err);
        break;
    default:
        rc = plog_find_by_timestamp(ref, timestamp, look->rq->arena, ret, &err);
        break;
    }
    if (rc == 0 && ret->offset >= bound)
        *ret = (PlogFound){-1, -1, -1};
    return rc;
}

static void
answer_one(const Lookup *look, const ListOffsetsRequestPartition *in, const MetaPartition *meta,
           ListOffsetsResponsePartition *out)
{
    ArenaMark mark = arena_mark(look->rq->arena);
    PlogFound found;
    ErrInfo err;
    int rc = meta->ref.slot == PSLOT_NONE
                 ? OT_E_NOT_LEADER_OR_FOLLOWER
                 : replica_check_leader(meta->ref, in->current_leader_epoch, &err);

    if (rc == 0)
        rc = look_up(look, meta->ref, in->timestamp, &found);
    arena_release(look->rq->arena, mark);
    out->error_code = err_to_kafka(rc);
    if (rc < 0) {
        look->rq->failed = true;
        return;
    }
    out->offset = found.offset;
    out->timestamp =
        in->timestamp >= 0 || in->timestamp == POSITION_MAX_TIMESTAMP ? found.timestamp : -1;
    if (look->rq->head.api_version >= 4)
        out->leader_epoch = found.leader_epoch;
}

static bool
sort_named(Request *rq, const ListOffsetsRequest *in, NamedList *ret)
{
    int64_t total = 0;

    for (int32_t t = 0; t < in->topics_count; t++)
        total += in->topics[t].partitions_count;
    if (!named_list_init(ret, total, rq->arena))
        return false;
    for (int32_t t = 0; t < in->topics_count; t++)
        for (int32_t p = 0; p < in->topics[t].partitions_count; p++)
            named_list_add(ret, in->topics[t].name, in->topics[t].partitions[p].partition_index,
                           &in->topics[t].partitions[p]);
    named_sort(ret->items, ret->count);
    return true;
}

/* What all answers have: name, partition, and the faults that need no log. */
typedef struct Answers {
    ListOffsetsResponse out;
    const ListOffsetsRequestPartition **in; /* by number of partition in the answer */
    ListOffsetsResponsePartition *parts;
    MetaPartition *metas; /* of those without an error so far */
    int32_t count;
} Answers;

/* Kafka's order: named twice, position not known, then existence. */
static int16_t
first_fault(Request *rq, const Named *named, bool twice, bool exists)
{
    const ListOffsetsRequestPartition *in = named->in;

    if (twice)
        return KERR_INVALID_REQUEST;
    if (!is_served(in->timestamp, rq->head.api_version))
        return KERR_UNSUPPORTED_VERSION;
    return exists ? 0 : KERR_UNKNOWN_TOPIC_OR_PARTITION;
}

static bool
prepare(Request *rq, const ListOffsetsRequest *in, Answers *ret)
{
    NamedList named;
    bool sorted = sort_named(rq, in, &named);
    int32_t count = named.count;
    Named *list = named.items;
    ListOffsetsResponseTopic *topic = NULL;
    bool twice = false;
    ImagePin pin;

    list_offsets_response_init(&ret->out);
    ret->count = 0;
    ret->out.topics = arena_calloc(rq->arena, (size_t)count, sizeof *ret->out.topics);
    ret->parts = arena_calloc(rq->arena, (size_t)count, sizeof *ret->parts);
    ret->metas = arena_calloc(rq->arena, (size_t)count, sizeof *ret->metas);
    ret->in = arena_calloc(rq->arena, (size_t)count, sizeof *ret->in);
    if (!sorted || ret->out.topics == NULL || ret->parts == NULL || ret->metas == NULL ||
        ret->in == NULL)
        return false;
    pin = image_pin();
    for (int32_t i = 0; i < count; i++) {
        bool last = !named_same_topic_next(list, i, count);

        if (named_repeated_next(list, i, count)) {
            twice = true; /* answered once, when the last of them comes */
            continue;
        }
        if (topic == NULL) {
            topic = &ret->out.topics[ret->out.topics_count++];
            list_offsets_response_topic_init(topic);
            topic->name = name_echo(rq->arena, list[i].topic);
            topic->partitions = &ret->parts[ret->count];
        }
        list_offsets_response_partition_init(&ret->parts[ret->count]);
        ret->parts[ret->count].partition_index = list[i].partition;
        ret->parts[ret->count].error_code = first_fault(
            rq, &list[i], twice,
            meta_find(pin.image, list[i].topic, list[i].partition, &ret->metas[ret->count]));
        ret->in[ret->count++] = list[i].in;
        topic->partitions_count++;
        twice = false;
        if (last)
            topic = NULL;
    }
    image_unpin(&pin);
    return true;
}

ReqResult
h_list_offsets_start(Request *rq)
{
    ListOffsetsRequest in;
    Answers answers;
    Lookup look = {.rq = rq, .bound = PLOG_BOUND_LEO};

    if (!request_read(rq, &list_offsets_request_desc, &in))
        return REQ_CLOSE;
    if (!prepare(rq, &in, &answers))
        return request_close(rq, "no memory for the partitions of a ListOffsets request");
    if (in.replica_id == REPLICA_CONSUMER)
        look.bound = in.isolation_level == 1 ? PLOG_BOUND_LSO : PLOG_BOUND_HW;
    for (int32_t i = 0; i < answers.count; i++) {
        if (in.isolation_level != 0 && in.isolation_level != 1)
            answers.parts[i].error_code = KERR_UNKNOWN_SERVER_ERROR;
        if (answers.parts[i].error_code == 0)
            answer_one(&look, answers.in[i], &answers.metas[i], &answers.parts[i]);
        else
            rq->failed = true;
    }
    return request_respond(rq, &list_offsets_response_desc, &answers.out);
}
