/*
 * interest.c - registering with the partitions whose progress somebody waits for
 *
 * Runs in: backend, coordinator. Never: waits, but for an append lock when nodes have run out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/replica/interest.h"

#include "ottla/storage/plog.h"

#define SWEEPS_MAX 8 /* lists swept for one registration */

/* A list where unwanted nodes of ours still hang is swept, so that they become free. */
static bool
sweep_one(WaiterId waiter)
{
    uint32_t list_id;
    PartitionSlot *slot;

    if (!wait_stale_list(waiter, &list_id))
        return false;
    slot = pslot_at((int32_t)list_id);
    if (!plog_lock_plain(slot)) /* whatever became of the partition */
        return false;
    wait_sweep_locked(&slot->waiters, list_id, waiter);
    plog_unlock(slot);
    return true;
}

InterestResult
interest_register(WaiterId waiter, const Interest *interest, int32_t *io_node)
{
    PartitionSlot *slot = pslot_find(interest->ref);
    WaitInterest wanted = {
        .list_id = (uint32_t)interest->ref.slot, .mask = interest->mask, .key = interest->key};
    int sweeps;

    if (slot == NULL)
        return INTEREST_GONE;
    wanted.list = &slot->waiters;
    for (sweeps = 0; wait_register(waiter, &wanted, io_node) != 0; sweeps++) {
        if (sweeps == SWEEPS_MAX || !sweep_one(waiter))
            return INTEREST_POLL;
    }
    return INTEREST_REGISTERED;
}
