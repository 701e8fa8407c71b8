/*
 * test_cost.c - what topics cost: 100 requests of 100 partitions in 3 s, and one more topic among many
 *
 * Prints the figures. The bounds hold for a plain build on a slow disk; sanitizers get five times as
 * much.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/controller_kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/clock.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWER 5
#else
#define SLOWER 1
#endif

static const char *folder;
static Controller controller;

static int
setup(void **state)
{
    (void)state;
    folder = kit_open(&controller, (size_t)256 << 20, 100000);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    kit_close(&controller, folder);
    return 0;
}

static int64_t
create_us(const char *prefix, int first, int count, int32_t partitions)
{
    int64_t begin = clock_mono_us();
    char name[64];

    for (int i = first; i < first + count; i++) {
        snprintf(name, sizeof name, "%s-%d", prefix, i);
        assert_int_equal(kit_create(&controller, name, partitions), 0);
    }
    return clock_mono_us() - begin;
}

static void
test_hundred_of_hundred(void **state)
{
    int64_t us = create_us("wide", 0, 100, 100);

    (void)state;
    print_message("# 100 CreateTopics of 100 partitions, one after the other: %" PRId64 " ms\n",
                  us / 1000);
    assert_true(us <= 3000000 * SLOWER);
}

/*
 * CPU time, because the flush waits for a disk that others use, and the best of ten stretches of
 * one-partition topics, because they use the caches, too.
 */
#define STRETCH 50
static int64_t
stretch_us(const char *prefix)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 10; i++) {
        int64_t begin = clock_cpu_us();
        int64_t us;

        (void)create_us(prefix, i * STRETCH, STRETCH, 1);
        us = clock_cpu_us() - begin;
        best = us < best ? us : best;
    }
    return best;
}

static void
test_one_more_topic(void **state)
{
    int64_t few, many;

    (void)state;
    (void)create_us("warm", 0, 100, 1);
    few = stretch_us("few");
    (void)create_us("crowd", 0, 20000, 1);
    many = stretch_us("many");
    print_message("# one more topic: %" PRId64 " us of CPU among 350, %" PRId64
                  " us among 21,000; image %zu bytes in use\n",
                  few / STRETCH, many / STRETCH, controller.image.used);
    assert_true(many <= 3 * few + STRETCH * 100);
}

static void
test_restart_with_many(void **state)
{
    int64_t begin;

    (void)state;
    (void)create_us("wide", 0, 100, 100);
    controller_stop(&controller);
    kit_region_end();
    kit_region((size_t)256 << 20, 100000);
    begin = clock_mono_us();
    kit_start(&controller, folder);
    print_message("# start with 10,000 partitions: %" PRId64 " ms\n",
                  (clock_mono_us() - begin) / 1000);
    assert_int_equal(image_partition_count(&controller.image.before), 10000);
    assert_true(clock_mono_us() - begin <= 500000 * SLOWER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hundred_of_hundred, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_more_topic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart_with_many, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
