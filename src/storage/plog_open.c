/*
 * plog_open.c - from the files of a folder to a published tuple
 *
 * Runs in: startup, or the backend that needs the log first; append lock held.
 * A folder that is missing is an empty log; its files are made by the first append. A directory that
 * was closed in order is opened without reading data but the batches behind the last index entry;
 * otherwise the segments from the recovery point on are recovered (segment_recover.c).
 * Spec: log.md 9.4, 8.8; design.md 6.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "ottla/storage/renew.h"
#include "storage/open_int.h"

#define FOLDER_FILES_MAX 1000000 /* names in a partition folder */

/* ---- the folder --------------------------------------------------------------------------------- */

/* Is a slot that waits for its burial that of this topic id? */
bool
plog_is_deleted_topic(Uuid topic_id)
{
    int32_t high = pslot_high();
    int32_t i;

    for (i = 0; i < high; i++) {
        const PartitionSlot *slot = pslot_at(i);

        if (pslot_state(slot) == PSLOT_DELETING && uuid_equal(slot->topic_id, topic_id))
            return true;
    }
    return false;
}

int
plog_set_folder_aside(const PartitionSlot *slot, int dir, const char *folder, bool deleted,
                      ErrInfo *err)
{
    char name[PARTITION_DIR_NAME_MAX];
    char to[LIMIT_PATH_BYTES];
    StrView topic = {slot->topic, slot->topic_len};
    int n, rc;

    partition_dir_name_suffixed(topic, slot->partition,
                                deleted ? PARTITION_DIR_DELETE : PARTITION_DIR_STRAY, name);
    n = snprintf(to, sizeof to, "%s/%s", logdir_path(dir), name);
    ot_assert(n > 0 && n < (int)sizeof to);
    rc = logdir_rename_folder(dir, folder, to, err);
    if (rc == 0 && deleted)
        pslot_note_moved();
    return rc;
}

/* Does a folder hold a segment, whatever its base? */
static int
holds_segments(const char *folder, bool *ret, ErrInfo *err)
{
    Arena *arena = arena_new(4096, 0);
    StrView *names;
    int32_t count = 0;
    int32_t i;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to look into a folder");
    *ret = false;
    rc = vfs_list(folder, FOLDER_FILES_MAX, arena, &names, &count, err);
    for (i = 0; rc == 0 && i < count && !*ret; i++) {
        SegmentFile kind;
        StrView tail;
        int64_t base;

        *ret = segment_name_parse(names[i], &base, &kind, &tail) && kind == SEGMENT_LOG;
    }
    arena_free(arena);
    return rc;
}

/*
 * Whose folder stands there? *ret_mine false: none of ours is there (any more). A folder without
 * partition.metadata and without segments was left by a death between two steps of its making.
 */
static int
claim_folder(PartitionSlot *slot, const char *folder, bool *ret_mine, ErrInfo *err)
{
    struct stat st;
    Uuid topic_id;
    int rc = vfs_stat(folder, &st, err);

    *ret_mine = false;
    if (rc == OT_E_NOT_FOUND)
        return 0;
    if (rc != 0)
        return rc;
    rc = partition_metadata_load(folder, &topic_id, err);
    if (rc == 0 && uuid_equal(topic_id, slot->topic_id)) {
        *ret_mine = true;
        return 0;
    }
    if (rc == OT_E_NOT_FOUND) {
        bool segments = false;

        rc = holds_segments(folder, &segments, err);
        if (rc == 0 && segments)
            return plog_set_folder_aside(slot, pslot_dir(slot), folder, false, err);
        if (rc == 0)
            rc = partition_metadata_store(folder, slot->topic_id, VFS_NOT_SYNCED, err);
        *ret_mine = rc == 0;
        return rc;
    }
    if (rc != 0 && rc != OT_E_CORRUPT)
        return rc;
    return plog_set_folder_aside(slot, pslot_dir(slot), folder,
                                 rc == 0 && plog_is_deleted_topic(topic_id), err);
}

int
plog_make_folder(PartitionSlot *slot, ErrInfo *err)
{
    char folder[LIMIT_PATH_BYTES];
    bool mine;
    int rc;

    plog_folder_path(slot, folder);
    rc = logdir_names_lock(pslot_dir(slot), err);
    if (rc != 0)
        return rc;
    rc = claim_folder(slot, folder, &mine, err);
    if (rc == 0 && !mine) {
        rc = vfs_mkdir(folder, 0750, err);
        crashpoint("plog.folder.empty");
        if (rc == 0)
            rc = partition_metadata_store(folder, slot->topic_id, VFS_NOT_SYNCED, err);
    }
    logdir_names_unlock(pslot_dir(slot));
    if (rc == 0)
        plog_note_names(slot, NEW_NAMES_FOLDER | NEW_NAMES_FILES);
    return rc;
}

/* ---- names in the folder ------------------------------------------------------------------------ */

static void
path_in_folder(const LogLoad *load, StrView name, char ret[LIMIT_PATH_BYTES])
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%.*s", load->folder, (int)name.len, name.ptr);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

static int
remove_file(const LogLoad *load, StrView name, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    path_in_folder(load, name, path);
    rc = vfs_unlink(path, err);
    return rc == OT_E_NOT_FOUND ? 0 : rc;
}

static bool
tail_is(StrView tail, const char *text)
{
    return strview_equal(tail, strview_from(text));
}

static bool
has_suffix(StrView name, const char *suffix)
{
    size_t len = strlen(suffix);

    return (size_t)name.len > len && memcmp(name.ptr + (size_t)name.len - len, suffix, len) == 0;
}

/* Entry for a base, made when missing; the names come sorted, so it is the last one. */
static LoadedSegment *
segment_of(LogLoad *load, int64_t base)
{
    LoadedSegment *last =
        load->segment_count == 0 ? NULL : &load->segments[load->segment_count - 1];

    if (last != NULL && last->base == base)
        return last;
    last = &load->segments[load->segment_count++];
    *last = (LoadedSegment){.base = base,
                            .max_timestamp = -1,
                            .max_timestamp_offset = -1,
                            .first_timestamp = -1,
                            .last_time_entry = -1};
    return last;
}

static void
take_name(LogLoad *load, int64_t base, SegmentFile kind)
{
    if (kind == SEGMENT_SNAPSHOT) {
        load->snapshots[load->snapshot_count++] = base;
        return;
    }
    LoadedSegment *seg = segment_of(load, base);

    seg->has_log |= kind == SEGMENT_LOG;
    seg->has_index |= kind == SEGMENT_INDEX;
    seg->has_time_index |= kind == SEGMENT_TIMEINDEX;
    seg->has_txn_index |= kind == SEGMENT_TXNINDEX;
}

/*
 * What a broker died over (11.7): .deleted goes; with .cleaned files every .swap at or above the
 * smallest of them is half done and goes, too; then .cleaned goes.
 */
static int
remove_leftovers(const LogLoad *load, const StrView *names, int32_t count, ErrInfo *err)
{
    int64_t least_cleaned = INT64_MAX;
    int32_t i;
    int rc = 0;

    for (i = 0; i < count; i++) {
        SegmentFile kind;
        StrView tail;
        int64_t base;

        if (segment_name_parse(names[i], &base, &kind, &tail) && tail_is(tail, ".cleaned") &&
            base < least_cleaned)
            least_cleaned = base;
    }
    for (i = 0; i < count && rc == 0; i++) {
        SegmentFile kind;
        StrView tail;
        int64_t base;

        if (segment_name_parse(names[i], &base, &kind, &tail)) {
            if (tail_is(tail, ".deleted") || tail_is(tail, ".cleaned") || tail_is(tail, ".tmp") ||
                (tail_is(tail, ".swap") && base >= least_cleaned))
                rc = remove_file(load, names[i], err);
        } else if (has_suffix(names[i], ".tmp")) {
            rc = remove_file(load, names[i], err);
        }
    }
    return rc;
}

static int
note_next_offset(const ScannedBatch *batch, void *arg, ErrInfo *err)
{
    int64_t *next = arg;

    (void)err; /* cannot fail */
    *next = batch_next_offset(batch->header);
    return 0;
}

/* Next offset behind a complete .swap segment. */
static int
swap_end(LogLoad *load, StrView name, int64_t base, int64_t *ret_end, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int64_t size;
    int rc;
    int fd;

    path_in_folder(load, name, path);
    fd = vfs_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return fd;
    size = vfs_size(fd, err);
    *ret_end = base;
    rc = size < 0 ? (int)size : segment_scan_walk(fd, 0, size, note_next_offset, ret_end, err);
    vfs_close(fd);
    return rc;
}

/* Complete replacements: the segments that they replace go, then they get their names. */
static int
finish_swaps(LogLoad *load, const StrView *names, int32_t count, ErrInfo *err)
{
    int64_t least = INT64_MAX;
    int64_t end = -1;
    int32_t i;
    int rc = 0;

    for (i = 0; i < count && rc == 0; i++) {
        SegmentFile kind;
        StrView tail;
        int64_t base;
        int64_t e;

        if (!segment_name_parse(names[i], &base, &kind, &tail) || !tail_is(tail, ".swap"))
            continue;
        if (base < least)
            least = base;
        if (kind == SEGMENT_LOG) {
            rc = swap_end(load, names[i], base, &e, err);
            if (rc == 0 && e > end)
                end = e;
        }
    }
    for (i = 0; i < count && rc == 0; i++) {
        SegmentFile kind;
        StrView tail;
        int64_t base;

        if (segment_name_parse(names[i], &base, &kind, &tail) && tail.len == 0 &&
            kind != SEGMENT_SNAPSHOT && base >= least && base < end)
            rc = remove_file(load, names[i], err);
    }
    for (i = 0; i < count && rc == 0; i++) {
        char from[LIMIT_PATH_BYTES];
        char to[LIMIT_PATH_BYTES];
        SegmentFile kind;
        StrView tail;
        int64_t base;

        if (!segment_name_parse(names[i], &base, &kind, &tail) || !tail_is(tail, ".swap"))
            continue;
        path_in_folder(load, names[i], from);
        plog_file_path(load->slot, base, kind, to);
        rc = vfs_rename(from, to, err);
    }
    return rc;
}

/* Index files without a .log go; sizes of the others. */
static int
settle_segments(LogLoad *load, ErrInfo *err)
{
    int32_t kept = 0;
    int32_t i;

    for (i = 0; i < load->segment_count; i++) {
        LoadedSegment seg = load->segments[i];
        char path[LIMIT_PATH_BYTES];
        struct stat st;
        int kind;
        int rc;

        if (seg.has_log) {
            plog_file_path(load->slot, seg.base, SEGMENT_LOG, path);
            rc = vfs_stat(path, &st, err);
            if (rc != 0)
                return rc;
            if (st.st_size > INT32_MAX)
                return err_set(err, OT_E_CORRUPT, "%s: larger than a segment can be", path);
            seg.size = st.st_size;
            load->segments[kept++] = seg;
            continue;
        }
        for (kind = SEGMENT_INDEX; kind <= SEGMENT_TXNINDEX; kind++) {
            plog_file_path(load->slot, seg.base, (SegmentFile)kind, path);
            rc = vfs_unlink(path, err);
            if (rc != 0 && rc != OT_E_NOT_FOUND)
                return rc;
        }
    }
    load->segment_count = kept;
    return 0;
}

static int
list_folder(LogLoad *load, ErrInfo *err)
{
    StrView *names;
    int32_t count;
    int32_t i;
    bool leftovers = false;
    int rc = vfs_list(load->folder, FOLDER_FILES_MAX, load->arena, &names, &count, err);

    if (rc != 0)
        return rc;
    for (i = 0; i < count; i++)
        leftovers |= has_suffix(names[i], ".deleted") || has_suffix(names[i], ".cleaned") ||
                     has_suffix(names[i], ".swap") || has_suffix(names[i], ".tmp");
    if (leftovers) {
        rc = remove_leftovers(load, names, count, err);
        if (rc == 0)
            rc = vfs_list(load->folder, FOLDER_FILES_MAX, load->arena, &names, &count, err);
        if (rc == 0)
            rc = finish_swaps(load, names, count, err);
        if (rc == 0)
            rc = vfs_list(load->folder, FOLDER_FILES_MAX, load->arena, &names, &count, err);
        if (rc != 0)
            return rc;
    }
    load->segments = arena_calloc(load->arena, (size_t)count + 1, sizeof *load->segments);
    load->snapshots = arena_calloc(load->arena, (size_t)count + 1, sizeof *load->snapshots);
    if (load->segments == NULL || load->snapshots == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for the files of a partition");
    for (i = 0; i < count; i++) {
        SegmentFile kind;
        StrView tail;
        int64_t base;

        if (segment_name_parse(names[i], &base, &kind, &tail) && tail.len == 0)
            take_name(load, base, kind);
    }
    return settle_segments(load, err);
}

/* ---- segments ----------------------------------------------------------------------------------- */

static int
remove_segment(const LogLoad *load, const LoadedSegment *seg, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int kind;

    for (kind = SEGMENT_LOG; kind <= SEGMENT_TXNINDEX; kind++) {
        int rc;

        plog_file_path(load->slot, seg->base, (SegmentFile)kind, path);
        rc = vfs_unlink(path, err);
        if (rc != 0 && rc != OT_E_NOT_FOUND)
            return rc;
    }
    return 0;
}

/* Removes the segments from an index on. */
static int
remove_segments_from(LogLoad *load, int32_t first, ErrInfo *err)
{
    int rc = 0;

    while (rc == 0 && load->segment_count > first) {
        rc = remove_segment(load, &load->segments[load->segment_count - 1], err);
        if (rc == 0)
            load->segment_count--;
    }
    return rc;
}

/*
 * Segments below the log start go before anything is made of the others: nobody flushed what is deleted,
 * and damage in it must not cut the log.
 */
static int
remove_old_segments(LogLoad *load, ErrInfo *err)
{
    int32_t old = 0;
    int rc = 0;

    while (rc == 0 && !load->clean && old + 1 < load->segment_count &&
           load->segments[old + 1].base <= load->slot->start_log_start)
        rc = remove_segment(load, &load->segments[old++], err);
    memmove(load->segments, load->segments + old,
            (size_t)(load->segment_count - old) * sizeof *load->segments);
    load->segment_count -= old;
    return rc;
}

/* Largest timestamp of a segment whose indexes are trusted: its last time index entry. */
static int
trust_segment(LogLoad *load, LoadedSegment *seg, ErrInfo *err)
{
    uint8_t at[TIME_ENTRY_BYTES];
    char path[LIMIT_PATH_BYTES];
    int64_t size;
    int rc = 0;
    int fd;

    plog_file_path(load->slot, seg->base, SEGMENT_TIMEINDEX, path);
    fd = vfs_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return fd;
    size = vfs_size(fd, err);
    if (size >= TIME_ENTRY_BYTES)
        rc = vfs_pread_full(fd, at, sizeof at, size - size % TIME_ENTRY_BYTES - TIME_ENTRY_BYTES,
                            err);
    if (rc == 0 && size >= TIME_ENTRY_BYTES) {
        TimeEntry e = time_entry_decode(at);

        seg->max_timestamp = e.timestamp;
        seg->max_timestamp_offset = seg->base + e.offset_rel;
    }
    vfs_close(fd);
    return rc;
}

static void
report_cut(const LogLoad *load, const LoadedSegment *seg, int64_t old_size)
{
    log_msg(LL_WARNING, "storage",
            "recovery cut the tail of a segment: bytes that are no whole batch; topic=%s "
            "partition=%d segment=%lld bytes=%lld end=%lld",
            load->slot->topic, (int)load->slot->partition, (long long)seg->base,
            (long long)(old_size - seg->size), (long long)seg->end_offset);
}

/*
 * In a directory under repair (design.md 6): what is not durable of a segment was read and verified now,
 * and is written again with its indexes. Nobody has the files open: the log is not.
 */
static int
renew_segment(const LogLoad *load, const LoadedSegment *seg, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc = 0;
    int kind;

    if (seg->end_offset <= load->recovery_point)
        return 0;
    for (kind = SEGMENT_LOG; kind <= SEGMENT_TXNINDEX && rc == 0; kind++) {
        plog_file_path(load->slot, seg->base, (SegmentFile)kind, path);
        rc = renew_file(path, err);
        if (rc == OT_E_NOT_FOUND)
            rc = 0;
    }
    (void)atomic_u32_add(&load->slot->file_generation, 1);
    return rc;
}

/* One segment: trusted, looked at, or recovered. *ret_cut: the ones behind it must go. */
static int
load_segment(LogLoad *load, int32_t i, bool *ret_cut, ErrInfo *err)
{
    LoadedSegment *seg = &load->segments[i];
    bool last = i + 1 == load->segment_count;
    int64_t end = last ? INT64_MAX : load->segments[i + 1].base;
    bool trusted = load->clean || end < load->recovery_point;
    int64_t from = load->recovery_point;
    int64_t size = seg->size;
    int rc;

    *ret_cut = false;
    if (trusted && seg->has_index && seg->has_time_index) {
        bool ok = true;

        if (!last)
            return trust_segment(load, seg, err);
        rc = segment_find_end(load, seg, &ok, err);
        if (rc != 0 || ok)
            return rc;
    }
    if (trusted || !seg->has_index || !seg->has_time_index)
        from = 0; /* what should be there is not: everything is read */
    rc = segment_recover(load, seg, from, ret_cut, err);
    if (rc == 0 && load->repair)
        rc = renew_segment(load, seg, err);
    if (rc == 0 && *ret_cut)
        report_cut(load, seg, size);
    return rc;
}

/*
 * Does the next segment go on where this one ends? A loss of power may have taken whole batches from the end of
 * the one and spared the other. Compaction leaves such holes, but never above the recovery point.
 */
static bool
goes_on(const LogLoad *load, int32_t i)
{
    int64_t next = load->segments[i + 1].base;

    return load->clean || load->settings.cleanup_compact || next <= load->recovery_point ||
           load->segments[i].end_offset >= next;
}

/* The segments behind a cut or a hole: should the power fail again, they must not come back. */
static int
drop_behind(LogLoad *load, int32_t i, ErrInfo *err)
{
    int rc;

    log_msg(LL_WARNING, "storage",
            "recovery removes the segments behind a cut; topic=%s partition=%d segments=%d",
            load->slot->topic, (int)load->slot->partition, (int)(load->segment_count - i - 1));
    rc = remove_segments_from(load, i + 1, err);
    return rc == 0 ? vfs_sync_dir(load->folder, err) : rc;
}

static int
load_segments(LogLoad *load, ErrInfo *err)
{
    int32_t i;

    load->scanned_from = -1;
    for (i = 0; i < load->segment_count; i++) {
        bool cut;
        int rc = load_segment(load, i, &cut, err);

        if (rc == 0 && i + 1 < load->segment_count && (cut || !goes_on(load, i)))
            rc = drop_behind(load, i, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Offset behind the last batch. */
static int64_t
loaded_end(const LogLoad *load)
{
    return load->segment_count == 0 ? 0 : load->segments[load->segment_count - 1].end_offset;
}

/* ---- epochs ------------------------------------------------------------------------------------- */

/*
 * The file is renamed without a flush: a loss of power may leave none, an empty one, or half of it. Every
 * batch names its epoch.
 */
static bool
epochs_are_lost(const LogLoad *load, int code)
{
    int64_t first;

    if (code == OT_E_NOT_FOUND || code == OT_E_CORRUPT)
        return true;
    if (code != 0 || load->clean || load->segment_count == 0 || load->segments[0].size == 0)
        return false;
    first = load->segments[0].base;
    if (first < load->slot->start_log_start)
        first = load->slot->start_log_start;
    return load->epoch_count == 0 || load->epochs[0].start_offset > first;
}

/* Reads the headers of the whole log. */
static int
rebuild_epochs(LogLoad *load, ErrInfo *err)
{
    int32_t i;
    int rc = 0;

    load->epoch_count = 0;
    load->epochs_changed = true;
    for (i = 0; i < load->segment_count && rc == 0; i++)
        rc = segment_collect_epochs(load, &load->segments[i], err);
    return rc;
}

static int
settle_epochs(LogLoad *load, int64_t log_start, int64_t log_end, ErrInfo *err)
{
    int32_t count = epochs_truncate_end(load->epochs, load->epoch_count, log_end);

    load->epochs_changed |= count != load->epoch_count;
    if (count > 0 && load->epochs[0].start_offset < log_start) {
        count = epochs_truncate_start(load->epochs, count, log_start);
        load->epochs_changed = true;
    }
    load->epoch_count = count;
    if (!load->epochs_changed)
        return 0;
    return epoch_file_store(load->folder, load->epochs, load->epoch_count, err);
}

/* ---- producers ---------------------------------------------------------------------------------- */

static int
remove_snapshot(const LogLoad *load, int64_t offset, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    plog_file_path(load->slot, offset, SEGMENT_SNAPSHOT, path);
    rc = vfs_unlink(path, err);
    return rc == OT_E_NOT_FOUND ? 0 : rc;
}

static bool
is_segment_base(const LogLoad *load, int64_t offset)
{
    int32_t i;

    for (i = 0; i < load->segment_count; i++) {
        if (load->segments[i].base == offset)
            return true;
    }
    return false;
}

/*
 * Snapshots above LEO, or of no segment's base but for the newest, are of no use (9.4 step 8). Nor is one below
 * the first segment: what came between it and the log is not there to be replayed.
 */
static int
prune_snapshots(LogLoad *load, int64_t log_end, ErrInfo *err)
{
    int64_t first = load->segment_count == 0 ? 0 : load->segments[0].base;
    int32_t kept = 0;
    int32_t i;
    int rc = 0;

    for (i = 0; i < load->snapshot_count && rc == 0; i++) {
        int64_t offset = load->snapshots[i];
        bool newest = i + 1 == load->snapshot_count || load->snapshots[i + 1] > log_end;

        if (offset >= first && offset <= log_end && (newest || is_segment_base(load, offset)))
            load->snapshots[kept++] = offset;
        else
            rc = remove_snapshot(load, offset, err);
    }
    load->snapshot_count = kept;
    return rc;
}

/*
 * The newest snapshot that is whole and not above what was flushed before the recovery point was
 * written (or was read by recovery from its start), then the batches behind it.
 * None at all after a clean stop: nothing to remember (8.8). A checkpoint that says that there are no
 * producers is as good as an empty snapshot.
 */
static int
load_producers(LogLoad *load, PlogTuple *t, ErrInfo *err)
{
    bool scanned = load->scanned_from >= 0;
    int64_t trusted =
        load->scanned_from > load->recovery_point ? load->scanned_from : load->recovery_point;
    int64_t most = scanned ? trusted : t->log_end;
    int64_t from = t->log_start < t->active_base ? t->log_start : t->active_base;
    int64_t producerless = atomic_i64_load(&load->slot->producerless_end);
    int32_t i;
    int rc = prune_snapshots(load, t->log_end, err);

    if (rc != 0)
        return rc;
    if (producerless > most) { /* of a log that was longer */
        producerless = 0;
        atomic_i64_store(&load->slot->producerless_end, 0);
    }
    load->slot->snapshot_offset = -1;
    from = load->segment_count > 0 ? load->segments[0].base : from;
    for (i = load->snapshot_count - 1; i >= 0; i--) {
        if (load->snapshots[i] > most)
            continue;
        if (load->snapshots[i] < producerless) {
            load->slot->snapshot_offset = load->snapshots[i];
            break;
        }
        rc = plog_snapshot_load(load->slot, load->snapshots[i], err);
        if (rc == 0) {
            load->slot->snapshot_offset = load->snapshots[i];
            from = load->snapshots[i];
            break;
        }
        producer_remove_all(load->slot);
        if (rc != OT_E_CORRUPT && rc != OT_E_NOT_FOUND)
            return rc;
        log_msg(LL_WARNING, "storage",
                "producer snapshot is damaged and removed; topic=%s partition=%d offset=%lld",
                load->slot->topic, (int)load->slot->partition, (long long)load->snapshots[i]);
        rc = remove_snapshot(load, load->snapshots[i], err);
        if (rc != 0)
            return rc;
    }
    t->first_unstable = producer_first_unstable(load->slot);
    if (load->snapshot_count == 0 && load->clean)
        return 0;
    if (from < producerless)
        from = producerless;
    return plog_replay_producers(load->slot, t, from, scanned ? trusted : INT64_MAX, err);
}

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
    return prune_snapshots(load, -1, err);
}

static int
fill_tuple(LogLoad *load, PlogTuple *t, ErrInfo *err)
{
    PartitionSlot *slot = load->slot;
    int64_t end = loaded_end(load);
    int32_t i;
    int rc = 0;

    if (load->segment_count > 0 && end < slot->start_log_start)
        rc = remove_segments_from(load, 0, err);
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
    int rc = list_folder(load, err);
    bool lost;

    if (rc != 0)
        return rc;
    rc = epoch_file_load(load->folder, &load->epochs, &load->epoch_count, err);
    lost = epochs_are_lost(load, rc);
    if (lost)
        rc = 0;
    load->epoch_room = load->epoch_count;
    if (rc == 0)
        rc = remove_old_segments(load, err);
    if (rc == 0)
        rc = load_segments(load, err);
    if (rc == 0 && lost)
        rc = rebuild_epochs(load, err);
    if (rc == 0)
        rc = fill_tuple(load, t, err);
    if (rc == 0)
        rc = settle_epochs(load, t->log_start, t->log_end, err);
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
    char folder[LIMIT_PATH_BYTES];
    bool mine = false;
    int rc;

    plog_folder_path(slot, folder);
    rc = logdir_names_lock(pslot_dir(slot), err);
    if (rc != 0)
        return rc;
    rc = claim_folder(slot, folder, &mine, err);
    logdir_names_unlock(pslot_dir(slot));
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
 * What a failure to open means (design.md 6): what there was no room for is tried again at the next
 * need; a log that cannot be read or understood is FAILED, by itself; a failed write is the directory's.
 */
static int
open_failed(PartitionSlot *slot, int code, ErrInfo *err)
{
    static LogRate rate;
    bool again = code == OT_E_NO_SPACE || code == OT_E_LIMIT || code == OT_E_NO_MEMORY;

    segment_pool_sweep(slot, NULL);
    slot->producer_count = 1; /* so that the scan looks at all */
    producer_remove_all(slot);
    if (!again)
        (void)pslot_settle_state(slot, PSLOT_FAILED); /* deleted meanwhile: that is as good */
    if (err != NULL)
        log_limited(&rate, LOG_RATE_PER_SECOND, LL_ERROR, "storage",
                    "log cannot be opened: %s; topic=%s partition=%d", err->text, slot->topic,
                    (int)slot->partition);
    return plog_write_failed(slot, code, err);
}

int
plog_open_locked(PartitionSlot *slot, ErrInfo *err)
{
    PlogTuple t;
    int rc;

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
    } else {
        rc = open_failed(slot, rc, err);
    }
    atomic_u32_store(&slot->opening, 0);
    return rc;
}
