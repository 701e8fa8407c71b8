/*
 * test_plog_recover.c - opening after an ordered stop and after a crash
 *
 * Proves log.md 9.4, 8.8 and scenarios 17, 18, 33 to 36: a clean start reads no data, an unclean one
 * keeps every whole batch and nothing else, indexes are made anew, producers and epochs come back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "storage/storage_kit.h"

#define TOPIC "recover"

/* Flushes as the checkpointer does; returns the recovery point. */
static int64_t
checkpoint(PartitionRef ref, PlogCheckpointKind kind)
{
    PlogCheckpoint cp;
    ErrInfo err = {0};

    assert_int_equal(plog_checkpoint_begin(ref, kind, &cp, &err), 0);
    assert_int_equal(plog_checkpoint_flush(&cp, &err), 0);
    plog_checkpoint_publish(&cp);
    plog_checkpoint_retire(&cp);
    return cp.target;
}

static PartitionRef
fill(int batches, int value_bytes)
{
    PartitionRef ref = kit_partition(TOPIC, 0);

    for (int n = 0; n < batches; n++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = value_bytes,
                                       .producer_id = n % 5 + 1,
                                       .sequence = n / 5,
                                       .timestamp = KIT_NOW_MS + n});
    return ref;
}

/* The indexes of all segments answer every question right. */
static void
check_lookups(PartitionRef ref, int64_t end)
{
    for (int64_t o = 0; o < end; o += 13) {
        PlogFound found;
        ErrInfo err = {0};

        assert_int_equal(plog_find_by_timestamp(ref, KIT_NOW_MS + o, kit_arena, &found, &err), 0);
        assert_int_equal(found.offset, o);
    }
    assert_int_equal(kit_verify(ref, 0), end);
    assert_int_equal(kit_verify(ref, end / 2), end);
}

static void
clean_stop_needs_no_scan(void **state)
{
    PartitionRef ref;
    PlogTuple before;
    PlogTuple after;

    (void)state;
    kit_settings.segment_bytes = 30000;
    ref = fill(200, 500);
    assert_int_equal(checkpoint(ref, PLOG_CHECKPOINT_FINAL), 200);
    before = kit_tuple(ref);
    assert_int_equal(before.index_flushed, before.index_count);
    assert_int_equal(before.last_time_entry, KIT_NOW_MS + 199);
    kit_corrupt(kit_segment(ref, 0, ".log"), 300); /* nobody looks there */
    kit_restart(true);
    ref = kit_partition_at(TOPIC, 0, 200, 0);
    after = kit_tuple(ref);
    assert_int_equal(after.log_end, 200);
    assert_int_equal(after.recovery_point, 200);
    assert_int_equal(after.active_size, before.active_size);
    assert_int_equal(after.index_count, before.index_count);
    assert_int_equal(after.time_count, before.time_count);
    assert_int_equal(after.max_timestamp, KIT_NOW_MS + 199);
    assert_int_equal(after.seg_count, before.seg_count);
    assert_int_equal(after.first_timestamp, before.first_timestamp);
    assert_int_equal(kit_append_ok(ref, &(KitBatch){0}), 200);
    assert_int_equal(kit_verify(ref, 100), 201);
}

static void
repetitions_are_known_after_a_restart(void **state)
{
    PlogAppendResult result;

    (void)state;
    for (int clean = 0; clean < 2; clean++) {
        PartitionRef ref;
        KitBatch last = {.value_bytes = 50, .producer_id = 5, .sequence = 9};

        if (clean == 1)
            kit_restart(true);
        ref = clean == 0 ? fill(50, 50) : kit_partition_at(TOPIC, 0, 50, 0);
        (void)kit_offsets(ref); /* opens */
        (void)checkpoint(ref, clean == 1 ? PLOG_CHECKPOINT_FINAL : PLOG_CHECKPOINT_FULL);
        kit_restart(clean == 1);
        ref = kit_partition_at(TOPIC, 0, 50, 0);
        assert_int_equal(kit_append(ref, &last, &result), 0);
        assert_true(result.duplicate);
        assert_int_equal(result.base_offset, 49);
        assert_int_equal(kit_file_size(kit_segment(ref, 50, ".snapshot")), 10 + 5 * 46);
    }
}

/* Opens a log of 50 batches of five producers, of which a checkpoint said so; returns how many are known. */
static int32_t
producers_known(int64_t recovery_point, int64_t producerless_end)
{
    PlogProducer *list;
    PartitionRef ref;
    int32_t count;

    kit_restart(false);
    ref = kit_partition_at(TOPIC, 0, recovery_point, 0);
    atomic_i64_store(&pslot_find(ref)->producerless_end, producerless_end);
    assert_int_equal(kit_offsets(ref).log_end_offset, 50);
    assert_int_equal(plog_producers(ref, kit_arena, &list, &count, NULL), 0);
    return count;
}

/* "No producers up to here" is as good as an empty snapshot, and no better. */
static void
no_producers_need_no_snapshot(void **state)
{
    PartitionRef ref;

    (void)state;
    (void)fill(50, 50);
    assert_int_equal(producers_known(40, 0), 5);  /* the whole log is replayed */
    assert_int_equal(producers_known(50, 50), 0); /* nothing of it */
    assert_int_equal(producers_known(50, 47), 3); /* the last three batches */
    assert_int_equal(producers_known(40, 50), 5); /* not believed beyond the recovery point */
    kit_restart(false);
    ref = kit_partition_at(TOPIC, 0, 50, 0);
    assert_int_equal(kit_offsets(ref).log_end_offset, 50);
    assert_int_equal(checkpoint(ref, PLOG_CHECKPOINT_FULL), 50);
    assert_int_equal(producers_known(50, 47), 5); /* a snapshot that is newer counts */
}

/* Without any checkpoint the log itself says it all, window of five included. */
static void
the_log_alone_is_enough(void **state)
{
    PlogAppendResult result;
    PartitionRef ref;

    (void)state;
    kit_settings.segment_bytes = 5000;
    ref = fill(100, 300);
    kit_restart(false);
    ref = kit_partition(TOPIC, 0);
    for (int s = 19; s >= 15; s--) {
        assert_int_equal(
            kit_append(ref, &(KitBatch){.value_bytes = 300, .producer_id = 2, .sequence = s},
                       &result),
            0);
        assert_true(result.duplicate);
        assert_int_equal(result.base_offset, s * 5 + 1);
    }
    assert_int_equal(
        kit_append(ref, &(KitBatch){.value_bytes = 300, .producer_id = 2, .sequence = 14}, &result),
        OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    check_lookups(ref, 100);
}

typedef void (*Damage)(PartitionRef ref, int64_t size);

static void
garbage(PartitionRef ref, int64_t size)
{
    (void)size;
    kit_extend(kit_segment(ref, 0, ".log"), 119, 0xa5);
}

static void
zeros(PartitionRef ref, int64_t size)
{
    (void)size;
    kit_extend(kit_segment(ref, 0, ".log"), 5000, 0);
    kit_extend(kit_segment(ref, 0, ".index"), 800, 0);
    kit_extend(kit_segment(ref, 0, ".timeindex"), 1200, 0);
}

static void
torn(PartitionRef ref, int64_t size)
{
    assert_int_equal(truncate(kit_segment(ref, 0, ".log"), size - 3), 0);
}

static void
flipped(PartitionRef ref, int64_t size)
{
    kit_corrupt(kit_segment(ref, 0, ".log"), size - 10);
}

static void
no_indexes(PartitionRef ref, int64_t size)
{
    (void)size;
    (void)unlink(kit_segment(ref, 0, ".index"));
    (void)unlink(kit_segment(ref, 0, ".timeindex"));
}

static void
bad_index(PartitionRef ref, int64_t size)
{
    (void)size;
    for (int64_t at = 0; at < kit_file_size(kit_segment(ref, 0, ".index")); at += 7)
        kit_corrupt(kit_segment(ref, 0, ".index"), at);
}

static void
damage_is_cut(void **state)
{
    static const struct {
        Damage damage;
        int64_t lost;
    } cases[] = {{garbage, 0}, {zeros, 0},      {torn, 1},
                 {flipped, 1}, {no_indexes, 0}, {bad_index, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int64_t point = 0; point <= 150; point += 150) {
            PartitionRef ref;

            ref = fill(200, 700);
            if (point > 0)
                (void)checkpoint(ref, PLOG_CHECKPOINT_FULL);
            cases[i].damage(ref, kit_tuple(ref).active_size);
            kit_restart(false);
            ref = kit_partition_at(TOPIC, 0, point, 0);
            check_lookups(ref, 200 - cases[i].lost);
            assert_int_equal(kit_tuple(ref).recovery_point, point);
            assert_int_equal(kit_append_ok(ref, &(KitBatch){.timestamp = KIT_NOW_MS + 200}),
                             200 - cases[i].lost);
            kit_restart(true); /* the next case begins with an empty table and an old folder */
            ref = kit_partition(TOPIC, 0);
            pslot_retire(pslot_at(ref.slot));
            assert_int_equal(plog_bury(ref.slot, kit_buried, NULL), 0);
            kit_restart(true);
        }
    }
}

/* What lies below the recovery point is not read. */
static void
recovery_begins_at_its_point(void **state)
{
    PartitionRef ref;
    PlogTuple t;

    (void)state;
    ref = fill(400, 700);
    assert_int_equal(checkpoint(ref, PLOG_CHECKPOINT_FULL), 400);
    for (int n = 400; n < 500; n++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 700, .timestamp = KIT_NOW_MS + n});
    kit_corrupt(kit_segment(ref, 0, ".log"), 70);
    kit_restart(false);
    ref = kit_partition_at(TOPIC, 0, 400, 0);
    t = kit_tuple(ref);
    assert_int_equal(t.log_end, 500);
    assert_int_equal(t.max_timestamp, KIT_NOW_MS + 499);
    kit_corrupt(kit_segment(ref, 0, ".log"), 70); /* heals it */
    check_lookups(ref, 500);
    /* without the point it is found, and ends the log there */
    kit_corrupt(kit_segment(ref, 0, ".log"), 70);
    kit_restart(false);
    ref = kit_partition(TOPIC, 0);
    assert_int_equal(kit_tuple(ref).log_end, 0);
}

static void
segments_behind_a_cut_go(void **state)
{
    PartitionRef ref;
    int64_t base;

    (void)state;
    kit_settings.segment_bytes = 10000;
    ref = fill(100, 900);
    base = kit_tuple(ref).active_base;
    kit_corrupt(kit_segment(ref, 20, ".log"), 4000);
    kit_restart(false);
    ref = kit_partition(TOPIC, 0);
    assert_int_equal(kit_tuple(ref).log_end, 24);
    assert_int_equal(kit_file_size(kit_segment(ref, base, ".log")), -1);
    assert_int_equal(kit_file_size(kit_segment(ref, base, ".index")), -1);
    check_lookups(ref, 24);
}

static void
epochs_come_from_the_batches(void **state)
{
    PartitionRef ref = kit_partition(TOPIC, 0);
    PlogEpochEnd end;
    ErrInfo err = {0};

    (void)state;
    for (int epoch = 0; epoch < 5; epoch++) {
        kit_set_epoch(ref, epoch * 2);
        for (int n = 0; n < 10; n++)
            kit_append_ok(ref, &(KitBatch){0});
    }
    assert_int_equal(unlink(kit_path(ref, "leader-epoch-checkpoint")), 0);
    kit_restart(false);
    ref = kit_partition(TOPIC, 0);
    kit_set_epoch(ref, 8);
    for (int epoch = 0; epoch < 5; epoch++) {
        assert_int_equal(plog_epoch_end_offset(ref, epoch * 2, &end, &err), 0);
        assert_int_equal(end.end_offset, (epoch + 1) * 10);
    }
}

static void
log_start_survives(void **state)
{
    PartitionSlot *slot;
    PartitionRef ref;
    int64_t start;

    (void)state;
    kit_settings.segment_bytes = 5000;
    ref = fill(60, 300);
    assert_int_equal(plog_lock(ref, &slot, NULL), 0);
    assert_int_equal(plog_delete_records_locked(slot, 33, &start, NULL), 0);
    plog_unlock(slot);
    kit_restart(false);
    ref = kit_partition_at(TOPIC, 0, 0, 33);
    assert_int_equal(kit_offsets(ref).log_start_offset, 33);
    assert_int_equal(kit_verify(ref, 33), 60);
    /* a start above the end: nothing is left, and the log goes on there */
    kit_restart(false);
    ref = kit_partition_at(TOPIC, 0, 0, 1000);
    assert_int_equal(kit_offsets(ref).log_end_offset, 1000);
    assert_int_equal(kit_append_ok(ref, &(KitBatch){0}), 1000);
    assert_int_equal(kit_verify(ref, 1000), 1001);
}

/* Old formats are never cut (log.md 1.1). */
static void
an_old_format_is_left_alone(void **state)
{
    unsigned char old[26] = {0};
    PartitionRef ref = fill(3, 10);
    int64_t size = kit_tuple(ref).active_size;
    PlogOffsets offsets;
    ErrInfo err = {0};
    int fd;

    (void)state;
    old[7] = 3;
    old[11] = 14;
    old[16] = 1;
    wire_store32(old + 12, (uint32_t)crc32(0, old + 16, 10));
    fd = open(kit_segment(ref, 0, ".log"), O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, old, sizeof old), sizeof old);
    (void)close(fd);
    kit_restart(false);
    ref = kit_partition(TOPIC, 0);
    assert_int_equal(plog_offsets(ref, &offsets, &err), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(kit_file_size(kit_segment(ref, 0, ".log")), size + 26);
    /* zeros in the sector of the format's number look like one; the checksum tells */
    kit_corrupt(kit_segment(ref, 0, ".log"), size + 20);
    kit_restart(false);
    ref = kit_partition(TOPIC, 0);
    assert_int_equal(kit_verify(ref, 0), 3);
    assert_int_equal(kit_file_size(kit_segment(ref, 0, ".log")), size);
}

static void
somebody_elses_folder_is_set_aside(void **state)
{
    PartitionRef ref = fill(3, 10);
    ErrInfo err = {0};
    Uuid other = {{200}};

    (void)state;
    assert_int_equal(partition_metadata_store(kit_path(ref, ""), other, VFS_NOT_SYNCED, &err), 0);
    kit_restart(false);
    ref = kit_partition(TOPIC, 0);
    assert_int_equal(kit_offsets(ref).log_end_offset, 0);
    assert_int_equal(kit_file_size(kit_path(ref, "")), -1);
    assert_int_equal(kit_append_ok(ref, &(KitBatch){0}), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clean_stop_needs_no_scan, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(repetitions_are_known_after_a_restart, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(no_producers_need_no_snapshot, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(the_log_alone_is_enough, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(damage_is_cut, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(recovery_begins_at_its_point, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(segments_behind_a_cut_go, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(epochs_come_from_the_batches, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(log_start_survives, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(an_old_format_is_left_alone, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(somebody_elses_folder_is_set_aside, kit_setup,
                                        kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
