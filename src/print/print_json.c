/*
 * print_json.c - formats json (one array) and jsonl (an object a line)
 *
 * Numbers and JSON texts stand as they are, null is null, all else is a string; title, footers and
 * expanded mean nothing here.
 *
 * Runs in: print_table().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

#include "ottla/common/text.h"

static void
put_json_string(Printer *p, StrView text)
{
    /* most texts need no escapes */
    if (text.len > 0 && plain_run(text) == text.len &&
        memchr(text.ptr, '"', (size_t)text.len) == NULL &&
        memchr(text.ptr, '\\', (size_t)text.len) == NULL) {
        put_char(p, '"');
        put_view(p, text);
        put_char(p, '"');
        return;
    }
    strbuf_clear(&p->scratch);
    strbuf_add_json(&p->scratch, text);
    p->no_memory |= strbuf_failed(&p->scratch);
    put_view(p, strbuf_view(&p->scratch));
}

/* A text with line feeds in it stays one line of jsonl: white space between the parts of a value is no matter. */
static void
put_json_value(Printer *p, StrView text)
{
    for (int32_t i = 0; i < text.len; i++)
        put_char(p, text.ptr[i] == '\n' || text.ptr[i] == '\r' ? ' ' : text.ptr[i]);
}

static void
put_cell(Printer *p, int64_t row, int32_t column)
{
    const PrintColumn *c = &p->table->columns[column];
    StrView cell = print_table_cell(p->table, row, column);

    if (c->align == 'r' && cell.ptr != NULL && is_json_number(cell))
        put_view(p, cell);
    else if (c->json && cell.ptr != NULL && is_json(cell) && text_is_utf8(cell))
        put_json_value(p, cell);
    else
        put_json_string(p, cell);
}

void
print_json(Printer *p, bool array)
{
    const PrintTable *t = p->table;
    int64_t rows = print_table_rows(t);

    if (array)
        put_char(p, '[');
    for (int64_t row = 0; row < rows; row++) {
        if (array)
            put_cstr(p, row > 0 ? ",\n" : "\n");
        put_char(p, '{');
        for (int32_t i = 0; i < t->column_count; i++) {
            if (i > 0)
                put_char(p, ',');
            put_json_string(p, t->columns[i].name);
            put_char(p, ':');
            put_cell(p, row, i);
        }
        put_char(p, '}');
        if (!array)
            put_char(p, '\n');
    }
    if (array)
        put_cstr(p, rows > 0 ? "\n]\n" : "]\n");
}
