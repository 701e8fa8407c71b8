/*
 * gate.c - memory for large requests, and the rate of lines about clients, for all backends
 *
 * Region backend_gate: one word per backend slot {generation, bytes held}, written by its owner
 * alone; one bit-like word per slot "wants more"; a word for the rate of lines. Crash rule: a word
 * counts while its generation lives; a want that a dead backend left wakes its successor once, for
 * nothing.
 *
 * Runs in: backend.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/backend/gate.h"

#include "backend/gate_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/log.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/slot.h"

#define LINES_COUNT_BITS 24

typedef struct BackendHold {
    AtomicU64 held;  /* generation << 32 | bytes */
    AtomicU32 wants; /* 1: waits for memory */
    AtomicU32 pad;
} BackendHold;

typedef struct BackendGate {
    alignas(CACHE_LINE_BYTES) AtomicU32 somebody_wants; /* a want was stored since it was cleared */
    AtomicU64 lines;   /* second << LINES_COUNT_BITS | lines in it */
    AtomicU32 dropped; /* lines held back since the last one */
    alignas(CACHE_LINE_BYTES) BackendHold holds[];
} BackendGate;

static BackendGate *gate;

size_t
backend_gate_shm_size(const ShmLimits *limits)
{
    return sizeof(BackendGate) + (size_t)limits->backend_slots * sizeof(BackendHold);
}

void
backend_gate_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits; /* the size function used them */
    gate = base;
}

static BackendHold *
my_hold(void)
{
    ot_assert(my_slot_index >= 0 && my_slot_index < slot_backend_count());
    return &gate->holds[my_slot_index];
}

/* What the other living backends hold. */
static int64_t
held_by_others(void)
{
    int64_t sum = 0;

    for (int32_t i = 0; i < slot_backend_count(); i++) {
        uint64_t word = atomic_u64_load_seq(&gate->holds[i].held);

        if (word != 0 && i != my_slot_index && slot_is_alive(i, (uint32_t)(word >> 32)))
            sum += (int64_t)(word & UINT32_MAX);
    }
    return sum;
}

bool
gate_take(int64_t bytes, int64_t budget)
{
    BackendHold *mine = my_hold();
    int64_t others;

    ot_assert(bytes > 0 && bytes <= INT32_MAX);
    /* Want first, then look: who gives back stores its word, then looks for wants [G1]. */
    atomic_u32_store_seq(&mine->wants, 1);
    atomic_u32_store_seq(&gate->somebody_wants, 1);
    atomic_u64_store_seq(&mine->held, (uint64_t)my_generation << 32 | (uint64_t)bytes);
    others = held_by_others();
    if (others == 0 || others + bytes <= budget) {
        atomic_u32_store_seq(&mine->wants, 0);
        return true;
    }
    atomic_u64_store_seq(&mine->held, 0);
    return false;
}

void
gate_release(void)
{
    atomic_u64_store_seq(&my_hold()->held, 0);
    if (atomic_u32_load_seq(&gate->somebody_wants) == 0) /* pairs with [G1] */
        return;
    atomic_u32_store_seq(&gate->somebody_wants, 0);
    for (int32_t i = 0; i < slot_backend_count(); i++)
        if (atomic_u32_load_seq(&gate->holds[i].wants) != 0) {
            atomic_u32_store_seq(&gate->somebody_wants, 1);
            latch_set_index(i);
        }
}

void
gate_forget(void)
{
    atomic_u32_store_seq(&my_hold()->wants, 0);
    atomic_u64_store_seq(&my_hold()->held, 0);
}

bool
gate_line_allowed(int64_t now_us, uint32_t *ret_dropped)
{
    uint64_t second = (uint64_t)(now_us / 1000000);
    uint64_t word = atomic_u64_load(&gate->lines);
    uint64_t count, next;

    *ret_dropped = 0;
    do {
        count = word >> LINES_COUNT_BITS == second ? (word & ((1U << LINES_COUNT_BITS) - 1)) : 0;
        if (count >= LOG_RATE_PER_SECOND) {
            atomic_u32_add(&gate->dropped, 1);
            return false;
        }
        next = second << LINES_COUNT_BITS | (count + 1);
    } while (!atomic_u64_cas(&gate->lines, &word, next));
    *ret_dropped = atomic_u32_swap(&gate->dropped, 0);
    return true;
}
