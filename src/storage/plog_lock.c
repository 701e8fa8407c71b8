/*
 * plog_lock.c - the append lock of a partition: taking it, opening on first need, repair
 *
 * Runs in: backend, startup, checkpointer, retention, controller.
 * What a dead owner may have left, and what makes it good (design.md 4, in this order):
 *
 *   1 the published tuple is whole, whatever instant the owner died at: it is the truth
 *   2 bytes of the active .log beyond its size: cut
 *   3 index entries beyond the flushed counts: cut; a segment file that no list names: removed
 *   4 chunks and producer entries that nothing reaches: taken back; links made anew; batches in
 *     [producer end, LEO): replayed
 *   5 the checkpointer and the waiters: told to look at the log
 *   6 the lock is consistent
 *
 * The owner may die again at any of these steps: each only brings files and pools closer to the tuple,
 * so the next owner begins again at 1. So does one that finds that an earlier repair lacked descriptors, memory or
 * space: until then nobody gets the lock but for the list of waiters, and reads go on, for the tuple is true.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "storage/plog_int.h"

#define REPAIR_AGAIN_US (100 * 1000) /* a repair that lacked something is tried again */
#define OPENING_WAIT_US (200 * 1000) /* for a log that another process opens right now */

/* ---- repair ------------------------------------------------------------------------------------- */

/* Cuts a file that exists; a missing one is fine when nothing of it was published. */
static int
cut_file(PartitionSlot *slot, int64_t base, SegmentFile kind, int64_t size, ErrInfo *err)
{
    FileRef *file;
    int64_t now;
    int rc = fd_cache_get(slot, base, kind, false, &file, err);

    if (rc == OT_E_NOT_FOUND && size == 0)
        return 0;
    if (rc != 0)
        return rc;
    now = vfs_size(file->fd, err);
    rc = now < 0 ? (int)now : 0;
    if (rc == 0 && now > size)
        rc = vfs_truncate(file->fd, size, err);
    fd_cache_put(file);
    return rc;
}

/* A roll that was not published leaves files that begin at LEO. */
static int
remove_unlisted(PartitionSlot *slot, const PlogTuple *t, ErrInfo *err)
{
    static const SegmentFile kinds[] = {SEGMENT_LOG, SEGMENT_INDEX, SEGMENT_TIMEINDEX};
    char path[LIMIT_PATH_BYTES];
    size_t i;

    if (t->log_end == t->active_base)
        return 0;
    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int rc;

        plog_file_path(slot, t->log_end, kinds[i], path);
        rc = vfs_unlink(path, err);
        if (rc != 0 && rc != OT_E_NOT_FOUND)
            return rc;
    }
    return 0;
}

static int
repair_files(PartitionSlot *slot, const PlogTuple *t, ErrInfo *err)
{
    int rc;

    if (!slot->has_folder)
        return 0; /* files of an unpublished first append are emptied by the next one */
    rc = cut_file(slot, t->active_base, SEGMENT_LOG, t->active_size, err);
    crashpoint("plog.repair.log");
    if (rc == 0)
        rc = cut_file(slot, t->active_base, SEGMENT_INDEX,
                      (int64_t)t->index_flushed * INDEX_ENTRY_BYTES, err);
    if (rc == 0)
        rc = cut_file(slot, t->active_base, SEGMENT_TIMEINDEX,
                      (int64_t)t->time_flushed * TIME_ENTRY_BYTES, err);
    if (rc == 0)
        rc = cut_file(slot, t->active_base, SEGMENT_TXNINDEX, t->txn_index_size, err);
    crashpoint("plog.repair.indexes");
    if (rc == 0)
        rc = remove_unlisted(slot, t, err);
    return rc;
}

static int
repair_open(PartitionSlot *slot, ErrInfo *err)
{
    PlogTuple t;
    int64_t from;
    int rc;

    (void)pslot_read_tuple(slot, &t); /* step 1 */
    rc = repair_files(slot, &t, err);
    crashpoint("plog.repair.files");
    if (rc != 0)
        return rc;
    segment_pool_sweep(slot, &t);
    producer_relink(slot);
    crashpoint("plog.repair.links");
    from = atomic_i64_load(&slot->producer_end);
    if (from < t.log_end) {
        PlogTuple after = t;

        rc = plog_replay_producers(slot, &after, from, INT64_MAX, err);
        if (rc != 0)
            return rc;
        if (after.first_unstable != t.first_unstable)
            pslot_publish_tuple(slot, &after);
        atomic_i64_store(&slot->producer_end, t.log_end);
    }
    crashpoint("plog.repair.producers");
    return 0;
}

/* An opener died: the next one begins anew. */
static void
repair_unopened(PartitionSlot *slot)
{
    segment_pool_sweep(slot, NULL);
    slot->producer_count = 1; /* so that the scan looks at all */
    producer_remove_all(slot);
    atomic_u32_store(&slot->opening, 0);
}

/* The log stays as it is: readers need nothing of what was to be repaired. */
static void
put_off_repair(PartitionSlot *slot, int code, ErrInfo *err)
{
    static LogRate rate;

    atomic_i64_store(&slot->repair_at_us, clock_mono_us() + REPAIR_AGAIN_US);
    log_limited(&rate, LOG_RATE_PER_SECOND, LL_WARNING, "storage",
                "log waits for its repair: %s; topic=%s partition=%d", err->text, slot->topic,
                (int)slot->partition);
    (void)plog_write_failed(slot, code,
                            err); /* the directory may be full; the code is given below */
}

/* What the lock's last owner left: design.md 4 steps 1 to 5; who takes the lock over says consistent. */
static int
plog_repair_locked(PartitionSlot *slot, ErrInfo *err)
{
    ErrInfo own = {0};
    int rc = 0;

    if (err == NULL)
        err = &own;
    switch (pslot_state(slot)) {
    case PSLOT_OPEN:
        rc = repair_open(slot, err);
        break;
    case PSLOT_UNOPENED:
    case PSLOT_FAILED:
        repair_unopened(slot);
        break;
    case PSLOT_DELETING:
        repair_unopened(slot); /* the burial gives back only what it can reach */
        break;
    case PSLOT_FREE:
        break;
    case PSLOT_STATE_COUNT:
        ot_unreachable();
    }
    atomic_i64_store(&slot->repair_at_us, 0);
    if (plog_is_passing(rc)) {
        put_off_repair(slot, rc, err);
    } else if (rc != 0) {
        (void)pslot_settle_state(slot, PSLOT_FAILED); /* deleted meanwhile: that is as good */
        /* Files that are gone: a move died between its renames, and with it this run. No disk failed. */
        if (rc != OT_E_NOT_FOUND)
            (void)plog_write_failed(slot, rc, err); /* the code is ours to give below */
    }
    flush_request(slot, FLUSH_AT_CHECKPOINT);
    pslot_set_changed_overflow();
    return rc == 0 ? 0 : OT_E_KAFKA_STORAGE_ERROR;
}

/* The dead owner may have published and not woken: everybody who hangs here looks again. */
static void
wake_after_repair(PartitionSlot *slot)
{
    WakeBatch batch;

    wake_batch_init(&batch);
    wait_notify(&slot->waiters, (uint32_t)pslot_index(slot), WAIT_ON_ANY, clock_mono_us(), &batch);
    wake_batch_flush(&batch); /* rare: signalling under the lock does no harm here */
}

/* After PLOCK_OWNER_DIED: repairs, says consistent. The lock stays held; a failure is in the slot. */
static void
take_over(PartitionSlot *slot, ErrInfo *err)
{
    if (plog_repair_locked(slot, err) != 0) {
        /* FAILED, or put off */
    }
    wake_after_repair(slot);
    crashpoint("plog.repair.woken");
    plock_consistent(&slot->append_lock);
}

/* Lock held: true when no repair is due, or one that was put off is done now. */
static bool
is_repaired(PartitionSlot *slot, ErrInfo *err)
{
    int64_t at_us = atomic_i64_load(&slot->repair_at_us);

    if (at_us == 0)
        return true;
    if (clock_mono_us() >= at_us) {
        if (plog_repair_locked(slot, err) != 0) {
            /* as above */
        }
        at_us = atomic_i64_load(&slot->repair_at_us);
    }
    return at_us == 0;
}

/* ---- taking the lock ---------------------------------------------------------------------------- */

/* One stopped process must not keep a partition from everybody (design.md 4, appending). */
static void
end_stopped_holder(PartitionSlot *slot)
{
    pid_t pid = plock_kill_stopped_holder(&slot->append_lock);

    if (pid != 0)
        log_msg(LL_WARNING, "storage",
                "killed a stopped process that held an append lock; pid=%d topic=%s partition=%d",
                (int)pid, slot->topic, (int)slot->partition);
}

/* What plock_lock said: true: the lock is held, and what a dead owner left is repaired, or put off. */
static bool
settle(PartitionSlot *slot, PLockResult what, int64_t wait_us, ErrInfo *err)
{
    switch (what) {
    case PLOCK_OK:
        return true;
    case PLOCK_OWNER_DIED:
        take_over(slot, err);
        return true;
    case PLOCK_TIMEOUT:
        break;
    }
    if (wait_us >= (int64_t)PLOG_LOCK_WAIT_MS * 1000)
        end_stopped_holder(slot);
    return false;
}

/* The lock, whatever there is to be repaired. */
static int
lock_raw(PartitionSlot *slot, int64_t wait_us, ErrInfo *err)
{
    PLockResult what =
        plock_lock(&slot->append_lock, clock_mono_us() + wait_us, WAIT_EV_PARTITION_LOCK);

    if (settle(slot, what, wait_us, err))
        return 0;
    return err_set(err, OT_E_REQUEST_TIMED_OUT, "%s-%d: append lock is held", slot->topic,
                   (int)slot->partition);
}

bool
plog_lock_retired(PartitionSlot *retired)
{
    const int64_t wait_us = (int64_t)PLOG_LOCK_WAIT_MS * 1000;

    return settle(
        retired,
        plock_lock_peer(&retired->append_lock, clock_mono_us() + wait_us, WAIT_EV_PARTITION_LOCK),
        wait_us, NULL);
}

static int
lock_slot(PartitionSlot *slot, int64_t wait_us, ErrInfo *err)
{
    int rc = lock_raw(slot, wait_us, err);

    if (rc != 0 || is_repaired(slot, err))
        return rc;
    plock_unlock(&slot->append_lock);
    return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "%s-%d: log waits for its repair", slot->topic,
                   (int)slot->partition);
}

static int
stale(ErrInfo *err)
{
    return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
}

/* Lock held: opens if nobody did, refuses what cannot serve. */
static int
require_open(PartitionSlot *slot, PartitionRef ref, ErrInfo *err)
{
    if (!pslot_is_current(ref))
        return stale(err);
    if (pslot_state(slot) == PSLOT_UNOPENED) {
        int rc = plog_open_locked(slot, err);

        if (rc != 0)
            return rc;
    }
    switch (pslot_state(slot)) {
    case PSLOT_OPEN:
        return 0;
    case PSLOT_FREE:
    case PSLOT_DELETING:
        return stale(err);
    case PSLOT_UNOPENED:
    case PSLOT_FAILED:
    case PSLOT_STATE_COUNT:
        break;
    }
    return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "%s-%d: log cannot be used", slot->topic,
                   (int)slot->partition);
}

int
plog_lock(PartitionRef ref, PartitionSlot **ret, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    int rc;

    if (slot == NULL)
        return stale(err);
    rc = lock_slot(slot, (int64_t)PLOG_LOCK_WAIT_MS * 1000, err);
    if (rc != 0)
        return rc;
    rc = require_open(slot, ref, err);
    if (rc != 0) {
        plock_unlock(&slot->append_lock);
        return rc;
    }
    *ret = slot;
    return 0;
}

int
plog_try_lock(PartitionRef ref, PartitionSlot **ret, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);

    if (slot == NULL)
        return stale(err);
    if (!plog_try_lock_quiet(slot))
        return err_set(err, OT_E_AGAIN, "append lock is held");
    if (!pslot_is_current(ref)) {
        plock_unlock(&slot->append_lock);
        return stale(err);
    }
    *ret = slot;
    return 0;
}

bool
plog_try_lock_quiet(PartitionSlot *slot)
{
    switch (plock_trylock(&slot->append_lock)) {
    case PLOCK_OK:
        break;
    case PLOCK_OWNER_DIED:
        take_over(slot, NULL);
        break;
    case PLOCK_TIMEOUT:
        return false;
    }
    if (is_repaired(slot, NULL))
        return true;
    plock_unlock(&slot->append_lock);
    return false;
}

bool
plog_lock_plain(PartitionSlot *slot)
{
    return lock_raw(slot, (int64_t)PLOG_LOCK_WAIT_MS * 1000, NULL) == 0;
}

bool
plog_lock_within(PartitionSlot *slot, int64_t wait_us)
{
    return lock_slot(slot, wait_us, NULL) == 0;
}

void
plog_unlock(PartitionSlot *slot)
{
    plock_unlock(&slot->append_lock);
}

int
plog_ensure_open(PartitionRef ref, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    int64_t wait_us = (int64_t)PLOG_LOCK_WAIT_MS * 1000;
    int rc;

    if (slot == NULL)
        return stale(err);
    if (pslot_state(slot) == PSLOT_OPEN)
        return 0;
    if (atomic_u32_load(&slot->opening) != 0)
        wait_us = OPENING_WAIT_US;
    rc = lock_slot(slot, wait_us, err);
    if (rc != 0)
        return err_set(err, OT_E_NOT_LEADER_OR_FOLLOWER, "%s-%d: log is being recovered",
                       slot->topic, (int)slot->partition);
    rc = require_open(slot, ref, err);
    plock_unlock(&slot->append_lock);
    return rc;
}

/* ---- epochs ------------------------------------------------------------------------------------- */

int
plog_assign_epoch(PartitionSlot *slot, PlogTuple *tuple, int32_t epoch, int64_t start, ErrInfo *err)
{
    char folder[LIMIT_PATH_BYTES];
    EpochEntry *list = NULL;
    EpochEntry *grown;
    int32_t count = 0;
    int rc;

    plog_folder_path(slot, folder);
    rc = epoch_file_load(folder, &list, &count, err);
    if (rc == OT_E_NOT_FOUND)
        rc = 0;
    if (rc != 0) {
        free(list);
        return plog_write_failed(slot, rc, err);
    }
    grown = realloc(list, ((size_t)count + 1) * sizeof *list);
    if (grown == NULL) {
        free(list);
        return plog_write_failed(slot, err_set(err, OT_E_NO_MEMORY, "no memory for epochs"), err);
    }
    count = epochs_assign(grown, count, (EpochEntry){epoch, start});
    rc = epoch_file_store(folder, grown, count, err);
    if (rc == 0) {
        tuple->last_epoch = grown[count - 1].epoch;
        tuple->last_epoch_start = grown[count - 1].start_offset;
        plog_note_names(slot, NEW_NAMES_FILES);
    }
    free(grown);
    return rc == 0 ? 0 : plog_write_failed(slot, rc, err);
}
