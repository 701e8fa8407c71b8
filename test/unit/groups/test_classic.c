/*
 * test_classic.c - dynamic members of classic groups: joining, voting, syncing, expiring, loading again
 *
 * Tests follow the scenarios of groups-and-transactions.md 12 (numbers 6 to 13, 17 to 19) and the recorded
 * answers of Kafka.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_kit.h"

#include <stdio.h>
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

/* Scenario 6: an id first, then membership; an id that nobody used in time is forgotten. */
static void
an_id_is_handed_out_first(void **state)
{
    GroupToken first = kit_join(&k, (JoinArgs){.version = 4});
    const char *id = kit_member(&k, first);
    GroupToken second, late;
    GroupMetadataValue value;

    (void)state;
    assert_int_equal(kit_code(&k.kit, first), KERR_MEMBER_ID_REQUIRED);
    assert_int_equal(kit_reply(&k.kit, first)->when, REPLY_NOW);
    assert_memory_equal(id, "client-", 7);
    assert_int_equal(strlen(id), 7 + 36);
    for (size_t i = 0; i < 36; i++)
        assert_non_null(
            strchr(i == 8 || i == 13 || i == 18 || i == 23 ? "-" : "0123456789abcdef", id[7 + i]));
    assert_string_equal(kit_state(&k), "Empty");
    value = kit_last_group(&k); /* the group exists */
    assert_int_equal(value.generation, 0);
    assert_int_equal(value.protocol_type.len, 0);
    assert_int_equal(kit_beat(&k, id, NULL, 0), KERR_UNKNOWN_MEMBER_ID);

    second = kit_join(&k, (JoinArgs){.version = 4, .member = id});
    assert_int_equal(kit_code(&k.kit, second), KIT_NO_CODE);
    kit_pass_ms(&k, 0);
    assert_int_equal(kit_joined(&k, second)->generation_id, 1);
    assert_string_equal(kit_member(&k, second), id);
    assert_int_equal(kit_joined(&k, second)->members_count, 1);

    late = kit_join(&k, (JoinArgs){.session_ms = 500});
    id = kit_member(&k, late);
    kit_pass_ms(&k, 501);
    late = kit_join(&k, (JoinArgs){.session_ms = 500, .member = id});
    assert_int_equal(kit_code(&k.kit, late), KERR_UNKNOWN_MEMBER_ID);
    assert_string_equal(kit_member(&k, late), id);
}

static void
old_versions_join_at_once(void **state)
{
    GroupToken token = kit_join(&k, (JoinArgs){.version = -1, .session_ms = 7000});

    (void)state;
    kit_pass_ms(&k, 0);
    assert_int_equal(kit_joined(&k, token)->generation_id, 1);
    /* Version 0 has no rebalance timeout. */
    assert_int_equal(classic_rebalance_timeout_ms(kit_group(&k)), 7000);
}

/* Scenario 7: the initial delay is extended while somebody comes, and not cut short. */
static void
the_initial_delay_gathers_members(void **state)
{
    GroupToken token[3];
    const char *id;

    (void)state;
    k.kit.settings.initial_rebalance_delay_ms = 3000;
    token[0] = kit_enter(&k, (JoinArgs){0}, &id);
    kit_pass_ms(&k, 1000);
    token[1] = kit_enter(&k, (JoinArgs){0}, &id);
    kit_pass_ms(&k, 1500);
    token[2] = kit_enter(&k, (JoinArgs){0}, &id);
    kit_pass_ms(&k, 3499);
    assert_int_equal(kit_code(&k.kit, token[0]), KIT_NO_CODE);
    kit_pass_ms(&k, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kit_joined(&k, token[i])->generation_id, 1);
    assert_int_equal(kit_joined(&k, token[0])->members_count, 3);
    assert_int_equal(kit_joined(&k, token[2])->members_count, 0);
}

static void
one_member_waits_for_one_delay(void **state)
{
    const char *id;
    GroupToken token;

    (void)state;
    k.kit.settings.initial_rebalance_delay_ms = 3000;
    token = kit_enter(&k, (JoinArgs){0}, &id);
    kit_pass_ms(&k, 2999);
    assert_int_equal(kit_code(&k.kit, token), KIT_NO_CODE);
    kit_pass_ms(&k, 1);
    assert_int_equal(kit_code(&k.kit, token), 0);
}

/* The extension ends with the rebalance timeout, however many come. */
static void
the_initial_delay_has_an_end(void **state)
{
    const char *id;
    GroupToken token;
    int waited = 0;

    (void)state;
    k.kit.settings.initial_rebalance_delay_ms = 3000;
    token = kit_enter(&k, (JoinArgs){.rebalance_ms = 10000}, &id);
    while (kit_code(&k.kit, token) == KIT_NO_CODE && waited < 100) {
        (void)kit_enter(&k, (JoinArgs){.rebalance_ms = 10000}, &id);
        kit_pass_ms(&k, 1000);
        waited++;
    }
    assert_int_equal(waited, 10);
}

/* Scenario 8: the vote. */
static void
most_votes_choose_the_protocol(void **state)
{
    const char *id[3];
    GroupToken token[3];

    (void)state;
    token[0] = kit_enter(&k, (JoinArgs){.protocols = "range,rr"}, &id[0]);
    token[1] = kit_enter(&k, (JoinArgs){.protocols = "rr,range"}, &id[1]);
    token[2] = kit_enter(&k, (JoinArgs){.protocols = "rr"}, &id[2]);
    kit_pass_ms(&k, 0);
    for (int i = 0; i < 3; i++) {
        StrView name = kit_joined(&k, token[i])->protocol_name;

        assert_true(strview_equal(name, STRVIEW("rr")));
    }
    token[0] = kit_join(&k, (JoinArgs){.protocols = "sticky"});
    assert_int_equal(kit_code(&k.kit, token[0]), KERR_INCONSISTENT_GROUP_PROTOCOL);
    assert_string_equal(kit_member(&k, token[0]), "");
    token[0] = kit_join(&k, (JoinArgs){.type = "connect"});
    assert_int_equal(kit_code(&k.kit, token[0]), KERR_INCONSISTENT_GROUP_PROTOCOL);
    token[0] = kit_join(&k, (JoinArgs){.protocols = "sticky,rr"});
    assert_int_equal(kit_code(&k.kit, token[0]), KERR_MEMBER_ID_REQUIRED);
}

static void
of_equal_votes_the_leaders_wish_counts(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    token = kit_enter(&k, (JoinArgs){.protocols = "b,a"}, &id[0]);
    (void)kit_enter(&k, (JoinArgs){.protocols = "a,b"}, &id[1]);
    kit_pass_ms(&k, 0);
    assert_true(strview_equal(kit_joined(&k, token)->protocol_name, STRVIEW("b")));
}

/* Scenario 9: a silent member of a stable group. */
static void
a_session_ends(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){.session_ms = 30000}, (JoinArgs){.session_ms = 6000}, id, NULL);
    kit_pass_ms(&k, 5999);
    assert_int_equal(kit_beat(&k, id[0], NULL, 2), 0);
    kit_pass_ms(&k, 1);
    assert_int_equal(kit_beat(&k, id[0], NULL, 2), KERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(kit_beat(&k, id[1], NULL, 2), KERR_UNKNOWN_MEMBER_ID);
    token = kit_join(&k, (JoinArgs){.member = id[0], .session_ms = 30000});
    assert_int_equal(kit_joined(&k, token)->generation_id, 3);
    assert_int_equal(kit_joined(&k, token)->members_count, 1);
    token = kit_sync(&k, id[0], 3, NULL);
    assert_int_equal(k.kit.last_rebalance.cause, REBALANCE_MEMBER_EXPIRED);
    assert_true(strview_equal(k.kit.last_rebalance.cause_member, strview_from(id[1])));
    assert_int_equal(k.kit.last_rebalance.generation, 3);
    assert_int_equal(k.kit.last_rebalance.members, 1);
}

static void
heartbeats_and_commits_keep_a_session(void **state)
{
    const char *id = kit_alone(&k, (JoinArgs){.session_ms = 1000});

    (void)state;
    for (int i = 0; i < 5; i++) {
        kit_pass_ms(&k, 700);
        assert_int_equal(kit_beat(&k, id, NULL, 1), 0);
        kit_pass_ms(&k, 700);
        assert_int_equal(kit_check_commit(&k, id, 1), 0);
    }
    kit_pass_ms(&k, 1000);
    assert_string_equal(kit_state(&k), "Empty");
    assert_int_equal(kit_last_group(&k).generation, 2);
    assert_int_equal(kit_last_group(&k).members_count, 0);
}

/* Scenario 10: who does not join again in time is out. */
static void
a_rebalance_does_not_wait_for_ever(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){.rebalance_ms = 5000}, (JoinArgs){.rebalance_ms = 7000}, id, NULL);
    token = kit_join(&k, (JoinArgs){.member = id[0], .rebalance_ms = 5000});
    kit_pass_ms(&k, 6999);
    assert_int_equal(kit_code(&k.kit, token), KIT_NO_CODE);
    assert_int_equal(kit_beat(&k, id[1], NULL, 2), KERR_REBALANCE_IN_PROGRESS);
    kit_pass_ms(&k, 1);
    assert_int_equal(kit_joined(&k, token)->members_count, 1);
    assert_int_equal(kit_beat(&k, id[1], NULL, 3), KERR_UNKNOWN_MEMBER_ID);
    (void)kit_sync(&k, id[0], 3, NULL);
    assert_int_equal(k.kit.last_rebalance.cause, REBALANCE_LEADER_REJOINED);
    assert_true(strview_equal(k.kit.last_rebalance.waited_for, strview_from(id[1])));
    assert_int_equal(k.kit.last_rebalance.duration_ms, 7000);
}

/* Scenario 11: a leader that does not assign is out, and so is who did not ask. */
static void
a_leader_that_never_syncs_is_dropped(void **state)
{
    const char *id[2];
    GroupToken token, parked;

    (void)state;
    token = kit_enter(&k, (JoinArgs){.rebalance_ms = 5000, .session_ms = 30000}, &id[0]);
    (void)kit_enter(&k, (JoinArgs){.rebalance_ms = 5000, .session_ms = 30000}, &id[1]);
    kit_pass_ms(&k, 0);
    parked = kit_sync(&k, id[1], 1, NULL);
    kit_pass_ms(&k, 4999);
    assert_int_equal(kit_code(&k.kit, parked), KIT_NO_CODE);
    kit_pass_ms(&k, 1);
    assert_int_equal(kit_code(&k.kit, parked), KERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(kit_beat(&k, id[0], NULL, 1), KERR_UNKNOWN_MEMBER_ID);
    token = kit_join(&k, (JoinArgs){.member = id[1], .rebalance_ms = 5000});
    assert_true(strview_equal(kit_joined(&k, token)->leader, strview_from(id[1])));
    assert_int_equal(kit_joined(&k, token)->generation_id, 2);
}

/* A follower that never asked for its assignment is dropped from a stable group. */
static void
a_follower_that_never_syncs_is_dropped(void **state)
{
    const char *id[2], *to[3] = {0};

    (void)state;
    (void)kit_enter(&k, (JoinArgs){.rebalance_ms = 5000, .session_ms = 30000}, &id[0]);
    (void)kit_enter(&k, (JoinArgs){.rebalance_ms = 5000, .session_ms = 30000}, &id[1]);
    kit_pass_ms(&k, 0);
    to[0] = id[0];
    to[1] = id[1];
    (void)kit_sync(&k, id[0], 1, to);
    assert_string_equal(kit_state(&k), "Stable");
    kit_pass_ms(&k, 5000);
    assert_string_equal(kit_state(&k), "PreparingRebalance");
    assert_int_equal(kit_beat(&k, id[1], NULL, 1), KERR_UNKNOWN_MEMBER_ID);
}

/* Scenario 12, of what can be known before: an assignment that fits in no batch changes nothing but asks for another. */
static void
an_assignment_too_large_is_refused(void **state)
{
    const char *id[2], *to[3] = {0};
    GroupToken leader, follower;
    size_t records;

    (void)state;
    (void)kit_enter(&k, (JoinArgs){0}, &id[0]);
    (void)kit_enter(&k, (JoinArgs){0}, &id[1]);
    kit_pass_ms(&k, 0);
    records = k.kit.log_count;
    k.kit.settings.max_batch_bytes = 300;
    follower = kit_sync(&k, id[1], 1, NULL);
    to[0] = id[0];
    to[1] = id[1];
    leader = kit_sync(&k, id[0], 1, to);
    assert_int_equal(kit_code(&k.kit, leader), KERR_UNKNOWN_SERVER_ERROR);
    assert_int_equal(kit_code(&k.kit, follower), KERR_UNKNOWN_SERVER_ERROR);
    assert_string_equal(kit_state(&k), "PreparingRebalance");
    assert_int_equal(k.kit.log_count, records);
    for (const ClassicMember *m = kit_group(&k)->classic->first; m != NULL; m = m->next)
        assert_int_equal(m->assignment.len, 0);
}

/* Scenario 12, of what cannot: the record never came into the log, so the generation never was. */
static void
a_record_that_failed_leaves_the_generation_of_before(void **state)
{
    const char *id[2], *to[3] = {0};
    GroupToken token;
    int32_t generation;

    (void)state;
    kit_pair(&k, (JoinArgs){0}, (JoinArgs){0}, id, &generation);
    to[0] = id[0];
    to[1] = id[1];
    token = kit_join(&k, (JoinArgs){.member = id[0]});
    (void)kit_join(&k, (JoinArgs){.member = id[1]});
    assert_int_equal(kit_joined(&k, token)->generation_id, generation + 1);
    token = kit_sync(&k, id[0], generation + 1, to);
    assert_int_equal(kit_reply(&k.kit, token)->when, REPLY_COMMITTED);
    k.kit.log_count--; /* the append failed: the worker drops the shard */
    kit_reload(&k);
    k.kit.log_count++;
    assert_string_equal(kit_state(&k), "Stable");
    assert_int_equal(kit_beat(&k, id[0], NULL, generation + 1), KERR_ILLEGAL_GENERATION);
    assert_int_equal(kit_beat(&k, id[0], NULL, generation), 0);
    (void)kit_join(&k, (JoinArgs){.member = id[1], .mark = "other"});
    token = kit_join(&k, (JoinArgs){.member = id[0]});
    assert_int_equal(kit_joined(&k, token)->generation_id, generation + 16);
}

/* Scenario 13. */
static void
a_full_group_takes_nobody(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){0}, (JoinArgs){0}, id, NULL);
    k.kit.settings.max_size = 2;
    token = kit_join(&k, (JoinArgs){0});
    assert_int_equal(kit_code(&k.kit, token), KERR_GROUP_MAX_SIZE_REACHED);
    assert_string_equal(kit_member(&k, token), "");
    assert_int_equal(kit_beat(&k, id[0], NULL, 2), 0);
    token = kit_join(&k, (JoinArgs){.member = id[1]}); /* who is in stays in */
    assert_int_equal(kit_code(&k.kit, token), 0);
    /* In a rebalance those who wait are counted: the last to come is out. */
    k.kit.settings.max_size = 1;
    token = kit_join(&k, (JoinArgs){.member = id[0]});
    assert_int_equal(kit_code(&k.kit, token), KIT_NO_CODE);
    assert_int_equal(kit_code(&k.kit, kit_join(&k, (JoinArgs){.member = id[1]})),
                     KERR_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(kit_joined(&k, token)->members_count, 1);
}

static void
a_group_that_is_too_large_rebalances_when_loaded(void **state)
{
    const char *id[2];

    (void)state;
    kit_pair(&k, (JoinArgs){0}, (JoinArgs){0}, id, NULL);
    k.kit.settings.max_size = 1;
    kit_reload(&k);
    assert_string_equal(kit_state(&k), "PreparingRebalance");
}

/* Scenario 17: owned partitions travel within the metadata; a change of it is a new generation, equal bytes are none. */
static void
changed_metadata_rebalances(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){0}, (JoinArgs){0}, id, NULL);
    token = kit_join(&k, (JoinArgs){.member = id[1]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 2);
    assert_int_equal(kit_joined(&k, token)->members_count, 0);
    assert_int_equal(kit_reply(&k.kit, token)->when, REPLY_REPLICATED);
    assert_string_equal(kit_state(&k), "Stable");
    token = kit_join(&k, (JoinArgs){.member = id[1], .mark = "changed"});
    assert_string_equal(kit_state(&k), "PreparingRebalance");
    token = kit_join(&k, (JoinArgs){.member = id[0]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 3);
    /* Not told of it, it asks again: the same generation. */
    token = kit_join(&k, (JoinArgs){.member = id[1], .mark = "changed"});
    assert_int_equal(kit_joined(&k, token)->generation_id, 3);
    token = kit_join(&k, (JoinArgs){.member = id[0]});
    assert_int_equal(kit_joined(&k, token)->members_count, 2);
    (void)kit_join(&k, (JoinArgs){.member = id[1], .mark = "again"});
    assert_string_equal(kit_state(&k), "PreparingRebalance");
}

/* Scenario 18: members of a stable group notice nothing when it is loaded again. */
static void
a_stable_group_is_loaded_as_it_was(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){.session_ms = 6000}, (JoinArgs){.session_ms = 6000}, id, NULL);
    kit_pass_ms(&k, 5000);
    kit_reload(&k);
    kit_pass_ms(&k, 5999); /* sessions began anew */
    assert_int_equal(kit_beat(&k, id[0], NULL, 2), 0);
    assert_int_equal(kit_beat(&k, id[1], NULL, 2), 0);
    assert_string_equal(kit_assignment(&k, kit_sync(&k, id[1], 2, NULL)),
                        arena_printf(k.kit.replies_arena, "for %s", id[1]));
    assert_true(classic_subscribes(kit_group(&k), STRVIEW("t")));
    assert_false(classic_subscribes(kit_group(&k), STRVIEW("u")));
    token = kit_join(&k, (JoinArgs){.member = id[1], .session_ms = 6000});
    assert_int_equal(kit_joined(&k, token)->generation_id, 2);
    assert_string_equal(kit_state(&k), "Stable");
}

/* Scenario 19: who was parked is answered, and no number of a generation is used twice. */
static void
parked_joins_are_answered_when_the_shard_ends(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){0}, (JoinArgs){0}, id, NULL);
    token = kit_join(&k, (JoinArgs){.member = id[0]});
    kit_reload(&k);
    assert_int_equal(kit_code(&k.kit, token), KERR_NOT_COORDINATOR);
    token = kit_join(&k, (JoinArgs){.member = id[0]});
    (void)kit_join(&k, (JoinArgs){.member = id[1]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 2 + CLASSIC_RELOAD_GENERATION);
    token = kit_join(&k, (JoinArgs){.member = id[0], .mark = "x"});
    (void)kit_join(&k, (JoinArgs){.member = id[1]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 3 + CLASSIC_RELOAD_GENERATION);
}

static void
leaving_rebalances(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){0}, (JoinArgs){0}, id, NULL);
    assert_int_equal(kit_leave(&k, "nobody", NULL), KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(kit_leave(&k, "", NULL), KERR_UNKNOWN_MEMBER_ID);
    assert_string_equal(kit_state(&k), "Stable");
    assert_int_equal(kit_leave(&k, id[0], NULL), 0);
    assert_int_equal(kit_beat(&k, id[1], NULL, 2), KERR_REBALANCE_IN_PROGRESS);
    token = kit_sync(&k, id[1], 2, NULL);
    assert_int_equal(kit_code(&k.kit, token), KERR_REBALANCE_IN_PROGRESS);
    token = kit_join(&k, (JoinArgs){.member = id[1]});
    assert_int_equal(kit_joined(&k, token)->generation_id, 3);
    assert_int_equal(kit_leave(&k, id[1], NULL), 0);
    assert_string_equal(kit_state(&k), "Empty");
    assert_int_equal(kit_last_group(&k).generation, 4);
    token = kit_join(&k, (JoinArgs){.member = id[1]});
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
    token = kit_enter(&k, (JoinArgs){.type = "connect", .protocols = "other"}, &id[0]);
    kit_pass_ms(&k, 0);
    assert_int_equal(kit_joined(&k, token)->generation_id, 5);
}

/* As Kafka has it, even an id that nobody used yet starts a rebalance when it leaves. */
static void
a_pending_id_that_leaves_rebalances(void **state)
{
    const char *id = kit_alone(&k, (JoinArgs){0}), *pending;

    (void)state;
    pending = kit_member(&k, kit_join(&k, (JoinArgs){0}));
    assert_int_equal(kit_beat(&k, id, NULL, 1), 0);
    assert_int_equal(kit_leave(&k, pending, NULL), 0);
    assert_int_equal(kit_beat(&k, id, NULL, 1), KERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(kit_leave(&k, pending, NULL), KERR_UNKNOWN_MEMBER_ID);
}

/* Who leaves while its join or sync is parked gets an answer to that, too. */
static void
parked_requests_end_with_the_member(void **state)
{
    const char *id[3];
    GroupToken token;

    (void)state;
    kit_pair(&k, (JoinArgs){0}, (JoinArgs){0}, id, NULL);
    token = kit_enter(&k, (JoinArgs){0}, &id[2]);
    assert_int_equal(kit_leave(&k, id[2], NULL), 0);
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
    assert_string_equal(kit_member(&k, token), "");
    (void)kit_join(&k, (JoinArgs){.member = id[0]});
    (void)kit_join(&k, (JoinArgs){.member = id[1]});
    assert_string_equal(kit_state(&k), "CompletingRebalance");
    token = kit_sync(&k, id[1], 3, NULL);
    assert_int_equal(kit_leave(&k, id[1], NULL), 0);
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
    /* A join that is sent again takes the place of the first. */
    (void)kit_enter(&k, (JoinArgs){0}, &id[2]);
    token = kit_join(&k, (JoinArgs){.member = id[2]});
    (void)kit_join(&k, (JoinArgs){.member = id[2]});
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
}

/* A new member may wait longer than its session, but not for ever. */
static void
a_new_member_waits_longer_than_its_session(void **state)
{
    const char *id[2];
    GroupToken token;

    (void)state;
    (void)kit_alone(&k, (JoinArgs){.rebalance_ms = 400000, .session_ms = 400000});
    token = kit_enter(&k, (JoinArgs){.session_ms = 1000}, &id[1]);
    kit_pass_ms(&k, CLASSIC_NEW_MEMBER_MS - 1);
    assert_int_equal(kit_code(&k.kit, token), KIT_NO_CODE);
    kit_pass_ms(&k, 1);
    assert_int_equal(kit_code(&k.kit, token), KERR_UNKNOWN_MEMBER_ID);
}

/* An id that was handed out is waited for. */
static void
pending_ids_hold_a_rebalance_up(void **state)
{
    const char *id[2];
    GroupToken token, pending;

    (void)state;
    kit_pair(&k, (JoinArgs){0}, (JoinArgs){0}, id, NULL);
    pending = kit_join(&k, (JoinArgs){.session_ms = 3000});
    token = kit_join(&k, (JoinArgs){.member = id[0]});
    (void)kit_join(&k, (JoinArgs){.member = id[1]});
    assert_int_equal(kit_code(&k.kit, token), KIT_NO_CODE);
    kit_pass_ms(&k, 3000);
    assert_int_equal(kit_joined(&k, token)->members_count, 2);
    pending = kit_join(&k, (JoinArgs){.member = kit_member(&k, pending)});
    assert_int_equal(kit_code(&k.kit, pending), KERR_UNKNOWN_MEMBER_ID);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_handed_out_first),
        TEST(old_versions_join_at_once),
        TEST(the_initial_delay_gathers_members),
        TEST(one_member_waits_for_one_delay),
        TEST(the_initial_delay_has_an_end),
        TEST(most_votes_choose_the_protocol),
        TEST(of_equal_votes_the_leaders_wish_counts),
        TEST(a_session_ends),
        TEST(heartbeats_and_commits_keep_a_session),
        TEST(a_rebalance_does_not_wait_for_ever),
        TEST(a_leader_that_never_syncs_is_dropped),
        TEST(a_follower_that_never_syncs_is_dropped),
        TEST(an_assignment_too_large_is_refused),
        TEST(a_record_that_failed_leaves_the_generation_of_before),
        TEST(a_full_group_takes_nobody),
        TEST(a_group_that_is_too_large_rebalances_when_loaded),
        TEST(changed_metadata_rebalances),
        TEST(a_stable_group_is_loaded_as_it_was),
        TEST(parked_joins_are_answered_when_the_shard_ends),
        TEST(leaving_rebalances),
        TEST(a_pending_id_that_leaves_rebalances),
        TEST(parked_requests_end_with_the_member),
        TEST(a_new_member_waits_longer_than_its_session),
        TEST(pending_ids_hold_a_rebalance_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
