/*
 * repair_index.c - makes .index and .timeindex anew from the batches of their segment
 *
 * By the rule of the append (log.md 6.2, 6.3), batch by batch, so that a lost index comes back byte for
 * byte when index.interval.bytes is what it was. The .log is read, never written.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "inspect/verify_int.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/vfs.h"

#define FILE_MODE      0640
#define INDEX_FILE_MAX (512 << 20)

typedef struct NewIndexes {
    StrBuf index, time;
    int64_t base;
    int32_t interval, since; /* bytes of log since the last entry */
    int64_t largest, largest_offset, last_entry;
} NewIndexes;

static void
add_time(NewIndexes *n)
{
    uint8_t at[TIME_ENTRY_BYTES];

    if (n->largest <= n->last_entry)
        return;
    time_entry_encode(at, (TimeEntry){.timestamp = n->largest,
                                      .offset_rel = (int32_t)(n->largest_offset - n->base)});
    strbuf_add(&n->time, at, sizeof at);
    n->last_entry = n->largest;
}

static void
add_batch(NewIndexes *n, const WalkedBatch *batch)
{
    int64_t last = batch_last_offset(batch->header);
    uint8_t at[INDEX_ENTRY_BYTES];

    if (batch_max_timestamp(batch->header) > n->largest) {
        n->largest = batch_max_timestamp(batch->header);
        n->largest_offset = last;
    }
    if (n->since > n->interval) {
        index_entry_encode(at, (IndexEntry){(int32_t)(last - n->base), (int32_t)batch->pos});
        strbuf_add(&n->index, at, sizeof at);
        add_time(n);
        n->since = 0;
    }
    n->since += (int32_t)batch->size;
}

static int
store(SegmentCheck *s, const char *suffix, const StrBuf *bytes, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    if (strbuf_failed(bytes))
        return err_set(err, OT_E_NO_MEMORY, "no memory for an index of %s", s->path);
    verify_segment_path(path, s->p->folder, s->base, suffix);
    rc = vfs_replace_file(path, (BytesView){(const uint8_t *)bytes->ptr, (int32_t)bytes->len},
                          FILE_MODE, VFS_SYNCED, err);
    if (rc == 0) {
        s->p->v->repaired++;
        verify_report(s->p->v, SEVERITY_NOTE, (Place){path, -1, -1}, "made anew");
    }
    return rc;
}

static int
read_batches(const SegmentCheck *s, NewIndexes *n, ErrInfo *err)
{
    WalkedBatch batch;
    BatchScan what;
    LogWalk walk;
    int rc = log_walk_open(&walk, s->path, err);

    if (rc != 0)
        return rc;
    while ((rc = log_walk_next(&walk, &what, &batch, err)) == 0 && what == BATCH_SCAN_OK &&
           batch.crc_ok)
        add_batch(n, &batch);
    log_walk_close(&walk);
    return rc;
}

int
repair_indexes(SegmentCheck *s, ErrInfo *err)
{
    NewIndexes n = {.base = s->base,
                    .interval = s->p->v->index_interval,
                    .largest = -1,
                    .largest_offset = -1,
                    .last_entry = -1};
    int rc;

    strbuf_init(&n.index, INDEX_FILE_MAX, NULL);
    strbuf_init(&n.time, INDEX_FILE_MAX, NULL);
    rc = read_batches(s, &n, err);
    add_time(&n); /* a closed segment ends with its largest timestamp */
    if (rc == 0 && s->index_wrong)
        rc = store(s, ".index", &n.index, err);
    if (rc == 0 && s->time_wrong)
        rc = store(s, ".timeindex", &n.time, err);
    strbuf_release(&n.index);
    strbuf_release(&n.time);
    return rc;
}
