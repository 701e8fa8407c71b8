/*
 * test_plog_faults.c - the disk is full, the disk is broken (design.md 6 "Errors")
 *
 * Every n-th file call of appends, rolls and checkpoints fails once: nothing is lost, nothing torn is
 * seen, a full disk is tried again, a broken one takes the directory offline. Also counts calls: an
 * append is one write, a fetch at the tail none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>

#include "ottla/common/vfs_faulty.h"
#include "storage/storage_kit.h"

static void
full_disk_is_tried_again(void **state)
{
    static const int64_t shorts[] = {-1, 0, 1, 40, 61, 200};

    (void)state;
    kit_settings.segment_bytes = 2000;
    kit_settings.index_interval_bytes = 100;
    for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++) {
        PartitionRef ref = kit_partition("full", (int32_t)i);
        int32_t sequence = 0;

        vfs_faulty_install();
        for (uint64_t nth = 1; nth < 12; nth++) {
            for (int n = 0; n < 40; n++) {
                KitBatch batch = {.value_bytes = 150, .producer_id = 2, .sequence = sequence};
                int rc;

                if (n == 0)
                    vfs_faulty_plan((VfsFault){.call = i == 0 ? VFS_CALL_OPEN : VFS_CALL_PWRITEV,
                                               .nth = nth,
                                               .errno_value = ENOSPC,
                                               .short_bytes = shorts[i]});
                rc = kit_append(ref, &batch, NULL);
                if (rc == OT_E_KAFKA_STORAGE_ERROR) {
                    assert_int_equal(kit_offsets(ref).log_end_offset, sequence);
                    rc = kit_append(ref, &batch, NULL);
                }
                assert_int_equal(rc, 0);
                sequence++;
            }
        }
        vfs_faulty_remove();
        assert_int_not_equal(logdir_state(0), LOGDIR_FAILED);
        assert_int_equal(kit_verify(ref, 0), sequence);
        assert_int_equal(kit_file_size(kit_segment(ref, kit_tuple(ref).active_base, ".log")),
                         kit_tuple(ref).active_size);
    }
    assert_true(logdir_full_count(0) > 10);
    kit_restart(false);
    for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++)
        assert_int_equal(kit_verify(kit_partition("full", (int32_t)i), 0), 440);
}

static void
broken_disk_takes_the_directory_offline(void **state)
{
    PartitionRef ref = kit_partition("broken", 0);
    PartitionRef other = kit_partition("broken", 1);

    (void)state;
    kit_append_ok(ref, &(KitBatch){0});
    kit_append_ok(other, &(KitBatch){0});
    vfs_faulty_install();
    vfs_faulty_plan(
        (VfsFault){.call = VFS_CALL_PWRITEV, .nth = 1, .errno_value = EIO, .short_bytes = 10});
    assert_int_equal(kit_append(ref, &(KitBatch){0}, NULL), OT_E_KAFKA_STORAGE_ERROR);
    vfs_faulty_remove();
    assert_int_equal(logdir_state(0), LOGDIR_FAILED);
    assert_int_equal(kit_append(other, &(KitBatch){0}, NULL), OT_E_KAFKA_STORAGE_ERROR);
    /* what is readable is read */
    assert_int_equal(kit_verify(ref, 0), 1);
    assert_int_equal(kit_verify(other, 0), 1);
}

/* Shared memory for index entries is taken before what can fail. */
static void
a_failed_append_keeps_no_chunk(void **state)
{
    PartitionRef ref;
    PlogCheckpoint cp;
    uint32_t used;

    (void)state;
    kit_settings.segment_bytes = 10000;
    ref = kit_partition("chunk", 0);
    kit_append_ok(ref, &(KitBatch){.value_bytes = 6000});
    assert_int_equal(plog_checkpoint_begin(ref, PLOG_CHECKPOINT_FULL, &cp, NULL),
                     0); /* gives the chunk up */
    used = segment_pool_used();
    vfs_faulty_install();
    for (int i = 0; i < 20; i++) { /* half of them would roll */
        fd_cache_reset();
        vfs_faulty_plan(
            (VfsFault){.call = VFS_CALL_OPEN, .nth = 1, .errno_value = EMFILE, .short_bytes = -1});
        assert_int_equal(kit_append(ref, &(KitBatch){.value_bytes = i % 2 ? 6000 : 10}, NULL),
                         OT_E_KAFKA_STORAGE_ERROR);
        assert_int_equal(segment_pool_used(), used);
    }
    vfs_faulty_remove();
    kit_append_ok(ref, &(KitBatch){.value_bytes = 10});
    assert_int_equal(kit_verify(ref, 0), 2);
}

static void
a_failed_flush_is_never_tried_again(void **state)
{
    PartitionRef ref = kit_partition("flush", 0);
    PlogCheckpoint cp;
    ErrInfo err = {0};

    (void)state;
    kit_append_ok(ref, &(KitBatch){0});
    assert_int_equal(plog_checkpoint_begin(ref, PLOG_CHECKPOINT_FULL, &cp, &err), 0);
    vfs_faulty_install();
    vfs_faulty_plan(
        (VfsFault){.call = VFS_CALL_FSYNC, .nth = 1, .errno_value = EIO, .short_bytes = -1});
    assert_int_equal(plog_checkpoint_flush(&cp, &err), OT_E_KAFKA_STORAGE_ERROR);
    vfs_faulty_remove();
    assert_int_equal(logdir_state(0), LOGDIR_FAILED);
    assert_int_equal(kit_offsets(ref).durable_offset, 0);
}

static void
a_read_error_is_that_request_alone(void **state)
{
    PartitionRef ref = kit_partition("read", 0);
    PlogReadResult r;
    ErrInfo err = {0};

    (void)state;
    for (int n = 0; n < 50; n++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 300});
    vfs_faulty_install();
    vfs_faulty_plan(
        (VfsFault){.call = VFS_CALL_PREAD, .nth = 1, .errno_value = EIO, .short_bytes = -1});
    assert_int_equal(plog_read(ref, &(PlogReadArgs){20, PLOG_BOUND_HW, 10, true}, &r, &err),
                     OT_E_KAFKA_STORAGE_ERROR);
    vfs_faulty_remove();
    assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
    assert_int_equal(kit_verify(ref, 0), 50);
}

/* Appends that change the epoch, roll and index, and a checkpoint; stops at the first refusal. */
static int
some_work(PartitionRef ref, int32_t *sequence, int32_t *epoch)
{
    PlogCheckpoint cp;
    ErrInfo err = {0};
    int rc = 0;

    kit_set_epoch(ref, ++*epoch);
    for (int n = 0; rc == 0 && n < 15; n++) {
        rc = kit_append(
            ref, &(KitBatch){.value_bytes = 150, .producer_id = 2, .sequence = *sequence}, NULL);
        *sequence += rc == 0;
    }
    if (rc == 0)
        rc = plog_checkpoint_begin(ref, PLOG_CHECKPOINT_FULL, &cp, &err);
    if (rc == 0)
        rc = plog_checkpoint_flush(&cp, &err);
    if (rc == 0 && plog_checkpoint_publish(&cp))
        plog_checkpoint_retire(&cp);
    return rc;
}

/*
 * Each call in turn, whatever it is for (folder, epoch file, roll, batch, indexes, snapshot, flush), fails
 * once in each way: the answer is 56, the state of the directory is what the error means, what was
 * acknowledged is there before and after a start, and what can go on does.
 */
static void
any_call_may_fail(void **state)
{
    static const int errors[][2] = {{ENOSPC, EDQUOT}, {EIO, EROFS}};
    int failed = 0;
    int full = 0;

    (void)state;
    kit_settings.segment_bytes = 2000;
    kit_settings.index_interval_bytes = 300;
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        uint64_t calls = UINT64_MAX;

        for (uint64_t nth = 1; nth <= calls; nth++) {
            char topic[32];
            PartitionRef ref;
            int32_t sequence = 0;
            int32_t epoch = 0;
            int rc;

            (void)snprintf(topic, sizeof topic, "any-%d-%d", (int)e, (int)nth);
            ref = kit_partition(topic, 0);
            vfs_faulty_install();
            vfs_faulty_plan((VfsFault){.call = VFS_CALL_ANY,
                                       .nth = nth,
                                       .errno_value = errors[e][nth % 3 == 0],
                                       .short_bytes = nth % 2 == 0 ? 7 : -1});
            rc = some_work(ref, &sequence, &epoch);
            if (vfs_faulty_count(VFS_CALL_ANY) < nth)
                calls = 0;
            vfs_faulty_remove();
            if (rc != 0)
                assert_int_equal(rc, OT_E_KAFKA_STORAGE_ERROR);
            if (sequence > 0)
                assert_int_equal(kit_verify(ref, 0), sequence);
            if (logdir_state(0) == LOGDIR_FAILED) {
                failed++;
                assert_int_equal(kit_append(ref, &(KitBatch){0}, NULL), OT_E_KAFKA_STORAGE_ERROR);
            } else {
                full += logdir_state(0) == LOGDIR_FULL;
                assert_int_equal(some_work(ref, &sequence, &epoch), 0);
            }
            logdirs_carry_failures();
            kit_restart(false);
            ref = kit_partition(topic, 0);
            kit_set_epoch(ref, epoch);
            if (sequence > 0)
                assert_true(kit_verify(ref, 0) >= sequence);
            logdirs_clear();
            assert_int_equal(logdir_add(kit_dir, (Uuid){{1}}, NULL), 0);
            kit_restart(false);
            assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
        }
    }
    assert_true(failed > 10 && full > 10);
}

/* A log whose files cannot be read at its opening: 56 to everybody who asks, until the next start. */
static void
a_log_that_cannot_be_opened_is_that_log_alone(void **state)
{
    PartitionRef ref = kit_partition("closed", 0);
    PartitionRef other = kit_partition("closed", 1);
    PlogReadResult r;
    ErrInfo err = {0};

    (void)state;
    kit_append_ok(ref, &(KitBatch){0});
    kit_append_ok(other, &(KitBatch){0});
    kit_restart(false);
    ref = kit_partition("closed", 0);
    other = kit_partition("closed", 1);
    vfs_faulty_install();
    vfs_faulty_plan(
        (VfsFault){.call = VFS_CALL_PREAD, .nth = 1, .errno_value = EIO, .short_bytes = -1});
    for (int i = 0; i < 2; i++)
        assert_int_equal(plog_read(ref, &(PlogReadArgs){0, PLOG_BOUND_HW, 10, true}, &r, &err),
                         OT_E_KAFKA_STORAGE_ERROR);
    vfs_faulty_remove();
    assert_int_equal(pslot_state(pslot_at(ref.slot)), PSLOT_FAILED);
    assert_int_equal(kit_append(ref, &(KitBatch){0}, NULL), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
    assert_int_equal(kit_verify(other, 0), 1);
    kit_restart(false);
    assert_int_equal(kit_verify(kit_partition("closed", 0), 0), 1);
}

static void
calls_are_few(void **state)
{
    PartitionRef ref = kit_partition("calls", 0);

    (void)state;
    kit_append_ok(ref, &(KitBatch){0});
    vfs_faulty_install();
    for (int n = 1; n <= 1000; n++) {
        PlogReadArgs args = {n, PLOG_BOUND_HW, 1 << 20, true};
        PlogReadResult r;

        assert_int_equal(plog_read(ref, &args, &r, NULL), 0); /* waits there */
        assert_int_equal(r.slice.len, 0);
        kit_append_ok(ref, &(KitBatch){.value_bytes = 1000});
        assert_int_equal(plog_read(ref, &args, &r, NULL), 0);
        assert_true(r.slice.len > 1000);
        plog_slice_release(&r.slice);
    }
    /* 1,000 appends, and the 250 index entries in packs of 19 */
    assert_true(vfs_faulty_count(VFS_CALL_PWRITEV) < 1040);
    assert_int_equal(vfs_faulty_count(VFS_CALL_PREAD), 0);
    assert_true(vfs_faulty_count(VFS_CALL_OPEN) <= 2);
    assert_int_equal(vfs_faulty_count(VFS_CALL_FSYNC), 0);
    vfs_faulty_remove();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_disk_is_tried_again, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(broken_disk_takes_the_directory_offline, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(a_failed_append_keeps_no_chunk, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_failed_flush_is_never_tried_again, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(a_read_error_is_that_request_alone, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(any_call_may_fail, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_log_that_cannot_be_opened_is_that_log_alone, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(calls_are_few, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
