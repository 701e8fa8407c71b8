/*
 * vfs_faulty.c - file calls that fail when a test says so
 *
 * Runs in: tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/vfs_faulty.h"

#include <errno.h>

#include "ottla/common/vfs.h"

static VfsFault plan = {.call = VFS_CALL_COUNT};
static VfsFault also = {.call = VFS_CALL_COUNT};
static bool plan_was_hit;
static uint64_t counts[VFS_CALL_COUNT];

/* Counts the call; true when the plan hits it. */
static bool
hit(VfsCall call)
{
    uint64_t n;

    counts[call]++;
    counts[VFS_CALL_ANY]++;
    if (plan_was_hit && also.call == call &&
        (counts[call] == also.nth || (also.and_later && counts[call] > also.nth)))
        return true;
    if (plan.call != call && plan.call != VFS_CALL_ANY)
        return false;
    n = counts[plan.call];
    if (n != plan.nth && !(plan.and_later && n > plan.nth))
        return false;
    plan_was_hit = true;
    return true;
}

/* True when the call must fail now, with errno set. */
static bool
fails(VfsCall call)
{
    if (!hit(call) || plan.errno_value == 0)
        return false;
    errno = plan.errno_value;
    return true;
}

static int
faulty_open(const char *path, int flags, mode_t mode)
{
    return fails(VFS_CALL_OPEN) ? -1 : vfs_real_ops.open(path, flags, mode);
}

static int
faulty_close(int fd)
{
    return vfs_real_ops.close(fd);
}

static ssize_t
faulty_pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
    struct iovec first;

    if (!hit(VFS_CALL_PWRITEV))
        return vfs_real_ops.pwritev(fd, iov, count, pos);
    /* A short write may precede the error, as when the disk fills up. */
    if (plan.short_bytes > 0) {
        ssize_t done;

        first = iov[0];
        if (first.iov_len > (size_t)plan.short_bytes)
            first.iov_len = (size_t)plan.short_bytes;
        done = vfs_real_ops.pwritev(fd, &first, 1, pos);
        if (done < 0 || plan.errno_value == 0)
            return done;
        if (!plan.and_later)
            plan.nth++;
        plan.short_bytes = -1;
        return done;
    }
    if (plan.errno_value == 0)
        return vfs_real_ops.pwritev(fd, iov, count, pos);
    errno = plan.errno_value;
    return -1;
}

static ssize_t
faulty_pread(int fd, void *buffer, size_t size, off_t pos)
{
    if (!hit(VFS_CALL_PREAD))
        return vfs_real_ops.pread(fd, buffer, size, pos);
    if (plan.errno_value != 0) {
        errno = plan.errno_value;
        return -1;
    }
    if (plan.short_bytes > 0 && size > (size_t)plan.short_bytes)
        size = (size_t)plan.short_bytes;
    return vfs_real_ops.pread(fd, buffer, size, pos);
}

static int
faulty_ftruncate(int fd, off_t size)
{
    return fails(VFS_CALL_FTRUNCATE) ? -1 : vfs_real_ops.ftruncate(fd, size);
}

static int
faulty_fsync(int fd)
{
    return fails(VFS_CALL_FSYNC) ? -1 : vfs_real_ops.fsync(fd);
}

static int
faulty_fdatasync(int fd)
{
    return fails(VFS_CALL_FSYNC) ? -1 : vfs_real_ops.fdatasync(fd);
}

static int
faulty_syncfs(int fd)
{
    return fails(VFS_CALL_SYNCFS) ? -1 : vfs_real_ops.syncfs(fd);
}

static int
faulty_rename(const char *from, const char *to)
{
    return fails(VFS_CALL_RENAME) ? -1 : vfs_real_ops.rename(from, to);
}

static int
faulty_unlink(const char *path)
{
    return fails(VFS_CALL_UNLINK) ? -1 : vfs_real_ops.unlink(path);
}

static int
faulty_mkdir(const char *path, mode_t mode)
{
    return fails(VFS_CALL_MKDIR) ? -1 : vfs_real_ops.mkdir(path, mode);
}

static int
faulty_rmdir(const char *path)
{
    return fails(VFS_CALL_RMDIR) ? -1 : vfs_real_ops.rmdir(path);
}

static int
faulty_fallocate(int fd, int mode, off_t pos, off_t size)
{
    return fails(VFS_CALL_FALLOCATE) ? -1 : vfs_real_ops.fallocate(fd, mode, pos, size);
}

static const VfsOps faulty_ops = {
    .open = faulty_open,
    .close = faulty_close,
    .pwritev = faulty_pwritev,
    .pread = faulty_pread,
    .ftruncate = faulty_ftruncate,
    .fsync = faulty_fsync,
    .fdatasync = faulty_fdatasync,
    .syncfs = faulty_syncfs,
    .rename = faulty_rename,
    .unlink = faulty_unlink,
    .mkdir = faulty_mkdir,
    .rmdir = faulty_rmdir,
    .fallocate = faulty_fallocate,
};

void
vfs_faulty_install(void)
{
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_COUNT});
    vfs_ops = &faulty_ops;
}

void
vfs_faulty_remove(void)
{
    vfs_ops = &vfs_real_ops;
}

void
vfs_faulty_plan(VfsFault fault)
{
    plan = fault;
    also = (VfsFault){.call = VFS_CALL_COUNT};
    plan_was_hit = false;
    for (int i = 0; i < VFS_CALL_COUNT; i++)
        counts[i] = 0;
}

void
vfs_faulty_also(VfsFault fault)
{
    also = fault;
}

uint64_t
vfs_faulty_count(VfsCall call)
{
    return counts[call];
}
