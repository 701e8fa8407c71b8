/*
 * consumer_int.h - a consumer group (KIP-848) and its members
 *
 * Three layers, each with its epoch, each in the log: the group epoch (what is assigned from: members,
 * subscriptions, topics), the target (who shall have what, computed for one group epoch), and of each member what it
 * has now, moved towards the target by its own heartbeats. A partition is given to a member only when nobody
 * has it in `assigned` or `pending`.
 *
 * What many members share is kept once per group: topics by id (ConsumerTopic: who has each partition), names of
 * subscriptions (ConsumerName), expressions (ConsumerRegex).
 *
 * Invariants (consumer_check): topic->owners[p] is the member in whose assigned or pending set the partition
 * lies; sets are sorted, without repeats; counts are those of the members; an epoch of a member is at most the
 * target's, the target's at most the group's; the rebalance timer runs in UNREVOKED alone.
 *
 * Spec: groups-and-transactions.md 4; observed.md 12; design.md 11. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_CONSUMER_INT_H
#define OTTLA_GROUPS_CONSUMER_INT_H

#include "groups/assignor_int.h"
#include "groups/classic_int.h"
#include "groups/consumer_protocol_int.h"
#include "groups/group_int.h"
#include "groups/group_regex_int.h"

#define CONSUMER_EPOCH_JOIN  0
#define CONSUMER_EPOCH_LEAVE (-1)
#define CONSUMER_EPOCH_AWAY  (-2) /* a static member that will be back */

#define CONSUMER_REGEX_PAUSE_MS 10000   /* between the beginnings of two resolutions */
#define CONSUMER_NAMES_MAX      50000   /* of topics, that the members of a group name */
#define CONSUMER_PARTITION_MAX  1000000 /* numbers of partitions in the log are below it */

/* What a text takes in a record, with its length. */
#define CONSUMER_TEXT_BYTES(text) ((int64_t)(text).len + 5)

typedef struct ConsumerMember ConsumerMember;

/* A topic of which somebody has, or shall have, partitions. */
typedef struct ConsumerTopic {
    MapNode node; /* in consumer->topics, by the 16 bytes of the id */
    Uuid id;
    int32_t refs;            /* entries of sets */
    int32_t room;            /* of owners */
    ConsumerMember **owners; /* by partition; NULL: it is free */
    uint64_t mark;           /* of whoever walks now */
    int32_t number;          /* while a target is computed */
} ConsumerTopic;

typedef struct SetEntry {
    ConsumerTopic *topic;
    int32_t partition;
    int32_t epoch; /* at which the member got it; in targets 0 */
} SetEntry;

/* Sorted by topic id, then partition. */
typedef struct PartitionSet {
    SetEntry *list;
    int32_t count;
} PartitionSet;

/* A topic name to which members subscribe, or that expressions mean. */
typedef struct ConsumerName {
    MapNode node; /* in consumer->names; in consumer->meant */
    StrView name;
    int32_t members; /* that name it; expressions that mean it */
    int32_t number;  /* of its topic, as consumer_see_topics says; -1: it does not exist */
} ConsumerName;

typedef struct ConsumerRegex {
    MapNode node; /* in consumer->regexes */
    StrView pattern;
    struct ConsumerRegex *next, *prev; /* in the order in which they came */
    int32_t members;
    bool resolved;         /* a record 16 stands in the log; topics counts */
    ConsumerName **topics; /* of consumer->meant; sorted, each once */
    int32_t topic_count;
    int64_t version; /* of the metadata when it was resolved */
    int64_t wall_ms;
} ConsumerRegex;

typedef enum ConsumerState {
    CONSUMER_STABLE = 0,
    CONSUMER_UNREVOKED = 1,  /* must give partitions back first */
    CONSUMER_UNRELEASED = 2, /* waits for partitions that others hold */
    CONSUMER_UNKNOWN = 127   /* written by a newer version */
} ConsumerState;

/* Of a member that speaks the classic protocol. */
typedef struct ConsumerClassic {
    int32_t session_timeout_ms;
    JoinGroupRequestProtocol *protocols; /* in the order of preference; copies */
    int32_t protocol_count;
    ConsumerMember *member;
    GroupTimer join; /* TIMER_CONSUMER_JOIN */
    GroupTimer sync; /* TIMER_CONSUMER_SYNC */
} ConsumerClassic;

struct ConsumerMember {
    MapNode node;                /* in consumer->members; its key is the id */
    MapNode instance_node;       /* in consumer->instances, unless instance_id is null */
    ConsumerMember *next, *prev; /* in order of joining */
    ConsumerGroup *consumer;
    StrView instance_id; /* null: a dynamic member */
    StrView rack_id;     /* null: none */
    StrView client_id;
    StrView client_host;
    StrView assignor;         /* null: no wish */
    ConsumerName **names;     /* sorted, each once */
    ConsumerRegex *regex;     /* NULL: none */
    ConsumerClassic *classic; /* NULL: speaks the consumer protocol */
    PartitionSet assigned;
    PartitionSet pending; /* to be given back */
    PartitionSet target;
    GroupTimer session;
    GroupTimer rebalance;
    int32_t name_count;
    int64_t names_bytes; /* of names, in a record */
    int32_t epoch;
    int32_t previous_epoch;
    int32_t rebalance_timeout_ms;
    uint8_t state;     /* ConsumerState */
    bool has_metadata; /* record 5 was seen; others wait for it while loading */
    bool leaving;      /* named by the request under way, and gone at its end */
    bool settled;      /* stable at the target's epoch: counted in the group */
    int32_t in_job;    /* its place + 1 in the computation that runs; 0: none */
};

struct ConsumerGroup {
    Group *group;
    int32_t epoch;
    int32_t target_epoch;
    int64_t target_wall_ms;    /* when the target was computed; 0: never */
    int64_t target_refused_ms; /* when one fitted in no record; not in the log */
    uint64_t metadata_hash;
    Map members;   /* of ConsumerMember */
    Map instances; /* of ConsumerMember */
    Map topics;    /* of ConsumerTopic */
    Map names;     /* of ConsumerName: what members name */
    Map meant;     /* of ConsumerName: what expressions mean, however many mean it */
    Map regexes;   /* of ConsumerRegex */
    ConsumerMember *first, *last;
    int32_t classic_count; /* members that speak the classic protocol */
    int32_t regex_members;
    int32_t settled_count;
    bool metadata_due;         /* look at the topics at the next heartbeat */
    bool regexes_due;          /* topics may have been made since the last resolution */
    bool has_old_subscription; /* a record 4 stands in the log */
    uint64_t mark;
    /* the resolution that runs or was the last (consumer_regex.c) */
    ConsumerRegex *regex_first, *regex_last;
    bool resolving;
    bool resolve_changed;         /* some set of topics is another one */
    int64_t resolve_begin_us;     /* of the last one; INT64_MIN: none yet */
    uint64_t resolve_version;     /* of the metadata */
    ConsumerRegex *resolve_regex; /* that is looked at; NULL: all were */
    GroupRegex *resolve_compiled; /* of it; NULL: not begun */
    StrView resolve_after;        /* the last name that was looked at; null: none yet */
    StrView *found;               /* names that match, so far */
    int32_t found_count, found_room;
    int32_t found_hard;        /* names on which the full bound was hit, of this expression */
    int64_t regex_limit_count; /* names on which a bound of matching was hit */
    GroupTimer regex_timer;    /* TIMER_CONSUMER_REGEX */
    struct TargetJob *job;     /* the target that is computed; NULL: none (consumer_compute.c) */
    GroupTimer job_timer;      /* TIMER_CONSUMER_TARGET: its next slice */
    /* the rebalance that goes on, for the history */
    bool rebalancing;
    RebalanceCause cause;
    StrView cause_member;
    int64_t rebalance_begin_us;
    int64_t rebalance_begin_wall_ms;
};

/* ---- consumer_members.c: members and what they share --------------------------------------------- */

ConsumerMember *consumer_find_member(const ConsumerGroup *consumer, StrView id);
ConsumerMember *consumer_find_instance(const ConsumerGroup *consumer, StrView instance_id);

/* The member comes last in the list, with nothing in it. The id is free. */
ConsumerMember *consumer_add_member(GroupShard *shard, ConsumerGroup *consumer, StrView id);

/* Out of everything, with its timers; its partitions are free. */
void consumer_drop_member(GroupShard *shard, ConsumerMember *member);

/* The member gets another id; its place in the list stays. The id is free. */
void consumer_rename_member(GroupShard *shard, ConsumerMember *member, StrView id);

/* null: dynamic. Who had the instance is not touched: the caller has seen to it. True: changed. */
bool consumer_set_instance(GroupShard *shard, ConsumerMember *member, StrView instance_id);

/* In any order, with repeats. True: changed. */
bool consumer_set_names(GroupShard *shard, ConsumerMember *member, const StrView *names,
                        int32_t count);

/* null or empty: none. True: changed. A resolved one that nobody has any more stays for
   consumer_drop_unused_regexes. */
bool consumer_set_regex(GroupShard *shard, ConsumerMember *member, StrView pattern);

/* NULL protocols: speaks the consumer protocol. True: changed. */
bool consumer_set_classic(GroupShard *shard, ConsumerMember *member, int32_t session_timeout_ms,
                          const JoinGroupRequestProtocol *protocols, int32_t count);

/* Counts the member among those that are stable at the target's epoch, or not. */
void consumer_note_settled(ConsumerMember *member);
void consumer_note_all_settled(ConsumerGroup *consumer);

bool consumer_has_name(const ConsumerMember *member, StrView name);

/* A use of a name in one of the two tables; the last one that goes takes the name with it. */
ConsumerName *consumer_take_name(GroupShard *shard, Map *names, StrView text);
void consumer_give_name(GroupShard *shard, Map *names, ConsumerName *name);

/* ---- consumer_sets.c: sets of partitions ----------------------------------------------------------- */

/* The topic of this id, made when it is not there. */
ConsumerTopic *consumer_topic(GroupShard *shard, ConsumerGroup *consumer, Uuid id);
ConsumerTopic *consumer_find_topic(const ConsumerGroup *consumer, Uuid id);

/* Topics that no set names go. */
void consumer_sweep_topics(GroupShard *shard, ConsumerGroup *consumer);

bool set_equal(const PartitionSet *a, const PartitionSet *b);
/* NULL: not in there. */
const SetEntry *set_find(const PartitionSet *set, const ConsumerTopic *topic, int32_t partition);
void set_sort(SetEntry *list, int32_t count);

/* Replaces a target; the list is sorted and copied. */
void consumer_store_target(GroupShard *shard, ConsumerMember *member, const SetEntry *list,
                           int32_t count);

/* Replaces both sets and who owns what; lists are sorted and copied. */
void consumer_store_sets(GroupShard *shard, ConsumerMember *member, const SetEntry *assigned,
                         int32_t assigned_count, const SetEntry *pending, int32_t pending_count);

/* ---- consumer_records.c: what is written ------------------------------------------------------------ */

void consumer_write_member(GroupEnv *env, const ConsumerMember *member);
void consumer_write_epoch(GroupEnv *env, ConsumerGroup *consumer);
void consumer_write_target(GroupEnv *env, const ConsumerMember *member);
void consumer_write_target_epoch(GroupEnv *env, const ConsumerGroup *consumer);
void consumer_write_current(GroupEnv *env, const ConsumerMember *member);
void consumer_write_regex(GroupEnv *env, const ConsumerGroup *consumer, const ConsumerRegex *regex);
void consumer_write_regex_tombstone(GroupEnv *env, const ConsumerGroup *consumer, StrView pattern);
/* Tombstones of records 8, 7, 5. */
void consumer_write_member_tombstones(GroupEnv *env, const ConsumerGroup *consumer, StrView id);

/* ---- consumer_bounds.c: what fits ------------------------------------------------------------------- */

/* Does a record with so many bytes beside the group's id fit in a batch? */
bool consumer_record_fits(const GroupEnv *env, const Group *group, int64_t bytes);

/* What a request wants a member to be. Texts: null keeps what is there. */
typedef struct ConsumerWish {
    StrView group_id, member_id; /* "": one will be made */
    StrView instance_id, rack_id, client_id, client_host, regex, assignor;
    const ConsumerGroup *consumer; /* NULL: a new group */
    const StrView *names;
    int32_t names_count; /* -1: as they are */
    int32_t protocol_count;
    const JoinGroupRequestProtocol *protocols; /* of one that speaks the classic protocol */
} ConsumerWish;

/* UNKNOWN_SERVER_ERROR: its record fits in no batch; COORDINATOR_NOT_AVAILABLE: no memory for more than it
   has; INVALID_REQUEST: more topics than a group may name. member NULL: a new one. */
int16_t consumer_check_wish(const GroupShard *shard, const GroupEnv *env,
                            const ConsumerMember *member, const ConsumerWish *wish);

/* Do records 7 and 8 fit in a batch each, whatever of it the member has and has to give back? */
bool consumer_target_fits(const GroupEnv *env, const ConsumerMember *member,
                          const AssignMember *one);

/* A group that moves to the other protocol does so in one batch. */
int64_t consumer_upgraded_bytes(const Group *group, const ClassicMember *from,
                                const ConsumerProtocolSubscription *subscription,
                                const ConsumerProtocolAssignment *assignment);
bool consumer_upgrade_fits(const GroupEnv *env, int64_t bytes);
bool consumer_downgrade_fits(const GroupEnv *env, const ConsumerGroup *consumer);

/* ---- consumer_target.c ------------------------------------------------------------------------------ */

/* A rebalance begins, or one that goes on keeps its cause; member: whose doing, or null. */
void consumer_note_begin(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer,
                         RebalanceCause cause, StrView member);

/* Group epoch + 1, and the hash of the topics as they are now; a record 3. */
void consumer_bump(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer, RebalanceCause cause,
                   StrView member);

/* Looks at the topics when they are due; bumps when they differ. */
void consumer_refresh_metadata(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer);

/* At most so many topics are seen. */
int32_t consumer_seen_room(const ConsumerGroup *consumer);

/* A topic that somebody subscribes to and that exists. */
typedef struct SeenTopic {
    GroupTopic topic;
    ConsumerName *name;  /* NULL: by expressions alone */
    ConsumerName *meant; /* NULL: by names alone */
} SeenTopic;

typedef struct SeenList {
    SeenTopic *list; /* by id, each once */
    int32_t count;
} SeenList;

/*
 * However many expressions mean a topic, it counts once. Sets the numbers in all names, too, which hold
 * until the operation ends. False: no memory, and the out has failed.
 */
bool consumer_see_topics(GroupEnv *env, const ConsumerGroup *consumer, SeenList *ret);

/* The assignor that most members wish for. */
AssignorKind consumer_assignor(const ConsumerGroup *consumer, const GroupSettings *settings);
/* -1: no such name. */
int consumer_assignor_of_name(StrView name);
StrView consumer_assignor_name(AssignorKind kind);

/* ---- consumer_compute.c ------------------------------------------------------------------------------ */

/*
 * Begins to compute the target when the group's epoch is ahead of it and the interval is over. A small one is there
 * at once; of a large one a timer brings slice after slice, and meanwhile the old one counts.
 */
void consumer_update_target(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer);
/* One slice. */
void consumer_compute(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer);
/* The member goes. */
void consumer_compute_without(ConsumerMember *member);
/*
 * No more slices. What was begun to be stored is stored to its end, without records: the caller
 * writes the group anew, or drops it.
 */
void consumer_stop_computing(GroupShard *shard, ConsumerGroup *consumer);
void consumer_check_computing(const GroupShard *shard, const ConsumerGroup *consumer);

/* ---- consumer_reconcile.c ---------------------------------------------------------------------------- */

/* What a member says that it owns. */
typedef struct ConsumerOwned {
    const ConsumerGroupHeartbeatRequestTopicPartitions *list;
    int32_t count;
    bool given; /* false: it says nothing */
} ConsumerOwned;

bool owned_is_within(const ConsumerGroup *consumer, const ConsumerOwned *owned,
                     const PartitionSet *set);

/*
 * Moves the member towards its target as far as it goes (4.5), with record 8 and the rebalance timer.
 * subscription_changed: by this request. True: what is assigned changed.
 */
bool consumer_reconcile(GroupShard *shard, GroupEnv *env, ConsumerMember *member,
                        const ConsumerOwned *owned, bool subscription_changed);

/* A partition of its target is held by another member. */
bool consumer_waits_for_others(const ConsumerMember *member);

/* ---- consumer_regex.c -------------------------------------------------------------------------------- */

/* Starts a resolution when one is due. */
void consumer_check_regexes(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer);
/* One slice. */
void consumer_resolve(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer);
/* Expressions without members go, with a tombstone where one was resolved. env NULL: no records. */
void consumer_drop_unused_regexes(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer);
void consumer_stop_resolving(GroupShard *shard, ConsumerGroup *consumer);
/* The expression is resolved, and the topic is one of those that it means. */
bool consumer_regex_means(const ConsumerRegex *regex, StrView topic);
ConsumerRegex *consumer_find_regex(const ConsumerGroup *consumer, StrView pattern);
/* A new one, not resolved, without members. */
ConsumerRegex *consumer_make_regex(GroupShard *shard, ConsumerGroup *consumer, StrView pattern);
/* Frees; the map's entry, too. */
void consumer_free_regex(GroupShard *shard, ConsumerGroup *consumer, ConsumerRegex *regex);
void consumer_set_regex_topics(GroupShard *shard, ConsumerGroup *consumer, ConsumerRegex *regex,
                               const StrView *topics, int32_t count);

/* ---- consumer.c, consumer_heartbeat.c ------------------------------------------------------------------- */

/* Effective settings of the group, clamped (9.2). */
int32_t consumer_session_timeout_ms(GroupEnv *env, const ConsumerGroup *consumer);
int32_t consumer_heartbeat_interval_ms(GroupEnv *env, const ConsumerGroup *consumer);
int32_t consumer_assignment_interval_ms(GroupEnv *env, const ConsumerGroup *consumer);

/* Sessions start anew. */
void consumer_touch(GroupShard *shard, GroupEnv *env, ConsumerMember *member);

/* Who gets which answer when a member asks for an instance (4.4 step 3, 4.8). */
typedef struct ConsumerAsk {
    StrView member_id;
    StrView instance_id;
    bool join;
    bool classic;
} ConsumerAsk;

/* 0 and the member, NULL: a new one; *ret_replaces: the member's id changes to that of the ask. */
int16_t consumer_look_up(const ConsumerGroup *consumer, const ConsumerAsk *ask,
                         ConsumerMember **ret, bool *ret_replaces);

/* The member of a static instance comes back under another id: records, and a fresh start. */
void consumer_replace_static(GroupShard *shard, GroupEnv *env, ConsumerMember *member, StrView id);

/* Tombstones, one bump; or the group becomes classic. The member is gone afterwards, perhaps the group, too. */
void consumer_remove_members(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer,
                             ConsumerMember **members, int32_t count, RebalanceCause cause);

/* When nobody needs to move any more, the rebalance goes into the history; member: who came last. */
void consumer_note_end(GroupEnv *env, ConsumerGroup *consumer, StrView member);

/* The group's epoch, its topics and its target, after what a member subscribes to was stored. */
void consumer_follow_subscription(GroupShard *shard, GroupEnv *env, ConsumerMember *member,
                                  bool is_new, bool must_bump);

/* A new id of 22 characters, in the out's arena. */
StrView consumer_make_member_id(GroupEnv *env);

/* ---- consumer_convert.c ------------------------------------------------------------------------------- */

/* 0: the classic group with members is a consumer group now, with records; else the code why not. */
int16_t consumer_upgrade(GroupShard *shard, GroupEnv *env, Group *group);

/* Would the group become classic when these members go (4.11)? */
bool consumer_may_downgrade(const ConsumerGroup *consumer, const GroupEnv *env, int32_t going,
                            int32_t going_classic);

/* A set as the bytes of an assignment, in the version of the (classic) member's metadata. */
BytesView consumer_encode_assignment(GroupEnv *env, const ConsumerMember *member,
                                     const PartitionSet *set);

#endif
