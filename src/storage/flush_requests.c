/*
 * flush_requests.c - which partitions of a log directory are to be flushed, and when
 *
 * Runs in: everybody (set), checkpointer (walk).
 * Crash rule: sets of bits (readyset.h). Their taker, a checkpointer, does not die alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/flush_requests.h"

#include "ottla/common/assert.h"
#include "ottla/storage/logdirs.h"

/* A row per directory and FlushWhen: sets of READY_BITS_MAX slots each, one after the other. */
static char *rows;
static int32_t sets_per_row;

static int32_t
sets_for(const ShmLimits *limits)
{
    return (limits->max_partitions + READY_BITS_MAX - 1) / READY_BITS_MAX;
}

size_t
flush_requests_shm_size(const ShmLimits *limits)
{
    return (size_t)LOGDIRS_MAX * FLUSH_WHEN_COUNT * (size_t)sets_for(limits) *
           ready_size(READY_BITS_MAX);
}

void
flush_requests_shm_init(void *base, const ShmLimits *limits)
{
    rows = base;
    sets_per_row = sets_for(limits);
}

static ReadySet *
set_of(int dir, FlushWhen when, int32_t set)
{
    size_t row = (size_t)dir * FLUSH_WHEN_COUNT + when;

    ot_assert(set >= 0 && set < sets_per_row);
    return (ReadySet *)(void *)(rows + (row * (size_t)sets_per_row + (size_t)set) *
                                           ready_size(READY_BITS_MAX));
}

int
flush_request(const PartitionSlot *slot, FlushWhen when)
{
    int32_t index = pslot_index(slot);
    int dir;

    fence_full();
    dir = pslot_dir(slot);
    (void)ready_set(set_of(dir, when, index / READY_BITS_MAX), index % READY_BITS_MAX);
    return dir;
}

static void
begin_set(FlushWalk *walk, int32_t set)
{
    walk->set = set;
    ready_begin(&walk->cursor, set_of(walk->dir, walk->when, set), READY_BITS_MAX, walk->all);
}

void
flush_walk_begin(FlushWalk *walk, int dir, FlushWhen when, bool all)
{
    *walk = (FlushWalk){.dir = dir, .when = when, .all = all};
    begin_set(walk, 0);
}

PartitionSlot *
flush_walk_next(FlushWalk *walk)
{
    for (;;) {
        int32_t bit = ready_next(&walk->cursor);

        if (bit >= 0)
            return pslot_at(walk->set * READY_BITS_MAX + bit);
        if (walk->set + 1 == sets_per_row)
            return NULL;
        begin_set(walk, walk->set + 1);
    }
}

void
flush_walk_end(FlushWalk *walk)
{
    ready_put_back(&walk->cursor);
}
