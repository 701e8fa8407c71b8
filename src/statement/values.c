/*
 * values.c - values in statements: units, times, patterns, operations
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "values_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ottla/common/text.h"

#define DAY_MS INT64_C(86400000)

/* Kafka's numbers, from 2. */
static const char *const operations[] = {
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTERACTION",
    "DESCRIBECONFIGS",
    "ALTERCONFIGS",
    "IDEMPOTENTWRITE",
    "CREATETOKENS",
    "DESCRIBETOKENS",
};

#define OPERATION_FIRST 2
#define OPERATION_COUNT ((int)(sizeof operations / sizeof operations[0]))

int
acl_operation_of(StrView word)
{
    char plain[32];
    int32_t n = 0;

    for (int32_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '_')
            continue;
        if (n == (int32_t)sizeof plain)
            return 0;
        plain[n++] = word.ptr[i];
    }
    for (int i = 0; i < OPERATION_COUNT; i++) {
        if (text_equal_nocase((StrView){plain, n}, strview_from(operations[i])))
            return i + OPERATION_FIRST;
    }
    return 0;
}

const char *
acl_operation_name(int operation)
{
    int at = operation - OPERATION_FIRST;

    return at < 0 || at >= OPERATION_COUNT ? NULL : operations[at];
}

/* ---- units ---- */

static bool
ends_with(StrView text, const char *end)
{
    int32_t len = (int32_t)strlen(end);

    return text.len > len && memcmp(text.ptr + text.len - len, end, (size_t)len) == 0;
}

static TextUnit
unit_of(ConfScope scope, StrView name)
{
    static const struct {
        const char *end;
        TextUnit unit;
    } ends[] = {{".ms", TEXT_UNIT_MS},           {".bytes", TEXT_UNIT_BYTES},
                {".seconds", TEXT_UNIT_SECONDS}, {".minutes", TEXT_UNIT_MINUTES},
                {".hours", TEXT_UNIT_HOURS},     {"_byte_rate", TEXT_UNIT_BYTES}};
    int row = conf_find(scope, name);

    if (row >= 0)
        return conf_rows[row].unit;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (ends_with(name, ends[i].end))
            return ends[i].unit;
    }
    return TEXT_UNIT_NONE;
}

static StrView
boolean_text(StrView text)
{
    static const char *const yes[] = {"true", "on", "yes"}, *const no[] = {"false", "off", "no"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (text_equal_nocase(text, strview_from(yes[i])))
            return STRVIEW("true");
        if (text_equal_nocase(text, strview_from(no[i])))
            return STRVIEW("false");
    }
    return text;
}

StrView
value_for_config(ConfScope scope, StrView name, StrView text, Arena *arena)
{
    TextUnit unit = unit_of(scope, name);
    int row = conf_find(scope, name);
    int64_t number;
    char *copy;

    if (row >= 0 && conf_rows[row].type == CONF_TYPE_BOOLEAN)
        return boolean_text(text);
    if (unit == TEXT_UNIT_NONE || !text_to_quantity(text, unit, &number))
        return text;
    copy = arena_printf(arena, "%" PRId64, number);
    return copy == NULL ? (StrView){0} : strview_from(copy);
}

bool
value_rate(StrView text, int64_t *ret)
{
    if (ends_with(text, "/s"))
        text.len -= 2;
    return text_to_quantity(text, TEXT_UNIT_BYTES, ret) && *ret > 0;
}

/* ---- times ---- */

/* A number with a fraction, forward in the text. */
static bool
take_real(StrView *text, double *ret)
{
    int32_t n = 0;

    while (n < text->len && ((text->ptr[n] >= '0' && text->ptr[n] <= '9') || text->ptr[n] == '.'))
        n++;
    if (n == 0 || n > 20 || !text_to_double((StrView){text->ptr, n}, ret))
        return false;
    text->ptr += n;
    text->len -= n;
    return true;
}

/* Behind the P. */
static bool
iso_duration(StrView text, int64_t *ret)
{
    double total = 0, number;
    bool time = false, any = false;

    while (text.len > 0) {
        double factor;

        if (text.ptr[0] == 'T' && !time) {
            time = true;
            text.ptr++;
            text.len--;
            continue;
        }
        if (!take_real(&text, &number) || text.len == 0)
            return false;
        switch (text.ptr[0]) {
        case 'W':
            factor = time ? 0 : 7.0 * (double)DAY_MS;
            break;
        case 'D':
            factor = time ? 0 : (double)DAY_MS;
            break;
        case 'H':
            factor = time ? 3600e3 : 0;
            break;
        case 'M':
            factor = time ? 60e3 : 0;
            break;
        case 'S':
            factor = time ? 1e3 : 0;
            break;
        default:
            factor = 0;
            break;
        }
        if (factor <= 0)
            return false;
        total += number * factor;
        any = true;
        text.ptr++;
        text.len--;
    }
    if (!any || !(total < 9e18))
        return false;
    *ret = (int64_t)llround(total);
    return true;
}

bool
value_duration_ms(StrView text, int64_t *ret)
{
    text = text_trim(text);
    if (text.len > 1 && (text.ptr[0] == 'P' || text.ptr[0] == 'p'))
        return iso_duration((StrView){text.ptr + 1, text.len - 1}, ret);
    return text_to_quantity(text, TEXT_UNIT_MS, ret) && *ret >= 0;
}

/* So many digits, or false. */
static bool
take_digits(StrView *text, int digits, int *ret)
{
    int number = 0;

    if (text->len < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        if (text->ptr[i] < '0' || text->ptr[i] > '9')
            return false;
        number = number * 10 + (text->ptr[i] - '0');
    }
    text->ptr += digits;
    text->len -= digits;
    *ret = number;
    return true;
}

static bool
take_char(StrView *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    text->ptr++;
    text->len--;
    return true;
}

static void
take_fraction(StrView *text, int *ret_ms)
{
    int factor = 100;

    *ret_ms = 0;
    while (text->len > 0 && text->ptr[0] >= '0' && text->ptr[0] <= '9') {
        *ret_ms += (text->ptr[0] - '0') * factor;
        factor /= 10;
        text->ptr++;
        text->len--;
    }
}

/* Z, +hh, +hhmm, +hh:mm at the end of a time. *ret_known false: nothing stands there. */
static bool
take_zone(StrView *text, bool *ret_known, int *ret_minutes)
{
    int hours, minutes = 0, sign;

    *ret_known = text->len > 0;
    *ret_minutes = 0;
    if (text->len == 0 || take_char(text, 'Z') || take_char(text, 'z'))
        return text->len == 0;
    sign = text->ptr[0] == '-' ? -1 : 1;
    if ((!take_char(text, '+') && !take_char(text, '-')) || !take_digits(text, 2, &hours))
        return false;
    if (text->len > 0) {
        (void)take_char(text, ':');
        if (!take_digits(text, 2, &minutes))
            return false;
    }
    if (hours > 18 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return text->len == 0;
}

/* Seconds since 1970 of a time on the clocks of a zone; null and "local": those of this process. */
static time_t
seconds_in(const char *zone, struct tm *tm)
{
    const char *before = getenv("TZ");
    char *saved;
    time_t seconds;

    if (zone == NULL || zone[0] == '\0' || strcasecmp(zone, "local") == 0)
        return mktime(tm);
    if (strcasecmp(zone, "UTC") == 0)
        return timegm(tm);
    saved = before == NULL ? NULL : strdup(before);
    (void)setenv("TZ", zone, 1); /* without memory the local zone counts */
    tzset();
    seconds = mktime(tm);
    if (saved != NULL)
        (void)setenv("TZ", saved, 1); /* as above */
    else
        (void)unsetenv("TZ"); /* the name is valid */
    tzset();
    free(saved);
    return seconds;
}

static bool
date_and_time(StrView text, const char *zone_name, int64_t *ret)
{
    struct tm tm = {.tm_isdst = -1};
    int year, month, ms = 0, zone = 0;
    bool has_zone = false;
    time_t seconds;

    if (!take_digits(&text, 4, &year) || !take_char(&text, '-') || !take_digits(&text, 2, &month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &tm.tm_mday))
        return false;
    if (text.len > 0) {
        if (!take_char(&text, 'T') && !take_char(&text, ' '))
            return false;
        if (!take_digits(&text, 2, &tm.tm_hour) || !take_char(&text, ':') ||
            !take_digits(&text, 2, &tm.tm_min))
            return false;
        if (take_char(&text, ':')) {
            if (!take_digits(&text, 2, &tm.tm_sec))
                return false;
            if (take_char(&text, '.'))
                take_fraction(&text, &ms);
        }
        (void)take_char(&text, ' ');
        if (!take_zone(&text, &has_zone, &zone))
            return false;
    }
    if (year < 1970 || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour > 24 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    seconds = has_zone ? timegm(&tm) : seconds_in(zone_name, &tm);
    *ret = ((int64_t)seconds - zone * 60) * 1000 + ms;
    return true;
}

bool
value_timestamp_ms(StrView text, int64_t now_ms, const char *zone_name, int64_t *ret)
{
    int64_t number;

    text = text_trim(text);
    if (text.len > 1 && text.ptr[0] == '-') {
        StrView duration = {text.ptr + 1, text.len - 1};

        if (text_to_int64(text, &number) || !value_duration_ms(duration, &number) ||
            number > now_ms)
            return false;
        *ret = now_ms - number;
        return true;
    }
    if (text_to_int64(text, &number)) {
        *ret = number < INT64_C(100000000000) ? number * 1000 : number;
        return number >= 0;
    }
    return date_and_time(text, zone_name, ret);
}

/* ---- patterns ---- */

bool
glob_is(StrView text)
{
    for (int32_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '*' || text.ptr[i] == '?')
            return true;
    }
    return false;
}

bool
glob_matches(StrView pattern, StrView text)
{
    int32_t p = 0, t = 0, star = -1, from = 0;

    /* at a mismatch the last star takes one byte more */
    while (t < text.len) {
        bool escaped = p + 1 < pattern.len && pattern.ptr[p] == '\\';

        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = t;
        } else if (escaped && pattern.ptr[p + 1] == text.ptr[t]) {
            p += 2;
            t++;
        } else if (p < pattern.len && !escaped &&
                   (pattern.ptr[p] == '?' || pattern.ptr[p] == text.ptr[t])) {
            p++;
            t++;
        } else if (star >= 0) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}
