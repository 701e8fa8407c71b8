/*
 * plog_read.c - readers of a log: offsets, slices for sendfile, bytes that came since
 *
 * Runs in: backend. Never: takes a lock (but to open a log that nobody opened yet), copies records.
 * A reader copies the tuple, looks into the segment list and the index files, and checks at the end
 * that neither the slot nor the list became something else meanwhile; if so it starts again. A file
 * that is not there although the tuple names it was deleted in between: start again, too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/common/assert.h"
#include "storage/plog_int.h"

#define TRY_BYTES  8192 /* read at once to see whether it can be */
#define READ_TRIES 16   /* changes of the list that one reader sits out */

/* ---- a look at a log ---------------------------------------------------------------------------- */

int
plog_view(PartitionRef ref, PlogView *ret, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    int rc;

    if (slot == NULL || pslot_state(slot) != PSLOT_OPEN) {
        rc = plog_ensure_open(ref, err);
        if (rc != 0)
            return rc;
        slot = pslot_at(ref.slot);
    }
    ret->slot = slot;
    ret->list_generation = atomic_u32_load(&slot->list_generation);
    (void)pslot_read_tuple(slot, &ret->tuple); /* validity is checked by generations */
    if (!pslot_is_current(ref))
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition is deleted");
    return 0;
}

bool
plog_view_valid(const PlogView *view, PartitionRef ref)
{
    fence_acquire();
    return pslot_is_current(ref) &&
           atomic_u32_load(&view->slot->list_generation) == view->list_generation;
}

static void
plog_fill_offsets(const PartitionSlot *slot, const PlogTuple *t, PlogOffsets *ret)
{
    int64_t stable = t->high_watermark;
    int64_t durable = pslot_durable(slot, t);

    if (t->first_unstable >= 0 && t->first_unstable < stable)
        stable = t->first_unstable;
    *ret = (PlogOffsets){.log_start_offset = t->log_start,
                         .last_stable_offset = stable,
                         .high_watermark = t->high_watermark,
                         .log_end_offset = t->log_end,
                         .durable_offset = durable < t->log_end ? durable : t->log_end,
                         .leader_epoch = pslot_leadership(slot).leader_epoch};
}

int
plog_offsets(PartitionRef ref, PlogOffsets *ret, ErrInfo *err)
{
    PlogView view;
    int rc = plog_view(ref, &view, err);

    if (rc == 0)
        plog_fill_offsets(view.slot, &view.tuple, ret);
    return rc;
}

bool
plog_offsets_peek(PartitionRef ref, PlogOffsets *ret)
{
    PartitionSlot *slot = pslot_find(ref);
    PlogTuple t;

    memset(ret, 0, sizeof *ret);
    if (slot == NULL || pslot_state(slot) != PSLOT_OPEN)
        return false;
    (void)pslot_read_tuple(slot, &t); /* validity is checked by the generation */
    if (!pslot_is_current(ref))
        return false;
    plog_fill_offsets(slot, &t, ret);
    return true;
}

int64_t
plog_bound_offset(const PlogOffsets *offsets, PlogBound bound)
{
    switch (bound) {
    case PLOG_BOUND_LEO:
        return offsets->log_end_offset;
    case PLOG_BOUND_HW:
        return offsets->high_watermark;
    case PLOG_BOUND_LSO:
        return offsets->last_stable_offset;
    }
    ot_unreachable();
}

/* ---- segments of a view ------------------------------------------------------------------------- */

static void
active_view(const PlogTuple *t, SegmentView *ret)
{
    *ret = (SegmentView){.base = t->active_base,
                         .end_offset = t->log_end,
                         .max_timestamp = t->max_timestamp,
                         .max_timestamp_offset = t->max_timestamp_offset,
                         .size = t->active_size,
                         .active = true,
                         .list_index = t->seg_count};
}

bool
plog_segment_at(const PartitionSlot *slot, const PlogTuple *t, int32_t index, SegmentView *ret)
{
    SegEntry e;
    SegEntry next;

    if (index == t->seg_count) {
        active_view(t, ret);
        return true;
    }
    if (!seglist_get(slot, t, index, &e))
        return false;
    *ret = (SegmentView){.base = e.base_offset,
                         .end_offset = t->active_base,
                         .max_timestamp = e.max_timestamp,
                         .max_timestamp_offset = e.base_offset + e.max_timestamp_rel,
                         .size = e.size,
                         .list_index = index};
    if (index + 1 < t->seg_count) {
        if (!seglist_get(slot, t, index + 1, &next))
            return false;
        ret->end_offset = next.base_offset;
    }
    return true;
}

bool
plog_segment_of(const PartitionSlot *slot, const PlogTuple *t, int64_t offset, SegmentView *ret)
{
    SegEntry e;
    int32_t index;

    if (offset >= t->active_base) {
        active_view(t, ret);
        return true;
    }
    if (!seglist_find(t, offset, &index, &e))
        return false;
    return plog_segment_at(slot, t, index < 0 ? 0 : index, ret);
}

bool
plog_segment_after(const PartitionSlot *slot, const PlogTuple *t, const SegmentView *seg,
                   SegmentView *ret)
{
    ot_assert(!seg->active);
    return plog_segment_at(slot, t, seg->list_index + 1, ret);
}

int64_t
plog_size_bytes(PartitionRef ref)
{
    PlogView view = {.slot = pslot_find(ref)};
    int tries;

    for (tries = 0; tries < READ_TRIES; tries++) {
        int64_t bytes;
        int32_t i;

        if (view.slot == NULL || pslot_state(view.slot) != PSLOT_OPEN ||
            plog_view(ref, &view, NULL) != 0)
            return 0;
        bytes = view.tuple.active_size;
        for (i = 0; i < view.tuple.seg_count; i++) {
            SegmentView seg;

            if (!plog_segment_at(view.slot, &view.tuple, i, &seg))
                break;
            bytes += seg.size;
        }
        if (i == view.tuple.seg_count && plog_view_valid(&view, ref))
            return bytes;
    }
    return 0; /* retention takes segments faster than they can be counted */
}

/* ---- positions ---------------------------------------------------------------------------------- */

/*
 * Positions this process met lately, so that a consumer at the tail costs no look into index or log:
 * its next fetch begins where the last answer, or its last empty look, ended. Direct-mapped.
 */
#define PLACE_CACHE_SIZE 1024

typedef struct CachedPlace {
    int64_t offset;
    int64_t base;
    uint32_t generation;
    int32_t slot;
    int32_t pos;
} CachedPlace;

static CachedPlace place_cache[PLACE_CACHE_SIZE];

static CachedPlace *
cache_cell(const PartitionSlot *slot, int64_t offset)
{
    uint64_t mixed = (uint64_t)offset * UINT64_C(0x9e3779b97f4a7c15) +
                     (uint64_t)pslot_index(slot) * UINT64_C(0xc2b2ae3d27d4eb4f);

    return &place_cache[mixed >> 54];
}

static_assert(PLACE_CACHE_SIZE == 1 << 10, "the shift above");

static void
remember_place(const PartitionSlot *slot, int64_t base, int64_t offset, int32_t pos)
{
    *cache_cell(slot, offset) = (CachedPlace){.offset = offset,
                                              .base = base,
                                              .generation = atomic_u32_load(&slot->generation),
                                              .slot = pslot_index(slot),
                                              .pos = pos};
}

/* True: a batch that begins with exactly this offset stands at *ret_pos of the segment. */
static bool
recall_place(const PartitionSlot *slot, const SegmentView *seg, int64_t offset, int32_t *ret_pos)
{
    const CachedPlace *c = cache_cell(slot, offset);

    if (c->offset != offset || c->base != seg->base || c->slot != pslot_index(slot) ||
        c->generation != atomic_u32_load(&slot->generation) || c->pos >= seg->size)
        return false;
    *ret_pos = c->pos;
    return true;
}

int
plog_place_of(const PlogView *view, const SegmentView *seg, int64_t offset, FileRef *file,
              BatchPlace *ret, ErrInfo *err)
{
    uint8_t buffer[SCAN_BUFFER_MIN];
    SegmentScan scan;
    IndexEntry entry;
    int rc;

    ret->found = false;
    rc = offset_index_find(view->slot, &view->tuple, seg, offset, &entry, err);
    if (rc != 0)
        return rc;
    segment_scan_init(&scan, file->fd, entry.pos, seg->size);
    segment_scan_set_buffer(&scan, buffer, sizeof buffer);
    for (;;) {
        ScannedBatch batch;
        BatchScan what;

        rc = segment_scan_next(&scan, &what, &batch, err);
        if (rc != 0)
            return rc;
        if (what == BATCH_SCAN_END)
            return 0;
        if (what != BATCH_SCAN_OK)
            return err_set(err, OT_E_CORRUPT, "%s-%d: no batch at position %lld of segment %lld",
                           view->slot->topic, (int)view->slot->partition, (long long)scan.pos,
                           (long long)seg->base);
        if (batch_last_offset(batch.header) < offset)
            continue;
        *ret = (BatchPlace){.found = true,
                            .pos = (int32_t)batch.pos,
                            .size = (int32_t)batch.size,
                            .base_offset = batch_base_offset(batch.header),
                            .last_offset = batch_last_offset(batch.header)};
        return 0;
    }
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* One attempt; *ret_again: the log changed under it. */
typedef struct ReadTry {
    const PlogReadArgs *args;
    PlogReadResult *ret;
    PlogView view;
    int64_t bound;
    bool again;
} ReadTry;

/* Opens the .log; a vanished file means that the list changed. */
static int
open_log(ReadTry *r, const SegmentView *seg, FileRef **ret, ErrInfo *err)
{
    int rc = fd_cache_get(r->view.slot, seg->base, SEGMENT_LOG, false, ret, err);

    if (rc == OT_E_NOT_FOUND) {
        r->again = true;
        return rc;
    }
    if (rc != 0 && err != NULL)
        err->code = OT_E_KAFKA_STORAGE_ERROR;
    return rc == 0 ? 0 : OT_E_KAFKA_STORAGE_ERROR;
}

/* Reading failed: EIO harms this partition's request alone. */
static int
read_failed(int code, ErrInfo *err)
{
    if (code == OT_E_NOT_FOUND)
        return code;
    if (err != NULL)
        err->code = OT_E_KAFKA_STORAGE_ERROR;
    return OT_E_KAFKA_STORAGE_ERROR;
}

/* Byte position of the bound in this segment: the end of what may be read of it. */
static int
bound_position(const ReadTry *r, const SegmentView *seg, FileRef *file, int32_t *ret, ErrInfo *err)
{
    const PlogTuple *t = &r->view.tuple;
    BatchPlace place;
    int rc;

    *ret = seg->size;
    if (r->bound >= seg->end_offset)
        return 0;
    if (r->bound == t->high_watermark && seg->active && t->hw_pos >= 0) {
        *ret = t->hw_pos;
        return 0;
    }
    rc = plog_place_of(&r->view, seg, r->bound, file, &place, err);
    if (rc == 0 && place.found)
        *ret = place.pos;
    return rc == 0 ? 0 : read_failed(rc, err);
}

/* Size of the batch at a position, for the rule that a first batch is given whole. */
static int
first_batch_size(FileRef *file, int32_t pos, int32_t limit, int32_t *ret, ErrInfo *err)
{
    uint8_t prefix[BATCH_OVERHEAD_BYTES];
    int64_t size;
    int rc = vfs_pread_full(file->fd, prefix, sizeof prefix, pos, err);

    if (rc != 0)
        return read_failed(rc, err);
    size = batch_size(prefix);
    *ret = size < 0 || size > limit - pos ? limit - pos : (int32_t)size;
    return 0;
}

/* Positions of a segment. */
typedef struct PosRange {
    int32_t from;
    int32_t to;
} PosRange;

/* How much of more bytes than the most: whole first batches only, because a consumer takes part of one for an error. */
static int
length_within(const PlogReadArgs *args, FileRef *file, PosRange range, int32_t *ret, ErrInfo *err)
{
    int32_t first;
    int rc;

    *ret = 0;
    if (args->max_bytes == 0 && !args->min_one_batch)
        return 0;
    rc = first_batch_size(file, range.from, range.to, &first, err);
    if (rc == 0 && first <= args->max_bytes)
        *ret = args->max_bytes;
    else if (rc == 0 && args->min_one_batch)
        *ret = first;
    return rc;
}

/*
 * Bytes of this log could not be read once, when an answer that promised them was half sent. So they are
 * tried first: what cannot be read ends the slice, and without its first batch there is no answer.
 */
static int
shorten_to_readable(FileRef *file, int32_t pos, int32_t limit, int32_t *length, ErrInfo *err)
{
    uint8_t buffer[TRY_BYTES];
    int32_t done = 0;
    int32_t first;
    int rc = first_batch_size(file, pos, limit, &first, err);

    while (rc == 0 && done < *length) {
        int32_t n = *length - done < TRY_BYTES ? *length - done : TRY_BYTES;

        rc = vfs_pread_full(file->fd, buffer, (size_t)n, pos + done, err);
        if (rc == 0)
            done += n;
    }
    if (rc != 0 && done < first)
        return read_failed(rc, err);
    *length = done;
    return 0;
}

/* Position and length are known: fills slice and start. */
static int
fill_slice(ReadTry *r, const SegmentView *seg, FileRef *file, int32_t pos, ErrInfo *err)
{
    PlogReadResult *ret = r->ret;
    int32_t length;
    int32_t limit;
    int rc = bound_position(r, seg, file, &limit, err);

    if (rc != 0)
        return rc;
    ret->start = (PlogPosition){r->args->fetch_offset, seg->base, pos};
    length = limit - pos;
    if (length > r->args->max_bytes) {
        rc = length_within(r->args, file, (PosRange){pos, limit}, &length, err);
        if (rc != 0)
            return rc;
    } else if (r->bound < seg->end_offset || seg->active) {
        remember_place(r->view.slot, seg->base, r->bound, limit);
    }
    if (length <= 0) {
        fd_cache_put(file);
        return 0;
    }
    if (atomic_u32_load(&r->view.slot->unreadable) != 0) {
        rc = shorten_to_readable(file, pos, limit, &length, err);
        if (rc != 0)
            return rc;
    }
    ret->slice = (PlogSlice){.file = file, .fd = file->fd, .len = length, .pos = pos};
    ret->upper_bound = seg->end_offset;
    return 0;
}

/* Finds the segment and position of the fetch offset, which lies below LEO. */
static int
locate(ReadTry *r, SegmentView *ret_seg, FileRef **ret_file, int32_t *ret_pos, ErrInfo *err)
{
    int64_t offset = r->args->fetch_offset;

    if (!plog_segment_of(r->view.slot, &r->view.tuple, offset, ret_seg)) {
        r->again = true;
        return OT_E_NOT_FOUND;
    }
    for (;;) {
        BatchPlace place = {.found = true};
        int rc = open_log(r, ret_seg, ret_file, err);

        if (rc != 0)
            return rc;
        if (!recall_place(r->view.slot, ret_seg, offset, ret_pos)) {
            rc = plog_place_of(&r->view, ret_seg, offset, *ret_file, &place, err);
            *ret_pos = place.pos;
        }
        if (rc == 0 && place.found)
            return 0;
        fd_cache_put(*ret_file);
        *ret_file = NULL;
        if (rc != 0)
            return read_failed(rc, err);
        if (ret_seg->active)
            return 0; /* nothing at or above the offset */
        if (!plog_segment_after(r->view.slot, &r->view.tuple, ret_seg, ret_seg)) {
            r->again = true;
            return OT_E_NOT_FOUND;
        }
    }
}

static int
read_once(ReadTry *r, ErrInfo *err)
{
    PlogReadResult *ret = r->ret;
    const PlogTuple *t = &r->view.tuple;
    int64_t offset = r->args->fetch_offset;
    FileRef *file = NULL;
    SegmentView seg;
    int32_t pos = 0;
    int rc;

    memset(ret, 0, sizeof *ret);
    ret->slice.fd = -1;
    plog_fill_offsets(r->view.slot, t, &ret->offsets);
    r->bound = plog_bound_offset(&ret->offsets, r->args->bound);
    if (offset < t->log_start || offset > t->log_end)
        return err_set(err, OT_E_OFFSET_OUT_OF_RANGE, "offset %lld is outside [%lld, %lld]",
                       (long long)offset, (long long)t->log_start, (long long)t->log_end);
    if (offset == t->log_end) {
        ret->start = (PlogPosition){offset, t->active_base, t->active_size};
        remember_place(r->view.slot, t->active_base, offset, t->active_size);
        return 0;
    }
    rc = locate(r, &seg, &file, &pos, err);
    if (rc == 0 && file == NULL)
        ret->start = (PlogPosition){offset, t->active_base, t->active_size};
    if (rc != 0 || file == NULL)
        return rc;
    if (offset >= r->bound) {
        ret->start = (PlogPosition){offset, seg.base, pos};
        fd_cache_put(file);
        return 0;
    }
    rc = fill_slice(r, &seg, file, pos, err);
    if (rc != 0)
        fd_cache_put(file);
    return rc;
}

int
plog_read(PartitionRef ref, const PlogReadArgs *args, PlogReadResult *ret, ErrInfo *err)
{
    ReadTry r = {.args = args, .ret = ret};
    int tries;

    ot_assert(args->max_bytes >= 0);
    for (tries = 0; tries < READ_TRIES; tries++) {
        int rc = plog_view(ref, &r.view, err);

        if (rc != 0)
            return rc;
        r.again = false;
        rc = read_once(&r, err);
        if (rc == 0 && plog_view_valid(&r.view, ref))
            return 0;
        if (rc != 0 && !r.again && rc != OT_E_NOT_FOUND && plog_view_valid(&r.view, ref))
            return rc;
        plog_slice_release(&ret->slice);
    }
    return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "partition changes faster than it can be read");
}

/* ---- bytes that came since ---------------------------------------------------------------------- */

static int
available_below_end(PartitionRef ref, const PlogPosition *start, PlogBound bound,
                    PlogAvailable *ret, ErrInfo *err)
{
    /* The bound lies below LEO: a read up to it says how much there is. */
    PlogReadArgs args = {start->offset, bound, INT32_MAX, false};
    PlogReadResult read;
    int rc = plog_read(ref, &args, &read, err);

    if (rc != 0)
        return rc;
    ret->bytes = read.slice.len;
    ret->full = read.slice.len > 0 && read.upper_bound <= plog_bound_offset(&read.offsets, bound) &&
                read.upper_bound < read.offsets.log_end_offset;
    plog_slice_release(&read.slice);
    return 0;
}

int
plog_available(PartitionRef ref, const PlogPosition *start, PlogBound bound, PlogAvailable *ret,
               ErrInfo *err)
{
    PlogOffsets offsets;
    PlogView view;
    int64_t end;
    int rc = plog_view(ref, &view, err);

    if (rc != 0)
        return rc;
    *ret = (PlogAvailable){0};
    plog_fill_offsets(view.slot, &view.tuple, &offsets);
    end = plog_bound_offset(&offsets, bound);
    if (start->offset > end) {
        ret->truncated = start->offset > offsets.log_end_offset;
        return 0;
    }
    if (start->offset == end)
        return 0;
    if (end < offsets.log_end_offset)
        return available_below_end(ref, start, bound, ret, err);
    ret->full = view.tuple.active_base > start->segment_base;
    if (!ret->full)
        ret->bytes = view.tuple.active_size - start->pos;
    return 0;
}
