/*
 * flush.c - how the files of a directory are brought to the disk: one by one, or all at once
 *
 * Runs in: checkpointer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flush_int.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "ottla/common/vfs.h"
#include "ottla/storage/logdir_state.h"

#define SYNCFS_FROM 4 /* partitions from which one syncfs beats their fdatasyncs */

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* File systems whose syncfs reports what write-back lost, through the cursor of logdir_fd. */
static bool
syncfs_is_reliable(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return false;
    return fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC ||
           fs.f_type == BTRFS_SUPER_MAGIC;
}

bool
flush_wants_syncfs(int dir, int32_t partitions)
{
    bool given_up = logdir_take_given_up(dir);

    return (given_up || partitions >= SYNCFS_FROM) && syncfs_is_reliable(logdir_fd(dir));
}

int
flush_file_system(int dir, ErrInfo *err)
{
    return vfs_syncfs(logdir_fd(dir), err) == 0 ? 0 : logdir_flush_failed(dir, err);
}
