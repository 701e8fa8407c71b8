/*
 * test_shared.c - proves that marks, counts and the history of rebalances outlive their writer
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/coordinator/shared.h"

#define SECOND_US 1000000

static void *region;

static int
map_anew(void **state)
{
    ShmLimits limits;
    size_t size;

    (void)state;
    shm_limits_default(&limits);
    size = coordinators_shm_size(&limits);
    region = aligned_alloc(REGION_PAGE, size);
    if (region == NULL)
        return -1;
    memset(region, 0, size);
    coordinators_shm_init(region, &limits);
    return 0;
}

static int
unmap(void **state)
{
    (void)state;
    free(region);
    return 0;
}

static void
counts_are_per_worker(void **state)
{
    (void)state;
    coordinator_count_set(3, COORDINATOR_GROUPS, 7);
    coordinator_count_add(3, COORDINATOR_GROUPS, 2);
    assert_int_equal(coordinator_count(3, COORDINATOR_GROUPS), 9);
    assert_int_equal(coordinator_count(2, COORDINATOR_GROUPS), 0);
    assert_string_equal(coordinator_count_name(COORDINATOR_GROUPS), "groups");
}

/* Three deaths within a minute on one shard, and on no other. */
static void
deadly_shards_are_known(void **state)
{
    int64_t now_us = 100 * SECOND_US;
    int64_t offset;

    (void)state;
    assert_int_equal(coordinator_note_start(0, now_us, &offset), -1);
    for (int i = 0; i < 3; i++) {
        assert_false(coordinator_load_is_deadly(0, 8, now_us));
        coordinator_mark_loading(0, 8, 40 + i);
        assert_int_equal(coordinator_note_start(0, now_us, &offset), 8);
        assert_int_equal(offset, 40 + i);
        now_us += 10 * SECOND_US;
    }
    assert_true(coordinator_load_is_deadly(0, 8, now_us));
    assert_false(coordinator_load_is_deadly(0, 12, now_us));
    assert_false(coordinator_load_is_deadly(1, 8, now_us));
    assert_false(coordinator_load_is_deadly(0, 8, now_us + 60 * SECOND_US));
    coordinator_mark_loading(0, 8, 1);
    coordinator_mark_loading(0, -1, 0); /* it got through */
    assert_int_equal(coordinator_note_start(0, now_us, &offset), -1);
}

static void
add(int worker, int64_t end_ms, const char *group)
{
    GroupRebalance one = {.group = strview_from(group),
                          .cause = REBALANCE_MEMBER_LEFT,
                          .cause_member = {NULL, 0},
                          .waited_for = strview_from("slow"),
                          .generation = (int32_t)end_ms,
                          .members = 2,
                          .begin_wall_ms = end_ms - 5,
                          .duration_ms = 5};

    rebalance_history_add(worker, &one);
}

static void
history_is_that_of_all_workers(void **state)
{
    RebalanceLine lines[4];
    char name[300];

    (void)state;
    assert_int_equal(rebalance_history_read(lines, 4), 0);
    add(0, 1000, "first");
    add(5, 1001, "second");
    add(0, 1002, "third");
    assert_int_equal(rebalance_history_read(lines, 4), 3);
    assert_string_equal(lines[0].group, "first");
    assert_string_equal(lines[1].group, "second");
    assert_int_equal(lines[1].worker, 5);
    assert_string_equal(lines[2].group, "third");
    assert_string_equal(lines[2].cause_member, "");
    assert_string_equal(lines[2].waited_for, "slow");
    assert_string_equal(rebalance_cause_text((RebalanceCause)lines[2].cause), "member left");
    assert_int_equal(rebalance_history_read(lines, 2), 2);
    assert_string_equal(lines[0].group, "second");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    add(1, 1003, name);
    assert_int_equal(rebalance_history_read(lines, 1), 1);
    assert_int_equal(strlen(lines[0].group), REBALANCE_HISTORY_TEXT - 1);
}

static void
history_keeps_the_latest(void **state)
{
    static RebalanceLine lines[REBALANCE_HISTORY_MAX];
    char name[32];

    (void)state;
    for (int i = 0; i < 3 * REBALANCE_HISTORY_MAX; i++) {
        snprintf(name, sizeof name, "g%d", i);
        add(i % 2, 1000 + i, name);
    }
    assert_int_equal(rebalance_history_read(lines, REBALANCE_HISTORY_MAX), REBALANCE_HISTORY_MAX);
    assert_string_equal(lines[0].group, "g2048");
    assert_string_equal(lines[REBALANCE_HISTORY_MAX - 1].group, "g3071");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_are_per_worker, map_anew, unmap),
        cmocka_unit_test_setup_teardown(deadly_shards_are_known, map_anew, unmap),
        cmocka_unit_test_setup_teardown(history_is_that_of_all_workers, map_anew, unmap),
        cmocka_unit_test_setup_teardown(history_keeps_the_latest, map_anew, unmap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
