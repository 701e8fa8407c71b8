/*
 * consumer_kit.h - heartbeats of consumers in a line each, and groups as text
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_CONSUMER_KIT_H
#define TEST_CONSUMER_KIT_H

#include "groups/consumer_int.h"
#include "group_kit.h"

/* A shard in its world. Every operation through here checks all invariants afterwards. */
typedef struct ConsumerKit {
    GroupKit kit;
    GroupShard *shard;
} ConsumerKit;

/* What a heartbeat says; what is not set is null. Partitions: "a:0,1 b:3". */
typedef struct Say {
    const char *names; /* "a,b"; "": none */
    const char *regex;
    const char *instance;
    const char *rack;
    const char *assignor;
    const char *owns;   /* "": nothing */
    int32_t timeout_ms; /* 0: not said; -2: 0 */
    bool join;          /* timeout 10 s and owns nothing, unless said */
} Say;

void consumer_kit_init(ConsumerKit *ck, uint64_t seed);
void consumer_kit_fini(ConsumerKit *ck);

/*
 * A case with one group whose targets are computed at once, and topics: "a2b3" has a with two partitions, b with three.
 * Its end loads the log once more.
 */
ConsumerKit *ck_begin(const char *group, const char *topics);
void ck_end(ConsumerKit *ck);

/* The group's state as it is described. */
const char *ck_state(ConsumerKit *ck, const char *group);

/* The token of the answer. */
GroupToken ck_say(ConsumerKit *ck, const char *group, const char *member, int32_t epoch, Say say);

/*
 * The same, and the answer as text: "E25", or "<epoch>" and, with an assignment, its partitions: "3 a:0,1",
 * "3 -" for an empty one.
 */
const char *ck_beat(ConsumerKit *ck, const char *group, const char *member, int32_t epoch, Say say);

/* A consumer's group, whole: epochs, members in order of their ids with all they have. */
const char *ck_group(ConsumerKit *ck, const char *group);

/* Loads the log into another shard: it must be the same group; the shard goes on as the loaded one. */
void ck_reload(ConsumerKit *ck);
/* Only compares. */
void ck_compare(ConsumerKit *ck);

/* Of each key only the last record stays in the log, as after the cleaner; tombstones go, too. */
void ck_compact(ConsumerKit *ck);

/* Time goes on, and what is due is done, in order. */
void ck_wait(ConsumerKit *ck, int64_t ms);

/* The metadata changed: the shard is told. */
void ck_tell_metadata(ConsumerKit *ck);

ConsumerMember *ck_member(ConsumerKit *ck, const char *group, const char *member);

#endif
