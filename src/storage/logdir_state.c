/*
 * logdir_state.c - whether a log directory takes appends: online, full, failed, under repair
 *
 * Runs in: everybody. Never: logs, waits.
 * Crash rule: the state is one word. Who dies between the state and the reason leaves a directory that
 * failed for no known reason; the next failure stores the state again, which changes nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/logdir_state.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/counters.h"
#include "ottla/storage/reserve.h"
#include "storage/logdirs_int.h"

const char *
logdir_state_name(LogDirState state)
{
    static const char *const names[] = {"online", "full", "failed", "repairing"};

    static_assert(sizeof names / sizeof names[0] == LOGDIR_STATE_COUNT, "a name each");
    ot_assert(state >= 0 && state < LOGDIR_STATE_COUNT);
    return names[state];
}

const char *
logdir_failure_name(LogDirFailure failure)
{
    static const char *const names[] = {"none", "write", "flush"};

    static_assert(sizeof names / sizeof names[0] == LOGDIR_FAILURE_COUNT, "a name each");
    ot_assert(failure >= 0 && failure < LOGDIR_FAILURE_COUNT);
    return names[failure];
}

LogDirState
logdir_state(int dir)
{
    return (LogDirState)atomic_u32_load(&logdir_shared(dir)->state);
}

/* The only place that moves the word; false: it was not in `from`. */
static bool
set_state(LogDirShared *d, LogDirState from, LogDirState to)
{
    static const bool legal[LOGDIR_STATE_COUNT][LOGDIR_STATE_COUNT] = {
        [LOGDIR_ONLINE] = {[LOGDIR_FULL] = true, [LOGDIR_FAILED] = true},
        [LOGDIR_FULL] = {[LOGDIR_ONLINE] = true, [LOGDIR_FAILED] = true},
        [LOGDIR_REPAIRING] = {[LOGDIR_ONLINE] = true, [LOGDIR_FAILED] = true},
    };
    uint32_t expected = from;

    ot_assert(legal[from][to]);
    return atomic_u32_cas(&d->state, &expected, to);
}

/* ---- a full disk -------------------------------------------------------------------------------- */

/* One process at a time moves the reserve; who finds another at it has nothing to do. */
static bool
lock_space(LogDirShared *d)
{
    switch (plock_trylock(&d->space)) {
    case PLOCK_OWNER_DIED:
        plock_consistent(&d->space); /* the file is looked at anew each time */
        return true;
    case PLOCK_OK:
        return true;
    case PLOCK_TIMEOUT:
        break;
    }
    return false;
}

/*
 * The first to find no space. A reserve that its last taker still handles goes at the next time. A
 * repair takes no appends anyway and needs what there is.
 */
static void
become_full(int dir)
{
    LogDirShared *d = logdir_shared(dir);
    LogDirState state = logdir_state(dir);

    if (state != LOGDIR_REPAIRING &&
        (state != LOGDIR_ONLINE || !set_state(d, LOGDIR_ONLINE, LOGDIR_FULL)))
        return;
    if (lock_space(d)) {
        reserve_give_up(logdir_path(dir));
        plock_unlock(&d->space);
    }
    logdir_wake_checkpointer(dir);
}

bool
logdir_take_reserve(int dir)
{
    LogDirShared *d = logdir_shared(dir);
    int rc;

    if (!lock_space(d))
        return logdir_state(dir) == LOGDIR_ONLINE;
    rc = reserve_take(logdir_path(dir), NULL);
    if (rc == 0 && logdir_state(dir) == LOGDIR_FULL && set_state(d, LOGDIR_FULL, LOGDIR_ONLINE))
        logdir_wake_checkpointer(dir);
    plock_unlock(&d->space);
    if (rc == OT_E_NO_SPACE)
        become_full(dir);
    return logdir_state(dir) == LOGDIR_ONLINE;
}

/* An append refused, or a write that found no space: of this directory, and of the node. */
static void
count_full(int dir)
{
    atomic_u64_count(&logdir_shared(dir)->full, 1);
    stat_add(STAT_LOG_DIR_FULL, 1);
}

int
logdir_admit(int dir, ErrInfo *err)
{
    switch (logdir_state(dir)) {
    case LOGDIR_ONLINE:
        return 0;
    case LOGDIR_FULL:
        if (logdir_take_reserve(dir))
            return 0;
        count_full(dir);
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "the disk of %s is full", logdir_path(dir));
    case LOGDIR_FAILED:
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "log directory %s failed", logdir_path(dir));
    case LOGDIR_REPAIRING:
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "log directory %s is under repair",
                       logdir_path(dir));
    case LOGDIR_STATE_COUNT:
        break;
    }
    ot_unreachable();
}

/* ---- failures ----------------------------------------------------------------------------------- */

void
logdir_fail(int dir, LogDirFailure failure, const char *text)
{
    LogDirShared *d = logdir_shared(dir);
    LogDirState state = logdir_state(dir);

    ot_assert(failure > LOGDIR_FAILURE_NONE && failure < LOGDIR_FAILURE_COUNT);
    while (state != LOGDIR_FAILED && !set_state(d, state, LOGDIR_FAILED))
        state = logdir_state(dir);
    if (atomic_u32_swap(&d->failure_taken, 1) == 0) {
        (void)snprintf(d->failure_text, sizeof d->failure_text, "%s", text); /* cut when too long */
        atomic_i64_store(&d->failed_ms, clock_wall_ms());
        atomic_u32_store(&d->failure, failure); /* pairs with the load in logdir_failure */
    }
    logdir_wake_checkpointer(dir);
}

LogDirFailure
logdir_failure(int dir, char ret_text[LOGDIR_FAILURE_TEXT_BYTES])
{
    LogDirShared *d = logdir_shared(dir);
    LogDirFailure failure = (LogDirFailure)atomic_u32_load(&d->failure);

    if (failure == LOGDIR_FAILURE_NONE)
        ret_text[0] = '\0';
    else
        memcpy(ret_text, d->failure_text, LOGDIR_FAILURE_TEXT_BYTES);
    return failure;
}

static int
storage_error(ErrInfo *err)
{
    if (err != NULL)
        err->code = OT_E_KAFKA_STORAGE_ERROR;
    return OT_E_KAFKA_STORAGE_ERROR;
}

int
logdir_write_failed(int dir, int code, ErrInfo *err)
{
    if (code == OT_E_NO_SPACE) {
        count_full(dir);
        become_full(dir);
    } else if (code == OT_E_IO) {
        logdir_fail(dir, LOGDIR_FAILURE_WRITE, err != NULL ? err->text : "write failed");
    }
    return storage_error(err);
}

int
logdir_flush_failed(int dir, ErrInfo *err)
{
    logdir_fail(dir, LOGDIR_FAILURE_FLUSH, err != NULL ? err->text : "flush failed");
    return storage_error(err);
}

uint64_t
logdir_full_count(int dir)
{
    return atomic_u64_load_relaxed(&logdir_shared(dir)->full);
}

void
logdir_usage(int dir, LogDirUsage *ret)
{
    struct statvfs fs;

    *ret = (LogDirUsage){.total_bytes = -1, .usable_bytes = -1};
    if (logdir_state(dir) == LOGDIR_FAILED)
        ret->error = OT_E_KAFKA_STORAGE_ERROR;
    if (fstatvfs(logdir_fd(dir), &fs) != 0)
        return;
    ret->total_bytes = (int64_t)(fs.f_blocks * fs.f_frsize);
    ret->usable_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
}

/* ---- across regions ------------------------------------------------------------------------------- */

void
logdir_require_repair(int dir, LogDirFailure failure, const char *text)
{
    LogDir *d = logdir_private(dir);

    ot_assert(failure > LOGDIR_FAILURE_NONE && failure < LOGDIR_FAILURE_COUNT);
    if (d->repair != LOGDIR_FAILURE_NONE)
        return;
    d->repair = failure;
    d->repair_ms = clock_wall_ms();
    (void)snprintf(d->repair_text, sizeof d->repair_text, "%s", text); /* cut when too long */
}

void
logdir_hear_old_errors(int dir)
{
    if (vfs_syncfs(logdir_fd(dir), NULL) != 0) {
        /* It is why the directory is to be repaired. */
    }
    atomic_u32_store(&logdir_shared(dir)->heard, 1);
}

bool
logdir_may_be_repaired(int dir)
{
    return logdir_state(dir) != LOGDIR_REPAIRING ||
           atomic_u32_load(&logdir_shared(dir)->heard) != 0;
}

LogDirFailure
logdir_repair_reason(int dir, const char **ret_text)
{
    const LogDir *d = logdir_private(dir);

    *ret_text = d->repair_text;
    return d->repair;
}

void
logdir_state_init(int dir)
{
    const LogDir *from = logdir_private(dir);
    LogDirShared *d = logdir_shared(dir);

    if (from->repair == LOGDIR_FAILURE_NONE && !from->unusable)
        return; /* zero is ONLINE */
    memcpy(d->failure_text, from->repair_text, sizeof d->failure_text);
    atomic_i64_store(&d->failed_ms, from->repair_ms != 0 ? from->repair_ms : clock_wall_ms());
    atomic_u32_store(&d->failure_taken, 1);
    atomic_u32_store(&d->failure,
                     from->repair != LOGDIR_FAILURE_NONE ? from->repair : LOGDIR_FAILURE_WRITE);
    atomic_u32_store(&d->recorded, from->repair != LOGDIR_FAILURE_NONE && !from->id_unknown);
    atomic_u32_store(&d->state, from->unusable ? LOGDIR_FAILED : LOGDIR_REPAIRING);
}

void
logdirs_carry_failures(void)
{
    int dir;

    for (dir = 0; dir < logdir_count(); dir++) {
        char text[LOGDIR_FAILURE_TEXT_BYTES];
        LogDirState state = logdir_state(dir);
        LogDirFailure failure = logdir_failure(dir, text);
        bool recorded = atomic_u32_load(&logdir_shared(dir)->recorded) != 0;

        logdir_private(dir)->repair = LOGDIR_FAILURE_NONE; /* what was repaired meanwhile is past */
        if (logdir_is_put_aside(dir) && logdir_is_clean(dir))
            continue; /* nothing was written to it that could be lost */
        if (state != LOGDIR_FAILED && !recorded)
            continue;
        text[sizeof text - 1] = '\0'; /* whatever its writer died over */
        if (failure <= LOGDIR_FAILURE_NONE || failure >= LOGDIR_FAILURE_COUNT)
            failure = LOGDIR_FAILURE_FLUSH;
        logdir_require_repair(dir, failure, text);
    }
}

void
logdir_repaired(int dir)
{
    /* Refused when it failed again meanwhile. */
    (void)set_state(logdir_shared(dir), LOGDIR_REPAIRING, LOGDIR_ONLINE);
}
