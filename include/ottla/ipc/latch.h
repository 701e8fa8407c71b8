/*
 * latch.h - waking another process
 *
 * A latch is a word in the process's slot plus a signal. Setting one looks first: a latch already
 * set, or an owner that does not sleep, costs no system call. Who sleeps is woken by SIGURG, which
 * is blocked since before the fork and read through a signalfd (mainloop.h).
 *
 * Order of the waiter: mark that it sleeps, look at the latch, sleep. Order of the waker: set the
 * latch, look whether the owner sleeps. Both are sequentially consistent, so at least one of them
 * sees the other [L1]. A waker killed between its publication, the latch and the signal strands
 * nobody: the supervisor raises rescan_epoch and signals every child of its private table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_LATCH_H
#define OTTLA_IPC_LATCH_H

#include "ottla/ipc/slot.h"

#define LATCH_SIGNAL   SIGURG
#define WAKE_BATCH_MAX 256 /* owners one batch takes; a fuller one is flushed where it stands */
#define WAKE_FANOUT    8   /* signals a waker sends itself when there are many sleepers */

/*
 * Supervisor, before the first fork: blocks the signals that processes read through their signalfd
 * (LATCH_SIGNAL, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD) and ignores SIGPIPE, SIGXFSZ.
 */
void latch_block_signals(void);

/*
 * Wakes a process: its next or current wait returns. Nothing happens when the slot has another
 * owner by now. May be called under locks.
 */
void latch_set(SlotRef ref);

/* As latch_set for whoever lives in the slot now. */
void latch_set_index(int32_t slot_index);

/* Collects owners to be woken after a lock is released. Lives on the stack. */
typedef struct WakeBatch {
    int count;
    uint64_t refs[WAKE_BATCH_MAX]; /* slot_ref_pack */
} WakeBatch;

static inline void
wake_batch_init(WakeBatch *batch)
{
    batch->count = 0;
}

/* Adds an owner, at most once each when they come in a row. Flushes when full. */
void wake_batch_add(WakeBatch *batch, uint64_t packed_ref);

/*
 * Wakes all collected owners and empties the batch. Call after unlocking. Of more than WAKE_FANOUT
 * sleepers the first are signalled and each is told of up to SLOT_HELP_CELLS others, which it
 * wakes at once when it runs (latch_help).
 */
void wake_batch_flush(WakeBatch *batch);

/* Main loop, after each sleep: wakes those this process was told of. */
void latch_help(void);

/* Main loop: takes back the latch before looking for work. True: it was set. */
bool latch_reset(void);

/* Main loop: announces sleep; false: the latch is set, do not sleep. Then latch_end_sleep. */
bool latch_begin_sleep(void);
void latch_end_sleep(void);

#endif
