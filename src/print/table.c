/*
 * table.c - a result as rows of text, before it is printed in some format
 *
 * Called by: whoever has a result. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/print/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/assert.h"

void
print_table_init(PrintTable *table, Arena *arena, StrView title)
{
    *table = (PrintTable){.arena = arena};
    if (title.ptr != NULL) {
        char *copy = arena_strdup(arena, title);

        table->title = (StrView){copy, title.len};
        table->failed = copy == NULL;
    }
}

/* Room for at least one more of what lies in pieces of bytes; doubles. NULL: no memory. */
static void *
grown(PrintTable *table, const void *old, int64_t *size, size_t bytes)
{
    int64_t wanted = *size == 0 ? 16 : *size * 2;
    char *more = arena_alloc(table->arena, (size_t)wanted * bytes);

    if (more == NULL) {
        table->failed = true;
        return NULL;
    }
    if (*size > 0)
        memcpy(more, old, (size_t)*size * bytes);
    *size = wanted;
    return more;
}

void
print_table_add_column(PrintTable *table, StrView name, char align)
{
    char *copy;

    ot_assert(table->cell_count == 0);
    ot_assert(align == 'l' || align == 'r' || align == 'c');
    if (table->failed || table->column_count >= PRINT_COLUMNS_MAX) {
        table->failed = true;
        return;
    }
    if (table->column_count == table->columns_size) {
        int64_t size = table->columns_size;
        PrintColumn *more = grown(table, table->columns, &size, sizeof *more);

        if (more == NULL)
            return;
        table->columns = more;
        table->columns_size = (int32_t)size;
    }
    copy = arena_strdup(table->arena, name.ptr == NULL ? STRVIEW("") : name);
    if (copy == NULL)
        table->failed = true;
    else
        table->columns[table->column_count++] =
            (PrintColumn){.name = {copy, name.len}, .align = align};
}

void
print_table_column_unit(PrintTable *table, PrintUnit unit)
{
    if (!table->failed && table->column_count > 0)
        table->columns[table->column_count - 1].unit = unit;
}

void
print_table_column_json(PrintTable *table)
{
    if (!table->failed && table->column_count > 0)
        table->columns[table->column_count - 1].json = true;
}

/* The place of the next cell; NULL: no memory. */
static StrView *
next_cell(PrintTable *table)
{
    int64_t chunk = table->cell_count / PRINT_CHUNK_CELLS;

    if (table->failed)
        return NULL;
    ot_assert(table->column_count > 0);
    if (table->cell_count % PRINT_CHUNK_CELLS == 0) {
        if (chunk == table->chunks_size) {
            StrView **more = grown(table, table->chunks, &table->chunks_size, sizeof(StrView *));

            if (more == NULL)
                return NULL;
            table->chunks = more;
        }
        table->chunks[chunk] = arena_alloc(table->arena, PRINT_CHUNK_CELLS * sizeof(StrView));
        if (table->chunks[chunk] == NULL) {
            table->failed = true;
            return NULL;
        }
    }
    return &table->chunks[chunk][table->cell_count % PRINT_CHUNK_CELLS];
}

void
print_table_add_cell(PrintTable *table, StrView value)
{
    StrView *cell = next_cell(table);

    if (cell == NULL)
        return;
    *cell = (StrView){NULL, 0};
    if (value.ptr != NULL) {
        char *copy = arena_alloc(table->arena, (size_t)value.len);

        if (copy == NULL) {
            table->failed = true;
            return;
        }
        memcpy(copy, value.ptr, (size_t)value.len);
        *cell = (StrView){copy, value.len};
    }
    table->cell_count++;
}

void
print_table_add_text(PrintTable *table, const char *value)
{
    print_table_add_cell(table, strview_from(value));
}

void
print_table_add_int(PrintTable *table, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, value);

    print_table_add_cell(table, (StrView){text, len});
}

void
print_table_add_bool(PrintTable *table, bool value)
{
    print_table_add_cell(table, value ? STRVIEW("t") : STRVIEW("f"));
}

void
print_table_add_null(PrintTable *table)
{
    print_table_add_cell(table, (StrView){NULL, 0});
}

/* printf into the arena; null: no memory. */
static StrView
printed(PrintTable *table, const char *format, va_list args)
{
    va_list again;
    char *text = NULL;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len >= 0)
        text = arena_alloc(table->arena, (size_t)len + 1);
    if (text == NULL) {
        table->failed = true;
        return (StrView){NULL, 0};
    }
    (void)vsnprintf(text, (size_t)len + 1, format, args); /* measured above */
    return (StrView){text, len};
}

void
print_table_printf(PrintTable *table, const char *format, ...)
{
    StrView *cell = next_cell(table);
    va_list args;

    if (cell == NULL)
        return;
    va_start(args, format);
    *cell = printed(table, format, args);
    va_end(args);
    if (!table->failed)
        table->cell_count++;
}

void
print_table_add_footer(PrintTable *table, const char *format, ...)
{
    va_list args;
    StrView text;

    if (table->failed || table->footer_count >= PRINT_FOOTERS_MAX)
        return;
    if (table->footers == NULL)
        table->footers = arena_calloc(table->arena, PRINT_FOOTERS_MAX, sizeof(StrView));
    if (table->footers == NULL) {
        table->failed = true;
        return;
    }
    va_start(args, format);
    text = printed(table, format, args);
    va_end(args);
    if (!table->failed)
        table->footers[table->footer_count++] = text;
}

int64_t
print_table_rows(const PrintTable *table)
{
    return table->column_count == 0 ? table->empty_rows : table->cell_count / table->column_count;
}

StrView
print_table_cell(const PrintTable *table, int64_t row, int32_t column)
{
    int64_t index = row * table->column_count + column;

    ot_assert(column >= 0 && column < table->column_count);
    ot_assert(index >= 0 && index < table->cell_count);
    return table->chunks[index / PRINT_CHUNK_CELLS][index % PRINT_CHUNK_CELLS];
}
