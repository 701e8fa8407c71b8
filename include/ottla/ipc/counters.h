/*
 * counters.h - statistics of the node in 64 stripes
 *
 * A process adds to the stripe of its slot (slot % 64), so that neighbours rarely share a line;
 * readers sum. Nothing is folded at exit and nothing reset: a death loses at most the addition it
 * was about to make. Counters never go back while the node runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_COUNTERS_H
#define OTTLA_IPC_COUNTERS_H

#include "ottla/ipc/atomics.h"
#include "ottla/ipc/region.h"

#define STAT_STRIPES 64

/* Each is shown by a metric (metrics.txt). Requests and their errors: request_stats.h. */
typedef enum Stat {
    STAT_CONNECTIONS,
    STAT_CONNECTIONS_REFUSED,
    STAT_BYTES_IN,
    STAT_BYTES_OUT,
    STAT_BYTES_SENDFILE,
    STAT_PRODUCERS_EVICTED,
    STAT_LOG_DIR_FULL,
    STAT_FLUSHES,
    STAT_FLUSH_US,
    STAT_WAIT_NODES_FULL,
    STAT_WAKE_SIGNALS,
    STAT_MAILBOX_REQUESTS,
    STAT_MAILBOX_REPLIES,
    STAT_MAILBOX_DROPPED,
    STAT_BULK_FULL,
    STAT_BACKEND_CRASHES,
    STAT_BACKEND_CPU_US, /* of those that have ended */
    STAT_THROTTLES,
    STAT_THROTTLE_MS,
    STAT_QUOTA_TABLE_FULL,
    STAT_FETCH_SESSION_EVICTIONS,
    STAT_CONNECTIONS_EXPIRED,
    STAT_FETCHES_EXPIRED,
    STAT_PRODUCES_EXPIRED,
    STAT_REJECTED_MAGIC,
    STAT_REJECTED_CRC,
    STAT_REJECTED_OFFSET,
    STAT_REJECTED_NO_KEY,
    STAT_COUNT
} Stat;

size_t stats_shm_size(const ShmLimits *limits);
void stats_shm_init(void *base, const ShmLimits *limits);

/* The counters of this process's stripe; without a region (unit tests) some that nobody reads. */
extern AtomicU64 *stat_mine;

/* slot_claim alone: from now on this process adds to the stripe of its slot. */
void stats_claim(int32_t slot);

static inline void
stat_add(Stat stat, uint64_t amount)
{
    atomic_u64_count(&stat_mine[stat], amount);
}

/* Sum of all stripes. */
uint64_t stat_sum(Stat stat);

/* ---- how long something took that happens rarely ---------------------------------------------- */

/* Bucket b holds [2^(b-1), 2^b) us, bucket 0 what took less than 1, the last one all above. */
#define STAT_TIME_BUCKETS 32

/* Each is a histogram of metrics.txt. */
typedef enum StatTime {
    STAT_TIME_CONTROLLER_QUEUE,   /* requests to the controller, until it began with them */
    STAT_TIME_CONTROLLER_DECIDED, /* its decisions */
    STAT_TIME_METADATA_COMMITTED, /* appends to the metadata log, until they were on the disk */
    STAT_TIME_COUNT
} StatTime;

typedef struct StatTimes {
    uint64_t total_us;
    uint64_t buckets[STAT_TIME_BUCKETS];
} StatTimes;

/* Once more, and so long; below 0 counts as 0. */
void stat_add_time(StatTime which, int64_t us);

StatTimes stat_times(StatTime which);

/* Which bucket a time belongs to, of so many; not below 0. */
static inline int
stat_bucket(int64_t us, int buckets)
{
    int bucket = 63 - __builtin_clzll((unsigned long long)us * 2 + 1);

    return bucket < buckets ? bucket : buckets - 1;
}

#endif
