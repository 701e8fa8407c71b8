/*
 * due_queue_int.h - which partition is due when
 *
 * A heap of partition slots by time, each slot in it at most once, so that a worker finds what is due
 * without a look at the others. Private memory of its process, for the whole table at once; only what is
 * used is touched. pure
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_DUE_QUEUE_INT_H
#define OTTLA_MAINTENANCE_DUE_QUEUE_INT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct DueQueue {
    int64_t *due;  /* per slot, while it is in the heap */
    int32_t *heap; /* slots, the earliest first */
    int32_t *at;   /* per slot: place in the heap + 1; 0: not in it */
    int32_t count;
    int32_t size;
} DueQueue;

/* For slots [0, size). False: no memory. */
bool due_queue_init(DueQueue *q, int32_t size);
void due_queue_fini(DueQueue *q);

/* Puts the slot in or moves it. O(log n), as all that change. */
void due_queue_set(DueQueue *q, int32_t slot, int64_t due);

/* Takes it out; fine when it is not in. */
void due_queue_remove(DueQueue *q, int32_t slot);

/* When the slot is due; INT64_MAX: it is not in the queue. */
int64_t due_queue_of(const DueQueue *q, int32_t slot);

/* When the first one is due; INT64_MAX: nothing is. */
int64_t due_queue_next(const DueQueue *q);

/* Takes out the first one that is due at or before now; -1: none. */
int32_t due_queue_take(DueQueue *q, int64_t now);

#endif
