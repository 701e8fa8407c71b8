/*
 * metrics.h - what is measured of a node: the table of metrics, and a walk over their samples
 *
 * Who shows them (the exporter, the view `metrics`) walks over the families by their row and takes each
 * sample as it comes. Everything is read from shared memory, without locks; a sample says what was true
 * at some moment of the walk. Numbers are integers with decimal places, so that none is ever "not a number".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_METRICS_METRICS_H
#define OTTLA_METRICS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"
#include "ottla/ipc/counters.h"
#include "ottla/metrics/facts.h"
#include "ottla/metrics/group_figures.h"
#include "ottla/metrics/metrics_table.h"

#define METRIC_LABELS_MAX 4
#define METRIC_END        (-1) /* place behind the last item of a family */
#define METRIC_ITEM_MAX   40   /* samples of an item at most */
#define METRIC_VALUE_MAX  32   /* bytes of a number as text with its zero */

typedef enum MetricType {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_SUMMARY,
    METRIC_TYPE_COUNT
} MetricType;

typedef enum MetricFrom {
    METRIC_FROM_NONE,
    METRIC_FROM_STAT,
    METRIC_FROM_FACT,
    METRIC_FROM_WALK,
} MetricFrom;

typedef struct MetricScan MetricScan;

/*
 * Gives the samples of a family from an item on, while metric_room says so; returns the item it did not come to,
 * or METRIC_END. What an item is, is the walk's business; the first is 0.
 */
typedef int64_t (*MetricWalk)(MetricScan *scan, int64_t item);

typedef struct MetricRow {
    const char *name;
    const char *help;
    const char *labels[METRIC_LABELS_MAX];
    MetricWalk walk; /* FROM_WALK */
    uint16_t fact;   /* FROM_FACT: offset in MetricFacts */
    uint8_t stat;    /* FROM_STAT */
    uint8_t from;
    uint8_t type;
    uint8_t digits; /* decimal places of what it is made of */
    uint8_t label_count;
} MetricRow;

extern const MetricRow metric_rows[METRIC_ROW_COUNT];

typedef struct MetricSample {
    const MetricRow *row;
    const char *part;      /* behind the name: "", "_bucket", "_sum", "_count" */
    const StrView *labels; /* as many as the row has */
    StrView le;            /* of a bucket; null: none */
    int64_t value;
    int32_t digits; /* of value that stand behind the point */
} MetricSample;

struct MetricScan {
    const MetricRow *row; /* set by metrics_scan */
    const MetricFacts *facts;
    const GroupFigures *groups; /* NULL: nobody asked the coordinators */
    bool per_partition;         /* metrics.per.partition */
    int64_t series_dropped;     /* samples left out by whoever takes them */
    bool (*room)(void *arg);    /* is there room for the samples of another item? */
    void (*take)(void *arg, const MetricSample *sample); /* views last until it returns */
    void *arg;
};

/* The samples of a family (a row of the table) from an item on. Returns as a MetricWalk. */
int64_t metrics_scan(MetricScan *scan, int32_t family, int64_t item);

/* ---- for walks -------------------------------------------------------------------------------- */

bool metric_room(const MetricScan *scan);

/* A sample of the family; labels in the order of the row. */
void metric_take(MetricScan *scan, const StrView *labels, int64_t value);

/* A part of a histogram or summary: its value has decimal places of its own. le: null, or of a bucket. */
void metric_take_part(MetricScan *scan, const StrView *labels, const MetricSample *part);

/*
 * A histogram by microseconds: bucket b holds what took less than 2^b us; the last one also all that took longer. The counts
 * are added up here, so that the buckets agree with one another however the counters move.
 */
void metric_take_histogram(MetricScan *scan, const StrView *labels, const uint64_t *buckets,
                           int count, uint64_t total_us);

/*
 * Of a counter that is made of parts which cannot be read at one moment: *told is the most that anybody has told of it. Raises
 * it to a higher value; returns the higher of both.
 */
int64_t metric_keep_most(AtomicI64 *told, int64_t value);

/* The number as text: "-1", "0.000123". Returns its length. */
int32_t metric_value_text(int64_t value, int32_t digits, char ret[METRIC_VALUE_MAX]);

#endif
