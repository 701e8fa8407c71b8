/*
 * classic_leave.c - LeaveGroup of classic groups
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"

/* One member; 0: it has left, and its id stands in *ret_id (in the out's memory). */
static int16_t
leave_one(GroupShard *shard, GroupEnv *env, Group *group, const LeaveGroupRequestMember *one,
          StrView *ret_id)
{
    ClassicPending *pending;
    ClassicMember *member;
    int16_t code;

    if (one->member_id.len == 0) { /* an administrator names the instance alone */
        member = one->group_instance_id.ptr == NULL
                     ? NULL
                     : classic_find_instance(group, one->group_instance_id);
        if (member == NULL)
            return KERR_UNKNOWN_MEMBER_ID;
    } else {
        pending = classic_find_pending(group, one->member_id);
        if (pending != NULL) {
            classic_drop_pending(shard, pending);
            *ret_id = one->member_id;
            return 0;
        }
        code = classic_check_member(group, one->member_id, one->group_instance_id);
        if (code != 0)
            return code;
        member = classic_find_member(group, one->member_id);
    }
    *ret_id = group_out_text(env->out, member->id);
    classic_remove_member(shard, env, member);
    return 0;
}

/* Whoever is named; the codes go to *response. True: at least one has left. */
static bool
leave_all(GroupShard *shard, GroupEnv *env, Group *group, const LeaveGroupRequest *request,
          LeaveGroupResponse *response)
{
    StrView first = {0};

    for (int32_t i = 0; i < request->members_count; i++) {
        const LeaveGroupRequestMember *one = &request->members[i];
        LeaveGroupResponseMember *to = &response->members[i];
        StrView id = {0};

        leave_group_response_member_init(to);
        to->member_id = one->member_id;
        to->group_instance_id = one->group_instance_id;
        to->error_code =
            group == NULL ? KERR_UNKNOWN_MEMBER_ID : leave_one(shard, env, group, one, &id);
        if (to->error_code == 0 && first.ptr == NULL)
            first = id;
    }
    response->members_count = request->members_count;
    if (first.ptr == NULL)
        return false;
    if (group->classic->state != CLASSIC_EMPTY)
        classic_rebalance(shard, env, group, REBALANCE_MEMBER_LEFT, first);
    return true;
}

void
classic_leave(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
              const LeaveGroupRequest *request, Group *group)
{
    LeaveGroupRequestMember single = {.member_id = request->member_id};
    LeaveGroupRequest old = *request;
    LeaveGroupResponse *response;
    int32_t records = env->out->record_count;

    if (request->group_id.len == 0 || request->members_count > CLASSIC_LEAVING_MAX) {
        group_reply_status(env->out, caller->token, REPLY_NOW,
                           request->group_id.len == 0 ? KERR_INVALID_GROUP_ID
                                                      : KERR_INVALID_REQUEST);
        return;
    }
    if (caller->api_version < 3) {
        old.members = &single;
        old.members_count = 1;
    }
    response = group_out_alloc(env->out, 1, sizeof *response);
    if (response == NULL)
        return;
    leave_group_response_init(response);
    response->members =
        group_out_alloc(env->out, (size_t)old.members_count, sizeof *response->members);
    if (response->members == NULL)
        return;
    (void)leave_all(shard, env, group, &old, response); /* the codes say it */
    if (caller->api_version < 3) {
        response->error_code = response->members[0].error_code;
        response->members_count = 0;
    }
    group_reply(env->out, caller->token,
                env->out->record_count > records ? REPLY_COMMITTED : REPLY_NOW,
                &leave_group_response_desc, caller->api_version, response);
}
