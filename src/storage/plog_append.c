/*
 * plog_append.c - one batch to the end of a log, under the append lock
 *
 * Runs in: backend. Never: mallocs (but at a roll), flushes, waits for anything but the write.
 * Order of steps (design.md 4), each of which may be the last one of its process:
 *
 *   epoch cache -> roll -> pwritev -> indexes -> tuple -> producer entry -> producer end
 *
 * Nothing before the tuple is visible to readers or trusted by the repair; what follows it is made
 * good from the log. crashpoint() marks the places between the steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/random.h"
#include "ottla/storage/roll.h"
#include "storage/plog_int.h"

#define EARLY_CHUNK_BYTES (1 << 20) /* of a segment, whose write-back begins when it is complete */

/* One append on its way. */
typedef struct Append {
    PartitionSlot *slot;
    const PlogAppendArgs *args;
    Batch *batch;
    PlogTuple tuple; /* private copy; published when all before it is done */
    TopicSettings settings;
    int64_t base_offset;
    int64_t last_offset;
    int32_t size;
    ProducerEntry *producer; /* NULL: batch without producer id */
    bool producer_is_new;
    bool rolled;
    PlogSnapshot *snapshot; /* of the roll */
    PlogFilled filled;
} Append;

int
plog_write_failed(PartitionSlot *slot, int code, ErrInfo *err)
{
    err_prefix(err, "%s-%d", slot->topic, (int)slot->partition);
    return logdir_write_failed(pslot_dir(slot), code, err);
}

void
plog_mark_dirty(PartitionSlot *slot)
{
    pslot_note_changed(slot);
    crashpoint("plog.dirty");
    flush_request(slot, FLUSH_AT_CHECKPOINT);
}

/* ---- producer ----------------------------------------------------------------------------------- */

static int
producer_error(ProducerCheck check, const uint8_t *header, ErrInfo *err)
{
    switch (check) {
    case PRODUCER_OUT_OF_ORDER:
        return err_set(err, OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER,
                       "producer %lld epoch %d: sequence %d does not follow",
                       (long long)batch_producer_id(header), batch_producer_epoch(header),
                       (int)batch_base_sequence(header));
    case PRODUCER_FENCED:
        return err_set(err, OT_E_INVALID_PRODUCER_EPOCH, "producer %lld: epoch %d is an old one",
                       (long long)batch_producer_id(header), batch_producer_epoch(header));
    case PRODUCER_BAD_TXN_STATE:
        return err_set(err, OT_E_INVALID_TXN_STATE, "producer %lld: transaction state",
                       (long long)batch_producer_id(header));
    case PRODUCER_NEXT:
    case PRODUCER_DUPLICATE:
    case PRODUCER_CHECK_COUNT:
        break;
    }
    ot_unreachable();
}

static void
fill_duplicate(const Append *a, const ProducerBatch *old, PlogAppendResult *ret)
{
    *ret = (PlogAppendResult){.base_offset = old->last_offset - old->offset_delta,
                              .last_offset = old->last_offset,
                              .log_append_time_ms = old->timestamp,
                              .log_start_offset = a->tuple.log_start,
                              .duplicate = true};
}

/* Checks sequence and epoch, and takes the entry that will remember the batch. */
static int
check_producer(Append *a, PlogAppendResult *ret, ErrInfo *err)
{
    const uint8_t *header = a->batch->header;
    int64_t id = batch_producer_id(header);
    ProducerEntry *entry;
    ProducerState state;
    ProducerBatch old;
    ProducerCheck check;

    if (!batch_has_producer_id(header))
        return 0;
    entry = producer_find(a->slot, id);
    if (entry != NULL)
        producer_get(entry, &state);
    check = producer_check(entry == NULL ? NULL : &state, header,
                           a->args->origin == PLOG_ORIGIN_CLIENT, &old);
    if (check == PRODUCER_DUPLICATE) {
        fill_duplicate(a, &old, ret);
        return 0;
    }
    if (check != PRODUCER_NEXT)
        return producer_error(check, header, err);
    a->producer_is_new = entry == NULL;
    if (entry == NULL)
        entry = producer_obtain(a->slot, id);
    if (entry == NULL)
        return err_set(err, OT_E_NOT_ENOUGH_REPLICAS,
                       "producer.state.entries: only open transactions are left");
    a->producer = entry;
    return 0;
}

/* ---- roll --------------------------------------------------------------------------------------- */

static int
create_file(PartitionSlot *slot, int64_t base, SegmentFile kind, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int fd;

    plog_file_path(slot, base, kind, path);
    fd = vfs_open(path, O_RDWR | O_CREAT | O_TRUNC, FILE_MODE, err);
    if (fd < 0)
        return fd;
    vfs_close(fd);
    return 0;
}

/* The files of a new segment; leftovers of that name are emptied. */
static int
create_segment_files(PartitionSlot *slot, int64_t base, ErrInfo *err)
{
    int rc = create_file(slot, base, SEGMENT_LOG, err);

    if (rc == 0)
        rc = create_file(slot, base, SEGMENT_INDEX, err);
    if (rc == 0)
        rc = create_file(slot, base, SEGMENT_TIMEINDEX, err);
    if (rc == 0)
        plog_note_names(slot, NEW_NAMES_FILES);
    return rc;
}

/* The tuple's active segment is a fresh one at base. */
static void
begin_segment(PlogTuple *t, int64_t base, const TopicSettings *s, int64_t now_ms)
{
    t->active_base = base;
    t->active_size = 0;
    t->max_timestamp = -1;
    t->max_timestamp_offset = -1;
    t->first_timestamp = -1;
    t->created_ms = now_ms;
    t->last_time_entry = -1;
    t->index_count = 0;
    t->index_flushed = 0;
    t->time_count = 0;
    t->time_flushed = 0;
    t->txn_index_size = 0;
    t->bytes_since_index = 0;
    t->jitter_ms = roll_jitter_ms(s, random_u64());
    t->hw_pos = t->high_watermark == base ? 0 : -1;
}

int
plog_force_time_entry(PartitionSlot *slot, PlogTuple *t, ErrInfo *err)
{
    if (t->max_timestamp <= t->last_time_entry)
        return 0;
    return time_index_append(
        slot, t,
        (TimeEntry){.timestamp = t->max_timestamp,
                    .offset_rel = (int32_t)(t->max_timestamp_offset - t->active_base)},
        err);
}

/* The active segment, complete, into the list; files for the next one. */
static int
end_segment(PartitionSlot *slot, PlogTuple *t, ErrInfo *err)
{
    SegEntry done;
    int rc = index_prepare(slot, t, err);

    if (rc == 0)
        rc = plog_force_time_entry(slot, t, err);
    if (rc == 0)
        rc = index_flush(slot, t, err);
    crashpoint("plog.roll.flushed");
    if (rc == 0)
        rc = create_segment_files(slot, t->log_end, err);
    crashpoint("plog.roll.created");
    if (rc != 0)
        return rc;
    done = (SegEntry){
        .base_offset = t->active_base,
        .max_timestamp = t->max_timestamp,
        .size = t->active_size,
        .max_timestamp_rel =
            t->max_timestamp < 0 ? 0 : (int32_t)(t->max_timestamp_offset - t->active_base)};
    return seglist_append(slot, t, &done, err);
}

int
plog_roll_locked(PartitionSlot *slot, PlogTuple *tuple, const TopicSettings *settings,
                 int64_t now_ms, ErrInfo *err)
{
    PlogTuple t = *tuple;
    int rc = end_segment(slot, &t, err);

    if (rc != 0) {
        index_drop(slot, &t);
        (void)pslot_read_tuple(slot, tuple); /* the serial does not matter under the lock */
        return plog_write_failed(slot, rc, err);
    }
    begin_segment(&t, t.log_end, settings, now_ms);
    pslot_publish_tuple(slot, &t);
    *tuple = t;
    crashpoint("plog.roll.published");
    return 0;
}

static int
roll(Append *a, ErrInfo *err)
{
    int rc = plog_roll_locked(a->slot, &a->tuple, &a->settings, a->args->now_ms, err);

    a->rolled = rc == 0;
    if (rc == 0) /* without memory there is none: the one before it serves as well */
        a->snapshot = plog_snapshot_take(a->slot, a->tuple.log_end, PLOG_SNAPSHOT_ROLL, NULL);
    return rc;
}

static bool
must_roll(const Append *a)
{
    const PlogTuple *t = &a->tuple;
    RollQuestion q = {.active_base = t->active_base,
                      .first_timestamp = t->first_timestamp,
                      .created_ms = t->created_ms,
                      .now_ms = a->args->now_ms,
                      .batch_last_offset = a->last_offset,
                      .batch_max_timestamp = batch_max_timestamp(a->batch->header),
                      .active_size = t->active_size,
                      .batch_size = a->size,
                      .index_count = t->index_count,
                      .time_count = t->time_count,
                      .jitter_ms = t->jitter_ms};

    return roll_needed(&a->settings, &q);
}

/* ---- the first append --------------------------------------------------------------------------- */

/* Folder and first segment; the log is empty and its start is LEO. */
static int
first_files(Append *a, ErrInfo *err)
{
    PartitionSlot *slot = a->slot;
    int rc = plog_make_folder(slot, err);

    crashpoint("plog.folder.made");
    if (rc == OT_E_UNKNOWN_TOPIC_OR_PARTITION)
        return rc;
    if (rc == 0)
        rc = create_segment_files(slot, a->tuple.active_base, err);
    if (rc != 0)
        return plog_write_failed(slot, rc, err);
    slot->has_folder = true;
    a->tuple.created_ms = a->args->now_ms;
    a->tuple.jitter_ms = roll_jitter_ms(&a->settings, random_u64());
    crashpoint("plog.files.made");
    return 0;
}

/* ---- write, index, publish ---------------------------------------------------------------------- */

static int
write_batch(Append *a, ErrInfo *err)
{
    struct iovec iov[2] = {{a->batch->header, BATCH_HEADER_BYTES},
                           {NULL, (size_t)a->batch->payload.len}};
    int64_t pos = a->tuple.active_size;
    ErrInfo cut_err = {0};
    FileRef *file;
    int rc = fd_cache_get(a->slot, a->tuple.active_base, SEGMENT_LOG, true, &file, err);

    if (rc != 0)
        return plog_write_failed(a->slot, rc, err);
    memcpy(&iov[1].iov_base, &a->batch->payload.ptr, sizeof iov[1].iov_base); /* sheds const */
    rc = vfs_pwritev(file->fd, iov, a->batch->payload.len > 0 ? 2 : 1, pos, err);
    if (rc != 0 && vfs_truncate(file->fd, pos, &cut_err) != 0)
        /* torn bytes stay, but beyond the published size */
        logdir_fail(pslot_dir(a->slot), LOGDIR_FAILURE_WRITE, cut_err.text);
    fd_cache_note_written(file, a->last_offset + 1);
    fd_cache_put(file);
    return rc == 0 ? 0 : plog_write_failed(a->slot, rc, err);
}

/* Takes what went wrong after the write back out of the file. */
static void
cut_back(Append *a)
{
    ErrInfo err = {0};
    FileRef *file;

    if (fd_cache_get(a->slot, a->tuple.active_base, SEGMENT_LOG, false, &file, NULL) != 0)
        return; /* the next append overwrites it, and repair and recovery cut it */
    if (vfs_truncate(file->fd, a->tuple.active_size, &err) != 0)
        logdir_fail(pslot_dir(a->slot), LOGDIR_FAILURE_WRITE, err.text);
    fd_cache_put(file);
}

/* Index entries of the batch at the end of the active segment, into t. */
static int
index_batch(Append *a, PlogTuple *t, ErrInfo *err)
{
    const uint8_t *header = a->batch->header;
    int64_t max_timestamp = batch_max_timestamp(header);
    int rc = 0;

    if (max_timestamp > t->max_timestamp) {
        t->max_timestamp = max_timestamp;
        t->max_timestamp_offset = a->last_offset;
    }
    if (t->active_size == 0)
        t->first_timestamp = max_timestamp < 0 ? -1 : max_timestamp;
    if (t->bytes_since_index > a->settings.index_interval_bytes) {
        rc = index_append(a->slot, t,
                          (IndexEntry){(int32_t)(a->last_offset - t->active_base), t->active_size},
                          err);
        if (rc == 0)
            rc = plog_force_time_entry(a->slot, t, err);
        t->bytes_since_index = 0;
    }
    t->bytes_since_index += a->size;
    t->active_size += a->size;
    return rc;
}

static void
publish(Append *a, PlogTuple *t)
{
    t->log_end = a->last_offset + 1;
    if (a->args->hw_follows) {
        t->high_watermark = t->log_end;
        t->hw_pos = t->active_size;
    }
    if (a->producer != NULL && batch_is_transactional(a->batch->header) && t->first_unstable < 0)
        t->first_unstable = a->base_offset;
    pslot_publish_tuple(a->slot, t);
}

/* Whole chunks that the segment, which ended at tuple.active_size, has now. */
static void
note_filled(Append *a, int32_t end)
{
    int32_t pos = a->tuple.active_size / EARLY_CHUNK_BYTES * EARLY_CHUNK_BYTES;

    a->filled = (PlogFilled){.segment_base = a->tuple.active_base,
                             .pos = pos,
                             .len = end / EARLY_CHUNK_BYTES * EARLY_CHUNK_BYTES - pos};
}

static void
remember_producer(Append *a)
{
    if (a->producer != NULL) {
        ProducerState state;

        producer_get(a->producer, &state);
        producer_apply_batch(&state, a->batch->header);
        producer_put(a->producer, &state);
    }
    crashpoint("plog.append.producer");
    atomic_i64_store(&a->slot->producer_end, a->last_offset + 1);
}

/* Epoch, roll, write, index, publish, remember. */
static int
append_steps(Append *a, ErrInfo *err)
{
    PlogTuple next;
    int rc = 0;

    if (!a->slot->has_folder)
        rc = first_files(a, err);
    if (rc == 0 && a->args->leader_epoch > a->tuple.last_epoch) {
        rc = plog_assign_epoch(a->slot, &a->tuple, a->args->leader_epoch, a->base_offset, err);
        crashpoint("plog.append.epoch");
    }
    if (rc == 0 && must_roll(a))
        rc = roll(a, err);
    if (rc != 0)
        return rc;
    if (a->tuple.bytes_since_index > a->settings.index_interval_bytes) {
        rc = index_prepare(a->slot, &a->tuple, err);
        if (rc != 0)
            return plog_write_failed(a->slot, rc, err);
    }
    crashpoint("plog.append.begin");
    rc = write_batch(a, err);
    crashpoint("plog.append.written");
    if (rc != 0)
        return rc;
    next = a->tuple;
    rc = index_batch(a, &next, err);
    crashpoint("plog.append.indexed");
    if (rc != 0) {
        cut_back(a);
        return plog_write_failed(a->slot, rc, err);
    }
    publish(a, &next);
    note_filled(a, next.active_size);
    crashpoint("plog.append.published");
    remember_producer(a);
    crashpoint("plog.append.end");
    return 0;
}

int
plog_append(PartitionSlot *slot, const PlogAppendArgs *args, PlogAppendResult *ret, ErrInfo *err)
{
    Append a = {.slot = slot, .args = args, .batch = args->batch};
    PlogAppendResult result = {.base_offset = -1, .log_append_time_ms = -1};
    int64_t size = batch_total_bytes(args->batch);
    int rc;

    ot_assert(pslot_state(slot) != PSLOT_FREE); /* OPEN; or retired since the lock was taken */
    (void)pslot_read_tuple(slot, &a.tuple);     /* the serial does not matter under the lock */
    pslot_settings(slot, &a.settings);
    a.base_offset = a.tuple.log_end;
    a.last_offset = a.base_offset + batch_last_offset_delta(args->batch->header);
    result.log_start_offset = a.tuple.log_start;
    rc = logdir_admit(pslot_dir(slot), err);
    if (rc != 0)
        return rc;
    if (size > a.settings.segment_bytes)
        return err_set(err, OT_E_RECORD_LIST_TOO_LARGE, "batch of %lld bytes, segment.bytes is %d",
                       (long long)size, (int)a.settings.segment_bytes);
    a.size = (int32_t)size;
    rc = check_producer(&a, &result, err);
    if (rc != 0)
        return rc;
    if (result.duplicate) {
        *ret = result;
        return 0;
    }
    batch_assign(args->batch, a.base_offset, args->leader_epoch, args->now_ms);
    rc = append_steps(&a, err);
    if (rc != 0) {
        if (a.producer_is_new)
            producer_remove(slot, a.producer);
        index_drop(slot, &a.tuple);
        plog_snapshot_discard(a.snapshot);
        return rc;
    }
    plog_mark_dirty(slot);
    logdir_add_bytes(pslot_dir(slot), size);
    atomic_u64_count(&slot->bytes_appended, (uint64_t)size);
    atomic_u64_count(&slot->counts[PSLOT_COUNT_RECORDS_IN],
                     (uint64_t)batch_record_count(args->batch->header));
    result.base_offset = a.base_offset;
    result.last_offset = a.last_offset;
    result.rolled = a.rolled;
    result.filled = a.filled;
    result.snapshot = a.snapshot;
    if (args->batch->append_time)
        result.log_append_time_ms = args->now_ms;
    *ret = result;
    return 0;
}

void
plog_write_early(PartitionRef ref, const PlogFilled *filled)
{
    PartitionSlot *slot = pslot_find(ref);
    FileRef *file;

    if (filled->len == 0 || slot == NULL || !logdir_is_waited_for(pslot_dir(slot)))
        return;
    if (fd_cache_get(slot, filled->segment_base, SEGMENT_LOG, false, &file, NULL) != 0)
        return; /* a hint only */
    vfs_write_early(file->fd, filled->pos, filled->len);
    fd_cache_put(file);
}

int
plog_delete_records_locked(PartitionSlot *slot, int64_t offset, int64_t *ret_log_start,
                           ErrInfo *err)
{
    PlogTuple t;

    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    if (offset == -1)
        offset = t.high_watermark;
    if (offset < 0 || offset > t.high_watermark)
        return err_set(err, OT_E_OFFSET_OUT_OF_RANGE, "offset %lld, high watermark %lld",
                       (long long)offset, (long long)t.high_watermark);
    if (offset > t.log_start) {
        t.log_start = offset;
        pslot_publish_tuple(slot, &t);
        plog_mark_dirty(slot);
    }
    *ret_log_start = t.log_start;
    return 0;
}
