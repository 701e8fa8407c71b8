/*
 * offsets_kit.h - steps that tests about offsets share: commit, fetch, delete, load again
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_OFFSETS_KIT_H
#define TEST_OFFSETS_KIT_H

#include "groups/group_kit.h"
#include "groups/offsets_int.h"

/* One partition of a commit, by anybody (generation -1, no member) unless said. */
typedef struct OneCommit {
    const char *group;
    const char *topic;
    int32_t partition;
    int64_t offset;
    const char *metadata; /* NULL: null */
    const char *member;   /* NULL: "" */
    int32_t generation;   /* used with a member or from_member */
    bool from_member;
    int16_t version;      /* 0: 9 */
    int64_t retention_ms; /* of versions 2 to 4; 0: none is given */
    bool retention_given; /* retention_ms counts even when 0 */
    int32_t leader_epoch; /* of versions 6 and later; -1: none */
} OneCommit;

/* The code of the partition, or the status of the whole. */
int16_t commit_one(GroupKit *kit, GroupShard *shard, const OneCommit *one);

/* Commits plainly; must succeed. */
void commit_plain(GroupKit *kit, GroupShard *shard, const char *group, const char *topic,
                  int32_t partition, int64_t offset);

/* What a fetch of one partition says; texts live until the next step. */
OffsetFetchResponseGroupPartition fetch_one_offset(GroupKit *kit, GroupShard *shard,
                                                   const char *group, const char *topic,
                                                   int32_t partition, bool stable);
/* The offset, -1 when there is none; any error fails the test. */
int64_t offset_of(GroupKit *kit, GroupShard *shard, const char *group, const char *topic,
                  int32_t partition);

/* Everything of a group, by version 9. */
OffsetFetchResponseGroup fetch_everything(GroupKit *kit, GroupShard *shard, const char *group);

/* The code of the partition, or the status of the whole. */
int16_t delete_one(GroupKit *kit, GroupShard *shard, const char *group, const char *topic,
                   int32_t partition);

/* What TxnOffsetCommit leaves in the log. */
void commit_pending(GroupKit *kit, GroupShard *shard, int64_t producer_id, const char *group,
                    const char *topic, int32_t partition, int64_t offset);

/* A new shard made of the kit's log, and loaded. */
GroupShard *load_again(GroupKit *kit);

/* Unloads it, so that everybody is answered, and frees it. */
void unload(GroupKit *kit, GroupShard *shard);

#endif
