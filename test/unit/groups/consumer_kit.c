/*
 * consumer_kit.c - heartbeats of consumers in a line each, and groups as text
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer_kit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
consumer_kit_init(ConsumerKit *ck, uint64_t seed)
{
    kit_init(&ck->kit, seed);
    ck->shard = shard_new(0, &ck->kit.memory, seed);
    assert_non_null(ck->shard);
    shard_loaded(ck->shard, kit_env(&ck->kit));
    (void)kit_take(&ck->kit);
}

static void
end_shard(ConsumerKit *ck)
{
    shard_unload(ck->shard, kit_env(&ck->kit), KERR_NOT_COORDINATOR);
    (void)kit_take(&ck->kit);
    shard_free(ck->shard);
}

void
consumer_kit_fini(ConsumerKit *ck)
{
    end_shard(ck);
    kit_fini(&ck->kit);
}

static StrView
view(const char *text)
{
    return strview_from(text);
}

/* "a,b" into names; the count. */
static int32_t
split(GroupKit *kit, const char *text, StrView **ret)
{
    int32_t count = 0, room = 1;

    for (const char *c = text; *c != '\0'; c++)
        room += *c == ',';
    *ret = arena_calloc(kit->replies_arena, (size_t)room, sizeof **ret);
    assert_non_null(*ret);
    while (*text != '\0') {
        size_t len = strcspn(text, ",");

        assert_true(count < room);
        (*ret)[count++] = (StrView){text, (int32_t)len};
        text += len + (text[len] == ',');
    }
    return count;
}

static Uuid
id_of(const GroupKit *kit, StrView name)
{
    for (int32_t i = 0; i < kit->topic_count; i++)
        if (strview_equal(strview_from(kit->topics[i].name), name))
            return kit->topics[i].id;
    return (Uuid){{1}};
}

static void
parse_owned(GroupKit *kit, const char *text, ConsumerGroupHeartbeatRequest *request)
{
    ConsumerGroupHeartbeatRequestTopicPartitions *list =
        arena_calloc(kit->replies_arena, 16, sizeof *list);

    request->topic_partitions = list;
    request->topic_partitions_count = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ":");
        ConsumerGroupHeartbeatRequestTopicPartitions *one =
            &list[request->topic_partitions_count++];

        one->topic_id = id_of(kit, (StrView){text, (int32_t)len});
        one->partitions = arena_calloc(kit->replies_arena, 64, sizeof(int32_t));
        for (text += len; *text == ':' || *text == ',';) {
            char *end;

            one->partitions[one->partitions_count++] = (int32_t)strtol(text + 1, &end, 10);
            text = end;
        }
        text += *text == ' ';
    }
}

GroupToken
ck_say(ConsumerKit *ck, const char *group, const char *member, int32_t epoch, Say say)
{
    ConsumerGroupHeartbeatRequest r;
    GroupCaller caller = kit_caller(&ck->kit, 1);

    consumer_group_heartbeat_request_init(&r);
    r.group_id = view(group);
    r.member_id = view(member);
    r.member_epoch = epoch;
    r.instance_id = view(say.instance);
    r.rack_id = view(say.rack);
    r.server_assignor = view(say.assignor);
    r.subscribed_topic_regex = view(say.regex);
    if (say.timeout_ms != 0 || say.join)
        r.rebalance_timeout_ms = say.timeout_ms == -2  ? 0
                                 : say.timeout_ms != 0 ? say.timeout_ms
                                                       : 10000;
    if (say.names != NULL)
        r.subscribed_topic_names_count = split(&ck->kit, say.names, &r.subscribed_topic_names);
    if (say.owns != NULL || say.join)
        parse_owned(&ck->kit, say.owns == NULL ? "" : say.owns, &r);
    shard_consumer_heartbeat(ck->shard, kit_env(&ck->kit), &caller, &r);
    (void)kit_take(&ck->kit);
    shard_check(ck->shard);
    return caller.token;
}

static void
add(char *text, size_t room, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text + len, room - len, format, args); /* cut: the comparison fails */
    va_end(args);
}

static const char *
name_of(const GroupKit *kit, Uuid id)
{
    for (int32_t i = 0; i < kit->topic_count; i++)
        if (uuid_equal(kit->topics[i].id, id))
            return kit->topics[i].name;
    return "?";
}

const char *
ck_beat(ConsumerKit *ck, const char *group, const char *member, int32_t epoch, Say say)
{
    static char text[4][1024];
    static int turn;
    char *out = text[turn++ % 4];
    GroupToken token = ck_say(ck, group, member, epoch, say);
    const ConsumerGroupHeartbeatResponse *r =
        kit_message(&ck->kit, token, &consumer_group_heartbeat_response_desc);

    *out = '\0';
    if (r->error_code != 0) {
        assert_true(r->error_message.len > 0 && r->member_id.ptr == NULL);
        add(out, sizeof text[0], "E%d", r->error_code);
        return out;
    }
    add(out, sizeof text[0], "%d", r->member_epoch);
    if (r->assignment != NULL && r->assignment->topic_partitions_count == 0)
        add(out, sizeof text[0], " -");
    for (int32_t t = 0; r->assignment != NULL && t < r->assignment->topic_partitions_count; t++) {
        const ConsumerGroupHeartbeatResponseTopicPartitions *one =
            &r->assignment->topic_partitions[t];

        for (int32_t i = 0; i < one->partitions_count; i++)
            if (i == 0)
                add(out, sizeof text[0], " %s:%d", name_of(&ck->kit, one->topic_id),
                    one->partitions[i]);
            else
                add(out, sizeof text[0], ",%d", one->partitions[i]);
    }
    return out;
}

ConsumerMember *
ck_member(ConsumerKit *ck, const char *group, const char *member)
{
    Group *g = shard_find_group(ck->shard, view(group));

    assert_non_null(g);
    assert_non_null(g->consumer);
    return consumer_find_member(g->consumer, view(member));
}

/* ---- groups as text --------------------------------------------------------------------------------------- */

static void
add_set(char *text, size_t room, const char *head, const PartitionSet *set, bool epochs)
{
    add(text, room, " %s", head);
    for (int32_t i = 0; i < set->count; i++) {
        char id[UUID_TEXT_LEN + 1];

        uuid_to_text(set->list[i].topic->id, id);
        add(text, room, "%c%s:%d", i == 0 ? ' ' : ',', id, set->list[i].partition);
        if (epochs)
            add(text, room, "@%d", set->list[i].epoch);
    }
}

static int
compare_members(const void *left, const void *right)
{
    StrView a = (*(ConsumerMember *const *)left)->node.key;
    StrView b = (*(ConsumerMember *const *)right)->node.key;
    int order = memcmp(a.ptr, b.ptr, (size_t)(a.len < b.len ? a.len : b.len));

    return order != 0 ? order : a.len - b.len;
}

static void
add_member(char *text, size_t room, const ConsumerMember *m)
{
    add(text, room, "\n%.*s i=%.*s r=%.*s c=%.*s h=%.*s a=%.*s e=%d p=%d s=%d t=%d",
        m->node.key.len, m->node.key.ptr, m->instance_id.len, m->instance_id.ptr, m->rack_id.len,
        m->rack_id.ptr, m->client_id.len, m->client_id.ptr, m->client_host.len, m->client_host.ptr,
        m->assignor.len, m->assignor.ptr, m->epoch, m->previous_epoch, m->state,
        m->rebalance_timeout_ms);
    for (int32_t i = 0; i < m->name_count; i++)
        add(text, room, " n=%.*s", m->names[i]->name.len, m->names[i]->name.ptr);
    if (m->regex != NULL)
        add(text, room, " x=%.*s", m->regex->pattern.len, m->regex->pattern.ptr);
    if (m->classic != NULL)
        add(text, room, " classic=%d/%d", m->classic->session_timeout_ms,
            m->classic->protocol_count);
    add_set(text, room, "has", &m->assigned, true);
    add_set(text, room, "gives", &m->pending, true);
    add_set(text, room, "target", &m->target, false);
}

static int
compare_regexes(const void *left, const void *right)
{
    StrView a = (*(ConsumerRegex *const *)left)->pattern;
    StrView b = (*(ConsumerRegex *const *)right)->pattern;
    int order = memcmp(a.ptr, b.ptr, (size_t)(a.len < b.len ? a.len : b.len));

    return order != 0 ? order : a.len - b.len;
}

static void
add_regexes(char *text, size_t room, const ConsumerGroup *c)
{
    ConsumerRegex **list = calloc(c->regexes.count + 1, sizeof(ConsumerRegex *));
    size_t n = 0;

    assert_non_null(list);
    for (ConsumerRegex *x = c->regex_first; x != NULL; x = x->next)
        if (x->resolved)
            list[n++] = x;
    qsort(list, n, sizeof(ConsumerRegex *), compare_regexes);
    for (size_t k = 0; k < n; k++) {
        add(text, room, "\nregex %.*s v=%lld", list[k]->pattern.len, list[k]->pattern.ptr,
            (long long)list[k]->version);
        for (int32_t i = 0; i < list[k]->topic_count; i++)
            add(text, room, " %.*s", list[k]->topics[i]->name.len, list[k]->topics[i]->name.ptr);
    }
    free(list);
}

static void
add_group(char *text, size_t room, const Group *group)
{
    const ConsumerGroup *c = group->consumer;
    ConsumerMember **list;
    size_t n = 0;

    if (c == NULL) {
        add(text, room, "%.*s classic %d", group->id.len, group->id.ptr,
            classic_member_count(group));
        return;
    }
    add(text, room, "%.*s e=%d te=%d at=%lld h=%llx", group->id.len, group->id.ptr, c->epoch,
        c->target_epoch, (long long)c->target_wall_ms, (unsigned long long)c->metadata_hash);
    add_regexes(text, room, c);
    list = calloc(c->members.count + 1, sizeof(ConsumerMember *));
    assert_non_null(list);
    for (ConsumerMember *m = c->first; m != NULL; m = m->next)
        list[n++] = m;
    qsort(list, n, sizeof(ConsumerMember *), compare_members);
    for (size_t i = 0; i < n; i++)
        add_member(text, room, list[i]);
    free(list);
}

const char *
ck_group(ConsumerKit *ck, const char *group)
{
    static char text[65536];
    const Group *g = shard_find_group(ck->shard, view(group));

    *text = '\0';
    assert_non_null(g);
    add_group(text, sizeof text, g);
    return text;
}

/* ---- loading again ---------------------------------------------------------------------------------------- */

static GroupShard *
load(ConsumerKit *ck)
{
    GroupShard *shard = shard_new(0, &ck->kit.memory, ck->shard->seed + 1);
    ErrInfo err;

    assert_non_null(shard);
    for (size_t i = 0; i < ck->kit.log_count; i++) {
        ReplayRecord record = kit_replay_record(&ck->kit, i);

        if (shard_replay(shard, &record, &err) != 0)
            fail_msg("record %zu cannot be read", i);
    }
    shard_loaded(shard, kit_env(&ck->kit));
    (void)kit_take(&ck->kit);
    shard_check(shard);
    return shard;
}

static void
compare_shards(const GroupShard *a, const GroupShard *b)
{
    static char left[65536], right[65536];
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&a->groups, &bucket, NULL); node != NULL;
         node = map_next(&a->groups, &bucket, node)) {
        const Group *one = MAP_OWNER(node, Group, node);
        const Group *other = shard_find_group(b, one->id);

        if (one->consumer == NULL)
            continue; /* of classic groups less is stored than is known */
        *left = *right = '\0';
        add_group(left, sizeof left, one);
        if (other != NULL)
            add_group(right, sizeof right, other);
        assert_string_equal(left, right);
    }
}

void
ck_compare(ConsumerKit *ck)
{
    GroupShard *shard = load(ck);

    compare_shards(ck->shard, shard);
    shard_unload(shard, kit_env(&ck->kit), KERR_NOT_COORDINATOR);
    (void)kit_take(&ck->kit);
    shard_free(shard);
}

void
ck_reload(ConsumerKit *ck)
{
    GroupShard *shard = load(ck);

    compare_shards(ck->shard, shard);
    end_shard(ck);
    ck->shard = shard;
}

static int
compare_keys(const void *left, const void *right)
{
    const KitRecord *a = *(KitRecord *const *)left, *b = *(KitRecord *const *)right;
    int32_t common = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->key, b->key, (size_t)common);

    if (order == 0)
        order = a->key_len - b->key_len;
    return order != 0 ? order : (a > b) - (a < b); /* by place in the log */
}

void
ck_compact(ConsumerKit *ck)
{
    GroupKit *kit = &ck->kit;
    KitRecord **order = calloc(kit->log_count + 1, sizeof(KitRecord *));
    size_t kept = 0;

    assert_non_null(order);
    for (size_t i = 0; i < kit->log_count; i++)
        order[i] = &kit->log[i];
    qsort(order, kit->log_count, sizeof(KitRecord *), compare_keys);
    for (size_t i = 0; i < kit->log_count; i++) {
        bool last = i + 1 == kit->log_count || order[i]->key_len != order[i + 1]->key_len ||
                    memcmp(order[i]->key, order[i + 1]->key, (size_t)order[i]->key_len) != 0;

        if (last && order[i]->value_len >= 0)
            continue;
        free(order[i]->key);
        free(order[i]->value);
        order[i]->key = NULL;
    }
    for (size_t i = 0; i < kit->log_count; i++)
        if (kit->log[i].key != NULL)
            kit->log[kept++] = kit->log[i];
    kit->log_count = kept;
    free(order);
}

void
ck_wait(ConsumerKit *ck, int64_t ms)
{
    int64_t end = ck->kit.env.now_us + ms * 1000;

    for (;;) {
        int64_t next = shard_next_timer_us(ck->shard);

        if (next > end)
            break;
        if (next > ck->kit.env.now_us) {
            ck->kit.env.wall_ms += (next - ck->kit.env.now_us) / 1000;
            ck->kit.env.now_us = next;
        }
        (void)shard_tick(ck->shard, kit_env(&ck->kit)); /* more may be due: the loop sees */
        (void)kit_take(&ck->kit);
        shard_check(ck->shard);
    }
    ck->kit.env.wall_ms += (end - ck->kit.env.now_us) / 1000;
    ck->kit.env.now_us = end;
}

void
ck_tell_metadata(ConsumerKit *ck)
{
    bool more = true;

    while (more) {
        more = shard_metadata_changed(ck->shard, kit_env(&ck->kit));
        (void)kit_take(&ck->kit);
        shard_check(ck->shard);
    }
}

ConsumerKit *
ck_begin(const char *group, const char *topics)
{
    ConsumerKit *ck = calloc(1, sizeof *ck);

    assert_non_null(ck);
    consumer_kit_init(ck, 1);
    kit_set_config(&ck->kit, group, "consumer.assignment.interval.ms", "0");
    for (; *topics != '\0'; topics += topics[1] == '\0' ? 1 : 2) {
        char name[2] = {*topics, '\0'};

        kit_add_topic(&ck->kit, name, topics[1] - '0');
    }
    return ck;
}

void
ck_end(ConsumerKit *ck)
{
    ck_reload(ck);
    consumer_kit_fini(ck);
    free(ck);
}

const char *
ck_state(ConsumerKit *ck, const char *group)
{
    return consumer_state_text(shard_find_group(ck->shard, view(group)));
}
