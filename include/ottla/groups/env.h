/*
 * env.h - what a group core sees of the world, and what it wants done
 *
 * The cores of src/groups are state machines: an operation gets its event, the time and a view of
 * the metadata (GroupEnv), changes the shard's state at once, and puts what follows into env->out:
 * records of one atomic unit, replies, and lines for the history of rebalances. Nothing in there
 * reads a clock, a file or a socket. The worker (src/coordinator) appends the records, holds the
 * replies back until they may leave, and calls again when a timer is due; a simulator does the same.
 * An operation that cannot be carried out to the log is never undone: the shard is dropped and
 * loaded again from the log (groups-and-transactions.md 8.4).
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_ENV_H
#define OTTLA_GROUPS_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"
#include "ottla/protocol/messages.h"

/* ---- settings ------------------------------------------------------------------------------ */

typedef enum MigrationPolicy {
    MIGRATION_DISABLED,
    MIGRATION_UPGRADE,
    MIGRATION_DOWNGRADE,
    MIGRATION_BIDIRECTIONAL
} MigrationPolicy;

typedef enum AssignorKind { ASSIGNOR_UNIFORM, ASSIGNOR_RANGE, ASSIGNOR_COUNT } AssignorKind;

/* Values of the broker's settings (groups-and-transactions.md 9.1); times in ms. */
typedef struct GroupSettings {
    int32_t min_session_timeout_ms;
    int32_t max_session_timeout_ms;
    int32_t initial_rebalance_delay_ms;
    int32_t max_size;
    int32_t consumer_session_timeout_ms;
    int32_t consumer_min_session_timeout_ms;
    int32_t consumer_max_session_timeout_ms;
    int32_t consumer_heartbeat_interval_ms;
    int32_t consumer_min_heartbeat_interval_ms;
    int32_t consumer_max_heartbeat_interval_ms;
    int32_t consumer_assignment_interval_ms;
    int32_t consumer_min_assignment_interval_ms;
    int32_t consumer_max_assignment_interval_ms;
    int32_t consumer_max_size;
    int64_t consumer_regex_refresh_interval_ms;
    MigrationPolicy migration_policy;
    AssignorKind assignors[ASSIGNOR_COUNT]; /* in the configured order; the first is the default */
    int32_t assignor_count;
    bool consumer_enabled; /* rebalance.protocols names it and group.version >= 1 */
    int32_t offset_metadata_max_bytes;
    int64_t offsets_retention_ms;
    int32_t max_member_metadata_bytes;
    int32_t max_batch_bytes; /* of one append: max.message.bytes of the topic */
    int32_t slice_steps;     /* of a computation at a time: GROUP_SLICE_STEPS, but in tests */
} GroupSettings;

#define GROUP_SLICE_STEPS 200000 /* one to three milliseconds */

/* ---- metadata ------------------------------------------------------------------------------ */

typedef struct GroupTopic {
    StrView name; /* lives as long as the env */
    Uuid id;
    int32_t partition_count;
} GroupTopic;

/* The metadata of the moment. Views in results live as long as the env. */
typedef struct GroupMetadata {
    uint64_t version; /* grows with each change of the metadata */
    void *ctx;
    bool (*by_name)(void *ctx, StrView name, GroupTopic *ret);
    bool (*by_id)(void *ctx, Uuid id, GroupTopic *ret);
    /* The topic with the smallest name > after (bytewise; null: the first). */
    bool (*after)(void *ctx, StrView after, GroupTopic *ret);
    /* A dynamic setting of a group ("consumer.session.timeout.ms"); false: not set. */
    bool (*group_config)(void *ctx, StrView group, StrView key, StrView *ret_value);
} GroupMetadata;

/* ---- who asks ------------------------------------------------------------------------------ */

/* Names a request that wants one reply; 0: nobody waits (a timer). Whoever asked may be gone when it comes. */
typedef uint64_t GroupToken;

typedef struct GroupCaller {
    GroupToken token;
    int16_t api_version;
    StrView client_id;   /* "" when null */
    StrView client_host; /* "/127.0.0.1" */
} GroupCaller;

/* ---- what is to be done -------------------------------------------------------------------- */

/* When a reply may leave (design.md 11, "When a coordinator answers"). */
typedef enum GroupReplyWhen {
    REPLY_NOW,        /* tells nothing that the log must hold */
    REPLY_REPLICATED, /* tells state: the high watermark covers all that was appended before it */
    REPLY_COMMITTED,  /* its own records are where acks=all would have them */
} GroupReplyWhen;

typedef struct GroupReply {
    struct GroupReply *next;
    GroupToken token;
    GroupReplyWhen when;
    int16_t status; /* not 0: no body; the backend makes the API's answer to this code */
    int16_t version;
    const MessageDesc *desc; /* of the response; NULL with a status */
    const void *message;     /* in out->arena, but for texts that live in the shard until the
                                operation returns: the worker encodes it at once */
} GroupReply;

/* A record of the unit, in the order of appending. */
typedef struct GroupRecord {
    struct GroupRecord *next;
    BytesView key;   /* version (int16) and key */
    BytesView value; /* version (int16) and value; ptr NULL: a tombstone */
} GroupRecord;

typedef enum RebalanceCause {
    REBALANCE_NEW_MEMBER,
    REBALANCE_MEMBER_LEFT,
    REBALANCE_MEMBER_EXPIRED,
    REBALANCE_SUBSCRIPTION_CHANGED,
    REBALANCE_METADATA_CHANGED,
    REBALANCE_LEADER_REJOINED,
    REBALANCE_MEMBER_REJOINED,
    REBALANCE_MEMBER_FENCED,
    REBALANCE_SYNC_FAILED,
    REBALANCE_SYNC_TIMEOUT,
    REBALANCE_MIGRATION,
    REBALANCE_GROUP_TOO_LARGE,
    REBALANCE_RELOADED, /* it went on when the coordinator came or changed */
    REBALANCE_CAUSE_COUNT
} RebalanceCause;

/* The word an operator sees: "new member". */
const char *rebalance_cause_text(RebalanceCause cause);

/* One ended rebalance. Texts live until the operation returns. */
typedef struct GroupRebalance {
    struct GroupRebalance *next;
    StrView group;
    RebalanceCause cause;
    StrView cause_member; /* whose doing; null: nobody's */
    StrView waited_for;   /* the member that came last, or never; null: nobody */
    int32_t generation;   /* or group epoch */
    int32_t members;
    int64_t begin_wall_ms;
    int32_t duration_ms;
} GroupRebalance;

/*
 * Collects what one operation wants. The caller empties it between operations, and looks at `failed`:
 * memory ran out while something was collected, or the unit passes max_batch_bytes; then the shard
 * no longer agrees with its log and is dropped.
 */
typedef struct GroupOut {
    Arena *arena;
    GroupReply *replies, **replies_end;
    GroupRecord *records, **records_end;
    GroupRebalance *rebalances, **rebalances_end;
    int32_t record_count;
    size_t record_bytes; /* keys and values */
    bool spread;         /* group_out_spread: */
    int32_t whole;       /* records before it */
    bool failed;
} GroupOut;

typedef struct GroupEnv {
    int64_t now_us;  /* monotonic */
    int64_t wall_ms; /* for stored timestamps only */
    const GroupSettings *settings;
    const GroupMetadata *metadata;
    void (*random)(void *buffer, size_t size);
    GroupOut *out;
} GroupEnv;

/* Everything empty; arena stays the caller's. */
void group_out_init(GroupOut *out, Arena *arena);

/* Memory of out's arena, cleared; NULL sets failed. */
void *group_out_alloc(GroupOut *out, size_t count, size_t size) __attribute__((warn_unused_result));

/* A copy of the text in out's arena; null stays null. */
StrView group_out_text(GroupOut *out, StrView text);

/* Answers with a message. Nothing for token 0. message: see GroupReply. */
void group_reply(GroupOut *out, GroupToken token, GroupReplyWhen when, const MessageDesc *desc,
                 int16_t version, const void *message);

/* Answers with a code alone; the backend makes the response of it. */
void group_reply_status(GroupOut *out, GroupToken token, GroupReplyWhen when, int16_t status);

/*
 * Adds a record to the unit. The key's version is the record's type (key_desc->number), the value's is
 * given. value NULL: a tombstone.
 */
void group_record(GroupOut *out, const MessageDesc *key_desc, const void *key,
                  const MessageDesc *value_desc, int16_t value_version, const void *value);

/*
 * Does the unit fit in one batch? An operation whose size a client decides asks before it changes any state,
 * and answers UNKNOWN_SERVER_ERROR after group_out_forget_records when it does not (1.6).
 */
bool group_out_fits(const GroupOut *out, const GroupSettings *settings);
void group_out_forget_records(GroupOut *out);

/*
 * When no single batch holds the unit, its records from here on may be spread over several; those before stay together.
 * Only where the log up to any of them is a state that members and timers bring to order again. A record that fits in
 * no batch fails all the same. group_out_keep_whole takes it back.
 */
void group_out_spread(GroupOut *out);
void group_out_keep_whole(GroupOut *out);

void group_rebalance_ended(GroupOut *out, const GroupRebalance *rebalance);

#endif
