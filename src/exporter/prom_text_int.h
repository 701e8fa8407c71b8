/*
 * prom_text_int.h - samples as text: Prometheus' format 0.0.4, and OpenMetrics 1.0
 *
 * Both say the same; they differ in the names of counters' families, in what is escaped, and in the
 * end mark.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_EXPORTER_PROM_TEXT_INT_H
#define OTTLA_EXPORTER_PROM_TEXT_INT_H

#include <stdbool.h>

#include "ottla/common/strbuf.h"
#include "ottla/metrics/metrics.h"

typedef enum PromFormat { PROM_TEXT, PROM_OPENMETRICS, PROM_FORMAT_COUNT } PromFormat;

typedef struct PromWriter {
    StrBuf *out;
    const MetricRow *row; /* whose HELP and TYPE were written last */
    PromFormat format;
} PromWriter;

/* The value of Content-Type. */
const char *prom_content_type(PromFormat format);

/* What a client that says this of itself in Accept wants; NULL: it said nothing. */
PromFormat prom_format_accepted(const char *accept);

/* HELP and TYPE of a family, of which there may be no samples; those follow at once. */
void prom_begin(PromWriter *w, const MetricRow *row);

/* A sample, with HELP and TYPE before the first one of its family. */
void prom_add(PromWriter *w, const MetricSample *sample);

/* Behind the last sample. */
void prom_end(PromWriter *w);

#endif
