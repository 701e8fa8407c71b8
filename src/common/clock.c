/*
 * clock.c - the two clocks, and time as text without the C library's time zones
 *
 * Runs in: every process. Never: allocates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/clock.h"

#include <stdio.h>
#include <time.h>

#include "ottla/common/assert.h"

static int64_t
read_clock_us(clockid_t id)
{
    struct timespec now;

    /* Fails only for unknown clocks and bad pointers. */
    ot_assert(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
    return read_clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_wall_ms(void)
{
    return read_clock_us(CLOCK_REALTIME) / 1000;
}

int64_t
clock_cpu_us(void)
{
    return read_clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

#define MS_PER_DAY     INT64_C(86400000)
#define DAYS_TO_EPOCH  INT64_C(719528)  /* from 0000-01-01 to 1970-01-01 */
#define DAYS_TO_10000  INT64_C(3652425) /* from 0000-01-01 to 10000-01-01 */
#define DAYS_PER_400_Y INT64_C(146097)

/* Days since 0000-03-01, the first day after a possible leap day, so that months need no table. */
static void
civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_400_Y - 1)) / DAYS_PER_400_Y;
    int64_t day_of_era = days - era * DAYS_PER_400_Y;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    *ret_day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *ret_month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2 ? 1 : 0));
}

static void
put_digits(char *to, int value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void
clock_format(int64_t wall_ms, char ret[CLOCK_TEXT_LEN + 1])
{
    static const char pattern[CLOCK_TEXT_LEN + 1] = "0000-00-00 00:00:00.000 UTC";
    int64_t first = -DAYS_TO_EPOCH * MS_PER_DAY;
    int64_t last = (DAYS_TO_10000 - DAYS_TO_EPOCH) * MS_PER_DAY - 1;
    int64_t days, ms;
    int year, month, day;

    if (wall_ms < first)
        wall_ms = first;
    if (wall_ms > last)
        wall_ms = last;
    days = (wall_ms - first) / MS_PER_DAY; /* since 0000-01-01, never negative */
    ms = (wall_ms - first) % MS_PER_DAY;
    civil_from_days(days - 60, &year, &month, &day);
    __builtin_memcpy(ret, pattern, sizeof pattern);
    put_digits(ret, year, 4);
    put_digits(ret + 5, month, 2);
    put_digits(ret + 8, day, 2);
    put_digits(ret + 11, (int)(ms / 3600000), 2);
    put_digits(ret + 14, (int)(ms / 60000 % 60), 2);
    put_digits(ret + 17, (int)(ms / 1000 % 60), 2);
    put_digits(ret + 20, (int)(ms % 1000), 3);
}
