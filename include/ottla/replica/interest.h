/*
 * interest.h - registering with the partitions whose progress somebody waits for
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_REPLICA_INTEREST_H
#define OTTLA_REPLICA_INTEREST_H

#include <stdint.h>

#include "ottla/ipc/waitlist.h"
#include "ottla/storage/partition_slot.h"

typedef enum InterestResult {
    INTEREST_REGISTERED, /* look at the partition now, then sleep */
    INTEREST_GONE,       /* the partition is deleted */
    INTEREST_POLL,       /* no node is free: nobody will wake the waiter */
} InterestResult;

typedef struct Interest {
    PartitionRef ref;
    uint32_t mask; /* WaitMask */
    uint32_t key;  /* the waiter's name for it */
} Interest;

/*
 * wait_register for a partition; io_node as there. When all nodes are used up, those that still hang
 * unwanted in lists are taken out, under the append locks of their partitions.
 */
InterestResult interest_register(WaiterId waiter, const Interest *interest, int32_t *io_node);

#endif
