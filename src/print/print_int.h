/*
 * print_int.h - what the formats share: a printer, the text of a cell, cells of several lines
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PRINT_INT_H
#define OTTLA_PRINT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ottla/common/strbuf.h"
#include "ottla/common/view.h"
#include "ottla/print/options.h"
#include "ottla/print/table.h"

/* Longest text of a cell as it is printed; longer ones were refused when the table was filled. */
#define CELL_TEXT_MAX ((size_t)INT32_MAX)

/* ---- width_table.c: generated ---- */

typedef struct CharRange {
    uint32_t first;
    uint32_t last;
} CharRange;

extern const CharRange print_width_none[]; /* marks that combine */
extern const int print_width_none_count;
extern const CharRange print_width_two[]; /* wide ones */
extern const int print_width_two_count;

/* ---- print.c: one run of print_table() ---- */

typedef struct Printer {
    const PrintTable *table;
    const PrintOptions *options;
    FILE *out;
    StrBuf scratch; /* of cell_text() */
    bool no_memory;
} Printer;

void put_view(Printer *p, StrView text);
void put_cstr(Printer *p, const char *text);
void put_char(Printer *p, char c);
void put_spaces(Printer *p, int64_t count);
void put_times(Printer *p, const char *text, int64_t count);

/*
 * What a cell shows: the text for null, numbers in units for people or grouped, else as it is. Good until the
 * next call.
 */
StrView cell_text(Printer *p, int64_t row, int32_t column);

/* "  \t " and the like, and the empty text. */
bool is_blank(StrView text);

/* The table's title, or the one that \pset set; null: none, or tuples_only. */
StrView printed_title(const Printer *p);

/* How many lines stand below the table, and each of them. with_count: "(3 rows)" takes part. */
int32_t printed_footers(const Printer *p, bool with_count);
StrView printed_footer(Printer *p, int32_t index);

/* ---- units.c ---- */

/* Appends the number with its thousands apart, as the locale has it; other texts as they are. */
void add_grouped(StrBuf *out, StrView number);

/* A number as JSON writes it? */
bool is_json_number(StrView text);

/* One whole JSON value, nothing else around it? Bounded depth. */
bool is_json(StrView text);

/* ---- cell_lines.c: a cell as lines of a screen ---- */

typedef struct CellSize {
    int64_t width; /* of the widest line */
    int64_t lines; /* at least 1 */
} CellSize;

typedef struct CellLine {
    size_t pos; /* in CellLines.text */
    size_t len;
    int64_t width;
} CellLine;

typedef struct CellLines {
    StrBuf text;
    CellLine *lines;
    int64_t count;
    int64_t size;
} CellLines;

/* Bytes at the front that are printable ASCII, most of what there is: each is a character, one column wide. */
int32_t plain_run(StrView text);

CellSize cell_size(StrView text);

void cell_lines_init(CellLines *lines);
void cell_lines_release(CellLines *lines);

/* Splits a text into lines, with what cannot be shown escaped. False: no memory. */
bool cell_lines_set(CellLines *lines, StrView text);

/* The part of a line from a byte on. */
StrView cell_lines_rest(const CellLines *lines, int64_t line, size_t from);

/*
 * The beginning of a text of cell_lines_set() that fits into width columns, at least one character;
 * *ret_width is what it takes.
 */
StrView cut_to_width(StrView text, int64_t width, int64_t *ret_width);

/* ---- line_style.c: what lines of tables are drawn with ---- */

typedef enum RuleKind { RULE_TOP, RULE_MIDDLE, RULE_BOTTOM, RULE_DATA, RULE_COUNT } RuleKind;

typedef struct Rule {
    const char *dash;
    const char *left;
    const char *middle;
    const char *right;
} Rule;

typedef struct LineStyle {
    Rule rules[RULE_COUNT];
    const char *middle_newline; /* between columns, where the right one goes on after a line feed */
    const char *middle_wrapped; /* ... after a cut */
    const char *middle_blank;   /* ... where it has ended */
    const char *header_left;    /* marks of headers, line feeds and cuts */
    const char *header_right;
    const char *newline_left;
    const char *newline_right;
    const char *wrapped_left;
    const char *wrapped_right;
    bool marks_right; /* marks stand behind what goes on, not before what came from above */
} LineStyle;

void line_style_get(const PrintOptions *options, LineStyle *ret);

/* ---- one printer per format ---- */

void print_aligned(Printer *p);
void print_aligned_expanded(Printer *p);
void print_unaligned(Printer *p);
void print_unaligned_expanded(Printer *p);
void print_csv(Printer *p);
void print_csv_expanded(Printer *p);
void print_json(Printer *p, bool array);
void print_html(Printer *p);
void print_html_expanded(Printer *p);
void print_asciidoc(Printer *p);
void print_asciidoc_expanded(Printer *p);
void print_markdown(Printer *p);
void print_markdown_expanded(Printer *p);

#endif
