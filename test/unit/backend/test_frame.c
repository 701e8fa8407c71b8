/*
 * test_frame.c - frame_look: every cut of a frame, sizes at and beyond the limits
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/frame_int.h"

static void
put(uint8_t *at, int32_t v)
{
    uint32_t u = (uint32_t)v;

    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(u >> (24 - 8 * i));
}

static void
test_cut_anywhere(void **state)
{
    uint8_t bytes[4 + 10] = {0};
    int32_t size;

    (void)state;
    put(bytes, 10);
    for (size_t have = 0; have <= sizeof bytes; have++) {
        size = -7;
        assert_int_equal(frame_look(bytes, have, 64, 1000, &size),
                         have == sizeof bytes ? FRAME_WHOLE : FRAME_PARTIAL);
        assert_int_equal(size, have < 4 ? -7 : 10);
    }
}

static void
test_sizes(void **state)
{
    static const struct {
        int32_t size;
        FrameStatus want;
    } rows[] = {
        {-1, FRAME_BAD},     {INT32_MIN, FRAME_BAD}, {INT32_MAX, FRAME_BAD}, {1001, FRAME_BAD},
        {1000, FRAME_LARGE}, {61, FRAME_LARGE},      {60, FRAME_PARTIAL},    {0, FRAME_WHOLE},
    };
    uint8_t bytes[4];
    int32_t size;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put(bytes, rows[i].size);
        assert_int_equal(frame_look(bytes, sizeof bytes, 64, 1000, &size), rows[i].want);
        assert_int_equal(size, rows[i].size);
    }
}

static void
test_api_key(void **state)
{
    static const uint8_t negative[] = {0xff, 0xfe, 0};
    static const uint8_t fetch[] = {0, 1};

    (void)state;
    assert_int_equal(frame_api_key(negative, 3), -2);
    assert_int_equal(frame_api_key(fetch, 2), 1);
    assert_int_equal(frame_api_key(fetch, 1), -1);
    assert_int_equal(frame_api_key(fetch, 0), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_api_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
