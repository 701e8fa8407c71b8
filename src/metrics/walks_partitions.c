/*
 * walks_partitions.c - samples of topics and partitions
 *
 * Runs in: exporter, backend. Topics are found in the metadata image, pinned for one piece of the walk; counters
 * are those of the partitions that this node hosts. Items: topics by their order; slots of the partition
 * table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "ottla/common/limits.h"
#include "ottla/controller/image.h"
#include "ottla/metrics/walks.h"
#include "ottla/storage/partition_slot.h"
#include "ottla/storage/plog.h"

#define PIN_PARTITIONS 1000 /* looked at under one pin, but for a topic that has more */

/* ---- topics ------------------------------------------------------------------------------------- */

/* What the partitions of a topic counted, as far as they are here. */
typedef struct TopicSums {
    bool hosted;
    uint64_t bytes_in;
    uint64_t counts[PSLOT_COUNT_COUNT];
} TopicSums;

static void
sum_topic(const ImageTopic *topic, TopicSums *ret)
{
    int32_t count = image_topic_partition_count(topic);

    *ret = (TopicSums){0};
    for (int32_t i = 0; i < count; i++) {
        const PartitionSlot *slot;
        ImagePartition p;

        if (!image_topic_partition(topic, i, &p) || p.ref.slot == PSLOT_NONE ||
            (slot = pslot_find(p.ref)) == NULL)
            continue;
        ret->hosted = true;
        ret->bytes_in += atomic_u64_load_relaxed(&slot->bytes_appended);
        for (int c = 0; c < PSLOT_COUNT_COUNT; c++)
            ret->counts[c] += atomic_u64_load_relaxed(&slot->counts[c]);
    }
}

typedef void (*TakeTopic)(MetricScan *scan, StrView topic, const TopicSums *sums);

/* A pin's worth of topics; *io_name is the last one, into which its name is copied. */
static int64_t
take_some_topics(MetricScan *scan, int64_t item, TakeTopic take, char io_name[])
{
    ImagePin pin = image_pin();
    const Image *image = image_of(&pin);
    const ImageTopic *topic = NULL;
    int32_t left = PIN_PARTITIONS;

    if (image != NULL)
        topic = image_topic_after(image,
                                  io_name[0] == '\0' ? (StrView){NULL, 0} : strview_from(io_name));
    for (; topic != NULL && left > 0 && metric_room(scan);
         topic = image_topic_after(image, image_topic_name(topic))) {
        StrView name = image_topic_name(topic);
        TopicSums sums;

        sum_topic(topic, &sums);
        if (sums.hosted)
            take(scan, name, &sums);
        left -= 1 + image_topic_partition_count(topic);
        memcpy(io_name, name.ptr, (size_t)name.len);
        io_name[name.len] = '\0';
        item++;
    }
    image_unpin(&pin);
    return topic == NULL ? METRIC_END : item;
}

/* The name of the topic before the item-th; "": it is the first. False: there are not so many. */
static bool
find_topic(int64_t item, char ret_name[LIMIT_TOPIC_NAME_LEN + 1])
{
    ImagePin pin = image_pin();
    const Image *image = image_of(&pin);
    const ImageTopic *topic = NULL;
    StrView name = {NULL, 0};

    for (; image != NULL && item > 0; item--) {
        topic = image_topic_after(image, name);
        if (topic == NULL)
            break;
        name = image_topic_name(topic);
    }
    if (name.len > 0)
        memcpy(ret_name, name.ptr, (size_t)name.len);
    ret_name[name.len] = '\0';
    image_unpin(&pin);
    return item == 0;
}

static int64_t
take_topics(MetricScan *scan, int64_t item, TakeTopic take)
{
    char name[LIMIT_TOPIC_NAME_LEN + 1];

    if (!find_topic(item, name))
        return METRIC_END;
    while (item != METRIC_END && metric_room(scan))
        item = take_some_topics(scan, item, take, name);
    return item;
}

static void
take_bytes_in(MetricScan *scan, StrView topic, const TopicSums *sums)
{
    metric_take(scan, &topic, (int64_t)sums->bytes_in);
}

static void
take_bytes_out(MetricScan *scan, StrView topic, const TopicSums *sums)
{
    metric_take(scan, &topic, (int64_t)sums->counts[PSLOT_COUNT_BYTES_OUT]);
}

static void
take_bytes_rejected(MetricScan *scan, StrView topic, const TopicSums *sums)
{
    metric_take(scan, &topic, (int64_t)sums->counts[PSLOT_COUNT_BYTES_REJECTED]);
}

static void
take_records_in(MetricScan *scan, StrView topic, const TopicSums *sums)
{
    metric_take(scan, &topic, (int64_t)sums->counts[PSLOT_COUNT_RECORDS_IN]);
}

static void
take_topic_requests(MetricScan *scan, StrView topic, const TopicSums *sums)
{
    static const struct {
        const char *api, *result;
        PslotCount which;
    } rows[] = {
        {"Produce", "success", PSLOT_COUNT_PRODUCES},
        {"Produce", "failure", PSLOT_COUNT_PRODUCES_FAILED},
        {"Fetch", "success", PSLOT_COUNT_FETCHES},
        {"Fetch", "failure", PSLOT_COUNT_FETCHES_FAILED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const StrView labels[] = {topic, strview_from(rows[i].api), strview_from(rows[i].result)};

        metric_take(scan, labels, (int64_t)sums->counts[rows[i].which]);
    }
}

int64_t
metric_walk_topic_bytes_in(MetricScan *scan, int64_t item)
{
    return take_topics(scan, item, take_bytes_in);
}

int64_t
metric_walk_topic_bytes_out(MetricScan *scan, int64_t item)
{
    return take_topics(scan, item, take_bytes_out);
}

int64_t
metric_walk_topic_bytes_rejected(MetricScan *scan, int64_t item)
{
    return take_topics(scan, item, take_bytes_rejected);
}

int64_t
metric_walk_topic_records_in(MetricScan *scan, int64_t item)
{
    return take_topics(scan, item, take_records_in);
}

int64_t
metric_walk_topic_requests(MetricScan *scan, int64_t item)
{
    return take_topics(scan, item, take_topic_requests);
}

/* There is nothing yet that changes them: a node alone has one replica of each partition. */
int64_t
metric_walk_isr_changes(MetricScan *scan, int64_t item)
{
    static const char *const kinds[] = {"shrink", "expand", "failed"};

    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    for (int i = 0; i < 3; i++) {
        StrView kind = strview_from(kinds[i]);

        metric_take(scan, &kind, 0);
    }
    return METRIC_END;
}

/* ---- partitions --------------------------------------------------------------------------------- */

/* What is told of an open log; -1: it says nothing (deleted meanwhile). */
typedef int64_t (*LogValue)(PartitionRef ref);

/* Items: slots. */
static int64_t
take_logs(MetricScan *scan, int64_t item, LogValue value)
{
    for (; scan->per_partition && item < pslot_high(); item++) {
        const PartitionSlot *slot = pslot_at((int32_t)item);
        PartitionRef ref = pslot_ref(slot);
        char name[LIMIT_TOPIC_NAME_LEN + 1];
        char partition[16];
        int64_t number;

        if (!metric_room(scan))
            return item;
        if (pslot_state(slot) != PSLOT_OPEN)
            continue;
        memcpy(name, slot->topic, sizeof name);
        name[LIMIT_TOPIC_NAME_LEN] = '\0';
        (void)snprintf(partition, sizeof partition, "%d", (int)slot->partition);
        number = value(ref);
        fence_acquire();
        if (number < 0 || !pslot_is_current(ref))
            continue;
        metric_take(scan, (const StrView[]){strview_from(name), strview_from(partition)}, number);
    }
    return METRIC_END;
}

static int64_t
log_bytes(PartitionRef ref)
{
    return plog_size_bytes(ref);
}

static int64_t
log_start(PartitionRef ref)
{
    PlogOffsets offsets;

    return plog_offsets_peek(ref, &offsets) ? offsets.log_start_offset : -1;
}

static int64_t
log_end(PartitionRef ref)
{
    PlogOffsets offsets;

    return plog_offsets_peek(ref, &offsets) ? offsets.log_end_offset : -1;
}

static int64_t
log_segments(PartitionRef ref)
{
    PlogTuple tuple;

    (void)pslot_read_tuple(pslot_at(ref.slot), &tuple); /* validity is checked by the caller */
    return (int64_t)tuple.seg_count + 1;
}

int64_t
metric_walk_log_bytes(MetricScan *scan, int64_t item)
{
    return take_logs(scan, item, log_bytes);
}

int64_t
metric_walk_log_start(MetricScan *scan, int64_t item)
{
    return take_logs(scan, item, log_start);
}

int64_t
metric_walk_log_end(MetricScan *scan, int64_t item)
{
    return take_logs(scan, item, log_end);
}

int64_t
metric_walk_log_segments(MetricScan *scan, int64_t item)
{
    return take_logs(scan, item, log_segments);
}
