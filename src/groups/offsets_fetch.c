/*
 * offsets_fetch.c - OffsetFetch of one group: some partitions, or everything
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "groups/offsets_int.h"

#define FETCH_HAS_MEMBERS 9
#define FETCH_HAS_IDS     10
#define FETCH_HAS_STABLE  7

typedef struct Fetch {
    GroupEnv *env;
    const Group *group; /* NULL: unknown */
    int16_t version;
    bool require_stable;
} Fetch;

/* A read changes nothing: what does not fit in memory fails alone, and does not cost the shard. */
static void *
take(const Fetch *f, int32_t count, size_t size)
{
    return arena_calloc(f->env->out->arena, count > 0 ? (size_t)count : 0, size);
}

static void
none(OffsetFetchResponseGroupPartition *ret, int32_t partition, int16_t code)
{
    *ret = (OffsetFetchResponseGroupPartition){
        .partition_index = partition,
        .committed_offset = -1,
        .committed_leader_epoch = -1,
        .metadata = STRVIEW(""),
        .error_code = code,
    };
}

static void
some(OffsetFetchResponseGroupPartition *ret, const OffsetEntry *entry)
{
    *ret = (OffsetFetchResponseGroupPartition){
        .partition_index = entry->partition,
        .committed_offset = entry->offset,
        .committed_leader_epoch = entry->leader_epoch,
        .metadata = offset_metadata(entry),
    };
}

/* Of another topic of that name, when both ids are known. */
static bool
is_foreign(const OffsetEntry *entry, Uuid id)
{
    return !uuid_is_zero(id) && !uuid_is_zero(entry->topic_id) && !uuid_equal(entry->topic_id, id);
}

static void
fetch_one(const Fetch *f, const OffsetTopic *of, Uuid id, int32_t partition,
          OffsetFetchResponseGroupPartition *ret)
{
    const OffsetEntry *entry;

    if (of != NULL && f->require_stable && pending_is(of, partition)) {
        none(ret, partition, KERR_UNSTABLE_OFFSET_COMMIT);
        return;
    }
    entry = of == NULL ? NULL : offset_find(of, partition);
    if (entry == NULL || is_foreign(entry, id))
        none(ret, partition, 0);
    else
        some(ret, entry);
}

static bool
fetch_topic(const Fetch *f, const OffsetFetchRequestGroupTopic *in,
            OffsetFetchResponseGroupTopic *ret)
{
    const GroupMetadata *metadata = f->env->metadata;
    GroupTopic topic = {0};
    const OffsetTopic *of = NULL;
    bool found = f->version >= FETCH_HAS_IDS ? metadata->by_id(metadata->ctx, in->topic_id, &topic)
                                             : metadata->by_name(metadata->ctx, in->name, &topic);

    ret->name = f->version >= FETCH_HAS_IDS ? topic.name : in->name;
    ret->topic_id = f->version >= FETCH_HAS_IDS ? in->topic_id : topic.id;
    ret->partitions = take(f, in->partition_indexes_count, sizeof *ret->partitions);
    if (ret->partitions == NULL)
        return false;
    ret->partitions_count = in->partition_indexes_count;
    if (f->group != NULL && ret->name.ptr != NULL)
        of = offset_topic_find(f->group, ret->name);
    for (int32_t p = 0; p < in->partition_indexes_count; p++) {
        if (!found && f->version >= FETCH_HAS_IDS)
            none(&ret->partitions[p], in->partition_indexes[p], KERR_UNKNOWN_TOPIC_ID);
        else
            fetch_one(f, of, found ? topic.id : (Uuid){0}, in->partition_indexes[p],
                      &ret->partitions[p]);
    }
    return true;
}

static bool
fetch_some(const Fetch *f, const OffsetFetchRequestGroup *in, OffsetFetchResponseGroup *ret)
{
    ret->topics = take(f, in->topics_count, sizeof *ret->topics);
    if (ret->topics == NULL)
        return false;
    ret->topics_count = in->topics_count;
    for (int32_t t = 0; t < in->topics_count; t++)
        if (!fetch_topic(f, &in->topics[t], &ret->topics[t]))
            return false;
    return true;
}

/* ---- everything ------------------------------------------------------------------------------------------ */

static int
by_topic(const void *a, const void *b)
{
    StrView x = (*(const OffsetTopic *const *)a)->topic->name;
    StrView y = (*(const OffsetTopic *const *)b)->topic->name;
    int32_t len = x.len < y.len ? x.len : y.len;
    int order = len == 0 ? 0 : memcmp(x.ptr, y.ptr, (size_t)len);

    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

static int
by_partition(const void *a, const void *b)
{
    int32_t x = ((const OffsetFetchResponseGroupPartition *)a)->partition_index;
    int32_t y = ((const OffsetFetchResponseGroupPartition *)b)->partition_index;

    return (x > y) - (x < y);
}

/* The topics of the group, in order; NULL: no memory. */
static const OffsetTopic **
topics_in_order(const Fetch *f)
{
    const Map *map = &f->group->offsets.topics;
    const OffsetTopic **list = take(f, (int32_t)map->count, sizeof(*list));
    uint32_t bucket = 0, count = 0;

    if (list == NULL)
        return NULL;
    for (MapNode *node = map_next(map, &bucket, NULL); node != NULL;
         node = map_next(map, &bucket, node))
        list[count++] = MAP_OWNER(node, OffsetTopic, node);
    qsort(list, count, sizeof(*list), by_topic);
    return list;
}

/* False: no memory. A topic of which nothing is to be told has no partitions. */
static bool
fetch_whole_topic(const Fetch *f, const OffsetTopic *of, OffsetFetchResponseGroupTopic *ret)
{
    const GroupMetadata *metadata = f->env->metadata;
    GroupTopic topic = {0};
    bool found = metadata->by_name(metadata->ctx, of->topic->name, &topic), sorted = true;

    if (!found && f->version >= FETCH_HAS_IDS)
        return true;
    ret->name = of->topic->name;
    ret->topic_id = found ? topic.id : (Uuid){0};
    ret->partitions = take(f, (int32_t)of->count, sizeof *ret->partitions);
    if (ret->partitions == NULL)
        return false;
    for (uint32_t i = 0; i < of->count; i++) {
        const OffsetEntry *entry = &of->entries[i];

        if (is_foreign(entry, ret->topic_id))
            continue;
        if (ret->partitions_count > 0 &&
            ret->partitions[ret->partitions_count - 1].partition_index > entry->partition)
            sorted = false;
        fetch_one(f, of, ret->topic_id, entry->partition,
                  &ret->partitions[ret->partitions_count++]);
    }
    if (!sorted)
        qsort(ret->partitions, (size_t)ret->partitions_count, sizeof *ret->partitions,
              by_partition);
    return true;
}

static bool
fetch_all(const Fetch *f, OffsetFetchResponseGroup *ret)
{
    const OffsetTopic **topics;

    if (f->group == NULL)
        return true;
    topics = topics_in_order(f);
    ret->topics = take(f, (int32_t)f->group->offsets.topics.count, sizeof *ret->topics);
    if (topics == NULL || ret->topics == NULL)
        return false;
    for (uint32_t t = 0; t < f->group->offsets.topics.count; t++) {
        OffsetFetchResponseGroupTopic *topic = &ret->topics[ret->topics_count];

        *topic = (OffsetFetchResponseGroupTopic){0};
        if (!fetch_whole_topic(f, topics[t], topic))
            return false;
        ret->topics_count += topic->partitions_count > 0;
    }
    return true;
}

void
shard_offset_fetch(GroupShard *shard, GroupEnv *env, int16_t version, bool require_stable,
                   const OffsetFetchRequestGroup *group, OffsetFetchResponseGroup *ret)
{
    Fetch f = {
        .env = env,
        .group = shard_find_group(shard, group->group_id),
        .version = version,
        .require_stable = require_stable && version >= FETCH_HAS_STABLE,
    };
    bool good;

    offset_fetch_response_group_init(ret);
    ret->group_id = group->group_id;
    if (f.group != NULL && f.group->consumer != NULL && version >= FETCH_HAS_MEMBERS)
        ret->error_code = consumer_check_fetch(f.group, group->member_id, group->member_epoch);
    if (ret->error_code != 0)
        return;
    good = group->topics_count < 0 ? fetch_all(&f, ret) : fetch_some(&f, group, ret);
    if (good)
        return;
    ret->topics = NULL;
    ret->topics_count = 0;
    ret->error_code = KERR_UNKNOWN_SERVER_ERROR;
}
