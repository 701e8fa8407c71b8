/*
 * retention_main.c - worker process: takes away what is too old or too much, and unlinks it
 *
 * Jobs: bury retired partitions (at once, woken by the controller); remove -delete folders after
 * log.segment.delete.delay.ms; every log.retention.check.interval.ms apply the rules of retention to
 * the logs that changed or whose time has come, and to no others; remove the files of the segments
 * that went after file.delete.delay.ms; move logs to other directories (moves.c); set strays aside after a start.
 * Nothing here is remembered on disk: names say what is to be done, leftovers of *.deleted files are removed
 * when their log is opened. The wall clock is asked for what records and ctimes say, never for a delay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/maintenance/retention_main.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "due_queue_int.h"
#include "folders_int.h"
#include "moves_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/fd_cache.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/plog.h"
#include "ottla/storage/plog_retention.h"
#include "unlink_queue_int.h"

#define OPEN_FILES    64
#define RETRY_MS      1000
#define LOCK_HELD_MAX 256 /* logs that one check leaves for its retry */

typedef struct Retention {
    uint32_t moved_seen;
    bool bury_again;       /* some lock was held */
    int64_t last_check_ms; /* monotonic */
    int64_t retry_ms;      /* of logs whose lock was held; monotonic */
    bool checked;
    int64_t start_ms;
    int64_t next_folders_ms; /* monotonic */
    DueQueue
        segments; /* partitions with a segment that goes by time; wall clock, as the records' time */
    UnlinkQueue unlinks; /* partitions whose folders hold *.deleted files; monotonic */
    Moves moves;
    int64_t moves_us; /* when the move goes on; monotonic */
} Retention;

/* ---- burial ------------------------------------------------------------------------------------- */

/* Idle processes close what they hold of vanished files when they wake up. */
static void
wake_everybody(void)
{
    int32_t i;

    for (i = slot_skip_unused(0); i < slot_count(); i = slot_skip_unused(i + 1)) {
        if (i != my_slot_index && slot_state(i) == SLOT_RUNNING)
            latch_set_index(i);
    }
}

static void
bury_one(Retention *r, int32_t index, int32_t *io_buried)
{
    static LogRate rate;
    char folder[LIMIT_PATH_BYTES];
    ErrInfo err = {0};
    const PartitionSlot *slot = pslot_at(index);
    int rc = plog_bury(index, folder, &err);

    if (rc != 0) {
        r->bury_again = true;
        if (rc != OT_E_AGAIN) /* said again with every retry */
            log_limited(&rate, 1, LL_WARNING, "retention",
                        "deleted partition cannot be removed: %s; topic=%s partition=%d", err.text,
                        slot->topic, (int)slot->partition);
        pslot_push_retired(pslot_at(index));
        return;
    }
    (*io_buried)++;
    due_queue_remove(&r->segments, index);
    unlink_queue_remove(&r->unlinks, index);
    if (folder[0] != '\0') {
        int64_t now_ms = clock_mono_ms();

        folders_note_deleted(folder, now_ms);
        r->next_folders_ms = now_ms; /* the delay is looked at there */
    }
}

static void
bury(Retention *r)
{
    int32_t next = pslot_take_retired();
    int32_t buried = 0;

    r->bury_again = false;
    while (next >= 0) {
        int32_t index = next;

        next = atomic_i32_load(&pslot_at(index)->retired_next) - 1;
        bury_one(r, index, &buried);
    }
    if (pslot_moved_count() != r->moved_seen) { /* others renamed some */
        r->moved_seen = pslot_moved_count();
        folders_find_deleted();
        r->next_folders_ms = clock_mono_ms();
    }
    if (buried > 0)
        wake_everybody();
}

/* ---- files -------------------------------------------------------------------------------------- */

static void
remove_folders(Retention *r)
{
    int64_t now_ms = clock_mono_ms();
    int32_t removed;

    if (now_ms < r->next_folders_ms)
        return;
    r->next_folders_ms =
        folders_remove_deleted(now_ms, conf_int64(CONF_LOG_SEGMENT_DELETE_DELAY_MS), &removed);
}

static void
unlink_due(Retention *r)
{
    int64_t now_ms = clock_mono_ms();
    int32_t removed = 0;
    int32_t index;
    int64_t below;

    while ((index = unlink_queue_take(&r->unlinks, now_ms, &below)) >= 0) {
        const PartitionSlot *slot = pslot_at(index);
        char folder[LIMIT_PATH_BYTES];

        if (pslot_state(slot) != PSLOT_OPEN)
            continue; /* deleted: they go with their folder */
        (void)snprintf(folder, sizeof folder, "%s/%s-%d", logdir_path(pslot_dir(slot)), slot->topic,
                       (int)slot->partition);
        removed += folders_remove_deleted_files(folder, below);
    }
    if (removed > 0)
        log_msg(LL_DEBUG1, "retention", "files of deleted segments removed; files=%d",
                (int)removed);
}

/* ---- segments ----------------------------------------------------------------------------------- */

/* What a check did. */
typedef struct Check {
    int32_t logs;
    int32_t segments;
    int64_t bytes;
    int64_t now_ms;
} Check;

/* The delay is that of the moment. */
static void
remember_unlink(Retention *r, int32_t index, int64_t log_start)
{
    TopicSettings settings;
    int64_t due;

    pslot_settings(pslot_at(index), &settings);
    if (__builtin_add_overflow(clock_mono_ms(), settings.file_delete_delay_ms, &due))
        due = INT64_MAX - 1;
    unlink_queue_add(&r->unlinks, index, log_start, due);
}

static void
report(const PartitionSlot *slot, const PlogRetention *done)
{
    log_msg(LL_INFO, "retention",
            "segments removed; topic=%s partition=%d segments=%d bytes=%lld start=%lld "
            "below_start=%d over_size=%d too_old=%d",
            slot->topic, (int)slot->partition, (int)done->segments, (long long)done->bytes,
            (long long)done->log_start, (int)done->count[RETENTION_BELOW_START],
            (int)done->count[RETENTION_OVER_SIZE], (int)done->count[RETENTION_TOO_OLD]);
}

static void
check_log(Retention *r, int32_t index, Check *check)
{
    PartitionSlot *slot = pslot_at(index);
    PlogRetention done;
    ErrInfo err = {0};
    int rc;

    due_queue_remove(&r->segments, index);
    if (pslot_state(slot) != PSLOT_OPEN || logdir_state(pslot_dir(slot)) == LOGDIR_FAILED)
        return;
    rc = plog_apply_retention(pslot_ref(slot), check->now_ms, &done, &err);
    if (rc == OT_E_UNKNOWN_TOPIC_OR_PARTITION)
        return;
    if (rc == OT_E_AGAIN) {
        done.due_ms = check->now_ms;
        r->retry_ms = clock_mono_ms() + RETRY_MS;
    } else if (rc != 0) {
        log_msg(LL_WARNING, "retention", "segments cannot be removed: %s; topic=%s partition=%d",
                err.text, slot->topic, (int)slot->partition);
        done.due_ms = check->now_ms + 1; /* with the next check */
    }
    if (done.due_ms != RETENTION_NEVER)
        due_queue_set(&r->segments, index, done.due_ms);
    if (done.segments == 0)
        return;
    check->logs++;
    check->segments += done.segments;
    check->bytes += done.bytes;
    report(slot, &done);
    remember_unlink(r, index, done.log_start);
}

/* Those that changed since the last check; all when some may be missing. */
static void
check_changed(Retention *r, Check *check)
{
    bool overflow;
    int32_t next = pslot_take_changed(&overflow);
    int32_t high = pslot_high();
    int32_t steps = 0, i;

    while (next >= 0 && steps++ < high) {
        PartitionSlot *slot = pslot_at(next);
        int32_t index = next;

        next = atomic_i32_load(&slot->changed_next) - 1;
        atomic_u32_store(&slot->changed, 0);
        check_log(r, index, check);
    }
    /* Whose word is cleared here may be noted twice, and the list become a circle: then all once more. */
    overflow |= next >= 0;
    for (i = 0; overflow && i < high; i++) {
        atomic_u32_store(&pslot_at(i)->changed, 0);
        check_log(r, i, check);
    }
}

/* A default of all topics has changed. */
static void
check_all(Retention *r, Check *check)
{
    int32_t high = pslot_high();

    for (int32_t i = 0; i < high; i++)
        check_log(r, i, check);
}

/* A log that is due again at once has more to give, or its lock is held: that one waits for the retry. */
static void
check_due(Retention *r, Check *check)
{
    int32_t held[LOCK_HELD_MAX];
    int32_t held_count = 0;
    int32_t index;

    while (held_count < LOCK_HELD_MAX &&
           (index = due_queue_take(&r->segments, check->now_ms)) >= 0) {
        int32_t before = check->segments;

        check_log(r, index, check);
        if (check->segments == before && due_queue_of(&r->segments, index) <= check->now_ms) {
            due_queue_remove(&r->segments, index);
            held[held_count++] = index;
        }
    }
    while (held_count > 0)
        due_queue_set(&r->segments, held[--held_count], check->now_ms);
}

static int64_t
next_check_ms(const Retention *r)
{
    int64_t next = r->checked ? r->last_check_ms + conf_int64(CONF_LOG_RETENTION_CHECK_INTERVAL_MS)
                              : r->start_ms + conf_int64(CONF_LOG_INITIAL_TASK_DELAY_MS);

    return r->retry_ms < next ? r->retry_ms : next;
}

static void
check_segments(Retention *r)
{
    Check check = {.now_ms = clock_wall_ms()};

    r->retry_ms = INT64_MAX;
    r->last_check_ms = clock_mono_ms();
    r->checked = true;
    check_changed(r, &check);
    if (pslot_take_judge_all())
        check_all(r, &check);
    check_due(r, &check);
    if (check.segments > 0)
        wake_everybody();
}

/* ---- moves --------------------------------------------------------------------------------------- */

static void
move_logs(Retention *r)
{
    bool left_folder;

    r->moves_us = moves_turn(&r->moves, clock_mono_us(), &left_folder);
    if (left_folder)
        r->next_folders_ms = clock_mono_ms(); /* the delay is looked at there */
}

/* ---- loop --------------------------------------------------------------------------------------- */

static int64_t
next_deadline_ms(const Retention *r)
{
    int64_t next = next_check_ms(r);
    int64_t unlink_ms = unlink_queue_next(&r->unlinks);
    int64_t now_ms = clock_mono_ms();

    if (unlink_ms < next)
        next = unlink_ms;
    if (r->next_folders_ms < next)
        next = r->next_folders_ms;
    if (r->bury_again && now_ms + RETRY_MS < next)
        next = now_ms + RETRY_MS;
    return next;
}

static int64_t
next_deadline_us(const Retention *r)
{
    int64_t next_us = next_deadline_ms(r) * 1000;

    return r->moves_us < next_us ? r->moves_us : next_us;
}

static void
take_interrupts(void)
{
    if (interrupt_take(INTERRUPT_TERMINATE) || interrupt_take(INTERRUPT_FINISH))
        exit(0);
    if (interrupt_pending(INTERRUPT_ORPHANED))
        exit(1);
}

_Noreturn void
retention_main(int instance, const void *start)
{
    Retention r = {.retry_ms = INT64_MAX, .start_ms = clock_mono_ms()};
    int dir;

    (void)instance; /* there is one */
    (void)start;
    fd_cache_init(OPEN_FILES);
    if (!due_queue_init(&r.segments, pslot_table_size()) ||
        !unlink_queue_init(&r.unlinks, pslot_table_size())) {
        log_msg(LL_ERROR, "retention", "no memory");
        exit(1);
    }
    pslot_set_burier(slot_ref_pack(slot_ref_self()));
    for (dir = 0; dir < logdir_count(); dir++)
        folders_set_strays_aside(dir);
    folders_find_deleted();
    moves_init(&r.moves);
    title_set("idle");
    for (;;) {
        take_interrupts();
        (void)live_conf_refresh(); /* settings are asked for when they are used */
        fd_cache_sweep();
        bury(&r);
        remove_folders(&r);
        if (clock_mono_ms() >= next_check_ms(&r))
            check_segments(&r);
        unlink_due(&r);
        move_logs(&r);
        (void)mainloop_wait(next_deadline_us(&r), WAIT_EV_RETENTION_MAIN); /* all is looked at */
    }
}
