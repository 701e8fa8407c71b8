/*
 * offsets_kit.c - steps that tests about offsets share: commit, fetch, delete, load again
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/offsets_kit.h"

#define COMMIT_BY_ID 10

static Uuid
id_of(GroupKit *kit, StrView name)
{
    GroupTopic topic = {0};

    (void)kit->metadata.by_name(kit, name, &topic); /* else zero */
    return topic.id;
}

int16_t
commit_one(GroupKit *kit, GroupShard *shard, const OneCommit *one)
{
    int16_t version = one->version == 0 ? 9 : one->version, code;
    GroupCaller caller = kit_caller(kit, version);
    OffsetCommitRequest request;
    OffsetCommitRequestTopic topic;
    OffsetCommitRequestPartition partition;
    const OffsetCommitResponse *response;

    offset_commit_request_init(&request);
    offset_commit_request_topic_init(&topic);
    offset_commit_request_partition_init(&partition);
    request.group_id = strview_from(one->group);
    request.member_id = one->member == NULL ? STRVIEW("") : strview_from(one->member);
    if (one->member != NULL || one->from_member)
        request.generation_id_or_member_epoch = one->generation;
    if (one->retention_ms != 0 || one->retention_given)
        request.retention_time_ms = one->retention_ms;
    request.topics = &topic;
    request.topics_count = 1;
    if (version >= COMMIT_BY_ID)
        topic.topic_id = id_of(kit, strview_from(one->topic));
    else
        topic.name = strview_from(one->topic);
    topic.partitions = &partition;
    topic.partitions_count = 1;
    partition.partition_index = one->partition;
    partition.committed_offset = one->offset;
    partition.committed_leader_epoch = one->leader_epoch;
    partition.committed_metadata = strview_from(one->metadata);
    shard_offset_commit(shard, kit_env(kit), &caller, &request);
    (void)kit_take(kit); /* what was written is in the log */
    if (kit_reply(kit, caller.token) != NULL && kit_reply(kit, caller.token)->status != 0)
        return kit_reply(kit, caller.token)->status;
    response = kit_message(kit, caller.token, &offset_commit_response_desc);
    assert_int_equal(response->topics_count, 1);
    assert_int_equal(response->topics[0].partitions_count, 1);
    code = response->topics[0].partitions[0].error_code;
    assert_int_equal(kit_reply(kit, caller.token)->when,
                     code == 0 ? REPLY_COMMITTED : REPLY_REPLICATED);
    return code;
}

void
commit_plain(GroupKit *kit, GroupShard *shard, const char *group, const char *topic,
             int32_t partition, int64_t offset)
{
    const OneCommit one = {.group = group,
                           .topic = topic,
                           .partition = partition,
                           .offset = offset,
                           .metadata = "",
                           .leader_epoch = -1};

    assert_int_equal(commit_one(kit, shard, &one), 0);
}

OffsetFetchResponseGroupPartition
fetch_one_offset(GroupKit *kit, GroupShard *shard, const char *group, const char *topic,
                 int32_t partition, bool stable)
{
    OffsetFetchRequestGroupTopic wanted;
    OffsetFetchRequestGroup request;
    OffsetFetchResponseGroup response;

    offset_fetch_request_group_init(&request);
    offset_fetch_request_group_topic_init(&wanted);
    request.group_id = strview_from(group);
    request.topics = &wanted;
    request.topics_count = 1;
    wanted.name = strview_from(topic);
    wanted.partition_indexes = &partition;
    wanted.partition_indexes_count = 1;
    shard_offset_fetch(shard, kit_env(kit), 9, stable, &request, &response);
    assert_int_equal(kit_take(kit), 0);
    assert_int_equal(response.error_code, 0);
    assert_int_equal(response.topics_count, 1);
    assert_int_equal(response.topics[0].partitions_count, 1);
    assert_int_equal(response.topics[0].partitions[0].partition_index, partition);
    return response.topics[0].partitions[0];
}

int64_t
offset_of(GroupKit *kit, GroupShard *shard, const char *group, const char *topic, int32_t partition)
{
    OffsetFetchResponseGroupPartition p =
        fetch_one_offset(kit, shard, group, topic, partition, false);

    assert_int_equal(p.error_code, 0);
    return p.committed_offset;
}

OffsetFetchResponseGroup
fetch_everything(GroupKit *kit, GroupShard *shard, const char *group)
{
    OffsetFetchRequestGroup request;
    OffsetFetchResponseGroup response;

    offset_fetch_request_group_init(&request);
    request.group_id = strview_from(group);
    request.topics_count = -1;
    shard_offset_fetch(shard, kit_env(kit), 9, false, &request, &response);
    assert_int_equal(kit_take(kit), 0);
    assert_int_equal(response.error_code, 0);
    return response;
}

int16_t
delete_one(GroupKit *kit, GroupShard *shard, const char *group, const char *topic,
           int32_t partition)
{
    GroupCaller caller = kit_caller(kit, 0);
    OffsetDeleteRequestPartition p = {.partition_index = partition};
    OffsetDeleteRequestTopic t = {
        .name = strview_from(topic), .partitions = &p, .partitions_count = 1};
    const OffsetDeleteRequest request = {
        .group_id = strview_from(group), .topics = &t, .topics_count = 1};
    const OffsetDeleteResponse *response;

    shard_offset_delete(shard, kit_env(kit), &caller, &request);
    (void)kit_take(kit); /* what was written is in the log */
    if (kit_reply(kit, caller.token) != NULL && kit_reply(kit, caller.token)->status != 0)
        return kit_reply(kit, caller.token)->status;
    response = kit_message(kit, caller.token, &offset_delete_response_desc);
    return response->topics[0].partitions[0].error_code;
}

void
commit_pending(GroupKit *kit, GroupShard *shard, int64_t producer_id, const char *group,
               const char *topic, int32_t partition, int64_t offset)
{
    const OffsetCommitKey key = {strview_from(group), strview_from(topic), partition};
    OffsetCommitValue value;
    ReplayRecord record = {.producer_id = producer_id};

    offset_commit_value_init(&value);
    value.offset = offset;
    value.metadata = STRVIEW("in a transaction");
    value.commit_timestamp = kit->env.wall_ms;
    group_record(kit_env(kit)->out, &offset_commit_key_desc, &key, &offset_commit_value_desc, 4,
                 &value);
    assert_false(kit->out.failed);
    record.key = kit->out.records->key;
    record.value = kit->out.records->value;
    assert_int_equal(shard_replay(shard, &record, NULL), 0);
}

GroupShard *
load_again(GroupKit *kit)
{
    GroupShard *shard = shard_new(0, &kit->memory, 77);

    for (size_t i = 0; i < kit->log_count; i++) {
        const ReplayRecord record = kit_replay_record(kit, i);

        assert_int_equal(shard_replay(shard, &record, NULL), 0);
    }
    shard_loaded(shard, kit_env(kit));
    (void)kit_take(kit); /* rebalances of groups that are too large */
    return shard;
}

void
unload(GroupKit *kit, GroupShard *shard)
{
    shard_check(shard);
    shard_unload(shard, kit_env(kit), KERR_NOT_COORDINATOR);
    (void)kit_take(kit); /* answers */
    shard_free(shard);
}
