/*
 * test_consumer.c - consumer groups do what the reference server was seen to do, step by step
 *
 * Most cases follow a recorded conversation with Apache Kafka; numbers in names are those of the acceptance
 * scenarios of groups-and-transactions.md 12. After each step all invariants hold, after each case the log
 * gives the same group.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer_case.h"

#include <stdio.h>
#include <stdlib.h>

/* a and b at epoch 3 with two of four partitions each. */
static void
two_members(ConsumerKit *ck)
{
    JOIN("2 a:0,1,2,3", "a", .names = "a");
    JOIN("3 -", "b", .names = "a");
    BEAT("2 a:0,1", "a", 2, .owns = NULL);
    BEAT("3", "a", 2, .owns = "a:0,1");
    BEAT("3 a:2,3", "b", 3, .owns = NULL);
}

static void
requests_that_are_none_change_nothing(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a1");

    (void)state;
    JOIN("E42", "m", .names = "a", .instance = "");
    JOIN("E42", "m", .names = "a", .rack = "");
    BEAT("E42", "m", 0, .names = "a", .owns = "");
    JOIN("E42", "m", .names = NULL);
    BEAT("E42", "m", 0, .names = "a", .timeout_ms = 5);
    JOIN("E42", "m", .names = "a", .owns = "a:0");
    JOIN("E112", "m", .names = "a", .assignor = "none");
    JOIN("E112", "m", .names = "a", .assignor = "");
    JOIN("E112", "m", .names = "a", .assignor = "Range");
    BEAT("E42", "m", -2, .owns = NULL);
    BEAT("E42", "m", -3, .owns = NULL);
    BEAT("E42", "", 1, .owns = NULL);
    BEAT("E42", "", 0, .join = true, .names = "a");
    JOIN("E128", "m", .regex = "[");
    JOIN("E128", "m", .regex = "(?=x)");
    BEAT("E69", "m", 1, .owns = NULL);
    BEAT("E69", "m", -1, .owns = NULL);
    BEAT("E69", "m", -2, .instance = "i");
    assert_null(shard_find_group(ck->shard, STRVIEW(G)));
    assert_int_equal(ck->kit.log_count, 0);
    JOIN("2 a:0", "m", .names = "a", .timeout_ms = -2);
    BEAT("E25", "other", 1, .owns = NULL);
    BEAT("E25", "other", -1, .owns = NULL);
    BEAT("E25", "other", 1, .instance = "i");
    BEAT("E25", "other", -2, .instance = "i");
    ck_end(ck);
}

static void
first_epochs(void **state)
{
    static const struct {
        const char *names, *regex, *answer;
    } cases[] = {{"", NULL, "1 -"},           {"none", NULL, "2 -"}, {"a", NULL, "2 a:0"},
                 {"a,none,a", NULL, "2 a:0"}, {NULL, "", "1 -"},     {NULL, "a", "1 -"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ConsumerKit *ck = ck_begin(G, "a1");

        JOIN(cases[i].answer, "m", .names = cases[i].names, .regex = cases[i].regex);
        ck_end(ck);
    }
}

static void
answers_in_full_only_when_all_is_said(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a2");

    (void)state;
    JOIN("2 a:0,1", "a", .names = "a");
    BEAT("2", "a", 2, .owns = NULL);
    BEAT("2 a:0,1", "a", 2, .join = true, .names = "a", .owns = "a:0,1");
    BEAT("2 a:0,1", "a", 2, .join = true, .names = "a");
    BEAT("2", "a", 2, .names = "a", .timeout_ms = 10000);
    BEAT("2", "a", 2, .names = "a", .owns = "");
    BEAT("2", "a", 2, .join = true);
    BEAT("2", "a", 2, .owns = "");
    ck_end(ck);
}

/* Nothing new is written by heartbeats that bring nothing new. */
static void
s26_partitions_move_when_they_were_given_back(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a4");
    size_t records;

    (void)state;
    JOIN("2 a:0,1,2,3", "a", .names = "a");
    BEAT("2", "a", 2, .owns = NULL);
    JOIN("3 -", "b", .names = "a");
    assert_string_equal(ck_state(ck, G), "Reconciling");
    BEAT("2 a:0,1", "a", 2, .owns = "a:0,1,2,3");
    BEAT("3", "b", 3, .owns = ""); /* the epoch before does not count any more */
    records = ck->kit.log_count;
    BEAT("3", "b", 3, .owns = "");
    BEAT("2", "a", 2, .owns = "a:0,1,2,3");
    BEAT("2", "a", 2, .owns = NULL);
    BEAT("2", "a", 2, .owns = "a:0,1,3");
    assert_int_equal(ck->kit.log_count, records);
    BEAT("3", "a", 2, .owns = "a:0,1");
    assert_string_equal(ck_state(ck, G), "Reconciling");
    BEAT("3 a:2,3", "b", 3, .owns = "");
    assert_string_equal(ck_state(ck, G), "Stable");
    BEAT("3", "b", 3, .owns = "a:2,3");
    BEAT("3 a:2,3", "b", 3, .join = true, .names = "a", .owns = "a:2,3");
    assert_int_equal(ck->kit.rebalance_count, 2);
    assert_int_equal(ck->kit.last_rebalance.cause, REBALANCE_NEW_MEMBER);
    assert_int_equal(ck->kit.last_rebalance.generation, 3);
    ck_end(ck);
}

static void
s27_who_gives_nothing_back_is_removed(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a2");

    (void)state;
    JOIN("2 a:0,1", "a", .names = "a", .timeout_ms = 500);
    JOIN("3 -", "b", .names = "a");
    BEAT("2 a:0", "a", 2, .owns = "a:0,1");
    ck_wait(ck, 499);
    BEAT("2", "a", 2, .owns = "a:0,1");
    ck_wait(ck, 1);
    BEAT("E25", "a", 2, .owns = "a:0,1");
    BEAT("4 a:0,1", "b", 3, .owns = "");
    ck_end(ck);
}

static void
s28_the_epoch_before_is_taken_when_the_answer_was_lost(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a4");

    (void)state;
    two_members(ck);
    BEAT("E110", "a", 4, .owns = NULL);
    BEAT("E110", "a", 2, .owns = NULL);
    BEAT("3", "a", 2, .owns = "a:0");
    BEAT("3", "a", 2, .owns = "a:0,1");
    BEAT("E110", "a", 2, .owns = "a:0,2");
    BEAT("3", "a", 2, .owns = "");
    BEAT("E110", "a", 1, .owns = "a:0");
    BEAT("3", "a", 3, .owns = "a:0,2");
    ck_end(ck);
}

/* A member that waits for others takes a step with each heartbeat: the epoch before is this one then. */
static void
the_epoch_before_is_that_of_the_last_step(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a4");

    (void)state;
    JOIN("2 a:0,1,2,3", "a", .names = "a");
    JOIN("3 -", "b", .names = "a");
    JOIN("4 -", "c", .names = "a");
    BEAT("4", "b", 3, .owns = "");
    BEAT("4", "b", 3, .owns = "");
    BEAT("E110", "b", 3, .owns = "");
    BEAT("4", "b", 4, .owns = "");
    ck_reload(ck);
    BEAT("E110", "b", 3, .owns = "");
    ck_end(ck);
}

/* While a newer target wants more back the epoch stays, however much was given back before. */
static void
the_epoch_stays_until_all_is_given_back(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a4");

    (void)state;
    JOIN("2 a:0,1,2,3", "a", .names = "a");
    JOIN("3 -", "b", .names = "a");
    BEAT("2 a:0,1", "a", 2, .owns = NULL);
    JOIN("4 -", "c", .names = "a");
    JOIN("5 -", "d", .names = "a");
    BEAT("2 a:0", "a", 2, .owns = "a:0,1");
    BEAT("E110", "a", 3, .owns = "a:0");
    BEAT("5", "a", 2, .owns = "a:0");
    BEAT("5", "a", 2, .owns = "a:0");
    ck_end(ck);
}

static void
s29_epoch_0_of_a_member_keeps_what_it_has(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a4");

    (void)state;
    two_members(ck);
    BEAT("E110", "a", 99, .owns = "");
    JOIN("3 a:0,1", "a", .names = "a");
    BEAT("3", "b", 3, .owns = NULL);
    ck_end(ck);
}

static void
members_leave(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a4");

    (void)state;
    two_members(ck);
    BEAT("-1", "b", -1, .owns = NULL);
    assert_string_equal(ck_state(ck, G), "Assigning");
    BEAT("E25", "b", 3, .owns = NULL);
    BEAT("E25", "b", -1, .owns = NULL);
    BEAT("4 a:0,1,2,3", "a", 3, .owns = NULL);
    BEAT("-1", "a", -1, .owns = NULL);
    assert_int_equal(ck->kit.last_rebalance.cause, REBALANCE_MEMBER_LEFT);
    assert_int_equal(ck->kit.last_rebalance.members, 0); /* ends at once: nobody is waited for */
    assert_null(ck->kit.last_rebalance.waited_for.ptr);
    assert_string_equal(ck_state(ck, G), "Empty");
    ck_reload(ck);
    JOIN("6 a:0,1,2,3", "c", .names = "a");
    ck_end(ck);
}

static void
sessions_end_after_the_groups_own_time(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a2");
    const ConsumerGroupHeartbeatResponse *r;

    (void)state;
    ck->kit.settings.consumer_min_session_timeout_ms = 1000;
    ck->kit.settings.consumer_min_heartbeat_interval_ms = 300;
    kit_set_config(&ck->kit, G, "consumer.session.timeout.ms", "1000");
    kit_set_config(&ck->kit, G, "consumer.heartbeat.interval.ms", "200"); /* below the least */
    r = kit_message(&ck->kit, ck_say(ck, G, "a", 0, (Say){.join = true, .names = "a"}),
                    &consumer_group_heartbeat_response_desc);
    assert_int_equal(r->heartbeat_interval_ms, 300);
    ck_wait(ck, 999);
    BEAT("2", "a", 2, .owns = NULL);
    ck_wait(ck, 999);
    assert_string_equal(ck_state(ck, G), "Stable");
    ck_reload(ck); /* full time anew */
    ck_wait(ck, 999);
    assert_string_equal(ck_state(ck, G), "Stable");
    ck_wait(ck, 1);
    assert_string_equal(ck_state(ck, G), "Empty");
    BEAT("E25", "a", 2, .owns = NULL);
    ck_end(ck);
}

static void
targets_wait_for_the_interval_but_the_first(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a2");

    (void)state;
    kit_set_config(&ck->kit, G, "consumer.assignment.interval.ms", NULL);
    JOIN("2 a:0,1", "a", .names = "a");
    JOIN("2 -", "b", .names = "a");
    assert_string_equal(ck_state(ck, G), "Assigning");
    ck_wait(ck, 999);
    BEAT("2", "b", 2, .owns = "");
    ck_reload(ck); /* the time of the last one is in the log */
    ck_wait(ck, 1);
    BEAT("3", "b", 2, .owns = "");
    BEAT("2 a:0", "a", 2, .owns = NULL);
    ck->kit.env.wall_ms -= 3600000; /* the clock is set back: nobody waits an hour */
    JOIN("4 -", "c", .names = "a");
    ck_end(ck);
}

static void
topics_come_grow_and_go(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a1");

    (void)state;
    JOIN("2 -", "m", .names = "z");
    kit_add_topic(&ck->kit, "z", 2);
    BEAT("2", "m", 2, .owns = ""); /* nobody has told */
    ck_tell_metadata(ck);
    BEAT("3 z:0,1", "m", 2, .owns = "");
    kit_add_topic(&ck->kit, "other", 2);
    ck_tell_metadata(ck);
    BEAT("3", "m", 3, .owns = "z:0,1");
    ck->kit.topics[1].partitions = 3;
    ck->kit.metadata.version++;
    ck_tell_metadata(ck);
    BEAT("4 z:0,1,2", "m", 3, .owns = NULL);
    ck_reload(ck);
    BEAT("4", "m", 4, .owns = NULL);
    kit_remove_topic(&ck->kit, "z");
    ck_tell_metadata(ck);
    BEAT("4 -", "m", 4, .owns = NULL);
    BEAT("5", "m", 4, .owns = "");
    ck_end(ck);
}

static void
s30_expressions_are_resolved_soon(void **state)
{
    ConsumerKit *ck = ck_begin(G, "");

    (void)state;
    kit_add_topic(&ck->kit, "t-1", 1);
    kit_add_topic(&ck->kit, "u-1", 1);
    kit_add_topic(&ck->kit, "t", 1);
    JOIN("1 -", "m", .regex = "t-.*");
    ck_wait(ck, 1);
    BEAT("2 t-1:0", "m", 1, .owns = NULL);
    BEAT("E128", "m", 2, .regex = "[");
    kit_add_topic(&ck->kit, "t-2", 1);
    ck_tell_metadata(ck);
    BEAT("2", "m", 2, .owns = NULL); /* not again within ten seconds */
    ck_wait(ck, 10000);
    BEAT("2", "m", 2, .owns = NULL);
    ck_wait(ck, 1);
    ck_reload(ck);
    BEAT("3 t-1:0 t-2:0", "m", 2, .owns = NULL);
    JOIN("4 -", "n", .regex = "t-.*", .timeout_ms = 60000); /* known: counts at once */
    BEAT("3 t-1:0", "m", 3, .owns = NULL);
    BEAT("4", "m", 3, .owns = "t-1:0");
    BEAT("4 t-2:0", "n", 4, .owns = NULL);
    /* The whole name must match; what is not resolved yet means nothing. */
    BEAT("4 -", "n", 4, .regex = "t-");
    ck_wait(ck, 1);
    BEAT("5", "n", 4, .owns = "");
    BEAT("5 t-1:0 t-2:0", "m", 4, .owns = NULL);
    ck_end(ck);
}

static void
s31_static_members_come_back(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a4");

    (void)state;
    JOIN("2 a:0,1,2,3", "a", .names = "a", .instance = "ia");
    JOIN("E111", "b", .names = "a", .instance = "ia");
    JOIN("E111", "a", .names = "a", .instance = "ia");
    BEAT("E82", "b", 2, .instance = "ia");
    BEAT("E82", "b", -1, .instance = "ia");
    BEAT("2", "a", 2, .owns = NULL);
    BEAT("E25", "a", 2, .instance = "other");
    BEAT("-2", "a", -2, .instance = "ia");
    assert_string_equal(ck_state(ck, G), "Reconciling");
    BEAT("-2", "a", -2, .instance = "ia");
    BEAT("E110", "a", 2, .instance = "ia");
    assert_int_equal(shard_find_group(ck->shard, STRVIEW(G))->consumer->epoch, 2);
    ck_reload(ck);
    JOIN("2 a:0,1,2,3", "c", .names = "a", .instance = "ia");
    assert_string_equal(ck_state(ck, G), "Stable");
    BEAT("E82", "a", 2, .instance = "ia");
    BEAT("-2", "c", -2, .instance = "ia");
    JOIN("2 a:0,1,2,3", "c", .names = "a", .instance = "ia"); /* under its own id */
    BEAT("-1", "c", -1, .instance = "ia");
    assert_string_equal(ck_state(ck, G), "Empty");
    /* Away for too long: gone. */
    JOIN("4 a:0,1,2,3", "d", .names = "a", .instance = "ia");
    BEAT("-2", "d", -2, .instance = "ia");
    ck_wait(ck, 45000);
    assert_string_equal(ck_state(ck, G), "Empty");
    ck_end(ck);
}

static void
s33_a_reload_in_the_middle_changes_nothing(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a6");

    (void)state;
    JOIN("2 a:0,1,2,3,4,5", "a", .names = "a");
    ck_reload(ck);
    JOIN("3 -", "b", .names = "a");
    ck_reload(ck);
    BEAT("2 a:0,1,2", "a", 2, .owns = "a:0,1,2,3,4,5");
    ck_reload(ck);
    BEAT("3", "b", 3, .owns = "");
    BEAT("3", "a", 2, .owns = "a:0,1,2");
    ck_reload(ck);
    assert_int_equal(ck->kit.rebalance_count, 1);
    BEAT("3 a:3,4,5", "b", 3, .owns = "");
    assert_int_equal(ck->kit.rebalance_count, 2); /* nobody knows any more what began it */
    assert_int_equal(ck->kit.last_rebalance.cause, REBALANCE_RELOADED);
    assert_null(ck->kit.last_rebalance.cause_member.ptr);
    assert_int_equal(ck->kit.last_rebalance.members, 2);
    ck_reload(ck);
    BEAT("3", "a", 3, .owns = "a:0,1,2");
    assert_int_equal(ck->kit.rebalance_count, 2); /* nothing was under way */
    ck_end(ck);
}

static void
the_assignor_most_members_wish_for(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a3");
    ConsumerGroup *c;

    (void)state;
    JOIN("2 a:0,1,2", "a", .names = "a", .assignor = "range");
    c = shard_find_group(ck->shard, STRVIEW(G))->consumer;
    assert_int_equal(consumer_assignor(c, &ck->kit.settings), ASSIGNOR_RANGE);
    BEAT("2", "a", 2, .assignor = "uniform");
    assert_int_equal(consumer_assignor(c, &ck->kit.settings), ASSIGNOR_UNIFORM);
    BEAT("2", "a", 2, .assignor = "range");
    JOIN("3 -", "b", .names = "a", .assignor = "range");
    JOIN("4 -", "c", .names = "a", .assignor = "uniform");
    assert_int_equal(consumer_assignor(c, &ck->kit.settings), ASSIGNOR_RANGE);
    assert_int_equal(ck_member(ck, G, "c")->target.list[0].partition, 2);
    ck_end(ck);
}

static void
full_and_tight_groups_take_nobody_new(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a1");

    (void)state;
    ck->kit.settings.consumer_max_size = 1;
    JOIN("2 a:0", "a", .names = "a");
    JOIN("E81", "b", .names = "a");
    JOIN("2 a:0", "a", .names = "a");
    ck->kit.settings.consumer_max_size = 10;
    ck->kit.memory.limit = ck->kit.memory.used;
    JOIN("E15", "b", .names = "a");
    BEAT("2", "a", 2, .owns = NULL);
    ck->kit.memory.limit = (size_t)1 << 30;
    ck->kit.settings.consumer_enabled = false;
    BEAT("E35", "a", 2, .owns = NULL);
    ck_end(ck);
}

static int16_t
may_commit(ConsumerKit *ck, const char *member, int32_t epoch, int32_t partition)
{
    Group *group = shard_find_group(ck->shard, STRVIEW(G));
    StrView id = strview_from(member);
    int16_t code = consumer_check_commit(ck->shard, kit_env(&ck->kit), group, id, (StrView){0},
                                         epoch, 9, false);

    if (code == KERR_STALE_MEMBER_EPOCH)
        code = consumer_check_commit_partition(group, kit_env(&ck->kit), id, epoch, STRVIEW("a"),
                                               partition);
    return code;
}

static void
commits_of_older_epochs_count_for_what_was_had_then(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a4");
    Group *group;

    (void)state;
    two_members(ck);
    group = shard_find_group(ck->shard, STRVIEW(G));
    assert_int_equal(may_commit(ck, "a", 3, 0), 0);
    assert_int_equal(may_commit(ck, "a", 2, 0), 0);
    assert_int_equal(may_commit(ck, "a", 1, 0), KERR_STALE_MEMBER_EPOCH);
    assert_int_equal(may_commit(ck, "a", 2, 2), KERR_STALE_MEMBER_EPOCH); /* b's now */
    assert_int_equal(may_commit(ck, "b", 2, 2), KERR_STALE_MEMBER_EPOCH); /* got it at 3 */
    assert_int_equal(may_commit(ck, "b", 3, 2), 0);
    assert_int_equal(may_commit(ck, "a", 4, 0), KERR_STALE_MEMBER_EPOCH);
    assert_int_equal(may_commit(ck, "x", 3, 0), KERR_UNKNOWN_MEMBER_ID);
    ck_reload(ck);
    group = shard_find_group(ck->shard, STRVIEW(G));
    assert_int_equal(may_commit(ck, "a", 2, 0), 0);
    assert_int_equal(consumer_check_commit(ck->shard, kit_env(&ck->kit), group, STRVIEW("a"),
                                           (StrView){0}, 3, 8, false),
                     KERR_UNSUPPORTED_VERSION);
    assert_int_equal(consumer_check_fetch(group, (StrView){0}, -1), 0);
    assert_int_equal(consumer_check_fetch(group, STRVIEW("a"), 2), KERR_STALE_MEMBER_EPOCH);
    assert_int_equal(consumer_check_fetch(group, STRVIEW("a"), 3), 0);
    assert_true(consumer_subscribes(group, STRVIEW("a")));
    assert_false(consumer_subscribes(group, STRVIEW("b")));
    ck_end(ck);
}

static void
a_member_costs_little(void **state)
{
    ConsumerKit *ck = ck_begin(G, "");
    size_t before;

    (void)state;
    assert_true(sizeof(ConsumerMember) <= 512);
    kit_set_config(&ck->kit, G, "consumer.assignment.interval.ms", "15000");
    kit_add_topic(&ck->kit, "a", 1000);
    ck->kit.quiet = true;
    before = ck->kit.memory.used;
    for (int i = 0; i < 300; i++) {
        char id[32];

        (void)snprintf(id, sizeof id, "member-%d", i);                 /* fits */
        (void)ck_say(ck, G, id, 0, (Say){.join = true, .names = "a"}); /* counted below */
        kit_forget(&ck->kit);
    }
    ck_wait(ck, 15000);
    (void)ck_say(ck, G, "member-1", -1, (Say){.owns = NULL});
    assert_int_equal(consumer_member_count(shard_find_group(ck->shard, STRVIEW(G))), 299);
    assert_in_range(ck->kit.memory.used - before, 1, 299 * 900 + 3 * 1000 * 16 + 16384);
    consumer_kit_fini(ck);
    free(ck);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_that_are_none_change_nothing),
        cmocka_unit_test(first_epochs),
        cmocka_unit_test(answers_in_full_only_when_all_is_said),
        cmocka_unit_test(s26_partitions_move_when_they_were_given_back),
        cmocka_unit_test(s27_who_gives_nothing_back_is_removed),
        cmocka_unit_test(s28_the_epoch_before_is_taken_when_the_answer_was_lost),
        cmocka_unit_test(the_epoch_before_is_that_of_the_last_step),
        cmocka_unit_test(the_epoch_stays_until_all_is_given_back),
        cmocka_unit_test(s29_epoch_0_of_a_member_keeps_what_it_has),
        cmocka_unit_test(members_leave),
        cmocka_unit_test(sessions_end_after_the_groups_own_time),
        cmocka_unit_test(targets_wait_for_the_interval_but_the_first),
        cmocka_unit_test(topics_come_grow_and_go),
        cmocka_unit_test(s30_expressions_are_resolved_soon),
        cmocka_unit_test(s31_static_members_come_back),
        cmocka_unit_test(s33_a_reload_in_the_middle_changes_nothing),
        cmocka_unit_test(the_assignor_most_members_wish_for),
        cmocka_unit_test(full_and_tight_groups_take_nobody_new),
        cmocka_unit_test(commits_of_older_epochs_count_for_what_was_had_then),
        cmocka_unit_test(a_member_costs_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
