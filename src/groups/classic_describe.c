/*
 * classic_describe.c - what others ask about a classic group
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"

#include "ottla/common/assert.h"

bool
classic_is_empty(const Group *group)
{
    return group->classic->state == CLASSIC_EMPTY;
}

bool
classic_is_simple(const Group *group)
{
    const ClassicGroup *c = group->classic;

    return c->protocol_type.ptr == NULL && c->state == CLASSIC_EMPTY && c->pending.count == 0;
}

const char *
classic_state_text(const Group *group)
{
    static const char *const texts[CLASSIC_STATE_COUNT] = {
        [CLASSIC_EMPTY] = "Empty",
        [CLASSIC_PREPARING] = "PreparingRebalance",
        [CLASSIC_COMPLETING] = "CompletingRebalance",
        [CLASSIC_STABLE] = "Stable",
    };

    return texts[group->classic->state];
}

StrView
classic_protocol_type(const Group *group)
{
    StrView type = group->classic->protocol_type;

    return type.ptr == NULL ? STRVIEW("") : type;
}

int32_t
classic_member_count(const Group *group)
{
    return (int32_t)group->classic->members.count;
}

static bool
is_of_consumers(const ClassicGroup *c)
{
    return strview_equal(c->protocol_type, STRVIEW("consumer"));
}

bool
classic_subscribes(const Group *group, StrView topic)
{
    const ClassicGroup *c = group->classic;

    if (!c->subscriptions_known)
        return is_of_consumers(c);
    return map_find(&c->topics, topic) != NULL;
}

bool
classic_offsets_expire(const Group *group, int64_t *ret_since_ms, bool *ret_only_unsubscribed)
{
    const ClassicGroup *c = group->classic;

    *ret_since_ms = -1;
    *ret_only_unsubscribed = false;
    if (c->protocol_type.ptr == NULL)
        return true;
    if (c->state == CLASSIC_EMPTY) {
        *ret_since_ms = c->state_ms;
        return true;
    }
    *ret_only_unsubscribed = true;
    return c->state == CLASSIC_STABLE && is_of_consumers(c) && c->subscriptions_known;
}

void
classic_describe(const Group *group, GroupEnv *env, int16_t version,
                 DescribeGroupsResponseGroup *ret)
{
    const ClassicGroup *c = group->classic;
    bool stable = c->state == CLASSIC_STABLE;
    int32_t count = 0;

    (void)version;
    describe_groups_response_group_init(ret);
    ret->group_id = group->id;
    ret->group_state = strview_from(classic_state_text(group));
    ret->protocol_type = classic_protocol_type(group);
    ret->protocol_data = stable && c->protocol.ptr != NULL ? c->protocol : STRVIEW("");
    ret->members = group_out_alloc(env->out, c->members.count, sizeof *ret->members);
    if (ret->members == NULL)
        return;
    for (const ClassicMember *m = c->first; m != NULL; m = m->next) {
        DescribeGroupsResponseMember *to = &ret->members[count++];

        describe_groups_response_member_init(to);
        to->member_id = m->id;
        to->group_instance_id = m->instance_id;
        to->client_id = m->client_id;
        to->client_host = m->client_host;
        to->member_assignment = m->assignment;
        if (stable)
            to->member_metadata = classic_metadata(m, c->protocol);
    }
    ret->members_count = count;
}

int16_t
classic_check_commit(GroupShard *shard, GroupEnv *env, Group *group, StrView member_id,
                     StrView instance_id, int32_t generation, bool transactional)
{
    ClassicGroup *c = group->classic;
    ClassicMember *member;

    if (generation < 0 && c->state == CLASSIC_EMPTY)
        return 0; /* an administrator, or who assigns partitions by hand */
    if (generation >= 0 || member_id.len > 0 || instance_id.ptr != NULL) {
        int16_t code = classic_check_member(group, member_id, instance_id);

        if (code != 0)
            return code;
        if (generation != c->generation)
            return KERR_ILLEGAL_GENERATION;
    } else if (!transactional) {
        return KERR_UNKNOWN_MEMBER_ID;
    }
    if (transactional)
        return 0;
    if (c->state == CLASSIC_COMPLETING)
        return KERR_REBALANCE_IN_PROGRESS;
    member = classic_find_member(group, member_id);
    ot_assert(member != NULL);
    classic_touch(shard, env, member);
    return 0;
}

/* ---- invariants -------------------------------------------------------------------------------------- */

static void
check_member(const ClassicGroup *c, const ClassicMember *m)
{
    ot_assert(m->group == c->group);
    ot_assert(classic_find_member(c->group, m->id) == m);
    ot_assert(m->instance_id.ptr == NULL || classic_find_instance(c->group, m->instance_id) == m);
    ot_assert(m->protocol_count <= CLASSIC_PROTOCOLS_MAX);
    ot_assert(m->join.parked || m->join.token == 0);
    ot_assert(m->sync.parked || m->sync.token == 0);
    ot_assert(!m->join.parked || c->state == CLASSIC_PREPARING);
    ot_assert(!m->sync.parked || c->state == CLASSIC_COMPLETING);
    ot_assert(!m->is_new || m->join.parked);
    ot_assert(!(m->sync.parked && m->pending_sync));
}

static void
check_counts(const ClassicGroup *c)
{
    uint32_t members = 0, instances = 0, offered = 0, pending = 0, bucket = 0;
    int32_t joining = 0, pending_sync = 0;
    bool leads = false;

    for (const ClassicMember *m = c->first; m != NULL; m = m->next) {
        check_member(c, m);
        members++;
        instances += m->instance_id.ptr != NULL;
        offered += (uint32_t)m->protocol_count;
        joining += m->join.parked;
        pending_sync += m->pending_sync;
        leads = leads || m == c->leader;
    }
    for (MapNode *node = map_next(&c->offers, &bucket, NULL); node != NULL;
         node = map_next(&c->offers, &bucket, node)) {
        ot_assert(MAP_OWNER(node, ClassicOffer, node)->members > 0);
        offered -= (uint32_t)MAP_OWNER(node, ClassicOffer, node)->members;
    }
    for (const ClassicPending *p = c->pending_first; p != NULL; p = p->next) {
        ot_assert(timer_is_set(&p->timer));
        ot_assert(classic_find_pending(c->group, p->id) == p);
        ot_assert(classic_find_member(c->group, p->id) == NULL);
        pending++;
    }
    ot_assert(members == c->members.count && instances == c->instances.count);
    ot_assert(pending == c->pending.count && pending <= CLASSIC_PENDING_MAX);
    ot_assert(offered == 0);
    ot_assert(joining == c->joining_count && pending_sync == c->pending_sync_count);
    ot_assert(members == 0 ? c->leader == NULL : leads);
}

void
classic_check(const GroupShard *shard, const Group *group)
{
    const ClassicGroup *c = group->classic;

    check_counts(c);
    ot_assert(c->state != CLASSIC_EMPTY || c->first == NULL);
    ot_assert(c->first == NULL || c->protocol_type.ptr != NULL);
    ot_assert(c->state == CLASSIC_PREPARING || c->state == CLASSIC_EMPTY || c->first != NULL);
    ot_assert(c->state == CLASSIC_PREPARING || !c->initial);
    ot_assert(timer_is_set(&c->join_timer) == (c->state == CLASSIC_PREPARING));
    /* When the last one has come it is over. */
    ot_assert(c->state != CLASSIC_PREPARING || c->initial || c->pending.count > 0 ||
              c->joining_count < (int32_t)c->members.count);
    ot_assert(timer_is_set(&c->sync_timer) == (c->pending_sync_count > 0));
    ot_assert(c->pending_sync_count == 0 || c->state == CLASSIC_COMPLETING ||
              c->state == CLASSIC_STABLE);
    ot_assert(c->state != CLASSIC_COMPLETING || !c->leader->sync.parked);
    /* One that is parked may have lost its timer: the answer arms it again. */
    for (const ClassicMember *m = c->first; m != NULL && shard->loaded; m = m->next)
        ot_assert(timer_is_set(&m->timer) || m->join.parked || m->sync.parked);
}
