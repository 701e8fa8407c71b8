/*
 * test_batches.c - proves that units share batches, are never split, and come out in order
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/batches_int.h"
#include "ottla/protocol/record.h"

#define NOW_MS 1700000000000

static uint8_t filler[4096];

/* Records whose keys are the numbers from `from` on; the value's length is given. */
static void
add_unit(Batches *batches, uint8_t from, int count, int32_t value_len)
{
    GroupRecord records[8] = {0};
    uint8_t keys[8];

    for (int i = 0; i < count; i++) {
        keys[i] = (uint8_t)(from + i);
        records[i] =
            (GroupRecord){.next = i + 1 < count ? &records[i + 1] : NULL,
                          .key = {&keys[i], 1},
                          .value = {value_len < 0 ? NULL : filler, value_len < 0 ? 0 : value_len}};
    }
    assert_int_equal(batches_add(batches, records, NOW_MS, NULL), 0);
}

/* Keys of a batch have to be the numbers from *io_next on; returns how many. */
static int
check_batch(const BuiltBatch *batch, uint8_t *io_next, Arena *arena)
{
    RecordIter *iter = record_iter_open(batch->bytes, arena);
    Record record;
    int count = 0;

    assert_true(batch_crc_ok(batch->bytes.ptr, (size_t)batch->bytes.len));
    while (record_iter_next(iter, &record) == RECORD_OK) {
        assert_int_equal(record.key.ptr[0], (*io_next)++);
        assert_true(record.timestamp == NOW_MS);
        count++;
    }
    record_iter_close(iter);
    assert_int_equal(count, batch->records);
    return count;
}

static void
units_share_a_batch(void **state)
{
    Arena *arena = arena_new(4096, 0);
    Batches batches;
    uint8_t next = 0;

    (void)state;
    batches_init(&batches, arena, BATCH_CODEC_NONE, 1 << 20);
    add_unit(&batches, 0, 3, 10);
    add_unit(&batches, 3, 1, -1); /* a tombstone */
    assert_int_equal(batches.records, 4);
    assert_int_equal(batches_finish(&batches, NULL), 0);
    assert_non_null(batches.first);
    assert_null(batches.first->next);
    assert_int_equal(check_batch(batches.first, &next, arena), 4);
    arena_free(arena);
}

static void
units_are_not_split(void **state)
{
    Arena *arena = arena_new(4096, 0);
    Batches batches;
    uint8_t next = 0;
    int sizes[3], n = 0;

    (void)state;
    batches_init(&batches, arena, BATCH_CODEC_LZ4, 4000);
    add_unit(&batches, 0, 2, 1000);
    add_unit(&batches, 2, 3, 1000); /* would fit in part */
    add_unit(&batches, 5, 1, 100);
    assert_int_equal(batches_finish(&batches, NULL), 0);
    for (const BuiltBatch *b = batches.first; b != NULL; b = b->next)
        sizes[n++] = check_batch(b, &next, arena);
    assert_int_equal(n, 2);
    assert_int_equal(sizes[0], 2);
    assert_int_equal(sizes[1], 4);
    arena_free(arena);
}

static void
a_unit_too_large_is_refused(void **state)
{
    Arena *arena = arena_new(4096, 0);
    GroupRecord record = {.key = {filler, 1}, .value = {filler, sizeof filler}};
    Batches batches;

    (void)state;
    batches_init(&batches, arena, BATCH_CODEC_NONE, 1000);
    assert_int_equal(batches_add(&batches, &record, NOW_MS, NULL), OT_E_MESSAGE_TOO_LARGE);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_share_a_batch),
        cmocka_unit_test(units_are_not_split),
        cmocka_unit_test(a_unit_too_large_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
