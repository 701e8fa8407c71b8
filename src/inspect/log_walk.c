/*
 * log_walk.c - the batches of one .log or metadata snapshot file, of a node at rest or running
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/inspect/log_walk.h"

#include <stdlib.h>
#include <string.h>

#include "ottla/common/vfs.h"

#define WALK_BUFFER_BYTES (256 * 1024)

int
log_walk_open(LogWalk *walk, const char *path, ErrInfo *err)
{
    int rc;

    *walk = (LogWalk){.fd = vfs_open(path, O_RDONLY, 0, err)};
    if (walk->fd < 0)
        return walk->fd;
    walk->buffer = malloc(WALK_BUFFER_BYTES);
    rc = walk->buffer == NULL ? err_set(err, OT_E_NO_MEMORY, "no memory to read %s", path)
                              : log_walk_refresh(walk, err);
    if (rc != 0) {
        log_walk_close(walk);
        return rc;
    }
    segment_scan_init(&walk->scan, walk->fd, 0, walk->size);
    segment_scan_set_buffer(&walk->scan, walk->buffer, WALK_BUFFER_BYTES);
    return 0;
}

void
log_walk_close(LogWalk *walk)
{
    vfs_close(walk->fd);
    free(walk->buffer);
    free(walk->batch);
    *walk = (LogWalk){.fd = -1};
}

int
log_walk_refresh(LogWalk *walk, ErrInfo *err)
{
    int64_t size = vfs_size(walk->fd, err);

    if (size < 0)
        return (int)size;
    walk->size = size;
    walk->scan.end = size;
    walk->scan.filled = 0; /* what was read at the old end may have been half a batch */
    return 0;
}

int
log_walk_next(LogWalk *walk, BatchScan *ret_what, WalkedBatch *ret, ErrInfo *err)
{
    ScannedBatch batch;
    int rc = segment_scan_next(&walk->scan, ret_what, &batch, err);

    if (rc != 0 || *ret_what != BATCH_SCAN_OK)
        return rc;
    memcpy(ret->header, batch.header, sizeof ret->header);
    ret->pos = batch.pos;
    ret->size = batch.size;
    batch.header = ret->header; /* the checksum spoils the scan's own view */
    return segment_scan_check_crc(&walk->scan, &batch, &ret->crc_ok, err);
}

int
log_walk_load(LogWalk *walk, const WalkedBatch *batch, BytesView *ret, ErrInfo *err)
{
    int rc;

    if (batch->size > INT32_MAX)
        return err_set(err, OT_E_LIMIT, "a batch of %lld bytes", (long long)batch->size);
    if ((size_t)batch->size > walk->batch_room) {
        uint8_t *wider = realloc(walk->batch, (size_t)batch->size);

        if (wider == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for a batch of %lld bytes",
                           (long long)batch->size);
        walk->batch = wider;
        walk->batch_room = (size_t)batch->size;
    }
    rc = vfs_pread_full(walk->fd, walk->batch, (size_t)batch->size, batch->pos, err);
    *ret = (BytesView){walk->batch, (int32_t)batch->size};
    return rc;
}
