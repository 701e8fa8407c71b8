/*
 * test_metrics.c - the table of metrics, and numbers as text
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/metrics/metrics.h"

static void
numbers_are_exact(void **state)
{
    static const struct {
        int64_t value;
        int32_t digits;
        const char *text;
    } cases[] = {
        {0, 0, "0"},
        {-1, 0, "-1"},
        {INT64_MAX, 0, "9223372036854775807"},
        {0, 6, "0.000000"},
        {1, 6, "0.000001"},
        {1234567, 6, "1.234567"},
        {-1, 3, "-0.001"},
        {1500, 3, "1.500"},
        {INT64_MIN, 6, "-9223372036854.775808"},
        {INT64_MAX, 6, "9223372036854.775807"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[METRIC_VALUE_MAX];

        assert_int_equal(metric_value_text(cases[i].value, cases[i].digits, text),
                         strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

/* What the generator cannot see: each row has what its kind needs, and "le" is no label of ours. */
static void
rows_are_whole(void **state)
{
    (void)state;
    for (int i = 0; i < METRIC_ROW_COUNT; i++) {
        const MetricRow *row = &metric_rows[i];
        bool parts = row->type == METRIC_HISTOGRAM || row->type == METRIC_SUMMARY;
        bool none = row->from == METRIC_FROM_NONE;

        assert_true(row->label_count <= METRIC_LABELS_MAX);
        assert_true(!parts || row->from == METRIC_FROM_WALK || none);
        assert_true(row->label_count == 0 || row->from == METRIC_FROM_WALK || none);
        assert_true(row->type != METRIC_HISTOGRAM || !none);
        assert_true((row->walk != NULL) == (row->from == METRIC_FROM_WALK));
        assert_true(row->fact + sizeof(int64_t) <= sizeof(MetricFacts));
        assert_true(row->help[0] != '\0' && row->help[strlen(row->help) - 1] == '.');
        for (int l = 0; l < row->label_count; l++)
            assert_string_not_equal(row->labels[l], "le");
    }
}

/* What a walk gave. */
typedef struct Taken {
    int32_t room; /* items it may still begin */
    int32_t samples;
    int64_t value;
} Taken;

static bool
room(void *arg)
{
    return ((Taken *)arg)->room-- > 0;
}

static void
take(void *arg, const MetricSample *sample)
{
    ((Taken *)arg)->samples++;
    ((Taken *)arg)->value = sample->value;
}

/* A fact has one item; without room it is asked for again. */
static void
a_fact_has_one_sample(void **state)
{
    const MetricFacts facts = {.topics = 17};
    Taken taken = {0};
    MetricScan scan = {.facts = &facts, .room = room, .take = take, .arg = &taken};
    int32_t family = 0;

    (void)state;
    while (strcmp(metric_rows[family].name, "ottla_controller_topics") != 0)
        family++;
    assert_int_equal(metrics_scan(&scan, family, 0), 0);
    assert_int_equal(taken.samples, 0);
    taken.room = 1;
    assert_int_equal(metrics_scan(&scan, family, 0), METRIC_END);
    assert_int_equal(taken.samples, 1);
    assert_int_equal(taken.value, 17);
    assert_int_equal(metrics_scan(&scan, family, 1), METRIC_END);
    assert_int_equal(taken.samples, 1);
}

/* Lags are given from any item on, in pieces. */
static void
a_walk_goes_on_where_it_stood(void **state)
{
    GroupLagFigure lags[5] = {
        {.records = 1}, {.records = 2}, {.records = 3}, {.records = 4}, {.records = 5}};
    const GroupFigures groups = {.lags = lags, .lag_count = 5};
    Taken taken = {.room = 2};
    MetricScan scan = {.groups = &groups, .room = room, .take = take, .arg = &taken};
    int32_t family = 0;
    int64_t item;

    (void)state;
    while (strcmp(metric_rows[family].name, "ottla_group_lag_records") != 0)
        family++;
    item = metrics_scan(&scan, family, 0);
    assert_int_equal(item, 2);
    assert_int_equal(taken.samples, 2);
    taken.room = 10;
    assert_int_equal(metrics_scan(&scan, family, item), METRIC_END);
    assert_int_equal(taken.samples, 5);
    assert_int_equal(taken.value, 5);
    scan.groups = NULL; /* nobody asked the coordinators */
    assert_int_equal(metrics_scan(&scan, family, 0), METRIC_END);
    assert_int_equal(taken.samples, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(a_fact_has_one_sample),
        cmocka_unit_test(a_walk_goes_on_where_it_stood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
