/*
 * mailbox_kit.c - a worker that answers as it is asked, and clients that check what they get
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/mailbox_kit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"

MailboxShared *s;

int
mailbox_setup(void **state)
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

/* ---- the worker -------------------------------------------------------------------------------- */

typedef struct Held {
    MboxCookie cookie;
    Ask ask;
} Held;

static Held held[4096];
static int held_count;

/* Where the next worker dies, and at which passage; NULL: nowhere. */
static const char *worker_point;
static int worker_nth;

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
    bool first = true; /* a predecessor may have left something */

    (void)arg;
    crashpoint_arm(worker_point, worker_nth);
    mbox_worker_open(MBOX_CONTROLLER);
    while (atomic_u32_load(&s->worker_stop) == 0) {
        uint32_t why =
            mainloop_wait(clock_mono_us() + (first ? 0 : 20000), WAIT_EV_CONTROLLER_MAIN);
        bool rescan = first || (why & WOKE_RESCAN) != 0;
        MboxRequest rq;

        (void)atomic_u32_add(&s->worker_turns, 1);
        if (atomic_u32_load(&s->worker_pause) != 0)
            continue;
        first = false;
        for (int i = 0; i < 1000 && mbox_next(MBOX_CONTROLLER, arena, rescan, &rq); i++)
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

void
await_turn(void)
{
    uint32_t before = atomic_u32_load(&s->worker_turns);

    KIT_WAIT_UNTIL(atomic_u32_load(&s->worker_turns) - before >= 3);
}

pid_t
start_worker(void)
{
    pid_t pid = kit_fork_slot(WORKER_SLOT, serve, NULL);

    KIT_WAIT_UNTIL(mbox_worker_is_open(MBOX_CONTROLLER));
    return pid;
}

/* ---- a client ---------------------------------------------------------------------------------- */

void
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

void
end_talk(Talk *t)
{
    arena_free(t->arena);
    free(t->bytes);
    *t = (Talk){0};
}

MboxStatus
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

pid_t
start_doomed_worker(const char *point, int nth)
{
    pid_t pid;

    worker_point = point;
    worker_nth = nth;
    pid = start_worker();
    worker_point = NULL;
    return pid;
}

void
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
                MboxStatus status = finish_talk(&talks[i]);

                ot_assert(status == MBOX_DONE ||
                          (status == MBOX_NO_WORKER && atomic_u32_load(&s->mortal) != 0));
                (void)atomic_u64_add(status == MBOX_DONE ? &s->done[my_slot_index] : &s->orphaned,
                                     1);
            }
        }
    }
}
