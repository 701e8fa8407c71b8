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

typedef struct ApiStripe {
    AtomicU64 requests;
    AtomicU64 errors;
    AtomicU64 total_us;
    AtomicU64 buckets[STAT_BUCKETS];
} ApiStripe;

typedef struct Stripe {
    alignas(CACHE_LINE_BYTES) AtomicU64 counters[STAT_COUNT];
    ApiStripe apis[STAT_API_MAX];
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

static int
api_row(int16_t api_key)
{
    return api_key >= 0 && api_key < STAT_API_MAX - 1 ? api_key : STAT_API_MAX - 1;
}

static int
bucket_of(int64_t duration_us)
{
    int bucket;

    if (duration_us <= 0)
        return 0;
    bucket = 64 - __builtin_clzll((unsigned long long)duration_us);
    return bucket < STAT_BUCKETS ? bucket : STAT_BUCKETS - 1;
}

void
stat_api_add(int16_t api_key, int64_t duration_us, bool error)
{
    ApiStripe *row;

    if (stripes == NULL)
        return;
    row = &my_stripe()->apis[api_row(api_key)];
    atomic_u64_count(&row->requests, 1);
    if (error)
        atomic_u64_count(&row->errors, 1);
    atomic_u64_count(&row->total_us, duration_us > 0 ? (uint64_t)duration_us : 0);
    atomic_u64_count(&row->buckets[bucket_of(duration_us)], 1);
}

void
stat_api_sum(int16_t api_key, StatApi *ret)
{
    StatApi sum = {0};

    for (int i = 0; stripes != NULL && i < STAT_STRIPES; i++) {
        const ApiStripe *row = &stripes[i].apis[api_row(api_key)];

        sum.requests += atomic_u64_load_relaxed(&row->requests);
        sum.errors += atomic_u64_load_relaxed(&row->errors);
        sum.total_us += atomic_u64_load_relaxed(&row->total_us);
        for (int b = 0; b < STAT_BUCKETS; b++)
            sum.buckets[b] += atomic_u64_load_relaxed(&row->buckets[b]);
    }
    *ret = sum;
}
