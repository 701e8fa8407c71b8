/*
 * consumer_replay.c - consumer groups as records: reading
 *
 * Compaction may have taken any older record: a member's target or assignment may come before the member itself
 * (whose metadata was written again later), tombstones may name what was never seen. Members whose metadata does
 * not come before the end of the log are no members.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.2. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/consumer_int.h"
#include "ottla/common/assert.h"

typedef struct Replay {
    GroupShard *shard;
    WireReader *key;
    WireReader value;
    const ReplayRecord *record;
    int16_t version; /* of the value */
    ErrInfo *err;
} Replay;

static bool
is_tombstone(const Replay *replay)
{
    return replay->record->value.ptr == NULL;
}

/* NULL: there is none, and none is wanted. A group that only owns offsets becomes a consumer group. */
static ConsumerGroup *
find_group(GroupShard *shard, StrView id, bool make)
{
    Group *group = shard_find_group(shard, id);

    if (group != NULL && group->consumer != NULL)
        return group->consumer;
    if (!make)
        return NULL;
    if (group == NULL)
        group = shard_add_group_of_log(shard, id);
    if (group->classic != NULL)
        classic_detach(shard, group);
    consumer_attach(shard, group);
    return group->consumer;
}

static ConsumerMember *
find_member(GroupShard *shard, ConsumerGroup *consumer, StrView id, bool make)
{
    ConsumerMember *member = consumer == NULL ? NULL : consumer_find_member(consumer, id);

    return member != NULL || !make ? member : consumer_add_member(shard, consumer, id);
}

/* A sign of life, however small, keeps the shell of a member; nothing left: it goes. */
static void
drop_if_bare(GroupShard *shard, ConsumerMember *member)
{
    if (!member->has_metadata && member->assigned.count == 0 && member->pending.count == 0 &&
        member->target.count == 0 && member->epoch == 0)
        consumer_drop_member(shard, member);
}

static int
replay_epoch(Replay *replay)
{
    ConsumerGroupMetadataKey key;
    ConsumerGroupMetadataValue value;
    ConsumerGroup *consumer;

    consumer_group_metadata_key_read(replay->key, 0, &key);
    if (replay->key->err != 0)
        return replay->key->err;
    consumer = find_group(replay->shard, key.group_id, !is_tombstone(replay));
    if (consumer == NULL)
        return 0;
    if (is_tombstone(replay)) {
        Group *group = consumer->group;

        consumer_detach(replay->shard, group); /* what offsets it has make it a simple one; */
        classic_attach(replay->shard, group);  /* without any the caller drops it */
        return 0;
    }
    consumer_group_metadata_value_read(&replay->value, replay->version, &value);
    if (replay->value.err != 0)
        return replay->value.err;
    consumer->epoch = value.epoch;
    consumer->metadata_hash = (uint64_t)value.metadata_hash;
    return 0;
}

static int
replay_old_subscription(Replay *replay)
{
    ConsumerGroupPartitionMetadataKey key;
    ConsumerGroup *consumer;

    consumer_group_partition_metadata_key_read(replay->key, 0, &key);
    if (replay->key->err != 0)
        return replay->key->err;
    consumer = find_group(replay->shard, key.group_id, !is_tombstone(replay));
    if (consumer != NULL)
        consumer->has_old_subscription = !is_tombstone(replay);
    return 0;
}

static void
set_metadata(GroupShard *shard, ConsumerMember *member,
             const ConsumerGroupMemberMetadataValue *value, JoinGroupRequestProtocol *protocols)
{
    const ConsumerGroupMemberMetadataValueClassicMemberMetadata *classic =
        value->classic_member_metadata;
    ConsumerMember *holder = value->instance_id.ptr == NULL
                                 ? NULL
                                 : consumer_find_instance(member->consumer, value->instance_id);

    if (holder != NULL && holder != member) /* its tombstone was compacted away, or comes */
        (void)consumer_set_instance(shard, holder, (StrView){0}); /* it had it */
    /* What changed by a record does not matter. */
    (void)consumer_set_instance(shard, member, value->instance_id);
    (void)gmem_set_text(shard->memory, &member->rack_id, value->rack_id);
    (void)gmem_set_text(shard->memory, &member->client_id, value->client_id);
    (void)gmem_set_text(shard->memory, &member->client_host, value->client_host);
    (void)gmem_set_text(shard->memory, &member->assignor, value->server_assignor);
    (void)consumer_set_names(shard, member, value->subscribed_topic_names,
                             value->subscribed_topic_names_count);
    (void)consumer_set_regex(shard, member, value->subscribed_topic_regex);
    (void)consumer_set_classic(shard, member, classic == NULL ? 0 : classic->session_timeout_ms,
                               protocols, classic == NULL ? 0 : classic->supported_protocols_count);
    member->rebalance_timeout_ms = value->rebalance_timeout_ms;
    member->has_metadata = true;
}

static int
replay_member(Replay *replay)
{
    ConsumerGroupMemberMetadataKey key;
    ConsumerGroupMemberMetadataValue value;
    JoinGroupRequestProtocol *protocols = NULL;
    ConsumerGroup *consumer;
    ConsumerMember *member;

    consumer_group_member_metadata_key_read(replay->key, 0, &key);
    if (replay->key->err != 0)
        return replay->key->err;
    if (is_tombstone(replay)) {
        consumer = find_group(replay->shard, key.group_id, false);
        member = find_member(replay->shard, consumer, key.member_id, false);
        if (member != NULL)
            consumer_drop_member(replay->shard, member);
        return 0;
    }
    consumer_group_member_metadata_value_read(&replay->value, replay->version, &value);
    if (replay->value.err != 0)
        return replay->value.err;
    if (value.classic_member_metadata != NULL) {
        int32_t count = value.classic_member_metadata->supported_protocols_count;

        protocols = arena_calloc(replay->key->arena, (size_t)count, sizeof *protocols);
        if (protocols == NULL)
            return OT_E_NO_MEMORY;
        for (int32_t i = 0; i < count; i++) {
            protocols[i].name = value.classic_member_metadata->supported_protocols[i].name;
            protocols[i].metadata = value.classic_member_metadata->supported_protocols[i].metadata;
        }
    }
    consumer = find_group(replay->shard, key.group_id, true);
    member = find_member(replay->shard, consumer, key.member_id, true);
    set_metadata(replay->shard, member, &value, protocols);
    return 0;
}

static int
replay_target_epoch(Replay *replay)
{
    ConsumerGroupTargetAssignmentMetadataKey key;
    ConsumerGroupTargetAssignmentMetadataValue value;
    ConsumerGroup *consumer;

    consumer_group_target_assignment_metadata_key_read(replay->key, 0, &key);
    if (replay->key->err != 0)
        return replay->key->err;
    consumer = find_group(replay->shard, key.group_id, !is_tombstone(replay));
    if (consumer == NULL)
        return 0;
    consumer_group_target_assignment_metadata_value_init(&value);
    if (!is_tombstone(replay))
        consumer_group_target_assignment_metadata_value_read(&replay->value, replay->version,
                                                             &value);
    if (replay->value.err != 0)
        return replay->value.err;
    consumer->target_epoch = value.assignment_epoch;
    consumer->target_wall_ms = value.assignment_timestamp;
    consumer_note_all_settled(consumer);
    return 0;
}

/* Adds the partitions of one topic. False: such numbers we never wrote. */
static bool
add_entries(Replay *replay, ConsumerGroup *consumer, Uuid id, const int32_t *partitions,
            SetEntry *list, int32_t count)
{
    ConsumerTopic *topic = count == 0 ? NULL : consumer_topic(replay->shard, consumer, id);

    for (int32_t i = 0; i < count; i++) {
        if (partitions[i] < 0 || partitions[i] >= CONSUMER_PARTITION_MAX)
            return false;
        list[i] = (SetEntry){topic, partitions[i], 0};
    }
    return true;
}

static int
replay_target(Replay *replay)
{
    ConsumerGroupTargetAssignmentMemberKey key;
    ConsumerGroupTargetAssignmentMemberValue value;
    ConsumerGroup *consumer;
    ConsumerMember *member;
    SetEntry *list;
    int32_t count = 0;

    consumer_group_target_assignment_member_key_read(replay->key, 0, &key);
    if (replay->key->err != 0)
        return replay->key->err;
    consumer_group_target_assignment_member_value_init(&value);
    if (!is_tombstone(replay))
        consumer_group_target_assignment_member_value_read(&replay->value, replay->version, &value);
    if (replay->value.err != 0)
        return replay->value.err;
    consumer = find_group(replay->shard, key.group_id, !is_tombstone(replay));
    member = find_member(replay->shard, consumer, key.member_id, !is_tombstone(replay));
    if (member == NULL)
        return 0;
    for (int32_t t = 0; t < value.topic_partitions_count; t++)
        count += value.topic_partitions[t].partitions_count;
    list = arena_calloc(replay->key->arena, (size_t)count, sizeof *list);
    if (list == NULL)
        return OT_E_NO_MEMORY;
    count = 0;
    for (int32_t t = 0; t < value.topic_partitions_count; t++) {
        if (!add_entries(replay, consumer, value.topic_partitions[t].topic_id,
                         value.topic_partitions[t].partitions, list + count,
                         value.topic_partitions[t].partitions_count))
            return OT_E_CORRUPT;
        count += value.topic_partitions[t].partitions_count;
    }
    consumer_store_target(replay->shard, member, list, count);
    drop_if_bare(replay->shard, member);
    return 0;
}

typedef ConsumerGroupCurrentMemberAssignmentValueTopicPartitions CurrentTopic;

static int
read_set(Replay *replay, ConsumerGroup *consumer, const CurrentTopic *topics, int32_t topic_count,
         PartitionSet *ret)
{
    int32_t count = 0;

    for (int32_t t = 0; t < topic_count; t++)
        count += topics[t].partitions_count;
    ret->list = arena_calloc(replay->key->arena, (size_t)count, sizeof *ret->list);
    if (ret->list == NULL)
        return OT_E_NO_MEMORY;
    ret->count = 0;
    for (int32_t t = 0; t < topic_count; t++) {
        if (!add_entries(replay, consumer, topics[t].topic_id, topics[t].partitions,
                         ret->list + ret->count, topics[t].partitions_count))
            return OT_E_CORRUPT;
        for (int32_t i = 0; i < topics[t].partitions_count; i++)
            if (i < topics[t].assignment_epochs_count)
                ret->list[ret->count + i].epoch = topics[t].assignment_epochs[i];
        ret->count += topics[t].partitions_count;
    }
    return 0;
}

static int
replay_current(Replay *replay)
{
    ConsumerGroupCurrentMemberAssignmentKey key;
    ConsumerGroupCurrentMemberAssignmentValue value;
    PartitionSet assigned, pending;
    ConsumerGroup *consumer;
    ConsumerMember *member;
    int err;

    consumer_group_current_member_assignment_key_read(replay->key, 0, &key);
    if (replay->key->err != 0)
        return replay->key->err;
    consumer_group_current_member_assignment_value_init(&value);
    if (!is_tombstone(replay))
        consumer_group_current_member_assignment_value_read(&replay->value, replay->version,
                                                            &value);
    if (replay->value.err != 0)
        return replay->value.err;
    consumer = find_group(replay->shard, key.group_id, !is_tombstone(replay));
    member = find_member(replay->shard, consumer, key.member_id, !is_tombstone(replay));
    if (member == NULL)
        return 0;
    err = read_set(replay, consumer, value.assigned_partitions, value.assigned_partitions_count,
                   &assigned);
    if (err == 0)
        err = read_set(replay, consumer, value.partitions_pending_revocation,
                       value.partitions_pending_revocation_count, &pending);
    if (err != 0)
        return err;
    consumer_store_sets(replay->shard, member, assigned.list, assigned.count, pending.list,
                        pending.count);
    member->epoch = value.member_epoch;
    member->previous_epoch = value.previous_member_epoch;
    member->state = value.state >= CONSUMER_STABLE && value.state <= CONSUMER_UNRELEASED
                        ? (uint8_t)value.state
                        : CONSUMER_UNKNOWN;
    consumer_note_settled(member);
    drop_if_bare(replay->shard, member);
    return 0;
}

static int
replay_regex(Replay *replay)
{
    ConsumerGroupRegularExpressionKey key;
    ConsumerGroupRegularExpressionValue value;
    ConsumerGroup *consumer;
    ConsumerRegex *regex;

    consumer_group_regular_expression_key_read(replay->key, 0, &key);
    if (replay->key->err != 0)
        return replay->key->err;
    consumer_group_regular_expression_value_init(&value);
    if (!is_tombstone(replay))
        consumer_group_regular_expression_value_read(&replay->value, replay->version, &value);
    if (replay->value.err != 0)
        return replay->value.err;
    consumer = find_group(replay->shard, key.group_id, !is_tombstone(replay));
    if (consumer == NULL || key.regular_expression.len == 0)
        return 0;
    regex = consumer_find_regex(consumer, key.regular_expression);
    if (is_tombstone(replay)) {
        if (regex == NULL)
            return 0;
        consumer_set_regex_topics(replay->shard, consumer, regex, NULL, 0);
        regex->resolved = false;
        if (regex->members == 0)
            consumer_free_regex(replay->shard, consumer, regex);
        return 0;
    }
    if (regex == NULL)
        regex = consumer_make_regex(replay->shard, consumer, key.regular_expression);
    consumer_set_regex_topics(replay->shard, consumer, regex, value.topics, value.topics_count);
    regex->resolved = true;
    regex->version = value.version;
    regex->wall_ms = value.timestamp;
    return 0;
}

int
consumer_replay(GroupShard *shard, int16_t type, WireReader *key, const ReplayRecord *record,
                ErrInfo *err)
{
    Replay replay = {.shard = shard, .key = key, .record = record, .err = err};
    int rc = OT_E_CORRUPT;

    if (!is_tombstone(&replay)) {
        wire_reader_init(&replay.value, record->value.ptr, (size_t)record->value.len, key->arena);
        replay.version = wire_read_int16(&replay.value, "version");
        /* All of these exist in version 0 alone; a later one cannot be understood. */
        if (replay.value.err != 0 || replay.version != 0)
            return err_set(err, OT_E_CORRUPT,
                           "a value of a record of type %d has an unknown version", type);
    }
    switch (type) {
    case 3:
        rc = replay_epoch(&replay);
        break;
    case 4:
        rc = replay_old_subscription(&replay);
        break;
    case 5:
        rc = replay_member(&replay);
        break;
    case 6:
        rc = replay_target_epoch(&replay);
        break;
    case 7:
        rc = replay_target(&replay);
        break;
    case 8:
        rc = replay_current(&replay);
        break;
    case 16:
        rc = replay_regex(&replay);
        break;
    default:
        ot_unreachable(); /* the caller chose by type */
    }
    if (rc == 0)
        return 0;
    if (rc == OT_E_NO_MEMORY)
        return err_set(err, OT_E_NO_MEMORY, "no memory for a record of type %d", type);
    return err_set(err, OT_E_CORRUPT, "a record of type %d cannot be read", type);
}
