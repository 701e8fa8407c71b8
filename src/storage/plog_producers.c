/*
 * plog_producers.c - producer state of a log: replay from the log, listing, expiry; under the append lock
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/protocol/record.h"
#include "storage/plog_int.h"

#define MARKER_BYTES_MAX 4096 /* a marker is 78 bytes; longer ones are read up to here */

/* ---- replay ------------------------------------------------------------------------------------- */

typedef struct Replay {
    PartitionSlot *slot;
    PlogTuple *tuple;
    const SegmentView *seg;
    int fd;
    int64_t from;
    int64_t txn_from;
    Arena *arena;
    int64_t txn_size; /* bytes of the segment's .txnindex written so far */
} Replay;

/* Type and coordinator epoch of a control batch; false: not a transaction marker. */
static bool
read_marker(const Replay *r, const ScannedBatch *batch, int16_t *ret_type,
            int32_t *ret_coordinator_epoch)
{
    uint8_t bytes[MARKER_BYTES_MAX];
    ArenaMark mark = arena_mark(r->arena);
    RecordIter *iter;
    Record record;
    bool ok = false;

    if (batch->size > MARKER_BYTES_MAX || batch_record_count(batch->header) != 1 ||
        vfs_pread_full(r->fd, bytes, (size_t)batch->size, batch->pos, NULL) != 0)
        return false;
    iter = record_iter_open((BytesView){bytes, (int32_t)batch->size}, r->arena);
    if (iter != NULL && record_iter_next(iter, &record) == RECORD_OK)
        ok = control_record_type(record.key, ret_type) &&
             control_end_txn_epoch(record.value, ret_coordinator_epoch);
    record_iter_close(iter);
    arena_release(r->arena, mark);
    return ok && (*ret_type == CONTROL_ABORT || *ret_type == CONTROL_COMMIT);
}

typedef struct OtherTxn {
    int64_t producer_id;
    int64_t first; /* earliest open transaction of another producer, -1: none */
} OtherTxn;

static void
consider_other(ProducerEntry *entry, void *arg)
{
    OtherTxn *o = arg;
    ProducerState state;

    producer_get(entry, &state);
    if (producer_entry_id(entry) == o->producer_id || state.txn_first_offset < 0)
        return;
    if (o->first < 0 || state.txn_first_offset < o->first)
        o->first = state.txn_first_offset;
}

/* One entry of the .txnindex (6.4). */
static int
note_abort(Replay *r, int64_t producer_id, int64_t first, int64_t last, ErrInfo *err)
{
    OtherTxn other = {producer_id, -1};
    uint8_t at[TXN_ENTRY_BYTES];
    FileRef *file;
    int rc;

    producer_each(r->slot, consider_other, &other);
    txn_entry_encode(at,
                     (TxnEntry){.producer_id = producer_id,
                                .first_offset = first,
                                .last_offset = last,
                                .last_stable_offset = other.first >= 0 ? other.first : last + 1});
    rc = fd_cache_get(r->slot, r->seg->base, SEGMENT_TXNINDEX, true, &file, err);
    if (rc != 0)
        return rc;
    rc = vfs_pwrite(file->fd, at, sizeof at, r->txn_size, err);
    fd_cache_put(file);
    if (rc == 0) {
        atomic_u32_store(&r->slot->has_aborted, 1);
        r->txn_size += TXN_ENTRY_BYTES;
        if (r->seg->active)
            r->tuple->txn_index_size = (int32_t)r->txn_size;
    }
    return rc;
}

static int
replay_marker(Replay *r, ProducerEntry *entry, const ScannedBatch *batch, ErrInfo *err)
{
    uint8_t header[BATCH_HEADER_BYTES];
    ProducerState state;
    int32_t coordinator_epoch;
    int16_t type;
    int64_t last;
    int rc = 0;

    memcpy(header, batch->header, sizeof header);
    if (!read_marker(r, batch, &type, &coordinator_epoch))
        return 0;
    last = batch_last_offset(header);
    producer_get(entry, &state);
    if (type == CONTROL_ABORT && state.txn_first_offset >= 0 && last >= r->txn_from)
        rc = note_abort(r, producer_entry_id(entry), state.txn_first_offset, last, err);
    producer_apply_marker(&state, header, coordinator_epoch);
    producer_put(entry, &state);
    return rc;
}

static int
replay_batch(Replay *r, const ScannedBatch *batch, ErrInfo *err)
{
    ProducerEntry *entry;
    ProducerState state;

    if (!batch_has_producer_id(batch->header) || batch_last_offset(batch->header) < r->from)
        return 0;
    entry = producer_obtain(r->slot, batch_producer_id(batch->header));
    if (entry == NULL)
        return err_set(err, OT_E_LIMIT,
                       "producer.state.entries is too small for open transactions");
    if (batch_is_control(batch->header))
        return replay_marker(r, entry, batch, err);
    producer_get(entry, &state);
    producer_apply_batch(&state, batch->header);
    producer_put(entry, &state);
    return 0;
}

/* Where in the segment the replay begins; entries of a rebuilt .txnindex behind it go. */
static int
begin_segment(Replay *r, FileRef *log, int64_t *ret_pos, ErrInfo *err)
{
    PlogView view = {.slot = r->slot, .tuple = *r->tuple};
    BatchPlace place;
    int rc;

    *ret_pos = 0;
    r->txn_size = 0;
    if (r->from <= r->seg->base)
        return 0;
    rc = plog_place_of(&view, r->seg, r->from, log, &place, err);
    if (rc == 0)
        *ret_pos = place.found ? place.pos : r->seg->size;
    return rc;
}

/* Bytes of whole .txnindex entries whose marker lies before an offset. */
static int
txn_index_keep(const Replay *r, int64_t offset, int64_t *ret_size, ErrInfo *err)
{
    uint8_t at[TXN_ENTRY_BYTES];
    FileRef *file;
    int64_t pos = 0;
    int rc = fd_cache_get(r->slot, r->seg->base, SEGMENT_TXNINDEX, false, &file, err);

    *ret_size = 0;
    if (rc == OT_E_NOT_FOUND)
        return 0;
    if (rc != 0)
        return rc;
    while (vfs_pread_full(file->fd, at, sizeof at, pos, NULL) == 0 &&
           txn_entry_decode(at).last_offset < offset && txn_entry_decode(at).version == 0)
        pos += TXN_ENTRY_BYTES;
    rc = vfs_truncate(file->fd, pos, err);
    fd_cache_put(file);
    *ret_size = pos;
    return rc;
}

static int
replay_segment(Replay *r, uint8_t *buffer, ErrInfo *err)
{
    SegmentScan scan;
    ScannedBatch batch;
    BatchScan what;
    FileRef *log;
    int64_t pos;
    int rc = fd_cache_get(r->slot, r->seg->base, SEGMENT_LOG, false, &log, err);

    if (rc != 0)
        return rc;
    r->fd = log->fd;
    rc = begin_segment(r, log, &pos, err);
    if (rc == 0 && r->seg->end_offset > r->txn_from)
        rc = txn_index_keep(r, r->txn_from, &r->txn_size, err);
    if (rc == 0 && r->seg->end_offset > r->txn_from && r->seg->active)
        r->tuple->txn_index_size = (int32_t)r->txn_size;
    segment_scan_init(&scan, log->fd, pos, r->seg->size);
    segment_scan_set_buffer(&scan, buffer, SCAN_BUFFER_MIN);
    while (rc == 0) {
        rc = segment_scan_next(&scan, &what, &batch, err);
        if (rc != 0 || what != BATCH_SCAN_OK)
            break;
        rc = replay_batch(r, &batch, err);
    }
    fd_cache_put(log);
    return rc;
}

int
plog_replay_producers(PartitionSlot *slot, PlogTuple *tuple, int64_t from, int64_t txn_from,
                      ErrInfo *err)
{
    uint8_t buffer[SCAN_BUFFER_MIN];
    SegmentView seg;
    Replay r = {.slot = slot, .tuple = tuple, .seg = &seg, .from = from, .txn_from = txn_from};
    int rc = 0;
    bool more;

    if (!slot->has_folder || from >= tuple->log_end)
        return 0;
    r.arena = arena_new(65536, 0);
    if (r.arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to replay producers");
    more = plog_segment_of(slot, tuple, from, &seg);
    ot_assert(more); /* nobody else changes the list under the lock */
    while (rc == 0 && more) {
        rc = replay_segment(&r, buffer, err);
        more = !seg.active && plog_segment_after(slot, tuple, &seg, &seg);
    }
    arena_free(r.arena);
    if (rc == 0)
        tuple->first_unstable = producer_first_unstable(slot);
    return rc;
}

/* ---- listing and expiry ------------------------------------------------------------------------- */

typedef struct Listing {
    PlogProducer *list;
    int32_t count;
} Listing;

static void
list_entry(ProducerEntry *entry, void *arg)
{
    Listing *l = arg;
    ProducerState state;

    producer_get(entry, &state);
    l->list[l->count++] = (PlogProducer){.producer_id = producer_entry_id(entry),
                                         .epoch = state.epoch,
                                         .last_sequence = producer_last_sequence(&state),
                                         .last_timestamp = state.last_timestamp,
                                         .coordinator_epoch = state.coordinator_epoch,
                                         .txn_start_offset = state.txn_first_offset};
}

int
plog_producers(PartitionRef ref, Arena *arena, PlogProducer **ret, int32_t *ret_count, ErrInfo *err)
{
    Listing l = {0};
    PartitionSlot *slot;
    int rc = plog_lock(ref, &slot, err);

    if (rc != 0)
        return rc;
    l.list = arena_calloc(arena, (size_t)slot->producer_count + 1, sizeof *l.list);
    if (l.list != NULL)
        producer_each(slot, list_entry, &l);
    else
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for %u producers", slot->producer_count);
    plog_unlock(slot);
    *ret = l.list;
    *ret_count = l.count;
    return rc;
}

typedef struct Expiry {
    int64_t before; /* last timestamps at or below are too old */
    ProducerEntry **found;
    int32_t count;
} Expiry;

static void
consider_expiry(ProducerEntry *entry, void *arg)
{
    Expiry *e = arg;
    ProducerState state;

    if (e->count == PLOG_EXPIRE_MAX)
        return;
    producer_get(entry, &state);
    if (state.txn_first_offset < 0 && state.last_timestamp <= e->before)
        e->found[e->count++] = entry;
}

int32_t
plog_expire_producers(PartitionRef ref, int64_t now_ms, int64_t expiration_ms)
{
    Expiry e = {.before = now_ms - expiration_ms,
                .found = malloc(PLOG_EXPIRE_MAX * sizeof(ProducerEntry *))};
    PartitionSlot *slot;
    int32_t i;

    if (e.found == NULL || plog_try_lock(ref, &slot, NULL) != 0) {
        free(e.found);
        return 0; /* busy: the next round sees it */
    }
    if (pslot_state(slot) == PSLOT_OPEN) {
        producer_each(slot, consider_expiry, &e);
        for (i = 0; i < e.count; i++)
            producer_remove(slot, e.found[i]);
        if (e.count > 0)
            plog_mark_dirty(slot);
    }
    plog_unlock(slot);
    free(e.found);
    return e.count;
}
