/*
 * vfs.h - every file call of Ottla
 *
 * The functions here end EINTR and short transfers inside, and turn errno into OT_E_* with a text that
 * names the path or descriptor. Below them lies a table of system calls (vfs_ops) that tests replace:
 * vfs_faulty.h fails the n-th call, a recording one writes down what happened.
 *
 * Codes: OT_E_NOT_FOUND, OT_E_EXISTS, OT_E_NO_SPACE (ENOSPC, EDQUOT, EFBIG), OT_E_PERMISSION, OT_E_LIMIT
 * (descriptors), OT_E_NO_MEMORY, OT_E_BUSY (locks). For the rest OT_E_READ where nothing was to be changed
 * (pread, stat, list, opening to read), which concerns the file that was to be read, and OT_E_IO elsewhere,
 * which concerns the directory (EIO, EROFS and the like).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_VFS_H
#define OTTLA_COMMON_VFS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ottla/common/arena.h"
#include "ottla/common/err.h"
#include "ottla/common/view.h"

/* The seam: same meaning, results and errno as the system calls of these names. */
typedef struct VfsOps {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, off_t pos);
    ssize_t (*pread)(int fd, void *buffer, size_t size, off_t pos);
    int (*ftruncate)(int fd, off_t size);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*syncfs)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*rmdir)(const char *path);
    int (*fallocate)(int fd, int mode, off_t pos, off_t size);
} VfsOps;

extern const VfsOps vfs_real_ops;
extern const VfsOps *vfs_ops; /* vfs_real_ops at start */

/* The OT_E_* code of an errno value. */
int vfs_code(int errno_value);

/* Descriptor (>= 0, close-on-exec) or code. flags and mode as open(2). */
int vfs_open(const char *path, int flags, mode_t mode, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Never fails: after a flush there is nothing left that close could lose. fd -1 is fine. */
void vfs_close(int fd);

/* Writes all bytes at pos. iov is used up. On failure an unknown part of them is in the file. */
int vfs_pwritev(int fd, struct iovec *iov, int count, int64_t pos, ErrInfo *err)
    __attribute__((warn_unused_result));
int vfs_pwrite(int fd, const void *bytes, size_t size, int64_t pos, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Bytes read, less than size only at the end of the file; or code. */
int64_t vfs_pread(int fd, void *buffer, size_t size, int64_t pos, ErrInfo *err)
    __attribute__((warn_unused_result));

/* All bytes or OT_E_EOF. */
int vfs_pread_full(int fd, void *buffer, size_t size, int64_t pos, ErrInfo *err)
    __attribute__((warn_unused_result));

int vfs_truncate(int fd, int64_t size, ErrInfo *err) __attribute__((warn_unused_result));
int vfs_fsync(int fd, ErrInfo *err) __attribute__((warn_unused_result));
int vfs_fdatasync(int fd, ErrInfo *err) __attribute__((warn_unused_result));

/* Flushes the file system of fd; errors of earlier write-backs are reported once per descriptor. */
int vfs_syncfs(int fd, ErrInfo *err) __attribute__((warn_unused_result));

/* Reserves blocks without changing the size when keep_size. */
int vfs_allocate(int fd, int64_t size, bool keep_size, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Starts write-back of dirty pages, waits for nothing. A hint: it cannot fail. */
void vfs_write_early(int fd, int64_t pos, int64_t size);

/*
 * Writes a range of dirty pages back and waits for that, without making anything durable. An error
 * is one of the flush: it may not be reported again. Fine where the file system cannot do it.
 */
int vfs_write_back(int fd, int64_t pos, int64_t size, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Size of an open file, or code. */
int64_t vfs_size(int fd, ErrInfo *err) __attribute__((warn_unused_result));

/* Has the open file no name any more, so that its space comes back when it is closed? */
bool vfs_is_unlinked(int fd);

/* OT_E_NOT_FOUND when there is nothing at path. */
int vfs_stat(const char *path, struct stat *ret, ErrInfo *err) __attribute__((warn_unused_result));

int vfs_rename(const char *from, const char *to, ErrInfo *err) __attribute__((warn_unused_result));
int vfs_unlink(const char *path, ErrInfo *err) __attribute__((warn_unused_result));
int vfs_rmdir(const char *path, ErrInfo *err) __attribute__((warn_unused_result));

/* One folder; OT_E_EXISTS when something is there. */
int vfs_mkdir(const char *path, mode_t mode, ErrInfo *err) __attribute__((warn_unused_result));

/* The folder and those above it; fine when it exists as a folder. */
int vfs_mkdirs(const char *path, mode_t mode, ErrInfo *err) __attribute__((warn_unused_result));

/* Makes the names in a folder durable. */
int vfs_sync_dir(const char *path, ErrInfo *err) __attribute__((warn_unused_result));

/* How durable vfs_replace_file is. */
typedef enum VfsDurability {
    VFS_NOT_SYNCED, /* whole old or whole new file after kill -9, anything after a power cut */
    VFS_SYNCED,     /* whole old or whole new file after a power cut, new once it has returned */
} VfsDurability;

/*
 * Puts bytes into path as a whole: writes path.tmp, flushes it, renames it, flushes the folder.
 * mode as open(2). On failure the old file is still there, and path.tmp may be.
 */
int vfs_replace_file(const char *path, BytesView bytes, mode_t mode, VfsDurability durability,
                     ErrInfo *err) __attribute__((warn_unused_result));

/* The whole file in the arena, a zero byte behind it. OT_E_LIMIT: larger than max_bytes. */
int vfs_read_file(const char *path, int64_t max_bytes, Arena *arena, BytesView *ret, ErrInfo *err)
    __attribute__((warn_unused_result));

/*
 * The names in a folder but "." and "..", sorted bytewise, in the arena.
 * OT_E_LIMIT: more than max_count.
 */
int vfs_list(const char *path, int32_t max_count, Arena *arena, StrView **ret_names,
             int32_t *ret_count, ErrInfo *err) __attribute__((warn_unused_result));

/*
 * Takes the whole-file write lock of the open file description (F_OFD_SETLK), which children inherit
 * and which conflicts with the lock of a Java broker. OT_E_BUSY: held; ret_holder is the pid of the
 * holder or -1 when it is an open file description. ret_holder may be NULL.
 */
int vfs_try_lock(int fd, pid_t *ret_holder, ErrInfo *err) __attribute__((warn_unused_result));

/* The same for who will only read; such locks go together with one another. */
int vfs_try_read_lock(int fd, pid_t *ret_holder, ErrInfo *err) __attribute__((warn_unused_result));

#endif
