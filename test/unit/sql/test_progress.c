/*
 * test_progress.c - how long moves will take, by two looks and more
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/progress_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static Progress *progress;

static int64_t
look(const char *topic, int32_t partition, int64_t done, int64_t now_ms)
{
    ProgressLook l = {strview_from(topic), partition, done, 1000, now_ms};

    return progress_look(&progress, &l);
}

static void
two_looks_tell(void **state)
{
    (void)state;
    assert_int_equal(look("t", 0, 100, 5000), -1);
    assert_int_equal(look("t", 1, 0, 5000), -1);
    assert_int_equal(look("t", 0, 100, 6000), -1); /* nothing came */
    assert_int_equal(look("t", 0, 200, 7000), 16000);
    assert_int_equal(look("t", 0, 550, 8000), 3000);
    assert_int_equal(look("t", 1, 500, 8000), 3000);
    assert_int_equal(look("u", 0, 999, 8000), -1);
    assert_int_equal(look("t", 0, 1000, 9000), 0);
    assert_int_equal(look("new", 0, 1000, 9000), 0);
}

static void
fewer_bytes_begin_anew(void **state)
{
    (void)state;
    assert_int_equal(look("again", 0, 500, 1000), -1);
    assert_int_equal(look("again", 0, 600, 2000), 4000);
    assert_int_equal(look("again", 0, 10, 3000), -1);
    assert_int_equal(look("again", 0, 340, 4000), 2000);
}

static void
the_oldest_is_forgotten(void **state)
{
    char name[16];

    (void)state;
    assert_int_equal(look("oldest", 0, 0, 10000), -1);
    assert_int_equal(look("older", 0, 0, 10001), -1);
    for (int i = 0; i < PROGRESS_MAX - 1; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(look(name, 0, 0, 20000), -1);
    }
    assert_int_equal(look("older", 0, 500, 20001), 10000);
    assert_int_equal(look("oldest", 0, 500, 20000), -1);
}

static int
forget(void **state)
{
    (void)state;
    progress_free(progress);
    progress = NULL;
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(two_looks_tell, forget),
        cmocka_unit_test_teardown(fewer_bytes_begin_anew, forget),
        cmocka_unit_test_teardown(the_oldest_is_forgotten, forget),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
