/*
 * options.h - how results are printed: what \pset sets
 *
 * A plain value: "\g (format=csv)" is a copy, a change, a print. Names, values and messages are psql's;
 * json, jsonl, markdown and units are ours.
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PRINT_OPTIONS_H
#define OTTLA_PRINT_OPTIONS_H

#include <stdbool.h>

#include "ottla/common/err.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/view.h"

typedef enum PrintFormat {
    PRINT_ALIGNED,
    PRINT_ASCIIDOC,
    PRINT_CSV,
    PRINT_HTML,
    PRINT_JSON,
    PRINT_JSONL,
    PRINT_MARKDOWN,
    PRINT_UNALIGNED,
    PRINT_WRAPPED,
    PRINT_FORMAT_COUNT,
} PrintFormat;

typedef enum PrintLineStyle {
    PRINT_LINES_ASCII,
    PRINT_LINES_OLD_ASCII,
    PRINT_LINES_UNICODE,
    PRINT_LINES_COUNT,
} PrintLineStyle;

/* Off, on, or when the table is wider than the screen; and for the pager: off, on, always. */
typedef enum PrintSwitch { PRINT_OFF, PRINT_ON, PRINT_AUTO, PRINT_SWITCH_COUNT } PrintSwitch;

/* For people in aligned and wrapped, raw elsewhere; or one of both everywhere. */
typedef enum PrintUnits {
    PRINT_UNITS_AUTO,
    PRINT_UNITS_HUMAN,
    PRINT_UNITS_RAW,
    PRINT_UNITS_COUNT
} PrintUnits;

/* Longest text of an option, zero byte included. */
#define PRINT_TEXT_MAX 256

typedef struct PrintOptions {
    PrintFormat format;
    PrintSwitch expanded;
    PrintSwitch pager; /* PRINT_AUTO: always */
    PrintUnits units;
    PrintLineStyle line_style;
    bool double_border; /* unicode_border_linestyle and so on: single or double */
    bool double_column;
    bool double_header;
    bool tuples_only;
    bool row_count; /* \pset footer */
    bool numeric_locale;
    bool field_sep_zero;
    bool record_sep_zero;
    bool has_title;     /* title is set */
    int border;         /* 0 to 3; formats without a third kind of border take 2 for it */
    int columns;        /* width for wrapped and expanded auto; 0: the screen's */
    int screen_columns; /* set by the caller before printing: 0 when the output is no screen */
    int pager_min_lines;
    char csv_sep;
    char field_sep[PRINT_TEXT_MAX];
    char record_sep[PRINT_TEXT_MAX];
    char null_text[PRINT_TEXT_MAX];
    char table_attr[PRINT_TEXT_MAX];
    char title[PRINT_TEXT_MAX]; /* of results that have none of their own */
} PrintOptions;

/* psql's defaults. */
void print_options_init(PrintOptions *options);

/*
 * Sets one option by its name. A null value means what "\pset NAME" alone means: switches are turned,
 * title and tableattr are unset, others stay. OT_E_NOT_FOUND: no such option; OT_E_INVALID: not a value of it; err
 * has psql's text, without "\pset: ". Nothing has changed then.
 */
int print_options_set(PrintOptions *options, StrView name, StrView value, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Appends the line that \pset prints after a change ("Border style is 2.\n"). OT_E_NOT_FOUND as above. */
int print_options_show(const PrintOptions *options, StrView name, StrBuf *out, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Appends what \pset alone prints: a line per option. */
void print_options_show_all(const PrintOptions *options, StrBuf *out);

/* The names of the options in their order, and the values that one may have ("on off auto"), for completion.
 * NULL: no more; "" where anything may stand. */
const char *print_option_name(int index);
const char *print_option_values(int index);

#endif
