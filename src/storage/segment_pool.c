/*
 * segment_pool.c - chunks of 512 bytes: lists of inactive segments, and hot index entries
 *
 * The list of a partition grows at its end and shrinks at its start only. Entries behind the
 * published count are invisible, so growing needs no care; a chunk that left the list is given back
 * after the tuple without it was published, and list_generation tells readers who still walk it.
 *
 * Crash rule: the owner word of a chunk names the partition (slot, generation). What the published
 * tuple does not reach is taken back by the repair (segment_pool_sweep).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/ipc/pool.h"
#include "ottla/storage/plog.h"
#include "storage/plog_int.h"
#include "storage/pools_int.h"

#define CHUNK_BYTES   512
#define CHUNK_ENTRIES 21

typedef struct SegChunk {
    uint32_t next; /* 0: last */
    uint32_t pad;
    SegEntry entries[CHUNK_ENTRIES];
} SegChunk;

static_assert(sizeof(SegChunk) == CHUNK_BYTES, "a chunk");
static_assert(sizeof(HotChunk) <= CHUNK_BYTES, "fits into a chunk");
static_assert(sizeof(SegEntry) % 8 == 0, "copied by words");

typedef struct SegmentPoolHead {
    AtomicU32 high; /* chunks ever taken: bound of scans */
} SegmentPoolHead;

static SegmentPoolHead *head;
static Pool *pool;
static char *chunks; /* chunk n (from 1) at (n - 1) * CHUNK_BYTES */

/* Where this process was last in a list; slot NULL: nowhere. */
typedef struct Cursor {
    const PartitionSlot *slot;
    uint32_t generation; /* list_generation before it was found */
    uint32_t head;       /* of the list then */
    int32_t ordinal;     /* chunks between head and chunk */
    uint32_t chunk;
} Cursor;

static Cursor cursor;

static uint32_t
chunk_count(const ShmLimits *limits)
{
    int64_t n = limits->segment_entries / CHUNK_ENTRIES + 2 * (int64_t)limits->max_partitions;

    return (uint32_t)n;
}

size_t
segment_pool_shm_size(const ShmLimits *limits)
{
    uint32_t n = chunk_count(limits);

    return CACHE_LINE_BYTES + region_round(pool_size(n)) + (size_t)n * CHUNK_BYTES;
}

void
segment_pool_shm_init(void *base, const ShmLimits *limits)
{
    uint32_t n = chunk_count(limits);

    head = base;
    pool = (Pool *)(void *)((char *)base + CACHE_LINE_BYTES);
    chunks = (char *)pool + region_round(pool_size(n));
    pool_init(pool, n);
    cursor = (Cursor){NULL, 0, 0, 0, 0};
}

uint64_t
pslot_owner_word(const PartitionSlot *slot)
{
    return (uint64_t)(pslot_index(slot) + 1) << 32 | atomic_u32_load(&slot->generation);
}

/* Index + 1, or 0 when the pool is full. The content is that of its last owner. */
static uint32_t
chunk_alloc(const PartitionSlot *slot)
{
    uint32_t i = pool_alloc(pool, pslot_owner_word(slot), 0);
    uint32_t high = atomic_u32_load(&head->high);

    if (i == POOL_NONE)
        return 0;
    while (high < i + 1 && !atomic_u32_cas(&head->high, &high, i + 1))
        ;
    return i + 1;
}

static SegChunk *
chunk_at(uint32_t chunk)
{
    ot_assert(chunk > 0 && chunk <= pool->count);
    return (SegChunk *)(void *)(chunks + (size_t)(chunk - 1) * CHUNK_BYTES);
}

/* Readers may race with whoever got the chunk next: everything they take is checked. */
static bool
chunk_valid(uint32_t chunk)
{
    return chunk > 0 && chunk <= pool->count;
}

int
seglist_append(const PartitionSlot *slot, PlogTuple *tuple, const SegEntry *entry, ErrInfo *err)
{
    int32_t at = (tuple->seg_first + tuple->seg_count) % CHUNK_ENTRIES;

    if (tuple->seg_tail == 0 || at == 0) {
        uint32_t fresh = chunk_alloc(slot);

        if (fresh == 0)
            return err_set(err, OT_E_LIMIT, "no room for another segment in shared memory");
        chunk_at(fresh)->next = 0;
        if (tuple->seg_tail == 0) {
            tuple->seg_head = fresh;
            tuple->seg_first = 0;
            at = 0;
        } else {
            chunk_at(tuple->seg_tail)->next = fresh;
        }
        tuple->seg_tail = fresh;
    }
    shared_copy_in(&chunk_at(tuple->seg_tail)->entries[at], entry, sizeof *entry);
    tuple->seg_count++;
    return 0;
}

void
seglist_drop_first(PlogTuple *tuple, int32_t count)
{
    ot_assert(count >= 0 && count <= tuple->seg_count);
    tuple->seg_count -= count;
    tuple->seg_first += count;
    while (tuple->seg_first >= CHUNK_ENTRIES && tuple->seg_head != tuple->seg_tail) {
        tuple->seg_head = chunk_at(tuple->seg_head)->next;
        tuple->seg_first -= CHUNK_ENTRIES;
    }
    if (tuple->seg_count == 0) {
        tuple->seg_head = 0;
        tuple->seg_tail = 0;
        tuple->seg_first = 0;
    }
}

void
seglist_release_dropped(PartitionSlot *slot, uint32_t old_head, const PlogTuple *tuple)
{
    uint64_t owner = pslot_owner_word(slot);
    uint32_t chunk = old_head;

    if (chunk == tuple->seg_head)
        return;
    (void)atomic_u32_add(&slot->list_generation, 1);
    while (chunk != 0 && chunk != tuple->seg_head) {
        uint32_t next = chunk_at(chunk)->next;

        (void)pool_free(pool, chunk - 1, owner); /* false: swept already */
        chunk = next;
    }
}

/*
 * The chunk that holds the at-th entry, counted from the head's first place; 0: the list changed. A chunk that was
 * met stays where it is in the list while list_generation does: that is raised before any chunk is given back.
 */
static uint32_t
chunk_of(const PartitionSlot *slot, const PlogTuple *tuple, int32_t at)
{
    uint32_t generation = atomic_u32_load(&slot->list_generation);
    int32_t ordinal = at / CHUNK_ENTRIES, i = 0;
    uint32_t chunk = tuple->seg_head;

    if (cursor.slot == slot && cursor.generation == generation && cursor.head == chunk &&
        cursor.ordinal <= ordinal) {
        i = cursor.ordinal;
        chunk = cursor.chunk;
    }
    for (; chunk_valid(chunk) && i < ordinal; i++)
        chunk = chunk_at(chunk)->next;
    if (!chunk_valid(chunk))
        return 0;
    cursor = (Cursor){slot, generation, tuple->seg_head, ordinal, chunk};
    return chunk;
}

bool
seglist_get(const PartitionSlot *slot, const PlogTuple *tuple, int32_t index, SegEntry *ret)
{
    int32_t at = tuple->seg_first + index;
    uint32_t chunk;

    ot_assert(index >= 0 && index < tuple->seg_count);
    chunk = chunk_of(slot, tuple, at);
    if (chunk == 0)
        return false;
    shared_copy_out(ret, &chunk_at(chunk)->entries[at % CHUNK_ENTRIES], sizeof *ret);
    return true;
}

bool
seglist_find(const PlogTuple *tuple, int64_t offset, int32_t *ret_index, SegEntry *ret)
{
    int32_t at = tuple->seg_first;
    uint32_t chunk = tuple->seg_head;
    int32_t i;

    *ret_index = -1;
    if (offset >= tuple->active_base)
        return true;
    for (i = 0; i < tuple->seg_count; i++, at++) {
        SegEntry e;

        if (at == CHUNK_ENTRIES) {
            if (!chunk_valid(chunk))
                return false;
            chunk = chunk_at(chunk)->next;
            at = 0;
        }
        if (!chunk_valid(chunk))
            return false;
        shared_copy_out(&e, &chunk_at(chunk)->entries[at], sizeof e);
        if (e.base_offset > offset)
            return true;
        *ret = e;
        *ret_index = i;
    }
    return true;
}

/* ---- hot index entries -------------------------------------------------------------------------- */

uint32_t
hot_alloc(const PartitionSlot *slot)
{
    return chunk_alloc(slot);
}

void
hot_free(PartitionSlot *slot, uint32_t chunk)
{
    if (chunk == 0)
        return;
    (void)atomic_u32_add(&slot->list_generation, 1);
    (void)pool_free(pool, chunk - 1, pslot_owner_word(slot)); /* false: swept already */
}

HotChunk *
hot_at(uint32_t chunk)
{
    return (HotChunk *)(void *)chunk_at(chunk);
}

/* ---- repair ------------------------------------------------------------------------------------- */

static bool
in_tuple(const PlogTuple *tuple, uint32_t chunk)
{
    uint32_t c = tuple->seg_head;

    if (chunk == tuple->hot_chunk)
        return true;
    while (c != 0) {
        if (c == chunk)
            return true;
        if (c == tuple->seg_tail)
            break;
        c = chunk_at(c)->next;
    }
    return false;
}

void
segment_pool_sweep(PartitionSlot *slot, const PlogTuple *tuple)
{
    uint64_t owner = pslot_owner_word(slot);
    uint32_t high = atomic_u32_load(&head->high);
    uint32_t i;

    (void)atomic_u32_add(&slot->list_generation, 1);
    for (i = 0; i < high; i++) {
        /* A burial comes after pslot_retire: the generation of the owner word is an older one. */
        uint64_t word = pool_owner(pool, i);

        if (word >> 32 != owner >> 32)
            continue;
        if (word != owner || tuple == NULL || !in_tuple(tuple, i + 1))
            (void)pool_free(pool, i, word);
    }
}

/* Given back under whichever generation of the slot it was taken. */
static void
release(uint64_t owner, uint32_t chunk)
{
    uint64_t word = pool_owner(pool, chunk - 1);

    if (word >> 32 == owner >> 32)
        (void)pool_free(pool, chunk - 1, word); /* false: swept already */
}

void
segment_pool_release(PartitionSlot *slot, const PlogTuple *tuple)
{
    uint64_t owner = pslot_owner_word(slot);
    int32_t chunk_max = tuple->seg_count / CHUNK_ENTRIES + 2;
    uint32_t chunk = tuple->seg_head;

    (void)atomic_u32_add(&slot->list_generation, 1);
    /* What was swept before may have a new owner by now, and lead anywhere. */
    while (chunk_valid(chunk) && chunk_max-- > 0) {
        uint32_t next = chunk_at(chunk)->next;

        release(owner, chunk);
        chunk = chunk == tuple->seg_tail ? 0 : next;
    }
    if (chunk_valid(tuple->hot_chunk))
        release(owner, tuple->hot_chunk);
}

uint32_t
segment_pool_used(void)
{
    return pool_used(pool, atomic_u32_load(&head->high));
}
