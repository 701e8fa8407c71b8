/*
 * decide_elections.c - ElectLeaders
 *
 * Spec: admin-and-security.md 2.8, observed.md 6.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/partition_change.h"

/* Kafka's numbers. */
#define ELECTION_PREFERRED 0
#define ELECTION_UNCLEAN   1

typedef ElectLeadersResponseReplicaElectionResult TopicResult;
typedef ElectLeadersResponsePartitionResult PartitionResult;

typedef struct Election {
    const DecideContext *c;
    RecordList *records;
    bool unclean;
} Election;

static Verdict
elect_one(Election *e, const ImageTopic *topic, int32_t partition)
{
    ImagePartition now;
    PartitionChange change;

    if (topic == NULL)
        return (Verdict){KERR_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic"};
    if (!image_topic_partition(topic, partition, &now))
        return (Verdict){KERR_UNKNOWN_TOPIC_OR_PARTITION, "the topic has no such partition"};
    if (e->unclean ? now.leader >= 0 : now.replica_count > 0 && now.leader == now.replicas[0])
        return (Verdict){KERR_ELECTION_NOT_NEEDED,
                         "the partition has the leader that is asked for"};
    if (e->records->count > DECIDE_RECORDS_MAX)
        return (Verdict){0, NULL}; /* the request is refused as a whole */
    change = partition_change_begin(e->c, topic, &now);
    change.mode = e->unclean ? ELECT_UNCLEAN : ELECT_PREFERRED;
    if (partition_change_end(&change, e->records))
        return (Verdict){0, NULL};
    return e->unclean ? (Verdict){KERR_ELIGIBLE_LEADERS_NOT_AVAILABLE, "no replica is alive"}
                      : (Verdict){KERR_PREFERRED_LEADER_NOT_AVAILABLE,
                                  "the first replica is not alive, or not in sync"};
}

static void
answer(PartitionResult *r, int32_t partition, Verdict verdict)
{
    elect_leaders_response_partition_result_init(r);
    r->partition_id = partition;
    r->error_code = verdict.code;
    r->error_message = strview_from(verdict.text);
}

/* Partitions asked for, each as often as it is named. */
static int
elect_named(Election *e, const ElectLeadersRequest *in, ElectLeadersResponse *out)
{
    Arena *arena = e->c->arena;

    out->replica_election_results = arena_calloc(arena, (size_t)in->topic_partitions_count + 1,
                                                 sizeof *out->replica_election_results);
    if (out->replica_election_results == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < in->topic_partitions_count; i++) {
        const ElectLeadersRequestTopicPartitions *from = &in->topic_partitions[i];
        const ImageTopic *topic = image_topic_by_name(e->c->image, from->topic);
        TopicResult *to = &out->replica_election_results[out->replica_election_results_count++];

        elect_leaders_response_replica_election_result_init(to);
        to->topic = from->topic;
        to->partition_result =
            arena_calloc(arena, (size_t)from->partitions_count + 1, sizeof *to->partition_result);
        if (to->partition_result == NULL)
            return OT_E_NO_MEMORY;
        for (int32_t k = 0; k < from->partitions_count; k++)
            answer(&to->partition_result[to->partition_result_count++], from->partitions[k],
                   elect_one(e, topic, from->partitions[k]));
    }
    return 0;
}

/* All topics are listed, of their partitions those for which an election was tried. */
static int
elect_all(Election *e, ElectLeadersResponse *out)
{
    Arena *arena = e->c->arena;

    out->replica_election_results = arena_calloc(arena, (size_t)image_topic_count(e->c->image) + 1,
                                                 sizeof *out->replica_election_results);
    if (out->replica_election_results == NULL)
        return OT_E_NO_MEMORY;
    for (const ImageTopic *t = image_topic_after(e->c->image, WIRE_NULL_STRING); t != NULL;
         t = image_topic_after(e->c->image, image_topic_name(t))) {
        TopicResult *to = &out->replica_election_results[out->replica_election_results_count++];
        int32_t count = image_topic_partition_count(t);

        elect_leaders_response_replica_election_result_init(to);
        to->topic = image_topic_name(t);
        for (int32_t p = 0; p < count; p++) {
            Verdict verdict = elect_one(e, t, p);

            if (verdict.code == KERR_ELECTION_NOT_NEEDED)
                continue;
            if (to->partition_result == NULL)
                to->partition_result =
                    arena_calloc(arena, (size_t)count, sizeof *to->partition_result);
            if (to->partition_result == NULL)
                return OT_E_NO_MEMORY;
            answer(&to->partition_result[to->partition_result_count++], p, verdict);
        }
    }
    return 0;
}

/* One code for the request and everything in it. */
static int
refuse_all(const DecideContext *c, const ElectLeadersRequest *in, Verdict verdict,
           ElectLeadersResponse *out)
{
    int32_t count = in->topic_partitions_count < 0 ? 0 : in->topic_partitions_count;

    elect_leaders_response_init(out);
    out->error_code = c->api_version == 0 ? 0 : verdict.code; /* version 0 has none */
    out->replica_election_results =
        arena_calloc(c->arena, (size_t)count + 1, sizeof *out->replica_election_results);
    if (out->replica_election_results == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        const ElectLeadersRequestTopicPartitions *from = &in->topic_partitions[i];
        TopicResult *to = &out->replica_election_results[out->replica_election_results_count++];

        elect_leaders_response_replica_election_result_init(to);
        to->topic = from->topic;
        to->partition_result = arena_calloc(c->arena, (size_t)from->partitions_count + 1,
                                            sizeof *to->partition_result);
        if (to->partition_result == NULL)
            return OT_E_NO_MEMORY;
        for (int32_t k = 0; k < from->partitions_count; k++)
            answer(&to->partition_result[to->partition_result_count++], from->partitions[k],
                   verdict);
    }
    return 0;
}

int
decide_elect_leaders(const DecideContext *c, const ElectLeadersRequest *in, RecordList *records,
                     ElectLeadersResponse *ret)
{
    int8_t type = c->api_version == 0 ? ELECTION_PREFERRED : in->election_type;
    Election e = {.c = c, .records = records, .unclean = type == ELECTION_UNCLEAN};
    int rc;

    if (in->timeout_ms <= 0)
        return refuse_all(c, in, (Verdict){KERR_REQUEST_TIMED_OUT, NULL}, ret);
    if (type != ELECTION_PREFERRED && type != ELECTION_UNCLEAN)
        return refuse_all(c, in, (Verdict){KERR_INVALID_REQUEST, "the election type is not known"},
                          ret);
    elect_leaders_response_init(ret);
    rc = in->topic_partitions_count < 0 ? elect_all(&e, ret) : elect_named(&e, in, ret);
    if (rc == 0 && records->count > DECIDE_RECORDS_MAX) {
        record_list_cut(records, 0);
        rc = refuse_all(c, in, (Verdict){KERR_POLICY_VIOLATION, DECIDE_TOO_MANY_RECORDS}, ret);
    }
    return records->no_memory ? OT_E_NO_MEMORY : rc;
}
