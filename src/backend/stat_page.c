/*
 * stat_page.c - rows of a view into a page of an answer: columns, filters, bounds
 *
 * Runs in: backend. Called by the walks of stat_*.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "backend/stat_int.h"
#include "ottla/common/assert.h"

bool
stat_look(StatScan *scan)
{
    if (scan->failed || scan->row_count >= STAT_PAGE_ROWS || scan->looks >= STAT_PAGE_LOOKS ||
        scan->text_bytes >= STAT_PAGE_TEXT)
        return false;
    scan->looks++;
    return true;
}

bool
stat_wants(const StatScan *scan, int32_t column)
{
    return ((scan->wanted | scan->filtered) >> column & 1) != 0;
}

bool
stat_may_pass(const StatScan *scan, int32_t column, StrView value)
{
    return (scan->filtered >> column & 1) == 0 || strview_equal(scan->filters[column].text, value);
}

static void
put(StatScan *scan, int32_t column, StatType type, int64_t number, StrView text)
{
    ot_assert(column >= 0 && column < scan->view->column_count);
    ot_assert(scan->view->columns[column].type == type);
    scan->row[column].set = true;
    scan->row[column].number = number;
    scan->row[column].text = text;
}

void
stat_integer(StatScan *scan, int32_t column, int64_t value)
{
    put(scan, column, STAT_INTEGER, value, (StrView){NULL, 0});
}

void
stat_boolean(StatScan *scan, int32_t column, bool value)
{
    put(scan, column, STAT_BOOLEAN, value, (StrView){NULL, 0});
}

void
stat_real(StatScan *scan, int32_t column, double value)
{
    int64_t bits;

    memcpy(&bits, &value, sizeof bits);
    put(scan, column, STAT_REAL, bits, (StrView){NULL, 0});
}

void
stat_text(StatScan *scan, int32_t column, StrView value)
{
    put(scan, column, STAT_TEXT, 0, value);
}

/* Does a cell that is set pass the filter of its column, if there is one? */
static bool
cell_passes(const StatScan *scan, int32_t c)
{
    if ((scan->filtered >> c & 1) == 0)
        return true;
    if (scan->filters[c].text.ptr == NULL)
        return false;
    return scan->view->columns[c].type == STAT_TEXT
               ? strview_equal(scan->row[c].text, scan->filters[c].text)
               : scan->row[c].number == scan->filters[c].number;
}

static bool
passes(const StatScan *scan)
{
    for (int32_t c = 0; c < scan->view->column_count; c++)
        if (scan->row[c].set ? !cell_passes(scan, c)
                             : (scan->filtered >> c & 1) != 0 && scan->filters[c].text.ptr != NULL)
            return false;
    return true;
}

bool
stat_row_lives(StatScan *scan)
{
    for (int32_t c = 0; c < scan->view->column_count; c++)
        if (scan->row[c].set && !cell_passes(scan, c)) {
            memset(scan->row, 0, sizeof scan->row);
            return false;
        }
    return true;
}

static void
keep_cell(StatScan *scan, int32_t c)
{
    int32_t at = scan->row_count;
    StrView text = scan->row[c].text;

    if (!scan->row[c].set) {
        scan->nulls[c][at / 8] |= (uint8_t)(1 << at % 8);
        text = STRVIEW("");
    }
    if (scan->view->columns[c].type != STAT_TEXT) {
        scan->numbers[c][at] = scan->row[c].set ? scan->row[c].number : 0;
        return;
    }
    if (text.len > 0) {
        char *copy;

        request_grow(scan->rq, (size_t)text.len);
        copy = arena_alloc(scan->rq->arena, (size_t)text.len);
        if (copy == NULL) {
            scan->failed = true;
            return;
        }
        memcpy(copy, text.ptr, (size_t)text.len);
        text.ptr = copy;
        scan->text_bytes += text.len;
    }
    scan->texts[c][at] = text;
}

void
stat_end(StatScan *scan)
{
    if (passes(scan)) {
        for (int32_t c = 0; c < scan->view->column_count; c++)
            if ((scan->wanted >> c & 1) != 0)
                keep_cell(scan, c);
        scan->row_count++;
    }
    memset(scan->row, 0, sizeof scan->row);
}
