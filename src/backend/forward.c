/*
 * forward.c - requests that the controller decides: hand over, wait, relay the answer
 *
 * Runs in: backend. Spec: admin-and-security.md 1.1. The body goes to the controller as it came and
 * its answer comes back encoded in the same version; a body that does not parse never leaves here,
 * so that the connection can be closed as Kafka does. Without an answer in time every item is
 * answered REQUEST_TIMED_OUT, whatever the controller still does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/forward_int.h"

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/names_int.h"
#include "ottla/common/assert.h"
#include "ottla/controller/requests.h"
#include "ottla/protocol/msg_create_partitions.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_delete_topics.h"

/* The request's own timeout is kept by the controller, too; here it ends the wait for a controller
   that does not answer at all. */
#define FORWARD_WAIT_MIN_MS 5000
#define FORWARD_WAIT_MAX_MS (10 * 60 * 1000)
#define FORWARD_REPLY_BYTES (64 << 20) /* an answer lists all settings of all topics created */

typedef struct Forward {
    MboxCall call;
    union {
        CreateTopicsRequest create;
        DeleteTopicsRequest delete;
        CreatePartitionsRequest grow;
    } in;
} Forward;

typedef struct ForwardBody {
    int16_t api_key;
    int16_t api_version;
    bool auto_create; /* CreateTopics of the broker's own making */
    BytesView body;
} ForwardBody;

/*
 * Sends a request body (in memory of the request) to the controller, in the name of the connection.
 * False: it cannot be sent.
 */
static bool
send_body(Request *rq, MboxCall *call, const ForwardBody *body)
{
    ControllerRequest request = {.api_key = body->api_key,
                                 .api_version = body->api_version,
                                 .auto_create = body->auto_create,
                                 .client_id = rq->head.client_id,
                                 .principal = strview_from(rq->conn->principal),
                                 .listener = strview_from(rq->conn->endpoint->name),
                                 .body = body->body};
    BytesView bytes;
    ErrInfo err;

    request_grow(rq, (size_t)body->body.len + FORWARD_REPLY_BYTES);
    *call = (MboxCall){0};
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

/* ---- answers that the controller did not give ----------------------------------------------------- */

static ReqResult
fail_create(Request *rq, const CreateTopicsRequest *in, int16_t code)
{
    CreateTopicsResponse out;

    create_topics_response_init(&out);
    out.topics = arena_calloc(rq->arena, (size_t)in->topics_count, sizeof *out.topics);
    if (out.topics == NULL)
        return request_close(rq, "no memory for the answer");
    for (int32_t i = 0; i < in->topics_count; i++) {
        CreateTopicsResponseTopic *topic = &out.topics[out.topics_count++];

        create_topics_response_topic_init(topic);
        topic->name = name_echo(rq->arena, in->topics[i].name);
        topic->error_code = code;
        topic->configs = NULL;
        topic->configs_count = rq->head.api_version >= 5 ? 0 : topic->configs_count;
    }
    return request_respond(rq, &create_topics_response_desc, &out);
}

static ReqResult
fail_delete(Request *rq, const DeleteTopicsRequest *in, int16_t code)
{
    bool by_id = rq->head.api_version >= 6;
    int32_t count = by_id ? in->topics_count : in->topic_names_count;
    DeleteTopicsResponse out;

    delete_topics_response_init(&out);
    out.responses = arena_calloc(rq->arena, (size_t)count, sizeof *out.responses);
    if (out.responses == NULL)
        return request_close(rq, "no memory for the answer");
    for (int32_t i = 0; i < count; i++) {
        DeleteTopicsResponseTopic *topic = &out.responses[out.responses_count++];

        delete_topics_response_topic_init(topic);
        topic->name = name_echo(rq->arena, by_id ? in->topics[i].name : in->topic_names[i]);
        if (by_id)
            topic->topic_id = in->topics[i].topic_id;
        topic->error_code = code;
    }
    return request_respond(rq, &delete_topics_response_desc, &out);
}

static ReqResult
fail_grow(Request *rq, const CreatePartitionsRequest *in, int16_t code)
{
    CreatePartitionsResponse out;

    create_partitions_response_init(&out);
    out.results = arena_calloc(rq->arena, (size_t)in->topics_count, sizeof *out.results);
    if (out.results == NULL)
        return request_close(rq, "no memory for the answer");
    for (int32_t i = 0; i < in->topics_count; i++) {
        CreatePartitionsResponseResult *topic = &out.results[out.results_count++];

        create_partitions_response_result_init(topic);
        topic->name = name_echo(rq->arena, in->topics[i].name);
        topic->error_code = code;
    }
    return request_respond(rq, &create_partitions_response_desc, &out);
}

static ReqResult
fail(Request *rq, int16_t code)
{
    const Forward *fwd = rq->state;

    rq->failed = true;
    switch (rq->head.api->key) {
    case API_CreateTopics:
        return fail_create(rq, &fwd->in.create, code);
    case API_DeleteTopics:
        return fail_delete(rq, &fwd->in.delete, code);
    case API_CreatePartitions:
        return fail_grow(rq, &fwd->in.grow, code);
    default:
        ot_unreachable();
    }
}

/* ---- the handler -------------------------------------------------------------------------------------- */

/* Reads the body; the request's own timeout, or -1 when it is malformed. */
static bool
read_body(Request *rq, Forward *fwd, int32_t *ret_timeout_ms)
{
    switch (rq->head.api->key) {
    case API_CreateTopics:
        if (!request_read(rq, &create_topics_request_desc, &fwd->in.create))
            return false;
        *ret_timeout_ms = fwd->in.create.timeout_ms;
        return true;
    case API_DeleteTopics:
        if (!request_read(rq, &delete_topics_request_desc, &fwd->in.delete))
            return false;
        *ret_timeout_ms = fwd->in.delete.timeout_ms;
        return true;
    case API_CreatePartitions:
        if (!request_read(rq, &create_partitions_request_desc, &fwd->in.grow))
            return false;
        *ret_timeout_ms = fwd->in.grow.timeout_ms;
        return true;
    default:
        ot_unreachable();
    }
}

ReqResult
forward_start(Request *rq)
{
    Forward *fwd = arena_calloc(rq->arena, 1, sizeof *fwd);
    ForwardBody body;
    int32_t timeout_ms;

    if (fwd == NULL)
        return request_close(rq, "no memory for a request to the controller");
    rq->state = fwd;
    if (!read_body(rq, fwd, &timeout_ms))
        return REQ_CLOSE;
    body = (ForwardBody){
        .api_key = rq->head.api->key, .api_version = rq->head.api_version, .body = rq->body};
    if (!send_body(rq, &fwd->call, &body))
        return fail(rq, KERR_REQUEST_TIMED_OUT);
    if (timeout_ms < FORWARD_WAIT_MIN_MS)
        timeout_ms = FORWARD_WAIT_MIN_MS;
    if (timeout_ms > FORWARD_WAIT_MAX_MS)
        timeout_ms = FORWARD_WAIT_MAX_MS;
    rq->deadline_us = rq->now_us + (int64_t)timeout_ms * 1000;
    rq->wait_event = WAIT_EV_CONTROLLER_REPLY;
    return REQ_PENDING;
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
    return reply.status != 0 ? fail(rq, reply.status) : request_respond_body(rq, reply.body);
}

void
forward_drop(Request *rq)
{
    Forward *fwd = rq->state;

    mbox_cancel(&fwd->call);
}
