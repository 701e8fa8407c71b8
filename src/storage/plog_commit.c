/*
 * plog_commit.c - a partition's part in a group commit
 *
 * Runs in: backend (request), checkpointer (the rest).
 * Never: flushes with the append lock held; fails a directory for want of descriptors.
 * Invariants C1 to C3: include/ottla/storage/plog_commit.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/plog_commit.h"

#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "storage/plog_int.h"

/* ---- asking --------------------------------------------------------------------------------------- */

void
plog_request_commit(PartitionSlot *slot, FlushWhen when, WakeBatch *wake)
{
    int dir;

    if (when == FLUSH_LATER) {
        fence_full(); /* LEO before the look; pairs with the fence in plog_commit_begin [C1] */
        if (atomic_u32_load(&slot->commit_due) != 0)
            return;
        /* Before the bit: after it, the commit might be over already, and the mark would hold off all later ones. */
        atomic_u32_store(&slot->commit_due, 1);
        crashpoint("plog.commit.due");
    }
    dir = flush_request(slot, when);
    crashpoint("plog.commit.asked");
    wake_batch_add(wake, logdir_checkpointer(dir));
}

/* ---- taking requests ------------------------------------------------------------------------------ */

bool
plog_commit_begin(PartitionSlot *slot, int dir, PlogCommit *ret)
{
    PartitionRef ref = pslot_ref(slot);
    PlogTuple t;

    if (pslot_dir(slot) != dir || pslot_state(slot) != PSLOT_OPEN)
        return false;
    if (atomic_u32_load(&slot->commit_due) != 0)
        atomic_u32_store(&slot->commit_due, 0);
    fence_full();                     /* requests are taken back before LEO is looked at [C1] */
    (void)pslot_read_tuple(slot, &t); /* whatever is published is written */
    *ret =
        (PlogCommit){.ref = ref, .dir = dir, .from = pslot_durable(slot, &t), .target = t.log_end};
    if (!pslot_is_current(ref) || ret->from >= ret->target)
        return false;
    /* After LEO: what was appended elsewhere, after a move, is not in it. Who moved it asks there. */
    if (pslot_dir(slot) != dir)
        return false;
    /* After LEO: names of what LEO covers are marked by now. */
    if (atomic_u32_load(&slot->new_names) != 0)
        ret->names = atomic_u32_swap(&slot->new_names, 0);
    return true;
}

void
plog_commit_undo(const PlogCommit *commit)
{
    PartitionSlot *slot = pslot_find(commit->ref);
    WakeBatch unused;

    if (slot == NULL)
        return;
    if (commit->names != 0)
        (void)atomic_u32_or(&slot->new_names, commit->names);
    wake_batch_init(&unused);
    plog_request_commit(slot, FLUSH_NOW, &unused); /* the caller decides when it looks */
}

int
plog_commit_flush(const PlogCommit *commit, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(commit->ref);
    int rc;

    if (slot == NULL)
        return 0;
    rc = plog_flush_segments(commit->ref, commit->from, SEGMENT_LOG, err);
    if (rc == 0)
        rc = plog_flush_names(slot, commit->names, err);
    if (rc == 0 || !pslot_is_current(commit->ref) || pslot_dir(slot) != commit->dir)
        return 0; /* a log that was moved is on the disk there */
    return plog_flush_failed(commit->dir, rc, err);
}

/* ---- what follows --------------------------------------------------------------------------------- */

void
plog_commit_publish(const PlogCommit *commit)
{
    crashpoint("plog.commit.flushed");
    plog_publish_durable(commit->ref, commit->dir, commit->target);
    crashpoint("plog.commit.published");
}

void
plog_publish_durable(PartitionRef ref, int dir, int64_t offset)
{
    PartitionSlot *slot = pslot_find(ref);

    /*
     * A flush that succeeds after one that failed proves nothing. Nor need that of a directory say anything
     * which the log has left: what was published then is below its recovery point.
     */
    if (slot != NULL && pslot_dir(slot) == dir && logdir_state(dir) != LOGDIR_FAILED)
        pslot_publish_durable(ref, offset);
}

bool
plog_commit_notify(PartitionRef ref, uint32_t events, int64_t wait_us, WakeBatch *batch)
{
    PartitionSlot *slot = pslot_find(ref);

    if (slot == NULL)
        return true; /* who waits for a deleted partition was told */
    fence_full();    /* published before the look at the list [W1] */
    if (!wait_list_in_use(&slot->waiters))
        return true;
    if (!plog_lock_within(slot, wait_us))
        return false;
    wait_notify(&slot->waiters, (uint32_t)ref.slot, events, clock_mono_us(), batch);
    plog_unlock(slot);
    return true;
}
