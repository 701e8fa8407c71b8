/*
 * walks.h - the functions that rows of metrics.txt name by `walk`
 *
 * Each is a MetricWalk (metrics.h). Files: walks_node.c, walks_requests.c, walks_partitions.c,
 * walks_groups.c, walks_quotas.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_METRICS_WALKS_H
#define OTTLA_METRICS_WALKS_H

#include "ottla/metrics/metrics.h"

#define METRIC_WALK_PROTOTYPE(name) int64_t metric_walk_##name(MetricScan *scan, int64_t item);
METRIC_WALKS(METRIC_WALK_PROTOTYPE)
#undef METRIC_WALK_PROTOTYPE

#endif
