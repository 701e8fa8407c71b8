/*
 * h_init_producer_id.c - InitProducerId without transactions: a new id for an idempotent producer
 *
 * Runs in: backend. Spec: observed.md 2; design.md 11: with a transactional id 35 until transactions
 * have a coordinator. Ids come from the node's block (producer_ids.c); the backend that finds it
 * used up asks the controller for the next and waits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/forward_int.h"
#include "ottla/backend/producer_ids.h"
#include "ottla/common/errlist.h"
#include "ottla/controller/image.h"
#include "ottla/ipc/node.h"
#include "ottla/protocol/msg_allocate_producer_ids.h"
#include "ottla/protocol/msg_init_producer_id.h"

#define BLOCK_WAIT_US (1000 * 1000) /* then 14: come again */

static ReqResult
answer(Request *rq, int64_t producer_id, int16_t code)
{
    InitProducerIdResponse out;

    init_producer_id_response_init(&out);
    out.error_code = code;
    out.producer_id = code == 0 ? producer_id : -1;
    out.producer_epoch = code == 0 ? 0 : -1;
    rq->failed = code != 0;
    return request_respond(rq, &init_producer_id_response_desc, &out);
}

static int16_t
check(const InitProducerIdRequest *in)
{
    if ((in->producer_id == -1) != (in->producer_epoch == -1))
        return KERR_INVALID_REQUEST;
    if (in->transactional_id.ptr == NULL)
        return 0;
    return in->transactional_id.len == 0 ? KERR_INVALID_REQUEST : KERR_UNSUPPORTED_VERSION;
}

/* The controller gives blocks to a broker under its present registration only. */
static int64_t
own_epoch(void)
{
    ImagePin pin = image_pin();
    const ImageBroker *self = image_broker(pin.image, node_info.node_id);
    int64_t epoch = self == NULL ? -1 : self->epoch;

    image_unpin(&pin);
    return epoch;
}

ReqResult
h_init_producer_id_start(Request *rq)
{
    AllocateProducerIdsRequest block;
    InitProducerIdRequest in;
    MboxCall *call;
    int64_t id;
    int16_t code;

    if (!request_read(rq, &init_producer_id_request_desc, &in))
        return REQ_CLOSE;
    code = check(&in);
    if (code != 0)
        return answer(rq, -1, code);
    if (producer_ids_take(&id))
        return answer(rq, id, 0);
    allocate_producer_ids_request_init(&block);
    block.broker_id = node_info.node_id;
    block.broker_epoch = own_epoch();
    call = arena_calloc(rq->arena, 1, sizeof *call);
    if (call == NULL ||
        !forward_begin_message(rq, call, &allocate_producer_ids_request_desc, 0, &block))
        return answer(rq, -1, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    rq->state = call;
    rq->deadline_us = rq->now_us + BLOCK_WAIT_US;
    rq->wait_event = WAIT_EV_CONTROLLER_REPLY;
    return REQ_PENDING;
}

ReqResult
h_init_producer_id_finish(Request *rq)
{
    MboxCall *call = rq->state;
    AllocateProducerIdsResponse block;
    ForwardReply reply = forward_poll(rq, call);
    WireReader r;

    if (reply.waiting)
        return REQ_PENDING;
    if (reply.status != 0)
        return answer(rq, -1, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    wire_reader_init(&r, reply.body.ptr, (size_t)reply.body.len, rq->arena);
    allocate_producer_ids_response_read(&r, 0, &block);
    if (r.err != 0 || block.error_code != 0 || block.producer_id_len != PRODUCER_ID_BLOCK ||
        block.producer_id_start < 0 || block.producer_id_start % PRODUCER_ID_BLOCK != 0)
        return answer(rq, -1, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    return answer(rq, producer_ids_refill(block.producer_id_start), 0);
}

void
h_init_producer_id_drop(Request *rq)
{
    mbox_cancel(rq->state);
}
