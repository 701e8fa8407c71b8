/*
 * unlink_queue_int.h - which files of deleted segments are removed when
 *
 * Each partition slot has at most two lots of files: one whose time runs, and one that collects what comes
 * meanwhile and whose time begins with its last file. So a file waits for its delay at least, for twice the
 * delay at most, and a slot costs the same however many segments go. Times are monotonic: the names and ctimes
 * of the files do not say when they are due, since the wall clock may be set. Private memory of its process. pure
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_UNLINK_QUEUE_INT_H
#define OTTLA_MAINTENANCE_UNLINK_QUEUE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "due_queue_int.h"

typedef struct UnlinkLots {
    int64_t below;       /* files with a lower base offset, due as the queue says */
    int64_t later_below; /* those of the second lot; 0: there is none */
    int64_t later_due;
} UnlinkLots;

typedef struct UnlinkQueue {
    DueQueue due;
    UnlinkLots *lots; /* per slot, while it is in the queue */
} UnlinkQueue;

/* For slots [0, size). False: no memory. */
bool unlink_queue_init(UnlinkQueue *q, int32_t size);
void unlink_queue_fini(UnlinkQueue *q);

/* The files below an offset have been given up; they are to go at due or later. */
void unlink_queue_add(UnlinkQueue *q, int32_t slot, int64_t below, int64_t due);

/* Forgets the slot; fine when it is not in. */
void unlink_queue_remove(UnlinkQueue *q, int32_t slot);

/* When the first lot is due; INT64_MAX: nothing is. */
int64_t unlink_queue_next(const UnlinkQueue *q);

/* Takes a lot that is due at or before now: its slot, and files below which offset go; -1: none. */
int32_t unlink_queue_take(UnlinkQueue *q, int64_t now, int64_t *ret_below);

#endif
