/*
 * plog_move.c - one log moves to another log directory while it is used: the copy grows
 *
 * Runs in: retention, which is also the only process that takes segments off a list: so the start of the list
 * stands still during each call. Never: holds the append lock. Invariants V1 to V3: plog_move.h; what is copied
 * next: move_plan.c; the end: plog_move_switch.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/plog_move.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "storage/move_int.h"

#define BUFFER_BYTES     (1024 * 1024)
#define FOLDER_FILES_MAX 1000000

int
move_target_flush(const PlogMove *m, int fd, ErrInfo *err)
{
    return vfs_fdatasync(fd, err) == 0 ? 0 : logdir_flush_failed(m->to, err);
}

/* ---- the folder of the copy ----------------------------------------------------------------------- */

void
move_future_path(const PlogMove *m, const char *source_path, char ret[LIMIT_PATH_BYTES])
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", m->folder, strrchr(source_path, '/') + 1);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

static void
close_files(PlogMove *m)
{
    for (int kind = 0; kind < SEGMENT_FILE_COUNT; kind++) {
        vfs_close(m->files[kind].from);
        vfs_close(m->files[kind].to);
        m->files[kind] = (FilePair){-1, -1};
    }
}

/* Removes files of the copy: those of segments below a base; with_rest: and all that are of no segment. */
static int
remove_files(const PlogMove *m, int64_t base, bool with_rest, ErrInfo *err)
{
    Arena *arena = arena_new(65536, 0);
    StrView *names;
    int32_t count = 0;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to look into a folder");
    rc = vfs_list(m->folder, FOLDER_FILES_MAX, arena, &names, &count, err);
    for (int32_t i = 0; i < count && rc == 0; i++) {
        char path[LIMIT_PATH_BYTES];
        SegmentFile kind;
        int64_t of;
        StrView tail;
        bool goes = segment_name_parse(names[i], &of, &kind, &tail) ? of < base : with_rest;
        int n;

        if (!goes)
            continue;
        n = snprintf(path, sizeof path, "%s/%.*s", m->folder, (int)names[i].len, names[i].ptr);
        ot_assert(n > 0 && n < (int)sizeof path);
        rc = vfs_unlink(path, err);
    }
    arena_free(arena);
    return rc == 0 ? 0 : move_target_failed(m->to, rc, err);
}

int
move_drop_below(const PlogMove *m, int64_t base, ErrInfo *err)
{
    return remove_files(m, base, false, err);
}

/*
 * Empties what an earlier run left in it, and brings the name of its topic to the disk. The lock waits for who asked and
 * is making the folder just now.
 */
static int
take_folder(PlogMove *m, const PartitionSlot *slot, ErrInfo *err)
{
    struct stat st;
    int rc = logdir_names_lock(m->to, err);

    if (rc != 0)
        return rc;
    move_wish_folder(slot, m->to, m->folder);
    rc = vfs_stat(m->folder, &st, err);
    logdir_names_unlock(m->to);
    if (rc == 0)
        rc = remove_files(m, INT64_MAX, true, err);
    if (rc == 0) {
        rc = partition_metadata_store(m->folder, slot->topic_id, VFS_SYNCED, err);
        rc = rc == 0 ? 0 : move_target_failed(m->to, rc, err);
    }
    return rc;
}

/* ---- copying -------------------------------------------------------------------------------------- */

static int64_t
file_size(const PartitionSlot *slot, int64_t base, SegmentFile kind)
{
    char path[LIMIT_PATH_BYTES];
    struct stat st;

    plog_file_path(slot, base, kind, path);
    return vfs_stat(path, &st, NULL) == 0 ? st.st_size : 0;
}

static MoveSegment
segment_now(const PartitionSlot *slot, const PlogTuple *t, const SegmentView *seg)
{
    MoveSegment now = {.base = seg->base, .end_offset = seg->end_offset, .active = seg->active};

    for (int kind = SEGMENT_INDEX; kind < SEGMENT_FILE_COUNT; kind++)
        now.size[kind] = file_size(slot, seg->base, (SegmentFile)kind);
    now.size[SEGMENT_LOG] = seg->size;
    if (seg->active) { /* more than that is not published */
        now.size[SEGMENT_INDEX] = (int64_t)t->index_flushed * INDEX_ENTRY_BYTES;
        now.size[SEGMENT_TIMEINDEX] = (int64_t)t->time_flushed * TIME_ENTRY_BYTES;
        now.size[SEGMENT_TXNINDEX] = t->txn_index_size;
    }
    return now;
}

static int
damaged_list(const PartitionSlot *slot, ErrInfo *err)
{
    return err_set(err, OT_E_CORRUPT, "%s-%d: the list of segments is damaged", slot->topic,
                   (int)slot->partition);
}

/* The segment that the copy is at, or the first one of the log when that is gone. */
static int
find_segment(const PlogMove *m, const PartitionSlot *slot, const PlogTuple *t, SegmentView *ret,
             ErrInfo *err)
{
    if (!plog_segment_at(slot, t, 0, ret))
        return damaged_list(slot, err);
    if (m->at.base > ret->base && !plog_segment_of(slot, t, m->at.base, ret))
        return damaged_list(slot, err);
    return 0;
}

static int
open_pair(PlogMove *m, const PartitionSlot *slot, SegmentFile kind, ErrInfo *err)
{
    FilePair *pair = &m->files[kind];
    char from[LIMIT_PATH_BYTES];
    char to[LIMIT_PATH_BYTES];
    int rc;

    if (pair->from >= 0)
        return 0;
    plog_file_path(slot, m->at.base, kind, from);
    move_future_path(m, from, to);
    rc = vfs_open(to, O_RDWR | O_CREAT, FILE_MODE, err);
    if (rc < 0)
        return move_target_failed(m->to, rc, err);
    pair->to = rc;
    rc = vfs_open(from, O_RDONLY, 0, err);
    if (rc < 0) {
        vfs_close(pair->to);
        pair->to = -1;
        return rc;
    }
    pair->from = rc;
    return 0;
}

static int
copy_bytes(PlogMove *m, const PartitionSlot *slot, const MoveStep *step, int64_t *ret_copied,
           ErrInfo *err)
{
    int64_t len = step->len < BUFFER_BYTES ? step->len : BUFFER_BYTES;
    const FilePair *pair = &m->files[step->kind];
    int rc = open_pair(m, slot, step->kind, err);

    if (rc == 0)
        rc = vfs_pread_full(pair->from, m->buffer, (size_t)len, step->pos, err);
    if (rc != 0)
        return rc;
    if (step->kind == SEGMENT_LOG)
        len = move_walk(&m->at, m->buffer, len);
    if (len == 0 && step->len < BATCH_HEADER_BYTES && step->len < step->left)
        return 0;
    if (len <= 0)
        return err_set(err, OT_E_CORRUPT, "%s-%d: no batches at %lld of the segment %lld",
                       slot->topic, (int)slot->partition, (long long)step->pos,
                       (long long)m->at.base);
    rc = vfs_pwrite(pair->to, m->buffer, (size_t)len, step->pos, err);
    if (rc != 0)
        return move_target_failed(m->to, rc, err);
    crashpoint("plog.move.copied");
    vfs_write_early(pair->to, step->pos, len); /* so that the flush in the end is short */
    move_copied(&m->at, step->kind, len);
    *ret_copied += len;
    return 0;
}

int
move_flush_files(PlogMove *m, ErrInfo *err)
{
    int rc = 0;

    for (int kind = 0; kind < SEGMENT_FILE_COUNT && rc == 0; kind++)
        if (m->files[kind].to >= 0)
            rc = move_target_flush(m, m->files[kind].to, err);
    return rc;
}

/* An empty file is copied, too: a segment has its three files. */
static int
open_plain_files(PlogMove *m, const PartitionSlot *slot, ErrInfo *err)
{
    int rc = open_pair(m, slot, SEGMENT_LOG, err);

    if (rc == 0)
        rc = open_pair(m, slot, SEGMENT_INDEX, err);
    return rc == 0 ? open_pair(m, slot, SEGMENT_TIMEINDEX, err) : rc;
}

/* The segment at which the copy is will not change any more. */
static int
seal(PlogMove *m, const PartitionSlot *slot, int64_t next_base, ErrInfo *err)
{
    int rc = open_plain_files(m, slot, err);

    if (rc == 0)
        rc = move_flush_files(m, err);
    close_files(m);
    crashpoint("plog.move.sealed");
    if (rc == 0)
        move_cursor_begin(&m->at, next_base);
    return rc;
}

static int
start_over(PlogMove *m, ErrInfo *err)
{
    close_files(m);
    move_cursor_init(&m->at);
    return move_drop_below(m, INT64_MAX, err);
}

/* One step of the plan. *ret_done: all of t was copied. */
static int
step(PlogMove *m, PartitionSlot *slot, const PlogTuple *t, int64_t *io_left, bool *ret_done,
     ErrInfo *err)
{
    int64_t copied = 0;
    SegmentView seg, next;
    MoveSegment now;
    MoveStep what;
    int rc = find_segment(m, slot, t, &seg, err);

    if (rc != 0)
        return rc;
    now = segment_now(slot, t, &seg);
    what = move_next(&m->at, &now, *io_left);
    switch (what.what) {
    case MOVE_COPY:
        rc = copy_bytes(m, slot, &what, &copied, err);
        *io_left = copied > 0 ? *io_left - copied : 0; /* too little for the header of a batch */
        return rc;
    case MOVE_NEXT:
        if (!plog_segment_after(slot, t, &seg, &next))
            return damaged_list(slot, err);
        return seal(m, slot, next.base, err);
    case MOVE_SKIP:
        m->shrunk |= m->at.base >= 0;
        m->at.bytes -= m->at.pos[SEGMENT_LOG];
        close_files(m);
        move_cursor_begin(&m->at, seg.base);
        return 0;
    case MOVE_AGAIN:
        return start_over(m, err);
    case MOVE_CAUGHT_UP:
        *ret_done = true;
        return 0;
    }
    ot_unreachable();
}

int64_t
move_bytes_left(const PlogMove *m, const PartitionSlot *slot, const PlogTuple *t)
{
    int64_t left = 0;
    SegmentView seg;

    if (find_segment(m, slot, t, &seg, NULL) != 0)
        return INT64_MAX;
    left = seg.size - (m->at.base == seg.base ? m->at.pos[SEGMENT_LOG] : 0);
    while (!seg.active && plog_segment_after(slot, t, &seg, &seg))
        left += seg.size;
    return left;
}

int
move_copy_rest(PlogMove *m, PartitionSlot *slot, const PlogTuple *t, ErrInfo *err)
{
    int64_t most = INT64_MAX;
    bool done = false;
    int rc = 0;

    while (rc == 0 && !done)
        rc = step(m, slot, t, &most, &done, err);
    return rc == 0 ? open_plain_files(m, slot, err) : rc;
}

static void
show(const PlogMove *m, PartitionSlot *slot)
{
    atomic_i64_store(&slot->future_size, m->at.bytes);
    atomic_i64_store(&slot->future_end, m->at.end_offset);
}

int
plog_move_copy(PlogMove *m, int64_t max_bytes, int64_t *ret_copied, int64_t *ret_left, ErrInfo *err)
{
    int64_t left = max_bytes;
    bool done = false;
    PlogView view;
    int rc = plog_view(m->ref, &view, err);

    *ret_copied = *ret_left = 0;
    if (rc != 0 || !view.slot->has_folder)
        return rc;
    while (rc == 0 && !done && left > 0)
        rc = step(m, view.slot, &view.tuple, &left, &done, err);
    if (!pslot_is_current(m->ref))
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    if (rc != 0)
        return rc;
    show(m, view.slot);
    *ret_copied = max_bytes - left;
    (void)pslot_read_tuple(view.slot, &view.tuple); /* as it is now; no two views are compared */
    *ret_left = move_bytes_left(m, view.slot, &view.tuple);
    return 0;
}

/* ---- begin and end -------------------------------------------------------------------------------- */

int
plog_move_begin(PartitionRef ref, PslotWish wish, PlogMove **ret, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    PlogMove *m;
    int rc = plog_ensure_open(ref, err);

    if (rc != 0 || slot == NULL)
        return rc != 0 ? rc : err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    if (logdir_state(wish.dir) == LOGDIR_FAILED || logdir_state(pslot_dir(slot)) == LOGDIR_FAILED)
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "a log directory failed");
    m = calloc(1, sizeof *m);
    if (m != NULL)
        m->buffer = malloc(BUFFER_BYTES);
    if (m == NULL || m->buffer == NULL) {
        free(m);
        return err_set(err, OT_E_NO_MEMORY, "no memory to move a log");
    }
    m->ref = ref;
    m->wish = wish;
    m->from = pslot_dir(slot);
    m->to = wish.dir;
    for (int kind = 0; kind < SEGMENT_FILE_COUNT; kind++)
        m->files[kind] = (FilePair){-1, -1};
    move_cursor_init(&m->at);
    rc = take_folder(m, slot, err);
    if (rc != 0) {
        plog_move_end(m);
        return rc;
    }
    show(m, slot);
    *ret = m;
    return 0;
}

void
plog_move_end(PlogMove *m)
{
    PartitionSlot *slot;

    if (m == NULL)
        return;
    slot = pslot_find(m->ref);
    if (slot != NULL) {
        atomic_i64_store(&slot->future_size, 0);
        atomic_i64_store(&slot->future_end, 0);
    }
    close_files(m);
    free(m->buffer);
    free(m);
}

PartitionRef
plog_move_ref(const PlogMove *m)
{
    return m->ref;
}

PslotWish
plog_move_wish(const PlogMove *m)
{
    return m->wish;
}

int64_t
plog_move_bytes(const PlogMove *m)
{
    return m->at.bytes;
}
