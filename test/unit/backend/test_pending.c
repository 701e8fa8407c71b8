/*
 * test_pending.c - order of requests [P1], who may run beside whom [P2], the end [P3]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/pending_int.h"
#include "backend/request_int.h"

static void
test_order(void **state)
{
    Pending p = {0};
    Request rq[PENDING_MAX];

    (void)state;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < PENDING_MAX; i++) {
            assert_true(pending_may_start(&p, true));
            pending_push(&p, &rq[i], true);
        }
        assert_false(pending_may_start(&p, true));
        assert_int_equal(pending_running(&p), PENDING_MAX);
        for (int i = PENDING_MAX - 1; i >= 0; i--) { /* the newest is ready first */
            assert_int_equal(pending_head(&p)->state, PENDING_RUNNING);
            pending_set(&p, &rq[i], PENDING_READY);
        }
        for (int i = 0; i < PENDING_MAX - round; i++) /* rounds begin at other places of the ring */
            assert_ptr_equal(pending_pop(&p), &rq[i]);
        while (p.count > 0)
            (void)pending_pop(&p); /* only the place matters */
    }
}

static void
test_alone(void **state)
{
    Pending p = {0};
    Request a, b;

    (void)state;
    pending_push(&p, &a, false);
    assert_false(pending_may_start(&p, true));
    assert_false(pending_may_start(&p, false));
    pending_set(&p, &a, PENDING_READY); /* ready is not sent yet */
    assert_false(pending_may_start(&p, true));
    assert_ptr_equal(pending_pop(&p), &a);
    pending_push(&p, &b, true);
    assert_true(pending_may_start(&p, true));
    assert_false(pending_may_start(&p, false));
}

static void
test_last(void **state)
{
    Pending p = {0};
    Request a, b;

    (void)state;
    pending_push(&p, &a, true);
    pending_push(&p, &b, true);
    pending_set(&p, &b, PENDING_LAST);
    assert_false(pending_may_start(&p, true));
    pending_set(&p, &a, PENDING_READY);
    assert_ptr_equal(pending_pop(&p), &a);
    assert_int_equal(pending_head(&p)->state, PENDING_LAST);
    assert_false(pending_may_start(&p, true));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
