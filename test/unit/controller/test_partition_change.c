/*
 * test_partition_change.c - ElectLeaders, AlterPartitionReassignments, UnregisterBroker: codes, and what
 * becomes of leaders, ISR, ELR and epochs
 *
 * Brokers 1 and 2 live, 3 is fenced. Rules: cluster.md 3.8 to 3.10; codes: ../shared/conformance (partitions).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_kit.h"

#include <string.h>

#include "controller/partition_change.h"

static const Uuid topic_id = {{7, 7}};

#define NONE (-9) /* fills lists of fewer than four */

typedef struct Ids {
    int32_t id[4];
    int32_t count;
} Ids;

static Ids
of(int32_t a, int32_t b, int32_t c)
{
    Ids ids = {.id = {a, b, c}};

    ids.count = a == NONE ? 0 : b == NONE ? 1 : c == NONE ? 2 : 3;
    return ids;
}

static void
set_feature(const char *name, uint8_t level)
{
    StrView text = strview_from(name);

    assert_int_equal(build_entry(&decide_writer, MAP_FEATURE,
                                 (BytesView){(const uint8_t *)text.ptr, text.len},
                                 (BytesView){(const uint8_t[]){0, level}, 2}),
                     0);
}

static void
set_config(int8_t type, const char *resource, const char *name, const char *value)
{
    ConfigRecord record;

    config_record_init(&record);
    record.resource_type = type;
    record.resource_name = strview_from(resource);
    record.name = strview_from(name);
    record.value = strview_from(value);
    record_list_init(&decide_records, decide_arena);
    record_list_add(&decide_records, &config_record_desc, 0, &record);
    decide_apply();
}

/* Partition 0 of topic "t"; every directory is the brokers' only one. */
static void
put(Ids replicas, Ids isr, int32_t leader)
{
    static const Uuid dirs[4] = {{{9}}, {{9}}, {{9}}, {{9}}};
    ImagePartition p = {.ref = PARTITION_REF_NONE,
                        .replicas = replicas.id,
                        .replica_count = replicas.count,
                        .isr = isr.id,
                        .isr_count = isr.count,
                        .directories = dirs,
                        .directory_count = replicas.count,
                        .leader = leader,
                        .leader_epoch = 5,
                        .partition_epoch = 8};

    if (image_topic_by_id(&decide_writer.now, topic_id) == NULL)
        assert_int_equal(build_topic(&decide_writer, STRVIEW("t"), topic_id), 0);
    assert_int_equal(build_partition(&decide_writer, topic_id, &p), 0);
    image_commit(&decide_writer);
}

static ImagePartition
now(void)
{
    ImagePartition p;

    assert_true(image_partition_by_id(&decide_writer.now, topic_id, 0, &p));
    return p;
}

static void
expect_ids(const int32_t *ids, int32_t count, Ids expected)
{
    assert_int_equal(count, expected.count);
    for (int32_t i = 0; i < count; i++)
        assert_int_equal(ids[i], expected.id[i]);
}

/* ---- ElectLeaders ---- */

static ElectLeadersResponse
elect(int8_t type, ElectLeadersRequestTopicPartitions *topics, int32_t count)
{
    ElectLeadersRequest in;
    ElectLeadersResponse out;

    elect_leaders_request_init(&in);
    in.election_type = type;
    in.topic_partitions = topics;
    in.topic_partitions_count = count;
    in.timeout_ms = 1000;
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_elect_leaders(&decide_context, &in, &decide_records, &out), 0);
    return out;
}

/* Code for partition 0 of "t"; what is decided is applied. */
static int16_t
elect_one(int8_t type)
{
    int32_t zero = 0;
    ElectLeadersRequestTopicPartitions topic = {
        .topic = STRVIEW("t"), .partitions = &zero, .partitions_count = 1};
    ElectLeadersResponse out = elect(type, &topic, 1);

    decide_apply();
    return out.replica_election_results[0].partition_result[0].error_code;
}

static void
test_preferred(void **state)
{
    (void)state;
    put(of(1, 2, NONE), of(1, 2, NONE), 1);
    assert_int_equal(elect_one(0), 84);
    put(of(1, 2, NONE), of(1, 2, NONE), 2);
    assert_int_equal(elect_one(0), 0);
    assert_int_equal(now().leader, 1);
    assert_int_equal(now().leader_epoch, 6);
    assert_int_equal(now().partition_epoch, 9);
    put(of(1, 2, NONE), of(2, NONE, NONE), 2); /* the first is not in sync */
    assert_int_equal(elect_one(0), 80);
    put(of(3, 2, NONE), of(2, 3, NONE), 2); /* the first is fenced */
    assert_int_equal(elect_one(0), 80);
    assert_int_equal(now().leader_epoch, 5);
}

static void
test_unclean(void **state)
{
    (void)state;
    put(of(1, 2, NONE), of(1, 2, NONE), 1);
    assert_int_equal(elect_one(1), 84);
    put(of(3, 2, NONE), of(3, NONE, NONE), -1); /* the only one in sync is dead */
    assert_int_equal(elect_one(0), 80);
    assert_int_equal(elect_one(1), 0);
    assert_int_equal(now().leader, 2);
    assert_int_equal(now().recovery_state, 1);
    expect_ids(now().isr, now().isr_count, of(2, NONE, NONE));
    put(of(3, NONE, NONE), of(3, NONE, NONE), -1);
    assert_int_equal(elect_one(1), 83);
}

static void
test_election_lists(void **state)
{
    int32_t parts[] = {0, 7, -1, 0};
    ElectLeadersRequestTopicPartitions topics[] = {
        {.topic = STRVIEW("t"), .partitions = parts, .partitions_count = 4},
        {.topic = STRVIEW("none"), .partitions = parts, .partitions_count = 1}};
    ElectLeadersResponse out;

    (void)state;
    put(of(1, 2, NONE), of(1, 2, NONE), 1);
    out = elect(0, topics, 2);
    assert_int_equal(out.error_code, 0);
    assert_int_equal(out.replica_election_results_count, 2);
    assert_int_equal(out.replica_election_results[0].partition_result_count, 4);
    assert_int_equal(out.replica_election_results[0].partition_result[1].error_code, 3);
    assert_int_equal(out.replica_election_results[0].partition_result[3].error_code, 84);
    assert_int_equal(out.replica_election_results[1].partition_result[0].error_code, 3);
    out = elect(0, NULL, -1); /* all: what is not needed is left out, its topic is not */
    assert_int_equal(out.replica_election_results_count, 1);
    assert_int_equal(out.replica_election_results[0].partition_result_count, 0);
    put(of(1, 2, NONE), of(1, 2, NONE), 2);
    out = elect(0, NULL, -1);
    assert_int_equal(out.replica_election_results[0].partition_result_count, 1);
    assert_int_equal(decide_records.count, 1);
    out = elect(2, topics, 1);
    assert_int_equal(out.error_code, 42);
    assert_int_equal(out.replica_election_results[0].partition_result[0].error_code, 42);
    assert_int_equal(decide_records.count, 0);
}

/* ---- eligible leader replicas ---- */

static void
test_elr(void **state)
{
    UnregisterBrokerRequest in = {.broker_id = 1};
    UnregisterBrokerResponse out;

    (void)state;
    set_feature("eligible.leader.replicas.version", 1);
    set_config(IMAGE_CONFIG_TOPIC, "t", "min.insync.replicas", "2");
    put(of(1, 2, NONE), of(1, 2, NONE), 1);
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_unregister_broker(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.error_code, 0);
    decide_apply();
    assert_null(image_broker(&decide_writer.now, 1));
    assert_int_equal(now().leader, 2);
    expect_ids(now().isr, now().isr_count, of(2, NONE, NONE));
    expect_ids(now().elr, now().elr_count, of(1, NONE, NONE)); /* left with everything */
    assert_int_equal(now().last_known_elr_count, 0);
    /* The last one leaves: nobody is in sync, and who led last is known. */
    in.broker_id = 2;
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_unregister_broker(&decide_context, &in, &decide_records, &out), 0);
    decide_apply();
    assert_int_equal(now().leader, -1);
    assert_int_equal(now().isr_count, 0);
    expect_ids(now().elr, now().elr_count, of(1, 2, NONE));
    expect_ids(now().last_known_elr, now().last_known_elr_count, of(2, NONE, NONE));
}

static void
test_without_elr(void **state)
{
    UnregisterBrokerRequest in = {.broker_id = 2};
    UnregisterBrokerResponse out;

    (void)state;
    put(of(2, NONE, NONE), of(2, NONE, NONE), 2);
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_unregister_broker(&decide_context, &in, &decide_records, &out), 0);
    decide_apply();
    assert_int_equal(now().leader, -1);
    expect_ids(now().isr, now().isr_count, of(2, NONE, NONE)); /* the last one stays in sync */
    record_list_init(&decide_records, decide_arena);
    in.broker_id = 77;
    assert_int_equal(decide_unregister_broker(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.error_code, 102);
    assert_int_equal(decide_records.count, 0);
}

/* ---- reassignments ---- */

static int16_t
reassign(const Ids *to, bool same_factor)
{
    AlterPartitionReassignmentsRequestPartition part;
    AlterPartitionReassignmentsRequestTopic topic;
    AlterPartitionReassignmentsRequest in;
    AlterPartitionReassignmentsResponse out;
    Ids copy;

    alter_partition_reassignments_request_init(&in);
    alter_partition_reassignments_request_topic_init(&topic);
    alter_partition_reassignments_request_partition_init(&part);
    if (to != NULL) {
        copy = *to;
        part.replicas = copy.id;
        part.replicas_count = copy.count;
    } else {
        part.replicas_count = -1;
    }
    topic.name = STRVIEW("t");
    topic.partitions = &part;
    topic.partitions_count = 1;
    in.topics = &topic;
    in.topics_count = 1;
    in.timeout_ms = 1000;
    in.allow_replication_factor_change = !same_factor;
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_alter_reassignments(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.error_code, 0);
    assert_int_equal(out.allow_replication_factor_change, !same_factor);
    decide_apply();
    return out.responses[0].partitions[0].error_code;
}

static void
test_reassign_refusals(void **state)
{
    Ids empty = of(NONE, NONE, NONE), unknown = of(77, NONE, NONE), twice = of(1, 1, NONE);
    Ids same = of(1, NONE, NONE), two = of(1, 2, NONE);

    (void)state;
    put(of(1, NONE, NONE), of(1, NONE, NONE), 1);
    assert_int_equal(reassign(NULL, false), 85);
    assert_int_equal(reassign(&empty, false), 39);
    assert_int_equal(reassign(&unknown, false), 39);
    assert_int_equal(reassign(&twice, false), 39);
    assert_int_equal(reassign(&empty, true), 39);
    assert_int_equal(reassign(&two, true), 38);
    assert_int_equal(now().partition_epoch, 8);
    assert_int_equal(reassign(&same, true), 0);
    assert_int_equal(now().partition_epoch, 8); /* where it is: no record */
}

/* Scenario 13 of admin-and-security.md 14. */
static void
test_reassign_and_cancel(void **state)
{
    Ids to = of(3, 2, NONE);

    (void)state;
    put(of(1, 2, NONE), of(1, 2, NONE), 1);
    assert_int_equal(reassign(&to, true), 0);
    expect_ids(now().replicas, now().replica_count, of(3, 2, 1));
    expect_ids(now().adding, now().adding_count, of(3, NONE, NONE));
    expect_ids(now().removing, now().removing_count, of(1, NONE, NONE));
    assert_int_equal(now().leader, 1);
    assert_int_equal(now().directory_count, 3);
    assert_int_equal(reassign(NULL, false), 0);
    expect_ids(now().replicas, now().replica_count, of(2, 1, NONE));
    assert_int_equal(now().adding_count, 0);
    assert_int_equal(now().removing_count, 0);
    assert_int_equal(now().leader, 1);
    assert_int_equal(now().leader_epoch, 6); /* the replica that goes is fenced off */
    assert_int_equal(reassign(NULL, false), 85);
}

/* Fewer, or the same in another order: done at once when the ISR allows it. */
static void
test_reassign_at_once(void **state)
{
    Ids one = of(2, NONE, NONE), reordered = of(2, 1, NONE);

    (void)state;
    put(of(1, 2, NONE), of(1, 2, NONE), 1);
    assert_int_equal(reassign(&reordered, false), 0);
    expect_ids(now().replicas, now().replica_count, of(2, 1, NONE));
    assert_int_equal(now().leader, 1);
    assert_int_equal(now().leader_epoch, 5);
    assert_int_equal(reassign(&one, false), 0);
    expect_ids(now().replicas, now().replica_count, of(2, NONE, NONE));
    expect_ids(now().isr, now().isr_count, of(2, NONE, NONE));
    assert_int_equal(now().removing_count, 0);
    assert_int_equal(now().leader, 2);
    assert_int_equal(now().leader_epoch, 6);
}

static void
test_cancel_needs_in_sync(void **state)
{
    Ids to = of(2, NONE, NONE);
    ImagePartition p;
    int32_t two = 2;

    (void)state;
    put(of(1, NONE, NONE), of(1, NONE, NONE), 1);
    assert_int_equal(reassign(&to, false), 0);
    p = now();
    p.isr = &two; /* only the new one is in sync: it waits for the metadata to say so */
    p.isr_count = 1;
    assert_int_equal(build_partition(&decide_writer, topic_id, &p), 0);
    image_commit(&decide_writer);
    assert_int_equal(reassign(NULL, false), 39);
    set_config(IMAGE_CONFIG_TOPIC, "t", "unclean.leader.election.enable", "true");
    assert_int_equal(reassign(NULL, false), 0);
    expect_ids(now().replicas, now().replica_count, of(1, NONE, NONE));
    assert_int_equal(now().leader, 1);
}

/* No time, and no topics: observed.md 6 and 7. */
static void
test_no_time(void **state)
{
    AlterPartitionReassignmentsRequest in;
    AlterPartitionReassignmentsResponse out;
    int32_t zero = 0;
    ElectLeadersRequestTopicPartitions topic = {
        .topic = STRVIEW("t"), .partitions = &zero, .partitions_count = 1};
    ElectLeadersRequest election;
    ElectLeadersResponse elected;

    (void)state;
    put(of(1, 2, NONE), of(1, 2, NONE), 2);
    alter_partition_reassignments_request_init(&in);
    assert_int_equal(decide_alter_reassignments(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.error_code, 0);
    assert_non_null(out.error_message.ptr);
    assert_int_equal(out.error_message.len, 0);
    in.timeout_ms = 0;
    assert_int_equal(decide_alter_reassignments(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.error_code, 7);
    elect_leaders_request_init(&election);
    election.topic_partitions = &topic;
    election.topic_partitions_count = 1;
    election.timeout_ms = -1;
    assert_int_equal(decide_elect_leaders(&decide_context, &election, &decide_records, &elected),
                     0);
    assert_int_equal(elected.error_code, 7);
    assert_int_equal(elected.replica_election_results[0].partition_result[0].error_code, 7);
    assert_null(elected.replica_election_results[0].partition_result[0].error_message.ptr);
    election.election_type = 5; /* no time goes first */
    assert_int_equal(decide_elect_leaders(&decide_context, &election, &decide_records, &elected),
                     0);
    assert_int_equal(elected.error_code, 7);
    assert_int_equal(decide_records.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, decide_setup, decide_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_preferred),
        TEST(test_unclean),
        TEST(test_election_lists),
        TEST(test_elr),
        TEST(test_without_elr),
        TEST(test_reassign_refusals),
        TEST(test_reassign_and_cancel),
        TEST(test_reassign_at_once),
        TEST(test_cancel_needs_in_sync),
        TEST(test_no_time),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
