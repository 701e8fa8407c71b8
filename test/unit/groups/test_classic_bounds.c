/*
 * test_classic_bounds.c - classic groups: refused requests, bounds, what others ask, and odd records
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_kit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static ClassicKit k;

static int
setup(void **state)
{
    (void)state;
    classic_kit_init(&k, 1);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    classic_kit_fini(&k);
    return 0;
}

static int16_t
join_code(JoinArgs args)
{
    return kit_code(&k.kit, kit_join(&k, args));
}

/* As recorded: the codes, and what stands beside them in old and new versions. */
static void
refused_joins(void **state)
{
    static const int16_t versions[] = {-1, 3, 6, 7, 9};

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        int16_t v = versions[i];
        GroupToken token;
        const JoinGroupResponse *r;

        assert_int_equal(join_code((JoinArgs){.version = v, .group = ""}), KERR_INVALID_GROUP_ID);
        assert_int_equal(join_code((JoinArgs){.version = v, .session_ms = 499}),
                         KERR_INVALID_SESSION_TIMEOUT);
        assert_int_equal(join_code((JoinArgs){.version = v, .session_ms = 1800001}),
                         KERR_INVALID_SESSION_TIMEOUT);
        token = kit_join(&k, (JoinArgs){.version = v, .group = "h", .member = "nobody"});
        assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
        assert_string_equal(kit_member(&k, token), "nobody");
        assert_null(shard_find_group(k.shard, STRVIEW("h")));
        token = kit_join(&k, (JoinArgs){.version = v, .protocols = ""});
        r = kit_message(&k.kit, token, &join_group_response_desc);
        assert_int_equal(r->error_code, KERR_INCONSISTENT_GROUP_PROTOCOL);
        assert_int_equal(r->generation_id, -1);
        assert_int_equal(r->leader.len, 0);
        assert_non_null(r->leader.ptr);
        assert_true((r->protocol_name.ptr == NULL) == (v >= 7));
        assert_int_equal(join_code((JoinArgs){.version = v, .type = ""}),
                         KERR_INCONSISTENT_GROUP_PROTOCOL);
    }
    /* All the same there is a group now, and it can be deleted. */
    assert_string_equal(kit_state(&k), "Empty");
    assert_int_equal(k.kit.log_count, 1);
    assert_int_equal(shard_delete_group(k.shard, kit_env(&k.kit), STRVIEW("g")), 0);
    assert_int_equal(kit_take(&k.kit), 1);
}

static void
refused_syncs_and_heartbeats(void **state)
{
    const char *id = kit_alone(&k, (JoinArgs){0});
    GroupCaller caller = kit_caller(&k.kit, 5);
    SyncGroupRequest request;

    (void)state;
    sync_group_request_init(&request);
    request.group_id = STRVIEW("g");
    request.member_id = strview_from(id);
    request.generation_id = 1;
    shard_sync_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), KERR_INCONSISTENT_GROUP_PROTOCOL);
    request.protocol_type = STRVIEW("consumer");
    request.protocol_name = STRVIEW("other");
    caller = kit_caller(&k.kit, 5);
    shard_sync_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), KERR_INCONSISTENT_GROUP_PROTOCOL);
    request.generation_id = 2; /* the generation is looked at before the protocol */
    caller = kit_caller(&k.kit, 5);
    shard_sync_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), KERR_ILLEGAL_GENERATION);
    request.protocol_name = STRVIEW("range");
    request.group_id = STRVIEW("");
    caller = kit_caller(&k.kit, 5);
    shard_sync_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), KERR_INVALID_GROUP_ID);
    assert_int_equal(kit_code(&k.kit, kit_sync(&k, "nobody", 1, NULL)), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(kit_code(&k.kit, kit_sync(&k, id, 0, NULL)), KERR_ILLEGAL_GENERATION);
    assert_int_equal(kit_beat(&k, id, NULL, 0), KERR_ILLEGAL_GENERATION);
    assert_int_equal(kit_beat(&k, id, NULL, -1), KERR_ILLEGAL_GENERATION);
    assert_int_equal(kit_beat(&k, "", NULL, 1), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(kit_beat(&k, id, NULL, 1), 0);
}

static void
leaving_in_old_versions_and_of_unknown_groups(void **state)
{
    const char *id = kit_alone(&k, (JoinArgs){0});
    LeaveGroupRequestMember two[2] = {{.member_id = STRVIEW("m")}, {.member_id = STRVIEW("n")}};
    LeaveGroupRequest request;
    const LeaveGroupResponse *r;
    GroupCaller caller;

    (void)state;
    leave_group_request_init(&request);
    request.group_id = STRVIEW("unknown");
    request.members = two;
    request.members_count = 2;
    caller = kit_caller(&k.kit, 3);
    shard_leave_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    r = kit_message(&k.kit, caller.token, &leave_group_response_desc);
    assert_int_equal(r->error_code, 0);
    assert_int_equal(r->members_count, 2);
    assert_int_equal(r->members[1].error_code, KERR_UNKNOWN_MEMBER_ID);
    request.members_count = CLASSIC_LEAVING_MAX + 1;
    caller = kit_caller(&k.kit, 3);
    shard_leave_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), KERR_INVALID_REQUEST);
    leave_group_request_init(&request);
    caller = kit_caller(&k.kit, 2);
    shard_leave_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), KERR_INVALID_GROUP_ID);
    request.group_id = STRVIEW("g");
    request.member_id = strview_from(id);
    caller = kit_caller(&k.kit, 0);
    shard_leave_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), 0);
    assert_int_equal(kit_reply(&k.kit, caller.token)->when, REPLY_COMMITTED); /* it is empty now */
    caller = kit_caller(&k.kit, 0);
    shard_leave_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), KERR_UNKNOWN_MEMBER_ID);
}

/* ---- bounds ---------------------------------------------------------------------------------------- */

static void
pending_ids_are_bounded(void **state)
{
    const char *first = kit_member(&k, kit_join(&k, (JoinArgs){0}));
    const char *second = kit_member(&k, kit_join(&k, (JoinArgs){0}));

    (void)state;
    for (int i = 0; i < CLASSIC_PENDING_MAX - 1; i++)
        assert_int_equal(join_code((JoinArgs){0}), KERR_MEMBER_ID_REQUIRED);
    assert_int_equal(kit_group(&k)->classic->pending.count, CLASSIC_PENDING_MAX);
    assert_int_equal(join_code((JoinArgs){.member = first}), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(join_code((JoinArgs){.member = second}), KIT_NO_CODE);
}

static void
what_a_member_may_say_is_bounded(void **state)
{
    char names[2 * (CLASSIC_PROTOCOLS_MAX + 1) + 200];
    size_t len = 0;

    (void)state;
    for (int i = 0; i <= CLASSIC_PROTOCOLS_MAX; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%d", i == 0 ? "" : ",", i);
    assert_int_equal(join_code((JoinArgs){.protocols = names}), KERR_INCONSISTENT_GROUP_PROTOCOL);
    *strrchr(names, ',') = '\0';
    assert_int_equal(join_code((JoinArgs){.protocols = names}), KERR_MEMBER_ID_REQUIRED);
    k.kit.settings.max_member_metadata_bytes = 100;
    assert_int_equal(join_code((JoinArgs){.mark = names}), KERR_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(join_code((JoinArgs){.mark = "x"}), KERR_MEMBER_ID_REQUIRED);
}

static void
a_name_offered_twice_counts_once(void **state)
{
    const char *id;

    (void)state;
    (void)kit_enter(&k, (JoinArgs){.protocols = "a,b,a"}, &id);
    assert_int_equal(kit_group(&k)->classic->first->protocol_count, 2);
    kit_pass_ms(&k, 0);
    assert_int_equal(join_code((JoinArgs){.protocols = "a,a", .member = id}), 0);
    assert_int_equal(kit_group(&k)->classic->first->protocol_count, 1);
}

/* Tight memory: nobody new, whoever is there goes on. */
static void
tight_memory_refuses_growth_alone(void **state)
{
    const char *id, *pending;
    GroupToken token;

    (void)state;
    id = kit_alone(&k, (JoinArgs){.instance = "i"});
    pending = kit_member(&k, kit_join(&k, (JoinArgs){0}));
    k.kit.memory.limit = 1;
    assert_int_equal(join_code((JoinArgs){.group = "new"}), KERR_GROUP_MAX_SIZE_REACHED);
    assert_null(shard_find_group(k.shard, STRVIEW("new")));
    assert_int_equal(join_code((JoinArgs){0}), KERR_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(join_code((JoinArgs){.instance = "j"}), KERR_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(join_code((JoinArgs){.member = pending}), KERR_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(kit_beat(&k, id, "i", 1), 0);
    token = kit_join(&k, (JoinArgs){.instance = "i"});
    assert_int_equal(kit_code(&k.kit, token), 0);
    k.kit.memory.limit = (size_t)1 << 30;
}

/* The id of a member is a string of the protocol, however long the client's is. */
static void
long_client_ids_are_cut(void **state)
{
    static char client[32767];
    JoinGroupRequestProtocol protocol = {.name = STRVIEW("p"),
                                         .metadata = {(const uint8_t *)"", 0}};
    JoinGroupRequest request;
    GroupCaller caller = kit_caller(&k.kit, 9);

    (void)state;
    for (size_t i = 0; i < sizeof client - 1; i += 2)
        memcpy(client + i, "\303\251", 2); /* e with an accent */
    caller.client_id = (StrView){client, sizeof client - 1};
    join_group_request_init(&request);
    request.group_id = STRVIEW("g");
    request.session_timeout_ms = 10000;
    request.protocol_type = STRVIEW("t");
    request.protocols = &protocol;
    request.protocols_count = 1;
    shard_join_group(k.shard, kit_env(&k.kit), &caller, &request);
    (void)kit_take(&k.kit);
    assert_int_equal(kit_code(&k.kit, caller.token), KERR_MEMBER_ID_REQUIRED);
    assert_int_equal(strlen(kit_member(&k, caller.token)) % 2, 1); /* whole characters, '-', uuid */
}

/* ---- metadata of consumers --------------------------------------------------------------------------- */

static void
metadata_that_claims_too_much_is_refused(void **state)
{
    static const uint8_t huge[] = {0, 0, 0x7f, 0xff, 0xff, 0xff, 0};

    (void)state;
    assert_int_equal(join_code((JoinArgs){.metadata = {huge, sizeof huge}}), KERR_INVALID_REQUEST);
    assert_string_equal(kit_state(&k), "Empty");
    assert_int_equal(join_code((JoinArgs){.type = "connect", .metadata = {huge, sizeof huge}}),
                     KERR_MEMBER_ID_REQUIRED);
}

/* Metadata that cannot be read: the group works, and counts as subscribed to everything. */
static void
metadata_that_cannot_be_read_is_kept(void **state)
{
    static const uint8_t cut[] = {0, 0};
    static const uint8_t newer[] = {0, 99, 0, 0, 0, 1, 0, 1, 'u', 'x', 'y'};
    const char *id;

    (void)state;
    id = kit_alone(&k, (JoinArgs){.metadata = {cut, sizeof cut}});
    assert_true(classic_subscribes(kit_group(&k), STRVIEW("any")));
    (void)kit_join(&k, (JoinArgs){.member = id, .metadata = {newer, sizeof newer}});
    assert_true(classic_subscribes(kit_group(&k), STRVIEW("u")));
    assert_false(classic_subscribes(kit_group(&k), STRVIEW("any")));
}

static void
other_types_are_opaque(void **state)
{
    static const uint8_t bytes[] = {0, 1, 2};

    (void)state;
    (void)kit_alone(&k, (JoinArgs){.type = "connect", .metadata = {bytes, sizeof bytes}});
    assert_false(classic_subscribes(kit_group(&k), STRVIEW("any")));
    assert_true(strview_equal(classic_protocol_type(kit_group(&k)), STRVIEW("connect")));
}

/* ---- what others ask ------------------------------------------------------------------------------------ */

static void
who_may_commit(void **state)
{
    const char *id;
    Group *group;

    (void)state;
    (void)kit_enter(&k, (JoinArgs){0}, &id);
    group = kit_group(&k);
#define CHECK(member, instance, generation, transactional)                      \
    classic_check_commit(k.shard, kit_env(&k.kit), group, strview_from(member), \
                         strview_from(instance), generation, transactional)
    kit_pass_ms(&k, 0);
    assert_string_equal(kit_state(&k), "CompletingRebalance");
    assert_int_equal(CHECK(id, NULL, 1, false), KERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(CHECK(id, NULL, 1, true), 0);
    (void)kit_sync(&k, id, 1, NULL);
    assert_int_equal(CHECK(id, NULL, 1, false), 0);
    assert_int_equal(CHECK(id, NULL, 0, false), KERR_ILLEGAL_GENERATION);
    assert_int_equal(CHECK(id, NULL, -1, false), KERR_ILLEGAL_GENERATION);
    assert_int_equal(CHECK("nobody", NULL, 1, false), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(CHECK("", NULL, -1, false), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(CHECK("", NULL, -1, true), 0);
    assert_int_equal(CHECK("", "i", -1, false), KERR_UNKNOWN_MEMBER_ID);
    (void)kit_join(&k, (JoinArgs){.member = id, .mark = "y"});
    assert_int_equal(kit_leave(&k, id, NULL), 0);
    assert_string_equal(kit_state(&k), "Empty");
    assert_int_equal(CHECK("", NULL, -1, false), 0);
    assert_int_equal(CHECK("any", "any", -1, false), 0);
    assert_int_equal(CHECK(id, NULL, 2, false), KERR_UNKNOWN_MEMBER_ID);
#undef CHECK
}

static void
when_offsets_grow_old(void **state)
{
    const char *id;
    int64_t since;
    bool unsubscribed;
    Group *group = shard_add_group(k.shard, STRVIEW("g"));

    (void)state;
    assert_true(classic_is_simple(group));
    assert_true(classic_offsets_expire(group, &since, &unsubscribed));
    assert_int_equal(since, -1);
    assert_false(unsubscribed);
    (void)kit_enter(&k, (JoinArgs){0}, &id);
    assert_false(classic_is_simple(group));
    assert_false(classic_offsets_expire(group, &since, &unsubscribed));
    kit_pass_ms(&k, 0);
    (void)kit_sync(&k, id, 1, NULL);
    assert_true(classic_offsets_expire(group, &since, &unsubscribed));
    assert_true(unsubscribed);
    kit_pass_ms(&k, 10000);
    assert_true(classic_offsets_expire(group, &since, &unsubscribed));
    assert_int_equal(since, k.kit.env.wall_ms);
    assert_false(unsubscribed);
    kit_pass_ms(&k, 5000);
    kit_reload(&k); /* since when it was empty is in the log */
    assert_true(classic_offsets_expire(kit_group(&k), &since, &unsubscribed));
    assert_int_equal(since, k.kit.env.wall_ms - 5000);
}

static void
descriptions(void **state)
{
    const char *id = kit_alone(&k, (JoinArgs){0});
    DescribeGroupsResponseGroup one;

    (void)state;
    shard_describe_classic(k.shard, kit_env(&k.kit), 5, STRVIEW("g"), &one);
    assert_true(strview_equal(one.group_state, STRVIEW("Stable")));
    assert_true(strview_equal(one.protocol_data, STRVIEW("range")));
    assert_int_equal(one.members_count, 1);
    assert_true(strview_equal(one.members[0].member_id, strview_from(id)));
    assert_true(strview_equal(one.members[0].client_host, STRVIEW("/127.0.0.1")));
    assert_true(one.members[0].member_metadata.len > 0);
    assert_true(one.members[0].member_assignment.len > 0);
    (void)kit_join(&k, (JoinArgs){0}); /* an id: nothing happens */
    (void)kit_enter(&k, (JoinArgs){0}, &id);
    shard_describe_classic(k.shard, kit_env(&k.kit), 5, STRVIEW("g"), &one);
    assert_true(strview_equal(one.group_state, STRVIEW("PreparingRebalance")));
    assert_int_equal(one.protocol_data.len, 0);
    assert_int_equal(one.members_count, 2);
    assert_int_equal(one.members[0].member_metadata.len, 0);
    assert_true(one.members[0].member_assignment.len > 0);
}

/* ---- records that no server of ours wrote ----------------------------------------------------------------- */

static void
odd_records_are_made_the_best_of(void **state)
{
    const uint8_t *none = (const uint8_t *)"";
    GroupMetadataValueMember members[3];
    GroupMetadataValue value;
    Group *group;

    (void)state;
    group_metadata_value_init(&value);
    value.protocol_type = STRVIEW("");
    value.generation = INT32_MAX;
    value.leader = STRVIEW("nobody");
    value.members = members;
    value.members_count = 3;
    for (int i = 0; i < 3; i++) {
        group_metadata_value_member_init(&members[i]);
        members[i].member_id = i < 2 ? STRVIEW("twice") : STRVIEW("other");
        members[i].group_instance_id = i == 1 ? (StrView){0} : STRVIEW("same");
        members[i].client_id = members[i].client_host = STRVIEW("");
        members[i].session_timeout = -5;
        members[i].subscription = members[i].assignment = (BytesView){none, 0};
    }
    group = shard_add_group_of_log(k.shard, STRVIEW("g"));
    classic_replay(k.shard, group, &value);
    classic_loaded(k.shard, kit_env(&k.kit), group);
    (void)kit_take(&k.kit);
    shard_check(k.shard);
    assert_int_equal(group->classic->members.count, 1);
    assert_string_equal(classic_state_text(group), "Stable");
    kit_pass_ms(&k, 0); /* a session of less than nothing */
    assert_string_equal(classic_state_text(group), "Empty");
    classic_replay(k.shard, group, NULL);
    assert_true(classic_is_simple(group));
    shard_check(k.shard);
}

static void
count_reply(void *ctx, const GroupReply *reply)
{
    (void)reply;
    (*(int32_t *)ctx)++;
}

/* Seconds that this process has used. */
static double
own_time(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* A shard that is given up tells each of those who wait, in time that grows with their number and no faster. */
static void
a_crowd_is_told_at_once(void **state)
{
    enum { CROWD = 50000 };
    int32_t told = 0;
    double began;

    (void)state;
    k.kit.settings.initial_rebalance_delay_ms = 10000;
    k.kit.quiet = true;
    k.kit.on_reply = count_reply;
    k.kit.ctx = &told;
    for (int i = 0; i < CROWD; i++) {
        GroupCaller caller = kit_caller(&k.kit, 3);
        JoinGroupRequestProtocol protocol = {.name = STRVIEW("range")};
        JoinGroupRequest request;

        join_group_request_init(&request);
        request.group_id = STRVIEW("g");
        request.session_timeout_ms = request.rebalance_timeout_ms = 60000;
        request.protocol_type = STRVIEW("consumer");
        request.protocols = &protocol;
        request.protocols_count = 1;
        shard_join_group(k.shard, kit_env(&k.kit), &caller, &request);
        (void)kit_take(&k.kit);
    }
    assert_int_equal(told, 0);
    assert_int_equal(shard_counts(k.shard).members, CROWD);
    began = own_time();
    shard_unload(k.shard, kit_env(&k.kit), KERR_NOT_COORDINATOR);
    (void)kit_take(&k.kit);
    printf("# %d told in %.3f s\n", (int)told, own_time() - began);
    assert_true(own_time() - began < 2);
    assert_int_equal(told, CROWD);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(refused_joins),
        TEST(refused_syncs_and_heartbeats),
        TEST(leaving_in_old_versions_and_of_unknown_groups),
        TEST(pending_ids_are_bounded),
        TEST(what_a_member_may_say_is_bounded),
        TEST(a_name_offered_twice_counts_once),
        TEST(tight_memory_refuses_growth_alone),
        TEST(long_client_ids_are_cut),
        TEST(metadata_that_claims_too_much_is_refused),
        TEST(metadata_that_cannot_be_read_is_kept),
        TEST(other_types_are_opaque),
        TEST(who_may_commit),
        TEST(when_offsets_grow_old),
        TEST(descriptions),
        TEST(odd_records_are_made_the_best_of),
        TEST(a_crowd_is_told_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
