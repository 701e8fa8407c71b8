/*
 * test_bulk.c - the pages of a rush of long messages go back when it is over, those of messages stay
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/bulk_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/mailbox.h"

#define CHUNKS    1000
#define WARM      64 /* keep their pages */
#define USED      900
#define KEPT      300
#define PAGE      4096
#define SECOND_US INT64_C(1000000)

static int
setup(void **state)
{
    ShmLimits limits;

    (void)state;
    kit_limits(&limits);
    limits.bulk_bytes = (size_t)CHUNKS * BULK_CHUNK_BYTES;
    kit_map(&limits);
    kit_become(0);
    return 0;
}

static bool
is_in_memory(uint32_t chunk)
{
    unsigned char pages[BULK_CHUNK_BYTES / PAGE];

    assert_int_equal(mincore(bulk_at(chunk), BULK_CHUNK_BYTES, pages), 0);
    for (size_t i = 0; i < sizeof pages; i++)
        if ((pages[i] & 1) != 0)
            return true;
    return false;
}

static uint32_t
in_memory(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < CHUNKS; i++)
        count += is_in_memory(i);
    return count;
}

static bool
wants_more_soon(void)
{
    int64_t now_us = clock_mono_us();
    int64_t next_us = bulk_tidy(now_us);

    return next_us > now_us && next_us <= now_us + SECOND_US;
}

static void
pages_go_back_after_a_rush(void **state)
{
    (void)state;
    assert_true(bulk_tidy(clock_mono_us()) == INT64_MAX);
    for (uint32_t i = 0; i < USED; i++) {
        assert_int_equal(bulk_alloc(), i);
        memset(bulk_at(i), (int)(i | 1), BULK_CHUNK_BYTES);
    }
    for (uint32_t i = 0; i < USED; i++)
        if (i != KEPT)
            bulk_free(i);
    assert_true(wants_more_soon()); /* it may go on */
    assert_int_equal(in_memory(), USED);
    assert_true(bulk_tidy(clock_mono_us() + 2 * SECOND_US) == INT64_MAX);
    assert_int_equal(in_memory(), WARM + 1);
    assert_int_equal(bulk_chunks_taken(), 1);
    for (size_t i = 0; i < BULK_CHUNK_BYTES; i++)
        assert_int_equal(bulk_at(KEPT)[i], (KEPT | 1) & 0xff);

    bulk_free(KEPT);
    assert_true(wants_more_soon());
    assert_true(bulk_tidy(clock_mono_us() + 2 * SECOND_US) == INT64_MAX);
    assert_int_equal(in_memory(), WARM);
    assert_int_equal(bulk_chunks_taken(), 0);
    assert_int_equal(bulk_alloc(), 0);
}

static void
a_few_messages_cost_no_call(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        uint32_t chunk = bulk_alloc();

        assert_true(chunk < WARM);
        bulk_free(chunk);
    }
    assert_true(bulk_tidy(clock_mono_us()) == INT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_go_back_after_a_rush, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_few_messages_cost_no_call, setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
