/*
 * call.c - a call: version, encoding, sending, decoding; several at once; retries
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: looks at error codes inside an answer; sends a request twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client/client_int.h"

#include <string.h>

#include "ottla/common/clock.h"

/* What a call needs beside its structs. */
typedef struct CallCodec {
    const ApiInfo *api;
    const MessageDesc *request;
    const MessageDesc *response;
    int16_t version;
} CallCodec;

static int16_t
least(int16_t a, int16_t b)
{
    return a < b ? a : b;
}

static int
find_codec(const ClientConn *conn, const ClientCall *call, CallCodec *ret, Fault *f)
{
    const ClientApi *offered = conn_api(conn, call->api_key);
    int16_t lo;

    ret->api = api_find(call->api_key);
    ret->request = message_find_by_number(MESSAGE_REQUEST, call->api_key);
    ret->response = message_find_by_number(MESSAGE_RESPONSE, call->api_key);
    if (ret->api == NULL || ret->request == NULL || ret->response == NULL)
        return fault_set(f, FAULT_INTERNAL, "there is no API with key %d", call->api_key);
    if (offered == NULL) {
        (void)fault_set(f, FAULT_NOT_SUPPORTED, "the server does not have %s", ret->api->name);
        if (call->api_key >= API_PRIVATE_MIN)
            fault_hint(f, "This needs Ottla.");
        return -1;
    }
    ret->version = least(offered->hi, least(ret->request->versions.hi, ret->response->versions.hi));
    if (call->version_max >= 0)
        ret->version = least(ret->version, call->version_max);
    lo = offered->lo > ret->request->versions.lo ? offered->lo : ret->request->versions.lo;
    if (ret->version < lo)
        return fault_set(f, FAULT_NOT_SUPPORTED,
                         "no common version of %s: the server has %d to %d, this program %d to %d",
                         ret->api->name, offered->lo, offered->hi, ret->request->versions.lo,
                         call->version_max >= 0 ? call->version_max : ret->request->versions.hi);
    return 0;
}

/* Makes the frame of a request. */
static int
prepare(Client *c, ClientConn *conn, const ClientCall *call, const CallCodec *codec,
        const void *request, Flight *ret, Fault *f)
{
    RequestHead head = {codec->api, codec->version, ++conn->correlation,
                        strview_from(c->target.client_id)};
    FrameBody body = {codec->request, request, codec->version};
    int64_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : c->target.request_timeout_ms;
    ErrInfo err = {0};
    int status;

    *ret = (Flight){.conn = conn,
                    .correlation = head.correlation_id,
                    .deadline_ms = clock_mono_ms() + timeout_ms,
                    .fault = f};
    status = frame_encode_request(&head, &body, &ret->frame, c->scratch, &err);
    if (status == OT_E_NO_MEMORY)
        return fault_set(f, FAULT_NO_MEMORY, "%s", err.text);
    if (status == OT_E_MESSAGE_TOO_LARGE)
        return fault_set(f, FAULT_LIMIT, "%s", err.text);
    if (status != 0)
        return fault_set(f, FAULT_NOT_SUPPORTED, "%s", err.text);
    if (c->trace != NULL)
        c->trace(c->trace_arg, call->api_key, codec->version,
                 conn->node_id >= 0 ? conn->node_id : c->info.node_id);
    return 0;
}

/* Reads an answer whose correlation id was compared. */
static int
decode(const CallCodec *codec, Flight *flight, void *response, Arena *arena)
{
    WireReader r;

    wire_reader_init(&r, flight->answer.ptr, (size_t)flight->answer.len, arena);
    (void)wire_read_int32(&r, "correlationId");
    if (frame_response_header_version(codec->api, codec->version) == 1)
        (void)wire_read_tags(&r);
    codec->response->read(&r, codec->version, response);
    if (r.err == 0)
        return 0;
    if (r.err == OT_E_NO_MEMORY)
        return fault_set(flight->fault, FAULT_NO_MEMORY, "no memory for an answer to %s",
                         codec->api->name);
    conn_close(flight->conn);
    return fault_set(flight->fault, FAULT_BAD_REPLY,
                     "%s: an answer to %s version %d that cannot be read: %s at byte %zu",
                     flight->conn->address, codec->api->name, codec->version,
                     r.err_field == NULL ? "it ends early" : r.err_field, r.err_pos);
}

int
conn_call(Client *c, ClientConn *conn, const ClientCall *call, const void *request, void *response,
          Arena *arena, Fault *f)
{
    CallCodec codec;
    Flight flight;
    ArenaMark mark;
    int status;

    if (find_codec(conn, call, &codec, f) != 0)
        return -1;
    mark = arena_mark(c->scratch);
    status = prepare(c, conn, call, &codec, request, &flight, f);
    if (status == 0)
        status = flights_run(c, &flight, 1, arena, f);
    arena_release(c->scratch, mark);
    if (status != 0 || flight.status != 0)
        return -1;
    return decode(&codec, &flight, response, arena);
}

int
client_call(Client *c, const ClientCall *call, const void *request, void *ret_response,
            Arena *arena, Fault *f)
{
    ClientConn *conn;

    if (client_conn(c, call->node_id, &conn, f) != 0)
        return -1;
    return conn_call(c, conn, call, request, ret_response, arena, f);
}

int16_t
client_version(Client *c, int32_t node_id, int16_t api_key)
{
    ClientCall call = client_call_to(node_id, api_key);
    ClientConn *conn;
    CallCodec codec;
    Fault f;

    if (client_conn(c, node_id, &conn, &f) != 0 || find_codec(conn, &call, &codec, &f) != 0)
        return -1;
    return codec.version;
}

/* With more nodes than places for connections, a later one may have pushed an earlier one out. */
static bool
still_there(const Client *c, const ClientRequest *rq, const ClientConn *conn)
{
    return conn == &c->conns[0] || conn->node_id == rq->call.node_id;
}

/* Frames of all requests that can be sent; the others have their faults. */
static int32_t
prepare_all(Client *c, ClientRequest *requests, int32_t count, CallCodec *codecs, Flight *flights)
{
    int32_t ready = 0;

    for (int32_t i = 0; i < count; i++) {
        ClientRequest *rq = &requests[i];
        ClientConn *conn;

        rq->version = -1;
        rq->status = client_conn(c, rq->call.node_id, &conn, &rq->fault);
        flights[i].done = true;
        if (rq->status != 0)
            continue;
        rq->status = find_codec(conn, &rq->call, &codecs[i], &rq->fault);
        if (rq->status == 0)
            rq->status =
                prepare(c, conn, &rq->call, &codecs[i], rq->request, &flights[i], &rq->fault);
        if (rq->status != 0) {
            flights[i].done = true;
            continue;
        }
        rq->version = codecs[i].version;
    }
    for (int32_t i = 0; i < count; i++) {
        if (requests[i].status == 0 && !still_there(c, &requests[i], flights[i].conn)) {
            flights[i].done = true;
            requests[i].status = fault_set(&requests[i].fault, FAULT_LIMIT,
                                           "more than %d nodes at once", CLIENT_CONNS_MAX - 1);
        }
        ready += requests[i].status == 0;
    }
    return ready;
}

int
client_call_many(Client *c, ClientRequest *requests, int32_t count, Arena *arena, Fault *f)
{
    ArenaMark mark = arena_mark(c->scratch);
    CallCodec *codecs;
    Flight *flights;
    int status = 0;

    if (count > CLIENT_CALLS_MAX)
        return fault_set(f, FAULT_LIMIT, "%d requests at once; at most %d", count,
                         CLIENT_CALLS_MAX);
    for (int32_t i = 0; i < count; i++)
        fault_clear(&requests[i].fault);
    codecs = arena_calloc(c->scratch, (size_t)count, sizeof *codecs);
    flights = arena_calloc(c->scratch, (size_t)count, sizeof *flights);
    if (codecs == NULL || flights == NULL) {
        arena_release(c->scratch, mark);
        return fault_set(f, FAULT_NO_MEMORY, "no memory for %d requests", count);
    }
    if (prepare_all(c, requests, count, codecs, flights) == 0 && count > 0) {
        *f = requests[0].fault;
        status = -1;
    } else {
        status = flights_run(c, flights, count, arena, f);
    }
    for (int32_t i = 0; i < count; i++) {
        if (requests[i].status != 0)
            continue;
        requests[i].status = flights[i].status;
        if (flights[i].status == 0)
            requests[i].status = decode(&codecs[i], &flights[i], requests[i].response, arena);
    }
    arena_release(c->scratch, mark);
    return status;
}

/* ---- retries ---- */

bool
client_retryable(int16_t kafka_error, bool *ret_wants_metadata)
{
    const ErrRow *row;

    if (ret_wants_metadata != NULL)
        *ret_wants_metadata = false;
    if (kafka_error < KERR_FIRST || kafka_error > KERR_LAST)
        return false;
    row = &err_kafka_rows[kafka_error - KERR_FIRST];
    if (ret_wants_metadata != NULL)
        *ret_wants_metadata = row->refresh != 0;
    return row->retriable != 0;
}

int
client_backoff(Client *c, int attempt, int64_t deadline_ms, Fault *f)
{
    int64_t now_ms = clock_mono_ms();
    int64_t pause_ms = attempt < 5 ? CLIENT_BACKOFF_MIN_MS << (attempt < 1 ? 0 : attempt - 1)
                                   : CLIENT_BACKOFF_MAX_MS;
    Fault canceled;

    if (pause_ms > CLIENT_BACKOFF_MAX_MS)
        pause_ms = CLIENT_BACKOFF_MAX_MS;
    if (now_ms + pause_ms > deadline_ms)
        return 1;
    if (client_wait(c, -1, 0, now_ms + pause_ms, &canceled) < 0) {
        *f = canceled;
        return -1;
    }
    return 0;
}

int64_t
client_deadline(const Client *c)
{
    return clock_mono_ms() + c->target.request_timeout_ms;
}
