/*
 * vfs.c - every file call of Ottla
 *
 * Runs in: every process. Never: logs, gives up after a signal or a short transfer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/limits.h"

/* open(2) and fallocate(2) as plain functions: the first is variadic. */
static int
real_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

const VfsOps vfs_real_ops = {
    .open = real_open,
    .close = close,
    .pwritev = pwritev,
    .pread = pread,
    .ftruncate = ftruncate,
    .fsync = fsync,
    .fdatasync = fdatasync,
    .syncfs = syncfs,
    .rename = rename,
    .unlink = unlink,
    .mkdir = mkdir,
    .rmdir = rmdir,
    .fallocate = fallocate,
};

const VfsOps *vfs_ops = &vfs_real_ops;

int
vfs_code(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
        return OT_E_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return OT_E_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return OT_E_NO_SPACE;
    case EACCES:
    case EPERM:
        return OT_E_PERMISSION;
    case EMFILE:
    case ENFILE:
        return OT_E_LIMIT;
    case ENOMEM:
        return OT_E_NO_MEMORY;
    case EBUSY:
    case ETXTBSY:
        return OT_E_BUSY;
    default:
        return OT_E_IO;
    }
}

static int
path_error(ErrInfo *err, const char *what, const char *path)
{
    int cause = errno;

    return err_set_errno(err, vfs_code(cause), cause, "cannot %s \"%s\"", what, path);
}

static int
fd_error(ErrInfo *err, const char *what, int fd)
{
    int cause = errno;

    return err_set_errno(err, vfs_code(cause), cause, "cannot %s descriptor %d", what, fd);
}

/* What could not be read says nothing about what can be written. */
static int
as_read(int code, ErrInfo *err)
{
    if (code != OT_E_IO)
        return code;
    if (err != NULL)
        err->code = OT_E_READ;
    return OT_E_READ;
}

int
vfs_open(const char *path, int flags, mode_t mode, ErrInfo *err)
{
    bool changes = (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != O_RDONLY;
    int fd;
    int rc;

    do {
        fd = vfs_ops->open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd >= 0)
        return fd;
    rc = path_error(err, "open", path);
    return changes ? rc : as_read(rc, err);
}

void
vfs_close(int fd)
{
    /* After EINTR the descriptor is gone all the same (Linux); nothing to repeat. */
    if (fd >= 0)
        (void)vfs_ops->close(fd);
}

/* Drops the first bytes of the vector; returns what is left of it. */
static int
iov_advance(struct iovec **iov, int count, size_t bytes)
{
    while (count > 0 && bytes >= (*iov)->iov_len) {
        bytes -= (*iov)->iov_len;
        (*iov)++;
        count--;
    }
    if (count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + bytes;
        (*iov)->iov_len -= bytes;
    }
    return count;
}

int
vfs_pwritev(int fd, struct iovec *iov, int count, int64_t pos, ErrInfo *err)
{
    ot_assert(pos >= 0);
    count = iov_advance(&iov, count, 0);
    while (count > 0) {
        ssize_t done = vfs_ops->pwritev(fd, iov, count < IOV_MAX ? count : IOV_MAX, pos);

        if (done < 0 && errno == EINTR)
            continue;
        if (done == 0)
            errno = ENOSPC; /* a regular file takes no bytes only when there is no room */
        if (done <= 0)
            return fd_error(err, "write to", fd);
        pos += done;
        count = iov_advance(&iov, count, (size_t)done);
    }
    return 0;
}

int
vfs_pwrite(int fd, const void *bytes, size_t size, int64_t pos, ErrInfo *err)
{
    struct iovec iov = {(void *)(uintptr_t)bytes, size};

    return vfs_pwritev(fd, &iov, 1, pos, err);
}

int64_t
vfs_pread(int fd, void *buffer, size_t size, int64_t pos, ErrInfo *err)
{
    size_t done = 0;

    ot_assert(pos >= 0 && size <= INT64_MAX);
    while (done < size) {
        ssize_t got = vfs_ops->pread(fd, (char *)buffer + done, size - done, pos + (int64_t)done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return as_read(fd_error(err, "read from", fd), err);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

int
vfs_pread_full(int fd, void *buffer, size_t size, int64_t pos, ErrInfo *err)
{
    int64_t got = vfs_pread(fd, buffer, size, pos, err);

    if (got < 0)
        return (int)got;
    if ((size_t)got < size)
        return err_set(err, OT_E_EOF, "descriptor %d ends %zu bytes early at %lld", fd,
                       size - (size_t)got, (long long)(pos + got));
    return 0;
}

int
vfs_truncate(int fd, int64_t size, ErrInfo *err)
{
    int rc;

    do {
        rc = vfs_ops->ftruncate(fd, size);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : fd_error(err, "truncate", fd);
}

int
vfs_fsync(int fd, ErrInfo *err)
{
    int rc;

    do {
        rc = vfs_ops->fsync(fd);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : fd_error(err, "flush", fd);
}

int
vfs_fdatasync(int fd, ErrInfo *err)
{
    int rc;

    do {
        rc = vfs_ops->fdatasync(fd);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : fd_error(err, "flush", fd);
}

int
vfs_syncfs(int fd, ErrInfo *err)
{
    int rc;

    do {
        rc = vfs_ops->syncfs(fd);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : fd_error(err, "flush the file system of", fd);
}

int
vfs_allocate(int fd, int64_t size, bool keep_size, ErrInfo *err)
{
    int rc;

    do {
        rc = vfs_ops->fallocate(fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0, 0, size);
    } while (rc != 0 && errno == EINTR);
    /* A file system without reservations still works, blocks are found later. */
    if (rc != 0 && errno == EOPNOTSUPP && keep_size)
        return 0;
    if (rc != 0 && errno == EOPNOTSUPP)
        return vfs_truncate(fd, size, err);
    return rc == 0 ? 0 : fd_error(err, "reserve space for", fd);
}

void
vfs_write_early(int fd, int64_t pos, int64_t size)
{
    /* Only a hint; a failure shows at the flush. */
    (void)sync_file_range(fd, pos, size, SYNC_FILE_RANGE_WRITE);
}

int
vfs_write_back(int fd, int64_t pos, int64_t size, ErrInfo *err)
{
    const unsigned flags =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    int rc;

    do {
        rc = sync_file_range(fd, pos, size, flags);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && (errno == EINVAL || errno == ENOSYS || errno == ESPIPE))
        return 0; /* the flush writes it */
    return rc == 0 ? 0 : fd_error(err, "write back", fd);
}

int64_t
vfs_size(int fd, ErrInfo *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return as_read(fd_error(err, "stat", fd), err);
    return st.st_size;
}

bool
vfs_is_unlinked(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

int
vfs_stat(const char *path, struct stat *ret, ErrInfo *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return as_read(path_error(err, "stat", path), err);
    *ret = st;
    return 0;
}

int
vfs_rename(const char *from, const char *to, ErrInfo *err)
{
    int cause;

    if (vfs_ops->rename(from, to) == 0)
        return 0;
    cause = errno;
    return err_set_errno(err, vfs_code(cause), cause, "cannot rename \"%s\" to \"%s\"", from, to);
}

int
vfs_unlink(const char *path, ErrInfo *err)
{
    return vfs_ops->unlink(path) == 0 ? 0 : path_error(err, "remove", path);
}

int
vfs_rmdir(const char *path, ErrInfo *err)
{
    return vfs_ops->rmdir(path) == 0 ? 0 : path_error(err, "remove folder", path);
}

int
vfs_mkdir(const char *path, mode_t mode, ErrInfo *err)
{
    return vfs_ops->mkdir(path, mode) == 0 ? 0 : path_error(err, "make folder", path);
}

/* One step of vfs_mkdirs: the folder is there afterwards. */
static int
ensure_dir(const char *path, mode_t mode, ErrInfo *err)
{
    struct stat st;

    if (vfs_ops->mkdir(path, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return path_error(err, "make folder", path);
    if (stat(path, &st) != 0)
        return path_error(err, "stat", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, OT_E_EXISTS, "\"%s\" is no folder", path);
    return 0;
}

int
vfs_mkdirs(const char *path, mode_t mode, ErrInfo *err)
{
    char part[LIMIT_PATH_BYTES];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof part)
        return err_set(err, OT_E_INVALID, "path of %zu bytes", len);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        struct stat st;

        if (part[i] != '/' || part[i - 1] == '/')
            continue;
        part[i] = '\0';
        /* Folders above may be readable only; what exists is not made. */
        if (stat(part, &st) != 0) {
            int rc = ensure_dir(part, mode, err);

            if (rc < 0)
                return rc;
        }
        part[i] = '/';
    }
    return ensure_dir(part, mode, err);
}

int
vfs_sync_dir(const char *path, ErrInfo *err)
{
    int fd = vfs_open(path, O_RDONLY | O_DIRECTORY, 0, err);
    int rc;

    if (fd == OT_E_READ) /* whatever the reason: what was changed is not on disk */
        return err_set(err, OT_E_IO, "cannot open folder \"%s\" to flush it", path);
    if (fd < 0)
        return fd;
    rc = vfs_fsync(fd, err);
    vfs_close(fd);
    if (rc < 0)
        err_prefix(err, "folder \"%s\"", path);
    return rc;
}

/* The folder of a path into ret, "." when it has none. */
static void
dir_of(const char *path, char ret[LIMIT_PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);

    if (slash == NULL)
        memcpy(ret, ".", 2);
    else if (len == 0)
        memcpy(ret, "/", 2);
    else {
        memcpy(ret, path, len);
        ret[len] = '\0';
    }
}

int
vfs_replace_file(const char *path, BytesView bytes, mode_t mode, VfsDurability durability,
                 ErrInfo *err)
{
    char temporary[LIMIT_PATH_BYTES], dir[LIMIT_PATH_BYTES];
    int fd, rc;

    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        return err_set(err, OT_E_INVALID, "path of %zu bytes", strlen(path));
    dir_of(path, dir);
    fd = vfs_open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode, err);
    if (fd < 0)
        return fd;
    rc = vfs_pwrite(fd, bytes.ptr, (size_t)bytes.len, 0, err);
    if (rc == 0 && durability == VFS_SYNCED)
        rc = vfs_fsync(fd, err);
    vfs_close(fd);
    if (rc < 0) {
        err_prefix(err, "\"%s\"", temporary);
        return rc;
    }
    crashpoint("file.written");
    rc = vfs_rename(temporary, path, err);
    crashpoint("file.renamed");
    if (rc == 0 && durability == VFS_SYNCED)
        rc = vfs_sync_dir(dir, err);
    return rc;
}

int
vfs_read_file(const char *path, int64_t max_bytes, Arena *arena, BytesView *ret, ErrInfo *err)
{
    int fd = vfs_open(path, O_RDONLY, 0, err);
    int64_t size, got;
    uint8_t *bytes;
    int rc = 0;

    if (fd < 0)
        return fd;
    size = vfs_size(fd, err);
    if (size < 0) {
        rc = (int)size;
        goto out;
    }
    if (size > max_bytes || size >= INT32_MAX) {
        rc = err_set(err, OT_E_LIMIT, "\"%s\" has %lld bytes, more than %lld", path,
                     (long long)size, (long long)max_bytes);
        goto out;
    }
    bytes = arena_alloc(arena, (size_t)size + 1);
    if (bytes == NULL) {
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for \"%s\"", path);
        goto out;
    }
    got = vfs_pread(fd, bytes, (size_t)size, 0, err);
    if (got < 0) {
        err_prefix(err, "\"%s\"", path);
        rc = (int)got;
        goto out;
    }
    bytes[got] = '\0';
    *ret = (BytesView){bytes, (int32_t)got};
out:
    vfs_close(fd);
    return rc;
}

static int
compare_names(const void *a, const void *b)
{
    const StrView *left = a, *right = b;

    return strcmp(left->ptr, right->ptr);
}

/* Reads the names of an open folder. */
static int
collect_names(DIR *dir, const char *path, int32_t max_count, Arena *arena, StrView **names,
              int32_t *count, ErrInfo *err)
{
    int32_t room = 0;

    for (;;) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL)
            return errno == 0 ? 0 : as_read(path_error(err, "list", path), err);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*count == max_count)
            return err_set(err, OT_E_LIMIT, "more than %d names in \"%s\"", max_count, path);
        if (*count == room) {
            int32_t new_room = room == 0 ? 32 : room * 2;
            StrView *bigger = arena_calloc(arena, (size_t)new_room, sizeof **names);

            if (bigger == NULL)
                return err_set(err, OT_E_NO_MEMORY, "no memory for the names in \"%s\"", path);
            if (*count > 0)
                memcpy(bigger, *names, (size_t)*count * sizeof **names);
            *names = bigger;
            room = new_room;
        }
        (*names)[*count] = strview_from(arena_strdup(arena, strview_from(entry->d_name)));
        if ((*names)[*count].ptr == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for the names in \"%s\"", path);
        (*count)++;
    }
}

int
vfs_list(const char *path, int32_t max_count, Arena *arena, StrView **ret_names, int32_t *ret_count,
         ErrInfo *err)
{
    StrView *names = NULL;
    int32_t count = 0;
    DIR *dir = opendir(path);
    int rc;

    ot_assert(max_count < INT32_MAX / 2);
    if (dir == NULL)
        return as_read(path_error(err, "list", path), err);
    rc = collect_names(dir, path, max_count, arena, &names, &count, err);
    closedir(dir);
    if (rc < 0)
        return rc;
    if (count > 0)
        qsort(names, (size_t)count, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static int
try_lock(int fd, short type, pid_t *ret_holder, ErrInfo *err)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    int cause;

    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    cause = errno;
    if (cause != EAGAIN && cause != EACCES)
        return err_set_errno(err, vfs_code(cause), cause, "cannot lock descriptor %d", fd);
    if (ret_holder != NULL) {
        lock = (struct flock){.l_type = type, .l_whence = SEEK_SET};
        *ret_holder =
            fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : -1;
    }
    return err_set(err, OT_E_BUSY, "locked by another process");
}

int
vfs_try_lock(int fd, pid_t *ret_holder, ErrInfo *err)
{
    return try_lock(fd, F_WRLCK, ret_holder, err);
}

int
vfs_try_read_lock(int fd, pid_t *ret_holder, ErrInfo *err)
{
    return try_lock(fd, F_RDLCK, ret_holder, err);
}
