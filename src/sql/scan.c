/*
 * scan.c - rows of one reading of a table: making them, setting their columns, asking what is wanted
 *
 * Only columns that the statement looks at have a place in a row.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include <inttypes.h>

#include "ottla/common/strbuf.h"

#define JSON_MAX ((size_t)16 << 20) /* bytes of one list */

bool
scan_uses(const SqlScan *scan, int32_t column)
{
    return (scan->used & UINT64_C(1) << (column < 63 ? column : 63)) != 0;
}

static const SqlKey *
scan_bound(const SqlScan *scan, int32_t column, SqlOp op)
{
    for (int32_t i = 0; i < scan->key_count; i++)
        if (scan->keys[i].column == column && scan->keys[i].op == op)
            return &scan->keys[i];
    return NULL;
}

const SqlKey *
scan_key(const SqlScan *scan, int32_t column)
{
    return scan_bound(scan, column, SQL_OP_EQ);
}

bool
scan_admits(const SqlScan *scan, int32_t column, StrView value)
{
    const SqlKey *key = scan_key(scan, column);

    if (key == NULL)
        return true;
    for (int32_t i = 0; i < key->count; i++)
        if (key->values[i].type == SQL_TEXT && strview_equal(key->values[i].bytes, value))
            return true;
    return false;
}

bool
scan_admits_int(const SqlScan *scan, int32_t column, int64_t value)
{
    const SqlKey *key = scan_key(scan, column);

    if (key == NULL)
        return true;
    for (int32_t i = 0; i < key->count; i++)
        if (key->values[i].type == SQL_INTEGER && key->values[i].integer == value)
            return true;
    return false;
}

static bool
scan_full(const SqlScan *scan)
{
    /* Of a streaming table it is a hint: nobody asks a second time for rows that it would have to leave out. */
    return scan->table->next == NULL && scan->row_count >= scan->limit;
}

SqlValue *
scan_row(SqlScan *scan)
{
    SqlValue *row;

    if (scan->no_memory || scan_full(scan))
        return NULL;
    if (scan->row_count == scan->row_size) {
        int32_t size = scan->row_size == 0 ? 64 : scan->row_size * 2;
        SqlValue **rows = arena_calloc(scan->arena, (size_t)size, sizeof *rows);

        if (rows == NULL || size < 0) {
            scan->no_memory = true;
            return NULL;
        }
        if (scan->row_count > 0)
            memcpy(rows, scan->rows, (size_t)scan->row_count * sizeof *rows);
        scan->rows = rows;
        scan->row_size = size;
    }
    row = arena_calloc(scan->arena, (size_t)scan->slot_count + 1, sizeof *row);
    if (row == NULL) {
        scan->no_memory = true;
        return NULL;
    }
    scan->rows[scan->row_count++] = row;
    return row;
}

int
scan_end(const SqlScan *scan, Fault *f)
{
    if (!scan->no_memory)
        return 0;
    fault_set(f, FAULT_NO_MEMORY, "table \"%s\" does not fit into the memory of a statement",
              scan->table->name);
    fault_hint(f, "Ask for fewer rows by constraints on its key columns.");
    return -1;
}

/* ---- columns ---- */

static SqlValue *
cell(const SqlScan *scan, SqlValue *row, int32_t column)
{
    int16_t slot = scan->slot_of[column];

    return slot < 0 ? NULL : &row[slot];
}

void
row_int(const SqlScan *scan, SqlValue *row, int32_t column, int64_t number)
{
    SqlValue *value = cell(scan, row, column);

    if (value != NULL)
        *value = (SqlValue){.type = SQL_INTEGER, .integer = number};
}

void
row_real(const SqlScan *scan, SqlValue *row, int32_t column, double number)
{
    SqlValue *value = cell(scan, row, column);

    if (value != NULL)
        *value = (SqlValue){.type = SQL_REAL, .real = number};
}

void
row_bool(const SqlScan *scan, SqlValue *row, int32_t column, bool truth)
{
    row_int(scan, row, column, truth);
}

void
row_text(const SqlScan *scan, SqlValue *row, int32_t column, StrView text)
{
    SqlValue *value = cell(scan, row, column);

    if (value != NULL && text.ptr != NULL)
        *value = (SqlValue){.type = SQL_TEXT, .bytes = text};
}

void
row_cstr(const SqlScan *scan, SqlValue *row, int32_t column, const char *text)
{
    row_text(scan, row, column, strview_from(text));
}

/* A copy of a text that lies on the stack. */
static void
row_copy(SqlScan *scan, SqlValue *row, int32_t column, const char *text)
{
    char *copy = arena_strdup(scan->arena, strview_from(text));

    if (copy == NULL)
        scan->no_memory = true;
    else
        row_cstr(scan, row, column, copy);
}

void
row_uuid(SqlScan *scan, SqlValue *row, int32_t column, Uuid id)
{
    char text[UUID_TEXT_LEN + 1];

    if (cell(scan, row, column) == NULL || uuid_is_zero(id))
        return;
    uuid_to_text(id, text);
    row_copy(scan, row, column, text);
}

void
row_time(SqlScan *scan, SqlValue *row, int32_t column, int64_t wall_ms)
{
    char text[SQL_TIME_MAX];

    if (cell(scan, row, column) == NULL || wall_ms < 0)
        return;
    time_to_text(scan->sql, wall_ms, text);
    row_copy(scan, row, column, text);
}

void
row_ints_json(SqlScan *scan, SqlValue *row, int32_t column, const int32_t *values, int32_t count)
{
    StrBuf text;

    if (cell(scan, row, column) == NULL)
        return;
    strbuf_init(&text, JSON_MAX, scan->arena);
    strbuf_add_char(&text, '[');
    for (int32_t i = 0; i < count; i++)
        strbuf_printf(&text, "%s%" PRId32, i == 0 ? "" : ",", values[i]);
    strbuf_add_char(&text, ']');
    if (strbuf_failed(&text))
        scan->no_memory = true;
    else
        row_text(scan, row, column, strbuf_view(&text));
}

void
row_strings_json(SqlScan *scan, SqlValue *row, int32_t column, const StrView *values, int32_t count)
{
    StrBuf text;

    if (cell(scan, row, column) == NULL)
        return;
    strbuf_init(&text, JSON_MAX, scan->arena);
    strbuf_add_char(&text, '[');
    for (int32_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_add_char(&text, ',');
        strbuf_add_json(&text, values[i]);
    }
    strbuf_add_char(&text, ']');
    if (strbuf_failed(&text))
        scan->no_memory = true;
    else
        row_text(scan, row, column, strbuf_view(&text));
}
