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
 * then on, the other falls out. Whose account it is, is noted behind the naming, for people alone, and counts while its check
 * is that of the account and of the bytes that are there: half a note, one of the owner before, or one that two wrote at once
 * is none.
 *
 * Runs in: backend; controller, for mutations; exporter, which shows it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/quota_table.h"

#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/conf.h"
#include "ottla/common/hash.h"
#include "ottla/common/random.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/counters.h"

#define PROBES           16
#define BUCKETS_MIN      1024
#define BUCKETS_PER_SLOT 4 /* each connection may use three accounts of its own */

/* Whose account it is, as it lies in shared memory: copied by words. */
typedef struct OwnerNote {
    uint32_t key;
    int16_t len[2]; /* of the names; -1: null */
    char text[2 * (QUOTA_SHOWN_NAME_MAX + 1)];
} OwnerNote;

#define NOTE_WORDS (sizeof(OwnerNote) / 8)

static_assert(sizeof(OwnerNote) % 8 == 0, "copied by words");

struct QuotaBucket {
    alignas(CACHE_LINE_BYTES) AtomicU64 account; /* 0: never used */
    AtomicI64 used_us;                           /* when somebody last added */
    AtomicU64 samples[RATE_SAMPLES];
    AtomicU64 note_check; /* of account and note */
    /* Tokens: doubles, but for the moment (monotonic) at which there are as many as there may be. rate 0: it has none. */
    AtomicU64 tokens_most, tokens_rate;
    AtomicI64 tokens_full_us;
    AtomicU64 note[NOTE_WORDS];
};

typedef struct QuotaUsage {
    uint64_t seed; /* of hashes: nobody outside can aim at a place */
    uint64_t mask;
    AtomicU32 is_used; /* else there is nothing to look at, and looking would cost all its pages */
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

RateSpans
quota_spans(void)
{
    return rate_spans(conf_int32(CONF_QUOTA_WINDOW_NUM),
                      conf_int32(CONF_QUOTA_WINDOW_SIZE_SECONDS));
}

bool
quota_table_is_here(void)
{
    return usage != NULL;
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
quota_bucket_find(uint64_t account, const RateSpans *spans, int64_t now_us, bool *ret_new)
{
    ot_assert(account != 0);
    *ret_new = false;
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
        if (atomic_u64_cas(&free_one->account, &name, account)) {
            *ret_new = true;
            return free_one;
        }
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

/* ---- tokens ------------------------------------------------------------------------------------- */

#define TOKENS_FULL_MAX_US (INT64_C(1) << 52) /* a century, which a double counts in microseconds */
#define TOKENS_MOST        1e12               /* who may take more has no limit worth telling */

static uint64_t
bits_of(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double
number_of(uint64_t bits)
{
    double number;

    memcpy(&number, &bits, sizeof number);
    return number;
}

void
quota_bucket_note_tokens(QuotaBucket *bucket, const TokenBucket *tokens, const RateSpans *spans,
                         double limit)
{
    double most = limit * spans->windows * (double)spans->window_us / 1e6;
    double us = (most - tokens->tokens) / limit * 1e6;
    int64_t full_us =
        us < (double)TOKENS_FULL_MAX_US ? tokens->at_us + (int64_t)us : TOKENS_FULL_MAX_US;

    if (!(most <= TOKENS_MOST))
        limit = 0;
    atomic_u64_store_relaxed(&bucket->tokens_most, bits_of(most));
    atomic_i64_store_relaxed(&bucket->tokens_full_us, full_us);
    atomic_u64_store_relaxed(&bucket->tokens_rate, bits_of(limit));
}

static void
show_tokens(const QuotaBucket *bucket, int64_t now_us, QuotaShown *ret)
{
    int64_t full_us = atomic_i64_load_relaxed(&bucket->tokens_full_us);
    double most = number_of(atomic_u64_load_relaxed(&bucket->tokens_most));

    ret->token_rate = number_of(atomic_u64_load_relaxed(&bucket->tokens_rate));
    ret->has_tokens = ret->token_rate > 0;
    if (!ret->has_tokens)
        return;
    if (full_us > now_us)
        ret->missing = (double)(full_us - now_us) * ret->token_rate / 1e6;
    ret->tokens = most - ret->missing;
    if (ret->tokens < -TOKENS_MOST)
        ret->tokens = -TOKENS_MOST; /* of words that do not belong together */
}

/* ---- whose it is -------------------------------------------------------------------------------- */

static uint64_t
check_of(uint64_t account, const OwnerNote *note)
{
    uint64_t h = hash_str((StrView){(const char *)note, sizeof *note}, hash_u64(account));

    return h == 0 ? 1 : h;
}

/* A name that is cut has the length that it had before, as far as the number goes. */
static void
put_name(OwnerNote *note, int which, StrView name)
{
    int32_t kept = name.len < QUOTA_SHOWN_NAME_MAX ? name.len : QUOTA_SHOWN_NAME_MAX;

    note->len[which] = (int16_t)(name.ptr == NULL                  ? -1
                                 : name.len > QUOTA_SHOWN_NAME_MAX ? QUOTA_SHOWN_NAME_MAX + 1
                                                                   : name.len);
    if (name.ptr != NULL && kept > 0)
        memcpy(&note->text[which * (QUOTA_SHOWN_NAME_MAX + 1)], name.ptr, (size_t)kept);
}

void
quota_bucket_note_owner(QuotaBucket *bucket, const QuotaOwner *owner)
{
    OwnerNote note = {.key = owner->key};
    uint64_t words[NOTE_WORDS];

    put_name(&note, 0, owner->first);
    put_name(&note, 1, owner->second);
    atomic_u64_store_relaxed(&bucket->tokens_rate, 0);
    memcpy(words, &note, sizeof words);
    for (size_t i = 0; i < NOTE_WORDS; i++)
        atomic_u64_store_relaxed(&bucket->note[i], words[i]);
    atomic_u64_store(&bucket->note_check,
                     check_of(quota_account(owner->key, owner->first, owner->second), &note));
    atomic_u32_store(&usage->is_used, 1);
}

int64_t
quota_bucket_count(void)
{
    return atomic_u32_load(&usage->is_used) == 0 ? 0 : (int64_t)usage->mask + 1;
}

static StrView
shown_name(const OwnerNote *note, int which, QuotaShown *ret)
{
    int32_t len = note->len[which];
    char *at = &ret->text[which * (QUOTA_SHOWN_NAME_MAX + 1)];

    if (len < 0)
        return (StrView){NULL, 0};
    ret->cut |= len > QUOTA_SHOWN_NAME_MAX;
    return (StrView){at, len < QUOTA_SHOWN_NAME_MAX ? len : QUOTA_SHOWN_NAME_MAX};
}

bool
quota_bucket_show(int64_t index, const RateSpans *spans, int64_t now_us, QuotaShown *ret)
{
    const QuotaBucket *bucket = &usage->buckets[index];
    uint64_t account = atomic_u64_load(&bucket->account);
    uint64_t words[NOTE_WORDS], samples[RATE_SAMPLES];
    QuotaBucket *free_one;
    OwnerNote note;

    if (account == 0 || look(account, spans, now_us, &free_one) != bucket)
        return false;
    for (size_t i = 0; i < NOTE_WORDS; i++)
        words[i] = atomic_u64_load_relaxed(&bucket->note[i]);
    memcpy(&note, words, sizeof note);
    if (atomic_u64_load(&bucket->note_check) != check_of(account, &note))
        return false;
    *ret = (QuotaShown){0};
    memcpy(ret->text, note.text, sizeof ret->text);
    ret->owner.key = note.key;
    ret->owner.first = shown_name(&note, 0, ret);
    ret->owner.second = shown_name(&note, 1, ret);
    for (int i = 0; i < RATE_SAMPLES; i++)
        samples[i] = atomic_u64_load_relaxed(&bucket->samples[i]);
    ret->sum = rate_sum(samples, spans, now_us);
    ret->samples = rate_sample_count(samples, spans, now_us);
    show_tokens(bucket, now_us, ret);
    return true;
}
