/*
 * segment_pool.c - chunks of 512 bytes: lists of inactive segments, and hot index entries
 *
 * The list of a partition grows at its end and shrinks at its start only. Entries behind the
 * published count are invisible, so growing needs no care; a chunk that left the list is given back
 * after the tuple without it was published, and list_generation tells readers who still walk it.
 *
 * Who looks for something comes from the tail. Chunk k points at k - 1, and at k without its lowest bit, so every
 * chunk is O(log^2) steps away at most: 20 of 500. Both are set before the chunk is published and never after. What
 * the second one points at may have left the list; its number, compared with the head's, says so.
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
#define CHUNK_ENTRIES 20

typedef struct SegChunk {
    uint32_t next; /* 0: last */
    uint32_t prev; /* chunk number - 1; 0: this was the first one of the list */
    uint32_t jump; /* chunk number & (number - 1); 0: it had left the list */
    uint32_t number;
    SegEntry entries[CHUNK_ENTRIES];
    uint32_t pad[4];
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

/* The number of chunk number's jump. */
static uint32_t
jump_number(uint32_t number)
{
    return number & (number - 1);
}

/* No more steps than there are chunks, and a few for a list that grew: who reads what changes comes to an end. */
static int32_t
steps_max(const PlogTuple *tuple)
{
    return tuple->seg_count / CHUNK_ENTRIES + 2;
}

/* The chunk of a number in [the head's, the tail's]; 0: the list changed. */
static uint32_t
chunk_numbered(const PlogTuple *tuple, uint32_t number)
{
    int32_t steps = steps_max(tuple);
    uint32_t chunk = tuple->seg_tail;

    while (chunk_valid(chunk) && chunk_at(chunk)->number != number && steps-- > 0) {
        const SegChunk *c = chunk_at(chunk);

        chunk = c->number > number && jump_number(c->number) >= number ? c->jump : c->prev;
    }
    return chunk_valid(chunk) && chunk_at(chunk)->number == number ? chunk : 0;
}

/* The new last chunk of the list; the one before it does not know it yet. */
static void
chunk_link(SegChunk *fresh, const PlogTuple *tuple)
{
    fresh->next = 0;
    fresh->prev = tuple->seg_tail;
    fresh->jump = 0;
    fresh->number = 0;
    if (tuple->seg_tail == 0)
        return;
    fresh->number = chunk_at(tuple->seg_tail)->number + 1;
    if (jump_number(fresh->number) >= chunk_at(tuple->seg_head)->number)
        fresh->jump = chunk_numbered(tuple, jump_number(fresh->number));
}

int
seglist_append(const PartitionSlot *slot, PlogTuple *tuple, const SegEntry *entry, ErrInfo *err)
{
    int32_t at = (tuple->seg_first + tuple->seg_count) % CHUNK_ENTRIES;

    if (tuple->seg_tail == 0 || at == 0) {
        uint32_t fresh = chunk_alloc(slot);

        if (fresh == 0)
            return err_set(err, OT_E_LIMIT, "no room for another segment in shared memory");
        chunk_link(chunk_at(fresh), tuple);
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
    int32_t ordinal = at / CHUNK_ENTRIES;
    int32_t ahead = ordinal - cursor.ordinal;
    uint32_t chunk;

    if (!chunk_valid(tuple->seg_head))
        return 0;
    if (cursor.slot == slot && cursor.generation == generation && cursor.head == tuple->seg_head &&
        (ahead == 0 || ahead == 1))
        chunk = ahead == 0 ? cursor.chunk : chunk_at(cursor.chunk)->next;
    else
        chunk = chunk_numbered(tuple, chunk_at(tuple->seg_head)->number + (uint32_t)ordinal);
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

/* Base offset of the first entry that the list has in a chunk. */
static int64_t
first_base(const PlogTuple *tuple, uint32_t chunk)
{
    SegEntry e;

    shared_copy_out(&e, &chunk_at(chunk)->entries[chunk == tuple->seg_head ? tuple->seg_first : 0],
                    sizeof e);
    return e.base_offset;
}

/* The last chunk that begins at or before the offset, or the head; 0: the list changed. */
static uint32_t
chunk_holding(const PlogTuple *tuple, int64_t offset)
{
    int32_t steps = steps_max(tuple);
    uint32_t chunk = tuple->seg_tail;
    uint32_t first;

    if (!chunk_valid(tuple->seg_head))
        return 0;
    first = chunk_at(tuple->seg_head)->number;
    while (chunk_valid(chunk) && chunk != tuple->seg_head && first_base(tuple, chunk) > offset) {
        const SegChunk *c = chunk_at(chunk);
        uint32_t jump = c->jump;

        if (steps-- == 0)
            return 0;
        if (jump_number(c->number) >= first && chunk_valid(jump) &&
            first_base(tuple, jump) > offset)
            chunk = jump;
        else
            chunk = c->prev;
    }
    return chunk_valid(chunk) ? chunk : 0;
}

bool
seglist_find(const PlogTuple *tuple, int64_t offset, int32_t *ret_index, SegEntry *ret)
{
    uint32_t chunk;
    int32_t index;
    int32_t at;

    *ret_index = -1;
    if (offset >= tuple->active_base || tuple->seg_count == 0)
        return true;
    chunk = chunk_holding(tuple, offset);
    if (chunk == 0)
        return false;
    at = chunk == tuple->seg_head ? tuple->seg_first : 0;
    index = (int32_t)(chunk_at(chunk)->number - chunk_at(tuple->seg_head)->number) * CHUNK_ENTRIES +
            at - tuple->seg_first;
    if (index < 0 || index >= tuple->seg_count)
        return false;
    for (; at < CHUNK_ENTRIES && index < tuple->seg_count; at++, index++) {
        SegEntry e;

        shared_copy_out(&e, &chunk_at(chunk)->entries[at], sizeof e);
        if (e.base_offset > offset)
            return true;
        *ret = e;
        *ret_index = index;
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
