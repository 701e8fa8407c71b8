/*
 * test_prom_text.c - samples as text, in both formats: heads, labels, what is escaped
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/prom_text_int.h"

static const MetricRow counter = {.name = "x_total",
                                  .help = "A \"line\"\nand a \\.",
                                  .labels = {"topic", "api"},
                                  .label_count = 2,
                                  .type = METRIC_COUNTER};
static const MetricRow histogram = {
    .name = "y_seconds", .help = "Times.", .type = METRIC_HISTOGRAM};

static void
expect(PromFormat format, const char *wanted)
{
    const StrView labels[] = {STRVIEW("a\"b\\c\nd"), {"\xc3\xa9\xff", 3}};
    PromWriter w = {.format = format};
    StrBuf out;

    strbuf_init(&out, 4096, NULL);
    w.out = &out;
    prom_add(&w, &(MetricSample){.row = &counter, .part = "", .labels = labels, .value = 7});
    prom_add(&w, &(MetricSample){.row = &counter, .part = "", .labels = labels, .value = 8});
    prom_add(&w, &(MetricSample){
                     .row = &histogram, .part = "_bucket", .le = STRVIEW("+Inf"), .value = 2});
    prom_add(&w, &(MetricSample){.row = &histogram, .part = "_sum", .value = 2500000, .digits = 6});
    prom_add(&w, &(MetricSample){.row = &histogram, .part = "_count", .value = 2});
    prom_end(&w);
    assert_false(strbuf_failed(&out));
    assert_string_equal(out.ptr, wanted);
    strbuf_release(&out);
}

#define SAMPLES(n) "x_total{topic=\"a\\\"b\\\\c\\nd\",api=\"\xc3\xa9\\\\xff\"} " n "\n"
#define TIMES                           \
    "# HELP y_seconds Times.\n"         \
    "# TYPE y_seconds histogram\n"      \
    "y_seconds_bucket{le=\"+Inf\"} 2\n" \
    "y_seconds_sum 2.500000\n"          \
    "y_seconds_count 2\n"

static void
text_format(void **state)
{
    (void)state;
    expect(PROM_TEXT, "# HELP x_total A \"line\"\\nand a \\\\.\n"
                      "# TYPE x_total counter\n" SAMPLES("7") SAMPLES("8") TIMES);
}

static void
openmetrics(void **state)
{
    (void)state;
    expect(PROM_OPENMETRICS, "# HELP x A \\\"line\\\"\\nand a \\\\.\n"
                             "# TYPE x counter\n" SAMPLES("7") SAMPLES("8") TIMES "# EOF\n");
}

/* Who asks for OpenMetrics gets it. */
static void
formats_are_negotiated(void **state)
{
    static const struct {
        const char *accept;
        PromFormat format;
    } cases[] = {
        {NULL, PROM_TEXT},
        {"", PROM_TEXT},
        {"*/*", PROM_TEXT},
        {"text/plain;version=0.0.4", PROM_TEXT},
        {"application/openmetrics-text", PROM_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
         "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         PROM_OPENMETRICS},
        {"text/plain, Application/OpenMetrics-Text;q=0.2", PROM_OPENMETRICS},
        {"application/openmetrics-text;q=0, text/plain", PROM_TEXT},
        {"application/openmetrics-text;q=0.000", PROM_TEXT},
        {"application/openmetrics-text;q=0.05", PROM_OPENMETRICS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(prom_format_accepted(cases[i].accept), cases[i].format);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_format),
        cmocka_unit_test(openmetrics),
        cmocka_unit_test(formats_are_negotiated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
