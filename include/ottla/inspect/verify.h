/*
 * verify.h - checks the files of a data directory against each other; changes none of them
 *
 * What is checked: checksums and structure of every batch and record, offsets and epochs going on,
 * both indexes and the transaction index against the batches, producer snapshots against the state that
 * the batches give, checkpoints against the ends of the logs, the metadata log and its snapshots record
 * by record, names of files. Only repair writes, and only files that derive from a .log.
 *
 * Spec: shell-and-service.md 16 (ottla-verify); log.md 2, 5, 6, 8.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_INSPECT_VERIFY_H
#define OTTLA_INSPECT_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/inspect/row.h"

#define VERIFY_INDEX_INTERVAL 4096 /* index.interval.bytes where nothing else is said */

typedef struct Verify {
    RowOut *out;            /* findings are printed here as they come */
    bool running;           /* a node works on the directory: last segments are not looked at */
    bool repair;            /* makes missing or wrong indexes anew; never while running */
    int32_t index_interval; /* for indexes made anew */
    /* What was looked at, and found. */
    int64_t partitions, segments, batches, records, bytes;
    int64_t damage; /* faults: something cannot be served, or would be served wrongly */
    int64_t notes;  /* what a start puts right by itself, files of somebody else */
    int64_t repaired;
} Verify;

/* One log directory, as verify_dir_open() found it. */
typedef struct VerifyDir VerifyDir;

/*
 * Reads names and checkpoints of a directory that holds partition folders; checks the files that lie in
 * it directly. OT_E_NOT_FOUND, OT_E_PERMISSION, OT_E_IO: it cannot be read.
 */
int verify_dir_open(Verify *v, const char *path, VerifyDir **ret, ErrInfo *err)
    __attribute__((warn_unused_result));
void verify_dir_close(VerifyDir *dir);

/* Partition folders of the directory. */
int32_t verify_dir_count(const VerifyDir *dir);

/* Topic of one of them, for a choice by topic. */
StrView verify_dir_topic(const VerifyDir *dir, int32_t index);

/* Checks one partition folder, the metadata log included. An error: it could not be looked at. */
int verify_partition(Verify *v, const VerifyDir *dir, int32_t index, ErrInfo *err)
    __attribute__((warn_unused_result));

#endif
