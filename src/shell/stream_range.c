/*
 * stream_range.c - where a stream begins and ends: offsets, counts from an end, points in time
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stream_range_int.h"

#include <ctype.h>

#include "ottla/common/clock.h"
#include "ottla/common/text.h"

#define SECONDS_BELOW INT64_C(100000000000) /* a larger number is one of milliseconds */

/* ---- times ---- */

static int
take_ms(void *arg, const SqlValue *values, int32_t count)
{
    if (count == 1 && values[0].type == SQL_INTEGER)
        *(int64_t *)arg = values[0].integer;
    return 0;
}

static int
no_columns(void *arg, const SqlColumn *columns, int32_t count)
{
    (void)arg, (void)columns, (void)count;
    return 0;
}

/* What SQL makes of it: dates with and without zones, in the session's zone. */
static int
ask_sql(Shell *shell, const char *text, int64_t *ret_ms, Fault *f)
{
    SqlSink sink = {no_columns, take_ms, ret_ms};
    char tag[SQL_TAG_MAX];
    Sql *sql = shell_sql(shell, f);
    StrBuf statement;
    int rc = -1;

    if (sql == NULL)
        return -1;
    strbuf_init(&statement, 1000, NULL);
    strbuf_add_cstr(&statement, "SELECT CAST(ts('");
    for (; *text != '\0'; text++)
        strbuf_add(&statement, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
    strbuf_add_cstr(&statement, "') AS INTEGER)");
    *ret_ms = -1;
    if (!strbuf_failed(&statement))
        rc = sql_run(sql, strbuf_view(&statement), &sink, tag, f);
    strbuf_release(&statement);
    return rc;
}

int
stream_time_parse(Shell *shell, const char *text, int64_t *ret_ms, Fault *f)
{
    int64_t number;
    int64_t ms = -1;

    if (text_to_int64(strview_from(text), &number) && number >= 0) {
        *ret_ms = number < SECONDS_BELOW ? number * 1000 : number;
        return 0;
    }
    if (text[0] == '-' && text_to_quantity(strview_from(text + 1), TEXT_UNIT_MS, &number)) {
        *ret_ms = clock_wall_ms() - number;
        return 0;
    }
    if (ask_sql(shell, text, &ms, f) == 0 && ms >= 0) {
        *ret_ms = ms;
        return 0;
    }
    (void)fault_set(f, FAULT_BAD_PARAMETER, "\"%s\" is no point in time", text);
    fault_hint(f, "Milliseconds or seconds since 1970, -1h, or 2026-03-01T12:00:00.");
    return -1;
}

/* ---- ranges ---- */

static const char *
behind_at(const char *text)
{
    return text[0] == '@' ? text + 1 : text;
}

/* The colon that separates two times: one with a date and a clock has colons of its own. NULL: there is one time only. */
static const char *
time_separator(Shell *shell, const char *text, int64_t *ret_first, Fault *f)
{
    for (const char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        char first[128];
        int64_t second;

        if ((size_t)(colon - text) >= sizeof first)
            return NULL;
        memcpy(first, text, (size_t)(colon - text));
        first[colon - text] = '\0';
        if (stream_time_parse(shell, first, ret_first, f) == 0 &&
            stream_time_parse(shell, behind_at(colon + 1), &second, f) == 0)
            return colon;
    }
    return NULL;
}

static int
parse_times(Shell *shell, const char *text, StreamRange *ret, Fault *f)
{
    const char *colon;

    ret->from = STREAM_FROM_TIME;
    if (stream_time_parse(shell, text, &ret->number, f) == 0)
        return 0;
    colon = time_separator(shell, text, &ret->number, f);
    if (colon == NULL)
        return stream_time_parse(shell, text, &ret->number, f);
    ret->has_until_time = true;
    return stream_time_parse(shell, behind_at(colon + 1), &ret->until, f);
}

static int
parse_until(const char *text, StreamRange *ret, Fault *f)
{
    if (strcmp(text, "end") == 0)
        return 0;
    if (!text_to_int64(strview_from(text), &ret->until) || ret->until < 0)
        return fault_set(f, FAULT_BAD_PARAMETER, "\"%s\" is no offset to end at", text);
    ret->has_until_offset = true;
    return 0;
}

static int
parse_from(const char *text, StreamRange *ret, Fault *f)
{
    char sign = text[0] == '-' || text[0] == '+' ? text[0] : '\0';

    if (strcmp(text, "beginning") == 0 || strcmp(text, "start") == 0 || text[0] == '\0')
        ret->from = STREAM_FROM_BEGINNING;
    else if (strcmp(text, "end") == 0)
        ret->from = STREAM_FROM_END;
    else if (strcmp(text, "stored") == 0)
        ret->from = STREAM_FROM_STORED;
    else if (!text_to_int64(strview_from(sign == '\0' ? text : text + 1), &ret->number) ||
             ret->number < 0)
        goto bad;
    else
        ret->from = sign == '-'   ? STREAM_FROM_LAST
                    : sign == '+' ? STREAM_FROM_FIRST
                                  : STREAM_FROM_OFFSET;
    return 0;
bad:
    (void)fault_set(f, FAULT_BAD_PARAMETER, "\"%s\" is no place in a topic", text);
    fault_hint(f, "beginning, end, stored, N, -N (before the end), +N (behind the beginning), A:B, "
                  "@TIME, @TIME:TIME.");
    return -1;
}

int
stream_range_parse(Shell *shell, const char *text, StreamRange *ret, Fault *f)
{
    const char *colon = strchr(text, ':');
    char from[64];

    *ret = (StreamRange){.from = STREAM_FROM_BEGINNING};
    if (text[0] == '@')
        return parse_times(shell, text + 1, ret, f);
    if (colon == NULL)
        return parse_from(text, ret, f);
    if ((size_t)(colon - text) >= sizeof from)
        return fault_set(f, FAULT_BAD_PARAMETER, "\"%s\" is no place in a topic", text);
    memcpy(from, text, (size_t)(colon - text));
    from[colon - text] = '\0';
    return parse_from(from, ret, f) != 0 ? -1 : parse_until(colon + 1, ret, f);
}

void
stream_range_apply(const StreamRange *range, ClientScanOptions *o)
{
    switch (range->from) {
    case STREAM_FROM_BEGINNING:
    case STREAM_FROM_STORED:
    case STREAM_FROM_FIRST:
        break;
    case STREAM_FROM_END:
        o->offset_min = INT64_MAX;
        break;
    case STREAM_FROM_OFFSET:
        o->offset_min = range->number;
        break;
    case STREAM_FROM_LAST:
        o->offset_min = range->number == 0 ? INT64_MAX : -range->number;
        break;
    case STREAM_FROM_TIME:
        o->timestamp_min = range->number;
        break;
    }
    if (range->has_until_offset)
        o->offset_max = range->until - 1;
    if (range->has_until_time)
        o->timestamp_until = range->until;
}
