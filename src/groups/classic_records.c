/*
 * classic_records.c - what a classic group has in the log, and how it comes back from there
 *
 * One record holds the whole group as it is when stable or empty. Pending ids, parked requests and a rebalance
 * that went on are not in it: after a load members find their generation, or are told to join again.
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"

#include "ottla/common/assert.h"

#define GROUP_METADATA_VERSION 3

void
classic_write_group(GroupEnv *env, Group *group)
{
    ClassicGroup *c = group->classic;
    GroupMetadataKey key = {.group = group->id};
    GroupMetadataValue value;

    group_metadata_value_init(&value);
    value.protocol_type = classic_protocol_type(group);
    value.generation = c->generation;
    value.protocol = c->protocol;
    value.leader = c->leader == NULL ? (StrView){0} : c->leader->id;
    value.current_state_timestamp = c->state_ms;
    value.members = group_out_alloc(env->out, c->members.count, sizeof *value.members);
    if (value.members == NULL)
        return;
    for (const ClassicMember *m = c->first; m != NULL; m = m->next) {
        GroupMetadataValueMember *to = &value.members[value.members_count++];

        group_metadata_value_member_init(to);
        to->member_id = m->id;
        to->group_instance_id = m->instance_id;
        to->client_id = m->client_id;
        to->client_host = m->client_host;
        to->rebalance_timeout = m->rebalance_timeout_ms;
        to->session_timeout = m->session_timeout_ms;
        to->subscription = classic_metadata(m, c->protocol);
        to->assignment = m->assignment;
    }
    group_record(env->out, &group_metadata_key_desc, &key, &group_metadata_value_desc,
                 GROUP_METADATA_VERSION, &value);
    c->in_log = true;
}

void
classic_write_tombstone(GroupEnv *env, const Group *group)
{
    GroupMetadataKey key = {.group = group->id};

    if (group->classic->in_log)
        group_record(env->out, &group_metadata_key_desc, &key, NULL, 0, NULL);
}

/* ---- loading -------------------------------------------------------------------------------------------- */

/* It offers what its group had chosen, until it joins again. */
static void
replay_member(GroupShard *shard, Group *group, const GroupMetadataValueMember *from)
{
    JoinGroupRequestProtocol protocol = {
        .name = group->classic->protocol,
        .metadata = from->subscription,
    };

    if (classic_find_member(group, from->member_id) != NULL ||
        (from->group_instance_id.ptr != NULL &&
         classic_find_instance(group, from->group_instance_id) != NULL))
        return; /* no server wrote that */
    (void)classic_add_member(shard, group,
                             &(ClassicMemberInit){
                                 .id = from->member_id,
                                 .instance_id = from->group_instance_id,
                                 .client_id = from->client_id,
                                 .client_host = from->client_host,
                                 .session_timeout_ms = from->session_timeout,
                                 .rebalance_timeout_ms = from->rebalance_timeout,
                                 .protocols = &protocol,
                                 .protocol_count = 1,
                                 .assignment = from->assignment,
                             });
}

void
classic_replay(GroupShard *shard, Group *group, const GroupMetadataValue *value)
{
    ClassicGroup *c;
    ClassicMember *leader;

    classic_detach(shard, group);
    classic_attach(shard, group);
    if (value == NULL)
        return;
    c = group->classic;
    c->in_log = true;
    c->reloaded = true;
    c->generation = value->generation;
    c->state_ms = value->current_state_timestamp;
    if (value->protocol_type.len > 0 || value->members_count > 0)
        c->protocol_type = gmem_text(shard->memory, value->protocol_type);
    c->protocol = gmem_text(shard->memory, value->protocol);
    if (c->protocol.ptr == NULL && value->members_count > 0)
        c->protocol = STRVIEW("");
    for (int32_t i = 0; i < value->members_count; i++)
        replay_member(shard, group, &value->members[i]);
    if (c->first != NULL) {
        leader = value->leader.ptr == NULL ? NULL : classic_find_member(group, value->leader);
        c->leader = leader == NULL ? c->first : leader;
        c->state = CLASSIC_STABLE;
    }
    classic_read_subscriptions(shard, group);
}

void
classic_loaded(GroupShard *shard, GroupEnv *env, Group *group)
{
    const ClassicGroup *c = group->classic;

    for (ClassicMember *m = c->first; m != NULL; m = m->next)
        classic_touch(shard, env, m);
    if (c->state == CLASSIC_STABLE && (int32_t)c->members.count > env->settings->max_size)
        classic_rebalance(shard, env, group, REBALANCE_GROUP_TOO_LARGE, (StrView){0});
}

/* ---- the end ------------------------------------------------------------------------------------------- */

void
classic_unload(GroupShard *shard, GroupEnv *env, Group *group, int16_t status)
{
    ClassicGroup *c = group->classic;

    classic_answer_joins(env, group, status);
    classic_answer_syncs(shard, env, group, status);
    for (ClassicMember *m = c->first; m != NULL; m = m->next)
        timers_cancel(&shard->timers, &m->timer);
    for (ClassicPending *p = c->pending_first; p != NULL; p = p->next)
        timers_cancel(&shard->timers, &p->timer);
    timers_cancel(&shard->timers, &c->join_timer);
    timers_cancel(&shard->timers, &c->sync_timer);
}
