/*
 * lag.h - how far a committed offset is behind the log of its partition
 *
 * Spec: design.md 11 ("Lag"). pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_LAG_H
#define OTTLA_COORDINATOR_LAG_H

#include <stdbool.h>
#include <stdint.h>

#define LAG_UNKNOWN (-1)

typedef struct Lag {
    int64_t
        from; /* the first offset that is left to consume; may be the high watermark, or above it */
    int64_t records;   /* LAG_UNKNOWN: nothing is committed */
    bool behind_start; /* what lies before the log start and was not consumed is lost */
} Lag;

/*
 * records = high watermark - max(committed, log start), never below 0: a log that was cut back, or was
 * made anew, may end before what was committed. Gaps that compaction leaves count, as they do for all clients.
 */
Lag lag_of(int64_t committed, int64_t log_start, int64_t high_watermark);

/*
 * How old the first record is that was not consumed: 0 when there is none, LAG_UNKNOWN when its time is not
 * known (timestamp below 0). Times that lie in the future are 0.
 */
int64_t lag_ms(int64_t records, int64_t timestamp_ms, int64_t now_ms);

/* a + b, held at INT64_MAX; LAG_UNKNOWN adds nothing. */
int64_t lag_sum(int64_t a, int64_t b);

#endif
