/*
 * flush_timers_int.h - which partitions must be on the disk by when: pure
 *
 * A partition whose topic has flush.ms comes in when it gets its first record that is not durable, and
 * goes out at its time, durable by then or not. At most one entry per partition and commit, so the
 * number of partitions bounds it.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_FLUSH_TIMERS_INT_H
#define OTTLA_MAINTENANCE_FLUSH_TIMERS_INT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct FlushTimer {
    int64_t due_us;
    int32_t slot; /* of the partition table */
} FlushTimer;

/* Zero-initialized: empty. */
typedef struct FlushTimers {
    FlushTimer *heap;
    int32_t count;
    int32_t size;
} FlushTimers;

/* False: no memory. */
bool flush_timers_add(FlushTimers *timers, FlushTimer timer);

/* When the first one is due; INT64_MAX: none. */
int64_t flush_timers_next(const FlushTimers *timers);

/* Takes the first one; there is one. */
FlushTimer flush_timers_take(FlushTimers *timers);

void flush_timers_free(FlushTimers *timers);

#endif
