/*
 * mutation_quota.c - tokens of who makes and deletes partitions
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/mutation_quota.h"

#include "ottla/common/assert.h"
#include "ottla/common/hash.h"
#include "ottla/protocol/apis.h"

static uint64_t
account_hash(const MutationQuotas *quotas, const MutationAccount *account)
{
    uint64_t h = hash_u64(quotas->seed + 1);

    /* Null and "" differ. */
    h = hash_str(account->user, hash_u64(h + (account->user.ptr != NULL)));
    h = hash_str(account->client_id, hash_u64(h + (account->client_id.ptr != NULL)));
    return h == 0 ? 1 : h;
}

/* As good as a new one. */
static bool
is_full(const MutationBucket *bucket, const RateSpans *spans, int64_t now_us)
{
    TokenBucket copy = bucket->tokens;
    TokenBucket full = {0};

    token_bucket_refill(&copy, spans, bucket->limit, now_us);
    token_bucket_refill(&full, spans, bucket->limit, now_us);
    return copy.tokens >= full.tokens;
}

static MutationBucket *
find_bucket(MutationQuotas *quotas, uint64_t account, const RateSpans *spans, int64_t now_us)
{
    MutationBucket *free_one = NULL;

    for (uint64_t i = 0; i < MUTATION_PROBES; i++) {
        MutationBucket *bucket = &quotas->buckets[(account + i) % MUTATION_BUCKETS];

        if (bucket->account == account)
            return bucket;
        if (free_one == NULL && (bucket->account == 0 || is_full(bucket, spans, now_us)))
            free_one = bucket;
    }
    if (free_one != NULL)
        *free_one = (MutationBucket){.account = account};
    return free_one;
}

void
mutation_meter_open(MutationQuotas *quotas, const MutationAccount *account, const RateSpans *spans,
                    int64_t now_us, MutationMeter *meter)
{
    ot_assert(meter->limit > 0);
    meter->bucket = find_bucket(quotas, account_hash(quotas, account), spans, now_us);
    if (meter->bucket == NULL)
        return;
    meter->bucket->limit = meter->limit;
    token_bucket_refill(&meter->bucket->tokens, spans, meter->limit, now_us);
}

bool
mutation_charge(MutationMeter *meter, int64_t partitions)
{
    bool allowed;

    if (meter == NULL || meter->bucket == NULL)
        return true;
    allowed = !meter->strict || meter->bucket->tokens.tokens >= 0;
    if (allowed) {
        meter->bucket->tokens.tokens -= (double)partitions;
        meter->taken += partitions;
    }
    if (!allowed || !meter->strict)
        meter->throttle_ms = token_bucket_throttle_ms(&meter->bucket->tokens, meter->limit);
    return allowed;
}

bool
mutation_is_strict(int16_t api_key, int16_t api_version)
{
    switch (api_key) {
    case API_CreateTopics:
        return api_version >= 6;
    case API_DeleteTopics:
        return api_version >= 5;
    case API_CreatePartitions:
        return api_version >= 3;
    default:
        return true; /* no other makes partitions */
    }
}
