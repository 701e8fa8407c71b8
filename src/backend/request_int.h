/*
 * request_int.h - one request from its frame to its last byte sent: the contract of all handlers
 *
 * A handler is a row of dispatch.c: start (and finish, when it may wait). It parses rq->body into
 * rq->arena, acts, and answers by one of request_respond, or response_body/response_add_* calls.
 *
 *   start   runs once, when all requests before it allow it (Produce beside Produce, others alone).
 *   finish  runs after each wake-up of the process's latch and when deadline_us has passed, as long
 *           as the request is REQ_PENDING. It looks at everything it waits for: a wake-up has no
 *           cause attached. rq->cancelled says that the wait was cancelled (SIGINT): answer as at
 *           the deadline.
 *   drop    runs instead of finish when the connection ended while the request was pending: take
 *           back interest nodes, cells and the like. May be NULL.
 *
 * Waiting is done by returning REQ_PENDING only: never block, except for a partition's append lock
 * and a file. Between two calls no pin of the image may be held. Memory comes from rq->arena, which
 * lives until the last byte of the answer is in the socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_REQUEST_INT_H
#define OTTLA_BACKEND_REQUEST_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"
#include "outq_int.h"

typedef enum ReqResult {
    REQ_DONE,    /* the answer is complete */
    REQ_PENDING, /* waits for its latch, at the latest until deadline_us */
    REQ_SILENT,  /* finished, no answer is sent (acks=0) */
    REQ_CLOSE,   /* no answer: the connection ends after the answers before it */
} ReqResult;

typedef struct Conn Conn;
typedef struct Request Request;

/* A row of dispatch.c. */
typedef struct Handler {
    int16_t api_key;
    ReqResult (*start)(Request *rq);
    ReqResult (*finish)(Request *rq); /* NULL: never pending */
    void (*drop)(Request *rq);        /* NULL: nothing to take back */
} Handler;

struct Request {
    /* Of the header; read-only for handlers. */
    const Handler *handler;
    int16_t api_key;
    int16_t version;
    int32_t correlation_id;
    StrView client_id; /* null reads as null */
    BytesView body;    /* what follows the header; views into it live as long as the request */
    bool flexible;     /* the response header carries tagged fields */

    /* Set by the connection. */
    Conn *conn;         /* listener, principal: conn_int.h */
    Arena *arena;       /* capped: NULL from arena_alloc is answered by REQ_CLOSE */
    int64_t received_us; /* monotonic clock when the frame was complete */
    int64_t now_us;      /* monotonic clock of this call of start or finish */
    bool cancelled;

    /* Set by the handler while pending. */
    int64_t deadline_us; /* INT64_MAX: none; finish is called at the deadline */
    void *state;         /* the handler's own, from the arena */

    OutMsg out; /* the answer */
};

/*
 * Reserves an answer body of exactly body_bytes in one piece, after frame size and response header.
 * The caller fills it wholly. NULL: the arena is full (then REQ_CLOSE).
 */
uint8_t *response_body(Request *rq, size_t body_bytes) __attribute__((warn_unused_result));

/*
 * An answer of several pieces (Fetch): response_begin, then response_add_mem and response_add_file
 * in order, then response_end, which fills in the frame size. Memory pieces are not copied.
 * 0, or OT_E_MEMORY.
 */
int response_begin(Request *rq) __attribute__((warn_unused_result));
int response_add_mem(Request *rq, const void *mem, size_t len) __attribute__((warn_unused_result));
int response_add_file(Request *rq, const OutPiece *slice) __attribute__((warn_unused_result));
ReqResult response_end(Request *rq);

/* Forgets an answer begun; pieces give back what they hold. */
void response_discard(Request *rq);

#endif
