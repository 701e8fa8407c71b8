/*
 * table.h - a result as rows of text, before it is printed in some format
 *
 * Whoever has a result (SQL, a statement, a backslash command) fills a PrintTable: columns first, then cells
 * row by row, then footers. All texts are copied into the arena. Failure is sticky (no memory, too
 * many columns): adding does nothing from then on, and print_table() says so; callers need not look.
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PRINT_TABLE_H
#define OTTLA_PRINT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"

/* SQLite's own bound on the columns of a result. */
#define PRINT_COLUMNS_MAX 2000

/* Lines below a table. */
#define PRINT_FOOTERS_MAX 1000

/* What a cell that is an integer counts; \pset units decides whether people see "4.2 GB" or 4509715660. */
typedef enum PrintUnit {
    PRINT_UNIT_NONE,
    PRINT_UNIT_BYTES,
    PRINT_UNIT_BYTES_PER_S,
    PRINT_UNIT_MS,
} PrintUnit;

typedef struct PrintColumn {
    StrView name;
    char
        align; /* 'l' left, 'r' right (numbers), 'c' centre (only markdown, html and asciidoc show it) */
    PrintUnit unit; /* of cells that are integers */
    bool json;      /* cells are JSON texts: the formats json and jsonl put them in as they are */
} PrintColumn;

/* Cells lie in pieces, so that a long result is never copied. */
#define PRINT_CHUNK_CELLS 1024

typedef struct PrintTable {
    Arena *arena;
    StrView title; /* null: none */
    PrintColumn *columns;
    int32_t column_count;
    int32_t columns_size;
    StrView **chunks;
    int64_t cell_count;
    int64_t chunks_size;
    int64_t empty_rows; /* rows of a table without columns ("SELECT;" has one) */
    StrView *footers;   /* instead of "(3 rows)" when there are some */
    int32_t footer_count;
    bool no_row_count; /* no "(3 rows)" either */
    bool failed;
} PrintTable;

/* An empty table; title may be null. The arena outlives the table. */
void print_table_init(PrintTable *table, Arena *arena, StrView title);

/* align as in PrintColumn. All columns come before the first cell. */
void print_table_add_column(PrintTable *table, StrView name, char align);

/* The last column added counts something, or holds JSON. */
void print_table_column_unit(PrintTable *table, PrintUnit unit);
void print_table_column_json(PrintTable *table);

/* The next cell, row by row; a null view is null. */
void print_table_add_cell(PrintTable *table, StrView value);
void print_table_add_text(PrintTable *table, const char *value); /* NULL: null */
void print_table_add_int(PrintTable *table, int64_t value);
void print_table_add_bool(PrintTable *table, bool value); /* "t" or "f", as psql shows them */
void print_table_add_null(PrintTable *table);
void print_table_printf(PrintTable *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line below the table; the first one takes the place of the count of rows. */
void print_table_add_footer(PrintTable *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whole rows so far. */
int64_t print_table_rows(const PrintTable *table);

/* A cell that was added; row and column are inside the table. */
StrView print_table_cell(const PrintTable *table, int64_t row, int32_t column);

#endif
