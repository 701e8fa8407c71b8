/*
 * print.h - prints a table as psql 15 does, and in three formats of ours: json, jsonl, markdown
 *
 * Cells may hold any bytes: in the aligned formats what is no UTF-8 appears as \xNN, control characters as \xNN or
 * \uNNNN, line feeds with psql's continuation marks; widths are those of Unicode, whatever the locale.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PRINT_PRINT_H
#define OTTLA_PRINT_PRINT_H

#include <stdio.h>

#include "ottla/print/options.h"
#include "ottla/print/table.h"

/*
 * Prints the table. Memory is bounded by the longest row, output by rows times the widest cells.
 * OT_E_NO_MEMORY: also when the table could not be filled. OT_E_IO: the stream failed (errno says why).
 */
int print_table(const PrintTable *table, const PrintOptions *options, FILE *out)
    __attribute__((warn_unused_result));

/* Bytes, bytes a second or milliseconds as people read them ("4.2 GB", "3.1 MB/s", "2h 5min"). */
#define PRINT_HUMAN_MAX 64
void print_human(int64_t value, PrintUnit unit, char ret[PRINT_HUMAN_MAX]);

/* Columns of a screen that a text takes when it is printed in one line. */
int64_t print_width(StrView text);

#endif
