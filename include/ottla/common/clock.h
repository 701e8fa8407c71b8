/*
 * clock.h - the two clocks
 *
 * Process code reads them and hands the values to pure modules as arguments. Deadlines and durations
 * use the monotonic clock, timestamps of records and log lines the wall clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_CLOCK_H
#define OTTLA_COMMON_CLOCK_H

#include <stdint.h>

/* Microseconds since some fixed point; the same one in all processes of the machine. */
int64_t clock_mono_us(void);

/* As clock_mono_us, in milliseconds. */
int64_t clock_mono_ms(void);

/* Milliseconds since 1970-01-01 00:00:00 UTC; may jump. */
int64_t clock_wall_ms(void);

/* CPU time of this process in microseconds, user and system. */
int64_t clock_cpu_us(void);

#define CLOCK_TEXT_LEN 27 /* "2025-03-01 12:00:00.123 UTC" */

/*
 * Writes the UTC text of a wall clock value, zero-terminated. Values outside the years 0 to 9999
 * give the nearest representable one. Safe in signal handlers.
 */
void clock_format(int64_t wall_ms, char ret[CLOCK_TEXT_LEN + 1]);

#endif
