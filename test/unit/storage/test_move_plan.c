/*
 * test_move_plan.c - what of a log is copied next when it moves to another directory
 *
 * Proves: segments come in order, each .log before the files beside it; what is appended, rolled or removed meanwhile is
 * followed; a log that is not what was copied begins anew; the end offset of a copy counts whole batches alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/protocol/batch.h"
#include "ottla/storage/move_plan.h"

/* A batch of so many records and bytes, as far as the walk looks. */
static void
put_batch(uint8_t *at, int64_t base, int32_t count, int32_t bytes)
{
    memset(at, 0, (size_t)bytes);
    wire_store64(at + BATCH_AT_BASE_OFFSET, (uint64_t)base);
    wire_store32(at + BATCH_AT_LENGTH, (uint32_t)(bytes - BATCH_OVERHEAD_BYTES));
    wire_store32(at + BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)(count - 1));
}

static void
one_after_the_other(void **state)
{
    MoveSegment sealed = {.base = 5, .end_offset = 10, .size = {100, 16, 24, 0, 7}};
    MoveSegment active = {.base = 10, .end_offset = 12, .size = {30}, .active = true};
    MoveCursor c;
    MoveStep step;

    (void)state;
    move_cursor_init(&c);
    assert_int_equal(move_next(&c, &sealed, 1000).what, MOVE_SKIP);
    move_cursor_begin(&c, 5);
    step = move_next(&c, &sealed, 60);
    assert_true(step.what == MOVE_COPY && step.kind == SEGMENT_LOG && step.pos == 0 &&
                step.len == 60);
    move_copied(&c, SEGMENT_LOG, 60);
    step = move_next(&c, &sealed, 60);
    assert_true(step.kind == SEGMENT_LOG && step.pos == 60 && step.len == 40);
    move_copied(&c, SEGMENT_LOG, 40);
    step = move_next(&c, &sealed, 60);
    assert_true(step.kind == SEGMENT_INDEX && step.pos == 0 && step.len == 16);
    move_copied(&c, SEGMENT_INDEX, 16);
    move_copied(&c, SEGMENT_TIMEINDEX, 24);
    step = move_next(&c, &sealed, 60);
    assert_true(step.kind == SEGMENT_SNAPSHOT && step.len == 7);
    move_copied(&c, SEGMENT_SNAPSHOT, 7);
    assert_int_equal(move_next(&c, &sealed, 60).what, MOVE_NEXT);
    move_cursor_begin(&c, 10);
    move_copied(&c, SEGMENT_LOG, move_next(&c, &active, 60).len);
    assert_int_equal(move_next(&c, &active, 60).what, MOVE_CAUGHT_UP);
    assert_int_equal(c.bytes, 130);
}

static void
changes_meanwhile(void **state)
{
    MoveSegment seg = {.base = 5, .size = {30}, .active = true};
    MoveCursor c;

    (void)state;
    move_cursor_init(&c);
    move_cursor_begin(&c, 5);
    move_copied(&c, SEGMENT_LOG, 30);
    assert_int_equal(move_next(&c, &seg, 60).what, MOVE_CAUGHT_UP);
    seg.size[SEGMENT_LOG] = 50; /* appended */
    assert_int_equal(move_next(&c, &seg, 60).len, 20);
    move_copied(&c, SEGMENT_LOG, 20);
    seg.active = false; /* rolled */
    assert_int_equal(move_next(&c, &seg, 60).what, MOVE_NEXT);
    seg.base = 40; /* removed: this is the first one now */
    assert_int_equal(move_next(&c, &seg, 60).what, MOVE_SKIP);
    seg.base = 4; /* another list */
    assert_int_equal(move_next(&c, &seg, 60).what, MOVE_AGAIN);
    seg.base = 5;
    seg.size[SEGMENT_LOG] = 49; /* truncated */
    assert_int_equal(move_next(&c, &seg, 60).what, MOVE_AGAIN);
}

static void
whole_batches(void **state)
{
    uint8_t bytes[400];
    MoveCursor c;

    (void)state;
    put_batch(bytes, 5, 3, 100);
    put_batch(bytes + 100, 8, 1, 100);
    put_batch(bytes + 200, 20, 2, 200); /* a hole before it, as compaction leaves */
    move_cursor_init(&c);
    move_cursor_begin(&c, 5);
    assert_int_equal(c.end_offset, 5);
    assert_int_equal(move_walk(&c, bytes, 150), 100); /* the beginning of a header is left out */
    move_copied(&c, SEGMENT_LOG, 100);
    assert_int_equal(c.end_offset, 8);
    assert_int_equal(move_walk(&c, bytes + 100, 200), 200);
    move_copied(&c, SEGMENT_LOG, 200); /* up to the middle of the third */
    assert_int_equal(c.end_offset, 8);
    assert_int_equal(move_walk(&c, bytes + 300, 100), 100);
    move_copied(&c, SEGMENT_LOG, 100);
    assert_int_equal(c.end_offset, 22);
    put_batch(bytes, 21, 1, 100);
    assert_int_equal(move_walk(&c, bytes, 100), -1); /* offsets that go back */
    put_batch(bytes, 30, 1, 100);
    wire_store32(bytes + BATCH_AT_LENGTH, 3);
    assert_int_equal(move_walk(&c, bytes, 100), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(changes_meanwhile),
        cmocka_unit_test(whole_batches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
