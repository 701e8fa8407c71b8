/*
 * plog_open.c - from the files of a folder to a published tuple
 *
 * Runs in: startup, or the backend that needs the log first; append lock held.
 * A folder that is missing is an empty log; its files are made by the first append. The steps are those of
 * open_int.h.
 * Spec: log.md 9.4; design.md 6.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "storage/open_int.h"

/* ---- the tuple ---------------------------------------------------------------------------------- */

static int
list_inactive(LogLoad *load, PlogTuple *t, ErrInfo *err)
{
    int32_t i;
    int rc = 0;

    for (i = 0; i + 1 < load->segment_count && rc == 0; i++) {
        const LoadedSegment *seg = &load->segments[i];
        SegEntry e = {.base_offset = seg->base,
                      .max_timestamp = seg->max_timestamp,
                      .size = (int32_t)seg->size,
                      .max_timestamp_rel = seg->max_timestamp < 0
                                               ? 0
                                               : (int32_t)(seg->max_timestamp_offset - seg->base)};

        rc = seglist_append(load->slot, t, &e, err);
    }
    return rc;
}

/* maxTimestamp of the first batch of the active segment, for time-based rolling. */
static int
read_first_timestamp(const LogLoad *load, LoadedSegment *seg, ErrInfo *err)
{
    uint8_t header[BATCH_HEADER_BYTES];
    FileRef *file;
    int rc;

    if (seg->size < BATCH_HEADER_BYTES)
        return 0;
    rc = fd_cache_get(load->slot, seg->base, SEGMENT_LOG, false, &file, err);
    if (rc != 0)
        return rc;
    rc = vfs_pread_full(file->fd, header, sizeof header, 0, err);
    if (rc == 0)
        seg->first_timestamp = batch_max_timestamp(header) < 0 ? -1 : batch_max_timestamp(header);
    fd_cache_put(file);
    return rc;
}

static int
txn_index_size(const LogLoad *load, const LoadedSegment *seg, int32_t *ret, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    struct stat st;
    int rc;

    *ret = 0;
    if (!seg->has_txn_index)
        return 0;
    plog_file_path(load->slot, seg->base, SEGMENT_TXNINDEX, path);
    rc = vfs_stat(path, &st, err);
    if (rc == 0)
        *ret = (int32_t)(st.st_size - st.st_size % TXN_ENTRY_BYTES);
    return rc;
}

static int
fill_active(LogLoad *load, PlogTuple *t, ErrInfo *err)
{
    LoadedSegment *seg = &load->segments[load->segment_count - 1];
    int rc = read_first_timestamp(load, seg, err);

    if (rc == 0)
        rc = txn_index_size(load, seg, &t->txn_index_size, err);
    t->active_base = seg->base;
    t->active_size = (int32_t)seg->size;
    t->max_timestamp = seg->max_timestamp;
    t->max_timestamp_offset = seg->max_timestamp_offset;
    t->first_timestamp = seg->first_timestamp;
    t->last_time_entry = seg->last_time_entry;
    t->index_count = seg->index_count;
    t->index_flushed = seg->index_count;
    t->time_count = seg->time_count;
    t->time_flushed = seg->time_count;
    t->bytes_since_index = seg->bytes_since_index;
    return rc;
}

/* HW: that of the checkpoint within the log; LEO when there is no other replica. */
static int64_t
initial_high_watermark(const PartitionSlot *slot, const PlogTuple *t)
{
    int64_t hw = slot->start_high_watermark;

    if (pslot_leadership(slot).replica_count <= 1 || hw > t->log_end)
        return t->log_end;
    return hw < t->log_start ? t->log_start : hw;
}

static void
empty_tuple(PlogTuple *t, int64_t at)
{
    *t = (PlogTuple){.log_end = at,
                     .high_watermark = at,
                     .first_unstable = -1,
                     .log_start = at,
                     .recovery_point = at,
                     .active_base = at,
                     .max_timestamp = -1,
                     .max_timestamp_offset = -1,
                     .first_timestamp = -1,
                     .created_ms = clock_wall_ms(),
                     .last_time_entry = -1,
                     .last_epoch = -1};
}

/* A folder without segments: the log begins, empty, where its checkpoint says. */
static int
start_empty(LogLoad *load, PlogTuple *t, ErrInfo *err)
{
    static const SegmentFile kinds[] = {SEGMENT_LOG, SEGMENT_INDEX, SEGMENT_TIMEINDEX};
    char path[LIMIT_PATH_BYTES];
    size_t i;

    load->epoch_count = 0;
    load->epochs_changed = true;
    empty_tuple(t, load->slot->start_log_start);
    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int fd;

        plog_file_path(load->slot, t->active_base, kinds[i], path);
        fd = vfs_open(path, O_RDWR | O_CREAT | O_TRUNC, FILE_MODE, err);
        if (fd < 0)
            return fd;
        vfs_close(fd);
    }
    return load_prune_snapshots(load, -1, err);
}

static int
fill_tuple(LogLoad *load, PlogTuple *t, ErrInfo *err)
{
    PartitionSlot *slot = load->slot;
    int64_t end = load_end_offset(load);
    int32_t i;
    int rc = 0;

    if (load->segment_count > 0 && end < slot->start_log_start)
        rc = load_remove_segments(load, 0, err);
    if (rc != 0)
        return rc;
    if (load->segment_count == 0)
        return start_empty(load, t, err);
    empty_tuple(t, end);
    t->log_start = load->segments[0].base;
    if (slot->start_log_start > t->log_start)
        t->log_start = slot->start_log_start;
    rc = list_inactive(load, t, err);
    if (rc == 0)
        rc = fill_active(load, t, err);
    for (i = 0; i < load->segment_count; i++) {
        if (load->segments[i].has_txn_index)
            atomic_u32_store(&slot->has_aborted, 1);
    }
    t->recovery_point = load->clean || load->recovery_point > end ? end : load->recovery_point;
    return rc;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static int
load_log(LogLoad *load, PlogTuple *t, ErrInfo *err)
{
    int rc = load_files(load, err);

    if (rc == 0)
        rc = load_epochs(load, err);
    if (rc == 0)
        rc = load_remove_old_segments(load, err);
    if (rc == 0)
        rc = load_segments(load, err);
    if (rc == 0 && load->epochs_lost)
        rc = load_rebuild_epochs(load, err);
    if (rc == 0)
        rc = fill_tuple(load, t, err);
    if (rc == 0)
        rc = load_settle_epochs(load, t->log_start, t->log_end, err);
    if (rc != 0)
        return rc;
    if (load->epoch_count > 0) {
        t->last_epoch = load->epochs[load->epoch_count - 1].epoch;
        t->last_epoch_start = load->epochs[load->epoch_count - 1].start_offset;
    }
    return load_producers(load, t, err);
}

static int
open_folder(PartitionSlot *slot, PlogTuple *t, ErrInfo *err)
{
    LogLoad load = {.slot = slot,
                    .read_only = logdir_is_put_aside(pslot_dir(slot)),
                    .repair = logdir_state(pslot_dir(slot)) == LOGDIR_REPAIRING,
                    .recovery_point = slot->start_recovery_point};
    int rc = 0;

    load.arena = arena_new(65536, 0);
    if (load.arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to open a partition");
    load.clean = logdir_is_clean(pslot_dir(slot)) && !load.repair;
    load.epochs_changed = load.repair; /* was renamed without a flush, like the next one */
    pslot_settings(slot, &load.settings);
    plog_folder_path(slot, load.folder);
    slot->has_folder = true;
    /* Who made these names may have died before they were durable. */
    atomic_u32_store(&slot->new_names, load.clean ? 0 : NEW_NAMES_FILES | NEW_NAMES_FOLDER);
    if (load.repair)
        rc = partition_metadata_store(load.folder, slot->topic_id, VFS_NOT_SYNCED, err);
    if (rc == 0)
        rc = load_log(&load, t, err);
    if (load.scanned_from >= 0 || load.epochs_changed)
        plog_mark_dirty(slot);
    arena_free(load.arena);
    free(load.epochs);
    return rc;
}

static int
open_with(PartitionSlot *slot, PlogTuple *t, ErrInfo *err)
{
    bool mine = false;
    int rc = plog_claim_folder(slot, &mine, err);

    if (rc != 0)
        return rc;
    slot->has_folder = false;
    if (!mine) {
        empty_tuple(t, 0);
        return 0;
    }
    return open_folder(slot, t, err);
}

/*
 * What a failure to open means (design.md 6): what there was no room for, or a lock that somebody held, is tried again
 * at the next need; a log that cannot be read or understood is FAILED, by itself; a failed write is the directory's.
 */
static int
open_failed(PartitionSlot *slot, int code, ErrInfo *err)
{
    static LogRate rate;

    segment_pool_sweep(slot, NULL);
    slot->producer_count = 1; /* so that the scan looks at all */
    producer_remove_all(slot);
    if (!plog_is_passing(code))
        (void)pslot_settle_state(slot, PSLOT_FAILED); /* deleted meanwhile: that is as good */
    if (err != NULL)
        log_limited(&rate, LOG_RATE_PER_SECOND, LL_ERROR, "storage",
                    "log cannot be opened: %s; topic=%s partition=%d", err->text, slot->topic,
                    (int)slot->partition);
    return plog_write_failed(slot, code, err);
}

/* Said once, of the directory, when the node started. */
static int
refuse_offline(PartitionSlot *slot, ErrInfo *err)
{
    (void)pslot_settle_state(slot, PSLOT_FAILED); /* deleted meanwhile: that is as good */
    return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "log directory %s is offline",
                   logdir_path(pslot_dir(slot)));
}

int
plog_open_locked(PartitionSlot *slot, ErrInfo *err)
{
    PlogTuple t;
    int rc;

    if (logdir_is_offline(pslot_dir(slot)))
        return refuse_offline(slot, err);
    if (!logdir_may_be_repaired(pslot_dir(slot)))
        return err_set(err, OT_E_NOT_LEADER_OR_FOLLOWER, "%s-%d: log is being recovered",
                       slot->topic, (int)slot->partition);
    atomic_u32_store(&slot->opening, 1);
    crashpoint("plog.open.begin");
    rc = open_with(slot, &t, err);
    if (rc == 0) {
        t.high_watermark = initial_high_watermark(slot, &t);
        t.hw_pos = t.high_watermark == t.log_end ? t.active_size : -1;
        if (t.first_unstable >= 0 && t.first_unstable < t.log_start)
            t.first_unstable = t.log_start;
        pslot_publish_tuple(slot, &t);
        atomic_i64_store(&slot->producer_end, t.log_end);
        crashpoint("plog.open.loaded");
        if (pslot_settle_state(slot, PSLOT_OPEN))
            pslot_note_changed(slot);
        else
            rc = err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    } else if (rc != OT_E_UNKNOWN_TOPIC_OR_PARTITION) {
        rc = open_failed(slot, rc, err);
    }
    atomic_u32_store(&slot->opening, 0);
    return rc;
}
