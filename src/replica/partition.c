/*
 * partition.c - what a change of one partition means: the pure decisions of a leader
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/replica/partition.h"

int32_t
partition_effective_min_isr(const PartitionView *view)
{
    return view->min_isr < view->replica_count ? view->min_isr : view->replica_count;
}

bool
partition_may_append_all(const PartitionView *view)
{
    return view->isr_count >= partition_effective_min_isr(view);
}

bool
partition_hw_follows(const PartitionView *view)
{
    return (view->replica_count <= 1 || view->isr_count <= 1) && partition_may_append_all(view);
}

PartitionActions
partition_leo_advanced(const PartitionView *view)
{
    PartitionActions actions = {.high_watermark = view->high_watermark, .wake = PARTITION_WAIT_LEO};

    /* Followers report by their next fetch; alone, what is written is committed. */
    if (partition_hw_follows(view))
        actions.high_watermark = view->log_end;
    if (actions.high_watermark != view->high_watermark)
        actions.wake |= PARTITION_WAIT_HW;
    return actions;
}

bool
partition_needs_disk(const PartitionView *view)
{
    switch (view->durability) {
    case TOPIC_DURABILITY_AUTO:
        return view->isr_count <= 1;
    case TOPIC_DURABILITY_DISK:
        return true;
    case TOPIC_DURABILITY_MEMORY:
        break;
    }
    return false;
}

bool
partition_flush_is_due(int64_t log_end, int64_t durable, int64_t flush_messages)
{
    return log_end - durable >= flush_messages;
}

PartitionFencing
partition_check_epoch(int32_t current, int32_t local)
{
    if (current == -1 || current == local)
        return PARTITION_EPOCH_OK;
    return current < local ? PARTITION_EPOCH_FENCED : PARTITION_EPOCH_UNKNOWN;
}
