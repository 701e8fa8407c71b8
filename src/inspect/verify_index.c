/*
 * verify_index.c - the three indexes of a segment against its batches
 *
 * The batches come in order, and so do the entries: each index is walked once beside them. An index
 * that is wrong is reported once; what it should say can be had from the batches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "inspect/verify_int.h"
#include "ottla/common/vfs.h"

#define INDEX_FILE_MAX (512 << 20)

static void
complain(SegmentCheck *s, bool *once, const char *suffix, int64_t offset, int32_t at,
         const char *what)
{
    char path[LIMIT_PATH_BYTES];

    if (*once)
        return;
    *once = true;
    verify_segment_path(path, s->p->folder, s->base, suffix);
    verify_report(s->p->v, SEVERITY_DAMAGE, (Place){path, offset, at}, "%s", what);
}

static int
load(SegmentCheck *s, const char *suffix, BytesView *ret, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    verify_segment_path(path, s->p->folder, s->base, suffix);
    rc = vfs_read_file(path, INDEX_FILE_MAX, s->p->arena, ret, err);
    if (rc == OT_E_NOT_FOUND) {
        *ret = WIRE_NULL_BYTES;
        return 0;
    }
    return rc;
}

/* Zero bytes behind the entries: Kafka's active segment has them, and a killed Kafka leaves them. */
static BytesView
without_padding(const SegmentCheck *s, BytesView file, int32_t entry_bytes)
{
    if (!s->last || s->p->dir->clean || file.ptr == NULL)
        return file;
    while (file.len >= entry_bytes) {
        const uint8_t *entry = file.ptr + file.len - file.len % entry_bytes - entry_bytes;
        bool zero = true;

        for (int32_t i = 0; i < entry_bytes; i++)
            zero &= entry[i] == 0;
        if (!zero)
            break;
        file.len = (int32_t)(entry - file.ptr);
    }
    return file;
}

int
segment_indexes_load(SegmentCheck *s, ErrInfo *err)
{
    int rc = load(s, ".index", &s->index, err);

    if (rc == 0)
        rc = load(s, ".timeindex", &s->time_index, err);
    if (rc == 0)
        rc = load(s, ".txnindex", &s->txn_index, err);
    if (rc != 0)
        return rc;
    s->index = without_padding(s, s->index, INDEX_ENTRY_BYTES);
    s->time_index = without_padding(s, s->time_index, TIME_ENTRY_BYTES);
    if (s->index.ptr == NULL && !(s->last && !s->p->dir->clean))
        complain(s, &s->index_wrong, ".index", -1, -1, "missing: lookups scan the whole segment");
    if (s->time_index.ptr == NULL && !(s->last && !s->p->dir->clean))
        complain(s, &s->time_wrong, ".timeindex", -1, -1, "missing: times are not found by it");
    return 0;
}

/* An entry says where the set of batches begins that ends with its offset. */
static void
index_step(SegmentCheck *s, const WalkedBatch *batch)
{
    int64_t last = batch_last_offset(batch->header);

    while (!s->index_wrong && s->index_at + INDEX_ENTRY_BYTES <= s->index.len) {
        IndexEntry e = index_entry_decode(s->index.ptr + s->index_at);
        int64_t offset = s->base + e.offset_rel;

        if (e.pos > batch->pos)
            break; /* a later batch */
        if (e.pos < batch->pos && !s->index_pending) {
            complain(s, &s->index_wrong, ".index", offset, s->index_at,
                     "an entry points to where no batch begins");
            break;
        }
        if (offset > last) {
            s->index_pending = true; /* the set goes on */
            break;
        }
        if (offset != last) {
            complain(s, &s->index_wrong, ".index", offset, s->index_at,
                     "the offset of an entry is not the last one of its batches");
            break;
        }
        s->index_pending = false;
        s->index_at += INDEX_ENTRY_BYTES;
        if (s->index_at + INDEX_ENTRY_BYTES <= s->index.len &&
            index_entry_decode(s->index.ptr + s->index_at).offset_rel <= e.offset_rel)
            complain(s, &s->index_wrong, ".index", offset, s->index_at, "entries do not rise");
    }
}

/* An entry says the largest timestamp up to its offset. Compared when that offset was passed. */
static void
time_step(SegmentCheck *s, const WalkedBatch *batch)
{
    int64_t last = batch_last_offset(batch->header);
    int64_t largest = batch_max_timestamp(batch->header) > s->max_timestamp
                          ? batch_max_timestamp(batch->header)
                          : s->max_timestamp;

    while (!s->time_wrong && s->time_at + TIME_ENTRY_BYTES <= s->time_index.len) {
        TimeEntry e = time_entry_decode(s->time_index.ptr + s->time_at);
        int64_t offset = s->base + e.offset_rel;

        if (offset > last)
            break;
        if (e.timestamp != largest)
            complain(s, &s->time_wrong, ".timeindex", offset, s->time_at,
                     "an entry is not the largest timestamp up to its offset");
        s->time_at += TIME_ENTRY_BYTES;
    }
}

void
segment_indexes_batch(SegmentCheck *s, const WalkedBatch *batch)
{
    index_step(s, batch);
    time_step(s, batch);
}

void
segment_indexes_abort(SegmentCheck *s, const TxnEntry *aborted)
{
    char path[LIMIT_PATH_BYTES];
    TxnEntry e;

    verify_segment_path(path, s->p->folder, s->base, ".txnindex");
    while (s->txn_at + TXN_ENTRY_BYTES <= s->txn_index.len) {
        e = txn_entry_decode(s->txn_index.ptr + s->txn_at);
        if (e.last_offset > aborted->last_offset)
            break;
        s->txn_at += TXN_ENTRY_BYTES;
        if (e.last_offset < aborted->last_offset && s->p->compacted)
            continue; /* its marker was cleaned away */
        if (e.version == TXN_ENTRY_VERSION && e.producer_id == aborted->producer_id &&
            e.last_offset == aborted->last_offset &&
            (e.first_offset == aborted->first_offset || s->p->compacted))
            return;
        verify_report(s->p->v, SEVERITY_DAMAGE,
                      (Place){path, e.last_offset, s->txn_at - TXN_ENTRY_BYTES},
                      "an entry does not describe the aborted transaction of producer %" PRId64
                      " that ends at %" PRId64,
                      aborted->producer_id, aborted->last_offset);
        return;
    }
    verify_report(s->p->v, SEVERITY_DAMAGE, (Place){path, aborted->last_offset, -1},
                  "no entry for the aborted transaction of producer %" PRId64,
                  aborted->producer_id);
}

void
segment_indexes_end(SegmentCheck *s)
{
    bool unclean_tail = s->last && !s->p->dir->clean;
    int64_t last_time = -1;

    if (s->index_at < s->index.len && !unclean_tail)
        complain(s, &s->index_wrong, ".index", -1, s->index_at, "entries behind the last batch");
    if (s->time_at < s->time_index.len && !unclean_tail)
        complain(s, &s->time_wrong, ".timeindex", -1, s->time_at, "entries behind the last batch");
    if (s->time_at >= TIME_ENTRY_BYTES)
        last_time = time_entry_decode(s->time_index.ptr + s->time_at - TIME_ENTRY_BYTES).timestamp;
    if (!s->last && s->time_index.ptr != NULL && last_time != s->max_timestamp)
        complain(s, &s->time_wrong, ".timeindex", -1, s->time_at,
                 "the last entry is not the largest timestamp of the segment");
    if (s->txn_index.len % TXN_ENTRY_BYTES != 0 && !unclean_tail) {
        bool once = false;

        complain(s, &once, ".txnindex", -1, s->txn_index.len, "ends within an entry");
    }
}
