/*
 * test_mailbox.c - requests and replies of any length, cancelled or not, whatever clients die
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/mailbox.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/shared_page.h"

#define WORKER_SLOT KIT_BACKENDS
#define CLIENTS     8

typedef struct Shared {
    AtomicU32 worker_stop;
    AtomicU32 worker_pause; /* the worker takes nothing while set */
    AtomicU32 worker_turns;
    AtomicU32 hold_replies; /* the worker answers when it is 0 again */
    AtomicU64 served;
    AtomicU64 abandoned;
    AtomicU64 done[KIT_BACKENDS]; /* answers got, by slot */
    AtomicU32 replies_waiting;
} Shared;

static Shared *s;

static int
setup(void **state)
{
    kit_setup(state);
    s = kit_scratch;
    return 0;
}

/* A message: its length and a pattern made of a seed; the reply's is another. */
static void
fill(uint8_t *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 9));
}

static bool
matches(const uint8_t *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (uint8_t)(seed * 31 + i * 7 + (i >> 9)))
            return false;
    return true;
}

/* The head of a request; the rest is pattern. */
typedef struct Ask {
    uint32_t seed;
    uint32_t size;       /* of the request, head included */
    uint32_t reply_size; /* of the reply wanted */
    uint32_t slot;
} Ask;

/* ---- the worker -------------------------------------------------------------------------------- */

typedef struct Held {
    MboxCookie cookie;
    Ask ask;
} Held;

static Held held[4096];
static int held_count;

static void
answer(const MboxCookie *cookie, const Ask *ask)
{
    static uint8_t *bytes;
    struct iovec parts[2];

    if (bytes == NULL)
        bytes = malloc(8 << 20);
    fill(bytes, ask->reply_size, ask->seed + 1);
    parts[0] = (struct iovec){bytes, ask->reply_size / 3};
    parts[1] = (struct iovec){bytes + ask->reply_size / 3, ask->reply_size - ask->reply_size / 3};
    if (mbox_is_abandoned(cookie))
        (void)atomic_u64_add(&s->abandoned, 1);
    mbox_reply(cookie, parts, 2);
    (void)atomic_u64_add(&s->served, 1);
}

static void
take(const MboxRequest *rq)
{
    Ask ask;

    ot_assert(rq->size >= sizeof ask);
    memcpy(&ask, rq->bytes, sizeof ask);
    ot_assert(ask.size == rq->size);
    ot_assert(ask.slot == (uint32_t)rq->cookie.client.index);
    ot_assert(matches(rq->bytes + sizeof ask, rq->size - sizeof ask, ask.seed));
    if (atomic_u32_load(&s->hold_replies) != 0 && held_count < 4096)
        held[held_count++] = (Held){rq->cookie, ask};
    else
        answer(&rq->cookie, &ask);
}

static void
serve(void *arg)
{
    Arena *arena = arena_new(1 << 16, 0);

    (void)arg;
    mbox_worker_open(MBOX_CONTROLLER);
    while (atomic_u32_load(&s->worker_stop) == 0) {
        uint32_t why = mainloop_wait(clock_mono_us() + 20000, WAIT_EV_CONTROLLER_MAIN);
        MboxRequest rq;

        (void)atomic_u32_add(&s->worker_turns, 1);
        if (atomic_u32_load(&s->worker_pause) != 0)
            continue;
        for (int i = 0;
             i < 1000 && mbox_next(MBOX_CONTROLLER, arena, (why & WOKE_RESCAN) != 0, &rq); i++)
            take(&rq);
        arena_reset(arena);
        if (atomic_u32_load(&s->hold_replies) == 0) {
            for (int i = 0; i < held_count; i++)
                answer(&held[i].cookie, &held[i].ask);
            held_count = 0;
        }
        atomic_u32_store(&s->replies_waiting, (uint32_t)mbox_replies_waiting(MBOX_CONTROLLER));
    }
    mbox_worker_close(MBOX_CONTROLLER);
    arena_free(arena);
}

/* The worker has begun and ended a whole turn since the call. */
static void
await_turn(void)
{
    uint32_t before = atomic_u32_load(&s->worker_turns);

    KIT_WAIT_UNTIL(atomic_u32_load(&s->worker_turns) - before >= 3);
}

static pid_t
start_worker(void)
{
    pid_t pid = kit_fork_slot(WORKER_SLOT, serve, NULL);

    KIT_WAIT_UNTIL(mbox_worker_is_open(MBOX_CONTROLLER));
    return pid;
}

/* ---- a client ---------------------------------------------------------------------------------- */

typedef struct Talk {
    MboxCall call;
    Arena *arena;
    uint8_t *bytes;
    Ask ask;
} Talk;

static void
begin_talk(Talk *t, uint32_t seed, size_t size, size_t reply_size)
{
    ErrInfo err = {0};

    *t = (Talk){0};
    t->arena = arena_new(4096, 0);
    t->bytes = malloc(size);
    t->ask = (Ask){seed, (uint32_t)size, (uint32_t)reply_size, (uint32_t)my_slot_index};
    memcpy(t->bytes, &t->ask, sizeof t->ask);
    fill(t->bytes + sizeof t->ask, size - sizeof t->ask, seed);
    ot_assert(mbox_submit(&t->call, MBOX_CONTROLLER, (BytesView){t->bytes, (int32_t)size}, t->arena,
                          &err) == 0);
}

static void
end_talk(Talk *t)
{
    arena_free(t->arena);
    free(t->bytes);
    *t = (Talk){0};
}

/* Waits for the answer without a deadline: the latch alone must do. */
static MboxStatus
finish_talk(Talk *t)
{
    MboxStatus status;

    while ((status = mbox_poll(&t->call)) == MBOX_WAITING) {
        uint32_t why = mainloop_wait(clock_mono_us() + 5000000, WAIT_EV_CONTROLLER_REPLY);

        ot_assert((why & WOKE_DEADLINE) == 0);
    }
    if (status == MBOX_DONE) {
        ot_assert(t->call.reply_size == t->ask.reply_size);
        ot_assert(matches(t->call.reply, t->call.reply_size, t->ask.seed + 1));
    }
    end_talk(t);
    return status;
}

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
    for (uint32_t round = 0; round < 10; round++) {
        before = atomic_u64_load(&s->abandoned);
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
        assert_true(atomic_u64_load(&s->abandoned) - before <= 1);
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
talk_for_ever(void *arg)
{
    RandomSeq seq = *(RandomSeq *)arg;
    static const size_t sizes[] = {16, 100, 600, 70000, 1200000};

    for (;;) {
        Talk talks[3];
        uint64_t count = 1 + random_seq_below(&seq, 3);

        for (uint64_t i = 0; i < count; i++)
            begin_talk(&talks[i], (uint32_t)random_seq_next(&seq), sizes[random_seq_below(&seq, 5)],
                       sizes[random_seq_below(&seq, 5)]);
        for (uint64_t i = 0; i < count; i++) {
            if (random_seq_below(&seq, 6) == 0) {
                mbox_cancel(&talks[i].call);
                end_talk(&talks[i]);
            } else {
                ot_assert(finish_talk(&talks[i]) == MBOX_DONE);
                (void)atomic_u64_add(&s->done[my_slot_index], 1);
            }
        }
    }
}

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
        cmocka_unit_test_setup_teardown(all_lengths_arrive, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(several_calls_run_beside_each_other, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(too_many_calls_are_refused, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(cancelled_calls_are_forgotten, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(no_worker_is_told, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_reply_beyond_the_arena_is_refused, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(chunks_of_the_dead_come_back, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(killed_clients_disturb_nobody, setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
