/*
 * test_consumer_convert.c - members of both protocols in one group, and groups that change from one to the other
 *
 * Follows recorded conversations with Apache Kafka (scenario 32 of groups-and-transactions.md 12).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer_kit.h"

#include <stdlib.h>
#include <string.h>

#define BEAT(expected, member, epoch, ...) \
    assert_string_equal(ck_beat(ck, "g", member, epoch, (Say){__VA_ARGS__}), expected)
#define JOIN(expected, member, ...) BEAT(expected, member, 0, .join = true, __VA_ARGS__)

static ConsumerKit *
setup(void)
{
    ConsumerKit *ck = calloc(1, sizeof *ck);

    assert_non_null(ck);
    consumer_kit_init(ck, 1);
    kit_set_config(&ck->kit, "g", "consumer.assignment.interval.ms", "0");
    kit_add_topic(&ck->kit, "a", 2);
    return ck;
}

static void
teardown(ConsumerKit *ck)
{
    ck_reload(ck);
    consumer_kit_fini(ck);
    free(ck);
}

static Group *
group_of(ConsumerKit *ck)
{
    return shard_find_group(ck->shard, STRVIEW("g"));
}

typedef struct Joins {
    const char *member; /* "": none yet */
    const char *instance;
    const char *type; /* NULL: consumer */
    int16_t version;  /* 0: 9 */
    bool no_protocols;
} Joins;

static GroupToken
join(ConsumerKit *ck, Joins joins)
{
    GroupCaller caller = kit_caller(&ck->kit, joins.version == 0 ? 9 : joins.version);
    JoinGroupRequestProtocol protocol = {.name = STRVIEW("range"),
                                         .metadata = kit_subscription(&ck->kit, "a", NULL)};
    JoinGroupRequest r;

    join_group_request_init(&r);
    r.group_id = STRVIEW("g");
    r.session_timeout_ms = 10000;
    r.rebalance_timeout_ms = 5000;
    r.member_id = strview_from(joins.member);
    r.group_instance_id = strview_from(joins.instance);
    r.protocol_type = joins.type == NULL ? STRVIEW("consumer") : strview_from(joins.type);
    r.protocols = &protocol;
    r.protocols_count = joins.no_protocols ? 0 : 1;
    shard_join_group(ck->shard, kit_env(&ck->kit), &caller, &r);
    (void)kit_take(&ck->kit); /* whether it wrote is not asked */
    shard_check(ck->shard);
    return caller.token;
}

/* Joins in full; the generation. */
static int32_t
joined(ConsumerKit *ck, const char *member)
{
    const JoinGroupResponse *r =
        kit_message(&ck->kit, join(ck, (Joins){.member = member}), &join_group_response_desc);

    assert_int_equal(r->error_code, 0);
    assert_true(strview_equal(r->member_id, strview_from(member)));
    assert_true(strview_equal(r->protocol_name, STRVIEW("range")));
    assert_int_equal(r->leader.len, 0);
    assert_int_equal(r->members_count, 0);
    return r->generation_id;
}

static int16_t
heart(ConsumerKit *ck, const char *member, int32_t generation)
{
    GroupCaller caller = kit_caller(&ck->kit, 4);
    HeartbeatRequest r;

    heartbeat_request_init(&r);
    r.group_id = STRVIEW("g");
    r.member_id = strview_from(member);
    r.generation_id = generation;
    shard_heartbeat(ck->shard, kit_env(&ck->kit), &caller, &r);
    assert_int_equal(kit_take(&ck->kit), 0);
    return kit_code(&ck->kit, caller.token);
}

/* The number of partitions; below 0: the negative code. */
static int
synced(ConsumerKit *ck, const char *member, int32_t generation, const char *protocol,
       BytesView given)
{
    GroupCaller caller = kit_caller(&ck->kit, 5);
    SyncGroupRequestAssignment one = {strview_from(member), given, NULL};
    ConsumerProtocolAssignment assignment;
    SyncGroupRequest r;
    int count = 0;

    sync_group_request_init(&r);
    r.group_id = STRVIEW("g");
    r.member_id = strview_from(member);
    r.generation_id = generation;
    r.protocol_type = STRVIEW("consumer");
    r.protocol_name = strview_from(protocol);
    r.assignments = &one;
    r.assignments_count = given.ptr == NULL ? 0 : 1;
    shard_sync_group(ck->shard, kit_env(&ck->kit), &caller, &r);
    (void)kit_take(&ck->kit); /* as above */
    if (kit_code(&ck->kit, caller.token) != 0)
        return -kit_code(&ck->kit, caller.token);
    assert_int_equal(
        protocol_read_assignment(((const SyncGroupResponse *)kit_message(&ck->kit, caller.token,
                                                                         &sync_group_response_desc))
                                     ->assignment,
                                 ck->kit.replies_arena, &assignment),
        0);
    for (int32_t i = 0; i < assignment.assigned_partitions_count; i++)
        count += assignment.assigned_partitions[i].partitions_count;
    return count;
}

static int16_t
left(ConsumerKit *ck, const char *member)
{
    GroupCaller caller = kit_caller(&ck->kit, 2);
    LeaveGroupRequest r;

    leave_group_request_init(&r);
    r.group_id = STRVIEW("g");
    r.member_id = strview_from(member);
    shard_leave_group(ck->shard, kit_env(&ck->kit), &caller, &r);
    (void)kit_take(&ck->kit); /* as above */
    shard_check(ck->shard);
    return kit_code(&ck->kit, caller.token);
}

static void
a_classic_member_takes_its_share(void **state)
{
    ConsumerKit *ck = setup();
    const JoinGroupResponse *r;
    char id[64] = "";

    (void)state;
    JOIN("2 a:0,1", "a", .names = "a");
    r = kit_message(&ck->kit, join(ck, (Joins){.member = ""}), &join_group_response_desc);
    assert_int_equal(r->error_code, KERR_MEMBER_ID_REQUIRED);
    assert_int_equal(r->member_id.len, 22);
    memcpy(id, r->member_id.ptr, (size_t)r->member_id.len);
    assert_int_equal(joined(ck, id), 3);
    assert_int_equal(synced(ck, id, 3, "range", (BytesView){0}), 0);
    assert_int_equal(synced(ck, id, 1, "range", (BytesView){0}), -KERR_ILLEGAL_GENERATION);
    assert_int_equal(synced(ck, id, 3, "other", (BytesView){0}), -KERR_INCONSISTENT_GROUP_PROTOCOL);
    BEAT("2 a:0", "a", 2, .owns = NULL);
    assert_int_equal(heart(ck, id, 3), 0);
    BEAT("3", "a", 2, .owns = "a:0");
    ck_reload(ck);
    assert_int_equal(heart(ck, id, 3), KERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(joined(ck, id), 3);
    assert_int_equal(synced(ck, id, 3, "range", (BytesView){0}), 1);
    assert_int_equal(heart(ck, id, 3), 0);
    assert_string_equal(consumer_state_text(group_of(ck)), "Stable");
    assert_int_equal(left(ck, id), 0);
    assert_int_equal(consumer_member_count(group_of(ck)), 1);
    teardown(ck);
}

/* Members offer many names; one that all of them know is enough, wherever it stands. Who leaves twice leaves once. */
static void
many_protocols_and_leaving_twice(void **state)
{
    ConsumerKit *ck = setup();
    JoinGroupRequestProtocol protocols[CLASSIC_PROTOCOLS_MAX];
    LeaveGroupRequestMember leaving[3];
    GroupCaller caller = kit_caller(&ck->kit, 5);
    const LeaveGroupResponse *response;
    LeaveGroupRequest l;
    JoinGroupRequest r;

    (void)state;
    JOIN("2 a:0,1", "a", .names = "a");
    (void)joined(ck, "c");
    join_group_request_init(&r);
    r.group_id = STRVIEW("g");
    r.session_timeout_ms = r.rebalance_timeout_ms = 10000;
    r.member_id = STRVIEW("d");
    r.protocol_type = STRVIEW("consumer");
    r.protocols = protocols;
    r.protocols_count = CLASSIC_PROTOCOLS_MAX;
    for (int i = 0; i < CLASSIC_PROTOCOLS_MAX; i++) {
        join_group_request_protocol_init(&protocols[i]);
        protocols[i].name = strview_from(arena_printf(ck->kit.replies_arena, "p%d", i / 2));
        protocols[i].metadata = (BytesView){(const uint8_t *)"\0\0\0\0\0\0\xff\xff\xff\xff", 10};
    }
    shard_join_group(ck->shard, kit_env(&ck->kit), &caller, &r);
    assert_int_equal(kit_take(&ck->kit), 0);
    assert_int_equal(kit_code(&ck->kit, caller.token), KERR_INCONSISTENT_GROUP_PROTOCOL);
    protocols[CLASSIC_PROTOCOLS_MAX - 1].name = STRVIEW("range");
    caller = kit_caller(&ck->kit, 5);
    shard_join_group(ck->shard, kit_env(&ck->kit), &caller, &r);
    (void)kit_take(&ck->kit); /* whether it wrote is not asked */
    assert_int_equal(kit_code(&ck->kit, caller.token), 0);
    leave_group_request_init(&l);
    l.group_id = STRVIEW("g");
    l.members = leaving;
    l.members_count = 3;
    for (int i = 0; i < 3; i++) {
        leave_group_request_member_init(&leaving[i]);
        leaving[i].member_id = i == 1 ? STRVIEW("c") : STRVIEW("d");
    }
    caller = kit_caller(&ck->kit, 5);
    shard_leave_group(ck->shard, kit_env(&ck->kit), &caller, &l);
    (void)kit_take(&ck->kit); /* nor here */
    response = kit_message(&ck->kit, caller.token, &leave_group_response_desc);
    for (int i = 0; i < 3; i++)
        assert_int_equal(response->members[i].error_code, 0);
    shard_check(ck->shard);
    assert_int_equal(consumer_member_count(group_of(ck)), 1);
    teardown(ck);
}

static void
classic_requests_of_a_consumer_are_unknown(void **state)
{
    ConsumerKit *ck = setup();

    (void)state;
    JOIN("2 a:0,1", "m", .names = "a");
    assert_int_equal(heart(ck, "m", 2), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(heart(ck, "nobody", 2), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(synced(ck, "m", 2, "range", (BytesView){0}), -KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(left(ck, "m"), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(kit_code(&ck->kit, join(ck, (Joins){.member = "", .type = "connect"})),
                     KERR_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(kit_code(&ck->kit, join(ck, (Joins){.member = "", .no_protocols = true})),
                     KERR_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(joined(ck, "m"), 2); /* converts itself */
    assert_int_equal(joined(ck, "nobody"), 3);
    assert_int_equal(left(ck, "m"), 0);
    assert_null(group_of(ck)->consumer); /* only classic members are left */
    teardown(ck);
}

/* A member that does not join again, or does not sync, in time is removed. */
static void
classic_members_must_follow_in_time(void **state)
{
    ConsumerKit *ck = setup();

    (void)state;
    JOIN("2 a:0,1", "a", .names = "a");
    assert_int_equal(joined(ck, "c"), 3);
    ck_wait(ck, 4999);
    assert_int_equal(consumer_member_count(group_of(ck)), 2);
    ck_wait(ck, 1);
    assert_int_equal(consumer_member_count(group_of(ck)), 1); /* no sync */
    assert_int_equal(joined(ck, "c"), 5);
    assert_int_equal(synced(ck, "c", 5, "range", (BytesView){0}), 0);
    BEAT("2 a:0", "a", 2, .owns = NULL);
    BEAT("5", "a", 2, .owns = "a:0");
    assert_int_equal(heart(ck, "c", 5), KERR_REBALANCE_IN_PROGRESS);
    ck_wait(ck, 4000);
    assert_int_equal(heart(ck, "c", 5), KERR_REBALANCE_IN_PROGRESS);
    ck_wait(ck, 1000);
    assert_int_equal(consumer_member_count(group_of(ck)), 1); /* no join */
    teardown(ck);
}

/* A classic group of one with both partitions, Stable at generation 1; its member's id. */
static void
make_classic(ConsumerKit *ck, char ret[64])
{
    int32_t numbers[] = {0, 1};
    ConsumerProtocolAssignmentTopicPartition topic = {STRVIEW("a"), numbers, 2};
    ConsumerProtocolAssignment assignment = {&topic, 1, WIRE_NULL_BYTES};
    BytesView bytes, copy;
    GroupToken token;
    const JoinGroupResponse *r;

    token = join(ck, (Joins){.member = "", .version = 3});
    ck_wait(ck, 1);
    r = kit_message(&ck->kit, token, &join_group_response_desc);
    assert_int_equal(r->generation_id, 1);
    memset(ret, 0, 64);
    memcpy(ret, r->member_id.ptr, (size_t)r->member_id.len);
    bytes = protocol_write_assignment(kit_env(&ck->kit)->out, 0, &assignment);
    copy = (BytesView){arena_alloc(ck->kit.replies_arena, (size_t)bytes.len), bytes.len};
    memcpy((uint8_t *)(uintptr_t)copy.ptr, bytes.ptr, (size_t)bytes.len);
    assert_int_equal(synced(ck, ret, 1, "range", copy), 2);
}

static void
s32_up_and_down(void **state)
{
    ConsumerKit *ck = setup();
    char id[64];

    (void)state;
    make_classic(ck, id);
    JOIN("2 -", "b", .names = "a");
    assert_non_null(group_of(ck)->consumer);
    assert_string_equal(consumer_state_text(group_of(ck)), "Reconciling");
    assert_int_equal(ck_member(ck, "g", id)->assigned.count, 2);
    assert_int_equal(ck_member(ck, "g", id)->target.count, 1);
    assert_int_equal(ck_member(ck, "g", id)->epoch, 1);
    ck_reload(ck);
    assert_int_equal(consumer_check_commit(ck->shard, kit_env(&ck->kit), group_of(ck),
                                           strview_from(id), (StrView){0}, 1, 9, false),
                     0);
    assert_int_equal(consumer_check_commit(ck->shard, kit_env(&ck->kit), group_of(ck),
                                           strview_from(id), (StrView){0}, 2, 9, false),
                     KERR_ILLEGAL_GENERATION);
    assert_int_equal(heart(ck, id, 1), KERR_REBALANCE_IN_PROGRESS);
    BEAT("-1", "b", -1, .owns = NULL);
    assert_null(group_of(ck)->consumer);
    assert_string_equal(classic_state_text(group_of(ck)), "PreparingRebalance");
    {
        const JoinGroupResponse *r =
            kit_message(&ck->kit, join(ck, (Joins){.member = id}), &join_group_response_desc);

        assert_int_equal(r->generation_id, 3);
        assert_int_equal(r->members_count, 1);
    }
    teardown(ck);
}

static void
s32_the_policy_decides(void **state)
{
    ConsumerKit *ck = setup();
    char id[64];
    size_t records;

    (void)state;
    make_classic(ck, id);
    records = ck->kit.log_count;
    ck->kit.settings.migration_policy = MIGRATION_DISABLED;
    JOIN("E69", "b", .names = "a");
    ck->kit.settings.migration_policy = MIGRATION_DOWNGRADE;
    JOIN("E69", "b", .names = "a");
    assert_int_equal(ck->kit.log_count, records);
    ck->kit.settings.migration_policy = MIGRATION_UPGRADE;
    JOIN("2 -", "b", .names = "a");
    BEAT("-1", "b", -1, .owns = NULL);
    assert_non_null(group_of(ck)->consumer); /* no way back: served as it is */
    assert_int_equal(heart(ck, id, 1), KERR_REBALANCE_IN_PROGRESS);
    teardown(ck);
}

static void
a_static_classic_join_that_displaces_the_last_consumer(void **state)
{
    ConsumerKit *ck = setup();
    const JoinGroupResponse *r;

    (void)state;
    JOIN("2 a:0,1", "m", .names = "a", .instance = "i");
    r = kit_message(&ck->kit, join(ck, (Joins){.member = "", .instance = "i"}),
                    &join_group_response_desc);
    assert_int_equal(r->error_code, 0);
    assert_int_equal(r->generation_id, 2);
    assert_int_equal(r->leader.len, 0);
    assert_null(group_of(ck)->consumer);
    assert_string_equal(classic_state_text(group_of(ck)), "Stable");
    teardown(ck);
}

static void
what_consumers_tell_is_read_as_far_as_it_is_known(void **state)
{
    static const uint8_t later[] = {0, 9, 0, 0, 0, 1, 0, 1, 'a', 255, 255, 255, 255,
                                    0, 0, 0, 0, 0, 0, 0, 7, 255, 255, 42,  42};
    static const uint8_t huge[] = {0, 0, 127, 255, 255, 255};
    Arena *arena = arena_new(4096, 1 << 16);
    ConsumerProtocolSubscription s;
    ConsumerProtocolAssignment a;
    StrView *topics;
    int32_t count;

    (void)state;
    assert_int_equal(protocol_read_subscription((BytesView){later, sizeof later}, arena, &s), 0);
    assert_int_equal(s.topics_count, 1);
    assert_int_equal(s.generation_id, 7);
    assert_int_equal(protocol_read_topics((BytesView){later, 9}, arena, &topics, &count), 0);
    assert_int_equal(count, 1);
    for (int32_t len = 0; len < 9; len++)
        assert_int_not_equal(protocol_read_topics((BytesView){later, len}, arena, &topics, &count),
                             0);
    assert_int_not_equal(protocol_read_topics((BytesView){huge, 6}, arena, &topics, &count), 0);
    assert_int_equal(protocol_read_assignment((BytesView){huge, 0}, arena, &a), 0);
    assert_int_equal(protocol_version((BytesView){later, 2}), 3);
    assert_int_equal(protocol_version((BytesView){later, 1}), -1);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_classic_member_takes_its_share),
        cmocka_unit_test(many_protocols_and_leaving_twice),
        cmocka_unit_test(classic_requests_of_a_consumer_are_unknown),
        cmocka_unit_test(classic_members_must_follow_in_time),
        cmocka_unit_test(s32_up_and_down),
        cmocka_unit_test(s32_the_policy_decides),
        cmocka_unit_test(a_static_classic_join_that_displaces_the_last_consumer),
        cmocka_unit_test(what_consumers_tell_is_read_as_far_as_it_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
