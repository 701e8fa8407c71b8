/*
 * mailbox_kit.h - a worker that answers as it is asked, and clients that check what they get
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_MAILBOX_KIT_H
#define TEST_MAILBOX_KIT_H

#include "ipc/shm_kit.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/mailbox.h"

#define WORKER_SLOT KIT_BACKENDS
#define CLIENTS     8

typedef struct MailboxShared {
    AtomicU32 worker_stop;
    AtomicU32 worker_pause; /* the worker takes nothing while set */
    AtomicU32 worker_turns;
    AtomicU32 hold_replies; /* the worker answers when it is 0 again */
    AtomicU64 served;
    AtomicU64 abandoned;
    AtomicU64 done[KIT_BACKENDS]; /* answers got, by slot */
    AtomicU32 replies_waiting;
    AtomicU32 mortal;   /* workers die, too */
    AtomicU64 orphaned; /* calls that such a death ended */
} MailboxShared;

/* In the scratch memory of the kit, since mailbox_setup. */
extern MailboxShared *s;

int mailbox_setup(void **state);

/* The head of a request; the rest is pattern. */
typedef struct Ask {
    uint32_t seed;
    uint32_t size;       /* of the request, head included */
    uint32_t reply_size; /* of the reply wanted */
    uint32_t slot;
} Ask;

typedef struct Talk {
    MboxCall call;
    Arena *arena;
    uint8_t *bytes;
    Ask ask;
} Talk;

/* Starts the worker, and waits until it is open. It ends when worker_stop is set. */
pid_t start_worker(void);

/* One that dies at the nth passage of a point. */
pid_t start_doomed_worker(const char *point, int nth);

/* The worker has begun and ended a whole turn since the call. */
void await_turn(void);

/* Asks for a reply of a size, by a message of a size. */
void begin_talk(Talk *t, uint32_t seed, size_t size, size_t reply_size);

/* Frees it all; the call is over. */
void end_talk(Talk *t);

/* Waits for the answer without a deadline: the latch alone must do. Checks and frees it. */
MboxStatus finish_talk(Talk *t);

/* A client's life: calls of many sizes, some given up; arg: RandomSeq. */
void talk_for_ever(void *arg);

#endif
