/*
 * timers_int.h - the timers of a shard: a heap of deadlines that are cheap to put off
 *
 * A heartbeat only moves a deadline: the heap keeps the old, earlier place, and when that comes up the
 * timer sinks to its new one. So timers_next_us may be early, never late. Equal deadlines come up in
 * the order in which they were set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_TIMERS_INT_H
#define OTTLA_GROUPS_TIMERS_INT_H

#include "groups/memory_int.h"

/* Lies within what it belongs to; zeroed: not set. */
typedef struct GroupTimer {
    int64_t deadline_us; /* when it is due */
    int64_t place_us;    /* by which the heap is ordered: <= deadline_us */
    uint64_t serial;     /* order of being set */
    uint32_t index;      /* in the heap, from 1; 0: not set */
    uint8_t kind;        /* TimerKind: what is due, and what the timer lies within */
} GroupTimer;

typedef struct GroupTimers {
    GroupTimer **heap; /* from 1 */
    uint32_t count;
    uint32_t room;
    uint64_t serial;
    GroupMemory *memory;
} GroupTimers;

void timers_init(GroupTimers *timers, GroupMemory *memory);

/* Gives the memory back; timers that were set are not touched. */
void timers_clear(GroupTimers *timers);

/* Sets, or moves, to deadline_us. O(1) when it moves to a later time. */
void timers_set(GroupTimers *timers, GroupTimer *timer, uint8_t kind, int64_t deadline_us);

/* Nothing happens when it is not set. */
void timers_cancel(GroupTimers *timers, GroupTimer *timer);

static inline bool
timer_is_set(const GroupTimer *timer)
{
    return timer->index != 0;
}

/* INT64_MAX: none. */
int64_t timers_next_us(const GroupTimers *timers);

/* Takes out one that is due; NULL: none. */
GroupTimer *timers_take(GroupTimers *timers, int64_t now_us);

/* Adds delta_us to each deadline for which want (NULL: all) says so. */
void timers_shift(GroupTimers *timers, int64_t delta_us, bool (*want)(const GroupTimer *timer));

#endif
