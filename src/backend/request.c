/*
 * request.c - what handlers share: reading the body, encoding the answer
 *
 * Runs in: backend. Never: sends (outq.c), decides.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/request_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend/audit_int.h"
#include "backend/conn_int.h"
#include "backend/error_codes_int.h"
#include "backend/quota_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/err.h"

#define RESPONSE_HEADER_MAX (9 + 4) /* frame size, correlation id, tagged fields; throttle time */
#define BODY_DECODED_MAX    ((size_t)64 << 20) /* memory to look into an answer that came encoded */

ReqResult
request_close(Request *rq, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(rq->conn->close_reason, sizeof rq->conn->close_reason, format, ap);
    va_end(ap);
    return REQ_CLOSE;
}

bool
request_read_ended(Request *rq, const MessageDesc *desc, const WireReader *r)
{
    if (r->err == 0)
        return true;
    (void)request_close(rq, "%s version %d: %s at %s, byte %zu", desc->name, rq->head.api_version,
                        err_text(r->err), r->err_field != NULL ? r->err_field : "?", r->err_pos);
    return false;
}

bool
request_read(Request *rq, const MessageDesc *desc, void *ret)
{
    WireReader r;

    wire_reader_init(&r, rq->body.ptr, (size_t)rq->body.len, rq->arena);
    desc->read(&r, rq->head.api_version, ret);
    if (r.err == 0 && audit_covers(rq->head.api->key))
        rq->in = ret;
    return request_read_ended(rq, desc, &r);
}

/* The pieces of an encoded frame: memory, with the slices of files between. */
static ReqResult
queue_frame(Request *rq, const FrameOut *frame)
{
    size_t done = 0;

    if (outmsg_init(&rq->out, 2 * frame->slices_count + 1, rq->arena) < 0)
        return request_close(rq, "no memory for the answer");
    for (int32_t i = 0; i < frame->slices_count; i++) {
        const WireSlice *slice = &frame->slices[i];

        outmsg_add_mem(&rq->out, frame->buf + done, slice->buf_pos - done);
        outmsg_add_file(&rq->out, slice->fd, slice->file_pos, (size_t)slice->len);
        done = slice->buf_pos;
    }
    outmsg_add_mem(&rq->out, frame->buf + done, frame->len - done);
    return REQ_DONE;
}

/* The field of an answer that says for how long its client is throttled; NULL: the version has none. */
static const FieldDesc *
throttle_field(const MessageDesc *desc, int16_t version)
{
    for (uint32_t i = 0; i < desc->body->fields_count; i++) {
        const FieldDesc *f = &desc->body->fields[i];

        if (strcmp(f->name, "throttleTimeMs") == 0)
            return version >= f->versions.lo && version <= f->versions.hi ? f : NULL;
    }
    return NULL;
}

ReqResult
request_respond_version(Request *rq, const MessageDesc *desc, void *msg, int16_t version)
{
    FrameBody body = {.desc = desc, .msg = msg, .version = version};
    const FieldDesc *field;
    FrameOut frame;
    ErrInfo err;

    quota_charge(rq);
    if (rq->failed)
        (void)error_codes_count(rq, desc, msg); /* the handler knows that there are some */
    if (rq->in != NULL)
        audit_answer(rq, msg);
    field = rq->throttle_ms > 0 ? throttle_field(desc, version) : NULL;
    if (field != NULL)
        memcpy((char *)msg + field->pos, &rq->throttle_ms, sizeof rq->throttle_ms);
    if (frame_encode_response(&rq->head, &body, &frame, rq->arena, &err) < 0)
        return request_close(rq, "cannot answer: %s", err.text);
    return queue_frame(rq, &frame);
}

ReqResult
request_respond(Request *rq, const MessageDesc *desc, void *msg)
{
    return request_respond_version(rq, desc, msg, rq->head.api_version);
}

/* What statistics and the log want to know of an answer that is encoded already. */
static void
look_into(Request *rq, const MessageDesc *desc, BytesView body)
{
    bool audited = rq->in != NULL && audit_wants(rq);
    Arena *arena = rq->failed || audited ? arena_new(8192, BODY_DECODED_MAX) : NULL;
    void *msg = arena == NULL ? NULL : arena_calloc(arena, 1, desc->body->bytes);
    WireReader r = {.err = OT_E_NO_MEMORY};

    if (msg != NULL) {
        wire_reader_init(&r, body.ptr, (size_t)body.len, arena);
        desc->read(&r, rq->head.api_version, msg);
    }
    rq->failed = rq->failed && r.err == 0 && error_codes_count(rq, desc, msg);
    if (audited && r.err == 0)
        audit_answer(rq, msg);
    else if (audited)
        audit_lost(rq);
    rq->in = NULL;
    if (arena != NULL)
        arena_free(arena);
}

ReqResult
request_respond_body(Request *rq, BytesView body)
{
    const MessageDesc *desc = message_find_by_number(MESSAGE_RESPONSE, rq->head.api->key);
    const FieldDesc *field = throttle_field(desc, rq->head.api_version);
    uint8_t *head = arena_alloc(rq->arena, RESPONSE_HEADER_MAX);
    size_t used = 8;

    if (head == NULL || outmsg_init(&rq->out, 2, rq->arena) < 0)
        return request_close(rq, "no memory for the answer");
    look_into(rq, desc, body);
    if (frame_response_header_version(rq->head.api, rq->head.api_version) == 1)
        head[used++] = 0; /* no tagged fields */
    ot_assert(body.len <= INT32_MAX - RESPONSE_HEADER_MAX);
    if (field == &desc->body->fields[0] && body.len >= 4) { /* then it is the first of the body */
        rq->throttle_ms = (int32_t)wire_load32(body.ptr);
        quota_charge(rq);
        wire_store32(head + used, (uint32_t)rq->throttle_ms);
        used += 4;
        body = (BytesView){body.ptr + 4, body.len - 4};
    } else {
        quota_charge(rq);
    }
    wire_store32(head, (uint32_t)body.len + (uint32_t)used - 4);
    wire_store32(head + 4, (uint32_t)rq->head.correlation_id);
    outmsg_add_mem(&rq->out, head, used);
    outmsg_add_mem(&rq->out, body.ptr, (size_t)body.len);
    return REQ_DONE;
}
