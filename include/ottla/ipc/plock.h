/*
 * plock.h - robust locks between processes
 *
 * A process-shared robust mutex. Taking it has a deadline. When its owner died holding it, the next
 * one gets PLOCK_OWNER_DIED, holds the lock, repairs what it protects and then says
 * plock_consistent; dying before that hands the same duty to the next. Locks have ranks: a process
 * takes them in rising order only (asserted with OT_SLOW_ASSERTS).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_PLOCK_H
#define OTTLA_IPC_PLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ottla/ipc/atomics.h"
#include "ottla/ipc/wait_events.h"

/* In the order in which they may be taken together. */
typedef enum PLockRank {
    PLOCK_RANK_FETCH_TABLE = 1,
    PLOCK_RANK_FETCH_SESSION,
    PLOCK_RANK_APPEND,    /* of a partition */
    PLOCK_RANK_NAMES,     /* folder names of a log directory */
    PLOCK_RANK_SPACE,     /* reserve file of a log directory, control file */
    PLOCK_RANK_AUTO_FILE, /* of ottla.auto.conf */
    PLOCK_RANK_COUNT
} PLockRank;

typedef struct PLock {
    pthread_mutex_t mutex;
    uint16_t rank;
    uint16_t initialized; /* 0 in fresh memory */
    AtomicU32 holder;     /* slot index + 1 of who took it last; 0: nobody with a slot */
} PLock;

typedef enum PLockResult {
    PLOCK_OK,
    PLOCK_OWNER_DIED, /* held; repair, then plock_consistent */
    PLOCK_TIMEOUT,    /* not held */
} PLockResult;

/*
 * Before first use, by one process, before others can see the lock. Zeroed memory is not a lock yet:
 * so that init costs only the locks in use. Nobody may hold it.
 */
void plock_init(PLock *lock, PLockRank rank);

/* Waits until the lock is held or the monotonic clock reads deadline_us. event: shown meanwhile. */
PLockResult plock_lock(PLock *lock, int64_t deadline_us, WaitEvent event)
    __attribute__((warn_unused_result));

/*
 * The same for a lock of the rank of one that is held already. The caller knows why nobody who holds the one ever waits
 * for the other.
 */
PLockResult plock_lock_peer(PLock *lock, int64_t deadline_us, WaitEvent event)
    __attribute__((warn_unused_result));

/* PLOCK_TIMEOUT: somebody holds it. Never waits, so ranks do not matter. */
PLockResult plock_trylock(PLock *lock) __attribute__((warn_unused_result));

/* After PLOCK_OWNER_DIED, when what the lock protects is whole again. */
void plock_consistent(PLock *lock);

/*
 * The caller holds it. After PLOCK_OWNER_DIED without plock_consistent the lock is dead for ever:
 * asserted.
 */
void plock_unlock(PLock *lock);

/*
 * After a PLOCK_TIMEOUT too many: kills the holder if it is stopped (a debugger, SIGSTOP), so that the
 * next taker gets PLOCK_OWNER_DIED. Its pid; 0: the holder runs, or is gone.
 */
pid_t plock_kill_stopped_holder(const PLock *lock);

/* The same for any word that says who holds something: the index of its slot + 1, 0: nobody. */
pid_t plock_kill_if_stopped(const AtomicU32 *holder);

/* Locks this process holds now: > 0 inside a critical section. */
int plock_held_count(void);

#endif
