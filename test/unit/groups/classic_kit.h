/*
 * classic_kit.h - a shard with one classic group, driven by short calls
 *
 * Members are named by the ids that they got. Every call checks the whole shard afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_CLASSIC_KIT_H
#define TEST_CLASSIC_KIT_H

#include "groups/classic_int.h"
#include "groups/group_kit.h"

typedef struct ClassicKit {
    GroupKit kit;
    GroupShard *shard;
} ClassicKit;

/* What is 0 or NULL: version 9, group "g", a new dynamic member, type "consumer", protocol "range" with a subscription
 * to "t", session timeout 10 s, rebalance timeout 60 s. */
typedef struct JoinArgs {
    int16_t version; /* -1: version 0 */
    const char *group;
    const char *member;
    const char *instance;
    const char *type;
    const char *protocols; /* "range,roundrobin" */
    const char *mark;      /* user data of each subscription */
    BytesView metadata;    /* instead of a subscription */
    int32_t session_ms;
    int32_t rebalance_ms;
} JoinArgs;

void classic_kit_init(ClassicKit *k, uint64_t seed);
void classic_kit_fini(ClassicKit *k);

/* The token of the request. */
GroupToken kit_join(ClassicKit *k, JoinArgs args);

/* A SyncGroup 5 that hands out "for MEMBER" to each of the named ones (NULL ends the list). */
GroupToken kit_sync(ClassicKit *k, const char *member, int32_t generation, const char *const *to);

/* As kit_sync, with an instance id. */
GroupToken kit_sync_static(ClassicKit *k, const char *member, const char *instance,
                           int32_t generation, const char *const *to);

/* The code of a Heartbeat 4. */
int16_t kit_beat(ClassicKit *k, const char *member, const char *instance, int32_t generation);

/* The code for the one member of a LeaveGroup 5. */
int16_t kit_leave(ClassicKit *k, const char *member, const char *instance);

/* The code of an OffsetCommit's check. */
int16_t kit_check_commit(ClassicKit *k, const char *member, int32_t generation);

/* Time passes, and timers come up. */
void kit_pass_ms(ClassicKit *k, int64_t ms);

/* The shard ends, and is loaded again from what it wrote. */
void kit_reload(ClassicKit *k);

/* The answer to a JoinGroup that succeeded. */
const JoinGroupResponse *kit_joined(ClassicKit *k, GroupToken token);

/* The member id in the answer to a JoinGroup, whatever it says. */
const char *kit_member(ClassicKit *k, GroupToken token);

/* The assignment in the answer to a SyncGroup. */
const char *kit_assignment(ClassicKit *k, GroupToken token);

/* A new dynamic member, by both requests; parked or answered: see the token. Its id in *ret_member. */
GroupToken kit_enter(ClassicKit *k, JoinArgs args, const char **ret_member);

/* One member in a stable group of generation 1 (or the next). */
const char *kit_alone(ClassicKit *k, JoinArgs args);

/* Members a (leader) and b, stable; *ret_generation may be NULL. */
void kit_pair(ClassicKit *k, JoinArgs a, JoinArgs b, const char *ret_members[2],
              int32_t *ret_generation);

const char *kit_state(ClassicKit *k);

Group *kit_group(ClassicKit *k);

/* The value of the record that was written last, which must be GroupMetadata. */
GroupMetadataValue kit_last_group(ClassicKit *k);

#endif
