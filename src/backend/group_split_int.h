/*
 * group_split_int.h - keys of one request that several workers answer: who gets which, and where its answer is
 *
 * The keys of a worker travel in one message in the order of the request; place says which of its answers is
 * whose. pure
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_GROUP_SPLIT_INT_H
#define OTTLA_BACKEND_GROUP_SPLIT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"

#define SPLIT_PARTS_MAX 16

typedef struct SplitKey {
    int32_t part;  /* -1: answered with the code, or like another one, or left out */
    int32_t place; /* within its part */
    int16_t code;
    int32_t like;  /* stands earlier in the request, there, and gets that answer; -1: no */
    bool left_out; /* stands earlier in the request, and gets no answer of its own */
} SplitKey;

typedef struct GroupSplit {
    SplitKey *keys; /* in the request's order */
    int32_t count;
    int32_t counts[SPLIT_PARTS_MAX]; /* keys of each part */
    int32_t left;                    /* keys that are not left out */
} GroupSplit;

/* Nothing is routed so far. False: no memory. */
bool group_split_init(GroupSplit *split, int32_t count, Arena *arena);

/* Each id that stands earlier in the list is left out, or answered like that one. False: no memory. */
bool group_split_unique(GroupSplit *split, const StrView *ids, bool leave_out, Arena *arena);

/* Gives the i-th key to a part, or (code not 0) to none. In order, each once; those left out are passed over. */
void group_split_put(GroupSplit *split, int32_t i, int32_t part, int16_t code);

/* The only part that has keys, when it has all of them: -1 when there is no such part. */
int32_t group_split_only(const GroupSplit *split);

#endif
