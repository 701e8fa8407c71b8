/*
 * consumer_records.c - consumer groups as records: writing
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.2. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/consumer_int.h"

static StrView
id_of(const ConsumerGroup *consumer)
{
    return consumer->group->id;
}

void
consumer_write_member(GroupEnv *env, const ConsumerMember *member)
{
    ConsumerGroupMemberMetadataKey key = {id_of(member->consumer), member->node.key};
    ConsumerGroupMemberMetadataValue value;
    ConsumerGroupMemberMetadataValueClassicMemberMetadata classic;
    size_t names = (size_t)member->name_count;

    consumer_group_member_metadata_value_init(&value);
    value.instance_id = member->instance_id;
    value.rack_id = member->rack_id;
    value.client_id = member->client_id;
    value.client_host = member->client_host;
    value.subscribed_topic_names = group_out_alloc(env->out, names, sizeof(StrView));
    if (value.subscribed_topic_names == NULL)
        return;
    value.subscribed_topic_names_count = member->name_count;
    for (int32_t i = 0; i < member->name_count; i++)
        value.subscribed_topic_names[i] = member->names[i]->name;
    value.subscribed_topic_regex = member->regex != NULL ? member->regex->pattern : STRVIEW("");
    value.rebalance_timeout_ms = member->rebalance_timeout_ms;
    value.server_assignor = member->assignor;
    if (member->classic != NULL) {
        int32_t count = member->classic->protocol_count;

        consumer_group_member_metadata_value_classic_member_metadata_init(&classic);
        classic.session_timeout_ms = member->classic->session_timeout_ms;
        classic.supported_protocols =
            group_out_alloc(env->out, (size_t)count, sizeof *classic.supported_protocols);
        if (classic.supported_protocols == NULL)
            return;
        classic.supported_protocols_count = count;
        for (int32_t i = 0; i < count; i++) {
            classic.supported_protocols[i].name = member->classic->protocols[i].name;
            classic.supported_protocols[i].metadata = member->classic->protocols[i].metadata;
        }
        value.classic_member_metadata = &classic;
    }
    group_record(env->out, &consumer_group_member_metadata_key_desc, &key,
                 &consumer_group_member_metadata_value_desc, 0, &value);
}

void
consumer_write_epoch(GroupEnv *env, ConsumerGroup *consumer)
{
    ConsumerGroupMetadataKey key = {id_of(consumer)};
    ConsumerGroupPartitionMetadataKey old = {id_of(consumer)};
    ConsumerGroupMetadataValue value;

    if (consumer->has_old_subscription) {
        group_record(env->out, &consumer_group_partition_metadata_key_desc, &old, NULL, 0, NULL);
        consumer->has_old_subscription = false;
    }
    consumer_group_metadata_value_init(&value);
    value.epoch = consumer->epoch;
    value.metadata_hash = (int64_t)consumer->metadata_hash;
    group_record(env->out, &consumer_group_metadata_key_desc, &key,
                 &consumer_group_metadata_value_desc, 0, &value);
}

static int32_t
topics_of(const PartitionSet *set)
{
    int32_t topics = 0;

    for (int32_t i = 0; i < set->count; i++)
        topics += i == 0 || set->list[i].topic != set->list[i - 1].topic;
    return topics;
}

void
consumer_write_target(GroupEnv *env, const ConsumerMember *member)
{
    ConsumerGroupTargetAssignmentMemberKey key = {id_of(member->consumer), member->node.key};
    ConsumerGroupTargetAssignmentMemberValue value;
    const PartitionSet *set = &member->target;
    int32_t *numbers = group_out_alloc(env->out, (size_t)set->count, sizeof *numbers);
    ConsumerGroupTargetAssignmentMemberValueTopicPartition *topic = NULL;

    consumer_group_target_assignment_member_value_init(&value);
    value.topic_partitions =
        group_out_alloc(env->out, (size_t)topics_of(set), sizeof *value.topic_partitions);
    if (numbers == NULL || value.topic_partitions == NULL)
        return;
    for (int32_t i = 0; i < set->count; i++) {
        numbers[i] = set->list[i].partition;
        if (i == 0 || set->list[i].topic != set->list[i - 1].topic) {
            topic = &value.topic_partitions[value.topic_partitions_count++];
            topic->topic_id = set->list[i].topic->id;
            topic->partitions = &numbers[i];
        }
        topic->partitions_count++;
    }
    group_record(env->out, &consumer_group_target_assignment_member_key_desc, &key,
                 &consumer_group_target_assignment_member_value_desc, 0, &value);
}

void
consumer_write_target_epoch(GroupEnv *env, const ConsumerGroup *consumer)
{
    ConsumerGroupTargetAssignmentMetadataKey key = {id_of(consumer)};
    ConsumerGroupTargetAssignmentMetadataValue value;

    consumer_group_target_assignment_metadata_value_init(&value);
    value.assignment_epoch = consumer->target_epoch;
    value.assignment_timestamp = consumer->target_wall_ms;
    group_record(env->out, &consumer_group_target_assignment_metadata_key_desc, &key,
                 &consumer_group_target_assignment_metadata_value_desc, 0, &value);
}

typedef ConsumerGroupCurrentMemberAssignmentValueTopicPartitions CurrentTopic;

static CurrentTopic *
current_topics(GroupEnv *env, const PartitionSet *set, int32_t *ret_count)
{
    int32_t *numbers = group_out_alloc(env->out, (size_t)set->count, sizeof *numbers);
    int32_t *epochs = group_out_alloc(env->out, (size_t)set->count, sizeof *epochs);
    CurrentTopic *topics = group_out_alloc(env->out, (size_t)topics_of(set), sizeof *topics);
    CurrentTopic *topic = NULL;

    *ret_count = 0;
    if (numbers == NULL || epochs == NULL || topics == NULL)
        return NULL;
    for (int32_t i = 0; i < set->count; i++) {
        numbers[i] = set->list[i].partition;
        epochs[i] = set->list[i].epoch;
        if (i == 0 || set->list[i].topic != set->list[i - 1].topic) {
            topic = &topics[(*ret_count)++];
            topic->topic_id = set->list[i].topic->id;
            topic->partitions = &numbers[i];
            topic->assignment_epochs = &epochs[i];
        }
        topic->partitions_count++;
        topic->assignment_epochs_count++;
    }
    return topics;
}

void
consumer_write_current(GroupEnv *env, const ConsumerMember *member)
{
    ConsumerGroupCurrentMemberAssignmentKey key = {id_of(member->consumer), member->node.key};
    ConsumerGroupCurrentMemberAssignmentValue value;

    consumer_group_current_member_assignment_value_init(&value);
    value.member_epoch = member->epoch;
    value.previous_member_epoch = member->previous_epoch;
    value.state = (int8_t)member->state;
    value.assigned_partitions =
        current_topics(env, &member->assigned, &value.assigned_partitions_count);
    value.partitions_pending_revocation =
        current_topics(env, &member->pending, &value.partitions_pending_revocation_count);
    if (env->out->failed)
        return;
    group_record(env->out, &consumer_group_current_member_assignment_key_desc, &key,
                 &consumer_group_current_member_assignment_value_desc, 0, &value);
}

void
consumer_write_regex(GroupEnv *env, const ConsumerGroup *consumer, const ConsumerRegex *regex)
{
    ConsumerGroupRegularExpressionKey key = {id_of(consumer), regex->pattern};
    ConsumerGroupRegularExpressionValue value;

    consumer_group_regular_expression_value_init(&value);
    value.topics = group_out_alloc(env->out, (size_t)regex->topic_count, sizeof *value.topics);
    if (value.topics == NULL)
        return;
    value.topics_count = regex->topic_count;
    for (int32_t i = 0; i < regex->topic_count; i++)
        value.topics[i] = regex->topics[i]->name;
    value.version = regex->version;
    value.timestamp = regex->wall_ms;
    group_record(env->out, &consumer_group_regular_expression_key_desc, &key,
                 &consumer_group_regular_expression_value_desc, 0, &value);
}

void
consumer_write_regex_tombstone(GroupEnv *env, const ConsumerGroup *consumer, StrView pattern)
{
    ConsumerGroupRegularExpressionKey key = {id_of(consumer), pattern};

    group_record(env->out, &consumer_group_regular_expression_key_desc, &key, NULL, 0, NULL);
}

static void
write_current_tombstone(GroupEnv *env, const ConsumerGroup *consumer, StrView id)
{
    ConsumerGroupCurrentMemberAssignmentKey key = {id_of(consumer), id};

    group_record(env->out, &consumer_group_current_member_assignment_key_desc, &key, NULL, 0, NULL);
}

static void
write_target_tombstone(GroupEnv *env, const ConsumerGroup *consumer, StrView id)
{
    ConsumerGroupTargetAssignmentMemberKey key = {id_of(consumer), id};

    group_record(env->out, &consumer_group_target_assignment_member_key_desc, &key, NULL, 0, NULL);
}

static void
write_member_tombstone(GroupEnv *env, const ConsumerGroup *consumer, StrView id)
{
    ConsumerGroupMemberMetadataKey key = {id_of(consumer), id};

    group_record(env->out, &consumer_group_member_metadata_key_desc, &key, NULL, 0, NULL);
}

void
consumer_write_member_tombstones(GroupEnv *env, const ConsumerGroup *consumer, StrView id)
{
    write_current_tombstone(env, consumer, id);
    write_target_tombstone(env, consumer, id);
    write_member_tombstone(env, consumer, id);
}

static void
write_regex_tombstones(GroupEnv *env, const ConsumerGroup *consumer)
{
    uint32_t bucket = 0;

    /* The order cannot be seen from outside: the log's reader keeps them in a table as well. */
    for (MapNode *node = map_next(&consumer->regexes, &bucket, NULL); node != NULL;
         node = map_next(&consumer->regexes, &bucket, node)) {
        const ConsumerRegex *regex = MAP_OWNER(node, ConsumerRegex, node);

        if (regex->resolved)
            consumer_write_regex_tombstone(env, consumer, regex->pattern);
    }
}

void
consumer_write_tombstones(GroupEnv *env, const Group *group)
{
    const ConsumerGroup *consumer = group->consumer;
    ConsumerGroupTargetAssignmentMetadataKey target = {group->id};
    ConsumerGroupPartitionMetadataKey old = {group->id};
    ConsumerGroupMetadataKey key = {group->id};

    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        write_current_tombstone(env, consumer, m->node.key);
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        write_target_tombstone(env, consumer, m->node.key);
    group_record(env->out, &consumer_group_target_assignment_metadata_key_desc, &target, NULL, 0,
                 NULL);
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        write_member_tombstone(env, consumer, m->node.key);
    write_regex_tombstones(env, consumer);
    if (consumer->has_old_subscription)
        group_record(env->out, &consumer_group_partition_metadata_key_desc, &old, NULL, 0, NULL);
    group_record(env->out, &consumer_group_metadata_key_desc, &key, NULL, 0, NULL);
}
