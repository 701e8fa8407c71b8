/*
 * test_plog_behind.c - what lies between an offset and the high watermark: bytes, and since when
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/storage_kit.h"

#define BATCHES 20

static PlogBehind
behind(PartitionRef ref, int64_t offset)
{
    PlogBehind ret;

    assert_int_equal(plog_behind(ref, offset, kit_arena, &ret, NULL), 0);
    return ret;
}

/* Batches of three records each, a second apart; segments of a few of them. Returns bytes of a batch. */
static int64_t
fill(PartitionRef ref)
{
    int64_t before = 0, size = 0;

    for (int i = 0; i < BATCHES; i++) {
        (void)kit_append_ok(
            ref, &(KitBatch){.count = 3, .value_bytes = 50, .timestamp = KIT_NOW_MS + i * 1000});
        size = plog_size_bytes(ref) - before;
        before += size;
    }
    return size;
}

static void
test_empty(void **state)
{
    PartitionRef ref = kit_partition("orders", 0);
    PlogBehind b = behind(ref, 0);

    (void)state;
    assert_int_equal(b.bytes, 0);
    assert_int_equal(b.timestamp, -1);
}

static void
test_every_offset(void **state)
{
    PartitionRef ref;
    int64_t size;

    (void)state;
    kit_settings.segment_bytes = 1000;
    ref = kit_partition("orders", 0);
    size = fill(ref);
    assert_true(kit_tuple(ref).seg_count > 2);
    for (int64_t offset = 0; offset < 3 * BATCHES; offset++) {
        PlogBehind b = behind(ref, offset);

        assert_int_equal(b.bytes, size * (BATCHES - offset / 3));
        assert_int_equal(b.timestamp, KIT_NOW_MS + offset / 3 * 1000 + offset % 3);
    }
    assert_int_equal(behind(ref, 3 * BATCHES).bytes, 0);
    assert_int_equal(behind(ref, 3 * BATCHES).timestamp, -1);
    assert_int_equal(behind(ref, INT64_MAX).bytes, 0); /* above the end: a log that was cut back */
    assert_int_equal(behind(ref, -1).bytes, size * BATCHES);
}

static void
test_below_log_start(void **state)
{
    PartitionRef ref;
    PartitionSlot *slot;
    int64_t start, size;

    (void)state;
    kit_settings.segment_bytes = 1000;
    ref = kit_partition("orders", 0);
    size = fill(ref);
    assert_int_equal(plog_lock(ref, &slot, NULL), 0);
    assert_int_equal(plog_delete_records_locked(slot, 31, &start, NULL), 0);
    plog_unlock(slot);
    assert_int_equal(behind(ref, 0).bytes, size * (BATCHES - 10)); /* its batch is still whole */
    assert_int_equal(behind(ref, 0).timestamp, KIT_NOW_MS + 10 * 1000 + 1);
    assert_int_equal(behind(ref, 33).bytes, size * (BATCHES - 11));
}

/* The middle segment of a log without its first batch, as compaction leaves it. */
static void
test_gap(void **state)
{
    PartitionRef ref;
    uint8_t bytes[4096];
    const char *path;
    int64_t size, left;
    PlogTuple t;
    SegEntry e;
    FILE *file;

    (void)state;
    kit_settings.segment_bytes = 1000;
    ref = kit_partition("orders", 0);
    size = fill(ref);
    t = kit_tuple(ref);
    assert_true(seglist_get(pslot_at(ref.slot), &t, 1, &e));
    path = kit_segment(ref, e.base_offset, ".log");
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_true((size_t)e.size <= sizeof bytes);
    assert_int_equal(fread(bytes, 1, (size_t)e.size, file), (size_t)e.size);
    left = e.size - size;
    memmove(bytes, bytes + size, (size_t)left);
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, (size_t)left, file), (size_t)left);
    fclose(file);
    assert_int_equal(truncate(path, left), 0);
    (void)unlink(kit_segment(ref, e.base_offset, ".index"));
    (void)unlink(kit_segment(ref, e.base_offset, ".timeindex"));
    kit_restart(false);
    ref = kit_partition_at("orders", 0, 3 * BATCHES, 0);
    assert_int_equal(behind(ref, e.base_offset).timestamp,
                     KIT_NOW_MS + (e.base_offset / 3 + 1) * 1000);
    assert_int_equal(behind(ref, e.base_offset).bytes, size * (BATCHES - e.base_offset / 3 - 1));
    assert_int_equal(behind(ref, e.base_offset - 1).bytes,
                     size * (BATCHES - e.base_offset / 3)); /* and the batch before it */
}

/* No room to decode: the bytes are told all the same. */
static void
test_no_memory(void **state)
{
    PartitionRef ref = kit_partition("orders", 0);
    Arena *small = arena_new(1024, 2048);
    PlogBehind b;

    (void)state;
    (void)kit_append_ok(ref, &(KitBatch){.count = 3, .value_bytes = 5000});
    assert_int_equal(plog_behind(ref, 1, small, &b, NULL), 0);
    assert_int_equal(b.bytes, plog_size_bytes(ref));
    assert_int_equal(b.timestamp, -1);
    assert_int_equal(plog_behind(ref, 0, small, &b, NULL), 0);
    assert_int_equal(b.timestamp, KIT_NOW_MS); /* the header says it */
    arena_free(small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_every_offset, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_below_log_start, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_gap, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
