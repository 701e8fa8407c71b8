/*
 * test_control.c - orders to the supervisor
 *
 * Proves: an order is found in its slot with all its parts, and its answer comes back once; a late answer neither
 * reaches the slot's next owner nor another order; what a reload came to is read whole; the lock of the file goes on
 * when its holder is killed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/control.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/assert.h"
#include "ottla/ipc/slot.h"
#include "ipc/shm_kit.h"

static const ControlOrder order = {CONTROL_TERMINATE, 4194303, 0xfffffffe};

static void
an_order_and_its_answer(void **state)
{
    ControlOrder got;

    (void)state;
    kit_become(5);
    assert_false(control_take(5, &got));
    control_ask(&order);
    assert_int_equal(control_answer(), CONTROL_NOTHING);
    assert_false(control_take(4, &got));
    assert_true(control_take(5, &got));
    assert_int_equal(got.what, order.what);
    assert_int_equal(got.pid, order.pid);
    assert_int_equal(got.generation, order.generation);
    control_reply(5, &got, CONTROL_NO_PROCESS);
    assert_int_equal(control_answer(), CONTROL_NO_PROCESS);
    assert_false(control_take(5, &got));
}

static void
late_answers_are_lost(void **state)
{
    const ControlOrder other = {.what = CONTROL_RELOAD};
    uint32_t generation;

    (void)state;
    kit_become(5);
    generation = my_generation;
    control_ask(&order);
    control_ask(&other); /* it did not wait */
    control_reply(5, &order, CONTROL_DONE);
    assert_int_equal(control_answer(), CONTROL_NOTHING);
    slot_mark_dead(5, generation);
    slot_claim(5, slot_prepare(5), PROC_BACKEND, 0);
    control_reply(5, &other, CONTROL_DONE);
    assert_int_equal(atomic_u64_load(&my_slot->control), 0);
}

static void
words_of_a_reload(void **state)
{
    char longer[2 * CONTROL_TEXT_MAX];
    ControlReload reload;

    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    control_read_reload(&reload);
    assert_int_equal(reload.at_ms, 0);
    control_tell_reload("Reloaded");
    control_read_reload(&reload);
    assert_true(reload.at_ms > 0);
    assert_string_equal(reload.text, "Reloaded");
    control_tell_reload(longer);
    control_read_reload(&reload);
    assert_int_equal(strlen(reload.text), CONTROL_TEXT_MAX - 1);
}

static void
lock_and_die(void *arg)
{
    (void)arg;
    ot_assert(control_lock_auto_file(clock_mono_us() + 1000000));
    (void)kill(getpid(), SIGKILL);
    (void)pause();
}

static void
a_dead_writer_holds_nobody_up(void **state)
{
    (void)state;
    kit_become(5);
    (void)kit_fork(lock_and_die, NULL);
    while (kit_reap_ended() == 0)
        kit_pause_us(1000);
    for (int i = 0; i < 2; i++) {
        assert_true(control_lock_auto_file(clock_mono_us() + 1000000));
        control_unlock_auto_file();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_order_and_its_answer, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(late_answers_are_lost, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(words_of_a_reload, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_dead_writer_holds_nobody_up, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
