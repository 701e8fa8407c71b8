/*
 * test_timers.c - deadlines come up in order, late ones sink, memory is counted
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "groups/map_int.h"
#include "groups/timers_int.h"
#include "ottla/common/random.h"

#define MANY 500

static GroupMemory memory = {.limit = 1 << 20};

static void
deadlines_come_up_in_order(void **state)
{
    GroupTimers timers;
    GroupTimer a = {0}, b = {0}, c = {0};

    (void)state;
    timers_init(&timers, &memory);
    assert_int_equal(timers_next_us(&timers), INT64_MAX);
    timers_set(&timers, &a, 1, 300);
    timers_set(&timers, &b, 2, 100);
    timers_set(&timers, &c, 3, 200);
    assert_int_equal(timers_next_us(&timers), 100);
    assert_null(timers_take(&timers, 99));
    timers_set(&timers, &b, 2, 250); /* a heartbeat */
    assert_true(timers_next_us(&timers) <= 200);
    assert_ptr_equal(timers_take(&timers, 1000), &c);
    assert_ptr_equal(timers_take(&timers, 1000), &b);
    assert_false(timer_is_set(&b));
    timers_cancel(&timers, &a);
    timers_cancel(&timers, &a);
    assert_null(timers_take(&timers, 1000));
    timers_clear(&timers);
    assert_int_equal(memory.used, 0);
}

/* Against a plain list: whatever is set, moved and cancelled, the earliest due one comes. */
static void
a_heap_does_what_a_list_does(void **state)
{
    static GroupTimer all[MANY];
    GroupTimers timers;
    RandomSeq seq = {7};
    int64_t now = 0;

    (void)state;
    timers_init(&timers, &memory);
    for (int step = 0; step < 20000; step++) {
        GroupTimer *t = &all[random_seq_below(&seq, MANY)];

        now += (int64_t)random_seq_below(&seq, 5);
        switch (random_seq_below(&seq, 4)) {
        case 0:
            timers_cancel(&timers, t);
            break;
        case 1: {
            int64_t earliest = INT64_MAX;
            GroupTimer *due;

            for (int i = 0; i < MANY; i++)
                if (timer_is_set(&all[i]) && all[i].deadline_us < earliest)
                    earliest = all[i].deadline_us;
            assert_true(timers_next_us(&timers) <= earliest);
            due = timers_take(&timers, now);
            if (earliest > now)
                assert_null(due);
            else
                assert_int_equal(due->deadline_us, earliest);
            break;
        }
        default:
            timers_set(&timers, t, 0, now + (int64_t)random_seq_below(&seq, 1000));
        }
    }
    timers_clear(&timers);
    assert_int_equal(memory.used, 0);
}

typedef struct Word {
    MapNode node;
    char text[16];
    bool in;
} Word;

static void
a_map_finds_what_is_in_it(void **state)
{
    static Word words[MANY];
    RandomSeq seq = {11};
    Map map;
    uint32_t bucket = 0, seen = 0;

    (void)state;
    map_init(&map, &memory, 42);
    for (int i = 0; i < MANY; i++)
        (void)snprintf(words[i].text, sizeof words[i].text, "%d", i);
    for (int step = 0; step < 20000; step++) {
        Word *w = &words[random_seq_below(&seq, MANY)];
        MapNode *found = map_find(&map, strview_from(w->text));

        assert_ptr_equal(found, w->in ? &w->node : NULL);
        if (w->in)
            map_remove(&map, &w->node);
        else
            map_add(&map, &w->node, strview_from(w->text));
        w->in = !w->in;
    }
    for (MapNode *n = map_next(&map, &bucket, NULL); n != NULL; n = map_next(&map, &bucket, n)) {
        assert_true(MAP_OWNER(n, Word, node)->in);
        seen++;
    }
    assert_int_equal(seen, map.count);
    map_clear(&map);
    assert_int_equal(memory.used, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_come_up_in_order),
        cmocka_unit_test(a_heap_does_what_a_list_does),
        cmocka_unit_test(a_map_finds_what_is_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
