/*
 * snapshot_write.c - writing a snapshot of the metadata: header, data batches, footer
 *
 * Written under a name that no start looks at, flushed, then renamed [M3]. Mode 0400, as Kafka's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/metalog.h"
#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs.h"

#define BATCH_BYTES_AIM (1024 * 1024)
#define RECORDS_MAX     16384

struct SnapshotWriter {
    char part[LIMIT_PATH_BYTES];
    char path[LIMIT_PATH_BYTES];
    char folder[LIMIT_PATH_BYTES];
    SnapshotFacts facts;
    Arena *arena; /* of the batch in the making */
    BytesView *records;
    int32_t count;
    int64_t bytes;  /* of these */
    int64_t offset; /* next, counted from 0 */
    int64_t pos;
    int fd;
};

void
metalog_snapshot_path(const char *folder, SnapshotId id, char ret[LIMIT_PATH_BYTES])
{
    snprintf(ret, LIMIT_PATH_BYTES, "%s/%020" PRId64 "-%010" PRId32 ".checkpoint", folder,
             id.offset, id.epoch);
}

static int
write_batch(SnapshotWriter *w, BytesView batch, int32_t records, ErrInfo *err)
{
    int rc = vfs_pwrite(w->fd, batch.ptr, (size_t)batch.len, w->pos, err);

    if (rc != 0)
        return rc;
    w->pos += batch.len;
    w->offset += records;
    arena_reset(w->arena);
    w->records = NULL;
    w->count = 0;
    w->bytes = 0;
    return 0;
}

static MetaBatchAt
here(const SnapshotWriter *w)
{
    return (MetaBatchAt){w->offset, w->facts.id.epoch, w->facts.now_ms};
}

static int
write_control(SnapshotWriter *w, const MetaControl *records, int32_t count, ErrInfo *err)
{
    MetaBatchAt at = here(w);
    BytesView batch;
    int rc = meta_control_batch(&at, records, count, w->arena, &batch, err);

    return rc != 0 ? rc : write_batch(w, batch, count, err);
}

static int
write_header(SnapshotWriter *w, ErrInfo *err)
{
    MetaControl records[3] = {
        {CONTROL_SNAPSHOT_HEADER, meta_snapshot_header(w->facts.last_timestamp, w->arena)}};
    int32_t count = 1;

    if (w->facts.kraft_version > 0) {
        records[count++] = (MetaControl){CONTROL_KRAFT_VERSION,
                                         meta_kraft_version(w->facts.kraft_version, w->arena)};
        records[count++] =
            (MetaControl){CONTROL_KRAFT_VOTERS, meta_voters(&w->facts.voters, w->arena)};
    }
    return write_control(w, records, count, err);
}

static SnapshotWriter *
begin(SnapshotWriter *w, ErrInfo *err)
{
    int rc = vfs_open(w->part, O_RDWR | O_CREAT | O_TRUNC, 0600, err);

    w->fd = rc;
    if (rc >= 0)
        rc = write_header(w, err);
    if (rc != 0 && w->fd < 0) {
        arena_free(w->arena);
        free(w);
        return NULL;
    }
    if (rc != 0) {
        snapshot_abandon(w);
        return NULL;
    }
    return w;
}

static SnapshotWriter *
make(const SnapshotFacts *facts, ErrInfo *err)
{
    SnapshotWriter *w = calloc(1, sizeof *w);

    if (w != NULL)
        w->arena = arena_new(256 * 1024, 0);
    if (w == NULL || w->arena == NULL) {
        free(w);
        (void)err_set(err, OT_E_NO_MEMORY, "no memory for a snapshot");
        return NULL;
    }
    w->facts = *facts;
    return w;
}

SnapshotWriter *
snapshot_begin(const char *folder, const SnapshotFacts *facts, ErrInfo *err)
{
    SnapshotWriter *w = make(facts, err);

    if (w == NULL)
        return NULL;
    metalog_snapshot_path(folder, facts->id, w->path);
    snprintf(w->folder, sizeof w->folder, "%s", folder);
    snprintf(w->part, sizeof w->part,
             "%s/%020" PRId64 "-%010" PRId32 "-%016" PRIx64 ".checkpoint.part", folder,
             facts->id.offset, facts->id.epoch, random_u64());
    return begin(w, err);
}

SnapshotWriter *
snapshot_begin_as(const char *path, const SnapshotFacts *facts, ErrInfo *err)
{
    SnapshotWriter *w = make(facts, err);
    const char *slash = strrchr(path, '/');

    ot_assert(slash != NULL);
    if (w == NULL)
        return NULL;
    snprintf(w->path, sizeof w->path, "%s", path);
    snprintf(w->folder, sizeof w->folder, "%.*s", (int)(slash - path), path);
    if ((size_t)snprintf(w->part, sizeof w->part, "%s.part", path) >= sizeof w->part)
        w->part[0] = '\0'; /* opening it fails */
    return begin(w, err);
}

static int
flush_records(SnapshotWriter *w, ErrInfo *err)
{
    MetaBatchAt at = here(w);
    BytesView batch;
    int rc;

    if (w->count == 0)
        return 0;
    rc = meta_data_batch(&at, w->records, w->count, w->arena, &batch, err);
    return rc != 0 ? rc : write_batch(w, batch, w->count, err);
}

int
snapshot_add(SnapshotWriter *w, BytesView record, ErrInfo *err)
{
    uint8_t *copy;
    int rc;

    if (w->count == RECORDS_MAX || w->bytes + record.len > BATCH_BYTES_AIM) {
        rc = flush_records(w, err);
        if (rc != 0)
            return rc;
    }
    if (w->records == NULL)
        w->records = arena_calloc(w->arena, RECORDS_MAX, sizeof *w->records);
    copy = arena_alloc(w->arena, (size_t)record.len);
    if (w->records == NULL || copy == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for a snapshot");
    memcpy(copy, record.ptr, (size_t)record.len);
    w->records[w->count++] = (BytesView){copy, record.len};
    w->bytes += record.len;
    return 0;
}

int
snapshot_finish(SnapshotWriter *w, int64_t *ret_bytes, ErrInfo *err)
{
    int rc = flush_records(w, err);

    if (rc == 0) {
        MetaControl footer = {CONTROL_SNAPSHOT_FOOTER, meta_snapshot_footer(w->arena)};

        rc = write_control(w, &footer, 1, err);
    }
    if (rc == 0)
        rc = vfs_fsync(w->fd, err);
    crashpoint("snapshot.flushed");
    if (rc == 0 && fchmod(w->fd, 0400) != 0)
        rc = err_set(err, OT_E_IO, "cannot change the mode of %s", w->part);
    if (rc == 0)
        rc = vfs_rename(w->part, w->path, err);
    crashpoint("snapshot.renamed");
    if (rc == 0)
        rc = vfs_sync_dir(w->folder, err);
    if (rc != 0) {
        snapshot_abandon(w);
        return rc;
    }
    if (ret_bytes != NULL)
        *ret_bytes = w->pos;
    vfs_close(w->fd);
    arena_free(w->arena);
    free(w);
    return 0;
}

void
snapshot_abandon(SnapshotWriter *w)
{
    if (w == NULL)
        return;
    vfs_close(w->fd);
    if (vfs_unlink(w->part, NULL) != 0) {
        /* a left-over is removed by the next start */
    }
    arena_free(w->arena);
    free(w);
}
