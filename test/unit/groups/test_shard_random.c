/*
 * test_shard_random.c - a whole shard under random clients of every kind, read again from its log at random moments
 *
 * Clients join by either protocol, sync, heartbeat, commit, leave, fall silent, hang up; groups are deleted, offsets
 * expire, topics come and go, memory is tight for a while. Checked: the invariants of shard_check; one answer for each request, none
 * for a client that hung up; every unit fits its batch; and after a reload - of the whole log, or of what a cleaner
 * leaves of it - the offsets, the groups that have records, and all of a consumer group are what they were.
 *
 * OTTLA_SEED=n chooses the seed, OTTLA_STEPS=n the number of steps; OTTLA_VERBOSE tells the
 * groups around each reload.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/offsets_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "groups/classic_int.h"
#include "ottla/common/hash.h"

#define STEPS         1000000
#define CLIENTS       40
#define GROUPS        8
#define TOPICS        6
#define PARTITIONS    6
#define LED_MAX       CLIENTS
#define CHECK_EVERY   1
#define RELOAD_EVERY  3000
#define SESSION_MS    10000
#define TOKEN_CLIENTS 64

typedef struct Led {
    char id[64];
} Led;

typedef struct Client {
    char group[8];
    char instance[8]; /* "": dynamic */
    char member[96];
    int32_t generation; /* or member epoch */
    bool modern;
    bool syncs; /* has a generation and no assignment yet */
    bool leads;
    GroupToken token; /* of the request that is not answered; 0: none */
    Led led[LED_MAX]; /* whom it leads */
    int led_count;
    int32_t
        owned[TOPICS * PARTITIONS]; /* partitions of a modern member, by place of the topic below */
    Uuid owned_topics[TOPICS * PARTITIONS];
    int owned_count;
} Client;

static GroupKit kit;
static GroupShard *shard;
static RandomSeq seq;
static Client clients[CLIENTS];
static uint64_t token_serial;

/* Whose clients left before they were answered, of late. */
#define HUNG_UP_KEPT 256
static GroupToken hung_up[HUNG_UP_KEPT];
static int hung_up_count;
static int64_t answers, rebalances, reloads, errors;

static int32_t
below(int32_t bound)
{
    return (int32_t)random_seq_below(&seq, (uint64_t)bound);
}

static bool
chance(int32_t one_of)
{
    return below(one_of) == 0;
}

static void
copy_text(char *ret, size_t size, StrView text)
{
    assert_true(text.len >= 0 && (size_t)text.len < size);
    memcpy(ret, text.ptr == NULL ? "" : text.ptr, (size_t)text.len);
    ret[text.len] = '\0';
}

/* ---- answers ---------------------------------------------------------------------------------------------- */

static void
forget_membership(Client *c)
{
    c->member[0] = '\0';
    c->generation = c->modern ? 0 : -1;
    c->syncs = c->leads = false;
    c->owned_count = 0;
}

static void
answered_join(Client *c, const JoinGroupResponse *r)
{
    if (r->error_code == KERR_MEMBER_ID_REQUIRED) {
        copy_text(c->member, sizeof c->member, r->member_id);
        return;
    }
    if (r->error_code != 0) {
        forget_membership(c);
        return;
    }
    copy_text(c->member, sizeof c->member, r->member_id);
    c->generation = r->generation_id;
    c->syncs = true;
    c->leads = r->leader.len > 0 && strview_equal(r->leader, r->member_id);
    c->led_count = 0;
    for (int32_t i = 0; i < r->members_count && i < LED_MAX; i++)
        copy_text(c->led[c->led_count++].id, sizeof c->led[0].id, r->members[i].member_id);
}

static void
answered_heartbeat(Client *c, const ConsumerGroupHeartbeatResponse *r)
{
    if (r->error_code != 0) {
        errors++;
        if (r->error_code != KERR_COORDINATOR_NOT_AVAILABLE)
            forget_membership(c);
        return;
    }
    c->generation = r->member_epoch;
    if (r->assignment == NULL)
        return;
    c->owned_count = 0;
    for (int32_t t = 0; t < r->assignment->topic_partitions_count; t++)
        for (int32_t p = 0; p < r->assignment->topic_partitions[t].partitions_count; p++) {
            assert_true(c->owned_count < TOPICS * PARTITIONS);
            c->owned_topics[c->owned_count] = r->assignment->topic_partitions[t].topic_id;
            c->owned[c->owned_count++] = r->assignment->topic_partitions[t].partitions[p];
        }
}

static bool
has_hung_up(GroupToken token)
{
    for (int i = 0; i < HUNG_UP_KEPT; i++)
        if (hung_up[i] == token)
            return true;
    return false;
}

static void
on_reply(void *ctx, const GroupReply *reply)
{
    Client *c = &clients[reply->token % TOKEN_CLIENTS];

    (void)ctx;
    assert_true(reply->token % TOKEN_CLIENTS < CLIENTS);
    if (has_hung_up(reply->token))
        return;
    assert_true(c->token == reply->token); /* it waits, and for this one */
    c->token = 0;
    answers++;
    if (reply->status != 0) {
        errors++;
        if (reply->status != KERR_REBALANCE_IN_PROGRESS)
            forget_membership(c);
        c->syncs = false;
    } else if (reply->desc == &join_group_response_desc) {
        answered_join(c, reply->message);
    } else if (reply->desc == &sync_group_response_desc) {
        c->syncs = false;
        if (((const SyncGroupResponse *)reply->message)->error_code != 0)
            forget_membership(c);
    } else if (reply->desc == &consumer_group_heartbeat_response_desc) {
        answered_heartbeat(c, reply->message);
    }
}

static void
take(void)
{
    assert_true(group_out_fits(&kit.out, &kit.settings));
    (void)kit_take(&kit); /* the log grows, clients hear */
}

/* ---- requests --------------------------------------------------------------------------------------------- */

static GroupCaller
caller_of(Client *c, int16_t version)
{
    GroupCaller caller = kit_caller(&kit, version);

    assert_true(c->token == 0);
    caller.token = ++token_serial * TOKEN_CLIENTS + (GroupToken)(c - clients);
    c->token = caller.token;
    return caller;
}

static StrView
instance_of(const Client *c)
{
    return c->instance[0] == '\0' ? WIRE_NULL_STRING : strview_from(c->instance);
}

static void
join(Client *c)
{
    static const char *const subscriptions[] = {"a", "a,b", "b,c", "d", "a,b,c,d,e,f"};
    GroupCaller caller = caller_of(c, 9);
    JoinGroupRequestProtocol protocols[2];
    JoinGroupRequest request;

    join_group_request_init(&request);
    request.group_id = strview_from(c->group);
    request.session_timeout_ms = SESSION_MS;
    request.rebalance_timeout_ms = SESSION_MS * (1 + below(3));
    request.member_id = strview_from(c->member);
    request.group_instance_id = instance_of(c);
    request.protocol_type = chance(100) ? STRVIEW("connect") : STRVIEW("consumer");
    for (int i = 0; i < 2; i++) {
        join_group_request_protocol_init(&protocols[i]);
        protocols[i].name = i == 0 ? STRVIEW("range") : STRVIEW("roundrobin");
        protocols[i].metadata = kit_subscription(&kit, subscriptions[below(5)], NULL);
    }
    request.protocols = protocols;
    request.protocols_count = 1 + below(2);
    shard_join_group(shard, kit_env(&kit), &caller, &request);
}

/* One partition of topic a for a member, as the consumer protocol writes it. */
static BytesView
assignment_of(int number)
{
    static uint8_t bytes[LED_MAX][32];
    static const uint8_t head[] = {0, 0, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 1, 0, 0, 0};
    uint8_t *at = bytes[number];

    memcpy(at, head, sizeof head);
    at[sizeof head] = (uint8_t)number;
    memset(at + sizeof head + 1, 0xff, 4);
    return (BytesView){at, sizeof head + 5};
}

static void
sync(Client *c)
{
    GroupCaller caller = caller_of(c, 5);
    SyncGroupRequestAssignment list[LED_MAX];
    SyncGroupRequest request;

    sync_group_request_init(&request);
    request.group_id = strview_from(c->group);
    request.generation_id = c->generation;
    request.member_id = strview_from(c->member);
    request.group_instance_id = instance_of(c);
    request.protocol_type = STRVIEW("consumer");
    request.protocol_name = STRVIEW("range");
    if (c->leads) {
        for (int i = 0; i < c->led_count; i++) {
            sync_group_request_assignment_init(&list[i]);
            list[i].member_id = strview_from(c->led[i].id);
            list[i].assignment = assignment_of(i);
        }
        request.assignments = list;
        request.assignments_count = c->led_count;
    }
    shard_sync_group(shard, kit_env(&kit), &caller, &request);
}

static void
heartbeat(Client *c)
{
    GroupCaller caller = caller_of(c, 4);
    HeartbeatRequest request;

    heartbeat_request_init(&request);
    request.group_id = strview_from(c->group);
    request.generation_id = c->generation;
    request.member_id = strview_from(c->member);
    request.group_instance_id = instance_of(c);
    shard_heartbeat(shard, kit_env(&kit), &caller, &request);
}

static void
leave(Client *c)
{
    GroupCaller caller = caller_of(c, 5);
    LeaveGroupRequestMember member;
    LeaveGroupRequest request;

    leave_group_request_init(&request);
    leave_group_request_member_init(&member);
    request.group_id = strview_from(c->group);
    request.members = &member;
    request.members_count = 1;
    member.member_id = strview_from(c->member);
    member.group_instance_id = instance_of(c);
    shard_leave_group(shard, kit_env(&kit), &caller, &request);
    forget_membership(c);
}

static void
modern_heartbeat(Client *c, int32_t epoch)
{
    static StrView names[] = {STRVIEW("a"), STRVIEW("b"), STRVIEW("c"), STRVIEW("f")};
    ConsumerGroupHeartbeatRequestTopicPartitions owned[TOPICS * PARTITIONS];
    GroupCaller caller = caller_of(c, 1);
    ConsumerGroupHeartbeatRequest request;
    bool full = epoch == 0 || chance(4);

    if (c->member[0] == '\0')
        (void)snprintf(c->member, sizeof c->member, "modern-%d-%d", (int)(c - clients), below(3));
    consumer_group_heartbeat_request_init(&request);
    request.group_id = strview_from(c->group);
    request.member_id = strview_from(c->member);
    request.member_epoch = epoch;
    request.instance_id = instance_of(c);
    if (full) {
        request.rebalance_timeout_ms = SESSION_MS;
        request.topic_partitions = owned;
        if (chance(5))
            request.subscribed_topic_regex = STRVIEW("[a-c]");
        else {
            request.subscribed_topic_names = names + below(2);
            request.subscribed_topic_names_count = 1 + below(3);
        }
    }
    if (full || chance(2)) {
        request.topic_partitions = owned;
        for (int i = 0; epoch > 0 && i < c->owned_count; i++) {
            consumer_group_heartbeat_request_topic_partitions_init(&owned[i]);
            owned[i].topic_id = c->owned_topics[i];
            owned[i].partitions = &c->owned[i];
            owned[i].partitions_count = 1;
            request.topic_partitions_count++;
        }
    } else {
        request.topic_partitions_count = -1;
    }
    if (!full)
        request.subscribed_topic_names_count = -1;
    shard_consumer_heartbeat(shard, kit_env(&kit), &caller, &request);
    if (epoch < 0)
        forget_membership(c);
}

static void
commit(Client *c, bool outside)
{
    GroupCaller caller = caller_of(c, chance(5) ? 3 : 9);
    OffsetCommitRequest request;
    OffsetCommitRequestTopic topics[2];
    OffsetCommitRequestPartition partitions[2][PARTITIONS];

    offset_commit_request_init(&request);
    request.group_id = strview_from(c->group);
    if (!outside) {
        request.member_id = strview_from(c->member);
        request.generation_id_or_member_epoch = c->generation;
        request.group_instance_id = instance_of(c);
    }
    if (caller.api_version == 3 && chance(3))
        request.retention_time_ms = below(1000000);
    request.topics = topics;
    request.topics_count = 1 + below(2);
    for (int t = 0; t < request.topics_count; t++) {
        static const char *const names[] = {"a", "b", "c", "d", "e", "f", "none"};

        offset_commit_request_topic_init(&topics[t]);
        topics[t].name = strview_from(names[below(7)]);
        topics[t].partitions = partitions[t];
        topics[t].partitions_count = 1 + below(PARTITIONS);
        for (int p = 0; p < topics[t].partitions_count; p++) {
            offset_commit_request_partition_init(&partitions[t][p]);
            partitions[t][p].partition_index = below(PARTITIONS + 1);
            partitions[t][p].committed_offset = below(1000);
            partitions[t][p].committed_metadata = chance(3) ? STRVIEW("text") : STRVIEW("");
        }
    }
    shard_offset_commit(shard, kit_env(&kit), &caller, &request);
}

static void
delete_offsets(Client *c)
{
    GroupCaller caller = caller_of(c, 0);
    OffsetDeleteRequestPartition partitions[] = {{below(PARTITIONS)}, {below(PARTITIONS)}};
    OffsetDeleteRequestTopic topic = {STRVIEW("a"), partitions, 2};
    const OffsetDeleteRequest request = {strview_from(c->group), &topic, 1};

    if (chance(2))
        topic.name = STRVIEW("d");
    shard_offset_delete(shard, kit_env(&kit), &caller, &request);
}

static void
client_step(Client *c)
{
    int what = below(20);

    if (c->token != 0) {
        if (!chance(300))
            return;
        hung_up[hung_up_count++ % HUNG_UP_KEPT] = c->token;
        c->token = 0;
        c->syncs = false;
        return;
    }
    if (what == 0)
        delete_offsets(c);
    else if (what <= 2 || (what <= 5 && c->member[0] == '\0'))
        commit(c, true);
    else if (c->modern)
        what == 3 ? commit(c, false) : modern_heartbeat(c, chance(60) ? -1 : c->generation);
    else if (c->member[0] == '\0' || c->generation < 0 || chance(40))
        join(c);
    else if (c->syncs)
        sync(c);
    else if (what <= 8)
        commit(c, false);
    else if (chance(30))
        leave(c);
    else
        heartbeat(c);
    take();
}

/* ---- the world ---------------------------------------------------------------------------------------------- */

static void
pass_time(int64_t ms)
{
    kit_advance_ms(&kit, ms);
    for (int i = 0, more = 1; more; i++) {
        assert_true(i < 100000);
        more = shard_tick(shard, kit_env(&kit));
        take();
    }
}

static void
see_topics(void)
{
    for (bool more = true; more;) {
        more = shard_metadata_changed(shard, kit_env(&kit));
        take();
    }
}

static void
change_topics(void)
{
    char name[2] = {(char)('a' + below(TOPICS)), '\0'};
    GroupTopic there;

    if (kit.metadata.by_name(&kit, strview_from(name), &there)) {
        kit_remove_topic(&kit, name);
        if (chance(2))
            (void)kit_add_topic(&kit, name, 1 + below(PARTITIONS));
    } else {
        (void)kit_add_topic(&kit, name, 1 + below(PARTITIONS));
    }
    see_topics();
}

static void
expire(void)
{
    ExpiryCursor cursor = {0};

    for (bool more = true; more;) {
        more = shard_expire_offsets(shard, kit_env(&kit), &cursor);
        take();
    }
}

static void
delete_group(void)
{
    char group[8];

    (void)snprintf(group, sizeof group, "g%d", below(GROUPS));
    (void)shard_delete_group(shard, kit_env(&kit), strview_from(group)); /* most are in use */
    take();
}

/* ---- what a reload must keep -------------------------------------------------------------------------------- */

typedef struct Digest {
    uint64_t offsets, groups, modern;
    int64_t offset_count, group_count;
} Digest;

static uint64_t
offset_digest(const Group *group, const OffsetTopic *topic, const OffsetEntry *e)
{
    uint64_t hash = hash_str(topic->topic->name, hash_str(group->id, 1));
    const int64_t numbers[] = {e->partition, e->offset, e->commit_ms, e->expire_ms,
                               e->leader_epoch};

    hash = hash_bytes(numbers, sizeof numbers, hash);
    return hash_str(offset_metadata(e), hash_uuid(e->topic_id, hash));
}

static uint64_t
modern_digest(const Group *group)
{
    ConsumerGroupDescribeResponseGroup described;
    uint64_t sum = hash_str(group->id, 2);
    WireSizer size = {0};
    WireWriter w;
    uint8_t *bytes;
    ConsumerGroupDescribeResponse response;

    shard_describe_consumer(shard, kit_env(&kit), group->id, &described);
    assert_int_equal(described.error_code, 0);
    consumer_group_describe_response_init(&response);
    response.groups = &described;
    response.groups_count = 1;
    consumer_group_describe_response_size(&size, 1, &response);
    assert_int_equal(size.err, 0);
    bytes = arena_alloc(kit.arena, size.bytes);
    wire_writer_init(&w, bytes, size.bytes);
    consumer_group_describe_response_write(&w, 1, &response);
    for (int32_t i = 0; i < described.members_count; i++)
        sum +=
            hash_str(described.members[i].member_id, (uint64_t)described.members[i].member_epoch);
    sum += (uint64_t)described.group_epoch * 1000003 + (uint64_t)described.assignment_epoch;
    return sum + size.bytes; /* members may come in another order, all else is in there */
}

static Digest
digest(void)
{
    Digest d = {0};

    for (const Group *group = shard->first; group != NULL; group = group->next) {
        uint32_t bucket = 0;

        if (group->classic == NULL || group->classic->in_log || group->offsets.count > 0) {
            d.groups += hash_str(group->id, group->classic == NULL ? 3 : 4);
            d.group_count++;
        }
        if (group->consumer != NULL)
            d.modern += modern_digest(group);
        for (MapNode *node = map_next(&group->offsets.topics, &bucket, NULL); node != NULL;
             node = map_next(&group->offsets.topics, &bucket, node)) {
            const OffsetTopic *topic = MAP_OWNER(node, OffsetTopic, node);

            for (uint32_t i = 0; i < topic->count; i++, d.offset_count++)
                d.offsets += offset_digest(group, topic, &topic->entries[i]);
        }
    }
    return d;
}

/* Who differs, for whoever looks for the fault. */
static void
print_groups(const char *when)
{
    for (const Group *g = shard->first; g != NULL; g = g->next)
        print_message("# %s: %.*s %s %s, in log %d, %d offsets, %d members\n", when, g->id.len,
                      g->id.ptr, g->classic != NULL ? "classic" : "consumer",
                      g->classic != NULL ? classic_state_text(g) : consumer_state_text(g),
                      g->classic != NULL && g->classic->in_log, g->offsets.count,
                      g->classic != NULL ? classic_member_count(g) : consumer_member_count(g));
}

/* As a cleaner does: the last record of each key stays. */
static void
compact(void)
{
    size_t slots = 16, kept = 0;
    size_t *table;

    while (slots < kit.log_count * 2)
        slots *= 2;
    table = calloc(slots, sizeof *table);
    assert_non_null(table);
    for (size_t i = kit.log_count; i > 0; i--) {
        KitRecord *record = &kit.log[i - 1];
        size_t at = hash_bytes(record->key, (size_t)record->key_len, 5) & (slots - 1);

        while (table[at] != 0 &&
               (kit.log[table[at] - 1].key_len != record->key_len ||
                memcmp(kit.log[table[at] - 1].key, record->key, (size_t)record->key_len) != 0))
            at = (at + 1) & (slots - 1);
        if (table[at] == 0) {
            table[at] = i;
            continue;
        }
        record->unit = -1; /* there is a later one */
    }
    free(table);
    for (size_t i = 0; i < kit.log_count; i++) {
        if (kit.log[i].unit >= 0 && (kit.log[i].value_len >= 0 || chance(2))) {
            kit.log[kept++] = kit.log[i];
            continue;
        }
        free(kit.log[i].key);
        free(kit.log[i].value);
    }
    kit.log_count = kept;
}

static void
reload(void)
{
    bool compacted_first = chance(2);
    Digest before = digest(), after;

    if (compacted_first)
        compact();
    if (getenv("OTTLA_VERBOSE") != NULL)
        print_groups("before");
    unload(&kit, shard);
    for (int i = 0; i < CLIENTS; i++)
        assert_true(clients[i].token == 0); /* everybody has been answered */
    shard = load_again(&kit);
    shard_check(shard);
    if (getenv("OTTLA_VERBOSE") != NULL)
        print_groups("after");
    after = digest();
    assert_int_equal(before.offset_count, after.offset_count);
    assert_true(before.offsets == after.offsets);
    assert_int_equal(before.group_count, after.group_count);
    assert_true(before.groups == after.groups);
    assert_true(before.modern == after.modern);
    assert_int_equal(shard->groups.count, after.group_count);
    if (!compacted_first)
        compact();
    see_topics();
    reloads++;
}

/* ---- the run --------------------------------------------------------------------------------------------------- */

static int64_t
number_of(const char *name, int64_t otherwise)
{
    const char *given = getenv(name);

    return given == NULL ? otherwise : strtoll(given, NULL, 10);
}

static void
new_client(Client *c)
{
    GroupToken token = c->token; /* whoever waits still waits */

    *c = (Client){.token = token, .modern = chance(2)};
    (void)snprintf(c->group, sizeof c->group, "g%d", below(GROUPS));
    if (chance(4))
        (void)snprintf(c->instance, sizeof c->instance, "i%d", below(4));
    forget_membership(c);
}

static void
world_step(void)
{
    int what = below(1000);

    kit.settings.slice_steps = chance(3) ? 1 + below(60) : GROUP_SLICE_STEPS;
    if (what < 100)
        pass_time(below(chance(50) ? 30000 : 500));
    else if (what < 110)
        change_topics();
    else if (what < 115)
        expire();
    else if (what < 130)
        delete_group();
    else if (what < 135)
        kit.memory.limit = chance(3) ? kit.memory.used : (size_t)1 << 30;
    else if (what < 140)
        shard_add_stall(shard, below(2000000));
    else if (what < 160) {
        Client *c = &clients[below(CLIENTS)];

        if (c->token == 0)
            new_client(c); /* what it was falls silent */
    } else {
        client_step(&clients[below(CLIENTS)]);
    }
}

static void
a_shard_and_its_log_agree(void **state)
{
    uint64_t seed = (uint64_t)number_of("OTTLA_SEED", 1);
    int64_t steps = number_of("OTTLA_STEPS", STEPS);

    (void)state;
    print_message("# OTTLA_SEED=%llu, %lld steps\n", (unsigned long long)seed, (long long)steps);
    seq = (RandomSeq){seed};
    kit_init(&kit, seed);
    kit.quiet = true;
    kit.on_reply = on_reply;
    kit.settings.initial_rebalance_delay_ms = 1000;
    kit.settings.offsets_retention_ms = 600000;
    kit.settings.consumer_session_timeout_ms = SESSION_MS;
    for (int i = 0; i < 4; i++)
        (void)kit_add_topic(&kit, (char[]){(char)('a' + i), '\0'}, 1 + below(PARTITIONS));
    shard = shard_new(0, &kit.memory, seed);
    shard_loaded(shard, kit_env(&kit));
    take();
    for (int i = 0; i < CLIENTS; i++)
        new_client(&clients[i]);
    for (int64_t step = 0; step < steps; step++) {
        world_step();
        if (step % CHECK_EVERY == 0)
            shard_check(shard);
        if (chance(RELOAD_EVERY))
            reload();
        if (step % 1000 == 0)
            kit_forget(&kit);
    }
    rebalances = (int64_t)kit.rebalance_count;
    unload(&kit, shard);
    print_message("# %lld answers, %lld errors, %lld rebalances, %lld units, %lld reloads\n",
                  (long long)answers, (long long)errors, (long long)rebalances,
                  (long long)kit.units, (long long)reloads);
    assert_true(answers > steps / 10 && rebalances > 0 && reloads > 0);
    kit_fini(&kit);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shard_and_its_log_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
