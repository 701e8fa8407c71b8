/*
 * group_int.h - a shard and its groups: what the files of this folder share
 *
 * A Group is a name that owns offsets and is either a classic group (classic_int.h) or a consumer group
 * (consumer_int.h); conversion replaces the one by the other and keeps the offsets. A group that was
 * only committed to is a classic one without protocol type ("simple"). shard.c finds the group and calls the
 * kind; each kind answers for its own state, records and timers.
 *
 * Functions of a kind change state at once and put records and replies into env->out. In their names:
 * classic_*, consumer_*, offsets_*.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_GROUP_INT_H
#define OTTLA_GROUPS_GROUP_INT_H

#include "groups/map_int.h"
#include "groups/memory_int.h"
#include "groups/timers_int.h"
#include "ottla/common/errlist.h"
#include "ottla/groups/shard.h"
#include "ottla/protocol/msg_group_records.h"

typedef struct ClassicGroup ClassicGroup;   /* classic_int.h */
typedef struct ConsumerGroup ConsumerGroup; /* consumer_int.h */

/* Which timer is due; what it lies within follows from it. */
typedef enum TimerKind {
    TIMER_CLASSIC_PENDING, /* a member id that was handed out */
    TIMER_CLASSIC_MEMBER,  /* join of a new member, or its session */
    TIMER_CLASSIC_JOIN,    /* of a ClassicGroup */
    TIMER_CLASSIC_SYNC,
    TIMER_CONSUMER_SESSION,   /* of a ConsumerMember */
    TIMER_CONSUMER_REBALANCE, /* gives partitions back in time */
    TIMER_CONSUMER_JOIN,      /* a classic member of a consumer group */
    TIMER_CONSUMER_SYNC,
    TIMER_CONSUMER_REGEX,  /* the next slice of resolving expressions */
    TIMER_CONSUMER_TARGET, /* the next slice of computing a target */
    TIMER_KIND_COUNT
} TimerKind;

/* Committed offsets of a group: by topic, then by partition (offsets_int.h). */
typedef struct GroupOffsets {
    Map topics;            /* of OffsetTopic */
    int32_t count;         /* committed */
    int32_t pending_count; /* in open transactions */
    size_t bytes;          /* of memory */
} GroupOffsets;

typedef struct Group {
    MapNode node;              /* in shard->groups */
    struct Group *next, *prev; /* in order of being made */
    uint64_t serial;           /* which grows in that order */
    StrView id;
    ClassicGroup *classic;   /* one of these two is there, */
    ConsumerGroup *consumer; /* the other NULL */
    GroupOffsets offsets;
} Group;

struct GroupShard {
    int32_t partition;
    GroupMemory own;     /* what this shard takes; below the worker's */
    GroupMemory *memory; /* &own */
    uint64_t seed;
    Arena *scratch; /* arrays of the record that is replayed */
    Map groups;     /* of Group */
    Group *first, *last;
    uint64_t group_serial; /* of the last group that was made */
    GroupTimers timers;
    int64_t member_count;
    int64_t offset_count;
    Map topics;       /* of ShardTopic: names that offsets were committed to (offsets_int.h) */
    Map transactions; /* of PendingTransaction: open ones with offsets, by producer id */
    uint64_t offset_serial;    /* of the offset written last, pending ones included */
    uint64_t metadata_told;    /* version that consumer groups have heard of */
    uint64_t metadata_version; /* that shard_metadata_changed has worked off */
    bool loaded;
};

/* ---- shard.c ------------------------------------------------------------------------------------ */

/* NULL: none. */
Group *shard_find_group(const GroupShard *shard, StrView id);

/* A new simple classic group; the id must be free. NULL: memory is tight, nothing new is taken in. */
Group *shard_add_group(GroupShard *shard, StrView id);

/* The same for what the log says: never refused. */
Group *shard_add_group_of_log(GroupShard *shard, StrView id);

/* Memory that it takes, about. */
int64_t group_bytes(const Group *group);

/* Frees the group, with offsets, members and timers; no records. Nobody may be parked in it. */
void shard_drop_group(GroupShard *shard, Group *group);

/* ---- classic groups: classic*.c -------------------------------------------------------------------- */

/* Gives the group an empty classic body; it has none. */
void classic_attach(GroupShard *shard, Group *group);
/* Takes it away, with members and timers. Nobody may be parked. */
void classic_detach(GroupShard *shard, Group *group);

/*
 * group NULL: it does not exist, and is made where the rules say so. Checks of the request alone (empty id,
 * session timeout) are made here, too. A consumer group comes here only when it is empty: it is replaced.
 */
void classic_join(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                  const JoinGroupRequest *request, Group *group);
void classic_sync(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                  const SyncGroupRequest *request, Group *group);
void classic_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                       const HeartbeatRequest *request, Group *group);
void classic_leave(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                   const LeaveGroupRequest *request, Group *group);
void classic_timer(GroupShard *shard, GroupEnv *env, GroupTimer *timer);

/* value NULL: a tombstone; the caller drops the group when nothing is left of it. */
void classic_replay(GroupShard *shard, Group *group, const GroupMetadataValue *value);
void classic_loaded(GroupShard *shard, GroupEnv *env, Group *group);
void classic_unload(GroupShard *shard, GroupEnv *env, Group *group, int16_t status);

/*
 * Whether an offset commit is taken (3.2): 0 or the code for all partitions. Re-arms the session of a member.
 * transactional: TxnOffsetCommit (3.6).
 */
int16_t classic_check_commit(GroupShard *shard, GroupEnv *env, Group *group, StrView member_id,
                             StrView instance_id, int32_t generation, bool transactional);

/* No members; ids may have been handed out all the same. */
bool classic_is_empty(const Group *group);
/* Has no protocol type: lives for its offsets alone. */
bool classic_is_simple(const Group *group);
const char *classic_state_text(const Group *group);
StrView classic_protocol_type(const Group *group); /* "" when there is none */
int32_t classic_member_count(const Group *group);

/* Is somebody subscribed to the topic? Unknown subscriptions of a consumer-type group: yes. */
bool classic_subscribes(const Group *group, StrView topic);

/* Since when offsets of this group grow old (3.5): *ret_since_ms -1: since each was committed. False: they do not. */
bool classic_offsets_expire(const Group *group, int64_t *ret_since_ms, bool *ret_only_unsubscribed);

void classic_describe(const Group *group, GroupEnv *env, int16_t version,
                      DescribeGroupsResponseGroup *ret);

/* Tombstone of the group's record, if it has one. */
void classic_write_tombstone(GroupEnv *env, const Group *group);
void classic_check(const GroupShard *shard, const Group *group);

/* ---- consumer groups: consumer*.c ---------------------------------------------------------------- */

void consumer_attach(GroupShard *shard, Group *group);
void consumer_detach(GroupShard *shard, Group *group);

/* group NULL: it does not exist. A classic group comes here, too: replaced when empty, else upgraded (4.11). */
void consumer_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                        const ConsumerGroupHeartbeatRequest *request, Group *group);

/* Classic requests on a consumer group with members (4.11). */
void consumer_classic_join(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                           const JoinGroupRequest *request, Group *group);
void consumer_classic_sync(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                           const SyncGroupRequest *request, Group *group);
void consumer_classic_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                                const HeartbeatRequest *request, Group *group);
void consumer_classic_leave(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                            const LeaveGroupRequest *request, Group *group);
void consumer_timer(GroupShard *shard, GroupEnv *env, GroupTimer *timer);

/* Records 3 to 8 and 16; the key says which. The group is made when it is not there. */
int consumer_replay(GroupShard *shard, int16_t type, WireReader *key, const ReplayRecord *record,
                    ErrInfo *err);
void consumer_loaded(GroupShard *shard, GroupEnv *env, Group *group);
void consumer_unload(GroupShard *shard, GroupEnv *env, Group *group, int16_t status);

int16_t consumer_check_commit(GroupShard *shard, GroupEnv *env, Group *group, StrView member_id,
                              StrView instance_id, int32_t epoch, int16_t version,
                              bool transactional);

/*
 * The same for one partition where older epochs are accepted for what the member had at that epoch
 * (observed.md 12). Called when consumer_check_commit says 113; 0: taken.
 */
int16_t consumer_check_commit_partition(const Group *group, GroupEnv *env, StrView member_id,
                                        int32_t epoch, StrView topic, int32_t partition);
int16_t consumer_check_fetch(const Group *group, StrView member_id, int32_t epoch);

bool consumer_is_empty(const Group *group);
const char *consumer_state_text(const Group *group);
int32_t consumer_member_count(const Group *group);
bool consumer_subscribes(const Group *group, StrView topic);

/* Topics it subscribes to changed: computes anew at the next heartbeat of any member. */
void consumer_metadata_changed(GroupShard *shard, GroupEnv *env, Group *group);
void consumer_describe(const Group *group, GroupEnv *env, ConsumerGroupDescribeResponseGroup *ret);

/* Tombstones of everything the group has in the log but its offsets. */
void consumer_write_tombstones(GroupEnv *env, const Group *group);
void consumer_check(const GroupShard *shard, const Group *group);

/* Becomes a classic group again: records, timers, rebalance (4.11); skip_rebalance: a static replacement. */
void consumer_downgrade(GroupShard *shard, GroupEnv *env, Group *group, StrView joining_member,
                        bool skip_rebalance);

/* ---- offsets: offsets*.c -------------------------------------------------------------------------- */

void offsets_init(GroupShard *shard, Group *group);
/* Frees them; no records. */
void offsets_clear(GroupShard *shard, Group *group);
void offsets_write_tombstones(GroupEnv *env, const Group *group);
void offsets_check(const GroupShard *shard, const Group *group);

#endif
