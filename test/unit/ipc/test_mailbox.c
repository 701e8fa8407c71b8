/*
 * test_mailbox.c - requests and replies of any length, cancelled or not, whatever clients die
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

#include "ipc/mailbox_kit.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/mainloop.h"

static void
all_lengths_arrive(void **state)
{
    static const size_t lengths[] = {16,     17,      511,     512,     513,         65535,
                                     65536,  65537,   1048575, 1048576, 1048577,     3000000,
                                     524288, 5242880, 100,     4096,    1048576 * 2, 700};
    pid_t worker = start_worker();
    size_t n = sizeof lengths / sizeof lengths[0];

    (void)state;
    kit_become(0);
    for (size_t i = 0; i < n; i++) {
        Talk t;

        begin_talk(&t, (uint32_t)i, lengths[i], lengths[n - 1 - i]);
        assert_int_equal(finish_talk(&t), MBOX_DONE);
    }
    {
        Talk empty;

        begin_talk(&empty, 5, 16, 0);
        assert_int_equal(finish_talk(&empty), MBOX_DONE);
    }
    atomic_u32_store(&s->worker_stop, 1);
    kit_join(worker);
    assert_int_equal(bulk_chunks_taken(), 0); /* the last piece of ours was freed at a later poll */
}

static void
several_calls_run_beside_each_other(void **state)
{
    Talk talks[10];
    pid_t worker = start_worker();

    (void)state;
    kit_become(0);
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 10; i++)
            begin_talk(&talks[i], i, i % 3 == 0 ? 200000 : 40, i % 2 == 0 ? 1500000 : 30);
        for (int i = 9; i >= 0; i--)
            assert_int_equal(finish_talk(&talks[i]), MBOX_DONE);
    }
    atomic_u32_store(&s->worker_stop, 1);
    kit_join(worker);
}

static void
too_many_calls_are_refused(void **state)
{
    Talk talks[MBOX_CALLS_MAX];
    MboxCall more = {0};
    pid_t worker = start_worker();
    Arena *arena = arena_new(1024, 0);

    (void)state;
    kit_become(0);
    for (uint32_t i = 0; i < MBOX_CALLS_MAX; i++)
        begin_talk(&talks[i], i, 40, 40);
    assert_int_equal(
        mbox_submit(&more, MBOX_CONTROLLER, (BytesView){(const uint8_t *)"", 0}, arena, NULL),
        OT_E_LIMIT);
    assert_int_equal(mbox_submit(&more, MBOX_CONTROLLER,
                                 (BytesView){(const uint8_t *)"", MBOX_MESSAGE_MAX + 1}, arena,
                                 NULL),
                     OT_E_LIMIT);
    for (int i = 0; i < MBOX_CALLS_MAX; i++)
        assert_int_equal(finish_talk(&talks[i]), MBOX_DONE);
    arena_free(arena);
    atomic_u32_store(&s->worker_stop, 1);
    kit_join(worker);
}

static void
cancelled_calls_are_forgotten(void **state)
{
    Talk given_up;
    Talk kept;
    pid_t worker;
    uint64_t before;

    (void)state;
    atomic_u32_store(&s->hold_replies, 1);
    worker = start_worker();
    kit_become(0);
    before = atomic_u64_load(&s->abandoned);
    for (uint32_t round = 0; round < 10; round++) {
        begin_talk(&given_up, 1, 3000000, 3000000);
        begin_talk(&kept, 2, 1000, 2000000);
        /* At various points of its way. */
        for (uint32_t i = 0; i < round; i++) {
            assert_int_equal(mbox_poll(&given_up.call), MBOX_WAITING);
            kit_pause_us(500);
        }
        mbox_cancel(&given_up.call);
        mbox_cancel(&given_up.call); /* nothing happens */
        end_talk(&given_up);
        atomic_u32_store(&s->hold_replies, 0);
        assert_int_equal(finish_talk(&kept), MBOX_DONE);
        /* One a round at most; the worker may count it after the reply to the other one is here. */
        assert_true(atomic_u64_load(&s->abandoned) - before <= round + 1);
        atomic_u32_store(&s->hold_replies, 1);
    }
    /* Cancelled while the reply is being handed out. */
    atomic_u32_store(&s->hold_replies, 0);
    for (int i = 0; i < 10; i++) {
        begin_talk(&given_up, 3, 100, 5000000);
        while (given_up.call.reply_got == 0 && mbox_poll(&given_up.call) == MBOX_WAITING)
            kit_pause_us(100);
        mbox_cancel(&given_up.call); /* nothing happens when it came at once */
        end_talk(&given_up);
    }
    begin_talk(&kept, 4, 100, 100);
    assert_int_equal(finish_talk(&kept), MBOX_DONE);
    atomic_u32_store(&s->worker_stop, 1);
    kit_join(worker);
}

static void
no_worker_is_told(void **state)
{
    Talk t;
    pid_t worker;

    (void)state;
    kit_become(0);
    begin_talk(&t, 1, 100, 100);
    assert_int_equal(finish_talk(&t), MBOX_NO_WORKER);
    atomic_u32_store(&s->hold_replies, 1);
    worker = start_worker();
    begin_talk(&t, 1, 100, 100);
    assert_int_equal(mbox_poll(&t.call), MBOX_WAITING);
    kit_kill(worker);
    assert_int_equal(finish_talk(&t), MBOX_NO_WORKER);
}

static void
a_reply_beyond_the_arena_is_refused(void **state)
{
    Talk t;
    pid_t worker = start_worker();

    (void)state;
    kit_become(0);
    begin_talk(&t, 1, 100, 3000000);
    arena_set_cap(t.arena, 10000);
    assert_int_equal(finish_talk(&t), MBOX_NO_MEMORY);
    begin_talk(&t, 2, 100, 3000000);
    assert_int_equal(finish_talk(&t), MBOX_DONE);
    atomic_u32_store(&s->worker_stop, 1);
    kit_join(worker);
}

/* All chunks in the hands of one dead process: whoever looks for one takes them back. */
static void
hoard(void *arg)
{
    Talk talks[8];

    (void)arg;
    for (uint32_t i = 0; i < 8; i++)
        begin_talk(&talks[i], i, 4000000, 16);
    atomic_u64_store(&s->done[my_slot_index], 1);
    for (;;)
        (void)mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CONTROLLER_REPLY);
}

static void
chunks_of_the_dead_come_back(void **state)
{
    pid_t hoarders[4];
    pid_t worker = start_worker();
    Talk t;

    (void)state;
    atomic_u32_store(&s->worker_pause, 1);
    await_turn();
    for (int i = 0; i < 4; i++) {
        hoarders[i] = kit_fork(hoard, NULL);
        KIT_WAIT_UNTIL(atomic_u64_load(&s->done[kit_slot_of(hoarders[i])]) != 0);
    }
    assert_int_equal(bulk_chunks_taken(), bulk_chunk_count()); /* 4 pieces of 16 chunks */
    /* With none to be had a message goes in small pieces, and arrives. */
    kit_become(50);
    begin_talk(&t, 7, 20000, 20000);
    assert_int_equal(bulk_chunks_taken(), bulk_chunk_count());
    for (int i = 0; i < 4; i++)
        kit_kill(hoarders[i]);
    assert_int_equal(bulk_chunks_taken(), bulk_chunk_count()); /* nobody swept */
    atomic_u32_store(&s->worker_pause, 0);
    assert_int_equal(finish_talk(&t), MBOX_DONE);
    for (uint32_t i = 0; i < 20; i++) {
        begin_talk(&t, i, 3000000, 3000000);
        assert_int_equal(finish_talk(&t), MBOX_DONE);
    }
    assert_true(bulk_chunks_taken() <= 32);
    atomic_u32_store(&s->worker_stop, 1);
    kit_join(worker);
}

/* ---- clients under kill -9 ----------------------------------------------------------------------- */

static void
killed_clients_disturb_nobody(void **state)
{
    RandomSeq seq = kit_seed("mailbox under kill -9 of clients");
    int64_t end_us = clock_mono_us() + 2 * kit_stress_us();
    pid_t worker = start_worker();
    pid_t pids[CLIENTS];
    uint64_t answers = 0;
    int kills = 0;

    (void)state;
    for (int i = 0; i < CLIENTS; i++, (void)random_seq_next(&seq))
        pids[i] = kit_fork_slot(i, talk_for_ever, &seq);
    while (clock_mono_us() < end_us) {
        int i = 1 + (int)random_seq_below(&seq, CLIENTS - 1); /* 0 lives through it all */

        kit_pause_us((int64_t)random_seq_below(&seq, 3000));
        assert_int_equal(kit_reap_ended(), 0);
        kit_kill(pids[i]);
        (void)random_seq_next(&seq);
        pids[i] = kit_fork_slot(i, talk_for_ever, &seq);
        kills++;
    }
    for (int i = 0; i < CLIENTS; i++) {
        uint64_t before = atomic_u64_load(&s->done[i]);
        int64_t limit_us = clock_mono_us() + 3000000;

        while (atomic_u64_load(&s->done[i]) == before) { /* all of them are still served */
            assert_true(clock_mono_us() < limit_us);
            assert_int_equal(kit_reap_ended(), 0);
            kit_pause_us(200);
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        kit_kill(pids[i]);
        answers += atomic_u64_load(&s->done[i]);
    }
    await_turn();
    assert_int_equal(atomic_u32_load(&s->replies_waiting), 0); /* nothing is kept for the dead */
    printf("# %d clients killed, %llu answers\n", kills, (unsigned long long)answers);
    atomic_u32_store(&s->worker_stop, 1);
    kit_join(worker);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_lengths_arrive, mailbox_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(several_calls_run_beside_each_other, mailbox_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(too_many_calls_are_refused, mailbox_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(cancelled_calls_are_forgotten, mailbox_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(no_worker_is_told, mailbox_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_reply_beyond_the_arena_is_refused, mailbox_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(chunks_of_the_dead_come_back, mailbox_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(killed_clients_disturb_nobody, mailbox_setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
