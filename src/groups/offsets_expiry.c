/*
 * offsets_expiry.c - offsets that go: too old, or of topics that are gone
 *
 * What is written here are tombstones that do not depend on each other, so a unit ends where it is full, and the
 * caller comes again.
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/offsets_int.h"
#include "ottla/common/assert.h"

#define GROUPS_PER_LOOK   256
#define TOMBSTONE_BYTES   (2 * 32767 + 64) /* at most: names of a group and a topic */
#define BATCH_HEAD_BYTES  61
#define RECORD_HEAD_BYTES 32

/* May another tombstone be too much for the batch? */
static bool
unit_is_full(const GroupEnv *env)
{
    const GroupOut *out = env->out;
    size_t bytes = BATCH_HEAD_BYTES + out->record_bytes +
                   ((size_t)out->record_count + 1) * RECORD_HEAD_BYTES + TOMBSTONE_BYTES;

    return out->record_count >= OFFSETS_UNIT_RECORDS ||
           (out->record_count > 0 && bytes > (size_t)env->settings->max_batch_bytes);
}

/* ---- too old (3.5) -------------------------------------------------------------------------------------- */

/* When offsets of a group that has no say itself are too old. */
typedef struct ExpiryRule {
    int64_t since_ms; /* -1: each since it was committed */
    bool only_unsubscribed;
} ExpiryRule;

static bool
is_expired(const GroupEnv *env, const ExpiryRule *rule, const OffsetEntry *entry)
{
    int64_t since = rule->since_ms >= 0 ? rule->since_ms : entry->commit_ms;

    if (entry->expire_ms != -1)
        return env->wall_ms >= entry->expire_ms;
    return env->wall_ms - since >= env->settings->offsets_retention_ms;
}

/* False: the unit is full. */
static bool
expire_topic(GroupShard *shard, GroupEnv *env, const ExpiryRule *rule, OffsetTopic *topic)
{
    const Group *group = topic->group;

    for (uint32_t i = topic->count; i > 0; i--) {
        OffsetEntry *entry = &topic->entries[i - 1];

        if (!is_expired(env, rule, entry) || pending_is(topic, entry->partition))
            continue;
        if (unit_is_full(env))
            return false;
        offsets_write_tombstone(env, group->id, topic->topic->name, entry->partition);
        offset_remove(shard, topic, entry);
    }
    (void)offset_topic_release(shard, topic); /* stays when it holds more */
    return true;
}

static bool
subscribes(const Group *group, StrView topic)
{
    return group->classic != NULL ? classic_subscribes(group, topic)
                                  : consumer_subscribes(group, topic);
}

/* False: the unit is full. */
static bool
expire_offsets(GroupShard *shard, GroupEnv *env, Group *group)
{
    ExpiryRule rule = {.since_ms = -1, .only_unsubscribed = true};
    uint32_t bucket = 0;
    MapNode *next, *node;

    if (group->classic != NULL &&
        !classic_offsets_expire(group, &rule.since_ms, &rule.only_unsubscribed))
        return true;
    node = map_next(&group->offsets.topics, &bucket, NULL);
    for (; node != NULL; node = next) {
        OffsetTopic *topic = MAP_OWNER(node, OffsetTopic, node);

        next = map_next(&group->offsets.topics, &bucket, node);
        if (rule.only_unsubscribed && subscribes(group, topic->topic->name))
            continue;
        if (!expire_topic(shard, env, &rule, topic))
            return false;
    }
    return true;
}

/* An empty group without offsets goes itself. False: the unit is full. */
static bool
expire_group(GroupShard *shard, GroupEnv *env, Group *group)
{
    if (!expire_offsets(shard, env, group))
        return false;
    if (group->offsets.count > 0 || group->offsets.pending_count > 0)
        return true;
    if (group->classic != NULL ? !classic_is_empty(group) : !consumer_is_empty(group))
        return true;
    if (unit_is_full(env))
        return false;
    if (group->classic != NULL)
        classic_write_tombstone(env, group);
    else
        consumer_write_tombstones(env, group);
    shard_drop_group(shard, group);
    return true;
}

bool
shard_expire_offsets(GroupShard *shard, GroupEnv *env, ExpiryCursor *cursor)
{
    const Map *groups = &shard->groups;

    for (int looked = 0; groups->buckets != NULL && cursor->bucket <= groups->mask;
         cursor->bucket++) {
        MapNode *next;

        if (looked >= GROUPS_PER_LOOK)
            return true;
        for (MapNode *node = groups->buckets[cursor->bucket]; node != NULL; node = next) {
            next = node->next;
            looked++;
            if (!expire_group(shard, env, MAP_OWNER(node, Group, node)))
                return true;
        }
        looked++; /* empty buckets are steps, too */
    }
    return false;
}

/* ---- topics that are gone (3.1) ------------------------------------------------------------------------ */

/* What the metadata says of a name: nothing (id zero), or the id it has now. */
static bool
is_void(const OffsetEntry *entry, Uuid id)
{
    return uuid_is_zero(id) || (!uuid_is_zero(entry->topic_id) && !uuid_equal(entry->topic_id, id));
}

/* False: the unit is full. */
static bool
void_committed(GroupShard *shard, GroupEnv *env, OffsetTopic *topic, Uuid id)
{
    for (uint32_t i = topic->count; i > 0; i--) {
        OffsetEntry *entry = &topic->entries[i - 1];
        int32_t partition = entry->partition;

        if (!is_void(entry, id))
            continue;
        if (unit_is_full(env))
            return false;
        offsets_write_tombstone(env, topic->group->id, topic->topic->name, partition);
        offset_remove(shard, topic, entry);
        (void)pending_drop(shard, topic, partition); /* as the tombstone does in a reload */
    }
    return true;
}

/* Of partitions where nothing committed stands that a tombstone would take along. False: the unit is full. */
static bool
void_pending(GroupShard *shard, GroupEnv *env, OffsetTopic *topic, Uuid id)
{
    uint32_t bucket = 0;
    MapNode *next, *node = map_next(&topic->pending, &bucket, NULL);

    for (; node != NULL; node = next) {
        const PendingPartition *p = MAP_OWNER(node, PendingPartition, node);
        int32_t partition = p->partition;
        bool gone = false;

        next = map_next(&topic->pending, &bucket, node);
        for (const PendingOffset *o = p->first; o != NULL; o = o->next)
            gone = gone || is_void(&o->entry, id);
        if (!gone || offset_find(topic, partition) != NULL)
            continue;
        if (unit_is_full(env))
            return false;
        offsets_write_tombstone(env, topic->group->id, topic->topic->name, partition);
        (void)pending_drop(shard, topic, partition); /* there is some */
    }
    return true;
}

/* False: the unit is full. */
static bool
void_topic(GroupShard *shard, GroupEnv *env, ShardTopic *of, Uuid id)
{
    OffsetTopic *next;
    bool left = false;

    for (OffsetTopic *topic = of->first; topic != NULL; topic = next) {
        next = topic->next;
        if (!void_committed(shard, env, topic, id) || !void_pending(shard, env, topic, id)) {
            (void)offset_topic_release(shard, topic); /* stays when it holds more */
            return false;
        }
        if (!offset_topic_release(shard, topic))
            left = true;
    }
    if (left) { /* else the name went with its last offset */
        of->id = id;
        of->mixed = false;
    }
    return true;
}

bool
shard_metadata_changed(GroupShard *shard, GroupEnv *env)
{
    const GroupMetadata *metadata = env->metadata;
    uint32_t bucket = 0;
    MapNode *next, *node;

    if (shard->metadata_version == metadata->version)
        return false;
    if (shard->metadata_told != metadata->version)
        for (Group *group = shard->first; group != NULL; group = group->next)
            if (group->consumer != NULL)
                consumer_metadata_changed(shard, env, group);
    shard->metadata_told = metadata->version;
    for (node = map_next(&shard->topics, &bucket, NULL); node != NULL; node = next) {
        ShardTopic *of = MAP_OWNER(node, ShardTopic, node);
        GroupTopic topic;

        next = map_next(&shard->topics, &bucket, node);
        if (!metadata->by_name(metadata->ctx, of->name, &topic))
            topic.id = (Uuid){0};
        else if (!of->mixed && (uuid_is_zero(of->id) || uuid_equal(of->id, topic.id)))
            continue;
        if (!void_topic(shard, env, of, topic.id))
            return true;
    }
    shard->metadata_version = metadata->version;
    return false;
}
