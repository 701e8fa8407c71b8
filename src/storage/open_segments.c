/*
 * open_segments.c - the segments of a log that is opened: trusted, recovered, cut off
 *
 * Runs in: whoever opens the log, as plog_open.c; append lock held.
 * Of a clean directory no data is read but the batches behind the last index entry; of another the
 * segments from the recovery point on (segment_recover.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/common/log.h"
#include "ottla/storage/renew.h"
#include "storage/open_int.h"

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

int
load_remove_segments(LogLoad *load, int32_t first, ErrInfo *err)
{
    int rc = 0;

    while (rc == 0 && load->segment_count > first) {
        rc = remove_segment(load, &load->segments[load->segment_count - 1], err);
        if (rc == 0)
            load->segment_count--;
    }
    return rc;
}

int
load_remove_old_segments(LogLoad *load, ErrInfo *err)
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
    rc = load_remove_segments(load, i + 1, err);
    return rc == 0 ? vfs_sync_dir(load->folder, err) : rc;
}

int
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

int64_t
load_end_offset(const LogLoad *load)
{
    return load->segment_count == 0 ? 0 : load->segments[load->segment_count - 1].end_offset;
}
