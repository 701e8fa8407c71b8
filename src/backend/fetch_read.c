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

#include "backend/meta_int.h"
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

/* Partitions resolved under one pin of the image, then read. */
#define WINDOW 32

/* What is left of the budgets of a pass. */
typedef struct ReadBudget {
    int32_t bytes;
    bool min_one_batch;
} ReadBudget;

static void
read_unknown(FetchLook *look, int16_t error, bool gone)
{
    look->entry->unknown = !gone;
    look->entry->error = error;
}

/* Kept with the topic, so that a later look finds "deleted" and "created anew" where Kafka does. */
static void
topic_learn_name(FetchLook *look, StrView name)
{
    if (look->topic == NULL)
        return;
    memcpy(look->topic->name, name.ptr, (size_t)name.len);
    look->topic->name_len = name.len;
}

/* The topic that an entry names. NULL: the entry has its error. */
static const ImageTopic *
resolve_topic(FetchLook *look, const Image *image, bool gone)
{
    bool by_id = look->key.by_id;
    const ImageTopic *found = NULL;

    if (by_id && look->key.name.len == 0) {
        if (image != NULL)
            found = image_topic_by_id(image, look->key.id);
        if (found == NULL)
            read_unknown(look, KERR_UNKNOWN_TOPIC_ID, gone);
        else
            topic_learn_name(look, image_topic_name(found));
        return found;
    }
    if (image != NULL)
        found = image_topic_by_name(image, look->key.name);
    if (found == NULL) {
        read_unknown(look, KERR_UNKNOWN_TOPIC_OR_PARTITION, gone);
    } else if (by_id && !uuid_equal(image_topic_id(found), look->key.id)) {
        look->entry->error = KERR_INCONSISTENT_TOPIC_ID;
        return NULL;
    }
    return found;
}

/* Finds the partition in the image. gone: it was there before this request waited. */
static void
read_resolve(FetchLook *look, const Image *image, bool gone)
{
    const ImageTopic *topic = resolve_topic(look, image, gone);
    ImagePartition partition;

    look->part->ref = PARTITION_REF_NONE;
    if (topic == NULL)
        return;
    if (!image_topic_partition(topic, look->key.partition, &partition)) {
        read_unknown(look, KERR_UNKNOWN_TOPIC_OR_PARTITION, gone);
        return;
    }
    look->part->ref = partition.ref;
    look->leader = partition.leader;
    look->leader_epoch = partition.leader_epoch;
}

/* What is wrong with the request for this partition, before anything is read; 0: nothing. */
static int16_t
read_precheck(const FetchLook *look, const FetchArgs *args)
{
    int32_t asked = look->part->current_leader_epoch;
    const PartitionSlot *slot = pslot_find(look->part->ref);
    PslotLeadership leadership;

    if (look->part->ref.slot < 0) /* it exists, but not here */
        return KERR_NOT_LEADER_OR_FOLLOWER;
    if (slot == NULL) /* deleted a moment ago */
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    leadership = pslot_leadership(slot);
    if (asked >= 0 && asked < leadership.leader_epoch)
        return KERR_FENCED_LEADER_EPOCH;
    if (asked >= 0 && asked > leadership.leader_epoch)
        return KERR_UNKNOWN_LEADER_EPOCH;
    if (leadership.role != PSLOT_ROLE_LEADER)
        return KERR_NOT_LEADER_OR_FOLLOWER;
    if (args->replica_id >= 0) /* no replica of this partition: only this node has one */
        return asked >= 0 ? KERR_UNKNOWN_LEADER_EPOCH : KERR_NOT_LEADER_OR_FOLLOWER;
    return look->part->max_bytes < 0 ? KERR_UNKNOWN_SERVER_ERROR : 0;
}

static void
entry_set_offsets(FetchEntry *entry, const PlogOffsets *offsets)
{
    entry->high_watermark = offsets->high_watermark;
    entry->last_stable_offset = offsets->last_stable_offset;
    entry->log_start_offset = offsets->log_start_offset;
}

/* lastFetchedEpoch (12.2 step 1): an error, diverging, or neither. */
static void
read_check_epoch(FetchLook *look)
{
    const FetchPart *part = look->part;
    PlogOffsets offsets;
    PlogEpochEnd end;
    int code = plog_offsets(part->ref, &offsets, NULL);

    if (code == 0)
        code = plog_epoch_end_offset(part->ref, part->last_fetched_epoch, &end, NULL);
    if (code != 0) {
        look->entry->error = kafka_error(code);
    } else if (end.epoch < 0 || part->fetch_offset < offsets.log_start_offset) {
        look->entry->error = KERR_OFFSET_OUT_OF_RANGE;
    } else if (end.epoch < part->last_fetched_epoch || end.end_offset < part->fetch_offset) {
        look->entry->diverging = true;
        look->entry->diverged = end;
        entry_set_offsets(look->entry, &offsets);
    }
}

/* The aborted transactions of what was read, in the shape of the message. A code of errlist. */
static int
read_aborted(const FetchLook *look, int64_t upper_bound, Arena *arena, FetchData *data)
{
    PlogAborted *list;
    int32_t count;
    int code = plog_aborted(look->part->ref, look->part->fetch_offset, upper_bound, arena, &list,
                            &count, NULL);

    if (code != 0 || count == 0)
        return code;
    data->aborted = arena_calloc(arena, (size_t)count, sizeof *data->aborted);
    if (data->aborted == NULL)
        return OT_E_NO_MEMORY;
    data->aborted_count = count;
    for (int32_t i = 0; i < count; i++) {
        data->aborted[i].producer_id = list[i].producer_id;
        data->aborted[i].first_offset = list[i].first_offset;
    }
    return 0;
}

static void
read_failed(FetchLook *look, int code, const FetchArgs *args)
{
    look->entry->error = kafka_error(code);
    if (look->entry->error == KERR_KAFKA_STORAGE_ERROR && args->version <= 5)
        look->entry->error = KERR_NOT_LEADER_OR_FOLLOWER;
}

/* Reads within the budget; records found become the list's next data. */
static void
read_log(FetchList *list, FetchLook *look, const FetchArgs *args, const ReadBudget *budget)
{
    FetchPart *part = look->part;
    int32_t most = part->max_bytes < budget->bytes ? part->max_bytes : budget->bytes;
    PlogReadArgs how = {.fetch_offset = part->fetch_offset,
                        .bound = args->bound,
                        .max_bytes = most,
                        .min_one_batch = budget->min_one_batch};
    PlogReadResult got;
    FetchData data;
    int code;

    if (most < 0) { /* maxBytes -1, as Kafka answers it */
        look->entry->error = KERR_UNKNOWN_SERVER_ERROR;
        return;
    }
    code = plog_read(part->ref, &how, &got, NULL);
    if (code != 0) {
        read_failed(look, code, args);
        return;
    }
    entry_set_offsets(look->entry, &got.offsets);
    part->start = got.start;
    part->ready_bytes = got.slice.len;
    if (got.slice.len == 0)
        return;
    data = (FetchData){.slice = got.slice, .ref = part->ref};
    if (args->isolation == 1)
        code = read_aborted(look, got.upper_bound, args->arena, &data);
    if (code != 0) {
        plog_slice_release(&data.slice);
        look->entry->error = kafka_error(code);
        return;
    }
    ot_assert(list->data_count < list->data_room); /* no budget is left before that */
    look->entry->data = list->data_count;
    list->data[list->data_count++] = data;
}

/* Reads one partition that was resolved, and adds to the sum what came of it. */
static void
read_one(FetchList *list, FetchLook *look, const FetchArgs *args, ReadBudget *budget,
         FetchSummary *sum)
{
    FetchEntry *entry = look->entry;

    if (sum->known++ == 0)
        meta_show_partition(look->part->ref, pslot_find(look->part->ref));
    fetch_read_looks++;
    if (entry->error == 0)
        entry->error = read_precheck(look, args);
    if (entry->error == 0 && args->version >= 12 && look->part->last_fetched_epoch >= 0)
        read_check_epoch(look);
    if (entry->error == 0 && !entry->diverging)
        read_log(list, look, args, budget);
    if (entry->error != 0 || entry->diverging) {
        sum->ends_wait = true;
        look->part->ready_bytes = 0;
    }
    if (entry->error != 0) {
        pslot_count(look->part->ref, PSLOT_COUNT_FETCHES_FAILED, 1);
        entry->leader = look->leader;
        entry->leader_epoch = look->leader_epoch;
    }
    if (entry->data >= 0) {
        int32_t len = list->data[entry->data].slice.len;

        budget->min_one_batch = false;
        sum->bytes += len;
        budget->bytes = budget->bytes > len ? budget->bytes - len : 0;
    }
    if (budget->bytes < 0 || list->data_count == list->data_room)
        budget->bytes = 0;
}

/* The next entries that may be known, resolved, into ret[WINDOW]; their number, 0 at the end. */
static int32_t
resolve_some(FetchList *list, FetchCursor *cursor, const FetchArgs *args, FetchLook *ret)
{
    ImagePin pin = image_pin();
    int32_t count = 0;

    while (count < WINDOW && fetch_cursor_next(cursor, &ret[count])) {
        FetchLook *look = &ret[count];

        if (look->entry->unknown)
            continue;
        look->entry->error = 0;
        look->entry->diverging = false;
        look->entry->data = -1;
        read_resolve(look, image_of(&pin), args->again && look->known);
        if (look->entry->unknown)
            continue;
        if (list->set == NULL && !list->seen && list->kept_count < list->kept_room)
            list->kept_count++;
        count++;
    }
    image_unpin(&pin);
    return count;
}

FetchSummary
fetch_read_all(FetchList *list, const FetchArgs *args)
{
    ReadBudget budget = {.bytes = args->max_bytes, .min_one_batch = true};
    FetchSummary sum = {0};
    FetchLook looks[WINDOW];
    FetchCursor cursor;
    int32_t count;

    ot_assert(list->data_count == 0);
    fetch_cursor_init(&cursor, list);
    while ((count = resolve_some(list, &cursor, args, looks)) > 0)
        for (int32_t i = 0; i < count; i++)
            read_one(list, &looks[i], args, &budget, &sum);
    list->seen = true;
    return sum;
}
