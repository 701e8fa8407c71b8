/*
 * flush_timers.c - which partitions must be on the disk by when: a heap
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flush_timers_int.h"

#include <stdlib.h>

#include "ottla/common/assert.h"

static void
swap(FlushTimer *a, FlushTimer *b)
{
    FlushTimer t = *a;

    *a = *b;
    *b = t;
}

bool
flush_timers_add(FlushTimers *timers, FlushTimer timer)
{
    int32_t at = timers->count;

    if (timers->count == timers->size) {
        int32_t size = timers->size == 0 ? 64 : timers->size * 2;
        FlushTimer *grown = realloc(timers->heap, (size_t)size * sizeof *grown);

        if (grown == NULL)
            return false;
        timers->heap = grown;
        timers->size = size;
    }
    timers->heap[timers->count++] = timer;
    while (at > 0 && timers->heap[at].due_us < timers->heap[(at - 1) / 2].due_us) {
        swap(&timers->heap[at], &timers->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return true;
}

int64_t
flush_timers_next(const FlushTimers *timers)
{
    return timers->count == 0 ? INT64_MAX : timers->heap[0].due_us;
}

FlushTimer
flush_timers_take(FlushTimers *timers)
{
    FlushTimer first;
    int32_t at = 0;

    ot_assert(timers->count > 0);
    first = timers->heap[0];
    timers->heap[0] = timers->heap[--timers->count];
    for (;;) {
        int32_t least = at;
        int32_t child;

        for (child = 2 * at + 1; child <= 2 * at + 2 && child < timers->count; child++) {
            if (timers->heap[child].due_us < timers->heap[least].due_us)
                least = child;
        }
        if (least == at)
            return first;
        swap(&timers->heap[at], &timers->heap[least]);
        at = least;
    }
}

void
flush_timers_free(FlushTimers *timers)
{
    free(timers->heap);
    *timers = (FlushTimers){0};
}
