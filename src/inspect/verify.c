/*
 * verify.c - findings, and one partition folder from its names to its ends
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/inspect/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/verify_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/vfs.h"

#define FOLDER_NAMES_MAX (1 << 20)
#define FINDING_MAX      512

void
verify_report(Verify *v, Severity severity, Place place, const char *format, ...)
{
    char text[FINDING_MAX];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (severity == SEVERITY_DAMAGE)
        v->damage++;
    else
        v->notes++;
    row_out_begin(v->out, "");
    row_out_text(v->out, severity == SEVERITY_DAMAGE ? "damage" : "note",
                 (StrView){text, n < (int)sizeof text ? n : (int)sizeof text - 1});
    row_out_text(v->out, "file", strview_from(place.path));
    if (place.offset >= 0)
        row_out_int(v->out, "offset", place.offset);
    if (place.position >= 0)
        row_out_int(v->out, "position", place.position);
    (void)row_out_end(v->out); /* the count is what the exit code is made of */
}

const char *
verify_join(char ret[LIMIT_PATH_BYTES], const char *folder, StrView name)
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%.*s", folder, name.len, name.ptr);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
    return ret;
}

const char *
verify_segment_path(char ret[LIMIT_PATH_BYTES], const char *folder, int64_t base,
                    const char *suffix)
{
    int n = snprintf(ret, LIMIT_PATH_BYTES, "%s/%020" PRId64 "%s", folder, base, suffix);

    ot_assert(n > 0 && n < LIMIT_PATH_BYTES);
    return ret;
}

/* ---- names ---------------------------------------------------------------------------------------- */

typedef struct Names {
    StrView *names;
    int32_t count;
    int64_t *bases; /* of .log files, ascending */
    int32_t base_count;
} Names;

/* In a partition's folder; that of the metadata log holds some more. */
static bool
belongs_here(FileKind kind, bool metadata)
{
    switch (kind) {
    case FILE_KIND_OTHER:
    case FILE_KIND_OFFSETS:
    case FILE_KIND_META_PROPERTIES:
        return false;
    case FILE_KIND_METADATA_SNAPSHOT:
    case FILE_KIND_QUORUM_STATE:
    case FILE_KIND_RESERVE:
        return metadata;
    default:
        return true;
    }
}

static void
note_name(PartitionCheck *p, Names *n, StrView name)
{
    FileName f = file_name_parse(name);
    char path[LIMIT_PATH_BYTES];

    verify_join(path, p->folder, name);
    if (f.kind == FILE_KIND_LOG)
        n->bases[n->base_count++] = f.base;
    else if (f.kind == FILE_KIND_PRODUCER_SNAPSHOT)
        p->snapshots[p->snapshot_count++] = f.base;
    else if (f.kind == FILE_KIND_LEFTOVER)
        verify_report(p->v, SEVERITY_NOTE, (Place){path, -1, -1},
                      "left over: the next start removes it");
    else if (!belongs_here(f.kind, p->content == LOG_CONTENT_METADATA))
        verify_report(p->v, SEVERITY_NOTE, (Place){path, -1, -1},
                      "a file that no node writes here");
}

static bool
has_base(const Names *n, int64_t base)
{
    for (int32_t i = 0; i < n->base_count; i++)
        if (n->bases[i] == base)
            return true;
    return false;
}

/* Files of a segment whose .log is gone. */
static void
check_orphans(PartitionCheck *p, const Names *n)
{
    for (int32_t i = 0; i < n->count; i++) {
        FileName f = file_name_parse(n->names[i]);
        char path[LIMIT_PATH_BYTES];

        if ((f.kind != FILE_KIND_INDEX && f.kind != FILE_KIND_TIMEINDEX &&
             f.kind != FILE_KIND_TXNINDEX) ||
            has_base(n, f.base))
            continue;
        verify_join(path, p->folder, n->names[i]);
        verify_report(p->v, SEVERITY_DAMAGE, (Place){path, f.base, -1}, "its .log is missing");
    }
}

static int
read_names(PartitionCheck *p, Names *n, ErrInfo *err)
{
    int rc = vfs_list(p->folder, FOLDER_NAMES_MAX, p->arena, &n->names, &n->count, err);

    if (rc != 0)
        return rc;
    n->bases = arena_calloc(p->arena, (size_t)n->count + 1, sizeof *n->bases);
    p->snapshots = arena_calloc(p->arena, (size_t)n->count + 1, sizeof *p->snapshots);
    if (n->bases == NULL || p->snapshots == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for the names of %s", p->folder);
    for (int32_t i = 0; i < n->count; i++)
        note_name(p, n, n->names[i]); /* sorted by name, which sorts offsets, too */
    check_orphans(p, n);
    return 0;
}

/* ---- small files and ends ------------------------------------------------------------------------- */

static int
load_epochs(PartitionCheck *p, ErrInfo *err)
{
    int rc = epoch_file_load(p->folder, &p->epochs, &p->epoch_count, err);
    char path[LIMIT_PATH_BYTES];

    if (rc != OT_E_CORRUPT)
        return rc == OT_E_NOT_FOUND ? 0 : rc;
    verify_join(path, p->folder, STRVIEW(LEADER_EPOCH_FILE));
    verify_report(p->v, SEVERITY_DAMAGE, (Place){path, -1, -1}, "%s", err->text);
    return 0;
}

static int
check_partition_metadata(PartitionCheck *p, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    Uuid id;
    int rc = partition_metadata_load(p->folder, &id, err);

    verify_join(path, p->folder, STRVIEW(PARTITION_METADATA_FILE));
    if (rc == OT_E_NOT_FOUND && p->content == LOG_CONTENT_METADATA)
        return 0;
    if (rc == OT_E_NOT_FOUND)
        verify_report(p->v, SEVERITY_DAMAGE, (Place){path, -1, -1},
                      "missing: without a topic id the next start sets the folder aside");
    else if (rc == OT_E_CORRUPT)
        verify_report(p->v, SEVERITY_DAMAGE, (Place){path, -1, -1}, "%s", err->text);
    else if (rc != 0)
        return rc;
    return 0;
}

static void
check_point(PartitionCheck *p, const OffsetCheckpoint *cp, const char *name, int64_t least)
{
    char path[LIMIT_PATH_BYTES];
    int64_t offset, end = p->next_offset < 0 ? 0 : p->next_offset;

    if (cp == NULL || !offset_checkpoint_find(cp, p->topic, p->partition, &offset))
        return;
    verify_join(path, p->dir->path, strview_from(name));
    if (offset < least)
        verify_report(p->v, SEVERITY_DAMAGE, (Place){path, offset, -1},
                      "%.*s-%" PRId32 ": lies before the log, which begins at %" PRId64,
                      p->topic.len, p->topic.ptr, p->partition, least);
    else if (offset > end && !p->v->running)
        verify_report(p->v, SEVERITY_DAMAGE, (Place){path, offset, -1},
                      "%.*s-%" PRId32 ": lies behind the log, which ends at %" PRId64, p->topic.len,
                      p->topic.ptr, p->partition, end);
}

/* ---- the partition -------------------------------------------------------------------------------- */

static int
check_segments(PartitionCheck *p, const Names *n, ErrInfo *err)
{
    int rc = 0;

    for (int32_t i = 0; rc == 0 && i < n->base_count; i++) {
        bool last = i + 1 == n->base_count;

        if (last && p->v->running)
            break; /* the node is writing there */
        rc = verify_segment(p, n->bases[i], last, err);
    }
    if (rc == 0 && !p->v->running)
        rc = check_snapshots_until(p, INT64_MAX, err);
    return rc;
}

static int
check_folder(PartitionCheck *p, ErrInfo *err)
{
    Names names = {0};
    int rc = read_names(p, &names, err);

    if (rc == 0)
        rc = check_partition_metadata(p, err);
    if (rc == 0)
        rc = load_epochs(p, err);
    if (rc == 0)
        rc = check_segments(p, &names, err);
    if (rc == 0 && p->content == LOG_CONTENT_METADATA)
        rc = verify_metadata_snapshots(p, names.names, names.count, err);
    if (rc != 0 || p->content == LOG_CONTENT_METADATA)
        return rc;
    check_point(p, p->dir->recovery_points, CHECKPOINT_RECOVERY_POINT, 0);
    check_point(p, p->dir->high_watermarks, CHECKPOINT_HIGH_WATERMARK, 0);
    check_point(p, p->dir->log_starts, CHECKPOINT_LOG_START, p->first_base < 0 ? 0 : p->first_base);
    return 0;
}

int
verify_partition(Verify *v, const VerifyDir *dir, int32_t index, ErrInfo *err)
{
    PartitionCheck p = {.v = v, .dir = dir, .first_base = -1, .next_offset = -1, .last_epoch = -1};
    StrView name = dir->names[dir->folders[index]];
    PartitionDirKind kind;
    int64_t offset;
    int rc;

    ot_assert(partition_dir_parse(name.ptr, &p.topic, &p.partition, &kind)); /* once more */
    verify_join(p.folder, dir->path, name);
    p.content = log_content_of_topic(p.topic);
    p.compacted =
        dir->cleaned != NULL && offset_checkpoint_find(dir->cleaned, p.topic, p.partition, &offset);
    p.arena = arena_new(65536, 0);
    p.producers = producer_book_new();
    if (p.arena == NULL || p.producers == NULL)
        rc = err_set(err, OT_E_NO_MEMORY, "no memory to check %s", p.folder);
    else
        rc = check_folder(&p, err);
    v->partitions++;
    free(p.epochs);
    producer_book_free(p.producers);
    arena_free(p.arena);
    return rc;
}
