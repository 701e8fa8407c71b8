/*
 * time.c - points in time as text in the session's time zone, and back
 *
 * The C library knows zones by the environment alone; it is changed around one look at the zone, and what was found is
 * kept per quarter of an hour, the grain at which zones change.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include <time.h>

#include "ottla/common/clock.h"
#include "ottla/common/text.h"

#define QUARTER_MS  (INT64_C(15) * 60 * 1000)
#define DAY_MS      (INT64_C(24) * 3600 * 1000)
#define TIME_MS_MAX INT64_C(253402300799999) /* the end of the year 9999 */

static bool
is_utc(const char *zone)
{
    return zone != NULL && (strcasecmp(zone, "UTC") == 0 || strcasecmp(zone, "GMT") == 0 ||
                            strcasecmp(zone, "Z") == 0);
}

static bool
is_local(const char *zone)
{
    return zone == NULL || zone[0] == '\0' || strcasecmp(zone, "local") == 0;
}

/* Seconds east of UTC at a point in time, by the C library. */
static int32_t
ask_zone(const char *zone, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm fields = {0};
    char *saved = NULL;

    if (!is_local(zone)) {
        const char *before = getenv("TZ");

        saved = before == NULL ? NULL : strdup(before);
        (void)setenv("TZ", zone, 1); /* without memory the local zone is shown */
        tzset();
    }
    if (localtime_r(&seconds, &fields) == NULL)
        fields.tm_gmtoff = 0;
    if (!is_local(zone)) {
        if (saved != NULL)
            (void)setenv("TZ", saved, 1); /* as above */
        else
            (void)unsetenv("TZ"); /* the name is valid */
        free(saved);
        tzset();
    }
    return (int32_t)fields.tm_gmtoff;
}

static int32_t
zone_offset_s(Sql *sql, int64_t wall_ms)
{
    const char *zone = sql->env->timezone;
    const char *name = is_local(zone) ? "local" : zone;
    int64_t quarter = wall_ms / QUARTER_MS;
    size_t slot = (size_t)(quarter & 63);

    if (is_utc(zone))
        return 0;
    if (strncmp(sql->zone.name, name, sizeof sql->zone.name - 1) != 0) {
        memset(&sql->zone, 0, sizeof sql->zone);
        (void)snprintf(sql->zone.name, sizeof sql->zone.name, "%s", name);
    }
    if (!sql->zone.slot[slot].known || sql->zone.slot[slot].quarter != quarter) {
        sql->zone.slot[slot].quarter = quarter;
        sql->zone.slot[slot].offset_s = ask_zone(zone, wall_ms);
        sql->zone.slot[slot].known = true;
    }
    return sql->zone.slot[slot].offset_s;
}

/* Days since 1970 to year, month, day (the Gregorian calendar; years 0 to 9999). */
static void
civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int64_t
days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void
time_to_text(Sql *sql, int64_t wall_ms, char ret[SQL_TIME_MAX])
{
    int64_t clamped = wall_ms < 0 ? 0 : wall_ms > TIME_MS_MAX ? TIME_MS_MAX : wall_ms;
    int32_t offset_s = zone_offset_s(sql, clamped);
    int64_t local = clamped + (int64_t)offset_s * 1000;
    int64_t days = local >= 0 ? local / DAY_MS : -((DAY_MS - 1 - local) / DAY_MS);
    int64_t ms = local - days * DAY_MS;
    int32_t east = offset_s < 0 ? -offset_s : offset_s;
    int year, month, day;
    int len;

    civil_from_days(days, &year, &month, &day);
    len = snprintf(ret, SQL_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03d", year, month, day,
                   (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
                   (int)(ms % 1000));
    if (len < 0 || len >= SQL_TIME_MAX)
        return;
    if (is_utc(sql->env->timezone))
        (void)snprintf(ret + len, (size_t)(SQL_TIME_MAX - len), "Z");
    else
        (void)snprintf(ret + len, (size_t)(SQL_TIME_MAX - len), "%c%02d:%02d",
                       offset_s < 0 ? '-' : '+', (int)(east / 3600), (int)(east / 60 % 60));
}

/* ---- reading ---- */

typedef struct Reader {
    const char *p;
    const char *end;
} Reader;

/* Between lo and hi digits. */
static bool
read_digits(Reader *r, int lo, int hi, int *ret)
{
    int n = 0;

    for (*ret = 0; n < hi && r->p < r->end && *r->p >= '0' && *r->p <= '9'; n++)
        *ret = *ret * 10 + (*r->p++ - '0');
    return n >= lo;
}

static bool
read_char(Reader *r, char c)
{
    if (r->p >= r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* ":MM[:SS[.fff]]" behind the hour, in ms. */
static bool
read_clock(Reader *r, int64_t *ret_ms)
{
    int hour = 0, minute = 0, second = 0, fraction = 0;
    int64_t ms = 0;

    if (!read_digits(r, 1, 2, &hour) || !read_char(r, ':') || !read_digits(r, 2, 2, &minute))
        return false;
    if (read_char(r, ':')) {
        if (!read_digits(r, 2, 2, &second))
            return false;
        if (read_char(r, '.')) {
            const char *begin = r->p;

            if (!read_digits(r, 1, 3, &fraction))
                return false;
            for (ptrdiff_t n = r->p - begin; n < 3; n++)
                fraction *= 10;
            ms = fraction;
            while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
                r->p++; /* finer than we count */
        }
    }
    if (hour > 24 || minute > 59 || second > 60)
        return false;
    *ret_ms = ((int64_t)hour * 3600 + (int64_t)minute * 60 + second) * 1000 + ms;
    return true;
}

/* "Z", "+01:00", "+0100", "+01", or nothing: then *ret_given is false. */
static bool
read_zone(Reader *r, bool *ret_given, int32_t *ret_offset_s)
{
    int hours = 0, minutes = 0;
    bool west;

    *ret_given = false;
    *ret_offset_s = 0;
    while (r->p < r->end && *r->p == ' ')
        r->p++;
    if (r->p == r->end)
        return true;
    *ret_given = true;
    if (r->end - r->p == 3 && strncasecmp(r->p, "UTC", 3) == 0) {
        r->p = r->end;
        return true;
    }
    if (read_char(r, 'Z') || read_char(r, 'z'))
        return r->p == r->end;
    west = *r->p == '-';
    if (!west && *r->p != '+')
        return false;
    r->p++;
    if (!read_digits(r, 2, 2, &hours))
        return false;
    (void)read_char(r, ':'); /* may be left out */
    if (r->p < r->end && !read_digits(r, 2, 2, &minutes))
        return false;
    *ret_offset_s = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return r->p == r->end && hours <= 18 && minutes < 60;
}

static bool
read_date_time(Sql *sql, Reader *r, int64_t *ret_ms)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    int64_t clock_ms = 0;
    int32_t offset_s;
    bool zoned;
    int64_t local;

    if (!read_digits(r, 4, 4, &year) || !read_char(r, '-') || !read_digits(r, 2, 2, &month) ||
        !read_char(r, '-') || !read_digits(r, 2, 2, &day) || month < 1 || month > 12 || day < 1 ||
        day > month_days[month - 1])
        return false;
    if (r->p < r->end && (*r->p == 'T' || *r->p == 't' || *r->p == ' ')) {
        r->p++;
        if (!read_clock(r, &clock_ms))
            return false;
    }
    if (!read_zone(r, &zoned, &offset_s))
        return false;
    local = days_from_civil(year, month, day) * DAY_MS + clock_ms;
    if (!zoned) {
        offset_s = zone_offset_s(sql, local);
        offset_s = zone_offset_s(sql, local - (int64_t)offset_s * 1000);
    }
    *ret_ms = local - (int64_t)offset_s * 1000;
    return true;
}

bool
time_from_text(Sql *sql, StrView text, int64_t *ret_ms)
{
    StrView trimmed = text_trim(text);
    Reader r = {trimmed.ptr, trimmed.ptr + trimmed.len};
    int64_t before;

    if (text_equal_nocase(trimmed, STRVIEW("now"))) {
        *ret_ms = clock_wall_ms();
        return true;
    }
    if (text_to_int64(trimmed, ret_ms))
        return true;
    if (trimmed.len > 1 && trimmed.ptr[0] == '-' &&
        text_to_quantity((StrView){trimmed.ptr + 1, trimmed.len - 1}, TEXT_UNIT_MS, &before)) {
        *ret_ms = clock_wall_ms() - before;
        return true;
    }
    return trimmed.len > 0 && read_date_time(sql, &r, ret_ms);
}
