/*
 * test_latch.c - latches and the main loop: nobody sleeps through a wake-up, not even through one
 * whose waker was killed between publishing and waking
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/latch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/shared_page.h"

#define WAITERS 60

typedef struct Shared {
    AtomicU64 published; /* what waiters wait for */
    AtomicI64 published_us;
    struct {
        alignas(CACHE_LINE_BYTES) AtomicU64 seen;
        AtomicI64 seen_us;
        AtomicU32 turns;
    } waiter[KIT_BACKENDS];
} Shared;

static Shared *s;

static int
setup(void **state)
{
    kit_setup(state);
    s = kit_scratch;
    return 0;
}

/* Notes each value as soon as it is seen; sleeps without a deadline in between. */
static void
wait_and_note(void *arg)
{
    (void)arg;
    for (;;) {
        uint64_t value = atomic_u64_load_seq(&s->published);

        if (atomic_u64_load(&s->waiter[my_slot_index].seen) != value) {
            atomic_i64_store(&s->waiter[my_slot_index].seen_us, clock_mono_us());
            atomic_u64_store(&s->waiter[my_slot_index].seen, value);
        }
        (void)atomic_u32_add(&s->waiter[my_slot_index].turns, 1);
        (void)mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_FETCH_MIN_BYTES);
    }
}

static bool
sleeps(int32_t slot)
{
    return atomic_u32_load_seq(&slot_at(slot)->latch_sleeps) != 0 &&
           slot_wait_event(slot) == WAIT_EV_FETCH_MIN_BYTES;
}

/* Until all of the first count slots sleep. */
static void
wait_until_asleep(int count)
{
    int64_t end_us = clock_mono_us() + 5000000;

    for (int32_t slot = 0; slot < count; slot++)
        while (!sleeps(slot)) {
            assert_true(clock_mono_us() < end_us);
            kit_pause_us(100);
        }
}

/* Microseconds until all of the first count waiters have seen the value. */
static int64_t
wait_until_seen(int count, uint64_t value, int64_t limit_us)
{
    int64_t began_us = clock_mono_us();

    for (int32_t slot = 0; slot < count; slot++)
        while (atomic_u64_load(&s->waiter[slot].seen) != value) {
            if (clock_mono_us() - began_us > limit_us)
                fail_msg("waiter %d has not seen %llu", slot, (unsigned long long)value);
            kit_pause_us(50);
        }
    return clock_mono_us() - began_us;
}

static void
a_latch_wakes_its_sleeper(void **state)
{
    (void)state;
    (void)kit_fork_slot(0, wait_and_note, NULL);
    for (uint64_t value = 1; value <= 200; value++) {
        if (value % 2 == 0)
            wait_until_asleep(1);
        atomic_u64_store_seq(&s->published, value);
        latch_set_index(0);
        (void)wait_until_seen(1, value, 2000000);
    }
    /* A reference to an earlier generation wakes nobody. */
    wait_until_asleep(1);
    latch_set((SlotRef){0, slot_generation(0) - 1});
    assert_int_equal(atomic_u32_load(&slot_at(0)->latch_set), 0);
}

static void
a_batch_wakes_many_through_a_few(void **state)
{
    WakeBatch batch;

    (void)state;
    for (int32_t i = 0; i < WAITERS; i++)
        (void)kit_fork_slot(i, wait_and_note, NULL);
    for (uint64_t value = 1; value <= 20; value++) {
        wait_until_asleep(WAITERS);
        atomic_u64_store_seq(&s->published, value);
        wake_batch_init(&batch);
        for (int32_t i = 0; i < WAITERS; i++)
            wake_batch_add(&batch, slot_ref_pack((SlotRef){i, slot_generation(i)}));
        wake_batch_add(&batch, 0);
        assert_int_equal(batch.count, WAITERS);
        wake_batch_flush(&batch);
        assert_int_equal(batch.count, 0);
        (void)wait_until_seen(WAITERS, value, 5000000);
    }
}

/* Publishes, sets some latches without a signal, and dies: the worst a waker can leave. */
static void
die_between_publish_and_wake(void *arg)
{
    const RandomSeq *given = arg;
    RandomSeq seq = *given;

    atomic_i64_store(&s->published_us, clock_mono_us());
    (void)atomic_u64_add(&s->published, 1);
    for (int32_t i = 0; i < WAITERS; i++)
        if (random_seq_below(&seq, 2) == 0)
            (void)atomic_u32_swap(&slot_at(i)->latch_set, 1);
        else if (random_seq_below(&seq, 4) == 0)
            atomic_u64_store(&slot_at(0)->help[i % SLOT_HELP_CELLS],
                             slot_ref_pack((SlotRef){i, slot_generation(i)}));
    (void)raise(SIGKILL);
}

static void
killed_wakers_strand_nobody(void **state)
{
    RandomSeq seq = kit_seed("wakers killed before waking");
    int64_t worst_us = 0;

    (void)state;
    for (int32_t i = 0; i < WAITERS; i++)
        (void)kit_fork_slot(i, wait_and_note, NULL);
    for (uint64_t value = 1; value <= 15; value++) {
        wait_until_asleep(WAITERS);
        (void)random_seq_next(&seq);
        (void)kit_fork_slot(WAITERS + 1, die_between_publish_and_wake, &seq);
        KIT_WAIT_UNTIL(atomic_u64_load(&s->published) == value && kit_reap_ended() > 0);
        (void)wait_until_seen(WAITERS, value, 2000000);
        for (int32_t i = 0; i < WAITERS; i++) {
            int64_t took_us =
                atomic_i64_load(&s->waiter[i].seen_us) - atomic_i64_load(&s->published_us);

            worst_us = took_us > worst_us ? took_us : worst_us;
        }
    }
    printf("# all %d waiters answered within %lld us\n", WAITERS, (long long)worst_us);
    assert_true(worst_us < 100000);
}

/* Two processes wake each other in turn; killed at random, the chain goes on after the rescan. */
static void
play(void *arg)
{
    uint64_t odd = my_slot_index == 0 ? 0 : 1;

    (void)arg;
    for (;;) {
        uint64_t value = atomic_u64_load_seq(&s->published);

        if (value % 2 == odd) {
            atomic_u64_store_seq(&s->published, value + 1);
            latch_set_index(1 - my_slot_index);
            continue;
        }
        (void)mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_FETCH_MIN_BYTES);
    }
}

static void
ping_pong_survives_kills(void **state)
{
    RandomSeq seq = kit_seed("ping pong under kill -9");
    int64_t end_us = clock_mono_us() + kit_stress_us();
    pid_t pids[2];
    int kills = 0;

    (void)state;
    pids[0] = kit_fork_slot(0, play, NULL);
    pids[1] = kit_fork_slot(1, play, NULL);
    while (clock_mono_us() < end_us) {
        uint64_t i = random_seq_below(&seq, 2);
        uint64_t before;
        int64_t limit_us;

        kit_pause_us((int64_t)random_seq_below(&seq, 1500));
        kit_kill(pids[i]);
        pids[i] = kit_fork_slot((int32_t)i, play, NULL);
        kills++;
        before = atomic_u64_load(&s->published);
        limit_us = clock_mono_us() + 2000000;
        while (atomic_u64_load(&s->published) < before + 4) {
            if (clock_mono_us() > limit_us)
                fail_msg("both sleep at %llu", (unsigned long long)before);
            kit_pause_us(50);
        }
    }
    printf("# %d killed, %llu turns\n", kills, (unsigned long long)atomic_u64_load(&s->published));
}

/* ---- the main loop, in one process ------------------------------------------------------------- */

static void
latch_interrupts_and_deadline(void **state)
{
    int64_t began_us;
    uint32_t why;

    (void)state;
    kit_become(0);
    why = mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CLIENT_READ);
    assert_int_equal(why, WOKE_LATCH); /* the first wait looks at everything */
    began_us = clock_mono_us();
    why = mainloop_wait(began_us + 20000, WAIT_EV_CLIENT_READ);
    assert_int_equal(why, WOKE_DEADLINE);
    assert_true(clock_mono_us() - began_us >= 20000);
    assert_int_equal(mainloop_wait(0, WAIT_EV_CLIENT_READ), WOKE_DEADLINE);
    latch_set(slot_ref_self());
    assert_int_equal(mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CLIENT_READ), WOKE_LATCH);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    why = mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CLIENT_READ);
    assert_int_equal(why, WOKE_INTERRUPT);
    assert_true(interrupt_take(INTERRUPT_RELOAD));
    assert_false(interrupt_take(INTERRUPT_RELOAD));
    /* One that nobody takes does not keep the process awake. */
    began_us = clock_mono_us();
    why = mainloop_wait(began_us + 10000, WAIT_EV_CLIENT_READ);
    assert_int_equal(why, WOKE_INTERRUPT | WOKE_DEADLINE);
    assert_true(interrupt_pending(INTERRUPT_TERMINATE));
    assert_true(interrupt_take(INTERRUPT_TERMINATE));
    interrupt_raise(INTERRUPT_CANCEL);
    why = mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CLIENT_READ);
    assert_int_equal(why, WOKE_INTERRUPT);
    assert_true(interrupt_take(INTERRUPT_CANCEL));
    shared_page_raise_rescan();
    why = mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CLIENT_READ);
    assert_int_equal(why, WOKE_RESCAN);
}

typedef struct Pipe {
    int read_end;
    int write_end;
    int calls;
    struct Pipe *other;
} Pipe;

static void
on_readable(int fd, uint32_t events, void *arg)
{
    Pipe *p = arg;
    char byte;

    assert_true((events & EPOLLIN) != 0);
    assert_int_equal(read(fd, &byte, 1), 1);
    p->calls++;
    if (p->other != NULL)
        mainloop_remove(p->other->read_end); /* also when its event waits in this very turn */
}

static void
descriptors_come_and_go(void **state)
{
    Pipe a = {0};
    Pipe b = {0};
    int fds[2];

    (void)state;
    kit_become(0);
    (void)mainloop_wait(0, WAIT_EV_CLIENT_READ);
    assert_int_equal(pipe(fds), 0);
    a.read_end = fds[0];
    a.write_end = fds[1];
    assert_int_equal(pipe(fds), 0);
    b.read_end = fds[0];
    b.write_end = fds[1];
    assert_int_equal(mainloop_add(a.read_end, EPOLLIN, on_readable, &a), 0);
    assert_int_equal(mainloop_add(b.read_end, EPOLLIN, on_readable, &b), 0);
    assert_int_equal(write(a.write_end, "x", 1), 1);
    assert_int_equal(mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CLIENT_READ), WOKE_FD);
    assert_int_equal(a.calls, 1);
    mainloop_modify(a.read_end, 0);
    assert_int_equal(write(a.write_end, "x", 1), 1);
    assert_int_equal(mainloop_wait(clock_mono_us() + 5000, WAIT_EV_CLIENT_READ), WOKE_DEADLINE);
    mainloop_modify(a.read_end, EPOLLIN);
    a.other = &b;
    b.other = &a;
    assert_int_equal(write(b.write_end, "x", 1), 1);
    assert_int_equal(mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CLIENT_READ), WOKE_FD);
    assert_int_equal(a.calls + b.calls, 2);
    assert_int_equal(mainloop_wait(0, WAIT_EV_CLIENT_READ) & WOKE_FD, 0);
    mainloop_remove(a.read_end);
    mainloop_remove(b.read_end);
    mainloop_remove(b.read_end);
    mainloop_remove(1000);
    close(a.read_end);
    close(a.write_end);
    close(b.read_end);
    close(b.write_end);
}

static void
end_of_the_death_pipe_is_an_interrupt(void **state)
{
    ErrInfo err = {0};
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    slot_claim(0, slot_prepare(0), PROC_BACKEND, 0);
    assert_int_equal(mainloop_init(fds[0], &err), 0);
    (void)mainloop_wait(0, WAIT_EV_CLIENT_READ);
    close(fds[1]);
    assert_int_equal(mainloop_wait(MAINLOOP_NO_DEADLINE, WAIT_EV_CLIENT_READ), WOKE_INTERRUPT);
    assert_true(interrupt_take(INTERRUPT_ORPHANED));
    assert_int_equal(mainloop_wait(clock_mono_us() + 5000, WAIT_EV_CLIENT_READ), WOKE_DEADLINE);
    close(fds[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_latch_wakes_its_sleeper, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_batch_wakes_many_through_a_few, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(killed_wakers_strand_nobody, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(ping_pong_survives_kills, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(latch_interrupts_and_deadline, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(descriptors_come_and_go, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(end_of_the_death_pipe_is_an_interrupt, setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
