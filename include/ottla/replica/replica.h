/*
 * replica.h - one partition's replicas: the only write path for clients
 *
 * replica_append checks leadership and ISR, takes the append lock, appends, lets partition.c decide
 * what moves, and wakes who waits, after unlocking.
 *
 * Runs in: backend, coordinator.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_REPLICA_REPLICA_H
#define OTTLA_REPLICA_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/storage/plog.h"

typedef struct ReplicaAppendArgs {
    Batch *batch; /* of batch_validate; patched in place */
    PlogOrigin origin;
    int16_t acks; /* -1, 0, 1 */
} ReplicaAppendArgs;

/* What an answer waits for; neither: it may leave. */
typedef struct ReplicaWait {
    int64_t last_offset;  /* of the batch, or of the one it repeats */
    int32_t leader_epoch; /* -1: whoever leads, acks=1 */
    bool for_hw;          /* the in-sync replicas */
    bool for_disk;        /* the flush: acks.durability, flush.messages */
} ReplicaWait;

typedef struct ReplicaAppendResult {
    PlogAppendResult log;
    ReplicaWait wait;
} ReplicaAppendResult;

/*
 * Appends for a client (log.md 4.1 j, k, v, w). Blocks for at most PLOG_LOCK_WAIT_MS plus one write.
 * OT_E_UNKNOWN_TOPIC_OR_PARTITION, OT_E_NOT_LEADER_OR_FOLLOWER, OT_E_KAFKA_STORAGE_ERROR, OT_E_NOT_ENOUGH_REPLICAS,
 * OT_E_REQUEST_TIMED_OUT and those of plog_append. For those for which Kafka tells the real log start
 * (observed.md 1) ret->log.log_start_offset is filled, else -1.
 */
int replica_append(PartitionRef ref, const ReplicaAppendArgs *args, ReplicaAppendResult *ret,
                   ErrInfo *err);

/*
 * What is still missing? Clears what came; 0 with both clear: the answer may leave. OT_E_NOT_LEADER_OR_FOLLOWER,
 * OT_E_UNKNOWN_TOPIC_OR_PARTITION, OT_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND, and OT_E_KAFKA_STORAGE_ERROR when the disk
 * will never confirm, end the wait (13.3).
 */
int replica_check_wait(PartitionRef ref, ReplicaWait *wait, ErrInfo *err);

/* The events (WaitMask) that may bring what is missing. */
uint32_t replica_wait_mask(const ReplicaWait *wait);

/*
 * DeleteRecords on the leader (14.3) without the checks of topic policy; offset -1: HW.
 * *ret_low_watermark is the new log start.
 */
int replica_delete_records(PartitionRef ref, int64_t offset, int64_t *ret_low_watermark,
                           ErrInfo *err);

/*
 * Leadership and epoch fencing of a request (12.1): current_epoch -1: not given.
 * OT_E_NOT_LEADER_OR_FOLLOWER, OT_E_FENCED_LEADER_EPOCH, OT_E_UNKNOWN_LEADER_EPOCH,
 * OT_E_UNKNOWN_TOPIC_OR_PARTITION, OT_E_KAFKA_STORAGE_ERROR.
 */
int replica_check_leader(PartitionRef ref, int32_t current_epoch, ErrInfo *err);

#endif
