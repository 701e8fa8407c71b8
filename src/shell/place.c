/*
 * place.c - shows the place of an error in a statement
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "place_int.h"

#include <inttypes.h>

#include "ottla/common/text.h"
#include "ottla/print/print.h"

/* How far before the place the shown part begins, at most. */
#define COLUMNS_BEFORE (PLACE_COLUMNS - 10)

/* The line that the position lies in, and its number. */
static StrView
line_of(StrView text, int64_t position, int64_t *ret_number)
{
    int64_t begin = 0;
    int64_t end = position;

    *ret_number = 1;
    for (int64_t i = 0; i < position; i++) {
        if (text.ptr[i] == '\n') {
            begin = i + 1;
            ++*ret_number;
        }
    }
    while (end < text.len && text.ptr[end] != '\n')
        end++;
    return (StrView){text.ptr + begin, (int32_t)(end - begin)};
}

/* The character at the front: its bytes, and its columns. */
static int32_t
step(StrView text, int *ret_columns)
{
    bool good;
    int32_t len = text_utf8_step(text, &good);

    *ret_columns = text.ptr[0] == '\t' ? 1 : (int)print_width((StrView){text.ptr, len});
    return len;
}

/* Bytes to leave out at the front so that the place is at most COLUMNS_BEFORE columns away. */
static int32_t
cut_front(StrView line, int32_t place, int *ret_columns_before)
{
    int columns, before = 0;
    int32_t skipped = 0;

    for (int32_t i = 0; i < place;) {
        i += step((StrView){line.ptr + i, line.len - i}, &columns);
        before += columns;
    }
    while (before > COLUMNS_BEFORE) {
        skipped += step((StrView){line.ptr + skipped, line.len - skipped}, &columns);
        before -= columns;
    }
    *ret_columns_before = before;
    return skipped;
}

/* Columns of the bytes before `end`, counted up to a few more than `most`. */
static int
columns_before(StrView line, int32_t end, int most)
{
    int columns, sum = 0;

    for (int32_t i = 0; i < end && sum <= most;) {
        i += step((StrView){line.ptr + i, line.len - i}, &columns);
        sum += columns;
    }
    return sum;
}

/* At most PLACE_COLUMNS of it. */
static void
add_line(StrBuf *out, StrView line)
{
    int columns, used = 0;

    for (int32_t i = 0; i < line.len;) {
        int32_t len = step((StrView){line.ptr + i, line.len - i}, &columns);

        if (used + columns > PLACE_COLUMNS) {
            strbuf_add_cstr(out, "...");
            break;
        }
        if (line.ptr[i] == '\t')
            strbuf_add_char(out, ' ');
        else
            strbuf_add(out, line.ptr + i, (size_t)len);
        used += columns;
        i += len;
    }
    strbuf_add_char(out, '\n');
}

void
place_add(StrBuf *out, StrView text, int64_t position)
{
    int64_t number;
    StrView line;
    int32_t skipped = 0;
    int32_t at;
    int before;

    if (position > text.len)
        position = text.len;
    line = line_of(text, position, &number);
    at = (int32_t)(text.ptr + position - line.ptr);
    if (columns_before(line, line.len, PLACE_COLUMNS) > PLACE_COLUMNS)
        skipped = cut_front(line, at, &before);
    else
        before = columns_before(line, at, PLACE_COLUMNS);
    before += snprintf(NULL, 0, "LINE %" PRId64 ": ", number) + (skipped > 0 ? 3 : 0);
    strbuf_printf(out, "LINE %" PRId64 ": %s", number, skipped > 0 ? "..." : "");
    add_line(out, (StrView){line.ptr + skipped, line.len - skipped});
    for (int i = 0; i < before; i++)
        strbuf_add_char(out, ' ');
    strbuf_add_cstr(out, "^\n");
}
