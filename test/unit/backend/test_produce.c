/*
 * test_produce.c - which partitions of a Produce request count, and how failures are told
 *
 * Proves that a partition named twice counts as named last, across topic entries and by id too;
 * that topics without partitions vanish; and what a failed partition answers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/produce_int.h"

#define T(literal, list)                                                    \
    (ProduceRequestTopic)                                                   \
    {                                                                       \
        .name = STRVIEW(literal), .partition_data = list,                   \
        .partition_data_count = (int32_t)(sizeof(list) / sizeof((list)[0])) \
    }

static Request rq;

static ProduceWork *
work_of(ProduceRequestTopic *topics, int32_t count, int16_t version)
{
    ProduceRequest in = {.acks = -1, .topic_data = topics, .topic_data_count = count};

    arena_reset(rq.arena);
    rq.head.api_version = version;
    return produce_work_new(&rq, &in);
}

static void
test_last_one_counts(void **state)
{
    ProduceRequestPartition a[] = {{.index = 1}, {.index = 0}, {.index = 1}};
    ProduceRequestPartition b[] = {{.index = 7}};
    ProduceRequestPartition again[] = {{.index = 0}, {.index = 2}};
    ProduceRequestTopic topics[] = {T("a", a), T("b", b), T("a", again)};
    ProduceWork *work;

    (void)state;
    work = work_of(topics, 3, 9);
    assert_non_null(work);
    assert_int_equal(work->count, 4);
    assert_int_equal(work->out.responses_count, 2);
    assert_true(strview_equal(work->out.responses[0].name, STRVIEW("a")));
    assert_int_equal(work->out.responses[0].partition_responses_count, 3);
    assert_int_equal(work->out.responses[1].partition_responses_count, 1);
    assert_ptr_equal(work->parts[0].in, &again[0]);
    assert_ptr_equal(work->parts[1].in, &a[2]);
    assert_ptr_equal(work->parts[2].in, &again[1]);
    assert_ptr_equal(work->parts[3].in, &b[0]);
    for (int32_t i = 0; i < 3; i++) {
        assert_ptr_equal(work->parts[i].out, &work->out.responses[0].partition_responses[i]);
        assert_int_equal(work->parts[i].out->index, i);
        assert_int_equal(work->parts[i].out->base_offset, -1);
        assert_int_equal(work->parts[i].out->log_start_offset, -1);
    }
}

static void
test_by_id(void **state)
{
    ProduceRequestPartition one[] = {{.index = 0}}, two[] = {{.index = 0}};
    ProduceRequestTopic topics[] = {T("", one), T("", two), T("", two)};
    ProduceWork *work;

    (void)state;
    topics[0].topic_id.b[15] = 2;
    topics[1].topic_id.b[15] = 1;
    topics[2].topic_id.b[15] = 2;
    work = work_of(topics, 3, 13);
    assert_int_equal(work->count, 2);
    assert_int_equal(work->out.responses_count, 2);
    assert_int_equal(work->out.responses[0].topic_id.b[15], 1);
    assert_ptr_equal(work->parts[1].topic, &topics[2]);
}

static void
test_nothing(void **state)
{
    ProduceRequestTopic empty[] = {{.name = STRVIEW("a")}};
    ProduceWork *work;

    (void)state;
    work = work_of(NULL, 0, 3);
    assert_int_equal(work->count, 0);
    assert_int_equal(work->out.responses_count, 0);
    work = work_of(empty, 1, 3);
    assert_int_equal(work->count, 0);
    assert_int_equal(work->out.responses_count, 0);
}

static void
test_failures(void **state)
{
    ProduceRequestPartition a[] = {{.index = 0}, {.index = 1}};
    ProduceRequestTopic topics[] = {T("a", a)};
    ProduceWork *work = work_of(topics, 1, 9);
    BatchRecordError errors[] = {{1, "one"}, {3, "three"}};
    BatchVerdict verdict = {.error_count = 2, .errors = errors};

    (void)state;
    work->parts[0].out->log_start_offset = 5;
    produce_fail(&work->parts[0], KERR_CORRUPT_MESSAGE);
    assert_true(work->parts[0].done);
    assert_false(work->parts[1].done);
    assert_int_equal(work->parts[0].out->error_code, KERR_CORRUPT_MESSAGE);
    assert_int_equal(work->parts[0].out->log_start_offset, -1);
    produce_record_errors(work, &work->parts[0], &verdict);
    assert_int_equal(work->parts[0].out->record_errors_count, 2);
    assert_int_equal(work->parts[0].out->record_errors[1].batch_index, 3);
    produce_fail_all(work, KERR_INVALID_REQUIRED_ACKS, "text");
    assert_int_equal(work->parts[0].out->error_code, KERR_INVALID_REQUIRED_ACKS);
    assert_true(strview_equal(work->parts[1].out->error_message, STRVIEW("text")));
}

static void
test_rules(void **state)
{
    TopicSettings topic = {.compression_type = BATCH_CODEC_ZSTD,
                           .compression_zstd_level = 7,
                           .compression_lz4_level = 9,
                           .timestamp_type = TOPIC_LOG_APPEND_TIME,
                           .cleanup_compact = true,
                           .max_message_bytes = 100,
                           .segment_bytes = 2000};
    BatchRules rules;

    (void)state;
    produce_rules(&topic, 42, &rules);
    assert_int_equal(rules.level, 7);
    assert_int_equal(rules.target_codec, BATCH_CODEC_ZSTD);
    assert_int_equal(rules.now_ms, 42);
    assert_true(rules.append_time && rules.compacted);
    assert_int_equal(rules.max_message_bytes, 100);
    topic.compression_type = BATCH_TARGET_PRODUCER;
    produce_rules(&topic, 42, &rules);
    assert_int_equal(rules.target_codec, BATCH_TARGET_PRODUCER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_one_counts), cmocka_unit_test(test_by_id),
        cmocka_unit_test(test_nothing),         cmocka_unit_test(test_failures),
        cmocka_unit_test(test_rules),
    };

    rq.arena = arena_new(4096, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
