/*
 * flush_int.h - how the files of a directory are brought to the disk: one by one, or all at once
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_FLUSH_INT_H
#define OTTLA_MAINTENANCE_FLUSH_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"

/*
 * What a flush costs here, as measured: one partition's files, and all of the file system at once. The
 * latter depends on what others have written to it: next to nothing, or much more than one file.
 */
typedef struct FlushCosts {
    int64_t partition_ns; /* 0: not measured yet */
    int64_t all_ns;
} FlushCosts;

/* Partitions from which all at once is cheaper; at least 2, which it is until both were measured. */
int32_t flush_costs_all_from(const FlushCosts *costs);

/* A flush of so many partitions (> 0), all at once or one by one, took so long. */
void flush_costs_note(FlushCosts *costs, bool all, int32_t partitions, int64_t us);

/*
 * Is one syncfs to flush so many partitions? From a number on it is better, and it is needed when a process gave up a
 * descriptor (logdir_give_descriptor_up), because it reports what is lost with the file. Never where syncfs does not report what
 * write-back lost (design.md 6: ext4, xfs, btrfs do).
 */
bool flush_wants_syncfs(int dir, int32_t partitions, int32_t all_from);

/* syncfs of the directory's file system; OT_E_KAFKA_STORAGE_ERROR: it failed, and so did the directory. */
int flush_file_system(int dir, ErrInfo *err);

#endif
