/*
 * move_plan.h - what of a log is copied next when it moves to another directory: pure
 *
 * The copy ("future log") grows in the order of the original: of one segment after the other the .log, then
 * the files beside it. The original goes on meanwhile: it is appended to, rolls, and loses segments at its
 * start. What the planner is told is how it looks now; what it keeps is how far the copy is.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_MOVE_PLAN_H
#define OTTLA_STORAGE_MOVE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/storage/segment_format.h"

/* A segment of the original as it is now. */
typedef struct MoveSegment {
    int64_t base;
    int64_t end_offset; /* of what is published; of a sealed one the base of the next */
    int64_t size[SEGMENT_FILE_COUNT]; /* published bytes; 0: no such file */
    bool active;
} MoveSegment;

/* How far the copy is. Zeroed but for the bases: nothing was copied. */
typedef struct MoveCursor {
    int64_t base;                    /* segment that is being copied; -1: none yet */
    int64_t pos[SEGMENT_FILE_COUNT]; /* bytes of its files that were copied */
    int64_t walk;       /* where its next batch begins, perhaps behind what was copied */
    int64_t walk_end;   /* next offset behind the last batch that was seen */
    int64_t end_offset; /* of whole batches: the copy's end */
    int64_t bytes;      /* of all .log files of the copy */
} MoveCursor;

typedef enum MoveWhat {
    MOVE_COPY,      /* bytes of one file: kind, pos, len */
    MOVE_NEXT,      /* the segment is complete and will not change: flush it, go on with the next */
    MOVE_SKIP,      /* the segment is gone from the original: go on with its first one */
    MOVE_CAUGHT_UP, /* all that is published was copied */
    MOVE_AGAIN,     /* the original is not what was copied: from the start */
} MoveWhat;

typedef struct MoveStep {
    MoveWhat what;
    SegmentFile kind;
    int64_t pos;
    int64_t len;  /* 1 to max_bytes */
    int64_t left; /* of the file, without that limit */
} MoveStep;

void move_cursor_init(MoveCursor *c);

/* Begins a segment; first: of the original, at which the copy may begin. */
void move_cursor_begin(MoveCursor *c, int64_t base);

/*
 * at: the original's segment that holds the cursor's base, or its first one where the base lies below it.
 */
MoveStep move_next(const MoveCursor *c, const MoveSegment *at, int64_t max_bytes);

/*
 * Bytes that are about to be written at pos[SEGMENT_LOG]: walks the batches in them. Returns how many of them
 * to copy: without the beginning of a batch's header at the end. -1: these are no batches.
 */
int64_t move_walk(MoveCursor *c, const uint8_t *bytes, int64_t len);

/* len bytes of a file were copied. */
void move_copied(MoveCursor *c, SegmentFile kind, int64_t len);

#endif
