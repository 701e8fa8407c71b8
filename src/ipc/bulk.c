/*
 * bulk.c - chunks of 64 KiB that carry long messages between processes
 *
 * Runs in: backends and workers.
 * Crash argument: pool.c's, with the process as owner: a dead generation's chunks are lost by
 * definition, also those in a message whose reader has not copied it yet; the reader looks at the
 * owner words after copying (mailbox.c). Killed while it gives pages back: the chunks that it held for
 * that name it, as others do; their pages go back after the next rush.
 *
 * Taking pages from a shared mapping makes the kernel visit every process that has it: milliseconds
 * with ten thousand. So pages go back when the rush is over, many chunks in a call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bulk_int.h"

#include <sys/mman.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/mailbox.h"

#define BULK_WARM_CHUNKS 64      /* 4 MiB keep their pages when freed */
#define BULK_SCAN_STEP   16      /* chunks looked at for dead owners at each allocation */
#define BULK_QUIET_US    1000000 /* without a chunk freed above the warm ones: the rush is over */
#define BULK_GIVE_CHUNKS 256     /* held at once while their pages go back: 16 MiB */

/* Hints of what the pages of a rush are; any value is harmless. Before the pool. */
typedef struct BulkRush {
    /* No chunk from here on was used; 0: none but warm ones. */
    alignas(CACHE_LINE_BYTES) AtomicU32 end;
    AtomicI64 freed_us; /* monotonic: when one of them was freed last */
} BulkRush;

static BulkRush *rush;
static Pool *pool;
static unsigned char *chunks;
static uint32_t scan_position; /* of this process */

static uint32_t
chunks_for(const ShmLimits *limits)
{
    size_t count = limits->bulk_bytes / BULK_CHUNK_BYTES;

    return count < 16 ? 16 : count > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)count;
}

/* What is known of the rush and the owner words, up to a page; then the chunks. */
static size_t
words_bytes(uint32_t count)
{
    return (sizeof(BulkRush) + pool_size(count) + REGION_PAGE - 1) & ~(size_t)(REGION_PAGE - 1);
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

    rush = base;
    pool = (Pool *)(rush + 1);
    pool_init(pool, count);
    chunks = (unsigned char *)base + words_bytes(count);
    scan_position = 0;
}

uint32_t
bulk_alloc(void)
{
    uint64_t me = slot_ref_pack(slot_ref_self());
    uint32_t chunk;

    (void)pool_scan(pool, &scan_position, BULK_SCAN_STEP, pool_owner_is_dead, NULL);
    chunk = pool_alloc(pool, me, 0);
    if (chunk == POOL_NONE) {
        (void)pool_scan(pool, &scan_position, pool->count, pool_owner_is_dead, NULL);
        chunk = pool_alloc(pool, me, 0);
    }
    if (chunk == POOL_NONE)
        stat_add(STAT_BULK_FULL, 1);
    return chunk;
}

void
bulk_free(uint32_t chunk)
{
    if (chunk >= BULK_WARM_CHUNKS) {
        uint32_t end = atomic_u32_load(&rush->end);

        atomic_i64_store(&rush->freed_us, clock_mono_us());
        while (end <= chunk && !atomic_u32_cas(&rush->end, &end, chunk + 1))
            ;
    }
    ot_assert(pool_free(pool, chunk, slot_ref_pack(slot_ref_self())));
}

/* Takes free chunks from first on, as many as lie together; returns how many. */
static uint32_t
take_together(uint32_t first, uint32_t end, uint64_t me)
{
    uint32_t count = 0;

    while (first + count < end && count < BULK_GIVE_CHUNKS && pool_take(pool, first + count, me))
        count++;
    return count;
}

int64_t
bulk_tidy(int64_t now_us)
{
    uint64_t me = slot_ref_pack(slot_ref_self());
    int64_t over_us;
    uint32_t end;

    if (atomic_u32_load(&rush->end) == 0)
        return INT64_MAX;
    over_us = atomic_i64_load(&rush->freed_us) + BULK_QUIET_US;
    if (now_us < over_us)
        return over_us;
    end = atomic_u32_swap(&rush->end, 0);
    if (end > pool->count)
        end = pool->count;
    for (uint32_t chunk = BULK_WARM_CHUNKS; chunk < end;) {
        uint32_t count = take_together(chunk, end, me);

        if (count > 0) /* failing costs memory only */
            (void)madvise(bulk_at(chunk), (size_t)count * BULK_CHUNK_BYTES, MADV_REMOVE);
        for (uint32_t i = 0; i < count; i++)
            ot_assert(pool_free(pool, chunk + i, me));
        chunk += count > 0 ? count : 1;
    }
    return INT64_MAX;
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
