/*
 * test_decide.c - decisions: codes of every refusal, bounds, duplicates, placement
 *
 * The codes are those of the recordings in ../shared/conformance (topics, partitions).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/image_build.h"

static CreateTopicsRequestTopic
topic(const char *name, int32_t partitions, int16_t factor)
{
    CreateTopicsRequestTopic t;

    create_topics_request_topic_init(&t);
    t.name = strview_from(name);
    t.num_partitions = partitions;
    t.replication_factor = factor;
    return t;
}

static CreateTopicsResponse
create(CreateTopicsRequestTopic *topics, int32_t count, bool validate)
{
    CreateTopicsResponse response;
    CreateTopicsRequest request;

    create_topics_request_init(&request);
    request.topics = topics;
    request.topics_count = count;
    request.validate_only = validate;
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_create_topics(&decide_context, &request, &decide_records, &response),
                     0);
    return response;
}

/* Code of creating one topic, which is not made. */
static int16_t
code_of(CreateTopicsRequestTopic t)
{
    CreateTopicsResponse r = create(&t, 1, true);

    assert_int_equal(decide_records.count, 0);
    assert_int_equal(r.topics_count, 1);
    if (r.topics[0].error_code != 0) {
        assert_non_null(r.topics[0].error_message.ptr);
        assert_int_equal(r.topics[0].num_partitions, -1);
        assert_int_equal(r.topics[0].replication_factor, -1);
        assert_int_equal(r.topics[0].configs_count, 0);
        assert_true(uuid_is_zero(r.topics[0].topic_id));
    } else {
        assert_null(r.topics[0].error_message.ptr);
        assert_int_equal(r.topics[0].configs_count, 33);
    }
    return r.topics[0].error_code;
}

static void
test_names(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a b", "a/b", "a\n", "\xc3\xa9", "a:b", "*"};
    char longest[252];
    CreateTopicsRequestTopic made;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(code_of(topic(bad[i], 1, 1)), KERR_INVALID_TOPIC_EXCEPTION);
    memset(longest, 'x', sizeof longest);
    longest[250] = '\0';
    assert_int_equal(code_of(topic(longest, 1, 1)), KERR_INVALID_TOPIC_EXCEPTION);
    longest[249] = '\0';
    assert_int_equal(code_of(topic(longest, 1, 1)), 0);
    assert_int_equal(code_of(topic("...", 1, 1)), 0);
    assert_int_equal(code_of(topic("__cluster_metadata", 1, 1)), KERR_INVALID_REQUEST);
    made = topic("a.b", 1, 1);
    assert_int_equal(create(&made, 1, false).topics[0].error_code, 0);
    decide_apply();
    assert_int_equal(code_of(topic("a_b", 1, 1)), KERR_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(code_of(topic("a-b", 1, 1)), 0);
    assert_int_equal(code_of(topic("a.b", 0, -7)), KERR_TOPIC_ALREADY_EXISTS);
}

static void
test_counts(void **state)
{
    (void)state;
    assert_int_equal(code_of(topic("t", -1, -1)), 0);
    assert_int_equal(code_of(topic("t", 0, 1)), KERR_INVALID_PARTITIONS);
    assert_int_equal(code_of(topic("t", -2, 1)), KERR_INVALID_PARTITIONS);
    assert_int_equal(code_of(topic("t", 1, 0)), KERR_INVALID_REPLICATION_FACTOR);
    assert_int_equal(code_of(topic("t", 1, -2)), KERR_INVALID_REPLICATION_FACTOR);
    assert_int_equal(code_of(topic("t", 0, 0)), KERR_INVALID_REPLICATION_FACTOR);
    assert_int_equal(code_of(topic("t", 0, 5)), KERR_INVALID_PARTITIONS);
    assert_int_equal(code_of(topic("t", 1, 3)), 0);
    assert_int_equal(code_of(topic("t", 1, 4)), KERR_INVALID_REPLICATION_FACTOR);
    assert_int_equal(code_of(topic("t", 9999, 1)), 0);
    assert_int_equal(code_of(topic("t", 10000, 1)), KERR_POLICY_VIOLATION);
    assert_int_equal(code_of(topic("t", INT32_MAX, 1)), KERR_POLICY_VIOLATION);
    decide_context.partitions_left = 5;
    assert_int_equal(code_of(topic("t", 5, 1)), 0);
    assert_int_equal(code_of(topic("t", 6, 1)), KERR_POLICY_VIOLATION);
}

static int16_t
result_of(const CreateTopicsResponse *r, const char *name)
{
    for (int32_t i = 0; i < r->topics_count; i++)
        if (strview_equal(r->topics[i].name, strview_from(name)))
            return r->topics[i].error_code;
    return INT16_MIN;
}

static void
test_several_topics(void **state)
{
    CreateTopicsRequestTopic twice[3] = {topic("a", 1, 1), topic("b", 1, 1), topic("a", 1, 1)};
    CreateTopicsRequestTopic huge[2] = {topic("huge", 6000, 1), topic("small", 6000, 1)};
    CreateTopicsRequestTopic over[2] = {topic("over", INT32_MAX, 1), topic("fine", 1, 1)};
    CreateTopicsResponse r;

    (void)state;
    r = create(twice, 3, false);
    assert_int_equal(r.topics_count, 2);
    assert_int_equal(result_of(&r, "a"), KERR_INVALID_REQUEST);
    assert_int_equal(result_of(&r, "b"), 0);
    assert_int_equal(decide_records.count, 2);
    r = create(huge, 2, false);
    assert_int_equal(result_of(&r, "huge"), KERR_POLICY_VIOLATION);
    assert_int_equal(result_of(&r, "small"), KERR_POLICY_VIOLATION);
    assert_int_equal(decide_records.count, 0);
    r = create(over, 2, false);
    assert_int_equal(result_of(&r, "over"), KERR_INVALID_PARTITIONS);
    assert_int_equal(result_of(&r, "fine"), 0);
    over[0].name = STRVIEW("before"); /* in whichever order they come */
    r = create(over, 2, false);
    assert_int_equal(result_of(&r, "before"), KERR_INVALID_PARTITIONS);
    assert_int_equal(result_of(&r, "fine"), 0);
}

static int16_t
assigned(const int32_t *indexes, int32_t (*brokers)[3], const int32_t *counts, int32_t n)
{
    CreateTopicsRequestAssignment list[4];
    CreateTopicsRequestTopic t = topic("t", -1, -1);

    for (int32_t i = 0; i < n; i++) {
        create_topics_request_assignment_init(&list[i]);
        list[i].partition_index = indexes[i];
        list[i].broker_ids = brokers[i];
        list[i].broker_ids_count = counts[i];
    }
    t.assignments = list;
    t.assignments_count = n;
    return code_of(t);
}

/* Of names that collide within a request the first is made; Kafka makes them all (observed.md 6). */
static void
test_collisions(void **state)
{
    CreateTopicsRequestTopic topics[5] = {topic("a_b.c", 1, 1), topic("a.b.c", 1, 1),
                                          topic("a-b.c", 1, 1), topic("a_b_c", 1, 1),
                                          topic("a.b.cd", 1, 1)};
    CreateTopicsResponse r;

    (void)state;
    r = create(topics, 5, false);
    assert_int_equal(result_of(&r, "a_b.c"), 0);
    assert_int_equal(result_of(&r, "a.b.c"), KERR_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(result_of(&r, "a-b.c"), 0);
    assert_int_equal(result_of(&r, "a_b_c"), KERR_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(result_of(&r, "a.b.cd"), 0);
    topics[1].name = topics[0].name; /* the same name twice is another fault */
    r = create(topics, 2, false);
    assert_int_equal(result_of(&r, "a_b.c"), KERR_INVALID_REQUEST);
}

static void
test_assignments(void **state)
{
    int32_t brokers[3][3] = {{1, 2, 3}, {2, 1, 3}, {3, 1, 2}};
    int32_t fenced[1][3] = {{3}}, unknown[1][3] = {{1, 77}}, same[1][3] = {{1, 1}};

    (void)state;
    assert_int_equal(assigned((int32_t[]){2, 0, 1}, brokers, (int32_t[]){2, 2, 2}, 3), 0);
    assert_int_equal(assigned((int32_t[]){0, 0}, brokers, (int32_t[]){2, 2}, 2),
                     KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(assigned((int32_t[]){0, 2}, brokers, (int32_t[]){2, 2}, 2),
                     KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(assigned((int32_t[]){1}, brokers, (int32_t[]){1}, 1),
                     KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(assigned((int32_t[]){0, 1}, brokers, (int32_t[]){1, 2}, 2),
                     KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(assigned((int32_t[]){0}, brokers, (int32_t[]){0}, 1),
                     KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(assigned((int32_t[]){0}, fenced, (int32_t[]){1}, 1),
                     KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(assigned((int32_t[]){0}, unknown, (int32_t[]){2}, 1),
                     KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(assigned((int32_t[]){0}, same, (int32_t[]){2}, 1),
                     KERR_INVALID_REPLICA_ASSIGNMENT);
}

static int16_t
configured(const char *name, const char *value)
{
    CreateTopicsRequestConfig config;
    CreateTopicsRequestTopic t = topic("t", 1, 1);

    create_topics_request_config_init(&config);
    config.name = strview_from(name);
    config.value = strview_from(value);
    t.configs = &config;
    t.configs_count = 1;
    return code_of(t);
}

static void
test_configs(void **state)
{
    CreateTopicsRequestConfig pair[2];
    CreateTopicsRequestTopic t = topic("t", 1, 1);
    CreateTopicsResponse r;

    (void)state;
    assert_int_equal(configured("nosuch", "1"), KERR_INVALID_CONFIG);
    assert_int_equal(configured("retention.ms", "abc"), KERR_INVALID_CONFIG);
    assert_int_equal(configured("retention.ms", NULL), KERR_INVALID_CONFIG);
    assert_int_equal(configured("retention.ms", " 5000 "), 0);
    assert_int_equal(configured("cleanup.policy", ""), 0);
    assert_int_equal(configured("segment.bytes", "100"), KERR_INVALID_CONFIG);
    assert_int_equal(configured("remote.storage.enable", "true"), KERR_INVALID_CONFIG);
    for (int i = 0; i < 2; i++) {
        create_topics_request_config_init(&pair[i]);
        pair[i].name = STRVIEW("retention.ms");
    }
    pair[0].value = STRVIEW("x"); /* the last one counts */
    pair[1].value = STRVIEW("2");
    t.configs = pair;
    t.configs_count = 2;
    r = create(&t, 1, false);
    assert_int_equal(r.topics[0].error_code, 0);
    assert_int_equal(decide_records.count, 3);
    for (int32_t i = 0; i < r.topics[0].configs_count; i++)
        if (strview_equal(r.topics[0].configs[i].name, STRVIEW("retention.ms"))) {
            assert_int_equal(r.topics[0].configs[i].config_source, CONF_SOURCE_TOPIC);
            assert_true(strview_equal(r.topics[0].configs[i].value, STRVIEW("2")));
        }
}

static void
test_no_time(void **state)
{
    CreateTopicsRequestTopic t = topic("t", 1, 1);
    CreateTopicsRequest request;
    CreateTopicsResponse response;

    (void)state;
    create_topics_request_init(&request);
    request.topics = &t;
    request.topics_count = 1;
    request.timeout_ms = 0;
    assert_int_equal(decide_create_topics(&decide_context, &request, &decide_records, &response),
                     0);
    assert_int_equal(response.topics[0].error_code, KERR_REQUEST_TIMED_OUT);
    assert_null(response.topics[0].error_message.ptr);
    assert_int_equal(decide_records.count, 0);
}

/* ---- deletion ---- */

static DeleteTopicsResponse delete (DeleteTopicsRequestTopic *items, int32_t count)
{
    DeleteTopicsRequest request;
    DeleteTopicsResponse response;

    delete_topics_request_init(&request);
    request.topics = items;
    request.topics_count = count;
    request.timeout_ms = 1000;
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_delete_topics(&decide_context, &request, &decide_records, &response),
                     0);
    return response;
}

static DeleteTopicsRequestTopic
by(const char *name, Uuid id)
{
    DeleteTopicsRequestTopic item;

    delete_topics_request_topic_init(&item);
    item.name = strview_from(name);
    item.topic_id = id;
    return item;
}

static void
test_deletes(void **state)
{
    static const Uuid none;
    CreateTopicsRequestTopic made = topic("a", 2, 1);
    DeleteTopicsRequestTopic items[3];
    DeleteTopicsResponse r;
    Uuid id;

    (void)state;
    (void)create(&made, 1, false);
    decide_apply();
    id = image_topic_id(image_topic_by_name(&decide_writer.now, STRVIEW("a")));
    items[0] = by(NULL, none);
    items[1] = by("a", id);
    r = delete (items, 2);
    assert_int_equal(r.responses_count, 2);
    assert_int_equal(r.responses[0].error_code, KERR_INVALID_REQUEST);
    assert_int_equal(r.responses[1].error_code, KERR_INVALID_REQUEST);
    items[0] = items[1] = by("a", none);
    r = delete (items, 2);
    assert_int_equal(r.responses_count, 1);
    assert_int_equal(r.responses[0].error_code, KERR_INVALID_REQUEST);
    assert_int_equal(decide_records.count, 0);
    items[2] = by(NULL, id); /* twice by name, once by id: the id deletes it */
    r = delete (items, 3);
    assert_int_equal(r.responses_count, 2);
    assert_int_equal(r.responses[0].error_code + r.responses[1].error_code, KERR_INVALID_REQUEST);
    assert_int_equal(decide_records.count, 1);
    items[1] = by(NULL, id); /* by name and by id: refused once, with both */
    r = delete (items, 2);
    assert_int_equal(r.responses_count, 1);
    assert_int_equal(r.responses[0].error_code, KERR_INVALID_REQUEST);
    assert_true(strview_equal(r.responses[0].name, STRVIEW("a")));
    assert_true(uuid_equal(r.responses[0].topic_id, id));
    assert_int_equal(decide_records.count, 0);
    decide_context.delete_enabled = false;
    r = delete (items, 1);
    assert_int_equal(r.responses[0].error_code, KERR_TOPIC_DELETION_DISABLED);
}

/* ---- growth ---- */

static int16_t
grow(const char *name, int32_t count, int32_t lists, int32_t *broker_ids, int32_t brokers)
{
    CreatePartitionsRequestAssignment list[4];
    CreatePartitionsRequestTopic t;
    CreatePartitionsRequest request;
    CreatePartitionsResponse response;

    create_partitions_request_init(&request);
    create_partitions_request_topic_init(&t);
    t.name = strview_from(name);
    t.count = count;
    t.assignments_count = lists;
    t.assignments = list;
    for (int32_t i = 0; i < lists; i++) {
        create_partitions_request_assignment_init(&list[i]);
        list[i].broker_ids = broker_ids;
        list[i].broker_ids_count = brokers;
    }
    request.topics = &t;
    request.topics_count = 1;
    request.timeout_ms = 1000;
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(
        decide_create_partitions(&decide_context, &request, &decide_records, &response), 0);
    assert_int_equal(response.results_count, 1);
    return response.results[0].error_code;
}

static void
test_growth(void **state)
{
    CreateTopicsRequestTopic made = topic("a", 2, 1);
    int32_t one[2] = {1, 2}, unknown[1] = {77};

    (void)state;
    (void)create(&made, 1, false);
    decide_apply();
    assert_int_equal(grow("none", 3, -1, NULL, 0), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(grow("a", 2, -1, NULL, 0), KERR_INVALID_PARTITIONS);
    assert_int_equal(grow("a", -1, -1, NULL, 0), KERR_INVALID_PARTITIONS);
    assert_int_equal(grow("a", 2, 1, one, 1), KERR_INVALID_PARTITIONS);
    assert_int_equal(grow("a", 10003, -1, NULL, 0), KERR_POLICY_VIOLATION);
    assert_int_equal(grow("a", 3, 0, NULL, 0), KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(grow("a", 3, 2, one, 1), KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(grow("a", 3, 1, one, 2), KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(grow("a", 3, 1, unknown, 1), KERR_INVALID_REPLICA_ASSIGNMENT);
    assert_int_equal(grow("a", 4, 2, one, 1), 0);
    assert_int_equal(decide_records.count, 2);
    assert_int_equal(grow("a", 6, -1, NULL, 0), 0);
    assert_int_equal(decide_records.count, 4);
}

/* ---- placement ---- */

static void
test_placement(void **state)
{
    PlacementBroker brokers[6] = {{1, STRVIEW("x"), false}, {2, STRVIEW("x"), false},
                                  {3, STRVIEW("y"), false}, {4, STRVIEW("y"), false},
                                  {5, STRVIEW("z"), false}, {6, STRVIEW("z"), true}};
    int32_t leaders[7] = {0}, replicas[7] = {0};
    Placer *placer = placer_new(brokers, 6, &decide_random, decide_arena);

    (void)state;
    assert_non_null(placer);
    assert_non_null(placer_fault(placer, 0));
    assert_non_null(placer_fault(placer, 7));
    assert_null(placer_fault(placer, 6));
    for (int i = 0; i < 600; i++) {
        int32_t ids[3], racks[3];

        placer_next(placer, 3, ids);
        for (int k = 0; k < 3; k++) {
            racks[k] = (ids[k] - 1) / 2;
            replicas[ids[k]]++;
            for (int m = 0; m < k; m++) {
                assert_int_not_equal(ids[m], ids[k]);
                assert_int_not_equal(racks[m], racks[k]); /* racks come first */
            }
        }
        assert_int_not_equal(ids[0], 6); /* a fenced broker never leads */
        leaders[ids[0]]++;
    }
    for (int id = 1; id <= 5; id++) {
        assert_in_range(leaders[id], 60, 260);
        assert_in_range(replicas[id], 150, 620);
    }
    for (int32_t i = 0; i < 6; i++)
        brokers[i].fenced = true;
    placer = placer_new(brokers, 6, &decide_random, decide_arena);
    assert_non_null(placer_fault(placer, 1));
}

static void
test_producer_ids(void **state)
{
    AllocateProducerIdsRequest request;
    AllocateProducerIdsResponse response;

    (void)state;
    allocate_producer_ids_request_init(&request);
    request.broker_id = 1;
    request.broker_epoch = 12;
    assert_int_equal(decide_producer_ids(&decide_context, &request, &decide_records, &response), 0);
    assert_int_equal(response.error_code, KERR_STALE_BROKER_EPOCH);
    request.broker_epoch = 11;
    assert_int_equal(decide_producer_ids(&decide_context, &request, &decide_records, &response), 0);
    assert_int_equal(response.producer_id_start, 0);
    assert_int_equal(response.producer_id_len, 1000);
    decide_apply();
    assert_int_equal(decide_producer_ids(&decide_context, &request, &decide_records, &response), 0);
    assert_int_equal(response.producer_id_start, 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_counts, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_several_topics, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_collisions, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_assignments, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_configs, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_no_time, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_deletes, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_growth, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_placement, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_producer_ids, decide_setup, decide_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
