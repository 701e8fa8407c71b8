/*
 * unlink_queue.c - which files of deleted segments are removed when
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unlink_queue_int.h"

#include <stdlib.h>

bool
unlink_queue_init(UnlinkQueue *q, int32_t size)
{
    *q = (UnlinkQueue){.lots = calloc((size_t)size, sizeof *q->lots)};
    if (q->lots != NULL && due_queue_init(&q->due, size))
        return true;
    free(q->lots);
    *q = (UnlinkQueue){0};
    return false;
}

void
unlink_queue_fini(UnlinkQueue *q)
{
    due_queue_fini(&q->due);
    free(q->lots);
    *q = (UnlinkQueue){0};
}

void
unlink_queue_add(UnlinkQueue *q, int32_t slot, int64_t below, int64_t due)
{
    UnlinkLots *lots = &q->lots[slot];

    if (due_queue_of(&q->due, slot) == INT64_MAX) {
        *lots = (UnlinkLots){.below = below};
        due_queue_set(&q->due, slot, due);
        return;
    }
    if (below > lots->later_below)
        lots->later_below = below;
    if (due > lots->later_due)
        lots->later_due = due;
}

void
unlink_queue_remove(UnlinkQueue *q, int32_t slot)
{
    due_queue_remove(&q->due, slot);
}

int64_t
unlink_queue_next(const UnlinkQueue *q)
{
    return due_queue_next(&q->due);
}

int32_t
unlink_queue_take(UnlinkQueue *q, int64_t now, int64_t *ret_below)
{
    int32_t slot = due_queue_take(&q->due, now);
    UnlinkLots lots;

    if (slot < 0)
        return -1;
    lots = q->lots[slot];
    *ret_below = lots.below;
    if (lots.later_below > 0)
        unlink_queue_add(q, slot, lots.later_below, lots.later_due);
    return slot;
}
