/*
 * plock_use.h - who holds a lock and who waits for it, for statistics
 *
 * Read from words that are there anyway: taking a free lock costs nothing more for it, who waits tells of it in its slot.
 * Nothing is locked to look, so a lock that changes hands meanwhile may be told of as before or after.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_PLOCK_USE_H
#define OTTLA_IPC_PLOCK_USE_H

#include "ottla/ipc/plock.h"

typedef struct PLockUse {
    bool held;
    pid_t holder; /* 0: nobody, or it died and the next taker repairs */
    /*
     * For how long at most: since the holder's present turn of its main loop began. Taking a lock notes no time. 0: it is not
     * held, or by the dead.
     */
    int64_t held_us;
} PLockUse;

PLockUse plock_use(const PLock *lock, int64_t now_us);

/* The same for a word that says who holds something, as plock_kill_if_stopped takes it. */
PLockUse plock_word_use(const AtomicU32 *word, int64_t now_us);

/* A process that waits, and for what. */
typedef struct PLockWaiter {
    uint64_t lock;    /* plock_name */
    int64_t since_us; /* monotonic */
} PLockWaiter;

/* What a lock, or such a word, is called in PLockWaiter. */
uint64_t plock_name(const void *lock);

/* Processes that wait for locks now, at most room of them, sorted by lock, the longest wait first. */
int32_t plock_waiters(PLockWaiter *ret, int32_t room);

/* The first waiter of a lock in such an array, and how many there are. NULL: none. */
const PLockWaiter *plock_waiters_of(const PLockWaiter *all, int32_t count, uint64_t lock,
                                    int32_t *ret_count);

#endif
