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

/* Without stripes: few add to it, and rarely. */
typedef struct SharedTimes {
    alignas(CACHE_LINE_BYTES) AtomicU64 total_us;
    AtomicU64 buckets[STAT_TIME_BUCKETS];
} SharedTimes;

typedef struct SharedStats {
    Stripe stripes[STAT_STRIPES];
    SharedTimes times[STAT_TIME_COUNT];
} SharedStats;

static Stripe *stripes;
static AtomicU64 nowhere[STAT_COUNT];
static SharedTimes times_nowhere[STAT_TIME_COUNT];
static SharedTimes *times = times_nowhere;

AtomicU64 *stat_mine OWN_PAGE = nowhere;

size_t
stats_shm_size(const ShmLimits *limits)
{
    (void)limits; /* the same for every node */
    return sizeof(SharedStats);
}

void
stats_shm_init(void *base, const ShmLimits *limits)
{
    SharedStats *shared = base;

    (void)limits;
    stripes = shared->stripes;
    times = shared->times;
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

void
stat_add_time(StatTime which, int64_t us)
{
    ot_assert(which < STAT_TIME_COUNT);
    us = us < 0 ? 0 : us;
    atomic_u64_count(&times[which].buckets[stat_bucket(us, STAT_TIME_BUCKETS)], 1);
    atomic_u64_count(&times[which].total_us, (uint64_t)us);
}

StatTimes
stat_times(StatTime which)
{
    StatTimes ret = {0};

    ot_assert(which < STAT_TIME_COUNT);
    ret.total_us = atomic_u64_load_relaxed(&times[which].total_us);
    for (int b = 0; b < STAT_TIME_BUCKETS; b++)
        ret.buckets[b] = atomic_u64_load_relaxed(&times[which].buckets[b]);
    return ret;
}
