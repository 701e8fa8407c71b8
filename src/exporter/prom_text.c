/*
 * prom_text.c - samples as text: Prometheus' format 0.0.4, and OpenMetrics 1.0
 *
 * Runs in: exporter; tests.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "exporter/prom_text_int.h"

#include <string.h>
#include <strings.h>

#include "ottla/common/text.h"

const char *
prom_content_type(PromFormat format)
{
    return format == PROM_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                      : "text/plain; version=0.0.4; charset=utf-8";
}

/*
 * Prometheus names both and prefers OpenMetrics; who names that one gets it, unless with q=0. Weights are not
 * compared: a scraper takes either.
 */
PromFormat
prom_format_accepted(const char *accept)
{
    static const char wanted[] = "application/openmetrics-text";
    const char *at = accept == NULL ? NULL : strcasestr(accept, wanted);
    size_t len;

    if (at == NULL)
        return PROM_TEXT;
    len = strcspn(at, ",");
    for (size_t i = 0; i + 3 <= len; i++)
        if (strncasecmp(at + i, "q=0", 3) == 0 &&
            strspn(at + i + 3, ".0") == strcspn(at + i + 3, ", ;"))
            return PROM_TEXT;
    return PROM_OPENMETRICS;
}

/* Backslash and line feed are escaped everywhere, quotes where the text stands in quotes. */
static void
add_escaped(StrBuf *out, StrView text, bool quotes)
{
    while (text.len > 0) {
        bool good;
        int32_t step = text_utf8_step(text, &good);

        if (!good) /* two names that differ stay different */
            for (int32_t i = 0; i < step; i++)
                strbuf_printf(out, "\\\\x%02x", (unsigned char)text.ptr[i]);
        else if (text.ptr[0] == '\\')
            strbuf_add_cstr(out, "\\\\");
        else if (text.ptr[0] == '\n')
            strbuf_add_cstr(out, "\\n");
        else if (text.ptr[0] == '"' && quotes)
            strbuf_add_cstr(out, "\\\"");
        else
            strbuf_add(out, text.ptr, (size_t)step);
        text.ptr += step;
        text.len -= step;
    }
}

/* The family's name: in OpenMetrics that of a counter has no _total. */
static StrView
family_name(const PromWriter *w, const MetricRow *row)
{
    StrView name = strview_from(row->name);

    if (w->format == PROM_OPENMETRICS && row->type == METRIC_COUNTER)
        name.len -= (int32_t)strlen("_total");
    return name;
}

void
prom_begin(PromWriter *w, const MetricRow *row)
{
    static const char *const types[METRIC_TYPE_COUNT] = {[METRIC_COUNTER] = "counter",
                                                         [METRIC_GAUGE] = "gauge",
                                                         [METRIC_HISTOGRAM] = "histogram",
                                                         [METRIC_SUMMARY] = "summary"};

    w->row = row;
    strbuf_add_cstr(w->out, "# HELP ");
    strbuf_add_view(w->out, family_name(w, row));
    strbuf_add_char(w->out, ' ');
    add_escaped(w->out, strview_from(row->help), w->format == PROM_OPENMETRICS);
    strbuf_add_cstr(w->out, "\n# TYPE ");
    strbuf_add_view(w->out, family_name(w, row));
    strbuf_printf(w->out, " %s\n", types[row->type]);
}

static void
add_label(StrBuf *out, const char *name, StrView value, bool first)
{
    strbuf_add_char(out, first ? '{' : ',');
    strbuf_add_cstr(out, name);
    strbuf_add_cstr(out, "=\"");
    add_escaped(out, value, true);
    strbuf_add_char(out, '"');
}

void
prom_add(PromWriter *w, const MetricSample *sample)
{
    const MetricRow *row = sample->row;
    char value[METRIC_VALUE_MAX];

    if (w->row != row)
        prom_begin(w, row);
    strbuf_add_cstr(w->out, row->name);
    strbuf_add_cstr(w->out, sample->part);
    for (int i = 0; i < row->label_count; i++)
        add_label(w->out, row->labels[i], sample->labels[i], i == 0);
    if (sample->le.ptr != NULL)
        add_label(w->out, "le", sample->le, row->label_count == 0);
    if (row->label_count > 0 || sample->le.ptr != NULL)
        strbuf_add_char(w->out, '}');
    strbuf_add_char(w->out, ' ');
    strbuf_add(w->out, value, (size_t)metric_value_text(sample->value, sample->digits, value));
    strbuf_add_char(w->out, '\n');
}

void
prom_end(PromWriter *w)
{
    if (w->format == PROM_OPENMETRICS)
        strbuf_add_cstr(w->out, "# EOF\n");
}
