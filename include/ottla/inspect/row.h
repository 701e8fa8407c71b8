/*
 * row.h - rows of named values, printed as text or as JSON
 *
 * Text is what Apache Kafka's dump tool prints ("name: value name: value"), so that the two can be
 * compared by diff; JSON is one object a line. Values come from files and may be hostile: what is no
 * UTF-8 becomes U+FFFD, and on a terminal control characters are shown as \xNN.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_INSPECT_ROW_H
#define OTTLA_INSPECT_ROW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ottla/common/strbuf.h"
#include "ottla/common/view.h"

typedef struct RowOut {
    FILE *to;
    bool json;
    bool escape_controls; /* to is a terminal */
    bool first;           /* no value in this row yet */
    StrBuf line;
} RowOut;

/* to stays the caller's; row_out_fini() gives the memory back. */
void row_out_init(RowOut *out, FILE *to, bool json);
void row_out_fini(RowOut *out);

/* A line of text as it is; nothing when JSON is printed. */
void row_out_remark(RowOut *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* prefix: put before a line of text ("| "). */
void row_out_begin(RowOut *out, const char *prefix);
void row_out_int(RowOut *out, const char *name, int64_t value);
void row_out_bool(RowOut *out, const char *name, bool value);

/* Text: OptionalLong.empty or OptionalLong[7]; JSON: null or 7. */
void row_out_optional(RowOut *out, const char *name, bool is_set, int64_t value);

/* Text of a file or a name; null is left out of text rows. */
void row_out_text(RowOut *out, const char *name, StrView value);

/* Bytes of a key or value: JSON shows {"hex":"..."} when they are no UTF-8. Null as row_text. */
void row_out_bytes(RowOut *out, const char *name, BytesView value);

/* A value that is JSON already. */
void row_out_json(RowOut *out, const char *name, StrView json);

/* Ends and writes the row. False: out of memory or the output is closed; nothing more can be printed. */
bool row_out_end(RowOut *out);

#endif
