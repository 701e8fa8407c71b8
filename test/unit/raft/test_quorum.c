/*
 * test_quorum.c - the quorum of one: what the disk says, every event in every state, the file's text
 *
 * Proves Q1 and Q2 of quorum.h and the table of initial states (cluster.md 2.3).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ottla/raft/quorum.h"

static const Uuid dir_a = {{1, 2, 3}};
static const Uuid dir_b = {{4, 5, 6}};

static QuorumStart
fresh(void)
{
    QuorumStart start = {.self = {1, dir_a}, .voter = {1, dir_a}, .voter_count = 1};

    quorum_state_init(&start.stored);
    return start;
}

static void
elect(Quorum *q, int64_t log_end, QuorumActions *actions)
{
    quorum_step(q, &(QuorumEvent){QUORUM_EV_ELECTION, log_end}, actions);
}

static void
test_first_start(void **state)
{
    QuorumStart start = fresh();
    QuorumActions actions;
    Quorum q;

    (void)state;
    assert_int_equal(quorum_start(&q, &start, NULL), 0);
    assert_int_equal(q.role, QUORUM_UNATTACHED);
    elect(&q, 0, &actions);
    assert_int_equal(q.role, QUORUM_LEADER);
    assert_int_equal(q.epoch, 1);
    /* The vote is stored before it counts, leadership before the first append [Q2]. */
    assert_int_equal(actions.count, 4);
    assert_int_equal(actions.items[0].kind, QUORUM_STORE_STATE);
    assert_int_equal(actions.items[0].state.voted_id, 1);
    assert_int_equal(actions.items[0].state.leader_id, QUORUM_NODE_NONE);
    assert_true(uuid_equal(actions.items[0].state.voted_directory_id, dir_a));
    assert_int_equal(actions.items[1].kind, QUORUM_STORE_STATE);
    assert_int_equal(actions.items[1].state.leader_id, 1);
    assert_int_equal(actions.items[2].kind, QUORUM_BEGIN_EPOCH);
    assert_int_equal(actions.items[3].kind, QUORUM_APPEND_LEADER_CHANGE);
    assert_int_equal(q.high_watermark, -1);
    quorum_step(&q, &(QuorumEvent){QUORUM_EV_FLUSHED, 3}, &actions);
    assert_int_equal(q.high_watermark, 3);
}

static void
test_initial_states(void **state)
{
    QuorumStart start = fresh();
    QuorumActions actions;
    Quorum q;

    (void)state;
    start.stored.leader_epoch = 4;
    start.log_epoch = 6; /* a log from the future of its quorum-state */
    start.log_end = 10;
    assert_int_equal(quorum_start(&q, &start, NULL), 0);
    assert_int_equal(q.role, QUORUM_UNATTACHED);
    assert_int_equal(q.epoch, 6);

    start.stored.leader_epoch = 6;
    start.stored.leader_id = 1;
    assert_int_equal(quorum_start(&q, &start, NULL), 0);
    assert_int_equal(q.role, QUORUM_RESIGNED); /* never leader again in its epoch [Q1] */
    elect(&q, 10, &actions);
    assert_int_equal(q.epoch, 7);
    assert_int_equal(q.epoch_start, 10);

    start.stored.leader_id = QUORUM_NODE_NONE;
    start.stored.voted_id = 1;
    assert_int_equal(quorum_start(&q, &start, NULL), 0);
    assert_int_equal(q.role, QUORUM_CANDIDATE); /* its vote of epoch 6 is on disk: it may win it */
    elect(&q, 10, &actions);
    assert_int_equal(q.epoch, 6);
    assert_int_equal(q.role, QUORUM_LEADER);
    assert_int_equal(actions.count, 3);
}

static void
test_refusals(void **state)
{
    QuorumStart start = fresh();
    Quorum q;

    (void)state;
    start.voter_count = 3;
    assert_int_equal(quorum_start(&q, &start, NULL), OT_E_UNSUPPORTED_VERSION);
    start = fresh();
    start.voter.node_id = 2;
    assert_int_equal(quorum_start(&q, &start, NULL), OT_E_CONFIG);
    start = fresh();
    start.voter.directory_id = dir_b; /* this node with an empty disk is not the voter it was */
    assert_int_equal(quorum_start(&q, &start, NULL), OT_E_CONFIG);
    start.voter.directory_id = (Uuid){{0}}; /* kraft.version 0 knows no directories */
    assert_int_equal(quorum_start(&q, &start, NULL), 0);
}

/* Every event in every state that a start can give or a step can reach. */
static void
test_every_event(void **state)
{
    static const QuorumEventKind events[] = {QUORUM_EV_ELECTION, QUORUM_EV_FLUSHED,
                                             QUORUM_EV_RESIGN};
    QuorumActions actions;

    (void)state;
    for (int first = 0; first < 3; first++)
        for (int second = 0; second < 3; second++)
            for (int third = 0; third < 3; third++) {
                QuorumStart start = fresh();
                Quorum q;
                int32_t epoch;

                assert_int_equal(quorum_start(&q, &start, NULL), 0);
                quorum_step(&q, &(QuorumEvent){events[first], 1}, &actions);
                quorum_step(&q, &(QuorumEvent){events[second], 2}, &actions);
                epoch = q.epoch;
                quorum_step(&q, &(QuorumEvent){events[third], 3}, &actions);
                assert_true(q.epoch >= epoch);
                assert_non_null(quorum_role_name(q.role));
            }
}

static void
test_flushed_old_epoch(void **state)
{
    QuorumStart start = fresh();
    QuorumActions actions;
    Quorum q;

    (void)state;
    start.log_end = 10;
    assert_int_equal(quorum_start(&q, &start, NULL), 0);
    elect(&q, 10, &actions);
    quorum_step(&q, &(QuorumEvent){QUORUM_EV_FLUSHED, 10}, &actions);
    assert_int_equal(q.high_watermark, -1); /* no record of its own epoch yet */
    quorum_step(&q, &(QuorumEvent){QUORUM_EV_FLUSHED, 11}, &actions);
    assert_int_equal(q.high_watermark, 11);
    quorum_step(&q, &(QuorumEvent){QUORUM_EV_RESIGN, 0}, &actions);
    assert_int_equal(q.role, QUORUM_RESIGNED);
}

/* ---- the file ---- */

static void
test_state_text(void **state)
{
    static const char v1[] =
        "{\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,\"votedDirectoryId\":"
        "\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}";
    static const char v0[] = "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,"
                             "\"appliedOffset\":0,\"currentVoters\":[{\"voterId\":1}],"
                             "\"data_version\":0}";
    char text[QUORUM_STATE_MAX];
    QuorumState parsed;

    (void)state;
    assert_int_equal(quorum_state_parse(strview_from(v1), &parsed, NULL), 0);
    assert_int_equal(parsed.leader_id, 1);
    assert_int_equal(parsed.leader_epoch, 2);
    assert_int_equal(parsed.voted_id, QUORUM_NODE_NONE);
    assert_int_equal(quorum_state_print(&parsed, 1, text), (int)strlen(v1));
    assert_string_equal(text, v1);
    assert_int_equal(quorum_state_parse(strview_from(v0), &parsed, NULL), 0);
    assert_int_equal(parsed.voter_count, 1);
    assert_int_equal(parsed.voters[0], 1);
    assert_int_equal(quorum_state_print(&parsed, 0, text), (int)strlen(v0));
    assert_string_equal(text, v0);
    assert_int_equal(quorum_state_parse(STRVIEW(" { \"votedId\" : 3 ,\n\"leaderId\":-1,"
                                                "\"leaderEpoch\":9,\"data_version\":0 } "),
                                        &parsed, NULL),
                     0);
    assert_int_equal(parsed.voted_id, 3);
}

/* Nothing damaged is ever taken as a state; every prefix of a good file is damaged. */
static void
test_damaged_text(void **state)
{
    static const char good[] =
        "{\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,"
        "\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}";
    static const char *const bad[] = {
        "",
        "{}",
        "null",
        "{\"leaderId\":1}",
        "{\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,\"data_version\":1}",
        "{\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,\"data_version\":2}",
        "{\"leaderId\":\"1\",\"leaderEpoch\":2,\"votedId\":-1,\"data_version\":0}",
        "{\"leaderId\":1,\"leaderEpoch\":-2,\"votedId\":-1,\"data_version\":0}",
        "{\"leaderId\":1,\"leaderEpoch\":99999999999,\"votedId\":-1,\"data_version\":0}",
        "{\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,\"data_version\":0,\"more\":1}",
        "{\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,\"data_version\":0}x",
    };
    QuorumState parsed;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(quorum_state_parse(strview_from(bad[i]), &parsed, NULL), OT_E_CORRUPT);
    for (int32_t len = 0; len < (int32_t)sizeof good - 1; len++)
        assert_int_equal(quorum_state_parse((StrView){good, len}, &parsed, NULL), OT_E_CORRUPT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_start),       cmocka_unit_test(test_initial_states),
        cmocka_unit_test(test_refusals),          cmocka_unit_test(test_every_event),
        cmocka_unit_test(test_flushed_old_epoch), cmocka_unit_test(test_state_text),
        cmocka_unit_test(test_damaged_text),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
