/*
 * assignor_int.h - who gets which partition
 *
 * Pure functions of numbers: topics and members are counted from 0, topics in the order of their ids,
 * members in the order of their ids, so that the same group gives the same answer after a reload. Every
 * partition of a topic with a subscriber is given to exactly one subscriber.
 *
 * An assignment is computed in steps, so that a large one does not keep others waiting: assign_range or
 * assign_uniform begins it, assign_step goes on. What is said in Assign must not change meanwhile. Where
 * the steps end does not show in the answer.
 *
 * Spec: groups-and-transactions.md 4.6. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_ASSIGNOR_INT_H
#define OTTLA_GROUPS_ASSIGNOR_INT_H

#include "ottla/common/arena.h"

typedef struct AssignPart {
    int32_t topic;
    int32_t partition;
} AssignPart;

typedef struct AssignMember {
    StrView instance_id;   /* null: none; the range assignor puts those who have one first */
    const int32_t *topics; /* subscribed: rising numbers */
    int32_t topic_count;
    const AssignPart
        *current; /* by topic, then partition; what is not subscribed any more is dropped */
    int32_t current_count;
    AssignPart *ret; /* the answer: by topic, then partition */
    int32_t ret_count;
} AssignMember;

typedef struct Assign Assign;

struct Assign {
    Arena *arena;              /* of answers and of what is needed meanwhile */
    const int32_t *partitions; /* how many each topic has */
    int32_t topic_count;
    AssignMember *members;
    int32_t member_count;
    bool homogeneous; /* all members have the same topics */
    /* the assignor's own */
    int (*step)(Assign *assign, int64_t *budget);
    void *work;
};

/* Each topic is cut into ranges of its own. OT_E_NO_MEMORY. */
int assign_range(Assign *assign) __attribute__((warn_unused_result));

/* All partitions together are spread evenly; who has some keeps what it may. OT_E_NO_MEMORY. */
int assign_uniform(Assign *assign) __attribute__((warn_unused_result));

/*
 * Goes on while *budget is above 0, and takes from it what that cost: about 1 for each partition, member
 * or subscription that was touched, some nanoseconds. 0: every ret is there; 1: there is more to do;
 * OT_E_NO_MEMORY.
 */
int assign_step(Assign *assign, int64_t *budget) __attribute__((warn_unused_result));

#endif
