/*
 * logdirs_int.h - what logdirs.c and logdir_state.c share: both halves of a log directory
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_LOGDIRS_INT_H
#define OTTLA_STORAGE_LOGDIRS_INT_H

#include "ottla/ipc/atomics.h"
#include "ottla/ipc/plock.h"
#include "ottla/storage/logdir_state.h"

/* Private half: the same in all processes by fork. */
typedef struct LogDir {
    char path[LIMIT_LOG_DIR_BYTES];
    Uuid uuid;
    int fd;
    LogDirFailure repair; /* failed before this region was made; NONE: did not */
    int64_t repair_ms;    /* when it did, wall clock */
    bool unusable;        /* FAILED from the start, for the reason of repair_text */
    bool id_unknown;
    char repair_text[LOGDIR_FAILURE_TEXT_BYTES];
} LogDir;

/* Shared half: a row of region log_dirs. */
typedef struct LogDirShared {
    alignas(CACHE_LINE_BYTES) AtomicU32 clean;
    AtomicU32 state;         /* LogDirState */
    AtomicU32 failure_taken; /* somebody fills failure_text, or died over it */
    AtomicU32 failure;       /* LogDirFailure; stored behind text and time */
    AtomicU32 recorded;      /* a row of DIR/control names it, or shall */
    AtomicU32 heard;         /* logdir_hear_old_errors came back */
    AtomicU64 full;
    AtomicI64 failed_ms;
    AtomicI64 bytes;
    AtomicU32 given_up;     /* 1: see logdir_give_descriptor_up */
    AtomicI64 waited_us;    /* monotonic clock of the last commit; 0: none */
    AtomicU64 checkpointer; /* slot_ref_pack */
    PLock names;
    AtomicU32 renames;         /* of folders, counted before each; names lock */
    AtomicU32 renames_flushed; /* of these; checkpointer */
    PLock space;               /* the reserve file: one process makes or gives it up at a time */
    char failure_text[LOGDIR_FAILURE_TEXT_BYTES];
} LogDirShared;

LogDir *logdir_private(int dir);
LogDirShared *logdir_shared(int dir);

/* The word that says whether DIR/control has a row for the metadata log. */
AtomicU32 *logdirs_metadata_failed(void);

/* Serialises writing DIR/control (failure_record.c). OT_E_TIMEOUT after 10 s. */
int logdirs_control_lock(ErrInfo *err);
void logdirs_control_unlock(void);

/* The state that a directory begins a region with; the shared row is zeroed. */
void logdir_state_init(int dir);

/* Wakes the checkpointer of a directory. Any locks held. */
void logdir_wake_checkpointer(int dir);

#endif
