/*
 * test_items.c - objects of a statement: what counts as done
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "statement/exec_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ottla/common/errlist.h"

/* An answer that is about the first item alone. */
static int
answers_one(Exec *x, Items *items, void *arg)
{
    (void)x;
    (void)arg;
    items->list[0].pending = false;
    return 0;
}

static void
what_no_answer_is_about_is_not_done(void **state)
{
    const ItemsVerdict verdict = {.verb = "delete offsets of"};
    const Statement statement = {.count = 0};
    Fault f = {.position = -1};
    Arena *arena = arena_new(4096, 65536);
    Exec x = {.s = &statement, .arena = arena, .f = &f}; /* and its time is over */
    Items items = {.noun = "topic"};
    int32_t done = -1;

    (void)state;
    assert_non_null(items_add(&x, &items, STRVIEW("a"), -1, 0));
    assert_int_equal(items_run(&x, &items, answers_one, NULL), 0);
    assert_int_equal(items_report(&x, &items, &verdict, &done), 0);
    assert_int_equal(done, 1);
    items.count = 0;
    assert_non_null(items_add(&x, &items, STRVIEW("b"), -1, 0));
    assert_non_null(items_add(&x, &items, STRVIEW("a"), -1, 3));
    assert_int_equal(items_run(&x, &items, answers_one, NULL), 0);
    assert_int_equal(items.list[0].error, 0);
    assert_int_equal(items.list[1].error, KERR_REQUEST_TIMED_OUT);
    items.list++;
    items.count = 1;
    assert_int_equal(items_report(&x, &items, &verdict, &done), -1);
    assert_int_equal(done, 0);
    assert_int_equal(f.kafka_error, KERR_REQUEST_TIMED_OUT);
    assert_int_equal(f.position, 3);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_no_answer_is_about_is_not_done)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
