/*
 * forward_int.h - asking the controller worker from a handler
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_FORWARD_INT_H
#define OTTLA_BACKEND_FORWARD_INT_H

#include "backend/request_int.h"
#include "ottla/controller/quota_hosts.h"
#include "ottla/ipc/mailbox.h"

/*
 * Sends a message (of this version) to the controller, in the name of the connection. Then
 * REQ_PENDING, forward_poll in finish, mbox_cancel in drop. False: it cannot be sent.
 */
bool forward_begin_message(Request *rq, MboxCall *call, const MessageDesc *desc, int16_t version,
                           const void *msg) __attribute__((warn_unused_result));

typedef struct ForwardReply {
    bool waiting;   /* no answer yet, and the request's deadline has not come */
    int16_t status; /* why the controller did not decide: a Kafka code */
    BytesView body; /* status 0: the response body */
} ForwardReply;

/* Looks for the answer. At the deadline, or when the wait is cancelled, the call is given up: 7. */
ForwardReply forward_poll(Request *rq, MboxCall *call);

/*
 * The two halves of forward_start, for a handler that has something to find out in between. forward_read gives the
 * request's struct; NULL: *ret is what the handler returns. forward_send hands it over, with the hosts found.
 */
const void *forward_read(Request *rq, ReqResult *ret);
ReqResult forward_send(Request *rq, const KnownHost *hosts, int32_t host_count);

#endif
