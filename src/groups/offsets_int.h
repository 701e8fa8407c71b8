/*
 * offsets_int.h - how a group's offsets lie in memory
 *
 * A name that somebody committed to stands once per shard (ShardTopic); each group that did has an OffsetTopic below
 * it, with its partitions in an array without order, found through a table of places in it once there are more than a
 * few. So an offset takes 64 bytes and its share of array and table, a change of the metadata costs one look per
 * name, and what leaves the shard in order (a fetch of everything) is sorted when it is asked for.
 *
 * What a transaction has committed and not ended yet is pending (3.6): it hangs on the partition, where a fetch of
 * stable offsets sees it, and on the transaction, which takes it over or drops it.
 *
 * Which of two offsets was written later is told by a serial that follows the order of the log.
 *
 * Invariants (offsets_check): the table finds each entry, each partition is in once; an OffsetTopic holds at least
 * one offset, committed or pending, and a ShardTopic at least one OffsetTopic; counts are what is there.
 *
 * Spec: groups-and-transactions.md 3, 8.8; observed.md 12. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_OFFSETS_INT_H
#define OTTLA_GROUPS_OFFSETS_INT_H

#include "groups/group_int.h"

/* Records of one unit that is cut where it pleases: tombstones of expiry and of topics that are gone. */
#define OFFSETS_UNIT_RECORDS 1000

/* Text behind its length. */
typedef struct OffsetText {
    int32_t len;
    char text[];
} OffsetText;

typedef struct OffsetEntry {
    int64_t offset;
    int64_t commit_ms;
    int64_t expire_ms; /* -1: by the rules of the group */
    uint64_t serial;
    OffsetText *metadata; /* NULL: empty */
    Uuid topic_id;        /* zero: not known */
    int32_t partition;
    int32_t leader_epoch; /* -1: none */
} OffsetEntry;

/* What is committed, before it is anybody's. */
typedef struct OffsetValue {
    int64_t offset;
    int64_t commit_ms;
    int64_t expire_ms;
    Uuid topic_id;
    StrView metadata;
    int32_t leader_epoch;
} OffsetValue;

typedef struct OffsetTopic OffsetTopic;

typedef struct ShardTopic {
    MapNode node; /* in shard->topics */
    StrView name;
    Uuid id;            /* which all its offsets have that have one */
    bool mixed;         /* not so: some have another */
    OffsetTopic *first; /* of each group */
} ShardTopic;

struct OffsetTopic {
    MapNode node; /* in group->offsets.topics */
    ShardTopic *topic;
    OffsetTopic *next, *prev; /* of the ShardTopic */
    Group *group;
    OffsetEntry *entries;
    uint32_t count;
    uint32_t room;
    uint32_t *slots; /* place of an entry, from 1; 0: free. NULL while there are few */
    uint32_t slot_mask;
    Map pending; /* of PendingPartition */
};

typedef struct PendingOffset PendingOffset;

typedef struct PendingPartition {
    MapNode node; /* by the bytes of partition */
    OffsetTopic *topic;
    int32_t partition;
    PendingOffset *first; /* one per transaction */
} PendingPartition;

typedef struct PendingTransaction {
    MapNode node; /* in shard->transactions, by the bytes of producer_id */
    int64_t producer_id;
    PendingOffset *first;
} PendingTransaction;

struct PendingOffset {
    PendingPartition *partition;
    PendingTransaction *transaction;
    PendingOffset *next, *prev;         /* of the partition */
    PendingOffset *txn_next, *txn_prev; /* of the transaction */
    OffsetEntry entry;
};

/* ---- offset_table.c -------------------------------------------------------------------------------- */

/* NULL: the group has nothing there. */
OffsetTopic *offset_topic_find(const Group *group, StrView name);
/* Made when it is not there; the caller puts something in, or calls offset_topic_release. */
OffsetTopic *offset_topic_get(GroupShard *shard, Group *group, StrView name);
/* Frees it when it holds nothing. True: it is gone. */
bool offset_topic_release(GroupShard *shard, OffsetTopic *topic);

/* NULL: nothing committed. Valid until the next put or remove. */
OffsetEntry *offset_find(const OffsetTopic *topic, int32_t partition);
/* Replaces what is there; the metadata is the table's from now on. */
void offset_put(GroupShard *shard, OffsetTopic *topic, const OffsetEntry *entry);
/* An offset of this name has this id: one for all, or mixed until shard_metadata_changed has looked. */
void offset_note_id(ShardTopic *topic, Uuid id);
/* The last entry takes its place, so walk backwards when removing. The topic stays, even without entries. */
void offset_remove(GroupShard *shard, OffsetTopic *topic, OffsetEntry *entry);

void offset_text_free(GroupShard *shard, Group *group, OffsetText *text);
StrView offset_metadata(const OffsetEntry *entry);

/* The entry of a value, with the next serial. */
OffsetEntry offset_entry(GroupShard *shard, Group *group, int32_t partition,
                         const OffsetValue *value);

/* ---- offsets_pending.c ------------------------------------------------------------------------------- */

bool pending_is(const OffsetTopic *topic, int32_t partition);
void pending_put(GroupShard *shard, OffsetTopic *topic, int64_t producer_id,
                 const OffsetEntry *entry);
/* Drops what all transactions left there. False: nothing. */
bool pending_drop(GroupShard *shard, OffsetTopic *topic, int32_t partition);
void pending_drop_all(GroupShard *shard, OffsetTopic *topic);
void pending_check(const GroupShard *shard);

/* ---- offsets.c ---------------------------------------------------------------------------------------- */

/* Takes an offset in that stands in the log. producer_id -1: committed; else pending. */
void offsets_apply(GroupShard *shard, Group *group, int64_t producer_id, StrView topic,
                   int32_t partition, const OffsetValue *value);
/* The same for a tombstone. */
void offsets_apply_tombstone(GroupShard *shard, Group *group, StrView topic, int32_t partition);

void offsets_write_tombstone(GroupEnv *env, StrView group, StrView topic, int32_t partition);

#endif
