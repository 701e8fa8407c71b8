/*
 * decide_quorum.c - DescribeQuorum: what the leader of the metadata log knows of it
 *
 * Spec: observed.md 7. Anything but exactly one partition 0 of the log gets one refusal per item.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide.h"

#define METADATA_TOPIC "__cluster_metadata"

typedef DescribeQuorumResponsePartition PartitionAnswer;

static bool
asks_for_the_log(const DescribeQuorumRequest *in)
{
    return in->topics_count == 1 &&
           strview_equal(in->topics[0].topic_name, STRVIEW(METADATA_TOPIC)) &&
           in->topics[0].partitions_count == 1 && in->topics[0].partitions[0].partition_index == 0;
}

/* False: no memory. */
static bool
describe_log(const DecideContext *c, PartitionAnswer *p)
{
    const QuorumFacts *q = &c->quorum;
    DescribeQuorumResponseReplicaState *voter = arena_calloc(c->arena, 1, sizeof *voter);

    if (voter == NULL)
        return false;
    describe_quorum_response_replica_state_init(voter);
    voter->replica_id = c->node_id;
    if (c->api_version >= 2)
        voter->replica_directory_id = q->directory_id;
    voter->log_end_offset = q->log_end;
    /* The leader has everything now. */
    voter->last_fetch_timestamp = voter->last_caught_up_timestamp = q->now_ms;
    p->leader_id = c->node_id;
    p->leader_epoch = q->leader_epoch;
    p->high_watermark = q->high_watermark;
    p->current_voters = voter;
    p->current_voters_count = 1;
    p->error_message = WIRE_EMPTY_STRING;
    return true;
}

/* Where the voters listen. */
static bool
describe_nodes(const DecideContext *c, DescribeQuorumResponse *ret)
{
    const QuorumFacts *q = &c->quorum;
    DescribeQuorumResponseListener *listeners =
        arena_calloc(c->arena, (size_t)q->endpoint_count + 1, sizeof *listeners);

    ret->nodes = arena_calloc(c->arena, 1, sizeof *ret->nodes);
    if (ret->nodes == NULL || listeners == NULL)
        return false;
    for (int32_t i = 0; i < q->endpoint_count; i++) {
        describe_quorum_response_listener_init(&listeners[i]);
        listeners[i].name = q->endpoints[i].listener;
        listeners[i].host = q->endpoints[i].host;
        listeners[i].port = q->endpoints[i].port;
    }
    describe_quorum_response_node_init(&ret->nodes[0]);
    ret->nodes[0].node_id = c->node_id;
    ret->nodes[0].listeners = listeners;
    ret->nodes[0].listeners_count = q->endpoint_count;
    ret->nodes_count = 1;
    return true;
}

int
decide_describe_quorum(const DecideContext *c, const DescribeQuorumRequest *in, RecordList *records,
                       DescribeQuorumResponse *ret)
{
    bool good = asks_for_the_log(in);

    (void)records; /* a question */
    describe_quorum_response_init(ret);
    ret->error_message = WIRE_EMPTY_STRING;
    ret->topics = arena_calloc(c->arena, (size_t)in->topics_count + 1, sizeof *ret->topics);
    if (ret->topics == NULL || (good && c->api_version >= 2 && !describe_nodes(c, ret)))
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < in->topics_count; i++) {
        const DescribeQuorumRequestTopic *from = &in->topics[i];
        DescribeQuorumResponseTopic *to = &ret->topics[ret->topics_count++];

        describe_quorum_response_topic_init(to);
        to->topic_name = from->topic_name;
        to->partitions =
            arena_calloc(c->arena, (size_t)from->partitions_count + 1, sizeof *to->partitions);
        if (to->partitions == NULL)
            return OT_E_NO_MEMORY;
        for (int32_t k = 0; k < from->partitions_count; k++) {
            PartitionAnswer *p = &to->partitions[to->partitions_count++];

            describe_quorum_response_partition_init(p);
            p->partition_index = from->partitions[k].partition_index;
            p->error_code = good ? 0 : KERR_UNKNOWN_TOPIC_OR_PARTITION;
            p->error_message = STRVIEW("there is no such partition of the quorum");
            if (good && !describe_log(c, p))
                return OT_E_NO_MEMORY;
        }
    }
    return 0;
}
