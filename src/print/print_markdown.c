/*
 * print_markdown.c - format markdown: tables as GitHub's dialect has them
 *
 * A table needs its headers there, so that tuples_only takes title and footers alone away. Records of
 * expanded are tables of two columns.
 *
 * Runs in: print_table().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

#include <ctype.h>
#include <inttypes.h>

static bool
is_word(StrView text, int32_t at)
{
    return at >= 0 && at < text.len &&
           ((text.ptr[at] & 0x80) != 0 || isalnum((unsigned char)text.ptr[at]));
}

/* What would begin markup is escaped; a '_' between letters begins none. */
static void
put_markdown(Printer *p, StrView text)
{
    for (int32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '\n') {
            put_cstr(p, "<br>");
        } else if (c == '\r') {
            continue;
        } else if (c == '<') {
            put_cstr(p, "&lt;");
        } else if (c == '&') {
            put_cstr(p, "&amp;");
        } else {
            if (c == '\\' || c == '|' || c == '*' || c == '`' || c == '[' ||
                (c == '_' && !(is_word(text, i - 1) && is_word(text, i + 1))))
                put_char(p, '\\');
            put_char(p, c);
        }
    }
}

static void
put_paragraph(Printer *p, const char *around, StrView text)
{
    put_cstr(p, around);
    put_markdown(p, text);
    put_cstr(p, around);
    put_cstr(p, "\n\n");
}

static void
markdown_end(Printer *p, bool with_count)
{
    int32_t footers = printed_footers(p, with_count);

    put_char(p, '\n');
    for (int32_t i = 0; i < footers; i++)
        put_paragraph(p, "", printed_footer(p, i));
}

static void
markdown_begin(Printer *p)
{
    StrView title = printed_title(p);

    if (title.ptr != NULL && !is_blank(title))
        put_paragraph(p, "**", title);
}

static const char *
markdown_align(char align)
{
    return align == 'r' ? " ---: |" : align == 'c' ? " :---: |" : " :--- |";
}

void
print_markdown(Printer *p)
{
    const PrintTable *t = p->table;
    int64_t rows = t->column_count > 0 ? print_table_rows(t) : 0;

    markdown_begin(p);
    for (int64_t row = t->column_count > 0 ? -1 : 0; row < rows; row++) {
        put_char(p, '|');
        for (int32_t i = 0; i < t->column_count; i++) {
            put_char(p, ' ');
            put_markdown(p, row < 0 ? t->columns[i].name : cell_text(p, row, i));
            put_cstr(p, " |");
        }
        put_char(p, '\n');
        if (row >= 0)
            continue;
        put_char(p, '|');
        for (int32_t i = 0; i < t->column_count; i++)
            put_cstr(p, markdown_align(t->columns[i].align));
        put_char(p, '\n');
    }
    markdown_end(p, true);
}

void
print_markdown_expanded(Printer *p)
{
    const PrintTable *t = p->table;
    int64_t rows = t->column_count > 0 ? print_table_rows(t) : 0;

    markdown_begin(p);
    for (int64_t row = 0; row < rows; row++) {
        char record[64];

        (void)snprintf(record, sizeof record, "%s| Record %" PRId64 " | |\n| :--- | :--- |\n",
                       row > 0 ? "\n" : "", row + 1);
        put_cstr(p, record);
        for (int32_t i = 0; i < t->column_count; i++) {
            put_cstr(p, "| ");
            put_markdown(p, t->columns[i].name);
            put_cstr(p, " | ");
            put_markdown(p, cell_text(p, row, i));
            put_cstr(p, " |\n");
        }
    }
    markdown_end(p, false);
}
