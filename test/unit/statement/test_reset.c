/*
 * test_reset.c - where committed offsets go, and lines of files of them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "statement/reset_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
targets_lie_in_the_log(void **state)
{
    static const struct {
        ResetTo to;
        ResetPartition p; /* committed, start, end, at_time, asked */
        int64_t target;
        bool clamped;
    } rows[] = {
        {RESET_EARLIEST, {50, 10, 100, 0, 0}, 10, false},
        {RESET_LATEST, {50, 10, 100, 0, 0}, 100, false},
        {RESET_CURRENT, {50, 10, 100, 0, 0}, 50, false},
        {RESET_CURRENT, {-1, 10, 100, 0, 0}, 100, false},
        {RESET_CURRENT, {5, 10, 100, 0, 0}, 10, true},
        {RESET_OFFSET, {50, 10, 100, 0, 70}, 70, false},
        {RESET_OFFSET, {50, 10, 100, 0, 7}, 10, true},
        {RESET_OFFSET, {50, 10, 100, 0, 700}, 100, true},
        {RESET_SHIFT, {50, 10, 100, 0, -20}, 30, false},
        {RESET_SHIFT, {50, 10, 100, 0, INT64_MIN}, 10, true},
        {RESET_SHIFT, {50, 10, 100, 0, INT64_MAX}, 100, true},
        {RESET_SHIFT, {-1, 10, 100, 0, -1}, 99, false},
        {RESET_TIME, {50, 10, 100, 33, 0}, 33, false},
        {RESET_TIME, {50, 10, 100, -1, 0}, 100, false},
        {RESET_FILE, {50, 10, 100, 0, 60}, 60, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool clamped;

        assert_int_equal(reset_target(rows[i].to, &rows[i].p, &clamped), rows[i].target);
        assert_int_equal(clamped, rows[i].clamped);
    }
}

static void
lines_of_files(void **state)
{
    static const char *const bad[] = {"",      "t",      "t,1",     "t,x,1",
                                      "t,1,x", "t,-1,5", "t,1,2,3", ",1,2"};
    StrView topic;
    int32_t partition;
    int64_t offset;

    (void)state;
    assert_true(reset_csv_line(STRVIEW("orders,3,4711\r"), &topic, &partition, &offset));
    assert_true(strview_equal(topic, STRVIEW("orders")) && partition == 3 && offset == 4711);
    assert_true(reset_csv_line(STRVIEW(" \"a.b\" , 0 , 0 "), &topic, &partition, &offset));
    assert_true(strview_equal(topic, STRVIEW("a.b")));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(reset_csv_line(strview_from(bad[i]), &topic, &partition, &offset));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_lie_in_the_log),
        cmocka_unit_test(lines_of_files),
    };

    return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
