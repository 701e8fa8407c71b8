/*
 * plog_maintain.c - the burial of a deleted partition; where its log starts
 *
 * Runs in: retention; the question: checkpointer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "storage/move_int.h"

/* ---- burial ------------------------------------------------------------------------------------- */

/* Renames the folder if it is still that of the retired topic; ret_path "": it is not. */
static int
rename_folder(PartitionSlot *slot, char ret_path[LIMIT_PATH_BYTES], ErrInfo *err)
{
    char name[PARTITION_DIR_NAME_MAX];
    char folder[LIMIT_PATH_BYTES];
    char to[LIMIT_PATH_BYTES];
    Uuid topic_id;
    int rc = logdir_names_lock(pslot_dir(slot), err);

    if (rc != 0)
        return rc;
    plog_folder_path(slot, folder);
    rc = partition_metadata_load(folder, &topic_id, err);
    if (rc == 0 && uuid_equal(topic_id, slot->topic_id)) {
        partition_dir_name_suffixed((StrView){slot->topic, slot->topic_len}, slot->partition,
                                    PARTITION_DIR_DELETE, name);
        (void)snprintf(to, sizeof to, "%s/%s", logdir_path(pslot_dir(slot)), name);
        rc = logdir_rename_folder(pslot_dir(slot), folder, to, err);
        if (rc == 0)
            (void)snprintf(ret_path, LIMIT_PATH_BYTES, "%s", to);
    }
    logdir_names_unlock(pslot_dir(slot));
    return rc == OT_E_NOT_FOUND || rc == OT_E_CORRUPT ? 0 : rc;
}

int
plog_bury(int32_t slot_index, char ret_folder[LIMIT_PATH_BYTES], ErrInfo *err)
{
    PartitionSlot *slot = pslot_at(slot_index);
    WakeBatch batch;
    PlogTuple t;
    int rc;

    ret_folder[0] = '\0';
    if (pslot_state(slot) != PSLOT_DELETING)
        return 0;
    if (!plog_try_lock_quiet(slot))
        return err_set(err, OT_E_AGAIN, "append lock is held");
    wake_batch_init(&batch);
    rc = rename_folder(slot, ret_folder, err);
    crashpoint("plog.bury.renamed");
    if (rc == 0) {
        move_wish_bury(slot);
        (void)atomic_u32_add(&slot->file_generation, 1);
        (void)pslot_read_tuple(slot, &t); /* the last one ever */
        segment_pool_release(slot, &t);
        producer_release_linked(slot);
        wait_notify(&slot->waiters, (uint32_t)slot_index, WAIT_ON_ANY, clock_mono_us(), &batch);
        pslot_make_free(slot);
    }
    plog_unlock(slot);
    wake_batch_flush(&batch);
    if (rc == 0)
        fd_cache_announce();
    return rc;
}
