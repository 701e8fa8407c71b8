/*
 * group_kit.c - the world of a group core under test: clock, settings, topics, and what came out
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/group_kit.h"

#include <stdlib.h>
#include <string.h>

static RandomSeq *kit_seq; /* env->random has no context */

static void
kit_random(void *buffer, size_t size)
{
    uint8_t *bytes = buffer;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_seq_next(kit_seq);
}

/* ---- topics and settings -------------------------------------------------------------------- */

static void
give_topic(const KitTopic *topic, GroupTopic *ret)
{
    *ret = (GroupTopic){strview_from(topic->name), topic->id, topic->partitions};
}

static bool
by_name(void *ctx, StrView name, GroupTopic *ret)
{
    GroupKit *kit = ctx;

    for (int32_t i = 0; i < kit->topic_count; i++)
        if (strview_equal(strview_from(kit->topics[i].name), name)) {
            give_topic(&kit->topics[i], ret);
            return true;
        }
    return false;
}

static bool
by_id(void *ctx, Uuid id, GroupTopic *ret)
{
    GroupKit *kit = ctx;

    for (int32_t i = 0; i < kit->topic_count; i++)
        if (uuid_equal(kit->topics[i].id, id)) {
            give_topic(&kit->topics[i], ret);
            return true;
        }
    return false;
}

static int
compare(StrView a, StrView b)
{
    int32_t least = a.len < b.len ? a.len : b.len;
    int order = least > 0 ? memcmp(a.ptr, b.ptr, (size_t)least) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool
after(void *ctx, StrView name, GroupTopic *ret)
{
    GroupKit *kit = ctx;
    const KitTopic *best = NULL;

    for (int32_t i = 0; i < kit->topic_count; i++) {
        const KitTopic *topic = &kit->topics[i];

        if (name.ptr != NULL && compare(strview_from(topic->name), name) <= 0)
            continue;
        if (best == NULL || compare(strview_from(topic->name), strview_from(best->name)) < 0)
            best = topic;
    }
    if (best != NULL)
        give_topic(best, ret);
    return best != NULL;
}

static bool
group_config(void *ctx, StrView group, StrView key, StrView *ret_value)
{
    GroupKit *kit = ctx;

    for (int32_t i = 0; i < kit->config_count; i++)
        if (kit->configs[i].value != NULL &&
            strview_equal(strview_from(kit->configs[i].group), group) &&
            strview_equal(strview_from(kit->configs[i].key), key)) {
            *ret_value = strview_from(kit->configs[i].value);
            return true;
        }
    return false;
}

KitTopic *
kit_add_topic(GroupKit *kit, const char *name, int32_t partitions)
{
    KitTopic *topic = &kit->topics[kit->topic_count++];

    assert_true(kit->topic_count <= KIT_TOPICS_MAX);
    assert_true(strlen(name) < sizeof topic->name);
    memset(topic, 0, sizeof *topic);
    memcpy(topic->name, name, strlen(name));
    topic->partitions = partitions;
    kit->metadata.version++;
    for (size_t i = 0; i < 8; i++)
        topic->id.b[i] = (uint8_t)(kit->metadata.version >> (56 - 8 * i));
    memcpy(topic->id.b + 8, topic->name, 8);
    return topic;
}

void
kit_remove_topic(GroupKit *kit, const char *name)
{
    for (int32_t i = 0; i < kit->topic_count; i++)
        if (strcmp(kit->topics[i].name, name) == 0) {
            kit->topics[i] = kit->topics[--kit->topic_count];
            kit->metadata.version++;
            return;
        }
    fail_msg("no topic %s", name);
}

void
kit_set_config(GroupKit *kit, const char *group, const char *key, const char *value)
{
    for (int32_t i = 0; i < kit->config_count; i++)
        if (strcmp(kit->configs[i].group, group) == 0 && strcmp(kit->configs[i].key, key) == 0) {
            kit->configs[i].value = value;
            return;
        }
    assert_true(kit->config_count < (int32_t)(sizeof kit->configs / sizeof *kit->configs));
    kit->configs[kit->config_count++] = (KitConfig){group, key, value};
}

/* ---- life --------------------------------------------------------------------------------------- */

void
kit_init(GroupKit *kit, uint64_t seed)
{
    *kit = (GroupKit){.memory = {.limit = (size_t)1 << 30}, .seq = {seed}};
    kit->settings = (GroupSettings){
        .min_session_timeout_ms = 500,
        .max_session_timeout_ms = 1800000,
        .max_size = INT32_MAX,
        .consumer_session_timeout_ms = 45000,
        .consumer_min_session_timeout_ms = 45000,
        .consumer_max_session_timeout_ms = 60000,
        .consumer_heartbeat_interval_ms = 5000,
        .consumer_min_heartbeat_interval_ms = 5000,
        .consumer_max_heartbeat_interval_ms = 15000,
        .consumer_assignment_interval_ms = 1000,
        .consumer_min_assignment_interval_ms = 0,
        .consumer_max_assignment_interval_ms = 15000,
        .consumer_max_size = INT32_MAX,
        .consumer_regex_refresh_interval_ms = 600000,
        .migration_policy = MIGRATION_BIDIRECTIONAL,
        .assignors = {ASSIGNOR_UNIFORM, ASSIGNOR_RANGE},
        .assignor_count = 2,
        .consumer_enabled = true,
        .offset_metadata_max_bytes = 4096,
        .offsets_retention_ms = (int64_t)10080 * 60000,
        .max_member_metadata_bytes = 1 << 20,
        .slice_steps = GROUP_SLICE_STEPS,
        .max_batch_bytes = 1048588,
    };
    kit->metadata = (GroupMetadata){
        .version = 1,
        .ctx = kit,
        .by_name = by_name,
        .by_id = by_id,
        .after = after,
        .group_config = group_config,
    };
    kit->arena = arena_new(1 << 16, 0);
    kit->replies_arena = arena_new(1 << 16, 0);
    kit_seq = &kit->seq;
    kit->env = (GroupEnv){
        .now_us = 1000000000,
        .wall_ms = 1700000000000,
        .settings = &kit->settings,
        .metadata = &kit->metadata,
        .random = kit_random,
        .out = &kit->out,
    };
    group_out_init(&kit->out, kit->arena);
}

void
kit_fini(GroupKit *kit)
{
    assert_int_equal(kit->memory.used, 0);
    for (size_t i = 0; i < kit->log_count; i++) {
        free(kit->log[i].key);
        free(kit->log[i].value);
    }
    free(kit->log);
    arena_free(kit->arena);
    arena_free(kit->replies_arena);
}

GroupEnv *
kit_env(GroupKit *kit)
{
    arena_reset(kit->arena);
    group_out_init(&kit->out, kit->arena);
    kit_seq = &kit->seq;
    return &kit->env;
}

void
kit_advance_ms(GroupKit *kit, int64_t ms)
{
    kit->env.now_us += ms * 1000;
    kit->env.wall_ms += ms;
}

/* ---- what came out ---------------------------------------------------------------------------- */

/* Through its bytes, as a client would get it. */
static const void *
pass_message(GroupKit *kit, const GroupReply *reply)
{
    void *message = arena_calloc(kit->replies_arena, 1, reply->desc->body->bytes);
    WireSizer size = {0};
    WireWriter w;
    WireReader r;
    uint8_t *bytes;

    reply->desc->size(&size, reply->version, reply->message);
    assert_int_equal(size.err, 0);
    bytes = arena_alloc(kit->replies_arena, size.bytes);
    wire_writer_init(&w, bytes, size.bytes);
    reply->desc->write(&w, reply->version, reply->message);
    wire_reader_init(&r, bytes, size.bytes, kit->replies_arena);
    reply->desc->read(&r, reply->version, message);
    assert_int_equal(r.err, 0);
    return message;
}

static void
keep_reply(GroupKit *kit, const GroupReply *reply)
{
    KitReply *kept;

    if (kit->on_reply != NULL)
        kit->on_reply(kit->ctx, reply);
    if (kit->quiet)
        return;
    if (kit_reply(kit, reply->token) != NULL)
        fail_msg("token %llu is answered twice", (unsigned long long)reply->token);
    kept = arena_calloc(kit->replies_arena, 1, sizeof *kept);
    *kept = (KitReply){.token = reply->token,
                       .when = reply->when,
                       .status = reply->status,
                       .version = reply->version,
                       .desc = reply->desc};
    if (reply->desc != NULL)
        kept->message = pass_message(kit, reply);
    kept->next = kit->replies;
    kit->replies = kept;
    kit->reply_count++;
}

static uint8_t *
copy(BytesView bytes)
{
    uint8_t *p = malloc(bytes.len > 0 ? (size_t)bytes.len : 1);

    assert_non_null(p);
    if (bytes.len > 0)
        memcpy(p, bytes.ptr, (size_t)bytes.len);
    return p;
}

static void
keep_record(GroupKit *kit, const GroupRecord *record)
{
    if (kit->log_count == kit->log_room) {
        kit->log_room = kit->log_room == 0 ? 64 : kit->log_room * 2;
        kit->log = realloc(kit->log, kit->log_room * sizeof *kit->log);
        assert_non_null(kit->log);
    }
    kit->log[kit->log_count++] = (KitRecord){
        .key = copy(record->key),
        .key_len = record->key.len,
        .value = copy(record->value),
        .value_len = record->value.ptr == NULL ? -1 : record->value.len,
        .unit = kit->units,
    };
}

static StrView
keep_text(GroupKit *kit, StrView text)
{
    return text.ptr == NULL ? text : strview_from(arena_strdup(kit->replies_arena, text));
}

/* What no batch holds costs the shard: the whole unit, or each record of one that may be spread. */
static void
check_fits(const GroupKit *kit)
{
    GroupOut part = {.record_count = 0};
    int32_t count = 0;

    if (group_out_fits(&kit->out, &kit->settings))
        return;
    assert_true(kit->out.spread);
    for (const GroupRecord *r = kit->out.records; r != NULL; r = r->next, count++) {
        bool whole = count < kit->out.whole;

        part.record_count = whole ? count + 1 : 1;
        part.record_bytes =
            (whole ? part.record_bytes : 0) + (size_t)r->key.len + (size_t)r->value.len;
        assert_true(group_out_fits(&part, &kit->settings));
    }
}

int32_t
kit_take(GroupKit *kit)
{
    GroupOut *out = &kit->out;

    assert_false(out->failed);
    check_fits(kit);
    if (out->record_count > 0)
        kit->units++;
    for (const GroupReply *reply = out->replies; reply != NULL; reply = reply->next)
        keep_reply(kit, reply);
    for (const GroupRecord *record = out->records; record != NULL; record = record->next)
        keep_record(kit, record);
    for (const GroupRebalance *one = out->rebalances; one != NULL; one = one->next) {
        kit->rebalance_count++;
        if (kit->quiet)
            continue;
        kit->last_rebalance = *one;
        kit->last_rebalance.group = keep_text(kit, one->group);
        kit->last_rebalance.cause_member = keep_text(kit, one->cause_member);
        kit->last_rebalance.waited_for = keep_text(kit, one->waited_for);
    }
    return out->record_count;
}

GroupToken
kit_token(GroupKit *kit)
{
    return ++kit->last_token;
}

GroupCaller
kit_caller(GroupKit *kit, int16_t version)
{
    return (GroupCaller){
        .token = kit_token(kit),
        .api_version = version,
        .client_id = STRVIEW("client"),
        .client_host = STRVIEW("/127.0.0.1"),
    };
}

const KitReply *
kit_reply(const GroupKit *kit, GroupToken token)
{
    for (const KitReply *reply = kit->replies; reply != NULL; reply = reply->next)
        if (reply->token == token)
            return reply;
    return NULL;
}

int16_t
kit_code(const GroupKit *kit, GroupToken token)
{
    const KitReply *reply = kit_reply(kit, token);

    if (reply == NULL)
        return KIT_NO_CODE;
    if (reply->status != 0)
        return reply->status;
    for (uint32_t i = 0; i < reply->desc->body->fields_count; i++) {
        const FieldDesc *field = &reply->desc->body->fields[i];

        if (strcmp(field->name, "errorCode") == 0 && field->type == WIRE_INT16) {
            int16_t code;

            memcpy(&code, (const uint8_t *)reply->message + field->pos, sizeof code);
            return code;
        }
    }
    fail_msg("%s has no error code", reply->desc->name);
    return KIT_NO_CODE;
}

const void *
kit_message(const GroupKit *kit, GroupToken token, const MessageDesc *desc)
{
    const KitReply *reply = kit_reply(kit, token);

    if (reply == NULL)
        fail_msg("no answer to %llu", (unsigned long long)token);
    if (reply->desc != desc)
        fail_msg("status %d instead of %s", reply->status, desc->name);
    return reply->message;
}

void
kit_forget(GroupKit *kit)
{
    kit->replies = NULL;
    kit->reply_count = 0;
    kit->last_rebalance = (GroupRebalance){0};
    arena_reset(kit->replies_arena);
}

/* ---- records -------------------------------------------------------------------------------------- */

static bool
is_followed(const GroupKit *kit, size_t index)
{
    const KitRecord *record = &kit->log[index];

    for (size_t i = index + 1; i < kit->log_count; i++)
        if (kit->log[i].key_len == record->key_len &&
            memcmp(kit->log[i].key, record->key, (size_t)record->key_len) == 0)
            return true;
    return false;
}

void
kit_compact_log(GroupKit *kit)
{
    size_t kept = kit->log_count; /* from the end, so that few are compared */

    for (size_t i = kit->log_count; i-- > 0;) {
        KitRecord record = kit->log[i];

        kit->log[kept - 1] = record;
        if (is_followed(kit, kept - 1)) {
            free(record.key);
            free(record.value);
        } else {
            kept--;
        }
    }
    kit->log_count -= kept;
    if (kept > 0)
        memmove(kit->log, kit->log + kept, kit->log_count * sizeof *kit->log);
}

int16_t
kit_record_type(const KitRecord *record)
{
    return (int16_t)(record->key[0] << 8 | record->key[1]);
}

static void
read_part(GroupKit *kit, const uint8_t *bytes, int32_t len, const MessageDesc *desc, void *ret)
{
    WireReader r;
    int16_t version;

    wire_reader_init(&r, bytes, (size_t)len, kit->replies_arena);
    version = wire_read_int16(&r, "version");
    if (desc->kind == MESSAGE_KEY) {
        assert_int_equal(version, desc->number);
        version = 0;
    }
    desc->read(&r, version, ret);
    assert_int_equal(r.err, 0);
    assert_int_equal(wire_left(&r), 0);
}

void
kit_read_record(GroupKit *kit, const KitRecord *record, const MessageDesc *key_desc, void *key,
                const MessageDesc *value_desc, void *value)
{
    read_part(kit, record->key, record->key_len, key_desc, key);
    if (value == NULL)
        return;
    assert_true(record->value_len >= 0);
    read_part(kit, record->value, record->value_len, value_desc, value);
}

ReplayRecord
kit_replay_record(const GroupKit *kit, size_t index)
{
    const KitRecord *record = &kit->log[index];

    assert_true(index < kit->log_count);
    return (ReplayRecord){
        .key = {record->key, record->key_len},
        .value =
            record->value_len < 0 ? (BytesView){0} : (BytesView){record->value, record->value_len},
        .offset = (int64_t)index,
        .timestamp_ms = kit->env.wall_ms,
        .producer_id = -1,
    };
}

static void
put_text(WireWriter *w, StrView text)
{
    wire_write_string(w, false, text);
}

BytesView
kit_subscription(GroupKit *kit, const char *topics, const char *mark)
{
    size_t room = strlen(topics) * 3 + (mark == NULL ? 0 : strlen(mark)) + 16;
    uint8_t *bytes = arena_alloc(kit->replies_arena, room);
    int32_t count = 0;
    WireWriter w;

    wire_writer_init(&w, bytes, room);
    wire_write_int16(&w, 0);
    wire_write_int32(&w, 0);
    for (const char *at = topics; *at != '\0';) {
        size_t len = strcspn(at, ",");

        put_text(&w, (StrView){at, (int32_t)len});
        count++;
        at += len + (at[len] == ',');
    }
    wire_write_bytes(&w, false,
                     mark == NULL ? WIRE_NULL_BYTES
                                  : (BytesView){(const uint8_t *)mark, (int32_t)strlen(mark)});
    wire_store32(bytes + 2, (uint32_t)count);
    return (BytesView){bytes, (int32_t)(w.pos - bytes)};
}
