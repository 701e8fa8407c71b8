/*
 * shared.h - what coordinators leave in shared memory: where they are, what they count, past rebalances
 *
 * One entry per worker, written by it alone. Region `coordinators`: untouched for workers that do not exist.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_SHARED_H
#define OTTLA_COORDINATOR_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/groups/env.h"
#include "ottla/ipc/region.h"

size_t coordinators_shm_size(const ShmLimits *limits);
void coordinators_shm_init(void *base, const ShmLimits *limits);

/* ---- counts ---------------------------------------------------------------------------------- */

/* X(constant, name shown); the first ones are what is there now, the others only grow. */
#define COORDINATOR_COUNT_ROWS(X)                     \
    X(COORDINATOR_SHARDS, "shards")                   \
    X(COORDINATOR_SHARDS_LOADING, "shards_loading")   \
    X(COORDINATOR_SHARDS_FAILED, "shards_failed")     \
    X(COORDINATOR_GROUPS, "groups")                   \
    X(COORDINATOR_MEMBERS, "members")                 \
    X(COORDINATOR_OFFSETS, "offsets")                 \
    X(COORDINATOR_MEMORY_BYTES, "memory_bytes")       \
    X(COORDINATOR_REQUESTS_PARKED, "requests_parked") \
    X(COORDINATOR_STARTS, "starts")                   \
    X(COORDINATOR_REQUESTS, "requests")               \
    X(COORDINATOR_BATCHES, "batches")                 \
    X(COORDINATOR_RECORDS, "records")                 \
    X(COORDINATOR_REPLIES_LATE, "replies_late")       \
    X(COORDINATOR_LOADS, "loads")                     \
    X(COORDINATOR_LOADED_RECORDS, "loaded_records")   \
    X(COORDINATOR_SHARD_FAILURES, "shard_failures")   \
    X(COORDINATOR_STALLS, "stalls")                   \
    X(COORDINATOR_REBALANCES, "rebalances")           \
    X(COORDINATOR_LOAD_US, "load_us")

typedef enum CoordinatorCount {
#define COORDINATOR_COUNT_ENUM(constant, name) constant,
    COORDINATOR_COUNT_ROWS(COORDINATOR_COUNT_ENUM)
#undef COORDINATOR_COUNT_ENUM
        COORDINATOR_COUNT_COUNT
} CoordinatorCount;

const char *coordinator_count_name(CoordinatorCount which);

/* Of one worker; anybody. */
int64_t coordinator_count(int worker, CoordinatorCount which);

/* The worker itself. */
void coordinator_count_set(int worker, CoordinatorCount which, int64_t value);
void coordinator_count_add(int worker, CoordinatorCount which, int64_t amount);

/* ---- whether a worker runs ---------------------------------------------------------------------- */

/* A turn of the worker begins or goes on. While requests are parked it has one every second at least. */
void coordinator_note_turn(int worker, int64_t now_us);

/* When it did so last; monotonic, 0: never. */
int64_t coordinator_last_turn_us(int worker);

/* ---- what a worker is loading ---------------------------------------------------------------- */

#define COORDINATOR_LOAD_DEATHS    3 /* so many on one shard within the window: it is set aside */
#define COORDINATOR_LOAD_WINDOW_US (60 * INT64_C(1000000))

/* Before records of the partition are applied; -1: nothing is being loaded. */
void coordinator_mark_loading(int worker, int32_t partition, int64_t offset);

/*
 * The worker starts: what a predecessor died at is remembered. The partition it was loading, or -1. *ret_offset: where.
 */
int32_t coordinator_note_start(int worker, int64_t now_us, int64_t *ret_offset);

/* Did predecessors die so often while they loaded it that it must be left alone? */
bool coordinator_load_is_deadly(int worker, int32_t partition, int64_t now_us);

/* ---- history of rebalances ------------------------------------------------------------------- */

#define REBALANCE_HISTORY_MAX  1024 /* of the node */
#define REBALANCE_HISTORY_TEXT 112  /* longer ids are cut */

typedef struct RebalanceLine {
    char group[REBALANCE_HISTORY_TEXT];
    char cause_member[REBALANCE_HISTORY_TEXT]; /* "": nobody */
    char waited_for[REBALANCE_HISTORY_TEXT];
    int64_t begin_wall_ms;
    int32_t duration_ms;
    int32_t generation;
    int32_t members;
    int32_t cause; /* RebalanceCause */
    int32_t worker;
    int32_t pad;
} RebalanceLine;

/* The worker itself. */
void rebalance_history_add(int worker, const GroupRebalance *rebalance);

/* The latest of all workers, oldest first; at most max. Returns how many. Allocates nothing. */
int32_t rebalance_history_read(RebalanceLine *ret, int32_t max);

#endif
