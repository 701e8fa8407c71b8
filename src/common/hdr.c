/*
 * hdr.c - a histogram of times with three significant digits, whatever their size
 *
 * Runs in: ottla-bench; tests.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/hdr.h"

#include "ottla/common/assert.h"

/* Shift of a value's doubling: 0 for those below 2 * HDR_HALF. */
static int
shift_of(int64_t value)
{
    int bits = 64 - __builtin_clzll((unsigned long long)value | 1);

    return bits > HDR_HALF_BITS + 1 ? bits - HDR_HALF_BITS - 1 : 0;
}

/* Buckets of a doubling follow those of the one before; of each the upper half of its values exists. */
static int32_t
bucket_of(int64_t value)
{
    int shift = shift_of(value);

    return shift * HDR_HALF + (int32_t)(value >> shift);
}

/* The largest value of a bucket. */
static int64_t
top_of(int32_t bucket)
{
    int shift = bucket < 2 * HDR_HALF ? 0 : bucket / HDR_HALF - 1;
    int64_t within = bucket - shift * HDR_HALF;

    return ((within + 1) << shift) - 1;
}

void
hdr_add(Hdr *h, int64_t value)
{
    if (value < 0)
        value = 0;
    if (value > HDR_VALUE_MAX)
        value = HDR_VALUE_MAX;
    h->min = h->count == 0 || value < h->min ? value : h->min;
    h->max = value > h->max ? value : h->max;
    h->buckets[bucket_of(value)]++;
    h->count++;
    h->sum += value;
}

void
hdr_merge(Hdr *h, const Hdr *other)
{
    if (other->count == 0)
        return;
    h->min = h->count == 0 || other->min < h->min ? other->min : h->min;
    h->max = other->max > h->max ? other->max : h->max;
    for (int32_t i = 0; i < HDR_BUCKETS; i++)
        h->buckets[i] += other->buckets[i];
    h->count += other->count;
    h->sum += other->sum;
}

int64_t
hdr_percentile(const Hdr *h, int32_t per_million)
{
    unsigned __int128 wanted;
    uint64_t rank, seen = 0;

    ot_assert(per_million >= 0 && per_million <= 1000000);
    if (h->count == 0)
        return 0;
    wanted = (unsigned __int128)h->count * (uint32_t)per_million;
    rank = (uint64_t)((wanted + 999999) / 1000000); /* rounded up; the first at least */
    if (rank == 0)
        rank = 1;
    for (int32_t i = 0; i < HDR_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= rank)
            return top_of(i) < h->max ? top_of(i) : h->max;
    }
    return h->max;
}
