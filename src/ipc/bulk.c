/*
 * bulk.c - chunks of 64 KiB that carry long messages between processes
 *
 * Runs in: backends and workers.
 * Crash argument: pool.c's, with the process as owner: a dead generation's chunks are lost by
 * definition, also those in a message whose reader has not copied it yet; the reader looks at the
 * owner words after copying (mailbox.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bulk_int.h"

#include <sys/mman.h>

#include "ottla/common/assert.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/mailbox.h"

#define BULK_WARM_CHUNKS 64 /* 4 MiB keep their pages when freed */
#define BULK_SCAN_STEP   16 /* chunks looked at for dead owners at each allocation */

static Pool *pool;
static unsigned char *chunks;
static uint32_t scan_position; /* of this process */

static uint32_t
chunks_for(const ShmLimits *limits)
{
    size_t count = limits->bulk_bytes / BULK_CHUNK_BYTES;

    return count < 16 ? 16 : count > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)count;
}

/* The owner words, up to a page, then the chunks. */
static size_t
words_bytes(uint32_t count)
{
    return (pool_size(count) + REGION_PAGE - 1) & ~(size_t)(REGION_PAGE - 1);
}

size_t
bulk_shm_size(const ShmLimits *limits)
{
    uint32_t count = chunks_for(limits);

    return words_bytes(count) + (size_t)count * BULK_CHUNK_BYTES;
}

void
bulk_shm_init(void *base, const ShmLimits *limits)
{
    uint32_t count = chunks_for(limits);

    pool = base;
    pool_init(pool, count);
    chunks = (unsigned char *)base + words_bytes(count);
    scan_position = 0;
}

uint32_t
bulk_alloc(void)
{
    uint64_t me = slot_ref_pack(slot_ref_self());
    uint32_t freed = pool_scan(pool, &scan_position, BULK_SCAN_STEP, pool_owner_is_dead, NULL);
    uint32_t chunk = pool_alloc(pool, me, 0);

    if (chunk == POOL_NONE) {
        freed += pool_scan(pool, &scan_position, pool->count, pool_owner_is_dead, NULL);
        chunk = pool_alloc(pool, me, 0);
    }
    if (freed > 0)
        stat_add(STAT_BULK_RECLAIMED, freed);
    if (chunk == POOL_NONE)
        stat_add(STAT_BULK_FULL, 1);
    return chunk;
}

void
bulk_free(uint32_t chunk)
{
    /* Low chunks are used first; the pages of a rush go back. Failing costs memory only. */
    if (chunk >= BULK_WARM_CHUNKS)
        (void)madvise(bulk_at(chunk), BULK_CHUNK_BYTES, MADV_REMOVE);
    ot_assert(pool_free(pool, chunk, slot_ref_pack(slot_ref_self())));
}

unsigned char *
bulk_at(uint32_t chunk)
{
    ot_assert(chunk < pool->count);
    return chunks + (size_t)chunk * BULK_CHUNK_BYTES;
}

bool
bulk_belongs_to(uint32_t chunk, uint64_t owner)
{
    return chunk < pool->count && pool_owner(pool, chunk) == owner;
}

uint32_t
bulk_chunk_count(void)
{
    return pool->count;
}

uint32_t
bulk_chunks_taken(void)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < pool->count; i++)
        if (pool_owner(pool, i) != 0)
            taken++;
    return taken;
}
