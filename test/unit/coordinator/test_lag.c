/*
 * test_lag.c - how far a committed offset is behind: every place it can have
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ottla/coordinator/lag.h"

static void
test_places(void **state)
{
    static const struct {
        int64_t committed, start, end, records, from;
        bool behind_start;
    } cases[] = {
        {-1, 0, 10, LAG_UNKNOWN, 0, false}, /* nothing committed */
        {-1, 5, 10, LAG_UNKNOWN, 5, false}, /* the same behind a log start */
        {0, 0, 0, 0, 0, false},             /* an empty log */
        {0, 0, 10, 10, 0, false},           /* all of it */
        {4, 0, 10, 6, 4, false},            /* in the middle, gaps and all */
        {10, 0, 10, 0, 10, false},          /* at the end */
        {12, 0, 10, 0, 12, false},          /* above it: the log was cut back */
        {3, 5, 10, 5, 5, true},             /* below the start: two are lost */
        {5, 5, 10, 5, 5, false},            /* at the start */
        {3, 10, 10, 0, 10, true},           /* all records were deleted */
        {3, 12, 10, 0, 12, true},           /* a start above the high watermark (of a follower) */
        {0, 0, INT64_MAX, INT64_MAX, 0, false},
        {INT64_MAX, 0, INT64_MAX, 0, INT64_MAX, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Lag lag = lag_of(cases[i].committed, cases[i].start, cases[i].end);

        assert_int_equal(lag.records, cases[i].records);
        assert_int_equal(lag.from, cases[i].from);
        assert_int_equal(lag.behind_start, cases[i].behind_start);
    }
}

static void
test_age(void **state)
{
    (void)state;
    assert_int_equal(lag_ms(0, 1, 1000), 0); /* nothing is left: no age, whatever the time says */
    assert_int_equal(lag_ms(0, -1, 1000), 0);
    assert_int_equal(lag_ms(3, 400, 1000), 600);
    assert_int_equal(lag_ms(3, 1000, 1000), 0);
    assert_int_equal(lag_ms(3, 2000, 1000), 0); /* a producer whose clock is ahead */
    assert_int_equal(lag_ms(3, -1, 1000), LAG_UNKNOWN);
    assert_int_equal(lag_ms(LAG_UNKNOWN, 400, 1000), LAG_UNKNOWN);
    assert_int_equal(lag_ms(1, 0, INT64_MAX), INT64_MAX);
}

static void
test_sum(void **state)
{
    (void)state;
    assert_int_equal(lag_sum(2, 3), 5);
    assert_int_equal(lag_sum(LAG_UNKNOWN, 3), 3);
    assert_int_equal(lag_sum(2, LAG_UNKNOWN), 2);
    assert_int_equal(lag_sum(LAG_UNKNOWN, LAG_UNKNOWN), LAG_UNKNOWN);
    assert_int_equal(lag_sum(INT64_MAX - 1, 2), INT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
