/*
 * consumer_classic.c - members of a consumer group that speak the classic protocol
 *
 * To such a member a rebalance looks like that of a classic group: its heartbeat says so, it joins again (and tells
 * what it owns), syncs, and goes on. Nobody is parked: there is always an answer.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.11; observed.md 12. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"
#include "groups/consumer_int.h"
#include "ottla/common/hash.h"

/* One JoinGroup under way. */
typedef struct Join {
    GroupShard *shard;
    GroupEnv *env;
    const GroupCaller *caller;
    const JoinGroupRequest *request;
    ConsumerGroup *consumer;
    ConsumerMember *member; /* NULL: a new one */
    bool replaces;
    ConsumerProtocolSubscription subscription;
    ConsumerOwned owned;
    int32_t records;
} Join;

#define NAME_SLOTS (2 * CLASSIC_PROTOCOLS_MAX)

/* Names of protocols that a request offers, to be found by hash; the first of a name counts. */
typedef struct Names {
    const JoinGroupRequestProtocol *list;
    int8_t slots[NAME_SLOTS]; /* place in the list + 1; 0: free */
} Names;

/* Where the name is, or the free slot where it would be. */
static int8_t *
slot_of(Names *names, StrView name)
{
    size_t at = (size_t)hash_str(name, 0) % NAME_SLOTS;

    while (names->slots[at] != 0 && !strview_equal(names->list[names->slots[at] - 1].name, name))
        at = (at + 1) % NAME_SLOTS;
    return &names->slots[at];
}

/*
 * Does each member that speaks the classic protocol offer one of the request's, the same one? Members may be many, and
 * each may offer as many as the request.
 */
static bool
shares_protocol(const Join *join)
{
    Names names = {.list = join->request->protocols};
    uint64_t shared = UINT64_MAX;

    for (int32_t i = 0; i < join->request->protocols_count; i++) {
        int8_t *slot = slot_of(&names, names.list[i].name);

        if (*slot == 0)
            *slot = (int8_t)(i + 1);
    }
    for (const ConsumerMember *m = join->consumer->first; m != NULL && shared != 0; m = m->next) {
        uint64_t offered = 0;

        if (m->classic == NULL)
            continue;
        for (int32_t i = 0; i < m->classic->protocol_count; i++) {
            int8_t place = *slot_of(&names, m->classic->protocols[i].name);

            if (place != 0)
                offered |= UINT64_C(1) << (place - 1);
        }
        shared &= offered;
    }
    return shared != 0;
}

static int16_t
check_join(Join *join)
{
    const JoinGroupRequest *r = join->request;
    const GroupSettings *settings = join->env->settings;
    int64_t bytes = 0;

    if (r->group_id.len == 0)
        return KERR_INVALID_GROUP_ID;
    if (r->session_timeout_ms < settings->min_session_timeout_ms ||
        r->session_timeout_ms > settings->max_session_timeout_ms)
        return KERR_INVALID_SESSION_TIMEOUT;
    if (consumer_find_member(join->consumer, r->member_id) == NULL &&
        ((int32_t)join->consumer->members.count >= settings->consumer_max_size ||
         gmem_is_tight(join->shard->memory)))
        return KERR_GROUP_MAX_SIZE_REACHED;
    for (int32_t i = 0; i < r->protocols_count; i++)
        bytes += r->protocols[i].name.len + r->protocols[i].metadata.len;
    if (!strview_equal(r->protocol_type, CONSUMER_PROTOCOL_TYPE) || r->protocols_count == 0 ||
        r->protocols_count > CLASSIC_PROTOCOLS_MAX || bytes > settings->max_member_metadata_bytes ||
        !shares_protocol(join))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    return 0;
}

/* Its partitions, by topic id: those of topics that exist. False: no memory. */
static bool
read_owned(Join *join)
{
    const ConsumerProtocolSubscription *s = &join->subscription;
    GroupEnv *env = join->env;
    ConsumerGroupHeartbeatRequestTopicPartitions *list =
        group_out_alloc(env->out, (size_t)s->owned_partitions_count, sizeof *list);

    join->owned = (ConsumerOwned){list, 0, true};
    if (list == NULL)
        return false;
    for (int32_t i = 0; i < s->owned_partitions_count; i++) {
        GroupTopic found;

        if (!env->metadata->by_name(env->metadata->ctx, s->owned_partitions[i].topic, &found))
            continue;
        list[join->owned.count].topic_id = found.id;
        list[join->owned.count].partitions = s->owned_partitions[i].partitions;
        list[join->owned.count].partitions_count = s->owned_partitions[i].partitions_count;
        join->owned.count++;
    }
    return true;
}

static int16_t
find_joining(Join *join)
{
    const JoinGroupRequest *r = join->request;
    /* With an id of its own a static member must be there; without one it may be new. */
    ConsumerAsk ask = {r->member_id, r->group_instance_id,
                       r->group_instance_id.ptr == NULL || r->member_id.len == 0, true};

    return consumer_look_up(join->consumer, &ask, &join->member, &join->replaces);
}

/* What the request says of the member, into it. True: it subscribes to other topics now. */
static bool
merge(Join *join, bool is_new)
{
    const JoinGroupRequest *r = join->request;
    GroupMemory *memory = join->shard->memory;
    ConsumerMember *m = join->member;
    int32_t rebalance_ms =
        join->caller->api_version == 0 ? r->session_timeout_ms : r->rebalance_timeout_ms;
    bool changed = is_new, names, regex;

    if (r->group_instance_id.ptr != NULL)
        changed |= consumer_set_instance(join->shard, m, r->group_instance_id);
    if (join->subscription.rack_id.ptr != NULL)
        changed |= gmem_set_text(memory, &m->rack_id, join->subscription.rack_id);
    if (rebalance_ms != m->rebalance_timeout_ms) {
        m->rebalance_timeout_ms = rebalance_ms;
        changed = true;
    }
    names = consumer_set_names(join->shard, m, join->subscription.topics,
                               join->subscription.topics_count);
    regex = consumer_set_regex(join->shard, m, (StrView){0}); /* it has none */
    changed |= gmem_set_text(memory, &m->client_id, join->caller->client_id);
    changed |= gmem_set_text(memory, &m->client_host, join->caller->client_host);
    changed |= consumer_set_classic(join->shard, m, r->session_timeout_ms, r->protocols,
                                    r->protocols_count);
    m->has_metadata = true;
    if (changed || names || regex)
        consumer_write_member(join->env, m);
    if (regex)
        consumer_drop_unused_regexes(join->shard, join->env, join->consumer);
    return names || regex;
}

/* May the member become what the request says? */
static int16_t
check_wish(const Join *join)
{
    const JoinGroupRequest *r = join->request;
    ConsumerWish wish = {.group_id = r->group_id,
                         .member_id = r->member_id,
                         .instance_id = r->group_instance_id,
                         .rack_id = join->subscription.rack_id,
                         .client_id = join->caller->client_id,
                         .client_host = join->caller->client_host,
                         .regex = STRVIEW(""),
                         .consumer = join->consumer,
                         .names = join->subscription.topics,
                         .names_count = join->subscription.topics_count,
                         .protocols = r->protocols,
                         .protocol_count = r->protocols_count};

    return consumer_check_wish(join->shard, join->env, join->member, &wish);
}

static void
arm_join_timers(Join *join)
{
    ConsumerMember *m = join->member;

    consumer_touch(join->shard, join->env, m);
    timers_cancel(&join->shard->timers, &m->classic->join);
    timers_set(&join->shard->timers, &m->classic->sync, TIMER_CONSUMER_SYNC,
               join->env->now_us + (int64_t)m->rebalance_timeout_ms * 1000);
}

static void
answer_join(Join *join, int16_t code, StrView member_id, int32_t generation)
{
    GroupEnv *env = join->env;
    JoinGroupResponse *response = group_out_alloc(env->out, 1, sizeof *response);
    bool wrote = env->out->record_count > join->records;

    if (response == NULL)
        return;
    join_group_response_init(response);
    response->error_code = code;
    response->generation_id = generation;
    response->member_id = group_out_text(env->out, member_id);
    if (code == 0) {
        response->protocol_type = CONSUMER_PROTOCOL_TYPE;
        response->protocol_name = join->request->protocols[0].name;
    } else {
        response->protocol_name = join->caller->api_version < 7 ? STRVIEW("") : (StrView){0};
    }
    group_reply(env->out, join->caller->token, wrote ? REPLY_COMMITTED : REPLY_REPLICATED,
                &join_group_response_desc, join->caller->api_version, response);
}

/* The member is known or new, and may: it takes part. */
static void
go_on(Join *join)
{
    ConsumerGroup *consumer = join->consumer;
    bool is_new = join->member == NULL, was_modern, changed;
    StrView id = join->request->member_id;

    if (id.len == 0)
        id = consumer_make_member_id(join->env);
    was_modern = join->replaces && join->member->classic == NULL;
    if (join->replaces)
        consumer_replace_static(join->shard, join->env, join->member, id);
    if (is_new)
        join->member = consumer_add_member(join->shard, consumer, id);
    changed = merge(join, is_new);
    consumer_follow_subscription(join->shard, join->env, join->member, is_new, changed);
    if (join->member->epoch == CONSUMER_EPOCH_AWAY) {
        join->member->epoch = 0;
        consumer_note_settled(join->member);
    }
    (void)consumer_reconcile(join->shard, join->env, join->member, &join->owned, changed);
    arm_join_timers(join); /* what changed is told by SyncGroup */
    consumer_check_regexes(join->shard, join->env, consumer);
    consumer_note_end(join->env, consumer, join->member->node.key);
    /* It took the place of the last one that spoke the consumer protocol. */
    if (was_modern && consumer_may_downgrade(consumer, join->env, 0, 0)) {
        answer_join(join, 0, id, consumer->epoch);
        consumer_downgrade(join->shard, join->env, consumer->group, id, !changed);
        return;
    }
    answer_join(join, 0, id, join->member->epoch);
}

void
consumer_classic_join(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                      const JoinGroupRequest *request, Group *group)
{
    Join join = {.shard = shard,
                 .env = env,
                 .caller = caller,
                 .request = request,
                 .consumer = group->consumer,
                 .records = env->out->record_count};
    int16_t code = check_join(&join);

    group_out_spread(env->out);
    if (code == 0 && request->member_id.len == 0 && request->group_instance_id.ptr == NULL &&
        caller->api_version >= 4) {
        answer_join(&join, KERR_MEMBER_ID_REQUIRED, consumer_make_member_id(env), -1);
        return;
    }
    if (code == 0)
        code = find_joining(&join);
    if (code == 0 && protocol_read_subscription(request->protocols[0].metadata, env->out->arena,
                                                &join.subscription) != 0)
        code = KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (code == 0)
        code = check_wish(&join);
    if (code == 0 && !read_owned(&join))
        return;
    if (code != 0) {
        answer_join(&join, code, (StrView){"", 0}, -1);
        return;
    }
    go_on(&join);
}

/* ---- the others ---------------------------------------------------------------------------------------------- */

/* The classic member that asks. Both protocols have names for members; the other's are unknown here. */
static int16_t
find_asking(const ConsumerGroup *consumer, StrView member_id, StrView instance_id,
            ConsumerMember **ret)
{
    ConsumerAsk ask = {member_id, instance_id, false, true};
    bool replaces;
    int16_t code = consumer_look_up(consumer, &ask, ret, &replaces);

    if (code != 0)
        return code;
    return (*ret)->classic == NULL ? KERR_UNKNOWN_MEMBER_ID : 0;
}

/* Once it is told to join again, it must do so in time. */
static void
expect_join(GroupShard *shard, GroupEnv *env, ConsumerMember *member)
{
    if (!timer_is_set(&member->classic->join))
        timers_set(&shard->timers, &member->classic->join, TIMER_CONSUMER_JOIN,
                   env->now_us + (int64_t)member->rebalance_timeout_ms * 1000);
}

static int16_t
check_sync(GroupShard *shard, GroupEnv *env, const SyncGroupRequest *request,
           const ConsumerGroup *consumer, ConsumerMember **ret)
{
    int16_t code = find_asking(consumer, request->member_id, request->group_instance_id, ret);
    ConsumerMember *m = *ret;

    if (code != 0)
        return code;
    if (request->generation_id != m->epoch)
        return KERR_ILLEGAL_GENERATION;
    if ((request->protocol_type.ptr != NULL &&
         !strview_equal(request->protocol_type, CONSUMER_PROTOCOL_TYPE)) ||
        (request->protocol_name.ptr != NULL &&
         !strview_equal(request->protocol_name, m->classic->protocols[0].name)))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    /* One that gives partitions back has joined again already, and is to be told which. */
    if (consumer->epoch > m->epoch && m->state != CONSUMER_UNREVOKED) {
        expect_join(shard, env, m);
        return KERR_REBALANCE_IN_PROGRESS;
    }
    return 0;
}

void
consumer_classic_sync(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                      const SyncGroupRequest *request, Group *group)
{
    SyncGroupResponse *response;
    ConsumerMember *member;
    int16_t code = request->group_id.len == 0
                       ? KERR_INVALID_GROUP_ID
                       : check_sync(shard, env, request, group->consumer, &member);

    if (code != 0) {
        group_reply_status(env->out, caller->token, REPLY_REPLICATED, code);
        return;
    }
    timers_cancel(&shard->timers, &member->classic->sync);
    consumer_touch(shard, env, member);
    response = group_out_alloc(env->out, 1, sizeof *response);
    if (response == NULL)
        return;
    sync_group_response_init(response);
    response->protocol_type = CONSUMER_PROTOCOL_TYPE;
    response->protocol_name = member->classic->protocols[0].name;
    response->assignment = consumer_encode_assignment(env, member, &member->assigned);
    if (!env->out->failed)
        group_reply(env->out, caller->token, REPLY_REPLICATED, &sync_group_response_desc,
                    caller->api_version, response);
}

void
consumer_classic_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                           const HeartbeatRequest *request, Group *group)
{
    const ConsumerGroup *consumer = group->consumer;
    HeartbeatResponse *response = group_out_alloc(env->out, 1, sizeof *response);
    ConsumerMember *m;
    int16_t code = request->group_id.len == 0
                       ? KERR_INVALID_GROUP_ID
                       : find_asking(consumer, request->member_id, request->group_instance_id, &m);

    if (code == 0 && request->generation_id != m->epoch)
        code = KERR_ILLEGAL_GENERATION;
    if (code == 0) {
        consumer_touch(shard, env, m);
        if (m->epoch < consumer->epoch || m->state == CONSUMER_UNREVOKED ||
            (m->state == CONSUMER_UNRELEASED && !consumer_waits_for_others(m))) {
            expect_join(shard, env, m);
            code = KERR_REBALANCE_IN_PROGRESS;
        }
    }
    if (response == NULL)
        return;
    heartbeat_response_init(response);
    response->error_code = code;
    group_reply(env->out, caller->token, REPLY_NOW, &heartbeat_response_desc, caller->api_version,
                response);
}

/* ---- LeaveGroup --------------------------------------------------------------------------------------------- */

static int16_t
find_leaving(const ConsumerGroup *consumer, const LeaveGroupRequestMember *who,
             ConsumerMember **ret)
{
    *ret = NULL;
    /* An administrator names the instance alone. */
    if (who->group_instance_id.ptr != NULL && who->member_id.len == 0) {
        *ret = consumer_find_instance(consumer, who->group_instance_id);
        return *ret == NULL || (*ret)->classic == NULL ? KERR_UNKNOWN_MEMBER_ID : 0;
    }
    return find_asking(consumer, who->member_id, who->group_instance_id, ret);
}

void
consumer_classic_leave(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                       const LeaveGroupRequest *request, Group *group)
{
    bool single = caller->api_version < 3;
    LeaveGroupRequestMember one = {.member_id = request->member_id};
    const LeaveGroupRequestMember *list = single ? &one : request->members;
    int32_t count = single ? 1 : request->members_count, leaving_count = 0;
    int32_t records = env->out->record_count;
    ConsumerMember **leaving;
    LeaveGroupResponse *response = group_out_alloc(env->out, 1, sizeof *response);

    if (request->group_id.len == 0 || count > CLASSIC_LEAVING_MAX) {
        group_reply_status(env->out, caller->token, REPLY_NOW,
                           request->group_id.len == 0 ? KERR_INVALID_GROUP_ID
                                                      : KERR_INVALID_REQUEST);
        return;
    }
    leaving = group_out_alloc(env->out, (size_t)count, sizeof(ConsumerMember *));
    if (response == NULL || leaving == NULL)
        return;
    leave_group_response_init(response);
    response->members = group_out_alloc(env->out, (size_t)count, sizeof *response->members);
    if (response->members == NULL)
        return;
    for (int32_t i = 0; i < count; i++) {
        LeaveGroupResponseMember *to = &response->members[i];
        ConsumerMember *m;

        leave_group_response_member_init(to);
        to->member_id = list[i].member_id;
        to->group_instance_id = list[i].group_instance_id;
        to->error_code = find_leaving(group->consumer, &list[i], &m);
        if (to->error_code != 0 || m->leaving)
            continue;
        m->leaving = true; /* they all go below */
        leaving[leaving_count++] = m;
    }
    if (single)
        response->error_code = response->members[0].error_code;
    else
        response->members_count = count;
    group_out_spread(env->out);
    if (leaving_count > 0)
        consumer_remove_members(shard, env, group->consumer, leaving, leaving_count,
                                REBALANCE_MEMBER_LEFT);
    group_reply(env->out, caller->token,
                env->out->record_count > records ? REPLY_COMMITTED : REPLY_REPLICATED,
                &leave_group_response_desc, caller->api_version, response);
}
