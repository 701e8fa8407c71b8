/*
 * request_stats.c - how often each version of each API was asked, and how long it took
 *
 * Runs in: backend (adds), everybody (reads).
 * Crash argument: single words, added to; a death loses the additions it was about to make, so that the histogram
 * and the times of a row may differ by a request for each. A death between taking a row and naming it wastes the row.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/request_stats.h"

#include "ottla/common/assert.h"
#include "ottla/ipc/slot.h"

#define KEYS      512 /* buckets of the table below: twice as many as there are APIs and versions */
#define OTHER_ROW (REQUEST_STATS_ROWS - 1)

typedef struct RequestStripe {
    alignas(CACHE_LINE_BYTES) RequestRow rows[REQUEST_STATS_ROWS];
} RequestStripe;

/*
 * Which row counts for whom. row_of is hashed by API and version: a word is 0, or (key + 1) << 16 | row + 1, stored
 * once by CAS, so that a process finds what another has given away; named says the same by row.
 */
typedef struct RequestRows {
    alignas(CACHE_LINE_BYTES) AtomicU64 row_of[KEYS];
    AtomicU32 next;                      /* row to give away */
    AtomicU32 named[REQUEST_STATS_ROWS]; /* key + 1; 0: nobody's */
    AtomicU64 errors[REQUEST_STATS_APIS][REQUEST_STATS_CODES];
    RequestStripe stripes[STAT_STRIPES];
} RequestRows;

static RequestRows *rows;

static RequestRow nowhere;

size_t
request_stats_shm_size(const ShmLimits *limits)
{
    (void)limits; /* the same for every node */
    return sizeof(RequestRows);
}

void
request_stats_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    rows = base;
}

/* API and version as one number above 0. */
static uint32_t
key_of(int16_t api_key, int16_t api_version)
{
    return ((uint32_t)(uint16_t)api_key << 16 | (uint16_t)api_version) + 1;
}

static uint32_t
hash_of(uint32_t key)
{
    return key * 2654435761u >> 23;
}

static_assert(KEYS == 1 << (32 - 23), "the hash has that many values");

/* Gives away a row. */
static int32_t
new_row(uint32_t key)
{
    uint32_t row = atomic_u32_add(&rows->next, 1);

    if (row >= OTHER_ROW) {
        atomic_u32_store(&rows->next, OTHER_ROW); /* it never wraps */
        return OTHER_ROW;
    }
    atomic_u32_store(&rows->named[row], key);
    return (int32_t)row;
}

/* Looks from its place in the table on; rows that run out, and a full table, share the last row. */
static int32_t
find_row(uint32_t key)
{
    for (uint32_t i = 0, at = hash_of(key); i < KEYS; i++, at = (at + 1) % KEYS) {
        uint64_t word = atomic_u64_load(&rows->row_of[at]);

        if (word == 0) {
            uint64_t mine = (uint64_t)key << 16 | (uint64_t)(new_row(key) + 1);

            if (atomic_u64_cas(&rows->row_of[at], &word, mine))
                word = mine;
        }
        if (word >> 16 == key)
            return (int32_t)(word & 0xffff) - 1;
    }
    return OTHER_ROW;
}

static void
add_time(AtomicU64 *counter, int64_t amount)
{
    if (amount > 0)
        atomic_u64_count(counter, (uint64_t)amount);
}

RequestRow *
request_stats_row(int16_t api_key, int16_t api_version)
{
    if (rows == NULL)
        return &nowhere;
    return &rows->stripes[(uint32_t)my_slot_index % STAT_STRIPES]
                .rows[find_row(key_of(api_key, api_version))];
}

void
request_stats_add_parts(RequestRow *row, const RequestTimes *times)
{
    add_time(&row->queue_us, times->queue_us);
    add_time(&row->remote_us, times->remote_us);
    add_time(&row->throttle_ms, times->throttle_ms);
    add_time(&row->failed, times->failed);
}

/* Kafka's keys have a row each, ours, which are far above, share the last. */
static uint32_t
error_row(int16_t api_key)
{
    uint32_t key = (uint16_t)api_key;

    return key < REQUEST_STATS_APIS - 16 ? key : REQUEST_STATS_APIS - 16 + key % 16;
}

static uint32_t
error_place(int16_t code)
{
    uint32_t place = (uint32_t)(code + 1);

    return place < REQUEST_STATS_CODES ? place : 0; /* unknown ones: as -1 */
}

void
request_stats_error(int16_t api_key, int16_t code, uint64_t count)
{
    if (rows != NULL && code != 0)
        atomic_u64_count(&rows->errors[error_row(api_key)][error_place(code)], count);
}

uint64_t
request_stats_errors(int16_t api_key, int16_t code)
{
    return rows == NULL
               ? 0
               : atomic_u64_load_relaxed(&rows->errors[error_row(api_key)][error_place(code)]);
}

static void
sum_stripe(const RequestRow *counts, RequestStats *sum)
{
    sum->failed += atomic_u64_load_relaxed(&counts->failed);
    sum->total_us += atomic_u64_load_relaxed(&counts->total_us);
    sum->bytes += atomic_u64_load_relaxed(&counts->bytes);
    sum->queue_us += atomic_u64_load_relaxed(&counts->queue_us);
    sum->remote_us += atomic_u64_load_relaxed(&counts->remote_us);
    sum->throttle_ms += atomic_u64_load_relaxed(&counts->throttle_ms);
    for (int b = 0; b < REQUEST_STATS_BUCKETS; b++) {
        uint64_t n = atomic_u64_load_relaxed(&counts->buckets[b]);

        sum->buckets[b] += n;
        sum->count += n;
    }
}

bool
request_stats_read(int32_t row, RequestStats *ret)
{
    RequestStats sum = {.api_key = -1, .api_version = -1};
    uint32_t key = 0;

    ot_assert(row >= 0 && row < REQUEST_STATS_ROWS);
    if (rows == NULL)
        return false;
    if (row != OTHER_ROW)
        key = atomic_u32_load(&rows->named[row]);
    if (key != 0) {
        sum.api_key = (int16_t)((key - 1) >> 16);
        sum.api_version = (int16_t)((key - 1) & 0xffff);
    } else if (row != OTHER_ROW || atomic_u32_load(&rows->next) < OTHER_ROW) {
        return false;
    }
    for (int i = 0; i < STAT_STRIPES; i++)
        sum_stripe(&rows->stripes[i].rows[row], &sum);
    *ret = sum;
    return sum.count > 0;
}

void
request_stats_api(int16_t api_key, RequestStats *ret)
{
    RequestStats sum = {.api_key = api_key, .api_version = -1};

    for (int32_t row = 0; rows != NULL && row < OTHER_ROW; row++) {
        uint32_t key = atomic_u32_load(&rows->named[row]);

        if (key == 0 || (int16_t)((key - 1) >> 16) != api_key)
            continue;
        for (int i = 0; i < STAT_STRIPES; i++)
            sum_stripe(&rows->stripes[i].rows[row], &sum);
    }
    *ret = sum;
}

double
request_stats_quantile(const RequestStats *stats, double share)
{
    double wanted = share * (double)stats->count, below = 0;

    for (int b = 0; b < REQUEST_STATS_BUCKETS; b++) {
        double in_it = (double)stats->buckets[b];
        double from = b == 0 ? 0 : (double)(UINT64_C(1) << (b - 1));
        double width = b == 0 ? 1 : from;

        if (in_it > 0 && below + in_it >= wanted)
            return from + width * (wanted - below) / in_it;
        below += in_it;
    }
    return 0;
}
