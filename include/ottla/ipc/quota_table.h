/*
 * quota_table.h - what has been used of quotas, for all backends of the node
 *
 * An account is who shares a pot, as a 64-bit hash of quota key and entity; a bucket holds its samples,
 * one word each (common/rate.h). Nothing is locked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_QUOTA_TABLE_H
#define OTTLA_IPC_QUOTA_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/rate.h"
#include "ottla/common/view.h"
#include "ottla/ipc/region.h"

#define QUOTA_US_PER_PERCENT \
    10000 /* CPU time is counted in microseconds, its quota is per cent of a second */

typedef struct QuotaBucket QuotaBucket;

size_t quota_usage_shm_size(const ShmLimits *limits);
void quota_usage_shm_init(void *base, const ShmLimits *limits);

/* Windows of client quotas, by the settings of now. */
RateSpans quota_spans(void);

/* False: there is no table, in a unit test. */
bool quota_table_is_here(void);

/* Of a quota's number and up to two names, null for what does not count. Never 0. */
uint64_t quota_account(uint32_t key, StrView first, StrView second);

/* Whose account it is, for people: names longer than that are cut. Null does not count for the account. */
#define QUOTA_SHOWN_NAME_MAX 127

typedef struct QuotaOwner {
    uint32_t key;
    StrView first;
    StrView second;
} QuotaOwner;

/*
 * The bucket of an account, a fresh one if there is none: *ret_new, and its owner is to be noted. NULL: all places for it are
 * taken by accounts in use: nothing is measured then (a client that invents names escapes, and hurts nobody else).
 */
QuotaBucket *quota_bucket_find(uint64_t account, const RateSpans *spans, int64_t now_us,
                               bool *ret_new);

void quota_bucket_note_owner(QuotaBucket *bucket, const QuotaOwner *owner);

/* Adds an amount to the sample of now; below 0: takes back what was added in the same window. */
void quota_bucket_add(QuotaBucket *bucket, const RateSpans *spans, int64_t amount, int64_t now_us);

/*
 * Of an account that has tokens (the controller's buckets, which nobody else sees): how many there are, and at which rate they
 * come back, so that others can tell how many there are at any later time. By the process alone that has them. Readers that
 * come between two of its words are told a number of no moment, once.
 */
void quota_bucket_note_tokens(QuotaBucket *bucket, const TokenBucket *tokens,
                              const RateSpans *spans, double limit);

/* All samples that count now. */
RateSum quota_bucket_sum(const QuotaBucket *bucket, const RateSpans *spans, int64_t now_us);

/* A bucket as it is shown. */
typedef struct QuotaShown {
    QuotaOwner owner; /* views into text */
    bool cut;         /* a name is longer than what is shown of it */
    RateSum sum;      /* total 0, and nothing missing: nothing counts any more */
    int32_t samples;  /* windows in which something was counted */
    bool has_tokens;
    double tokens;     /* left now; below 0: owed */
    double missing;    /* until there are as many as there may be */
    double token_rate; /* that come back a second */
    char text[2 * (QUOTA_SHOWN_NAME_MAX + 1)];
} QuotaShown;

/*
 * Buckets there are, used or not (0: none was ever), and one of them. False: it is not used, changes its owner, or another is
 * found for its account, so that no account is shown twice.
 */
int64_t quota_bucket_count(void);
bool quota_bucket_show(int64_t index, const RateSpans *spans, int64_t now_us, QuotaShown *ret);

#endif
