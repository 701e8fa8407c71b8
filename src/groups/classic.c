/*
 * classic.c - members of a classic group, what they offer, and what follows from it
 *
 * Nothing in here starts a rebalance or answers anybody. A group counts for each protocol name how many
 * members offer it, so that a joining member is judged without a walk through all of them.
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"

#include "ottla/common/assert.h"

/* ---- the group --------------------------------------------------------------------------------- */

void
classic_attach(GroupShard *shard, Group *group)
{
    ClassicGroup *c = gmem_new(shard->memory, sizeof *c);

    ot_assert(group->classic == NULL);
    c->group = group;
    c->state_ms = -1;
    map_init(&c->members, shard->memory, shard->seed);
    map_init(&c->instances, shard->memory, shard->seed);
    map_init(&c->pending, shard->memory, shard->seed);
    map_init(&c->offers, shard->memory, shard->seed);
    map_init(&c->topics, shard->memory, shard->seed);
    group->classic = c;
}

static void
forget_topics(GroupShard *shard, ClassicGroup *c)
{
    uint32_t bucket = 0;
    MapNode *next;

    for (MapNode *node = map_next(&c->topics, &bucket, NULL); node != NULL; node = next) {
        ClassicTopic *topic = MAP_OWNER(node, ClassicTopic, node);

        next = map_next(&c->topics, &bucket, node);
        gmem_free_text(shard->memory, topic->name);
        gmem_free(shard->memory, topic, sizeof *topic);
    }
    map_clear(&c->topics);
}

void
classic_detach(GroupShard *shard, Group *group)
{
    ClassicGroup *c = group->classic;

    while (c->first != NULL)
        classic_drop_member(shard, c->first);
    while (c->pending_first != NULL)
        classic_drop_pending(shard, c->pending_first);
    ot_assert(c->offers.count == 0 && c->joining_count == 0 && c->pending_sync_count == 0);
    timers_cancel(&shard->timers, &c->join_timer);
    timers_cancel(&shard->timers, &c->sync_timer);
    forget_topics(shard, c);
    map_clear(&c->members);
    map_clear(&c->instances);
    map_clear(&c->pending);
    map_clear(&c->offers);
    gmem_free_text(shard->memory, c->protocol_type);
    gmem_free_text(shard->memory, c->protocol);
    gmem_free_text(shard->memory, c->rebalance.cause_member);
    gmem_free_text(shard->memory, c->rebalance.waited_for);
    gmem_free(shard->memory, c, sizeof *c);
    group->classic = NULL;
}

void
classic_set_state(GroupEnv *env, Group *group, ClassicState state)
{
    /* To STABLE from EMPTY: a group that was a consumer group. */
    static const bool allowed[CLASSIC_STATE_COUNT][CLASSIC_STATE_COUNT] = {
        [CLASSIC_EMPTY] = {[CLASSIC_PREPARING] = true, [CLASSIC_STABLE] = true},
        [CLASSIC_PREPARING] = {[CLASSIC_EMPTY] = true, [CLASSIC_COMPLETING] = true},
        [CLASSIC_COMPLETING] = {[CLASSIC_PREPARING] = true, [CLASSIC_STABLE] = true},
        [CLASSIC_STABLE] = {[CLASSIC_PREPARING] = true},
    };
    ClassicGroup *c = group->classic;

    ot_assert(allowed[c->state][state]);
    c->state = state;
    c->state_ms = env->wall_ms;
}

/* ---- protocols ----------------------------------------------------------------------------------- */

static ClassicOffer *
find_offer(const ClassicGroup *c, StrView name)
{
    MapNode *node = map_find(&c->offers, name);

    return node == NULL ? NULL : MAP_OWNER(node, ClassicOffer, node);
}

static void
count_offers(GroupShard *shard, ClassicMember *member)
{
    ClassicGroup *c = member->group->classic;

    for (int32_t i = 0; i < member->protocol_count; i++) {
        ClassicOffer *offer = find_offer(c, member->protocols[i].name);

        if (offer == NULL) {
            offer = gmem_new(shard->memory, sizeof *offer);
            offer->name = gmem_text(shard->memory, member->protocols[i].name);
            map_add(&c->offers, &offer->node, offer->name);
        }
        offer->members++;
    }
}

static void
uncount_offers(GroupShard *shard, ClassicMember *member)
{
    ClassicGroup *c = member->group->classic;

    for (int32_t i = 0; i < member->protocol_count; i++) {
        ClassicOffer *offer = find_offer(c, member->protocols[i].name);

        ot_assert(offer != NULL && offer->members > 0);
        if (--offer->members > 0)
            continue;
        map_remove(&c->offers, &offer->node);
        gmem_free_text(shard->memory, offer->name);
        gmem_free(shard->memory, offer, sizeof *offer);
    }
}

static void
free_protocols(GroupShard *shard, ClassicMember *member)
{
    for (int32_t i = 0; i < member->protocol_count; i++) {
        gmem_free_text(shard->memory, member->protocols[i].name);
        gmem_free_bytes(shard->memory, member->protocols[i].metadata);
    }
    if (member->protocol_count > 0)
        gmem_free(shard->memory, member->protocols,
                  (size_t)member->protocol_count * sizeof *member->protocols);
    member->protocols = NULL;
    member->protocol_count = 0;
}

static bool
equal_bytes(BytesView a, BytesView b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, (size_t)a.len) == 0);
}

bool
classic_same_protocols(const ClassicMember *member, const JoinGroupRequestProtocol *protocols,
                       int32_t count)
{
    if (member->protocol_count != count)
        return false;
    for (int32_t i = 0; i < count; i++)
        if (!strview_equal(member->protocols[i].name, protocols[i].name) ||
            !equal_bytes(member->protocols[i].metadata, protocols[i].metadata))
            return false;
    return true;
}

bool
classic_set_protocols(GroupShard *shard, ClassicMember *member,
                      const JoinGroupRequestProtocol *protocols, int32_t count)
{
    if (classic_same_protocols(member, protocols, count))
        return false;
    uncount_offers(shard, member);
    free_protocols(shard, member);
    if (count > 0)
        member->protocols = gmem_new(shard->memory, (size_t)count * sizeof *member->protocols);
    member->protocol_count = count;
    for (int32_t i = 0; i < count; i++) {
        member->protocols[i].name = gmem_text(shard->memory, protocols[i].name);
        member->protocols[i].metadata = gmem_bytes(shard->memory, protocols[i].metadata);
    }
    count_offers(shard, member);
    return true;
}

bool
classic_supports(const Group *group, const JoinGroupRequestProtocol *protocols, int32_t count)
{
    const ClassicGroup *c = group->classic;

    for (int32_t i = 0; i < count; i++) {
        const ClassicOffer *offer = find_offer(c, protocols[i].name);

        if ((offer == NULL ? 0 : offer->members) == (int32_t)c->members.count)
            return true;
    }
    return false;
}

BytesView
classic_metadata(const ClassicMember *member, StrView protocol)
{
    static const uint8_t none[1];

    for (int32_t i = 0; i < member->protocol_count; i++)
        if (strview_equal(member->protocols[i].name, protocol))
            return member->protocols[i].metadata;
    return (BytesView){none, 0};
}

StrView
classic_vote(Group *group)
{
    ClassicGroup *c = group->classic;
    const ClassicOffer *best = NULL;
    uint32_t bucket = 0;

    if (c->leader == NULL)
        return (StrView){0};
    for (MapNode *node = map_next(&c->offers, &bucket, NULL); node != NULL;
         node = map_next(&c->offers, &bucket, node))
        MAP_OWNER(node, ClassicOffer, node)->votes = 0;
    for (const ClassicMember *m = c->first; m != NULL; m = m->next)
        for (int32_t i = 0; i < m->protocol_count; i++) {
            ClassicOffer *offer = find_offer(c, m->protocols[i].name);

            if (offer->members == (int32_t)c->members.count) {
                offer->votes++;
                break;
            }
        }
    for (int32_t i = 0; i < c->leader->protocol_count; i++) {
        const ClassicOffer *offer = find_offer(c, c->leader->protocols[i].name);

        if (offer->votes > 0 && (best == NULL || offer->votes > best->votes))
            best = offer;
    }
    return best == NULL ? (StrView){0} : best->name;
}

/* ---- members ------------------------------------------------------------------------------------- */

ClassicMember *
classic_find_member(const Group *group, StrView id)
{
    MapNode *node = map_find(&group->classic->members, id);

    return node == NULL ? NULL : MAP_OWNER(node, ClassicMember, node);
}

ClassicMember *
classic_find_instance(const Group *group, StrView instance_id)
{
    MapNode *node = map_find(&group->classic->instances, instance_id);

    return node == NULL ? NULL : MAP_OWNER(node, ClassicMember, instance_node);
}

ClassicMember *
classic_add_member(GroupShard *shard, Group *group, const ClassicMemberInit *init)
{
    ClassicGroup *c = group->classic;
    GroupMemory *memory = shard->memory;
    ClassicMember *m = gmem_new(memory, sizeof *m);

    m->group = group;
    m->id = gmem_text(memory, init->id);
    m->instance_id = gmem_text(memory, init->instance_id);
    m->client_id = gmem_text(memory, init->client_id);
    m->client_host = gmem_text(memory, init->client_host);
    m->session_timeout_ms = init->session_timeout_ms;
    m->rebalance_timeout_ms =
        init->rebalance_timeout_ms < 0 ? init->session_timeout_ms : init->rebalance_timeout_ms;
    m->assignment =
        gmem_bytes(memory, init->assignment.ptr == NULL ? (BytesView){(const uint8_t *)"", 0}
                                                        : init->assignment);
    map_add(&c->members, &m->node, m->id);
    if (m->instance_id.ptr != NULL)
        map_add(&c->instances, &m->instance_node, m->instance_id);
    m->prev = c->last;
    *(c->last == NULL ? &c->first : &c->last->next) = m;
    c->last = m;
    if (c->leader == NULL)
        c->leader = m;
    shard->member_count++;
    (void)classic_set_protocols(shard, m, init->protocols, init->protocol_count); /* was none */
    return m;
}

void
classic_drop_member(GroupShard *shard, ClassicMember *member)
{
    ClassicGroup *c = member->group->classic;
    GroupMemory *memory = shard->memory;

    ot_assert(!member->join.parked && !member->sync.parked);
    classic_has_synced(shard, member);
    timers_cancel(&shard->timers, &member->timer);
    uncount_offers(shard, member);
    free_protocols(shard, member);
    map_remove(&c->members, &member->node);
    if (member->instance_id.ptr != NULL)
        map_remove(&c->instances, &member->instance_node);
    *(member->prev == NULL ? &c->first : &member->prev->next) = member->next;
    *(member->next == NULL ? &c->last : &member->next->prev) = member->prev;
    if (c->leader == member)
        c->leader = c->first;
    gmem_free_text(memory, member->id);
    gmem_free_text(memory, member->instance_id);
    gmem_free_text(memory, member->client_id);
    gmem_free_text(memory, member->client_host);
    gmem_free_bytes(memory, member->assignment);
    gmem_free(memory, member, sizeof *member);
    shard->member_count--;
}

void
classic_rename_member(GroupShard *shard, ClassicMember *member, StrView id)
{
    ClassicGroup *c = member->group->classic;

    map_remove(&c->members, &member->node);
    (void)gmem_set_text(shard->memory, &member->id, id); /* a fresh id is another one */
    map_add(&c->members, &member->node, member->id);
}

int16_t
classic_check_member(const Group *group, StrView member_id, StrView instance_id)
{
    if (instance_id.ptr != NULL) {
        const ClassicMember *holder = classic_find_instance(group, instance_id);

        if (holder == NULL)
            return KERR_UNKNOWN_MEMBER_ID;
        if (!strview_equal(holder->id, member_id))
            return KERR_FENCED_INSTANCE_ID;
    }
    return classic_find_member(group, member_id) == NULL ? KERR_UNKNOWN_MEMBER_ID : 0;
}

void
classic_touch(GroupShard *shard, GroupEnv *env, ClassicMember *member)
{
    timers_set(&shard->timers, &member->timer, TIMER_CLASSIC_MEMBER,
               env->now_us + (int64_t)member->session_timeout_ms * 1000);
}

int32_t
classic_rebalance_timeout_ms(const Group *group)
{
    int32_t longest = 0;

    for (const ClassicMember *m = group->classic->first; m != NULL; m = m->next)
        if (m->rebalance_timeout_ms > longest)
            longest = m->rebalance_timeout_ms;
    return longest;
}

/* ---- ids that were handed out -------------------------------------------------------------------- */

ClassicPending *
classic_find_pending(const Group *group, StrView id)
{
    MapNode *node = map_find(&group->classic->pending, id);

    return node == NULL ? NULL : MAP_OWNER(node, ClassicPending, node);
}

void
classic_drop_pending(GroupShard *shard, ClassicPending *pending)
{
    ClassicGroup *c = pending->group->classic;

    timers_cancel(&shard->timers, &pending->timer);
    map_remove(&c->pending, &pending->node);
    *(pending->prev == NULL ? &c->pending_first : &pending->prev->next) = pending->next;
    *(pending->next == NULL ? &c->pending_last : &pending->next->prev) = pending->prev;
    gmem_free_text(shard->memory, pending->id);
    gmem_free(shard->memory, pending, sizeof *pending);
}

void
classic_add_pending(GroupShard *shard, GroupEnv *env, Group *group, StrView id, int32_t timeout_ms)
{
    ClassicGroup *c = group->classic;
    ClassicPending *p = gmem_new(shard->memory, sizeof *p);

    if (c->pending.count >= CLASSIC_PENDING_MAX)
        classic_drop_pending(shard, c->pending_first);
    p->group = group;
    p->id = gmem_text(shard->memory, id);
    map_add(&c->pending, &p->node, p->id);
    p->prev = c->pending_last;
    *(c->pending_last == NULL ? &c->pending_first : &c->pending_last->next) = p;
    c->pending_last = p;
    timers_set(&shard->timers, &p->timer, TIMER_CLASSIC_PENDING,
               env->now_us + (int64_t)timeout_ms * 1000);
}

/* ---- subscriptions --------------------------------------------------------------------------------- */

/* Begins to read the topics of a consumer's metadata; the count that it claims, -1: cannot be read. */
static int32_t
open_subscription(BytesView metadata, WireReader *r)
{
    int32_t count;

    wire_reader_init(r, metadata.ptr, (size_t)metadata.len, NULL);
    (void)wire_read_int16(r, "version"); /* every version begins like version 0 */
    count = wire_read_int32(r, "topics");
    return r->err != 0 ? -1 : count;
}

bool
classic_is_sane_subscription(BytesView metadata)
{
    WireReader r;
    int32_t count = open_subscription(metadata, &r);

    return count < 0 || (size_t)count <= wire_left(&r);
}

/* False: the metadata cannot be read. */
static bool
read_subscription(GroupShard *shard, ClassicGroup *c, BytesView metadata)
{
    WireReader r;
    int32_t count = open_subscription(metadata, &r);

    if (count < 0)
        return false;
    for (int32_t i = 0; i < count; i++) {
        StrView name = wire_read_string(&r, false, false, "topic");
        ClassicTopic *topic;

        if (r.err != 0)
            return false;
        if (map_find(&c->topics, name) != NULL)
            continue;
        topic = gmem_new(shard->memory, sizeof *topic);
        topic->name = gmem_text(shard->memory, name);
        map_add(&c->topics, &topic->node, topic->name);
    }
    return true;
}

void
classic_read_subscriptions(GroupShard *shard, Group *group)
{
    ClassicGroup *c = group->classic;

    forget_topics(shard, c);
    c->subscriptions_known = true;
    if (c->first == NULL)
        return;
    if (!strview_equal(c->protocol_type, STRVIEW("consumer"))) {
        c->subscriptions_known = false;
        return;
    }
    for (const ClassicMember *m = c->first; m != NULL && c->subscriptions_known; m = m->next)
        c->subscriptions_known = read_subscription(shard, c, classic_metadata(m, c->protocol));
    if (!c->subscriptions_known)
        forget_topics(shard, c);
}
