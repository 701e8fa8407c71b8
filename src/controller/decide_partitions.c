/*
 * decide_partitions.c - CreatePartitions, and blocks of producer ids
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "controller/decide.h"
#include "ottla/common/assert.h"

typedef struct Growth {
    const DecideContext *c;
    RecordList *records;
    Placer *placer;
    int64_t partitions; /* added so far */
    bool no_memory;
} Growth;

static void
fail(CreatePartitionsResponseResult *r, int16_t code, const char *text)
{
    r->error_code = code;
    r->error_message = strview_from(text);
}

/* Replicas of the next new partition: as asked, or placed; NULL: no memory. */
static int32_t *
next_replicas(Growth *g, int32_t factor)
{
    int32_t *ids = arena_calloc(g->c->arena, (size_t)factor, sizeof *ids);

    if (ids != NULL)
        placer_next(g->placer, factor, ids);
    return ids;
}

static bool
check_assignments(const Growth *g, const CreatePartitionsRequestTopic *in, int32_t added,
                  int32_t factor, CreatePartitionsResponseResult *r)
{
    if (in->assignments_count != added) {
        fail(r, KERR_INVALID_REPLICA_ASSIGNMENT,
             "as many assignments as new partitions are needed");
        return false;
    }
    for (int32_t i = 0; i < added; i++) {
        const char *fault = assignment_fault(g->c, in->assignments[i].broker_ids,
                                             in->assignments[i].broker_ids_count, factor);

        if (fault != NULL) {
            fail(r, KERR_INVALID_REPLICA_ASSIGNMENT, fault);
            return false;
        }
    }
    return true;
}

static bool
check_placement(Growth *g, int32_t factor, CreatePartitionsResponseResult *r)
{
    const char *fault;

    if (g->placer == NULL)
        g->placer = placer_for(g->c);
    if (g->placer == NULL) {
        g->no_memory = true;
        return false;
    }
    fault = placer_fault(g->placer, factor);
    if (fault != NULL)
        fail(r, KERR_INVALID_REPLICATION_FACTOR, fault);
    return fault == NULL;
}

static void
grow_one(Growth *g, const CreatePartitionsRequestTopic *in, CreatePartitionsResponseResult *r)
{
    const ImageTopic *topic = image_topic_by_name(g->c->image, in->name);
    bool manual = in->assignments_count >= 0; /* null: -1 */
    int32_t have, added, first = g->records->count;
    ImagePartition pattern;

    if (topic == NULL) {
        fail(r, KERR_UNKNOWN_TOPIC_OR_PARTITION, NULL);
        return;
    }
    if (image_topic_is_internal(topic)) { /* the keys of its records would lie elsewhere */
        fail(r, KERR_INVALID_REQUEST, "the partitions of a coordinator's topic cannot be changed");
        return;
    }
    have = image_topic_partition_count(topic);
    if (in->count <= have) {
        fail(r, KERR_INVALID_PARTITIONS, "the topic has as many partitions, or more");
        return;
    }
    added = in->count - have;
    if (added > DECIDE_RECORDS_MAX || g->records->count + added > DECIDE_RECORDS_MAX) {
        fail(r, KERR_POLICY_VIOLATION, DECIDE_TOO_MANY_RECORDS);
        return;
    }
    if (g->partitions + added > g->c->partitions_left) {
        fail(r, KERR_POLICY_VIOLATION, "the node has no room for more partitions: max.partitions");
        return;
    }
    if (!image_topic_partition(topic, 0, &pattern))
        pattern.replica_count = g->c->replication_factor;
    if (!(manual ? check_assignments(g, in, added, pattern.replica_count, r)
                 : check_placement(g, pattern.replica_count, r)))
        return;
    if (!mutation_charge(g->c->meter, added)) {
        fail(r, KERR_THROTTLING_QUOTA_EXCEEDED, DECIDE_NO_TOKENS);
        return;
    }
    for (int32_t i = 0; i < added; i++) {
        int32_t *ids =
            manual ? in->assignments[i].broker_ids : next_replicas(g, pattern.replica_count);

        if (ids == NULL) {
            g->no_memory = true;
            return;
        }
        if (!decide_add_partition(g->c, g->records, image_topic_id(topic), have + i, ids,
                                  pattern.replica_count)) {
            record_list_cut(g->records, first);
            fail(r, manual ? KERR_INVALID_REPLICA_ASSIGNMENT : KERR_INVALID_REPLICATION_FACTOR,
                 "no broker of a partition is active");
            return;
        }
    }
    g->partitions += added;
}

static int
compare_topics(const void *a, const void *b)
{
    const CreatePartitionsRequestTopic *const *x = a, *const *y = b;

    return image_key_compare((BytesView){(const uint8_t *)(*x)->name.ptr, (*x)->name.len},
                             (BytesView){(const uint8_t *)(*y)->name.ptr, (*y)->name.len});
}

int
decide_create_partitions(const DecideContext *c, const CreatePartitionsRequest *in,
                         RecordList *records, CreatePartitionsResponse *ret)
{
    Growth g = {.c = c, .records = records};
    const CreatePartitionsRequestTopic **sorted =
        arena_calloc(c->arena, (size_t)in->topics_count + 1, sizeof *sorted);

    create_partitions_response_init(ret);
    ret->results = arena_calloc(c->arena, (size_t)in->topics_count + 1, sizeof *ret->results);
    if (sorted == NULL || ret->results == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < in->topics_count; i++)
        sorted[i] = &in->topics[i];
    qsort(sorted, (size_t)in->topics_count, sizeof *sorted, compare_topics);
    for (int32_t i = 0, next; i < in->topics_count && !g.no_memory; i = next) {
        CreatePartitionsResponseResult *r = &ret->results[ret->results_count++];

        for (next = i + 1;
             next < in->topics_count && strview_equal(sorted[next]->name, sorted[i]->name);)
            next++;
        create_partitions_response_result_init(r);
        r->name = sorted[i]->name;
        if (in->timeout_ms <= 0)
            fail(r, KERR_REQUEST_TIMED_OUT, NULL);
        else if (next > i + 1)
            fail(r, KERR_INVALID_REQUEST, "the topic comes more than once in the request");
        else
            grow_one(&g, sorted[i], r);
    }
    if (in->validate_only)
        record_list_cut(records, 0);
    ret->throttle_time_ms = c->meter == NULL ? 0 : c->meter->throttle_ms;
    return g.no_memory || records->no_memory ? OT_E_NO_MEMORY : 0;
}

int
decide_producer_ids(const DecideContext *c, const AllocateProducerIdsRequest *in,
                    RecordList *records, AllocateProducerIdsResponse *ret)
{
    const ImageBroker *broker = image_broker(c->image, in->broker_id);
    int64_t next = image_next_producer_id(c->image);
    ProducerIdsRecord record;

    allocate_producer_ids_response_init(ret);
    if (broker == NULL || broker->epoch != in->broker_epoch) {
        ret->error_code = KERR_STALE_BROKER_EPOCH;
        return 0;
    }
    if (next > INT64_MAX - PRODUCER_ID_BLOCK) { /* 9 * 10^18 ids were given out */
        ret->error_code = KERR_UNKNOWN_SERVER_ERROR;
        return 0;
    }
    ret->producer_id_start = next;
    ret->producer_id_len = PRODUCER_ID_BLOCK;
    producer_ids_record_init(&record);
    record.broker_id = in->broker_id;
    record.broker_epoch = in->broker_epoch;
    record.next_producer_id = next + PRODUCER_ID_BLOCK;
    record_list_add(records, &producer_ids_record_desc, 0, &record);
    return records->no_memory ? OT_E_NO_MEMORY : 0;
}
