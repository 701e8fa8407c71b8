/*
 * route_int.h - asking the coordinator of a group from a handler
 *
 * Spec: groups-and-transactions.md 8.1, 8.7.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_ROUTE_INT_H
#define OTTLA_BACKEND_ROUTE_INT_H

#include "backend/request_int.h"
#include "ottla/coordinator/requests.h"
#include "ottla/ipc/mailbox.h"

/*
 * One message to one worker, in memory of the request, zeroed before. Over: status 0 and the encoded
 * response with its exceptions, or a Kafka code for the whole message.
 */
typedef struct RouteCall {
    MboxCall call;
    int64_t park_end_us; /* nobody waits longer, whatever the worker does; 0: not parked */
    bool over;
    int16_t status;
    CoordinatorReply reply; /* when status is 0 */
} RouteCall;

/*
 * The worker that has the group. 0, or 16: the group is coordinated elsewhere, or nowhere so far. Pins the image.
 */
int16_t route_worker(StrView group_id, MboxWorker *ret);

/* Sends a request body (in memory of the request) in the name of the connection. May be over at once. */
void route_begin(Request *rq, RouteCall *call, MboxWorker worker, BytesView body);

/* The same for a struct of the request's message, in its version. */
void route_begin_message(Request *rq, RouteCall *call, MboxWorker worker, const void *msg);

/*
 * Looks for the answer. True: the call is over. At the request's deadline, or when the wait is
 * cancelled, it is given up.
 */
bool route_poll(Request *rq, RouteCall *call);

/* Gives it up, if it is under way. */
void route_drop(RouteCall *call);

/* When the request's deadline is: a worker answers before, unless it does not run. */
int64_t route_deadline_us(const Request *rq);

/*
 * Instead of a deadline, behind route_begin: the answer waits for other members. How long is the coordinator's
 * business, as long as it runs; when it has not for a while the call is over.
 */
void route_park(Request *rq, RouteCall *call);

/* The error code of an encoded answer whose version begins with one, behind the throttle time. */
int16_t route_body_code(const Request *rq, BytesView body);

#endif
