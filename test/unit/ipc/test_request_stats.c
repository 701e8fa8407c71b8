/*
 * test_request_stats.c - counts and times of requests
 *
 * Proves: what all stripes counted is summed by API and version; times go to the bucket that they belong to, and
 * quantiles are read from it; processes that ask for something new at the same time share one row; APIs for which
 * there is no row share the last; errors are counted by API and code, ours apart from Kafka's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/request_stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/ipc/slot.h"

/* The row of an API and version; count 0: there is none. */
static RequestStats
find(int16_t api_key, int16_t api_version)
{
    RequestStats stats;

    for (int32_t row = 0; row < REQUEST_STATS_ROWS; row++)
        if (request_stats_read(row, &stats) && stats.api_key == api_key &&
            stats.api_version == api_version)
            return stats;
    return (RequestStats){0};
}

static void
add(int16_t api_key, int16_t api_version, int64_t us)
{
    RequestRow *row = request_stats_row(api_key, api_version);

    request_stats_add(row, us, 100);
    request_stats_add_parts(row, &(RequestTimes){.queue_us = us / 4,
                                                 .remote_us = us / 2,
                                                 .throttle_ms = (int32_t)(us % 7),
                                                 .failed = us == 1000});
}

static void
stripes_are_summed(void **state)
{
    static const int64_t us[] = {0, 0, 1, 2, 3, 1000, INT64_MAX / 2};
    RequestStats stats;

    (void)state;
    assert_false(request_stats_read(0, &stats));
    for (int32_t slot = 0; slot < 2; slot++) {
        slot_claim(slot, slot_prepare(slot), PROC_BACKEND, 0);
        for (size_t i = 0; i < sizeof us / sizeof us[0]; i++)
            add(0, 9, us[i]);
        add(0, 10, 8);
    }
    stats = find(0, 9);
    assert_int_equal(stats.count, 14);
    assert_int_equal(stats.failed, 2);
    assert_int_equal(stats.bytes, 1400);
    assert_int_equal(stats.total_us, 2 * (1006 + (uint64_t)(INT64_MAX / 2)));
    assert_int_equal(stats.buckets[0], 4);
    assert_int_equal(stats.buckets[1], 2);
    assert_int_equal(stats.buckets[2], 4);
    assert_int_equal(stats.buckets[10], 2);
    assert_int_equal(stats.buckets[REQUEST_STATS_BUCKETS - 1], 2);
    stats = find(0, 10);
    assert_int_equal(stats.count, 2);
    assert_int_equal(stats.queue_us, 4);
    assert_int_equal(stats.remote_us, 8);
    assert_int_equal(stats.throttle_ms, 2);
    assert_int_equal(find(0, 11).count, 0);
    assert_int_equal(find(1, 9).count, 0);
}

static void
quantiles(void **state)
{
    RequestStats stats = {.count = 100};

    (void)state;
    assert_true(request_stats_quantile(&(RequestStats){0}, 0.5) == 0);
    stats.buckets[11] = 90; /* 1,024 ... 2,047 us */
    stats.buckets[15] = 10; /* 16,384 ... */
    assert_true(request_stats_quantile(&stats, 0.45) == 1536);
    assert_true(request_stats_quantile(&stats, 0.9) == 2048);
    assert_true(request_stats_quantile(&stats, 0.95) == 16384 * 1.5);
    assert_true(request_stats_quantile(&stats, 1) == 32768);
}

static void
ask_for_all(void *arg)
{
    (void)arg;
    for (int16_t version = 0; version < 200; version++)
        add(7, version, 100);
}

static void
rows_are_shared(void **state)
{
    pid_t pids[6];
    RequestStats stats;
    uint64_t all = 0;

    (void)state;
    for (int i = 0; i < 6; i++)
        pids[i] = kit_fork(ask_for_all, NULL);
    for (int i = 0; i < 6; i++)
        kit_join(pids[i]);
    for (int32_t row = 0; row < REQUEST_STATS_ROWS; row++)
        all += request_stats_read(row, &stats) ? stats.count : 0;
    assert_int_equal(
        all, 6 * 200); /* a version may have lost a row to a race, but no request its count */
}

static void
rows_run_out(void **state)
{
    RequestStats stats;

    (void)state;
    kit_become(1);
    for (int pass = 0; pass < 2; pass++)
        for (int16_t version = 0; version < 600; version++)
            add(3, version, 1);
    assert_int_equal(find(3, 0).count, 2);
    assert_int_equal(find(3, REQUEST_STATS_ROWS - 2).count, 2);
    assert_true(request_stats_read(REQUEST_STATS_ROWS - 1, &stats));
    assert_int_equal(stats.api_key, -1);
    assert_int_equal(stats.count, 2 * (600 - (REQUEST_STATS_ROWS - 1)));
}

static void
errors_are_told_apart(void **state)
{
    (void)state;
    kit_become(1);
    request_stats_error(0, 6, 3);
    request_stats_error(0, 0, 3);
    request_stats_error(0, -1, 1);
    request_stats_error(0, 30000, 1);
    request_stats_error(32, 42, 1);
    request_stats_error(20000, 42, 5);
    request_stats_error(20001, 42, 7);
    assert_int_equal(request_stats_errors(0, 6), 3);
    assert_int_equal(request_stats_errors(0, -1), 2);
    assert_int_equal(request_stats_errors(32, 42), 1);
    assert_int_equal(request_stats_errors(20000, 42), 5);
    assert_int_equal(request_stats_errors(20001, 42), 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stripes_are_summed, kit_setup, kit_teardown),
        cmocka_unit_test(quantiles),
        cmocka_unit_test_setup_teardown(rows_are_shared, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(rows_run_out, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(errors_are_told_apart, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
