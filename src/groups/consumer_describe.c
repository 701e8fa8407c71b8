/*
 * consumer_describe.c - a consumer group as ConsumerGroupDescribe shows it
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.12. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/consumer_int.h"

typedef ConsumerGroupDescribeResponseAssignment DescribedAssignment;
typedef ConsumerGroupDescribeResponseTopicPartitions DescribedTopic;

/* Topics that do not exist any more are left out. */
static void
describe_set(GroupEnv *env, const PartitionSet *set, DescribedAssignment *ret)
{
    int32_t *numbers = group_out_alloc(env->out, (size_t)set->count, sizeof *numbers);
    DescribedTopic *topic = NULL;
    int32_t topics = 0;

    consumer_group_describe_response_assignment_init(ret);
    for (int32_t i = 0; i < set->count; i++)
        topics += i == 0 || set->list[i].topic != set->list[i - 1].topic;
    ret->topic_partitions = group_out_alloc(env->out, (size_t)topics, sizeof *topic);
    if (numbers == NULL || ret->topic_partitions == NULL)
        return;
    for (int32_t i = 0; i < set->count; i++) {
        if (i == 0 || set->list[i].topic != set->list[i - 1].topic) {
            GroupTopic found;

            topic = NULL;
            if (!env->metadata->by_id(env->metadata->ctx, set->list[i].topic->id, &found))
                continue;
            topic = &ret->topic_partitions[ret->topic_partitions_count++];
            topic->topic_id = found.id;
            topic->topic_name = found.name;
            topic->partitions = &numbers[i];
        }
        if (topic == NULL)
            continue;
        numbers[i] = set->list[i].partition;
        topic->partitions_count++;
    }
}

/* What the member has: also what it was told to give back, until it says that it did. */
static void
describe_held(GroupEnv *env, const ConsumerMember *member, DescribedAssignment *ret)
{
    PartitionSet held = {.count = member->assigned.count + member->pending.count};

    if (member->pending.count == 0) {
        describe_set(env, &member->assigned, ret);
        return;
    }
    consumer_group_describe_response_assignment_init(ret);
    held.list = group_out_alloc(env->out, (size_t)held.count, sizeof *held.list);
    if (held.list == NULL)
        return;
    for (int32_t i = 0; i < held.count; i++)
        held.list[i] = i < member->assigned.count
                           ? member->assigned.list[i]
                           : member->pending.list[i - member->assigned.count];
    set_sort(held.list, held.count);
    describe_set(env, &held, ret);
}

static void
describe_member(GroupEnv *env, const ConsumerMember *member,
                ConsumerGroupDescribeResponseMember *ret)
{
    consumer_group_describe_response_member_init(ret);
    ret->member_id = member->node.key;
    ret->instance_id = member->instance_id;
    ret->rack_id = member->rack_id;
    ret->member_epoch = member->epoch;
    ret->client_id = member->client_id;
    ret->client_host = member->client_host;
    ret->subscribed_topic_names =
        group_out_alloc(env->out, (size_t)member->name_count, sizeof(StrView));
    if (ret->subscribed_topic_names == NULL)
        return;
    for (int32_t i = 0; i < member->name_count; i++)
        ret->subscribed_topic_names[ret->subscribed_topic_names_count++] = member->names[i]->name;
    ret->subscribed_topic_regex = member->regex == NULL ? STRVIEW("") : member->regex->pattern;
    describe_held(env, member, &ret->assignment);
    describe_set(env, &member->target, &ret->target_assignment);
    ret->member_type = member->classic == NULL ? 1 : 0;
}

void
consumer_describe(const Group *group, GroupEnv *env, ConsumerGroupDescribeResponseGroup *ret)
{
    const ConsumerGroup *consumer = group->consumer;

    consumer_group_describe_response_group_init(ret);
    ret->group_id = group->id;
    ret->group_state = strview_from(consumer_state_text(group));
    ret->group_epoch = consumer->epoch;
    ret->assignment_epoch = consumer->target_epoch;
    ret->assignor_name = consumer_assignor_name(consumer_assignor(consumer, env->settings));
    ret->members = group_out_alloc(env->out, consumer->members.count, sizeof *ret->members);
    if (ret->members == NULL)
        return;
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        describe_member(env, m, &ret->members[ret->members_count++]);
}
