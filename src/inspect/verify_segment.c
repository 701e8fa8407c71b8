/*
 * verify_segment.c - one segment from its first batch to its last byte
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/verify_int.h"
#include "ottla/common/vfs.h"

#define RECORD_ARENA_BYTES (64 * 1024)

static Place
at_batch(const SegmentCheck *s, const WalkedBatch *batch)
{
    return (Place){s->path, batch_base_offset(batch->header), batch->pos};
}

/* ---- the batch ------------------------------------------------------------------------------------ */

/* Offsets go on; false: nothing that follows can be judged by them. */
static void
check_offsets(SegmentCheck *s, const WalkedBatch *batch)
{
    PartitionCheck *p = s->p;
    int64_t first = batch_base_offset(batch->header);
    int64_t last = batch_last_offset(batch->header);

    if (first < s->base || last < first || last - s->base > INT32_MAX)
        verify_report(p->v, SEVERITY_DAMAGE, at_batch(s, batch),
                      "offsets %" PRId64 " to %" PRId64 " do not belong into this segment", first,
                      last);
    else if (p->next_offset >= 0 && first < p->next_offset)
        verify_report(p->v, SEVERITY_DAMAGE, at_batch(s, batch),
                      "offset goes back: %" PRId64 " was expected", p->next_offset);
    else if (p->next_offset >= 0 && first > p->next_offset && !p->compacted)
        verify_report(p->v, SEVERITY_DAMAGE, at_batch(s, batch),
                      "offsets %" PRId64 " to %" PRId64 " are missing", p->next_offset, first - 1);
    if (last >= p->next_offset)
        p->next_offset = last + 1;
}

static void
check_decoded(SegmentCheck *s, const WalkedBatch *batch, const Record *record)
{
    StrBuf key, value;
    const char *why;

    strbuf_init(&key, INT_MAX, NULL);
    strbuf_init(&value, INT_MAX, NULL);
    if (!record_decode(s->p->content, record, &key, &value, &why))
        verify_report(s->p->v, SEVERITY_DAMAGE, (Place){s->path, record->offset, batch->pos},
                      "the record cannot be decoded: %s", why);
    strbuf_release(&key);
    strbuf_release(&value);
}

static void
check_record(SegmentCheck *s, const WalkedBatch *batch, const Record *record, int64_t *last)
{
    if (record->offset <= *last || record->offset > batch_last_offset(batch->header))
        verify_report(s->p->v, SEVERITY_DAMAGE, (Place){s->path, record->offset, batch->pos},
                      "offset of the record does not fit into its batch");
    *last = record->offset;
    s->p->v->records++;
    if (s->p->content != LOG_CONTENT_PLAIN && !batch_is_control(batch->header))
        check_decoded(s, batch, record);
}

/* A marker ends the transaction of its producer. */
static void
note_marker(SegmentCheck *s, const WalkedBatch *batch, const Record *record)
{
    int64_t id = batch_producer_id(batch->header);
    ProducerState *state = producer_book_find(s->p->producers, id, true);
    int32_t coordinator_epoch = -1;
    int64_t began, open;
    int16_t type;

    if (!control_record_type(record->key, &type) || type > CONTROL_COMMIT || state == NULL)
        return;
    if (!control_end_txn_epoch(record->value, &coordinator_epoch))
        verify_report(s->p->v, SEVERITY_DAMAGE, at_batch(s, batch), "the marker cannot be read");
    began = state->txn_first_offset;
    producer_apply_marker(state, batch->header, coordinator_epoch);
    if (type != CONTROL_ABORT || began < 0)
        return;
    open = producer_book_first_open(s->p->producers);
    segment_indexes_abort(s,
                          &(TxnEntry){.producer_id = id,
                                      .first_offset = began,
                                      .last_offset = record->offset,
                                      .last_stable_offset = open >= 0 ? open : record->offset + 1});
}

static int
check_records(SegmentCheck *s, LogWalk *walk, const WalkedBatch *batch, ErrInfo *err)
{
    int64_t last = batch_base_offset(batch->header) - 1;
    Arena *arena = arena_new(RECORD_ARENA_BYTES, 0);
    RecordStatus status = RECORD_GARBLED;
    RecordIter *iter = NULL;
    Record record;
    BytesView bytes;
    int rc = arena == NULL ? err_set(err, OT_E_NO_MEMORY, "no memory for records")
                           : log_walk_load(walk, batch, &bytes, err);

    if (rc == 0)
        iter = record_iter_open(bytes, arena);
    while (iter != NULL && (status = record_iter_next(iter, &record)) == RECORD_OK) {
        check_record(s, batch, &record, &last);
        if (batch_is_control(batch->header) && batch_has_producer_id(batch->header))
            note_marker(s, batch, &record);
    }
    if (rc == 0 && status != RECORD_END)
        verify_report(s->p->v, SEVERITY_DAMAGE, at_batch(s, batch), "records cannot be read: %s",
                      iter == NULL ? "unknown codec" : record_iter_reason(iter));
    record_iter_close(iter);
    arena_free(arena);
    return rc;
}

static int
check_batch(SegmentCheck *s, LogWalk *walk, const WalkedBatch *batch, ErrInfo *err)
{
    const uint8_t *h = batch->header;
    ProducerState *state;
    int rc;

    s->p->v->batches++;
    s->p->v->bytes += batch->size;
    if (!batch->crc_ok) {
        verify_report(s->p->v, SEVERITY_DAMAGE, at_batch(s, batch),
                      "checksum is wrong, of batch %" PRId64 " of the segment", s->batches);
        s->batches++;
        check_offsets(s, batch);
        segment_indexes_batch(s, batch);
        return 0;
    }
    s->batches++;
    check_offsets(s, batch);
    check_epoch(s, batch);
    rc = check_snapshots_until(s->p, batch_base_offset(h), err);
    if (rc == 0 && !batch_is_control(h) && batch_has_producer_id(h)) {
        state = producer_book_find(s->p->producers, batch_producer_id(h), true);
        if (state == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for producers");
        producer_apply_batch(state, h);
    }
    if (rc == 0)
        rc = check_records(s, walk, batch, err);
    if (batch_max_timestamp(h) > s->max_timestamp)
        s->max_timestamp = batch_max_timestamp(h);
    segment_indexes_batch(s, batch);
    return rc;
}

/* ---- the end -------------------------------------------------------------------------------------- */

static void
check_tail(const SegmentCheck *s, const LogWalk *walk, BatchScan what)
{
    int64_t rest = walk->size - walk->scan.pos;
    Place place = {s->path, -1, walk->scan.pos};

    if (rest == 0)
        return;
    if (what == BATCH_SCAN_OLD_FORMAT)
        verify_report(s->p->v, SEVERITY_DAMAGE, place, "batches of an old format");
    else if (s->last && !s->p->dir->clean)
        verify_report(s->p->v, SEVERITY_NOTE, place,
                      "%" PRId64 " bytes of a torn tail: the next start cuts them", rest);
    else
        verify_report(s->p->v, SEVERITY_DAMAGE, place, "%" PRId64 " bytes that are no batch", rest);
}

static int
walk_segment(SegmentCheck *s, LogWalk *walk, ErrInfo *err)
{
    BatchScan what;
    int rc;

    for (;;) {
        WalkedBatch batch;

        rc = log_walk_next(walk, &what, &batch, err);
        if (rc != 0)
            return rc;
        if (what != BATCH_SCAN_OK)
            break;
        if (!batch.crc_ok && s->last && !s->p->dir->clean && batch.pos + batch.size == walk->size) {
            walk->scan.pos = batch.pos; /* the last write of a node that lost power */
            break;
        }
        rc = check_batch(s, walk, &batch, err);
        if (rc != 0)
            return rc;
    }
    check_tail(s, walk, what);
    return 0;
}

int
verify_segment(PartitionCheck *p, int64_t base, bool last, ErrInfo *err)
{
    SegmentCheck s = {.p = p, .base = base, .last = last, .max_timestamp = -1};
    ArenaMark mark = arena_mark(p->arena);
    LogWalk walk;
    int rc;

    verify_segment_path(s.path, p->folder, base, ".log");
    if (p->first_base < 0)
        p->first_base = base;
    if (p->next_offset < 0)
        p->next_offset = base;
    rc = log_walk_open(&walk, s.path, err);
    if (rc != 0)
        return rc;
    rc = segment_indexes_load(&s, err);
    if (rc == 0)
        rc = walk_segment(&s, &walk, err);
    if (rc == 0)
        segment_indexes_end(&s);
    if (rc == 0 && p->v->repair && (s.index_wrong || s.time_wrong))
        rc = repair_indexes(&s, err);
    p->v->segments++;
    log_walk_close(&walk);
    arena_release(p->arena, mark);
    return rc;
}
