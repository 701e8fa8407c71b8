/*
 * test_unlink_queue.c - which files of deleted segments are removed when
 *
 * Proves: whatever is added when, each file waits for its delay at least and for twice the delay at most, the
 * queue is empty once all are gone, and a slot that is forgotten gives nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maintenance/unlink_queue_int.h"
#include "ottla/common/random.h"

#define SLOTS 8
#define DELAY 100
#define LATE  (DELAY / 4) /* a turn comes that much after the time at most */
#define TURNS 5000

static void
two_lots(void **state)
{
    UnlinkQueue q;
    int64_t below = -1;

    (void)state;
    assert_true(unlink_queue_init(&q, 4));
    assert_true(unlink_queue_next(&q) == INT64_MAX);
    assert_int_equal(unlink_queue_take(&q, 1000, &below), -1);
    unlink_queue_add(&q, 2, 10, 100);
    unlink_queue_add(&q, 2, 20, 150);
    unlink_queue_add(&q, 2, 30, 160);
    unlink_queue_add(&q, 1, 5, 170);
    assert_int_equal(unlink_queue_next(&q), 100);
    assert_int_equal(unlink_queue_take(&q, 99, &below), -1);
    assert_int_equal(unlink_queue_take(&q, 100, &below), 2);
    assert_int_equal(below, 10);
    assert_int_equal(unlink_queue_take(&q, 159, &below), -1);
    assert_int_equal(unlink_queue_take(&q, 170, &below), 2);
    assert_int_equal(below, 30);
    unlink_queue_remove(&q, 1);
    unlink_queue_remove(&q, 3);
    assert_true(unlink_queue_next(&q) == INT64_MAX);
    unlink_queue_add(&q, 1, 7, 180); /* anew: nothing of before is left */
    assert_int_equal(unlink_queue_take(&q, 180, &below), 1);
    assert_int_equal(below, 7);
    assert_true(unlink_queue_next(&q) == INT64_MAX);
    unlink_queue_fini(&q);
}

/* One file per offset: those below gone[] are removed, those below end[] have been given up. */
static void
each_waits_for_its_delay(void **state)
{
    static int64_t given_up[SLOTS][TURNS];
    int64_t end[SLOTS] = {0}, gone[SLOTS] = {0};
    uint64_t seed = random_u64();
    RandomSeq seq = {seed};
    int64_t now = 0, below;
    UnlinkQueue q;
    int32_t slot;

    (void)state;
    print_message("# seed %llu\n", (unsigned long long)seed);
    assert_true(unlink_queue_init(&q, SLOTS));
    for (int turn = 0; turn < TURNS || unlink_queue_next(&q) != INT64_MAX; turn++) {
        now += (int64_t)random_seq_below(&seq, LATE);
        if (turn < TURNS && random_seq_below(&seq, 3) != 0) {
            slot = (int32_t)random_seq_below(&seq, SLOTS);
            given_up[slot][end[slot]++] = now;
            unlink_queue_add(&q, slot, end[slot], now + DELAY);
        }
        while ((slot = unlink_queue_take(&q, now, &below)) >= 0)
            for (; gone[slot] < below; gone[slot]++)
                assert_true(now - given_up[slot][gone[slot]] >= DELAY);
        for (slot = 0; slot < SLOTS; slot++)
            assert_true(gone[slot] == end[slot] ||
                        now - given_up[slot][gone[slot]] < 2 * (DELAY + LATE));
    }
    for (slot = 0; slot < SLOTS; slot++)
        assert_int_equal(gone[slot], end[slot]);
    unlink_queue_fini(&q);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_lots),
        cmocka_unit_test(each_waits_for_its_delay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
