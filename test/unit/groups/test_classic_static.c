/*
 * test_classic_static.c - members with an instance id: restarts, fencing, leaving by name
 *
 * Tests follow the scenarios 14 to 16 of groups-and-transactions.md 12 and the recorded answers of Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_kit.h"

#include <string.h>

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

static bool
is(StrView text, const char *expected)
{
    return strview_equal(text, strview_from(expected));
}

/* Leader a holds "ia", b holds "ib"; generation 2. */
static void
static_pair(const char *id[2])
{
    kit_pair(&k, (JoinArgs){.instance = "ia"}, (JoinArgs){.instance = "ib"}, id, NULL);
}

/* Scenario 14: a restart within the session changes nothing but the id. */
static void
a_restart_keeps_generation_and_assignment(void **state)
{
    const char *id[2], *fresh;
    size_t records;
    GroupToken token;
    GroupMetadataValue value;

    (void)state;
    static_pair(id);
    records = k.kit.log_count;
    token = kit_join(&k, (JoinArgs){.instance = "ib"});
    assert_int_equal(kit_joined(&k, token)->generation_id, 2);
    assert_int_equal(kit_reply(&k.kit, token)->when, REPLY_COMMITTED);
    assert_true(is(kit_joined(&k, token)->leader, id[0]));
    assert_int_equal(kit_joined(&k, token)->members_count, 0);
    assert_false(kit_joined(&k, token)->skip_assignment);
    fresh = kit_member(&k, token);
    assert_memory_equal(fresh, "ib-", 3);
    assert_string_not_equal(fresh, id[1]);
    assert_int_equal(k.kit.log_count, records + 1);
    value = kit_last_group(&k);
    assert_int_equal(value.generation, 2);
    assert_true(is(value.members[1].member_id, fresh)); /* in the place of the old one */
    assert_int_equal(kit_beat(&k, id[0], "ia", 2), 0);
    assert_int_equal(kit_beat(&k, id[1], "ib", 2), KERR_FENCED_INSTANCE_ID);
    assert_int_equal(kit_beat(&k, fresh, "ib", 2), 0);
    assert_int_equal(kit_beat(&k, fresh, NULL, 2), 0);
    token = kit_sync_static(&k, fresh, "ib", 2, NULL);
    assert_string_equal(kit_assignment(&k, token),
                        arena_printf(k.kit.replies_arena, "for %s", id[1]));
    kit_reload(&k);
    assert_int_equal(kit_beat(&k, fresh, "ib", 2), 0);
}

/* Scenario 15: a leader that restarts is told not to assign, or not that it leads. */
static void
a_leader_that_restarts_does_not_assign(void **state)
{
    const char *id[2], *fresh;
    GroupToken token;

    (void)state;
    static_pair(id);
    token = kit_join(&k, (JoinArgs){.instance = "ia"});
    fresh = kit_member(&k, token);
    assert_true(is(kit_joined(&k, token)->leader, fresh));
    assert_true(kit_joined(&k, token)->skip_assignment);
    assert_int_equal(kit_joined(&k, token)->members_count, 2);
    /* Whatever it hands out now, it gets what it had. */
    token = kit_sync_static(&k, fresh, "ia", 2, (const char *[]){id[1], NULL});
    assert_string_equal(kit_assignment(&k, token),
                        arena_printf(k.kit.replies_arena, "for %s", id[0]));
    token = kit_join(&k, (JoinArgs){.instance = "ia", .version = 5});
    assert_true(is(kit_joined(&k, token)->leader, fresh));
    assert_string_not_equal(kit_member(&k, token), fresh);
    assert_int_equal(kit_joined(&k, token)->members_count, 0);
    assert_string_equal(kit_state(&k), "Stable");
}

/* Scenario 16: sessions end static members, and so does an administrator. */
static void
static_members_go_by_session_or_by_name(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    static_pair(id);
    assert_int_equal(kit_leave(&k, "", "nobody"), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(kit_leave(&k, id[0], "ib"), KERR_FENCED_INSTANCE_ID);
    assert_int_equal(kit_leave(&k, "made-up", "ib"), KERR_FENCED_INSTANCE_ID);
    assert_int_equal(kit_leave(&k, "", ""), KERR_UNKNOWN_MEMBER_ID);
    assert_string_equal(kit_state(&k), "Stable");
    assert_int_equal(kit_leave(&k, "", "ib"), 0);
    assert_int_equal(kit_beat(&k, id[0], "ia", 2), KERR_REBALANCE_IN_PROGRESS);
    token = kit_join(&k, (JoinArgs){.instance = "ia", .member = id[0]});
    assert_int_equal(kit_joined(&k, token)->members_count, 1);
    kit_pass_ms(&k, 10000);
    assert_string_equal(kit_state(&k), "Empty");
    token = kit_join(&k, (JoinArgs){.instance = "ia", .member = id[0]});
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
}

/* A silent static member is not dropped by a rebalance, and one of them alone does not complete it. */
static void
a_rebalance_keeps_silent_static_members(void **state)
{
    const char *id[3];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){.instance = "ia", .session_ms = 60000, .rebalance_ms = 5000},
             (JoinArgs){.instance = "ib", .session_ms = 60000, .rebalance_ms = 5000}, id, NULL);
    token = kit_enter(&k, (JoinArgs){.session_ms = 60000, .rebalance_ms = 5000}, &id[2]);
    kit_pass_ms(&k, 5000);
    assert_int_equal(kit_joined(&k, token)->members_count, 3);
    assert_true(is(kit_joined(&k, token)->leader, id[2]));
    /* All who are left are silent: nobody is there to lead. */
    kit_pass_ms(&k, 4000);
    assert_int_equal(kit_leave(&k, id[2], NULL), 0);
    kit_pass_ms(&k, 12000);
    assert_string_equal(kit_state(&k), "PreparingRebalance");
    token = kit_join(&k, (JoinArgs){.instance = "ia", .session_ms = 60000, .rebalance_ms = 5000});
    kit_pass_ms(&k, 5000);
    assert_true(is(kit_joined(&k, token)->leader, kit_member(&k, token)));
}

static void
a_restart_before_the_sync_rebalances(void **state)
{
    const char *id[2];
    GroupToken parked, token, other;

    (void)state;
    static_pair(id);
    token = kit_join(&k, (JoinArgs){.instance = "ia", .member = id[0]});
    other = kit_join(&k, (JoinArgs){.instance = "ib", .member = id[1]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 3);
    parked = kit_sync_static(&k, id[1], "ib", 3, NULL);
    other = kit_join(&k, (JoinArgs){.instance = "ib"});
    assert_int_equal(kit_code(&k.kit, parked), KERR_FENCED_INSTANCE_ID);
    assert_int_equal(kit_beat(&k, id[0], "ia", 3), KERR_REBALANCE_IN_PROGRESS);
    token = kit_join(&k, (JoinArgs){.instance = "ia", .member = id[0]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 4);
    assert_int_equal(kit_joined(&k, other)->generation_id, 4);
}

/* While its join is parked: the old process is told so, under its old id. */
static void
a_restart_during_a_join_fences_it(void **state)
{
    const char *id[2];
    GroupToken parked, token;

    (void)state;
    static_pair(id);
    parked = kit_join(&k, (JoinArgs){.instance = "ia", .member = id[0]});
    token = kit_join(&k, (JoinArgs){.instance = "ia"});
    assert_int_equal(kit_code(&k.kit, parked), KERR_FENCED_INSTANCE_ID);
    assert_string_equal(kit_member(&k, parked), id[0]);
    assert_int_equal(kit_code(&k.kit, token), KIT_NO_CODE);
    (void)kit_join(&k, (JoinArgs){.instance = "ib", .member = id[1]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 3);
}

/* Other metadata: kept for the next generation. Another vote: there is one. */
static void
a_restart_that_changes_the_vote_rebalances(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){.instance = "ia", .protocols = "range,rr"},
             (JoinArgs){.instance = "ib", .protocols = "rr,range"}, id, NULL);
    assert_true(is(kit_group(&k)->classic->protocol, "range"));
    token = kit_join(&k, (JoinArgs){.instance = "ib", .protocols = "rr,range", .mark = "x"});
    assert_int_equal(kit_joined(&k, token)->generation_id, 2);
    assert_string_equal(kit_state(&k), "Stable");
    token = kit_join(&k, (JoinArgs){.instance = "ib", .protocols = "rr"});
    assert_int_equal(kit_code(&k.kit, token), KIT_NO_CODE);
    assert_string_equal(kit_state(&k), "PreparingRebalance");
}

static void
wrong_names_are_told_apart(void **state)
{
    const char *id = kit_alone(&k, (JoinArgs){.instance = "i"}), *fresh;
    GroupToken token;

    (void)state;
    token = kit_join(&k, (JoinArgs){.member = id, .instance = "other"});
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
    token = kit_join(&k, (JoinArgs){.member = "made-up", .instance = "i"});
    assert_int_equal(kit_code(&k.kit, token), KERR_FENCED_INSTANCE_ID);
    assert_string_equal(kit_member(&k, token), "made-up");
    assert_int_equal(kit_beat(&k, "", "i", 1), KERR_FENCED_INSTANCE_ID);
    assert_int_equal(kit_beat(&k, id, "other", 1), KERR_UNKNOWN_MEMBER_ID);
    fresh = kit_member(&k, kit_join(&k, (JoinArgs){.instance = "i"}));
    assert_non_null(fresh);
    token = kit_join(&k, (JoinArgs){.member = id, .instance = "i"});
    assert_int_equal(kit_code(&k.kit, token), KERR_FENCED_INSTANCE_ID);
    token = kit_join(&k, (JoinArgs){.member = id});
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
    token = kit_sync_static(&k, id, "i", 9, NULL);
    assert_int_equal(kit_code(&k.kit, token), KERR_FENCED_INSTANCE_ID);
    assert_int_equal(kit_leave(&k, id, "i"), KERR_FENCED_INSTANCE_ID);
    assert_int_equal(kit_leave(&k, id, NULL), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(kit_check_commit(&k, id, 1), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(kit_check_commit(&k, fresh, 1), 0);
}

/* An empty instance id is one; a pending id is no static member's. */
static void
odd_instance_ids(void **state)
{
    GroupToken token = kit_join(&k, (JoinArgs){.instance = ""});
    const char *id;

    (void)state;
    kit_pass_ms(&k, 0);
    id = kit_member(&k, token);
    assert_int_equal(id[0], '-');
    assert_int_equal(kit_beat(&k, id, "", 1), 0);
    token = kit_join(&k, (JoinArgs){0});
    id = kit_member(&k, token);
    token = kit_join(&k, (JoinArgs){.member = id, .instance = "i"});
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
    id = kit_member(&k, token);
    token = kit_join(&k, (JoinArgs){.member = id});
    assert_int_equal(kit_code(&k.kit, token), KIT_NO_CODE); /* it was still good */
}

/* As Kafka has it: a restart names no member id, so it counts as somebody new where the group is full. */
static void
a_restart_needs_room(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    static_pair(id);
    k.kit.settings.max_size = 2;
    token = kit_join(&k, (JoinArgs){.instance = "ib"});
    assert_int_equal(kit_code(&k.kit, token), KERR_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(kit_beat(&k, id[1], "ib", 2), 0);
    token = kit_join(&k, (JoinArgs){.instance = "ib", .member = id[1]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 2);
}

/* What a restarted member brings must fit in the record, else nothing changes. */
static void
a_restart_that_fits_in_no_batch_is_refused(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    static_pair(id);
    k.kit.settings.max_batch_bytes = 1000;
    token = kit_join(&k, (JoinArgs){.instance = "ib",
                                    .metadata = {arena_calloc(k.kit.replies_arena, 900, 1), 900}});
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_SERVER_ERROR);
    assert_string_equal(kit_member(&k, token), "");
    assert_int_equal(kit_beat(&k, id[1], "ib", 2), 0);
    token = kit_join(&k, (JoinArgs){.instance = "ib"});
    assert_int_equal(kit_code(&k.kit, token), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_restart_keeps_generation_and_assignment),
        TEST(a_leader_that_restarts_does_not_assign),
        TEST(static_members_go_by_session_or_by_name),
        TEST(a_rebalance_keeps_silent_static_members),
        TEST(a_restart_before_the_sync_rebalances),
        TEST(a_restart_during_a_join_fences_it),
        TEST(a_restart_that_changes_the_vote_rebalances),
        TEST(wrong_names_are_told_apart),
        TEST(odd_instance_ids),
        TEST(a_restart_needs_room),
        TEST(a_restart_that_fits_in_no_batch_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
