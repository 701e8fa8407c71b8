/*
 * flush_requests.h - which partitions of a log directory are to be flushed, and when
 *
 * A bit per partition slot for each of: now, because somebody waits; within the topic's flush.ms; with
 * the next checkpoint, because something changed. Set by who appended, taken by the directory's
 * checkpointer. Bits and not lists (readyset.h): setting one is a single step, so that a killed
 * process leaves nothing half linked; what it left without its summary is found by a walk over all.
 *
 * Runs in: everybody (set), checkpointer (walk).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_FLUSH_REQUESTS_H
#define OTTLA_STORAGE_FLUSH_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/ipc/readyset.h"
#include "ottla/ipc/region.h"
#include "ottla/storage/partition_slot.h"

typedef enum FlushWhen { FLUSH_NOW, FLUSH_LATER, FLUSH_AT_CHECKPOINT, FLUSH_WHEN_COUNT } FlushWhen;

/*
 * Any locks held. What is to be flushed was published before; a full fence lies between. Returns the directory
 * that was asked; a log that was moved meanwhile is passed on by its checkpointer.
 */
int flush_request(const PartitionSlot *slot, FlushWhen when);

/* A walk over the partitions that ask; private to the checkpointer. */
typedef struct FlushWalk {
    ReadyCursor cursor;
    int dir;
    FlushWhen when;
    int32_t set; /* being walked */
    bool all;
} FlushWalk;

/* all: look at every bit, because somebody died. Each slot comes at most once per walk. */
void flush_walk_begin(FlushWalk *walk, int dir, FlushWhen when, bool all);

/*
 * Takes the next request; NULL: no more. The slot may belong to another directory by now:
 * to be asked for there.
 */
PartitionSlot *flush_walk_next(FlushWalk *walk);

/* Puts back what was taken and did not come; after every walk. */
void flush_walk_end(FlushWalk *walk);

/* Region flush_requests. */
size_t flush_requests_shm_size(const ShmLimits *limits);
void flush_requests_shm_init(void *base, const ShmLimits *limits);

#endif
