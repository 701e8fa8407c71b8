/*
 * vfs_faulty.h - file calls that fail when a test says so
 *
 * Installed over vfs_real_ops. Counts calls by kind; the planned one (of two plans, one after the other) fails with an errno, or transfers
 * only some of its bytes first. For tests only: nothing of the server refers to it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_VFS_FAULTY_H
#define OTTLA_COMMON_VFS_FAULTY_H

#include <stdbool.h>
#include <stdint.h>

typedef enum VfsCall {
    VFS_CALL_OPEN,
    VFS_CALL_PWRITEV,
    VFS_CALL_PREAD,
    VFS_CALL_FTRUNCATE,
    VFS_CALL_FSYNC, /* fsync and fdatasync */
    VFS_CALL_SYNCFS,
    VFS_CALL_RENAME,
    VFS_CALL_UNLINK,
    VFS_CALL_MKDIR,
    VFS_CALL_RMDIR,
    VFS_CALL_FALLOCATE,
    VFS_CALL_ANY, /* in a plan: counts all of the above */
    VFS_CALL_COUNT
} VfsCall;

typedef struct VfsFault {
    VfsCall call;
    uint64_t nth;        /* the first call after vfs_faulty_plan is 1 */
    bool and_later;      /* all calls from the nth on fail */
    int errno_value;     /* 0: no error, only a short transfer */
    int64_t short_bytes; /* pwritev and pread: transfer this many bytes instead; -1: none of that */
} VfsFault;

/* From now on vfs_ops is the faulty table with no plan. */
void vfs_faulty_install(void);

/* Back to the real calls. */
void vfs_faulty_remove(void);

/* Sets the plan and all counters to 0. */
void vfs_faulty_plan(VfsFault fault);

/*
 * Behind vfs_faulty_plan: a second call that fails, too, once the plan has hit: a repair that fails. nth counts from the
 * same counters; errno is the plan's. Not for transfers.
 */
void vfs_faulty_also(VfsFault fault);

/* Calls of a kind since vfs_faulty_plan or vfs_faulty_install. */
uint64_t vfs_faulty_count(VfsCall call);

#endif
