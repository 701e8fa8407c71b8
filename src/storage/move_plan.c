/*
 * move_plan.c - what of a log is copied next when it moves to another directory
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/move_plan.h"

#include <string.h>

#include "ottla/protocol/batch.h"

void
move_cursor_init(MoveCursor *c)
{
    *c = (MoveCursor){.base = -1};
}

void
move_cursor_begin(MoveCursor *c, int64_t base)
{
    c->base = base;
    memset(c->pos, 0, sizeof c->pos);
    c->walk = 0;
    c->walk_end = base;
    if (c->end_offset < base)
        c->end_offset = base;
}

MoveStep
move_next(const MoveCursor *c, const MoveSegment *at, int64_t max_bytes)
{
    if (c->base != at->base)
        return (MoveStep){.what = c->base < at->base ? MOVE_SKIP : MOVE_AGAIN};
    for (int kind = 0; kind < SEGMENT_FILE_COUNT; kind++) {
        int64_t left = at->size[kind] - c->pos[kind];

        if (left > 0)
            return (MoveStep){.what = MOVE_COPY,
                              .kind = (SegmentFile)kind,
                              .pos = c->pos[kind],
                              .len = left < max_bytes ? left : max_bytes,
                              .left = left};
        if (left < 0 && kind == SEGMENT_LOG)
            return (MoveStep){.what = MOVE_AGAIN};
    }
    return (MoveStep){.what = at->active ? MOVE_CAUGHT_UP : MOVE_NEXT};
}

int64_t
move_walk(MoveCursor *c, const uint8_t *bytes, int64_t len)
{
    int64_t from = c->pos[SEGMENT_LOG];
    int64_t end = from + len;

    while (c->walk + BATCH_HEADER_BYTES <= end) {
        const uint8_t *batch = bytes + (c->walk - from);
        int64_t size = batch_size(batch);
        int64_t next = batch_next_offset(batch);

        if (size < BATCH_HEADER_BYTES || next <= c->walk_end)
            return -1;
        c->walk += size;
        c->walk_end = next;
    }
    return c->walk < end ? c->walk - from : len;
}

void
move_copied(MoveCursor *c, SegmentFile kind, int64_t len)
{
    c->pos[kind] += len;
    if (kind != SEGMENT_LOG)
        return;
    c->bytes += len;
    if (c->walk <= c->pos[SEGMENT_LOG] && c->walk_end > c->end_offset)
        c->end_offset = c->walk_end;
}
