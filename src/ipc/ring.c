/*
 * ring.c - a queue with one writer and one reader, over ck_ring
 *
 * ck_ring keeps the two ends; the entries lie in our own array, at the index ck_ring hands out, so
 * that they may be larger than a pointer.
 *
 * Crash argument: the writer fills an entry beyond the end and moves the end by one store; the reader
 * copies and moves the start by one store. Killed before its store, a side has changed nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/ring.h"

#include <ck_ring.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/ipc/atomics.h"

#ifdef __SANITIZE_THREAD__ /* it cannot see the order that ck's assembly makes */
#include <sanitizer/tsan_interface.h>
#define TELL_ACQUIRE(p) __tsan_acquire(p)
#define TELL_RELEASE(p) __tsan_release(p)
#else
#define TELL_ACQUIRE(p) ((void)(p))
#define TELL_RELEASE(p) ((void)(p))
#endif

struct Ring {
    alignas(CACHE_LINE_BYTES) ck_ring_t ends;
    alignas(CACHE_LINE_BYTES) uint32_t capacity;
    uint32_t entry_size;
    uint64_t told_full; /* addresses for TSan only */
    uint64_t told_empty;
    /* then capacity ck_ring_buffer_t, then capacity entries */
};

static ck_ring_buffer_t *
ring_marks(Ring *ring)
{
    return (ck_ring_buffer_t *)(void *)(ring + 1);
}

static unsigned char *
ring_entry(Ring *ring, uint32_t index)
{
    unsigned char *entries = (unsigned char *)(ring_marks(ring) + ring->capacity);

    return entries + (size_t)index * ring->entry_size;
}

size_t
ring_size(uint32_t capacity, uint32_t entry_size)
{
    size_t size = sizeof(Ring) + (size_t)capacity * (sizeof(ck_ring_buffer_t) + entry_size);

    return (size + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1);
}

Ring *
ring_init(void *memory, uint32_t capacity, uint32_t entry_size)
{
    Ring *ring = memory;

    ot_assert(capacity >= 4 && (capacity & (capacity - 1)) == 0);
    ot_assert(entry_size > 0 && entry_size % 8 == 0);
    ck_ring_init(&ring->ends, capacity);
    ring->capacity = capacity;
    ring->entry_size = entry_size;
    return ring;
}

bool
ring_push(Ring *ring, const void *entry)
{
    ck_ring_buffer_t *marks = ring_marks(ring);
    ck_ring_buffer_t *mark = ck_ring_enqueue_reserve_spsc(&ring->ends, marks);

    if (mark == NULL)
        return false;
    TELL_ACQUIRE(&ring->told_empty);
    memcpy(ring_entry(ring, (uint32_t)(mark - marks)), entry, ring->entry_size);
    TELL_RELEASE(&ring->told_full);
    ck_ring_enqueue_commit_spsc(&ring->ends);
    return true;
}

bool
ring_peek(Ring *ring, void *ret_entry)
{
    if (ck_ring_size(&ring->ends) == 0)
        return false;
    ck_pr_fence_load();
    TELL_ACQUIRE(&ring->told_full);
    memcpy(ret_entry, ring_entry(ring, ring->ends.c_head & (ring->capacity - 1)), ring->entry_size);
    return true;
}

void
ring_drop(Ring *ring)
{
    void *unused;

    TELL_RELEASE(&ring->told_empty);
    /* The reader's copy above is over before the start moves: ck fences its store. */
    ot_assert(ck_ring_dequeue_spsc(&ring->ends, ring_marks(ring), (void *)&unused));
}

bool
ring_pop(Ring *ring, void *ret_entry)
{
    if (!ring_peek(ring, ret_entry))
        return false;
    ring_drop(ring);
    return true;
}

uint32_t
ring_count(const Ring *ring)
{
    return ck_ring_size(&ring->ends);
}
