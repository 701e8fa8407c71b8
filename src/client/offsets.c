/*
 * offsets.c - offsets of partitions by time: ListOffsets to all leaders at once
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: asks one leader twice in a round.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/consume.h"

#include <stdlib.h>

#include "client/client_int.h"
#include "ottla/protocol/msg_list_offsets.h"

#define LIST_OFFSETS_VERSION_MAX 9 /* later ones know timestamps that nobody asks for here */
#define ROUND_MAX_BYTES          ((size_t)64 << 20)

/* One round: which partitions are still asked for, at which node, and what to send. */
typedef struct Round {
    Client *c;
    const ClientOffsetsQuery *q;
    ClientOffset *offsets;
    int32_t count;
    bool *done;
    int32_t *nodes; /* by partition of the question */
    Arena *arena;
    ClientRequest *requests;
    int32_t request_count;
    int16_t error; /* the last one that may be tried again */
    int32_t error_node;
    int32_t error_partition;
} Round;

/* The partitions of one leader in one request. */
static int
add_request(Round *round, int32_t node, Fault *f)
{
    ListOffsetsRequest *request = arena_alloc(round->arena, sizeof *request);
    ListOffsetsResponse *response = arena_alloc(round->arena, sizeof *response);
    ListOffsetsRequestTopic *topic = arena_alloc(round->arena, sizeof *topic);
    ListOffsetsRequestPartition *parts =
        arena_calloc(round->arena, (size_t)round->count, sizeof *parts);

    if (request == NULL || response == NULL || topic == NULL || parts == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for offsets");
    list_offsets_request_init(request);
    list_offsets_request_topic_init(topic);
    request->replica_id = -1;
    request->isolation_level = round->q->committed ? 1 : 0;
    request->topics = topic;
    request->topics_count = 1;
    topic->name = round->q->topic;
    topic->partitions = parts;
    for (int32_t i = 0; i < round->count; i++) {
        if (round->done[i] || round->nodes[i] != node)
            continue;
        list_offsets_request_partition_init(&parts[topic->partitions_count]);
        parts[topic->partitions_count].partition_index = round->offsets[i].partition;
        parts[topic->partitions_count++].timestamp = round->q->timestamp;
    }
    round->requests[round->request_count] = (ClientRequest){
        .call = client_call_to(node, API_ListOffsets), .request = request, .response = response};
    round->requests[round->request_count++].call.version_max = LIST_OFFSETS_VERSION_MAX;
    return 0;
}

static int
build(Round *round, Fault *f)
{
    int32_t leaders;

    round->request_count = 0;
    for (int32_t i = 0; i < round->count; i++) {
        bool known = false;

        if (round->done[i])
            continue;
        if (client_leader(round->c, round->q->topic, round->offsets[i].partition, &round->nodes[i],
                          f) != 0)
            return -1;
        for (int32_t k = 0; k < round->request_count; k++)
            known = known || round->requests[k].call.node_id == round->nodes[i];
        /* The leaders of those behind are not known yet: the request is made when all are. */
        if (!known && round->request_count < CLIENT_CALLS_MAX)
            round->requests[round->request_count++].call.node_id = round->nodes[i];
    }
    leaders = round->request_count;
    round->request_count = 0;
    for (int32_t k = 0; k < leaders; k++) {
        if (add_request(round, round->requests[k].call.node_id, f) != 0)
            return -1;
    }
    return 0;
}

/* Takes what one leader says of one partition. */
static int
take_partition(Round *round, const ListOffsetsResponsePartition *from, int32_t node, Fault *f)
{
    bool wants_metadata;

    for (int32_t i = 0; i < round->count; i++) {
        if (round->done[i] || round->offsets[i].partition != from->partition_index)
            continue;
        if (from->error_code == KERR_NONE) {
            round->offsets[i].offset = from->offset;
            round->offsets[i].timestamp = from->timestamp;
            round->offsets[i].leader_epoch = from->leader_epoch;
            round->done[i] = true;
        } else if (client_retryable(from->error_code, &wants_metadata)) {
            if (wants_metadata)
                client_refresh(round->c);
            round->error = from->error_code;
            round->error_node = node;
            round->error_partition = from->partition_index;
        } else {
            return fault_kafka(f, from->error_code, node,
                               "offsets of topic \"%.*s\" partition %d: %s", round->q->topic.len,
                               round->q->topic.ptr, from->partition_index,
                               fault_kafka_text(from->error_code));
        }
    }
    return 0;
}

static int
take_answers(Round *round, Fault *f)
{
    for (int32_t k = 0; k < round->request_count; k++) {
        const ListOffsetsResponse *response = round->requests[k].response;

        if (round->requests[k].status != 0) {
            *f = round->requests[k].fault;
            return -1;
        }
        for (int32_t i = 0; i < response->topics_count; i++) {
            for (int32_t j = 0; j < response->topics[i].partitions_count; j++) {
                if (take_partition(round, &response->topics[i].partitions[j],
                                   round->requests[k].call.node_id, f) != 0)
                    return -1;
            }
        }
    }
    return 0;
}

static int
ask_until_done(Round *round, Fault *f)
{
    int64_t deadline_ms = client_deadline(round->c);

    for (int attempt = 1;; attempt++) {
        int32_t left = 0;
        int more;

        round->error = KERR_UNKNOWN_SERVER_ERROR; /* of an answer that leaves partitions out */
        round->error_node = round->error_partition = -1;
        arena_reset(round->arena);
        if (build(round, f) != 0)
            return -1;
        if (client_call_many(round->c, round->requests, round->request_count, round->arena, f) !=
                0 ||
            take_answers(round, f) != 0)
            return -1;
        for (int32_t i = 0; i < round->count; i++)
            left += !round->done[i];
        if (left == 0)
            return 0;
        (void)fault_kafka(f, round->error, round->error_node,
                          "offsets of topic \"%.*s\" partition %d: %s", round->q->topic.len,
                          round->q->topic.ptr, round->error_partition,
                          fault_kafka_text(round->error));
        more = client_backoff(round->c, attempt, deadline_ms, f);
        if (more != 0)
            return -1;
    }
}

int
client_offsets(Client *c, const ClientOffsetsQuery *q, ClientOffset *offsets, int32_t count,
               Fault *f)
{
    Round round = {.c = c, .q = q, .offsets = offsets, .count = count};
    int status = -1;

    if (count <= 0)
        return 0;
    round.arena = arena_new((size_t)16 << 10, ROUND_MAX_BYTES);
    round.done = calloc((size_t)count, sizeof *round.done);
    round.nodes = calloc((size_t)count, sizeof *round.nodes);
    round.requests = calloc((size_t)(count < CLIENT_CALLS_MAX ? count : CLIENT_CALLS_MAX),
                            sizeof *round.requests);
    if (round.arena == NULL || round.done == NULL || round.nodes == NULL || round.requests == NULL)
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for offsets");
    else
        status = ask_until_done(&round, f);
    free(round.requests);
    free(round.nodes);
    free(round.done);
    arena_free(round.arena);
    return status;
}
