/*
 * fetch_read.c - resolves and reads the partitions of a fetch (log.md 12.1-12.3, observed.md 3)
 *
 * Runs in: backend. A session's parts are read under the session's lock; opening a log may take its
 * append lock for a moment.
 * Never: waits for data, keeps the image pinned over a file read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/errlist.h"
#include "ottla/controller/image.h"
#include "ottla/storage/fd_cache.h"

uint64_t fetch_read_looks;

/* Kafka tells one partition's failure from another's by code alone; nobody reads a text here. */
static int16_t
kafka_error(int code)
{
    return err_to_kafka(code);
}

static void
read_reset(FetchRead *r)
{
    r->error = 0;
    r->diverging = false;
    r->slice = (PlogSlice){.fd = -1};
    r->aborted = NULL;
    r->aborted_count = -1;
    r->leader = -1;
    r->leader_epoch = -1;
    r->part->ref = PARTITION_REF_NONE;
}

/* gone: it was there before this request waited. */
static void
read_unknown(FetchRead *r, int16_t error, bool gone)
{
    r->unknown = !gone;
    r->error = error;
}

/* Kept with the topic, so that a later look finds "deleted" and "created anew" where Kafka does. */
static bool
topic_learn_name(FetchTopic *topic, StrView name, Arena *arena)
{
    if (topic->name == NULL)
        topic->name = arena_alloc(arena, (size_t)name.len + 1);
    if (topic->name == NULL)
        return false;
    memcpy(topic->name, name.ptr, (size_t)name.len);
    topic->name_len = name.len;
    return true;
}

/* Finds the partition in the image. */
static void
read_resolve(FetchRead *r, const Image *image, const FetchArgs *args, bool gone)
{
    FetchTopic *topic = r->topic;
    if (image == NULL) { /* nothing is published yet */
        read_unknown(r, topic->by_id ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION,
                     gone);
        return;
    }
    if (topic->by_id && topic->name_len == 0) {
        const ImageTopic *found = image_topic_by_id(image, topic->id);
        if (found == NULL) {
            read_unknown(r, KERR_UNKNOWN_TOPIC_ID, gone);
            return;
        }
        if (!topic_learn_name(topic, image_topic_name(found), args->arena)) {
            r->error = KERR_UNKNOWN_SERVER_ERROR;
            return;
        }
    }
    const ImageTopic *found = image_topic_by_name(image, (StrView){topic->name, topic->name_len});
    ImagePartition partition;
    if (found == NULL) {
        read_unknown(r, KERR_UNKNOWN_TOPIC_OR_PARTITION, gone);
    } else if (topic->by_id && !uuid_equal(image_topic_id(found), topic->id)) {
        r->error = KERR_INCONSISTENT_TOPIC_ID;
    } else if (!image_topic_partition(found, r->part->partition, &partition)) {
        read_unknown(r, KERR_UNKNOWN_TOPIC_OR_PARTITION, gone);
    } else {
        r->part->ref = partition.ref;
        r->leader = partition.leader;
        r->leader_epoch = partition.leader_epoch;
    }
}

/* What is wrong with the request for this partition, before anything is read; 0: nothing. */
static int16_t
read_precheck(const FetchRead *r, const FetchArgs *args)
{
    int32_t asked = r->part->current_leader_epoch;
    const PartitionSlot *slot = pslot_find(r->part->ref);
    if (r->part->ref.slot < 0) /* it exists, but not here */
        return KERR_NOT_LEADER_OR_FOLLOWER;
    if (slot == NULL) /* deleted a moment ago */
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    PslotLeadership leadership = pslot_leadership(slot);
    if (asked >= 0 && asked < leadership.leader_epoch)
        return KERR_FENCED_LEADER_EPOCH;
    if (asked >= 0 && asked > leadership.leader_epoch)
        return KERR_UNKNOWN_LEADER_EPOCH;
    if (leadership.role != PSLOT_ROLE_LEADER)
        return KERR_NOT_LEADER_OR_FOLLOWER;
    if (args->replica_id >= 0) /* no replica of this partition: only this node has one */
        return asked >= 0 ? KERR_UNKNOWN_LEADER_EPOCH : KERR_NOT_LEADER_OR_FOLLOWER;
    return r->part->max_bytes < 0 ? KERR_UNKNOWN_SERVER_ERROR : 0;
}

/* lastFetchedEpoch (12.2 step 1): an error, diverging, or neither. */
static void
read_check_epoch(FetchRead *r)
{
    PlogOffsets offsets;
    PlogEpochEnd end;
    int code = plog_offsets(r->part->ref, &offsets, NULL);
    if (code == 0)
        code = plog_epoch_end_offset(r->part->ref, r->part->last_fetched_epoch, &end, NULL);
    if (code != 0) {
        r->error = kafka_error(code);
    } else if (end.epoch < 0 || r->part->fetch_offset < offsets.log_start_offset) {
        r->error = KERR_OFFSET_OUT_OF_RANGE;
    } else if (end.epoch < r->part->last_fetched_epoch || end.end_offset < r->part->fetch_offset) {
        r->diverging = true;
        r->diverged = end;
        r->offsets = offsets;
    }
}

static void
read_log(FetchRead *r, const FetchArgs *args, int32_t budget, bool min_one_batch)
{
    int32_t most = r->part->max_bytes < budget ? r->part->max_bytes : budget;
    PlogReadResult got;
    if (most < 0) { /* maxBytes -1, as Kafka answers it */
        r->error = KERR_UNKNOWN_SERVER_ERROR;
        return;
    }
    int code = plog_read(r->part->ref,
                         &(PlogReadArgs){.fetch_offset = r->part->fetch_offset,
                                         .bound = args->bound,
                                         .max_bytes = most,
                                         .min_one_batch = min_one_batch},
                         &got, NULL);
    if (code != 0) {
        r->error = kafka_error(code);
        if (r->error == KERR_KAFKA_STORAGE_ERROR && args->version <= 5)
            r->error = KERR_NOT_LEADER_OR_FOLLOWER;
        return;
    }
    r->offsets = got.offsets;
    r->slice = got.slice;
    r->part->start = got.start;
    r->part->ready_bytes = got.slice.len;
    if (args->isolation == 1) {
        r->aborted_count = 0;
        if (got.slice.len > 0) {
            code = plog_aborted(r->part->ref, r->part->fetch_offset, got.upper_bound, args->arena,
                                &r->aborted, &r->aborted_count, NULL);
            if (code != 0) {
                plog_slice_release(&r->slice);
                r->error = kafka_error(code);
            }
        }
    }
}

FetchSummary
fetch_read_all(FetchRead *reads, int32_t count, const FetchArgs *args)
{
    FetchSummary sum = {0};
    int32_t budget = args->max_bytes;
    ImagePin pin = image_pin();
    for (int32_t i = 0; i < count; i++) {
        if (!reads[i].unknown) {
            bool gone = args->again && reads[i].part->ref.slot >= 0;

            read_reset(&reads[i]);
            read_resolve(&reads[i], image_of(&pin), args, gone);
        }
    }
    image_unpin(&pin);
    bool min_one_batch = true;
    int32_t slices_left = fd_cache_limit() / 2; /* each pins a descriptor until it is sent */
    for (int32_t i = 0; i < count; i++) {
        FetchRead *r = &reads[i];
        if (r->unknown)
            continue;
        sum.known++;
        fetch_read_looks++;
        if (r->error == 0)
            r->error = read_precheck(r, args);
        if (r->error == 0 && args->version >= 12 && r->part->last_fetched_epoch >= 0)
            read_check_epoch(r);
        if (r->error == 0 && !r->diverging)
            read_log(r, args, budget, min_one_batch);
        if (r->error != 0 || r->diverging) {
            sum.ends_wait = true;
            r->part->ready_bytes = 0;
        }
        if (r->slice.len > 0) {
            min_one_batch = false;
            sum.bytes += r->slice.len;
            slices_left--;
        }
        budget = budget - r->slice.len > 0 && slices_left > 0 ? budget - r->slice.len : 0;
    }
    return sum;
}

void
fetch_read_release(FetchRead *reads, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        plog_slice_release(&reads[i].slice);
}
