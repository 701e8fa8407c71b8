/*
 * producer_ids.c - the node's block of producer ids: one shared word
 *
 * The word holds the next id plus one; 0 means that there is none. A block begins at a multiple of
 * its size, so the id says where it ends. Crash rule: one word changed by CAS; a taken id that its
 * backend never answered with is lost, which is harmless.
 *
 * Runs in: backend.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/backend/producer_ids.h"

#include "ottla/common/assert.h"
#include "ottla/ipc/atomics.h"

static AtomicU64 *next_id;

size_t
producer_ids_shm_size(const ShmLimits *limits)
{
    (void)limits; /* one word whatever they are */
    return sizeof *next_id;
}

void
producer_ids_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    next_id = base;
}

/* The word after an id was taken. */
static uint64_t
word_after(uint64_t id)
{
    return (id + 1) % PRODUCER_ID_BLOCK == 0 ? 0 : id + 2;
}

bool
producer_ids_take(int64_t *ret)
{
    uint64_t word = atomic_u64_load(next_id);

    while (word != 0) {
        if (atomic_u64_cas(next_id, &word, word_after(word - 1))) {
            *ret = (int64_t)(word - 1);
            return true;
        }
    }
    return false;
}

int64_t
producer_ids_refill(int64_t first)
{
    uint64_t none = 0;

    ot_assert(first >= 0);
    ot_assert(first % PRODUCER_ID_BLOCK == 0);
    (void)atomic_u64_cas(next_id, &none, word_after((uint64_t)first)); /* not 0: see the contract */
    return first;
}
