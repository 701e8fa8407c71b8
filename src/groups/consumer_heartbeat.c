/*
 * consumer_heartbeat.c - ConsumerGroupHeartbeat: who asks, may it, and what follows
 *
 * Everything that may be refused is looked at before anything changes: there is no undo.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.3, 4.4. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/consumer_int.h"
#include "ottla/common/assert.h"

/* One heartbeat under way. */
typedef struct Beat {
    GroupShard *shard;
    GroupEnv *env;
    const GroupCaller *caller;
    const ConsumerGroupHeartbeatRequest *request;
    Group *group;           /* NULL: to be made */
    ConsumerMember *member; /* NULL: a new one */
    StrView member_id;      /* of the request, or made */
    ConsumerOwned owned;
    bool replaces;   /* the member gets the request's id */
    int32_t records; /* of the unit, before */
} Beat;

static bool
is_join(const Beat *beat)
{
    return beat->request->member_epoch == CONSUMER_EPOCH_JOIN;
}

static const char *
error_text(int16_t code)
{
    switch (code) {
    case KERR_INVALID_REQUEST:
        return "the heartbeat lacks a field, or a field has no such value";
    case KERR_UNSUPPORTED_ASSIGNOR:
        return "the server has no assignor of that name";
    case KERR_INVALID_REGULAR_EXPRESSION:
        return "the expression is not one in RE2's syntax";
    case KERR_GROUP_ID_NOT_FOUND:
        return "there is no consumer group of that id";
    case KERR_UNKNOWN_MEMBER_ID:
        return "the group does not know this member";
    case KERR_FENCED_MEMBER_EPOCH:
        return "the member's epoch is not the group's; join again with epoch 0";
    case KERR_FENCED_INSTANCE_ID:
        return "another member holds this instance id";
    case KERR_UNRELEASED_INSTANCE_ID:
        return "the instance id is in use by a living member";
    case KERR_GROUP_MAX_SIZE_REACHED:
        return "the group has as many members as it may";
    case KERR_UNSUPPORTED_VERSION:
        return "the consumer protocol is switched off here";
    case KERR_UNKNOWN_SERVER_ERROR:
        return "what the group would have to write fits in no batch of its log";
    case KERR_COORDINATOR_NOT_AVAILABLE:
        return "the coordinator takes in nothing new at the moment";
    default:
        return "the group cannot do this";
    }
}

static void
refuse(GroupEnv *env, const GroupCaller *caller, GroupReplyWhen when, int16_t code)
{
    ConsumerGroupHeartbeatResponse *response = group_out_alloc(env->out, 1, sizeof *response);

    if (response == NULL)
        return;
    consumer_group_heartbeat_response_init(response);
    response->error_code = code;
    response->error_message = strview_from(error_text(code));
    group_reply(env->out, caller->token, when, &consumer_group_heartbeat_response_desc,
                caller->api_version, response);
}

/* ---- is the request one at all? ------------------------------------------------------------------------ */

static bool
is_given_and_empty(StrView text)
{
    return text.ptr != NULL && text.len == 0;
}

static int16_t
check_request(const GroupEnv *env, const GroupCaller *caller,
              const ConsumerGroupHeartbeatRequest *request)
{
    int32_t epoch = request->member_epoch;
    int64_t bytes = 0;

    if (!env->settings->consumer_enabled)
        return KERR_UNSUPPORTED_VERSION;
    if (request->member_id.len == 0 && (caller->api_version >= 1 || epoch != CONSUMER_EPOCH_JOIN))
        return KERR_INVALID_REQUEST;
    if (request->group_id.len == 0 || is_given_and_empty(request->instance_id) ||
        is_given_and_empty(request->rack_id) || epoch < CONSUMER_EPOCH_AWAY)
        return KERR_INVALID_REQUEST;
    if (epoch == CONSUMER_EPOCH_AWAY && request->instance_id.ptr == NULL)
        return KERR_INVALID_REQUEST;
    if (epoch == CONSUMER_EPOCH_JOIN &&
        (request->rebalance_timeout_ms == -1 || request->topic_partitions_count != 0 ||
         (request->subscribed_topic_names_count < 0 &&
          request->subscribed_topic_regex.ptr == NULL)))
        return KERR_INVALID_REQUEST;
    for (int32_t i = 0; i < request->subscribed_topic_names_count; i++)
        bytes += request->subscribed_topic_names[i].len;
    if (bytes > env->settings->max_member_metadata_bytes)
        return KERR_INVALID_REQUEST;
    if (request->server_assignor.ptr != NULL) {
        int kind = consumer_assignor_of_name(request->server_assignor);

        for (int32_t i = 0; i < env->settings->assignor_count; i++)
            if ((int)env->settings->assignors[i] == kind)
                return 0;
        return KERR_UNSUPPORTED_ASSIGNOR;
    }
    return 0;
}

/* ---- may it? ------------------------------------------------------------------------------------------- */

int16_t
consumer_look_up(const ConsumerGroup *consumer, const ConsumerAsk *ask, ConsumerMember **ret,
                 bool *ret_replaces)
{
    ConsumerMember *holder;

    *ret = NULL;
    *ret_replaces = false;
    if (ask->instance_id.ptr == NULL) {
        *ret = consumer_find_member(consumer, ask->member_id);
        return *ret == NULL && !ask->join ? KERR_UNKNOWN_MEMBER_ID : 0;
    }
    holder = consumer_find_instance(consumer, ask->instance_id);
    if (!ask->join) {
        if (holder == NULL)
            return KERR_UNKNOWN_MEMBER_ID;
        if (!strview_equal(holder->node.key, ask->member_id))
            return KERR_FENCED_INSTANCE_ID;
        *ret = holder;
        return 0;
    }
    if (holder == NULL) {
        *ret = consumer_find_member(consumer, ask->member_id);
        return 0;
    }
    if (!ask->classic && holder->classic == NULL && holder->epoch != CONSUMER_EPOCH_AWAY)
        return KERR_UNRELEASED_INSTANCE_ID;
    *ret = consumer_find_member(consumer, ask->member_id);
    if (*ret != NULL && *ret != holder) /* the id is another member's: it cannot be both */
        return KERR_INVALID_REQUEST;
    *ret = holder;
    *ret_replaces = true;
    return 0;
}

static int16_t
check_epoch(const Beat *beat)
{
    const ConsumerMember *member = beat->member;
    int32_t epoch = beat->request->member_epoch;

    if (epoch > member->epoch)
        return KERR_FENCED_MEMBER_EPOCH;
    /* The answer that told the member of its new epoch was lost. */
    if (epoch < member->epoch &&
        (epoch != member->previous_epoch ||
         !owned_is_within(member->consumer, &beat->owned, &member->assigned)))
        return KERR_FENCED_MEMBER_EPOCH;
    if (member->state == CONSUMER_UNKNOWN && (!beat->owned.given || beat->owned.count > 0))
        return KERR_FENCED_MEMBER_EPOCH;
    return 0;
}

static int16_t
check_regex(const Beat *beat)
{
    StrView pattern = beat->request->subscribed_topic_regex;
    const char *fault;
    GroupRegex *regex;

    if (pattern.len == 0 || (beat->group != NULL && beat->group->consumer != NULL &&
                             consumer_find_regex(beat->group->consumer, pattern) != NULL))
        return 0;
    regex = group_regex_new(pattern, &fault);
    group_regex_free(regex);
    return regex == NULL ? KERR_INVALID_REGULAR_EXPRESSION : 0;
}

static int16_t
check_group(const Beat *beat)
{
    const Group *group = beat->group;
    bool tight = gmem_is_tight(beat->shard->memory);

    if (group == NULL || group->consumer == NULL) {
        if (!is_join(beat))
            return KERR_GROUP_ID_NOT_FOUND;
        if (group != NULL && !classic_is_empty(group) &&
            classic_member_count(group) >= beat->env->settings->consumer_max_size)
            return KERR_GROUP_MAX_SIZE_REACHED;
        return tight ? KERR_COORDINATOR_NOT_AVAILABLE : 0;
    }
    if (consumer_find_member(group->consumer, beat->request->member_id) != NULL)
        return 0;
    if (consumer_member_count(group) >= beat->env->settings->consumer_max_size)
        return KERR_GROUP_MAX_SIZE_REACHED;
    return is_join(beat) && tight ? KERR_COORDINATOR_NOT_AVAILABLE : 0;
}

static int16_t
look_up(Beat *beat)
{
    ConsumerAsk ask = {beat->request->member_id, beat->request->instance_id, is_join(beat), false};

    return consumer_look_up(beat->group->consumer, &ask, &beat->member, &beat->replaces);
}

/* May the member become what the heartbeat says? */
static int16_t
check_wish(const Beat *beat)
{
    const ConsumerGroupHeartbeatRequest *r = beat->request;
    ConsumerWish wish = {.group_id = r->group_id,
                         .member_id = r->member_id,
                         .instance_id = r->instance_id,
                         .rack_id = r->rack_id,
                         .client_id = beat->caller->client_id,
                         .client_host = beat->caller->client_host,
                         .regex = r->subscribed_topic_regex,
                         .assignor = r->server_assignor,
                         .consumer = beat->group == NULL ? NULL : beat->group->consumer,
                         .names = r->subscribed_topic_names,
                         .names_count = r->subscribed_topic_names_count};

    return consumer_check_wish(beat->shard, beat->env, beat->member, &wish);
}

/* Everything that can be said against the heartbeat; nothing changes. */
static int16_t
judge(Beat *beat)
{
    int16_t code = check_group(beat);

    if (code == 0 && beat->group != NULL && beat->group->consumer != NULL) {
        code = look_up(beat);
        if (code == 0 && !is_join(beat))
            code = check_epoch(beat);
    }
    if (code == 0)
        code = check_wish(beat);
    return code != 0 ? code : check_regex(beat);
}

/* ---- what follows --------------------------------------------------------------------------------------- */

/* The group of the beat is a consumer group afterwards. */
static int16_t
open_group(Beat *beat)
{
    int16_t code;

    if (beat->group == NULL) {
        beat->group = shard_add_group(beat->shard, beat->request->group_id);
        if (beat->group == NULL)
            return KERR_COORDINATOR_NOT_AVAILABLE;
    }
    if (beat->group->consumer != NULL)
        return 0;
    if (!classic_is_empty(beat->group)) {
        code = consumer_upgrade(beat->shard, beat->env, beat->group);
        return code != 0 ? code : look_up(beat);
    }
    classic_write_tombstone(beat->env, beat->group);
    classic_detach(beat->shard, beat->group);
    consumer_attach(beat->shard, beat->group);
    return 0;
}

void
consumer_replace_static(GroupShard *shard, GroupEnv *env, ConsumerMember *member, StrView id)
{
    if (!strview_equal(member->node.key, id)) {
        consumer_write_member_tombstones(env, member->consumer, member->node.key);
        consumer_rename_member(shard, member, id);
    }
    member->previous_epoch = 0;
    member->epoch = 0;
    member->state = CONSUMER_STABLE;
    consumer_store_sets(shard, member, member->assigned.list, member->assigned.count, NULL, 0);
    consumer_note_settled(member);
    timers_cancel(&shard->timers, &member->rebalance);
    consumer_write_member(env, member);
    consumer_write_target(env, member);
    consumer_write_current(env, member);
}

/* What the request says of the member, into it; record 5. */
static void
merge(Beat *beat, bool is_new, bool *ret_names, bool *ret_regex)
{
    const ConsumerGroupHeartbeatRequest *r = beat->request;
    GroupMemory *memory = beat->shard->memory;
    ConsumerMember *m = beat->member;
    bool changed = is_new;

    *ret_names = *ret_regex = false;
    if (r->instance_id.ptr != NULL)
        changed |= consumer_set_instance(beat->shard, m, r->instance_id);
    if (r->rack_id.ptr != NULL)
        changed |= gmem_set_text(memory, &m->rack_id, r->rack_id);
    if (r->server_assignor.ptr != NULL)
        changed |= gmem_set_text(memory, &m->assignor, r->server_assignor);
    if (r->rebalance_timeout_ms != -1 && r->rebalance_timeout_ms != m->rebalance_timeout_ms) {
        m->rebalance_timeout_ms = r->rebalance_timeout_ms;
        changed = true;
    }
    if (r->subscribed_topic_names_count >= 0)
        *ret_names = consumer_set_names(beat->shard, m, r->subscribed_topic_names,
                                        r->subscribed_topic_names_count);
    if (r->subscribed_topic_regex.ptr != NULL)
        *ret_regex = consumer_set_regex(beat->shard, m, r->subscribed_topic_regex);
    changed |= gmem_set_text(memory, &m->client_id, beat->caller->client_id);
    changed |= gmem_set_text(memory, &m->client_host, beat->caller->client_host);
    changed |= consumer_set_classic(beat->shard, m, 0, NULL, 0);
    m->has_metadata = true;
    if (changed || *ret_names || *ret_regex)
        consumer_write_member(beat->env, m);
}

void
consumer_follow_subscription(GroupShard *shard, GroupEnv *env, ConsumerMember *member, bool is_new,
                             bool must_bump)
{
    ConsumerGroup *consumer = member->consumer;
    RebalanceCause cause = is_new ? REBALANCE_NEW_MEMBER : REBALANCE_SUBSCRIPTION_CHANGED;

    /* The epoch of a new group is 1, and one more when its first member names topics. */
    if (consumer->epoch == 0 && must_bump)
        consumer->epoch = 1;
    if (must_bump || consumer->epoch == 0)
        consumer_bump(shard, env, consumer, cause, member->node.key);
    else
        consumer_refresh_metadata(shard, env, consumer);
    consumer_update_target(shard, env, consumer);
}

/* Into the history. */
static void
end_rebalance(GroupEnv *env, ConsumerGroup *consumer, StrView waited_for)
{
    int64_t duration_ms = (env->now_us - consumer->rebalance_begin_us) / 1000;

    consumer->rebalancing = false;
    group_rebalance_ended(
        env->out, &(GroupRebalance){.group = consumer->group->id,
                                    .cause = consumer->cause,
                                    .cause_member = consumer->cause_member,
                                    .waited_for = waited_for,
                                    .generation = consumer->epoch,
                                    .members = (int32_t)consumer->members.count,
                                    .begin_wall_ms = consumer->rebalance_begin_wall_ms,
                                    .duration_ms = duration_ms > INT32_MAX ? INT32_MAX
                                                                           : (int32_t)duration_ms});
}

void
consumer_note_end(GroupEnv *env, ConsumerGroup *consumer, StrView member)
{
    if (consumer->rebalancing && consumer->epoch == consumer->target_epoch &&
        consumer->settled_count == (int32_t)consumer->members.count)
        end_rebalance(env, consumer, member);
}

static ConsumerGroupHeartbeatResponseAssignment *
assignment_of(GroupEnv *env, const PartitionSet *set)
{
    ConsumerGroupHeartbeatResponseAssignment *ret = group_out_alloc(env->out, 1, sizeof *ret);
    int32_t *numbers = group_out_alloc(env->out, (size_t)set->count, sizeof *numbers);
    ConsumerGroupHeartbeatResponseTopicPartitions *topic = NULL;
    int32_t topics = 0;

    for (int32_t i = 0; i < set->count; i++)
        topics += i == 0 || set->list[i].topic != set->list[i - 1].topic;
    if (ret == NULL || numbers == NULL)
        return NULL;
    consumer_group_heartbeat_response_assignment_init(ret);
    ret->topic_partitions = group_out_alloc(env->out, (size_t)topics, sizeof *topic);
    if (ret->topic_partitions == NULL)
        return NULL;
    for (int32_t i = 0; i < set->count; i++) {
        numbers[i] = set->list[i].partition;
        if (i == 0 || set->list[i].topic != set->list[i - 1].topic) {
            topic = &ret->topic_partitions[ret->topic_partitions_count++];
            topic->topic_id = set->list[i].topic->id;
            topic->partitions = &numbers[i];
        }
        topic->partitions_count++;
    }
    return ret;
}

static void
answer(Beat *beat, bool assigned_changed)
{
    const ConsumerGroupHeartbeatRequest *r = beat->request;
    GroupEnv *env = beat->env;
    ConsumerGroupHeartbeatResponse *response = group_out_alloc(env->out, 1, sizeof *response);
    bool is_full = r->rebalance_timeout_ms != -1 && r->topic_partitions_count >= 0 &&
                   (r->subscribed_topic_names_count >= 0 || r->subscribed_topic_regex.ptr != NULL);

    if (response == NULL)
        return;
    consumer_group_heartbeat_response_init(response);
    response->member_id = beat->member->node.key;
    response->member_epoch = beat->member->epoch;
    response->heartbeat_interval_ms = consumer_heartbeat_interval_ms(env, beat->member->consumer);
    if (is_join(beat) || is_full || assigned_changed)
        response->assignment = assignment_of(env, &beat->member->assigned);
    group_reply(env->out, beat->caller->token,
                env->out->record_count > beat->records ? REPLY_COMMITTED : REPLY_REPLICATED,
                &consumer_group_heartbeat_response_desc, beat->caller->api_version, response);
}

StrView
consumer_make_member_id(GroupEnv *env)
{
    char text[UUID_TEXT_LEN + 1];
    Uuid id;

    (env->random)(&id, sizeof id); /* a banned macro has the bare name */
    id.b[0] &=
        0x7f; /* its text must not begin with a dash, which command lines take for an option */
    id.b[6] = (uint8_t)((id.b[6] & 0x0f) | 0x40);
    id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80);
    uuid_to_text(id, text);
    return group_out_text(env->out, (StrView){text, UUID_TEXT_LEN});
}

static void
go_on(Beat *beat)
{
    bool names_changed, regex_changed, resolved, had_topics, is_new = beat->member == NULL;
    ConsumerGroup *consumer = beat->group->consumer;
    bool assigned_changed;

    if (beat->replaces)
        consumer_replace_static(beat->shard, beat->env, beat->member, beat->member_id);
    if (is_new)
        beat->member = consumer_add_member(beat->shard, consumer, beat->member_id);
    had_topics = beat->member->regex != NULL && beat->member->regex->resolved;
    merge(beat, is_new, &names_changed, &regex_changed);
    resolved = beat->member->regex != NULL ? beat->member->regex->resolved : had_topics;
    if (regex_changed)
        consumer_drop_unused_regexes(beat->shard, beat->env, consumer);
    consumer_follow_subscription(beat->shard, beat->env, beat->member, is_new,
                                 names_changed || (regex_changed && resolved));
    if (beat->member->epoch == CONSUMER_EPOCH_AWAY) { /* back, without naming its instance */
        beat->member->epoch = 0;
        consumer_note_settled(beat->member);
    }
    assigned_changed = consumer_reconcile(beat->shard, beat->env, beat->member, &beat->owned,
                                          names_changed || regex_changed);
    consumer_touch(beat->shard, beat->env, beat->member);
    consumer_check_regexes(beat->shard, beat->env, consumer);
    consumer_note_end(beat->env, consumer, beat->member->node.key);
    answer(beat, assigned_changed);
}

/* ---- leaving -------------------------------------------------------------------------------------------- */

/* A static member goes, and will be back: what it has stays reserved until its session ends. */
static void
go_away(GroupShard *shard, GroupEnv *env, ConsumerMember *member)
{
    if (member->epoch == CONSUMER_EPOCH_AWAY)
        return;
    member->epoch = CONSUMER_EPOCH_AWAY;
    member->state = CONSUMER_STABLE;
    consumer_store_sets(shard, member, member->assigned.list, member->assigned.count, NULL, 0);
    consumer_note_settled(member);
    timers_cancel(&shard->timers, &member->rebalance);
    consumer_write_current(env, member);
}

static void
leave(Beat *beat)
{
    ConsumerGroupHeartbeatResponse *response;
    int16_t code = beat->group == NULL || beat->group->consumer == NULL ? KERR_GROUP_ID_NOT_FOUND
                                                                        : look_up(beat);

    if (code != 0) {
        refuse(beat->env, beat->caller, REPLY_REPLICATED, code);
        return;
    }
    if (beat->request->member_epoch == CONSUMER_EPOCH_AWAY)
        go_away(beat->shard, beat->env, beat->member);
    else
        consumer_remove_members(beat->shard, beat->env, beat->group->consumer, &beat->member, 1,
                                REBALANCE_MEMBER_LEFT);
    response = group_out_alloc(beat->env->out, 1, sizeof *response);
    if (response == NULL)
        return;
    consumer_group_heartbeat_response_init(response);
    response->member_id = beat->request->member_id;
    response->member_epoch = beat->request->member_epoch;
    group_reply(beat->env->out, beat->caller->token,
                beat->env->out->record_count > beat->records ? REPLY_COMMITTED : REPLY_REPLICATED,
                &consumer_group_heartbeat_response_desc, beat->caller->api_version, response);
}

void
consumer_remove_members(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer,
                        ConsumerMember **members, int32_t count, RebalanceCause cause)
{
    StrView who = count == 0 ? (StrView){0} : group_out_text(env->out, members[0]->node.key);
    Group *group = consumer->group;
    int32_t classic = 0;
    bool downgrade;

    for (int32_t i = 0; i < count; i++)
        classic += members[i]->classic != NULL;
    downgrade = consumer_may_downgrade(consumer, env, count, classic);
    for (int32_t i = 0; i < count; i++) {
        consumer_write_member_tombstones(env, consumer, members[i]->node.key);
        consumer_drop_member(shard, members[i]);
    }
    if (downgrade) {
        consumer_downgrade(shard, env, group, (StrView){0}, false);
        return;
    }
    consumer_drop_unused_regexes(shard, env, consumer);
    consumer_sweep_topics(shard, consumer);
    consumer_bump(shard, env, consumer, cause, who);
    if (consumer->members.count == 0 && consumer->rebalancing)
        end_rebalance(env, consumer, (StrView){0}); /* nobody is left to be waited for */
}

void
consumer_heartbeat(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                   const ConsumerGroupHeartbeatRequest *request, Group *group)
{
    Beat beat = {.shard = shard,
                 .env = env,
                 .caller = caller,
                 .request = request,
                 .group = group,
                 .member_id = request->member_id,
                 .records = env->out->record_count};
    int16_t code = check_request(env, caller, request);

    if (code != 0) {
        refuse(env, caller, REPLY_NOW, code);
        return;
    }
    group_out_spread(env->out);
    if (request->topic_partitions_count >= 0)
        beat.owned =
            (ConsumerOwned){request->topic_partitions, request->topic_partitions_count, true};
    if (request->member_epoch < CONSUMER_EPOCH_JOIN) {
        leave(&beat);
        return;
    }
    code = judge(&beat);
    if (code == 0)
        code = open_group(&beat);
    if (code != 0) {
        refuse(env, caller, REPLY_REPLICATED, code);
        return;
    }
    if (beat.member_id.len == 0)
        beat.member_id = consumer_make_member_id(env);
    if (!env->out->failed)
        go_on(&beat);
}
