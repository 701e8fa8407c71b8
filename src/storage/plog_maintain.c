/*
 * plog_maintain.c - what retention does to a log: drop old segments, bury
 *
 * Runs in: retention.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "storage/plog_int.h"

#define DROP_MAX 1024 /* segments taken off the list in one step */

/* ---- segments below the log start ----------------------------------------------------------- */

/* The first segment of an open log; false: not open, or the list changed right now. */
static bool
first_segment(PartitionRef ref, PlogView *view, SegmentView *ret)
{
    PartitionSlot *slot = pslot_find(ref);

    if (slot == NULL || pslot_state(slot) != PSLOT_OPEN || plog_view(ref, view, NULL) != 0)
        return false;
    return plog_segment_at(slot, &view->tuple, 0, ret) && plog_view_valid(view, ref);
}

bool
plog_has_old_segments(PartitionRef ref)
{
    SegmentView seg;
    PlogView view;

    return first_segment(ref, &view, &seg) && !seg.active && seg.end_offset <= view.tuple.log_start;
}

bool
plog_start_is_inside(PartitionRef ref)
{
    SegmentView seg;
    PlogView view;

    return first_segment(ref, &view, &seg) && view.tuple.log_start > seg.base;
}

typedef struct Dropped {
    int64_t bases[DROP_MAX];
    int32_t count;
} Dropped;

/* Takes them off the list and publishes; append lock held. */
static void
take_off_list(PartitionSlot *slot, Dropped *d)
{
    uint32_t old_head;
    SegmentView seg;
    PlogTuple t;

    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    d->count = 0;
    while (d->count < DROP_MAX && d->count < t.seg_count &&
           plog_segment_at(slot, &t, d->count, &seg) && seg.end_offset <= t.log_start)
        d->bases[d->count++] = seg.base;
    if (d->count == 0)
        return;
    old_head = t.seg_head;
    seglist_drop_first(&t, d->count);
    pslot_publish_tuple(slot, &t);
    seglist_release_dropped(slot, old_head, &t);
    (void)atomic_u32_add(&slot->file_generation, 1);
    plog_mark_dirty(slot);
}

static int
rename_deleted(const PartitionSlot *slot, int64_t base, ErrInfo *err)
{
    char from[LIMIT_PATH_BYTES];
    char to[LIMIT_PATH_BYTES + 16];
    int kind;

    for (kind = 0; kind < SEGMENT_FILE_COUNT; kind++) {
        int rc;

        plog_file_path(slot, base, (SegmentFile)kind, from);
        (void)snprintf(to, sizeof to, "%s.deleted", from);
        rc = vfs_rename(from, to, err);
        if (rc != 0 && rc != OT_E_NOT_FOUND)
            return rc;
    }
    return 0;
}

int
plog_drop_old_segments(PartitionRef ref, ErrInfo *err)
{
    PartitionSlot *slot;
    Dropped *d;
    int32_t i;
    int rc = plog_try_lock(ref, &slot, err);

    if (rc != 0)
        return rc == OT_E_AGAIN ? 0 : rc;
    d = malloc(sizeof *d);
    if (d == NULL)
        rc = err_set(err, OT_E_NO_MEMORY, "no memory to drop segments");
    else if (pslot_state(slot) == PSLOT_OPEN)
        take_off_list(slot, d);
    else
        d->count = 0;
    crashpoint("plog.drop.unlisted");
    /* Renamed with the lock held: a deleted topic's folder is not renamed meanwhile. */
    for (i = 0; rc == 0 && i < d->count; i++)
        rc = rename_deleted(slot, d->bases[i], err);
    plog_unlock(slot);
    if (rc == 0 && d->count > 0)
        fd_cache_announce();
    if (rc == 0)
        rc = d->count;
    free(d);
    return rc;
}

/* ---- burial ------------------------------------------------------------------------------------- */

/* Renames the folder if it is still that of the retired topic. */
static int
rename_folder(PartitionSlot *slot, ErrInfo *err)
{
    char name[PARTITION_DIR_NAME_MAX];
    char folder[LIMIT_PATH_BYTES];
    char to[LIMIT_PATH_BYTES];
    Uuid topic_id;
    int rc = logdir_names_lock(slot->log_dir, err);

    if (rc != 0)
        return rc;
    plog_folder_path(slot, folder);
    rc = partition_metadata_load(folder, &topic_id, err);
    if (rc == 0 && uuid_equal(topic_id, slot->topic_id)) {
        partition_dir_name_suffixed((StrView){slot->topic, slot->topic_len}, slot->partition,
                                    PARTITION_DIR_DELETE, name);
        (void)snprintf(to, sizeof to, "%s/%s", logdir_path(slot->log_dir), name);
        rc = vfs_rename(folder, to, err);
    }
    logdir_names_unlock(slot->log_dir);
    return rc == OT_E_NOT_FOUND || rc == OT_E_CORRUPT ? 0 : rc;
}

int
plog_bury(int32_t slot_index, ErrInfo *err)
{
    PartitionSlot *slot = pslot_at(slot_index);
    WakeBatch batch;
    int rc;

    if (pslot_state(slot) != PSLOT_DELETING)
        return 0;
    if (!plog_try_lock_quiet(slot))
        return err_set(err, OT_E_AGAIN, "append lock is held");
    wake_batch_init(&batch);
    rc = rename_folder(slot, err);
    crashpoint("plog.bury.renamed");
    if (rc == 0) {
        (void)atomic_u32_add(&slot->file_generation, 1);
        segment_pool_sweep(slot, NULL);
        producer_remove_all(slot);
        wait_notify(&slot->waiters, (uint32_t)slot_index, WAIT_ON_ANY, clock_mono_us(), &batch);
        pslot_make_free(slot);
    }
    plog_unlock(slot);
    wake_batch_flush(&batch);
    if (rc == 0)
        fd_cache_announce();
    return rc;
}
