/*
 * shard.c - finds the group that an operation is about, and calls its kind
 *
 * Runs in: coordinator; tests.
 * Never: decides what a classic or a consumer group does; that is theirs (classic*.c, consumer*.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/groups/shard.h"

#include <string.h>

#include "groups/offsets_int.h"
#include "ottla/common/assert.h"

#define NOT_LOOKED          UINT64_MAX
#define SCRATCH_CHUNK_BYTES 4096
#define MEMBER_BYTES        512 /* about what one takes, with its timer */
#define DESCRIBE_TEXTS      6   /* from this version on an unknown group is an error with a text */

/* ---- a shard and its groups --------------------------------------------------------------------------- */

GroupShard *
shard_new(int32_t partition, GroupMemory *memory, uint64_t seed)
{
    GroupShard *shard = gmem_new(memory, sizeof *shard);

    shard->scratch = arena_new(SCRATCH_CHUNK_BYTES, 0);
    ot_assert(shard->scratch != NULL); /* as gmem_new */
    shard->partition = partition;
    shard->own.parent = memory;
    shard->memory = &shard->own;
    shard->seed = seed;
    shard->metadata_told = NOT_LOOKED;
    shard->metadata_version = NOT_LOOKED;
    map_init(&shard->groups, shard->memory, seed);
    map_init(&shard->topics, shard->memory, seed);
    map_init(&shard->transactions, shard->memory, seed);
    timers_init(&shard->timers, shard->memory);
    return shard;
}

void
shard_free(GroupShard *shard)
{
    GroupMemory *parent;

    if (shard == NULL)
        return;
    while (shard->first != NULL)
        shard_drop_group(shard, shard->first);
    parent = shard->own.parent;
    timers_clear(&shard->timers);
    map_clear(&shard->groups);
    map_clear(&shard->topics);
    map_clear(&shard->transactions);
    arena_free(shard->scratch);
    ot_assert(shard->own.used == 0);
    gmem_free(parent, shard, sizeof *shard);
}

Group *
shard_find_group(const GroupShard *shard, StrView id)
{
    MapNode *node = map_find(&shard->groups, id);

    return node == NULL ? NULL : MAP_OWNER(node, Group, node);
}

Group *
shard_add_group_of_log(GroupShard *shard, StrView id)
{
    Group *group = gmem_new(shard->memory, sizeof *group);

    group->id = gmem_text(shard->memory, id);
    group->serial = ++shard->group_serial;
    group->prev = shard->last;
    if (shard->last != NULL)
        shard->last->next = group;
    else
        shard->first = group;
    shard->last = group;
    map_add(&shard->groups, &group->node, group->id);
    offsets_init(shard, group);
    classic_attach(shard, group);
    return group;
}

Group *
shard_add_group(GroupShard *shard, StrView id)
{
    return gmem_is_tight(shard->memory) ? NULL : shard_add_group_of_log(shard, id);
}

void
shard_drop_group(GroupShard *shard, Group *group)
{
    if (group->classic != NULL)
        classic_detach(shard, group);
    if (group->consumer != NULL)
        consumer_detach(shard, group);
    offsets_clear(shard, group);
    map_remove(&shard->groups, &group->node);
    if (group->prev != NULL)
        group->prev->next = group->next;
    else
        shard->first = group->next;
    if (group->next != NULL)
        group->next->prev = group->prev;
    else
        shard->last = group->prev;
    gmem_free_text(shard->memory, group->id);
    gmem_free(shard->memory, group, sizeof *group);
}

/* ---- loaded, unloaded, time --------------------------------------------------------------------------- */

void
shard_loaded(GroupShard *shard, GroupEnv *env)
{
    Group *next;

    shard->loaded = true;
    for (Group *group = shard->first; group != NULL; group = next) {
        next = group->next;
        if (group->classic != NULL)
            classic_loaded(shard, env, group);
        else
            consumer_loaded(shard, env, group);
    }
}

void
shard_unload(GroupShard *shard, GroupEnv *env, int16_t status)
{
    for (Group *group = shard->first; group != NULL; group = group->next)
        if (group->classic != NULL)
            classic_unload(shard, env, group, status);
        else
            consumer_unload(shard, env, group, status);
}

int64_t
shard_next_timer_us(const GroupShard *shard)
{
    return timers_next_us(&shard->timers);
}

bool
shard_tick(GroupShard *shard, GroupEnv *env)
{
    GroupTimer *timer = timers_take(&shard->timers, env->now_us);

    if (timer == NULL)
        return false;
    switch ((TimerKind)timer->kind) {
    case TIMER_CLASSIC_PENDING:
    case TIMER_CLASSIC_MEMBER:
    case TIMER_CLASSIC_JOIN:
    case TIMER_CLASSIC_SYNC:
        classic_timer(shard, env, timer);
        break;
    case TIMER_CONSUMER_SESSION:
    case TIMER_CONSUMER_REBALANCE:
    case TIMER_CONSUMER_JOIN:
    case TIMER_CONSUMER_SYNC:
    case TIMER_CONSUMER_REGEX:
    case TIMER_CONSUMER_TARGET:
        consumer_timer(shard, env, timer);
        break;
    case TIMER_KIND_COUNT:
        ot_unreachable();
    }
    return timers_next_us(&shard->timers) <= env->now_us;
}

static bool
is_session(const GroupTimer *timer)
{
    return timer->kind == TIMER_CLASSIC_MEMBER || timer->kind == TIMER_CONSUMER_SESSION;
}

void
shard_add_stall(GroupShard *shard, int64_t stall_us)
{
    timers_shift(&shard->timers, stall_us, is_session);
}

/* ---- requests of members ------------------------------------------------------------------------------- */

/* A consumer group that has members answers classic requests itself (4.11). */
static bool
is_modern(const Group *group)
{
    return group != NULL && group->consumer != NULL;
}

void
shard_join_group(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                 const JoinGroupRequest *request)
{
    Group *group = shard_find_group(shard, request->group_id);

    if (is_modern(group) && !consumer_is_empty(group))
        consumer_classic_join(shard, env, caller, request, group);
    else
        classic_join(shard, env, caller, request, group);
}

void
shard_sync_group(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                 const SyncGroupRequest *request)
{
    Group *group = shard_find_group(shard, request->group_id);

    if (is_modern(group))
        consumer_classic_sync(shard, env, caller, request, group);
    else
        classic_sync(shard, env, caller, request, group);
}

void
shard_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                const HeartbeatRequest *request)
{
    Group *group = shard_find_group(shard, request->group_id);

    if (is_modern(group))
        consumer_classic_heartbeat(shard, env, caller, request, group);
    else
        classic_heartbeat(shard, env, caller, request, group);
}

void
shard_leave_group(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                  const LeaveGroupRequest *request)
{
    Group *group = shard_find_group(shard, request->group_id);

    if (is_modern(group))
        consumer_classic_leave(shard, env, caller, request, group);
    else
        classic_leave(shard, env, caller, request, group);
}

void
shard_consumer_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                         const ConsumerGroupHeartbeatRequest *request)
{
    consumer_heartbeat(shard, env, caller, request, shard_find_group(shard, request->group_id));
}

/* ---- describe, delete, list ----------------------------------------------------------------------------- */

static StrView
not_found_text(GroupEnv *env, const char *what, StrView group_id)
{
    const char *text =
        arena_printf(env->out->arena, "Group %.*s%s", group_id.len, group_id.ptr, what);

    return text == NULL ? STRVIEW("") : strview_from(text);
}

void
shard_describe_classic(GroupShard *shard, GroupEnv *env, int16_t version, StrView group_id,
                       DescribeGroupsResponseGroup *ret)
{
    const Group *group = shard_find_group(shard, group_id);

    describe_groups_response_group_init(ret);
    ret->group_id = group_id;
    if (group != NULL && group->classic != NULL) {
        classic_describe(group, env, version, ret);
        return;
    }
    ret->group_state = STRVIEW("Dead");
    if (version < DESCRIBE_TEXTS)
        return;
    ret->error_code = KERR_GROUP_ID_NOT_FOUND;
    ret->error_message =
        not_found_text(env, group == NULL ? " not found." : " is not a classic group.", group_id);
}

void
shard_describe_consumer(GroupShard *shard, GroupEnv *env, StrView group_id,
                        ConsumerGroupDescribeResponseGroup *ret)
{
    const Group *group = shard_find_group(shard, group_id);

    consumer_group_describe_response_group_init(ret);
    ret->group_id = group_id;
    if (is_modern(group)) {
        consumer_describe(group, env, ret);
        return;
    }
    ret->error_code = group_id.len == 0 ? KERR_INVALID_GROUP_ID : KERR_GROUP_ID_NOT_FOUND;
    if (group_id.len > 0)
        ret->error_message = not_found_text(
            env, group == NULL ? " not found." : " is not a consumer group.", group_id);
}

int16_t
shard_delete_group(GroupShard *shard, GroupEnv *env, StrView group_id)
{
    Group *group = shard_find_group(shard, group_id);

    if (group == NULL)
        return KERR_GROUP_ID_NOT_FOUND;
    if (strcmp(group->classic != NULL ? classic_state_text(group) : consumer_state_text(group),
               "Empty") != 0)
        return KERR_NON_EMPTY_GROUP;
    offsets_write_tombstones(env, group);
    if (group->classic != NULL)
        classic_write_tombstone(env, group);
    else
        consumer_write_tombstones(env, group);
    if (!group_out_fits(env->out, env->settings)) {
        group_out_forget_records(env->out);
        return KERR_UNKNOWN_SERVER_ERROR;
    }
    shard_drop_group(shard, group);
    return 0;
}

int64_t
group_bytes(const Group *group)
{
    int32_t members = is_modern(group) ? consumer_member_count(group) : classic_member_count(group);

    return (int64_t)(sizeof *group + (size_t)group->id.len + group->offsets.bytes) +
           (int64_t)members * MEMBER_BYTES;
}

void
shard_list(GroupShard *shard, GroupEnv *env, bool (*each)(void *ctx, const GroupListing *one),
           void *ctx)
{
    bool more = true;

    (void)env;
    for (const Group *group = shard->first; group != NULL && more; group = group->next) {
        bool modern = is_modern(group);
        GroupListing one = {
            .group_id = group->id,
            .protocol_type = modern ? STRVIEW("consumer") : classic_protocol_type(group),
            .state = modern ? consumer_state_text(group) : classic_state_text(group),
            .type = modern ? "consumer" : "classic",
            .members = modern ? consumer_member_count(group) : classic_member_count(group),
        };

        one.bytes = group_bytes(group);
        more = each(ctx, &one);
    }
}

/* ---- statistics and checks ------------------------------------------------------------------------------ */

ShardCounts
shard_counts(const GroupShard *shard)
{
    return (ShardCounts){
        .groups = shard->groups.count,
        .members = shard->member_count,
        .offsets = shard->offset_count,
        .bytes = (int64_t)shard->own.used,
    };
}

static void
check_topics(const GroupShard *shard)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&shard->topics, &bucket, NULL); node != NULL;
         node = map_next(&shard->topics, &bucket, node)) {
        const ShardTopic *of = MAP_OWNER(node, ShardTopic, node);

        ot_assert(of->first != NULL && of->first->prev == NULL);
        for (const OffsetTopic *topic = of->first; topic != NULL; topic = topic->next) {
            ot_assert(topic->topic == of);
            ot_assert(topic->next == NULL || topic->next->prev == topic);
            ot_assert(offset_topic_find(topic->group, of->name) == topic);
        }
    }
}

void
shard_check(const GroupShard *shard)
{
    uint32_t groups = 0;
    int64_t members = 0, offsets = 0;

    for (const Group *group = shard->first; group != NULL; group = group->next, groups++) {
        ot_assert((group->classic == NULL) != (group->consumer == NULL));
        ot_assert(shard_find_group(shard, group->id) == group);
        ot_assert(group->next == NULL ? shard->last == group : group->next->prev == group);
        if (group->classic != NULL)
            classic_check(shard, group);
        else
            consumer_check(shard, group);
        offsets_check(shard, group);
        offsets += group->offsets.count;
        members += is_modern(group) ? consumer_member_count(group) : classic_member_count(group);
    }
    ot_assert(groups == shard->groups.count);
    ot_assert(offsets == shard->offset_count);
    ot_assert(members == shard->member_count);
    check_topics(shard);
    pending_check(shard);
}
