/*
 * timers.c - the timers of a shard: a heap of deadlines that are cheap to put off
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/timers_int.h"

#include "ottla/common/assert.h"

#define ROOM_MIN 16

void
timers_init(GroupTimers *timers, GroupMemory *memory)
{
    *timers = (GroupTimers){.memory = memory};
}

void
timers_clear(GroupTimers *timers)
{
    if (timers->heap != NULL)
        gmem_free(timers->memory, timers->heap, timers->room * sizeof *timers->heap);
    timers->heap = NULL;
    timers->count = 0;
    timers->room = 0;
}

static bool
is_before(const GroupTimer *a, const GroupTimer *b)
{
    return a->place_us < b->place_us || (a->place_us == b->place_us && a->serial < b->serial);
}

static void
place(GroupTimers *timers, uint32_t index, GroupTimer *timer)
{
    timers->heap[index] = timer;
    timer->index = index;
}

static void
rise(GroupTimers *timers, GroupTimer *timer)
{
    uint32_t i = timer->index;

    for (; i > 1 && is_before(timer, timers->heap[i / 2]); i /= 2)
        place(timers, i, timers->heap[i / 2]);
    place(timers, i, timer);
}

static void
sink(GroupTimers *timers, GroupTimer *timer)
{
    uint32_t i = timer->index;

    for (;;) {
        uint32_t child = i * 2;

        if (child > timers->count)
            break;
        if (child < timers->count && is_before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!is_before(timers->heap[child], timer))
            break;
        place(timers, i, timers->heap[child]);
        i = child;
    }
    place(timers, i, timer);
}

void
timers_set(GroupTimers *timers, GroupTimer *timer, uint8_t kind, int64_t deadline_us)
{
    timer->kind = kind;
    timer->deadline_us = deadline_us;
    timer->serial = ++timers->serial;
    if (timer->index != 0 && deadline_us >= timer->place_us)
        return; /* sinks when its old place comes up */
    timer->place_us = deadline_us;
    if (timer->index == 0) {
        if (timers->count + 1 >= timers->room) {
            uint32_t room = timers->room == 0 ? ROOM_MIN : timers->room * 2;

            timers->heap =
                gmem_resize(timers->memory, timers->heap, timers->room * sizeof *timers->heap,
                            room * sizeof *timers->heap);
            timers->room = room;
        }
        place(timers, ++timers->count, timer);
    }
    rise(timers, timer);
}

void
timers_cancel(GroupTimers *timers, GroupTimer *timer)
{
    uint32_t index = timer->index;
    GroupTimer *last;

    if (index == 0)
        return;
    last = timers->heap[timers->count--];
    timer->index = 0;
    if (last == timer)
        return;
    place(timers, index, last);
    rise(timers, last);
    sink(timers, last);
}

int64_t
timers_next_us(const GroupTimers *timers)
{
    return timers->count == 0 ? INT64_MAX : timers->heap[1]->place_us;
}

GroupTimer *
timers_take(GroupTimers *timers, int64_t now_us)
{
    while (timers->count > 0) {
        GroupTimer *first = timers->heap[1];

        if (first->place_us > now_us)
            return NULL;
        if (first->place_us == first->deadline_us) {
            timers_cancel(timers, first);
            return first;
        }
        first->place_us = first->deadline_us; /* was put off */
        sink(timers, first);
    }
    return NULL;
}

void
timers_shift(GroupTimers *timers, int64_t delta_us, bool (*want)(const GroupTimer *timer))
{
    ot_assert(delta_us >= 0);
    for (uint32_t i = 1; i <= timers->count; i++)
        if (want == NULL || want(timers->heap[i]))
            timers->heap[i]->deadline_us += delta_us;
}
