/*
 * log_walk.h - the batches of one .log or metadata snapshot file, of a node at rest or running
 *
 * Reads the file and nothing else: no index, no shared memory, no lock. Every byte is taken as hostile.
 *
 * Spec: log.md 2, 2.5.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_INSPECT_LOG_WALK_H
#define OTTLA_INSPECT_LOG_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/protocol/batch.h"
#include "ottla/storage/segment_scan.h"

typedef struct LogWalk {
    int fd;
    int64_t size; /* bytes of the file when it was looked at last */
    SegmentScan scan;
    uint8_t *buffer;
    uint8_t *batch; /* memory of log_walk_load() */
    size_t batch_room;
} LogWalk;

typedef struct WalkedBatch {
    uint8_t header[BATCH_HEADER_BYTES];
    int64_t pos;
    int64_t size;
    bool crc_ok;
} WalkedBatch;

/* OT_E_NOT_FOUND, OT_E_PERMISSION, OT_E_IO, OT_E_NO_MEMORY. log_walk_close() only after success. */
int log_walk_open(LogWalk *walk, const char *path, ErrInfo *err)
    __attribute__((warn_unused_result));
void log_walk_close(LogWalk *walk);

/*
 * The next batch; *ret_what as batch_scan: END and CORRUPT end the walk at walk->scan.pos (bytes behind
 * it are no batch), OLD_FORMAT too. A failed read is the return code.
 */
int log_walk_next(LogWalk *walk, BatchScan *ret_what, WalkedBatch *ret, ErrInfo *err)
    __attribute__((warn_unused_result));

/* The whole batch in memory, valid until the next call. */
int log_walk_load(LogWalk *walk, const WalkedBatch *batch, BytesView *ret, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Looks at the file's size again, so that a growing file can be followed. */
int log_walk_refresh(LogWalk *walk, ErrInfo *err) __attribute__((warn_unused_result));

#endif
