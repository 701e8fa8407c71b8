/*
 * group_kit.h - the world of a group core under test: clock, settings, topics, and what came out
 *
 * An operation is called with kit_env(), and kit_take() collects what it put out: replies are encoded and
 * decoded again, so that each is proved to fit its version and outlives the operation; records are kept as
 * the log, from which a shard can be loaded again. A second reply to a token fails the test.
 *
 *   classic_join(shard, kit_env(&kit), &caller, &request, group);
 *   kit_take(&kit);
 *   assert_int_equal(kit_code(&kit, token), 0);
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_GROUP_KIT_H
#define TEST_GROUP_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "groups/group_int.h"
#include "ottla/common/random.h"

#define KIT_TOPICS_MAX 64
#define KIT_NO_CODE    INT16_MIN /* kit_code of a token that has no reply */

typedef struct KitTopic {
    char name[64];
    Uuid id;
    int32_t partitions;
} KitTopic;

/* A setting of one group. */
typedef struct KitConfig {
    const char *group;
    const char *key;
    const char *value;
} KitConfig;

typedef struct KitReply {
    struct KitReply *next;
    GroupToken token;
    GroupReplyWhen when;
    int16_t status; /* 0: there is a message */
    int16_t version;
    const MessageDesc *desc;
    const void *message; /* decoded, in kit->replies_arena */
} KitReply;

/* A record of the log; serial: of the unit that it was part of, from 1. */
typedef struct KitRecord {
    uint8_t *key, *value;
    int32_t key_len, value_len; /* value_len -1: a tombstone */
    int64_t unit;
} KitRecord;

typedef struct GroupKit {
    GroupMemory memory;
    GroupSettings settings;
    GroupMetadata metadata;
    GroupEnv env;
    GroupOut out;
    Arena *arena;         /* of one operation */
    Arena *replies_arena; /* until kit_forget */
    RandomSeq seq;
    GroupToken last_token;
    KitReply *replies; /* newest first */
    size_t reply_count;
    KitRecord *log;
    size_t log_count, log_room;
    int64_t units;
    GroupRebalance last_rebalance; /* texts in replies_arena */
    size_t rebalance_count;
    KitTopic topics[KIT_TOPICS_MAX];
    int32_t topic_count;
    KitConfig configs[8];
    int32_t config_count;
    bool quiet; /* replies are counted by on_reply alone, not kept */
    void (*on_reply)(void *ctx, const GroupReply *reply);
    void *ctx;
} GroupKit;

/* Defaults of Kafka but for an initial delay of 0; the clock starts somewhere. */
void kit_init(GroupKit *kit, uint64_t seed);

/* The shard must have given its memory back: asserts that all is. */
void kit_fini(GroupKit *kit);

/* An empty out, and the time it is. */
GroupEnv *kit_env(GroupKit *kit);

/* Collects what the operation put out; asserts that it did not fail. The number of its records. */
int32_t kit_take(GroupKit *kit);

void kit_advance_ms(GroupKit *kit, int64_t ms);

/* A token nobody had. */
GroupToken kit_token(GroupKit *kit);

/* A caller with a new token: client "client" at "/127.0.0.1". */
GroupCaller kit_caller(GroupKit *kit, int16_t version);

/* NULL: not answered yet. */
const KitReply *kit_reply(const GroupKit *kit, GroupToken token);

/* The status, or the errorCode of the message; KIT_NO_CODE: not answered yet. */
int16_t kit_code(const GroupKit *kit, GroupToken token);

/* The message of an answered token; fails the test when there is none, or it is another API's. */
const void *kit_message(const GroupKit *kit, GroupToken token, const MessageDesc *desc);

/* Forgets replies; the log stays. */
void kit_forget(GroupKit *kit);

/* The topic's id is made of its name and a number that grows. */
KitTopic *kit_add_topic(GroupKit *kit, const char *name, int32_t partitions);
void kit_remove_topic(GroupKit *kit, const char *name);

/* value NULL: not set any more. */
void kit_set_config(GroupKit *kit, const char *group, const char *key, const char *value);

/* Forgets records that a later one of the same key follows, as compaction would. */
void kit_compact_log(GroupKit *kit);

/* Type of the record (first two bytes of its key). */
int16_t kit_record_type(const KitRecord *record);

/* Reads key and value of a record into storage of the given types; value may be NULL. Memory: replies_arena. */
void kit_read_record(GroupKit *kit, const KitRecord *record, const MessageDesc *key_desc, void *key,
                     const MessageDesc *value_desc, void *value);

/* As shard_replay wants it; offset: place in the log. */
ReplayRecord kit_replay_record(const GroupKit *kit, size_t index);

/* Subscription bytes of a consumer to topics ("a,b"), version 0; mark (may be NULL) is the user data. */
BytesView kit_subscription(GroupKit *kit, const char *topics, const char *mark);

#endif
