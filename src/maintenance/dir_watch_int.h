/*
 * dir_watch_int.h - what a checkpointer does about the state of its directory (logdir_state.h)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_DIR_WATCH_INT_H
#define OTTLA_MAINTENANCE_DIR_WATCH_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/storage/logdir_state.h"

typedef struct DirWatch {
    int dir;
    LogDirState seen;   /* the state that was last spoken of */
    bool recorded;      /* the present failure is on disk */
    int64_t next_us;    /* when to look again although nobody woke us; INT64_MAX: never */
    uint64_t full_seen; /* logdir_full_count when the disk was last said to be full */
} DirWatch;

/* Takes the reserve. */
void dir_watch_init(DirWatch *w, int dir);

/*
 * Each turn of the checkpointer: says what changed, writes a failure down, takes the reserve of a
 * full directory back, finishes a repair. One load when nothing of that is due.
 */
void dir_watch_turn(DirWatch *w, int64_t now_us);

#endif
