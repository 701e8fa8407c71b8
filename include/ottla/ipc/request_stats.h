/*
 * request_stats.h - how often each version of each API was asked, and how long it took
 *
 * A row per API and version that was ever asked, given away at the first request; each of 64 stripes has all
 * rows (counters.h says why). A request costs three additions: its time, its place in the histogram, its
 * bytes. Errors are
 * counted node-wide, by API and code: they are rare. The whole of a time is that from the last byte of the request to the
 * last byte of its answer. Nothing is reset while the node runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_REQUEST_STATS_H
#define OTTLA_IPC_REQUEST_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/ipc/atomics.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/region.h"

#define REQUEST_STATS_ROWS \
    384 /* APIs and versions; the last takes all for which there is no other */
#define REQUEST_STATS_BUCKETS \
    32 /* bucket b holds [2^(b-1), 2^b) us, bucket 0 what took less than 1 */
#define REQUEST_STATS_APIS  256 /* that errors are told apart for */
#define REQUEST_STATS_CODES 160 /* error codes -1 ... 158 */

/* A line of counters of one stripe. */
typedef struct RequestRow {
    AtomicU64 total_us;
    AtomicU64 bytes; /* of requests */
    AtomicU64 failed;
    AtomicU64 queue_us;
    AtomicU64 remote_us;
    AtomicU64 throttle_ms;
    AtomicU64 buckets[REQUEST_STATS_BUCKETS];
} RequestRow;

/* A request that is over. */
typedef struct RequestTimes {
    int64_t queue_us;  /* of the whole, before it was begun */
    int64_t remote_us; /* waiting for others: replicas, workers, records to come */
    int32_t throttle_ms;
    bool failed; /* its answer held an error */
} RequestTimes;

/*
 * Where this process counts requests of this API and version: the same as long as it has its slot, so that who asks for one
 * thing again and again looks once. Never NULL; without a region (unit tests) a row that nobody reads.
 */
RequestRow *request_stats_row(int16_t api_key, int16_t api_version);

/* What few requests have: all parts of the time but the whole. */
void request_stats_add_parts(RequestRow *row, const RequestTimes *times);

/*
 * The whole time of a request, not below 0, and the bytes of its frame: all there is to say of one that waited for nothing
 * and did not fail.
 */
static inline void
request_stats_add(RequestRow *row, int64_t total_us, int32_t bytes)
{
    atomic_u64_count(&row->buckets[stat_bucket(total_us, REQUEST_STATS_BUCKETS)], 1);
    atomic_u64_count(&row->total_us, (uint64_t)total_us);
    atomic_u64_count(&row->bytes, (uint64_t)bytes);
}

/* Answers to this API held this error once more; 0 is none. */
void request_stats_error(int16_t api_key, int16_t code, uint64_t count);

typedef struct RequestStats {
    int16_t api_key; /* -1: what has no row of its own */
    int16_t api_version;
    uint64_t count;
    uint64_t failed;
    uint64_t total_us, queue_us, remote_us, throttle_ms;
    uint64_t bytes;
    uint64_t buckets[REQUEST_STATS_BUCKETS];
} RequestStats;

/* The sum of all stripes; row in [0, REQUEST_STATS_ROWS). False: nobody asked for what it would count. */
bool request_stats_read(int32_t row, RequestStats *ret);

/* All versions of an API together. */
void request_stats_api(int16_t api_key, RequestStats *ret);

/* Errors of an API with this code, in all its versions. */
uint64_t request_stats_errors(int16_t api_key, int16_t code);

/*
 * The time that a share of the requests did not exceed, in microseconds: exact to the bucket, in which the times are
 * taken to be spread evenly. 0: there was none. Pure.
 */
double request_stats_quantile(const RequestStats *stats, double share);

size_t request_stats_shm_size(const ShmLimits *limits);
void request_stats_shm_init(void *base, const ShmLimits *limits);

#endif
