/*
 * plock_use.c - who holds a lock and who waits for it, for statistics
 *
 * Runs in: backend.
 * Never: takes a lock, writes to shared memory.
 *
 * A holder that died leaves its slot in the lock's word until somebody takes the lock, and the slot may have a new owner by
 * then. So a slot counts as the holder only while its process holds any lock: `critical` is raised before the word is
 * stored, and lowered after it is cleared (plock.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/plock_use.h"

#include <stdlib.h>

#include "ottla/ipc/slot.h"

/* Of a word that named this slot: 0 when the process is gone. */
static PLockUse
use_by(int32_t index, bool alive, int64_t now_us)
{
    const ProcSlot *slot = slot_at(index);
    PLockUse use = {.held = true};

    if (!alive || slot_state(index) == SLOT_DEAD)
        return use;
    use.holder = atomic_i32_load(&slot->pid);
    use.held_us = now_us - atomic_i64_load(&slot->progress_us);
    if (use.held_us < 0)
        use.held_us = 0;
    return use;
}

PLockUse
plock_word_use(const AtomicU32 *word, int64_t now_us)
{
    uint32_t holder = atomic_u32_load(word);

    if (holder == 0 || holder > (uint32_t)slot_count())
        return (PLockUse){0};
    return use_by((int32_t)(holder - 1), true, now_us);
}

PLockUse
plock_use(const PLock *lock, int64_t now_us)
{
    uint32_t holder = atomic_u32_load(&lock->holder);
    bool alive;

    if (holder == 0 || holder > (uint32_t)slot_count())
        return (PLockUse){0};
    alive = atomic_u32_load(&slot_at((int32_t)(holder - 1))->critical) > 0;
    if (!alive && atomic_u32_load(&lock->holder) != holder)
        return (PLockUse){0}; /* it let go meanwhile */
    return use_by((int32_t)(holder - 1), alive, now_us);
}

uint64_t
plock_name(const void *lock)
{
    return (uint64_t)(uintptr_t)lock;
}

static int
compare(const void *a, const void *b)
{
    const PLockWaiter *left = a, *right = b;

    if (left->lock != right->lock)
        return left->lock < right->lock ? -1 : 1;
    return (left->since_us > right->since_us) - (left->since_us < right->since_us);
}

int32_t
plock_waiters(PLockWaiter *ret, int32_t room)
{
    int32_t count = 0;

    for (int32_t i = slot_skip_unused(0); i < slot_count() && count < room;
         i = slot_skip_unused(i + 1)) {
        const ProcSlot *slot = slot_at(i);
        uint64_t lock = atomic_u64_load(&slot->lock_wanted);

        if (lock != 0 && slot_state(i) == SLOT_RUNNING)
            ret[count++] = (PLockWaiter){lock, atomic_i64_load(&slot->lock_wanted_us)};
    }
    qsort(ret, (size_t)count, sizeof *ret, compare);
    return count;
}

const PLockWaiter *
plock_waiters_of(const PLockWaiter *all, int32_t count, uint64_t lock, int32_t *ret_count)
{
    int32_t low = 0, high = count;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;

        if (all[middle].lock < lock)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_count = 0;
    while (low + *ret_count < count && all[low + *ret_count].lock == lock)
        (*ret_count)++;
    return *ret_count == 0 ? NULL : &all[low];
}
