/*
 * test_checkpoint.c - checkpoints of a log directory, burial of folders, strays, the write path
 *
 * Proves that cost follows changes (only dirty partitions are flushed), that the files name what
 * recovery may trust, that a node killed at any step of a checkpoint opens again, and that
 * replica_append wakes and answers as log.md 4.1, 13 say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maintenance/checkpoint_int.h"
#include "maintenance/folders_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/vfs_faulty.h"
#include "ottla/replica/replica.h"
#include "../storage/storage_kit.h"

static int64_t
checkpointed(const char *file, const char *topic, int32_t partition)
{
    OffsetCheckpoint *cp;
    int64_t offset = -1;

    assert_int_equal(offset_checkpoint_load(kit_dir, file, &cp, NULL), 0);
    if (!offset_checkpoint_find(cp, strview_from(topic), partition, &offset))
        offset = -1;
    offset_checkpoint_free(cp);
    return offset;
}

static void
cost_follows_changes(void **state)
{
    PartitionRef refs[50];
    CheckpointReport r;
    ErrInfo err = {0};

    (void)state;
    for (int i = 0; i < 50; i++) {
        refs[i] = kit_partition("many", i);
        kit_append_ok(refs[i], &(KitBatch){.count = i + 1});
    }
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    assert_int_equal(r.partitions, 50);
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    assert_int_equal(r.partitions, 0);
    kit_append_ok(refs[7], &(KitBatch){0});
    kit_append_ok(refs[7], &(KitBatch){0});
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    assert_int_equal(r.partitions, 1);
    for (int i = 0; i < 50; i++) {
        int64_t end = i + 1 + (i == 7 ? 2 : 0);

        assert_int_equal(checkpointed(CHECKPOINT_RECOVERY_POINT, "many", i), end);
        assert_int_equal(checkpointed(CHECKPOINT_HIGH_WATERMARK, "many", i), end);
        assert_int_equal(checkpointed(CHECKPOINT_LOG_START, "many", i), -1);
        assert_int_equal(kit_offsets(refs[i]).durable_offset, end);
    }
    /* without producers there is no snapshot, but a word in a file */
    assert_int_equal(kit_file_size(kit_segment(refs[7], 8, ".snapshot")), -1);
    assert_int_equal(kit_file_size(kit_segment(refs[7], 10, ".snapshot")), -1);
    assert_int_equal(checkpointed(CHECKPOINT_PRODUCERLESS, "many", 7), 10);
    assert_int_equal(checkpointed(CHECKPOINT_PRODUCERLESS, "many", 8), 9);
    /* with producers the replaced snapshot goes, the new one is there */
    for (int i = 0; i < 2; i++) {
        kit_append_ok(refs[7], &(KitBatch){.producer_id = 4, .sequence = i});
        assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    }
    assert_int_equal(kit_file_size(kit_segment(refs[7], 11, ".snapshot")), -1);
    assert_int_equal(kit_file_size(kit_segment(refs[7], 12, ".snapshot")), 10 + 46);
    assert_int_equal(checkpointed(CHECKPOINT_PRODUCERLESS, "many", 7), 10);
    assert_int_equal(segment_pool_used(), 0);
}

/* One that comes with the bytes does those logs that got many of them; the next full one does the others. */
static void
early_ones_leave_what_is_little(void **state)
{
    PartitionRef much = kit_partition("much", 0);
    PartitionRef little = kit_partition("little", 0);
    CheckpointReport r;
    ErrInfo err = {0};

    (void)state;
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < 8; i++)
            kit_append_ok(much, &(KitBatch){.value_bytes = PLOG_EARLY_BYTES / 8});
        kit_append_ok(little, &(KitBatch){.value_bytes = 1000});
        assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_EARLY, NULL, &r, &err), 0);
        assert_int_equal(r.partitions, 1);
        assert_int_equal(checkpointed(CHECKPOINT_RECOVERY_POINT, "much", 0), 8 * round);
        assert_int_equal(checkpointed(CHECKPOINT_RECOVERY_POINT, "little", 0), 0);
        assert_int_equal(kit_offsets(little).durable_offset, 0);
    }
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    assert_int_equal(r.partitions, 1);
    assert_int_equal(checkpointed(CHECKPOINT_RECOVERY_POINT, "little", 0), 2);
    assert_int_equal(kit_offsets(little).durable_offset, 2);
    assert_int_equal(segment_pool_used(), 0);
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    assert_int_equal(r.partitions, 0);
}

/* A log start that moved is kept by an early one, too, as far as the records are on the disk. */
static void
early_ones_keep_log_starts(void **state)
{
    PartitionRef ref = kit_partition("start", 0);
    CheckpointReport r;
    int64_t low;

    (void)state;
    kit_append_ok(ref, &(KitBatch){.count = 9});
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, NULL), 0);
    assert_int_equal(replica_delete_records(ref, 5, &low, NULL), 0);
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_EARLY, NULL, &r, NULL), 0);
    assert_int_equal(checkpointed(CHECKPOINT_LOG_START, "start", 0), 5);
    kit_append_ok(ref, &(KitBatch){.count = 9});
    assert_int_equal(replica_delete_records(ref, 14, &low, NULL), 0);
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_EARLY, NULL, &r, NULL), 0);
    assert_int_equal(checkpointed(CHECKPOINT_LOG_START, "start", 0), 9);
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, NULL), 0);
    assert_int_equal(checkpointed(CHECKPOINT_LOG_START, "start", 0), 14);
}

static PartitionRef replaced;

static void
replace_at_slot(const char *name)
{
    PartitionRef next;

    (void)name; /* the one that is armed */
    pslot_retire(pslot_at(replaced.slot));
    assert_int_equal(plog_bury(replaced.slot, kit_buried, NULL), 0);
    next = kit_partition("after", 0);
    assert_int_equal(next.slot, replaced.slot);
}

/* A slot that is given to another log while its lines are written: they are nobody's then. */
static void
offsets_and_names_are_of_one_log(void **state)
{
    CheckpointReport r;
    ErrInfo err = {0};

    (void)state;
    replaced = kit_partition("before", 0);
    kit_append_ok(replaced, &(KitBatch){.count = 9});
    crashpoint_hook = replace_at_slot;
    crashpoint_arm("checkpoint.slot", 1);
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    crashpoint_hook = NULL;
    assert_false(pslot_is_current(replaced));
    assert_int_equal(checkpointed(CHECKPOINT_RECOVERY_POINT, "after", 0), -1);
    assert_int_equal(checkpointed(CHECKPOINT_RECOVERY_POINT, "before", 0), -1);
}

static void
final_checkpoint_is_clean(void **state)
{
    PartitionRef ref = kit_partition("final", 0);
    PartitionRef plain = kit_partition("plain", 0);
    CheckpointReport r;
    int64_t low;
    int64_t epoch;
    bool clean;

    (void)state;
    for (int i = 0; i < 200; i++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 200, .producer_id = 4, .sequence = i});
    assert_int_equal(replica_delete_records(ref, 60, &low, NULL), 0);
    assert_int_equal(low, 60);
    kit_append_ok(plain, &(KitBatch){.timestamp = KIT_NOW_MS});
    assert_int_equal(checkpoint_final(0, 77, &r, NULL), 0);
    /* what Kafka's broker looks for: the largest timestamp in the time index, a snapshot though nobody is in it */
    assert_int_equal(kit_tuple(plain).last_time_entry, KIT_NOW_MS);
    assert_int_equal(kit_file_size(kit_segment(plain, 0, ".timeindex")), 12);
    assert_int_equal(kit_file_size(kit_segment(plain, 1, ".snapshot")), 10);
    assert_int_equal(checkpointed(CHECKPOINT_LOG_START, "final", 0), 60);
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_true(clean);
    assert_int_equal(epoch, 77);
    kit_restart(true);
    ref = kit_partition_at("final", 0, 200, 60);
    assert_int_equal(kit_verify(ref, 60), 200);
    /* an offline directory gets no marker */
    logdir_fail(0, LOGDIR_FAILURE_WRITE, "test");
    (void)checkpoint_final(0, 77, &r, NULL);
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_false(clean);
}

/* Not opened after an unclean start: opened and recovered before the marker says that all is well. */
static void
nothing_unopened_is_called_clean(void **state)
{
    PartitionRef ref = kit_partition("unopened", 0);
    CheckpointReport r;
    int64_t epoch;
    bool clean;

    (void)state;
    for (int i = 0; i < 10; i++)
        kit_append_ok(ref, &(KitBatch){0});
    kit_extend(kit_segment(ref, 0, ".log"), 500, 0xee);
    kit_restart(false);
    ref = kit_partition("unopened", 0);
    assert_int_equal(checkpoint_final(0, 77, &r, NULL), 0);
    assert_int_equal(pslot_state(pslot_at(ref.slot)), PSLOT_OPEN);
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_true(clean);
}

static int
die_in_checkpoint(void *arg)
{
    CheckpointReport r;

    fd_cache_reset();
    crashpoint_arm(arg, 1);
    return checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, NULL);
}

static void
killed_in_a_checkpoint(void **state)
{
    static const char *const points[] = {"plog.checkpoint.written", "checkpoint.flushed",
                                         "checkpoint.log_start", "checkpoint.recovery_point"};
    const Uuid dying_id = {{7, 'd', 5}}; /* as the kit makes it */
    int64_t end = 0;

    (void)state;
    kit_settings.segment_bytes = 20000;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        LogDirCheckpoints *all = logdir_checkpoints_load();
        CheckpointedOffsets o = logdir_checkpoints_get(all, 0, STRVIEW("dying"), 0, dying_id);
        PartitionRef ref = kit_partition_at("dying", 0, o.recovery_point, o.log_start_offset);
        PlogAppendResult result;

        logdir_checkpoints_free(all);
        assert_int_equal(kit_verify(ref, 0), end);
        for (int n = 0; n < 150; n++)
            assert_int_equal(
                kit_append(
                    ref,
                    &(KitBatch){.producer_id = 6, .sequence = (int32_t)end + n, .value_bytes = 300},
                    NULL),
                0);
        end += 150;
        assert_true(
            WIFSIGNALED(kit_wait(kit_fork(die_in_checkpoint, (void *)(uintptr_t)points[i]))));
        kit_restart(false);
        all = logdir_checkpoints_load();
        o = logdir_checkpoints_get(all, 0, STRVIEW("dying"), 0, dying_id);
        logdir_checkpoints_free(all);
        ref = kit_partition_at("dying", 0, o.recovery_point, o.log_start_offset);
        assert_int_equal(kit_verify(ref, 0), end);
        assert_int_equal(
            kit_append(
                ref,
                &(KitBatch){.producer_id = 6, .sequence = (int32_t)end - 1, .value_bytes = 300},
                &result),
            0);
        assert_true(result.duplicate);
        kit_restart(false);
    }
}

/* Each call of a checkpoint fails once: the old files or the new ones, and the next checkpoint is good. */
static void
any_call_of_a_checkpoint_may_fail(void **state)
{
    static const int errors[] = {ENOSPC, EIO};

    (void)state;
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        uint64_t calls = UINT64_MAX;
        int64_t end = 0;

        for (uint64_t nth = 1; nth <= calls; nth++) {
            PartitionRef refs[6];
            CheckpointReport r;
            ErrInfo err = {0};
            int64_t before =
                e == 0 && nth == 1 ? -1 : checkpointed(CHECKPOINT_RECOVERY_POINT, "any", 0);
            int64_t after;
            int rc;

            for (int i = 0; i < 6; i++) {
                refs[i] = kit_partition_at("any", i, before < 0 ? 0 : before, 0);
                kit_append_ok(refs[i], &(KitBatch){0});
            }
            end = kit_offsets(refs[0]).log_end_offset;
            vfs_faulty_install();
            vfs_faulty_plan((VfsFault){
                .call = VFS_CALL_ANY, .nth = nth, .errno_value = errors[e], .short_bytes = -1});
            rc = checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err);
            if (vfs_faulty_count(VFS_CALL_ANY) < nth)
                calls = 0;
            vfs_faulty_remove();
            after = checkpointed(CHECKPOINT_RECOVERY_POINT, "any", 0);
            assert_true(after == before || after == end || (after == 0 && before < 0));
            if (rc != 0)
                assert_int_not_equal(logdir_state(0), LOGDIR_ONLINE);
            if (logdir_state(0) == LOGDIR_FAILED)
                assert_int_equal(checkpoint_final(0, 1, &r, &err), OT_E_KAFKA_STORAGE_ERROR);
            else
                assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
            if (logdir_state(0) != LOGDIR_FAILED)
                assert_int_equal(checkpointed(CHECKPOINT_RECOVERY_POINT, "any", 0), end);
            for (int i = 0; i < 6; i++)
                assert_int_equal(kit_verify(refs[i], 0), end);
            kit_restart(false);
        }
    }
}

static int
count_folders(const char *part)
{
    char command[512];
    FILE *p;
    int n = -1;

    (void)snprintf(command, sizeof command, "ls %s | grep -c -- '%s'", kit_dir, part);
    p = popen(command, "r");
    assert_non_null(p);
    assert_int_equal(fscanf(p, "%d", &n), 1);
    (void)pclose(p);
    return n;
}

/* What cannot be removed stands in nobody's way, and is tried again. */
static void
folders_that_resist_are_tried_again(void **state)
{
    char inside[LIMIT_PATH_BYTES + 16];
    int32_t removed;

    (void)state;
    for (int i = 0; i < 3; i++) {
        PartitionRef ref = kit_partition("stuck", i);

        kit_append_ok(ref, &(KitBatch){0});
        pslot_retire(pslot_at(ref.slot));
        assert_int_equal(plog_bury(ref.slot, kit_buried, NULL), 0);
        folders_note_deleted(kit_buried, 1000 + i);
        if (i == 1)
            (void)snprintf(inside, sizeof inside, "%s/inside", kit_buried);
    }
    assert_int_equal(mkdir(inside, 0755), 0); /* no file: it cannot be unlinked */
    assert_int_equal(folders_remove_deleted(5000, 0, &removed), 6000);
    assert_int_equal(removed, 2);
    assert_int_equal(folders_remove_deleted(6000, 0, &removed), 7000);
    assert_int_equal(removed, 0);
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(folders_remove_deleted(7000, 0, &removed), INT64_MAX);
    assert_int_equal(removed, 1);
    assert_int_equal(count_folders("-delete$"), 0);
}

static void
folders_go_after_their_delay(void **state)
{
    PartitionRef ref = kit_partition("buried", 0);
    char stray[512];
    int32_t removed;
    int64_t next;

    (void)state;
    kit_append_ok(ref, &(KitBatch){0});
    pslot_retire(pslot_at(ref.slot));
    assert_int_equal(plog_bury(ref.slot, kit_buried, NULL), 0);
    assert_int_equal(count_folders("-delete$"), 1);
    /* remembered by whoever buries, or found after a start */
    assert_int_equal(folders_remove_deleted(INT64_MAX, 60000, &removed), INT64_MAX);
    folders_find_deleted();
    next = folders_remove_deleted(clock_mono_ms(), 60000, &removed);
    assert_true(next > clock_mono_ms() + 50000 && next <= clock_mono_ms() + 60000);
    assert_int_equal(count_folders("-delete$"), 1);
    assert_int_equal(removed, 0);
    assert_int_equal(folders_remove_deleted(clock_mono_ms() + 61000, 60000, &removed), INT64_MAX);
    assert_int_equal(count_folders("-delete$"), 0);
    assert_int_equal(removed, 1);
    for (int i = 0; i < 200; i++) { /* many, those noted first in front */
        ref = kit_partition("buried", i);
        kit_append_ok(ref, &(KitBatch){0});
        pslot_retire(pslot_at(ref.slot));
        assert_int_equal(plog_bury(ref.slot, kit_buried, NULL), 0);
        folders_note_deleted(kit_buried, 1000 + i);
    }
    assert_int_equal(folders_remove_deleted(1110, 10, &removed), 1111);
    assert_int_equal(removed, 101);
    assert_int_equal(count_folders("-delete$"), 99);
    assert_int_equal(folders_remove_deleted(5000, 10, &removed), INT64_MAX);
    assert_int_equal(count_folders("-delete$"), 0);
    (void)snprintf(stray, sizeof stray, "%s/unknown-3", kit_dir);
    assert_int_equal(mkdir(stray, 0755), 0);
    (void)snprintf(stray, sizeof stray, "%s/__cluster_metadata-0", kit_dir);
    assert_int_equal(mkdir(stray, 0755), 0);
    ref = kit_partition("known", 0);
    kit_append_ok(ref, &(KitBatch){0});
    folders_set_strays_aside(0);
    assert_int_equal(count_folders("^unknown-3.*-stray$"), 1);
    assert_int_equal(count_folders("^known-0$"), 1);
    assert_int_equal(count_folders("^__cluster_metadata-0$"), 1);
}

static void
write_path(void **state)
{
    PartitionRef ref = kit_partition("path", 0);
    ReplicaAppendResult r;
    ReplicaAppendArgs args = {.acks = -1};
    ErrInfo err = {0};
    ReplicaWait wait;
    Batch batch;

    (void)state;
    args.batch = &batch;
    kit_batch(&(KitBatch){.count = 3, .producer_id = 9}, &batch);
    assert_int_equal(replica_append(ref, &args, &r, &err), 0);
    assert_false(r.wait.for_hw);
    assert_true(r.wait.for_disk);
    assert_int_equal(r.log.base_offset, 0);
    assert_int_equal(r.log.log_start_offset, 0);
    wait = (ReplicaWait){.last_offset = 2, .for_hw = true};
    assert_int_equal(replica_check_wait(ref, &wait, &err), 0);
    assert_false(wait.for_hw);
    assert_true(wait.for_disk); /* one replica: auto means the disk */
    wait = (ReplicaWait){.last_offset = 3, .for_hw = true};
    assert_int_equal(replica_check_wait(ref, &wait, &err), 0);
    assert_true(wait.for_hw);
    wait = (ReplicaWait){.last_offset = 2, .leader_epoch = 1, .for_hw = true};
    assert_int_equal(replica_check_wait(ref, &wait, &err), OT_E_NOT_LEADER_OR_FOLLOWER);
    /* the real log start with 45 */
    kit_batch(&(KitBatch){.producer_id = 9, .sequence = 7}, &batch);
    assert_int_equal(replica_append(ref, &args, &r, &err), OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(r.log.log_start_offset, 0);
    assert_int_equal(r.log.base_offset, -1);
    assert_int_equal(replica_check_leader(ref, 0, &err), 0);
    assert_int_equal(replica_check_leader(ref, 1, &err), OT_E_UNKNOWN_LEADER_EPOCH);
    kit_set_epoch(ref, 2);
    assert_int_equal(replica_check_leader(ref, 1, &err), OT_E_FENCED_LEADER_EPOCH);
    /* too few in sync: acks=all is refused, acks=1 is not, and is not committed */
    pslot_set_leadership(pslot_at(ref.slot), (PslotLeadership){2, PSLOT_ROLE_LEADER, 3, 0});
    kit_batch(&(KitBatch){0}, &batch);
    assert_int_equal(replica_append(ref, &args, &r, &err), OT_E_NOT_ENOUGH_REPLICAS);
    args.acks = 1;
    assert_int_equal(replica_append(ref, &args, &r, &err), 0);
    assert_false(r.wait.for_disk);
    assert_int_equal(kit_offsets(ref).high_watermark, 3);
    assert_int_equal(kit_offsets(ref).log_end_offset, 4);
    pslot_set_leadership(pslot_at(ref.slot), (PslotLeadership){2, PSLOT_ROLE_FOLLOWER, 3, 3});
    assert_int_equal(replica_append(ref, &args, &r, &err), OT_E_NOT_LEADER_OR_FOLLOWER);
    pslot_retire(pslot_at(ref.slot));
    assert_int_equal(replica_append(ref, &args, &r, &err), OT_E_UNKNOWN_TOPIC_OR_PARTITION);
}

static int32_t served;

static void
count_serving(void *arg)
{
    (void)arg;
    served++;
}

/* Who waits for the disk does not wait for the expiry of all partitions. */
static void
commits_go_on_while_producers_expire(void **state)
{
    (void)state;
    for (int32_t p = 0; p < 5; p++) {
        PartitionRef ref = kit_partition("expire", p);

        for (int id = 1; id <= 10; id++)
            kit_append_ok(ref, &(KitBatch){.producer_id = id});
    }
    served = 0;
    assert_int_equal(checkpoint_expire_producers(0, 86400000, &(PlogServe){count_serving, NULL}),
                     50);
    assert_int_equal(served, 5);
    assert_int_equal(checkpoint_expire_producers(0, 86400000, NULL), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cost_follows_changes, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(early_ones_leave_what_is_little, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(early_ones_keep_log_starts, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(offsets_and_names_are_of_one_log, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(final_checkpoint_is_clean, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(nothing_unopened_is_called_clean, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(killed_in_a_checkpoint, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(any_call_of_a_checkpoint_may_fail, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(folders_that_resist_are_tried_again, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(folders_go_after_their_delay, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(write_path, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(commits_go_on_while_producers_expire, kit_setup,
                                        kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
