/*
 * dump.h - prints what stands in a file of a node: batches, records, index entries, small files
 *
 * Every function prints through a RowOut and says by its result whether it met damage; it never changes
 * a file and never needs the node to be stopped.
 *
 * Spec: shell-and-service.md 16 (ottla-logdump).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_INSPECT_DUMP_H
#define OTTLA_INSPECT_DUMP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/inspect/record_decode.h"
#include "ottla/inspect/row.h"

typedef enum DumpDecode {
    DUMP_DECODE_AUTO, /* by the topic's name */
    DUMP_DECODE_NONE,
    DUMP_DECODE_JSON, /* keys and values that are JSON are shown as such */
    DUMP_DECODE_CONTENT
} DumpDecode;

typedef struct DumpOptions {
    bool records;    /* -d: records too, else batch headers alone */
    bool follow;     /* -f: goes on when the file grows */
    bool statistics; /* -z: a summary instead of rows */
    DumpDecode decode;
    LogContent content;                   /* of DUMP_DECODE_CONTENT */
    int64_t from_offset, to_offset;       /* inclusive; 0 and INT64_MAX: all */
    int64_t from_time, to_time;           /* ms, inclusive; INT64_MIN and INT64_MAX: all */
    int64_t limit;                        /* rows of -n; INT64_MAX: all */
    const volatile sig_atomic_t *stopped; /* set by a signal: ends a follow */
} DumpOptions;

typedef struct DumpResult {
    int64_t rows;    /* printed so far, over all files */
    int64_t damaged; /* faults met */
} DumpResult;

void dump_options_init(DumpOptions *options);

/*
 * One file of any kind. Damage is printed as a row or remark and counted; an error is a file that cannot
 * be read or is none that a node writes (OT_E_UNSUPPORTED).
 */
int dump_file(const char *path, const DumpOptions *options, RowOut *out, DumpResult *result,
              ErrInfo *err) __attribute__((warn_unused_result));

#endif
