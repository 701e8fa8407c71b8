/*
 * cell_lines.c - a cell as lines of a screen: widths, escapes, cuts
 *
 * What may stand in a line: characters that have a width. Line feeds end it; tabs go to the next multiple
 * of eight; a carriage return is \r; other control characters are \xNN or \uNNNN, bytes that are no UTF-8
 * are \xNN each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

#include <stdlib.h>

#include "ottla/common/text.h"
#include "ottla/print/print.h"

#define TAB_WIDTH 8

/* What one character of a cell becomes. */
typedef struct Glyph {
    int32_t bytes; /* of the cell that it takes */
    int width;
    int shown_len; /* 0: shown as it is */
    bool ends_line;
    char shown[12];
} Glyph;

static bool
in_ranges(uint32_t c, const CharRange *ranges, int count)
{
    int low = 0, high = count;

    while (low < high) {
        int middle = (low + high) / 2;

        if (c > ranges[middle].last)
            low = middle + 1;
        else if (c < ranges[middle].first)
            high = middle;
        else
            return true;
    }
    return false;
}

/* The code point of one whole sequence. */
static uint32_t
decoded(const unsigned char *at, int32_t len)
{
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = at[0] & first_bits[len];

    for (int32_t i = 1; i < len; i++)
        c = c << 6 | (at[i] & 0x3f);
    return c;
}

static void
glyph_control(Glyph *g, uint32_t c, int64_t column)
{
    if (c == '\n') {
        g->ends_line = true;
        g->width = 0;
    } else if (c == '\t') {
        g->width = g->shown_len = TAB_WIDTH - (int)(column % TAB_WIDTH);
        memset(g->shown, ' ', TAB_WIDTH);
    } else if (c == '\r') {
        g->width = g->shown_len = 2;
        memcpy(g->shown, "\\r", 2);
    } else {
        g->width = g->shown_len =
            snprintf(g->shown, sizeof g->shown, c < 0x80 ? "\\x%02X" : "\\u%04X", c);
    }
}

/* The character at the front of a text that is not empty; column: where in its line it stands. */
static Glyph
glyph_next(StrView text, int64_t column)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    Glyph g = {.bytes = 1, .width = 1};
    uint32_t c = at[0];
    bool good;

    if (c >= 0x20 && c < 0x7f)
        return g;
    if (c >= 0x80) {
        int32_t len = text_utf8_step(text, &good);

        if (!good) {
            g.width = g.shown_len = snprintf(g.shown, sizeof g.shown, "\\x%02X", c);
            return g;
        }
        g.bytes = len;
        c = decoded(at, len);
    }
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        glyph_control(&g, c, column);
    else if (in_ranges(c, print_width_none, print_width_none_count))
        g.width = 0;
    else if (in_ranges(c, print_width_two, print_width_two_count))
        g.width = 2;
    return g;
}

int32_t
plain_run(StrView text)
{
    const uint64_t ones = ~UINT64_C(0) / 255, tops = ones * 0x80;
    int32_t len = 0;

    for (; text.len - len >= 8; len += 8) {
        uint64_t x, del;

        memcpy(&x, text.ptr + len, sizeof x);
        del = x ^ ones * 0x7f;
        /* in some byte: the top bit, a borrow when a blank is taken away, or nothing but DEL's bits */
        if (((x | ((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & tops) != 0)
            break;
    }
    while (len < text.len && (unsigned char)text.ptr[len] >= 0x20 &&
           (unsigned char)text.ptr[len] < 0x7f)
        len++;
    return len;
}

static StrView
behind(StrView text, int32_t bytes)
{
    return (StrView){text.ptr + bytes, text.len - bytes};
}

CellSize
cell_size(StrView text)
{
    CellSize size = {0, 1};
    int64_t column = 0;

    while (text.len > 0) {
        int32_t run = plain_run(text);
        Glyph g;

        column += run;
        text = behind(text, run);
        g = text.len > 0 ? glyph_next(text, column) : (Glyph){0};
        column += g.width;
        if (column > size.width)
            size.width = column;
        if (g.ends_line) {
            size.lines++;
            column = 0;
        }
        text = behind(text, g.bytes);
    }
    return size;
}

int64_t
print_width(StrView text)
{
    return cell_size(text).width;
}

void
cell_lines_init(CellLines *lines)
{
    *lines = (CellLines){0};
    strbuf_init(&lines->text, CELL_TEXT_MAX, NULL);
}

void
cell_lines_release(CellLines *lines)
{
    strbuf_release(&lines->text);
    free(lines->lines);
    lines->lines = NULL;
}

/* The next line begins where the text ends now. NULL: no memory. */
static CellLine *
line_begin(CellLines *lines)
{
    if (lines->count == lines->size) {
        int64_t size = lines->size == 0 ? 4 : lines->size * 2;
        CellLine *more = realloc(lines->lines, (size_t)size * sizeof *more);

        if (more == NULL)
            return NULL;
        lines->lines = more;
        lines->size = size;
    }
    lines->lines[lines->count] = (CellLine){.pos = lines->text.len};
    return &lines->lines[lines->count++];
}

bool
cell_lines_set(CellLines *lines, StrView text)
{
    CellLine *line;

    strbuf_clear(&lines->text);
    lines->count = 0;
    line = line_begin(lines);
    while (line != NULL && text.len > 0) {
        int32_t run = plain_run(text);
        Glyph g;

        strbuf_add(&lines->text, text.ptr, (size_t)run);
        line->width += run;
        text = behind(text, run);
        g = text.len > 0 ? glyph_next(text, line->width) : (Glyph){0};
        if (g.shown_len > 0)
            strbuf_add(&lines->text, g.shown, (size_t)g.shown_len);
        else if (!g.ends_line)
            strbuf_add(&lines->text, text.ptr, (size_t)g.bytes);
        line->width += g.width;
        line->len = lines->text.len - line->pos;
        if (g.ends_line)
            line = line_begin(lines);
        text = behind(text, g.bytes);
    }
    return line != NULL && !strbuf_failed(&lines->text);
}

StrView
cell_lines_rest(const CellLines *lines, int64_t line, size_t from)
{
    const CellLine *l = &lines->lines[line];

    return (StrView){lines->text.ptr + l->pos + from, (int32_t)(l->len - from)};
}

StrView
cut_to_width(StrView text, int64_t width, int64_t *ret_width)
{
    StrView rest = text;
    int64_t used = 0;

    while (rest.len > 0) {
        int32_t run = plain_run(rest);
        Glyph g;

        if (run > width - used)
            run = width > used ? (int32_t)(width - used) : 0;
        used += run;
        rest = behind(rest, run);
        if (rest.len == 0)
            break;
        g = glyph_next(rest, 0);
        if (used > 0 && used + g.width > width)
            break;
        used += g.width;
        rest = behind(rest, g.bytes);
    }
    *ret_width = used;
    return (StrView){text.ptr, text.len - rest.len};
}
