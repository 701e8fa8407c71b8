/*
 * checkpointer_main.c - worker process: commits and checkpoints of one log directory
 *
 * State is private: when the next checkpoint and the next expiry are due, what is to be flushed by
 * when. Woken by who waits for the disk, and early by the append that passes 256 MiB of new data. A
 * checkpoint takes long, so that commits are made between its steps. On SIGUSR2 it makes the final checkpoint and exits; it is the last
 * kind of process to stop, so nobody appends any more then.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/maintenance/checkpointer_main.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "checkpoint_int.h"
#include "commit_int.h"
#include "dir_watch_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/common/version.h"
#include "ottla/controller/image.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/failure_record.h"
#include "ottla/storage/fd_cache.h"
#include "ottla/storage/logdir_state.h"

#define OPEN_FILES       256
#define RECOVERY_LOOK_US 200000 /* is it over? Nobody wakes us for that */

typedef struct Checkpointer {
    int dir;
    int64_t next_us;
    int64_t next_expiry_us;
    int64_t bytes_done; /* logdir_bytes at the last checkpoint */
    bool failed;        /* the last checkpoint failed: said once */
    bool commit_failed; /* the last commit failed: said once */
    bool everything;    /* somebody died: the next commit looks at all */
    Committer *committer;
    DirWatch watch;
    ControlNode node; /* as DIR/control has it; the first directory's keeps it */
} Checkpointer;

#define FULL_RETRY_US (1 * INT64_C(1000000)) /* of a checkpoint that found no space */

/* ---- commits -------------------------------------------------------------------------------------- */

static void
report_slow_flush(const Checkpointer *c, int64_t flush_us, int32_t partitions, bool used_syncfs)
{
    int64_t limit_ms = conf_int64(CONF_LOG_SLOW_FSYNC);

    if (limit_ms >= 0 && flush_us > limit_ms * 1000)
        log_msg(LL_WARNING, "checkpointer",
                "slow flush; dir=%s flush_ms=%lld partitions=%d method=%s", logdir_path(c->dir),
                (long long)(flush_us / 1000), (int)partitions,
                used_syncfs ? "syncfs" : "fdatasync");
}

/* Everybody who waits for the disk; costs next to nothing when nobody does. */
static void
commit(Checkpointer *c)
{
    bool everything = c->everything;
    CommitReport r;
    ErrInfo err = {0};
    int rc;

    c->everything = false;
    rc = commit_run(c->committer, clock_mono_us(), everything, &r, &err);
    if (rc != 0 && !c->commit_failed)
        log_msg(LL_ERROR, "checkpointer", "commit failed: %s; dir=%s", err.text,
                logdir_path(c->dir));
    c->commit_failed = rc != 0;
    report_slow_flush(c, r.flush_us, r.partitions, r.used_syncfs);
}

static void
commit_between(void *arg)
{
    commit(arg);
}

/* ---- DIR/control ------------------------------------------------------------------------------------ */

/* For ottla-controldata alone: a disk that refuses it is told of by whoever needs it. */
static void
record_node(Checkpointer *c, ControlNodeState state)
{
    ErrInfo err;

    if (c->dir != 0)
        return;
    if (state != c->node.state)
        c->node.changed_ms = clock_wall_ms();
    c->node.state = state;
    (void)snprintf(c->node.version, sizeof c->node.version, "%s", OT_VERSION);
    if (control_record_node(&c->node, &err) != 0)
        log_msg(LL_DEBUG1, "checkpointer", "the state of the node is not written down: %s",
                err.text);
}

/* Logs are checked after an unclean stop until all of them are; then the node is what it should be. */
static ControlNodeState
present_state(void)
{
    bool recovering = atomic_u32_load(&shared_page->clean_start) == 0 &&
                      atomic_u32_load(&shared_page->recovery_done) <
                          atomic_u32_load(&shared_page->recovery_total);

    return recovering ? CONTROL_NODE_RECOVERING : CONTROL_NODE_PRODUCTION;
}

/* ---- checkpoints ---------------------------------------------------------------------------------- */

static void
report(const Checkpointer *c, const CheckpointReport *r, int64_t took_us)
{
    if (r->partitions > 0 && conf_bool(CONF_LOG_CHECKPOINTS))
        log_msg(LL_LOG, "checkpointer",
                "checkpoint complete; dir=%s partitions=%d flush_ms=%lld total_ms=%lld method=%s",
                logdir_path(c->dir), (int)r->partitions, (long long)(r->flush_us / 1000),
                (long long)(took_us / 1000), r->used_syncfs ? "syncfs" : "fdatasync");
}

static void
checkpoint(Checkpointer *c, PlogCheckpointKind kind)
{
    int64_t begin = clock_mono_us();
    CheckpointReport r;
    ErrInfo err = {0};
    int rc;

    c->bytes_done = logdir_bytes(c->dir);
    if (kind == PLOG_CHECKPOINT_FULL)
        c->next_us = begin + conf_int64(CONF_CHECKPOINT_INTERVAL_MS) * 1000;
    if (logdir_state(c->dir) == LOGDIR_FAILED)
        return;
    title_set("checkpoint of %s", logdir_path(c->dir));
    rc = checkpoint_run(c->dir, kind, &(PlogServe){commit_between, c}, &r, &err);
    title_set("idle");
    report_slow_flush(c, r.flush_us, r.partitions, r.used_syncfs);
    if (rc == 0)
        report(c, &r, clock_mono_us() - begin);
    else if (!c->failed || logdir_state(c->dir) != LOGDIR_FAILED)
        log_msg(LL_ERROR, "checkpointer", "checkpoint failed: %s; dir=%s", err.text,
                logdir_path(c->dir));
    if (rc == 0 && kind == PLOG_CHECKPOINT_FULL && c->dir == 0) {
        c->node.checkpoint_ms = clock_wall_ms();
        record_node(c, present_state());
    }
    c->failed = rc != 0;
    if (rc != 0 &&
        logdir_state(c->dir) == LOGDIR_FULL) /* there was no space; now there is the reserve's */
        c->next_us = begin + FULL_RETRY_US;
}

static void
expire(Checkpointer *c)
{
    c->next_expiry_us =
        clock_mono_us() + conf_int64(CONF_PRODUCER_ID_EXPIRATION_CHECK_INTERVAL_MS) * 1000;
    (void)checkpoint_expire_producers(c->dir, conf_int64(CONF_PRODUCER_ID_EXPIRATION_MS),
                                      &(PlogServe){commit_between, c}); /* a count */
}

/* This broker's epoch, which the clean marker names as Kafka's does; -1: not registered. */
static int64_t
own_epoch(void)
{
    ImagePin pin = image_pin();
    const ImageBroker *self = pin.image == NULL ? NULL : image_broker(pin.image, node_info.node_id);
    int64_t epoch = self == NULL ? -1 : self->epoch;

    image_unpin(&pin);
    return epoch;
}

static _Noreturn void
finish(Checkpointer *c)
{
    int64_t begin = clock_mono_us();
    CheckpointReport r;
    ErrInfo err = {0};
    int rc;

    title_set("final checkpoint of %s", logdir_path(c->dir));
    rc = checkpoint_final(c->dir, own_epoch(), &r, &err);
    if (rc == 0) {
        report(c, &r, clock_mono_us() - begin);
        c->node.checkpoint_ms = clock_wall_ms();
        record_node(c, CONTROL_NODE_SHUT_DOWN);
    } else {
        log_msg(LL_ERROR, "checkpointer", "final checkpoint failed: %s; dir=%s", err.text,
                logdir_path(c->dir));
    }
    exit(rc == 0 ? 0 : 1);
}

static void
take_interrupts(Checkpointer *c)
{
    if (interrupt_take(INTERRUPT_FINISH))
        finish(c);
    if (interrupt_pending(INTERRUPT_ORPHANED))
        exit(1);
    (void)interrupt_take(INTERRUPT_TERMINATE); /* the supervisor's order is SIGUSR2 */
    if (interrupt_take(INTERRUPT_CANCEL))
        c->next_us = 0; /* checkpoint now */
}

_Noreturn void
checkpointer_main(int instance, const void *start)
{
    Checkpointer c = {.dir = instance};

    (void)start;
    title_set("idle");
    fd_cache_init(OPEN_FILES);
    logdir_set_checkpointer(c.dir, slot_ref_pack(slot_ref_self()));
    c.next_us = clock_mono_us() + conf_int64(CONF_CHECKPOINT_INTERVAL_MS) * 1000;
    c.next_expiry_us =
        clock_mono_us() + conf_int64(CONF_PRODUCER_ID_EXPIRATION_CHECK_INTERVAL_MS) * 1000;
    c.committer = committer_new(c.dir);
    ot_assert(c.committer != NULL); /* a checkpointer without memory cannot go on */
    dir_watch_init(&c.watch, c.dir);
    for (;;) {
        int64_t deadline = c.next_us < c.next_expiry_us ? c.next_us : c.next_expiry_us;
        int64_t due = commit_next_us(c.committer);
        int64_t now;

        if (c.watch.next_us < deadline)
            deadline = c.watch.next_us;
        if (c.dir == 0 && c.node.state == CONTROL_NODE_RECOVERING &&
            clock_mono_us() + RECOVERY_LOOK_US < deadline)
            deadline = clock_mono_us() + RECOVERY_LOOK_US;

        if (mainloop_wait(due < deadline ? due : deadline, WAIT_EV_CHECKPOINTER_MAIN) & WOKE_RESCAN)
            c.everything = true; /* who died may have asked half a sentence */
        take_interrupts(&c);
        (void)live_conf_refresh(); /* settings are asked for when they are used */
        commit(&c);
        fd_cache_sweep();
        dir_watch_turn(&c.watch, clock_mono_us());
        if (c.dir == 0 && c.node.state != present_state())
            record_node(&c, present_state());
        now = clock_mono_us();
        if (now >= c.next_us)
            checkpoint(&c, PLOG_CHECKPOINT_FULL);
        else if (logdir_bytes(c.dir) - c.bytes_done >= LOGDIR_CHECKPOINT_BYTES)
            checkpoint(&c, PLOG_CHECKPOINT_EARLY);
        if (now >= c.next_expiry_us)
            expire(&c);
    }
}
