/*
 * test_segment_pool.c - lists of segments: each entry is found, in whatever order is asked, and a walk is linear
 *
 * Proves: an entry is what was appended at its index while the list grows and shrinks and chunks go to other lists, though
 * the process remembers where it was; a walk over ten times as many segments does not take a hundred times as long.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ottla/common/random.h"
#include "storage/plog_int.h"
#include "storage/pools_int.h"
#include "storage/storage_kit.h"

static void
grow(const PartitionSlot *slot, PlogTuple *t, int64_t *next, int count)
{
    ErrInfo err = {0};

    for (int i = 0; i < count; i++)
        if (seglist_append(slot, t, &(SegEntry){.base_offset = (*next)++}, &err) != 0)
            fail_msg("%s", err.text);
}

static void
shrink(PartitionSlot *slot, PlogTuple *t, int32_t count)
{
    uint32_t head = t->seg_head;

    seglist_drop_first(t, count);
    seglist_release_dropped(slot, head, t);
}

static void
entries_are_found_in_any_order(void **state)
{
    PartitionSlot *slots[2];
    PlogTuple t[2];
    int64_t next[2] = {0, 1000000};
    RandomSeq random = {.state = 11};

    (void)state;
    for (int k = 0; k < 2; k++) {
        slots[k] = pslot_at(kit_partition("t", k).slot);
        memset(&t[k], 0, sizeof t[k]);
    }
    for (int round = 0; round < 2000; round++) {
        int k = (int)(random_seq_next(&random) % 2);
        SegEntry e;

        grow(slots[k], &t[k], &next[k], (int)(random_seq_next(&random) % 40));
        if (random_seq_next(&random) % 2 == 0 && t[k].seg_count > 0)
            shrink(slots[k], &t[k],
                   (int32_t)(random_seq_next(&random) % (uint64_t)(t[k].seg_count + 1)));
        for (int i = 0; i < 8; i++) {
            int which = (int)(random_seq_next(&random) % 2);
            int32_t count = t[which].seg_count;
            int32_t index = count == 0 ? 0 : (int32_t)(random_seq_next(&random) % (uint64_t)count);

            if (count == 0)
                continue;
            assert_true(seglist_get(slots[which], &t[which], index, &e));
            assert_int_equal(e.base_offset, next[which] - count + index);
        }
        if (t[k].seg_count > 3000)
            shrink(slots[k], &t[k], t[k].seg_count);
    }
}

/* Nanoseconds that a walk over all entries takes, the best of some. */
static int64_t
walk_ns(const PartitionSlot *slot, const PlogTuple *t)
{
    int64_t best = INT64_MAX;

    for (int tries = 0; tries < 7; tries++) {
        struct timespec from, to;
        int64_t ns, sum = 0;

        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        for (int32_t i = 0; i < t->seg_count; i++) {
            SegmentView seg;

            assert_true(plog_segment_at(slot, t, i, &seg));
            sum += seg.end_offset - seg.base;
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        assert_int_equal(sum, t->seg_count);
        ns = (to.tv_sec - from.tv_sec) * 1000000000 + (to.tv_nsec - from.tv_nsec);
        best = ns < best ? ns : best;
    }
    return best;
}

static void
a_walk_is_linear(void **state)
{
    PartitionSlot *slot = pslot_at(kit_partition("t", 0).slot);
    int64_t next = 0, few, many;
    PlogTuple t = {0};

    (void)state;
    grow(slot, &t, &next, 1000);
    t.active_base = next;
    few = walk_ns(slot, &t);
    grow(slot, &t, &next, 9000);
    t.active_base = next;
    many = walk_ns(slot, &t);
    print_message("# a walk: 1000 segments %lld us, 10000 segments %lld us\n",
                  (long long)few / 1000, (long long)many / 1000);
    assert_true(many < few * 30);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_are_found_in_any_order, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_walk_is_linear, kit_setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
