/*
 * plog_checkpoint.c - one partition's part in a checkpoint: index entries, snapshot, flush, recovery point
 *
 * Runs in: checkpointer. Never: flushes with the append lock held.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "storage/plog_int.h"

static bool
is_listed_base(const PlogTuple *t, int64_t offset)
{
    SegmentView seg;

    if (offset == t->active_base)
        return true;
    return offset >= 0 && offset < t->active_base && plog_segment_of(NULL, t, offset, &seg) &&
           seg.base == offset;
}

/* Index entries and snapshot into their files; append lock held. */
static int
write_state(PartitionSlot *slot, PlogTuple *t, bool final, PlogCheckpoint *cp, ErrInfo *err)
{
    uint32_t hot;
    int rc = 0;

    if (final && t->max_timestamp > t->last_time_entry) {
        rc = index_prepare(slot, t, err);
        if (rc == 0)
            rc = plog_force_time_entry(slot, t, err);
    }
    if (rc == 0)
        rc = index_flush(slot, t, err);
    if (rc == 0 && slot->snapshot_offset != t->log_end) {
        rc = plog_snapshot_store(slot, t->log_end, VFS_NOT_SYNCED, err);
        if (rc == 0) {
            if (slot->snapshot_offset >= 0 && !is_listed_base(t, slot->snapshot_offset))
                cp->old_snapshot = slot->snapshot_offset;
            slot->snapshot_offset = t->log_end;
        }
    }
    crashpoint("plog.checkpoint.written");
    if (rc != 0)
        return plog_write_failed(slot, rc, err);
    /* A partition at rest keeps no chunk. */
    hot = t->hot_chunk;
    t->hot_chunk = 0;
    pslot_publish_tuple(slot, t);
    hot_free(slot, hot);
    return 0;
}

int
plog_checkpoint_begin(PartitionRef ref, bool final, PlogCheckpoint *ret, ErrInfo *err)
{
    PartitionSlot *slot;
    PlogTuple t;
    int rc = 0;

    *ret = (PlogCheckpoint){.ref = ref, .old_snapshot = -1, .skip = true};
    slot = pslot_find(ref);
    if (slot == NULL)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    if (!plog_lock_plain(slot))
        return err_set(err, OT_E_AGAIN, "append lock is held");
    atomic_u32_store(&slot->dirty, 0);
    if (!pslot_is_current(ref) || pslot_state(slot) != PSLOT_OPEN) {
        plog_unlock(slot);
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "log is not open");
    }
    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    ret->from = t.durable;
    ret->target = t.log_end;
    if (slot->has_folder) {
        ret->skip = false;
        rc = write_state(slot, &t, final, ret, err);
    }
    plog_unlock(slot);
    return rc;
}

static int
flush_path(const char *path, ErrInfo *err)
{
    int fd = vfs_open(path, O_RDONLY, 0, err);
    int rc;

    if (fd == OT_E_NOT_FOUND)
        return 0; /* no such index, or deleted meanwhile */
    if (fd < 0)
        return fd;
    rc = vfs_fdatasync(fd, err);
    vfs_close(fd);
    return rc;
}

static int
flush_segment(const PartitionSlot *slot, int64_t base, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc = 0;
    int kind;

    for (kind = SEGMENT_LOG; kind <= SEGMENT_TXNINDEX && rc == 0; kind++) {
        plog_file_path(slot, base, (SegmentFile)kind, path);
        rc = flush_path(path, err);
    }
    return rc;
}

/* All segments that hold something of [from, target), the snapshot, the names. */
static int
flush_files(const PlogView *view, const PlogCheckpoint *cp, ErrInfo *err)
{
    const PartitionSlot *slot = view->slot;
    char path[LIMIT_PATH_BYTES];
    SegmentView seg;
    bool more;
    int rc = 0;

    more = plog_segment_of(slot, &view->tuple, cp->from, &seg);
    while (more && rc == 0) {
        rc = flush_segment(slot, seg.base, err);
        more = !seg.active && plog_segment_after(slot, &view->tuple, &seg, &seg);
    }
    plog_file_path(slot, cp->target, SEGMENT_SNAPSHOT, path);
    if (rc == 0)
        rc = flush_path(path, err);
    plog_folder_path(slot, path);
    if (rc == 0)
        rc = vfs_sync_dir(path, err);
    if (rc == OT_E_NOT_FOUND)
        rc = 0; /* renamed: the topic is being deleted */
    return rc;
}

int
plog_checkpoint_flush(const PlogCheckpoint *cp, ErrInfo *err)
{
    PlogView view;
    int rc;

    if (cp->skip)
        return 0;
    rc = plog_view(cp->ref, &view, err);
    if (rc == OT_E_UNKNOWN_TOPIC_OR_PARTITION)
        return 0;
    if (rc == 0)
        rc = flush_files(&view, cp, err);
    if (rc != 0 && pslot_is_current(cp->ref))
        return logdir_flush_failed(pslot_at(cp->ref.slot)->log_dir, err);
    return 0;
}

void
plog_checkpoint_publish(const PlogCheckpoint *cp)
{
    PartitionSlot *slot;
    WakeBatch batch;
    PlogTuple t;

    if (cp->skip || plog_lock(cp->ref, &slot, NULL) != 0)
        return; /* deleted or stuck: the next checkpoint does it */
    wake_batch_init(&batch);
    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    if (t.durable < cp->target) {
        t.durable = cp->target;
        pslot_publish_tuple(slot, &t);
        wait_notify(&slot->waiters, (uint32_t)pslot_index(slot), WAIT_ON_DURABLE, clock_mono_us(),
                    &batch);
    }
    plog_unlock(slot);
    wake_batch_flush(&batch);
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

