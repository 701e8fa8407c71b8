/*
 * metrics.c - a walk over the samples of a family, whatever it is made of
 *
 * Runs in: exporter, backend (view `metrics`); tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/metrics/metrics.h"

#include <stdio.h>

#include "ottla/common/assert.h"

bool
metric_room(const MetricScan *scan)
{
    return scan->room(scan->arg);
}

void
metric_take(MetricScan *scan, const StrView *labels, int64_t value)
{
    const MetricSample sample = {.row = scan->row,
                                 .part = "",
                                 .labels = labels,
                                 .value = value,
                                 .digits = scan->row->digits};

    scan->take(scan->arg, &sample);
}

void
metric_take_part(MetricScan *scan, const StrView *labels, const MetricSample *part)
{
    MetricSample sample = *part;

    sample.row = scan->row;
    sample.labels = labels;
    scan->take(scan->arg, &sample);
}

void
metric_take_histogram(MetricScan *scan, const StrView *labels, const uint64_t *buckets, int count,
                      uint64_t total_us)
{
    int64_t sum = 0;

    for (int b = 0; b < count; b++) {
        char text[METRIC_VALUE_MAX];
        StrView le = STRVIEW("+Inf");

        sum += (int64_t)buckets[b];
        if (b < count - 1)
            le = (StrView){text, metric_value_text(INT64_C(1) << b, 6, text)};
        metric_take_part(scan, labels, &(MetricSample){.part = "_bucket", .le = le, .value = sum});
    }
    metric_take_part(scan, labels,
                     &(MetricSample){.part = "_sum", .value = (int64_t)total_us, .digits = 6});
    metric_take_part(scan, labels, &(MetricSample){.part = "_count", .value = sum});
}

int64_t
metric_keep_most(AtomicI64 *told, int64_t value)
{
    int64_t most = atomic_i64_load(told);

    while (most < value && !atomic_i64_cas(told, &most, value)) /* who fails finds it higher */
        continue;
    return most > value ? most : value;
}

int32_t
metric_value_text(int64_t value, int32_t digits, char ret[METRIC_VALUE_MAX])
{
    static const uint64_t scale[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    ot_assert(digits >= 0 && digits <= 6);
    if (digits == 0)
        return snprintf(ret, METRIC_VALUE_MAX, "%lld", (long long)value);
    return snprintf(ret, METRIC_VALUE_MAX, "%s%llu.%0*llu", value < 0 ? "-" : "",
                    (unsigned long long)(size / scale[digits]), (int)digits,
                    (unsigned long long)(size % scale[digits]));
}

static int64_t
single_value(const MetricScan *scan)
{
    const MetricRow *row = scan->row;

    switch (row->from) {
    case METRIC_FROM_STAT:
        return (int64_t)stat_sum((Stat)row->stat);
    case METRIC_FROM_FACT:
        return *(const int64_t *)(const void *)((const char *)scan->facts + row->fact);
    default:
        return 0;
    }
}

/* What cannot happen yet: 0. Which values labels would have, nobody knows. */
static void
take_none(MetricScan *scan)
{
    const MetricRow *row = scan->row;

    if (row->label_count > 0)
        return;
    if (row->type == METRIC_SUMMARY) {
        metric_take_part(scan, NULL, &(MetricSample){.part = "_sum"});
        metric_take_part(scan, NULL, &(MetricSample){.part = "_count"});
    } else {
        metric_take(scan, NULL, 0);
    }
}

int64_t
metrics_scan(MetricScan *scan, int32_t family, int64_t item)
{
    ot_assert(family >= 0 && family < METRIC_ROW_COUNT);
    scan->row = &metric_rows[family];
    if (scan->row->from == METRIC_FROM_WALK)
        return scan->row->walk(scan, item);
    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    if (scan->row->from == METRIC_FROM_NONE)
        take_none(scan);
    else
        metric_take(scan, NULL, single_value(scan));
    return METRIC_END;
}
