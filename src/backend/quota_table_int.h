/*
 * quota_table_int.h - what has been used of quotas, for all backends of the node
 *
 * An account is who shares a pot, as a 64-bit hash of quota key and entity; a bucket holds its samples,
 * one word each (common/rate.h). Nothing is locked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_QUOTA_TABLE_INT_H
#define OTTLA_BACKEND_QUOTA_TABLE_INT_H

#include <stdint.h>

#include "ottla/common/rate.h"
#include "ottla/common/view.h"

typedef struct QuotaBucket QuotaBucket;

/* Of a quota's number and up to two names, null for what does not count. Never 0. */
uint64_t quota_account(uint32_t key, StrView first, StrView second);

/*
 * The bucket of an account, a fresh one if there is none. NULL: all places for it are taken by accounts
 * in use: nothing is measured then (a client that invents names escapes, and hurts nobody else).
 */
QuotaBucket *quota_bucket_find(uint64_t account, const RateSpans *spans, int64_t now_us);

/* Adds an amount to the sample of now; below 0: takes back what was added in the same window. */
void quota_bucket_add(QuotaBucket *bucket, const RateSpans *spans, int64_t amount, int64_t now_us);

/* All samples that count now. */
RateSum quota_bucket_sum(const QuotaBucket *bucket, const RateSpans *spans, int64_t now_us);

#endif
