/*
 * hdr.h - a histogram of times with three significant digits, whatever their size
 *
 * Log-linear: values up to 2047 have a bucket each; from there on each doubling is cut into 1024. So a percentile is at most
 * one part in a thousand above the value it stands for, from one microsecond to more than an hour.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_HDR_H
#define OTTLA_COMMON_HDR_H

#include <stdint.h>

#define HDR_HALF_BITS 10
#define HDR_HALF      (1 << HDR_HALF_BITS)
#define HDR_VALUE_MAX ((INT64_C(1) << 42) - 1) /* larger ones count as that */
#define HDR_BUCKETS   ((42 - HDR_HALF_BITS + 1) * HDR_HALF)

/* All zero is empty. 264 KiB. */
typedef struct Hdr {
    uint64_t buckets[HDR_BUCKETS];
    uint64_t count;
    int64_t sum;
    int64_t min; /* of nothing: 0 */
    int64_t max;
} Hdr;

/* Adds a value; negative ones count as 0. */
void hdr_add(Hdr *h, int64_t value);

/* Adds what another one holds. */
void hdr_merge(Hdr *h, const Hdr *other);

/*
 * The value that so many of a million do not exceed: 990000 is the 99th percentile. The largest value of its
 * bucket, never above max; 0 when the histogram is empty.
 */
int64_t hdr_percentile(const Hdr *h, int32_t per_million);

#endif
