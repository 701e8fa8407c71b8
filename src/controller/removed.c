/*
 * removed.c - folders of topics whose removal a kill separated from the renaming of their folders
 *
 * Runs in: controller, at its start (partition folders are renamed by nobody else then).
 * A folder without partition.metadata, or of a topic that was not seen to go, is left alone: it is a
 * stray (log.md 5.4).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/removed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"
#include "ottla/protocol/msg_metadata_records.h"
#include "ottla/protocol/record_frame.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/partition_slot.h"

#define FOLDERS_MAX 1000000 /* names in a log directory */

void
removed_note(RemovedTopics *removed, BytesView record)
{
    RemoveTopicRecord what;
    int16_t version;
    WireReader r;

    wire_reader_init(&r, record.ptr, (size_t)record.len, NULL);
    if (record_frame_read(&r, MESSAGE_METADATA, &version) != &remove_topic_record_desc)
        return;
    remove_topic_record_read(&r, version, &what);
    if (r.err != 0)
        return;
    if (removed->count == removed->room) {
        int32_t room = removed->room == 0 ? 64 : removed->room * 2;
        Uuid *wider = realloc(removed->ids, (size_t)room * sizeof *wider);

        if (wider == NULL)
            return;
        removed->ids = wider;
        removed->room = room;
    }
    removed->ids[removed->count++] = what.topic_id;
}

static int
compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(Uuid));
}

static bool
is_removed(const RemovedTopics *removed, const char *folder)
{
    Uuid id;

    return partition_metadata_load(folder, &id, NULL) == 0 &&
           bsearch(&id, removed->ids, (size_t)removed->count, sizeof id, compare_ids) != NULL;
}

static bool
is_known(const Image *image, StrView topic, int32_t partition)
{
    const ImageTopic *found = image_topic_by_name(image, topic);
    ImagePartition unused;

    return found != NULL && image_topic_partition(found, partition, &unused);
}

static void
rename_one(int dir, const RemovedTopics *removed, const Image *image, StrView name)
{
    char folder[LIMIT_PATH_BYTES], to[LIMIT_PATH_BYTES], new_name[PARTITION_DIR_NAME_MAX];
    PartitionDirKind kind;
    ErrInfo err = {0};
    int32_t partition;
    StrView topic;
    int rc;
    int n = snprintf(folder, sizeof folder, "%s/%.*s", logdir_path(dir), (int)name.len, name.ptr);

    if (n < 0 || n >= (int)sizeof folder ||
        !partition_dir_parse(strrchr(folder, '/') + 1, &topic, &partition, &kind) ||
        kind != PARTITION_DIR_NORMAL || is_known(image, topic, partition) ||
        !is_removed(removed, folder))
        return;
    partition_dir_name_suffixed(topic, partition, PARTITION_DIR_DELETE, new_name);
    n = snprintf(to, sizeof to, "%s/%s", logdir_path(dir), new_name);
    if (n < 0 || n >= (int)sizeof to)
        return; /* too long, now as when it was made */
    rc = logdir_names_lock(dir, &err);
    if (rc == 0) {
        rc = logdir_rename_folder(dir, folder, to, &err);
        logdir_names_unlock(dir);
    }
    crashpoint("controller.removed.renamed");
    if (rc != 0)
        log_msg(LL_WARNING, "controller",
                "folder of a deleted topic cannot be renamed: %s; topic=%.*s partition=%d",
                err.text, (int)topic.len, topic.ptr, (int)partition);
}

static void
rename_in(int dir, const RemovedTopics *removed, const Image *image)
{
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    StrView *names;
    int32_t count = 0;

    if (arena == NULL)
        return;
    if (vfs_list(logdir_path(dir), FOLDERS_MAX, arena, &names, &count, &err) != 0)
        log_msg(LL_WARNING, "controller", "log directory cannot be listed: %s", err.text);
    for (int32_t i = 0; i < count; i++)
        rename_one(dir, removed, image, names[i]);
    arena_free(arena);
}

void
removed_rename_folders(RemovedTopics *removed, const Image *image)
{
    if (removed->count > 0) {
        qsort(removed->ids, (size_t)removed->count, sizeof *removed->ids, compare_ids);
        for (int dir = 0; dir < logdir_count(); dir++)
            rename_in(dir, removed, image);
    }
    free(removed->ids);
    *removed = (RemovedTopics){0};
}

bool
removed_are_pending(void)
{
    int32_t high = pslot_high();

    for (int32_t i = 0; i < high; i++)
        if (pslot_state(pslot_at(i)) == PSLOT_DELETING)
            return true;
    for (int dir = 0; dir < logdir_count(); dir++)
        if (logdir_state(dir) != LOGDIR_FAILED && logdir_has_renames(dir))
            return true;
    return false;
}
