/*
 * classic_rebalance.c - from one generation of a classic group to the next
 *
 * A rebalance begins when the group leaves EMPTY or STABLE, and is over when it is there again; when its
 * assignment phase is broken off, it goes on. Timers of classic groups end here, too.
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"

#include "ottla/common/assert.h"

static void complete_join(GroupShard *shard, GroupEnv *env, Group *group);

/* ---- answers to JoinGroup ------------------------------------------------------------------------ */

void
classic_refuse_join(GroupEnv *env, GroupToken token, int16_t version, int16_t code,
                    StrView member_id)
{
    JoinGroupResponse *response = group_out_alloc(env->out, 1, sizeof *response);

    if (response == NULL)
        return;
    join_group_response_init(response);
    response->error_code = code;
    response->member_id = group_out_text(env->out, member_id);
    response->protocol_name = version < 7 ? STRVIEW("") : (StrView){0};
    group_reply(env->out, token, REPLY_NOW, &join_group_response_desc, version, response);
}

static void
put_list(GroupEnv *env, const ClassicGroup *c, JoinGroupResponse *response)
{
    response->members = group_out_alloc(env->out, c->members.count, sizeof *response->members);
    if (response->members == NULL)
        return;
    for (const ClassicMember *m = c->first; m != NULL; m = m->next) {
        JoinGroupResponseMember *to = &response->members[response->members_count++];

        join_group_response_member_init(to);
        to->member_id = m->id;
        to->group_instance_id = m->instance_id;
        to->metadata = classic_metadata(m, c->protocol);
    }
}

JoinGroupResponse *
classic_joined(GroupEnv *env, const ClassicMember *member, bool with_list)
{
    const ClassicGroup *c = member->group->classic;
    JoinGroupResponse *response = group_out_alloc(env->out, 1, sizeof *response);

    if (response == NULL)
        return NULL;
    join_group_response_init(response);
    response->generation_id = c->generation;
    response->protocol_type = c->protocol_type;
    response->protocol_name = c->protocol;
    response->leader = c->leader->id;
    response->member_id = member->id;
    if (with_list)
        put_list(env, c, response);
    return response;
}

/* ---- who is parked --------------------------------------------------------------------------------- */

static void
unpark_join(ClassicMember *member)
{
    if (member->join.parked)
        member->group->classic->joining_count--;
    member->join = (ClassicParked){0};
}

void
classic_park_join(GroupShard *shard, GroupEnv *env, ClassicMember *member,
                  const GroupCaller *caller)
{
    ClassicGroup *c = member->group->classic;

    if (member->join.parked)
        classic_refuse_join(env, member->join.token, member->join.version, KERR_UNKNOWN_MEMBER_ID,
                            STRVIEW(""));
    else
        c->joining_count++;
    member->join = (ClassicParked){caller->token, caller->api_version, true};
    (void)gmem_set_text(shard->memory, &c->rebalance.waited_for, member->id); /* so far */
}

void
classic_answer_joins(GroupEnv *env, Group *group, int16_t status)
{
    for (ClassicMember *m = group->classic->first; m != NULL; m = m->next) {
        if (m->join.parked)
            classic_refuse_join(env, m->join.token, m->join.version, status, m->id);
        unpark_join(m);
    }
}

void
classic_fence_parked(GroupEnv *env, ClassicMember *member, int16_t code, StrView member_id)
{
    if (member->join.parked)
        classic_refuse_join(env, member->join.token, member->join.version, code, member_id);
    unpark_join(member);
    if (member->sync.parked)
        group_reply_status(env->out, member->sync.token, REPLY_NOW, code);
    member->sync = (ClassicParked){0};
}

void
classic_remove_member(GroupShard *shard, GroupEnv *env, ClassicMember *member)
{
    classic_fence_parked(env, member, KERR_UNKNOWN_MEMBER_ID, STRVIEW(""));
    classic_drop_member(shard, member);
}

/* ---- the history ------------------------------------------------------------------------------------- */

/* One that was broken off goes on, under its first cause. */
static void
begin_rebalance(GroupShard *shard, GroupEnv *env, ClassicGroup *c, RebalanceCause cause,
                StrView member)
{
    ClassicRebalance *r = &c->rebalance;

    if (r->running)
        return;
    r->running = true;
    r->cause = cause;
    (void)gmem_set_text(shard->memory, &r->cause_member, member);
    (void)gmem_set_text(shard->memory, &r->waited_for, (StrView){0});
    r->begin_us = env->now_us;
    r->begin_wall_ms = env->wall_ms;
}

void
classic_rebalance_over(GroupShard *shard, GroupEnv *env, Group *group)
{
    ClassicGroup *c = group->classic;
    ClassicRebalance *r = &c->rebalance;

    if (!r->running)
        return;
    group_rebalance_ended(env->out,
                          &(GroupRebalance){
                              .group = group->id,
                              .cause = r->cause,
                              .cause_member = r->cause_member,
                              .waited_for = r->waited_for,
                              .generation = c->generation,
                              .members = (int32_t)c->members.count,
                              .begin_wall_ms = r->begin_wall_ms,
                              .duration_ms = (int32_t)((env->now_us - r->begin_us) / 1000),
                          });
    r->running = false;
    (void)gmem_set_text(shard->memory, &r->cause_member, (StrView){0});
    (void)gmem_set_text(shard->memory, &r->waited_for, (StrView){0});
}

/* ---- the join phase ------------------------------------------------------------------------------------ */

static bool
have_all_joined(const ClassicGroup *c)
{
    return c->joining_count == (int32_t)c->members.count && c->pending.count == 0;
}

static void
wait_for_joins(GroupShard *shard, GroupEnv *env, Group *group, int64_t ms)
{
    timers_set(&shard->timers, &group->classic->join_timer, TIMER_CLASSIC_JOIN,
               env->now_us + ms * 1000);
}

static void
end_sync_phase(GroupShard *shard, ClassicGroup *c)
{
    if (c->pending_sync_count > 0)
        for (ClassicMember *m = c->first; m != NULL; m = m->next)
            m->pending_sync = false;
    c->pending_sync_count = 0;
    timers_cancel(&shard->timers, &c->sync_timer);
}

static void
clear_assignments(GroupShard *shard, ClassicGroup *c)
{
    for (ClassicMember *m = c->first; m != NULL; m = m->next)
        (void)gmem_set_bytes(shard->memory, &m->assignment, (BytesView){(const uint8_t *)"", 0});
}

void
classic_rebalance(GroupShard *shard, GroupEnv *env, Group *group, RebalanceCause cause,
                  StrView member)
{
    ClassicGroup *c = group->classic;
    bool initial = c->state == CLASSIC_EMPTY;

    if (c->state == CLASSIC_PREPARING) {
        classic_maybe_complete_join(shard, env, group);
        return;
    }
    begin_rebalance(shard, env, c, cause, member);
    if (c->state == CLASSIC_COMPLETING) {
        clear_assignments(shard, c);
        classic_answer_syncs(shard, env, group, KERR_REBALANCE_IN_PROGRESS);
    }
    end_sync_phase(shard, c);
    classic_set_state(env, group, CLASSIC_PREPARING);
    c->initial = initial;
    c->new_joined = false;
    if (initial) {
        c->initial_delay_ms = env->settings->initial_rebalance_delay_ms;
        c->initial_left_ms = classic_rebalance_timeout_ms(group) - c->initial_delay_ms;
        if (c->initial_left_ms < 0)
            c->initial_left_ms = 0;
        wait_for_joins(shard, env, group, c->initial_delay_ms);
    } else if (have_all_joined(c)) {
        complete_join(shard, env, group);
    } else {
        wait_for_joins(shard, env, group, classic_rebalance_timeout_ms(group));
    }
}

void
classic_maybe_complete_join(GroupShard *shard, GroupEnv *env, Group *group)
{
    const ClassicGroup *c = group->classic;

    if (c->state == CLASSIC_PREPARING && !c->initial && have_all_joined(c))
        complete_join(shard, env, group);
}

/* Silent members go, but for static ones: those have until their session ends. */
static void
drop_silent(GroupShard *shard, ClassicGroup *c)
{
    ClassicMember *next;
    bool noted = false;

    for (ClassicMember *m = c->first; m != NULL; m = next) {
        next = m->next;
        if (m->join.parked)
            continue;
        if (!noted)
            (void)gmem_set_text(shard->memory, &c->rebalance.waited_for, m->id);
        noted = true;
        if (m->instance_id.ptr == NULL)
            classic_drop_member(shard, m);
    }
}

static void
answer_joins(GroupShard *shard, GroupEnv *env, Group *group)
{
    ClassicGroup *c = group->classic;

    for (ClassicMember *m = c->first; m != NULL; m = m->next) {
        if (m->join.parked) {
            JoinGroupResponse *response = classic_joined(env, m, m == c->leader);

            if (response != NULL)
                group_reply(env->out, m->join.token, REPLY_REPLICATED, &join_group_response_desc,
                            m->join.version, response);
        }
        unpark_join(m);
        m->is_new = false;
        m->pending_sync = true;
        c->pending_sync_count++;
        classic_touch(shard, env, m);
    }
}

static void
begin_generation(GroupShard *shard, GroupEnv *env, Group *group)
{
    ClassicGroup *c = group->classic;
    uint32_t step = c->reloaded ? CLASSIC_RELOAD_GENERATION : 1;

    c->generation = (int32_t)((uint32_t)c->generation + step);
    c->reloaded = false;
    c->initial = false;
    timers_cancel(&shard->timers, &c->join_timer);
    (void)gmem_set_text(shard->memory, &c->protocol, classic_vote(group));
    classic_read_subscriptions(shard, group);
    if (c->first == NULL) {
        classic_set_state(env, group, CLASSIC_EMPTY);
        classic_write_group(env, group);
        classic_rebalance_over(shard, env, group);
        return;
    }
    ot_assert(c->protocol.ptr != NULL);
    classic_set_state(env, group, CLASSIC_COMPLETING);
    answer_joins(shard, env, group);
    timers_set(&shard->timers, &c->sync_timer, TIMER_CLASSIC_SYNC,
               env->now_us + (int64_t)classic_rebalance_timeout_ms(group) * 1000);
}

static void
complete_join(GroupShard *shard, GroupEnv *env, Group *group)
{
    ClassicGroup *c = group->classic;

    ot_assert(c->state == CLASSIC_PREPARING);
    if (c->initial || c->members.count == 1)
        (void)gmem_set_text(shard->memory, &c->rebalance.waited_for, (StrView){0});
    drop_silent(shard, c);
    if (c->first != NULL && c->joining_count == 0) { /* static ones, all of them silent */
        wait_for_joins(shard, env, group, classic_rebalance_timeout_ms(group));
        return;
    }
    if (c->leader != NULL && !c->leader->join.parked)
        for (c->leader = c->first; !c->leader->join.parked; c->leader = c->leader->next)
            ot_assert(c->leader->next != NULL);
    begin_generation(shard, env, group);
}

/* ---- timers -------------------------------------------------------------------------------------------- */

static void
member_timer(GroupShard *shard, GroupEnv *env, ClassicMember *member)
{
    Group *group = member->group;
    StrView id;

    if (!member->is_new && (member->join.parked || member->sync.parked))
        return; /* it cannot heartbeat; the answer arms the timer again */
    id = group_out_text(env->out, member->id);
    classic_remove_member(shard, env, member);
    classic_rebalance(shard, env, group, REBALANCE_MEMBER_EXPIRED, id);
}

static void
join_timer(GroupShard *shard, GroupEnv *env, Group *group)
{
    ClassicGroup *c = group->classic;
    int64_t delay_ms = env->settings->initial_rebalance_delay_ms;

    if (!c->initial || !c->new_joined || c->initial_left_ms == 0) {
        complete_join(shard, env, group);
        return;
    }
    if (delay_ms > c->initial_left_ms)
        delay_ms = c->initial_left_ms;
    c->initial_left_ms -= c->initial_delay_ms;
    if (c->initial_left_ms < 0)
        c->initial_left_ms = 0;
    c->initial_delay_ms = delay_ms;
    c->new_joined = false;
    wait_for_joins(shard, env, group, delay_ms);
}

static void
sync_timer(GroupShard *shard, GroupEnv *env, Group *group)
{
    ClassicGroup *c = group->classic;
    ClassicMember *next;
    const ClassicMember *late = c->leader;
    StrView id;

    ot_assert(c->pending_sync_count > 0);
    for (const ClassicMember *m = c->first; !late->pending_sync; m = m->next)
        late = m;
    id = group_out_text(env->out, late->id);
    for (ClassicMember *m = c->first; m != NULL; m = next) {
        next = m->next;
        if (m->pending_sync)
            classic_remove_member(shard, env, m);
    }
    classic_rebalance(shard, env, group, REBALANCE_SYNC_TIMEOUT, id);
}

void
classic_timer(GroupShard *shard, GroupEnv *env, GroupTimer *timer)
{
    switch (timer->kind) {
    case TIMER_CLASSIC_PENDING: {
        ClassicPending *pending = MAP_OWNER(timer, ClassicPending, timer);
        Group *group = pending->group;

        classic_drop_pending(shard, pending);
        classic_maybe_complete_join(shard, env, group);
        break;
    }
    case TIMER_CLASSIC_MEMBER:
        member_timer(shard, env, MAP_OWNER(timer, ClassicMember, timer));
        break;
    case TIMER_CLASSIC_JOIN:
        join_timer(shard, env, MAP_OWNER(timer, ClassicGroup, join_timer)->group);
        break;
    case TIMER_CLASSIC_SYNC:
        sync_timer(shard, env, MAP_OWNER(timer, ClassicGroup, sync_timer)->group);
        break;
    default:
        ot_unreachable();
    }
}
