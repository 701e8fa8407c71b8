/*
 * test_waitlist_stress.c - registration churn and notifications, from threads and under kill -9:
 * when the storm is over, every waiter alive knows the last state of all it waits for
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/err.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/plock.h"
#include "ottla/ipc/waitlist.h"

#define PARTITIONS 48
#define IDLE       16 /* the last ones are never appended to: dead nodes pile up there */
#define CELLS      24 /* partitions a waiter watches at most */
#define WAITERS    12
#define NOTIFIERS  3

typedef struct Partition {
    alignas(CACHE_LINE_BYTES) PLock lock;
    WaitList waiters;
    AtomicU64 value;
} Partition;

/* What a waiter believes; cleared by whoever lives there next. */
typedef struct Belief {
    AtomicU32 partition[CELLS]; /* + 1; 0: watches nothing */
    AtomicU64 seen[CELLS];
} Belief;

typedef struct Shared {
    Partition partitions[PARTITIONS];
    Belief beliefs[WAITERS];
    AtomicU32 calm; /* 1: no appends, no churn */
    AtomicU32 busy; /* notifiers inside an append */
    AtomicU64 sweeps;
    AtomicU64 wakes;
} Shared;

static Shared *s;

static void
lock(uint32_t p)
{
    PLockResult got =
        plock_lock(&s->partitions[p].lock, clock_mono_us() + 10000000, WAIT_EV_PARTITION_LOCK);

    ot_assert(got != PLOCK_TIMEOUT);
    if (got == PLOCK_OWNER_DIED)
        plock_consistent(&s->partitions[p].lock);
}

static void
append(uint32_t p)
{
    WakeBatch batch;

    wake_batch_init(&batch);
    lock(p);
    atomic_u64_store(&s->partitions[p].value, atomic_u64_load_relaxed(&s->partitions[p].value) + 1);
    wait_notify(&s->partitions[p].waiters, p, WAIT_ON_LOG_END, clock_mono_us(), &batch);
    plock_unlock(&s->partitions[p].lock);
    wake_batch_flush(&batch);
}

static void
look(Belief *b, uint32_t cell)
{
    uint32_t p = atomic_u32_load_relaxed(&b->partition[cell]);

    if (p != 0)
        atomic_u64_store(&b->seen[cell], atomic_u64_load(&s->partitions[p - 1].value));
}

/* Watches a partition in a cell; sweeps when the nodes are used up. */
static void
watch(WaiterId waiter, Belief *b, uint32_t cell, uint32_t p, int32_t *node)
{
    WaitInterest interest = {&s->partitions[p].waiters, p, WAIT_ON_LOG_END, cell};

    while (wait_register(waiter, &interest, node) != 0) {
        uint32_t stale = 0;

        ot_assert(wait_stale_list(waiter, &stale));
        lock(stale);
        wait_sweep_locked(&s->partitions[stale].waiters, stale, waiter);
        plock_unlock(&s->partitions[stale].lock);
        (void)atomic_u64_add(&s->sweeps, 1);
    }
    atomic_u32_store(&b->partition[cell], p + 1);
    look(b, cell);
}

/* One turn of a waiter: takes what is ready, looks, changes its mind about a cell. */
static void
turn(WaiterId waiter, Belief *b, int32_t *nodes, RandomSeq *seq, bool rescan)
{
    WaitTake walk;
    int32_t node;
    uint32_t cell;

    wait_begin_take(&walk, waiter, rescan);
    if (walk.everything)
        for (cell = 0; cell < CELLS; cell++)
            if (atomic_u32_load_relaxed(&b->partition[cell]) != 0)
                watch(waiter, b, cell, atomic_u32_load_relaxed(&b->partition[cell]) - 1,
                      &nodes[cell]);
    while (wait_next(&walk, &node, &cell))
        if (nodes[cell] == node)
            look(b, cell);
    if (atomic_u32_load(&s->calm) != 0)
        return;
    cell = (uint32_t)random_seq_below(seq, CELLS);
    if (random_seq_below(seq, 3) == 0) {
        atomic_u32_store(&b->partition[cell], 0);
        if (nodes[cell] != WAIT_NODE_NONE)
            wait_unregister(waiter, nodes[cell]);
        if (random_seq_below(seq, 2) == 0)
            nodes[cell] = WAIT_NODE_NONE;
    } else {
        atomic_u32_store(&b->partition[cell], 0);
        watch(waiter, b, cell, (uint32_t)random_seq_below(seq, PARTITIONS), &nodes[cell]);
    }
}

static void
begin_belief(Belief *b, int32_t *nodes)
{
    for (int i = 0; i < CELLS; i++) {
        atomic_u32_store(&b->partition[i], 0);
        nodes[i] = WAIT_NODE_NONE;
    }
}

/* ---- processes --------------------------------------------------------------------------------- */

static void
wait_for_ever(void *arg)
{
    RandomSeq seq = *(RandomSeq *)arg;
    Belief *b = &s->beliefs[my_slot_index];
    int32_t nodes[CELLS];

    begin_belief(b, nodes);
    for (;;) {
        bool short_sleep = atomic_u32_load(&s->calm) == 0 && random_seq_below(&seq, 8) != 0;
        uint32_t why = mainloop_wait(short_sleep ? clock_mono_us() + 200 : MAINLOOP_NO_DEADLINE,
                                     WAIT_EV_FETCH_MIN_BYTES);

        turn(my_slot_index, b, nodes, &seq, (why & WOKE_RESCAN) != 0);
        (void)atomic_u64_add(&s->wakes, 1);
    }
}

static void
append_for_ever(void *arg)
{
    RandomSeq seq = *(RandomSeq *)arg;

    for (;;) {
        if (atomic_u32_load_seq(&s->calm) != 0) {
            (void)mainloop_wait(clock_mono_us() + 500, WAIT_EV_CLIENT_READ);
            continue;
        }
        append((uint32_t)random_seq_below(&seq, PARTITIONS - IDLE));
    }
}

/* Waits until all living waiters know everything; fails after 2 s, reports above 100 ms. */
static int64_t
check_beliefs(void)
{
    int64_t began_us = clock_mono_us();

    for (int w = 0; w < WAITERS; w++)
        for (int cell = 0; cell < CELLS; cell++)
            for (;;) {
                uint32_t p = atomic_u32_load(&s->beliefs[w].partition[cell]);

                if (p == 0 || atomic_u64_load(&s->beliefs[w].seen[cell]) ==
                                  atomic_u64_load(&s->partitions[p - 1].value))
                    break;
                if (clock_mono_us() - began_us > 2000000)
                    fail_msg("waiter %d sleeps through partition %u: knows %llu of %llu", w, p - 1,
                             (unsigned long long)atomic_u64_load(&s->beliefs[w].seen[cell]),
                             (unsigned long long)atomic_u64_load(&s->partitions[p - 1].value));
                kit_pause_us(200);
            }
    return clock_mono_us() - began_us;
}

static int
setup(void **state)
{
    kit_setup(state);
    s = kit_scratch;
    static_assert(sizeof(Shared) <= KIT_SCRATCH, "the test's memory");
    for (int i = 0; i < PARTITIONS; i++)
        plock_init(&s->partitions[i].lock, PLOCK_RANK_APPEND);
    return 0;
}

static void
churn_under_kill_strands_nobody(void **state)
{
    RandomSeq seq = kit_seed("wait lists under kill -9");
    int64_t end_us = clock_mono_us() + 2 * kit_stress_us();
    pid_t pids[WAITERS + NOTIFIERS];
    int64_t worst_us = 0;
    int kills = 0;
    int rounds = 0;

    (void)state;
    for (int i = 0; i < WAITERS + NOTIFIERS; i++, (void)random_seq_next(&seq))
        pids[i] = kit_fork_slot(i, i < WAITERS ? wait_for_ever : append_for_ever, &seq);
    while (clock_mono_us() < end_us) {
        int64_t took_us;

        atomic_u32_store_seq(&s->calm, 0);
        for (int k = 0; k < 40; k++) {
            int i = (int)random_seq_below(&seq, WAITERS + NOTIFIERS);

            kit_pause_us((int64_t)random_seq_below(&seq, 2000));
            assert_int_equal(kit_reap_ended(), 0);
            kit_kill_quietly(pids[i]);
            if (i < WAITERS) { /* what the dead believed is of no concern */
                for (int cell = 0; cell < CELLS; cell++)
                    atomic_u32_store(&s->beliefs[i].partition[cell], 0);
            }
            kit_bury(pids[i]);
            (void)random_seq_next(&seq);
            pids[i] = kit_fork_slot(i, i < WAITERS ? wait_for_ever : append_for_ever, &seq);
            kills++;
        }
        atomic_u32_store_seq(&s->calm, 1);
        kit_pause_us(20000); /* appends begun before are over */
        took_us = check_beliefs();
        worst_us = took_us > worst_us ? took_us : worst_us;
        rounds++;
    }
    printf("# %d killed in %d rounds, %llu turns, %llu sweeps, knowledge within %lld us\n", kills,
           rounds, (unsigned long long)atomic_u64_load(&s->wakes),
           (unsigned long long)atomic_u64_load(&s->sweeps), (long long)worst_us);
    assert_true(worst_us < 100000);
    /* All dead: one pass over each list leaves nothing in it. */
    for (int i = 0; i < WAITERS + NOTIFIERS; i++)
        kit_kill(pids[i]);
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        lock(p);
        wait_sweep_locked(&s->partitions[p].waiters, p, -1);
        plock_unlock(&s->partitions[p].lock);
        assert_false(wait_list_in_use(&s->partitions[p].waiters));
    }
    /* And every node of every slot can be used again, those of deaths in mid-push too. */
    for (int w = 0; w < WAITERS; w++) {
        Belief unused;
        int32_t node;

        slot_claim(w, slot_prepare(w), PROC_BACKEND, 0);
        for (int i = 0; i < WAIT_NODES_PER_SLOT; i++) {
            node = WAIT_NODE_NONE;
            watch(w, &unused, 0, 0, &node);
        }
    }
}

/* ---- threads: the same without processes, for TSan --------------------------------------------- */

#define THREAD_TURNS 6000

static void *
wait_in_thread(void *arg)
{
    WaiterId waiter = (WaiterId)(intptr_t)arg;
    RandomSeq seq = {(uint64_t)waiter + 1};
    int32_t nodes[CELLS];

    begin_belief(&s->beliefs[waiter], nodes);
    for (int i = 0; i < THREAD_TURNS; i++)
        turn(waiter, &s->beliefs[waiter], nodes, &seq, false);
    while (atomic_u32_load(&s->calm) == 0)
        sched_yield();
    turn(waiter, &s->beliefs[waiter], nodes, &seq, false);
    return NULL;
}

static void *
append_in_thread(void *arg)
{
    RandomSeq seq = {(uint64_t)(uintptr_t)arg};

    for (int i = 0; i < THREAD_TURNS; i++)
        append((uint32_t)random_seq_below(&seq, PARTITIONS));
    return NULL;
}

static void
churn_of_threads(void **state)
{
    pthread_t waiters[4];
    pthread_t appenders[3];

    (void)state;
    for (intptr_t i = 0; i < 4; i++) {
        /* Slots without a process: alive by their word alone. */
        wait_claim((WaiterId)i, slot_prepare((int32_t)i));
        assert_int_equal(pthread_create(&waiters[i], NULL, wait_in_thread, (void *)i), 0);
    }
    for (uintptr_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&appenders[i], NULL, append_in_thread, (void *)(i + 99)),
                         0);
    for (int i = 0; i < 3; i++)
        pthread_join(appenders[i], NULL);
    atomic_u32_store_seq(&s->calm, 1);
    for (int i = 0; i < 4; i++)
        pthread_join(waiters[i], NULL);
    (void)check_beliefs(); /* every last value was announced by a bit */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(churn_of_threads, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(churn_under_kill_strands_nobody, setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
