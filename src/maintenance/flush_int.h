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
 * Is one syncfs better than an fdatasync per partition? It is for many, and when a process gave up a
 * descriptor (logdir_give_descriptor_up), because it reports what is lost with the file. Never where syncfs does not report what
 * write-back lost (design.md 6: ext4, xfs, btrfs do).
 */
bool flush_wants_syncfs(int dir, int32_t partitions);

/* syncfs of the directory's file system; OT_E_KAFKA_STORAGE_ERROR: it failed, and so did the directory. */
int flush_file_system(int dir, ErrInfo *err);

#endif
