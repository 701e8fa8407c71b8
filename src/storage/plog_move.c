/*
 * plog_move.c - one log moves to another log directory while it is used
 *
 * Runs in: backend (asks), retention (the rest), which is also the only process that takes segments off a list:
 * so the start of the list stands still during each call. Never: holds the append lock while more than the last
 * PLOG_MOVE_LAST_BYTES are copied. Invariants V1 to V3: plog_move.h; what is copied next: move_plan.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/plog_move.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "ottla/storage/move_plan.h"
#include "ottla/storage/plog_commit.h"
#include "storage/plog_int.h"

#define BUFFER_BYTES     (1024 * 1024)
#define SMALL_FILE_MAX   (INT64_C(1) << 30) /* a snapshot of a million producers */
#define FOLDER_FILES_MAX 1000000
#define LAST_DOUBLED_MAX 6 /* PLOG_MOVE_LAST_BYTES, doubled with each try */
#define LAST_LOCK_WAIT_US \
    (200 * 1000) /* for the append lock of a log that is written all the time */

/* A file of the segment that is being copied; descriptors -1: not open. */
typedef struct FilePair {
    int from;
    int to;
} FilePair;

struct PlogMove {
    PartitionRef ref;
    int from;
    int to;
    char folder[LIMIT_PATH_BYTES]; /* of the copy; "": not made yet, or switched */
    MoveCursor at;
    bool shrunk; /* segments were dropped that the copy may hold */
    FilePair files[SEGMENT_FILE_COUNT];
    uint8_t *buffer;
    int tries; /* of the switch, that found too much was appended meanwhile */
};

/* ---- asking --------------------------------------------------------------------------------------- */

bool
plog_move_ask(PartitionRef ref, int dir)
{
    const PartitionSlot *slot = pslot_find(ref);

    if (slot == NULL)
        return false;
    /* Where it is already, the worker sees that a move elsewhere ends, or that it came about just now. */
    if (pslot_wanted_dir(slot) >= 0 || pslot_dir(slot) != dir)
        pslot_want_dir(ref, dir);
    return true;
}

bool
plog_move_future(const PartitionSlot *slot, PlogFuture *ret)
{
    int dir = pslot_wanted_dir(slot);

    if (dir < 0 || dir == pslot_dir(slot))
        return false;
    *ret = (PlogFuture){.dir = dir,
                        .bytes = atomic_i64_load(&slot->future_size),
                        .end_offset = atomic_i64_load(&slot->future_end)};
    return true;
}

PartitionRef
plog_move_ref(const PlogMove *m)
{
    return m->ref;
}

int
plog_move_target(const PlogMove *m)
{
    return m->to;
}

int64_t
plog_move_bytes(const PlogMove *m)
{
    return m->at.bytes;
}

/* ---- what errors mean ----------------------------------------------------------------------------- */

/* A write in the target. What lacks space or descriptors ends the move, and harms nobody else. */
static int
target_failed(const PlogMove *m, int code, ErrInfo *err)
{
    return code == OT_E_IO || code == OT_E_PERMISSION ? logdir_write_failed(m->to, code, err)
                                                      : code;
}

static int
target_flush(const PlogMove *m, int fd, ErrInfo *err)
{
    return vfs_fdatasync(fd, err) == 0 ? 0 : logdir_flush_failed(m->to, err);
}

/* ---- the folder of the copy ----------------------------------------------------------------------- */

static void
future_path(const PlogMove *m, const char *source_path, char ret[LIMIT_PATH_BYTES])
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", m->folder, strrchr(source_path, '/') + 1);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

/* partition.metadata first: a start knows then whose folder it is. */
static int
make_folder(PlogMove *m, const PartitionSlot *slot, ErrInfo *err)
{
    char name[PARTITION_DIR_NAME_MAX];
    int n;
    int rc;

    partition_dir_name_suffixed((StrView){slot->topic, slot->topic_len}, slot->partition,
                                PARTITION_DIR_FUTURE, name);
    n = snprintf(m->folder, sizeof m->folder, "%s/%s", logdir_path(m->to), name);
    ot_assert(n > 0 && n < (int)sizeof m->folder);
    rc = vfs_mkdir(m->folder, 0750, err);
    crashpoint("plog.move.folder");
    if (rc == 0)
        rc = partition_metadata_store(m->folder, slot->topic_id, VFS_SYNCED, err);
    return rc == 0 ? 0 : target_failed(m, rc, err);
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

/* Removes the copied files of segments below a base: INT64_MAX all. */
static int
drop_below(const PlogMove *m, int64_t base, ErrInfo *err)
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
        int n;

        if (!segment_name_parse(names[i], &of, &kind, &tail) || of >= base)
            continue;
        n = snprintf(path, sizeof path, "%s/%.*s", m->folder, (int)names[i].len, names[i].ptr);
        ot_assert(n > 0 && n < (int)sizeof path);
        rc = vfs_unlink(path, err);
    }
    arena_free(arena);
    return rc == 0 ? 0 : target_failed(m, rc, err);
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
    future_path(m, from, to);
    rc = vfs_open(to, O_RDWR | O_CREAT, FILE_MODE, err);
    if (rc < 0)
        return target_failed(m, rc, err);
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
    if (len <= 0)
        return err_set(err, OT_E_CORRUPT, "%s-%d: no batches at %lld of the segment %lld",
                       slot->topic, (int)slot->partition, (long long)step->pos,
                       (long long)m->at.base);
    rc = vfs_pwrite(pair->to, m->buffer, (size_t)len, step->pos, err);
    if (rc != 0)
        return target_failed(m, rc, err);
    crashpoint("plog.move.copied");
    vfs_write_early(pair->to, step->pos, len); /* so that the flush in the end is short */
    move_copied(&m->at, step->kind, len);
    *ret_copied += len;
    return 0;
}

static int
flush_files(PlogMove *m, ErrInfo *err)
{
    int rc = 0;

    for (int kind = 0; kind < SEGMENT_FILE_COUNT && rc == 0; kind++)
        if (m->files[kind].to >= 0)
            rc = target_flush(m, m->files[kind].to, err);
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
        rc = flush_files(m, err);
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
    return drop_below(m, INT64_MAX, err);
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
        *io_left -= copied;
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

/* Bytes of .log files that the copy lacks. */
static int64_t
bytes_left(const PlogMove *m, const PartitionSlot *slot, const PlogTuple *t)
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
    if (m->folder[0] == '\0')
        rc = make_folder(m, view.slot, err);
    while (rc == 0 && !done && left > 0)
        rc = step(m, view.slot, &view.tuple, &left, &done, err);
    if (!pslot_is_current(m->ref))
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    if (rc != 0)
        return rc;
    show(m, view.slot);
    *ret_copied = max_bytes - left;
    (void)pslot_read_tuple(view.slot, &view.tuple); /* as it is now; no two views are compared */
    *ret_left = bytes_left(m, view.slot, &view.tuple);
    return 0;
}

/* ---- the switch: append lock held ----------------------------------------------------------------- */

/* A whole small file of the partition's folder, if there is one; flushed. */
static int
copy_small(const PlogMove *m, const char *path, ErrInfo *err)
{
    Arena *arena = arena_new(65536, 0);
    char to[LIMIT_PATH_BYTES];
    BytesView bytes;
    int fd;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to copy a file");
    rc = vfs_read_file(path, SMALL_FILE_MAX, arena, &bytes, err);
    if (rc == 0) {
        future_path(m, path, to);
        fd = vfs_open(to, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE, err);
        rc = fd < 0 ? fd : vfs_pwrite(fd, bytes.ptr, (size_t)bytes.len, 0, err);
        rc = rc != 0 ? target_failed(m, rc, err) : target_flush(m, fd, err);
        vfs_close(fd < 0 ? -1 : fd);
    } else if (rc == OT_E_NOT_FOUND) {
        rc = 0;
    }
    arena_free(arena);
    return rc;
}

static int
copy_small_files(const PlogMove *m, const PartitionSlot *slot, const PlogTuple *t, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    char epochs[LIMIT_PATH_BYTES];
    int n;
    int rc;

    plog_file_path(slot, t->log_end, SEGMENT_SNAPSHOT, path);
    rc = copy_small(m, path, err);
    if (rc != 0)
        return rc;
    plog_folder_path(slot, path);
    n = snprintf(epochs, sizeof epochs, "%s/%s", path, LEADER_EPOCH_FILE);
    ot_assert(n > 0 && n < (int)sizeof epochs);
    return copy_small(m, epochs, err);
}

/* All that is left; then the copy is what the original is, on the disk. */
static int
complete_copy(PlogMove *m, PartitionSlot *slot, PlogTuple *t, ErrInfo *err)
{
    int64_t old_snapshot = -1; /* goes with the old folder */
    int64_t most = INT64_MAX;
    SegmentView first;
    bool done = false;
    int rc = plog_write_state_locked(slot, t, false, &old_snapshot, err);

    while (rc == 0 && !done)
        rc = step(m, slot, t, &most, &done, err);
    if (rc == 0)
        rc = open_plain_files(m, slot, err);
    if (rc == 0)
        rc = copy_small_files(m, slot, t, err);
    if (rc == 0 && m->shrunk && plog_segment_at(slot, t, 0, &first))
        rc = drop_below(m, first.base, err);
    if (rc == 0)
        rc = flush_files(m, err);
    if (rc == 0 && vfs_sync_dir(m->folder, err) != 0)
        rc = logdir_flush_failed(m->to, err);
    crashpoint("plog.move.complete");
    return rc;
}

static void
final_path(const PartitionSlot *slot, int dir, char ret[LIMIT_PATH_BYTES])
{
    char name[PARTITION_DIR_NAME_MAX];
    int n;

    partition_dir_name((StrView){slot->topic, slot->topic_len}, slot->partition, name);
    n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", logdir_path(dir), name);
    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

/* Somebody else's folder, or an old one, has the name in the target. Names lock held. */
static int
clear_the_way(const PlogMove *m, const PartitionSlot *slot, const char *path, ErrInfo *err)
{
    PartitionSlot *busy;
    Uuid owner = {{0}};
    struct stat st;
    int rc = plog_check_place(slot, err);

    if (rc != 0)
        return rc;
    rc = vfs_stat(path, &st, err);
    if (rc != 0)
        return rc == OT_E_NOT_FOUND ? 0 : rc;
    if (partition_metadata_load(path, &owner, NULL) != 0)
        owner = (Uuid){{0}};
    return plog_set_folder_aside(slot, m->to, path, owner, &busy, err);
}

/* A rename, and the folder of the names to the disk. */
static int
rename_synced(int dir, const char *from, const char *to, ErrInfo *err)
{
    int rc = vfs_rename(from, to, err);

    if (rc != 0)
        return rc == OT_E_NO_SPACE ? rc : logdir_write_failed(dir, rc, err);
    return vfs_fsync(logdir_fd(dir), err) == 0 ? 0 : logdir_flush_failed(dir, err);
}

static int
name_copy(const PlogMove *m, const PartitionSlot *slot, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc = logdir_names_lock(m->to, err);

    if (rc != 0)
        return rc;
    final_path(slot, m->to, path);
    rc = clear_the_way(m, slot, path, err);
    if (rc == 0)
        rc = rename_synced(m->to, m->folder, path, err);
    logdir_names_unlock(m->to);
    crashpoint("plog.move.named");
    return rc;
}

/* The name of the original must be gone for good before anything is appended to the copy [V2]. */
static int
leave_source(const PlogMove *m, const PartitionSlot *slot, char ret_old[LIMIT_PATH_BYTES],
             ErrInfo *err)
{
    char name[PARTITION_DIR_NAME_MAX];
    char path[LIMIT_PATH_BYTES];
    int n;
    int rc = logdir_names_lock(m->from, err);

    if (rc != 0)
        return rc;
    final_path(slot, m->from, path);
    partition_dir_name_suffixed((StrView){slot->topic, slot->topic_len}, slot->partition,
                                PARTITION_DIR_DELETE, name);
    n = snprintf(ret_old, LIMIT_PATH_BYTES, "%s/%s", logdir_path(m->from), name);
    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
    rc = rename_synced(m->from, path, ret_old, err);
    if (rc != 0 && vfs_rename(ret_old, path, NULL) != 0) {
        /* It was not renamed, or cannot be renamed back: then a start finds only the copy, which is the same. */
    }
    logdir_names_unlock(m->from);
    crashpoint("plog.move.left");
    if (rc != 0)
        ret_old[0] = '\0';
    return rc;
}

/* The original stays in use after all: the copy must not have its name. */
static void
unname_copy(const PlogMove *m, const PartitionSlot *slot)
{
    char path[LIMIT_PATH_BYTES];

    if (logdir_names_lock(m->to, NULL) != 0)
        return; /* the next start sets it aside [V3] */
    final_path(slot, m->to, path);
    (void)rename_synced(m->to, path, m->folder, NULL); /* as above */
    logdir_names_unlock(m->to);
}

static int
swap_folders(PlogMove *m, const PartitionSlot *slot, char ret_old[LIMIT_PATH_BYTES], ErrInfo *err)
{
    int rc = name_copy(m, slot, err);

    if (rc != 0)
        return rc;
    rc = leave_source(m, slot, ret_old, err);
    if (rc != 0)
        unname_copy(m, slot);
    else
        m->folder[0] = '\0';
    return rc;
}

/* From here on everybody finds the log in the target, where all of it is on the disk. */
static void
switch_slot(const PlogMove *m, PartitionSlot *slot, PlogTuple *t)
{
    t->recovery_point = t->log_end;
    pslot_publish_tuple(slot, t);
    atomic_u32_store(&slot->left_dir, (uint32_t)m->from + 1);
    atomic_i32_store(&slot->log_dir, m->to);
    crashpoint("plog.move.switched");
    (void)atomic_u32_add(&slot->list_generation, 1);
    (void)atomic_u32_add(&slot->file_generation, 1);
    atomic_i64_store(&slot->future_size, 0);
    atomic_i64_store(&slot->future_end, 0);
    pslot_unwant_dir(m->ref, m->to);
    plog_mark_dirty(slot);
    pslot_note_dir_changed();
}

/* Where more is appended than the copy takes in, the lock has to be held for longer in the end. */
static int64_t
last_bytes(const PlogMove *m)
{
    return (int64_t)PLOG_MOVE_LAST_BYTES
           << (m->tries < LAST_DOUBLED_MAX ? m->tries : LAST_DOUBLED_MAX);
}

static int
finish_locked(PlogMove *m, PartitionSlot *slot, char ret_old[LIMIT_PATH_BYTES], ErrInfo *err)
{
    PlogTuple t;
    int rc = 0;

    if (!pslot_is_current(m->ref) || pslot_state(slot) != PSLOT_OPEN)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "log is not open");
    if (pslot_wanted_dir(slot) != m->to)
        return err_set(err, OT_E_AGAIN, "another directory is wanted");
    if (logdir_state(m->to) == LOGDIR_FAILED || logdir_state(m->from) == LOGDIR_FAILED)
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "a log directory failed");
    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    if (slot->has_folder) {
        if (m->folder[0] == '\0' || bytes_left(m, slot, &t) > last_bytes(m)) {
            m->tries++;
            return err_set(err, OT_E_AGAIN, "too much was appended meanwhile");
        }
        rc = complete_copy(m, slot, &t, err);
    }
    /*
     * Who takes the lock over from a dead worker must not append to files that are being left: until the switch is
     * complete the log cannot be used. Readers wait for the lock.
     */
    if (rc == 0 && !pslot_settle_state(slot, PSLOT_FAILED))
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    if (rc == 0) {
        uint32_t closed = PSLOT_FAILED;

        if (slot->has_folder)
            rc = swap_folders(m, slot, ret_old, err);
        if (rc == 0)
            switch_slot(m, slot, &t);
        (void)atomic_u32_cas(&slot->state, &closed, PSLOT_OPEN); /* else it is deleted meanwhile */
    }
    return rc;
}

int
plog_move_finish(PlogMove *m, char ret_old[LIMIT_PATH_BYTES], ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(m->ref);
    WakeBatch wake;
    int rc;

    ret_old[0] = '\0';
    if (slot == NULL)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    rc = flush_files(m, err); /* so that little is left to be flushed under the lock */
    if (rc != 0)
        return rc;
    if (!plog_lock_within(slot, LAST_LOCK_WAIT_US))
        return err_set(err, OT_E_AGAIN, "append lock is held");
    wake_batch_init(&wake);
    rc = finish_locked(m, slot, ret_old, err);
    if (rc == 0) /* who waits for a commit of the old directory is told by one of the new */
        plog_request_commit(slot, FLUSH_NOW, &wake);
    plog_unlock(slot);
    wake_batch_flush(&wake);
    if (rc == 0)
        fd_cache_announce();
    return rc;
}

/* ---- begin and end -------------------------------------------------------------------------------- */

int
plog_move_begin(PartitionRef ref, int to, PlogMove **ret, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    PlogMove *m;
    int rc = plog_ensure_open(ref, err);

    if (rc != 0 || slot == NULL)
        return rc != 0 ? rc : err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    if (logdir_state(to) == LOGDIR_FAILED || logdir_state(pslot_dir(slot)) == LOGDIR_FAILED)
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "a log directory failed");
    m = calloc(1, sizeof *m);
    if (m != NULL)
        m->buffer = malloc(BUFFER_BYTES);
    if (m == NULL || m->buffer == NULL) {
        free(m);
        return err_set(err, OT_E_NO_MEMORY, "no memory to move a log");
    }
    m->ref = ref;
    m->from = pslot_dir(slot);
    m->to = to;
    for (int kind = 0; kind < SEGMENT_FILE_COUNT; kind++)
        m->files[kind] = (FilePair){-1, -1};
    move_cursor_init(&m->at);
    show(m, slot);
    *ret = m;
    return 0;
}

void
plog_move_end(PlogMove *m, char ret_folder[LIMIT_PATH_BYTES])
{
    PartitionSlot *slot;

    ret_folder[0] = '\0';
    if (m == NULL)
        return;
    slot = pslot_find(m->ref);
    if (slot != NULL) {
        atomic_i64_store(&slot->future_size, 0);
        atomic_i64_store(&slot->future_end, 0);
    }
    close_files(m);
    (void)snprintf(ret_folder, LIMIT_PATH_BYTES, "%s", m->folder);
    free(m->buffer);
    free(m);
}
