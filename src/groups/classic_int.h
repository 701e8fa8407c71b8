/*
 * classic_int.h - a classic group and its members
 *
 * Members join and wait until everybody has (PREPARING), the leader's SyncGroup is awaited (COMPLETING), its
 * assignment is written and handed out (STABLE). Only what the record GroupMetadata holds outlives a reload: the
 * phases between two stable generations, ids that were handed out, and who is parked are soft state.
 *
 * Invariants (classic_check): a member is joining only in PREPARING; joining_count counts them; nobody is parked in a
 * sync but in COMPLETING; the join timer runs in PREPARING alone, the sync timer in COMPLETING and, until all have
 * synced, in STABLE; a group with members has a leader among them; EMPTY has no members.
 *
 * Spec: groups-and-transactions.md 2; observed.md 12. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_CLASSIC_INT_H
#define OTTLA_GROUPS_CLASSIC_INT_H

#include "groups/group_int.h"

#define CLASSIC_PROTOCOLS_MAX     64   /* per JoinGroup */
#define CLASSIC_PENDING_MAX       1000 /* ids handed out and not used, per group: the oldest goes */
#define CLASSIC_LEAVING_MAX       10000 /* members per LeaveGroup */
#define CLASSIC_NEW_MEMBER_MS     300000 /* how long a new member may wait for its first generation */
#define CLASSIC_RELOAD_GENERATION 16     /* a reload skips that many generations (2.13) */

typedef enum ClassicState {
    CLASSIC_EMPTY,
    CLASSIC_PREPARING,
    CLASSIC_COMPLETING,
    CLASSIC_STABLE,
    CLASSIC_STATE_COUNT
} ClassicState;

/* A name that members offer, with what they say under it. */
typedef struct ClassicProtocol {
    StrView name;
    BytesView metadata;
} ClassicProtocol;

/* How many members offer a name. */
typedef struct ClassicOffer {
    MapNode node; /* in group->offers */
    StrView name;
    int32_t members;
    int32_t votes; /* while one is chosen */
} ClassicOffer;

typedef struct ClassicTopic {
    MapNode node; /* in group->topics */
    StrView name;
} ClassicTopic;

/* Who waits for an answer. */
typedef struct ClassicParked {
    GroupToken token;
    int16_t version;
    bool parked;
} ClassicParked;

typedef struct ClassicMember {
    MapNode node;                      /* in classic->members, by id */
    MapNode instance_node;             /* in classic->instances, unless instance_id is null */
    struct ClassicMember *next, *prev; /* in order of joining */
    Group *group;
    StrView id;
    StrView instance_id; /* null: a dynamic member */
    StrView client_id;
    StrView client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    ClassicProtocol *protocols; /* in the order of preference */
    int32_t protocol_count;
    BytesView assignment;
    ClassicParked join;
    ClassicParked sync;
    bool is_new;       /* has not got a generation yet */
    bool pending_sync; /* has not synced in this generation */
    GroupTimer timer;  /* TIMER_CLASSIC_MEMBER */
} ClassicMember;

/* An id that was handed out, and has not been used yet. */
typedef struct ClassicPending {
    MapNode node;                       /* in classic->pending */
    struct ClassicPending *next, *prev; /* oldest first */
    Group *group;
    StrView id;
    GroupTimer timer; /* TIMER_CLASSIC_PENDING */
} ClassicPending;

/* The rebalance that goes on, for the history. */
typedef struct ClassicRebalance {
    bool running;
    RebalanceCause cause;
    StrView cause_member; /* copies; null: nobody */
    StrView waited_for;   /* came last, or never did */
    int64_t begin_us;
    int64_t begin_wall_ms;
} ClassicRebalance;

struct ClassicGroup {
    Group *group;
    ClassicState state;
    int32_t generation;
    StrView protocol_type; /* null: none, a simple group */
    StrView protocol;      /* the chosen one; null: none */
    ClassicMember *leader; /* NULL: none */
    int64_t state_ms;      /* wall clock of the last change of state; -1: not known */
    Map members;           /* of ClassicMember */
    Map instances;         /* of ClassicMember */
    ClassicMember *first, *last;
    Map pending; /* of ClassicPending */
    ClassicPending *pending_first, *pending_last;
    Map offers; /* of ClassicOffer */
    int32_t joining_count;
    int32_t pending_sync_count;
    bool in_log;     /* a GroupMetadata record stands in the log */
    bool reloaded;   /* no generation was started since it was loaded */
    bool initial;    /* PREPARING that began when EMPTY: waits even when all have joined */
    bool new_joined; /* somebody new came while the initial delay ran */
    bool subscriptions_known;
    Map topics;               /* of ClassicTopic: subscribed by some member */
    int64_t initial_delay_ms; /* that runs now */
    int64_t initial_left_ms;  /* by which it may still be extended */
    GroupTimer join_timer;    /* TIMER_CLASSIC_JOIN */
    GroupTimer sync_timer;    /* TIMER_CLASSIC_SYNC */
    ClassicRebalance rebalance;
};

/* ---- classic.c: members and what a group knows of them ------------------------------------------ */

/* What a member is made of; everything is copied. A rebalance timeout below 0 means the session timeout. */
typedef struct ClassicMemberInit {
    StrView id;
    StrView instance_id; /* null: dynamic */
    StrView client_id;
    StrView client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    const JoinGroupRequestProtocol *protocols;
    int32_t protocol_count;
    BytesView assignment;
} ClassicMemberInit;

/* The member joins the list at its end, and leads if nobody does; no timer, no rebalance. The id is free. */
ClassicMember *classic_add_member(GroupShard *shard, Group *group, const ClassicMemberInit *init);

/* Out of every list, with its timers; another one leads when it did. Nobody may be parked in it; no rebalance. */
void classic_drop_member(GroupShard *shard, ClassicMember *member);

ClassicMember *classic_find_member(const Group *group, StrView id);
ClassicMember *classic_find_instance(const Group *group, StrView instance_id);

/* Replaces what the member offers; true: something is different. */
bool classic_set_protocols(GroupShard *shard, ClassicMember *member,
                           const JoinGroupRequestProtocol *protocols, int32_t count);

/* The same offer, name by name and byte by byte? */
bool classic_same_protocols(const ClassicMember *member, const JoinGroupRequestProtocol *protocols,
                            int32_t count);

/* Is one of the names offered by every member? */
bool classic_supports(const Group *group, const JoinGroupRequestProtocol *protocols, int32_t count);

/* What the member says under the name; empty when it does not offer it. */
BytesView classic_metadata(const ClassicMember *member, StrView protocol);

/* The name most members vote for (2.6); null: none that all offer. Points into a member. */
StrView classic_vote(Group *group);

/* False: these bytes of a consumer claim more topics than they have room for. */
bool classic_is_sane_subscription(BytesView metadata);

/* Reads anew what members subscribe to, under the chosen protocol. */
void classic_read_subscriptions(GroupShard *shard, Group *group);

/* The only way to change state; the transitions are asserted. */
void classic_set_state(GroupEnv *env, Group *group, ClassicState state);

/* Arms the session in full. */
void classic_touch(GroupShard *shard, GroupEnv *env, ClassicMember *member);

/* The longest rebalance timeout of the members. */
int32_t classic_rebalance_timeout_ms(const Group *group);

/* The member has another id from now on. */
void classic_rename_member(GroupShard *shard, ClassicMember *member, StrView id);

/* 0, or why a request under these names is refused: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
int16_t classic_check_member(const Group *group, StrView member_id, StrView instance_id);

/* ids that were handed out */

ClassicPending *classic_find_pending(const Group *group, StrView id);

/* The id may be used until timeout_ms have passed, or CLASSIC_PENDING_MAX others were handed out. */
void classic_add_pending(GroupShard *shard, GroupEnv *env, Group *group, StrView id,
                         int32_t timeout_ms);
void classic_drop_pending(GroupShard *shard, ClassicPending *pending);

/* ---- classic_rebalance.c -------------------------------------------------------------------------- */

/*
 * Something happened that asks for a new generation: one begins from EMPTY, COMPLETING and STABLE; in
 * PREPARING it completes when everybody has joined. member: whose doing; null: nobody's.
 */
void classic_rebalance(GroupShard *shard, GroupEnv *env, Group *group, RebalanceCause cause,
                       StrView member);

/* Completes the join phase if everybody has joined and no initial delay runs. */
void classic_maybe_complete_join(GroupShard *shard, GroupEnv *env, Group *group);

/*
 * Removes a member for good: what it had parked gets UNKNOWN_MEMBER_ID. No rebalance: the caller follows with
 * classic_rebalance, or with classic_maybe_complete_join in PREPARING.
 */
void classic_remove_member(GroupShard *shard, GroupEnv *env, ClassicMember *member);

/* Parks the member's JoinGroup; one that was parked before is answered UNKNOWN_MEMBER_ID. */
void classic_park_join(GroupShard *shard, GroupEnv *env, ClassicMember *member,
                       const GroupCaller *caller);

/* What the member has parked is answered with the code; a join with member_id beside it. */
void classic_fence_parked(GroupEnv *env, ClassicMember *member, int16_t code, StrView member_id);

/* Everybody who waits in a sync or a join is answered, and no longer waits. status 0: with what it asked for. */
void classic_answer_syncs(GroupShard *shard, GroupEnv *env, Group *group, int16_t status);
void classic_answer_joins(GroupEnv *env, Group *group, int16_t status);

/* A rebalance ended: a line for the history. */
void classic_rebalance_over(GroupShard *shard, GroupEnv *env, Group *group);

/* Answers a JoinGroup that fails. member_id: what the client is to use next. */
void classic_refuse_join(GroupEnv *env, GroupToken token, int16_t version, int16_t code,
                         StrView member_id);

/*
 * The answer to a member's JoinGroup: the generation there is; with_list: and what the leader needs to know of all
 * members. NULL: no memory, out has failed.
 */
JoinGroupResponse *classic_joined(GroupEnv *env, const ClassicMember *member, bool with_list);

/* ---- classic_sync.c ----------------------------------------------------------------------------------- */

/* The member has synced, or need not: the sync timer ends with the last. */
void classic_has_synced(GroupShard *shard, ClassicMember *member);

/* ---- classic_records.c ------------------------------------------------------------------------------ */

/* The group as it is now: into the unit. */
void classic_write_group(GroupEnv *env, Group *group);

#endif
