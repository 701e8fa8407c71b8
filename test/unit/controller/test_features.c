/*
 * test_features.c - UpdateFeatures and DescribeQuorum: codes, levels, what follows from them
 *
 * The codes are those of the recordings in ../shared/conformance (cluster); rules: cluster.md 3.3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_kit.h"

#include "controller/features.h"

static void
set_feature(const char *name, uint8_t level)
{
    StrView text = strview_from(name);

    assert_int_equal(build_entry(&decide_writer, MAP_FEATURE,
                                 (BytesView){(const uint8_t *)text.ptr, text.len},
                                 (BytesView){(const uint8_t[]){0, level}, 2}),
                     0);
    image_commit(&decide_writer);
}

/* Brokers that support what this version does, as all of a cluster of ours. */
static int
setup(void **state)
{
    static const Uuid dir = {{9}};
    ImageFeatureRange ranges[FEATURE_COUNT];

    decide_setup(state);
    for (int i = 0; i < FEATURE_COUNT; i++)
        ranges[i] = (ImageFeatureRange){strview_from(feature_rows[i].name), feature_rows[i].min,
                                        feature_rows[i].max};
    for (int32_t id = 1; id <= 3; id++) {
        ImageBroker b = {.id = id,
                         .epoch = 10 + id,
                         .features = ranges,
                         .feature_count = FEATURE_COUNT,
                         .log_dirs = &dir,
                         .log_dir_count = 1,
                         .cordoned_log_dir_count = -1};

        assert_int_equal(build_broker(&decide_writer, &b), 0);
    }
    set_feature("transaction.version", 2);
    set_feature("kraft.version", 1);
    return 0;
}

typedef UpdateFeaturesRequestFeatureUpdateKey Update;

static UpdateFeaturesResponse
update(Update *updates, int32_t count, bool validate)
{
    UpdateFeaturesRequest in = {
        .feature_updates = updates, .feature_updates_count = count, .validate_only = validate};
    UpdateFeaturesResponse out;

    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_update_features(&decide_context, &in, &decide_records, &out), 0);
    if (validate || out.error_code != 0)
        assert_int_equal(decide_records.count, 0);
    assert_int_equal(out.error_code != 0, out.error_message.ptr != NULL);
    decide_apply();
    return out;
}

static int16_t
one(const char *name, int16_t level, int8_t type)
{
    Update u = {.feature = strview_from(name), .max_version_level = level, .upgrade_type = type};

    return update(&u, 1, false).error_code;
}

static int16_t
level_of(const char *name)
{
    return image_feature(&decide_writer.now, strview_from(name));
}

static void
test_refusals(void **state)
{
    (void)state;
    assert_int_equal(one("no.such.feature", 1, 1), 95);
    assert_int_equal(one("no.such.feature", 0, 1), 95);
    assert_int_equal(one("", 1, 1), 95);
    assert_int_equal(one("metadata.version", INT16_MAX, 1), 95);
    assert_int_equal(one("metadata.version", -1, 1), 95);
    assert_int_equal(one("metadata.version", 7, 1), 95);
    assert_int_equal(one("metadata.version", 29, 2), 95); /* 30 brought new records */
    assert_int_equal(one("metadata.version", 29, 3), 95);
    assert_int_equal(one("transaction.version", 0, 1), 95);
    assert_int_equal(one("transaction.version", 3, 1), 95);
    assert_int_equal(one("kraft.version", 0, 2), 95);
    for (int8_t type = -1; type <= 4; type++)
        assert_int_equal(one("transaction.version", 2, type), type >= 1 && type <= 3 ? 0 : 95);
    assert_int_equal(level_of("transaction.version"), 2);
}

static void
test_up_and_down(void **state)
{
    Update twice[] = {
        {.feature = STRVIEW("group.version"), .max_version_level = 9, .upgrade_type = 1},
        {.feature = STRVIEW("group.version"), .max_version_level = 1, .upgrade_type = 1}};
    Update mixed[] = {
        {.feature = STRVIEW("group.version"), .max_version_level = 0, .upgrade_type = 2},
        {.feature = STRVIEW("no.such"), .max_version_level = 1, .upgrade_type = 1}};

    (void)state;
    assert_int_equal(one("transaction.version", 1, 2), 0);
    assert_int_equal(level_of("transaction.version"), 1);
    assert_int_equal(one("transaction.version", 2, 2), 95); /* up, by a downgrade */
    assert_int_equal(one("transaction.version", 2, 1), 0);
    assert_int_equal(one("transaction.version", 0, 3), 0); /* gone */
    assert_int_equal(level_of("transaction.version"), 0);
    assert_int_equal(update(twice, 2, false).error_code, 0); /* the last counts */
    assert_int_equal(level_of("group.version"), 1);
    assert_int_equal(update(mixed, 2, false).error_code, 95); /* all or nothing */
    assert_int_equal(level_of("group.version"), 1);
    assert_int_equal(update(mixed, 1, true).error_code, 0);
    assert_int_equal(level_of("group.version"), 1);
    assert_int_equal(update(NULL, 0, false).error_code, 0);
}

static void
test_metadata_downgrade(void **state)
{
    (void)state;
    set_feature("metadata.version", 29);
    assert_int_equal(one("metadata.version", 24, 2), 0);
    assert_int_equal(level_of("metadata.version"), 24);
    assert_int_equal(one("metadata.version", 22, 2), 95); /* 23 brought the ELR */
    assert_int_equal(one("metadata.version", 30, 1), 0);
}

static void
test_brokers_decide(void **state)
{
    ImageFeatureRange range = {STRVIEW("group.version"), 0, 0};
    ImageBroker b = {.id = 2, .epoch = 12, .features = &range, .feature_count = 1};
    Update u = {.feature = STRVIEW("group.version"), .max_version_level = 1, .upgrade_type = 1};
    UpdateFeaturesResponse out;

    (void)state;
    b.cordoned_log_dir_count = -1;
    assert_int_equal(build_broker(&decide_writer, &b), 0);
    out = update(&u, 1, false);
    assert_int_equal(out.error_code, 95);
    assert_non_null(memmem(out.error_message.ptr, (size_t)out.error_message.len, "broker 2", 8));
}

/* With ELR the smallest ISR is one for all. */
static void
test_elr(void **state)
{
    ConfigRecord record;
    StrView value;

    (void)state;
    config_record_init(&record);
    record.resource_type = IMAGE_CONFIG_BROKER;
    record.resource_name = STRVIEW("2");
    record.name = STRVIEW("min.insync.replicas");
    record.value = STRVIEW("3");
    record_list_add(&decide_records, &config_record_desc, 0, &record);
    decide_apply();
    decide_context.min_insync_replicas = 2;
    set_feature("metadata.version", 22);
    assert_int_equal(one("eligible.leader.replicas.version", 1, 1), 95); /* needs 23 */
    set_feature("metadata.version", 30);
    assert_int_equal(one("eligible.leader.replicas.version", 1, 1), 0);
    assert_true(image_config(&decide_writer.now, IMAGE_CONFIG_BROKER, STRVIEW(""),
                             STRVIEW("min.insync.replicas"), &value));
    assert_true(strview_equal(value, STRVIEW("2")));
    assert_false(image_config(&decide_writer.now, IMAGE_CONFIG_BROKER, STRVIEW("2"),
                              STRVIEW("min.insync.replicas"), &value));
    assert_int_equal(one("eligible.leader.replicas.version", 0, 2), 0);
}

/* Version 0 has a flag instead of a type, and results per feature up to version 1. */
static void
test_versions(void **state)
{
    Update u = {.feature = STRVIEW("transaction.version"), .max_version_level = 1};

    (void)state;
    decide_context.api_version = 0;
    assert_int_equal(update(&u, 1, false).error_code, 95);
    u.allow_downgrade = true;
    assert_int_equal(update(&u, 1, false).results_count, 1);
    assert_int_equal(level_of("transaction.version"), 1);
}

static void
test_quorum(void **state)
{
    DescribeQuorumRequestPartition parts[2] = {{.partition_index = 0}, {.partition_index = 1}};
    DescribeQuorumRequestTopic topic = {
        .topic_name = STRVIEW("__cluster_metadata"), .partitions = parts, .partitions_count = 1};
    DescribeQuorumRequest in = {.topics = &topic, .topics_count = 1};
    const DescribeQuorumResponsePartition *p;
    DescribeQuorumResponse out;

    (void)state;
    decide_context.quorum =
        (QuorumFacts){.leader_epoch = 4, .high_watermark = 90, .log_end = 90, .now_ms = 1234};
    decide_context.api_version = 2;
    assert_int_equal(decide_describe_quorum(&decide_context, &in, &decide_records, &out), 0);
    p = &out.topics[0].partitions[0];
    assert_int_equal(p->error_code, 0);
    assert_int_equal(p->leader_id, 1);
    assert_int_equal(p->leader_epoch, 4);
    assert_int_equal(p->high_watermark, 90);
    assert_int_equal(p->current_voters_count, 1);
    assert_int_equal(p->current_voters[0].log_end_offset, 90);
    assert_int_equal(p->current_voters[0].last_caught_up_timestamp, 1234);
    assert_int_equal(out.nodes_count, 1);
    topic.partitions_count = 2; /* more than the one there is: no answer for any */
    assert_int_equal(decide_describe_quorum(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.topics[0].partitions[0].error_code, 3);
    assert_int_equal(out.topics[0].partitions[0].leader_id, 0);
    assert_int_equal(out.nodes_count, 0);
    assert_int_equal(decide_records.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, decide_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refusals),       TEST(test_up_and_down), TEST(test_metadata_downgrade),
        TEST(test_brokers_decide), TEST(test_elr),         TEST(test_versions),
        TEST(test_quorum),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
