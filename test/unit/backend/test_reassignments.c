/*
 * test_reassignments.c - ListPartitionReassignments: what moves is listed, once each, and nothing else
 *
 * Needs an image of three brokers, which a node alone never has: so this is no test of a node.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/dispatch_int.h"
#include "controller/image_build.h"
#include "ipc/shm_kit.h"
#include "ottla/protocol/msg_list_partition_reassignments.h"

static Region image_region;
static ImageWriter writer;
static Arena *arena;

static const RegionRow rows[] = {{"image", image_shm_size, image_shm_init, "", "", ""}};

/* A partition on the replicas given, the first `adding` and the last `removing` of them on their way. */
static void
put(Uuid topic, int32_t index, const int32_t *replicas, int32_t count, int32_t adding,
    int32_t removing)
{
    ImagePartition p = {.ref = PARTITION_REF_NONE,
                        .partition = index,
                        .leader = 1,
                        .replicas = replicas,
                        .replica_count = count,
                        .isr = replicas,
                        .isr_count = count,
                        .adding = replicas,
                        .adding_count = adding,
                        .removing = replicas + count - removing,
                        .removing_count = removing};

    assert_int_equal(build_partition(&writer, topic, &p), 0);
}

/* Topic "a": 0 rests, 1 moves from 1 to 3, 2 gets 3, too; "b" rests; "c": 0 loses 2. */
static int
setup(void **state)
{
    static const int32_t moving[] = {3, 2, 1}, resting[] = {1, 2};
    Uuid a = {{1}}, b = {{2}}, c = {{3}};
    ShmLimits limits;
    ErrInfo err = {0};

    kit_limits(&limits);
    kit_setup(state);
    if (region_map(rows, 1, &limits, &image_region, &err) != 0)
        fail_msg("%s", err.text);
    kit_become(KIT_BACKENDS - 1);
    image_writer_init(&writer);
    assert_int_equal(build_topic(&writer, STRVIEW("a"), a), 0);
    assert_int_equal(build_topic(&writer, STRVIEW("b"), b), 0);
    assert_int_equal(build_topic(&writer, STRVIEW("c"), c), 0);
    put(a, 0, resting, 2, 0, 0);
    put(a, 1, moving, 3, 1, 1);
    put(a, 2, moving, 3, 1, 0);
    put(b, 0, resting, 2, 0, 0);
    put(c, 0, resting, 2, 0, 1);
    image_commit(&writer);
    assert_int_equal(image_publish(&writer), 0);
    arena = arena_new(4096, 1 << 20);
    return 0;
}

static int
teardown(void **state)
{
    arena_free(arena);
    image_writer_fini(&writer);
    region_unmap(&image_region);
    kit_teardown(state);
    return 0;
}

typedef ListPartitionReassignmentsRequest Ask;
typedef ListPartitionReassignmentsResponse Answer;

static Answer
list(const Ask *in)
{
    WireSizer size = {0};
    Request rq = {.arena = arena};
    Answer out;
    WireWriter w;
    WireReader r;
    uint8_t *bytes;

    list_partition_reassignments_request_size(&size, 0, in);
    bytes = arena_alloc(arena, size.bytes);
    assert_non_null(bytes);
    wire_writer_init(&w, bytes, size.bytes);
    list_partition_reassignments_request_write(&w, 0, in);
    rq.head.api = api_find(API_ListPartitionReassignments);
    rq.body = (BytesView){bytes, (int32_t)size.bytes};
    assert_int_equal(h_list_reassignments_start(&rq), REQ_DONE);
    assert_int_equal(rq.out.count, 1);
    wire_reader_init(&r, rq.out.pieces[0].mem, rq.out.pieces[0].len, arena);
    r.pos += 9; /* size, correlation id, tags */
    list_partition_reassignments_response_read(&r, 0, &out);
    assert_int_equal(r.err, 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(out.error_code, 0);
    return out;
}

static void
expect_ids(const int32_t *ids, int32_t count, const int32_t *expected, int32_t expected_count)
{
    assert_int_equal(count, expected_count);
    assert_memory_equal(ids, expected, sizeof *ids * (size_t)count);
}

static void
test_all(void **state)
{
    static const int32_t moving[] = {3, 2, 1}, resting[] = {1, 2};
    Ask in = {.topics_count = -1};
    Answer out = list(&in);
    const ListPartitionReassignmentsResponsePartition *p;

    (void)state;
    assert_int_equal(out.topics_count, 2);
    assert_true(strview_equal(out.topics[0].name, STRVIEW("a")));
    assert_int_equal(out.topics[0].partitions_count, 2);
    p = &out.topics[0].partitions[0];
    assert_int_equal(p->partition_index, 1);
    expect_ids(p->replicas, p->replicas_count, moving, 3);
    expect_ids(p->adding_replicas, p->adding_replicas_count, moving, 1);
    expect_ids(p->removing_replicas, p->removing_replicas_count, moving + 2, 1);
    assert_int_equal(out.topics[0].partitions[1].partition_index, 2);
    assert_int_equal(out.topics[0].partitions[1].removing_replicas_count, 0);
    assert_true(strview_equal(out.topics[1].name, STRVIEW("c")));
    p = &out.topics[1].partitions[0];
    expect_ids(p->removing_replicas, p->removing_replicas_count, resting + 1, 1);
}

static void
test_named(void **state)
{
    int32_t parts[] = {1, 0, 9, -1};
    ListPartitionReassignmentsRequestTopic topics[] = {
        {.name = STRVIEW("a"), .partition_indexes = parts, .partition_indexes_count = 4},
        {.name = STRVIEW("b"), .partition_indexes = parts, .partition_indexes_count = 4},
        {.name = STRVIEW("none"), .partition_indexes = parts, .partition_indexes_count = 4}};
    Ask in = {.topics = topics, .topics_count = 3};
    Answer out = list(&in);

    (void)state;
    assert_int_equal(out.topics_count, 1);
    assert_int_equal(out.topics[0].partitions_count, 1);
    assert_int_equal(out.topics[0].partitions[0].partition_index, 1);
    in.topics_count = 0;
    assert_int_equal(list(&in).topics_count, 0);
}

/* A partition asked for ten thousand times makes no longer list than the topic has partitions. */
static void
test_bounded(void **state)
{
    static int32_t parts[10000];
    ListPartitionReassignmentsRequestTopic topic = {
        .name = STRVIEW("a"), .partition_indexes = parts, .partition_indexes_count = 10000};
    Ask in = {.topics = &topic, .topics_count = 1};
    Answer out;

    (void)state;
    for (int32_t i = 0; i < 10000; i++)
        parts[i] = 1;
    out = list(&in);
    assert_int_equal(out.topics_count, 1);
    assert_true(out.topics[0].partitions_count <= 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
