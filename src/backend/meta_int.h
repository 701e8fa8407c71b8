/*
 * meta_int.h - what most handlers need of the metadata image: which partition is meant
 *
 * A view pins the image; it is opened and closed within one stretch of code, never across a wait, a
 * socket write or a file access. What is kept longer is a PartitionRef.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_META_INT_H
#define OTTLA_BACKEND_META_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"
#include "ottla/controller/image.h"
#include "ottla/storage/partition_slot.h"

/* Authorized operations where everything is allowed (admin-and-security.md 2.6). */
#define META_TOPIC_OPERATIONS   3576
#define META_CLUSTER_OPERATIONS 8096
#define META_NO_OPERATIONS      INT32_MIN

typedef struct MetaPartition {
    PartitionRef ref; /* PARTITION_REF_NONE: not hosted here */
    int32_t leader;   /* -1: none */
    int32_t leader_epoch;
} MetaPartition;

/* False: no such topic, or it has no such partition. */
bool meta_find(const Image *image, StrView topic, int32_t partition, MetaPartition *ret);
bool meta_find_by_id(const Image *image, Uuid id, int32_t partition, MetaPartition *ret);

#endif
