/*
 * test_move_queue.c - which of the moves of logs goes on next
 *
 * Proves: places are bounded and given to wishes at once; slices go round; one rate holds for all; a move that is held
 * keeps nobody waiting and pauses longer each time; nothing to do waits for a wish.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "maintenance/move_queue_int.h"

#define FAST ((MoveCopied){1000, INT64_C(1) << 40})

static void
places_are_bounded(void **state)
{
    MoveQueue q = {0};

    (void)state;
    assert_int_equal(move_queue_choose(&q, 2, 5).action, MOVE_ACTION_WAIT);
    assert_true(move_queue_choose(&q, 2, 5).until_us == INT64_MAX);
    move_queue_look(&q, 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(move_queue_choose(&q, 2, 5).action, MOVE_ACTION_LOOK);
        assert_int_equal(move_queue_add(&q), i);
    }
    assert_int_equal(move_queue_choose(&q, 2, 5).action, MOVE_ACTION_SLICE);
    assert_int_equal(move_queue_choose(&q, 3, 5).action, MOVE_ACTION_LOOK);
    move_queue_remove(&q, 0);
    assert_int_equal(move_queue_choose(&q, 2, 5).action, MOVE_ACTION_LOOK);
    assert_int_equal(move_queue_add(&q), 0);
    move_queue_remove(&q, 0);
    move_queue_looked(&q);
    assert_int_equal(move_queue_choose(&q, 2, 5).place, 1);
    move_queue_remove(&q, 1);
    assert_int_equal(move_queue_choose(&q, 2, 5).action, MOVE_ACTION_WAIT);
    for (int i = 0; i < MOVES_MAX; i++)
        assert_int_equal(move_queue_add(&q), i);
}

/* A long move does not keep the others waiting. */
static void
slices_go_round(void **state)
{
    int turns[4] = {0};
    MoveQueue q = {0};

    (void)state;
    for (int i = 0; i < 4; i++)
        (void)move_queue_add(&q);
    for (int64_t now = 0; now < 400; now++) {
        MoveChoice c = move_queue_choose(&q, 4, now);

        assert_int_equal(c.action, MOVE_ACTION_SLICE);
        assert_int_equal(c.place, now % 4);
        turns[c.place]++;
        move_queue_served(&q, c.place, &FAST, now);
    }
    assert_true(turns[0] == 100 && turns[3] == 100);
    move_queue_remove(&q, 2);
    assert_int_equal(move_queue_add(&q), 2); /* who comes new comes last */
    for (int64_t now = 400; now < 403; now++) {
        MoveChoice c = move_queue_choose(&q, 4, now);

        assert_int_not_equal(c.place, 2);
        move_queue_served(&q, c.place, &FAST, now);
    }
    assert_int_equal(move_queue_choose(&q, 4, 403).place, 2);
}

static void
one_rate_for_all(void **state)
{
    MoveCopied copied = {500, 1000};
    MoveQueue q = {0};
    MoveChoice c;

    (void)state;
    (void)move_queue_add(&q);
    (void)move_queue_add(&q);
    move_queue_served(&q, 0, &copied, 100);
    c = move_queue_choose(&q, 2, 100);
    assert_true(c.action == MOVE_ACTION_WAIT && c.until_us == 500100);
    assert_int_equal(move_queue_choose(&q, 2, 500100).place, 1);
    copied.bytes_per_second = 0; /* none at all, until the setting changes */
    copied.bytes = 0;
    move_queue_served(&q, 1, &copied, 500100);
    assert_true(move_queue_choose(&q, 2, 500100).until_us == 500100 + MOVE_LOOK_AGAIN_US);
}

static void
who_is_held_waits_alone(void **state)
{
    int64_t now = 0, pause = MOVE_HELD_MIN_US;
    MoveQueue q = {0};

    (void)state;
    (void)move_queue_add(&q);
    (void)move_queue_add(&q);
    move_queue_held(&q, 0, &FAST, now);
    for (int i = 0; i < 5; i++) { /* the other goes on */
        assert_int_equal(move_queue_choose(&q, 2, now + 1).place, 1);
        move_queue_served(&q, 1, &FAST, now);
    }
    move_queue_remove(&q, 1);
    for (int i = 0; i < 20; i++) {
        assert_true(move_queue_choose(&q, 2, now).until_us == now + pause);
        now += pause;
        assert_int_equal(move_queue_choose(&q, 2, now).place, 0);
        move_queue_held(&q, 0, &FAST, now);
        pause = pause * 2 < MOVE_HELD_MAX_US ? pause * 2 : MOVE_HELD_MAX_US;
    }
    now += pause;
    move_queue_served(&q, 0, &FAST, now); /* it goes on: the next pause is short again */
    move_queue_held(&q, 0, &FAST, now);
    assert_true(move_queue_choose(&q, 2, now).until_us == now + MOVE_HELD_MIN_US);
}

static void
wishes_that_cannot_begin(void **state)
{
    MoveQueue q = {0};

    (void)state;
    move_queue_look(&q, 0);
    move_queue_look_later(&q, 10);
    assert_true(move_queue_choose(&q, 2, 10).until_us == 10 + MOVE_LOOK_AGAIN_US);
    (void)move_queue_add(&q);
    assert_int_equal(move_queue_choose(&q, 2, 10).action, MOVE_ACTION_SLICE);
    assert_int_equal(move_queue_choose(&q, 2, 10 + MOVE_LOOK_AGAIN_US).action, MOVE_ACTION_LOOK);
    move_queue_look(&q, 11); /* something changed */
    assert_int_equal(move_queue_choose(&q, 2, 11).action, MOVE_ACTION_LOOK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_bounded),       cmocka_unit_test(slices_go_round),
        cmocka_unit_test(one_rate_for_all),         cmocka_unit_test(who_is_held_waits_alone),
        cmocka_unit_test(wishes_that_cannot_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
