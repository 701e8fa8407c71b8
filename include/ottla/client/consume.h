/*
 * consume.h - reading records: offsets by time, and scans over partitions that always end
 *
 * A scan captures where each partition ends when it is opened and fetches nothing that its bounds exclude, as far as
 * whole batches allow. Records come round-robin over the partitions, a fetch at a time, in rising offsets within each.
 * A scan that follows never ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CLIENT_CONSUME_H
#define OTTLA_CLIENT_CONSUME_H

#include "ottla/client/client.h"
#include "ottla/protocol/record.h"

#define CLIENT_OFFSET_LATEST   (-1) /* where the next record goes */
#define CLIENT_OFFSET_EARLIEST (-2)
#define CLIENT_OFFSET_MAX_TIME (-3) /* the record with the largest timestamp */

typedef struct ClientOffset {
    int32_t partition; /* in */
    int32_t leader_epoch;
    int64_t timestamp; /* of the record found; -1: none */
    int64_t offset;    /* -1: no record is as young as that */
} ClientOffset;

typedef struct ClientOffsetsQuery {
    StrView topic;
    int64_t timestamp; /* CLIENT_OFFSET_*, or ms: the first record not older than it */
    bool committed;    /* the latest offset is the end of what is decided of transactions */
} ClientOffsetsQuery;

/* Fills one answer for each partition, asking all leaders at once and trying again what may be tried again. */
int client_offsets(Client *c, const ClientOffsetsQuery *q, ClientOffset *offsets, int32_t count,
                   Fault *f) __attribute__((warn_unused_result));

#define CLIENT_NO_BOUND INT64_MIN

typedef struct ClientScanOptions {
    StrView topic;
    const int32_t *partitions; /* NULL: all; those that do not exist give no records */
    int32_t partition_count;
    const int64_t *
        starts; /* with partitions: where each begins; CLIENT_NO_BOUND: as the rest says. NULL: none is given */
    int64_t offset_skip; /* so many offsets behind the beginning of each log */
    int64_t
        offset_min; /* first offset wanted; CLIENT_NO_BOUND: none. Below 0 counts from the end */
    int64_t offset_max; /* last offset wanted; CLIENT_NO_BOUND: none */
    int64_t
        timestamp_min; /* begin at the first record not older than it; older ones may come behind it */
    int64_t timestamp_until; /* end before the first record not older than it */
    int64_t timestamp_max;   /* a bound only where the log's own clock gave the timestamps */
    int64_t limit;           /* records that will be asked for at most; 0: not known */
    int64_t partition_bytes; /* of one fetch from a partition at most; 0: the default */
    int32_t max_wait_ms;     /* of a scan that follows: how long a fetch may wait */
    bool uncommitted; /* also records of open and aborted transactions, and control records */
    bool follow;      /* goes on behind the ends */
} ClientScanOptions;

#define CLIENT_SCAN_DEFAULTS                                 \
    ((ClientScanOptions){.offset_min = CLIENT_NO_BOUND,      \
                         .offset_max = CLIENT_NO_BOUND,      \
                         .timestamp_min = CLIENT_NO_BOUND,   \
                         .timestamp_until = CLIENT_NO_BOUND, \
                         .timestamp_max = CLIENT_NO_BOUND})

typedef struct ClientScan ClientScan;

/* Views are valid until the next call on the scan. */
typedef struct ClientRecord {
    int32_t partition;
    const uint8_t *batch; /* its header: the accessors of batch.h */
    int64_t batch_size;   /* bytes of the whole batch; the batch lies there in one piece */
    bool crc_ok; /* the batch's checksum fits; records of one that does not are still given */
    bool append_time;
    int32_t sequence; /* of the record; -1: none */
    Record record;
} ClientRecord;

/* Finds out where to begin and to end. *ret is to be closed. */
int client_scan_open(Client *c, const ClientScanOptions *options, ClientScan **ret, Fault *f)
    __attribute__((warn_unused_result));

/* 1: a record. 0: the end; of a scan that follows: nothing new within max_wait_ms. -1: fault. */
int client_scan_next(ClientScan *scan, ClientRecord *ret, Fault *f)
    __attribute__((warn_unused_result));

/* True when a scan that follows has passed what was there when it was opened. */
bool client_scan_caught_up(const ClientScan *scan);

/* As client_scan_next, whole batches as they lie in the log: the record is not filled, offsets before the bounds may be in them. */
int client_scan_next_batch(ClientScan *scan, ClientRecord *ret, Fault *f)
    __attribute__((warn_unused_result));

/* NULL is fine. */
void client_scan_close(ClientScan *scan);

/* What it did so far. */
typedef struct ClientScanCounts {
    int64_t records;
    int64_t fetches;
    int64_t bytes; /* of batches that came */
} ClientScanCounts;

ClientScanCounts client_scan_counts(const ClientScan *scan);

/* The bounds that the scan took for its i-th partition: [*ret_start, *ret_end). False: there is no i-th. */
bool client_scan_range(const ClientScan *scan, int32_t i, int32_t *ret_partition,
                       int64_t *ret_start, int64_t *ret_end);

#endif
