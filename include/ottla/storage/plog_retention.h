/*
 * plog_retention.h - retention of one log: what goes is taken off its list and put aside
 *
 * The rules are retention.h. Runs in: retention; the list for statistics: backend.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_PLOG_RETENTION_H
#define OTTLA_STORAGE_PLOG_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/storage/partition_slot.h"
#include "ottla/storage/retention.h"

typedef struct PlogRetention {
    int32_t segments; /* taken off the list */
    int64_t bytes;    /* of their .log files */
    int32_t count[RETENTION_REASON_COUNT];
    int64_t log_start; /* after it; set when segments went */
    /*
     * Wall clock at which the next look can find something by itself; RETENTION_NEVER: only after
     * an append or a change of settings, which put the partition on the list of changed ones.
     */
    int64_t due_ms;
} PlogRetention;

/*
 * Takes what the rules take (at most 1024 segments; then due_ms is now_ms) off the list of an open
 * log, moves the log start, renames the files to .deleted. If everything goes, an empty segment at LEO
 * remains. Nothing to do costs no lock and no system call (but the file time of a segment without
 * timestamps).
 * OT_E_AGAIN: the append lock is held. OT_E_UNKNOWN_TOPIC_OR_PARTITION: deleted or not open.
 * OT_E_KAFKA_STORAGE_ERROR and others: ret->segments says what left the list all the same; their files keep their
 * names until the log is opened again.
 */
int plog_apply_retention(PartitionRef ref, int64_t now_ms, PlogRetention *ret, ErrInfo *err);

/* A segment as the statistics show it. */
typedef struct PlogSegment {
    int64_t base_offset;
    int64_t end_offset;
    int64_t bytes;
    int64_t max_timestamp; /* -1: none */
    bool active;
    RetentionVerdict verdict; /* of a check at now_ms */
} PlogSegment;

/*
 * Segments [first, first + room) of an open log, oldest first, without a lock. *ret_count below room:
 * these were the last. OT_E_AGAIN: the list changed meanwhile; OT_E_UNKNOWN_TOPIC_OR_PARTITION.
 */
int plog_segments(PartitionRef ref, int64_t now_ms, int32_t first, PlogSegment *ret, int32_t room,
                  int32_t *ret_count, ErrInfo *err);

#endif
