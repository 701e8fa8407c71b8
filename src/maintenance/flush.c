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

#define AVERAGE_SHIFT 3 /* a measurement counts for an eighth */
#define OUTLIER       8 /* times the average that one measurement may count for */
#define FORGET_SHIFT  8 /* not used, a cost is forgotten by so much each time: conditions change */

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

static void
average(int64_t *cost_ns, int64_t ns)
{
    if (*cost_ns == 0)
        *cost_ns = ns;
    if (ns > *cost_ns * OUTLIER)
        ns = *cost_ns * OUTLIER;
    *cost_ns += (ns - *cost_ns) >> AVERAGE_SHIFT;
    if (*cost_ns < 1000)
        *cost_ns = 1000;
}

void
flush_costs_note(FlushCosts *costs, bool all, int32_t partitions, int64_t us)
{
    if (all) {
        average(&costs->all_ns, us * 1000);
        return;
    }
    average(&costs->partition_ns, us * 1000 / partitions);
    if (partitions > 1) /* there was a choice: some day the other one is tried again */
        costs->all_ns -= costs->all_ns >> FORGET_SHIFT;
}

int32_t
flush_costs_all_from(const FlushCosts *costs)
{
    int64_t from = costs->partition_ns == 0 ? 0 : costs->all_ns / costs->partition_ns;

    if (from < 2)
        return 2;
    return from < INT32_MAX ? (int32_t)from : INT32_MAX;
}

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
flush_wants_syncfs(int dir, int32_t partitions, int32_t all_from)
{
    bool given_up = logdir_take_given_up(dir);

    return (given_up || partitions >= all_from) && syncfs_is_reliable(logdir_fd(dir));
}

int
flush_file_system(int dir, ErrInfo *err)
{
    return vfs_syncfs(logdir_fd(dir), err) == 0 ? 0 : logdir_flush_failed(dir, err);
}
