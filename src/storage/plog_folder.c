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

int
plog_claim_folder(PartitionSlot *slot, const char *folder, bool *ret_mine, ErrInfo *err)
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
    rc = plog_claim_folder(slot, folder, &mine, err);
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
