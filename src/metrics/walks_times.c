/*
 * walks_times.c - samples of how long rare things took: histograms of ipc/counters.h
 *
 * Runs in: exporter, backend. Items: one, all samples.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/counters.h"
#include "ottla/metrics/walks.h"

static int64_t
take_times(MetricScan *scan, int64_t item, StatTime which)
{
    StatTimes times;

    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    times = stat_times(which);
    metric_take_histogram(scan, NULL, times.buckets, STAT_TIME_BUCKETS, times.total_us);
    return METRIC_END;
}

int64_t
metric_walk_controller_queue(MetricScan *scan, int64_t item)
{
    return take_times(scan, item, STAT_TIME_CONTROLLER_QUEUE);
}

int64_t
metric_walk_controller_decided(MetricScan *scan, int64_t item)
{
    return take_times(scan, item, STAT_TIME_CONTROLLER_DECIDED);
}

int64_t
metric_walk_metadata_committed(MetricScan *scan, int64_t item)
{
    return take_times(scan, item, STAT_TIME_METADATA_COMMITTED);
}
