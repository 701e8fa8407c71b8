/*
 * pool.h - chunks that many processes take from a common store
 *
 * One word per chunk names its owner, 0 when free. Taking is one CAS, giving back another, so there
 * is no half-way state: a chunk whose taker died before it linked it anywhere still names that owner
 * and is found by a scan. What an owner word means is the user's: slot_ref_pack for what belongs to
 * a process, a partition reference for what belongs to a partition.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_POOL_H
#define OTTLA_IPC_POOL_H

#include "ottla/ipc/atomics.h"

#define POOL_NONE UINT32_MAX

/* Lies in shared memory, followed by its owner words. Zeroed is empty but for count. */
typedef struct Pool {
    alignas(CACHE_LINE_BYTES) AtomicU32 hint; /* where a search begins: near a free chunk */
    AtomicU32 taken;                          /* about: a death between CAS and count loses one */
    uint32_t count;
    alignas(CACHE_LINE_BYTES) AtomicU64 owners[];
} Pool;

/* Bytes of a pool's words for count chunks; the chunks themselves are the user's array. */
size_t pool_size(uint32_t count);

/* memory: pool_size(count) zeroed bytes at a cache line. Touches the first line only. */
void pool_init(Pool *pool, uint32_t count);

/*
 * Takes a chunk for an owner (not 0). POOL_NONE: probe_max words looked at and none was free
 * (0: look at all).
 */
uint32_t pool_alloc(Pool *pool, uint64_t owner, uint32_t probe_max);

/* Takes this very chunk for an owner (not 0). False: it has one. */
bool pool_take(Pool *pool, uint32_t chunk, uint64_t owner);

/* Gives a chunk back. False, and nothing changes: it has another owner by now. */
bool pool_free(Pool *pool, uint32_t chunk, uint64_t owner);

/* Hands a chunk from one owner to another. False: it has another owner by now. */
bool pool_transfer(Pool *pool, uint32_t chunk, uint64_t from, uint64_t to);

/* Owner of a chunk; 0: free. */
uint64_t pool_owner(const Pool *pool, uint32_t chunk);

/* Chunks below high that have an owner, at some moment each; for statistics. */
uint32_t pool_used(const Pool *pool, uint32_t high);

/* Decides whether a chunk is lost: its owner no longer exists or no longer knows it. */
typedef bool (*PoolIsLost)(uint32_t chunk, uint64_t owner, void *arg);

/*
 * Looks at count_max chunks from *io_position on (wrapping, advanced) and gives back those that are
 * lost. Returns how many.
 */
uint32_t pool_scan(Pool *pool, uint32_t *io_position, uint32_t count_max, PoolIsLost is_lost,
                   void *arg);

/* PoolIsLost for owners made by slot_ref_pack: lost when that process is dead. */
bool pool_owner_is_dead(uint32_t chunk, uint64_t owner, void *arg);

#endif
