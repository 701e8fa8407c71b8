/*
 * test_due_queue.c - which partition is due when
 *
 * Proves: slots come out by time whatever was set, moved and removed before; each is in at most once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "maintenance/due_queue_int.h"
#include "ottla/common/random.h"

#define SLOTS 200

static void
by_hand(void **state)
{
    DueQueue q;

    (void)state;
    assert_true(due_queue_init(&q, 4));
    assert_true(due_queue_next(&q) == INT64_MAX);
    assert_int_equal(due_queue_take(&q, INT64_MAX - 1), -1);
    due_queue_set(&q, 3, 30);
    due_queue_set(&q, 0, 40);
    due_queue_set(&q, 1, 10);
    due_queue_set(&q, 1, 50);
    assert_int_equal(q.count, 3);
    assert_int_equal(due_queue_next(&q), 30);
    assert_int_equal(due_queue_of(&q, 1), 50);
    due_queue_remove(&q, 2);
    due_queue_remove(&q, 3);
    assert_true(due_queue_of(&q, 3) == INT64_MAX);
    assert_int_equal(due_queue_take(&q, 39), -1);
    assert_int_equal(due_queue_take(&q, 40), 0);
    assert_int_equal(due_queue_take(&q, 50), 1);
    assert_int_equal(q.count, 0);
    due_queue_fini(&q);
}

static void
at_random(void **state)
{
    uint64_t seed = random_u64();
    RandomSeq seq = {seed};
    int64_t model[SLOTS];
    DueQueue q;

    (void)state;
    print_message("# seed %llu\n", (unsigned long long)seed);
    assert_true(due_queue_init(&q, SLOTS));
    for (int i = 0; i < SLOTS; i++)
        model[i] = INT64_MAX;
    for (int round = 0; round < 20000; round++) {
        int32_t slot = (int32_t)random_seq_below(&seq, SLOTS);
        int64_t least = INT64_MAX;

        switch (random_seq_below(&seq, 3)) {
        case 0:
        case 1:
            model[slot] = (int64_t)random_seq_below(&seq, 1000);
            due_queue_set(&q, slot, model[slot]);
            break;
        default:
            model[slot] = INT64_MAX;
            due_queue_remove(&q, slot);
        }
        for (int i = 0; i < SLOTS; i++)
            least = model[i] < least ? model[i] : least;
        assert_true(due_queue_next(&q) == least);
        if (round % 7 == 0 && least != INT64_MAX) {
            slot = due_queue_take(&q, least);
            assert_true(slot >= 0 && model[slot] == least);
            model[slot] = INT64_MAX;
        }
    }
    due_queue_fini(&q);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
