/*
 * checkpoint_int.h - one checkpoint of one log directory
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_CHECKPOINT_INT_H
#define OTTLA_MAINTENANCE_CHECKPOINT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/storage/plog.h"

typedef struct CheckpointReport {
    int32_t partitions; /* that had changed */
    int64_t flush_us;
    bool used_syncfs;
} CheckpointReport;

/*
 * Brings the changed partitions of a directory to disk and writes its checkpoint files; an
 * early one leaves those of which little changed as they are. Nothing changed: does nothing. between: may
 * be NULL; may run commits of the same directory.
 * OT_E_KAFKA_STORAGE_ERROR: a flush failed, the directory is FAILED.
 */
int checkpoint_run(int dir, PlogCheckpointKind kind, const PlogServe *between,
                   CheckpointReport *ret, ErrInfo *err);

/*
 * The ordered stop: all partitions, then the clean-shutdown marker, unless the directory is offline
 * or a log of it is not in order; the marker names broker_epoch. Nobody appends any more.
 */
int checkpoint_final(int dir, int64_t broker_epoch, CheckpointReport *ret, ErrInfo *err);

/* Forgets idle producers of the directory's partitions. between: see checkpoint_run. Returns how many. */
int32_t checkpoint_expire_producers(int dir, int64_t expiration_ms, const PlogServe *between);

#endif
