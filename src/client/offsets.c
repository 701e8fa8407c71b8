/*
 * offsets.c - offsets of partitions by time: ListOffsets to all leaders at once
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: asks for more partitions in one request, or in one round, than it has memory for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/consume.h"

#include <stdlib.h>

#include "client/client_int.h"
#include "ottla/protocol/msg_list_offsets.h"

#define LIST_OFFSETS_VERSION_MAX 9 /* later ones know timestamps that nobody asks for here */
#define ROUND_MAX_BYTES          ((size_t)64 << 20)
#define PARTITIONS_OF_REQUEST    1000
#define PARTITIONS_OF_ROUND      100000

/* One round: which partitions are still asked for, at which node, and what to send. */
typedef struct Round {
    Client *c;
    const ClientOffsetsQuery *q;
    ClientOffset *offsets;
    int32_t count;
    bool *done;
    Arena *arena;
    ClientRequest *requests;
    int32_t **asked; /* by request: which of the question its partitions are */
    int32_t request_count;
    bool left_out; /* not all fitted into this round */
    bool answered; /* this round had an offset */
    int16_t error; /* the last one that may be tried again */
    int32_t error_node;
    int32_t error_partition;
} Round;

/* An empty request to a node, with room for the partitions of one. */
static int
add_request(Round *round, int32_t node, Fault *f)
{
    size_t room =
        round->count < PARTITIONS_OF_REQUEST ? (size_t)round->count : PARTITIONS_OF_REQUEST;
    ListOffsetsRequest *request = arena_alloc(round->arena, sizeof *request);
    ListOffsetsResponse *response = arena_alloc(round->arena, sizeof *response);
    ListOffsetsRequestTopic *topic = arena_alloc(round->arena, sizeof *topic);
    ListOffsetsRequestPartition *parts = arena_calloc(round->arena, room, sizeof *parts);
    int32_t *asked = arena_calloc(round->arena, room, sizeof *asked);

    if (request == NULL || response == NULL || topic == NULL || parts == NULL || asked == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for offsets");
    list_offsets_request_init(request);
    list_offsets_request_topic_init(topic);
    request->replica_id = -1;
    request->isolation_level = round->q->committed ? 1 : 0;
    request->topics = topic;
    request->topics_count = 1;
    topic->name = round->q->topic;
    topic->partitions = parts;
    round->asked[round->request_count] = asked;
    round->requests[round->request_count] = (ClientRequest){
        .call = client_call_to(node, API_ListOffsets), .request = request, .response = response};
    round->requests[round->request_count++].call.version_max = LIST_OFFSETS_VERSION_MAX;
    return 0;
}

static ListOffsetsRequestTopic *
topic_of(const Round *round, int32_t k)
{
    return ((const ListOffsetsRequest *)round->requests[k].request)->topics;
}

/* The request to a node that has room; -1: none. */
static int32_t
open_request(const Round *round, int32_t node)
{
    for (int32_t k = round->request_count - 1; k >= 0; k--) {
        if (round->requests[k].call.node_id != node)
            continue;
        return topic_of(round, k)->partitions_count < PARTITIONS_OF_REQUEST ? k : -1;
    }
    return -1;
}

/* Requests for what is not done; what has no room is asked for in the next round. */
static int
build(Round *round, Fault *f)
{
    int32_t parts = 0;

    round->request_count = 0;
    round->left_out = false;
    for (int32_t i = 0; i < round->count; i++) {
        ListOffsetsRequestTopic *topic;
        int32_t node, k;

        if (round->done[i])
            continue;
        if (client_leader(round->c, round->q->topic, round->offsets[i].partition, &node, f) != 0)
            return -1;
        k = open_request(round, node);
        if (parts == PARTITIONS_OF_ROUND || (k < 0 && round->request_count == CLIENT_CALLS_MAX)) {
            round->left_out = true;
            return 0;
        }
        if (k < 0 && add_request(round, node, f) != 0)
            return -1;
        k = k < 0 ? round->request_count - 1 : k;
        topic = topic_of(round, k);
        round->asked[k][topic->partitions_count] = i;
        list_offsets_request_partition_init(&topic->partitions[topic->partitions_count]);
        topic->partitions[topic->partitions_count].partition_index = round->offsets[i].partition;
        topic->partitions[topic->partitions_count++].timestamp = round->q->timestamp;
        parts++;
    }
    return 0;
}

/* Which of the k-th request's partitions it is, looked for from *at on: answers come in the order of questions. -1: none. */
static int32_t
find_asked(const Round *round, int32_t k, int32_t partition, int32_t *at)
{
    int32_t count = topic_of(round, k)->partitions_count;

    for (int32_t n = 0; n < count; n++) {
        int32_t place = (*at + n) % count;
        int32_t i = round->asked[k][place];

        if (round->offsets[i].partition == partition && !round->done[i]) {
            *at = place + 1;
            return i;
        }
    }
    return -1;
}

/* Takes what one leader says of one partition, the i-th of the question. */
static int
take_partition(Round *round, const ListOffsetsResponsePartition *from, int32_t i, int32_t node,
               Fault *f)
{
    bool wants_metadata;

    if (from->error_code == KERR_NONE) {
        round->offsets[i].offset = from->offset;
        round->offsets[i].timestamp = from->timestamp;
        round->offsets[i].leader_epoch = from->leader_epoch;
        round->done[i] = true;
        round->answered = true;
    } else if (client_retryable(from->error_code, &wants_metadata)) {
        if (wants_metadata)
            client_refresh(round->c);
        round->error = from->error_code;
        round->error_node = node;
        round->error_partition = from->partition_index;
    } else {
        return fault_kafka(f, from->error_code, node, "offsets of topic \"%.*s\" partition %d: %s",
                           round->q->topic.len, round->q->topic.ptr, from->partition_index,
                           fault_kafka_text(from->error_code));
    }
    return 0;
}

static int
take_answers(Round *round, Fault *f)
{
    for (int32_t k = 0; k < round->request_count; k++) {
        const ListOffsetsResponse *response = round->requests[k].response;
        int32_t at = 0;

        if (round->requests[k].status != 0) {
            *f = round->requests[k].fault;
            return -1;
        }
        for (int32_t i = 0; i < response->topics_count; i++) {
            for (int32_t j = 0; j < response->topics[i].partitions_count; j++) {
                const ListOffsetsResponsePartition *from = &response->topics[i].partitions[j];
                int32_t which = find_asked(round, k, from->partition_index, &at);

                if (which >= 0 &&
                    take_partition(round, from, which, round->requests[k].call.node_id, f) != 0)
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
        round->answered = false;
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
        if (round->left_out && round->answered)
            continue;
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
    size_t requests = (size_t)(count < CLIENT_CALLS_MAX ? count : CLIENT_CALLS_MAX);
    int status = -1;

    if (count <= 0)
        return 0;
    round.arena = arena_new((size_t)16 << 10, ROUND_MAX_BYTES);
    round.done = calloc((size_t)count, sizeof *round.done);
    round.asked = calloc(requests, sizeof *round.asked);
    round.requests = calloc(requests, sizeof *round.requests);
    if (round.arena == NULL || round.done == NULL || round.asked == NULL || round.requests == NULL)
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for offsets");
    else
        status = ask_until_done(&round, f);
    free(round.requests);
    free(round.asked);
    free(round.done);
    arena_free(round.arena);
    return status;
}
