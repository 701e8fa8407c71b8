/*
 * dir_watch.c - what a checkpointer does about the state of its directory
 *
 * Whoever meets a failure stores it in the directory's state and wakes the checkpointer; here it is
 * said once, and what follows is done: a FAILED directory is recorded, so that the next start repairs
 * it; a FULL one is asked for its reserve every second, for when nobody appends; one under repair
 * comes online when all its logs were opened, which wrote them again, and a checkpoint flushed them.
 *
 * Runs in: checkpointer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dir_watch_int.h"

#include "checkpoint_int.h"
#include "flush_int.h"
#include "ottla/common/log.h"
#include "ottla/storage/failure_record.h"
#include "ottla/storage/plog.h"

#define FULL_LOOK_US   (1 * INT64_C(1000000))
#define RECORD_LOOK_US (5 * INT64_C(1000000))
#define REPAIR_LOOK_US (500 * INT64_C(1000))
#define LINES_PER_S    1 /* a disk that is full, and has room, and is full */

/* ---- FAILED ------------------------------------------------------------------------------------- */

/* Tried again until it is written somewhere: nobody else knows of it. */
static void
record(DirWatch *w, int64_t now_us)
{
    static LogRate rate;
    ErrInfo err = {0};

    w->recorded = failure_record_add(w->dir, &err) == 0;
    if (!w->recorded) {
        w->next_us = now_us + RECORD_LOOK_US;
        log_limited(&rate, LINES_PER_S, LL_ERROR, "checkpointer",
                    "the failure of a log directory cannot be recorded: %s; dir=%s", err.text,
                    logdir_path(w->dir));
    }
}

static void
failed(DirWatch *w, int64_t now_us)
{
    char text[LOGDIR_FAILURE_TEXT_BYTES];
    LogDirFailure failure = logdir_failure(w->dir, text);

    record(w, now_us);
    log_more(LL_ERROR, "checkpointer",
             (&(LogMore){.hint = "mend the disk and start the node anew: it verifies the logs and "
                                 "writes them again",
                         .event = LOG_EVENT_LOG_DIR_FAILED}),
             "log directory failed, no appends until the node starts again: %s; dir=%s failure=%s",
             text, logdir_path(w->dir), logdir_failure_name(failure));
}

/* ---- FULL --------------------------------------------------------------------------------------- */

static void
full(DirWatch *w, int64_t now_us)
{
    static LogRate rate;

    w->next_us = now_us + FULL_LOOK_US;
    w->full_seen = logdir_full_count(w->dir);
    log_limited(&rate, LINES_PER_S, LL_ERROR, "checkpointer",
                "disk is full: appends are refused until there is space; dir=%s",
                logdir_path(w->dir));
}

static void
has_space(const DirWatch *w)
{
    static LogRate rate;

    log_limited(&rate, LINES_PER_S, LL_NOTICE, "checkpointer",
                "disk has space again: appends go on; dir=%s refused=%llu", logdir_path(w->dir),
                (unsigned long long)(logdir_full_count(w->dir) - w->full_seen));
}

/* ---- REPAIRING ---------------------------------------------------------------------------------- */

/* Opens what nobody opened yet. False: somebody opens a log right now. *ret_good: none is FAILED. */
static bool
open_all(int dir, bool *ret_good)
{
    int32_t high = pslot_high();
    bool all = true;
    int32_t i;

    *ret_good = true;
    for (i = 0; i < high; i++) {
        PartitionSlot *slot = pslot_at(i);
        ErrInfo err = {0};

        if (pslot_dir(slot) != dir)
            continue;
        if (pslot_state(slot) == PSLOT_UNOPENED && plog_ensure_open(pslot_ref(slot), &err) != 0) {
            /* Its state says why: FAILED, UNOPENED for want of space, or being opened. */
        }
        all &= pslot_state(slot) != PSLOT_UNOPENED;
        *ret_good &= pslot_state(slot) != PSLOT_FAILED;
    }
    return all;
}

/*
 * Names and small files by syncfs, whether it is reliable or not: the segments were flushed one by one
 * when they were written again, and what the checkpoint files rely on is by the checkpoint.
 */
static int
flush_all(int dir, ErrInfo *err)
{
    CheckpointReport report;
    int rc = flush_file_system(dir, err);

    return rc == 0 ? checkpoint_run(dir, PLOG_CHECKPOINT_FULL, NULL, &report, err) : rc;
}

static void
repair(DirWatch *w, int64_t now_us)
{
    static LogRate rate;
    ErrInfo err = {0};
    bool good;
    int rc;

    w->next_us = now_us + REPAIR_LOOK_US;
    if (!open_all(w->dir, &good))
        return;
    rc = flush_all(w->dir, &err);
    /* The record of a log that cannot be opened stays: it was not written again. */
    if (rc == 0 && good)
        rc = failure_record_remove(w->dir, &err);
    if (rc == 0)
        logdir_repaired(w->dir);
    else
        log_limited(&rate, LINES_PER_S, LL_ERROR, "checkpointer",
                    "repair of a log directory: %s; dir=%s", err.text, logdir_path(w->dir));
}

/* ---- the turn ----------------------------------------------------------------------------------- */

/* A state that was not seen before. */
static void
enter(DirWatch *w, LogDirState before, int64_t now_us)
{
    w->next_us = INT64_MAX;
    switch (w->seen) {
    case LOGDIR_ONLINE:
        if (before == LOGDIR_FULL)
            has_space(w);
        else
            log_msg(LL_NOTICE, "checkpointer", "log directory is repaired; dir=%s",
                    logdir_path(w->dir));
        break;
    case LOGDIR_FULL:
        full(w, now_us);
        break;
    case LOGDIR_FAILED:
        failed(w, now_us);
        break;
    case LOGDIR_REPAIRING:
        w->next_us = 0;
        break;
    case LOGDIR_STATE_COUNT:
        break;
    }
}

/* Still the same state, and its time has come. */
static void
go_on(DirWatch *w, int64_t now_us)
{
    switch (w->seen) {
    case LOGDIR_ONLINE:
    case LOGDIR_STATE_COUNT:
        w->next_us = INT64_MAX;
        break;
    case LOGDIR_FULL:
        w->next_us = now_us + FULL_LOOK_US;
        (void)logdir_take_reserve(w->dir); /* shows in the state */
        break;
    case LOGDIR_FAILED:
        w->next_us = INT64_MAX;
        if (!w->recorded)
            record(w, now_us);
        break;
    case LOGDIR_REPAIRING:
        repair(w, now_us);
        break;
    }
}

void
dir_watch_init(DirWatch *w, int dir)
{
    *w = (DirWatch){.dir = dir, .seen = LOGDIR_ONLINE, .next_us = INT64_MAX};
    if (logdir_is_put_aside(dir)) {
        w->seen = LOGDIR_FAILED;            /* said by the supervisor */
        w->recorded = logdir_is_clean(dir); /* nothing of it is lost */
        w->next_us = 0;
    } else if (logdir_state(dir) == LOGDIR_ONLINE) {
        (void)logdir_take_reserve(dir); /* FULL otherwise, which the first turn says */
    } else if (logdir_state(dir) == LOGDIR_REPAIRING) {
        logdir_hear_old_errors(dir);
    }
}

void
dir_watch_turn(DirWatch *w, int64_t now_us)
{
    LogDirState state = logdir_state(w->dir);

    if (state == w->seen && now_us >= w->next_us) {
        go_on(w, now_us);
        state = logdir_state(w->dir);
    }
    if (state != w->seen) {
        LogDirState before = w->seen;

        log_msg(LL_DEBUG1, "checkpointer", "log directory is %s, was %s; dir=%s",
                logdir_state_name(state), logdir_state_name(before), logdir_path(w->dir));
        w->seen = state;
        enter(w, before, now_us);
    }
}
