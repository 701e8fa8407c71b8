/*
 * verify_dir.c - a log directory: names, meta.properties, checkpoints, partition folders
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "inspect/verify_int.h"
#include "ottla/common/vfs.h"

#define DIR_NAMES_MAX (1 << 20)
#define CLEAN_MARKER  ".kafka_cleanshutdown"
#define CLEANED_FILE  "cleaner-offset-checkpoint"
#define META_MAX      65536
#define NAMES_BELOW   (2 * (NAME_MAX + 1)) /* a folder and a file in it */

static bool
name_is(StrView name, const char *text)
{
    return strview_equal(name, strview_from(text));
}

/* Names that a node keeps beside the partition folders. */
static bool
is_known(StrView name)
{
    static const char *const known[] = {".lock", CLEAN_MARKER, "bootstrap.checkpoint",
                                        "remote-log-index-cache"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (name_is(name, known[i]))
            return true;
    return name.len > 0 && name.ptr[0] == '.';
}

static void
note_name(Verify *v, VerifyDir *dir, int32_t index)
{
    StrView name = dir->names[index];
    FileKind kind = file_name_parse(name).kind;
    char path[LIMIT_PATH_BYTES];
    PartitionDirKind folder_kind;
    StrView topic;
    int32_t partition;

    if (name_is(name, CLEAN_MARKER))
        dir->clean = true;
    verify_join(path, dir->path, name);
    if (partition_dir_parse(name.ptr, &topic, &partition, &folder_kind)) {
        if (folder_kind == PARTITION_DIR_NORMAL)
            dir->folders[dir->folder_count++] = index;
        else if (folder_kind == PARTITION_DIR_STRAY)
            verify_report(v, SEVERITY_NOTE, (Place){path, -1, -1}, "set aside: of no topic");
    } else if (kind == FILE_KIND_LEFTOVER) {
        verify_report(v, SEVERITY_NOTE, (Place){path, -1, -1},
                      "left over: the next start removes it");
    } else if (kind != FILE_KIND_OFFSETS && kind != FILE_KIND_META_PROPERTIES && !is_known(name)) {
        verify_report(v, SEVERITY_NOTE, (Place){path, -1, -1}, "a file that no node writes here");
    }
}

static int
load_checkpoint(Verify *v, VerifyDir *dir, const char *name, OffsetCheckpoint **ret, ErrInfo *err)
{
    int rc = offset_checkpoint_load(dir->path, name, ret, err);
    char path[LIMIT_PATH_BYTES];

    if (rc != OT_E_CORRUPT)
        return rc;
    verify_join(path, dir->path, strview_from(name));
    verify_report(v, SEVERITY_DAMAGE, (Place){path, -1, -1}, "%s", err->text);
    return 0;
}

static int
check_meta_properties(Verify *v, VerifyDir *dir, ErrInfo *err)
{
    static const char *const wanted[] = {"version=", "cluster.id=", "node.id="};
    char path[LIMIT_PATH_BYTES];
    BytesView file;
    int rc;

    verify_join(path, dir->path, STRVIEW("meta.properties"));
    rc = vfs_read_file(path, META_MAX, dir->arena, &file, err);
    if (rc == OT_E_NOT_FOUND) {
        verify_report(v, SEVERITY_DAMAGE, (Place){path, -1, -1},
                      "missing: the directory is not formatted");
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < sizeof wanted / sizeof wanted[0]; i++)
        if (memmem(file.ptr, (size_t)file.len, wanted[i], strlen(wanted[i])) == NULL)
            verify_report(v, SEVERITY_DAMAGE, (Place){path, -1, -1}, "%.*s is missing",
                          (int)strlen(wanted[i]) - 1, wanted[i]);
    return rc;
}

/* Partitions that a checkpoint names and no folder holds. */
static void
check_lost_folders(Verify *v, const VerifyDir *dir)
{
    OffsetCheckpointEntry e;
    char folder[PARTITION_DIR_NAME_MAX], path[LIMIT_PATH_BYTES];
    struct stat st;

    for (size_t i = 0;
         dir->recovery_points != NULL && offset_checkpoint_at(dir->recovery_points, i, &e); i++) {
        if (e.offset <= 0 || e.topic.len > PARTITION_DIR_NAME_MAX - 16)
            continue;
        partition_dir_name(e.topic, e.partition, folder);
        verify_join(path, dir->path, strview_from(folder));
        if (vfs_stat(path, &st, NULL) == OT_E_NOT_FOUND)
            verify_report(v, dir->clean ? SEVERITY_DAMAGE : SEVERITY_NOTE,
                          (Place){path, e.offset, -1},
                          "the folder is gone, though " CHECKPOINT_RECOVERY_POINT " names it");
    }
}

static int
read_dir(Verify *v, VerifyDir *dir, ErrInfo *err)
{
    int rc = vfs_list(dir->path, DIR_NAMES_MAX, dir->arena, &dir->names, &dir->name_count, err);

    if (rc != 0)
        return rc;
    dir->folders = arena_calloc(dir->arena, (size_t)dir->name_count + 1, sizeof *dir->folders);
    if (dir->folders == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for the names of %s", dir->path);
    for (int32_t i = 0; i < dir->name_count; i++)
        note_name(v, dir, i);
    rc = check_meta_properties(v, dir, err);
    if (rc == 0)
        rc = load_checkpoint(v, dir, CHECKPOINT_RECOVERY_POINT, &dir->recovery_points, err);
    if (rc == 0)
        rc = load_checkpoint(v, dir, CHECKPOINT_HIGH_WATERMARK, &dir->high_watermarks, err);
    if (rc == 0)
        rc = load_checkpoint(v, dir, CHECKPOINT_LOG_START, &dir->log_starts, err);
    if (rc == 0)
        rc = load_checkpoint(v, dir, CLEANED_FILE, &dir->cleaned, err);
    if (rc == 0 && !v->running)
        check_lost_folders(v, dir);
    return rc;
}

int
verify_dir_open(Verify *v, const char *path, VerifyDir **ret, ErrInfo *err)
{
    Arena *arena = arena_new(65536, 0);
    VerifyDir *dir = arena == NULL ? NULL : arena_calloc(arena, 1, sizeof *dir);
    int rc;

    if (dir == NULL ||
        snprintf(dir->path, sizeof dir->path, "%s", path) >= (int)sizeof dir->path - NAMES_BELOW) {
        arena_free(arena);
        return err_set(err, OT_E_LIMIT, "no memory, or path too long: %s", path);
    }
    dir->arena = arena;
    rc = read_dir(v, dir, err);
    if (rc != 0)
        verify_dir_close(dir);
    else
        *ret = dir;
    return rc;
}

void
verify_dir_close(VerifyDir *dir)
{
    if (dir == NULL)
        return;
    offset_checkpoint_free(dir->recovery_points);
    offset_checkpoint_free(dir->high_watermarks);
    offset_checkpoint_free(dir->log_starts);
    offset_checkpoint_free(dir->cleaned);
    arena_free(dir->arena);
}

int32_t
verify_dir_count(const VerifyDir *dir)
{
    return dir->folder_count;
}

StrView
verify_dir_topic(const VerifyDir *dir, int32_t index)
{
    PartitionDirKind kind;
    StrView topic = {NULL, 0};
    int32_t partition;

    (void)partition_dir_parse(dir->names[dir->folders[index]].ptr, &topic, &partition, &kind);
    return topic; /* the name was parsed before, so it parses again */
}
