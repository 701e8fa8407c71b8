/*
 * pool.c - chunks that many processes take from a common store
 *
 * Runs in: every process.
 *
 * Crash argument: the owner word is the whole truth and changes by one CAS. Killed after it: the chunk
 * names its taker, and a scan gives it back. hint and taken are help for speed and people; any value
 * of theirs is harmless.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/pool.h"

#include "ottla/common/assert.h"
#include "ottla/ipc/slot.h"

size_t
pool_size(uint32_t count)
{
    return region_round(sizeof(Pool) + (size_t)count * sizeof(AtomicU64));
}

void
pool_init(Pool *pool, uint32_t count)
{
    ot_assert(count > 0 && count < POOL_NONE);
    pool->count = count;
}

uint32_t
pool_alloc(Pool *pool, uint64_t owner, uint32_t probe_max)
{
    uint32_t start = atomic_u32_load_relaxed(&pool->hint);
    uint32_t probes = probe_max == 0 || probe_max > pool->count ? pool->count : probe_max;

    ot_assert(owner != 0);
    if (start >= pool->count)
        start = 0;
    for (uint32_t i = 0; i < probes; i++) {
        uint32_t chunk = start + i < pool->count ? start + i : start + i - pool->count;

        if (!pool_take(pool, chunk, owner))
            continue;
        atomic_u32_store_relaxed(&pool->hint, chunk + 1);
        return chunk;
    }
    return POOL_NONE;
}

bool
pool_take(Pool *pool, uint32_t chunk, uint64_t owner)
{
    uint64_t none = 0;

    ot_assert(chunk < pool->count && owner != 0);
    if (atomic_u64_load_relaxed(&pool->owners[chunk]) != 0 ||
        !atomic_u64_cas(&pool->owners[chunk], &none, owner))
        return false;
    (void)atomic_u32_add(&pool->taken, 1);
    return true;
}

bool
pool_free(Pool *pool, uint32_t chunk, uint64_t owner)
{
    uint64_t expected = owner;

    ot_assert(chunk < pool->count && owner != 0);
    if (!atomic_u64_cas(&pool->owners[chunk], &expected, 0))
        return false;
    (void)atomic_u32_add(&pool->taken, UINT32_MAX);   /* one less */
    if (chunk < atomic_u32_load_relaxed(&pool->hint)) /* low chunks first: few pages in use */
        atomic_u32_store_relaxed(&pool->hint, chunk);
    return true;
}

bool
pool_transfer(Pool *pool, uint32_t chunk, uint64_t from, uint64_t to)
{
    uint64_t expected = from;

    ot_assert(chunk < pool->count && from != 0 && to != 0);
    return atomic_u64_cas(&pool->owners[chunk], &expected, to);
}

uint64_t
pool_owner(const Pool *pool, uint32_t chunk)
{
    ot_assert(chunk < pool->count);
    return atomic_u64_load_seq(&pool->owners[chunk]);
}

uint32_t
pool_used(const Pool *pool, uint32_t high)
{
    uint32_t used = 0;

    for (uint32_t chunk = 0; chunk < high; chunk++)
        used += pool_owner(pool, chunk) != 0;
    return used;
}

uint32_t
pool_scan(Pool *pool, uint32_t *io_position, uint32_t count_max, PoolIsLost is_lost, void *arg)
{
    uint32_t chunk = *io_position < pool->count ? *io_position : 0;
    uint32_t count = count_max < pool->count ? count_max : pool->count;
    uint32_t freed = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t owner = atomic_u64_load_seq(&pool->owners[chunk]);

        if (owner != 0 && is_lost(chunk, owner, arg) && pool_free(pool, chunk, owner))
            freed++;
        chunk = chunk + 1 < pool->count ? chunk + 1 : 0;
    }
    *io_position = chunk;
    return freed;
}

bool
pool_owner_is_dead(uint32_t chunk, uint64_t owner, void *arg)
{
    (void)chunk;
    (void)arg;
    return !slot_ref_alive(owner);
}
