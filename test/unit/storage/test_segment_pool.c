/*
 * test_segment_pool.c - lists of segments: each entry is found, in whatever order is asked; what walks and looks cost
 *
 * Proves: an entry is what was appended at its index while the list grows and shrinks and chunks go to other lists, though
 * the process remembers where it was; the segment of an offset is the one that holds it; a walk over ten times as many
 * segments does not take a hundred times as long; to find an offset among a hundred times as many hardly takes longer;
 * who reads chunks that are another list's by now comes to an end.
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

#define SPAN 10 /* offsets of a segment */

static void
grow(const PartitionSlot *slot, PlogTuple *t, int64_t *next, int count)
{
    ErrInfo err = {0};

    for (int i = 0; i < count; i++, *next += SPAN)
        if (seglist_append(slot, t, &(SegEntry){.base_offset = *next}, &err) != 0)
            fail_msg("%s", err.text);
    t->active_base = *next;
}

/* First and last offset of the segment at an index, -1 for those before the first. */
static void
is_found(const PlogTuple *t, int64_t next, int32_t index)
{
    int64_t base = next - SPAN * (t->seg_count - index);

    for (int64_t offset = base; offset < base + SPAN; offset += SPAN - 1) {
        SegEntry e = {.base_offset = base};
        int32_t ret;

        assert_true(seglist_find(t, offset, &ret, &e));
        assert_int_equal(ret, index);
        assert_int_equal(e.base_offset, base);
    }
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
            assert_int_equal(e.base_offset, next[which] - SPAN * (count - index));
            index = count == 0 ? 0 : (int32_t)(random_seq_next(&random) % (uint64_t)count);
            is_found(&t[which], next[which], index - 1);
            is_found(&t[which], next[which], index);
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
        assert_int_equal(sum, SPAN * (int64_t)t->seg_count);
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
    few = walk_ns(slot, &t);
    grow(slot, &t, &next, 9000);
    many = walk_ns(slot, &t);
    print_message("# a walk: 1000 segments %lld us, 10000 segments %lld us\n",
                  (long long)few / 1000, (long long)many / 1000);
    assert_true(many < few * 30);
}

/* Nanoseconds to find one offset, of many anywhere in the list, the best of some rounds. */
static int64_t
find_ns(const PlogTuple *t)
{
    const int64_t looks = 2000;
    int64_t best = INT64_MAX;

    for (int tries = 0; tries < 7; tries++) {
        struct timespec from, to;
        int64_t ns;

        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        for (int64_t i = 0; i < looks; i++) {
            int64_t offset = i * 7919 % (SPAN * (int64_t)t->seg_count);
            SegEntry e = {.base_offset = -1};
            int32_t index;

            assert_true(seglist_find(t, offset, &index, &e));
            assert_true(index == offset / SPAN && e.base_offset == offset / SPAN * SPAN);
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        ns = (to.tv_sec - from.tv_sec) * 1000000000 + (to.tv_nsec - from.tv_nsec);
        best = ns < best ? ns : best;
    }
    return best / looks;
}

static void
many_segments_do_not_hide_one(void **state)
{
    PartitionSlot *slot = pslot_at(kit_partition("t", 0).slot);
    int64_t next = 0, few, many;
    PlogTuple t = {0};

    (void)state;
    grow(slot, &t, &next, 100);
    few = find_ns(&t);
    grow(slot, &t, &next, 9900);
    many = find_ns(&t);
    print_message("# an offset: 100 segments %lld ns, 10000 segments %lld ns\n", (long long)few,
                  (long long)many);
    assert_true(many < few * 10);
}

/* Old tuples, whose chunks went to another list: any answer, but one, and no chunk outside the pool. */
static void
an_old_tuple_is_no_trap(void **state)
{
    PartitionSlot *slot = pslot_at(kit_partition("t", 0).slot);
    PartitionSlot *other = pslot_at(kit_partition("t", 1).slot);
    PlogTuple old = {0}, t = {0};
    RandomSeq random = {.state = 12};
    int64_t next = 0, others = 0;

    (void)state;
    for (int round = 0; round < 300; round++) {
        PlogTuple now = {0};
        int32_t index;
        SegEntry e;

        grow(slot, &t, &next, (int)(random_seq_next(&random) % 1000));
        old = t;
        shrink(slot, &t, (int32_t)(random_seq_next(&random) % (uint64_t)(t.seg_count + 1)));
        grow(other, &now, &others, (int)(random_seq_next(&random) % 1000));
        for (int i = 0; i < 20; i++) {
            int64_t offset = (int64_t)(random_seq_next(&random) % (uint64_t)(next + 1));

            if (seglist_find(&old, offset, &index, &e))
                assert_true(index >= -1 && index < old.seg_count);
            if (old.seg_count > 0)
                (void)seglist_get(slot, &old, (int32_t)(offset % old.seg_count), &e);
        }
        shrink(other, &now, now.seg_count);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_are_found_in_any_order, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_walk_is_linear, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(many_segments_do_not_hide_one, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(an_old_tuple_is_no_trap, kit_setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
