/*
 * plog_checkpoint.c - one partition's part in a checkpoint: index entries, snapshot, flush, recovery point
 *
 * Runs in: checkpointer. Never: flushes with the append lock held.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/crashpoint.h"
#include "storage/plog_int.h"

#define CHECKPOINT_LOCK_US 1000 /* patience with an append lock: others wait for commits */

/*
 * The producers at LEO, for a file or, where there are none, as a word that the checkpointer writes with
 * those of all partitions. A node that stops in order leaves the files that Kafka's broker looks for.
 */
static int
copy_producers(PartitionSlot *slot, const PlogTuple *t, bool final, PlogSnapshot **ret,
               ErrInfo *err)
{
    if (slot->snapshot_offset == t->log_end)
        return 0;
    if (slot->producer_count == 0 && !final) {
        atomic_i64_store(&slot->producerless_end, t->log_end);
        return 0;
    }
    *ret = plog_snapshot_take(slot, t->log_end, PLOG_SNAPSHOT_CHECKPOINT, err);
    return *ret == NULL ? OT_E_NO_MEMORY : 0;
}

int
plog_write_state_locked(PartitionSlot *slot, PlogTuple *t, PlogCheckpointKind kind,
                        PlogSnapshot **ret_snapshot, ErrInfo *err)
{
    bool final = kind == PLOG_CHECKPOINT_FINAL;
    uint32_t hot;
    int rc = 0;

    *ret_snapshot = NULL;
    if (final && t->max_timestamp > t->last_time_entry) {
        rc = index_prepare(slot, t, err);
        if (rc == 0)
            rc = plog_force_time_entry(slot, t, err);
    }
    if (rc == 0)
        rc = index_flush(slot, t, err);
    if (rc == 0)
        rc = copy_producers(slot, t, final, ret_snapshot, err);
    crashpoint("plog.checkpoint.written");
    if (rc != 0) {
        index_drop(slot, t);
        return plog_write_failed(slot, rc, err);
    }
    /* A partition at rest keeps no chunk. */
    hot = t->hot_chunk;
    t->hot_chunk = 0;
    pslot_publish_tuple(slot, t);
    hot_free(slot, hot);
    return 0;
}

/*
 * Index entries, a snapshot and a flush for some few bytes would make checkpoints that come with the bytes
 * cost as much as there are partitions.
 */
static bool
has_little_new(const PartitionSlot *slot)
{
    return atomic_u64_load(&slot->bytes_appended) - slot->bytes_begun < PLOG_EARLY_BYTES;
}

int
plog_checkpoint_begin(PartitionRef ref, PlogCheckpointKind kind, PlogCheckpoint *ret, ErrInfo *err)
{
    PlogSnapshot *snapshot = NULL;
    PartitionSlot *slot;
    PlogTuple t;
    int rc = 0;

    *ret = (PlogCheckpoint){.ref = ref, .old_snapshot = -1, .skip = true};
    slot = pslot_find(ref);
    if (slot == NULL)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    if (!plog_lock_within(slot, CHECKPOINT_LOCK_US))
        return err_set(err, OT_E_AGAIN, "append lock is held");
    if (!pslot_is_current(ref) || pslot_state(slot) != PSLOT_OPEN) {
        plog_unlock(slot);
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "log is not open");
    }
    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    ret->dir = pslot_dir(slot);
    ret->from = t.recovery_point;
    ret->target = t.log_end;
    ret->later = kind == PLOG_CHECKPOINT_EARLY && has_little_new(slot);
    if (slot->has_folder && !ret->later) {
        ret->skip = false;
        ret->bytes = atomic_u64_load(&slot->bytes_appended);
        rc = plog_write_state_locked(slot, &t, kind, &snapshot, err);
    }
    plog_unlock(slot);
    if (rc == 0)
        rc = plog_snapshot_store(ref, snapshot, CHECKPOINT_LOCK_US, &ret->old_snapshot, err);
    return rc;
}

int
plog_checkpoint_write_back(const PlogCheckpoint *cp, const PlogServe *between, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(cp->ref);
    int rc;

    if (cp->skip || slot == NULL || !logdir_is_waited_for(cp->dir))
        return 0;
    rc = plog_write_back(cp->ref, cp->from, between, err);
    if (rc == 0 || !pslot_is_current(cp->ref) || pslot_dir(slot) != cp->dir)
        return 0;
    rc = plog_flush_failed(cp->dir, rc, err);
    return rc == OT_E_AGAIN ? 0 : rc; /* what could not be opened now, the flush writes */
}

int
plog_checkpoint_flush(const PlogCheckpoint *cp, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(cp->ref);
    char path[LIMIT_PATH_BYTES];
    int rc;

    if (cp->skip || slot == NULL)
        return 0;
    /* The segment that ends at the last recovery point may have been rolled since: a time index entry more. */
    rc = plog_flush_segments(cp->ref, cp->from > 0 ? cp->from - 1 : 0, SEGMENT_TXNINDEX, err);
    plog_file_path(slot, cp->target, SEGMENT_SNAPSHOT, path);
    if (rc == 0)
        rc = plog_flush_path(path, err);
    if (rc == 0)
        rc = plog_flush_names(slot, atomic_u32_load(&slot->new_names) | NEW_NAMES_FILES, err);
    if (rc == 0 || !pslot_is_current(cp->ref) || pslot_dir(slot) != cp->dir)
        return 0; /* a log that was moved is on the disk there */
    return plog_flush_failed(cp->dir, rc, err);
}

int64_t
plog_recovery_point(PartitionRef ref)
{
    PlogTuple t;

    (void)pslot_read_tuple(pslot_at(ref.slot), &t); /* validity is the caller's */
    return t.recovery_point;
}

bool
plog_checkpoint_publish(const PlogCheckpoint *cp)
{
    PartitionSlot *slot = pslot_find(cp->ref);
    PlogTuple t;

    if (cp->skip || slot == NULL)
        return true;
    plog_publish_durable(cp->ref, cp->dir, cp->target);
    if (!plog_lock_within(slot, CHECKPOINT_LOCK_US))
        return false;
    if (pslot_is_current(cp->ref) && pslot_state(slot) == PSLOT_OPEN &&
        pslot_dir(slot) == cp->dir) {
        (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
        slot->bytes_begun = cp->bytes;
        if (t.recovery_point < cp->target) {
            t.recovery_point = cp->target;
            pslot_publish_tuple(slot, &t);
        }
    }
    plog_unlock(slot);
    return true;
}

void
plog_checkpoint_undo(const PlogCheckpoint *cp)
{
    PartitionSlot *slot = pslot_find(cp->ref);

    if (slot != NULL)
        flush_request(slot, FLUSH_AT_CHECKPOINT);
}

void
plog_checkpoint_retire(const PlogCheckpoint *cp)
{
    char path[LIMIT_PATH_BYTES];
    PartitionSlot *slot;

    if (cp->old_snapshot < 0 || plog_try_lock(cp->ref, &slot, NULL) != 0)
        return; /* a leftover is removed when the log is opened */
    plog_file_path(slot, cp->old_snapshot, SEGMENT_SNAPSHOT, path);
    if (slot->snapshot_offset != cp->old_snapshot && vfs_unlink(path, NULL) != 0) {
        /* as above */
    }
    plog_unlock(slot);
}
