/*
 * meta_int.h - what handlers need of the metadata image: which partition is meant, who leads it
 *
 * The image is pinned by the caller within one stretch of code, never across a wait, a socket write
 * or a file access. What is kept longer is a PartitionRef or a copy.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_META_INT_H
#define OTTLA_BACKEND_META_INT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/errlist.h"
#include "ottla/common/view.h"
#include "ottla/controller/image.h"
#include "ottla/ipc/listeners.h"
#include "ottla/ipc/slot.h"
#include "ottla/storage/partition_slot.h"

/* Authorized operations where everything is allowed (admin-and-security.md 2.6). */
#define META_TOPIC_OPERATIONS   3576
#define META_CLUSTER_OPERATIONS 8096
#define META_NO_OPERATIONS      INT32_MIN

struct Conn;

typedef struct MetaPartition {
    PartitionRef ref; /* PARTITION_REF_NONE: not hosted here */
    int32_t leader;   /* -1: none */
    int32_t leader_epoch;
} MetaPartition;

/* False: no such topic, or it has no such partition. */
bool meta_find(const Image *image, StrView topic, int32_t partition, MetaPartition *ret);
bool meta_find_by_id(const Image *image, Uuid id, int32_t partition, MetaPartition *ret);

/* Others see that the present request is about this partition; the first of a request is enough. slot may be NULL. */
static inline void
meta_show_partition(PartitionRef ref, const PartitionSlot *slot)
{
    uint64_t key;

    static_assert(sizeof key == sizeof ref, "a key for as long as the partition is there");
    if (slot == NULL)
        return;
    memcpy(&key, &ref, sizeof key);
    slot_set_topic(key, slot->topic, slot->partition);
}

/* Name of the listener whose endpoints this connection is told. */
StrView meta_listener(const struct Conn *conn);

/* Copies out of the image; ptr NULL when the arena is full. */
StrView meta_copy(Arena *arena, StrView text);

/* Replicas that are not alive, or lie in a log directory that failed. */
int32_t *meta_offline(const Image *image, const ImagePartition *part, Arena *arena,
                      int32_t *ret_count);

/* 0, LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND: can this listener's clients reach the leader? */
int16_t meta_leader_fault(const Image *image, int32_t leader, StrView listener);

#endif
