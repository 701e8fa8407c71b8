/*
 * h_groups.c - requests of one group: handed to its coordinator as they came, the answer relayed
 *
 * Runs in: backend. Spec: groups-and-transactions.md 8.1. JoinGroup, SyncGroup, Heartbeat, LeaveGroup,
 * ConsumerGroupHeartbeat, OffsetFetch 1-7. A body that does not parse never leaves here, so that the
 * connection can be closed as Kafka does. A JoinGroup that waits for other members blocks its own
 * connection, as clients expect; when the client hangs up the coordinator forgets the answer, not the member.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/group_apis_int.h"
#include "backend/route_int.h"
#include "ottla/common/assert.h"

typedef struct GroupWork {
    RouteCall call;
    const GroupApi *api;
    void *in;
} GroupWork;

static ReqResult
fail(Request *rq, int16_t code)
{
    const GroupWork *work = rq->state;

    rq->failed = true;
    return work->api->fail(rq, work->in, code);
}

ReqResult
h_groups_start(Request *rq)
{
    GroupWork *work = arena_calloc(rq->arena, 1, sizeof *work);
    const GroupApi *api = group_api(rq->head.api->key);
    MboxWorker worker;
    StrView group;
    int16_t code;

    ot_assert(api != NULL);
    if (work == NULL)
        return request_close(rq, "no memory for a request of a group");
    rq->state = work;
    work->api = api;
    work->in = arena_calloc(rq->arena, 1, api->request->body->bytes);
    if (work->in == NULL)
        return request_close(rq, "no memory for a request of a group");
    if (!request_read(rq, api->request, work->in))
        return REQ_CLOSE;
    memcpy(&group, (const char *)work->in + api->group_at, sizeof group);
    code = route_worker(group, &worker);
    if (code != 0)
        return fail(rq, code);
    route_begin(rq, &work->call, worker, rq->body);
    if (api->parks)
        route_park(rq, &work->call);
    else
        rq->deadline_us = route_deadline_us(rq);
    rq->wait_event = api->wait_event;
    return h_groups_finish(rq);
}

ReqResult
h_groups_finish(Request *rq)
{
    GroupWork *work = rq->state;

    if (!route_poll(rq, &work->call))
        return REQ_PENDING;
    if (work->call.status != 0)
        return fail(rq, work->call.status);
    if (rq->head.api->key != API_OffsetFetch)
        rq->failed = route_body_code(rq, work->call.reply.body) != 0;
    return request_respond_body(rq, work->call.reply.body);
}

void
h_groups_drop(Request *rq)
{
    GroupWork *work = rq->state;

    route_drop(&work->call);
}
