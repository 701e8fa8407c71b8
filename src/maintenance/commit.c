/*
 * commit.c - group commits of one log directory
 *
 * Runs in: checkpointer. Never: takes an append lock before everything is published, waits long for one.
 * Order, which acknowledgements rely on (C2 of plog_commit.h): all requests taken, all flushed, all published, all
 * woken. Who is woken therefore finds everything durable that one request may wait for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commit_int.h"

#include <stdlib.h>

#include "due_queue_int.h"
#include "flush_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/plog_commit.h"

#define NOTIFY_LOCK_US 1000 /* patience with one append lock */
#define LATE_RETRY_US  1000 /* until locks that were held are tried again */
#define SHORTAGE_US \
    (50 * 1000) /* until a commit that lacked memory or descriptors is tried again */
#define FLUSH_MS_FOREVER (INT64_MAX / 4000)

typedef struct Refs {
    PartitionRef *list;
    int32_t count;
    int32_t size;
} Refs;

struct Committer {
    int dir;
    PlogCommit *jobs;
    int32_t job_count;
    int32_t job_size;
    Refs late;       /* durable, but their waiters could not be told yet */
    DueQueue timers; /* partitions with flush.ms by their time */
    FlushCosts costs;
    int64_t retry_us; /* INT64_MAX: nothing to be tried again */
    bool failure_told;
};

Committer *
committer_new(int dir)
{
    Committer *c = calloc(1, sizeof *c);

    if (c == NULL || !due_queue_init(&c->timers, pslot_table_size())) {
        free(c);
        return NULL;
    }
    c->dir = dir;
    c->retry_us = INT64_MAX;
    return c;
}

void
committer_free(Committer *c)
{
    if (c == NULL)
        return;
    due_queue_fini(&c->timers);
    free(c->late.list);
    free(c->jobs);
    free(c);
}

int64_t
commit_next_us(const Committer *c)
{
    int64_t due = due_queue_next(&c->timers);

    return due < c->retry_us ? due : c->retry_us;
}

static void
retry_at(Committer *c, int64_t us)
{
    if (us < c->retry_us)
        c->retry_us = us;
}

/* ---- telling -------------------------------------------------------------------------------------- */

/* Wakes who waits for a partition, later if its lock is held now. */
static void
tell(Committer *c, PartitionRef ref, uint32_t events, WakeBatch *wake)
{
    if (plog_commit_notify(ref, events, NOTIFY_LOCK_US, wake))
        return;
    if (c->late.count == c->late.size) {
        int32_t size = c->late.size == 0 ? 16 : c->late.size * 2;
        PartitionRef *grown = realloc(c->late.list, (size_t)size * sizeof *grown);

        if (grown == NULL)
            return; /* they look again at their deadline */
        c->late.list = grown;
        c->late.size = size;
    }
    c->late.list[c->late.count++] = ref;
    retry_at(c, clock_mono_us() + LATE_RETRY_US);
}

static void
tell_late(Committer *c, WakeBatch *wake)
{
    int32_t count = c->late.count;
    int32_t i;

    c->late.count = 0;
    for (i = 0; i < count; i++) /* tell() fills at most the places that were read */
        tell(c, c->late.list[i], WAIT_ON_DURABLE | WAIT_ON_STATE, wake);
}

/* Nothing will become durable any more: everybody looks. */
static void
tell_failure(Committer *c, WakeBatch *wake)
{
    int32_t high = pslot_high();
    int32_t i;

    if (c->failure_told)
        return;
    c->failure_told = true;
    for (i = 0; i < high; i++) {
        PartitionSlot *slot = pslot_at(i);

        if (pslot_dir(slot) == c->dir && pslot_state(slot) == PSLOT_OPEN)
            tell(c, pslot_ref(slot), WAIT_ON_STATE, wake);
    }
}

/* ---- who asks ------------------------------------------------------------------------------------- */

static int
no_memory(ErrInfo *err)
{
    return err_set(err, OT_E_NO_MEMORY, "no memory for a commit");
}

/* Who asked while the log was moved away asks where it is now. */
static void
pass_on(PartitionSlot *slot, WakeBatch *wake)
{
    if (pslot_state(slot) == PSLOT_OPEN)
        plog_request_commit(slot, FLUSH_NOW, wake);
}

/* One partition that asks; without memory it asks again. */
static int
take_job(Committer *c, PartitionSlot *slot, ErrInfo *err)
{
    PlogCommit job;

    due_queue_remove(&c->timers, pslot_index(slot));
    if (!plog_commit_begin(slot, c->dir, &job))
        return 0;
    if (c->job_count == c->job_size) {
        int32_t size = c->job_size == 0 ? 64 : c->job_size * 2;
        PlogCommit *grown = realloc(c->jobs, (size_t)size * sizeof *grown);

        if (grown == NULL) {
            plog_commit_undo(&job);
            return no_memory(err);
        }
        c->jobs = grown;
        c->job_size = size;
    }
    c->jobs[c->job_count++] = job;
    return 0;
}

static int
take_waiting(Committer *c, bool everything, WakeBatch *wake, ErrInfo *err)
{
    FlushWalk walk;
    PartitionSlot *slot;
    int rc = 0;

    flush_walk_begin(&walk, c->dir, FLUSH_NOW, everything);
    while (rc == 0 && (slot = flush_walk_next(&walk)) != NULL) {
        int32_t before = c->job_count;

        rc = take_job(c, slot, err);
        /* Durable already, by a checkpoint that perhaps could not tell them. */
        if (pslot_dir(slot) != c->dir)
            pass_on(slot, wake);
        else if (rc == 0 && c->job_count == before)
            tell(c, pslot_ref(slot), WAIT_ON_DURABLE, wake);
    }
    flush_walk_end(&walk);
    return rc;
}

static void
note_slot(Committer *c, PartitionSlot *slot, int64_t now_us)
{
    int32_t index = pslot_index(slot);
    TopicSettings settings;
    int64_t due;

    if (pslot_dir(slot) != c->dir || pslot_state(slot) != PSLOT_OPEN)
        return;
    pslot_settings(slot, &settings);
    due = settings.flush_ms < FLUSH_MS_FOREVER ? now_us + settings.flush_ms * 1000 : INT64_MAX;
    if (due == INT64_MAX)
        atomic_u32_store(&slot->commit_due, 0); /* changed meanwhile: nothing is due */
    else if (due < due_queue_of(&c->timers, index))
        due_queue_set(&c->timers, index, due);
}

/* Those with flush.ms: noted for their time. */
static void
note_timed(Committer *c, int64_t now_us, bool everything, WakeBatch *wake)
{
    int32_t high = everything ? pslot_high() : 0;
    PartitionSlot *slot;
    FlushWalk walk;
    int32_t i;

    flush_walk_begin(&walk, c->dir, FLUSH_LATER, everything);
    while ((slot = flush_walk_next(&walk)) != NULL) {
        if (pslot_dir(slot) != c->dir)
            pass_on(slot, wake);
        else
            note_slot(c, slot, now_us);
    }
    flush_walk_end(&walk);
    for (i = 0; i < high; i++) { /* marked by one that died before its bit */
        if (atomic_u32_load(&pslot_at(i)->commit_due) != 0)
            note_slot(c, pslot_at(i), now_us);
    }
}

static int
take_due(Committer *c, int64_t now_us, ErrInfo *err)
{
    int32_t index;
    int rc = 0;

    while (rc == 0 && (index = due_queue_take(&c->timers, now_us)) >= 0)
        rc = take_job(c, pslot_at(index), err);
    return rc;
}

/* ---- the commit ----------------------------------------------------------------------------------- */

static int
flush_each(Committer *c, ErrInfo *err)
{
    int32_t kept = 0;
    int32_t i;

    for (i = 0; i < c->job_count; i++) {
        int rc = plog_commit_flush(&c->jobs[i], err);

        if (rc == OT_E_AGAIN) {
            plog_commit_undo(&c->jobs[i]);
            retry_at(c, clock_mono_us() + SHORTAGE_US);
            continue;
        }
        if (rc != 0)
            return rc;
        c->jobs[kept++] = c->jobs[i];
    }
    c->job_count = kept;
    return 0;
}

static int
flush_jobs(Committer *c, CommitReport *report, ErrInfo *err)
{
    int64_t begin = clock_mono_us();
    int rc;

    report->used_syncfs = flush_wants_syncfs(c->dir, c->job_count, flush_costs_all_from(&c->costs));
    rc = report->used_syncfs ? flush_file_system(c->dir, err) : flush_each(c, err);
    report->flush_us = clock_mono_us() - begin;
    report->partitions = c->job_count;
    if (rc == 0 && c->job_count > 0)
        flush_costs_note(&c->costs, report->used_syncfs, c->job_count, report->flush_us);
    stat_add(STAT_FLUSHES, 1);
    stat_add(STAT_FLUSH_US, (uint64_t)report->flush_us);
    return rc;
}

static void
publish_jobs(Committer *c, WakeBatch *wake)
{
    int32_t i;

    for (i = 0; i < c->job_count; i++)
        plog_commit_publish(&c->jobs[i]);
    (void)atomic_u64_add(&shared_page->commit_serial[c->dir], 1);
    logdir_note_waiting(c->dir, clock_mono_us());
    for (i = 0; i < c->job_count; i++)
        tell(c, c->jobs[i].ref, WAIT_ON_DURABLE, wake);
}

int
commit_run(Committer *c, int64_t now_us, bool everything, CommitReport *ret, ErrInfo *err)
{
    WakeBatch wake;
    int rc;

    *ret = (CommitReport){0};
    if (everything)
        logdir_give_descriptor_up(c->dir); /* those of the dead */
    c->retry_us = INT64_MAX;
    c->job_count = 0;
    wake_batch_init(&wake);
    tell_late(c, &wake);
    rc = take_waiting(c, everything, &wake, err);
    note_timed(c, now_us, everything, &wake);
    if (rc == 0)
        rc = take_due(c, now_us, err);
    if (rc != 0)
        retry_at(c, now_us + SHORTAGE_US);
    if (c->job_count > 0 && logdir_state(c->dir) != LOGDIR_FAILED) {
        int flushed = flush_jobs(c, ret, err);

        crashpoint("commit.flushed");
        if (flushed == 0)
            publish_jobs(c, &wake);
        else
            rc = flushed;
    }
    if (rc == 0 && logdir_state(c->dir) != LOGDIR_FAILED && logdir_has_renames(c->dir))
        rc = logdir_flush_renames(c->dir, err);
    if (rc == OT_E_AGAIN) {
        retry_at(c, now_us + SHORTAGE_US);
        rc = 0;
    }
    if (logdir_state(c->dir) == LOGDIR_FAILED)
        tell_failure(c, &wake);
    wake_batch_flush(&wake);
    return rc;
}
