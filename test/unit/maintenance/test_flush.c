/*
 * test_flush.c - one flush of the file system, or one of each partition: by what they cost here
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maintenance/flush_int.h"

/* Commits of so many partitions, each made the way that is cheaper by now. Returns how many by all at once. */
static int
commits(FlushCosts *costs, int count, int32_t partitions, int64_t each_us, int64_t all_us)
{
    int at_once = 0;

    for (int i = 0; i < count; i++) {
        bool all = partitions >= flush_costs_all_from(costs);

        flush_costs_note(costs, all, partitions, all ? all_us : partitions * each_us);
        at_once += all;
    }
    return at_once;
}

/* Commits of many partitions only: there is nothing to compare with, and one flush it is. */
static void
nothing_is_known_first(void **state)
{
    FlushCosts costs = {0};

    (void)state;
    assert_int_equal(flush_costs_all_from(&costs), 2);
    assert_int_equal(commits(&costs, 100, 10, 160, 20000), 100);
    (void)commits(&costs, 1, 1, 160, 20000);
    assert_int_equal(flush_costs_all_from(&costs), 125);
}

/* Nobody else writes: all at once costs as much as one file. */
static void
all_at_once_where_it_is_cheap(void **state)
{
    FlushCosts costs = {0};

    (void)state;
    (void)commits(&costs, 100, 1, 160, 170);
    (void)commits(&costs, 2, 20, 160, 170);
    assert_int_equal(flush_costs_all_from(&costs), 2);
    assert_int_equal(commits(&costs, 1000, 2, 160, 170), 1000);
    assert_int_equal(flush_costs_all_from(&costs), 2);
}

/* Much else is dirty: file by file, and seldom a look whether that is so still. */
static void
one_by_one_where_others_write(void **state)
{
    FlushCosts costs = {0};
    int tried;

    (void)state;
    (void)commits(&costs, 100, 1, 160, 20000);
    (void)commits(&costs, 100, 10, 160, 20000);
    assert_in_range(flush_costs_all_from(&costs), 8, 130);
    tried = commits(&costs, 10000, 3, 160, 20000);
    assert_in_range(tried, 1, 100);
    assert_in_range(commits(&costs, 10000, 3, 160, 170), 9000, 10000); /* they have ended */
}

/* One stall of the disk does not decide for long. */
static void
a_stall_is_one_measurement(void **state)
{
    FlushCosts costs = {0};

    (void)state;
    (void)commits(&costs, 100, 1, 160, 170);
    (void)commits(&costs, 100, 20, 160, 170);
    flush_costs_note(&costs, true, 20, 30 * 1000 * 1000);
    assert_int_equal(flush_costs_all_from(&costs), 2);
    flush_costs_note(&costs, false, 1, 0); /* faster than the clock */
    assert_in_range(flush_costs_all_from(&costs), 2, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_first),
        cmocka_unit_test(all_at_once_where_it_is_cheap),
        cmocka_unit_test(one_by_one_where_others_write),
        cmocka_unit_test(a_stall_is_one_measurement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
