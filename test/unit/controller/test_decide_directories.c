/*
 * test_decide_directories.c - AssignReplicasToDirs: a broker says in which log directories its replicas are
 *
 * Proves: the broker is that of its present life; what each partition is refused for; one replica's directory changes and
 * nothing else does; what is known already makes no record.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_kit.h"

#include <string.h>

static const Uuid elsewhere = {{77}};

/* Topic "t": one partition on brokers 1 and 2. Returns its id. */
static Uuid
make_topic(void)
{
    CreateTopicsRequestTopic topic;
    CreateTopicsResponse response;
    CreateTopicsRequest request;

    create_topics_request_topic_init(&topic);
    topic.name = STRVIEW("t");
    topic.num_partitions = 1;
    topic.replication_factor = 2;
    create_topics_request_init(&request);
    request.topics = &topic;
    request.topics_count = 1;
    assert_int_equal(decide_create_topics(&decide_context, &request, &decide_records, &response),
                     0);
    assert_int_equal(response.topics[0].error_code, 0);
    decide_apply();
    return response.topics[0].topic_id;
}

typedef struct Told {
    int32_t broker;
    int64_t epoch;
    Uuid topic;
    int32_t partition;
    Uuid directory;
} Told;

/* The code of the partition, or of all. */
static int16_t
tell(const Told *what)
{
    AssignReplicasToDirsRequestPartition part;
    AssignReplicasToDirsRequestTopic topic;
    AssignReplicasToDirsRequestDirectoryData dir;
    AssignReplicasToDirsRequest in;
    AssignReplicasToDirsResponse out;

    assign_replicas_to_dirs_request_partition_init(&part);
    assign_replicas_to_dirs_request_topic_init(&topic);
    assign_replicas_to_dirs_request_directory_data_init(&dir);
    assign_replicas_to_dirs_request_init(&in);
    part.partition_index = what->partition;
    topic.topic_id = what->topic;
    topic.partitions = &part;
    topic.partitions_count = 1;
    dir.id = what->directory;
    dir.topics = &topic;
    dir.topics_count = 1;
    in.broker_id = what->broker;
    in.broker_epoch = what->epoch;
    in.directories = &dir;
    in.directories_count = 1;
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_assign_directories(&decide_context, &in, &decide_records, &out), 0);
    if (out.error_code != 0) {
        assert_int_equal(out.directories_count, 0);
        return out.error_code;
    }
    assert_true(out.directories_count == 1 && uuid_equal(out.directories[0].id, what->directory));
    assert_true(out.directories[0].topics_count == 1 &&
                uuid_equal(out.directories[0].topics[0].topic_id, what->topic));
    assert_int_equal(out.directories[0].topics[0].partitions[0].partition_index, what->partition);
    return out.directories[0].topics[0].partitions[0].error_code;
}

static ImagePartition
partition_now(void)
{
    ImagePartition p;

    assert_true(
        image_topic_partition(image_topic_by_name(decide_context.image, STRVIEW("t")), 0, &p));
    return p;
}

static void
refusals(void **state)
{
    Uuid id = make_topic();

    (void)state;
    assert_int_equal(tell(&(Told){9, 19, id, 0, elsewhere}), KERR_BROKER_ID_NOT_REGISTERED);
    assert_int_equal(tell(&(Told){1, 10, id, 0, elsewhere}), KERR_STALE_BROKER_EPOCH);
    assert_int_equal(tell(&(Told){1, 11, {{1}}, 0, elsewhere}), KERR_UNKNOWN_TOPIC_ID);
    assert_int_equal(tell(&(Told){1, 11, id, 1, elsewhere}), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(tell(&(Told){3, 13, id, 0, elsewhere}), KERR_NOT_LEADER_OR_FOLLOWER);
    assert_int_equal(decide_records.count, 0);
}

static void
one_directory_changes(void **state)
{
    Uuid id = make_topic();
    ImagePartition before = partition_now(), after;
    int32_t leader = before.leader;
    int32_t at = before.replicas[0] == 2 ? 0 : 1;
    Uuid other = before.directories[1 - at];

    (void)state;
    assert_int_equal(tell(&(Told){2, 12, id, 0, elsewhere}), 0);
    assert_int_equal(decide_records.count, 1);
    decide_apply();
    after = partition_now();
    assert_int_equal(after.directory_count, 2);
    assert_true(uuid_equal(after.directories[at], elsewhere));
    assert_true(uuid_equal(after.directories[1 - at], other));
    assert_int_equal(after.leader, leader);
    assert_int_equal(after.isr_count, 2);
    assert_int_equal(tell(&(Told){2, 12, id, 0, elsewhere}), 0); /* known */
    assert_int_equal(decide_records.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refusals, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(one_directory_changes, decide_setup, decide_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
