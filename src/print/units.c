/*
 * units.c - numbers as people read them and as JSON writes them
 *
 * Runs in: print_table(), and whoever makes texts of amounts. Asks the locale for its signs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "print/print_int.h"

#include <inttypes.h>
#include <locale.h>

#include "ottla/print/print.h"

#define JSON_DEPTH_MAX 64

static void
human_bytes(int64_t value, const char *suffix, char ret[PRINT_HUMAN_MAX])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    int unit = 0;
    int64_t scale = 1, tenths;

    while (unit < 6 && value / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    tenths = (int64_t)(((__int128)value * 10 + scale / 2) / scale);
    if (tenths >= 10240 && unit < 6) { /* rounded up into the next unit */
        scale *= 1024;
        unit++;
        tenths = 10;
    }
    if (tenths < 100 && value % scale != 0)
        (void)snprintf(ret, PRINT_HUMAN_MAX, "%d.%d %s%s", (int)(tenths / 10), (int)(tenths % 10),
                       units[unit], suffix);
    else
        (void)snprintf(ret, PRINT_HUMAN_MAX, "%d %s%s", (int)((tenths + 5) / 10), units[unit],
                       suffix);
}

/* The two largest units; tenths of a second below a minute. */
static void
human_ms(int64_t ms, char ret[PRINT_HUMAN_MAX])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    int64_t tenths = ms / 100;
    int at = 0;

    if (ms < 1000) {
        (void)snprintf(ret, PRINT_HUMAN_MAX, "%" PRId64 "ms", ms);
    } else if (ms < 60000) {
        if (tenths % 10 == 0)
            (void)snprintf(ret, PRINT_HUMAN_MAX, "%" PRId64 "s", tenths / 10);
        else
            (void)snprintf(ret, PRINT_HUMAN_MAX, "%" PRId64 ".%ds", tenths / 10,
                           (int)(tenths % 10));
    } else {
        while (ms < units[at].ms)
            at++;
        int64_t large = ms / units[at].ms, small = ms % units[at].ms / units[at + 1].ms;

        if (small == 0)
            (void)snprintf(ret, PRINT_HUMAN_MAX, "%" PRId64 "%s", large, units[at].name);
        else
            (void)snprintf(ret, PRINT_HUMAN_MAX, "%" PRId64 "%s %" PRId64 "%s", large,
                           units[at].name, small, units[at + 1].name);
    }
}

void
print_human(int64_t value, PrintUnit unit, char ret[PRINT_HUMAN_MAX])
{
    /* What is negative means something ("-1": for ever, unknown), not an amount. */
    if (unit == PRINT_UNIT_NONE || value < 0)
        (void)snprintf(ret, PRINT_HUMAN_MAX, "%" PRId64, value);
    else if (unit == PRINT_UNIT_MS)
        human_ms(value, ret);
    else
        human_bytes(value, unit == PRINT_UNIT_BYTES_PER_S ? "/s" : "", ret);
}

static int32_t
digits_at(StrView text, int32_t at)
{
    int32_t count = 0;

    while (at + count < text.len && text.ptr[at + count] >= '0' && text.ptr[at + count] <= '9')
        count++;
    return count;
}

void
add_grouped(StrBuf *out, StrView number)
{
    const struct lconv *locale = localeconv();
    const char *point = *locale->decimal_point != '\0' ? locale->decimal_point : ".";
    const char *comma = *locale->thousands_sep != '\0' ? locale->thousands_sep
                        : strcmp(point, ",") == 0      ? "."
                                                       : ",";
    int group = *locale->grouping > 0 && *locale->grouping < 100 ? *locale->grouping : 3;
    int32_t at = 0, digits;

    for (int32_t i = 0; i < number.len; i++) {
        if (strchr("0123456789+-.eE", number.ptr[i]) == NULL || number.ptr[i] == '\0') {
            strbuf_add_view(out, number);
            return;
        }
    }
    if (number.len > 0 && (number.ptr[0] == '-' || number.ptr[0] == '+'))
        strbuf_add_char(out, number.ptr[at++]);
    digits = digits_at(number, at);
    for (int32_t left = digits; left > 0; left--) {
        strbuf_add_char(out, number.ptr[at++]);
        if (left > 1 && (left - 1) % group == 0)
            strbuf_add_cstr(out, comma);
    }
    if (at < number.len && number.ptr[at] == '.') {
        strbuf_add_cstr(out, point);
        at++;
    }
    if (at < number.len)
        strbuf_add(out, number.ptr + at, (size_t)(number.len - at));
}

/* ---- JSON ---- */

static bool
json_number(StrView text, int32_t *pos)
{
    int32_t at = *pos, digits;

    if (at < text.len && text.ptr[at] == '-')
        at++;
    digits = digits_at(text, at);
    if (digits == 0 || (digits > 1 && text.ptr[at] == '0'))
        return false;
    at += digits;
    if (at < text.len && text.ptr[at] == '.') {
        digits = digits_at(text, at + 1);
        if (digits == 0)
            return false;
        at += 1 + digits;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        digits = digits_at(text, at);
        if (digits == 0)
            return false;
        at += digits;
    }
    *pos = at;
    return true;
}

bool
is_json_number(StrView text)
{
    int32_t pos = 0;

    return json_number(text, &pos) && pos == text.len;
}

/* A string with its quotes, its escapes looked at. */
static bool
json_string(StrView text, int32_t *pos)
{
    int32_t at = *pos + 1;

    while (at < text.len && text.ptr[at] != '"') {
        if ((unsigned char)text.ptr[at] < 0x20)
            return false;
        if (text.ptr[at] == '\\') {
            at++;
            if (at >= text.len || text.ptr[at] == '\0' ||
                strchr("\"\\/bfnrtu", text.ptr[at]) == NULL)
                return false;
            if (text.ptr[at] == 'u') {
                for (int i = 1; i <= 4; i++) {
                    if (at + i >= text.len || text.ptr[at + i] == '\0' ||
                        strchr("0123456789abcdefABCDEF", text.ptr[at + i]) == NULL)
                        return false;
                }
                at += 4;
            }
        }
        at++;
    }
    if (at >= text.len)
        return false;
    *pos = at + 1;
    return true;
}

static bool
json_word(StrView text, int32_t *pos)
{
    static const char *const words[] = {"true", "false", "null"};

    for (int i = 0; i < 3; i++) {
        int32_t len = (int32_t)strlen(words[i]);

        if (text.len - *pos >= len && memcmp(text.ptr + *pos, words[i], (size_t)len) == 0) {
            *pos += len;
            return true;
        }
    }
    return false;
}

static char
json_next(StrView text, int32_t *pos)
{
    while (*pos < text.len && strchr(" \t\r\n", text.ptr[*pos]) != NULL && text.ptr[*pos] != '\0')
        ++*pos;
    return *pos < text.len ? text.ptr[*pos] : '\0';
}

static bool
json_scalar(StrView text, int32_t *pos, char c)
{
    if (c == '"')
        return json_string(text, pos);
    return c == '-' || (c >= '0' && c <= '9') ? json_number(text, pos) : json_word(text, pos);
}

/* "key" : with what stands around. */
static bool
json_key(StrView text, int32_t *pos)
{
    if (json_next(text, pos) != '"' || !json_string(text, pos) || json_next(text, pos) != ':')
        return false;
    ++*pos;
    return true;
}

bool
is_json(StrView text)
{
    char open[JSON_DEPTH_MAX];
    int depth = 0;
    int32_t pos = 0;

    for (;;) { /* one value per turn, then what closes behind it */
        char c = json_next(text, &pos);

        if (c == '{' || c == '[') {
            if (depth == JSON_DEPTH_MAX)
                return false;
            open[depth++] = c == '{' ? '}' : ']';
            pos++;
            if (json_next(text, &pos) != open[depth - 1]) {
                if (c == '{' && !json_key(text, &pos))
                    return false;
                continue;
            }
        } else if (!json_scalar(text, &pos, c)) {
            return false;
        }
        while (depth > 0 && (c = json_next(text, &pos)) == open[depth - 1]) {
            depth--;
            pos++;
        }
        if (depth == 0)
            return json_next(text, &pos) == '\0' && pos == text.len;
        if (c != ',')
            return false;
        pos++;
        if (open[depth - 1] == '}' && !json_key(text, &pos))
            return false;
    }
}
