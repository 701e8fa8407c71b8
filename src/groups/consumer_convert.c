/*
 * consumer_convert.c - a group with members moves from one protocol to the other, and back
 *
 * Up: the first heartbeat of a consumer finds a classic group. Down: the last member that speaks the consumer protocol
 * goes, and others remain. Offsets are the group's and stay.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.11. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"
#include "groups/consumer_int.h"
#include "ottla/common/assert.h"

static bool
may_upgrade(const GroupSettings *settings)
{
    return settings->migration_policy == MIGRATION_UPGRADE ||
           settings->migration_policy == MIGRATION_BIDIRECTIONAL;
}

/* What the bytes of one classic member say. */
typedef struct Parsed {
    ConsumerProtocolSubscription subscription;
    ConsumerProtocolAssignment assignment;
} Parsed;

/* The name under which members say what they subscribe to. */
static StrView
protocol_of(const ClassicGroup *classic, const ClassicMember *member)
{
    return classic->protocol.ptr != NULL && classic->protocol.len > 0 ? classic->protocol
                                                                      : member->protocols[0].name;
}

static bool
parse(GroupEnv *env, const ClassicGroup *classic, const ClassicMember *member, Parsed *ret)
{
    if (member->protocol_count == 0)
        return false;
    return protocol_read_subscription(classic_metadata(member, protocol_of(classic, member)),
                                      env->out->arena, &ret->subscription) == 0 &&
           protocol_read_assignment(member->assignment, env->out->arena, &ret->assignment) == 0 &&
           ret->assignment.user_data.len == 0;
}

/* The partitions that the classic leader gave; one that another member has, too, stays with that one. */
static void
take_assignment(GroupShard *shard, GroupEnv *env, ConsumerMember *member,
                const ConsumerProtocolAssignment *assignment)
{
    int32_t room = 0, count = 0;
    SetEntry *list;

    for (int32_t t = 0; t < assignment->assigned_partitions_count; t++)
        room += assignment->assigned_partitions[t].partitions_count;
    list = group_out_alloc(env->out, (size_t)room, sizeof *list);
    if (list == NULL)
        return;
    for (int32_t t = 0; t < assignment->assigned_partitions_count; t++) {
        const ConsumerProtocolAssignmentTopicPartition *one = &assignment->assigned_partitions[t];
        ConsumerTopic *topic;
        GroupTopic found;

        if (!env->metadata->by_name(env->metadata->ctx, one->topic, &found))
            continue;
        topic = consumer_topic(shard, member->consumer, found.id);
        for (int32_t i = 0; i < one->partitions_count; i++) {
            int32_t p = one->partitions[i];

            if (p >= 0 && p < found.partition_count && p < CONSUMER_PARTITION_MAX &&
                (p >= topic->room || topic->owners[p] == NULL))
                list[count++] = (SetEntry){topic, p, member->epoch};
        }
    }
    set_sort(list, count);
    room = count;
    count = 0;
    for (int32_t i = 0; i < room; i++) /* named twice */
        if (count == 0 || list[count - 1].topic != list[i].topic ||
            list[count - 1].partition != list[i].partition)
            list[count++] = list[i];
    consumer_store_sets(shard, member, list, count, NULL, 0);
    consumer_store_target(shard, member, list, count);
}

static void
upgrade_member(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer, const ClassicMember *from,
               const Parsed *parsed)
{
    ConsumerMember *to = consumer_add_member(shard, consumer, from->id);
    JoinGroupRequestProtocol *protocols =
        group_out_alloc(env->out, (size_t)from->protocol_count, sizeof *protocols);

    if (protocols == NULL)
        return;
    for (int32_t i = 0; i < from->protocol_count; i++) {
        protocols[i].name = from->protocols[i].name;
        protocols[i].metadata = from->protocols[i].metadata;
    }
    /* The member is new: that something changed is known. */
    (void)consumer_set_instance(shard, to, from->instance_id);
    (void)gmem_set_text(shard->memory, &to->rack_id, parsed->subscription.rack_id);
    (void)gmem_set_text(shard->memory, &to->client_id, from->client_id);
    (void)gmem_set_text(shard->memory, &to->client_host, from->client_host);
    (void)consumer_set_names(shard, to, parsed->subscription.topics,
                             parsed->subscription.topics_count);
    (void)consumer_set_classic(shard, to, from->session_timeout_ms, protocols,
                               from->protocol_count);
    to->rebalance_timeout_ms = from->rebalance_timeout_ms;
    to->epoch = to->previous_epoch = consumer->epoch;
    to->has_metadata = true;
    take_assignment(shard, env, to, &parsed->assignment);
    consumer_touch(shard, env, to);
}

static void
write_upgraded(GroupEnv *env, ConsumerGroup *consumer)
{
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        consumer_write_member(env, m);
    consumer_write_epoch(env, consumer);
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        consumer_write_target(env, m);
    consumer_write_target_epoch(env, consumer);
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        consumer_write_current(env, m);
}

int16_t
consumer_upgrade(GroupShard *shard, GroupEnv *env, Group *group)
{
    ClassicGroup *classic = group->classic;
    int32_t count = classic_member_count(group), n = 0;
    int64_t bytes = 0;
    Parsed *parsed;

    if (!may_upgrade(env->settings) || classic->first == NULL ||
        !strview_equal(classic->protocol_type, CONSUMER_PROTOCOL_TYPE) ||
        count > env->settings->consumer_max_size)
        return KERR_GROUP_ID_NOT_FOUND;
    parsed = group_out_alloc(env->out, (size_t)count, sizeof *parsed);
    if (parsed == NULL)
        return KERR_UNKNOWN_SERVER_ERROR;
    for (const ClassicMember *m = classic->first; m != NULL; m = m->next, n++) {
        if (!parse(env, classic, m, &parsed[n]))
            return KERR_GROUP_ID_NOT_FOUND;
        bytes += consumer_upgraded_bytes(group, m, &parsed[n].subscription, &parsed[n].assignment);
    }
    if (!consumer_upgrade_fits(env, bytes))
        return KERR_UNKNOWN_SERVER_ERROR;
    classic_answer_joins(env, group, KERR_REBALANCE_IN_PROGRESS);
    classic_answer_syncs(shard, env, group, KERR_REBALANCE_IN_PROGRESS);
    classic_write_tombstone(env, group);
    /* Both bodies for a moment: the members of the one are made of those of the other. */
    group->classic = NULL;
    consumer_attach(shard, group);
    group->consumer->epoch = group->consumer->target_epoch = classic->generation;
    n = 0;
    for (const ClassicMember *m = classic->first; m != NULL; m = m->next)
        upgrade_member(shard, env, group->consumer, m, &parsed[n++]);
    consumer_note_all_settled(group->consumer);
    write_upgraded(env, group->consumer);
    {
        ConsumerGroup *consumer = group->consumer;

        group->consumer = NULL;
        group->classic = classic;
        classic_detach(shard, group);
        group->consumer = consumer;
    }
    consumer_sweep_topics(shard, group->consumer);
    group_out_spread(env->out);
    return 0;
}

/* ---- back ---------------------------------------------------------------------------------------------- */

bool
consumer_may_downgrade(const ConsumerGroup *consumer, const GroupEnv *env, int32_t going,
                       int32_t going_classic)
{
    MigrationPolicy policy = env->settings->migration_policy;
    int32_t staying = (int32_t)consumer->members.count - going;

    return (policy == MIGRATION_DOWNGRADE || policy == MIGRATION_BIDIRECTIONAL) && staying > 0 &&
           consumer->classic_count - going_classic == staying &&
           staying <= env->settings->max_size && consumer_downgrade_fits(env, consumer);
}

BytesView
consumer_encode_assignment(GroupEnv *env, const ConsumerMember *member, const PartitionSet *set)
{
    int16_t version = protocol_version(member->classic->protocols[0].metadata);
    ConsumerProtocolAssignment assignment;
    ConsumerProtocolAssignmentTopicPartition *topic = NULL;
    int32_t *numbers = group_out_alloc(env->out, (size_t)set->count, sizeof *numbers);
    int32_t topics = 0;

    consumer_protocol_assignment_init(&assignment);
    for (int32_t i = 0; i < set->count; i++)
        topics += i == 0 || set->list[i].topic != set->list[i - 1].topic;
    assignment.assigned_partitions = group_out_alloc(env->out, (size_t)topics, sizeof *topic);
    if (numbers == NULL || assignment.assigned_partitions == NULL)
        return (BytesView){0};
    for (int32_t i = 0; i < set->count; i++) {
        if (i == 0 || set->list[i].topic != set->list[i - 1].topic) {
            GroupTopic found;

            topic = NULL;
            if (!env->metadata->by_id(env->metadata->ctx, set->list[i].topic->id, &found))
                continue;
            topic = &assignment.assigned_partitions[assignment.assigned_partitions_count++];
            topic->topic = found.name;
            topic->partitions = &numbers[i];
        }
        if (topic == NULL)
            continue;
        numbers[i] = set->list[i].partition;
        topic->partitions_count++;
    }
    return protocol_write_assignment(env->out, version < 0 ? 0 : version, &assignment);
}

static void
downgrade_member(GroupShard *shard, GroupEnv *env, Group *group, const ConsumerMember *from)
{
    ClassicMemberInit init = {.id = from->node.key,
                              .instance_id = from->instance_id,
                              .client_id = from->client_id,
                              .client_host = from->client_host,
                              .session_timeout_ms = from->classic->session_timeout_ms,
                              .rebalance_timeout_ms = from->rebalance_timeout_ms,
                              .protocols = from->classic->protocols,
                              .protocol_count = from->classic->protocol_count,
                              .assignment = consumer_encode_assignment(env, from, &from->target)};
    ClassicMember *to = classic_add_member(shard, group, &init);

    to->is_new = false; /* it has a generation: this one */
    classic_touch(shard, env, to);
}

void
consumer_downgrade(GroupShard *shard, GroupEnv *env, Group *group, StrView joining_member,
                   bool skip_rebalance)
{
    ConsumerGroup *consumer = group->consumer;
    ClassicGroup *classic;

    group_out_keep_whole(env->out);
    joining_member = group_out_text(env->out, joining_member);
    consumer_stop_computing(shard, consumer); /* half a target would give a partition to two */
    consumer_write_tombstones(env, group);
    group->consumer = NULL;
    classic_attach(shard, group);
    classic = group->classic;
    (void)gmem_set_text(shard->memory, &classic->protocol_type, CONSUMER_PROTOCOL_TYPE);
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next) {
        ot_assert(m->classic != NULL);
        downgrade_member(shard, env, group, m);
    }
    classic->generation = consumer->epoch;
    (void)gmem_set_text(shard->memory, &classic->protocol, classic_vote(group));
    if (classic->protocol.ptr == NULL)
        (void)gmem_set_text(shard->memory, &classic->protocol, classic->first->protocols[0].name);
    classic_set_state(env, group, CLASSIC_STABLE);
    classic_read_subscriptions(shard, group);
    classic_write_group(env, group);
    group->classic = NULL;
    group->consumer = consumer;
    consumer_detach(shard, group);
    group->classic = classic;
    if (!skip_rebalance)
        classic_rebalance(shard, env, group, REBALANCE_MIGRATION, joining_member);
}
