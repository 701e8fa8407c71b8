/*
 * print_plain.c - formats for programs: unaligned and csv
 *
 * Runs in: print_table().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

static void
put_separator(Printer *p, const char *text, bool zero)
{
    if (zero)
        put_char(p, '\0');
    else
        put_cstr(p, text);
}

static void
put_field_end(Printer *p)
{
    put_separator(p, p->options->field_sep, p->options->field_sep_zero);
}

static void
put_record_end(Printer *p)
{
    put_separator(p, p->options->record_sep, p->options->record_sep_zero);
}

/* The last record ends with a line feed, whatever separates them, or with a zero byte. */
static void
put_last_end(Printer *p)
{
    put_char(p, p->options->record_sep_zero ? '\0' : '\n');
}

void
print_unaligned(Printer *p)
{
    const PrintTable *t = p->table;
    StrView title = printed_title(p);
    int64_t rows = print_table_rows(t), records = 0;
    int32_t footers = printed_footers(p, true);

    if (title.ptr != NULL) {
        put_view(p, title);
        put_record_end(p);
    }
    if (!p->options->tuples_only) {
        for (int32_t i = 0; i < t->column_count; i++) {
            if (i > 0)
                put_field_end(p);
            put_view(p, t->columns[i].name);
        }
        records++;
    }
    for (int64_t row = 0; row < rows && t->column_count > 0; row++) {
        if (records++ > 0)
            put_record_end(p);
        for (int32_t i = 0; i < t->column_count; i++) {
            if (i > 0)
                put_field_end(p);
            put_view(p, cell_text(p, row, i));
        }
    }
    for (int32_t i = 0; i < footers; i++) {
        if (records++ > 0)
            put_record_end(p);
        put_view(p, printed_footer(p, i));
    }
    if (records > 0)
        put_last_end(p);
}

void
print_unaligned_expanded(Printer *p)
{
    const PrintTable *t = p->table;
    StrView title = printed_title(p);
    int64_t rows = t->column_count > 0 ? print_table_rows(t) : 0;
    int32_t footers = printed_footers(p, false);
    bool begun = false;

    if (title.ptr != NULL) {
        put_view(p, title);
        begun = true;
    }
    for (int64_t row = 0; row < rows; row++) {
        if (begun) { /* an empty record apart */
            put_record_end(p);
            put_record_end(p);
        }
        begun = true;
        for (int32_t i = 0; i < t->column_count; i++) {
            if (i > 0)
                put_record_end(p);
            put_view(p, t->columns[i].name);
            put_field_end(p);
            put_view(p, cell_text(p, row, i));
        }
    }
    if (footers > 0) {
        put_record_end(p);
        for (int32_t i = 0; i < footers; i++) {
            put_record_end(p);
            put_view(p, printed_footer(p, i));
        }
        begun = true;
    }
    if (begun)
        put_last_end(p);
}

/* RFC 4180; a lone \. would end the data of a COPY. */
static void
put_csv(Printer *p, StrView text)
{
    bool quote = text.len == 2 && memcmp(text.ptr, "\\.", 2) == 0;

    for (int32_t i = 0; i < text.len && !quote; i++) {
        char c = text.ptr[i];

        quote = c == p->options->csv_sep || c == '"' || c == '\n' || c == '\r';
    }
    if (!quote) {
        put_view(p, text);
        return;
    }
    put_char(p, '"');
    for (int32_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            put_char(p, '"');
        put_char(p, text.ptr[i]);
    }
    put_char(p, '"');
}

void
print_csv(Printer *p)
{
    const PrintTable *t = p->table;
    int64_t rows = print_table_rows(t);

    for (int64_t row = p->options->tuples_only ? 0 : -1; row < rows; row++) {
        for (int32_t i = 0; i < t->column_count; i++) {
            if (i > 0)
                put_char(p, p->options->csv_sep);
            put_csv(p, row < 0 ? t->columns[i].name : cell_text(p, row, i));
        }
        if (t->column_count > 0 || row < 0)
            put_char(p, '\n');
    }
}

void
print_csv_expanded(Printer *p)
{
    const PrintTable *t = p->table;
    int64_t rows = t->column_count > 0 ? print_table_rows(t) : 0;

    for (int64_t row = 0; row < rows; row++) {
        for (int32_t i = 0; i < t->column_count; i++) {
            put_csv(p, t->columns[i].name);
            put_char(p, p->options->csv_sep);
            put_csv(p, cell_text(p, row, i));
            put_char(p, '\n');
        }
    }
}
