/*
 * h_find_coordinator.c - FindCoordinator: which node coordinates a group, a transaction, a share
 *
 * Runs in: backend. Spec: groups-and-transactions.md 1.1-1.3; observed.md 12. The answer is computed
 * from the metadata image. A topic that is not there yet is asked of the controller first; where nothing comes
 * of that the answer is 15, and the client asks again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/forward_int.h"
#include "backend/internal_topics_int.h"
#include "backend/meta_int.h"
#include "backend/names_int.h"
#include "backend/share_key_int.h"
#include "ottla/common/err.h"
#include "ottla/groups/group_hash.h"
#include "ottla/protocol/msg_find_coordinator.h"

#define CREATE_WAIT_US   (5 * 1000 * 1000)
#define SHARE_KEYS_SINCE 6
#define BATCHES_SINCE    4
#define ANSWER_PER_KEY \
    320 /* arena bytes of one answer: host, echo of a key beside the request's own */
#define NO_NODE (-1)

typedef struct Finding {
    FindCoordinatorRequest in;
    const StrView *keys;
    int32_t count;
    MboxCall call;
} Finding;

typedef FindCoordinatorResponseCoordinator Found;

/* 0, or what the key itself is refused with. */
static int16_t
judge_key(const Request *rq, int8_t type, StrView key)
{
    if (type < 0 || type >= INTERNAL_TOPIC_COUNT)
        return KERR_INVALID_REQUEST;
    if (type == INTERNAL_SHARE_STATE &&
        (rq->head.api_version < SHARE_KEYS_SINCE || !share_key_is_legal(key)))
        return KERR_INVALID_REQUEST;
    return 0;
}

/* Who coordinates the key; the host lies in the image. */
static void
find_one(const Request *rq, const Image *image, int8_t type, StrView key, Found *ret)
{
    StrView listener = meta_listener(rq->conn);
    const ImageEndpoint *endpoint = NULL;
    const ImageTopic *topic;
    ImagePartition part;

    find_coordinator_response_coordinator_init(ret);
    ret->key = name_echo(rq->arena, key);
    ret->node_id = NO_NODE;
    ret->port = NO_NODE;
    ret->error_message = WIRE_EMPTY_STRING;
    ret->error_code = judge_key(rq, type, key);
    if (ret->error_code != 0)
        return;
    ret->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    topic = image_topic_by_name(image, internal_topic_name((InternalTopic)type));
    if (topic == NULL ||
        !image_topic_partition(topic, group_partition_of(key, image_topic_partition_count(topic)),
                               &part) ||
        meta_leader_fault(image, part.leader, listener) != 0)
        return;
    endpoint = image_broker_endpoint(image_broker(image, part.leader), listener);
    ret->error_code = 0;
    ret->node_id = part.leader;
    ret->host = endpoint->host;
    ret->port = endpoint->port;
}

/* The texts of an answer: for an unknown type in every version, for the others where there is one answer alone. */
static StrView
text_of(const Request *rq, int8_t type, int16_t code)
{
    if (type < 0 || type >= INTERNAL_TOPIC_COUNT)
        return STRVIEW("this type of key has no coordinator");
    if (rq->head.api_version >= BATCHES_SINCE)
        return WIRE_EMPTY_STRING;
    switch (code) {
    case 0:
        return STRVIEW("NONE");
    case KERR_COORDINATOR_NOT_AVAILABLE:
        return STRVIEW("the coordinator is not available");
    default:
        return STRVIEW("this version knows no keys of share groups");
    }
}

static ReqResult
answer(Request *rq)
{
    const Finding *work = rq->state;
    bool single = rq->head.api_version < BATCHES_SINCE;
    FindCoordinatorResponse out;
    ImagePin pin;
    ReqResult result;
    Found *list;

    request_grow(rq, (size_t)work->count * (sizeof *list + ANSWER_PER_KEY));
    list = arena_calloc(rq->arena, (size_t)work->count + 1, sizeof *list);
    if (list == NULL)
        return request_close(rq, "no memory for a FindCoordinator answer");
    find_coordinator_response_init(&out);
    pin = image_pin();
    for (int32_t i = 0; i < work->count; i++) {
        find_one(rq, pin.image, work->in.key_type, work->keys[i], &list[i]);
        list[i].error_message = text_of(rq, work->in.key_type, list[i].error_code);
        rq->failed |= list[i].error_code != 0;
    }
    if (single) {
        out.error_code = list[0].error_code;
        out.error_message = list[0].error_message;
        out.node_id = list[0].node_id;
        out.host = list[0].host;
        out.port = list[0].port;
    } else {
        out.coordinators = list;
        out.coordinators_count = work->count;
    }
    result = request_respond(rq, &find_coordinator_response_desc, &out);
    image_unpin(&pin);
    return result;
}

/* Does a legal key of the request need a topic that is not there? */
static bool
needs_topic(const Request *rq, const Finding *work)
{
    bool legal = false, there;
    ImagePin pin;

    for (int32_t i = 0; i < work->count && !legal; i++)
        legal = judge_key(rq, work->in.key_type, work->keys[i]) == 0;
    if (!legal)
        return false;
    pin = image_pin();
    there = image_topic_by_name(pin.image, internal_topic_name((InternalTopic)work->in.key_type)) !=
            NULL;
    image_unpin(&pin);
    return !there;
}

ReqResult
h_find_coordinator_start(Request *rq)
{
    Finding *work = arena_calloc(rq->arena, 1, sizeof *work);

    if (work == NULL)
        return request_close(rq, "no memory for a FindCoordinator request");
    if (!request_read(rq, &find_coordinator_request_desc, &work->in))
        return REQ_CLOSE;
    rq->state = work;
    if (rq->head.api_version < BATCHES_SINCE) {
        work->keys = &work->in.key;
        work->count = 1;
    } else {
        work->keys = work->in.coordinator_keys;
        work->count = work->in.coordinator_keys_count;
    }
    if (!needs_topic(rq, work) ||
        !internal_topic_begin_create(rq, &work->call, (InternalTopic)work->in.key_type))
        return answer(rq);
    rq->deadline_us = rq->now_us + CREATE_WAIT_US;
    rq->wait_event = WAIT_EV_CONTROLLER_REPLY;
    return REQ_PENDING;
}

ReqResult
h_find_coordinator_finish(Request *rq)
{
    Finding *work = rq->state;
    ForwardReply reply = forward_poll(rq, &work->call);

    if (reply.waiting)
        return REQ_PENDING;
    if (reply.status == 0 &&
        reply.body.len >= 4) /* what the creation owes is first in its answer */
        rq->throttle_ms = (int32_t)wire_load32(reply.body.ptr);
    return answer(rq);
}

void
h_find_coordinator_drop(Request *rq)
{
    Finding *work = rq->state;

    mbox_cancel(&work->call);
}
