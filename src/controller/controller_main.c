/*
 * controller_main.c - the controller worker's process: its loop, its mailbox, its exits
 *
 * Each turn takes what waits in the mailbox, up to TURN_REQUESTS_MAX requests, and hands it to
 * controller_turn(). While one turn writes and flushes, the next requests gather: group commit
 * without a timer.
 *
 * Exits: 0 after SIGTERM; PROC_EXIT_NODE_ENDS when the folder cannot be read or written (EIO, a failed
 * flush); 1 for any other reason not to go on, which a crash cycle may mend. The line says why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/controller_main.h"

#include <inttypes.h>
#include <stdlib.h>

#include "controller/controller.h"
#include "controller/quota_hosts.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/mailbox.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/proc_kind.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/failure_record.h"

#define TURN_ARENA_CHUNK (256 * 1024)
#define HOUSEKEEP_MS     60000 /* Kafka looks at old snapshots as often */
#define PIN_TOO_OLD_US   (30 * INT64_C(1000000))
#define PIN_LOOK_US      (10 * INT64_C(1000000))

static void
fill_settings(ControllerSettings *s)
{
    bool segment_for_tests = conf_is_set(CONF_INTERNAL_METADATA_LOG_SEGMENT_BYTES);

    *s = (ControllerSettings){
        .metadata_dir = node_info.metadata_dir,
        .log = {.segment_bytes =
                    conf_int64(segment_for_tests ? CONF_INTERNAL_METADATA_LOG_SEGMENT_BYTES
                                                 : CONF_METADATA_LOG_SEGMENT_BYTES),
                .segment_ms = conf_int64(CONF_METADATA_LOG_SEGMENT_MS),
                .max_retention_bytes = conf_int64(CONF_METADATA_MAX_RETENTION_BYTES),
                .max_retention_ms = conf_int64(CONF_METADATA_MAX_RETENTION_MS),
                .renew = node_info.metadata_failed},
        .snapshot_bytes = conf_int64(CONF_METADATA_LOG_MAX_RECORD_BYTES_BETWEEN_SNAPSHOTS),
        .snapshot_interval_ms = conf_int64(CONF_METADATA_LOG_MAX_SNAPSHOT_INTERVAL_MS),
        .node_id = node_info.node_id,
        .metadata_dir_id = node_info.metadata_dir_id,
        .incarnation_id = node_info.incarnation_id,
        .rack = strview_from(conf_str(CONF_BROKER_RACK)),
        .listeners = &node_listeners,
        .min_insync_replicas = conf_int32(CONF_MIN_INSYNC_REPLICAS),
        /* A crash cycle loses nothing: what was written lies in the kernel's memory. */
        .logs_may_be_short =
            !node_info.clean_start && atomic_u32_load(&shared_page->crash_cycles) == 0,
    };
}

/*
 * The exit code after a failure. A folder that cannot be read, written or flushed ends the node: a new
 * process would believe what the kernel's memory shows of it. The next node is told.
 */
static int
exit_code(int rc)
{
    ErrInfo err = {0};

    if (rc != OT_E_IO && rc != OT_E_READ)
        return 1;
    if (rc == OT_E_IO && failure_record_metadata(true, &err) != 0)
        log_msg(LL_ERROR, "controller", "the failure of the metadata cannot be recorded: %s",
                err.text);
    return PROC_EXIT_NODE_ENDS;
}

/* What failed before was written again at this start, and flushed by its first append. */
static void
forget_failure(void)
{
    ErrInfo err = {0};

    if (failure_record_metadata(false, &err) != 0)
        log_msg(LL_WARNING, "controller",
                "the metadata log is repaired, but that cannot be recorded: %s", err.text);
}

static _Noreturn void
give_up(Controller *c, int rc, const ErrInfo *err)
{
    atomic_u32_store(&shared_page->controller_active, 0);
    mbox_worker_close(MBOX_CONTROLLER);
    log_msg(LL_FATAL, "controller", "gives up: %s; folder=%s", err->text, c->log.folder);
    controller_stop(c);
    exit(exit_code(rc));
}

/* Whether there is space for changes, when that changed. */
static void
tell_space(const Controller *c)
{
    static LogRate rate_full, rate_space;
    static bool full;

    if (c->full == full)
        return;
    full = c->full;
    if (full)
        log_limited(&rate_full, 1, LL_ERROR, "controller",
                    "disk is full: most changes of the metadata are refused; folder=%s",
                    c->log.folder);
    else
        log_limited(&rate_space, 1, LL_NOTICE, "controller",
                    "disk has space again: the metadata may be changed; folder=%s", c->log.folder);
}

static void
answer(const MboxCookie *cookie, TurnItem *item)
{
    union {
        const void *in;
        void *out;
    } body = {item->body.ptr};
    struct iovec parts[2] = {{&item->status, sizeof item->status},
                             {body.out, (size_t)item->body.len}};

    mbox_reply(cookie, parts, item->body.len > 0 ? 2 : 1);
}

/* Logs that moved to other directories get their record. */
static void
follow_dirs(Controller *c)
{
    Arena *arena = arena_new(TURN_ARENA_CHUNK, 0);
    ErrInfo err = {0};
    int rc = arena == NULL ? 0 : controller_turn(c, NULL, 0, arena, clock_wall_ms(), &err);

    if (rc != 0)
        give_up(c, rc, &err);
    arena_free(arena);
}

/* For how long requests have waited: they are begun now. */
static void
count_queue_times(const int64_t *sent_us, int32_t count)
{
    int64_t now_us = count > 0 ? clock_mono_us() : 0;

    for (int32_t i = 0; i < count; i++)
        stat_add_time(STAT_TIME_CONTROLLER_QUEUE, now_us - sent_us[i]);
}

/* One turn of requests; true: there may be more. */
static bool
serve(Controller *c, bool rescan)
{
    static MboxCookie cookies[TURN_REQUESTS_MAX];
    static TurnItem items[TURN_REQUESTS_MAX];
    static int64_t sent_us[TURN_REQUESTS_MAX];
    Arena *arena = arena_new(TURN_ARENA_CHUNK, 0);
    MboxRequest request;
    ErrInfo err = {0};
    int32_t count = 0;
    size_t bytes = 0;
    int rc = 0;

    if (arena == NULL) {
        (void)err_set(&err, OT_E_NO_MEMORY, "no memory for a turn");
        give_up(c, OT_E_NO_MEMORY, &err);
    }
    while (count < TURN_REQUESTS_MAX && bytes < TURN_BYTES_MAX &&
           mbox_next(MBOX_CONTROLLER, arena, rescan && count == 0, &request)) {
        BytesView message = {request.bytes, (int32_t)request.size};

        cookies[count] = request.cookie;
        sent_us[count] = request.sent_us;
        items[count] = (TurnItem){.status = KERR_INVALID_REQUEST};
        bytes += request.size;
        if (controller_request_decode(message, &items[count].request))
            count++;
        else
            answer(&request.cookie, &items[count]);
    }
    count_queue_times(sent_us, count);
    if (count > 0)
        rc = controller_turn(c, items, count, arena, clock_wall_ms(), &err);
    if (rc != 0)
        give_up(c, rc, &err);
    tell_space(c);
    for (int32_t i = 0; i < count; i++)
        answer(&cookies[i], &items[i]);
    if (count > 0)
        slot_count_add(SLOT_COUNT_REQUESTS, (uint64_t)count);
    arena_free(arena);
    return count == TURN_REQUESTS_MAX || bytes >= TURN_BYTES_MAX;
}

/* Memory of the image waits for a process that is stopped or lost: it ends. */
static void
watch_pins(const Controller *c, int64_t now_us)
{
    uint64_t generation;
    pid_t pid = image_kill_old_pin(&c->image, now_us - PIN_TOO_OLD_US, &generation);

    if (pid != 0)
        log_msg(LL_WARNING, "controller",
                "killed a process that holds an old metadata image; pid=%d generation=%" PRIu64,
                (int)pid, generation);
}

/* False: no snapshot could be written; not tried again at once. */
static bool
housekeep(Controller *c)
{
    static LogRate rate;
    ErrInfo err = {0};
    int32_t snapshots = c->log.snapshot_count;
    int rc = controller_housekeep(c, clock_wall_ms(), &err);

    if (rc == OT_E_NO_SPACE || rc == OT_E_NO_MEMORY)
        log_limited(&rate, 1, LL_ERROR, "controller", "no snapshot was written: %s", err.text);
    else if (rc != 0)
        give_up(c, rc, &err);
    else if (c->log.snapshot_count != snapshots)
        log_msg(LL_LOG, "controller", "wrote a snapshot of the metadata; offset=%" PRId64,
                c->image.before.offset + 1);
    return rc == 0;
}

/* The supervisor has opened or closed listeners. */
static void
register_listeners(Controller *c)
{
    Arena *arena = arena_new(TURN_ARENA_CHUNK, 0);
    ErrInfo err = {0};
    int rc;

    if (arena == NULL)
        return; /* the next turn sees it, too */
    rc = controller_follow_listeners(c, arena, clock_wall_ms(), &err);
    if (rc != 0)
        give_up(c, rc, &err);
    arena_free(arena);
}

/* Said once while the node runs: who asks for compaction gets everything kept. */
static void
report_compaction(const Controller *c)
{
    static bool said;

    if (said || !c->hosting.compaction_wanted)
        return;
    said = true;
    log_msg(LL_WARNING, "controller",
            "cleanup.policy=compact is kept, but nothing is compacted yet: such topics only grow");
}

static void
show_title(const Controller *c)
{
    static int64_t shown = -1;

    if (c->log.end_offset == shown)
        return;
    shown = c->log.end_offset;
    title_set("leader epoch %d offset %" PRId64, (int)c->quorum.epoch, shown);
}

static void
become_active(Controller *c)
{
    ControllerSettings settings;
    ErrInfo err = {0};
    int64_t begin_us = clock_mono_us();
    int rc;

    fill_settings(&settings);
    title_set("reading metadata");
    rc = controller_start(c, &settings, clock_wall_ms(), &err);
    if (rc != 0) {
        log_msg(LL_FATAL, "controller", "cannot start: %s", err.text);
        exit(exit_code(rc));
    }
    live_conf_announce(&c->image.before);
    forget_failure();
    tell_space(c);
    mbox_worker_open(MBOX_CONTROLLER);
    pslot_set_recorder(slot_ref_pack(slot_ref_self()));
    atomic_i32_store(&shared_page->controller_epoch, c->quorum.epoch);
    atomic_u32_store(&shared_page->controller_active, 1);
    node_wake_supervisor();
    show_title(c);
    log_event(LL_NOTICE, "controller", LOG_EVENT_CONTROLLER,
              "active controller of the quorum; epoch=%d offset=%" PRId64 " topics=%d "
              "partitions=%" PRId64 " ms=%" PRId64,
              (int)c->quorum.epoch, c->log.end_offset, (int)image_topic_count(&c->image.before),
              image_partition_count(&c->image.before), (clock_mono_us() - begin_us) / 1000);
    latch_set_index(my_slot_index); /* requests may wait already */
}

/* Pins are looked at while memory waits for them; an idle node sleeps on. */
static int64_t
sleep_until(const Controller *c, int64_t next_us, int64_t look_us)
{
    int64_t now_us = clock_mono_us();
    int64_t hosts_us = quota_hosts_tick(now_us);
    int64_t tidy_us = bulk_tidy(now_us);

    if (hosts_us < next_us)
        next_us = hosts_us;
    if (tidy_us < next_us)
        next_us = tidy_us;
    return c->image.retired.count > 0 && look_us < next_us ? look_us : next_us;
}

static void
follow_settings(Controller *c)
{
    if (live_conf_refresh())
        hosting_refresh_settings(&c->hosting, &c->image.before);
}

void
controller_main(int instance, const void *start)
{
    static Controller controller;
    Controller *c = &controller;
    int64_t next_us, look_us, wake_us;
    bool unlooked = false; /* the last turn ended amidst its walk over those who ask */
    bool rescan = true;
    bool snapshots = true; /* when their bytes are due; false: when the time comes */

    (void)instance; /* there is one */
    (void)start;
    become_active(c);
    next_us = clock_mono_us() + HOUSEKEEP_MS * INT64_C(1000);
    look_us = clock_mono_us() + PIN_LOOK_US;
    for (;;) {
        bool more = serve(c, rescan);
        uint32_t dirs = pslot_dir_changes();
        int64_t now_us = clock_mono_us();

        follow_settings(c); /* those that it has just decided itself: nobody wakes it for them */
        report_compaction(c);
        if (dirs != c->dir_changes || !c->dirs_followed)
            follow_dirs(c);
        if ((snapshots && c->log.bytes_since_snapshot >= c->settings.snapshot_bytes) ||
            now_us >= next_us) {
            snapshots = housekeep(c);
            next_us = now_us + HOUSEKEEP_MS * INT64_C(1000);
        }
        if (now_us >= look_us) {
            watch_pins(c, now_us);
            look_us = now_us + PIN_LOOK_US;
        }
        show_title(c);
        /* The walk that went on may have passed by whose wake-up is used up: a whole one follows. */
        wake_us = more || unlooked ? 0 : sleep_until(c, next_us, look_us);
        unlooked = more;
        rescan = (mainloop_wait(wake_us, WAIT_EV_CONTROLLER_MAIN) & WOKE_RESCAN) != 0;
        follow_settings(c);
        if (listeners_follow())
            register_listeners(c);
        if (interrupt_pending(INTERRUPT_TERMINATE) || interrupt_pending(INTERRUPT_ORPHANED))
            break;
    }
    atomic_u32_store(&shared_page->controller_active, 0);
    mbox_worker_close(MBOX_CONTROLLER);
    quota_hosts_stop();
    controller_stop(c);
    exit(interrupt_pending(INTERRUPT_ORPHANED) ? 1 : 0);
}
