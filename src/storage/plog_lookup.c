/*
 * plog_lookup.c - questions about a log: by timestamp, by leader epoch, aborted transactions
 *
 * Runs in: backend. Never: takes a lock (but to open a log that nobody opened yet).
 * Spec: log.md 14.1, 14.2, 7.3, 8.7; observed.md 4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "ottla/protocol/record.h"
#include "storage/plog_int.h"

#define LOOKUP_TRIES 16 /* changes of the list that one reader sits out */

/* ---- by timestamp ------------------------------------------------------------------------------- */

/* A search of one segment: the first batch and record that fit. */
typedef struct TimeSearch {
    const PlogView *view;
    SegmentView seg;
    int64_t target;
    int64_t least_offset;
    bool exact; /* the batch whose maximum is target, instead of the first at or above it */
    Arena *arena;
    PlogFound *ret;
} TimeSearch;

static const PlogFound nothing = {-1, -1, -1};

static int
storage_error(int code, ErrInfo *err)
{
    if (code == OT_E_NOT_FOUND || code == OT_E_NO_MEMORY)
        return code;
    if (err != NULL)
        err->code = OT_E_KAFKA_STORAGE_ERROR;
    return OT_E_KAFKA_STORAGE_ERROR;
}

static bool
record_fits(const TimeSearch *s, const Record *record)
{
    if (s->exact)
        return record->timestamp == s->target;
    return record->timestamp >= s->target && record->offset >= s->least_offset;
}

/* Looks into one batch; *ret_found. */
static int
search_batch(const TimeSearch *s, int fd, const ScannedBatch *batch, bool *ret_found, ErrInfo *err)
{
    ArenaMark mark = arena_mark(s->arena);
    int32_t epoch = batch_leader_epoch(batch->header);
    uint8_t *bytes = arena_alloc(s->arena, (size_t)batch->size);
    RecordIter *iter = NULL;
    Record record;
    int rc;

    *ret_found = false;
    if (bytes == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for a batch of %lld bytes",
                       (long long)batch->size);
    rc = vfs_pread_full(fd, bytes, (size_t)batch->size, batch->pos, err);
    if (rc == 0)
        iter = record_iter_open((BytesView){bytes, (int32_t)batch->size}, s->arena);
    while (iter != NULL && !*ret_found && record_iter_next(iter, &record) == RECORD_OK) {
        if (!record_fits(s, &record))
            continue;
        *s->ret = (PlogFound){record.offset, record.timestamp, epoch};
        *ret_found = true;
    }
    record_iter_close(iter);
    arena_release(s->arena, mark);
    return rc;
}

static int
search_from(const TimeSearch *s, FileRef *file, int32_t pos, ErrInfo *err)
{
    uint8_t buffer[SCAN_BUFFER_MIN];
    bool found = false;
    SegmentScan scan;
    int rc = 0;

    segment_scan_init(&scan, file->fd, pos, s->seg.size);
    segment_scan_set_buffer(&scan, buffer, sizeof buffer);
    while (rc == 0 && !found) {
        ScannedBatch batch;
        int64_t max_timestamp;
        BatchScan what;

        rc = segment_scan_next(&scan, &what, &batch, err);
        if (rc != 0 || what != BATCH_SCAN_OK)
            return rc;
        max_timestamp = batch_max_timestamp(batch.header);
        if (s->exact ? max_timestamp == s->target : max_timestamp >= s->target)
            rc = search_batch(s, file->fd, &batch, &found, err);
    }
    return rc;
}

/* Searches the segment from the batch that holds from_offset, or from what the index says of it. */
static int
search_segment(const TimeSearch *s, int64_t from_offset, ErrInfo *err)
{
    const PartitionSlot *slot = s->view->slot;
    IndexEntry entry;
    FileRef *file;
    int rc = offset_index_find(slot, &s->view->tuple, &s->seg, from_offset, &entry, err);

    if (rc == 0)
        rc = fd_cache_get(slot, s->seg.base, SEGMENT_LOG, false, &file, err);
    if (rc != 0)
        return storage_error(rc, err);
    rc = search_from(s, file, entry.pos, err);
    fd_cache_put(file);
    return rc == 0 ? 0 : storage_error(rc, err);
}

/* First segment whose largest timestamp reaches the target; *ret_some false: none. */
static bool
segment_by_timestamp(const PlogView *view, int64_t target, SegmentView *ret, bool *ret_some)
{
    int32_t i;

    *ret_some = false;
    for (i = 0; i <= view->tuple.seg_count; i++) {
        if (!plog_segment_at(view->slot, &view->tuple, i, ret))
            return false;
        if (ret->max_timestamp >= target && ret->size > 0) {
            *ret_some = true;
            break;
        }
    }
    return true;
}

static int
find_by_timestamp_once(TimeSearch *s, ErrInfo *err)
{
    const PlogView *view = s->view;
    int64_t from;
    TimeEntry entry;
    bool some;
    int rc;

    if (!segment_by_timestamp(view, s->target, &s->seg, &some))
        return OT_E_NOT_FOUND;
    if (!some)
        return 0;
    rc = time_index_find(view->slot, &view->tuple, &s->seg, s->target, &entry, err);
    if (rc != 0)
        return storage_error(rc, err);
    from = s->seg.base + entry.offset_rel;
    return search_segment(s, from > s->least_offset ? from : s->least_offset, err);
}

/* The first segment with the largest timestamp of all. */
static bool
segment_of_max(const PlogView *view, SegmentView *ret)
{
    SegmentView seg;
    int32_t i;

    for (i = 0; i <= view->tuple.seg_count; i++) {
        if (!plog_segment_at(view->slot, &view->tuple, i, &seg))
            return false;
        if (i == 0 || seg.max_timestamp > ret->max_timestamp)
            *ret = seg;
    }
    return true;
}

static int
find_max_once(TimeSearch *s, ErrInfo *err)
{
    if (!segment_of_max(s->view, &s->seg))
        return OT_E_NOT_FOUND;
    if (s->seg.size == 0)
        return 0;
    s->exact = true;
    s->target = s->seg.max_timestamp;
    return search_segment(s, s->seg.max_timestamp < 0 ? s->seg.base : s->seg.max_timestamp_offset,
                          err);
}

static int
find_with(PartitionRef ref, TimeSearch *s, int (*once)(TimeSearch *s, ErrInfo *err), ErrInfo *err)
{
    PlogView view;
    int tries;

    s->view = &view;
    for (tries = 0; tries < LOOKUP_TRIES; tries++) {
        int rc = plog_view(ref, &view, err);

        if (rc != 0)
            return rc;
        *s->ret = nothing;
        s->least_offset = view.tuple.log_start;
        if (view.slot->has_folder)
            rc = once(s, err);
        if (rc == OT_E_NO_MEMORY || (rc != OT_E_NOT_FOUND && plog_view_valid(&view, ref)))
            return rc;
    }
    return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "partition changes faster than it can be read");
}

int
plog_find_by_timestamp(PartitionRef ref, int64_t target_ms, Arena *arena, PlogFound *ret,
                       ErrInfo *err)
{
    TimeSearch s = {.target = target_ms, .arena = arena, .ret = ret};

    return find_with(ref, &s, find_by_timestamp_once, err);
}

int
plog_find_max_timestamp(PartitionRef ref, Arena *arena, PlogFound *ret, ErrInfo *err)
{
    TimeSearch s = {.arena = arena, .ret = ret};

    return find_with(ref, &s, find_max_once, err);
}

/* ---- epochs ------------------------------------------------------------------------------------- */

/*
 * The epochs of a log as its leader knows them: the file, without what lies before the log start,
 * and the present epoch, which began at LEO when nothing was appended in it. *ret malloc'ed.
 */
static int
load_epochs(const PlogView *view, EpochEntry **ret, int32_t *ret_count, ErrInfo *err)
{
    int32_t leader_epoch = pslot_leadership(view->slot).leader_epoch;
    char folder[LIMIT_PATH_BYTES];
    EpochEntry *list = NULL;
    EpochEntry *grown;
    int32_t count = 0;
    int rc = 0;

    if (view->slot->has_folder) {
        plog_folder_path(view->slot, folder);
        rc = epoch_file_load(folder, &list, &count, err);
    }
    if (rc != 0 && rc != OT_E_NOT_FOUND)
        return storage_error(rc, err);
    grown = realloc(list, ((size_t)count + 1) * sizeof *list);
    if (grown == NULL) {
        free(list);
        return err_set(err, OT_E_NO_MEMORY, "no memory for epochs");
    }
    count = epochs_truncate_start(grown, count, view->tuple.log_start);
    if (leader_epoch >= 0 && (count == 0 || grown[count - 1].epoch < leader_epoch))
        count = epochs_assign(grown, count, (EpochEntry){leader_epoch, view->tuple.log_end});
    *ret = grown;
    *ret_count = count;
    return 0;
}

int
plog_epoch_end_offset(PartitionRef ref, int32_t epoch, PlogEpochEnd *ret, ErrInfo *err)
{
    EpochEntry *list;
    EpochEntry end;
    PlogView view;
    int32_t count;
    int rc = plog_view(ref, &view, err);

    if (rc != 0)
        return rc;
    if (epoch >= 0 && epoch == pslot_leadership(view.slot).leader_epoch) {
        *ret = (PlogEpochEnd){epoch, view.tuple.log_end};
        return 0;
    }
    rc = load_epochs(&view, &list, &count, err);
    if (rc != 0)
        return rc;
    end = epochs_end_offset(list, count, epoch, view.tuple.log_end);
    *ret = (PlogEpochEnd){end.epoch, end.start_offset};
    free(list);
    return 0;
}

int
plog_find_earliest(PartitionRef ref, PlogFound *ret, ErrInfo *err)
{
    EpochEntry *list;
    PlogView view;
    int32_t count;
    int rc = plog_view(ref, &view, err);

    if (rc == 0)
        rc = load_epochs(&view, &list, &count, err);
    if (rc != 0)
        return rc;
    *ret = (PlogFound){.offset = view.tuple.log_start, .timestamp = -1, .leader_epoch = -1};
    if (count > 0 && list[0].start_offset <= view.tuple.log_start)
        ret->leader_epoch = list[0].epoch;
    free(list);
    return 0;
}

/* ---- aborted transactions ----------------------------------------------------------------------- */

typedef struct AbortedList {
    Arena *arena;
    PlogAborted *list;
    int32_t count;
    int32_t size;
} AbortedList;

static int
add_aborted(AbortedList *l, PlogAborted add, ErrInfo *err)
{
    if (l->count == l->size) {
        int32_t size = l->size == 0 ? 16 : l->size * 2;
        PlogAborted *grown = arena_calloc(l->arena, (size_t)size, sizeof *grown);

        if (grown == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for aborted transactions");
        if (l->count > 0)
            memcpy(grown, l->list, (size_t)l->count * sizeof *grown);
        l->list = grown;
        l->size = size;
    }
    l->list[l->count++] = add;
    return 0;
}

typedef struct AbortedSearch {
    int64_t fetch_offset;
    int64_t upper_bound;
    bool complete; /* an entry said that nothing later can matter */
} AbortedSearch;

static int
aborted_of_segment(const PlogView *view, const SegmentView *seg, AbortedSearch *s, AbortedList *l,
                   ErrInfo *err)
{
    uint8_t at[TXN_ENTRY_BYTES];
    FileRef *file;
    int64_t pos;
    int64_t end = seg->active ? view->tuple.txn_index_size : INT64_MAX;
    int rc;

    if (end == 0)
        return 0;
    rc = fd_cache_get(view->slot, seg->base, SEGMENT_TXNINDEX, false, &file, err);
    if (rc == OT_E_NOT_FOUND)
        return 0;
    for (pos = 0; rc == 0 && pos < end && !s->complete; pos += TXN_ENTRY_BYTES) {
        TxnEntry e;

        if (vfs_pread_full(file->fd, at, sizeof at, pos, NULL) != 0)
            break;
        e = txn_entry_decode(at);
        if (e.last_offset >= s->fetch_offset && e.first_offset < s->upper_bound)
            rc = add_aborted(l, (PlogAborted){e.producer_id, e.first_offset}, err);
        s->complete = e.last_stable_offset >= s->upper_bound;
    }
    fd_cache_put(file);
    return rc;
}

int
plog_aborted(PartitionRef ref, int64_t fetch_offset, int64_t upper_bound, Arena *arena,
             PlogAborted **ret, int32_t *ret_count, ErrInfo *err)
{
    AbortedSearch s = {fetch_offset, upper_bound, false};
    AbortedList l = {.arena = arena};
    SegmentView seg;
    PlogView view;
    int tries;
    int rc = 0;

    *ret = NULL;
    *ret_count = 0;
    for (tries = 0; tries < LOOKUP_TRIES; tries++) {
        bool more;

        rc = plog_view(ref, &view, err);
        if (rc != 0 || atomic_u32_load(&view.slot->has_aborted) == 0)
            return rc;
        l.count = 0;
        s.complete = false;
        more = plog_segment_of(view.slot, &view.tuple, fetch_offset, &seg);
        while (more && rc == 0 && !s.complete) {
            rc = aborted_of_segment(&view, &seg, &s, &l, err);
            more = !seg.active && plog_segment_after(view.slot, &view.tuple, &seg, &seg);
        }
        if (rc != 0 || plog_view_valid(&view, ref))
            break;
    }
    *ret = l.list;
    *ret_count = l.count;
    return rc;
}
