/*
 * moves_int.h - logs that are to be in another log directory: a few moved at a time, in slices
 *
 * Runs in: retention. What is wanted stands in the partition slots; here are only the moves that go on.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_MOVES_INT_H
#define OTTLA_MAINTENANCE_MOVES_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "move_queue_int.h"
#include "ottla/storage/plog_move.h"

typedef struct MoveOn {
    PlogMove *move; /* NULL: the place is free */
    int64_t begin_us;
} MoveOn;

typedef struct Moves {
    MoveQueue queue;
    MoveOn on[MOVES_MAX]; /* by place */
    int32_t cursor;       /* slot at which the search for wishes goes on */
    uint32_t seen;        /* wishes that were looked at */
} Moves;

/* Copies that the last run left are wishes: their moves begin anew. Once, after a start. */
void moves_init(Moves *m);

/*
 * A slice of a move, or the beginning of one. Returns when to be called again (monotonic), INT64_MAX: when it is woken.
 * *ret_left_folder: a -delete folder was left behind in this turn.
 */
int64_t moves_turn(Moves *m, int64_t now_us, bool *ret_left_folder);

#endif
