/*
 * test_group_split.c - keys of a request go to their parts, and are found there again
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/group_split_int.h"

#define KEYS_MAX 2000

static Arena *arena;

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

static void
test_places(void **state)
{
    const int32_t parts[] = {2, 0, 2, 2, 0};
    GroupSplit split;

    (void)state;
    assert_true(group_split_init(&split, 6, arena));
    for (int32_t i = 0; i < 5; i++)
        group_split_put(&split, i, parts[i], 0);
    group_split_put(&split, 5, 1, 16);
    assert_int_equal(split.counts[0], 2);
    assert_int_equal(split.counts[1], 0);
    assert_int_equal(split.counts[2], 3);
    for (int32_t i = 0; i < 5; i++)
        assert_int_equal(split.keys[i].part, parts[i]);
    assert_int_equal(split.keys[0].place, 0);
    assert_int_equal(split.keys[2].place, 1);
    assert_int_equal(split.keys[3].place, 2);
    assert_int_equal(split.keys[1].place, 0);
    assert_int_equal(split.keys[4].place, 1);
    assert_int_equal(split.keys[5].part, -1);
    assert_int_equal(split.keys[5].code, 16);
    assert_int_equal(group_split_only(&split), -1);
}

static void
test_only(void **state)
{
    GroupSplit split;

    (void)state;
    assert_true(group_split_init(&split, 0, arena));
    assert_int_equal(group_split_only(&split), -1);
    assert_true(group_split_init(&split, 2, arena));
    group_split_put(&split, 0, 3, 0);
    group_split_put(&split, 1, 3, 0);
    assert_int_equal(group_split_only(&split), 3);
    assert_true(group_split_init(&split, 2, arena));
    group_split_put(&split, 0, 3, 0);
    group_split_put(&split, 1, 3, 24); /* refused: not all of the request */
    assert_int_equal(group_split_only(&split), -1);
}

static void
test_unique(void **state)
{
    StrView ids[KEYS_MAX];
    GroupSplit split;

    (void)state;
    for (int32_t i = 0; i < KEYS_MAX; i++)
        ids[i] = strview_from(arena_printf(arena, "%d", i * 7 % 50));
    ids[13] = STRVIEW("");
    ids[KEYS_MAX - 1] = STRVIEW("");
    assert_true(group_split_init(&split, KEYS_MAX, arena));
    assert_true(group_split_unique(&split, ids, true, arena));
    assert_int_equal(split.left, 51);
    for (int32_t i = 0; i < KEYS_MAX; i++) {
        bool before = false;

        for (int32_t k = 0; k < i; k++)
            before |= strview_equal(ids[i], ids[k]);
        assert_int_equal(split.keys[i].left_out, before);
        group_split_put(&split, i, i % 4, 0);
        assert_int_equal(split.keys[i].part, before ? -1 : i % 4);
    }
    assert_int_equal(split.counts[0] + split.counts[1] + split.counts[2] + split.counts[3], 51);
}

static void
test_like(void **state)
{
    StrView ids[] = {STRVIEW("a"), STRVIEW("b"), STRVIEW("a"), STRVIEW("a"), STRVIEW("c")};
    static const int32_t like[] = {-1, -1, 0, 0, -1};
    GroupSplit split;

    (void)state;
    assert_true(group_split_init(&split, 5, arena));
    assert_true(group_split_unique(&split, ids, false, arena));
    assert_int_equal(split.left, 5);
    for (int32_t i = 0; i < 5; i++) {
        assert_int_equal(split.keys[i].like, like[i]);
        assert_false(split.keys[i].left_out);
        group_split_put(&split, i, 1, 0);
    }
    assert_int_equal(split.counts[1], 3);
    assert_int_equal(split.keys[4].place, 2);
    assert_int_equal(group_split_only(&split), -1); /* the answer has fewer than the request */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_places, begin, end),
        cmocka_unit_test_setup_teardown(test_only, begin, end),
        cmocka_unit_test_setup_teardown(test_unique, begin, end),
        cmocka_unit_test_setup_teardown(test_like, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
