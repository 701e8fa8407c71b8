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

/* X(constant, name shown) */
#define STAT_ROWS(X)                                           \
    X(STAT_CONNECTIONS, "connections")                         \
    X(STAT_CONNECTIONS_REFUSED, "connections_refused")         \
    X(STAT_REQUEST_ERRORS, "request_errors")                   \
    X(STAT_BYTES_IN, "bytes_in")                               \
    X(STAT_BYTES_OUT, "bytes_out")                             \
    X(STAT_BYTES_SENDFILE, "bytes_sendfile")                   \
    X(STAT_APPENDS, "appends")                                 \
    X(STAT_APPEND_BYTES, "append_bytes")                       \
    X(STAT_APPEND_RECORDS, "append_records")                   \
    X(STAT_DUPLICATE_BATCHES, "duplicate_batches")             \
    X(STAT_SEGMENT_ROLLS, "segment_rolls")                     \
    X(STAT_LOCK_TIMEOUTS, "lock_timeouts")                     \
    X(STAT_LOCK_REPAIRS, "lock_repairs")                       \
    X(STAT_PRODUCERS_EVICTED, "producers_evicted")             \
    X(STAT_LOG_DIR_FULL, "log_dir_full")                       \
    X(STAT_FLUSHES, "flushes")                                 \
    X(STAT_FLUSH_US, "flush_us")                               \
    X(STAT_FETCHES, "fetches")                                 \
    X(STAT_FETCH_BYTES, "fetch_bytes")                         \
    X(STAT_FETCH_WAITS, "fetch_waits")                         \
    X(STAT_FETCH_PARTITIONS_LOOKED, "fetch_partitions_looked") \
    X(STAT_FETCH_SESSIONS_EVICTED, "fetch_sessions_evicted")   \
    X(STAT_WAIT_NODES_FULL, "wait_nodes_full")                 \
    X(STAT_WAKEUPS, "wakeups")                                 \
    X(STAT_WAKE_SIGNALS, "wake_signals")                       \
    X(STAT_RESCANS, "rescans")                                 \
    X(STAT_MAILBOX_REQUESTS, "mailbox_requests")               \
    X(STAT_MAILBOX_REPLIES, "mailbox_replies")                 \
    X(STAT_MAILBOX_DROPPED, "mailbox_dropped")                 \
    X(STAT_BULK_FULL, "bulk_full")                             \
    X(STAT_BULK_RECLAIMED, "bulk_reclaimed")                   \
    X(STAT_METADATA_CHANGES, "metadata_changes")               \
    X(STAT_FILES_DELETED, "files_deleted")                     \
    X(STAT_BACKEND_CRASHES, "backend_crashes")                 \
    X(STAT_THROTTLES, "throttles")                             \
    X(STAT_THROTTLE_MS, "throttle_ms")                         \
    X(STAT_QUOTA_TABLE_FULL, "quota_table_full")

typedef enum Stat {
#define STAT_ENUM(constant, name) constant,
    STAT_ROWS(STAT_ENUM)
#undef STAT_ENUM
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

/* Name as the shell shows it. */
const char *stat_name(Stat stat);

#endif
