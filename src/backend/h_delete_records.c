/*
 * h_delete_records.c - DeleteRecords: raise the log start of partitions
 *
 * Runs in: backend. Spec: log.md 14.3; observed.md 4. With one replica the answer waits for nobody.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/named_int.h"
#include "backend/names_int.h"
#include "ottla/common/err.h"
#include "ottla/protocol/msg_delete_records.h"
#include "ottla/replica/replica.h"

typedef struct Deletion {
    DeleteRecordsResponse out;
    DeleteRecordsResponsePartition *parts;
    PartitionRef *refs;
    int64_t *offsets;
    int32_t count;
} Deletion;

static bool
sort_named(Request *rq, const DeleteRecordsRequest *in, NamedList *ret)
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

/* 0, or why nothing may be deleted here. */
static int16_t
check_one(const Image *image, const Named *named, PartitionRef *ret)
{
    MetaPartition meta;

    if (!meta_find(image, named->topic, named->partition, &meta))
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (name_is_internal_topic(named->topic))
        return KERR_INVALID_TOPIC_EXCEPTION;
    *ret = meta.ref;
    return meta.ref.slot == PSLOT_NONE ? KERR_NOT_LEADER_OR_FOLLOWER : 0;
}

static bool
prepare(Request *rq, const DeleteRecordsRequest *in, Deletion *ret)
{
    NamedList named;
    bool sorted = sort_named(rq, in, &named);
    int32_t count = named.count;
    Named *list = named.items;
    DeleteRecordsResponseTopic *topic = NULL;
    ImagePin pin;

    delete_records_response_init(&ret->out);
    ret->count = 0;
    ret->out.topics = arena_calloc(rq->arena, (size_t)count, sizeof *ret->out.topics);
    ret->parts = arena_calloc(rq->arena, (size_t)count, sizeof *ret->parts);
    ret->refs = arena_calloc(rq->arena, (size_t)count, sizeof *ret->refs);
    ret->offsets = arena_calloc(rq->arena, (size_t)count, sizeof *ret->offsets);
    if (!sorted || ret->out.topics == NULL || ret->parts == NULL || ret->refs == NULL ||
        ret->offsets == NULL)
        return false;
    pin = image_pin();
    for (int32_t i = 0; i < count; i++) {
        const DeleteRecordsRequestPartition *part = list[i].in;
        DeleteRecordsResponsePartition *out = &ret->parts[ret->count];

        if (named_repeated_next(list, i, count))
            continue; /* the last one counts */
        if (topic == NULL) {
            topic = &ret->out.topics[ret->out.topics_count++];
            delete_records_response_topic_init(topic);
            topic->name = name_echo(rq->arena, list[i].topic);
            topic->partitions = out;
        }
        delete_records_response_partition_init(out);
        out->partition_index = list[i].partition;
        out->low_watermark = -1;
        out->error_code = check_one(pin.image, &list[i], &ret->refs[ret->count]);
        ret->offsets[ret->count++] = part->offset;
        topic->partitions_count++;
        if (!named_same_topic_next(list, i, count))
            topic = NULL;
    }
    image_unpin(&pin);
    return true;
}

static int16_t
delete_one(PartitionRef ref, int64_t offset, int64_t *ret_low_watermark)
{
    PartitionSlot *slot = pslot_find(ref);
    TopicSettings topic;
    int64_t low_watermark;
    ErrInfo err;
    int rc;

    if (slot == NULL)
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    pslot_settings(slot, &topic);
    if (topic.cleanup_compact && !topic.cleanup_delete)
        return KERR_POLICY_VIOLATION;
    rc = replica_delete_records(ref, offset, &low_watermark, &err);
    if (rc == 0)
        *ret_low_watermark = low_watermark;
    return err_to_kafka(rc);
}

ReqResult
h_delete_records_start(Request *rq)
{
    DeleteRecordsRequest in;
    Deletion del;

    if (!request_read(rq, &delete_records_request_desc, &in))
        return REQ_CLOSE;
    if (!prepare(rq, &in, &del))
        return request_close(rq, "no memory for the partitions of a DeleteRecords request");
    for (int32_t i = 0; i < del.count; i++) {
        DeleteRecordsResponsePartition *out = &del.parts[i];

        if (out->error_code == 0)
            out->error_code = delete_one(del.refs[i], del.offsets[i], &out->low_watermark);
        rq->failed = rq->failed || out->error_code != 0;
    }
    return request_respond(rq, &delete_records_response_desc, &del.out);
}
