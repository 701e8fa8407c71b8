/*
 * partition_change.h - one change of one partition: elections, reassignments, ISR and ELR in one place
 *
 * All changes of existing partitions that are decided by the controller go through it, in the order of
 * cluster.md 3.8: a reassignment that can end ends, the ELR follows, a leader is elected, epochs grow
 * where they must. It reads the image and changes nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_PARTITION_CHANGE_H
#define OTTLA_CONTROLLER_PARTITION_CHANGE_H

#include "controller/decide.h"

typedef enum ElectionMode {
    ELECT_ONLINE,    /* the leader stays when it may; no data is lost */
    ELECT_PREFERRED, /* the first replica leads when it may; no data is lost */
    ELECT_UNCLEAN,   /* as ELECT_ONLINE, and at worst any live replica */
} ElectionMode;

/* No broker leaves. */
#define NO_BROKER (-1)

/* A change being made: begun from what the image says, then the caller sets what shall be. */
typedef struct PartitionChange {
    const DecideContext *c;
    Uuid topic_id;
    StrView topic;
    ImagePartition old;
    ImagePartition wanted; /* replicas, isr, removing, adding, directories: to be set */
    ElectionMode mode;
    int32_t leaving; /* a broker that may not lead any more, though the image still has it */
} PartitionChange;

/* Everything as it is, mode ONLINE, or UNCLEAN when the topic's settings allow that. */
PartitionChange partition_change_begin(const DecideContext *c, const ImageTopic *topic,
                                       const ImagePartition *now);

/*
 * Adds the PartitionChangeRecord that brings about what is wanted. False: nothing changes.
 * No memory: records->no_memory.
 */
bool partition_change_end(PartitionChange *change, RecordList *records);

/* Does a list of broker ids hold one? */
bool ids_contain(const int32_t *ids, int32_t count, int32_t id);

/* Those of a list that are, or are not, in another; NULL: no memory. */
int32_t *ids_without(Arena *arena, const int32_t *ids, int32_t count, const int32_t *others,
                     int32_t other_count, int32_t *ret_count);

/* Is unclean election allowed for the topic (unclean.leader.election.enable)? */
bool topic_allows_unclean(const DecideContext *c, StrView topic);

#endif
