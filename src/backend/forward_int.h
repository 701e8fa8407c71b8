/*
 * forward_int.h - asking the controller worker from a handler
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_FORWARD_INT_H
#define OTTLA_BACKEND_FORWARD_INT_H

#include "backend/request_int.h"
#include "ottla/ipc/mailbox.h"

/*
 * Sends a request body (of this key and version, in memory of the request) to the controller, in the
 * name of the connection. Then REQ_PENDING, mbox_poll in finish, mbox_cancel in drop and when giving
 * up. False: it cannot be sent.
 */
bool forward_begin(Request *rq, MboxCall *call, int16_t api_key, int16_t version, BytesView body)
    __attribute__((warn_unused_result));

/* The same for a struct of that message. */
bool forward_begin_message(Request *rq, MboxCall *call, const MessageDesc *desc, int16_t version,
                           const void *msg) __attribute__((warn_unused_result));

/* Reads a reply by the codec of its message. False: malformed, a fault of ours. */
bool forward_read_reply(Request *rq, const MboxCall *call, const MessageDesc *desc,
                        int16_t version, void *ret) __attribute__((warn_unused_result));

#endif
