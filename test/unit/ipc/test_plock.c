/*
 * test_plock.c - locks exclude, have deadlines, and tell of dead owners until somebody repaired
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/plock.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/slot.h"

typedef struct Shared {
    PLock lock;
    PLock other;
    uint64_t a; /* a == b whenever the lock is free, or after repair */
    uint64_t b;
    AtomicU64 repairs;
    AtomicU32 held;
} Shared;

static Shared thread_shared;

static void *
count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5000; i++) {
        ot_assert(plock_lock(&thread_shared.lock, clock_mono_us() + 10000000,
                             WAIT_EV_PARTITION_LOCK) == PLOCK_OK);
        ot_assert(thread_shared.a == thread_shared.b);
        thread_shared.a++;
        thread_shared.b++;
        plock_unlock(&thread_shared.lock);
    }
    return NULL;
}

static void
threads_exclude_each_other(void **state)
{
    pthread_t threads[4];

    (void)state;
    plock_init(&thread_shared.lock, PLOCK_RANK_APPEND);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(thread_shared.a, 20000);
}

static void
hold_for_ever(void *arg)
{
    Shared *s = arg;

    ot_assert(plock_trylock(&s->lock) == PLOCK_OK);
    atomic_u32_store(&s->held, 1);
    for (;;)
        kit_pause_us(1000000);
}

static void
hold_doubtful_and_die(void *arg)
{
    Shared *s = arg;

    ot_assert(plock_trylock(&s->lock) == PLOCK_OWNER_DIED);
    (void)raise(SIGKILL);
}

static void
deadline_and_dead_owner(void **state)
{
    Shared *s = kit_scratch;
    int64_t began_us;
    pid_t pid;

    (void)state;
    plock_init(&s->lock, PLOCK_RANK_APPEND);
    pid = kit_fork(hold_for_ever, s);
    KIT_WAIT_UNTIL(atomic_u32_load(&s->held) != 0);
    assert_int_equal(plock_trylock(&s->lock), PLOCK_TIMEOUT);
    began_us = clock_mono_us();
    assert_int_equal(plock_lock(&s->lock, began_us + 30000, WAIT_EV_PARTITION_LOCK), PLOCK_TIMEOUT);
    assert_true(clock_mono_us() - began_us >= 30000);
    assert_int_equal(atomic_u32_load(&slot_at(kit_slot_of(pid))->critical), 1);
    kit_kill(pid);
    /* The next owner dies before it has repaired: the duty goes on. */
    pid = kit_fork(hold_doubtful_and_die, s);
    KIT_WAIT_UNTIL(kit_reap_ended() > 0);
    assert_int_equal(plock_lock(&s->lock, clock_mono_us() + 1000000, WAIT_EV_PARTITION_LOCK),
                     PLOCK_OWNER_DIED);
    assert_int_equal(plock_held_count(), 1);
    plock_consistent(&s->lock);
    plock_unlock(&s->lock);
    assert_int_equal(plock_held_count(), 0);
    assert_int_equal(plock_trylock(&s->lock), PLOCK_OK);
    plock_unlock(&s->lock);
}

/* Who is stopped inside is killed when asked, who merely is slow is not; the next taker repairs. */
static void
stopped_holders_are_killed(void **state)
{
    Shared *s = kit_scratch;
    pid_t pid;
    int64_t until_us = clock_mono_us() + 10000000;

    (void)state;
    plock_init(&s->lock, PLOCK_RANK_APPEND);
    assert_int_equal(plock_kill_stopped_holder(&s->lock), 0);
    pid = kit_fork(hold_for_ever, s);
    KIT_WAIT_UNTIL(atomic_u32_load(&s->held) != 0);
    assert_int_equal(plock_kill_stopped_holder(&s->lock), 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    while (plock_kill_stopped_holder(&s->lock) != pid) {
        assert_true(clock_mono_us() < until_us);
        kit_pause_us(1000);
    }
    assert_int_equal(plock_lock(&s->lock, until_us, WAIT_EV_PARTITION_LOCK), PLOCK_OWNER_DIED);
    plock_consistent(&s->lock);
    plock_unlock(&s->lock);
    KIT_WAIT_UNTIL(kit_reap_ended() > 0);
}

static void
locks_come_off_in_any_order(void **state)
{
    Shared *s = kit_scratch;

    (void)state;
    plock_init(&s->other, PLOCK_RANK_FETCH_SESSION);
    plock_init(&s->lock, PLOCK_RANK_APPEND);
    assert_int_equal(plock_trylock(&s->other), PLOCK_OK);
    assert_int_equal(plock_trylock(&s->lock), PLOCK_OK);
    plock_unlock(&s->other);
    plock_unlock(&s->lock);
    assert_int_equal(plock_held_count(), 0);
}

static void
change_for_ever(void *arg)
{
    Shared *s = arg;

    for (;;) {
        PLockResult got = plock_lock(&s->lock, clock_mono_us() + 5000000, WAIT_EV_PARTITION_LOCK);

        ot_assert(got != PLOCK_TIMEOUT);
        if (got == PLOCK_OWNER_DIED) {
            ot_assert(s->a == s->b || s->a == s->b + 1);
            s->b = s->a;
            plock_consistent(&s->lock);
            (void)atomic_u64_add(&s->repairs, 1);
        }
        ot_assert(s->a == s->b);
        s->a++;
        s->b++;
        plock_unlock(&s->lock);
    }
}

static void
killed_owners_are_repaired_after(void **state)
{
    RandomSeq seq = kit_seed("lock under kill -9");
    int64_t end_us = clock_mono_us() + kit_stress_us();
    Shared *s = kit_scratch;
    pid_t pids[3];
    int kills = 0;

    (void)state;
    plock_init(&s->lock, PLOCK_RANK_APPEND);
    for (int i = 0; i < 3; i++)
        pids[i] = kit_fork(change_for_ever, s);
    while (clock_mono_us() < end_us) {
        uint64_t i = random_seq_below(&seq, 3);

        kit_pause_us((int64_t)random_seq_below(&seq, 1500));
        kit_kill(pids[i]);
        pids[i] = kit_fork(change_for_ever, s);
        kills++;
        assert_int_equal(kit_reap_ended(), 0);
    }
    assert_true(s->a > 0);
    printf("# %d killed, %llu repairs, %llu changes\n", kills,
           (unsigned long long)atomic_u64_load(&s->repairs), (unsigned long long)s->a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_exclude_each_other),
        cmocka_unit_test_setup_teardown(deadline_and_dead_owner, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(stopped_holders_are_killed, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(locks_come_off_in_any_order, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(killed_owners_are_repaired_after, kit_setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
