/*
 * request_int.h - one request from its frame to its last byte sent: the contract of all handlers
 *
 * A handler is a row of dispatch.c: start, and finish when it may wait. It reads rq->body by
 * request_read into rq->arena, acts, and answers by request_respond.
 *
 *   start   runs once, when all requests before it allow it (Produce beside Produce, others alone).
 *   finish  runs after each wake-up of the process's latch and when deadline_us has passed, as long
 *           as the request is REQ_PENDING. It looks at everything it waits for: a wake-up has no
 *           cause attached. rq->rescan: somebody died, trust no registration. rq->cancelled: the
 *           wait ends (SIGINT, SIGTERM, hang-up of the client): answer as at the deadline.
 *   drop    runs instead of finish when the connection ends while the request is pending: take back
 *           interest nodes, calls and the like. May be NULL.
 *   rq->release, when set, runs once when the request is over, however: its answer was sent, or the
 *           connection ended. What pieces of the answer need (pinned files) is given back there.
 *
 * Waiting is done by returning REQ_PENDING only: never block, except for a partition's append lock
 * and a file. Between two calls no pin of the image may be held. Memory comes from rq->arena, which
 * lives until the request is over.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_REQUEST_INT_H
#define OTTLA_BACKEND_REQUEST_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/outq_int.h"
#include "ottla/common/arena.h"
#include "ottla/common/view.h"
#include "ottla/ipc/wait_events.h"
#include "ottla/protocol/frame.h"

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
    /* Of the frame; read-only for handlers. */
    const Handler *handler;
    RequestHead head; /* api, api_version, correlation_id, client_id (may be null) */
    BytesView body;   /* what follows the header; views into it live as long as the request */

    /* Set by the connection. */
    Conn *conn;          /* listener, principal: conn_int.h */
    Arena *arena;        /* capped: request_grow raises the cap */
    int32_t frame_bytes; /* of the whole request without its size */
    int64_t complete_us; /* monotonic clock when the frame was complete */
    int64_t received_us; /* when the request was begun */
    int64_t now_us;      /* monotonic clock of this call of start or finish */
    bool rescan;         /* finish: look at everything anew */
    bool cancelled;      /* finish: answer now */

    /* Set by the handler. */
    int64_t deadline_us;  /* while pending; INT64_MAX: none */
    WaitEvent wait_event; /* while pending: what others see it waiting for */
    void *state;          /* its own, from the arena */
    void (*release)(Request *rq);
    bool failed;         /* for statistics: the answer holds an error */
    bool quota_exempt;   /* of a cluster member: nothing is charged */
    int32_t throttle_ms; /* what the answer says; a handler sets it before the answer, if at all */

    /* Of conn.c: since when it waits, 0: it never did; how long it has. */
    int64_t parked_us;
    int64_t remote_us;
    struct RequestRow *counts; /* where it is counted; NULL: nowhere */

    /* Of quota.c. */
    struct QuotaLimits *limits; /* NULL: the client is not limited */
    bool charged;

    /* Of request.c, for audit.c: what the body says, as long as its answer is not known; NULL: it changes nothing. */
    const void *in;

    OutMsg out; /* the answer */
};

/*
 * Reads the body by the codec of the request's version: ret is the struct of that message.
 * False: malformed or too large for the arena; return REQ_CLOSE then (why was noted for the line).
 * Bytes after the body are not looked at, as in Kafka. Of an API that changes things (audit_int.h) ret must live until
 * the answer is made.
 */
bool request_read(Request *rq, const MessageDesc *desc, void *ret)
    __attribute__((warn_unused_result));

/* The same verdict for a handler that went through the body by a reader of its own. */
bool request_read_ended(Request *rq, const MessageDesc *desc, const WireReader *r)
    __attribute__((warn_unused_result));

/*
 * Charges the request to its client's quotas, and encodes the answer: &x_response_desc and its struct,
 * whose throttle time is set here, in the version of the request. Records that are file slices leave by
 * sendfile; their descriptors must stay open until rq->release.
 * REQ_DONE, or REQ_CLOSE when it cannot be encoded.
 */
ReqResult request_respond(Request *rq, const MessageDesc *desc, void *msg);

/* The same in another version (ApiVersions). */
ReqResult request_respond_version(Request *rq, const MessageDesc *desc, void *msg, int16_t version);

/*
 * An answer body that is encoded already (of the controller), in memory that lives long enough. The
 * larger throttle time counts, ours or that in the body. rq->failed says beforehand whether it may hold an error, and
 * afterwards whether it does.
 */
ReqResult request_respond_body(Request *rq, BytesView body);

/*
 * Raises the arena's cap by bytes: for answers whose size does not follow from the request's
 * (all topics, a reply of a worker). The caller knows a bound.
 */
void request_grow(Request *rq, size_t bytes);

/* Notes why the connection will be closed, for the one line that says so. */
ReqResult request_close(Request *rq, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
