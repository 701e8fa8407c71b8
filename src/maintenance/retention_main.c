/*
 * retention_main.c - worker process: unlinks what nobody may read any more
 *
 * Jobs: bury retired partitions (at once, woken by the controller); remove -delete folders after
 * log.segment.delete.delay.ms; take segments below the log start off their lists
 * (log.retention.check.interval.ms) and remove their files after file.delete.delay.ms; set strays
 * aside after a start. Nothing here is remembered on disk: names and ctimes say what is to be done,
 * leftovers of *.deleted files are removed when their log is opened.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/maintenance/retention_main.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folders_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/fd_cache.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/plog.h"

#define OPEN_FILES  64
#define RETRY_MS    1000
#define UNLINKS_MAX 4096 /* folders with files waiting; beyond it they wait for the next opening */

/* A folder that holds *.deleted files. */
typedef struct PendingUnlink {
    int64_t due_ms; /* monotonic */
    char *folder;
} PendingUnlink;

typedef struct Retention {
    uint32_t retired_seen;
    bool bury_again;       /* some lock was held */
    int64_t next_check_ms; /* monotonic, as all here */
    int64_t next_folders_ms;
    PendingUnlink *unlinks;
    int32_t unlink_count;
} Retention;

/* ---- burial ------------------------------------------------------------------------------------- */

/* Idle processes close what they hold of vanished files when they wake up. */
static void
wake_everybody(void)
{
    int32_t i;

    for (i = 0; i < slot_count(); i++) {
        if (i != my_slot_index && slot_state(i) == SLOT_RUNNING)
            latch_set_index(i);
    }
}

static void
bury(Retention *r)
{
    uint32_t retired = pslot_retired_count();
    int32_t high = pslot_high();
    int32_t buried = 0;
    int32_t i;

    if (retired == r->retired_seen && !r->bury_again)
        return;
    r->retired_seen = retired;
    r->bury_again = false;
    for (i = 0; i < high; i++) {
        ErrInfo err = {0};
        int rc;

        if (pslot_state(pslot_at(i)) != PSLOT_DELETING)
            continue;
        rc = plog_bury(i, &err);
        buried += rc == 0;
        r->bury_again |= rc != 0;
        if (rc != 0 && rc != OT_E_AGAIN)
            log_msg(LL_WARNING, "retention", "deleted partition cannot be removed: %s", err.text);
    }
    if (buried > 0) {
        r->next_folders_ms = clock_mono_ms();
        wake_everybody();
    }
}

/* ---- folders ------------------------------------------------------------------------------------ */

static void
remove_folders(Retention *r)
{
    int64_t delay_ms = conf_int64(CONF_LOG_SEGMENT_DELETE_DELAY_MS);
    int64_t wall_ms = clock_wall_ms();
    int64_t next_ms = INT64_MAX;
    int dir;

    for (dir = 0; dir < logdir_count(); dir++) {
        int64_t due_ms = folders_remove_deleted(dir, wall_ms, delay_ms);

        if (due_ms < next_ms)
            next_ms = due_ms;
    }
    r->next_folders_ms = INT64_MAX;
    if (next_ms != INT64_MAX)
        r->next_folders_ms = clock_mono_ms() + (next_ms > wall_ms ? next_ms - wall_ms : 0) + 1;
}

/* ---- segments below the log start --------------------------------------------------------------- */

static void
remember_unlink(Retention *r, const PartitionSlot *slot, int64_t delay_ms)
{
    char folder[LIMIT_PATH_BYTES];
    PendingUnlink *p = &r->unlinks[r->unlink_count];

    if (r->unlink_count == UNLINKS_MAX)
        return;
    (void)snprintf(folder, sizeof folder, "%s/%s-%d", logdir_path(slot->log_dir), slot->topic,
                   (int)slot->partition);
    p->folder = strdup(folder);
    p->due_ms = clock_mono_ms() + delay_ms;
    if (p->folder != NULL)
        r->unlink_count++;
}

static void
unlink_due(Retention *r)
{
    int64_t now_ms = clock_mono_ms();
    int32_t kept = 0;
    int32_t i;

    for (i = 0; i < r->unlink_count; i++) {
        PendingUnlink p = r->unlinks[i];

        if (p.due_ms > now_ms) {
            r->unlinks[kept++] = p;
            continue;
        }
        folders_remove_deleted_files(p.folder);
        free(p.folder);
    }
    r->unlink_count = kept;
}

static void
check_segments(Retention *r)
{
    int32_t high = pslot_high();
    int32_t dropped = 0;
    int32_t i;

    r->next_check_ms = clock_mono_ms() + conf_int64(CONF_LOG_RETENTION_CHECK_INTERVAL_MS);
    for (i = 0; i < high; i++) {
        PartitionSlot *slot = pslot_at(i);
        PartitionRef ref = pslot_ref(slot);
        TopicSettings settings;
        ErrInfo err = {0};
        int rc;

        if (pslot_state(slot) != PSLOT_OPEN || !plog_has_old_segments(ref))
            continue;
        rc = plog_drop_old_segments(ref, &err);
        if (rc < 0 && rc != OT_E_UNKNOWN_TOPIC_OR_PARTITION)
            log_msg(LL_WARNING, "retention", "segments cannot be removed: %s", err.text);
        if (rc <= 0)
            continue;
        dropped += rc;
        pslot_settings(slot, &settings);
        if (pslot_is_current(ref))
            remember_unlink(r, slot, settings.file_delete_delay_ms);
    }
    if (dropped > 0) {
        log_msg(LL_INFO, "retention", "segments below the log start removed; segments=%d",
                (int)dropped);
        wake_everybody();
    }
}

/* ---- loop --------------------------------------------------------------------------------------- */

static int64_t
next_deadline_ms(const Retention *r)
{
    int64_t next = r->next_check_ms < r->next_folders_ms ? r->next_check_ms : r->next_folders_ms;
    int32_t i;

    for (i = 0; i < r->unlink_count; i++) {
        if (r->unlinks[i].due_ms < next)
            next = r->unlinks[i].due_ms;
    }
    if (r->bury_again && clock_mono_ms() + RETRY_MS < next)
        next = clock_mono_ms() + RETRY_MS;
    return next;
}

static void
take_interrupts(void)
{
    if (interrupt_take(INTERRUPT_TERMINATE) || interrupt_take(INTERRUPT_FINISH))
        exit(0);
    if (interrupt_pending(INTERRUPT_ORPHANED))
        exit(1);
    if (interrupt_take(INTERRUPT_RELOAD) && node_settings_reread(NULL) != 0) {
        /* The supervisor judged the files and says what is wrong with them. */
    }
}

_Noreturn void
retention_main(int instance, const void *start)
{
    Retention r = {.bury_again = true};
    int dir;

    (void)instance; /* there is one */
    (void)start;
    fd_cache_init(OPEN_FILES);
    r.unlinks = calloc(UNLINKS_MAX, sizeof *r.unlinks);
    if (r.unlinks == NULL) {
        log_msg(LL_ERROR, "retention", "no memory");
        exit(1);
    }
    pslot_set_burier(slot_ref_pack(slot_ref_self()));
    for (dir = 0; dir < logdir_count(); dir++)
        folders_set_strays_aside(dir);
    r.next_folders_ms = clock_mono_ms();
    r.next_check_ms = clock_mono_ms() + conf_int64(CONF_LOG_INITIAL_TASK_DELAY_MS);
    title_set("idle");
    for (;;) {
        int64_t now_ms;

        take_interrupts();
        fd_cache_sweep();
        bury(&r);
        now_ms = clock_mono_ms();
        if (now_ms >= r.next_folders_ms)
            remove_folders(&r);
        if (now_ms >= r.next_check_ms)
            check_segments(&r);
        unlink_due(&r);
        (void)mainloop_wait(next_deadline_ms(&r) * 1000,
                            WAIT_EV_RETENTION_MAIN); /* all is looked at */
    }
}
