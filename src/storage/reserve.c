/*
 * reserve.c - space that a directory keeps back, given up when its disk is full
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/reserve.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "ottla/common/assert.h"
#include "ottla/common/limits.h"
#include "ottla/common/vfs.h"

static void
reserve_path(const char *dir, const char *name, char ret[LIMIT_PATH_BYTES])
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", dir, name);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

/* Allocates with what must be left beside it, then lets go of that. fd's file is too small or empty. */
static int
fill(int fd, int64_t bytes, ErrInfo *err)
{
    int rc = vfs_allocate(fd, bytes + bytes / 2, false, err);
    int cut = vfs_truncate(fd, rc == 0 ? bytes : 0, rc == 0 ? err : NULL);

    return rc != 0 ? rc : cut;
}

static int
take(const char *dir, const char *name, int64_t bytes, int64_t room, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int64_t size;
    int fd;
    int rc = 0;

    reserve_path(dir, name, path);
    fd = vfs_open(path, O_RDWR | O_CREAT, 0640, err);
    if (fd < 0)
        return fd;
    size = vfs_size(fd, err);
    if (size < 0)
        rc = (int)size;
    else if (size < bytes && room < bytes + bytes / 2)
        /* Not tried in vain: the blocks it would take for a moment may be what a checkpoint needs. */
        rc = err_set(err, OT_E_NO_SPACE, "no space to take the reserve of \"%s\" back", dir);
    else if (size < bytes)
        rc = fill(fd, bytes, err);
    vfs_close(fd);
    return rc;
}

static void
give_up(const char *dir, const char *name)
{
    char path[LIMIT_PATH_BYTES];

    reserve_path(dir, name, path);
    if (vfs_unlink(path, NULL) != 0) {
        /* Missing, or the directory cannot be changed, which the next write finds out, too. */
    }
}

static int
ask_space(const char *dir, struct statvfs *ret, ErrInfo *err)
{
    if (statvfs(dir, ret) == 0)
        return 0;
    return err_set_errno(err, vfs_code(errno), errno, "cannot ask for the space of \"%s\"", dir);
}

int
reserve_take(const char *dir, ErrInfo *err)
{
    struct statvfs fs;
    int64_t bytes;
    int rc = ask_space(dir, &fs, err);

    if (rc != 0)
        return rc;
    bytes = (int64_t)(fs.f_blocks * fs.f_frsize) / 64;
    bytes = bytes < RESERVE_BYTES_MIN   ? RESERVE_BYTES_MIN
            : bytes > RESERVE_BYTES_MAX ? RESERVE_BYTES_MAX
                                        : bytes;
    return take(dir, RESERVE_FILE, bytes, (int64_t)(fs.f_bavail * fs.f_frsize), err);
}

void
reserve_give_up(const char *dir)
{
    give_up(dir, RESERVE_FILE);
}

void
reserve_take_start(const char *dir)
{
    struct statvfs fs;
    int64_t bytes = RESERVE_START_BYTES;

    if (ask_space(dir, &fs, NULL) != 0)
        return;
    while (bytes >= RESERVE_START_BYTES / 8 &&
           take(dir, RESERVE_START_FILE, bytes, (int64_t)(fs.f_bavail * fs.f_frsize), NULL) ==
               OT_E_NO_SPACE)
        bytes /= 2;
}

void
reserve_give_up_start(const char *dir)
{
    give_up(dir, RESERVE_START_FILE);
}
