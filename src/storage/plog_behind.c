/*
 * plog_behind.c - how much of a log lies between an offset and its high watermark, and since when
 *
 * Runs in: backend. Never: takes a lock (but to open a log that nobody opened yet). What a consumer group lags
 * behind (design.md 11) is told from the tuple, the segment list and the indexes; of the records only the batch
 * is read that holds the first of them, and only its header where that says enough.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/protocol/record.h"
#include "storage/plog_int.h"

#define BEHIND_TRIES   16 /* changes of the list that one reader sits out */
#define BEHIND_BATCHES 64 /* without a record that is left, one behind the other */

typedef struct Search {
    PlogView view;
    int64_t from;
    Arena *arena;
    PlogBehind *ret;
    bool timed; /* the timestamp is known, or not to be had */
} Search;

/* The timestamp of the first record at or above from, in one batch; false: it has none. */
static int
timestamp_in_batch(const Search *s, const FileRef *file, const BatchPlace *place, int64_t *ret,
                   bool *ret_found, ErrInfo *err)
{
    ArenaMark mark = arena_mark(s->arena);
    uint8_t header[BATCH_HEADER_BYTES];
    RecordIter *iter = NULL;
    Record record;
    uint8_t *bytes;
    int rc = vfs_pread_full(file->fd, header, sizeof header, place->pos, err);

    *ret_found = false;
    if (rc != 0)
        return rc;
    if (batch_has_append_time(header) ||
        (s->from <= place->base_offset &&
         batch_record_count(header) == (int64_t)batch_last_offset_delta(header) + 1)) {
        *ret = batch_has_append_time(header) ? batch_max_timestamp(header)
                                             : batch_base_timestamp(header);
        *ret_found = batch_record_count(header) > 0;
        return 0;
    }
    bytes = arena_alloc(s->arena, (size_t)place->size);
    if (bytes == NULL)
        return OT_E_NO_MEMORY;
    rc = vfs_pread_full(file->fd, bytes, (size_t)place->size, place->pos, err);
    if (rc == 0)
        iter = record_iter_open((BytesView){bytes, place->size}, s->arena);
    while (iter != NULL && !*ret_found && record_iter_next(iter, &record) == RECORD_OK)
        if (record.offset >= s->from) {
            *ret = record.timestamp;
            *ret_found = true;
        }
    record_iter_close(iter);
    arena_release(s->arena, mark);
    return rc;
}

/* Compaction leaves batches whose last records, or all, are gone: the next ones tell. */
static int
find_timestamp(Search *s, const SegmentView *seg, FileRef *file, BatchPlace place, ErrInfo *err)
{
    int rc = 0;

    for (int i = 0; i < BEHIND_BATCHES && rc == 0 && place.found && !s->timed; i++) {
        rc = timestamp_in_batch(s, file, &place, &s->ret->timestamp, &s->timed, err);
        if (rc == 0 && !s->timed)
            rc = plog_place_of(&s->view, seg, place.last_offset + 1, file, &place, err);
    }
    if (rc != OT_E_NO_MEMORY)
        return rc;
    s->timed = true;
    s->ret->timestamp = -1;
    return 0;
}

/* Bytes of a segment below the high watermark: exact, or to the index entry below it. */
static int
bytes_below(const Search *s, const SegmentView *seg, int64_t *ret, ErrInfo *err)
{
    const PlogTuple *t = &s->view.tuple;
    IndexEntry entry;
    int rc;

    *ret = seg->size;
    if (t->high_watermark >= seg->end_offset)
        return 0;
    if (seg->active && t->hw_pos >= 0) {
        *ret = t->hw_pos;
        return 0;
    }
    rc = offset_index_find(s->view.slot, t, seg, t->high_watermark, &entry, err);
    if (rc == 0)
        *ret = entry.pos;
    return rc;
}

/* What a segment adds; the first one begins with the batch that holds from, if it still has one. */
static int
add_segment(Search *s, const SegmentView *seg, ErrInfo *err)
{
    BatchPlace place = {0};
    FileRef *file;
    int64_t end;
    int rc = bytes_below(s, seg, &end, err);

    if (rc != 0)
        return rc;
    if (s->timed) {
        s->ret->bytes += end;
        return 0;
    }
    rc = fd_cache_get(s->view.slot, seg->base, SEGMENT_LOG, false, &file, err);
    if (rc != 0)
        return rc;
    rc = plog_place_of(&s->view, seg, s->from > seg->base ? s->from : seg->base, file, &place, err);
    if (rc == 0 && place.found && end > place.pos)
        s->ret->bytes += end - place.pos;
    if (rc == 0 && place.found)
        rc = find_timestamp(s, seg, file, place, err);
    fd_cache_put(file);
    return rc;
}

static int
measure(Search *s, ErrInfo *err)
{
    const PlogTuple *t = &s->view.tuple;
    SegmentView seg;
    int rc = 0;

    *s->ret = (PlogBehind){.timestamp = -1};
    s->timed = false;
    if (s->from < t->log_start)
        s->from = t->log_start;
    if (s->from >= t->high_watermark || !s->view.slot->has_folder)
        return 0;
    if (!plog_segment_of(s->view.slot, t, s->from, &seg))
        return OT_E_NOT_FOUND;
    for (;;) {
        rc = add_segment(s, &seg, err);
        if (rc != 0 || seg.active || seg.end_offset >= t->high_watermark)
            return rc;
        if (!plog_segment_after(s->view.slot, t, &seg, &seg))
            return OT_E_NOT_FOUND;
    }
}

int
plog_behind(PartitionRef ref, int64_t offset, Arena *arena, PlogBehind *ret, ErrInfo *err)
{
    Search s = {.from = offset, .arena = arena, .ret = ret};

    for (int tries = 0; tries < BEHIND_TRIES; tries++) {
        int rc = plog_view(ref, &s.view, err);

        if (rc != 0)
            return rc;
        rc = measure(&s, err);
        if (plog_view_valid(&s.view, ref) && rc != OT_E_NOT_FOUND)
            return rc;
    }
    return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "partition changes faster than it can be read");
}
