/*
 * partition.h - what a change of one partition means: the pure decisions of a leader
 *
 * Events in, actions out; replica.c performs them under the append lock.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_REPLICA_PARTITION_H
#define OTTLA_REPLICA_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/topic_settings.h"

/* Why somebody waits on a partition: bits of the mask of wait_notify. */
enum {
    PARTITION_WAIT_LEO = 1,     /* followers, debugging consumers */
    PARTITION_WAIT_HW = 2,      /* consumers, acks=-1 producers */
    PARTITION_WAIT_DURABLE = 4, /* acks.durability=disk */
    PARTITION_WAIT_STATE = 8,   /* leadership, deletion, log start */
};

typedef struct PartitionView {
    int64_t high_watermark;
    int64_t log_end;
    int32_t replica_count;
    int32_t isr_count;
    int32_t min_isr; /* min.insync.replicas of the topic */
    TopicDurability durability;
} PartitionView;

typedef struct PartitionActions {
    int64_t high_watermark; /* the HW to publish */
    uint32_t wake;          /* PARTITION_WAIT_* of those to wake */
} PartitionActions;

/* min(min.insync.replicas, number of replicas). */
int32_t partition_effective_min_isr(const PartitionView *view);

/* acks=-1 may append: ISR >= effective min ISR. */
bool partition_may_append_all(const PartitionView *view);

/*
 * The only replica, or the only one in sync: nobody else has to confirm. HW does not move while the
 * ISR is smaller than the effective min ISR (log.md 7.1).
 */
bool partition_hw_follows(const PartitionView *view);

/* After an append: who sees what. view->log_end is the new one, high_watermark the old one. */
PartitionActions partition_leo_advanced(const PartitionView *view);

/*
 * Must an acks=-1 answer wait for the disk of this node, too? With auto as long as nobody else has the
 * record (design.md 2).
 */
bool partition_needs_disk(const PartitionView *view);

/* flush.messages: does the append that ended at log_end wait for its flush, whatever its acks? */
bool partition_flush_is_due(int64_t log_end, int64_t durable, int64_t flush_messages);

typedef enum PartitionFencing {
    PARTITION_EPOCH_OK,
    PARTITION_EPOCH_FENCED,
    PARTITION_EPOCH_UNKNOWN,
} PartitionFencing;

/* current -1: none given. */
PartitionFencing partition_check_epoch(int32_t current, int32_t local);

#endif
