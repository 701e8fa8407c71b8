/*
 * logdir_state.h - whether a log directory takes appends: online, full, failed, under repair
 *
 * One shared word per directory says it, and these rules move it (design.md 6 "Errors"):
 *
 *   ONLINE     a write or flush fails for want of space: FULL; in any other way: FAILED
 *   FULL       the reserve (reserve.h) was given up, so that metadata, checkpoints and deletes go on;
 *              each append first tries to take it back, and with that the directory is ONLINE
 *   FAILED     until the node starts again; reads go on, appends get 56, nothing is flushed any more:
 *              a flush that failed once may succeed the next time with the data gone
 *   REPAIRING  it was FAILED in an earlier run: each log is read, verified, written again and flushed
 *              while it is opened; when all are and a checkpoint says so, ONLINE
 *
 * Whoever notices a failure says so here; the checkpointer of the directory writes it down
 * (failure_record.h) and is the one that logs.
 *
 * Runs in: everybody. Never: logs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_LOGDIR_STATE_H
#define OTTLA_STORAGE_LOGDIR_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/storage/logdirs.h"

typedef enum LogDirState {
    LOGDIR_ONLINE,
    LOGDIR_FULL,
    LOGDIR_FAILED,
    LOGDIR_REPAIRING,
    LOGDIR_STATE_COUNT
} LogDirState;

/* What failed first. */
typedef enum LogDirFailure {
    LOGDIR_FAILURE_NONE,
    LOGDIR_FAILURE_WRITE, /* EIO, EROFS and the like from a write, a truncation, a rename */
    LOGDIR_FAILURE_FLUSH, /* fsync, fdatasync or syncfs, whatever the cause: ENOSPC, too */
    LOGDIR_FAILURE_COUNT
} LogDirFailure;

#define LOGDIR_FAILURE_TEXT_BYTES 200

LogDirState logdir_state(int dir);

/* "online", "full", "failed", "repairing"; "none", "write", "flush". */
const char *logdir_state_name(LogDirState state);
const char *logdir_failure_name(LogDirFailure failure);

/* May an append be tried? Takes a full directory's reserve back. OT_E_KAFKA_STORAGE_ERROR: no. */
int logdir_admit(int dir, ErrInfo *err);

/* Takes the reserve, at the start or when a FULL directory has space again. False: it is FULL. */
bool logdir_take_reserve(int dir);

/*
 * The directory failed: no append until the next start. The first one to say so stores why; text is
 * the ErrInfo's. Any process, any locks held; makes no system call but the wake-up of the checkpointer.
 */
void logdir_fail(int dir, LogDirFailure failure, const char *text);

/* Why it failed, in this run or before it; LOGDIR_FAILURE_NONE: it did not, or nobody could say why. */
LogDirFailure logdir_failure(int dir, char ret_text[LOGDIR_FAILURE_TEXT_BYTES]);

/*
 * What a failed write means (design.md 6): OT_E_NO_SPACE makes an ONLINE directory FULL and gives up its
 * reserve; OT_E_LIMIT and OT_E_NO_MEMORY mean nothing for it; any other code is logdir_fail.
 * Returns OT_E_KAFKA_STORAGE_ERROR, also into err (may be NULL).
 */
int logdir_write_failed(int dir, int code, ErrInfo *err);

/* What a failed flush means: logdir_fail. Returns OT_E_KAFKA_STORAGE_ERROR, also into err. */
int logdir_flush_failed(int dir, ErrInfo *err);

/* Appends refused and writes that failed because the disk is full (statistic `full`). */
uint64_t logdir_full_count(int dir);

/* What DescribeLogDirs tells of a directory (log.md 14.6). Sizes are -1 when they cannot be known. */
typedef struct LogDirUsage {
    int error; /* 0; OT_E_KAFKA_STORAGE_ERROR: it failed. A full or repairing one has no error */
    int64_t total_bytes;  /* of the file system */
    int64_t usable_bytes; /* that this process may still take */
} LogDirUsage;

void logdir_usage(int dir, LogDirUsage *ret);

/* ---- across regions ----------------------------------------------------------------------------- */

/*
 * Supervisor, before a region is made: the directory comes up REPAIRING, for this reason. The first
 * reason stays.
 */
void logdir_require_repair(int dir, LogDirFailure failure, const char *text);

/* Supervisor, before it gives up a region (crash cycle): what failed in it must be repaired in the next. */
void logdirs_carry_failures(void);

/*
 * Checkpointer, before it flushes a REPAIRING directory: what a file system noted before is told once to each
 * descriptor that asks. Asked here, so that the flushes of the repair tell of the repair. Blocks, on a dying disk for
 * ever, which is why the supervisor does not ask. No log of the directory is opened before: that writes.
 */
void logdir_hear_old_errors(int dir);

/* False: the directory is REPAIRING, and that was not done yet. */
bool logdir_may_be_repaired(int dir);

/* What logdir_require_repair was told; LOGDIR_FAILURE_NONE: nothing. */
LogDirFailure logdir_repair_reason(int dir, const char **ret_text);

/* Checkpointer: every log of a REPAIRING directory is on the disk again. */
void logdir_repaired(int dir);

#endif
