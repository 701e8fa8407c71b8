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
#include "ottla/common/own_page.h"
#include "ottla/ipc/slot.h"

typedef struct Stripe {
    alignas(CACHE_LINE_BYTES) AtomicU64 counters[STAT_COUNT];
} Stripe;

static Stripe *stripes;
static AtomicU64 nowhere[STAT_COUNT];

AtomicU64 *stat_mine OWN_PAGE = nowhere;

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
    stats_claim(SLOT_NONE);
}

/* The supervisor and others without a slot share the last stripe. */
void
stats_claim(int32_t slot)
{
    stat_mine = stripes == NULL ? nowhere : stripes[(uint32_t)slot % STAT_STRIPES].counters;
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
