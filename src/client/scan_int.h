/*
 * scan_int.h - what the files of a scan share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SCAN_INT_H
#define SCAN_INT_H

#include "client/client_int.h"
#include "ottla/client/consume.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/msg_fetch.h"

#define SCAN_PARTITIONS_MAX  100000
#define SCAN_PRODUCERS_MAX   4096      /* with aborted transactions open at once in one partition */
#define SCAN_FIRST_BYTES     (8 << 10) /* of a first fetch that has bounds */
#define SCAN_FETCH_BYTES     (1 << 20) /* of later ones */
#define SCAN_FETCH_MAX_BYTES (128 << 20)          /* a batch that is larger is given up */
#define SCAN_ARENA_MAX_BYTES ((size_t)1024 << 20) /* an answer, and records gathered from a batch */

typedef struct ScanPart {
    int32_t partition;
    int64_t start;        /* as captured */
    int64_t given;        /* where the caller wants it to begin; CLIENT_NO_BOUND: not said */
    int64_t latest;       /* end of the log at that time */
    int64_t end;          /* first offset not wanted any more; INT64_MAX: it follows */
    int64_t next;         /* first offset not given yet */
    int64_t seen_bytes;   /* of batches that came, */
    int64_t seen_offsets; /* and the offsets they span: how many bytes to ask for */
    int32_t ask_bytes;    /* of the next fetch at least: a batch did not fit */
    int64_t asked_next;   /* what the last fetch that brought something asked for: */
    int32_t asked_bytes;  /* it must not bring the same once more */
    bool done;
    /* What the last fetch brought and was not looked at yet. */
    BytesView data;
    FetchResponseAbortedTransaction *aborted; /* by first offset */
    int32_t aborted_count;
    int64_t *producers; /* whose records are aborted here, malloc'ed */
    int32_t producer_count;
} ScanPart;

struct ClientScan {
    Client *c;
    ClientScanOptions options;
    char *topic;
    ScanPart *parts;
    int32_t part_count;
    int32_t turn;   /* the partition that is looked at */
    Arena *fetched; /* the answer of the last fetch */
    Arena *walked;  /* the records of the present batch */
    FetchResponse response;
    ClientRequest *requests; /* of a fetch from several nodes */
    int32_t request_max;
    BytesView batch; /* that is being walked; ptr NULL: none */
    bool batch_crc_ok;
    RecordIter *iter;
    ClientScanCounts counts;
    int64_t
        idle_until_ms; /* when a scan that gets nothing more is given up; 0: it gets something */
};

/*
 * Fetches for the partitions from scan->turn on that need it: one, or for a scan that follows all.
 * 0: something may have come. -1: fault.
 */
int scan_fetch(ClientScan *scan, Fault *f);

#endif
