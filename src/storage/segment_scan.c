/*
 * segment_scan.c - walks the batches of a .log file, reading as little as the caller needs
 *
 * Headers only: a batch larger than the buffer is stepped over. Bytes are taken as hostile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/segment_scan.h"

#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/crc32c.h"
#include "ottla/common/vfs.h"

void
segment_scan_init(SegmentScan *scan, int fd, int64_t pos, int64_t end)
{
    *scan = (SegmentScan){.fd = fd, .pos = pos, .end = end};
}

void
segment_scan_set_buffer(SegmentScan *scan, void *memory, int32_t size)
{
    ot_assert(size >= SCAN_BUFFER_MIN);
    scan->buffer = memory;
    scan->buffer_size = size;
    scan->filled = 0;
}

/* Makes at least want bytes at pos available (fewer at the end); returns how many, or a code. */
static int64_t
fill(SegmentScan *scan, int64_t pos, int32_t want, const uint8_t **ret, ErrInfo *err)
{
    int64_t left = scan->end - pos;
    int64_t have = scan->filled_pos + scan->filled - pos;
    int64_t n;

    if (want > left)
        want = (int32_t)left;
    if (pos >= scan->filled_pos && have >= want) {
        *ret = scan->buffer + (pos - scan->filled_pos);
        return have < left ? have : left;
    }
    n = left < scan->buffer_size ? left : scan->buffer_size;
    n = vfs_pread(scan->fd, scan->buffer, (size_t)n, pos, err);
    if (n < 0)
        return n;
    scan->filled_pos = pos;
    scan->filled = (int32_t)n;
    *ret = scan->buffer;
    return n;
}

int
segment_scan_next(SegmentScan *scan, BatchScan *ret_what, ScannedBatch *ret, ErrInfo *err)
{
    const uint8_t *at = NULL;
    int64_t left = scan->end - scan->pos;
    int64_t size;
    int64_t n;

    if (left <= 0) {
        *ret_what = BATCH_SCAN_END;
        return 0;
    }
    n = fill(scan, scan->pos, BATCH_HEADER_BYTES, &at, err);
    if (n < 0)
        return (int)n;
    if (n < left && n < BATCH_HEADER_BYTES)
        left = n; /* the file is shorter than the region: as if it ended here */
    *ret_what = batch_scan((BytesView){at, (int32_t)n}, left, &size);
    if (*ret_what != BATCH_SCAN_OK)
        return 0;
    ret->header = at;
    ret->pos = scan->pos;
    ret->size = size;
    scan->pos += size;
    return 0;
}

int
segment_scan_walk(int fd, int64_t pos, int64_t end, BatchVisit visit, void *arg, ErrInfo *err)
{
    uint8_t buffer[SCAN_BUFFER_MIN];
    SegmentScan scan;
    int rc = 0;

    segment_scan_init(&scan, fd, pos, end);
    segment_scan_set_buffer(&scan, buffer, sizeof buffer);
    while (rc == 0) {
        ScannedBatch batch;
        BatchScan what = BATCH_SCAN_OK; /* set by every step that succeeds */

        rc = segment_scan_next(&scan, &what, &batch, err);
        if (rc != 0 || what != BATCH_SCAN_OK)
            break;
        rc = visit(&batch, arg, err);
    }
    return rc;
}

int
segment_scan_check_crc(SegmentScan *scan, const ScannedBatch *batch, bool *ret_ok, ErrInfo *err)
{
    uint32_t stored = batch_crc(batch->header);
    int64_t pos = batch->pos + BATCH_AT_ATTRIBUTES;
    int64_t end = batch->pos + batch->size;
    uint32_t crc = 0;

    while (pos < end) {
        const uint8_t *at = NULL;
        int64_t n = fill(scan, pos, 1, &at, err);

        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        if (n > end - pos)
            n = end - pos;
        crc = crc32c_extend(crc, at, (size_t)n);
        pos += n;
    }
    *ret_ok = pos == end && crc == stored;
    return 0;
}
