/*
 * test_mailbox_restart.c - a worker is killed and started again alone: each of its calls ends, and the cells are of use
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/mailbox_int.h"
#include "ipc/mailbox_kit.h"
#include "ottla/common/clock.h"

static void
await_death(void)
{
    int alive = kit_alive();

    KIT_WAIT_UNTIL(kit_reap_ended() > 0);
    assert_int_equal(kit_alive(), alive - 1);
}

static void
end_worker(pid_t worker)
{
    atomic_u32_store(&s->worker_stop, 1);
    kit_join(worker);
    atomic_u32_store(&s->worker_stop, 0);
}

/* Requests in the cell, behind it, and half in it, when the worker dies: none is done by its successor. */
static void
requests_of_the_dead_worker_are_taken_back(void **state)
{
    static const size_t sizes[] = {100, 3000000};

    (void)state;
    kit_become(0);
    for (int i = 0; i < 4; i++) {
        size_t size = sizes[i % 2];
        Talk first, second, later;
        pid_t worker;
        uint64_t before;

        atomic_u32_store(&s->worker_pause, i < 2);
        worker = i < 2 ? start_worker() : start_doomed_worker("mailbox.request.copied", i - 1);
        before = atomic_u64_load(&s->served);
        begin_talk(&first, 1, size, 100);
        begin_talk(&second, 2, size, 100);
        if (i < 2)
            kit_kill(worker);
        else {
            while (kit_reap_ended() == 0) { /* it takes what we hand it, piece by piece */
                assert_int_equal(mbox_poll(&second.call), MBOX_WAITING);
                kit_pause_us(100);
            }
        }
        assert_int_equal(finish_talk(&first), MBOX_NO_WORKER);
        assert_int_equal(finish_talk(&second), MBOX_NO_WORKER);
        atomic_u32_store(&s->worker_pause, 0);
        worker = start_worker();
        await_turn();
        assert_int_equal(atomic_u64_load(&s->served), before);
        begin_talk(&later, 3, size, size);
        assert_int_equal(finish_talk(&later), MBOX_DONE);
        end_worker(worker);
    }
}

/* The dead worker took the bit of a request that its caller has given up: the cell is of use again. */
static void
a_cell_of_a_given_up_call_is_free_again(void **state)
{
    Talk given_up, kept;
    pid_t worker;

    (void)state;
    kit_become(0);
    atomic_u32_store(&s->worker_pause, 1);
    (void)start_doomed_worker("mailbox.bit.taken", 1);
    begin_talk(&given_up, 1, 100, 100);
    mbox_cancel(&given_up.call);
    end_talk(&given_up);
    await_turn();
    atomic_u32_store(&s->worker_pause, 0);
    await_death();
    worker = start_worker();
    await_turn();
    begin_talk(&kept, 2, 100, 100);
    assert_int_equal(finish_talk(&kept), MBOX_DONE);
    end_worker(worker);
}

/* Died before and after a piece of the reply was published, the first, or one behind it. */
static void
replies_of_the_dead_worker_end(void **state)
{
    static const char *const points[] = {"mailbox.reply.filled", "mailbox.reply.published",
                                         "mailbox.request.taken"};
    static const size_t sizes[] = {100, 30000, 5000000};

    (void)state;
    kit_become(0);
    for (int i = 0; i < 36; i++) {
        size_t size = sizes[i / 3 % 3];
        const char *point = points[i % 3];
        int nth = i / 9 % 2 == 1 && size > 1000000 && i % 3 < 2 ? 3 : 1;
        bool published = i % 3 == 1 && nth == 1 && size < 1000000;
        MboxStatus status;
        Talk t;
        pid_t worker;

        (void)start_doomed_worker(point, nth);
        begin_talk(&t, (uint32_t)i, 100, size);
        while (kit_reap_ended() == 0) { /* takes the pieces before that one */
            status = mbox_poll(&t.call);
            if (status != MBOX_WAITING)
                break;
            kit_pause_us(100);
        }
        if (t.call.serial == 0) { /* published, and seen before the death was */
            assert_int_equal(status, MBOX_DONE);
            end_talk(&t);
            await_death();
        } else {
            assert_int_equal(finish_talk(&t), published ? MBOX_DONE : MBOX_NO_WORKER);
        }
        worker = start_worker();
        begin_talk(&t, (uint32_t)i + 100, size, size);
        assert_int_equal(finish_talk(&t), MBOX_DONE);
        end_worker(worker);
    }
    assert_true(bulk_chunks_taken() <= 32); /* those of the dead were taken back */
}

/* As when the circle of serials has come round since a call was given up. */
static void
what_was_given_up_long_ago_is_forgotten(void **state)
{
    pid_t worker = start_worker();
    Talk t;

    (void)state;
    kit_become(0);
    begin_talk(&t, 1, 100, 100);
    assert_int_equal(finish_talk(&t), MBOX_DONE);
    atomic_u64_store_seq(&cell_request(MBOX_CONTROLLER, 0)->abandoned,
                         (uint64_t)my_generation << 32 | 1000);
    begin_talk(&t, 2, 100, 100);
    assert_int_equal(finish_talk(&t), MBOX_DONE);
    end_worker(worker);
}

static void
killed_workers_end_calls_and_nothing_else(void **state)
{
    static const char *const points[] = {"mailbox.reply.filled",  "mailbox.reply.published",
                                         "mailbox.request.taken", "mailbox.request.copied",
                                         "mailbox.bit.taken",     NULL};
    RandomSeq seq = kit_seed("mailbox under kill -9 of its worker");
    int64_t end_us = clock_mono_us() + 2 * kit_stress_us();
    pid_t pids[CLIENTS];
    int kills = 0;

    (void)state;
    atomic_u32_store(&s->mortal, 1);
    for (int i = 0; i < CLIENTS; i++, (void)random_seq_next(&seq))
        pids[i] = kit_fork_slot(i, talk_for_ever, &seq);
    while (clock_mono_us() < end_us) {
        const char *point = points[random_seq_below(&seq, 6)];
        pid_t worker = start_doomed_worker(point, 1 + (int)random_seq_below(&seq, 20));

        if (point == NULL) {
            kit_pause_us((int64_t)random_seq_below(&seq, 5000));
            kit_kill(worker);
        } else {
            KIT_WAIT_UNTIL(kit_reap_ended() > 0);
        }
        assert_int_equal(kit_alive(), CLIENTS);
        kills++;
    }
    (void)start_worker();
    for (int i = 0; i < CLIENTS; i++) {
        uint64_t before = atomic_u64_load(&s->done[i]);

        KIT_WAIT_UNTIL(atomic_u64_load(&s->done[i]) > before);
        assert_int_equal(kit_reap_ended(), 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        kit_kill(pids[i]);
    printf("# %d workers killed, %llu calls ended by it\n", kills,
           (unsigned long long)atomic_u64_load(&s->orphaned));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_of_the_dead_worker_are_taken_back, mailbox_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(a_cell_of_a_given_up_call_is_free_again, mailbox_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(replies_of_the_dead_worker_end, mailbox_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(what_was_given_up_long_ago_is_forgotten, mailbox_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(killed_workers_end_calls_and_nothing_else, mailbox_setup,
                                        kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
