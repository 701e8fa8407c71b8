/*
 * plog_move_switch.c - the end of a move: the rest is copied, the folders change their names, the log is elsewhere
 *
 * Runs in: retention. Invariants V1 to V3: plog_move.h. The append lock is held from the first look on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/plog_move.h"

#include <stdio.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "ottla/storage/plog_commit.h"
#include "storage/move_int.h"

#define SMALL_FILE_MAX   (INT64_C(1) << 30) /* a snapshot of a million producers */
#define LAST_DOUBLED_MAX 6                  /* PLOG_MOVE_LAST_BYTES, doubled with each try */
#define LAST_LOCK_WAIT_US \
    (200 * 1000) /* for the append lock of a log that is written all the time */

/* ---- the last bytes ------------------------------------------------------------------------------- */

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
        move_future_path(m, path, to);
        fd = vfs_open(to, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE, err);
        rc = fd < 0 ? fd : vfs_pwrite(fd, bytes.ptr, (size_t)bytes.len, 0, err);
        rc = rc != 0 ? move_target_failed(m->to, rc, err) : move_target_flush(m, fd, err);
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
    PlogSnapshot *snapshot;
    SegmentView first;
    int rc = plog_write_state_locked(slot, t, PLOG_CHECKPOINT_FULL, &snapshot, err);

    if (rc == 0)
        rc = plog_snapshot_store_locked(slot, snapshot, &old_snapshot, err);
    if (rc == 0)
        rc = move_copy_rest(m, slot, t, err);
    if (rc == 0)
        rc = copy_small_files(m, slot, t, err);
    if (rc == 0 && m->shrunk && plog_segment_at(slot, t, 0, &first))
        rc = move_drop_below(m, first.base, err);
    if (rc == 0)
        rc = move_flush_files(m, err);
    if (rc == 0 && vfs_sync_dir(m->folder, err) != 0)
        rc = logdir_flush_failed(m->to, err);
    crashpoint("plog.move.complete");
    return rc;
}

/* ---- the folders ------------------------------------------------------------------------------------ */

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

/* *ret_named: it has the name now, though perhaps not on the disk. */
static int
name_copy(const PlogMove *m, const PartitionSlot *slot, bool *ret_named, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    struct stat st;
    int rc = logdir_names_lock(m->to, err);

    *ret_named = false;
    if (rc != 0)
        return rc;
    final_path(slot, m->to, path);
    rc = clear_the_way(m, slot, path, err);
    if (rc == 0) {
        rc = rename_synced(m->to, m->folder, path, err);
        *ret_named = rc == 0 || vfs_stat(m->folder, &st, NULL) == OT_E_NOT_FOUND;
    }
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
        /* Not renamed, or not renamed back: a start finds the copy, which is the same and keeps its name. */
    }
    logdir_names_unlock(m->from);
    crashpoint("plog.move.left");
    if (rc != 0)
        ret_old[0] = '\0';
    return rc;
}

/* The original goes on: the copy, which will fall behind, must not have its name. */
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

/*
 * When the source failed in it, both folders stay as they are: nothing is appended there in this run, so they are
 * the same, and it is not known which names are on its disk.
 */
static int
swap_folders(const PlogMove *m, const PartitionSlot *slot, char ret_old[LIMIT_PATH_BYTES],
             ErrInfo *err)
{
    bool named;
    int rc = name_copy(m, slot, &named, err);

    if (rc == 0)
        rc = leave_source(m, slot, ret_old, err);
    if (rc != 0 && named && logdir_state(m->from) != LOGDIR_FAILED)
        unname_copy(m, slot);
    return rc;
}

/* A log without files leaves nothing behind but the folder of its copy. */
static void
leave_empty_copy(const PlogMove *m, const PartitionSlot *slot, char ret_old[LIMIT_PATH_BYTES])
{
    if (logdir_names_lock(m->to, NULL) != 0)
        return; /* the next start finds that the log is there already */
    (void)move_folder_aside(slot, m->to, m->folder, ret_old, NULL); /* as above */
    logdir_names_unlock(m->to);
}

/* ---- the switch ----------------------------------------------------------------------------------- */

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
    if (!pslot_change_wish(m->ref, m->wish, -1))
        ot_unreachable(); /* others need the append lock */
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
    if (pslot_wish(slot).word != m->wish.word)
        return err_set(err, OT_E_AGAIN, "another directory is wanted");
    if (logdir_state(m->to) == LOGDIR_FAILED || logdir_state(m->from) == LOGDIR_FAILED)
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "a log directory failed");
    if (slot->named_dir != m->from) /* [V3] */
        return err_set(err, OT_E_AGAIN, "the metadata names another directory still");
    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    if (slot->has_folder) {
        if (move_bytes_left(m, slot, &t) > last_bytes(m)) {
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
        if (rc == 0 && !slot->has_folder)
            leave_empty_copy(m, slot, ret_old);
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
    rc = move_flush_files(m, err); /* so that little is left to be flushed under the lock */
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
