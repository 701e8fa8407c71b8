/*
 * print_markup.c - formats for documents: html and asciidoc
 *
 * Runs in: print_table().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

#include <inttypes.h>

/* ---- html ---- */

/* Blanks in front stay; they show the depth of plans. */
static void
put_html(Printer *p, StrView text)
{
    bool leading = true;

    for (int32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        leading = leading && c == ' ';
        if (c == '&')
            put_cstr(p, "&amp;");
        else if (c == '<')
            put_cstr(p, "&lt;");
        else if (c == '>')
            put_cstr(p, "&gt;");
        else if (c == '"')
            put_cstr(p, "&quot;");
        else if (c == '\n')
            put_cstr(p, "<br />\n");
        else if (leading)
            put_cstr(p, "&nbsp;");
        else
            put_char(p, c);
    }
}

static const char *
html_align(char align)
{
    return align == 'r' ? "right" : align == 'c' ? "center" : "left";
}

static void
html_begin(Printer *p)
{
    StrView title = printed_title(p);
    char border[48];

    (void)snprintf(border, sizeof border, "<table border=\"%d\"", p->options->border);
    put_cstr(p, border);
    if (p->options->table_attr[0] != '\0') {
        put_char(p, ' ');
        put_cstr(p, p->options->table_attr);
    }
    put_cstr(p, ">\n");
    if (title.ptr != NULL) {
        put_cstr(p, "  <caption>");
        put_html(p, title);
        put_cstr(p, "</caption>\n");
    }
}

static void
html_end(Printer *p, bool with_count)
{
    int32_t footers = printed_footers(p, with_count);

    put_cstr(p, "</table>\n");
    if (footers > 0) {
        put_cstr(p, "<p>");
        for (int32_t i = 0; i < footers; i++) {
            put_html(p, printed_footer(p, i));
            put_cstr(p, "<br />\n");
        }
        put_cstr(p, "</p>");
    }
    put_char(p, '\n');
}

static void
html_cell(Printer *p, int64_t row, int32_t column)
{
    StrView text = cell_text(p, row, column);

    put_cstr(p, "    <td align=\"");
    put_cstr(p, html_align(p->table->columns[column].align));
    put_cstr(p, "\">");
    if (is_blank(text))
        put_cstr(p, "&nbsp; ");
    else
        put_html(p, text);
    put_cstr(p, "</td>\n");
}

void
print_html(Printer *p)
{
    const PrintTable *t = p->table;
    int64_t rows = t->column_count > 0 ? print_table_rows(t) : 0;

    html_begin(p);
    if (!p->options->tuples_only) {
        put_cstr(p, "  <tr>\n");
        for (int32_t i = 0; i < t->column_count; i++) {
            put_cstr(p, "    <th align=\"center\">");
            put_html(p, t->columns[i].name);
            put_cstr(p, "</th>\n");
        }
        put_cstr(p, "  </tr>\n");
    }
    for (int64_t row = 0; row < rows; row++) {
        put_cstr(p, "  <tr valign=\"top\">\n");
        for (int32_t i = 0; i < t->column_count; i++)
            html_cell(p, row, i);
        put_cstr(p, "  </tr>\n");
    }
    html_end(p, true);
}

void
print_html_expanded(Printer *p)
{
    const PrintTable *t = p->table;
    int64_t rows = t->column_count > 0 ? print_table_rows(t) : 0;

    html_begin(p);
    for (int64_t row = 0; row < rows; row++) {
        char record[96];

        (void)snprintf(record, sizeof record,
                       "\n  <tr><td colspan=\"2\" align=\"center\">Record %" PRId64 "</td></tr>\n",
                       row + 1);
        put_cstr(p,
                 p->options->tuples_only ? "\n  <tr><td colspan=\"2\">&nbsp;</td></tr>\n" : record);
        for (int32_t i = 0; i < t->column_count; i++) {
            put_cstr(p, "  <tr valign=\"top\">\n    <th>");
            put_html(p, t->columns[i].name);
            put_cstr(p, "</th>\n");
            html_cell(p, row, i);
            put_cstr(p, "  </tr>\n");
        }
    }
    html_end(p, false);
}

/* ---- asciidoc ---- */

static void
put_asciidoc(Printer *p, StrView text)
{
    for (int32_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '|')
            put_char(p, '\\');
        put_char(p, text.ptr[i]);
    }
}

static const char *
asciidoc_align(char align)
{
    return align == 'r' ? ">l" : align == 'c' ? "^l" : "<l";
}

static void
asciidoc_title(Printer *p)
{
    StrView title = printed_title(p);

    put_char(p, '\n');
    if (title.ptr != NULL) {
        put_char(p, '.');
        put_view(p, title);
        put_char(p, '\n');
    }
}

/* Ends the list of columns and begins the table. */
static void
asciidoc_frame(Printer *p)
{
    static const char *const frames[] = {",frame=\"none\",grid=\"none\"", ",frame=\"none\"",
                                         ",frame=\"all\",grid=\"all\"", ""};

    put_char(p, '"');
    put_cstr(p, frames[p->options->border]);
    put_cstr(p, "]\n|====\n");
}

static void
asciidoc_end(Printer *p, bool with_count)
{
    int32_t footers = printed_footers(p, with_count);

    put_cstr(p, "|====\n");
    if (footers > 0) {
        put_cstr(p, "\n....\n");
        for (int32_t i = 0; i < footers; i++) {
            put_view(p, printed_footer(p, i));
            put_char(p, '\n');
        }
        put_cstr(p, "....\n");
    }
}

void
print_asciidoc(Printer *p)
{
    const PrintTable *t = p->table;
    int64_t rows = t->column_count > 0 ? print_table_rows(t) : 0;

    asciidoc_title(p);
    put_cstr(p, p->options->tuples_only ? "[cols=\"" : "[options=\"header\",cols=\"");
    for (int32_t i = 0; i < t->column_count; i++) {
        if (i > 0)
            put_char(p, ',');
        put_cstr(p, asciidoc_align(t->columns[i].align));
    }
    asciidoc_frame(p);
    if (!p->options->tuples_only) {
        for (int32_t i = 0; i < t->column_count; i++) {
            put_cstr(p, i > 0 ? " ^l|" : "^l|");
            put_asciidoc(p, t->columns[i].name);
        }
        put_char(p, '\n');
    }
    for (int64_t row = 0; row < rows; row++) {
        for (int32_t i = 0; i < t->column_count; i++) {
            StrView text = cell_text(p, row, i);

            put_cstr(p, i > 0 ? " |" : "|");
            if (!is_blank(text))
                put_asciidoc(p, text);
            else if (i + 1 < t->column_count)
                put_char(p, ' ');
        }
        put_char(p, '\n');
    }
    asciidoc_end(p, true);
}

void
print_asciidoc_expanded(Printer *p)
{
    const PrintTable *t = p->table;
    int64_t rows = t->column_count > 0 ? print_table_rows(t) : 0;

    asciidoc_title(p);
    put_cstr(p, "[cols=\"h,l");
    asciidoc_frame(p);
    for (int64_t row = 0; row < rows; row++) {
        char record[48];

        (void)snprintf(record, sizeof record, "2+^|Record %" PRId64 "\n", row + 1);
        put_cstr(p, p->options->tuples_only ? "2+|\n" : record);
        for (int32_t i = 0; i < t->column_count; i++) {
            StrView text;

            put_cstr(p, "<l|");
            put_asciidoc(p, t->columns[i].name);
            put_char(p, ' ');
            put_cstr(p, asciidoc_align(t->columns[i].align));
            put_char(p, '|');
            text = cell_text(p, row, i);
            if (is_blank(text))
                put_char(p, ' ');
            else
                put_asciidoc(p, text);
            put_char(p, '\n');
        }
    }
    asciidoc_end(p, false);
}
