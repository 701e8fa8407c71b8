/*
 * fetch_answer.c - builds the Fetch response, records as slices of segment files (log.md 12.5)
 *
 * Runs in: backend. Never reads anything: all was found by fetch_read.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "backend/conn_int.h"
#include "ottla/common/errlist.h"
#include "ottla/ipc/node.h"

/* Aborted transactions in the shape of the message. False: no memory. */
static bool
answer_aborted(FetchResponsePartition *p, const FetchRead *r, Arena *arena)
{
    p->aborted_transactions_count = r->unknown ? 0 : r->error != 0 ? -1 : r->aborted_count;
    if (p->aborted_transactions_count <= 0)
        return true;
    p->aborted_transactions =
        arena_calloc(arena, (size_t)r->aborted_count, sizeof *p->aborted_transactions);
    if (p->aborted_transactions == NULL)
        return false;
    for (int32_t i = 0; i < r->aborted_count; i++) {
        p->aborted_transactions[i].producer_id = r->aborted[i].producer_id;
        p->aborted_transactions[i].first_offset = r->aborted[i].first_offset;
    }
    return true;
}

/* Errors after which a client from version 16 on learns the leader at once (KIP-951). */
static bool
tells_leader(int16_t version, int16_t error)
{
    return version >= 16 &&
           (error == KERR_NOT_LEADER_OR_FOLLOWER || error == KERR_FENCED_LEADER_EPOCH);
}

static bool
answer_partition(FetchResponsePartition *p, const FetchRead *r, const Request *rq)
{
    fetch_response_partition_init(p);
    p->partition_index = r->part->partition;
    p->error_code = r->error;
    p->high_watermark = -1;
    p->preferred_read_replica = -1;
    p->records = WIRE_EMPTY_RECORDS;
    if (r->error == 0) {
        p->high_watermark = r->offsets.high_watermark;
        p->last_stable_offset = r->offsets.last_stable_offset;
        p->log_start_offset = r->offsets.log_start_offset;
        p->records = records_in_file(r->slice.fd, r->slice.pos, r->slice.len);
    }
    if (r->diverging) {
        p->diverging_epoch.epoch = r->diverged.epoch;
        p->diverging_epoch.end_offset = r->diverged.end_offset;
    }
    if (tells_leader(rq->head.api_version, r->error)) {
        p->current_leader.leader_id = r->leader;
        p->current_leader.leader_epoch = r->leader_epoch;
    }
    return answer_aborted(p, r, rq->arena);
}

/*
 * Kafka answers what it knows first, then unknown topic ids, then other unknown partitions. Clients do
 * not care; recordings do.
 */
static int
answer_turn(const FetchRead *r)
{
    if (!r->unknown)
        return 0;
    return r->error == KERR_UNKNOWN_TOPIC_ID ? 1 : 2;
}

#define ANSWER_TURNS 3

/* Room for all, and the partition to be filled next. */
typedef struct AnswerFill {
    FetchResponse *response;
    FetchResponsePartition *next;
    const FetchTopic *last_topic;
} AnswerFill;

/* Consecutive partitions of one topic share a topic entry. */
static bool
answer_add(AnswerFill *fill, const FetchRead *r, Request *rq)
{
    FetchResponse *response = fill->response;
    FetchResponseTopic *topic;

    if (r->topic != fill->last_topic) {
        fill->last_topic = r->topic;
        topic = &response->responses[response->responses_count++];
        fetch_response_topic_init(topic);
        topic->topic_id = r->topic->id;
        topic->topic =
            r->topic->by_id ? WIRE_EMPTY_STRING : (StrView){r->topic->name, r->topic->name_len};
        topic->partitions = fill->next;
    }
    topic = &response->responses[response->responses_count - 1];
    topic->partitions_count++;
    rq->failed = rq->failed || r->error != 0;
    return answer_partition(fill->next++, r, rq);
}

static bool
answer_fill(FetchResponse *response, const FetchAnswer *answer, Request *rq)
{
    size_t room = (size_t)answer->list.count + 1;
    AnswerFill fill = {.response = response};

    fill.next = arena_calloc(rq->arena, room, sizeof *fill.next);
    response->responses = arena_calloc(rq->arena, room, sizeof *response->responses);
    if (fill.next == NULL || response->responses == NULL)
        return false;
    for (int turn = 0; turn < ANSWER_TURNS; turn++)
        for (int32_t i = 0; i < answer->list.count; i++) {
            const FetchRead *r = &answer->list.reads[i];

            if (r->answered && answer_turn(r) == turn && !answer_add(&fill, r, rq))
                return false;
        }
    return true;
}

/* The endpoint of this node, which leads what it serves, if any partition tells of its leader. */
static bool
answer_leader(FetchResponse *response, const FetchAnswer *answer, const Request *rq)
{
    bool told = false;
    for (int32_t i = 0; i < answer->list.count; i++) {
        told |= answer->list.reads[i].answered &&
                tells_leader(rq->head.api_version, answer->list.reads[i].error);
    }
    if (!told)
        return true;
    const Listener *row = listeners_advertised_for(&node_listeners, rq->conn->listener);
    FetchResponseNode *node = arena_calloc(rq->arena, 1, sizeof *node);
    if (node == NULL)
        return false;
    fetch_response_node_init(node);
    node->node_id = node_info.node_id;
    node->host = strview_from(row->advertised_host);
    node->port = row->advertised_port;
    response->node_endpoints = node;
    response->node_endpoints_count = 1;
    return true;
}

ReqResult
fetch_answer_send(Request *rq, const FetchAnswer *answer)
{
    FetchResponse response;
    fetch_response_init(&response);
    response.error_code = answer->error;
    response.session_id = answer->session_id;
    if (!answer_fill(&response, answer, rq))
        return request_close(rq, "no memory for the answer to a fetch");
    if (!answer_leader(&response, answer, rq))
        return request_close(rq, "no memory for the answer to a fetch");
    return request_respond(rq, &fetch_response_desc, &response);
}
