/*
 * test_fetch_set.c - the partitions of a fetch session against a plain model
 *
 * Proves F1 to F3 of fetch_set.c under random adding, removing, heating and moving; that parts keep
 * their index; that the order is that of adding and moving; that chunks come back; that a full set
 * says so and stays whole.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/fetch_set_int.h"
#include "ottla/common/random.h"

#define CHUNKS     2048
#define TOPICS     40
#define PARTITIONS 12
#define ROUNDS     20000

static FetchChunks chunks;
static FetchSet *set;

static int
setup(void **state)
{
    (void)state;
    chunks.pool = aligned_alloc(CACHE_LINE_BYTES, (pool_size(CHUNKS) + 63) & ~(size_t)63);
    chunks.base = malloc((size_t)CHUNKS * FETCH_CHUNK_BYTES);
    set = malloc(sizeof *set);
    assert_non_null(chunks.pool);
    assert_non_null(chunks.base);
    assert_non_null(set);
    memset(chunks.pool, 0, pool_size(CHUNKS));
    pool_init(chunks.pool, CHUNKS);
    fetch_set_init(set, 7);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    free(chunks.pool);
    free(chunks.base);
    free(set);
    return 0;
}

/* Topics of even number are named, the others have an id. */
static FetchKey
key_make(int topic, int32_t partition, char name[16])
{
    FetchKey key = {.partition = partition, .by_id = topic % 2 == 1};
    if (key.by_id) {
        key.id.b[0] = 1;
        key.id.b[15] = (uint8_t)topic;
    } else {
        snprintf(name, 16, "topic-%d", topic);
        key.name = strview_from(name);
    }
    return key;
}

static int32_t
chunks_taken(void)
{
    int32_t taken = 0;
    for (uint32_t i = 0; i < CHUNKS; i++)
        taken += pool_owner(chunks.pool, i) != 0;
    return taken;
}

static void
test_random_changes_agree_with_a_model(void **state)
{
    (void)state;
    int32_t model[TOPICS][PARTITIONS];
    int count = 0;
    RandomSeq seq = {20261121};
    memset(model, -1, sizeof model);
    for (int round = 0; round < ROUNDS; round++) {
        int topic = (int)random_seq_below(&seq, TOPICS);
        int32_t partition = (int32_t)random_seq_below(&seq, PARTITIONS);
        char name[16];
        FetchKey key = key_make(topic, partition, name);
        int32_t *there = &model[topic][partition];
        assert_int_equal(fetch_set_find(set, &chunks, &key), *there);
        switch (random_seq_below(&seq, 4)) {
        case 0:
        case 1: {
            int32_t index = fetch_set_add(set, &chunks, &key);
            assert_true(index >= 0 && (*there < 0 || index == *there));
            if (*there < 0)

                count++;
            *there = index;
            break;
        }
        case 2:
            if (*there >= 0) {
                fetch_set_remove(set, &chunks, *there);
                *there = FETCH_NONE;
                count--;
            }
            break;
        default:
            if (*there >= 0) {
                fetch_set_cool(set, &chunks, *there);
                fetch_set_move_to_end(set, &chunks, *there);
            }
        }
        assert_int_equal(set->part_count, count);
    }
    fetch_set_check(set, &chunks);
    fetch_set_heat_all(set, &chunks);
    int32_t sorted[TOPICS * PARTITIONS];
    assert_int_equal(set->hot_count, count);
    fetch_set_hot_sorted(set, &chunks, sorted);
    for (int i = 1; i < count; i++) {
        assert_true(fetch_set_part(set, &chunks, sorted[i - 1])->order <
                    fetch_set_part(set, &chunks, sorted[i])->order);
    }
    for (int t = 0; t < TOPICS; t++) {
        for (int32_t p = 0; p < PARTITIONS; p++) {
            if (model[t][p] >= 0) {
                const FetchPart *part = fetch_set_part(set, &chunks, model[t][p]);
                const FetchTopic *topic = fetch_set_topic(set, &chunks, part->topic);
                assert_int_equal(part->partition, p);
                assert_int_equal(topic->by_id, t % 2);
            }
        }
    }
    fetch_set_fini(set, &chunks);
    assert_int_equal(chunks_taken(), 0);
}

static void
test_a_full_set_refuses_and_stays_whole(void **state)
{
    (void)state;
    char name[16];
    for (int32_t i = 0; i < FETCH_SESSION_PARTS_MAX; i++) {
        FetchKey key = key_make(i % TOPICS, i, name);
        assert_true(fetch_set_add(set, &chunks, &key) >= 0);
    }
    FetchKey more = key_make(0, FETCH_SESSION_PARTS_MAX * TOPICS, name);
    assert_int_equal(fetch_set_add(set, &chunks, &more), FETCH_NONE);
    fetch_set_check(set, &chunks);
    FetchKey known = key_make(3, 3, name);
    int32_t index = fetch_set_find(set, &chunks, &known);
    assert_true(index >= 0);
    fetch_set_remove(set, &chunks, index);
    assert_int_equal(fetch_set_add(set, &chunks, &more), index);
    fetch_set_check(set, &chunks);
}

static void
test_without_chunks_nothing_is_added(void **state)
{
    (void)state;
    char name[16];
    while (pool_alloc(chunks.pool, 99, 0) != POOL_NONE) {
    }
    FetchKey key = key_make(2, 0, name);
    assert_int_equal(fetch_set_add(set, &chunks, &key), FETCH_NONE);
    assert_int_equal(set->part_count, 0);
    fetch_set_check(set, &chunks);
}

static void
test_a_name_too_long_is_refused(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof name);
    FetchKey key = {.name = {name, LIMIT_TOPIC_NAME_LEN + 1}};
    assert_int_equal(fetch_set_add(set, &chunks, &key), FETCH_NONE);
    key.name.len = LIMIT_TOPIC_NAME_LEN;
    assert_true(fetch_set_add(set, &chunks, &key) >= 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_changes_agree_with_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_set_refuses_and_stays_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_chunks_nothing_is_added, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_name_too_long_is_refused, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
