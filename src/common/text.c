/*
 * text.c - numbers, units and names in text
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ottla/common/assert.h"

StrView
text_trim(StrView text)
{
    while (text.len > 0 && (uint8_t)text.ptr[0] <= 0x20) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && (uint8_t)text.ptr[text.len - 1] <= 0x20)
        text.len--;
    return text;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool
text_equal_nocase(StrView a, StrView b)
{
    if (a.len != b.len)
        return false;
    for (int32_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool
text_to_uint64(StrView text, uint64_t *ret)
{
    uint64_t value = 0;

    if (text.len <= 0)
        return false;
    for (int32_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value))
            return false;
    }
    *ret = value;
    return true;
}

bool
text_to_int64(StrView text, int64_t *ret)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t value, limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;

    if (text.len > 0 && (negative || text.ptr[0] == '+')) {
        text.ptr++;
        text.len--;
    }
    if (!text_to_uint64(text, &value) || value > limit)
        return false;
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool
text_to_int32(StrView text, int32_t *ret)
{
    int64_t value;

    if (!text_to_int64(text, &value) || value < INT32_MIN || value > INT32_MAX)
        return false;
    *ret = (int32_t)value;
    return true;
}

/* Digits with at most one point and an exponent: what strtod takes, less its hexadecimal and names. */
static bool
is_decimal_float(const char *text)
{
    int digits = 0;

    if (*text == '+' || *text == '-')
        text++;
    for (; *text >= '0' && *text <= '9'; text++)
        digits++;
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++)
            digits++;
    }
    if (digits == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '+' || *text == '-')
            text++;
        if (*text < '0' || *text > '9')
            return false;
        while (*text >= '0' && *text <= '9')
            text++;
    }
    return *text == '\0';
}

bool
text_to_double(StrView text, double *ret)
{
    char copy[400];
    StrView word = text_trim(text), bare = word;
    bool negative = bare.len > 0 && bare.ptr[0] == '-';

    if (bare.len > 0 && (negative || bare.ptr[0] == '+')) {
        bare.ptr++;
        bare.len--;
    }
    if (strview_equal(bare, STRVIEW("NaN"))) {
        *ret = NAN;
        return true;
    }
    if (strview_equal(bare, STRVIEW("Infinity"))) {
        *ret = negative ? -INFINITY : INFINITY;
        return true;
    }
    if (word.len > 1 && strchr("dDfF", word.ptr[word.len - 1]) != NULL)
        word.len--;
    if (word.len == 0 || (size_t)word.len >= sizeof copy)
        return false;
    memcpy(copy, word.ptr, (size_t)word.len);
    copy[word.len] = '\0';
    if (strlen(copy) != (size_t)word.len || !is_decimal_float(copy))
        return false;
    *ret = strtod(copy, NULL);
    return true;
}

/* digits "2147483647" with the point behind the first, exponent 9: as Java writes large and small ones. */
static void
format_scientific(const char *digits, int count, int exponent, char *ret)
{
    *ret++ = digits[0];
    *ret++ = '.';
    if (count == 1)
        *ret++ = '0';
    for (int i = 1; i < count; i++)
        *ret++ = digits[i];
    snprintf(ret, 8, "E%d", exponent % 1000);
}

static void
format_plain(const char *digits, int count, int exponent, char *ret)
{
    char *out = ret;

    if (exponent < 0) {
        *out++ = '0';
        *out++ = '.';
        for (int i = -1; i > exponent; i--)
            *out++ = '0';
        for (int i = 0; i < count; i++)
            *out++ = digits[i];
    } else {
        for (int i = 0; i <= exponent; i++)
            *out++ = i < count ? digits[i] : '0';
        *out++ = '.';
        if (count <= exponent + 1)
            *out++ = '0';
        for (int i = exponent + 1; i < count; i++)
            *out++ = digits[i];
    }
    *out = '\0';
}

void
text_from_double(double value, char ret[TEXT_DOUBLE_MAX])
{
    char shortest[40], digits[24];
    int count = 0, exponent;
    char *at, *out = ret;

    if (isnan(value) || isinf(value) || value == 0) {
        snprintf(ret, TEXT_DOUBLE_MAX, "%s",
                 isnan(value)     ? "NaN"
                 : value > 0      ? "Infinity"
                 : value < 0      ? "-Infinity"
                 : signbit(value) ? "-0.0"
                                  : "0.0");
        return;
    }
    /* The fewest digits that read back as the same number. */
    for (int precision = 0; precision <= 17; precision++) {
        snprintf(shortest, sizeof shortest, "%.*e", precision, fabs(value));
        if (strtod(shortest, NULL) == fabs(value))
            break;
    }
    for (at = shortest; *at != 'e'; at++) {
        if (*at != '.')
            digits[count++] = *at;
    }
    exponent = (int)strtol(at + 1, NULL, 10);
    if (value < 0)
        *out++ = '-';
    if (exponent >= -3 && exponent < 7)
        format_plain(digits, count, exponent, out);
    else
        format_scientific(digits, count, exponent, out);
}

typedef struct UnitRow {
    const char *name;
    int64_t factor; /* in bytes or microseconds */
} UnitRow;

static const UnitRow byte_units[] = {
    {"TB", INT64_C(1) << 40},
    {"GB", INT64_C(1) << 30},
    {"MB", INT64_C(1) << 20},
    {"kB", INT64_C(1) << 10},
    {"B", 1},
    {NULL, 0},
};
static const UnitRow time_units[] = {
    {"d", INT64_C(86400000000)},
    {"h", INT64_C(3600000000)},
    {"min", INT64_C(60000000)},
    {"s", INT64_C(1000000)},
    {"ms", INT64_C(1000)},
    {"us", 1},
    {NULL, 0},
};

/* The rows for a base unit and the base's own factor. */
static const UnitRow *
units_of(TextUnit base, int64_t *ret_factor)
{
    switch (base) {
    case TEXT_UNIT_NONE:
        *ret_factor = 1;
        return NULL;
    case TEXT_UNIT_BYTES:
        *ret_factor = 1;
        return byte_units;
    case TEXT_UNIT_US:
        *ret_factor = 1;
        return time_units;
    case TEXT_UNIT_MS:
        *ret_factor = 1000;
        return time_units;
    case TEXT_UNIT_SECONDS:
        *ret_factor = 1000000;
        return time_units;
    case TEXT_UNIT_MINUTES:
        *ret_factor = INT64_C(60000000);
        return time_units;
    case TEXT_UNIT_HOURS:
        *ret_factor = INT64_C(3600000000);
        return time_units;
    }
    ot_unreachable();
}

const char *
text_units_of(TextUnit base)
{
    switch (base) {
    case TEXT_UNIT_NONE:
        return "none";
    case TEXT_UNIT_BYTES:
        return "B, kB, MB, GB, TB";
    case TEXT_UNIT_US:
    case TEXT_UNIT_MS:
    case TEXT_UNIT_SECONDS:
    case TEXT_UNIT_MINUTES:
    case TEXT_UNIT_HOURS:
        return "us, ms, s, min, h, d";
    }
    ot_unreachable();
}

/* number * factor / base_factor, rounded; exact for integers. */
static bool
scale(StrView number, int64_t factor, int64_t base_factor, int64_t *ret)
{
    int64_t whole;
    double real;

    if (text_to_int64(number, &whole)) {
        __int128 product = (__int128)whole * factor;
        __int128 half = product < 0 ? -(base_factor / 2) : base_factor / 2;
        __int128 scaled = (product + half) / base_factor;

        if (scaled > INT64_MAX || scaled < INT64_MIN)
            return false;
        *ret = (int64_t)scaled;
        return true;
    }
    if (!text_to_double(number, &real))
        return false;
    real = real * (double)factor / (double)base_factor;
    /* 2^63 itself is the first double that does not fit. */
    if (!(real >= -0x1p63 && real < 0x1p63))
        return false;
    whole = (int64_t)real;
    real -= (double)whole;
    *ret = whole + (real >= 0.5) - (real <= -0.5); /* round() would cost libm (dynlib.h) */
    return true;
}

bool
text_to_quantity(StrView text, TextUnit base, int64_t *ret)
{
    int64_t base_factor;
    const UnitRow *row = units_of(base, &base_factor);
    StrView number = text_trim(text), unit;
    int32_t len = 0;

    while (len < number.len && strchr("0123456789+-.", number.ptr[len]) != NULL &&
           number.ptr[len] != '\0')
        len++;
    unit = text_trim((StrView){number.ptr + len, number.len - len});
    number = (StrView){number.ptr, len};
    if (len == 0)
        return false;
    if (unit.len == 0) {
        return base == TEXT_UNIT_NONE ? text_to_int64(number, ret)
                                      : scale(number, base_factor, base_factor, ret);
    }
    for (; row != NULL && row->name != NULL; row++) {
        if (strview_equal(unit, strview_from(row->name)))
            return scale(number, row->factor, base_factor, ret);
    }
    return false;
}

void
text_from_quantity(int64_t value, TextUnit base, char ret[TEXT_QUANTITY_MAX])
{
    int64_t base_factor;
    const UnitRow *row = units_of(base, &base_factor);

    /* -1 and friends have meanings of their own; the largest number means "no limit". */
    if (value > 0 && value != INT64_MAX) {
        for (; row != NULL && row->name != NULL; row++) {
            __int128 product = (__int128)value * base_factor;

            if (product % row->factor == 0) {
                snprintf(ret, TEXT_QUANTITY_MAX, "%lld%s", (long long)(product / row->factor),
                         row->name);
                return;
            }
        }
    }
    snprintf(ret, TEXT_QUANTITY_MAX, "%lld", (long long)value);
}

#define DISTANCE_NAME_MAX 128

int
text_distance(StrView a, StrView b, int limit)
{
    /* Rows of the usual edit table: the one before the last is needed for swaps. */
    int rows[3][DISTANCE_NAME_MAX + 1];
    int *two_up = rows[0], *one_up = rows[1], *row = rows[2];

    if (a.len > DISTANCE_NAME_MAX || b.len > DISTANCE_NAME_MAX || abs(a.len - b.len) > limit)
        return limit + 1;
    for (int j = 0; j <= b.len; j++)
        row[j] = j;
    for (int i = 1; i <= a.len; i++) {
        int *oldest = two_up, best = i;

        two_up = one_up;
        one_up = row;
        row = oldest;
        row[0] = i;
        for (int j = 1; j <= b.len; j++) {
            int cost = one_up[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);

            cost = cost < one_up[j] + 1 ? cost : one_up[j] + 1;
            cost = cost < row[j - 1] + 1 ? cost : row[j - 1] + 1;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] &&
                two_up[j - 2] + 1 < cost)
                cost = two_up[j - 2] + 1;
            row[j] = cost;
            best = cost < best ? cost : best;
        }
        if (best > limit)
            return limit + 1;
    }
    return row[b.len] > limit ? limit + 1 : row[b.len];
}

/* ---- UTF-8 ---- */

/* What a lead byte promises: continuation bytes and the range of the first of them. */
typedef struct Utf8Lead {
    int more; /* -1: no lead byte */
    uint8_t low, high;
} Utf8Lead;

static Utf8Lead
utf8_lead(uint8_t c)
{
    if (c < 0x80)
        return (Utf8Lead){0, 0, 0};
    if (c >= 0xc2 && c <= 0xdf)
        return (Utf8Lead){1, 0x80, 0xbf};
    if (c >= 0xe0 && c <= 0xef)
        return (Utf8Lead){2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    if (c >= 0xf0 && c <= 0xf4)
        return (Utf8Lead){3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
    return (Utf8Lead){-1, 0, 0};
}

int32_t
text_utf8_step(StrView text, bool *ret_good)
{
    const uint8_t *at = (const uint8_t *)text.ptr;
    Utf8Lead lead = utf8_lead(at[0]);
    int32_t n = 1;

    *ret_good = lead.more == 0;
    if (lead.more <= 0)
        return 1;
    while (n <= lead.more && n < text.len) {
        uint8_t low = n == 1 ? lead.low : 0x80, high = n == 1 ? lead.high : 0xbf;

        if (at[n] < low || at[n] > high)
            return n;
        n++;
    }
    *ret_good = n == lead.more + 1;
    return n;
}

bool
text_is_utf8(StrView text)
{
    bool good = true;

    for (int32_t i = 0; good && i < text.len;)
        i += text_utf8_step((StrView){text.ptr + i, text.len - i}, &good);
    return good;
}
