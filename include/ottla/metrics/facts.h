/*
 * facts.h - single numbers about the node that a few walks find together
 *
 * Rows of metrics.txt with `fact X` name a member; all of them are 64-bit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_METRICS_FACTS_H
#define OTTLA_METRICS_FACTS_H

#include <stdint.h>

typedef struct MetricFacts {
    /* the shared page */
    int64_t node_state; /* as Kafka's BrokerState */
    int64_t start_ms;
    int64_t crash_cycles;
    int64_t connections;
    int64_t controller_active;
    int64_t elections_won;
    int64_t metadata_offset;
    int64_t raft_epoch;
    int64_t raft_end;
    /* the slots of backends */
    int64_t busy_ppm;
    /* the fetch sessions */
    int64_t fetch_sessions;
    int64_t fetch_session_partitions;
    /* the metadata image */
    int64_t raft_leader;
    int64_t topics;
    int64_t cluster_partitions;
    int64_t offline_partitions;
    int64_t imbalanced_partitions;
    int64_t reassigning;
    /* the partition table */
    int64_t partitions;
    int64_t leaders;
    int64_t under_replicated;
    int64_t under_min_isr;
    int64_t at_min_isr;
    int64_t offline_replicas;
    int64_t unopened;
    int64_t failed_followers;
    int64_t producers;
    /* the coordinators */
    int64_t group_members;
    int64_t group_offsets;
    int64_t group_rebalances;
    int64_t offset_commits;
    int64_t coordinator_bytes;
    int64_t coordinator_starts;
    int64_t coordinator_parked;
    int64_t shard_failures;
    int64_t coordinator_stalls;
} MetricFacts;

/*
 * How many fetch sessions there are, and their partitions. Whose table it is sets this when the table is made, before the first
 * fork; NULL: there is none (unit tests).
 */
extern void (*metric_find_fetch_sessions)(int64_t *ret_sessions, int64_t *ret_partitions);

/*
 * Finds them all: O(partitions of the cluster + slots). Pins the image for a thousand partitions at a time. What
 * happens meanwhile may be in one number and not in another.
 */
void metric_facts_find(MetricFacts *ret);

#endif
