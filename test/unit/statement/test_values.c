/*
 * test_values.c - units, times, patterns and operations of statements
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "statement/values_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
values_become_raw(void **state)
{
    static const struct {
        ConfScope scope;
        const char *name, *text, *raw;
    } rows[] = {
        {CONF_SCOPE_TOPIC, "retention.ms", "7d", "604800000"},
        {CONF_SCOPE_TOPIC, "retention.ms", "-1", "-1"},
        {CONF_SCOPE_TOPIC, "segment.bytes", "1GB", "1073741824"},
        {CONF_SCOPE_TOPIC, "segment.bytes", "1.5MB", "1572864"},
        {CONF_SCOPE_TOPIC, "segment.bytes", "1 fish", "1 fish"},
        {CONF_SCOPE_TOPIC, "cleanup.policy", "7d", "7d"},
        {CONF_SCOPE_TOPIC, "preallocate", "ON", "true"},
        {CONF_SCOPE_TOPIC, "preallocate", "no", "false"},
        {CONF_SCOPE_TOPIC, "preallocate", "maybe", "maybe"},
        {CONF_SCOPE_TOPIC, "min.insync.replicas", "2", "2"},
        {CONF_SCOPE_TOPIC, "of.a.newer.broker.ms", "2h", "7200000"},
        {CONF_SCOPE_GROUP, "consumer.session.timeout.ms", "45s", "45000"},
        {CONF_SCOPE_BROKER, "log.retention.hours", "7d", "168"},
    };
    Arena *arena = arena_new(4096, 0);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        StrView raw = value_for_config(rows[i].scope, strview_from(rows[i].name),
                                       strview_from(rows[i].text), arena);

        assert_true(strview_equal(raw, strview_from(rows[i].raw)));
    }
    arena_free(arena);
}

static void
durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {{"15min", 900000},
                {"90 s", 90000},
                {"1000", 1000},
                {"P1D", 86400000},
                {"PT1H30M", 5400000},
                {"P2W", 1209600000},
                {"P1DT0.5S", 86400500},
                {"P", -1},
                {"PT", -1},
                {"P1H", -1},
                {"PT1D", -1},
                {"1x", -1},
                {"-5s", -1},
                {"", -1},
                {"P99999999999999999999D", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;

        if (!value_duration_ms(strview_from(rows[i].text), &ms))
            ms = -1;
        assert_int_equal(ms, rows[i].ms);
    }
}

static void
timestamps(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {{"1735689600000", 1735689600000},
                {"1735689600", 1735689600000},
                {"2025-01-01", 1735689600000},
                {"2025-01-01T00:00:00Z", 1735689600000},
                {"2025-01-01 01:00:00.25+01:00", 1735689600250},
                {"2025-01-01T00:00", 1735689600000},
                {"2024-12-31 19:00:00 -0500", 1735689600000},
                {"-1h", 2000000000000 - 3600000},
                {"-P1D", 2000000000000 - 86400000},
                {"-1", -1},
                {"2025-13-01", -1},
                {"2025-01-01T", -1},
                {"2025-01-01T00:00:00X", -1},
                {"yesterday", -1},
                {"", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;

        if (!value_timestamp_ms(strview_from(rows[i].text), 2000000000000, "UTC", &ms))
            ms = -1;
        assert_int_equal(ms, rows[i].ms);
    }
}

static void
zones(void **state)
{
    int64_t ms = 0;

    (void)state;
    assert_true(value_timestamp_ms(STRVIEW("2025-01-01"), 0, "Europe/Berlin", &ms) &&
                ms == 1735689600000 - 3600000);
    assert_true(value_timestamp_ms(STRVIEW("2025-07-01"), 0, "America/New_York", &ms) &&
                ms == 1751328000000 + 4 * 3600000);
    assert_true(value_timestamp_ms(STRVIEW("2025-01-01Z"), 0, "Europe/Berlin", &ms) == false);
    assert_true(value_timestamp_ms(STRVIEW("2025-01-01T00:00Z"), 0, "Europe/Berlin", &ms) &&
                ms == 1735689600000);
    assert_true(value_timestamp_ms(STRVIEW("2025-01-01"), 0, "UTC", &ms) && ms == 1735689600000);
}

static void
rates(void **state)
{
    int64_t rate;

    (void)state;
    assert_true(value_rate(STRVIEW("10MB"), &rate) && rate == 10485760);
    assert_true(value_rate(STRVIEW("10MB/s"), &rate) && rate == 10485760);
    assert_true(value_rate(STRVIEW("5"), &rate) && rate == 5);
    assert_false(value_rate(STRVIEW("0"), &rate) || value_rate(STRVIEW("/s"), &rate) ||
                 value_rate(STRVIEW("x"), &rate));
}

static void
patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {{"tmp-*", "tmp-", true},  {"tmp-*", "tmp", false},
                {"*a*b", "xxaxxb", true}, {"*a*b", "xxaxx", false},
                {"?", "", false},         {"?", "x", true},
                {"", "", true},           {"*", "", true},
                {"a\\*", "a*", true},     {"a\\*", "ab", false},
                {"a.c", "abc", false},    {"*.v?", "x.v1", true},
                {"**a**", "bab", true},   {"a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(glob_matches(strview_from(rows[i].pattern), strview_from(rows[i].text)),
                         rows[i].matches);
    assert_true(glob_is(STRVIEW("a?")) && !glob_is(STRVIEW("a.b-c")));
}

static void
operations_have_kafkas_numbers(void **state)
{
    (void)state;
    assert_int_equal(acl_operation_of(STRVIEW("All")), 2);
    assert_int_equal(acl_operation_of(STRVIEW("read")), 3);
    assert_int_equal(acl_operation_of(STRVIEW("Cluster_Action")), 9);
    assert_int_equal(acl_operation_of(STRVIEW("DescribeTokens")), 14);
    assert_int_equal(acl_operation_of(STRVIEW("fly")), 0);
    assert_int_equal(acl_operation_of(STRVIEW("")), 0);
    assert_string_equal(acl_operation_name(12), "IDEMPOTENTWRITE");
    assert_null(acl_operation_name(15));
    assert_null(acl_operation_name(1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_raw),
        cmocka_unit_test(durations),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(rates),
        cmocka_unit_test(zones),
        cmocka_unit_test(patterns),
        cmocka_unit_test(operations_have_kafkas_numbers),
    };

    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
