/*
 * test_waitlist.c - waiters learn of what they wait for at the cost of what is ready [N1-N4, W1]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/waitlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/clock.h"
#include "ottla/common/err.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/shared_page.h"

#define LISTS 2000

static WaitList *lists;

static int
setup(void **state)
{
    kit_setup(state);
    lists = kit_scratch;
    return 0;
}

static int32_t
must_register(WaiterId waiter, uint32_t list, uint32_t mask, int32_t node)
{
    WaitInterest interest = {&lists[list], list, mask, list + 7};

    assert_int_equal(wait_register(waiter, &interest, &node), 0);
    return node;
}

static void
notify_at(uint32_t list, uint32_t events, int64_t now_us)
{
    WakeBatch batch;

    wake_batch_init(&batch);
    wait_notify(&lists[list], list, events, now_us, &batch);
    wake_batch_flush(&batch);
}

static void
notify(uint32_t list, uint32_t events)
{
    notify_at(list, events, clock_mono_us());
}

/* Takes all that is ready; returns how many, keys in order of nodes. */
static int
take(WaiterId waiter, uint32_t *keys, uint32_t *ret_looked)
{
    WaitTake walk;
    int32_t node;
    uint32_t key;
    int count = 0;

    wait_begin_take(&walk, waiter, false);
    assert_false(walk.everything);
    while (wait_next(&walk, &node, &key)) {
        if (keys != NULL)
            keys[count] = key;
        count++;
    }
    if (ret_looked != NULL)
        *ret_looked = walk.cursor.looked;
    return count;
}

static void
a_waiter_of_1000_pays_for_what_is_ready(void **state)
{
    static const uint32_t moved[] = {3, 4, 500, 998};
    uint32_t keys[1000];
    uint32_t looked = 0;
    uint64_t steps;

    (void)state;
    kit_become(0);
    for (uint32_t i = 0; i < 1000; i++)
        (void)must_register(0, i, WAIT_ON_HIGH_WATERMARK, WAIT_NODE_NONE);
    assert_int_equal(take(0, NULL, NULL), 0);
    steps = wait_steps();
    for (size_t i = 0; i < 4; i++)
        notify(moved[i], WAIT_ON_HIGH_WATERMARK | WAIT_ON_LOG_END);
    assert_int_equal(wait_steps() - steps, 4); /* one node in each list */
    assert_int_equal(mainloop_wait(0, WAIT_EV_FETCH_MIN_BYTES) & WOKE_LATCH, WOKE_LATCH);
    steps = wait_steps();
    assert_int_equal(take(0, keys, &looked), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(keys[i], moved[i] + 7);
    printf("# 4 of 1000 ready: %u words looked at\n", looked);
    assert_true(looked <= 4);
    assert_int_equal(wait_steps(), steps);
    /* Nothing ready: nothing looked at. */
    assert_int_equal(take(0, NULL, &looked), 0);
    assert_int_equal(looked, 0);
    /* What was taken is announced again when it happens again, without a new registration. */
    notify(500, WAIT_ON_HIGH_WATERMARK);
    notify(500, WAIT_ON_HIGH_WATERMARK);
    assert_int_equal(take(0, keys, NULL), 1);
    assert_int_equal(keys[0], 507);
}

static void
masks_choose_what_wakes(void **state)
{
    uint32_t key;

    (void)state;
    kit_become(0);
    (void)must_register(0, 1, WAIT_ON_DURABLE | WAIT_ON_STATE, WAIT_NODE_NONE);
    notify(1, WAIT_ON_LOG_END | WAIT_ON_HIGH_WATERMARK);
    assert_int_equal(take(0, NULL, NULL), 0);
    notify(1, WAIT_ON_STATE);
    assert_int_equal(take(0, &key, NULL), 1);
    assert_int_equal(key, 8);
}

static void
renewing_keeps_the_node_and_its_place(void **state)
{
    int32_t node;

    (void)state;
    kit_become(0);
    node = must_register(0, 5, WAIT_ON_ANY, WAIT_NODE_NONE);
    assert_int_equal(must_register(0, 5, WAIT_ON_LOG_END, node), node);
    wait_unregister(0, node);
    assert_false(wait_is_registered(0, node, 5));
    assert_int_equal(must_register(0, 5, WAIT_ON_LOG_END, node), node);
    assert_true(wait_is_registered(0, node, 5));
    assert_false(wait_is_registered(0, node, 6));
    notify(5, WAIT_ON_LOG_END);
    assert_int_equal(take(0, NULL, NULL), 1);
    /* Given up, the node leaves at the next notification and is free again. */
    wait_unregister(0, node);
    notify(5, WAIT_ON_LOG_END);
    assert_int_equal(take(0, NULL, NULL), 0);
    assert_false(wait_list_in_use(&lists[5]));
    node = must_register(0, 6, WAIT_ON_ANY, node);
    notify(6, WAIT_ON_ANY);
    assert_int_equal(take(0, NULL, NULL), 1);
    /* Another list with the node of before: the old place is given up. */
    node = must_register(0, 7, WAIT_ON_ANY, node);
    notify(6, WAIT_ON_ANY);
    assert_int_equal(take(0, NULL, NULL), 0);
    assert_false(wait_list_in_use(&lists[6]));
    notify(7, WAIT_ON_ANY);
    assert_int_equal(take(0, NULL, NULL), 1);
}

static void
unlinking_finds_nodes_anywhere_in_the_list(void **state)
{
    uint32_t seed = 12345;
    int32_t nodes[64];

    (void)state;
    kit_become(0);
    for (int i = 0; i < 64; i++)
        nodes[i] = must_register(0, 9, WAIT_ON_ANY, WAIT_NODE_NONE);
    for (int left = 64; left > 0;) {
        int i;

        seed = seed * 1103515245 + 12345;
        i = (int)(seed >> 16) % 64;
        if (nodes[i] == WAIT_NODE_NONE)
            continue;
        wait_unregister(0, nodes[i]);
        nodes[i] = WAIT_NODE_NONE;
        left--;
        notify(9, WAIT_ON_LOG_END);
        assert_int_equal(take(0, NULL, NULL), left);
    }
    assert_false(wait_list_in_use(&lists[9]));
}

static void
nodes_of_the_dead_are_taken_out(void **state)
{
    uint32_t generation;

    (void)state;
    kit_become(0);
    (void)must_register(0, 2, WAIT_ON_ANY, WAIT_NODE_NONE);
    generation = my_generation;
    slot_mark_dead(0, generation);
    notify(2, WAIT_ON_ANY);
    assert_false(wait_list_in_use(&lists[2]));
    /* Also when the slot has a new owner already, who gets nothing of it. */
    slot_claim(0, slot_prepare(0), PROC_BACKEND, 0);
    (void)must_register(0, 2, WAIT_ON_ANY, WAIT_NODE_NONE);
    slot_mark_dead(0, my_generation);
    slot_claim(0, slot_prepare(0), PROC_BACKEND, 0);
    notify(2, WAIT_ON_ANY);
    assert_false(wait_list_in_use(&lists[2]));
    assert_int_equal(take(0, NULL, NULL), 0);
}

static void
a_full_waiter_sweeps_what_predecessors_left(void **state)
{
    WaitInterest interest = {&lists[1500], 1500, WAIT_ON_ANY, 0};
    int32_t node = WAIT_NODE_NONE;
    uint32_t stale;
    int sweeps = 0;

    (void)state;
    kit_become(0);
    for (uint32_t i = 0; i < WAIT_NODES_PER_SLOT; i++)
        (void)must_register(0, i, WAIT_ON_ANY, WAIT_NODE_NONE);
    assert_int_equal(wait_register(0, &interest, &node), OT_E_LIMIT);
    assert_int_equal(node, WAIT_NODE_NONE);
    assert_false(wait_stale_list(0, &stale)); /* all wanted: nothing to sweep */
    slot_mark_dead(0, my_generation);
    slot_claim(0, slot_prepare(0), PROC_BACKEND, 0);
    for (uint32_t i = 0; i < WAIT_NODES_PER_SLOT; i++) {
        interest.key = i;
        node = WAIT_NODE_NONE;
        while (wait_register(0, &interest, &node) == OT_E_LIMIT) {
            assert_true(wait_stale_list(0, &stale));
            wait_sweep_locked(&lists[stale], stale, 0);
            sweeps++;
        }
    }
    assert_int_equal(sweeps, WAIT_NODES_PER_SLOT);
    notify(1500, WAIT_ON_ANY);
    assert_int_equal(take(0, NULL, NULL), WAIT_NODES_PER_SLOT);
}

static void
sessions_wake_who_serves_them(void **state)
{
    WaiterId session = wait_session_waiter(1);
    int64_t now_us = clock_mono_us();
    WaitTake walk;
    int32_t node;

    (void)state;
    kit_become(0);
    (void)mainloop_wait(0, WAIT_EV_FETCH_MIN_BYTES);
    wait_claim(session, 41);
    node = must_register(session, 3, WAIT_ON_ANY, WAIT_NODE_NONE);
    wait_attach(session);
    notify(3, WAIT_ON_ANY);
    assert_int_equal(mainloop_wait(0, WAIT_EV_FETCH_MIN_BYTES) & WOKE_LATCH, WOKE_LATCH);
    assert_int_equal(take(session, NULL, NULL), 1);
    /* Nobody serves it: what happens is kept for the next. */
    wait_detach(session, now_us);
    notify_at(3, WAIT_ON_ANY, now_us + 1000);
    assert_int_equal(mainloop_wait(0, WAIT_EV_FETCH_MIN_BYTES) & WOKE_LATCH, 0);
    wait_attach(session);
    assert_int_equal(take(session, NULL, NULL), 1);
    /* For too long: the interest is dropped, and the session learns of it. */
    wait_detach(session, now_us);
    notify_at(3, WAIT_ON_ANY, now_us + WAIT_IDLE_DROP_US);
    assert_false(wait_list_in_use(&lists[3]));
    assert_false(wait_is_registered(session, node, 3));
    wait_attach(session);
    wait_begin_take(&walk, session, false);
    assert_true(walk.everything);
    node = must_register(session, 3, WAIT_ON_ANY, node);
    wait_begin_take(&walk, session, false);
    assert_false(walk.everything);
    /* A notifier that died before it set the bit, while the session rested. */
    wait_detach(session, now_us);
    shared_page_raise_rescan();
    wait_attach(session);
    wait_begin_take(&walk, session, false);
    assert_true(walk.everything);
    wait_begin_take(&walk, session, false);
    assert_false(walk.everything);
    /* Renewed: nothing of before counts. */
    notify(3, WAIT_ON_ANY);
    assert_int_equal(wait_renew(session), 42);
    assert_int_equal(take(session, NULL, NULL), 0);
    notify(3, WAIT_ON_ANY);
    assert_false(wait_list_in_use(&lists[3]));
    assert_int_equal(wait_node_count(session), WAIT_NODES_PER_SESSION);
}

static void
a_walk_cut_short_loses_nothing(void **state)
{
    WaitTake walk;
    int32_t node;
    uint32_t key;

    (void)state;
    kit_become(0);
    for (uint32_t i = 0; i < 300; i++) {
        (void)must_register(0, i, WAIT_ON_ANY, WAIT_NODE_NONE);
        notify(i, WAIT_ON_ANY);
    }
    wait_begin_take(&walk, 0, false);
    for (int i = 0; i < 100; i++)
        assert_true(wait_next(&walk, &node, &key));
    wait_end_take(&walk);
    assert_int_equal(take(0, NULL, NULL), 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_waiter_of_1000_pays_for_what_is_ready, setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(masks_choose_what_wakes, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(renewing_keeps_the_node_and_its_place, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(unlinking_finds_nodes_anywhere_in_the_list, setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(nodes_of_the_dead_are_taken_out, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_full_waiter_sweeps_what_predecessors_left, setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(sessions_wake_who_serves_them, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_walk_cut_short_loses_nothing, setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
