/*
 * mainloop.h - the one place where a process waits
 *
 * One epoll per process: its signalfd (latch and interrupts), the death pipe, descriptors with
 * callbacks, a deadline. The skeleton of every process is
 *
 *     for (;;) {
 *         uint32_t why = mainloop_wait(deadline_us, WAIT_EV_...);
 *         if (why & WOKE_INTERRUPT) ... interrupt_take(INTERRUPT_TERMINATE) ...
 *         bounded work: everything that may have become ready
 *     }
 *
 * mainloop_wait takes the latch back before it returns, so work published later wakes the next
 * wait. No signal handler sets flags: signals are read as data here. SIGQUIT ends a child at once with
 * exit code 2; in the supervisor (no slot) it is an interrupt like the others.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_MAINLOOP_H
#define OTTLA_IPC_MAINLOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/ipc/wait_events.h"

#define MAINLOOP_EVENTS_PER_TURN 64
#define MAINLOOP_NO_DEADLINE     INT64_MAX

/* Why mainloop_wait returned; several may hold, none too. */
typedef enum Woke {
    WOKE_LATCH = 1,     /* somebody set the latch: look at what you wait for */
    WOKE_FD = 2,        /* at least one descriptor's callback ran */
    WOKE_INTERRUPT = 4, /* an interrupt flag is set (and stays so until taken) */
    WOKE_DEADLINE = 8,  /* deadline_us has passed */
    WOKE_RESCAN = 16,   /* somebody died abnormally: re-check everything you wait for */
} Woke;

/* Flags set by signals, taken by the process when it likes. */
typedef enum Interrupt {
    INTERRUPT_TERMINATE = 1, /* SIGTERM */
    INTERRUPT_CANCEL = 2,    /* SIGINT */
    INTERRUPT_RELOAD = 4,    /* SIGHUP */
    INTERRUPT_FINISH = 8,    /* SIGUSR2: final checkpoint */
    INTERRUPT_USR1 = 16,     /* SIGUSR1 */
    INTERRUPT_CHILD = 32,    /* SIGCHLD (supervisor) */
    INTERRUPT_QUIT = 128,    /* SIGQUIT (supervisor) */
    INTERRUPT_ORPHANED = 64, /* the supervisor is gone: finish the critical section, exit 1 */
} Interrupt;

/*
 * Called with the epoll events that are ready. May add, change and remove any descriptor, its own
 * too.
 */
typedef void (*MainloopFd)(int fd, uint32_t events, void *arg);

/*
 * After fork, once: makes the process's own signalfd and epoll. death_fd: read end of the death
 * pipe, whose end of file means that the supervisor is gone; -1: none (supervisor, tests). Signals
 * were blocked by latch_block_signals. OT_E_SYSTEM.
 */
int mainloop_init(int death_fd, ErrInfo *err) __attribute__((warn_unused_result));

/* Closes both; for tests. */
void mainloop_fini(void);

/* Watches a descriptor; events as epoll's (EPOLLIN, EPOLLOUT, EPOLLET...). OT_E_SYSTEM. */
int mainloop_add(int fd, uint32_t events, MainloopFd callback, void *arg)
    __attribute__((warn_unused_result));

/* Changes what is watched; the descriptor was added. events 0: errors and hang-ups only. */
void mainloop_modify(int fd, uint32_t events);

/* Stops watching. Before close(fd). Unknown descriptors are ignored. */
void mainloop_remove(int fd);

/*
 * Waits until the latch is set, a descriptor is ready, a signal came, somebody died abnormally
 * (rescan_epoch), or the monotonic clock reads deadline_us; runs callbacks; tells why. A deadline
 * in the past polls. event: shown while it sleeps.
 */
uint32_t mainloop_wait(int64_t deadline_us, WaitEvent event);

/* The same for who has just looked at the monotonic clock. */
uint32_t mainloop_wait_from(int64_t now_us, int64_t deadline_us, WaitEvent event);

/* The monotonic clock as it was when the last wait was over. */
int64_t mainloop_turned_us(void);

/* True and taken back when the flag is set. */
bool interrupt_take(Interrupt flag);

/* Looks without taking. */
bool interrupt_pending(Interrupt flag);

/* Sets a flag of this process; as if its signal had come. */
void interrupt_raise(Interrupt flag);

#endif
