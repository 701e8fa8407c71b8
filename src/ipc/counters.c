/*
 * counters.c - statistics of the node in 64 stripes
 *
 * Runs in: every process.
 * Crash argument: single words, added to; a death loses the addition it was about to make.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/counters.h"

#include "ottla/common/assert.h"
#include "ottla/ipc/slot.h"

typedef struct Stripe {
    alignas(CACHE_LINE_BYTES) AtomicU64 counters[STAT_COUNT];
} Stripe;

static Stripe *stripes;

static const char *const names[STAT_COUNT] = {
#define STAT_NAME(constant, name) [constant] = name,
    STAT_ROWS(STAT_NAME)
#undef STAT_NAME
};

size_t
stats_shm_size(const ShmLimits *limits)
{
    (void)limits; /* the same for every node */
    return STAT_STRIPES * sizeof(Stripe);
}

void
stats_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    stripes = base;
}

/* The supervisor and others without a slot share the last stripe. */
static Stripe *
my_stripe(void)
{
    return &stripes[(uint32_t)my_slot_index % STAT_STRIPES];
}

void
stat_add(Stat stat, uint64_t amount)
{
    ot_assert(stat < STAT_COUNT);
    if (stripes != NULL)
        atomic_u64_count(&my_stripe()->counters[stat], amount);
}

uint64_t
stat_sum(Stat stat)
{
    uint64_t sum = 0;

    ot_assert(stat < STAT_COUNT);
    for (int i = 0; stripes != NULL && i < STAT_STRIPES; i++)
        sum += atomic_u64_load_relaxed(&stripes[i].counters[stat]);
    return sum;
}

const char *
stat_name(Stat stat)
{
    ot_assert(stat < STAT_COUNT);
    return names[stat];
}
