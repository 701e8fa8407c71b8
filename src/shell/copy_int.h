/*
 * copy_int.h - \copy: what its files share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_COPY_INT_H
#define OTTLA_SHELL_COPY_INT_H

#include "stream_int.h"
#include "stream_range_int.h"

#define COPY_WORD_MAX       1000
#define COPY_PARTITIONS_MAX 10000
#define COPY_FIELDS_MAX     200
#define COPY_FIELD_BYTES    ((size_t)100 << 20)

typedef enum CopyFormat { COPY_CSV, COPY_JSONL, COPY_RAW, COPY_SEGMENT } CopyFormat;

typedef enum CopyPlace {
    COPY_FILE,
    COPY_PROGRAM,
    COPY_STANDARD, /* STDIN: lines behind the command; STDOUT: where results go */
    COPY_PROCESS   /* PSTDIN, PSTDOUT: standard input and output of the process */
} CopyPlace;

/* What was said, as text. */
typedef struct CopyOrder {
    char *select; /* NULL: a topic */
    char topic[COPY_WORD_MAX];
    bool from; /* into the topic */
    CopyPlace place;
    char *target; /* file or command; malloc'ed, as select */
    CopyFormat format;
    bool header; /* csv: a line of names */
    bool skip_errors;
    StreamRange range;
    int32_t *partitions; /* malloc'ed; NULL: all */
    int32_t partition_count;
    /* csv: which column is which; "": none. */
    char partition_column[COPY_WORD_MAX];
    char key_column[COPY_WORD_MAX];
    char value_column[COPY_WORD_MAX];
} CopyOrder;

/* ---- copy_parse.c ---- */

/* The words behind \copy. The order is to be released whatever comes of it. */
int copy_parse(Shell *shell, const char *text, CopyOrder *ret, Fault *f);
void copy_release(CopyOrder *order);

/* ---- files ---- */

/* A file, a command, standard output, or those of the process. NULL: *f. suffix: behind the name of a file; may be "". */
FILE *copy_open(Shell *shell, const CopyOrder *order, const char *suffix, int64_t *ret_pid,
                Fault *f);

/* 0, or -1 with *f: what was written is not there. */
int copy_close(const CopyOrder *order, FILE *file, int64_t pid, Fault *f);

/* ---- copy_text.c: lines of csv and JSON ---- */

/* Appends a field. Null is nothing at all, an empty text "", bytes that are no text \x and hexadecimal digits. */
void copy_add_csv(StrBuf *to, BytesView bytes);

/* Appends a value of JSON: a string, null, or {"base64":"..."}. */
void copy_add_json(StrBuf *to, BytesView bytes);

typedef struct CopyField {
    StrBuf text;
    bool quoted;
} CopyField;

typedef struct CopyLine {
    CopyField fields[COPY_FIELDS_MAX];
    int32_t count;
    int64_t line; /* of the file, from 1, where it ends */
} CopyLine;

void copy_line_init(CopyLine *line);
void copy_line_release(CopyLine *line);

/* Reads one line of csv, line feeds in quotes included. 1: there is one. 0: the end. -1: *f. */
int copy_read_csv(FILE *file, CopyLine *line, Fault *f);

/* The reverse of copy_add_csv. False: hexadecimal digits that are none. */
bool copy_field_bytes(CopyField *field, BytesView *ret);

/* ---- copy_out.c, copy_in.c ---- */

typedef struct CopyResult {
    int64_t messages;
    int64_t bytes;
    int64_t skipped;
} CopyResult;

int copy_out(Shell *shell, const CopyOrder *order, CopyResult *result, Fault *f);
int copy_in(Shell *shell, const CopyOrder *order, CopyResult *result, Fault *f);

#endif
