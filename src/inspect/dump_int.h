/*
 * dump_int.h - what the printers of files share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_INSPECT_DUMP_INT_H
#define OTTLA_INSPECT_DUMP_INT_H

#include "ottla/inspect/dump.h"
#include "ottla/inspect/file_kind.h"
#include "ottla/inspect/log_walk.h"

typedef struct Dump {
    const char *path;
    FileName name;
    const DumpOptions *options;
    RowOut *out;
    DumpResult *result;
} Dump;

int dump_log_file(const Dump *d, ErrInfo *err);

/* Ends a row, counts it; false: stop printing (the limit, or the output is gone). */
bool dump_row_done(const Dump *d);

const char *dump_codec_name(int codec);

/* ---- statistics of a log (dump_stats.c) --------------------------------------------------------- */

typedef struct DumpStats DumpStats;

DumpStats *dump_stats_new(void);
void dump_stats_free(DumpStats *stats);
void dump_stats_add_batch(DumpStats *stats, const WalkedBatch *batch);
void dump_stats_add_record(DumpStats *stats, const Record *record);
void dump_stats_print(const DumpStats *stats, const Dump *d);

#endif
