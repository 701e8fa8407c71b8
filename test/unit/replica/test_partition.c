/*
 * test_partition.c - the pure decisions of a leader
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/replica/partition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
min_isr(void **state)
{
    PartitionView v = {.replica_count = 3, .isr_count = 2, .min_isr = 2};

    (void)state;
    assert_int_equal(partition_effective_min_isr(&v), 2);
    assert_true(partition_may_append_all(&v));
    v.isr_count = 1;
    assert_false(partition_may_append_all(&v));
    v.replica_count = 1; /* min(min.insync.replicas, replicas) */
    assert_int_equal(partition_effective_min_isr(&v), 1);
    assert_true(partition_may_append_all(&v));
}

static void
high_watermark(void **state)
{
    PartitionView v = {
        .high_watermark = 5, .log_end = 9, .replica_count = 1, .isr_count = 1, .min_isr = 1};
    PartitionActions a = partition_leo_advanced(&v);

    (void)state;
    assert_int_equal(a.high_watermark, 9);
    assert_int_equal(a.wake, PARTITION_WAIT_LEO | PARTITION_WAIT_HW);
    v.replica_count = 3;
    v.isr_count = 3;
    a = partition_leo_advanced(&v);
    assert_int_equal(a.high_watermark, 5);
    assert_int_equal(a.wake, PARTITION_WAIT_LEO);
    v.isr_count = 1;
    assert_int_equal(partition_leo_advanced(&v).high_watermark, 9);
    v.min_isr = 2; /* too few in sync: HW stands still */
    assert_int_equal(partition_leo_advanced(&v).high_watermark, 5);
}

static void
epochs(void **state)
{
    (void)state;
    assert_int_equal(partition_check_epoch(-1, 5), PARTITION_EPOCH_OK);
    assert_int_equal(partition_check_epoch(5, 5), PARTITION_EPOCH_OK);
    assert_int_equal(partition_check_epoch(4, 5), PARTITION_EPOCH_FENCED);
    assert_int_equal(partition_check_epoch(-2, 5), PARTITION_EPOCH_FENCED);
    assert_int_equal(partition_check_epoch(6, 5), PARTITION_EPOCH_UNKNOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(min_isr),
        cmocka_unit_test(high_watermark),
        cmocka_unit_test(epochs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
