/*
 * quota_table.c - what has been used of quotas, for all backends of the node
 *
 * Region quota_usage: buckets found by hash, PROBES places for each account. A place is given to another
 * account by one CAS of its name, when none of its samples counts any more, so that nothing needs to be
 * cleared: the numbers of their windows tell old samples from new ones.
 *
 * Crash rule: single words. Who dies between naming a bucket and adding leaves an empty one. Who is
 * stopped in between for longer than all windows adds its own amount to a stranger's bucket. Two
 * that name a bucket for the same account at once may make two of it: the first in order is found from
 * then on, the other falls out.
 *
 * Runs in: backend.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/backend/quota_table.h"

#include "backend/quota_table_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/hash.h"
#include "ottla/common/random.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/counters.h"

#define PROBES           16
#define BUCKETS_MIN      1024
#define BUCKETS_PER_SLOT 4 /* each connection may use three accounts of its own */

struct QuotaBucket {
    alignas(CACHE_LINE_BYTES) AtomicU64 account; /* 0: never used */
    AtomicI64 used_us;                           /* when somebody last added */
    AtomicU64 samples[RATE_SAMPLES];
};

typedef struct QuotaUsage {
    uint64_t seed; /* of hashes: nobody outside can aim at a place */
    uint64_t mask;
    QuotaBucket buckets[];
} QuotaUsage;

static QuotaUsage *usage;

static uint64_t
bucket_count(const ShmLimits *limits)
{
    uint64_t count = BUCKETS_MIN;

    while (count < (uint64_t)limits->backend_slots * BUCKETS_PER_SLOT)
        count *= 2;
    return count;
}

size_t
quota_usage_shm_size(const ShmLimits *limits)
{
    return sizeof(QuotaUsage) + bucket_count(limits) * sizeof(QuotaBucket);
}

void
quota_usage_shm_init(void *base, const ShmLimits *limits)
{
    usage = base;
    random_bytes(&usage->seed, sizeof usage->seed);
    usage->mask = bucket_count(limits) - 1;
}

uint64_t
quota_account(uint32_t key, StrView first, StrView second)
{
    uint64_t h = hash_u64(usage->seed ^ (key + 1));

    /* Null and "" differ: what does not count is not a name. */
    h = hash_str(first, hash_u64(h + (first.ptr != NULL)));
    h = hash_str(second, hash_u64(h + (second.ptr != NULL)));
    return h == 0 ? 1 : h;
}

/* No sample of it counts any more. */
static bool
is_stale(const QuotaBucket *bucket, const RateSpans *spans, int64_t now_us)
{
    return now_us - atomic_i64_load_relaxed(&bucket->used_us) >
           (spans->windows + 1) * spans->window_us;
}

static QuotaBucket *
look(uint64_t account, const RateSpans *spans, int64_t now_us, QuotaBucket **ret_free)
{
    *ret_free = NULL;
    for (uint64_t i = 0; i < PROBES; i++) {
        QuotaBucket *bucket = &usage->buckets[(account + i) & usage->mask];
        uint64_t name = atomic_u64_load(&bucket->account);

        if (name == account)
            return bucket;
        if (*ret_free == NULL && (name == 0 || is_stale(bucket, spans, now_us)))
            *ret_free = bucket;
    }
    return NULL;
}

QuotaBucket *
quota_bucket_find(uint64_t account, const RateSpans *spans, int64_t now_us)
{
    ot_assert(account != 0);
    for (int tries = 0; tries < PROBES; tries++) {
        QuotaBucket *free_one;
        QuotaBucket *found = look(account, spans, now_us, &free_one);
        uint64_t name;

        if (found != NULL)
            return found;
        if (free_one == NULL)
            break;
        name = atomic_u64_load(&free_one->account);
        if (name == account)
            return free_one;
        if (name != 0 && !is_stale(free_one, spans, now_us))
            continue;                                         /* somebody was quicker */
        atomic_i64_store_relaxed(&free_one->used_us, now_us); /* before anybody else thinks so */
        if (atomic_u64_cas(&free_one->account, &name, account))
            return free_one;
    }
    stat_add(STAT_QUOTA_TABLE_FULL, 1);
    return NULL;
}

void
quota_bucket_add(QuotaBucket *bucket, const RateSpans *spans, int64_t amount, int64_t now_us)
{
    uint64_t window = rate_window(spans, now_us);
    AtomicU64 *sample = &bucket->samples[rate_index(window)];
    uint64_t word = atomic_u64_load(sample);

    do {
        if (amount < 0 && !rate_word_is_of(word, window))
            return; /* what was added has fallen out */
    } while (!atomic_u64_cas(sample, &word, rate_word_add(word, window, amount)));
    if (amount > 0)
        atomic_i64_store_relaxed(&bucket->used_us, now_us);
}

RateSum
quota_bucket_sum(const QuotaBucket *bucket, const RateSpans *spans, int64_t now_us)
{
    uint64_t copy[RATE_SAMPLES];

    for (int i = 0; i < RATE_SAMPLES; i++)
        copy[i] = atomic_u64_load_relaxed(&bucket->samples[i]);
    return rate_sum(copy, spans, now_us);
}
