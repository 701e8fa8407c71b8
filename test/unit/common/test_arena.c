/*
 * test_arena.c - arenas keep alignment, caps and marks
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void
allocations_are_aligned_and_distinct(void **state)
{
    Arena *arena = arena_new(256, 0);
    uint8_t *last = NULL;

    (void)state;
    for (size_t size = 0; size < 600; size++) {
        uint8_t *p = arena_alloc(arena, size);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_ptr_not_equal(p, last);
        memset(p, 0x5a, size);
        last = p;
    }
    arena_free(arena);
    arena_free(NULL);
}

static void
cap_bounds_what_is_taken(void **state)
{
    Arena *arena = arena_new(1024, 4096);
    size_t got = 0;

    (void)state;
    while (arena_alloc(arena, 100) != NULL)
        got++;
    assert_in_range(got, 20, 4096 / 112);
    assert_true(arena_bytes(arena) <= 4096);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX / 2 - 8));
    assert_null(arena_calloc(arena, SIZE_MAX / 4, 8));
    arena_reset(arena);
    assert_true(arena_bytes(arena) <= 1024 + 64);
    assert_non_null(arena_alloc(arena, 900));
    arena_set_cap(arena, 0);
    assert_non_null(arena_alloc(arena, 100000));
    arena_reset(arena);
    assert_true(arena_bytes(arena) <= 1024 + 64);
    arena_free(arena);
}

static void
release_returns_to_the_mark(void **state)
{
    Arena *arena = arena_new(128, 0);
    char *before = arena_strdup(arena, STRVIEW("before"));
    ArenaMark mark = arena_mark(arena);
    size_t bytes = arena_bytes(arena);
    void *first = arena_alloc(arena, 8);

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(arena, 100));
    arena_release(arena, mark);
    assert_int_equal(arena_bytes(arena), bytes);
    assert_string_equal(before, "before");
    assert_ptr_equal(arena_alloc(arena, 8), first);

    mark = (ArenaMark){NULL, 0};
    arena_release(arena, mark);
    assert_int_equal(arena_bytes(arena), 0);
    arena_free(arena);
}

static void
texts_are_copied(void **state)
{
    Arena *arena = arena_new(64, 0);
    uint8_t *zero = arena_calloc(arena, 3, 5);

    (void)state;
    for (int i = 0; i < 15; i++)
        assert_int_equal(zero[i], 0);
    assert_string_equal(arena_strdup(arena, (StrView){"abcdef", 3}), "abc");
    assert_null(arena_strdup(arena, (StrView){NULL, 0}));
    assert_string_equal(arena_printf(arena, "%s-%d", "orders", 7), "orders-7");
    assert_int_equal(strlen(arena_printf(arena, "%0500d", 1)), 500);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_distinct),
        cmocka_unit_test(cap_bounds_what_is_taken),
        cmocka_unit_test(release_returns_to_the_mark),
        cmocka_unit_test(texts_are_copied),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
