/*
 * plog_flush.c - files of one partition to the disk, one by one
 *
 * What group commits and checkpoints share when they do not use syncfs.
 * Runs in: checkpointer. Never: holds the append lock, tries a failed flush again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "storage/plog_int.h"

#define WRITE_BACK_BYTES (1 << 20) /* of a segment, between two looks at who waits */
#define LIST_TRIES       64        /* changes of the segment list that one flush sits out */

int
plog_flush_path(const char *path, ErrInfo *err)
{
    int fd = vfs_open(path, O_RDONLY, 0, err);
    int rc;

    if (fd == OT_E_NOT_FOUND)
        return 0;
    if (fd < 0)
        return fd;
    rc = vfs_fdatasync(fd, err);
    vfs_close(fd);
    return rc;
}

/* The descriptor stays open: the next commit of a busy partition needs it again. */
static int
flush_log(const PartitionSlot *slot, int64_t base, ErrInfo *err)
{
    FileRef *file;
    int rc = fd_cache_get(slot, base, SEGMENT_LOG, false, &file, err);

    if (rc == OT_E_NOT_FOUND)
        return 0;
    if (rc != 0)
        return rc;
    rc = vfs_fdatasync(file->fd, err);
    fd_cache_put(file);
    return rc;
}

static int
flush_segment(const PartitionSlot *slot, int64_t base, SegmentFile last, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc = flush_log(slot, base, err);
    int kind;

    for (kind = SEGMENT_LOG + 1; kind <= (int)last && rc == 0; kind++) {
        plog_file_path(slot, base, (SegmentFile)kind, path);
        rc = plog_flush_path(path, err);
    }
    return rc;
}

/* No look at a log: deleted, there is nothing to flush; failed by itself, that says nothing about the directory. */
static int
no_view(int code)
{
    return code == OT_E_UNKNOWN_TOPIC_OR_PARTITION ? 0 : OT_E_AGAIN;
}

/* One attempt; *ret_again: the list changed under the walk. */
static int
flush_segments_once(PartitionRef ref, int64_t from, SegmentFile last, bool *ret_again, ErrInfo *err)
{
    SegmentView seg;
    PlogView view;
    bool more;
    int rc = plog_view(ref, &view, err);

    *ret_again = false;
    if (rc != 0)
        return no_view(rc);
    more = plog_segment_of(view.slot, &view.tuple, from, &seg);
    *ret_again = !more;
    while (more && rc == 0) {
        rc = flush_segment(view.slot, seg.base, last, err);
        if (seg.active || rc != 0)
            break;
        more = plog_segment_after(view.slot, &view.tuple, &seg, &seg);
        *ret_again = !more;
    }
    *ret_again |= !plog_view_valid(&view, ref);
    return rc;
}

int
plog_flush_segments(PartitionRef ref, int64_t from, SegmentFile last, ErrInfo *err)
{
    bool again = true;
    int rc = 0;
    int tries;

    for (tries = 0; again && rc == 0 && tries < LIST_TRIES && pslot_is_current(ref); tries++)
        rc = flush_segments_once(ref, from, last, &again, err);
    if (rc == 0 && again && pslot_is_current(ref))
        return err_set(err, OT_E_AGAIN, "segments change faster than they can be flushed");
    return rc;
}

/* One segment's .log, slice by slice. */
static int
write_back_log(const PartitionSlot *slot, const SegmentView *seg, const PlogServe *between,
               ErrInfo *err)
{
    FileRef *file;
    int64_t pos;
    int rc = fd_cache_get(slot, seg->base, SEGMENT_LOG, false, &file, err);

    if (rc == OT_E_NOT_FOUND)
        return 0;
    if (rc != 0)
        return rc;
    for (pos = 0; pos < seg->size && rc == 0; pos += WRITE_BACK_BYTES) {
        rc = vfs_write_back(file->fd, pos, WRITE_BACK_BYTES, err);
        between->serve(between->arg);
    }
    fd_cache_put(file);
    return rc;
}

int
plog_write_back(PartitionRef ref, int64_t from, const PlogServe *between, ErrInfo *err)
{
    SegmentView seg;
    PlogView view;
    bool more;
    int rc = plog_view(ref, &view, err);

    if (rc != 0)
        return no_view(rc);
    /* A list that changes meanwhile ends it early: what is left, the flush writes. */
    more = plog_segment_of(view.slot, &view.tuple, from, &seg);
    while (more && rc == 0) {
        rc = write_back_log(view.slot, &seg, between, err);
        more = !seg.active && plog_view_valid(&view, ref) &&
               plog_segment_after(view.slot, &view.tuple, &seg, &seg);
    }
    return rc;
}

int
plog_flush_names(const PartitionSlot *slot, uint32_t names, ErrInfo *err)
{
    static const char *const small[] = {PARTITION_METADATA_FILE, LEADER_EPOCH_FILE};
    char folder[LIMIT_PATH_BYTES];
    char path[LIMIT_PATH_BYTES + 64];
    size_t i;
    int rc = 0;

    if (names == 0)
        return 0;
    plog_folder_path(slot, folder);
    for (i = 0; i < sizeof small / sizeof small[0] && rc == 0; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, small[i]);
        rc = plog_flush_path(path, err);
    }
    if (rc == 0)
        rc = vfs_sync_dir(folder, err);
    if (rc == 0 && (names & NEW_NAMES_FOLDER) != 0)
        rc = vfs_fsync(logdir_fd(pslot_dir(slot)), err);
    return rc == OT_E_NOT_FOUND ? 0 : rc; /* renamed: the topic is being deleted */
}

int
plog_flush_failed(int dir, int code, ErrInfo *err)
{
    if (code == OT_E_LIMIT || code == OT_E_NO_MEMORY || code == OT_E_AGAIN)
        return OT_E_AGAIN; /* nothing was asked of the disk */
    return logdir_flush_failed(dir, err);
}
