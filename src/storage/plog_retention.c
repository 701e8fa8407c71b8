/*
 * plog_retention.c - applies the rules of retention to one log
 *
 * Runs in: retention. Never: unlinks, renames or flushes with the append lock held.
 * Order of steps, each of which may be the last one of its process (which ends the node's cycle, so
 * that what follows it is made good by opening the log anew):
 *
 *   roll, when all would go -> log start and list, in one publication -> a snapshot of the producers -> the new
 *   segment's files flushed
 *   -> old files renamed to .deleted, oldest first, each segment's names synced before the next one's
 *
 * The flush comes before the renames: a log whose last files vanish must find its end in an empty file
 * after a power loss, else it would give offsets out again. Files that keep their names
 * are judged again after the next start, .deleted ones are removed then.
 * Spec: log.md 10.2, 10.3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/plog_retention.h"

#include <stdlib.h>

#include "ottla/common/crashpoint.h"
#include "storage/plog_int.h"

#define DROP_MAX 1024 /* segments taken off the list in one step */

/* What goes, oldest first. */
typedef struct Dropped {
    int64_t bases[DROP_MAX];
    int32_t count;
    bool rolled; /* the log is empty now; its active segment is new */
    int64_t active_base;
    PlogSnapshot *snapshot; /* of the producers at its start */
} Dropped;

/* ---- judging ------------------------------------------------------------------------------------ */

static int64_t
file_time_ms(const PartitionSlot *slot, int64_t base)
{
    char path[LIMIT_PATH_BYTES];
    struct stat st;

    plog_file_path(slot, base, SEGMENT_LOG, path);
    if (vfs_stat(path, &st, NULL) != 0)
        return RETENTION_NEVER; /* gone meanwhile, or not readable: not by time */
    return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

static RetentionSegment
retention_segment(const PartitionSlot *slot, const SegmentView *seg)
{
    int64_t largest = seg->max_timestamp;

    if (largest < 0)
        largest = seg->size == 0 ? RETENTION_NEVER : file_time_ms(slot, seg->base);
    return (RetentionSegment){.end_offset = seg->end_offset,
                              .largest_timestamp_ms = largest,
                              .bytes = seg->size,
                              .active = seg->active};
}

/* Sum over the list; -1: it changed. Without a limit of size nobody looks at it. */
static int64_t
total_bytes(const PartitionSlot *slot, const PlogTuple *t, const TopicSettings *s)
{
    int64_t bytes = t->active_size;
    SegmentView seg;
    int32_t i;

    for (i = 0; s->retention_bytes >= 0 && i < t->seg_count; i++) {
        if (!plog_segment_at(slot, t, i, &seg))
            return -1;
        bytes += seg.size;
    }
    return bytes;
}

static bool
begin_walk(const PartitionSlot *slot, const PlogTuple *t, const TopicSettings *s, int64_t now_ms,
           RetentionWalk *ret)
{
    RetentionLog log = {.now_ms = now_ms,
                        .log_start = t->log_start,
                        .high_watermark = t->high_watermark,
                        .total_bytes = total_bytes(slot, t, s)};

    retention_begin(ret, s, &log);
    return log.total_bytes >= 0;
}

/*
 * Counts what goes from the start of the list, at most DROP_MAX, and notes what kept the first that
 * stays. Returns the count; -1: the list changed.
 */
static int32_t
judge(const PartitionSlot *slot, const PlogTuple *t, const TopicSettings *s, int64_t now_ms,
      PlogRetention *ret)
{
    RetentionWalk walk;
    int32_t i;

    *ret = (PlogRetention){.due_ms = now_ms}; /* when more than DROP_MAX go */
    if (!begin_walk(slot, t, s, now_ms, &walk))
        return -1;
    for (i = 0; i <= t->seg_count && i < DROP_MAX; i++) {
        RetentionSegment rs;
        RetentionVerdict v;
        SegmentView seg;

        if (!plog_segment_at(slot, t, i, &seg))
            return -1;
        rs = retention_segment(slot, &seg);
        v = retention_judge(&walk, &rs);
        if (!retention_goes(v.reason)) {
            ret->due_ms = v.due_ms;
            break;
        }
        ret->bytes += seg.size;
        ret->count[v.reason]++;
    }
    return i;
}

int
plog_segments(PartitionRef ref, int64_t now_ms, int32_t first, PlogSegment *ret, int32_t room,
              int32_t *ret_count, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    TopicSettings s;
    RetentionWalk walk;
    PlogView view;
    int32_t i;
    int rc;

    *ret_count = 0;
    if (slot == NULL || pslot_state(slot) != PSLOT_OPEN)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "log is not open");
    rc = plog_view(ref, &view, err);
    if (rc != 0)
        return rc;
    pslot_settings(slot, &s);
    if (!begin_walk(slot, &view.tuple, &s, now_ms, &walk))
        return err_set(err, OT_E_AGAIN, "segments change");
    for (i = 0; i <= view.tuple.seg_count && *ret_count < room; i++) {
        RetentionSegment rs;
        PlogSegment out;
        SegmentView seg;

        if (!plog_segment_at(slot, &view.tuple, i, &seg))
            return err_set(err, OT_E_AGAIN, "segments change");
        rs = retention_segment(slot, &seg);
        out = (PlogSegment){.base_offset = seg.base,
                            .end_offset = seg.end_offset,
                            .bytes = seg.size,
                            .max_timestamp = seg.max_timestamp,
                            .active = seg.active,
                            .verdict = retention_judge(&walk, &rs)};
        if (i >= first)
            ret[(*ret_count)++] = out;
    }
    return plog_view_valid(&view, ref) ? 0 : err_set(err, OT_E_AGAIN, "segments change");
}

/* ---- taking segments off the list --------------------------------------------------------------- */

/* Notes the first count segments and makes the tuple without them. False: the list is damaged. */
static bool
drop_from_tuple(PartitionSlot *slot, PlogTuple *t, int32_t count, Dropped *d)
{
    SegmentView seg;
    int32_t i;

    for (i = 0; i < count; i++) {
        if (!plog_segment_at(slot, t, i, &seg))
            return false;
        d->bases[d->count++] = seg.base;
    }
    if (seg.end_offset > t->log_start)
        t->log_start = seg.end_offset;
    seglist_drop_first(t, count);
    return true;
}

/* Append lock held. */
static int
drop_locked(PartitionSlot *slot, int64_t now_ms, Dropped *d, PlogRetention *ret, ErrInfo *err)
{
    uint32_t old_head;
    TopicSettings s;
    PlogTuple t;
    int32_t count;
    int rc;

    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    pslot_settings(slot, &s);
    count = judge(slot, &t, &s, now_ms, ret);
    if (count <= 0)
        return 0;
    if (count > t.seg_count) {
        rc = plog_roll_locked(slot, &t, &s, now_ms, err);
        crashpoint("plog.retention.rolled");
        d->rolled = rc == 0;
        if (rc == 0) /* without memory there is none, and after a kill no producers */
            d->snapshot = plog_snapshot_take(slot, t.log_end, PLOG_SNAPSHOT_ROLL, NULL);
        else
            count--; /* no room for another segment: what can go without one makes some */
        if (count == 0)
            return rc;
    }
    old_head = t.seg_head;
    if (!drop_from_tuple(slot, &t, count, d))
        return err_set(err, OT_E_CORRUPT, "%s-%d: the list of segments is damaged", slot->topic,
                       (int)slot->partition);
    d->active_base = t.active_base;
    pslot_publish_tuple(slot, &t);
    seglist_release_dropped(slot, old_head, &t);
    (void)atomic_u32_add(&slot->file_generation, 1);
    plog_mark_dirty(slot);
    ret->segments = count;
    ret->log_start = t.log_start;
    return 0;
}

/* ---- files -------------------------------------------------------------------------------------- */

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

static int
open_folder(const PartitionSlot *slot, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];

    plog_folder_path(slot, path);
    return vfs_open(path, O_RDONLY | O_DIRECTORY, 0, err);
}

/* What must be on the disk before the last files with records get other names. */
typedef struct NewFiles {
    int log_fd;
    int folder_fd;
} NewFiles;

static int
open_new(PartitionSlot *slot, int64_t base, NewFiles *ret, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];

    plog_file_path(slot, base, SEGMENT_LOG, path);
    ret->log_fd = vfs_open(path, O_RDONLY, 0, err);
    if (ret->log_fd < 0)
        return ret->log_fd;
    ret->folder_fd = open_folder(slot, err);
    if (ret->folder_fd >= 0)
        return 0;
    vfs_close(ret->log_fd);
    return ret->folder_fd;
}

/*
 * The names lock and a look at the reference before each step: a deleted topic's folder is renamed
 * and its name taken by a new topic under that lock, so it is this partition's files that we touch.
 */
static int
lock_names(PartitionRef ref, PartitionSlot **ret, ErrInfo *err)
{
    PartitionSlot *slot = pslot_at(ref.slot);
    int dir = pslot_dir(slot);
    int rc = logdir_names_lock(dir, err);

    if (rc != 0)
        return rc;
    *ret = slot;
    if (pslot_is_current(ref))
        return 0;
    logdir_names_unlock(dir);
    return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
}

static int
flush_new(PartitionRef ref, int64_t base, ErrInfo *err)
{
    PartitionSlot *slot;
    NewFiles files;
    int dir;
    int rc = lock_names(ref, &slot, err);

    if (rc != 0)
        return rc;
    dir = pslot_dir(slot);
    rc = open_new(slot, base, &files, err);
    logdir_names_unlock(dir);
    if (rc != 0)
        return rc;
    rc = vfs_fdatasync(files.log_fd, err);
    if (rc == 0)
        rc = vfs_fsync(files.folder_fd, err);
    vfs_close(files.log_fd);
    vfs_close(files.folder_fd);
    return rc == 0 ? 0 : logdir_flush_failed(dir, err);
}

/*
 * One segment. Its new names are synced before the next one gets any: a loss of power undoes changes of names in
 * no order, and a segment that came back before one that did not would begin a log with a hole. Above the recovery
 * point that would look like damage to recovery, which removes what follows it.
 */
static int
put_aside(PartitionRef ref, int64_t base, ErrInfo *err)
{
    PartitionSlot *slot;
    int folder_fd;
    int dir;
    int rc = lock_names(ref, &slot, err);

    if (rc != 0)
        return rc;
    dir = pslot_dir(slot);
    crashpoint("plog.retention.rename");
    folder_fd = open_folder(slot, err);
    rc = folder_fd < 0 ? folder_fd : rename_deleted(slot, base, err);
    logdir_names_unlock(dir);
    if (rc == 0 && vfs_fsync(folder_fd, err) != 0)
        rc = logdir_flush_failed(dir, err);
    vfs_close(folder_fd < 0 ? -1 : folder_fd);
    return rc;
}

static int
put_files_aside(PartitionRef ref, const Dropped *d, ErrInfo *err)
{
    int32_t i;
    int rc = 0;

    if (d->rolled)
        rc = flush_new(ref, d->active_base, err);
    for (i = 0; i < d->count && rc == 0; i++)
        rc = put_aside(ref, d->bases[i], err);
    return rc == OT_E_UNKNOWN_TOPIC_OR_PARTITION ? 0 : rc; /* they went with their folder */
}

/* ---- retention ---------------------------------------------------------------------------------- */

/* Judges without the lock, which most logs need no further. Returns what judge does. */
static int32_t
look(PartitionRef ref, int64_t now_ms, PlogRetention *ret)
{
    TopicSettings s;
    PlogView view;
    int32_t count;

    if (plog_view(ref, &view, NULL) != 0)
        return -1;
    pslot_settings(view.slot, &s);
    count = judge(view.slot, &view.tuple, &s, now_ms, ret);
    return plog_view_valid(&view, ref) ? count : -1;
}

int
plog_apply_retention(PartitionRef ref, int64_t now_ms, PlogRetention *ret, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    Dropped *d;
    int rc;

    *ret = (PlogRetention){.due_ms = RETENTION_NEVER};
    if (slot == NULL || pslot_state(slot) != PSLOT_OPEN)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "log is not open");
    if (look(ref, now_ms, ret) == 0)
        return 0;
    rc = plog_try_lock(ref, &slot, err);
    if (rc != 0)
        return rc;
    d = malloc(sizeof *d);
    if (d != NULL) {
        d->count = 0;
        d->rolled = false;
        d->snapshot = NULL;
    }
    if (d == NULL)
        rc = err_set(err, OT_E_NO_MEMORY, "no memory to drop segments");
    else if (pslot_state(slot) == PSLOT_OPEN)
        rc = drop_locked(slot, now_ms, d, ret, err);
    plog_unlock(slot);
    if (d != NULL) /* before any file goes: what names the producers' batches is in these */
        plog_store_roll(ref, d->snapshot);
    crashpoint("plog.retention.unlisted");
    if (rc == 0 && d->count > 0) {
        rc = put_files_aside(ref, d, err);
        fd_cache_announce();
    }
    free(d);
    return rc;
}
