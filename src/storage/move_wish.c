/*
 * move_wish.c - in which log directory of the node a log shall be: the word of the slot and the folder on disk
 *
 * Runs in: backend (asks), retention (gives up, takes up). Invariants W1, W2: move_wish.h.
 * Never: copies anything.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/move_wish.h"

#include <stdio.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "storage/move_int.h"

void
move_wish_folder(const PartitionSlot *slot, int dir, char ret[LIMIT_PATH_BYTES])
{
    char name[PARTITION_DIR_NAME_MAX];
    int n;

    partition_dir_future_name((StrView){slot->topic, slot->topic_len}, slot->partition,
                              slot->topic_id, name);
    n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", logdir_path(dir), name);
    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

int
move_target_failed(int dir, int code, ErrInfo *err)
{
    return code == OT_E_IO || code == OT_E_PERMISSION ? logdir_write_failed(dir, code, err) : code;
}

/* ---- the folder: names lock of its directory held -------------------------------------------------- */

int
move_folder_aside(const PartitionSlot *slot, int dir, const char *folder,
                  char ret_path[LIMIT_PATH_BYTES], ErrInfo *err)
{
    char name[PARTITION_DIR_NAME_MAX];
    int n, rc;

    partition_dir_name_suffixed((StrView){slot->topic, slot->topic_len}, slot->partition,
                                PARTITION_DIR_DELETE, name);
    n = snprintf(ret_path, LIMIT_PATH_BYTES, "%s/%s", logdir_path(dir), name);
    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
    rc = logdir_rename_folder(dir, folder, ret_path, err);
    if (rc != 0)
        ret_path[0] = '\0';
    return rc == 0 || rc == OT_E_NOT_FOUND ? 0 : move_target_failed(dir, rc, err);
}

static int
make_folder(const PartitionSlot *slot, int dir, ErrInfo *err)
{
    char folder[LIMIT_PATH_BYTES];
    int rc;

    move_wish_folder(slot, dir, folder);
    rc = vfs_mkdir(folder, 0750, err);
    crashpoint("plog.move.folder");
    if (rc == 0 ||
        rc == OT_E_EXISTS) /* one that could not be renamed is emptied when the move begins */
        rc = partition_metadata_store(folder, slot->topic_id, VFS_NOT_SYNCED, err);
    if (rc != 0 && vfs_rmdir(folder, NULL) != 0) {
        /* Without partition.metadata it is nobody's: the next start removes it. */
    }
    return rc == 0 ? 0 : move_target_failed(dir, rc, err);
}

/* ---- asking --------------------------------------------------------------------------------------- */

/* ret_folder: of the copy, by its new name. OT_E_AGAIN: it is not the wish that stands. */
static int
withdraw(PartitionSlot *slot, PartitionRef ref, PslotWish wish, char ret_folder[LIMIT_PATH_BYTES],
         ErrInfo *err)
{
    char folder[LIMIT_PATH_BYTES];
    int rc = logdir_names_lock(wish.dir, err);

    ret_folder[0] = '\0';
    if (rc != 0)
        return rc;
    if (pslot_wish(slot).word == wish.word) {
        move_wish_folder(slot, wish.dir, folder);
        rc = move_folder_aside(slot, wish.dir, folder, ret_folder, err);
        crashpoint("plog.move.withdrawn");
        if (!pslot_change_wish(ref, wish, -1))
            rc = err_set(err, OT_E_AGAIN, "another directory is wanted");
    } else {
        rc = err_set(err, OT_E_AGAIN, "another directory is wanted");
    }
    logdir_names_unlock(wish.dir);
    return rc;
}

/* No wish stands, but that a start may be taking one up. */
static int
place(PartitionSlot *slot, PartitionRef ref, int dir, ErrInfo *err)
{
    int rc = logdir_names_lock(dir, err);
    PslotWish was;

    if (rc != 0)
        return rc;
    was = pslot_wish(slot);
    if (was.dir >= 0 || !pslot_change_wish(ref, was, dir))
        rc = err_set(err, OT_E_AGAIN, "another directory is wanted");
    else
        rc = make_folder(slot, dir, err);
    if (rc != 0 && rc != OT_E_AGAIN && !pslot_change_wish(ref, pslot_wish(slot), -1))
        ot_unreachable(); /* both locks are held */
    crashpoint("plog.move.asked");
    logdir_names_unlock(dir);
    return rc;
}

static int
ask_locked(PartitionSlot *slot, PartitionRef ref, int dir, ErrInfo *err)
{
    int rc = OT_E_AGAIN;

    while (rc == OT_E_AGAIN) { /* ends: a wish is taken up but once */
        PslotWish was = pslot_wish(slot);
        char folder[LIMIT_PATH_BYTES];

        if (was.dir == dir || (was.dir < 0 && pslot_dir(slot) == dir))
            return 0;
        rc = was.dir < 0 ? place(slot, ref, dir, err) : withdraw(slot, ref, was, folder, err);
        if (rc == 0 && was.dir >= 0) {
            pslot_note_moved(); /* the folder is found by who removes it */
            pslot_wake_burier();
            rc = OT_E_AGAIN; /* now there is none */
        }
    }
    return rc;
}

int
move_wish_ask(PartitionRef ref, int dir, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    int rc;

    if (slot == NULL)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    if (!plog_lock_plain(slot))
        return err_set(err, OT_E_REQUEST_TIMED_OUT, "%s-%d: append lock is held", slot->topic,
                       (int)slot->partition);
    rc = pslot_is_current(ref)
             ? ask_locked(slot, ref, dir, err)
             : err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    plog_unlock(slot);
    return rc;
}

bool
move_wish_future(const PartitionSlot *slot, MoveFuture *ret)
{
    int dir = pslot_wanted_dir(slot);

    if (dir < 0 || dir == pslot_dir(slot))
        return false;
    *ret = (MoveFuture){.dir = dir,
                        .bytes = atomic_i64_load(&slot->future_size),
                        .end_offset = atomic_i64_load(&slot->future_end)};
    return true;
}

/* ---- the worker ----------------------------------------------------------------------------------- */

bool
move_wish_drop(PartitionRef ref, PslotWish wish, char ret_folder[LIMIT_PATH_BYTES])
{
    PartitionSlot *slot = pslot_find(ref);

    ret_folder[0] = '\0';
    /* A folder that cannot be renamed is taken up by the next start: its directory has failed, and says so. */
    return slot != NULL && withdraw(slot, ref, wish, ret_folder, NULL) != OT_E_AGAIN;
}

void
move_wish_bury(const PartitionSlot *slot)
{
    int dir = pslot_last_wanted_dir(slot);
    char folder[LIMIT_PATH_BYTES], aside[LIMIT_PATH_BYTES];

    if (dir < 0 || logdir_names_lock(dir, NULL) != 0)
        return; /* the next start finds that its topic is deleted */
    move_wish_folder(slot, dir, folder);
    if (move_folder_aside(slot, dir, folder, aside, NULL) == 0)
        pslot_note_moved();
    logdir_names_unlock(dir);
}

void
move_wish_take_up(PartitionRef ref, int dir, const char *folder)
{
    PartitionSlot *slot = pslot_find(ref);
    char wanted[LIMIT_PATH_BYTES], aside[LIMIT_PATH_BYTES];
    PslotWish was;

    if (slot == NULL || logdir_names_lock(dir, NULL) != 0)
        return; /* the next start finds it again */
    move_wish_folder(slot, dir, wanted);
    was = pslot_wish(slot);
    if (was.dir < 0 && pslot_dir(slot) != dir) {
        /* Kafka gives other names. */
        if (strcmp(folder, wanted) != 0 && logdir_rename_folder(dir, folder, wanted, NULL) == 0)
            folder = wanted;
        if (strcmp(folder, wanted) == 0 && !pslot_change_wish(ref, was, dir)) {
            /* Somebody wished something meanwhile: that is looked at now. */
        }
    }
    if ((pslot_wish(slot).dir != dir || strcmp(folder, wanted) != 0) &&
        move_folder_aside(slot, dir, folder, aside, NULL) == 0)
        pslot_note_moved();
    logdir_names_unlock(dir);
}
