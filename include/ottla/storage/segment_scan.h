/*
 * segment_scan.h - walks the batches of a .log file, reading as little as the caller needs
 *
 * Used by recovery, lookups, and the tools that read logs of a node at rest. Bytes are taken as hostile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_SEGMENT_SCAN_H
#define OTTLA_STORAGE_SEGMENT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/protocol/batch.h"

typedef struct SegmentScan {
    int fd;
    int64_t pos; /* of the next batch */
    int64_t end; /* of the region */
    uint8_t *buffer;
    int32_t buffer_size; /* at least SCAN_BUFFER_MIN */
    int32_t filled;
    int64_t filled_pos; /* file position of buffer[0] */
} SegmentScan;

#define SCAN_BUFFER_MIN 4096

void segment_scan_init(SegmentScan *scan, int fd, int64_t pos, int64_t end);

/* The caller's memory instead of none; before the first step. */
void segment_scan_set_buffer(SegmentScan *scan, void *memory, int32_t size);

typedef struct ScannedBatch {
    const uint8_t *header; /* BATCH_HEADER_BYTES, until the next step */
    int64_t pos;
    int64_t size;
} ScannedBatch;

/* *ret_what as batch_scan; a read error is the return code. On BATCH_SCAN_OK the scan moves on. */
int segment_scan_next(SegmentScan *scan, BatchScan *ret_what, ScannedBatch *ret, ErrInfo *err);

/* A batch on the way; not 0 ends the walk, which returns it. */
typedef int (*BatchVisit)(const ScannedBatch *batch, void *arg, ErrInfo *err);

/* Shows every whole batch in [pos, end) until something else comes. Needs little memory. */
int segment_scan_walk(int fd, int64_t pos, int64_t end, BatchVisit visit, void *arg, ErrInfo *err);

/* Whether the checksum of a batch fits; reads it through the buffer. Spoils the header view. */
int segment_scan_check_crc(SegmentScan *scan, const ScannedBatch *batch, bool *ret_ok,
                           ErrInfo *err);

#endif
