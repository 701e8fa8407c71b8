/*
 * folders.c - partition folders nobody serves: -delete ones are removed, strays set aside
 *
 * Runs in: retention. What cannot be removed is logged and tried again with the next round.
 * Spec: log.md 5.3, 5.4, 10.3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "folders_int.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/hash.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/partition_slot.h"
#include "ottla/storage/segment_format.h"

#define FOLDERS_MAX      1000000 /* names in a log directory */
#define FOLDER_FILES_MAX 1000000 /* names in a partition folder */
#define METADATA_TOPIC   "__cluster_metadata"
#define RETRY_MIN_MS     1000 /* until a folder that could not be removed is tried again */

static void
join(char ret[LIMIT_PATH_BYTES], const char *folder, StrView name)
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%.*s", folder, (int)name.len, name.ptr);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
}

static void
complain(const char *what, const ErrInfo *err)
{
    log_msg(LL_WARNING, "retention", "%s: %s", what, err->text);
}

/* ---- -delete folders ---------------------------------------------------------------------------- */

bool
folders_remove(const char *folder)
{
    static LogRate rate;
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    StrView *names;
    int32_t count = 0;
    int32_t i;
    int rc;

    if (arena == NULL)
        return false;
    rc = vfs_list(folder, FOLDER_FILES_MAX, arena, &names, &count, &err);
    for (i = 0; i < count && rc == 0; i++) {
        char path[LIMIT_PATH_BYTES];

        join(path, folder, names[i]);
        rc = vfs_unlink(path, &err);
        crashpoint("retention.folder.unlink");
    }
    crashpoint("retention.folder.empty");
    if (rc == 0)
        rc = vfs_rmdir(folder, &err);
    arena_free(arena);
    if (rc != 0 && rc != OT_E_NOT_FOUND)
        log_limited(&rate, 1, LL_WARNING, "retention", "folder cannot be removed: %s", err.text);
    return rc == 0 || rc == OT_E_NOT_FOUND;
}

/* -delete folders, those renamed first in front. */
typedef struct DeletedFolder {
    char *path;
    int64_t since_ms; /* of the rename; monotonic */
} DeletedFolder;

static struct {
    DeletedFolder *items;
    int32_t first; /* those before it are removed */
    int32_t count; /* with those */
    int32_t size;
} deleted;

/* When a folder got its name, by the monotonic clock: a rename changes its ctime. The wall clock may be set, so it
 * is asked once only; one that has gone back since says nothing about the age. */
static bool
renamed_ms(const char *path, int64_t *ret)
{
    struct stat st;
    int64_t age_ms;

    if (vfs_stat(path, &st, NULL) != 0)
        return false;
    age_ms = clock_wall_ms() - (int64_t)st.st_ctim.tv_sec * 1000 - st.st_ctim.tv_nsec / 1000000;
    *ret = clock_mono_ms() - (age_ms > 0 ? age_ms : 0);
    return true;
}

/* Room for one more; what is removed is overwritten first. */
static bool
make_room(void)
{
    DeletedFolder *grown;
    int32_t size;

    if (deleted.count < deleted.size)
        return true;
    if (deleted.first > deleted.size / 2) {
        deleted.count -= deleted.first;
        memmove(deleted.items, deleted.items + deleted.first,
                (size_t)deleted.count * sizeof *deleted.items);
        deleted.first = 0;
        return true;
    }
    size = deleted.size == 0 ? 64 : deleted.size * 2;
    grown = realloc(deleted.items, (size_t)size * sizeof *grown);
    if (grown == NULL)
        return false;
    deleted.items = grown;
    deleted.size = size;
    return true;
}

void
folders_note_deleted(const char *path, int64_t since_ms)
{
    char *copy = strdup(path);

    if (copy == NULL || !make_room()) {
        free(copy);
        log_msg(LL_WARNING, "retention",
                "no memory to remember a deleted folder: it goes after the next start; folder=%s",
                path);
        return;
    }
    deleted.items[deleted.count++] = (DeletedFolder){copy, since_ms};
}

static int
compare_since(const void *a, const void *b)
{
    const DeletedFolder *x = a;
    const DeletedFolder *y = b;

    return (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
}

static void
forget_deleted(void)
{
    for (; deleted.first < deleted.count; deleted.first++)
        free(deleted.items[deleted.first].path);
    deleted.first = deleted.count = 0;
}

static void
find_in(int dir)
{
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    StrView *names;
    int32_t count = 0;
    int32_t i;

    if (arena == NULL)
        return;
    if (vfs_list(logdir_path(dir), FOLDERS_MAX, arena, &names, &count, &err) != 0)
        complain("log directory cannot be listed", &err);
    for (i = 0; i < count; i++) {
        char folder[LIMIT_PATH_BYTES];
        PartitionDirKind kind;
        int32_t partition;
        int64_t since;
        StrView topic;

        join(folder, logdir_path(dir), names[i]);
        if (partition_dir_parse(strrchr(folder, '/') + 1, &topic, &partition, &kind) &&
            kind == PARTITION_DIR_DELETE && renamed_ms(folder, &since))
            folders_note_deleted(folder, since);
    }
    arena_free(arena);
}

void
folders_find_deleted(void)
{
    int dir;

    forget_deleted();
    for (dir = 0; dir < logdir_count(); dir++)
        find_in(dir);
    if (deleted.count > 1)
        qsort(deleted.items, (size_t)deleted.count, sizeof *deleted.items, compare_since);
}

int64_t
folders_remove_deleted(int64_t now_ms, int64_t delay_ms, int32_t *ret_removed)
{
    int32_t left = deleted.count - deleted.first;

    *ret_removed = 0;
    for (; left > 0; left--) {
        DeletedFolder f = deleted.items[deleted.first];

        if (now_ms - f.since_ms < delay_ms)
            return f.since_ms + delay_ms;
        deleted.first++;
        if (folders_remove(f.path))
            (*ret_removed)++;
        else /* behind the others, as if it were renamed now */
            folders_note_deleted(f.path, now_ms);
        free(f.path);
    }
    if (deleted.first < deleted.count) /* those that failed */
        return now_ms + (delay_ms > RETRY_MIN_MS ? delay_ms : RETRY_MIN_MS);
    deleted.first = deleted.count = 0;
    return INT64_MAX;
}

/* ---- copies of moves that did not end ----------------------------------------------------------- */

static void
owner_of(const char *folder, FolderOwner *ret)
{
    PartitionDirKind kind;
    StrView topic;

    ret->known = partition_dir_parse(strrchr(folder, '/') + 1, &topic, &ret->partition, &kind) &&
                 partition_metadata_load(folder, &ret->topic_id, NULL) == 0;
}

void
folders_find_futures(int dir, void (*found)(int dir, const char *folder, const FolderOwner *owner))
{
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    StrView *names;
    int32_t count = 0;

    if (arena == NULL)
        return;
    if (vfs_list(logdir_path(dir), FOLDERS_MAX, arena, &names, &count, &err) != 0)
        complain("log directory cannot be listed", &err);
    for (int32_t i = 0; i < count; i++) {
        char folder[LIMIT_PATH_BYTES];
        PartitionDirKind kind;
        FolderOwner owner;
        int32_t partition;
        StrView topic;

        join(folder, logdir_path(dir), names[i]);
        if (!partition_dir_parse(strrchr(folder, '/') + 1, &topic, &partition, &kind) ||
            kind != PARTITION_DIR_FUTURE)
            continue;
        owner_of(folder, &owner);
        found(dir, folder, &owner);
    }
    arena_free(arena);
}

/* ---- strays ------------------------------------------------------------------------------------- */

typedef struct KnownNames {
    uint64_t *hashes; /* sorted */
    int32_t count;
} KnownNames;

static uint64_t
name_hash(StrView topic, int32_t partition)
{
    return hash_u64(hash_str(topic, 0) + (uint64_t)(uint32_t)partition);
}

static int
compare_hash(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

static bool
is_hosted(const PartitionSlot *slot, int dir)
{
    PslotState state = pslot_state(slot);

    return pslot_dir(slot) == dir && state != PSLOT_FREE;
}

static bool
known_names(int dir, KnownNames *ret)
{
    int32_t high = pslot_high();
    int32_t i;

    ret->count = 0;
    ret->hashes = calloc((size_t)high + 1, sizeof *ret->hashes);
    if (ret->hashes == NULL)
        return false;
    for (i = 0; i < high; i++) {
        const PartitionSlot *slot = pslot_at(i);

        if (is_hosted(slot, dir))
            ret->hashes[ret->count++] =
                name_hash((StrView){slot->topic, slot->topic_len}, slot->partition);
    }
    qsort(ret->hashes, (size_t)ret->count, sizeof *ret->hashes, compare_hash);
    return true;
}

/* The table itself, for names that seem unknown: a topic may have been created since. */
static bool
is_in_table(int dir, StrView topic, int32_t partition)
{
    int32_t high = pslot_high();
    int32_t i;

    for (i = 0; i < high; i++) {
        const PartitionSlot *slot = pslot_at(i);

        if (is_hosted(slot, dir) && slot->partition == partition &&
            strview_equal((StrView){slot->topic, slot->topic_len}, topic))
            return true;
    }
    return false;
}

/*
 * Does the node host the partition that a folder is of in another directory, where its folder is, too? Then a move
 * was not finished and both hold the same (plog_move.h, V3).
 */
static bool
is_doubled(const char *folder)
{
    int32_t high = pslot_high();
    FolderOwner owner;

    owner_of(folder, &owner);
    for (int32_t i = 0; i < high && owner.known; i++) {
        const PartitionSlot *slot = pslot_at(i);
        char path[LIMIT_PATH_BYTES];
        struct stat st;

        if (slot->partition != owner.partition || !uuid_equal(slot->topic_id, owner.topic_id) ||
            !is_hosted(slot, pslot_dir(slot)))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s-%d", logdir_path(pslot_dir(slot)), slot->topic,
                       (int)slot->partition);
        return vfs_stat(path, &st, NULL) == 0;
    }
    return false;
}

static void
set_aside(int dir, const char *folder, StrView topic, int32_t partition)
{
    bool doubled = is_doubled(folder);

    char name[PARTITION_DIR_NAME_MAX];
    char to[LIMIT_PATH_BYTES];
    ErrInfo err = {0};
    int rc = logdir_names_lock(dir, &err);

    if (rc == 0) {
        if (!is_in_table(dir, topic, partition)) {
            partition_dir_name_suffixed(topic, partition,
                                        doubled ? PARTITION_DIR_DELETE : PARTITION_DIR_STRAY, name);
            join(to, logdir_path(dir), strview_from(name));
            rc = logdir_rename_folder(dir, folder, to, &err);
            if (rc == 0)
                log_msg(LL_WARNING, "retention",
                        "folder of a partition that this node does not host%s: set aside; "
                        "folder=%s",
                        doubled ? " here" : "", name);
        }
        logdir_names_unlock(dir);
    }
    if (rc != 0)
        complain("stray folder cannot be set aside", &err);
}

void
folders_set_strays_aside(int dir)
{
    Arena *arena = arena_new(65536, 0);
    KnownNames known = {0};
    ErrInfo err = {0};
    StrView *names;
    int32_t count = 0;
    int32_t i;

    if (arena == NULL || !known_names(dir, &known)) {
        arena_free(arena);
        return;
    }
    if (vfs_list(logdir_path(dir), FOLDERS_MAX, arena, &names, &count, &err) != 0)
        complain("log directory cannot be listed", &err);
    for (i = 0; i < count; i++) {
        char folder[LIMIT_PATH_BYTES];
        PartitionDirKind kind;
        int32_t partition;
        StrView topic;
        uint64_t hash;

        join(folder, logdir_path(dir), names[i]);
        if (!partition_dir_parse(strrchr(folder, '/') + 1, &topic, &partition, &kind) ||
            kind != PARTITION_DIR_NORMAL || strview_equal(topic, STRVIEW(METADATA_TOPIC)))
            continue;
        hash = name_hash(topic, partition);
        if (bsearch(&hash, known.hashes, (size_t)known.count, sizeof hash, compare_hash) == NULL)
            set_aside(dir, folder, topic, partition);
    }
    free(known.hashes);
    arena_free(arena);
}

/* ---- *.deleted files ---------------------------------------------------------------------------- */

/* A name as 00000000000000000042.log.deleted, of a segment below an offset. */
static bool
is_deleted_below(StrView name, int64_t below)
{
    SegmentFile kind;
    StrView tail;
    int64_t base;

    return segment_name_parse(name, &base, &kind, &tail) &&
           strview_equal(tail, STRVIEW(".deleted")) && base < below;
}

int32_t
folders_remove_deleted_files(const char *folder, int64_t below)
{
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    StrView *names;
    int32_t count = 0;
    int32_t removed = 0;
    int32_t i;
    int rc;

    if (arena == NULL)
        return 0;
    rc = vfs_list(folder, FOLDER_FILES_MAX, arena, &names, &count, &err);
    if (rc != 0 && rc != OT_E_NOT_FOUND)
        complain("folder cannot be listed", &err);
    for (i = 0; i < count; i++) {
        char path[LIMIT_PATH_BYTES];

        if (!is_deleted_below(names[i], below))
            continue;
        join(path, folder, names[i]);
        crashpoint("retention.unlink");
        rc = vfs_unlink(path, &err);
        if (rc == 0)
            removed++;
        else if (rc != OT_E_NOT_FOUND)
            complain("deleted segment cannot be removed", &err);
    }
    arena_free(arena);
    return removed;
}
