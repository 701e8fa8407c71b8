/*
 * lag.c - how far a committed offset is behind the log of its partition
 *
 * Runs in: backend, exporter; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/coordinator/lag.h"

Lag
lag_of(int64_t committed, int64_t log_start, int64_t high_watermark)
{
    Lag lag = {.from = committed > log_start ? committed : log_start, .records = LAG_UNKNOWN};

    if (committed < 0)
        return lag;
    lag.behind_start = committed < log_start;
    lag.records = high_watermark > lag.from ? high_watermark - lag.from : 0;
    return lag;
}

int64_t
lag_ms(int64_t records, int64_t timestamp_ms, int64_t now_ms)
{
    if (records == 0)
        return 0;
    if (records < 0 || timestamp_ms < 0)
        return LAG_UNKNOWN;
    return now_ms > timestamp_ms ? now_ms - timestamp_ms : 0;
}

int64_t
lag_sum(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}
