/*
 * due_queue.c - which partition is due when
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "due_queue_int.h"

#include <stdlib.h>

#include "ottla/common/assert.h"

bool
due_queue_init(DueQueue *q, int32_t size)
{
    *q = (DueQueue){.due = calloc((size_t)size, sizeof *q->due),
                    .heap = calloc((size_t)size, sizeof *q->heap),
                    .at = calloc((size_t)size, sizeof *q->at),
                    .size = size};
    if (q->due != NULL && q->heap != NULL && q->at != NULL)
        return true;
    due_queue_fini(q);
    return false;
}

void
due_queue_fini(DueQueue *q)
{
    free(q->due);
    free(q->heap);
    free(q->at);
    *q = (DueQueue){0};
}

static void
put(DueQueue *q, int32_t place, int32_t slot)
{
    q->heap[place] = slot;
    q->at[slot] = place + 1;
}

/* Moves the slot towards the root as far as it is earlier. */
static int32_t
rise(DueQueue *q, int32_t place, int32_t slot)
{
    while (place > 0) {
        int32_t parent = (place - 1) / 2;

        if (q->due[q->heap[parent]] <= q->due[slot])
            break;
        put(q, place, q->heap[parent]);
        place = parent;
    }
    return place;
}

static int32_t
sink(DueQueue *q, int32_t place, int32_t slot)
{
    for (;;) {
        int32_t child = 2 * place + 1;

        if (child >= q->count)
            return place;
        if (child + 1 < q->count && q->due[q->heap[child + 1]] < q->due[q->heap[child]])
            child++;
        if (q->due[slot] <= q->due[q->heap[child]])
            return place;
        put(q, place, q->heap[child]);
        place = child;
    }
}

static void
settle(DueQueue *q, int32_t place, int32_t slot)
{
    place = rise(q, place, slot);
    put(q, sink(q, place, slot), slot);
}

void
due_queue_set(DueQueue *q, int32_t slot, int64_t due)
{
    ot_assert(slot >= 0 && slot < q->size);
    q->due[slot] = due;
    settle(q, q->at[slot] == 0 ? q->count++ : q->at[slot] - 1, slot);
}

void
due_queue_remove(DueQueue *q, int32_t slot)
{
    int32_t place = q->at[slot] - 1;
    int32_t last;

    ot_assert(slot >= 0 && slot < q->size);
    if (place < 0)
        return;
    q->at[slot] = 0;
    last = q->heap[--q->count];
    if (last != slot)
        settle(q, place, last);
}

int64_t
due_queue_of(const DueQueue *q, int32_t slot)
{
    return q->at[slot] == 0 ? INT64_MAX : q->due[slot];
}

int64_t
due_queue_next(const DueQueue *q)
{
    return q->count == 0 ? INT64_MAX : q->due[q->heap[0]];
}

int32_t
due_queue_take(DueQueue *q, int64_t now)
{
    int32_t slot;

    if (due_queue_next(q) > now)
        return -1;
    slot = q->heap[0];
    due_queue_remove(q, slot);
    return slot;
}
