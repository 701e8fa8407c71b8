/*
 * verify_metadata.c - snapshots of the metadata log: whole, ended by a footer, every record known
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>

#include "inspect/verify_int.h"
#include "ottla/common/vfs.h"
#include "ottla/raft/quorum_state.h"

#define RECORD_ARENA_BYTES (64 * 1024)

typedef struct SnapshotCheck {
    PartitionCheck *p;
    char path[LIMIT_PATH_BYTES];
    bool header, footer;
} SnapshotCheck;

static void
damage(const SnapshotCheck *s, int64_t position, const char *what)
{
    verify_report(s->p->v, SEVERITY_DAMAGE, (Place){s->path, -1, position}, "%s", what);
}

static void
one_record(SnapshotCheck *s, const WalkedBatch *batch, const Record *record)
{
    StrBuf key, value;
    const char *why;
    int16_t type;

    strbuf_init(&key, INT_MAX, NULL);
    strbuf_init(&value, INT_MAX, NULL);
    s->p->v->records++;
    if (batch_is_control(batch->header)) {
        if (control_record_type(record->key, &type)) {
            s->header |= type == CONTROL_SNAPSHOT_HEADER;
            s->footer = type == CONTROL_SNAPSHOT_FOOTER;
        }
        if (control_decode(record, &value) == NULL)
            damage(s, batch->pos, "a control record cannot be decoded");
    } else {
        s->footer = false;
        if (!record_decode(LOG_CONTENT_METADATA, record, &key, &value, &why))
            damage(s, batch->pos, why);
    }
    strbuf_release(&key);
    strbuf_release(&value);
}

static int
one_batch(SnapshotCheck *s, LogWalk *walk, const WalkedBatch *batch, ErrInfo *err)
{
    Arena *arena = arena_new(RECORD_ARENA_BYTES, 0);
    RecordStatus status = RECORD_GARBLED;
    RecordIter *iter = NULL;
    BytesView bytes;
    Record record;
    int rc = arena == NULL ? err_set(err, OT_E_NO_MEMORY, "no memory for records")
                           : log_walk_load(walk, batch, &bytes, err);

    s->p->v->batches++;
    if (rc == 0 && !batch->crc_ok)
        damage(s, batch->pos, "checksum is wrong");
    if (rc == 0 && batch->crc_ok)
        iter = record_iter_open(bytes, arena);
    while (iter != NULL && (status = record_iter_next(iter, &record)) == RECORD_OK)
        one_record(s, batch, &record);
    if (rc == 0 && batch->crc_ok && status != RECORD_END)
        damage(s, batch->pos, "records cannot be read");
    record_iter_close(iter);
    arena_free(arena);
    return rc;
}

static int
check_snapshot_file(PartitionCheck *p, StrView name, ErrInfo *err)
{
    SnapshotCheck s = {.p = p};
    WalkedBatch batch;
    BatchScan what;
    LogWalk walk;
    int rc;

    verify_join(s.path, p->folder, name);
    rc = log_walk_open(&walk, s.path, err);
    if (rc != 0)
        return rc;
    while ((rc = log_walk_next(&walk, &what, &batch, err)) == 0 && what == BATCH_SCAN_OK) {
        rc = one_batch(&s, &walk, &batch, err);
        if (rc != 0)
            break;
    }
    if (rc == 0 && walk.scan.pos != walk.size)
        damage(&s, walk.scan.pos, "bytes that are no batch");
    if (rc == 0 && !s.header)
        damage(&s, -1, "does not begin with a snapshot header");
    if (rc == 0 && !s.footer)
        damage(&s, -1, "does not end with a snapshot footer");
    log_walk_close(&walk);
    return rc;
}

static int
check_quorum_state(PartitionCheck *p, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    ArenaMark mark = arena_mark(p->arena);
    QuorumState state;
    ErrInfo why = {0};
    BytesView file;
    int rc;

    verify_join(path, p->folder, STRVIEW(QUORUM_STATE_FILE));
    rc = vfs_read_file(path, QUORUM_STATE_MAX, p->arena, &file, err);
    if (rc == 0 &&
        quorum_state_parse((StrView){(const char *)file.ptr, file.len}, &state, &why) != 0)
        verify_report(p->v, SEVERITY_DAMAGE, (Place){path, -1, -1}, "%s", why.text);
    arena_release(p->arena, mark);
    return rc;
}

int
verify_metadata_snapshots(PartitionCheck *p, const StrView *names, int32_t count, ErrInfo *err)
{
    int rc = 0;

    for (int32_t i = 0; rc == 0 && i < count; i++) {
        FileKind kind = file_name_parse(names[i]).kind;

        if (kind == FILE_KIND_METADATA_SNAPSHOT)
            rc = check_snapshot_file(p, names[i], err);
        else if (kind == FILE_KIND_QUORUM_STATE)
            rc = check_quorum_state(p, err);
    }
    return rc;
}
