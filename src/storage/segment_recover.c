/*
 * segment_recover.c - the truth about a segment after a crash
 *
 * Runs in: whoever opens the log (append lock held).
 * Which bytes are trusted (the argument stands in README.md, "Recovery"): batches below the recovery
 * point were flushed before it was written, and so were the index entries that point at them. The scan
 * therefore begins at the last index entry at or below the recovery point whose batch is there with a
 * right checksum; if there is none, at the start of the segment. From there on every batch is read
 * and checked, and both indexes are written anew.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/crc32c.h"
#include "storage/open_int.h"

#define RECOVER_BUFFER_BYTES (256 * 1024)

/* Formats 0 and 1: offset, size of what follows, checksum, format. */
#define OLD_AT_SIZE      8
#define OLD_AT_CRC       12
#define OLD_HEADER_BYTES 16

/* Index entries found by the scan, written at its end. */
typedef struct NewEntries {
    uint8_t *bytes;
    size_t len;
    size_t size;
} NewEntries;

typedef struct Recovery {
    LogLoad *load;
    LoadedSegment *seg;
    SegmentScan scan;
    NewEntries index;
    NewEntries time;
    int fd;
    bool read_from_start;
} Recovery;

static int
entries_add(NewEntries *e, const uint8_t *bytes, size_t len, ErrInfo *err)
{
    if (e->len + len > e->size) {
        size_t size = e->size == 0 ? 4096 : e->size * 2;
        uint8_t *grown = realloc(e->bytes, size);

        if (grown == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for index entries");
        e->bytes = grown;
        e->size = size;
    }
    memcpy(e->bytes + e->len, bytes, len);
    e->len += len;
    return 0;
}

static int
open_segment_file(const Recovery *r, SegmentFile kind, int flags, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];

    plog_file_path(r->load->slot, r->seg->base, kind, path);
    return vfs_open(path, O_RDWR | flags, FILE_MODE, err);
}

/* ---- where to begin ----------------------------------------------------------------------------- */

/* The batch at an index entry: there, whole, with the entry's last offset and a right checksum. */
static int
entry_holds(Recovery *r, IndexEntry e, bool *ret, ErrInfo *err)
{
    ScannedBatch batch;
    BatchScan what;
    int rc;

    *ret = false;
    if (e.pos < 0 || e.pos >= r->seg->size || e.offset_rel < 0)
        return 0;
    r->scan.pos = e.pos;
    rc = segment_scan_next(&r->scan, &what, &batch, err);
    if (rc != 0 || what != BATCH_SCAN_OK)
        return rc;
    if (batch_last_offset(batch.header) != r->seg->base + e.offset_rel ||
        batch_base_offset(batch.header) < r->seg->base)
        return 0;
    return segment_scan_check_crc(&r->scan, &batch, ret, err);
}

/* Number of index entries at or below the recovery point that may be kept; the last one is checked. */
static int
trusted_entries(Recovery *r, int fd, int64_t from_offset, int32_t *ret_count, IndexEntry *ret_last,
                ErrInfo *err)
{
    int64_t size = vfs_size(fd, err);
    uint8_t at[INDEX_ENTRY_BYTES];
    int32_t low = 0;
    int32_t high;
    bool holds;
    int rc;

    *ret_count = 0;
    if (size < 0)
        return (int)size;
    high = (int32_t)(size / INDEX_ENTRY_BYTES);
    while (low < high) { /* entries rise where they are whole; behind that anything may stand */
        int32_t mid = low + (high - low) / 2;
        IndexEntry e;

        rc = vfs_pread_full(fd, at, sizeof at, (int64_t)mid * INDEX_ENTRY_BYTES, err);
        if (rc != 0)
            return rc;
        e = index_entry_decode(at);
        if (e.offset_rel > 0 && r->seg->base + e.offset_rel < from_offset)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return 0;
    rc = vfs_pread_full(fd, at, sizeof at, (int64_t)(low - 1) * INDEX_ENTRY_BYTES, err);
    if (rc != 0)
        return rc;
    *ret_last = index_entry_decode(at);
    rc = entry_holds(r, *ret_last, &holds, err);
    if (rc == 0 && holds)
        *ret_count = low;
    return rc;
}

/* Time index entries up to an offset; the last one holds the largest timestamp so far. */
static int
trusted_time_entries(Recovery *r, int fd, int32_t last_rel, ErrInfo *err)
{
    int64_t size = vfs_size(fd, err);
    uint8_t at[TIME_ENTRY_BYTES];
    int32_t low = 0;
    int32_t high;

    if (size < 0)
        return (int)size;
    high = (int32_t)(size / TIME_ENTRY_BYTES);
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        TimeEntry e;
        int rc = vfs_pread_full(fd, at, sizeof at, (int64_t)mid * TIME_ENTRY_BYTES, err);

        if (rc != 0)
            return rc;
        e = time_entry_decode(at);
        if (e.timestamp > 0 && e.offset_rel <= last_rel)
            low = mid + 1;
        else
            high = mid;
    }
    r->seg->time_count = low;
    if (low > 0) {
        int rc = vfs_pread_full(fd, at, sizeof at, (int64_t)(low - 1) * TIME_ENTRY_BYTES, err);
        TimeEntry e = time_entry_decode(at);

        if (rc != 0)
            return rc;
        r->seg->last_time_entry = e.timestamp;
        r->seg->max_timestamp = e.timestamp;
        r->seg->max_timestamp_offset = r->seg->base + e.offset_rel;
    }
    return 0;
}

/* Sets the scan to its start; everything before it stays as it is. */
static int
find_start(Recovery *r, int index_fd, int time_fd, int64_t from_offset, ErrInfo *err)
{
    LoadedSegment *seg = r->seg;
    IndexEntry last = {0, 0};
    int32_t keep = 0;
    int rc = 0;

    seg->index_count = 0;
    seg->time_count = 0;
    seg->bytes_since_index = 0;
    seg->max_timestamp = -1;
    seg->max_timestamp_offset = -1;
    seg->last_time_entry = -1;
    seg->end_offset = seg->base;
    if (from_offset > seg->base)
        rc = trusted_entries(r, index_fd, from_offset, &keep, &last, err);
    if (rc == 0 && keep > 0)
        rc = trusted_time_entries(r, time_fd, last.offset_rel, err);
    if (rc != 0)
        return rc;
    r->scan.pos = keep > 0 ? last.pos : 0;
    r->read_from_start = keep == 0;
    seg->index_count = keep;
    return 0;
}

/* ---- the scan ----------------------------------------------------------------------------------- */

static int
note_epoch(LogLoad *load, int32_t epoch, int64_t start, ErrInfo *err)
{
    if (epoch < 0 || (load->epoch_count > 0 && epoch <= load->epochs[load->epoch_count - 1].epoch))
        return 0;
    if (load->epoch_count + 1 > load->epoch_room) {
        size_t room = (size_t)load->epoch_count * 2 + 16;
        EpochEntry *grown = realloc(load->epochs, room * sizeof *grown);

        if (grown == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for epochs");
        load->epochs = grown;
        load->epoch_room = (int64_t)room;
    }
    load->epoch_count = epochs_assign(load->epochs, load->epoch_count, (EpochEntry){epoch, start});
    load->epochs_changed = true;
    return 0;
}

/* Index entries for a good batch, by the rule of the append (6.2, 6.3), batch by batch. */
static int
index_batch(Recovery *r, const ScannedBatch *batch, bool indexed_already, ErrInfo *err)
{
    LoadedSegment *seg = r->seg;
    int64_t last = batch_last_offset(batch->header);
    int64_t max_timestamp = batch_max_timestamp(batch->header);
    int rc = 0;

    if (max_timestamp > seg->max_timestamp) {
        seg->max_timestamp = max_timestamp;
        seg->max_timestamp_offset = last;
    }
    if (batch->pos == 0)
        seg->first_timestamp = max_timestamp < 0 ? -1 : max_timestamp;
    if (!indexed_already && seg->bytes_since_index > r->load->settings.index_interval_bytes) {
        uint8_t at[TIME_ENTRY_BYTES];

        index_entry_encode(at, (IndexEntry){(int32_t)(last - seg->base), (int32_t)batch->pos});
        rc = entries_add(&r->index, at, INDEX_ENTRY_BYTES, err);
        seg->index_count++;
        if (rc == 0 && seg->max_timestamp > seg->last_time_entry) {
            time_entry_encode(
                at, (TimeEntry){.timestamp = seg->max_timestamp,
                                .offset_rel = (int32_t)(seg->max_timestamp_offset - seg->base)});
            rc = entries_add(&r->time, at, TIME_ENTRY_BYTES, err);
            seg->time_count++;
            seg->last_time_entry = seg->max_timestamp;
        }
        seg->bytes_since_index = 0;
    }
    seg->bytes_since_index += (int32_t)batch->size;
    return rc;
}

/* A batch may stand here: checksum, and offsets that go on and fit into 32 bits. */
static int
batch_is_good(Recovery *r, const ScannedBatch *batch, bool *ret, ErrInfo *err)
{
    int64_t first = batch_base_offset(batch->header);
    int64_t last = batch_last_offset(batch->header);

    *ret = false;
    if (first < r->seg->end_offset || last < first || last - r->seg->base > INT32_MAX ||
        batch_last_offset_delta(batch->header) < 0)
        return 0;
    return segment_scan_check_crc(&r->scan, batch, ret, err);
}

/*
 * What looks like a message set of an old format may be a batch whose second sector never reached the disk:
 * zeros where the format's number stands. Only a right checksum (CRC-32 from the format byte on) makes
 * it one.
 */
static int
is_old_format(Recovery *r, bool *ret, ErrInfo *err)
{
    uint8_t bytes[SCAN_BUFFER_MIN];
    int64_t pos = r->scan.pos;
    int64_t left;
    uint32_t crc = 0;
    uint32_t stored;
    int rc = vfs_pread_full(r->fd, bytes, OLD_HEADER_BYTES, pos, err);

    *ret = false;
    if (rc != 0)
        return rc == OT_E_EOF ? 0 : rc;
    left = (int32_t)wire_load32(bytes + OLD_AT_SIZE) - (int64_t)sizeof stored;
    stored = wire_load32(bytes + OLD_AT_CRC);
    pos += OLD_HEADER_BYTES;
    while (left > 0) {
        size_t n = left < (int64_t)sizeof bytes ? (size_t)left : sizeof bytes;

        rc = vfs_pread_full(r->fd, bytes, n, pos, err);
        if (rc != 0)
            return rc == OT_E_EOF ? 0 : rc;
        crc = crc32_extend(crc, bytes, n);
        pos += (int64_t)n;
        left -= (int64_t)n;
    }
    *ret = crc == stored;
    return 0;
}

/* Reads batch by batch; *ret_end is the position behind the last good one. */
static int
scan_batches(Recovery *r, int64_t *ret_end, ErrInfo *err)
{
    LoadedSegment *seg = r->seg;
    bool first = !r->read_from_start;

    *ret_end = r->scan.pos;
    if (first)
        seg->end_offset = 0; /* the batch of the trusted entry says where we are */
    for (;;) {
        uint8_t header[BATCH_HEADER_BYTES];
        ScannedBatch batch;
        BatchScan what;
        bool good;
        int rc = segment_scan_next(&r->scan, &what, &batch, err);

        if (rc != 0)
            return rc;
        if (what == BATCH_SCAN_OLD_FORMAT) {
            rc = is_old_format(r, &good, err);
            if (rc != 0 || !good)
                return rc;
            return err_set(err, OT_E_UNSUPPORTED,
                           "segment %lld of %s-%d holds batches of an old format at position %lld",
                           (long long)seg->base, r->load->slot->topic,
                           (int)r->load->slot->partition, (long long)r->scan.pos);
        }
        if (what != BATCH_SCAN_OK)
            return 0;
        memcpy(header, batch.header, sizeof header);
        batch.header = header; /* the checksum uses the scan's buffer */
        rc = batch_is_good(r, &batch, &good, err);
        if (rc != 0)
            return rc;
        if (!good)
            return 0;
        if (r->load->scanned_from < 0)
            r->load->scanned_from = batch_base_offset(header);
        rc = index_batch(r, &batch, first, err);
        if (rc == 0)
            rc = note_epoch(r->load, batch_leader_epoch(header), batch_base_offset(header), err);
        if (rc != 0)
            return rc;
        first = false;
        seg->end_offset = batch_next_offset(header);
        *ret_end = batch.pos + batch.size;
    }
}

/* ---- the result --------------------------------------------------------------------------------- */

static int
write_index(int fd, int32_t kept, const NewEntries *add, int32_t entry_bytes, ErrInfo *err)
{
    int64_t pos = (int64_t)kept * entry_bytes;
    int rc = 0;

    if (add->len > 0)
        rc = vfs_pwrite(fd, add->bytes, add->len, pos, err);
    if (rc == 0)
        rc = vfs_truncate(fd, pos + (int64_t)add->len, err);
    return rc;
}

/* The largest timestamp is in the last time index entry of every recovered segment. */
static int
force_last_time(Recovery *r, ErrInfo *err)
{
    LoadedSegment *seg = r->seg;
    uint8_t at[TIME_ENTRY_BYTES];

    if (seg->max_timestamp <= seg->last_time_entry)
        return 0;
    time_entry_encode(at,
                      (TimeEntry){.timestamp = seg->max_timestamp,
                                  .offset_rel = (int32_t)(seg->max_timestamp_offset - seg->base)});
    seg->time_count++;
    seg->last_time_entry = seg->max_timestamp;
    return entries_add(&r->time, at, TIME_ENTRY_BYTES, err);
}

static int
finish(Recovery *r, int index_fd, int time_fd, int64_t end, bool *ret_cut, ErrInfo *err)
{
    int32_t kept_index = r->seg->index_count - (int32_t)(r->index.len / INDEX_ENTRY_BYTES);
    int rc = force_last_time(r, err);
    int32_t kept_time = r->seg->time_count - (int32_t)(r->time.len / TIME_ENTRY_BYTES);

    *ret_cut = end < r->seg->size;
    if (rc == 0 && *ret_cut)
        rc = vfs_truncate(r->fd, end, err);
    /* Flushed before anything is appended: whole batches behind the cut must not come back. */
    if (rc == 0 && *ret_cut)
        rc = vfs_fdatasync(r->fd, err);
    r->seg->size = end;
    if (rc == 0)
        rc = write_index(index_fd, kept_index, &r->index, INDEX_ENTRY_BYTES, err);
    if (rc == 0)
        rc = write_index(time_fd, kept_time, &r->time, TIME_ENTRY_BYTES, err);
    return rc;
}

static int
recover_with(Recovery *r, int64_t from_offset, bool *ret_cut, ErrInfo *err)
{
    int index_fd = open_segment_file(r, SEGMENT_INDEX, O_CREAT, err);
    int time_fd = index_fd < 0 ? -1 : open_segment_file(r, SEGMENT_TIMEINDEX, O_CREAT, err);
    int64_t end = 0;
    int rc = index_fd < 0 ? index_fd : time_fd < 0 ? time_fd : 0;

    if (rc == 0)
        rc = find_start(r, index_fd, time_fd, from_offset, err);
    if (rc == 0)
        rc = scan_batches(r, &end, err);
    if (rc == 0)
        rc = finish(r, index_fd, time_fd, end, ret_cut, err);
    vfs_close(index_fd < 0 ? -1 : index_fd);
    vfs_close(time_fd < 0 ? -1 : time_fd);
    return rc;
}

int
segment_recover(LogLoad *load, LoadedSegment *seg, int64_t from_offset, bool *ret_cut, ErrInfo *err)
{
    Recovery r = {.load = load, .seg = seg};
    void *buffer = malloc(RECOVER_BUFFER_BYTES);
    int rc = 0;

    r.fd = open_segment_file(&r, SEGMENT_LOG, 0, err);
    if (buffer == NULL)
        rc = err_set(err, OT_E_NO_MEMORY, "no memory to recover a segment");
    else if (r.fd < 0)
        rc = r.fd;
    if (rc == 0) {
        segment_scan_init(&r.scan, r.fd, 0, seg->size);
        segment_scan_set_buffer(&r.scan, buffer, RECOVER_BUFFER_BYTES);
        rc = recover_with(&r, from_offset, ret_cut, err);
    }
    vfs_close(r.fd < 0 ? -1 : r.fd);
    free(buffer);
    free(r.index.bytes);
    free(r.time.bytes);
    seg->has_index = true;
    seg->has_time_index = true;
    return rc;
}

/* ---- epochs of a whole segment ------------------------------------------------------------------ */

static int
visit_epoch(const ScannedBatch *batch, void *arg, ErrInfo *err)
{
    return note_epoch(arg, batch_leader_epoch(batch->header), batch_base_offset(batch->header),
                      err);
}

int
segment_collect_epochs(LogLoad *load, const LoadedSegment *seg, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;
    int fd;

    plog_file_path(load->slot, seg->base, SEGMENT_LOG, path);
    fd = vfs_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return fd;
    rc = segment_scan_walk(fd, 0, seg->size, visit_epoch, load, err);
    vfs_close(fd);
    return rc;
}

/* ---- a segment that was closed in order --------------------------------------------------------- */

typedef struct EndSearch {
    LoadedSegment *seg;
    int64_t end; /* position behind the last batch */
} EndSearch;

static int
visit_end(const ScannedBatch *batch, void *arg, ErrInfo *err)
{
    EndSearch *e = arg;
    LoadedSegment *seg = e->seg;
    int64_t max_timestamp = batch_max_timestamp(batch->header);

    (void)err; /* cannot fail */
    if (max_timestamp > seg->max_timestamp) {
        seg->max_timestamp = max_timestamp;
        seg->max_timestamp_offset = batch_last_offset(batch->header);
    }
    seg->end_offset = batch_next_offset(batch->header);
    seg->bytes_since_index += (int32_t)batch->size;
    e->end = batch->pos + batch->size;
    return 0;
}

static int
walk_to_end(const LogLoad *load, EndSearch *e, int64_t from, ErrInfo *err)
{
    LoadedSegment *seg = e->seg;
    char path[LIMIT_PATH_BYTES];
    int rc;
    int fd;

    plog_file_path(load->slot, seg->base, SEGMENT_LOG, path);
    fd = vfs_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return fd;
    e->end = from;
    seg->bytes_since_index = 0;
    seg->end_offset = seg->base;
    rc = segment_scan_walk(fd, from, seg->size, visit_end, e, err);
    if (rc == 0 && seg->size > 0) {
        uint8_t header[BATCH_HEADER_BYTES];
        int64_t first;

        rc = vfs_pread_full(fd, header, sizeof header, 0, err);
        first = rc == 0 ? batch_max_timestamp(header) : -1;
        seg->first_timestamp = first < 0 ? -1 : first;
        if (rc == OT_E_EOF)
            rc = 0; /* shorter than a header: the caller sees that it does not end right */
    }
    vfs_close(fd);
    return rc;
}

/* The last entry of an index file; zero when there is none. */
static int
last_entry(const LogLoad *load, int64_t base, SegmentFile kind, int32_t entry_bytes, uint8_t *ret,
           int32_t *ret_count, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int64_t size;
    int rc = 0;
    int fd;

    *ret_count = 0;
    plog_file_path(load->slot, base, kind, path);
    fd = vfs_open(path, O_RDONLY, 0, err);
    if (fd == OT_E_NOT_FOUND)
        return 0;
    if (fd < 0)
        return fd;
    size = vfs_size(fd, err);
    if (size < 0)
        rc = (int)size;
    else
        *ret_count = (int32_t)(size / entry_bytes);
    if (rc == 0 && *ret_count > 0)
        rc = vfs_pread_full(fd, ret, (size_t)entry_bytes, (int64_t)(*ret_count - 1) * entry_bytes,
                            err);
    vfs_close(fd);
    return rc;
}

int
segment_find_end(const LogLoad *load, LoadedSegment *seg, bool *ret_ok, ErrInfo *err)
{
    uint8_t at[TIME_ENTRY_BYTES];
    EndSearch e = {.seg = seg};
    IndexEntry last = {0, 0};
    int rc;

    *ret_ok = false;
    seg->max_timestamp = -1;
    seg->max_timestamp_offset = -1;
    seg->last_time_entry = -1;
    seg->first_timestamp = -1;
    rc = last_entry(load, seg->base, SEGMENT_INDEX, INDEX_ENTRY_BYTES, at, &seg->index_count, err);
    if (rc != 0)
        return rc;
    if (seg->index_count > 0)
        last = index_entry_decode(at);
    rc =
        last_entry(load, seg->base, SEGMENT_TIMEINDEX, TIME_ENTRY_BYTES, at, &seg->time_count, err);
    if (rc != 0)
        return rc;
    if (seg->time_count > 0) {
        TimeEntry t = time_entry_decode(at);

        seg->max_timestamp = t.timestamp;
        seg->max_timestamp_offset = seg->base + t.offset_rel;
        seg->last_time_entry = t.timestamp;
    }
    if (last.pos < 0 || last.pos > seg->size || last.offset_rel < 0 ||
        (seg->index_count > 0 && last.offset_rel == 0 && last.pos == 0))
        return 0; /* a preallocated index that was never trimmed, or damage */
    rc = walk_to_end(load, &e, last.pos, err);
    *ret_ok = rc == 0 && e.end == seg->size;
    return rc;
}
