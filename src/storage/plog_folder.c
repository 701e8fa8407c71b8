/*
 * plog_folder.c - the folder at a partition's place: whose it is, made, set aside
 *
 * Runs in: backend, startup, retention; append lock held, and the names lock of the directory around names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "storage/open_int.h"

#define CLAIM_TRIES 100 /* of a place that others work at: each of them comes to its end */

/* The deleted partition that waits for its burial; NULL: there is none. */
static PartitionSlot *
find_deleted(Uuid topic_id, int32_t partition)
{
    int32_t high = pslot_high();
    int32_t i;

    for (i = 0; i < high; i++) {
        PartitionSlot *slot = pslot_at(i);

        if (pslot_state(slot) == PSLOT_DELETING && slot->partition == partition &&
            uuid_equal(slot->topic_id, topic_id))
            return slot;
    }
    return NULL;
}

int
plog_check_place(const PartitionSlot *slot, ErrInfo *err)
{
    if (pslot_state(slot) == PSLOT_DELETING)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    return 0;
}

static int
rename_aside(const PartitionSlot *slot, int dir, const char *folder, bool deleted, ErrInfo *err)
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

int
plog_set_folder_aside(const PartitionSlot *slot, int dir, const char *folder, Uuid owner,
                      PartitionSlot **ret_busy, ErrInfo *err)
{
    bool own = uuid_equal(owner, slot->topic_id);
    PartitionSlot *deleted =
        own || uuid_is_zero(owner) ? NULL : find_deleted(owner, slot->partition);
    int rc;

    *ret_busy = NULL;
    /* Who appends there goes by names, and would find the new log's files under them. */
    if (deleted != NULL && !plog_try_lock_quiet(deleted)) {
        *ret_busy = deleted;
        return err_set(err, OT_E_AGAIN, "the log of a deleted topic is in use");
    }
    rc = rename_aside(slot, dir, folder, own || deleted != NULL, err);
    if (deleted != NULL)
        plog_unlock(deleted);
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

/* *ret_mine false: none of ours is there (any more). */
static int
claim(PartitionSlot *slot, const char *folder, bool *ret_mine, PartitionSlot **ret_busy,
      ErrInfo *err)
{
    int dir = pslot_dir(slot);
    bool segments = false;
    Uuid owner = {{0}};
    struct stat st;
    int rc = vfs_stat(folder, &st, err);

    *ret_mine = false;
    if (rc == OT_E_NOT_FOUND)
        return 0;
    if (rc != 0)
        return rc;
    rc = partition_metadata_load(folder, &owner, err);
    if (rc == 0 && uuid_equal(owner, slot->topic_id)) {
        *ret_mine = true;
        return 0;
    }
    if (rc == 0)
        return plog_set_folder_aside(slot, dir, folder, owner, ret_busy, err);
    if (rc == OT_E_NOT_FOUND) {
        rc = holds_segments(folder, &segments, err);
        if (rc == 0 && !segments) {
            rc = partition_metadata_store(folder, slot->topic_id, VFS_NOT_SYNCED, err);
            *ret_mine = rc == 0;
            return rc;
        }
    }
    if (rc != 0 && rc != OT_E_CORRUPT)
        return rc;
    return plog_set_folder_aside(slot, dir, folder, (Uuid){{0}}, ret_busy, err);
}

static int
make_folder(const PartitionSlot *slot, const char *folder, ErrInfo *err)
{
    int rc = vfs_mkdir(folder, 0750, err);

    crashpoint("plog.folder.empty");
    return rc != 0 ? rc : partition_metadata_store(folder, slot->topic_id, VFS_NOT_SYNCED, err);
}

/* One attempt. OT_E_AGAIN: *ret_busy has to be waited for, without the names lock, which its holder may want. */
static int
claim_once(PartitionSlot *slot, bool make, bool *ret_mine, PartitionSlot **ret_busy, ErrInfo *err)
{
    char folder[LIMIT_PATH_BYTES];
    int dir = pslot_dir(slot);
    int rc = logdir_names_lock(dir, err);

    if (rc != 0)
        return rc;
    plog_folder_path(slot, folder);
    rc = plog_check_place(slot, err);
    if (rc == 0)
        rc = claim(slot, folder, ret_mine, ret_busy, err);
    if (rc == 0 && make && !*ret_mine)
        rc = make_folder(slot, folder, err);
    logdir_names_unlock(dir);
    return rc;
}

static int
claim_patiently(PartitionSlot *slot, bool make, bool *ret_mine, ErrInfo *err)
{
    PartitionSlot *busy = NULL;
    int tries = 1;
    int rc;

    while ((rc = claim_once(slot, make, ret_mine, &busy, err)) == OT_E_AGAIN && busy != NULL &&
           tries++ < CLAIM_TRIES && plog_lock_retired(busy))
        plog_unlock(busy);
    return rc;
}

int
plog_claim_folder(PartitionSlot *slot, bool *ret_mine, ErrInfo *err)
{
    return claim_patiently(slot, false, ret_mine, err);
}

int
plog_make_folder(PartitionSlot *slot, ErrInfo *err)
{
    bool mine;
    int rc = claim_patiently(slot, true, &mine, err);

    if (rc == 0)
        plog_note_names(slot, NEW_NAMES_FOLDER | NEW_NAMES_FILES);
    return rc;
}
