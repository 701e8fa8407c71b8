/*
 * stat_metrics.c - the view metrics: what the exporter serves, as rows
 *
 * Runs in: backend. Cursor: family << 40 | item of its walk. Of groups it has only what needs no coordinator: views
 * groups and group_lag have the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/stat_int.h"
#include "ottla/common/conf.h"
#include "ottla/common/strbuf.h"
#include "ottla/ipc/node.h"
#include "ottla/metrics/metrics.h"

#define ITEM_BITS        40
#define NAME_MAX_BYTES   256
#define LABELS_MAX_BYTES 65536

enum { M_NODE_ID, M_NAME, M_LABELS, M_VALUE, M_TYPE, M_HELP };

static const StatColumn metric_columns[] = {
    [M_NODE_ID] = {"node_id", STAT_INTEGER}, [M_NAME] = {"name", STAT_TEXT},
    [M_LABELS] = {"labels", STAT_TEXT},      [M_VALUE] = {"value", STAT_REAL},
    [M_TYPE] = {"type", STAT_TEXT},          [M_HELP] = {"help", STAT_TEXT},
};

static bool
room(void *arg)
{
    const StatScan *scan = arg;

    return scan->row_count + METRIC_ITEM_MAX <= STAT_PAGE_ROWS && stat_look(arg);
}

/* Texts of a row, which are copied if it passes; reused, since most rows may not. */
static StrBuf name_text, labels_text;

/* Labels as a JSON object, which SQL takes apart. */
static StrView
labels_of(const MetricSample *sample)
{
    strbuf_clear(&labels_text);
    strbuf_add_char(&labels_text, '{');
    for (int i = 0; i < sample->row->label_count; i++) {
        if (i > 0)
            strbuf_add_char(&labels_text, ',');
        strbuf_add_json(&labels_text, strview_from(sample->row->labels[i]));
        strbuf_add_char(&labels_text, ':');
        strbuf_add_json(&labels_text, sample->labels[i]);
    }
    if (sample->le.ptr != NULL) {
        strbuf_add_cstr(&labels_text, sample->row->label_count > 0 ? ",\"le\":" : "\"le\":");
        strbuf_add_json(&labels_text, sample->le);
    }
    strbuf_add_char(&labels_text, '}');
    return strbuf_view(&labels_text);
}

static void
take(void *arg, const MetricSample *sample)
{
    static const char *const types[METRIC_TYPE_COUNT] = {[METRIC_COUNTER] = "counter",
                                                         [METRIC_GAUGE] = "gauge",
                                                         [METRIC_HISTOGRAM] = "histogram",
                                                         [METRIC_SUMMARY] = "summary"};
    static const double scale[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    StatScan *scan = arg;

    strbuf_clear(&name_text);
    strbuf_add_cstr(&name_text, sample->row->name);
    strbuf_add_cstr(&name_text, sample->part);
    stat_integer(scan, M_NODE_ID, node_info.node_id);
    stat_text(scan, M_NAME, strbuf_view(&name_text));
    if (stat_wants(scan, M_LABELS))
        stat_text(scan, M_LABELS, labels_of(sample));
    stat_real(scan, M_VALUE, (double)sample->value / scale[sample->digits]);
    stat_text(scan, M_TYPE, strview_from(types[sample->row->type]));
    stat_text(scan, M_HELP, strview_from(sample->row->help));
    scan->failed |= strbuf_failed(&name_text) || strbuf_failed(&labels_text);
    stat_end(scan);
}

static int64_t
scan_metrics(StatScan *scan, int64_t cursor)
{
    int64_t family = cursor >> ITEM_BITS;
    int64_t item = cursor & ((INT64_C(1) << ITEM_BITS) - 1);
    MetricScan walk = {.per_partition = conf_bool(CONF_METRICS_PER_PARTITION),
                       .room = room,
                       .take = take,
                       .arg = scan};
    MetricFacts facts;

    strbuf_init(&name_text, NAME_MAX_BYTES, NULL);
    strbuf_init(&labels_text, LABELS_MAX_BYTES, NULL);
    metric_facts_find(&facts);
    walk.facts = &facts;
    cursor = STAT_END;
    for (; family < METRIC_ROW_COUNT && cursor == STAT_END; family++, item = 0) {
        item = metrics_scan(&walk, (int32_t)family, item);
        if (item != METRIC_END)
            cursor = family << ITEM_BITS | item;
    }
    strbuf_release(&name_text);
    strbuf_release(&labels_text);
    return cursor;
}

const StatView stat_metrics_view = {.name = "metrics",
                                    .columns = metric_columns,
                                    .column_count =
                                        sizeof metric_columns / sizeof metric_columns[0],
                                    .scan = scan_metrics};
