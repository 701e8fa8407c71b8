/*
 * print.c - prints a table in the format that the options name
 *
 * Called by: the shell and the tools. Never: decides whether a pager is used.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/print/print.h"

#include <inttypes.h>

#include "ottla/common/text.h"
#include "print/print_int.h"

void
put_view(Printer *p, StrView text)
{
    if (text.len > 0)
        (void)fwrite_unlocked(text.ptr, 1, (size_t)text.len,
                              p->out); /* ferror() tells in the end */
}

void
put_cstr(Printer *p, const char *text)
{
    put_view(p, strview_from(text));
}

void
put_char(Printer *p, char c)
{
    (void)putc_unlocked(c, p->out); /* as above */
}

void
put_spaces(Printer *p, int64_t count)
{
    for (; count > 0; count--)
        put_char(p, ' ');
}

void
put_times(Printer *p, const char *text, int64_t count)
{
    for (; count > 0; count--)
        put_cstr(p, text);
}

/* Units for people: where the options say so, or where people look. */
static bool
is_human(const PrintOptions *o)
{
    return o->units == PRINT_UNITS_HUMAN ||
           (o->units == PRINT_UNITS_AUTO &&
            (o->format == PRINT_ALIGNED || o->format == PRINT_WRAPPED));
}

StrView
cell_text(Printer *p, int64_t row, int32_t column)
{
    const PrintColumn *c = &p->table->columns[column];
    StrView cell = print_table_cell(p->table, row, column);
    int64_t value;

    if (cell.ptr == NULL)
        return strview_from(p->options->null_text);
    strbuf_clear(&p->scratch);
    if (c->unit != PRINT_UNIT_NONE && is_human(p->options) && text_to_int64(cell, &value)) {
        char human[PRINT_HUMAN_MAX];

        print_human(value, c->unit, human);
        strbuf_add_cstr(&p->scratch, human);
    } else if (p->options->numeric_locale && c->align == 'r') {
        add_grouped(&p->scratch, cell);
    } else {
        return cell;
    }
    p->no_memory |= strbuf_failed(&p->scratch);
    return strbuf_view(&p->scratch);
}

bool
is_blank(StrView text)
{
    for (int32_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ' ' && text.ptr[i] != '\t')
            return false;
    }
    return true;
}

StrView
printed_title(const Printer *p)
{
    if (p->options->tuples_only)
        return (StrView){NULL, 0};
    if (p->table->title.ptr == NULL && p->options->has_title)
        return strview_from(p->options->title);
    return p->table->title;
}

int32_t
printed_footers(const Printer *p, bool with_count)
{
    if (p->options->tuples_only)
        return 0;
    if (p->table->footer_count > 0)
        return p->table->footer_count;
    return with_count && p->options->row_count && !p->table->no_row_count ? 1 : 0;
}

StrView
printed_footer(Printer *p, int32_t index)
{
    int64_t rows = print_table_rows(p->table);

    if (p->table->footer_count > 0)
        return p->table->footers[index];
    strbuf_clear(&p->scratch);
    strbuf_printf(&p->scratch, rows == 1 ? "(%" PRId64 " row)" : "(%" PRId64 " rows)", rows);
    p->no_memory |= strbuf_failed(&p->scratch);
    return strbuf_view(&p->scratch);
}

static void
print_in_format(Printer *p)
{
    bool expanded = p->options->expanded == PRINT_ON;

    switch (p->options->format) {
    case PRINT_ALIGNED:
    case PRINT_WRAPPED:
        expanded ? print_aligned_expanded(p) : print_aligned(p);
        break;
    case PRINT_ASCIIDOC:
        expanded ? print_asciidoc_expanded(p) : print_asciidoc(p);
        break;
    case PRINT_CSV:
        expanded ? print_csv_expanded(p) : print_csv(p);
        break;
    case PRINT_HTML:
        expanded ? print_html_expanded(p) : print_html(p);
        break;
    case PRINT_JSON:
        print_json(p, true);
        break;
    case PRINT_JSONL:
        print_json(p, false);
        break;
    case PRINT_MARKDOWN:
        expanded ? print_markdown_expanded(p) : print_markdown(p);
        break;
    case PRINT_UNALIGNED:
        expanded ? print_unaligned_expanded(p) : print_unaligned(p);
        break;
    case PRINT_FORMAT_COUNT:
        break;
    }
}

int
print_table(const PrintTable *table, const PrintOptions *options, FILE *out)
{
    Printer p = {.table = table, .options = options, .out = out};

    if (table->failed)
        return OT_E_NO_MEMORY;
    strbuf_init(&p.scratch, CELL_TEXT_MAX, NULL);
    print_in_format(&p);
    strbuf_release(&p.scratch);
    if (p.no_memory)
        return OT_E_NO_MEMORY;
    return ferror(out) ? OT_E_IO : 0;
}
