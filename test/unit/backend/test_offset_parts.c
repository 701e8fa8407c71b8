/*
 * test_offset_parts.c - offsets that are refused here and offsets that the coordinator answers come out as one answer
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/offset_parts_int.h"

static Arena *arena;

/* Topics a (0, 5, 1), b (none), c (3), d (0, 1). */
static OffsetCommitRequestPartition commit_a[3] = {
    {.partition_index = 0}, {.partition_index = 5}, {.partition_index = 1}};
static OffsetCommitRequestPartition commit_c[1] = {{.partition_index = 3}};
static OffsetCommitRequestPartition commit_d[2] = {{.partition_index = 0}, {.partition_index = 1}};
static OffsetCommitRequestTopic commit_topics[4] = {
    {.name = {"a", 1}, .partitions = commit_a, .partitions_count = 3},
    {.name = {"b", 1}},
    {.name = {"c", 1}, .partitions = commit_c, .partitions_count = 1},
    {.name = {"d", 1}, .partitions = commit_d, .partitions_count = 2}};
static const int16_t codes[6] = {0, 3, 0, 3, 0, 0};

static const OffsetCommitRequest commit = {
    .group_id = {"g", 1}, .topics = commit_topics, .topics_count = 4};

static int
begin(void **state)
{
    (void)state;
    arena = arena_new(65536, 0);
    return arena == NULL;
}

static int
end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* What a coordinator answers: 100 + the number of the partition in the request. */
static OffsetCommitResponse
coordinator_says(const OffsetCommitRequest *in)
{
    OffsetCommitResponse out;
    int16_t code = 100;

    offset_commit_response_init(&out);
    out.topics = arena_calloc(arena, (size_t)in->topics_count + 1, sizeof *out.topics);
    out.topics_count = in->topics_count;
    for (int32_t i = 0; i < in->topics_count; i++) {
        out.topics[i].name = in->topics[i].name;
        out.topics[i].partitions_count = in->topics[i].partitions_count;
        out.topics[i].partitions = arena_calloc(arena, (size_t)in->topics[i].partitions_count + 1,
                                                sizeof *out.topics[i].partitions);
        for (int32_t k = 0; k < in->topics[i].partitions_count; k++)
            out.topics[i].partitions[k] = (OffsetCommitResponsePartition){
                .partition_index = in->topics[i].partitions[k].partition_index,
                .error_code = code++};
    }
    return out;
}

static void
expect(const OffsetCommitResponse *out, const int16_t *wanted)
{
    const int32_t counts[] = {3, 1, 2};

    assert_int_equal(out->topics_count, 3);
    for (int32_t i = 0; i < 3; i++) {
        assert_int_equal(out->topics[i].partitions_count, counts[i]);
        for (int32_t k = 0; k < counts[i]; k++)
            assert_int_equal(out->topics[i].partitions[k].error_code, *wanted++);
    }
    assert_true(strview_equal(out->topics[1].name, STRVIEW("c")));
    assert_int_equal(out->topics[0].partitions[1].partition_index, 5);
}

static void
test_count(void **state)
{
    bool has_empty;

    (void)state;
    assert_int_equal(offset_commit_count(&commit, &has_empty), 6);
    assert_true(has_empty);
}

static void
test_merge(void **state)
{
    OffsetCommitRequest kept;
    OffsetCommitResponse reply, out;

    (void)state;
    assert_true(offset_commit_keep(&commit, codes, arena, &kept));
    assert_int_equal(kept.topics_count, 2); /* a and d */
    assert_int_equal(kept.topics[0].partitions_count, 2);
    assert_int_equal(kept.topics[0].partitions[1].partition_index, 1);
    assert_true(strview_equal(kept.topics[1].name, STRVIEW("d")));
    assert_int_equal(commit.topics[0].partitions_count, 3);

    reply = coordinator_says(&kept);
    assert_true(offset_commit_merge(&commit, codes, &reply, 0, arena, &out));
    expect(&out, (const int16_t[]){100, 3, 101, 3, 102, 103});
    assert_true(offset_commit_merge(&commit, codes, NULL, 15, arena, &out));
    expect(&out, (const int16_t[]){15, 3, 15, 3, 15, 15});
}

static void
test_other_shape(void **state)
{
    OffsetCommitRequest kept;
    OffsetCommitResponse reply, out;

    (void)state;
    assert_true(offset_commit_keep(&commit, codes, arena, &kept));
    reply = coordinator_says(&kept);
    reply.topics_count = 1; /* as if the rest was forgotten */
    assert_true(offset_commit_merge(&commit, codes, &reply, 0, arena, &out));
    expect(&out, (const int16_t[]){100, 3, 101, 3, -1, -1});
    reply.topics[0].partitions[0].partition_index = 77;
    assert_true(offset_commit_merge(&commit, codes, &reply, 0, arena, &out));
    expect(&out, (const int16_t[]){-1, 3, -1, 3, -1, -1});
}

static void
test_delete(void **state)
{
    OffsetDeleteRequestPartition a[2] = {{0}, {9}}, b[1] = {{2}};
    OffsetDeleteRequestTopic topics[3] = {
        {.name = {"a", 1}, .partitions = a, .partitions_count = 2},
        {.name = {"b", 1}, .partitions = b, .partitions_count = 1},
        {.name = {"c", 1}}};
    const OffsetDeleteRequest in = {.group_id = {"g", 1}, .topics = topics, .topics_count = 3};
    OffsetDeleteResponsePartition said_a[1] = {{0, 86}};
    OffsetDeleteResponseTopic said[1] = {{.partitions = said_a, .partitions_count = 1}};
    const OffsetDeleteResponse reply = {.topics = said, .topics_count = 1};
    const int16_t verdicts[] = {0, 3, 3};
    OffsetDeleteRequest kept;
    OffsetDeleteResponse out;

    (void)state;
    assert_int_equal(offset_delete_count(&in), 3);
    assert_true(offset_delete_keep(&in, verdicts, arena, &kept));
    assert_int_equal(kept.topics_count, 1);
    assert_int_equal(kept.topics[0].partitions_count, 1);
    assert_true(offset_delete_merge(&in, verdicts, &reply, arena, &out));
    assert_int_equal(out.topics_count, 2);
    assert_int_equal(out.topics[0].partitions[0].error_code, 86);
    assert_int_equal(out.topics[0].partitions[1].error_code, 3);
    assert_int_equal(out.topics[1].partitions[0].error_code, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_count, begin, end),
        cmocka_unit_test_setup_teardown(test_merge, begin, end),
        cmocka_unit_test_setup_teardown(test_other_shape, begin, end),
        cmocka_unit_test_setup_teardown(test_delete, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
