/*
 * consumer_sets.c - sets of partitions, and who has which partition
 *
 * Runs in: coordinator; tests. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "groups/consumer_int.h"
#include "ottla/common/assert.h"

static StrView
id_key(const Uuid *id)
{
    return (StrView){(const char *)id->b, sizeof id->b};
}

ConsumerTopic *
consumer_find_topic(const ConsumerGroup *consumer, Uuid id)
{
    MapNode *node = map_find(&consumer->topics, id_key(&id));

    return node == NULL ? NULL : MAP_OWNER(node, ConsumerTopic, node);
}

ConsumerTopic *
consumer_topic(GroupShard *shard, ConsumerGroup *consumer, Uuid id)
{
    ConsumerTopic *topic = consumer_find_topic(consumer, id);

    if (topic != NULL)
        return topic;
    topic = gmem_new(shard->memory, sizeof *topic);
    topic->id = id;
    map_add(&consumer->topics, &topic->node, id_key(&topic->id));
    return topic;
}

static void
free_topic(GroupShard *shard, ConsumerGroup *consumer, ConsumerTopic *topic)
{
    map_remove(&consumer->topics, &topic->node);
    gmem_free(shard->memory, topic->owners, (size_t)topic->room * sizeof(ConsumerMember *));
    gmem_free(shard->memory, topic, sizeof *topic);
}

void
consumer_sweep_topics(GroupShard *shard, ConsumerGroup *consumer)
{
    uint32_t bucket = 0;
    MapNode *node = map_next(&consumer->topics, &bucket, NULL);

    while (node != NULL) {
        ConsumerTopic *topic = MAP_OWNER(node, ConsumerTopic, node);

        node = map_next(&consumer->topics, &bucket, node);
        if (topic->refs == 0)
            free_topic(shard, consumer, topic);
    }
}

static int
compare_entries(const void *left, const void *right)
{
    const SetEntry *a = left, *b = right;

    if (a->topic != b->topic)
        return memcmp(a->topic->id.b, b->topic->id.b, sizeof a->topic->id.b);
    return (a->partition > b->partition) - (a->partition < b->partition);
}

void
set_sort(SetEntry *list, int32_t count)
{
    for (int32_t i = 1; i < count; i++)
        if (compare_entries(&list[i - 1], &list[i]) > 0) {
            qsort(list, (size_t)count, sizeof *list, compare_entries);
            return;
        }
}

bool
set_equal(const PartitionSet *a, const PartitionSet *b)
{
    if (a->count != b->count)
        return false;
    for (int32_t i = 0; i < a->count; i++)
        if (a->list[i].topic != b->list[i].topic || a->list[i].partition != b->list[i].partition)
            return false;
    return true;
}

const SetEntry *
set_find(const PartitionSet *set, const ConsumerTopic *topic, int32_t partition)
{
    SetEntry key = {(ConsumerTopic *)(uintptr_t)topic, partition, 0};

    if (set->count == 0)
        return NULL;
    return bsearch(&key, set->list, (size_t)set->count, sizeof key, compare_entries);
}

static void
clear_set(GroupShard *shard, PartitionSet *set)
{
    for (int32_t i = 0; i < set->count; i++)
        set->list[i].topic->refs--;
    gmem_free(shard->memory, set->list, (size_t)set->count * sizeof *set->list);
    *set = (PartitionSet){0};
}

static void
fill_set(GroupShard *shard, PartitionSet *set, const SetEntry *list, int32_t count)
{
    if (count == 0)
        return;
    set->list = gmem_new(shard->memory, (size_t)count * sizeof *list);
    set->count = count;
    memcpy(set->list, list, (size_t)count * sizeof *list);
    set_sort(set->list, count);
    for (int32_t i = 0; i < count; i++)
        list[i].topic->refs++;
}

void
consumer_store_target(GroupShard *shard, ConsumerMember *member, const SetEntry *list,
                      int32_t count)
{
    PartitionSet old = member->target;

    member->target = (PartitionSet){0};
    fill_set(shard, &member->target, list, count);
    clear_set(shard, &old);
}

static void
take(GroupShard *shard, ConsumerMember *member, const PartitionSet *set)
{
    for (int32_t i = 0; i < set->count; i++) {
        ConsumerTopic *topic = set->list[i].topic;
        int32_t partition = set->list[i].partition;

        ot_assert(partition >= 0 && partition < CONSUMER_PARTITION_MAX);
        if (partition >= topic->room) {
            int32_t room = topic->room * 2 > partition + 1 ? topic->room * 2 : partition + 1;

            topic->owners = gmem_resize(shard->memory, topic->owners,
                                        (size_t)topic->room * sizeof(ConsumerMember *),
                                        (size_t)room * sizeof(ConsumerMember *));
            memset(topic->owners + topic->room, 0,
                   (size_t)(room - topic->room) * sizeof(ConsumerMember *));
            topic->room = room;
        }
        topic->owners[partition] = member;
    }
}

static void
give_up(const ConsumerMember *member, const PartitionSet *set)
{
    for (int32_t i = 0; i < set->count; i++) {
        ConsumerTopic *topic = set->list[i].topic;

        if (topic->owners[set->list[i].partition] == member)
            topic->owners[set->list[i].partition] = NULL;
    }
}

void
consumer_store_sets(GroupShard *shard, ConsumerMember *member, const SetEntry *assigned,
                    int32_t assigned_count, const SetEntry *pending, int32_t pending_count)
{
    PartitionSet old_assigned = member->assigned, old_pending = member->pending;

    give_up(member, &old_assigned);
    give_up(member, &old_pending);
    member->assigned = (PartitionSet){0};
    member->pending = (PartitionSet){0};
    fill_set(shard, &member->assigned, assigned, assigned_count);
    fill_set(shard, &member->pending, pending, pending_count);
    take(shard, member, &member->assigned);
    take(shard, member, &member->pending);
    clear_set(shard, &old_assigned);
    clear_set(shard, &old_pending);
}
