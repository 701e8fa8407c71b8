/*
 * walks_groups.c - samples of groups and of the coordinators that own them
 *
 * Runs in: exporter, backend. What only coordinators know is in scan->groups, or left out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "ottla/coordinator/lag.h"
#include "ottla/coordinator/requests.h"
#include "ottla/coordinator/shared.h"
#include "ottla/metrics/walks.h"

int64_t
metric_walk_coordinator_shards(MetricScan *scan, int64_t item)
{
    static const struct {
        const char *state;
        CoordinatorCount which;
    } rows[] = {{"owned", COORDINATOR_SHARDS},
                {"loading", COORDINATOR_SHARDS_LOADING},
                {"failed", COORDINATOR_SHARDS_FAILED}};

    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    for (int i = 0; i < 3; i++) {
        StrView state = strview_from(rows[i].state);
        int64_t sum = 0;

        for (int32_t w = 0; w < coordinator_worker_count(); w++)
            sum += coordinator_count(w, rows[i].which);
        metric_take(scan, &state, sum);
    }
    return METRIC_END;
}

int64_t
metric_walk_coordinator_loads(MetricScan *scan, int64_t item)
{
    MetricSample sum = {.part = "_sum", .digits = 6};
    MetricSample count = {.part = "_count"};

    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    for (int32_t w = 0; w < coordinator_worker_count(); w++) {
        sum.value += coordinator_count(w, COORDINATOR_LOAD_US);
        count.value += coordinator_count(w, COORDINATOR_LOADS);
    }
    metric_take_part(scan, NULL, &sum);
    metric_take_part(scan, NULL, &count);
    return METRIC_END;
}

/* Items: kinds and states, in the order they were met. */
int64_t
metric_walk_groups(MetricScan *scan, int64_t item)
{
    for (; scan->groups != NULL && item < scan->groups->state_count; item++) {
        const GroupStateFigure *figure = &scan->groups->states[item];

        if (!metric_room(scan))
            return item;
        metric_take(scan,
                    (const StrView[]){strview_from(figure->protocol), strview_from(figure->state)},
                    figure->count);
    }
    return METRIC_END;
}

/* Items: lags. */
static int64_t
take_lags(MetricScan *scan, int64_t item, bool seconds)
{
    for (; scan->groups != NULL && item < scan->groups->lag_count; item++) {
        const GroupLagFigure *lag = &scan->groups->lags[item];
        int64_t value = seconds ? lag->ms : lag->records;
        char partition[16];

        if (!metric_room(scan))
            return item;
        (void)snprintf(partition, sizeof partition, "%d", (int)lag->partition);
        if (value != LAG_UNKNOWN)
            metric_take(scan, (const StrView[]){lag->group, lag->topic, strview_from(partition)},
                        value);
    }
    return METRIC_END;
}

int64_t
metric_walk_group_lag_records(MetricScan *scan, int64_t item)
{
    return take_lags(scan, item, false);
}

int64_t
metric_walk_group_lag_seconds(MetricScan *scan, int64_t item)
{
    return take_lags(scan, item, true);
}

int64_t
metric_walk_group_lag_dropped(MetricScan *scan, int64_t item)
{
    if (item > 0 || scan->groups == NULL)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    metric_take(scan, NULL, scan->groups->lag_dropped);
    return METRIC_END;
}
