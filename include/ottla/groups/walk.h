/*
 * walk.h - groups and their committed offsets, page by page, for the statistics
 *
 * A page is bounded in groups, offsets and bytes. A place names the group to go on with by its id and by the serial
 * of its making, so that a walk goes on exactly where it stood while groups come and go: what exists all
 * the time is met once. The walk changes nothing and writes nothing.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_WALK_H
#define OTTLA_GROUPS_WALK_H

#include "ottla/groups/shard.h"
#include "ottla/protocol/msg_group_walk.h"

#define WALK_PAGE_GROUPS  1000
#define WALK_PAGE_OFFSETS 1000
#define WALK_PAGE_BYTES   (1 << 20) /* of texts; the group or partition that passes it is the last */

typedef enum GroupWalkWhat {
    WALK_SHARDS,
    WALK_GROUPS,
    WALK_OFFSETS,
    WALK_WHAT_COUNT
} GroupWalkWhat;

/* A page on its way. Texts in it point into the shard, arrays lie in the arena. */
typedef struct GroupWalk {
    Arena *arena;
    bool with_offsets;
    GroupWalkResponse *out;
    int32_t group_room;
    int32_t offset_count;
    int64_t bytes;
    bool failed; /* no memory */
} GroupWalk;

void group_walk_begin(GroupWalk *walk, Arena *arena, bool with_offsets, GroupWalkResponse *out);

/*
 * Adds groups of the shard to the page, from the place on; a place without a group begins. True: the shard is over;
 * false: the page is full (out->next says where it goes on, but for the shard), or failed.
 */
bool shard_walk(const GroupShard *shard, GroupEnv *env, GroupWalk *walk,
                const GroupWalkRequestPlace *place);

/* The same for the group of the place alone; nothing when there is no such group. */
bool shard_walk_group(const GroupShard *shard, GroupEnv *env, GroupWalk *walk,
                      const GroupWalkRequestPlace *place);

#endif
