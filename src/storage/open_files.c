/*
 * open_files.c - which files the folder of a log holds, and what a broker died over
 *
 * Runs in: whoever opens the log, as plog_open.c; append lock held.
 * Spec: log.md 11.7.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/common/assert.h"
#include "storage/open_int.h"

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
        for (kind = SEGMENT_INDEX; kind <= SEGMENT_TXNINDEX && !load->read_only; kind++) {
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
settle_leftovers(LogLoad *load, StrView **names, int32_t *count, ErrInfo *err)
{
    int rc = remove_leftovers(load, *names, *count, err);

    if (rc == 0)
        rc = vfs_list(load->folder, FOLDER_FILES_MAX, load->arena, names, count, err);
    if (rc == 0)
        rc = finish_swaps(load, *names, *count, err);
    if (rc == 0)
        rc = vfs_list(load->folder, FOLDER_FILES_MAX, load->arena, names, count, err);
    return rc;
}

/* What is left to be deleted does no harm where it lies; half a replacement does. */
static int
refuse_swaps(const LogLoad *load, const StrView *names, int32_t count, ErrInfo *err)
{
    for (int32_t i = 0; i < count; i++)
        if (has_suffix(names[i], ".swap"))
            return err_set(err, OT_E_READ, "%s: segments were being replaced: %.*s", load->folder,
                           (int)names[i].len, names[i].ptr);
    return 0;
}

int
load_files(LogLoad *load, ErrInfo *err)
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
        rc = load->read_only ? refuse_swaps(load, names, count, err)
                             : settle_leftovers(load, &names, &count, err);
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
