/*
 * test_reply_queue.c - proves that answers leave in order, when their offset is safe or their time is up
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/reply_queue_int.h"

static void
leaves_when_safe(void **state)
{
    QueuedReply a = {.need = 3, .deadline_us = 100}, b = {.need = 3, .deadline_us = 110},
                c = {.need = 7, .deadline_us = 120};
    ReplyQueue queue = {0};

    (void)state;
    assert_true(reply_queue_deadline_us(&queue) == INT64_MAX);
    reply_queue_push(&queue, &a);
    reply_queue_push(&queue, &b);
    reply_queue_push(&queue, &c);
    assert_true(reply_queue_deadline_us(&queue) == 100);
    assert_null(reply_queue_take_safe(&queue, 2));
    assert_ptr_equal(reply_queue_take_safe(&queue, 6), &a);
    assert_ptr_equal(reply_queue_take_safe(&queue, 6), &b);
    assert_null(reply_queue_take_safe(&queue, 6));
    assert_int_equal(queue.count, 1);
    assert_ptr_equal(reply_queue_take_safe(&queue, 7), &c);
    assert_null(reply_queue_take(&queue));
}

/* A push with an earlier deadline (the clock was read before) does not hide behind a later one. */
static void
leaves_when_late(void **state)
{
    QueuedReply a = {.need = 1, .deadline_us = 100}, b = {.need = 2, .deadline_us = 90};
    ReplyQueue queue = {0};

    (void)state;
    reply_queue_push(&queue, &a);
    reply_queue_push(&queue, &b);
    assert_null(reply_queue_take_late(&queue, 99));
    assert_ptr_equal(reply_queue_take_late(&queue, 100), &a);
    assert_ptr_equal(reply_queue_take_late(&queue, 100), &b);
    reply_queue_push(&queue, &a); /* usable again */
    assert_ptr_equal(reply_queue_take(&queue), &a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_when_safe),
        cmocka_unit_test(leaves_when_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
