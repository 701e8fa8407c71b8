/*
 * conn_read.c - from the socket to frames: small ones lie in the input buffer, large ones get their own
 *
 * Runs in: backend. Never: blocks, looks into a frame. [C1], [C2]: conn.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_state_int.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/frame_int.h"
#include "backend/gate_int.h"
#include "backend/settings_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/net.h"
#include "ottla/ipc/counters.h"

#define IN_BUFFER_BYTES 16384        /* small frames lie whole in it */
#define ARENA_CHUNK     8192         /* most requests and answers fit into one */
#define GATE_RETRY_US   (100 * 1000) /* gate_take says why */

/* Its own pages, so that an idle connection can do without them. */
static alignas(4096) uint8_t in_buffer[IN_BUFFER_BYTES];

/* ---- boxes ------------------------------------------------------------------------------------- */

/* A box whose arena takes a frame of this size, at its start. NULL: no memory. */
static RequestBox *
box_new(int32_t size)
{
    RequestBox *box = my_conn.free_boxes;

    if (box != NULL)
        my_conn.free_boxes = box->next_free;
    else
        box = arena_calloc(my_conn.arena, 1, sizeof *box); /* at most PENDING_MAX + 2 ever */
    if (box == NULL)
        return NULL;
    if (box->arena == NULL)
        box->arena = arena_new(ARENA_CHUNK, 0);
    if (box->arena == NULL) {
        box->next_free = my_conn.free_boxes;
        my_conn.free_boxes = box;
        return NULL;
    }
    /* The frame is in the arena; the factor of its API is known when its header was read. */
    arena_set_cap(box->arena, LIMIT_BACKEND_BASE_BYTES + 2 * (size_t)size);
    box->rq = (Request){.conn = &my_conn.conn, .arena = box->arena, .deadline_us = INT64_MAX};
    box->frame = arena_alloc(box->arena, (size_t)size);
    box->size = size;
    box->filled = 0;
    box->gated = false;
    return box;
}

void
conn_box_free(RequestBox *box)
{
    if (box->rq.release != NULL)
        box->rq.release(&box->rq);
    if (box->gated)
        gate_release();
    arena_reset(box->arena);
    box->rq = (Request){0};
    box->frame = NULL;
    box->next_free = my_conn.free_boxes;
    my_conn.free_boxes = box;
}

void
request_grow(Request *rq, size_t bytes)
{
    arena_set_cap(rq->arena, arena_bytes(rq->arena) + LIMIT_BACKEND_BASE_BYTES + bytes);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void
refuse_frame(int32_t size)
{
    snprintf(my_conn.conn.close_reason, sizeof my_conn.conn.close_reason,
             size < 0 ? "frame of negative size %d" : "frame of %d bytes is above the limit", size);
    my_conn.refused = true;
}

/* A large frame begins: its bytes so far move into its own buffer. False: not now. */
static bool
begin_large(int32_t size)
{
    bool gated = size > LIMIT_SMALL_REQUEST_BYTES;
    RequestBox *box;

    if (gated) {
        for (int i = 0; i < my_conn.pending.count; i++)
            if (((RequestBox *)pending_at(&my_conn.pending, i)->rq)->gated)
                return false; /* [C2] */
        if (!gate_take(size, setting_queued_bytes())) {
            my_conn.gate_wait = true;
            my_conn.gate_retry_us = my_conn.now_us + GATE_RETRY_US;
            return false;
        }
        my_conn.gate_wait = false;
    }
    box = box_new(size);
    if (box == NULL || box->frame == NULL) {
        snprintf(my_conn.conn.close_reason, sizeof my_conn.conn.close_reason,
                 "no memory for a frame of %d bytes", size);
        my_conn.refused = true;
        if (gated)
            gate_release();
        return false;
    }
    box->gated = gated;
    box->filled = (int32_t)(my_conn.in_end - my_conn.in_start - FRAME_SIZE_BYTES);
    memcpy(box->frame, in_buffer + my_conn.in_start + FRAME_SIZE_BYTES, (size_t)box->filled);
    my_conn.in_start = my_conn.in_end = 0;
    my_conn.filling = box;
    return true;
}

void
conn_take_frame(void)
{
    size_t have = my_conn.in_end - my_conn.in_start;
    int32_t size;

    if (my_conn.held != NULL || my_conn.refused || my_conn.gate_wait)
        return;
    if (my_conn.filling != NULL) {
        if (my_conn.filling->filled == my_conn.filling->size) {
            my_conn.held = my_conn.filling;
            my_conn.held->rq.complete_us = my_conn.now_us;
            my_conn.filling = NULL;
        }
        return;
    }
    switch (frame_look(in_buffer + my_conn.in_start, have, IN_BUFFER_BYTES, setting_request_max(),
                       &size)) {
    case FRAME_PARTIAL:
        return;
    case FRAME_BAD:
        refuse_frame(size);
        return;
    case FRAME_LARGE:
        if (!conn_is_muted())        /* its memory would lie idle */
            (void)begin_large(size); /* not now: tried again each turn */
        return;
    case FRAME_WHOLE:
        break;
    }
    my_conn.held = box_new(size);
    if (my_conn.held == NULL || my_conn.held->frame == NULL) {
        if (my_conn.held != NULL)
            conn_box_free(my_conn.held);
        my_conn.held = NULL;
        snprintf(my_conn.conn.close_reason, sizeof my_conn.conn.close_reason,
                 "no memory for a frame of %d bytes", size);
        my_conn.refused = true;
        return;
    }
    memcpy(my_conn.held->frame, in_buffer + my_conn.in_start + FRAME_SIZE_BYTES, (size_t)size);
    my_conn.held->filled = size;
    my_conn.held->rq.complete_us = my_conn.now_us;
    my_conn.in_start += (size_t)size + FRAME_SIZE_BYTES;
    if (my_conn.in_start == my_conn.in_end)
        my_conn.in_start = my_conn.in_end = 0;
}

bool
conn_read_some(void)
{
    uint8_t *into;
    size_t room;
    int64_t n;

    if (my_conn.filling != NULL) {
        into = my_conn.filling->frame + my_conn.filling->filled;
        room = (size_t)(my_conn.filling->size - my_conn.filling->filled);
    } else {
        if (my_conn.in_start > 0) {
            memmove(in_buffer, in_buffer + my_conn.in_start, my_conn.in_end - my_conn.in_start);
            my_conn.in_end -= my_conn.in_start;
            my_conn.in_start = 0;
        }
        into = in_buffer + my_conn.in_end;
        room = IN_BUFFER_BYTES - my_conn.in_end;
    }
    if (room == 0)
        return false;
    n = net_read(my_conn.conn.fd, into, room);
    if (n <= 0) {
        my_conn.readable = false;
        if (n != OT_E_AGAIN)
            my_conn.eof = true;
        return false;
    }
    if ((size_t)n < room && !my_conn.hung_up)
        my_conn.readable =
            false; /* a stream socket that gave less has no more; an edge will come */
    if (my_conn.filling != NULL)
        my_conn.filling->filled += (int32_t)n;
    else
        my_conn.in_end += (size_t)n;
    my_conn.active_us = my_conn.now_us;
    my_conn.moved.bytes_in += (uint64_t)n;
    stat_add(STAT_BYTES_IN, (uint64_t)n);
    return true;
}

void
conn_read_trim(void)
{
    if (my_conn.in_start == my_conn.in_end)
        (void)madvise(in_buffer, sizeof in_buffer, MADV_DONTNEED); /* reads as zeros from here on */
    for (RequestBox *box = my_conn.free_boxes; box != NULL; box = box->next_free) {
        arena_free(box->arena);
        box->arena = NULL;
    }
}
