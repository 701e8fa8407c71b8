/*
 * request.c - the answer of a request: frame size, response header, body
 *
 * Called by handlers. Never: sends (outq.c), decides.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/request_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/err.h"

#define RESPONSE_HEADER_MAX 9 /* frame size, correlation id, tagged fields */
#define FRAME_PREFIX_BYTES  4 /* not counted by the frame size */

static void
put_int32(uint8_t *at, int32_t value)
{
    uint32_t v = (uint32_t)value;

    at[0] = (uint8_t)(v >> 24);
    at[1] = (uint8_t)(v >> 16);
    at[2] = (uint8_t)(v >> 8);
    at[3] = (uint8_t)v;
}

/* Writes the header; the frame size is body_bytes and what stands before it. Bytes written. */
static size_t
put_header(const Request *rq, uint8_t *at, int64_t body_bytes)
{
    size_t used = 8;

    put_int32(at + 4, rq->correlation_id);
    if (rq->flexible)
        at[used++] = 0;
    put_int32(at, (int32_t)(body_bytes + (int64_t)used - 4));
    return used;
}

uint8_t *
response_body(Request *rq, size_t body_bytes)
{
    uint8_t *mem;
    size_t header;

    if (body_bytes > INT32_MAX - RESPONSE_HEADER_MAX)
        return NULL;
    mem = arena_alloc(rq->arena, body_bytes + RESPONSE_HEADER_MAX);
    if (mem == NULL)
        return NULL;
    header = put_header(rq, mem, (int64_t)body_bytes);
    rq->out = (OutMsg){.arena = rq->arena};
    if (outmsg_add_mem(&rq->out, mem, header + body_bytes) < 0)
        return NULL;
    return mem + header;
}

int
response_begin(Request *rq)
{
    uint8_t *mem = arena_alloc(rq->arena, RESPONSE_HEADER_MAX);

    if (mem == NULL)
        return OT_E_MEMORY;
    rq->out = (OutMsg){.arena = rq->arena};
    return outmsg_add_mem(&rq->out, mem, put_header(rq, mem, 0));
}

int
response_add_mem(Request *rq, const void *mem, size_t len)
{
    return outmsg_add_mem(&rq->out, mem, len);
}

int
response_add_file(Request *rq, const OutPiece *slice)
{
    return outmsg_add_file(&rq->out, slice);
}

ReqResult
response_end(Request *rq)
{
    ot_assert(rq->out.count > 0);
    if (rq->out.bytes_left - FRAME_PREFIX_BYTES > INT32_MAX) {
        response_discard(rq);
        return REQ_CLOSE;
    }
    /* the first piece is the header that response_begin made in our own arena */
    put_int32((uint8_t *)(uintptr_t)rq->out.pieces[0].mem,
              (int32_t)(rq->out.bytes_left - FRAME_PREFIX_BYTES));
    return REQ_DONE;
}

void
response_discard(Request *rq)
{
    outmsg_drop(&rq->out);
}
