/*
 * classic_sync.c - SyncGroup and Heartbeat of classic groups
 *
 * The leader's SyncGroup makes the group stable at once; what it and everybody who waited are told leaves when
 * the record is committed. Should the record fail, the shard is loaded again without it, and whoever asks next finds
 * the generation of before.
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"

#include "ottla/common/assert.h"

static void
tell_assignment(GroupEnv *env, const ClassicMember *member, GroupToken token, int16_t version,
                GroupReplyWhen when)
{
    const ClassicGroup *c = member->group->classic;
    SyncGroupResponse *response = group_out_alloc(env->out, 1, sizeof *response);

    if (response == NULL)
        return;
    sync_group_response_init(response);
    response->protocol_type = c->protocol_type;
    response->protocol_name = c->protocol;
    response->assignment = member->assignment;
    group_reply(env->out, token, when, &sync_group_response_desc, version, response);
}

void
classic_has_synced(GroupShard *shard, ClassicMember *member)
{
    ClassicGroup *c = member->group->classic;

    if (!member->pending_sync)
        return;
    member->pending_sync = false;
    if (--c->pending_sync_count == 0)
        timers_cancel(&shard->timers, &c->sync_timer);
}

void
classic_answer_syncs(GroupShard *shard, GroupEnv *env, Group *group, int16_t status)
{
    for (ClassicMember *m = group->classic->first; m != NULL; m = m->next) {
        if (!m->sync.parked)
            continue;
        if (status != 0)
            group_reply_status(env->out, m->sync.token, REPLY_NOW, status);
        else
            tell_assignment(env, m, m->sync.token, m->sync.version, REPLY_COMMITTED);
        m->sync = (ClassicParked){0};
        classic_touch(shard, env, m);
    }
}

/* ---- the leader's ---------------------------------------------------------------------------------- */

/* Who is not named gets nothing; who is named and no member is passed over. The last naming counts. */
static void
take_assignments(GroupShard *shard, Group *group, const SyncGroupRequest *request)
{
    for (ClassicMember *m = group->classic->first; m != NULL; m = m->next)
        (void)gmem_set_bytes(shard->memory, &m->assignment, (BytesView){(const uint8_t *)"", 0});
    for (int32_t i = 0; i < request->assignments_count; i++) {
        ClassicMember *m = classic_find_member(group, request->assignments[i].member_id);

        if (m != NULL)
            (void)gmem_set_bytes(shard->memory, &m->assignment, request->assignments[i].assignment);
    }
}

static void
assign(GroupShard *shard, GroupEnv *env, Group *group, const SyncGroupRequest *request)
{
    ClassicGroup *c = group->classic;
    bool was_in_log = c->in_log;

    take_assignments(shard, group, request);
    classic_write_group(env, group);
    if (!group_out_fits(env->out, env->settings)) {
        group_out_forget_records(env->out);
        c->in_log = was_in_log;
        classic_answer_syncs(shard, env, group, KERR_UNKNOWN_SERVER_ERROR);
        classic_rebalance(shard, env, group, REBALANCE_SYNC_FAILED, (StrView){0});
        return;
    }
    classic_set_state(env, group, CLASSIC_STABLE);
    classic_answer_syncs(shard, env, group, 0);
    classic_rebalance_over(shard, env, group);
}

/* ---- SyncGroup ----------------------------------------------------------------------------------------- */

/* A name that was given must be the group's. */
static bool
differs(StrView given, StrView ours)
{
    return given.ptr != NULL && !strview_equal(given, ours);
}

static int16_t
check_sync(const Group *group, int16_t version, const SyncGroupRequest *request)
{
    const ClassicGroup *c;
    int16_t code;

    if (version >= 5 && (request->protocol_type.ptr == NULL || request->protocol_name.ptr == NULL))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (request->group_id.len == 0)
        return KERR_INVALID_GROUP_ID;
    if (group == NULL)
        return KERR_UNKNOWN_MEMBER_ID;
    c = group->classic;
    code = classic_check_member(group, request->member_id, request->group_instance_id);
    if (code != 0)
        return code;
    if (request->generation_id != c->generation)
        return KERR_ILLEGAL_GENERATION;
    if (differs(request->protocol_type, c->protocol_type) ||
        differs(request->protocol_name, c->protocol))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    return c->state == CLASSIC_PREPARING ? KERR_REBALANCE_IN_PROGRESS : 0;
}

void
classic_sync(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
             const SyncGroupRequest *request, Group *group)
{
    int16_t code = check_sync(group, caller->api_version, request);
    ClassicMember *member;

    if (code != 0) {
        group_reply_status(env->out, caller->token, REPLY_NOW, code);
        return;
    }
    member = classic_find_member(group, request->member_id);
    classic_has_synced(shard, member);
    if (group->classic->state == CLASSIC_STABLE) {
        tell_assignment(env, member, caller->token, caller->api_version, REPLY_REPLICATED);
        return;
    }
    if (member->sync.parked)
        group_reply_status(env->out, member->sync.token, REPLY_NOW, KERR_UNKNOWN_MEMBER_ID);
    member->sync = (ClassicParked){caller->token, caller->api_version, true};
    if (member == group->classic->leader)
        assign(shard, env, group, request);
}

/* ---- Heartbeat ------------------------------------------------------------------------------------------- */

static int16_t
check_heartbeat(const Group *group, const HeartbeatRequest *request)
{
    int16_t code;

    if (request->group_id.len == 0)
        return KERR_INVALID_GROUP_ID;
    if (group == NULL)
        return KERR_UNKNOWN_MEMBER_ID;
    code = classic_check_member(group, request->member_id, request->group_instance_id);
    if (code != 0)
        return code;
    return request->generation_id == group->classic->generation ? 0 : KERR_ILLEGAL_GENERATION;
}

void
classic_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                  const HeartbeatRequest *request, Group *group)
{
    int16_t code = check_heartbeat(group, request);
    HeartbeatResponse *response;

    if (code == 0) {
        classic_touch(shard, env, classic_find_member(group, request->member_id));
        if (group->classic->state == CLASSIC_PREPARING)
            code = KERR_REBALANCE_IN_PROGRESS;
    }
    if (code != 0) {
        group_reply_status(env->out, caller->token, REPLY_NOW, code);
        return;
    }
    response = group_out_alloc(env->out, 1, sizeof *response);
    if (response == NULL)
        return;
    heartbeat_response_init(response);
    group_reply(env->out, caller->token, REPLY_NOW, &heartbeat_response_desc, caller->api_version,
                response);
}
