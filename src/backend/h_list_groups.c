/*
 * h_list_groups.c - ListGroups: every coordinator worker is asked, their lists are put together
 *
 * Runs in: backend. Spec: groups-and-transactions.md 1.4, 2.14. A list that lacks groups is worse than none:
 * as long as one worker loads, the answer is 14.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/route_int.h"
#include "ottla/common/errlist.h"
#include "ottla/coordinator/requests.h"
#include "ottla/protocol/msg_list_groups.h"

#define DECODED_FACTOR 16 /* as in h_group_lists.c */

typedef struct Listing {
    int32_t count;
    RouteCall calls[MBOX_COORDINATORS_MAX];
    ListGroupsResponse parts[MBOX_COORDINATORS_MAX];
} Listing;

ReqResult
h_list_groups_start(Request *rq)
{
    Listing *work = arena_calloc(rq->arena, 1, sizeof *work);
    ListGroupsRequest in;

    if (work == NULL)
        return request_close(rq, "no memory for a ListGroups request");
    if (!request_read(rq, &list_groups_request_desc, &in))
        return REQ_CLOSE;
    rq->state = work;
    work->count = coordinator_worker_count();
    for (int32_t i = 0; i < work->count; i++)
        route_begin(rq, &work->calls[i], (MboxWorker)(MBOX_COORDINATOR_FIRST + i), rq->body);
    rq->deadline_us = route_deadline_us(rq);
    rq->wait_event = WAIT_EV_COORDINATOR_REPLY;
    return h_list_groups_finish(rq);
}

/* 0, or the code for the whole request. */
static int16_t
read_part(Request *rq, Listing *work, int32_t i)
{
    RouteCall *call = &work->calls[i];
    WireReader r;

    if (call->status != 0)
        return call->status;
    request_grow(rq, (size_t)call->reply.body.len * DECODED_FACTOR);
    wire_reader_init(&r, call->reply.body.ptr, (size_t)call->reply.body.len, rq->arena);
    list_groups_response_read(&r, rq->head.api_version, &work->parts[i]);
    return r.err != 0 ? KERR_UNKNOWN_SERVER_ERROR : work->parts[i].error_code;
}

static ReqResult
answer(Request *rq, Listing *work)
{
    ListGroupsResponse out;
    size_t groups = 0;

    list_groups_response_init(&out);
    for (int32_t i = 0; i < work->count && out.error_code == 0; i++) {
        out.error_code = read_part(rq, work, i);
        /* A shard has left, or failed, behind what it said: Kafka's clients ask again after this, not after that. */
        if (out.error_code == KERR_NOT_COORDINATOR)
            out.error_code = KERR_COORDINATOR_NOT_AVAILABLE;
        groups += out.error_code == 0 ? (size_t)work->parts[i].groups_count : 0;
    }
    rq->failed = out.error_code != 0;
    if (out.error_code != 0)
        return request_respond(rq, &list_groups_response_desc, &out);
    request_grow(rq, (groups + 1) * sizeof *out.groups);
    out.groups = arena_calloc(rq->arena, groups + 1, sizeof *out.groups);
    if (out.groups == NULL)
        return request_close(rq, "no memory for a ListGroups answer");
    for (int32_t i = 0; i < work->count; i++)
        for (int32_t k = 0; k < work->parts[i].groups_count; k++)
            out.groups[out.groups_count++] = work->parts[i].groups[k];
    request_grow(rq, arena_bytes(rq->arena)); /* the encoded form is smaller than the structs */
    return request_respond(rq, &list_groups_response_desc, &out);
}

ReqResult
h_list_groups_finish(Request *rq)
{
    Listing *work = rq->state;
    bool waiting = false;

    for (int32_t i = 0; i < work->count; i++)
        waiting |= !route_poll(rq, &work->calls[i]);
    return waiting ? REQ_PENDING : answer(rq, work);
}

void
h_list_groups_drop(Request *rq)
{
    Listing *work = rq->state;

    for (int32_t i = 0; i < work->count; i++)
        route_drop(&work->calls[i]);
}
