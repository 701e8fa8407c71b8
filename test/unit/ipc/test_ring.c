/*
 * test_ring.c - order and wholeness of entries, with threads and with killed sides
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/ring.h"

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
#include "ottla/ipc/atomics.h"

#define CAPACITY 16

typedef struct Entry {
    uint64_t serial;
    uint64_t check[5];
} Entry;

static Entry
entry_of(uint64_t serial)
{
    return (Entry){serial, {~serial, serial * 3, serial ^ 0x5555, serial + 7, serial << 1}};
}

static bool
is_whole(const Entry *e)
{
    return e->check[0] == ~e->serial && e->check[1] == e->serial * 3 &&
           e->check[2] == (e->serial ^ 0x5555) && e->check[3] == e->serial + 7 &&
           e->check[4] == e->serial << 1;
}

static alignas(CACHE_LINE_BYTES) unsigned char memory[8192];

static void
full_refuses_and_order_is_kept(void **state)
{
    Ring *ring = ring_init(memory, CAPACITY, sizeof(Entry));
    Entry e;
    uint64_t in = 0;
    uint64_t out = 0;

    (void)state;
    assert_true(ring_size(CAPACITY, sizeof(Entry)) <= sizeof memory);
    assert_false(ring_pop(ring, &e));
    for (int round = 0; round < 50; round++) {
        while (e = entry_of(in), ring_push(ring, &e))
            in++;
        assert_int_equal(ring_count(ring), CAPACITY - 1);
        for (int i = 0; i < 1 + round % (CAPACITY - 1); i++) {
            assert_true(ring_peek(ring, &e));
            assert_int_equal(e.serial, out);
            ring_drop(ring);
            assert_true(is_whole(&e));
            out++;
        }
    }
}

#define THREAD_ENTRIES 200000

static void *
push_all(void *arg)
{
    Ring *ring = arg;

    for (uint64_t i = 0; i < THREAD_ENTRIES;) {
        Entry e = entry_of(i);

        if (ring_push(ring, &e))
            i++;
        else
            sched_yield();
    }
    return NULL;
}

static void
threads_pass_whole_entries_in_order(void **state)
{
    Ring *ring = ring_init(memory, CAPACITY, sizeof(Entry));
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, push_all, ring), 0);
    for (uint64_t i = 0; i < THREAD_ENTRIES;) {
        Entry e;

        if (!ring_pop(ring, &e)) {
            sched_yield();
            continue;
        }
        ot_assert(e.serial == i && is_whole(&e));
        i++;
    }
    pthread_join(thread, NULL);
}

typedef struct Shared {
    AtomicU64 next_in;  /* the writer's: stored after each push */
    AtomicU64 next_out; /* the reader's: stored after each pop */
    AtomicU64 lost;     /* pops of dead readers that next_out may not tell: one each */
    alignas(CACHE_LINE_BYTES) unsigned char ring[8192];
} Shared;

static void
push_for_ever(void *arg)
{
    Shared *s = arg;
    Ring *ring = (Ring *)(void *)s->ring;
    uint64_t i = atomic_u64_load(&s->next_in);

    /* The writer before may have died between push and count: that entry comes twice. */
    for (;;) {
        Entry e = entry_of(i);

        if (ring_push(ring, &e))
            atomic_u64_store(&s->next_in, ++i);
        else
            sched_yield();
    }
}

static void
pop_for_ever(void *arg)
{
    Shared *s = arg;
    Ring *ring = (Ring *)(void *)s->ring;

    uint64_t lost = atomic_u64_load(&s->lost);

    for (;;) {
        uint64_t expected = atomic_u64_load(&s->next_out);
        Entry e;

        if (!ring_pop(ring, &e)) {
            sched_yield();
            continue;
        }
        ot_assert(is_whole(&e));
        /* Again after a death of the writer, later by what dead readers took, never beyond. */
        ot_assert(e.serial + 1 >= expected && e.serial <= expected + lost);
        atomic_u64_store(&s->next_out, e.serial + 1);
        lost = 0;
    }
}

/* A reader was killed that found next_out at `born`: it may have died between a pop and its store. */
static void
count_lost(Shared *s, uint64_t born)
{
    bool told = atomic_u64_load(&s->next_out) != born;

    atomic_u64_store(&s->lost, told ? 1 : atomic_u64_load(&s->lost) + 1);
}

static void
killed_sides_leave_whole_entries(void **state)
{
    RandomSeq seq = kit_seed("ring under kill -9");
    int64_t end_us = clock_mono_us() + kit_stress_us();
    Shared *s = kit_scratch;
    pid_t writer;
    pid_t reader;
    uint64_t born = 0; /* next_out when the reader began */
    int kills = 0;

    (void)state;
    (void)ring_init(s->ring, CAPACITY, sizeof(Entry));
    writer = kit_fork(push_for_ever, s);
    reader = kit_fork(pop_for_ever, s);
    while (clock_mono_us() < end_us) {
        kit_pause_us((int64_t)random_seq_below(&seq, 2000));
        if (random_seq_below(&seq, 2) == 0) {
            kit_kill(writer);
            writer = kit_fork(push_for_ever, s);
        } else {
            kit_kill(reader);
            count_lost(s, born);
            born = atomic_u64_load(&s->next_out);
            reader = kit_fork(pop_for_ever, s);
        }
        kills++;
        assert_int_equal(kit_reap_ended(), 0);
    }
    assert_true(atomic_u64_load(&s->next_out) > 0);
    printf("# %d killed, %llu entries\n", kills, (unsigned long long)atomic_u64_load(&s->next_out));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_refuses_and_order_is_kept),
        cmocka_unit_test(threads_pass_whole_entries_in_order),
        cmocka_unit_test_setup_teardown(killed_sides_leave_whole_entries, kit_setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
