/*
 * shard.h - the groups and offsets of one partition of __consumer_offsets
 *
 * A pure state machine (env.h says what goes in and comes out). One process owns a shard; nothing in
 * here is shared. Every operation answers its caller's token exactly once: at once, or later out of
 * another operation (a parked JoinGroup), or by shard_unload.
 *
 * Order of use: shard_new, shard_replay of every record in the log, shard_loaded; then operations,
 * shard_tick when shard_next_timer_us is reached; shard_unload, shard_free.
 *
 * Spec: groups-and-transactions.md 1.4-1.6, 2-4; observed.md 12. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_SHARD_H
#define OTTLA_GROUPS_SHARD_H

#include "ottla/common/err.h"
#include "ottla/groups/env.h"
#include "ottla/protocol/msg_consumer_group_describe.h"
#include "ottla/protocol/msg_consumer_group_heartbeat.h"
#include "ottla/protocol/msg_describe_groups.h"
#include "ottla/protocol/msg_heartbeat.h"
#include "ottla/protocol/msg_join_group.h"
#include "ottla/protocol/msg_leave_group.h"
#include "ottla/protocol/msg_offset_commit.h"
#include "ottla/protocol/msg_offset_delete.h"
#include "ottla/protocol/msg_offset_fetch.h"
#include "ottla/protocol/msg_sync_group.h"

typedef struct GroupShard GroupShard;

/*
 * Memory of all shards of a worker (coordinator.worker.memory.bytes). Above nine tenths of the limit
 * nothing new is taken in: groups, members, offset keys; what exists goes on (8.8).
 */
typedef struct GroupMemory {
    size_t used;
    size_t limit;
    struct GroupMemory *parent; /* counts, too, and its limit is the one that holds; NULL: none */
} GroupMemory;

/* An empty shard; seed: of its hash tables. NULL: no memory. */
GroupShard *shard_new(int32_t partition, GroupMemory *memory, uint64_t seed);

/* Gives all memory back. NULL is fine. */
void shard_free(GroupShard *shard);

/* ---- loading ------------------------------------------------------------------------------------ */

/* What a record of the log says beside key and value. */
typedef struct ReplayRecord {
    BytesView key;
    BytesView value; /* ptr NULL: a tombstone */
    int64_t offset;
    int64_t timestamp_ms;
    int64_t producer_id; /* of a transactional batch; -1: plain */
} ReplayRecord;

/*
 * Applies one record: of the log while loading, or of another's log at any time. Unknown types are skipped.
 * OT_E_CORRUPT: a known type that cannot be read; the shard must not be used.
 */
int shard_replay(GroupShard *shard, const ReplayRecord *record, ErrInfo *err);

/*
 * The marker of a transaction: what the producer id left pending is taken over, unless something was written later,
 * or dropped (3.6). While loading for each control batch, and when a marker was appended.
 */
void shard_end_transaction(GroupShard *shard, int64_t producer_id, bool commit);

/* The log's end was reached: timers start with their full length, groups above max_size rebalance. */
void shard_loaded(GroupShard *shard, GroupEnv *env);

/* Answers everybody who is parked with the status, and forgets all timers. */
void shard_unload(GroupShard *shard, GroupEnv *env, int16_t status);

/* ---- time and change ----------------------------------------------------------------------------- */

/* When shard_tick is to be called next (monotonic); INT64_MAX: never. May be early, never late. */
int64_t shard_next_timer_us(const GroupShard *shard);

/*
 * Does what is due for one timer, at most; true: more is due now (call again with an empty out, so
 * that each timer's records are a unit of their own).
 */
bool shard_tick(GroupShard *shard, GroupEnv *env);

/* The owner was stopped for this long: deadlines of sessions move by it (8.6). */
void shard_add_stall(GroupShard *shard, int64_t stall_us);

/*
 * The metadata changed: offsets of topics that are gone (or have another id) become tombstones,
 * groups that subscribe to a topic that changed compute anew at their next heartbeat. One unit of bounded
 * size; true: call again, there is more.
 */
bool shard_metadata_changed(GroupShard *shard, GroupEnv *env);

/* How far a walk through the groups has come; zeroed: at the beginning. */
typedef struct ExpiryCursor {
    uint32_t bucket;
} ExpiryCursor;

/* Offset expiry (3.5) of some groups; one unit. True: call again, with what *cursor is now. */
bool shard_expire_offsets(GroupShard *shard, GroupEnv *env, ExpiryCursor *cursor);

/* ---- operations ---------------------------------------------------------------------------------- */

/*
 * Where a client hangs up while it is parked nobody tells the shard: the member stays, its timers decide, and a
 * reply to its token goes nowhere.
 */
void shard_join_group(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                      const JoinGroupRequest *request);
void shard_sync_group(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                      const SyncGroupRequest *request);
void shard_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                     const HeartbeatRequest *request);
void shard_leave_group(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                       const LeaveGroupRequest *request);
void shard_consumer_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                              const ConsumerGroupHeartbeatRequest *request);
/*
 * Topics and partitions that do not exist are the backend's to answer (3.2); one that went meanwhile gets 3 here, or
 * 100 in version 10, which names topics by id alone.
 */
void shard_offset_commit(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                         const OffsetCommitRequest *request);
void shard_offset_delete(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                         const OffsetDeleteRequest *request);

/*
 * The following answer for one group of a request that may name several; they reply to nobody: the
 * caller merges, and holds the whole reply until `REPLY_REPLICATED` holds for the shard. Results lie in
 * env->out's arena; texts of them in the shard.
 */
void shard_offset_fetch(GroupShard *shard, GroupEnv *env, int16_t version, bool require_stable,
                        const OffsetFetchRequestGroup *group, OffsetFetchResponseGroup *ret);
void shard_describe_classic(GroupShard *shard, GroupEnv *env, int16_t version, StrView group_id,
                            DescribeGroupsResponseGroup *ret);
void shard_describe_consumer(GroupShard *shard, GroupEnv *env, StrView group_id,
                             ConsumerGroupDescribeResponseGroup *ret);

/* 0, or the code of this group; the tombstones are in the out. Then the reply waits for their commit. */
int16_t shard_delete_group(GroupShard *shard, GroupEnv *env, StrView group_id);

/* One group of a list. */
typedef struct GroupListing {
    StrView group_id;
    StrView protocol_type;
    const char *state; /* "Stable" */
    const char *type;  /* "classic", "consumer" */
    int32_t members;
    int64_t bytes; /* memory that it takes, about */
} GroupListing;

/* Calls back for each group, in no order, until it says false. */
void shard_list(GroupShard *shard, GroupEnv *env, bool (*each)(void *ctx, const GroupListing *one),
                void *ctx);

/* ---- for statistics and tests ----------------------------------------------------------------------- */

typedef struct ShardCounts {
    int64_t groups;
    int64_t members;
    int64_t offsets;
    int64_t bytes;
} ShardCounts;

ShardCounts shard_counts(const GroupShard *shard);

/* Asserts every invariant of the spec on the whole state; O(state). For tests. */
void shard_check(const GroupShard *shard);

#endif
