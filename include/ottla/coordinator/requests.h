/*
 * requests.h - what backends ask a coordinator worker, and what it answers
 *
 * A request travels by mailbox (worker MBOX_COORDINATOR_FIRST + k) as an encoded request body, with the
 * facts about the client in front. The backend has decided rights before; what the client may not touch is not
 * in the body. The groups of one message lie in partitions of this worker (coordinator_worker_of); a
 * request that names groups of several is split by the backend, with the same API and version.
 *
 * The answer is a status and, when that is 0, the encoded response body of the same version, with
 * exceptions: results of the body that do not hold, since their shard was given up or not safe in time, and the
 * code that stands for each. A status other than 0 concerns the whole request; the backend makes the API's own response of it (14: still
 * loading, 15: not written in time, 16: not here, 42: body not readable, 35: API or version not served here,
 * -1). A worker that is not running (MBOX_NO_WORKER) counts as 14 until the request is handed over, as
 * 16 afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_REQUESTS_H
#define OTTLA_COORDINATOR_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"
#include "ottla/ipc/mailbox.h"

/* Longest body that is handed over; above what any request of a group is sent with. */
#define COORDINATOR_BODY_MAX (64 << 20)

/* Longest body of an answer; a backend has room for it. What would be longer is UNKNOWN_SERVER_ERROR. */
#define COORDINATOR_REPLY_MAX (60 << 20)

/*
 * Not an API: the body is a GroupWalkRequest, the answer a GroupWalkResponse, of version 0. 14 while a shard that is to be
 * walked loads.
 */
#define COORDINATOR_WALK_KEY 20100

/* Views into the caller's memory when encoding, into the message when decoding. */
typedef struct CoordinatorRequest {
    int16_t api_key;
    int16_t api_version;
    StrView client_id;   /* null: none */
    StrView client_host; /* "/127.0.0.1" */
    StrView principal;   /* "User:ANONYMOUS" */
    StrView listener;    /* name of the listener it came in on */
    BytesView body;      /* request body, without header */
} CoordinatorRequest;

typedef struct CoordinatorReply {
    int16_t status;          /* 0: body is the response */
    int32_t exception_count; /* only of requests that name several groups */
    const uint8_t *exceptions;
    BytesView body;
} CoordinatorReply;

/* A result of the body that does not hold: the index-th of its groups. */
typedef struct ReplyException {
    int32_t index;
    int16_t code;
} ReplyException;

/* The message for mbox_submit, in the arena; ptr NULL: no memory, or a body above the limit. */
BytesView coordinator_request_encode(const CoordinatorRequest *request, Arena *arena);

/* False: not such a message (a fault of our own code on the other side). */
bool coordinator_request_decode(BytesView message, CoordinatorRequest *ret);

/* The reply that mbox_poll collected. False: too short. */
bool coordinator_reply_decode(BytesView message, CoordinatorReply *ret);

/* The i-th exception. */
ReplyException coordinator_reply_exception(const CoordinatorReply *reply, int32_t i);

/* Bytes in front of a reply's body: these, then so many for each exception. */
#define COORDINATOR_REPLY_HEAD      6
#define COORDINATOR_REPLY_EXCEPTION 6

/* Writes the head alone, and one exception. */
void coordinator_reply_put_head(int16_t status, int32_t exceptions,
                                uint8_t ret[COORDINATOR_REPLY_HEAD]);
void coordinator_reply_put_exception(ReplyException exception,
                                     uint8_t ret[COORDINATOR_REPLY_EXCEPTION]);

/* Workers of this node: group.coordinator.threads, at most MBOX_COORDINATORS_MAX. */
int32_t coordinator_worker_count(void);

/* Which of them has that partition of an internal topic. */
MboxWorker coordinator_worker_of(int32_t partition);

#endif
