/*
 * decide_reassign.c - AlterPartitionReassignments: other brokers for partitions, step by step
 *
 * Spec: admin-and-security.md 2.9, cluster.md 3.10 (KIP-455).
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "controller/partition_change.h"

typedef AlterPartitionReassignmentsRequestPartition Asked;

typedef struct Reassignment {
    const DecideContext *c;
    RecordList *records;
    bool same_factor; /* the replication factor must stay */
} Reassignment;

static int
compare_ids(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static Verdict
no_memory(Reassignment *r)
{
    r->records->no_memory = true;
    return (Verdict){0, NULL};
}

static void
finish(Reassignment *r, PartitionChange *change)
{
    /* No change is a success, too: the partition is where it shall be. */
    if (r->records->count <= DECIDE_RECORDS_MAX)
        (void)partition_change_end(change, r->records);
}

/* Back to where the partition was before a running reassignment. */
static Verdict
cancel(Reassignment *r, const ImageTopic *topic, const ImagePartition *now)
{
    PartitionChange change = partition_change_begin(r->c, topic, now);
    ImagePartition *w = &change.wanted;

    if (now->adding_count == 0 && now->removing_count == 0)
        return (Verdict){KERR_NO_REASSIGNMENT_IN_PROGRESS, NULL};
    w->replicas = ids_without(r->c->arena, now->replicas, now->replica_count, now->adding,
                              now->adding_count, &w->replica_count);
    w->isr = ids_without(r->c->arena, now->isr, now->isr_count, now->adding, now->adding_count,
                         &w->isr_count);
    if (w->replicas == NULL || w->isr == NULL)
        return no_memory(r);
    if (w->isr_count == 0) {
        if (w->replica_count == 0 || !topic_allows_unclean(r->c, change.topic))
            return (Verdict){KERR_INVALID_REPLICA_ASSIGNMENT,
                             "none of the replicas before is in sync, and unclean election is off"};
        w->isr = w->replicas;
        w->isr_count = 1;
        change.mode = ELECT_UNCLEAN;
    }
    w->adding_count = w->removing_count = 0;
    finish(r, &change);
    return (Verdict){0, NULL};
}

/* The number of replicas that the partition has, or will have when a running reassignment is done. */
static int32_t
factor_of(const ImagePartition *now)
{
    return now->replica_count - now->removing_count;
}

static Verdict
start(Reassignment *r, const ImageTopic *topic, const ImagePartition *now, const Asked *in)
{
    const char *fault = assignment_fault(r->c, in->replicas, in->replicas_count, -1);
    PartitionChange change = partition_change_begin(r->c, topic, now);
    ImagePartition *w = &change.wanted;
    int32_t *adding, *removing, *replicas;
    int32_t adding_count, removing_count;

    if (fault != NULL)
        return (Verdict){KERR_INVALID_REPLICA_ASSIGNMENT, fault};
    if (r->same_factor && in->replicas_count != factor_of(now))
        return (Verdict){KERR_INVALID_REPLICATION_FACTOR,
                         "the replication factor would change, which the request forbids"};
    adding = ids_without(r->c->arena, in->replicas, in->replicas_count, now->replicas,
                         now->replica_count, &adding_count);
    removing = ids_without(r->c->arena, now->replicas, now->replica_count, in->replicas,
                           in->replicas_count, &removing_count);
    replicas =
        arena_calloc(r->c->arena, (size_t)(in->replicas_count + removing_count), sizeof *replicas);
    if (adding == NULL || removing == NULL || replicas == NULL)
        return no_memory(r);
    qsort(removing, (size_t)removing_count, sizeof *removing, compare_ids);
    qsort(adding, (size_t)adding_count, sizeof *adding, compare_ids);
    memcpy(replicas, in->replicas, sizeof *replicas * (size_t)in->replicas_count);
    if (removing_count > 0)
        memcpy(replicas + in->replicas_count, removing, sizeof *removing * (size_t)removing_count);
    w->replicas = replicas;
    w->replica_count = in->replicas_count + removing_count;
    /* What a running one adds or removes goes on when this one adds or removes nothing. */
    if (adding_count > 0) {
        w->adding = adding;
        w->adding_count = adding_count;
    }
    if (removing_count > 0) {
        w->removing = removing;
        w->removing_count = removing_count;
    }
    finish(r, &change);
    return (Verdict){0, NULL};
}

static Verdict
reassign_one(Reassignment *r, const ImageTopic *topic, const Asked *in)
{
    ImagePartition now;

    if (topic == NULL || !image_topic_partition(topic, in->partition_index, &now))
        return (Verdict){KERR_UNKNOWN_TOPIC_OR_PARTITION, "there is no such partition"};
    return in->replicas_count < 0 ? cancel(r, topic, &now) : start(r, topic, &now, in);
}

/* The answer with one code everywhere, or with what reassign_one says. */
static int
answer(Reassignment *r, const AlterPartitionReassignmentsRequest *in, const Verdict *all,
       AlterPartitionReassignmentsResponse *out)
{
    Arena *arena = r->c->arena;

    out->responses = arena_calloc(arena, (size_t)in->topics_count + 1, sizeof *out->responses);
    out->responses_count = 0;
    if (out->responses == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < in->topics_count; i++) {
        const AlterPartitionReassignmentsRequestTopic *from = &in->topics[i];
        const ImageTopic *topic = image_topic_by_name(r->c->image, from->name);
        AlterPartitionReassignmentsResponseReassignableTopicResponse *to =
            &out->responses[out->responses_count++];

        alter_partition_reassignments_response_reassignable_topic_response_init(to);
        to->name = from->name;
        to->partitions =
            arena_calloc(arena, (size_t)from->partitions_count + 1, sizeof *to->partitions);
        if (to->partitions == NULL)
            return OT_E_NO_MEMORY;
        for (int32_t k = 0; k < from->partitions_count; k++) {
            AlterPartitionReassignmentsResponsePartition *p =
                &to->partitions[to->partitions_count++];
            Verdict verdict = all != NULL ? *all : reassign_one(r, topic, &from->partitions[k]);

            alter_partition_reassignments_response_partition_init(p);
            p->partition_index = from->partitions[k].partition_index;
            p->error_code = verdict.code;
            p->error_message = strview_from(verdict.text);
        }
    }
    return 0;
}

int
decide_alter_reassignments(const DecideContext *c, const AlterPartitionReassignmentsRequest *in,
                           RecordList *records, AlterPartitionReassignmentsResponse *ret)
{
    static const Verdict no_time = {KERR_REQUEST_TIMED_OUT, NULL};
    static const Verdict too_many = {KERR_POLICY_VIOLATION, DECIDE_TOO_MANY_RECORDS};
    Reassignment r = {.c = c,
                      .records = records,
                      .same_factor = c->api_version >= 1 && !in->allow_replication_factor_change};
    int rc;

    alter_partition_reassignments_response_init(ret);
    ret->allow_replication_factor_change = in->allow_replication_factor_change;
    ret->error_message = in->topics_count == 0 ? WIRE_EMPTY_STRING : WIRE_NULL_STRING;
    if (in->timeout_ms <= 0) {
        ret->error_code = no_time.code;
        return answer(&r, in, &no_time, ret);
    }
    rc = answer(&r, in, NULL, ret);
    if (rc == 0 && records->count > DECIDE_RECORDS_MAX) {
        record_list_cut(records, 0);
        rc = answer(&r, in, &too_many, ret);
    }
    return records->no_memory ? OT_E_NO_MEMORY : rc;
}
