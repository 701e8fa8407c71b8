/*
 * moves_int.h - logs that are to be in another log directory: moved one after the other, in slices
 *
 * Runs in: retention. What is wanted stands in the partition slots; here is only the move that goes on.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_MOVES_INT_H
#define OTTLA_MAINTENANCE_MOVES_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/storage/plog_move.h"

typedef struct Moves {
    PlogMove *now; /* NULL: none */
    int64_t begin_us;
    int64_t next_us; /* not before: the rate, or a lock that is held; monotonic */
    uint32_t seen;   /* wishes that were looked at */
    bool looking;    /* there may be more of them in the slots */
} Moves;

/* Copies that the last run left are removed; their moves begin anew. Once, after a start. */
void moves_init(Moves *m);

/*
 * A slice of the move that goes on, or the beginning of one. Returns when to be called again (monotonic), INT64_MAX:
 * when it is woken. *ret_left_folder: a -delete folder was left behind in this turn.
 */
int64_t moves_turn(Moves *m, int64_t now_us, bool *ret_left_folder);

#endif
