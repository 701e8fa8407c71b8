/*
 * replica.c - the write path of clients: leadership, lock, append, wake
 *
 * Runs in: backend, coordinator.
 * Never: waits but for the append lock and one write; wakes anybody with the lock held.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/replica/replica.h"

#include <assert.h>

#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/replica/partition.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/plog_commit.h"

static_assert((int)PARTITION_WAIT_LEO == (int)WAIT_ON_LOG_END &&
                  (int)PARTITION_WAIT_HW == (int)WAIT_ON_HIGH_WATERMARK &&
                  (int)PARTITION_WAIT_DURABLE == (int)WAIT_ON_DURABLE &&
                  (int)PARTITION_WAIT_STATE == (int)WAIT_ON_STATE,
              "the pure part has no ipc header");

static int
no_partition(ErrInfo *err)
{
    return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "partition does not exist here");
}

static int
not_leader(const PartitionSlot *slot, ErrInfo *err)
{
    return err_set(err, OT_E_NOT_LEADER_OR_FOLLOWER, "not the leader of %s-%d", slot->topic,
                   (int)slot->partition);
}

/* What partition.c decides about; the offsets are filled where they matter. */
static PartitionView
view_of(const PslotLeadership *leadership, const TopicSettings *settings)
{
    return (PartitionView){.replica_count = leadership->replica_count,
                           .isr_count = leadership->isr_count,
                           .min_isr = settings->min_insync_replicas,
                           .durability = (TopicDurability)settings->durability};
}

int
replica_check_leader(PartitionRef ref, int32_t current_epoch, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    PslotLeadership leadership;

    if (slot == NULL)
        return no_partition(err);
    leadership = pslot_leadership(slot);
    switch (partition_check_epoch(current_epoch, leadership.leader_epoch)) {
    case PARTITION_EPOCH_OK:
        break;
    case PARTITION_EPOCH_FENCED:
        return err_set(err, OT_E_FENCED_LEADER_EPOCH, "leader epoch is %d, not %d",
                       (int)leadership.leader_epoch, (int)current_epoch);
    case PARTITION_EPOCH_UNKNOWN:
        return err_set(err, OT_E_UNKNOWN_LEADER_EPOCH, "leader epoch is %d, not %d yet",
                       (int)leadership.leader_epoch, (int)current_epoch);
    }
    if (leadership.role != PSLOT_ROLE_LEADER)
        return not_leader(slot, err);
    if (pslot_state(slot) == PSLOT_FAILED)
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "log of %s-%d cannot be used", slot->topic,
                       (int)slot->partition);
    return 0;
}

/* ---- append ------------------------------------------------------------------------------------- */

/*
 * What the answer has to wait for, and whom that concerns. A duplicate waits like its original, which
 * may not have been answered yet. Under the lock, so that LEO is the batch's.
 */
static void
settle_waits(PartitionSlot *slot, const PartitionView *view, const TopicSettings *settings,
             const ReplicaAppendArgs *args, ReplicaAppendResult *ret, WakeBatch *wake)
{
    PlogOffsets now;
    bool due;

    (void)plog_offsets_peek(pslot_ref(slot), &now); /* open, as the lock says */
    due = partition_flush_is_due(now.log_end_offset, now.durable_offset, settings->flush_messages);
    ret->wait.last_offset = ret->log.last_offset;
    if (args->acks == -1) {
        ret->wait.leader_epoch = pslot_leadership(slot).leader_epoch;
        ret->wait.for_hw = now.high_watermark <= ret->log.last_offset;
        ret->wait.for_disk = partition_needs_disk(view);
    }
    ret->wait.for_disk |= due && args->acks != 0;
    ret->wait.for_disk &= now.durable_offset <= ret->log.last_offset;
    if (due || ret->wait.for_disk)
        plog_request_commit(slot, FLUSH_NOW, wake);
    else if (settings->flush_ms < INT64_MAX && !ret->log.duplicate)
        plog_request_commit(slot, FLUSH_LATER, wake);
}

/* Under the lock: the batch into the log, and what follows from it. */
static int
append_locked(PartitionSlot *slot, const ReplicaAppendArgs *args, ReplicaAppendResult *ret,
              WakeBatch *wake, ErrInfo *err)
{
    PslotLeadership leadership = pslot_leadership(slot);
    PlogAppendArgs append = {.batch = args->batch,
                             .origin = args->origin,
                             .leader_epoch = leadership.leader_epoch,
                             .now_ms = clock_wall_ms()};
    PartitionActions actions;
    TopicSettings settings;
    PartitionView view;
    PlogOffsets before;
    int rc;

    if (leadership.role != PSLOT_ROLE_LEADER)
        return not_leader(slot, err);
    pslot_settings(slot, &settings);
    view = view_of(&leadership, &settings);
    if (args->acks == -1 && !partition_may_append_all(&view))
        return err_set(err, OT_E_NOT_ENOUGH_REPLICAS, "%d in sync, %d wanted", (int)view.isr_count,
                       (int)partition_effective_min_isr(&view));
    (void)plog_offsets_peek(pslot_ref(slot), &before); /* open, as the lock says */
    append.hw_follows = partition_hw_follows(&view);
    rc = plog_append(slot, &append, &ret->log, err);
    if (rc != 0) {
        if (rc == OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER || rc == OT_E_INVALID_PRODUCER_EPOCH)
            ret->log.log_start_offset = before.log_start_offset;
        return rc;
    }
    crashpoint("replica.appended");
    settle_waits(slot, &view, &settings, args, ret, wake);
    crashpoint("replica.asked");
    if (ret->log.duplicate)
        return 0;
    view.high_watermark = before.high_watermark;
    view.log_end = ret->log.last_offset + 1;
    actions = partition_leo_advanced(&view);
    wait_notify(&slot->waiters, (uint32_t)pslot_index(slot), actions.wake, clock_mono_us(), wake);
    crashpoint("replica.notified");
    return 0;
}

int
replica_append(PartitionRef ref, const ReplicaAppendArgs *args, ReplicaAppendResult *ret,
               ErrInfo *err)
{
    PartitionSlot *slot;
    WakeBatch wake;
    int rc;

    *ret = (ReplicaAppendResult){.log = {.base_offset = -1,
                                         .last_offset = -1,
                                         .log_append_time_ms = -1,
                                         .log_start_offset = -1},
                                 .wait = {.last_offset = -1, .leader_epoch = -1}};
    rc = plog_lock(ref, &slot, err);
    if (rc != 0)
        return rc;
    wake_batch_init(&wake);
    rc = append_locked(slot, args, ret, &wake, err);
    plog_unlock(slot);
    crashpoint("replica.unlocked");
    wake_batch_flush(&wake);
    plog_write_early(ref, &ret->log.filled);
    plog_store_roll(ref, ret->log.snapshot);
    ret->log.snapshot = NULL;
    return rc;
}

/* ---- waiting ------------------------------------------------------------------------------------ */

/* The in-sync replicas have it: are there enough, and is that enough? */
static int
check_isr(PartitionSlot *slot, const PslotLeadership *leadership, ReplicaWait *wait, ErrInfo *err)
{
    TopicSettings settings;
    PartitionView view;
    WakeBatch wake;

    pslot_settings(slot, &settings);
    view = view_of(leadership, &settings);
    if (!partition_may_append_all(&view))
        return err_set(err, OT_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND, "%d in sync, %d wanted",
                       (int)view.isr_count, (int)partition_effective_min_isr(&view));
    wait->for_hw = false;
    if (!wait->for_disk && partition_needs_disk(&view)) {
        /* The ISR shrank to this node meanwhile. */
        wait->for_disk = true;
        wake_batch_init(&wake);
        plog_request_commit(slot, FLUSH_NOW, &wake);
        wake_batch_flush(&wake);
    }
    return 0;
}

int
replica_check_wait(PartitionRef ref, ReplicaWait *wait, ErrInfo *err)
{
    PartitionSlot *slot = pslot_find(ref);
    PslotLeadership leadership;
    PlogOffsets offsets;
    int rc;

    if (slot == NULL)
        return no_partition(err);
    leadership = pslot_leadership(slot);
    if (wait->leader_epoch >= 0 &&
        (leadership.role != PSLOT_ROLE_LEADER || leadership.leader_epoch != wait->leader_epoch))
        return not_leader(slot, err);
    if (pslot_state(slot) == PSLOT_FAILED)
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "log of %s-%d cannot be used", slot->topic,
                       (int)slot->partition);
    if (!plog_offsets_peek(ref, &offsets))
        return no_partition(err); /* open since the append: it is being deleted */
    if (wait->for_hw && offsets.high_watermark > wait->last_offset) {
        rc = check_isr(slot, &leadership, wait, err);
        if (rc != 0)
            return rc;
    }
    if (wait->for_disk && offsets.durable_offset > wait->last_offset)
        wait->for_disk = false;
    if (wait->for_disk && logdir_state(pslot_dir(slot)) == LOGDIR_FAILED)
        return err_set(err, OT_E_KAFKA_STORAGE_ERROR, "log directory %s failed",
                       logdir_path(pslot_dir(slot)));
    return 0;
}

uint32_t
replica_wait_mask(const ReplicaWait *wait)
{
    return WAIT_ON_STATE | (wait->for_hw ? WAIT_ON_HIGH_WATERMARK : 0) |
           (wait->for_disk ? WAIT_ON_DURABLE : 0);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

int
replica_delete_records(PartitionRef ref, int64_t offset, int64_t *ret_low_watermark, ErrInfo *err)
{
    int rc = replica_check_leader(ref, -1, err);
    PartitionSlot *slot;
    WakeBatch wake;

    if (rc == 0)
        rc = plog_lock(ref, &slot, err);
    if (rc != 0)
        return rc;
    wake_batch_init(&wake);
    rc = plog_delete_records_locked(slot, offset, ret_low_watermark, err);
    if (rc == 0)
        wait_notify(&slot->waiters, (uint32_t)pslot_index(slot), WAIT_ON_STATE, clock_mono_us(),
                    &wake);
    plog_unlock(slot);
    wake_batch_flush(&wake);
    return rc;
}
