/*
 * scan.c - a scan over partitions: its bounds, its batches, its records
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: trusts a length or an offset of a batch; gives a record outside the bounds twice or at all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "client/scan_int.h"
#include "ottla/common/clock.h"

#define WALK_CHUNK_BYTES  ((size_t)64 << 10)
#define FETCH_CHUNK_BYTES ((size_t)256 << 10)

/* ---- opening ---- */

static int
list_partitions(ClientScan *scan, Fault *f)
{
    const ClientScanOptions *o = &scan->options;
    int32_t existing;
    int32_t wanted;

    if (client_partition_count(scan->c, o->topic, &existing, f) != 0)
        return -1;
    wanted = o->partitions == NULL ? existing : o->partition_count;
    if (wanted > SCAN_PARTITIONS_MAX)
        return fault_set(f, FAULT_LIMIT, "%d partitions at once; at most %d", wanted,
                         SCAN_PARTITIONS_MAX);
    scan->parts = calloc((size_t)wanted + 1, sizeof scan->parts[0]);
    if (scan->parts == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for %d partitions", wanted);
    for (int32_t i = 0; i < wanted; i++) {
        int32_t partition = o->partitions == NULL ? i : o->partitions[i];
        bool known = partition < 0 || partition >= existing;

        for (int32_t k = 0; o->partitions != NULL && k < scan->part_count && !known; k++)
            known = scan->parts[k].partition == partition;
        if (known)
            continue;
        scan->parts[scan->part_count].partition = partition;
        scan->parts[scan->part_count++].given =
            o->partitions == NULL || o->starts == NULL ? CLIENT_NO_BOUND : o->starts[i];
    }
    return 0;
}

/* One kind of offset of all partitions of the scan. */
static int
ask_offsets(ClientScan *scan, int64_t timestamp, ClientOffset *offsets, Fault *f)
{
    ClientOffsetsQuery q = {scan->options.topic, timestamp, !scan->options.uncommitted};

    for (int32_t i = 0; i < scan->part_count; i++)
        offsets[i].partition = scan->parts[i].partition;
    return client_offsets(scan->c, &q, offsets, scan->part_count, f);
}

/* What the bounds make of one partition whose log is [start, end) so far. */
static void
bound_part(const ClientScanOptions *o, ScanPart *part)
{
    int64_t latest = part->end;

    part->latest = latest;
    part->start += o->offset_skip;
    if (part->given != CLIENT_NO_BOUND && part->given > part->start)
        part->start = part->given;
    if (o->offset_min != CLIENT_NO_BOUND && o->offset_min < 0) {
        if (latest + o->offset_min > part->start)
            part->start = latest + o->offset_min;
    } else if (o->offset_min != CLIENT_NO_BOUND && o->offset_min > part->start) {
        part->start = o->offset_min;
    }
    if (o->follow)
        part->end = INT64_MAX;
    /* Nobody waits for an offset that the log has not reached. */
    if (o->follow && part->start > latest)
        part->start = latest;
    if (o->offset_max != CLIENT_NO_BOUND && o->offset_max < part->end - 1)
        part->end = o->offset_max + 1;
    part->next = part->start;
    part->asked_next = -1;
}

/* Moves one end of each partition to the first record that is not older than a time, if that makes it smaller. */
static int
bound_by_time(ClientScan *scan, int64_t timestamp, bool from, ClientOffset *offsets, Fault *f)
{
    if (timestamp == CLIENT_NO_BOUND)
        return 0;
    if (ask_offsets(scan, timestamp < 0 ? 0 : timestamp, offsets, f) != 0)
        return -1;
    for (int32_t i = 0; i < scan->part_count; i++) {
        ScanPart *part = &scan->parts[i];
        int64_t found = offsets[i].offset;

        if (from && (found < 0 || found > part->start))
            part->start = found < 0 ? part->end : found;
        else if (!from && found >= 0 && found < part->end)
            part->end = found;
    }
    return 0;
}

static int
capture_bounds(ClientScan *scan, ClientOffset *offsets, Fault *f)
{
    const ClientScanOptions *o = &scan->options;

    if (ask_offsets(scan, CLIENT_OFFSET_EARLIEST, offsets, f) != 0)
        return -1;
    for (int32_t i = 0; i < scan->part_count; i++)
        scan->parts[i].start = offsets[i].offset;
    if (ask_offsets(scan, CLIENT_OFFSET_LATEST, offsets, f) != 0)
        return -1;
    for (int32_t i = 0; i < scan->part_count; i++)
        scan->parts[i].end = offsets[i].offset;
    if (bound_by_time(scan, o->timestamp_min, true, offsets, f) != 0 ||
        bound_by_time(scan, o->timestamp_until, false, offsets, f) != 0)
        return -1;
    for (int32_t i = 0; i < scan->part_count; i++) {
        ScanPart *part = &scan->parts[i];

        bound_part(o, part);
        part->done = part->next >= part->end;
    }
    return 0;
}

int
client_scan_open(Client *c, const ClientScanOptions *options, ClientScan **ret, Fault *f)
{
    ClientScan *scan = calloc(1, sizeof *scan);
    ClientOffset *offsets = NULL;
    int status = -1;

    if (scan == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a scan");
    scan->c = c;
    scan->options = *options;
    scan->topic =
        options->topic.ptr == NULL ? NULL : strndup(options->topic.ptr, (size_t)options->topic.len);
    scan->fetched = arena_new(FETCH_CHUNK_BYTES, SCAN_ARENA_MAX_BYTES);
    scan->walked = arena_new(WALK_CHUNK_BYTES, SCAN_ARENA_MAX_BYTES);
    scan->request_max = options->follow ? CLIENT_CONNS_MAX : 1;
    scan->requests = calloc((size_t)scan->request_max, sizeof scan->requests[0]);
    if (scan->topic == NULL || scan->fetched == NULL || scan->walked == NULL ||
        scan->requests == NULL) {
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for a scan");
        goto out;
    }
    scan->options.topic = strview_from(scan->topic);
    if (list_partitions(scan, f) != 0)
        goto out;
    scan->options.starts = NULL;
    scan->options.partitions = NULL;                              /* the caller's */
    scan->turn = scan->part_count > 0 ? scan->part_count - 1 : 0; /* the first comes next */
    offsets = calloc((size_t)scan->part_count + 1, sizeof *offsets);
    if (offsets == NULL)
        (void)fault_set(f, FAULT_NO_MEMORY, "no memory for a scan");
    else
        status = capture_bounds(scan, offsets, f);
out:
    free(offsets);
    if (status != 0) {
        client_scan_close(scan);
        return -1;
    }
    *ret = scan;
    return 0;
}

void
client_scan_close(ClientScan *scan)
{
    if (scan == NULL)
        return;
    record_iter_close(scan->iter);
    for (int32_t i = 0; i < scan->part_count; i++)
        free(scan->parts[i].producers);
    free(scan->parts);
    free(scan->requests);
    free(scan->topic);
    arena_free(scan->fetched);
    arena_free(scan->walked);
    free(scan);
}

/* ---- aborted transactions ---- */

static int32_t
find_producer(const ScanPart *part, int64_t producer_id)
{
    for (int32_t i = 0; i < part->producer_count; i++) {
        if (part->producers[i] == producer_id)
            return i;
    }
    return -1;
}

/*
 * Remembers the producers whose aborted transactions begin before the end of a batch, each once: every fetch tells a
 * transaction again that it meets, and one marker ends it.
 */
static int
begin_aborted(ScanPart *part, int64_t last_offset, Fault *f)
{
    while (part->aborted_count > 0 && part->aborted[0].first_offset <= last_offset) {
        int64_t producer_id = part->aborted[0].producer_id;

        part->aborted++;
        part->aborted_count--;
        if (find_producer(part, producer_id) >= 0)
            continue;
        if (part->producers == NULL)
            part->producers = calloc(SCAN_PRODUCERS_MAX, sizeof part->producers[0]);
        if (part->producers == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "no memory for aborted transactions");
        if (part->producer_count == SCAN_PRODUCERS_MAX)
            return fault_set(f, FAULT_LIMIT, "more than %d aborted transactions at once",
                             SCAN_PRODUCERS_MAX);
        part->producers[part->producer_count++] = producer_id;
    }
    return 0;
}

/* A marker ends its producer's transaction. */
static void
end_aborted(ClientScan *scan, ScanPart *part, BytesView batch)
{
    int32_t at = find_producer(part, batch_producer_id(batch.ptr));
    RecordIter *iter = at < 0 ? NULL : record_iter_open(batch, scan->walked);
    Record record;
    int16_t type;

    if (iter != NULL && record_iter_next(iter, &record) == RECORD_OK &&
        control_record_type(record.key, &type) && type == CONTROL_ABORT)
        part->producers[at] = part->producers[--part->producer_count];
    record_iter_close(iter);
}

/* Whether a batch is to be shown: no marker, no part of an aborted transaction. -1: fault. */
static int
shown(ClientScan *scan, ScanPart *part, BytesView batch, Fault *f)
{
    if (scan->options.uncommitted)
        return 1;
    if (begin_aborted(part, batch_last_offset(batch.ptr), f) != 0)
        return -1;
    if (batch_is_control(batch.ptr)) {
        end_aborted(scan, part, batch);
        return 0;
    }
    return !batch_is_transactional(batch.ptr) ||
           find_producer(part, batch_producer_id(batch.ptr)) < 0;
}

/* ---- batches ---- */

/* What follows when the bytes of a fetch end in the middle of a batch, or with nothing. */
static int
end_of_data(ScanPart *part, int64_t size, bool first, Fault *f)
{
    part->data = (BytesView){NULL, 0};
    part->ask_bytes = 0;
    if (!first)
        return 0;
    if (size > SCAN_FETCH_MAX_BYTES)
        return fault_set(f, FAULT_LIMIT, "a batch of %lld bytes in partition %d", (long long)size,
                         part->partition);
    part->ask_bytes = (int32_t)size;
    return 0;
}

/* The next batch of a partition's bytes that is wanted. 1: it is in *ret. 0: none left. */
static int
next_batch(ClientScan *scan, ScanPart *part, BytesView *ret, Fault *f)
{
    bool first = true;

    while (part->data.len > 0) {
        int64_t size = 0;
        BytesView batch;
        int64_t next;
        int show;

        switch (batch_scan(part->data, part->data.len, &size)) {
        case BATCH_SCAN_OK:
            break;
        case BATCH_SCAN_END:
            if (part->data.len >= BATCH_OVERHEAD_BYTES)
                size = batch_size(part->data.ptr);
            else
                size = 2 * SCAN_FIRST_BYTES;
            return end_of_data(part, size, first, f);
        case BATCH_SCAN_OLD_FORMAT:
            return fault_set(f, FAULT_NOT_SUPPORTED,
                             "partition %d has messages of the old formats at offset %lld",
                             part->partition, (long long)part->next);
        case BATCH_SCAN_CORRUPT:
        case BATCH_SCAN_COUNT:
            return fault_set(f, FAULT_CORRUPT, "partition %d: no batch at offset %lld",
                             part->partition, (long long)part->next);
        }
        first = false;
        batch = (BytesView){part->data.ptr, (int32_t)size};
        part->data.ptr += size;
        part->data.len -= (int32_t)size;
        next = batch_next_offset(batch.ptr);
        if (next <= part->next)
            continue; /* before the first offset wanted */
        part->seen_bytes += size;
        part->seen_offsets += next - batch_base_offset(batch.ptr);
        if (batch_base_offset(batch.ptr) >= part->end ||
            (scan->options.timestamp_max != CLIENT_NO_BOUND && batch_has_append_time(batch.ptr) &&
             batch_max_timestamp(batch.ptr) > scan->options.timestamp_max)) {
            part->done = true;
            part->data.len = 0;
            return 0;
        }
        show = shown(scan, part, batch, f);
        if (show < 0)
            return -1;
        if (show == 0) {
            part->next = next;
            continue;
        }
        *ret = batch;
        return 1;
    }
    part->done = part->done || part->next >= part->end;
    return 0;
}

static bool
all_done(const ClientScan *scan)
{
    for (int32_t i = 0; i < scan->part_count; i++) {
        if (!scan->parts[i].done)
            return false;
    }
    return true;
}

/* A scan that has not reached its ends gets nothing: the log may have become shorter. */
static bool
idle_too_long(ClientScan *scan, bool idle)
{
    if (!idle || scan->options.follow || all_done(scan))
        scan->idle_until_ms = 0;
    else if (scan->idle_until_ms == 0)
        scan->idle_until_ms = client_deadline(scan->c);
    return scan->idle_until_ms != 0 && clock_mono_ms() > scan->idle_until_ms;
}

/* Goes on to the next batch, fetching when nothing is left. 1: scan->batch is it. 0: the end. */
static int
advance(ClientScan *scan, Fault *f)
{
    for (bool fetched = false;;) {
        ScanPart *part = scan->part_count == 0 ? NULL : &scan->parts[scan->turn];
        int64_t bytes;
        int status;

        if (part == NULL || all_done(scan))
            return 0;
        status = next_batch(scan, part, &scan->batch, f);
        if (status != 0) {
            scan->batch_crc_ok =
                status == 1 && batch_crc_ok(scan->batch.ptr, (size_t)scan->batch.len);
            return status;
        }
        /* The next partition that has something, or one round of fetches. */
        for (int32_t k = 1; k <= scan->part_count && scan->parts[scan->turn].data.len == 0; k++)
            scan->turn = (scan->turn + 1) % scan->part_count;
        if (scan->parts[scan->turn].data.len > 0)
            continue;
        if (fetched && scan->options.follow)
            return 0;
        /* In turn: the one behind that which was looked at. */
        scan->turn = (scan->turn + 1) % scan->part_count;
        bytes = scan->counts.bytes;
        if (scan_fetch(scan, f) != 0)
            return -1;
        fetched = scan->counts.bytes == bytes;
        if (idle_too_long(scan, fetched))
            return fault_set(f, FAULT_TIMEOUT, "topic \"%s\": records that were there do not come",
                             scan->topic);
    }
}

/* ---- records ---- */

static int32_t
sequence_of(const uint8_t *batch, const Record *record)
{
    int32_t base = batch_base_sequence(batch);

    return base < 0 || !batch_has_producer_id(batch) || record->offset_delta < 0
               ? BATCH_NO_SEQUENCE
               : batch_sequence_add(base, record->offset_delta);
}

static void
describe_batch(const ClientScan *scan, ClientRecord *ret)
{
    ret->partition = scan->parts[scan->turn].partition;
    ret->batch = scan->batch.ptr;
    ret->batch_size = scan->batch.len;
    ret->crc_ok = scan->batch_crc_ok;
    ret->append_time = batch_has_append_time(scan->batch.ptr);
    ret->sequence = batch_base_sequence(scan->batch.ptr);
}

/* The present batch is over. */
static void
leave_batch(ClientScan *scan)
{
    ScanPart *part = &scan->parts[scan->turn];

    record_iter_close(scan->iter);
    scan->iter = NULL;
    part->next = batch_next_offset(scan->batch.ptr);
    part->done = part->done || part->next >= part->end;
    scan->batch = (BytesView){NULL, 0};
    if (part->done)
        part->data.len = 0;
}

/* Opens the present batch for walking. */
static int
enter_batch(ClientScan *scan, Fault *f)
{
    arena_reset(scan->walked);
    scan->iter = record_iter_open(scan->batch, scan->walked);
    if (scan->iter != NULL)
        return 0;
    return fault_set(f, FAULT_CORRUPT, "partition %d: a batch at offset %lld that cannot be opened",
                     scan->parts[scan->turn].partition,
                     (long long)batch_base_offset(scan->batch.ptr));
}

int
client_scan_next(ClientScan *scan, ClientRecord *ret, Fault *f)
{
    for (;;) {
        ScanPart *part;
        RecordStatus status;

        if (scan->iter == NULL) {
            int got = advance(scan, f);

            if (got <= 0)
                return got;
            if (enter_batch(scan, f) != 0)
                return -1;
        }
        part = &scan->parts[scan->turn];
        status = record_iter_next(scan->iter, &ret->record);
        if (status == RECORD_END) {
            leave_batch(scan);
            continue;
        }
        if (status != RECORD_OK)
            return fault_set(f, FAULT_CORRUPT, "partition %d: the batch at offset %lld: %s",
                             part->partition, (long long)batch_base_offset(scan->batch.ptr),
                             record_iter_reason(scan->iter));
        if (ret->record.offset < part->next)
            continue;
        if (ret->record.offset >= part->end) {
            leave_batch(scan);
            continue;
        }
        part->next = ret->record.offset + 1;
        scan->counts.records++;
        describe_batch(scan, ret);
        ret->sequence = sequence_of(scan->batch.ptr, &ret->record);
        return 1;
    }
}

bool
client_scan_caught_up(const ClientScan *scan)
{
    for (int32_t i = 0; i < scan->part_count; i++) {
        if (!scan->parts[i].done && scan->parts[i].next < scan->parts[i].latest)
            return false;
    }
    return true;
}

int
client_scan_next_batch(ClientScan *scan, ClientRecord *ret, Fault *f)
{
    int got;

    if (scan->batch.ptr != NULL)
        leave_batch(scan);
    got = advance(scan, f);
    if (got <= 0)
        return got;
    memset(ret, 0, sizeof *ret);
    describe_batch(scan, ret);
    scan->counts.records += batch_record_count(scan->batch.ptr);
    return 1;
}

ClientScanCounts
client_scan_counts(const ClientScan *scan)
{
    return scan->counts;
}

bool
client_scan_range(const ClientScan *scan, int32_t i, int32_t *ret_partition, int64_t *ret_start,
                  int64_t *ret_end)
{
    if (i < 0 || i >= scan->part_count)
        return false;
    *ret_partition = scan->parts[i].partition;
    *ret_start = scan->parts[i].start;
    *ret_end = scan->parts[i].end;
    return true;
}
