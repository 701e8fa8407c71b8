/*
 * plog_commit.h - a partition's part in a group commit: who asks for it, what it flushes, whom it releases
 *
 * Who appended and must not answer before the record is on the disk asks for a commit and waits for the
 * durable offset (WAIT_ON_DURABLE). The checkpointer of the log directory takes all requests at once
 * and goes through these steps, each for all partitions before the next:
 *
 *   begin    how far the log reaches now; no lock
 *   flush    the .log files of [durable, target), and names that are new; or one syncfs for all
 *   publish  the durable offset; no lock, so that a stopped process keeps nobody waiting
 *   notify   those who wait, under the append lock; a partition whose lock is held comes later
 *
 *   C1  a request is taken back before LEO is looked at, and made after LEO was published: who finds a
 *       request there already is covered by the commit that will take it
 *   C2  the durable offset is published after everything below it, names included, was flushed
 *       without an error
 *   C3  requests are bits and words that are whole by themselves; what a killed process left half
 *       said is found by the walk over all bits that follows each abnormal death
 *
 * Runs in: backend (request), checkpointer (the rest).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_PLOG_COMMIT_H
#define OTTLA_STORAGE_PLOG_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/ipc/latch.h"
#include "ottla/storage/flush_requests.h"
#include "ottla/storage/partition_slot.h"

/*
 * Asks that the log up to its present end be made durable, FLUSH_NOW or FLUSH_LATER. After plog_append;
 * any locks held. The checkpointer joins the batch of those to wake. Cheap when somebody asked already.
 */
void plog_request_commit(PartitionSlot *slot, FlushWhen when, WakeBatch *wake);

/* ---- the checkpointer's side ---------------------------------------------------------------------- */

/* One partition's commit on its way. */
typedef struct PlogCommit {
    PartitionRef ref;
    int dir;        /* whose commit it is */
    int64_t from;   /* durable before */
    int64_t target; /* durable afterwards */
    uint32_t names; /* NEW_NAMES_* */
} PlogCommit;

/*
 * False: not of this directory, not open, deleted, or everything is durable. Takes requests back. A log that was moved
 * away: the request is passed on to where it is now.
 */
bool plog_commit_begin(PartitionSlot *slot, int dir, PlogCommit *ret);

/*
 * File by file. OT_E_KAFKA_STORAGE_ERROR: a flush failed, the directory is FAILED. OT_E_AGAIN: this process
 * lacks descriptors or memory: plog_commit_undo.
 */
int plog_commit_flush(const PlogCommit *commit, ErrInfo *err);

/* It was not flushed: asks for it again. */
void plog_commit_undo(const PlogCommit *commit);

void plog_commit_publish(const PlogCommit *commit);

/*
 * Adds those who wait for events (WaitMask) of a partition to the batch. False: the append lock was
 * not free within wait_us; try again later.
 */
bool plog_commit_notify(PartitionRef ref, uint32_t events, int64_t wait_us, WakeBatch *batch);

#endif
