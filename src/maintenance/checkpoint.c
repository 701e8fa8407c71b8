/*
 * checkpoint.c - one checkpoint of one log directory
 *
 * Runs in: checkpointer. Order, on which recovery relies: files of the partitions flushed, then the
 * checkpoint files written (each flushed and renamed), then replaced snapshots removed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "checkpoint_int.h"

#include <stdlib.h>
#include <string.h>

#include "flush_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/plog.h"
#include "ottla/storage/plog_commit.h"

#define NOTIFY_LOCK_US 1000 /* patience with one append lock */
#define SYNCFS_FROM    4    /* partitions that a checkpoint flushes all at once */
#define LOCK_TRIES     50   /* for one append lock, with commits in between */

typedef struct JobList {
    PlogCheckpoint *jobs;
    int32_t count;
    int32_t size;
    bool incomplete; /* a partition could not be looked at */
    bool later;      /* a log has little that is new, but its log start may have moved */
    PlogCheckpointKind kind;
    const PlogServe *between;
} JobList;

/* Commits are not kept waiting while a checkpoint goes on. */
static void
serve(const PlogServe *between)
{
    if (between != NULL)
        between->serve(between->arg);
}

static int
job_add(JobList *list, const PlogCheckpoint *job, ErrInfo *err)
{
    if (list->count == list->size) {
        int32_t size = list->size == 0 ? 64 : list->size * 2;
        PlogCheckpoint *grown = realloc(list->jobs, (size_t)size * sizeof *grown);

        if (grown == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for a checkpoint");
        list->jobs = grown;
        list->size = size;
    }
    list->jobs[list->count++] = *job;
    return 0;
}

/* One partition that may have changed. Those that cannot be looked at now ask again. */
static int
begin_slot(int dir, PartitionSlot *slot, JobList *list, ErrInfo *err)
{
    PlogCheckpoint job;
    int tries = 0;
    int rc;

    if (pslot_dir(slot) != dir) { /* another partition's by now, or moved */
        if (pslot_state(slot) == PSLOT_OPEN)
            flush_request(slot, FLUSH_AT_CHECKPOINT); /* to whom it concerns */
        return 0;
    }
    while ((rc = plog_checkpoint_begin(pslot_ref(slot), list->kind, &job, err)) == OT_E_AGAIN &&
           ++tries < LOCK_TRIES)
        serve(list->between);
    if (rc == OT_E_UNKNOWN_TOPIC_OR_PARTITION)
        return 0;
    if (rc == OT_E_AGAIN || rc == OT_E_KAFKA_STORAGE_ERROR) {
        flush_request(slot, FLUSH_AT_CHECKPOINT);
        list->incomplete = true;
        return 0;
    }
    if (rc == 0 && job.dir != dir) { /* moved away a moment ago */
        plog_checkpoint_undo(&job);
        return 0;
    }
    if (rc == 0 && job.later) {
        flush_request(slot, FLUSH_AT_CHECKPOINT);
        list->later = true;
        return 0;
    }
    return rc == 0 ? job_add(list, &job, err) : rc;
}

static int
begin_dirty(int dir, JobList *list, ErrInfo *err)
{
    PartitionSlot *slot;
    FlushWalk walk;
    int rc = 0;

    /* Every bit: that costs little beside the rest, and somebody may have died since the last time. */
    flush_walk_begin(&walk, dir, FLUSH_AT_CHECKPOINT, true);
    while (rc == 0 && (slot = flush_walk_next(&walk)) != NULL) {
        rc = begin_slot(dir, slot, list, err);
        if (rc != 0)
            flush_request(slot, FLUSH_AT_CHECKPOINT);
        serve(list->between);
    }
    flush_walk_end(&walk);
    return rc;
}

static int
begin_all(int dir, JobList *list, ErrInfo *err)
{
    int32_t high = pslot_high();
    int32_t i;
    int rc = 0;

    for (i = 0; i < high && rc == 0; i++) {
        PartitionSlot *slot = pslot_at(i);

        if (pslot_dir(slot) == dir && pslot_state(slot) == PSLOT_OPEN)
            rc = begin_slot(dir, slot, list, err);
    }
    return rc;
}

/* One by one. A partition that could not be flushed for want of descriptors stays dirty. */
static int
flush_each(JobList *list, ErrInfo *err)
{
    int32_t kept = 0;
    int32_t i;

    for (i = 0; i < list->count; i++) {
        int rc = plog_checkpoint_flush(&list->jobs[i], err);

        serve(list->between);
        if (rc == OT_E_AGAIN)
            plog_checkpoint_undo(&list->jobs[i]);
        else if (rc != 0)
            return rc;
        else
            list->jobs[kept++] = list->jobs[i];
    }
    list->count = kept;
    return 0;
}

static int
flush(int dir, JobList *list, CheckpointReport *report, ErrInfo *err)
{
    int64_t begin;
    int32_t i;
    int rc = 0;

    for (i = 0; list->between != NULL && i < list->count && rc == 0; i++)
        rc = plog_checkpoint_write_back(&list->jobs[i], list->between, err);
    if (rc != 0)
        return rc;
    begin = clock_mono_us();
    report->used_syncfs = flush_wants_syncfs(dir, list->count, SYNCFS_FROM);
    rc = report->used_syncfs ? flush_file_system(dir, err) : flush_each(list, err);
    report->flush_us = clock_mono_us() - begin;
    return rc;
}

static void
publish(const JobList *list)
{
    WakeBatch wake;
    int32_t i;

    wake_batch_init(&wake);
    for (i = 0; i < list->count; i++) {
        const PlogCheckpoint *job = &list->jobs[i];
        int tries = 0;

        while (!plog_checkpoint_publish(job)) {
            if (++tries == LOCK_TRIES) {
                plog_checkpoint_undo(job);
                break;
            }
            serve(list->between);
        }
        serve(list->between);
    }
    for (i = 0; i < list->count; i++) {
        PartitionRef ref = list->jobs[i].ref;

        if (!plog_commit_notify(ref, WAIT_ON_DURABLE, NOTIFY_LOCK_US, &wake))
            flush_request(pslot_at(ref.slot), FLUSH_NOW); /* the next commit tells them */
    }
    wake_batch_flush(&wake);
}

/* ---- the files ---------------------------------------------------------------------------------- */

typedef struct Writers {
    OffsetCheckpointWriter *recovery_point;
    OffsetCheckpointWriter *log_start;
    OffsetCheckpointWriter *high_watermark;
    OffsetCheckpointWriter *producerless;
} Writers;

/* What the files say of one log. */
typedef struct SlotLines {
    char topic[LIMIT_TOPIC_NAME_LEN];
    OffsetCheckpointEntry entry; /* without an offset */
    Uuid topic_id;
    int64_t recovery_point;
    int64_t log_start;
    int64_t high_watermark;
    int64_t producerless_end;
} SlotLines;

#define LEFT_WRITTEN \
    UINT32_C(0x80000000) /* in left_dir: the files that are being written name the log */

/*
 * Whose offsets do this directory's files tell? Of a log that was moved away until the files of its new directory
 * do: so at every instant some directory's do.
 */
static bool
is_told_here(PartitionSlot *slot, int dir, bool *io_moved)
{
    uint32_t left = atomic_u32_load(&slot->left_dir);

    if (pslot_dir(slot) != dir)
        return (left & ~LEFT_WRITTEN) == (uint32_t)dir + 1;
    if (left != 0 && atomic_u32_cas(&slot->left_dir, &left, left | LEFT_WRITTEN))
        *io_moved = true;
    return true;
}

static void
forget_left(int dir)
{
    int32_t high = pslot_high();

    for (int32_t i = 0; i < high; i++) {
        PartitionSlot *slot = pslot_at(i);
        uint32_t left = atomic_u32_load(&slot->left_dir);

        if ((left & LEFT_WRITTEN) == 0 || pslot_dir(slot) != dir)
            continue;
        (void)atomic_u32_cas(&slot->left_dir, &left, 0); /* moved again: it has left another one */
    }
}

/*
 * False: nothing is to be said. The slot may be given to another log meanwhile; offsets of the one under the name of
 * the other would have recovery trust bytes that nobody flushed.
 */
static bool
read_slot(int dir, PartitionSlot *slot, SlotLines *ret, bool *io_moved)
{
    PartitionRef ref = pslot_ref(slot);
    PslotState state = pslot_state(slot);
    PlogOffsets offsets;
    bool open;

    if (state == PSLOT_FREE || state == PSLOT_DELETING || !is_told_here(slot, dir, io_moved))
        return false;
    open = plog_offsets_peek(ref, &offsets);
    if (open && !slot->has_folder)
        return false; /* an empty log that has no files */
    memcpy(ret->topic, slot->topic, sizeof ret->topic);
    ret->entry = (OffsetCheckpointEntry){.topic = {ret->topic, slot->topic_len},
                                         .partition = slot->partition};
    ret->topic_id = slot->topic_id;
    ret->recovery_point = open ? plog_recovery_point(ref) : slot->start_recovery_point;
    ret->high_watermark = open ? offsets.high_watermark : slot->start_high_watermark;
    ret->log_start = open ? offsets.log_start_offset : slot->start_log_start;
    /* Were power to take the records before it, it would stand above the end of what is written then. */
    if (open && ret->log_start > offsets.durable_offset)
        ret->log_start = offsets.durable_offset;
    ret->producerless_end = atomic_i64_load(&slot->producerless_end);
    crashpoint("checkpoint.slot");
    fence_acquire();
    return pslot_is_current(ref);
}

static int
add_line(OffsetCheckpointWriter *w, SlotLines *lines, int64_t offset)
{
    int rc = offset_checkpoint_add_id(w, lines->topic_id);

    lines->entry.offset = offset;
    return rc != 0 ? rc : offset_checkpoint_add(w, &lines->entry);
}

static int
add_slot(const Writers *w, SlotLines *lines)
{
    int rc = add_line(w->recovery_point, lines, lines->recovery_point);

    if (rc == 0)
        rc = add_line(w->high_watermark, lines, lines->high_watermark);
    /* Not only when it lies inside the first segment: power may bring older ones back. */
    if (rc == 0 && lines->log_start > 0)
        rc = add_line(w->log_start, lines, lines->log_start);
    if (rc != 0 || lines->producerless_end == 0 || lines->producerless_end > lines->recovery_point)
        return rc; /* what was begun and not flushed does not count */
    return add_line(w->producerless, lines, lines->producerless_end);
}

static int
store_files(int dir, const Writers *w, const PlogServe *between, ErrInfo *err)
{
    const char *path = logdir_path(dir);
    int rc = offset_checkpoint_store(w->log_start, path, CHECKPOINT_LOG_START, err);

    crashpoint("checkpoint.log_start");
    serve(between);
    if (rc == 0)
        rc = offset_checkpoint_store(w->high_watermark, path, CHECKPOINT_HIGH_WATERMARK, err);
    serve(between);
    if (rc == 0)
        rc = offset_checkpoint_store(w->recovery_point, path, CHECKPOINT_RECOVERY_POINT, err);
    crashpoint("checkpoint.recovery_point");
    serve(between);
    if (rc == 0)
        rc = offset_checkpoint_store(w->producerless, path, CHECKPOINT_PRODUCERLESS, err);
    return rc;
}

static int
write_files(int dir, const PlogServe *between, ErrInfo *err)
{
    Writers w = {offset_checkpoint_writer_new(), offset_checkpoint_writer_new(),
                 offset_checkpoint_writer_new(), offset_checkpoint_writer_new()};
    int32_t high = pslot_high();
    bool moved = false;
    int32_t i;
    int rc = 0;

    if (w.recovery_point == NULL || w.log_start == NULL || w.high_watermark == NULL ||
        w.producerless == NULL)
        rc = OT_E_NO_MEMORY;
    for (i = 0; i < high && rc == 0; i++) {
        SlotLines lines;

        if (read_slot(dir, pslot_at(i), &lines, &moved))
            rc = add_slot(&w, &lines);
    }
    if (rc == 0)
        rc = store_files(dir, &w, between, err);
    else
        (void)err_set(err, rc, "no memory for checkpoint files");
    if (rc == 0 && moved)
        forget_left(dir);
    offset_checkpoint_writer_free(w.recovery_point);
    offset_checkpoint_writer_free(w.log_start);
    offset_checkpoint_writer_free(w.high_watermark);
    offset_checkpoint_writer_free(w.producerless);
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static int
complete(int dir, JobList *list, CheckpointReport *ret, ErrInfo *err)
{
    int32_t i;
    int rc = flush(dir, list, ret, err);

    crashpoint("checkpoint.flushed");
    /* A commit in between may have met the error that this flush then no longer saw. */
    if (rc == 0 && logdir_state(dir) == LOGDIR_FAILED)
        rc = err_set(err, OT_E_KAFKA_STORAGE_ERROR, "a commit failed meanwhile");
    if (rc != 0)
        return rc;
    publish(list);
    (void)atomic_u64_add(&shared_page->commit_serial[dir], 1);
    serve(list->between);
    rc = write_files(dir, list->between, err);
    if (rc != 0)
        rc = logdir_write_failed(dir, rc, err);
    for (i = 0; rc == 0 && i < list->count; i++) {
        plog_checkpoint_retire(&list->jobs[i]);
        serve(list->between);
    }
    return rc;
}

int
checkpoint_run(int dir, PlogCheckpointKind kind, const PlogServe *between, CheckpointReport *ret,
               ErrInfo *err)
{
    JobList list = {.kind = kind, .between = between};
    int rc = begin_dirty(dir, &list, err);
    int32_t i;

    *ret = (CheckpointReport){.partitions = list.count};
    if (rc == 0 && (list.count > 0 || list.later))
        rc = complete(dir, &list, ret, err);
    for (i = 0; rc != 0 && i < list.count;
         i++) /* their mark is gone: the next round does them again */
        plog_checkpoint_undo(&list.jobs[i]);
    free(list.jobs);
    return rc;
}

/* Logs that nobody opened after an unclean start are opened now; false: one is not in order. */
static bool
all_in_order(int dir)
{
    int32_t high = pslot_high();
    bool good = true;
    int32_t i;

    for (i = 0; i < high; i++) {
        PartitionSlot *slot = pslot_at(i);
        ErrInfo err = {0};

        if (pslot_dir(slot) != dir)
            continue;
        if (pslot_state(slot) == PSLOT_UNOPENED && !logdir_is_clean(dir))
            good &= plog_ensure_open(pslot_ref(slot), &err) == 0;
        good &= pslot_state(slot) != PSLOT_FAILED;
    }
    return good && logdir_state(dir) != LOGDIR_FAILED && logdir_state(dir) != LOGDIR_REPAIRING;
}

static int
final_once(int dir, int64_t broker_epoch, CheckpointReport *ret, ErrInfo *err)
{
    bool good = all_in_order(dir);
    JobList list = {.kind = PLOG_CHECKPOINT_FINAL};
    int rc;

    *ret = (CheckpointReport){0};
    if (logdir_state(dir) == LOGDIR_FAILED) /* a flush could succeed now, with the data gone */
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "the log directory failed");
    rc = logdir_has_renames(dir) ? logdir_flush_renames(dir, err) : 0;
    if (rc == 0)
        rc = begin_all(dir, &list, err);
    ret->partitions = list.count;
    if (rc == 0)
        rc = complete(dir, &list, ret, err);
    good &= !list.incomplete;
    free(list.jobs);
    if (rc == 0 && good && all_in_order(dir)) {
        rc = logdir_write_clean_marker(dir, broker_epoch, err);
        if (rc != 0)
            rc = logdir_write_failed(dir, rc, err);
    }
    return rc;
}

int
checkpoint_final(int dir, int64_t broker_epoch, CheckpointReport *ret, ErrInfo *err)
{
    bool full = logdir_state(dir) == LOGDIR_FULL;
    int rc;

    *ret = (CheckpointReport){0};
    if (logdir_is_put_aside(dir))
        return 0; /* it is as it was */
    rc = final_once(dir, broker_epoch, ret, err);

    if (rc != 0 && !full &&
        logdir_state(dir) == LOGDIR_FULL) /* now there are the blocks of the reserve */
        rc = final_once(dir, broker_epoch, ret, err);
    return rc;
}

int32_t
checkpoint_expire_producers(int dir, int64_t expiration_ms, const PlogServe *between)
{
    int64_t now_ms = clock_wall_ms();
    int32_t high = pslot_high();
    int32_t removed = 0;
    int32_t i;

    for (i = 0; i < high; i++) {
        PartitionSlot *slot = pslot_at(i);
        int32_t count = PLOG_EXPIRE_MAX;

        while (count == PLOG_EXPIRE_MAX && pslot_dir(slot) == dir &&
               pslot_state(slot) == PSLOT_OPEN && slot->producer_count > 0) {
            count = plog_expire_producers(pslot_ref(slot), now_ms, expiration_ms);
            removed += count;
            serve(between);
        }
    }
    return removed;
}
