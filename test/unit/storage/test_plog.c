/*
 * test_plog.c - append, read, roll and look up: what Kafka's files hold and what readers get
 *
 * Proves T2, T3, T4 of partition_slot.h by reading everything back, the formats of log.md 6, the
 * rules of 6.7 and 12.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/storage_kit.h"

static void
first_append_makes_files(void **state)
{
    PartitionRef ref = kit_partition("first", 3);
    PlogAppendResult result;
    PlogOffsets offsets = kit_offsets(ref);
    char text[128] = {0};
    FILE *f;

    (void)state;
    assert_int_equal(offsets.log_end_offset, 0);
    assert_int_equal(kit_file_size(kit_path(ref, "")), -1);
    assert_int_equal(kit_append(ref, &(KitBatch){.count = 3}, &result), 0);
    assert_int_equal(result.base_offset, 0);
    assert_int_equal(result.last_offset, 2);
    assert_int_equal(result.log_append_time_ms, -1);
    assert_false(result.duplicate);
    offsets = kit_offsets(ref);
    assert_int_equal(offsets.log_end_offset, 3);
    assert_int_equal(offsets.high_watermark, 3);
    assert_int_equal(offsets.last_stable_offset, 3);
    assert_int_equal(offsets.log_start_offset, 0);
    f = fopen(kit_path(ref, "partition.metadata"), "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    (void)fclose(f);
    assert_true(strncmp(text, "version: 0\ntopic_id: ", 21) == 0);
    assert_int_equal(strlen(text), 21 + 22);
    f = fopen(kit_path(ref, "leader-epoch-checkpoint"), "r");
    assert_non_null(f);
    memset(text, 0, sizeof text);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    (void)fclose(f);
    assert_string_equal(text, "0\n1\n0 0\n");
    assert_true(kit_file_size(kit_segment(ref, 0, ".log")) > 0);
    assert_int_equal(kit_file_size(kit_segment(ref, 0, ".index")), 0);
    assert_int_equal(kit_file_size(kit_segment(ref, 0, ".timeindex")), 0);
    assert_int_equal(kit_verify(ref, 0), 3);
}

static void
reads_by_offset_and_budget(void **state)
{
    PartitionRef ref = kit_partition("reads", 0);
    PlogReadResult r;
    ErrInfo err = {0};
    int32_t one;

    (void)state;
    for (int i = 0; i < 2000; i++)
        assert_int_equal(kit_append_ok(ref, &(KitBatch){.count = 2, .value_bytes = 100}), i * 2);
    /* from the middle of a batch: that batch first; a budget below one batch gives it whole */
    assert_int_equal(plog_read(ref, &(PlogReadArgs){2001, PLOG_BOUND_HW, 1, true}, &r, &err), 0);
    one = r.slice.len;
    assert_true(one > 200 && one < 400);
    assert_int_equal(r.slice.pos, 1000 * one);
    assert_int_equal(r.start.pos, 1000 * one);
    plog_slice_release(&r.slice);
    /* without the right to exceed: a first batch is whole or not there, the others may be cut */
    for (int32_t most = 0; most <= one + 7; most += most < one - 1 ? one - 1 : 1) {
        assert_int_equal(
            plog_read(ref, &(PlogReadArgs){2001, PLOG_BOUND_HW, most, false}, &r, &err), 0);
        assert_int_equal(r.slice.len, most < one ? 0 : most);
        assert_int_equal(r.start.pos, 1000 * one);
        plog_slice_release(&r.slice);
    }
    assert_int_equal(plog_read(ref, &(PlogReadArgs){0, PLOG_BOUND_HW, 3 * one + 5, true}, &r, &err),
                     0);
    assert_int_equal(r.slice.len, 3 * one + 5);
    plog_slice_release(&r.slice);
    /* the end: empty; beyond: 1 */
    assert_int_equal(plog_read(ref, &(PlogReadArgs){4000, PLOG_BOUND_HW, 100, true}, &r, &err), 0);
    assert_int_equal(r.slice.len, 0);
    assert_int_equal(plog_read(ref, &(PlogReadArgs){4001, PLOG_BOUND_HW, 100, true}, &r, &err),
                     OT_E_OFFSET_OUT_OF_RANGE);
    assert_int_equal(r.offsets.log_end_offset, 4000);
    /* every offset is found, by index and scan */
    for (int64_t o = 0; o < 4000; o += 37) {
        assert_int_equal(plog_read(ref, &(PlogReadArgs){o, PLOG_BOUND_LEO, 1, true}, &r, &err), 0);
        assert_int_equal(r.slice.pos, (o / 2) * one);
        plog_slice_release(&r.slice);
    }
    assert_int_equal(kit_verify(ref, 0), 4000);
}

/* Entries go to the files twenty at a time; the file and the hot chunk together are the index. */
static void
index_entries_follow_the_rule(void **state)
{
    PartitionRef ref = kit_partition("indexed", 0);
    unsigned char bytes[8 * 4096];
    int64_t len;
    PlogTuple t;
    FILE *f;

    (void)state;
    for (int i = 0; i < 3000; i++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 1000, .timestamp = KIT_NOW_MS + i});
    t = kit_tuple(ref);
    /* a batch is 1,070 to 1,080 bytes: one entry every four or five of them */
    assert_true(t.index_count > 500 && t.index_count < 800);
    assert_true(t.index_flushed < t.index_count);
    assert_int_equal(t.time_count, t.index_count);
    assert_int_equal(kit_file_size(kit_segment(ref, 0, ".index")), t.index_flushed * 8);
    assert_int_equal(kit_file_size(kit_segment(ref, 0, ".timeindex")), t.time_flushed * 12);
    f = fopen(kit_segment(ref, 0, ".index"), "r");
    len = (int64_t)fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    for (int64_t i = 8; i < len; i += 8) {
        assert_true(wire_load32(bytes + i) > wire_load32(bytes + i - 8));
        assert_true(wire_load32(bytes + i + 4) - wire_load32(bytes + i - 4) > 4096);
    }
    assert_int_equal(t.max_timestamp, KIT_NOW_MS + 2999);
    assert_int_equal(t.max_timestamp_offset, 2999);
}

static void
rolls_by_size(void **state)
{
    PlogReadResult r;
    ErrInfo err = {0};
    PartitionRef ref;
    PlogTuple t;

    (void)state;
    kit_settings.segment_bytes = 10000;
    ref = kit_partition("bysize", 0);
    for (int i = 0; i < 500; i++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 930});
    t = kit_tuple(ref);
    assert_int_equal(t.seg_count, 500 / 10 - 1);
    assert_int_equal(kit_verify(ref, 0), 500);
    assert_int_equal(kit_verify(ref, 250), 500);
    /* a fetch ends with the segment it started in */
    assert_int_equal(plog_read(ref, &(PlogReadArgs){3, PLOG_BOUND_HW, 1 << 20, true}, &r, &err), 0);
    assert_int_equal(r.slice.pos + r.slice.len, kit_file_size(kit_segment(ref, 0, ".log")));
    plog_slice_release(&r.slice);
    assert_int_equal(kit_file_size(kit_segment(ref, 10, ".snapshot")), 10);
    assert_int_equal(kit_file_size(kit_segment(ref, 10, ".index")), 8);
    /* last time entry forced; the batch of 934 bytes above 4096 gives the other one */
    assert_int_equal(kit_file_size(kit_segment(ref, 10, ".timeindex")), 12);
    /* too large for any segment */
    assert_int_equal(kit_append(ref, &(KitBatch){.value_bytes = 10000}, NULL),
                     OT_E_RECORD_LIST_TOO_LARGE);
}

static void
rolls_by_message_time(void **state)
{
    PartitionRef ref;

    (void)state;
    kit_settings.segment_ms = 1000;
    ref = kit_partition("bytime", 0);
    kit_append_ok(ref, &(KitBatch){.timestamp = KIT_NOW_MS});
    kit_append_ok(ref, &(KitBatch){.timestamp = KIT_NOW_MS + 1000});
    assert_int_equal(kit_tuple(ref).active_base, 0);
    kit_append_ok(ref, &(KitBatch){.timestamp = KIT_NOW_MS + 1001});
    assert_int_equal(kit_tuple(ref).active_base, 2);
    kit_append_ok(ref, &(KitBatch){.timestamp = KIT_NOW_MS - 5000});
    assert_int_equal(kit_tuple(ref).active_base, 2);
    assert_int_equal(kit_file_size(kit_segment(ref, 0, ".timeindex")), 12);
    assert_int_equal(kit_verify(ref, 0), 4);
}

static void
waits_count_bytes(void **state)
{
    PlogAvailable a;
    PlogReadResult r;
    ErrInfo err = {0};
    PartitionRef ref;

    (void)state;
    kit_settings.segment_bytes = 3000;
    ref = kit_partition("waits", 0);
    kit_append_ok(ref, &(KitBatch){0});
    assert_int_equal(plog_read(ref, &(PlogReadArgs){1, PLOG_BOUND_HW, 100, true}, &r, &err), 0);
    assert_int_equal(r.slice.len, 0);
    assert_int_equal(plog_available(ref, &r.start, PLOG_BOUND_HW, &a, &err), 0);
    assert_int_equal(a.bytes, 0);
    kit_append_ok(ref, &(KitBatch){.value_bytes = 1000});
    assert_int_equal(plog_available(ref, &r.start, PLOG_BOUND_HW, &a, &err), 0);
    assert_true(a.bytes > 1000 && a.bytes < 1100 && !a.full);
    kit_append_ok(ref, &(KitBatch){.value_bytes = 2000});
    assert_int_equal(plog_available(ref, &r.start, PLOG_BOUND_HW, &a, &err), 0);
    assert_true(a.full);
}

static void
finds_by_timestamp(void **state)
{
    ErrInfo err = {0};
    PlogFound found;
    PartitionRef ref;

    (void)state;
    kit_settings.segment_bytes = 60000;
    ref = kit_partition("times", 0);
    assert_int_equal(plog_find_max_timestamp(ref, kit_arena, &found, &err), 0);
    assert_int_equal(found.offset, -1);
    for (int i = 0; i < 300; i++)
        kit_append_ok(ref, &(KitBatch){.count = 3, .value_bytes = 200, .timestamp = 1000 + i * 10});
    for (int i = 0; i < 300; i += 7) {
        assert_int_equal(plog_find_by_timestamp(ref, 1000 + i * 10 + 1, kit_arena, &found, &err),
                         0);
        assert_int_equal(found.offset, i * 3 + 1);
        assert_int_equal(found.timestamp, 1000 + i * 10 + 1);
        assert_int_equal(found.leader_epoch, 0);
        assert_int_equal(plog_find_by_timestamp(ref, 1000 + i * 10 - 5, kit_arena, &found, &err),
                         0);
        assert_int_equal(found.offset, i * 3);
    }
    assert_int_equal(plog_find_by_timestamp(ref, 99999, kit_arena, &found, &err), 0);
    assert_int_equal(found.offset, -1);
    kit_append_ok(ref, &(KitBatch){.timestamp = 5});
    assert_int_equal(plog_find_max_timestamp(ref, kit_arena, &found, &err), 0);
    assert_int_equal(found.offset, 899);
    assert_int_equal(found.timestamp, 1000 + 2990 + 2);
    assert_int_equal(plog_find_earliest(ref, &found, &err), 0);
    assert_int_equal(found.offset, 0);
    assert_int_equal(found.leader_epoch, 0);
}

static void
keeps_leader_epochs(void **state)
{
    PartitionRef ref = kit_partition("epochs", 0);
    PlogEpochEnd end;
    ErrInfo err = {0};

    (void)state;
    kit_append_ok(ref, &(KitBatch){.count = 5});
    kit_set_epoch(ref, 3);
    /* the new epoch began at LEO although nothing was appended in it */
    assert_int_equal(plog_epoch_end_offset(ref, 0, &end, &err), 0);
    assert_int_equal(end.epoch, 0);
    assert_int_equal(end.end_offset, 5);
    kit_append_ok(ref, &(KitBatch){.count = 5});
    kit_set_epoch(ref, 7);
    kit_append_ok(ref, &(KitBatch){.count = 5});
    assert_int_equal(plog_epoch_end_offset(ref, 2, &end, &err), 0);
    assert_int_equal(end.epoch, 0);
    assert_int_equal(end.end_offset, 5);
    assert_int_equal(plog_epoch_end_offset(ref, 3, &end, &err), 0);
    assert_int_equal(end.epoch, 3);
    assert_int_equal(end.end_offset, 10);
    assert_int_equal(plog_epoch_end_offset(ref, 7, &end, &err), 0);
    assert_int_equal(end.end_offset, 15);
    assert_int_equal(plog_epoch_end_offset(ref, 8, &end, &err), 0);
    assert_int_equal(end.epoch, -1);
    assert_int_equal(end.end_offset, -1);
    assert_int_equal(plog_epoch_end_offset(ref, -2, &end, &err), 0);
    assert_int_equal(end.epoch, -2);
    assert_int_equal(end.end_offset, 0);
}

static void
delete_records_moves_the_start(void **state)
{
    int64_t start = -1;
    ErrInfo err = {0};
    PartitionSlot *slot;
    PlogReadResult r;
    PartitionRef ref;

    (void)state;
    kit_settings.segment_bytes = 1000;
    ref = kit_partition("deleted", 0);
    for (int i = 0; i < 40; i++)
        kit_append_ok(ref, &(KitBatch){.count = 2, .value_bytes = 100});
    assert_int_equal(plog_lock(ref, &slot, &err), 0);
    assert_int_equal(plog_delete_records_locked(slot, 81, &start, &err), OT_E_OFFSET_OUT_OF_RANGE);
    assert_int_equal(plog_delete_records_locked(slot, -2, &start, &err), OT_E_OFFSET_OUT_OF_RANGE);
    assert_int_equal(plog_delete_records_locked(slot, 41, &start, &err), 0);
    assert_int_equal(start, 41);
    assert_int_equal(plog_delete_records_locked(slot, 7, &start, &err), 0);
    assert_int_equal(start, 41);
    plog_unlock(slot);
    assert_int_equal(plog_read(ref, &(PlogReadArgs){40, PLOG_BOUND_HW, 100, true}, &r, &err),
                     OT_E_OFFSET_OUT_OF_RANGE);
    /* in the middle of a batch: that batch is still given whole */
    assert_int_equal(plog_read(ref, &(PlogReadArgs){41, PLOG_BOUND_HW, 1, true}, &r, &err), 0);
    assert_true(r.slice.len > 200);
    plog_slice_release(&r.slice);
    assert_true(kit_retain(ref, KIT_NOW_MS) > 5);
    assert_int_equal(kit_retain(ref, KIT_NOW_MS), 0);
    assert_int_equal(kit_file_size(kit_segment(ref, 0, ".log")), -1);
    assert_true(kit_file_size(kit_segment(ref, 0, ".log.deleted")) > 0);
    assert_int_equal(kit_verify(ref, 42), 80);
    kit_append_ok(ref, &(KitBatch){0});
    assert_int_equal(kit_verify(ref, 42), 81);
}

/* Chunks of the list go back to the pool; a long list is walked right. */
static void
long_lists_shrink(void **state)
{
    ErrInfo err = {0};
    PartitionSlot *slot;
    PartitionRef ref;
    int64_t start;

    (void)state;
    kit_settings.segment_bytes = 100;
    ref = kit_partition("list", 0);
    for (int i = 0; i < 400; i++)
        kit_append_ok(ref, &(KitBatch){0});
    assert_int_equal(kit_tuple(ref).seg_count, 399);
    for (int64_t to = 10; to < 400; to += 39) {
        assert_int_equal(plog_lock(ref, &slot, &err), 0);
        assert_int_equal(plog_delete_records_locked(slot, to, &start, &err), 0);
        plog_unlock(slot);
        assert_true(kit_retain(ref, KIT_NOW_MS) > 0);
        assert_int_equal(kit_verify(ref, to), 400);
        assert_int_equal(kit_tuple(ref).seg_count, 399 - to);
    }
    assert_int_equal(plog_lock(ref, &slot, &err), 0);
    assert_int_equal(plog_delete_records_locked(slot, -1, &start, &err), 0);
    plog_unlock(slot);
    assert_int_equal(start, 400);
    assert_true(kit_retain(ref, KIT_NOW_MS) > 0);
    assert_int_equal(kit_tuple(ref).seg_count, 0);
    kit_append_ok(ref, &(KitBatch){0});
    assert_int_equal(kit_verify(ref, 400), 401);
}

static void
a_deleted_partition_is_stale(void **state)
{
    PartitionRef ref = kit_partition("gone", 0);
    PartitionRef again;
    PlogReadResult r;
    ErrInfo err = {0};

    (void)state;
    kit_append_ok(ref, &(KitBatch){.producer_id = 9});
    pslot_retire(pslot_at(ref.slot));
    assert_int_equal(plog_read(ref, &(PlogReadArgs){0, PLOG_BOUND_HW, 100, true}, &r, &err),
                     OT_E_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(kit_append(ref, &(KitBatch){0}, NULL), OT_E_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(producer_pool_used(), 1);
    assert_int_equal(plog_bury(ref.slot, kit_buried, &err), 0);
    assert_int_equal(producer_pool_used(), 0);
    assert_int_equal(segment_pool_used(), 0);
    assert_int_equal(fd_cache_count() > 0, 1);
    fd_cache_sweep();
    assert_int_equal(fd_cache_count(), 0);
    again = kit_partition("gone", 0);
    assert_int_equal(again.slot, ref.slot);
    assert_int_not_equal(again.generation, ref.generation);
    assert_int_equal(kit_offsets(again).log_end_offset, 0);
    assert_int_equal(kit_append_ok(again, &(KitBatch){0}), 0);
}

/* The new topic of the same name writes before the old one's folder was renamed. */
static void
a_new_topic_does_not_wait_for_the_burial(void **state)
{
    PartitionRef old = kit_partition("same", 0);
    PartitionRef fresh;
    ErrInfo err = {0};

    (void)state;
    for (int i = 0; i < 10; i++)
        kit_append_ok(old, &(KitBatch){0});
    pslot_retire(pslot_at(old.slot));
    pslot_at(old.slot)->topic_id.b[15] = 99; /* the kit's ids follow the name: make it another */
    assert_int_equal(partition_metadata_store(kit_path(old, ""), pslot_at(old.slot)->topic_id,
                                              VFS_NOT_SYNCED, &err),
                     0);
    fresh = kit_partition("same", 0);
    assert_int_not_equal(fresh.slot, old.slot);
    assert_int_equal(kit_append_ok(fresh, &(KitBatch){0}), 0);
    assert_int_equal(plog_bury(old.slot, kit_buried, &err), 0);
    assert_int_equal(kit_append_ok(fresh, &(KitBatch){0}), 1);
    assert_int_equal(kit_verify(fresh, 0), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_append_makes_files, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(reads_by_offset_and_budget, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(index_entries_follow_the_rule, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(rolls_by_size, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(rolls_by_message_time, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(waits_count_bytes, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(finds_by_timestamp, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(keeps_leader_epochs, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(delete_records_moves_the_start, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(long_lists_shrink, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_deleted_partition_is_stale, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_new_topic_does_not_wait_for_the_burial, kit_setup,
                                        kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
