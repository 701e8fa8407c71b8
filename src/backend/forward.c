/*
 * forward.c - requests that the controller decides: hand over, wait, relay the answer
 *
 * Runs in: backend. Spec: admin-and-security.md 1.1. The body goes to the controller as it came and
 * its answer comes back encoded in the same version; a body that does not parse never leaves here,
 * so that the connection can be closed as Kafka does. Without an answer in time the request is
 * answered REQUEST_TIMED_OUT, whatever the controller still does. Which APIs: forward_apis.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/forward_int.h"

#include <string.h>

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/forward_apis_int.h"
#include "ottla/common/assert.h"
#include "ottla/controller/requests.h"
#include "ottla/protocol/msg_create_topics.h"

/* The request's own timeout is kept by the controller, too; here it ends the wait for a controller
   that does not answer at all. A request without one waits as long as Kafka's brokers do. */
#define FORWARD_WAIT_MS     30000
#define FORWARD_WAIT_MIN_MS 5000
#define FORWARD_WAIT_MAX_MS (10 * 60 * 1000)
#define FORWARD_REPLY_BYTES (64 << 20) /* an answer lists all settings of all topics created */

typedef struct Forward {
    MboxCall call;
    const ForwardRow *row;
    void *in; /* the request's struct */
} Forward;

typedef struct ForwardBody {
    int16_t api_key;
    int16_t api_version;
    bool auto_create; /* CreateTopics of the broker's own making */
    const KnownHost *hosts;
    int32_t host_count;
    BytesView body;
} ForwardBody;

/*
 * Sends a request body (in memory of the request) to the controller, in the name of the connection.
 * False: it cannot be sent.
 */
static bool
send_body(Request *rq, MboxCall *call, const ForwardBody *body)
{
    size_t hosts = (size_t)body->host_count * sizeof *body->hosts;
    ControllerRequest request = {.api_key = body->api_key,
                                 .api_version = body->api_version,
                                 .auto_create = body->auto_create,
                                 .client_id = rq->head.client_id,
                                 .principal = strview_from(rq->conn->principal),
                                 .listener = strview_from(rq->conn->endpoint->name),
                                 .hosts = body->hosts,
                                 .host_count = body->host_count,
                                 .body = body->body};
    BytesView bytes;
    ErrInfo err;

    *call = (MboxCall){0};
    if (body->body.len > CONTROLLER_BODY_MAX)
        return false;
    request_grow(rq, (size_t)body->body.len + hosts + FORWARD_REPLY_BYTES);
    bytes = controller_request_encode(&request, rq->arena);
    return bytes.ptr != NULL && mbox_submit(call, MBOX_CONTROLLER, bytes, rq->arena, &err) == 0;
}

bool
forward_begin_message(Request *rq, MboxCall *call, const MessageDesc *desc, int16_t version,
                      const void *msg)
{
    ForwardBody body = {.api_key = desc->number,
                        .api_version = version,
                        .auto_create = desc == &create_topics_request_desc};
    WireSizer size = {0};
    WireWriter w;
    uint8_t *bytes;

    desc->size(&size, version, msg);
    if (size.err != 0 || size.bytes > INT32_MAX)
        return false;
    request_grow(rq, size.bytes);
    bytes = arena_alloc(rq->arena, size.bytes);
    if (bytes == NULL)
        return false;
    wire_writer_init(&w, bytes, size.bytes);
    desc->write(&w, version, msg);
    body.body = (BytesView){bytes, (int32_t)size.bytes};
    return send_body(rq, call, &body);
}

ForwardReply
forward_poll(Request *rq, MboxCall *call)
{
    ControllerReply reply;

    switch (mbox_poll(call)) {
    case MBOX_DONE:
        if (!controller_reply_decode((BytesView){call->reply, (int32_t)call->reply_size}, &reply))
            return (ForwardReply){.status = KERR_UNKNOWN_SERVER_ERROR};
        return (ForwardReply){.status = reply.status, .body = reply.body};
    case MBOX_NO_WORKER:
        return (ForwardReply){.status = KERR_REQUEST_TIMED_OUT};
    case MBOX_NO_MEMORY:
        return (ForwardReply){.status = KERR_UNKNOWN_SERVER_ERROR};
    case MBOX_WAITING:
        break;
    }
    if (!rq->cancelled && rq->now_us < rq->deadline_us)
        return (ForwardReply){.waiting = true};
    mbox_cancel(call);
    return (ForwardReply){.status = KERR_REQUEST_TIMED_OUT};
}

/* ---- the handler -------------------------------------------------------------------------------------- */

/* How long the client waits, by the field that says so. */
static int32_t
timeout_of(const MessageDesc *desc, const void *in)
{
    for (uint32_t i = 0; i < desc->body->fields_count; i++) {
        const FieldDesc *f = &desc->body->fields[i];
        int32_t timeout_ms;

        if (f->type != WIRE_INT32 || f->array || strcmp(f->name, "timeoutMs") != 0)
            continue;
        memcpy(&timeout_ms, (const uint8_t *)in + f->pos, sizeof timeout_ms);
        return timeout_ms < FORWARD_WAIT_MIN_MS   ? FORWARD_WAIT_MIN_MS
               : timeout_ms > FORWARD_WAIT_MAX_MS ? FORWARD_WAIT_MAX_MS
                                                  : timeout_ms;
    }
    return FORWARD_WAIT_MS;
}

static ReqResult
fail(Request *rq, int16_t code)
{
    const Forward *fwd = rq->state;

    rq->failed = true;
    return fwd->row->fail(rq, fwd->in, code);
}

const void *
forward_read(Request *rq, ReqResult *ret)
{
    Forward *fwd = arena_calloc(rq->arena, 1, sizeof *fwd);

    *ret = REQ_CLOSE;
    rq->state = fwd;
    if (fwd != NULL) {
        fwd->row = forward_row(rq->head.api->key);
        ot_assert(fwd->row != NULL);
        fwd->in = arena_calloc(rq->arena, 1, fwd->row->request->body->bytes);
    }
    if (fwd == NULL || fwd->in == NULL) {
        *ret = request_close(rq, "no memory for a request to the controller");
        return NULL;
    }
    if (!request_read(rq, fwd->row->request, fwd->in))
        return NULL;
    if (rq->body.len > CONTROLLER_BODY_MAX) {
        *ret = fail(rq, KERR_POLICY_VIOLATION);
        return NULL;
    }
    return fwd->in;
}

ReqResult
forward_send(Request *rq, const KnownHost *hosts, int32_t host_count)
{
    Forward *fwd = rq->state;
    ForwardBody body = {.api_key = rq->head.api->key,
                        .api_version = rq->head.api_version,
                        .hosts = hosts,
                        .host_count = host_count,
                        .body = rq->body};

    if (!send_body(rq, &fwd->call, &body))
        return fail(rq, KERR_REQUEST_TIMED_OUT);
    rq->deadline_us = rq->now_us + (int64_t)timeout_of(fwd->row->request, fwd->in) * 1000;
    rq->wait_event = WAIT_EV_CONTROLLER_REPLY;
    return REQ_PENDING;
}

ReqResult
forward_start(Request *rq)
{
    ReqResult ret;

    return forward_read(rq, &ret) == NULL ? ret : forward_send(rq, NULL, 0);
}

ReqResult
forward_finish(Request *rq)
{
    Forward *fwd = rq->state;
    ForwardReply reply = forward_poll(rq, &fwd->call);

    if (reply.waiting)
        return REQ_PENDING;
    /* A broker never says that it is not the controller: the client asks again later. */
    if (reply.status == KERR_NOT_CONTROLLER)
        reply.status = KERR_REQUEST_TIMED_OUT;
    if (reply.status != 0)
        return fail(rq, reply.status);
    rq->failed = true; /* maybe: it is looked at */
    return request_respond_body(rq, reply.body);
}

void
forward_drop(Request *rq)
{
    Forward *fwd = rq->state;

    mbox_cancel(&fwd->call);
}
