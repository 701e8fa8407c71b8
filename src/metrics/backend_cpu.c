/*
 * backend_cpu.c - CPU time of all processes of connections, the dead ones included
 *
 * Runs in: exporter, backend. The supervisor adds up the dead (postmaster.c), the kernel knows the living. Who ends while we
 * look is in neither sum, for some microseconds; so the most that was ever told is kept, and no less is told later.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <time.h>

#include "ottla/ipc/counters.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/metrics/walks.h"

/* Of one that lives; 0: it does not any more. Its slot is looked at again, for the pid may have a new owner. */
static int64_t
living_us(int32_t slot)
{
    uint64_t before = atomic_u64_load(&slot_at(slot)->state);
    pid_t pid = atomic_i32_load(&slot_at(slot)->pid);
    struct timespec used;
    clockid_t clock;

    if (slot_state(slot) != SLOT_RUNNING || pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0 || atomic_u64_load(&slot_at(slot)->state) != before)
        return 0;
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

int64_t
metric_walk_backend_cpu(MetricScan *scan, int64_t item)
{
    int32_t end = slot_backend_count();
    int64_t us;

    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    us = (int64_t)stat_sum(STAT_BACKEND_CPU_US); /* first: nobody counts twice */
    for (int32_t i = slot_skip_unused(0); i < end; i = slot_skip_unused(i + 1))
        us += living_us(i);
    metric_take(scan, NULL, metric_keep_most(&shared_page->backend_cpu_told, us));
    return METRIC_END;
}
