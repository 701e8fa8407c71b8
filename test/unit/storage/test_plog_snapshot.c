/*
 * test_plog_snapshot.c - producer snapshots are written beside the append lock: deaths in between, others meanwhile
 *
 * Proves: nobody who appends waits for the file of a snapshot (S6, S7 of src/storage/README.md); killed at each step its
 * writer leaves a log that goes on, knows its producers, and names no file that is not there; one that is late, or
 * whose topic is deleted, changes nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <sys/wait.h>

#include "ottla/common/crashpoint.h"
#include "storage/storage_kit.h"

/* A roll's snapshot: who writes it holds no lock, who names it does; whatever is missing, the log goes on. */
static void
a_snapshot_of_a_roll(void **state)
{
    static const char *const points[] = {"plog.snapshot.written", "plog.snapshot.named"};
    static const PLockResult left[] = {PLOCK_OK, PLOCK_OWNER_DIED};

    (void)state;
    kit_settings.segment_bytes = 1000;
    for (int i = 0; i < 2; i++) {
        PartitionRef ref = kit_partition("rolled", i);
        PartitionSlot *slot = pslot_at(ref.slot);
        int killed = 0;

        for (int n = 0; n < 40; n++) {
            KitBatch batch = {.value_bytes = 200, .producer_id = 3, .sequence = n};

            if (kit_kill_appending(ref, points[i], batch)) {
                killed++;
                assert_int_equal(plock_trylock(&slot->append_lock), left[i]);
                if (left[i] == PLOCK_OWNER_DIED)
                    plock_consistent(&slot->append_lock);
                plock_unlock(&slot->append_lock);
                assert_int_equal(slot->snapshot_offset, -1);
                assert_int_equal(kit_retry(ref, batch), 3);
                assert_int_equal(
                    kit_file_size(kit_segment(ref, kit_tuple(ref).active_base, ".snapshot")) > 0,
                    i == 1);
                assert_int_equal(kit_file_size(kit_path(ref, "roll--1.snapshot.tmp")) > 0, i == 0);
            }
            assert_int_equal(kit_offsets(ref).log_end_offset, n + 1);
        }
        assert_true(killed > 5);
        kit_restart(false);
        ref = kit_partition("rolled", i);
        assert_int_equal(kit_verify(ref, 0), 40);
        assert_int_equal(kit_file_size(kit_path(ref, "roll--1.snapshot.tmp")), -1);
        assert_int_equal(
            kit_retry(ref, (KitBatch){.value_bytes = 200, .producer_id = 3, .sequence = 39}), 3);
    }
}

static PartitionRef going_on;
static int64_t checkpointed;
static bool deleted;

/* While a roll's snapshot is written others append, and a checkpoint comes; or the topic goes. */
static void
get_on(const char *name)
{
    PlogCheckpoint cp;

    (void)name;
    assert_int_equal(plock_held_count(), 0);
    if (deleted) {
        pslot_retire(pslot_at(going_on.slot));
        return;
    }
    kit_append_ok(going_on, &(KitBatch){.producer_id = 4, .value_bytes = 10});
    assert_int_equal(plog_checkpoint_begin(going_on, PLOG_CHECKPOINT_FULL, &cp, NULL), 0);
    checkpointed = cp.target;
}

static void
others_do_not_wait_for_a_snapshot(void **state)
{
    PartitionSlot *slot;
    int64_t base;

    (void)state;
    kit_settings.segment_bytes = 1000;
    for (int i = 0; i < 2; i++) {
        PlogAppendResult result = {0};

        deleted = i == 1;
        going_on = kit_partition("going-on", i);
        slot = pslot_at(going_on.slot);
        crashpoint_hook = get_on;
        crashpoint_arm("plog.snapshot.written", 1);
        for (int n = 0; n < 10 && !result.rolled; n++)
            assert_int_equal(
                kit_append(going_on,
                           &(KitBatch){.value_bytes = 200, .producer_id = 3, .sequence = n},
                           &result),
                0);
        crashpoint_hook = NULL;
        assert_true(result.rolled);
        base = result.base_offset;
        /* an older one is of no use any more, nor is one of a topic that is gone */
        assert_int_equal(kit_file_size(kit_segment(going_on, base, ".snapshot")), -1);
        assert_int_equal(kit_file_size(kit_path(going_on, "roll--1.snapshot.tmp")), -1);
        if (deleted)
            continue;
        assert_int_equal(slot->snapshot_offset, checkpointed);
        assert_int_equal(checkpointed, base + 2);
        assert_true(kit_file_size(kit_segment(going_on, checkpointed, ".snapshot")) > 0);
    }
}

static bool
has_snapshot(PartitionRef ref, int64_t offset)
{
    return kit_file_size(kit_segment(ref, offset, ".snapshot")) > 0;
}

/* The next roll overtakes one, a checkpoint another, and retention takes the segment of a third. */
static void
late_ones_get_a_name_that_is_of_use(void **state)
{
    PartitionRef ref;
    KitBatch mine = {.value_bytes = 200, .producer_id = 3};
    PlogSnapshot *late[3];
    PlogAppendResult result;
    PlogCheckpoint cp;
    int64_t base[3];

    (void)state;
    kit_settings.segment_bytes = 1000;
    kit_settings.retention_bytes = 1000; /* one whole segment, and what the next begins with */
    ref = kit_partition("late", 0);
    for (int i = 0; i < 2; i++) {
        late[i] = kit_roll(ref, &mine);
        base[i] = kit_tuple(ref).active_base;
    }
    plog_store_roll(ref, late[1]);
    assert_true(has_snapshot(ref, base[1]) && !has_snapshot(ref, base[0]));
    plog_store_roll(ref, late[0]);
    assert_true(has_snapshot(ref, base[1]) && has_snapshot(ref, base[0]));
    assert_int_equal(pslot_at(ref.slot)->snapshot_offset, -1);

    for (int i = 0; i < 3; i++) {
        late[i] = kit_roll(ref, &mine);
        base[i] = kit_tuple(ref).active_base;
    }
    plog_store_roll(ref, late[1]);
    assert_true(kit_retain(ref, KIT_NOW_MS) > 0);
    plog_store_roll(ref, late[0]); /* its segment is gone */
    assert_true(!has_snapshot(ref, base[0]) && has_snapshot(ref, base[1]));
    assert_int_equal(plog_checkpoint_begin(ref, PLOG_CHECKPOINT_FULL, &cp, NULL), 0);
    assert_true(has_snapshot(ref, cp.target));
    plog_store_roll(ref, late[2]); /* older than that of the checkpoint, which is flushed perhaps */
    assert_true(!has_snapshot(ref, base[2]));
    assert_int_equal(kit_file_size(kit_path(ref, "roll--1.snapshot.tmp")), -1);
    kit_restart(false);
    ref = kit_partition("late", 0);
    mine.sequence--;
    assert_int_equal(kit_append(ref, &mine, &result), 0);
    assert_true(result.duplicate);
}

/* The checkpointer's: killed beside its lock it leaves none, and no other offset than that of a file. */
static int
die_checkpointing(void *arg)
{
    KitVictim *v = arg;
    PlogCheckpoint cp;

    fd_cache_reset();
    crashpoint_arm(v->point, 1);
    return plog_checkpoint_begin(v->ref, PLOG_CHECKPOINT_FULL, &cp, NULL) == 0 ? 0 : 1;
}

static void
a_snapshot_of_a_checkpoint(void **state)
{
    static const char *const points[] = {"plog.snapshot.written", "plog.snapshot.named"};
    PlogCheckpoint cp;

    (void)state;
    for (int i = 0; i < 2; i++) {
        PartitionRef ref = kit_partition("checkpointed", i);
        KitVictim v = {.ref = ref, .point = points[i]};

        for (int n = 0; n < 5; n++)
            kit_append_ok(ref, &(KitBatch){.producer_id = 3, .sequence = n});
        assert_true(WIFSIGNALED(kit_wait(kit_fork(die_checkpointing, &v))));
        assert_int_equal(kit_file_size(kit_segment(ref, 5, ".snapshot")) > 0, i == 1);
        assert_int_equal(pslot_at(ref.slot)->snapshot_offset, -1);
        assert_int_equal(plog_checkpoint_begin(ref, PLOG_CHECKPOINT_FULL, &cp, NULL), 0);
        assert_int_equal(pslot_at(ref.slot)->snapshot_offset, 5);
        assert_true(kit_file_size(kit_segment(ref, 5, ".snapshot")) > 0);
        kit_restart(false);
        ref = kit_partition("checkpointed", i);
        assert_int_equal(kit_retry(ref, (KitBatch){.producer_id = 3, .sequence = 4}), 3);
        assert_int_equal(kit_file_size(kit_path(ref, "checkpoint--1.snapshot.tmp")), -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_snapshot_of_a_roll, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(others_do_not_wait_for_a_snapshot, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(late_ones_get_a_name_that_is_of_use, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_of_a_checkpoint, kit_setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
