/*
 * offsets.c - OffsetCommit and OffsetDelete, and what the log says of offsets
 *
 * Runs in: coordinator; tests.
 * Never: changes anything before it is sure that the operation's records fit in one batch.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/offsets_int.h"
#include "ottla/common/assert.h"
#include "ottla/groups/group_hash.h"

#define VALUE_VERSION        4
#define VALUE_VERSION_EXPIRE 1 /* the only one that knows when an offset expires */
#define COMMIT_HAS_IDS       10
#define COMMIT_HAS_NO_GROUP  9 /* GROUP_ID_NOT_FOUND instead of ILLEGAL_GENERATION */

/* ---- of a whole group -------------------------------------------------------------------------------- */

void
offsets_init(GroupShard *shard, Group *group)
{
    group->offsets = (GroupOffsets){0};
    map_init(&group->offsets.topics, shard->memory, shard->seed);
}

void
offsets_clear(GroupShard *shard, Group *group)
{
    uint32_t bucket = 0;
    MapNode *next, *node = map_next(&group->offsets.topics, &bucket, NULL);

    for (; node != NULL; node = next) {
        OffsetTopic *topic = MAP_OWNER(node, OffsetTopic, node);

        next = map_next(&group->offsets.topics, &bucket, node);
        pending_drop_all(shard, topic);
        while (topic->count > 0)
            offset_remove(shard, topic, &topic->entries[topic->count - 1]);
        (void)offset_topic_release(shard, topic); /* holds nothing any more */
    }
    map_clear(&group->offsets.topics);
    ot_assert(group->offsets.count == 0 && group->offsets.pending_count == 0);
    ot_assert(group->offsets.bytes == 0);
}

void
offsets_write_tombstone(GroupEnv *env, StrView group, StrView topic, int32_t partition)
{
    const OffsetCommitKey key = {.group = group, .topic = topic, .partition = partition};

    group_record(env->out, &offset_commit_key_desc, &key, &offset_commit_value_desc, 0, NULL);
}

/* Of what is only pending, that is: not committed as well. */
static void
write_pending_tombstones(GroupEnv *env, const Group *group, const OffsetTopic *topic)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&topic->pending, &bucket, NULL); node != NULL;
         node = map_next(&topic->pending, &bucket, node)) {
        int32_t partition = MAP_OWNER(node, PendingPartition, node)->partition;

        if (offset_find(topic, partition) == NULL)
            offsets_write_tombstone(env, group->id, topic->topic->name, partition);
    }
}

void
offsets_write_tombstones(GroupEnv *env, const Group *group)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&group->offsets.topics, &bucket, NULL); node != NULL;
         node = map_next(&group->offsets.topics, &bucket, node)) {
        const OffsetTopic *topic = MAP_OWNER(node, OffsetTopic, node);

        for (uint32_t i = 0; i < topic->count; i++)
            offsets_write_tombstone(env, group->id, topic->topic->name,
                                    topic->entries[i].partition);
        write_pending_tombstones(env, group, topic);
    }
}

/* ---- what stands in the log ---------------------------------------------------------------------------- */

void
offsets_apply(GroupShard *shard, Group *group, int64_t producer_id, StrView topic,
              int32_t partition, const OffsetValue *value)
{
    OffsetTopic *of = offset_topic_get(shard, group, topic);
    OffsetEntry entry = offset_entry(shard, group, partition, value);

    if (producer_id < 0)
        offset_put(shard, of, &entry);
    else
        pending_put(shard, of, producer_id, &entry);
}

void
offsets_apply_tombstone(GroupShard *shard, Group *group, StrView topic, int32_t partition)
{
    OffsetTopic *of = offset_topic_find(group, topic);
    OffsetEntry *entry;

    if (of == NULL)
        return;
    entry = offset_find(of, partition);
    if (entry != NULL)
        offset_remove(shard, of, entry);
    (void)pending_drop(shard, of, partition); /* there may be none */
    (void)offset_topic_release(shard, of);    /* stays when it holds more */
}

/* ---- OffsetCommit -------------------------------------------------------------------------------------- */

typedef struct Commit {
    GroupShard *shard;
    GroupEnv *env;
    const GroupCaller *caller;
    const OffsetCommitRequest *request;
    Group *group;       /* NULL: not there yet */
    GroupTopic *topics; /* of the request; name null: there is no such topic */
    OffsetCommitResponse *response;
} Commit;

static int64_t
expire_ms(const Commit *c)
{
    int64_t keep_ms = c->request->retention_time_ms;
    int64_t now_ms = c->env->wall_ms;

    if (keep_ms == -1)
        return -1;
    return keep_ms > INT64_MAX - now_ms ? INT64_MAX : keep_ms < -now_ms ? 0 : now_ms + keep_ms;
}

static OffsetValue
value_of(const Commit *c, const GroupTopic *topic, const OffsetCommitRequestPartition *p)
{
    OffsetValue value = {
        .offset = p->committed_offset,
        .commit_ms = c->env->wall_ms,
        .expire_ms = expire_ms(c),
        .topic_id = topic->id,
        .metadata = p->committed_metadata.ptr == NULL ? STRVIEW("") : p->committed_metadata,
        .leader_epoch = p->committed_leader_epoch,
    };

    if (value.expire_ms == -1)
        return value;
    value.topic_id = (Uuid){0}; /* as it will be read from the log: that version has neither */
    value.leader_epoch = -1;
    return value;
}

static void
write_offset(GroupEnv *env, StrView group, StrView topic, int32_t partition, const OffsetValue *v)
{
    const OffsetCommitKey key = {.group = group, .topic = topic, .partition = partition};
    const OffsetCommitValue value = {
        .offset = v->offset,
        .leader_epoch = v->leader_epoch,
        .metadata = v->metadata,
        .commit_timestamp = v->commit_ms,
        .expire_timestamp = v->expire_ms,
        .topic_id = v->topic_id,
    };

    group_record(env->out, &offset_commit_key_desc, &key, &offset_commit_value_desc,
                 v->expire_ms == -1 ? VALUE_VERSION : VALUE_VERSION_EXPIRE, &value);
}

/* May this key be taken in? What exists always may (8.8). */
static bool
has_room(const Commit *c, StrView topic, int32_t partition)
{
    const OffsetTopic *of;

    if (!gmem_is_tight(c->shard->memory))
        return true;
    of = c->group == NULL ? NULL : offset_topic_find(c->group, topic);
    return of != NULL && offset_find(of, partition) != NULL;
}

static int16_t
judge(const Commit *c, const GroupTopic *topic, const OffsetCommitRequestPartition *p)
{
    if (topic->name.ptr == NULL)
        return c->caller->api_version >= COMMIT_HAS_IDS ? KERR_UNKNOWN_TOPIC_ID
                                                        : KERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (p->partition_index < 0 || p->partition_index >= topic->partition_count)
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (java_string_units(p->committed_metadata) > c->env->settings->offset_metadata_max_bytes)
        return KERR_OFFSET_METADATA_TOO_LARGE;
    if (!has_room(c, topic->name, p->partition_index))
        return KERR_COORDINATOR_NOT_AVAILABLE;
    return 0;
}

/* Response and records; nothing changes yet. False: no memory. */
static bool
commit_prepare(Commit *c)
{
    const OffsetCommitRequest *in = c->request;
    OffsetCommitResponse *out = group_out_alloc(c->env->out, 1, sizeof *out);

    c->response = out;
    if (out == NULL)
        return false;
    offset_commit_response_init(out);
    out->topics_count = in->topics_count;
    out->topics = group_out_alloc(c->env->out, (size_t)in->topics_count, sizeof *out->topics);
    for (int32_t t = 0; t < in->topics_count && out->topics != NULL; t++) {
        const OffsetCommitRequestTopic *topic = &in->topics[t];
        OffsetCommitResponseTopic *ret = &out->topics[t];

        ret->name = topic->name;
        ret->topic_id = topic->topic_id;
        ret->partitions_count = topic->partitions_count;
        ret->partitions =
            group_out_alloc(c->env->out, (size_t)topic->partitions_count, sizeof *ret->partitions);
        if (ret->partitions == NULL)
            return false;
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            const OffsetCommitRequestPartition *one = &topic->partitions[p];
            OffsetValue value;

            ret->partitions[p].partition_index = one->partition_index;
            ret->partitions[p].error_code = judge(c, &c->topics[t], one);
            if (ret->partitions[p].error_code != 0)
                continue;
            value = value_of(c, &c->topics[t], one);
            write_offset(c->env, in->group_id, c->topics[t].name, one->partition_index, &value);
        }
    }
    return !c->env->out->failed;
}

static void
commit_apply(const Commit *c)
{
    for (int32_t t = 0; t < c->request->topics_count; t++) {
        const OffsetCommitRequestTopic *topic = &c->request->topics[t];

        for (int32_t p = 0; p < topic->partitions_count; p++) {
            OffsetValue value;

            if (c->response->topics[t].partitions[p].error_code != 0)
                continue;
            value = value_of(c, &c->topics[t], &topic->partitions[p]);
            offsets_apply(c->shard, c->group, -1, c->topics[t].name,
                          topic->partitions[p].partition_index, &value);
        }
    }
}

/* A member's older epoch is good for what it had then; one partition that it had not spoils all. */
static int16_t
check_older_epoch(const Commit *c)
{
    const OffsetCommitRequest *in = c->request;

    for (int32_t t = 0; t < in->topics_count; t++)
        for (int32_t p = 0; p < in->topics[t].partitions_count; p++) {
            int16_t code;

            if (c->topics[t].name.ptr == NULL)
                continue;
            code = consumer_check_commit_partition(
                c->group, c->env, in->member_id, in->generation_id_or_member_epoch,
                c->topics[t].name, in->topics[t].partitions[p].partition_index);
            if (code != 0)
                return code;
        }
    return 0;
}

static int16_t
commit_check(const Commit *c)
{
    const OffsetCommitRequest *in = c->request;
    int32_t generation = in->generation_id_or_member_epoch;
    int16_t version = c->caller->api_version, code;

    if (c->group == NULL && generation >= 0)
        return version >= COMMIT_HAS_NO_GROUP ? KERR_GROUP_ID_NOT_FOUND : KERR_ILLEGAL_GENERATION;
    if (c->group == NULL)
        return gmem_is_tight(c->shard->memory) ? KERR_COORDINATOR_NOT_AVAILABLE : 0;
    if (c->group->classic != NULL)
        return classic_check_commit(c->shard, c->env, c->group, in->member_id,
                                    in->group_instance_id, generation, false);
    code = consumer_check_commit(c->shard, c->env, c->group, in->member_id, in->group_instance_id,
                                 generation, version, false);
    return code == KERR_STALE_MEMBER_EPOCH ? check_older_epoch(c) : code;
}

/* Names and ids of the request's topics. False: no memory. */
static bool
commit_resolve(Commit *c)
{
    const GroupMetadata *metadata = c->env->metadata;
    const OffsetCommitRequest *in = c->request;

    c->topics = group_out_alloc(c->env->out, (size_t)in->topics_count, sizeof *c->topics);
    for (int32_t t = 0; t < in->topics_count && c->topics != NULL; t++) {
        bool found = c->caller->api_version >= COMMIT_HAS_IDS
                         ? metadata->by_id(metadata->ctx, in->topics[t].topic_id, &c->topics[t])
                         : metadata->by_name(metadata->ctx, in->topics[t].name, &c->topics[t]);

        if (!found)
            c->topics[t] = (GroupTopic){0};
    }
    return c->topics != NULL;
}

void
shard_offset_commit(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                    const OffsetCommitRequest *request)
{
    Commit c = {.shard = shard, .env = env, .caller = caller, .request = request};
    int16_t code;

    c.group = shard_find_group(shard, request->group_id);
    if (!commit_resolve(&c))
        return;
    code = commit_check(&c);
    if (code != 0) {
        group_reply_status(env->out, caller->token, REPLY_REPLICATED, code);
        return;
    }
    if (!commit_prepare(&c))
        return;
    if (!group_out_fits(env->out, env->settings)) {
        group_out_forget_records(env->out);
        group_reply_status(env->out, caller->token, REPLY_REPLICATED, KERR_UNKNOWN_SERVER_ERROR);
        return;
    }
    if (c.group == NULL)
        c.group = shard_add_group(shard, request->group_id);
    ot_assert(c.group != NULL); /* commit_check has looked */
    commit_apply(&c);
    group_reply(env->out, caller->token,
                env->out->record_count > 0 ? REPLY_COMMITTED : REPLY_REPLICATED,
                &offset_commit_response_desc, caller->api_version, c.response);
}

/* ---- OffsetDelete -------------------------------------------------------------------------------------- */

static int16_t
delete_check(const Group *group)
{
    if (group == NULL)
        return KERR_GROUP_ID_NOT_FOUND;
    if (group->classic != NULL && classic_member_count(group) > 0 &&
        !strview_equal(classic_protocol_type(group), STRVIEW("consumer")))
        return KERR_NON_EMPTY_GROUP;
    return 0;
}

static bool
subscribes(const Group *group, StrView topic)
{
    return group->classic != NULL ? classic_subscribes(group, topic)
                                  : consumer_subscribes(group, topic);
}

/* Response and tombstones; nothing changes yet. False: no memory. */
static bool
delete_prepare(GroupEnv *env, const Group *group, const OffsetDeleteRequest *in,
               OffsetDeleteResponse *out)
{
    out->topics_count = in->topics_count;
    out->topics = group_out_alloc(env->out, (size_t)in->topics_count, sizeof *out->topics);
    for (int32_t t = 0; t < in->topics_count && out->topics != NULL; t++) {
        const OffsetDeleteRequestTopic *topic = &in->topics[t];
        OffsetDeleteResponseTopic *ret = &out->topics[t];
        const OffsetTopic *of = offset_topic_find(group, topic->name);
        bool kept = subscribes(group, topic->name);

        ret->name = topic->name;
        ret->partitions_count = topic->partitions_count;
        ret->partitions =
            group_out_alloc(env->out, (size_t)topic->partitions_count, sizeof *ret->partitions);
        if (ret->partitions == NULL)
            return false;
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            int32_t partition = topic->partitions[p].partition_index;

            ret->partitions[p].partition_index = partition;
            ret->partitions[p].error_code = kept ? KERR_GROUP_SUBSCRIBED_TO_TOPIC : 0;
            if (!kept && of != NULL &&
                (offset_find(of, partition) != NULL || pending_is(of, partition)))
                offsets_write_tombstone(env, group->id, topic->name, partition);
        }
    }
    return !env->out->failed;
}

void
shard_offset_delete(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                    const OffsetDeleteRequest *request)
{
    Group *group = shard_find_group(shard, request->group_id);
    int16_t code = request->group_id.len == 0 ? KERR_INVALID_GROUP_ID : delete_check(group);
    OffsetDeleteResponse *response = group_out_alloc(env->out, 1, sizeof *response);

    if (response == NULL)
        return;
    if (code == 0 && !delete_prepare(env, group, request, response))
        return;
    if (code == 0 && !group_out_fits(env->out, env->settings)) {
        group_out_forget_records(env->out);
        code = KERR_UNKNOWN_SERVER_ERROR;
    }
    if (code != 0) {
        group_reply_status(env->out, caller->token, REPLY_REPLICATED, code);
        return;
    }
    for (int32_t t = 0; t < request->topics_count; t++)
        for (int32_t p = 0; p < request->topics[t].partitions_count; p++)
            if (response->topics[t].partitions[p].error_code == 0)
                offsets_apply_tombstone(shard, group, request->topics[t].name,
                                        request->topics[t].partitions[p].partition_index);
    group_reply(env->out, caller->token,
                env->out->record_count > 0 ? REPLY_COMMITTED : REPLY_REPLICATED,
                &offset_delete_response_desc, caller->api_version, response);
}

/* ---- checks --------------------------------------------------------------------------------------------- */

static void
check_topic(const GroupShard *shard, const Group *group, const OffsetTopic *topic)
{
    const MapNode *named = map_find(&shard->topics, topic->topic->name);

    ot_assert(topic->group == group);
    ot_assert(named == &topic->topic->node);
    ot_assert(topic->prev != NULL ? topic->prev->next == topic : topic->topic->first == topic);
    ot_assert(topic->count > 0 || topic->pending.count > 0);
    ot_assert(topic->count <= topic->room);
    for (uint32_t i = 0; i < topic->count; i++) {
        const OffsetEntry *entry = &topic->entries[i];

        ot_assert(offset_find(topic, entry->partition) == entry);
        ot_assert(entry->serial <= shard->offset_serial);
        ot_assert(uuid_is_zero(entry->topic_id) || topic->topic->mixed ||
                  uuid_equal(entry->topic_id, topic->topic->id));
    }
}

void
offsets_check(const GroupShard *shard, const Group *group)
{
    uint32_t bucket = 0;
    int64_t count = 0, pending = 0;

    for (MapNode *node = map_next(&group->offsets.topics, &bucket, NULL); node != NULL;
         node = map_next(&group->offsets.topics, &bucket, node)) {
        const OffsetTopic *topic = MAP_OWNER(node, OffsetTopic, node);
        uint32_t pending_bucket = 0;

        check_topic(shard, group, topic);
        count += topic->count;
        for (MapNode *p = map_next(&topic->pending, &pending_bucket, NULL); p != NULL;
             p = map_next(&topic->pending, &pending_bucket, p))
            for (const PendingOffset *o = MAP_OWNER(p, PendingPartition, node)->first; o != NULL;
                 o = o->next)
                pending++;
    }
    ot_assert(group->offsets.count == count);
    ot_assert(group->offsets.pending_count == pending);
}
