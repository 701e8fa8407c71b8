/*
 * test_plog_move.c - a log moves to another directory: wishes, the copy, the switch, and what fails on the way
 *
 * Proves: V1 to V3 of plog_move.h and W1, W2 of move_wish.h: what is appended, removed and wished meanwhile; after a failure
 * at any call (no space, a broken disk) the log is whole, here and after a start, and the move can be asked for again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ottla/common/vfs_faulty.h"
#include "ottla/storage/logdir_folders.h"
#include "ottla/storage/logdirs.h"
#include "storage/move_int.h"
#include "storage/storage_kit.h"

#define OTHER 1 /* the directory of the tests that is not kit_dir */

static char other[300];

static int
setup(void **state)
{
    ErrInfo err = {0};

    (void)kit_setup(state);
    (void)snprintf(other, sizeof other, "%s/other", kit_dir); /* removed with it */
    assert_int_equal(mkdir(other, 0750), 0);
    assert_int_equal(logdir_add(other, (Uuid){{2}}, &err), OTHER);
    kit_restart(true);
    logdir_set_clean(OTHER, true);
    kit_settings.segment_bytes = 2000;
    kit_settings.index_interval_bytes = 100;
    return 0;
}

static void
append(PartitionRef ref, int count)
{
    for (int i = 0; i < count; i++)
        (void)kit_append_ok(ref, &(KitBatch){.value_bytes = 150});
}

static bool
has_future(PartitionRef ref, int dir)
{
    char folder[LIMIT_PATH_BYTES];

    move_wish_folder(pslot_at(ref.slot), dir, folder);
    return access(folder, F_OK) == 0;
}

static bool
has_folder(PartitionRef ref, int dir)
{
    char path[LIMIT_PATH_BYTES];

    (void)snprintf(path, sizeof path, "%s/%s-%d", logdir_path(dir), pslot_at(ref.slot)->topic,
                   (int)pslot_at(ref.slot)->partition);
    return access(path, F_OK) == 0;
}

static void
ask(PartitionRef ref, int dir)
{
    ErrInfo err = {0};

    if (move_wish_ask(ref, dir, &err) != 0)
        fail_msg("%s", err.text);
}

/* A whole move in small slices; its code. A failed one is given up. */
static int
move(PartitionRef ref, ErrInfo *err)
{
    PslotWish wish = pslot_wish(pslot_at(ref.slot));
    char folder[LIMIT_PATH_BYTES];
    int64_t copied, left = 1;
    PlogMove *m = NULL;
    int rc = plog_move_begin(ref, wish, &m, err);

    while (rc == 0 && left > 0)
        rc = plog_move_copy(m, 700, &copied, &left, err);
    if (rc == 0)
        rc = plog_move_finish(m, folder, err);
    plog_move_end(m);
    if (rc != 0)
        assert_true(move_wish_drop(ref, wish, folder));
    return rc;
}

static void
follows_the_log(void **state)
{
    PartitionRef ref = kit_partition("t", 0);
    PartitionSlot *slot = pslot_at(ref.slot);
    KitBatch mine = {.producer_id = 9, .count = 3};
    char old[LIMIT_PATH_BYTES];
    PlogAppendResult result;
    int64_t copied, left = 1;
    MoveFuture future;
    ErrInfo err = {0};
    PlogMove *m;

    (void)state;
    append(ref, 60);
    ask(ref, OTHER);
    assert_true(has_future(ref, OTHER) && move_wish_future(slot, &future));
    assert_true(future.dir == OTHER && future.bytes == 0);
    assert_int_equal(plog_move_begin(ref, pslot_wish(slot), &m, &err), 0);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(plog_move_copy(m, 500, &copied, &left, &err), 0);
        assert_true(copied <= 500);
        append(ref, 1); /* rolls, too */
    }
    assert_true(move_wish_future(slot, &future) && future.end_offset > 0 && left > 0);
    slot->named_dir = OTHER; /* the metadata has not caught up [V3] */
    assert_int_equal(plog_move_finish(m, old, &err), OT_E_AGAIN);
    slot->named_dir = 0;
    kit_append_ok(ref, &mine);
    assert_int_equal(plog_move_finish(m, old, &err), 0);
    plog_move_end(m);
    assert_int_equal(pslot_dir(slot), OTHER);
    assert_true(!move_wish_future(slot, &future) && !has_future(ref, OTHER));
    assert_true(has_folder(ref, OTHER) && !has_folder(ref, 0) && access(old, F_OK) == 0);
    assert_int_equal(kit_tuple(ref).recovery_point, 75); /* all of it was flushed [V2] */
    assert_int_equal(kit_append(ref, &mine, &result), 0);
    assert_true(result.duplicate && result.base_offset == 72);
    append(ref, 40);
    assert_int_equal(kit_verify(ref, 0), 115);
}

/* Of two rolls before it: one was not written when the log went, the other meets it on its way back. */
static void
snapshots_of_rolls_come_late(void **state)
{
    PartitionRef ref = kit_partition("t", 0);
    KitBatch mine = {.producer_id = 9, .value_bytes = 500};
    PlogSnapshot *late[2];
    PlogAppendResult result;
    int64_t base[2];
    ErrInfo err = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        late[i] = kit_roll(ref, &mine);
        base[i] = kit_tuple(ref).active_base;
    }
    for (int dir = OTHER; dir >= 0; dir--) {
        ask(ref, dir);
        assert_int_equal(move(ref, &err), 0);
        plog_store_roll(ref, late[dir]);
        for (int i = 0; i < 2; i++)
            assert_int_equal(kit_file_size(kit_segment(ref, base[i], ".snapshot")), -1);
        assert_int_equal(kit_file_size(kit_path(ref, "roll--1.snapshot.tmp")), -1);
        pslot_at(ref.slot)->named_dir = dir;
    }
    mine.sequence--;
    assert_int_equal(kit_append(ref, &mine, &result), 0);
    assert_true(result.duplicate);
    kit_restart(false);
    ref = kit_partition("t", 0);
    assert_int_equal(kit_append(ref, &mine, &result), 0);
    assert_true(result.duplicate);
}

static void
wishes_change(void **state)
{
    PartitionRef ref = kit_partition("t", 0);
    PartitionSlot *slot = pslot_at(ref.slot);
    char path[LIMIT_PATH_BYTES];
    PslotWish first, second;
    int64_t copied, left;
    ErrInfo err = {0};
    PlogMove *m;

    (void)state;
    append(ref, 20);
    ask(ref, 0); /* where it is */
    assert_int_equal(pslot_wanted_dir(slot), -1);
    ask(ref, OTHER);
    first = pslot_wish(slot);
    ask(ref, OTHER);
    assert_true(pslot_wish(slot).word == first.word); /* the same wish */
    assert_int_equal(plog_move_begin(ref, first, &m, &err), 0);
    assert_int_equal(plog_move_copy(m, 1 << 20, &copied, &left, &err), 0);
    ask(ref, 0);
    assert_true(pslot_wanted_dir(slot) == -1 && !has_future(ref, OTHER));
    ask(ref, OTHER); /* it comes again: another one, with another copy [W2] */
    second = pslot_wish(slot);
    assert_true(second.dir == OTHER && second.word != first.word);
    assert_int_equal(plog_move_finish(m, path, &err), OT_E_AGAIN);
    plog_move_end(m);
    assert_false(move_wish_drop(ref, first, path));
    assert_true(has_future(ref, OTHER));
    assert_true(move_wish_drop(ref, second, path));
    assert_true(!has_future(ref, OTHER) && access(path, F_OK) == 0);
    assert_int_equal(pslot_wanted_dir(slot), -1);
    assert_int_equal(kit_verify(ref, 0), 20);
}

static void
a_start_takes_wishes_up(void **state)
{
    PartitionRef ref = kit_partition("t", 0);
    char folder[LIMIT_PATH_BYTES], foreign[LIMIT_PATH_BYTES + 8];
    ErrInfo err = {0};

    (void)state;
    append(ref, 20);
    ask(ref, OTHER);
    move_wish_folder(pslot_at(ref.slot), OTHER, folder);
    kit_restart(false);
    ref = kit_partition("t", 0);
    assert_int_equal(pslot_wanted_dir(pslot_at(ref.slot)), -1);
    /* Kafka's digits are others. */
    (void)snprintf(foreign, sizeof foreign, "%s/t-0.%032x-future", other, 5);
    assert_int_equal(rename(folder, foreign), 0);
    move_wish_take_up(ref, OTHER, foreign);
    assert_int_equal(pslot_wanted_dir(pslot_at(ref.slot)), OTHER);
    assert_true(has_future(ref, OTHER));
    assert_int_equal(mkdir(foreign, 0750), 0); /* one is enough */
    move_wish_take_up(ref, OTHER, foreign);
    assert_int_not_equal(access(foreign, F_OK), 0);
    assert_true(has_future(ref, OTHER));
    assert_int_equal(move(ref, &err), 0);
    assert_int_equal(mkdir(folder, 0750), 0); /* it is there already */
    move_wish_take_up(ref, OTHER, folder);
    assert_true(pslot_wanted_dir(pslot_at(ref.slot)) == -1 && !has_future(ref, OTHER));
}

static void
a_burial_takes_the_copy_along(void **state)
{
    PartitionRef ref = kit_partition("t", 0);
    char folder[LIMIT_PATH_BYTES], path[LIMIT_PATH_BYTES];
    ErrInfo err = {0};

    (void)state;
    append(ref, 3);
    ask(ref, OTHER);
    move_wish_folder(pslot_at(ref.slot), OTHER, folder);
    pslot_retire(pslot_at(ref.slot));
    assert_int_equal(move_wish_ask(ref, 0, &err), OT_E_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(plog_bury(ref.slot, path, &err), 0);
    assert_int_not_equal(access(folder, F_OK), 0);
}

/* A log that has no files yet, and a name that is taken in the target. */
static void
odd_places(void **state)
{
    PartitionRef empty = kit_partition("empty", 0);
    PartitionRef ref = kit_partition("t", 0);
    char path[LIMIT_PATH_BYTES];
    ErrInfo err = {0};

    (void)state;
    ask(empty, OTHER);
    assert_int_equal(move(empty, &err), 0);
    assert_true(pslot_dir(pslot_at(empty.slot)) == OTHER && !has_future(empty, OTHER));
    append(empty, 2);
    assert_true(has_folder(empty, OTHER) && !has_folder(empty, 0));
    append(ref, 2);
    (void)snprintf(path, sizeof path, "%s/t-0", other);
    assert_int_equal(mkdir(path, 0750), 0);
    assert_int_equal(partition_metadata_store(path, (Uuid){{99}}, VFS_NOT_SYNCED, &err), 0);
    ask(ref, OTHER);
    assert_int_equal(move(ref, &err), 0);
    assert_int_equal(kit_verify(ref, 0), 2);
}

/* What the next start finds: the log is where the metadata says, or else where it lies. */
static PartitionRef
start_again(int32_t partition, int named)
{
    PartitionRef ref;
    LogDirFolders *folders;
    int dir;

    kit_restart(false);
    logdir_set_clean(OTHER, false);
    folders = logdir_folders_load();
    ref = kit_partition("f", partition);
    dir =
        logdir_folders_find(folders, named, STRVIEW("f"), partition, pslot_at(ref.slot)->topic_id);
    logdir_folders_free(folders);
    atomic_i32_store(&pslot_at(ref.slot)->log_dir, dir);
    pslot_at(ref.slot)->named_dir = dir;
    return ref;
}

/* Every call of a move fails once with this error. Returns how many did. */
static int
fail_everywhere(int error, bool and_later, int32_t first)
{
    for (int32_t nth = 1;; nth++) {
        int32_t partition = first + nth, end = 30;
        PartitionRef ref = start_again(partition, 0);
        ErrInfo err = {0};
        int rc;

        append(ref, 30);
        ask(ref, OTHER);
        vfs_faulty_install();
        vfs_faulty_plan((VfsFault){.call = VFS_CALL_ANY,
                                   .nth = (uint64_t)nth,
                                   .and_later = and_later,
                                   .errno_value = error,
                                   .short_bytes = -1});
        rc = move(ref, &err);
        vfs_faulty_remove();
        if (vfs_faulty_count(VFS_CALL_ANY) < (uint64_t)nth)
            return nth - 1; /* nothing failed */
        if (rc != 0)
            assert_int_equal(pslot_dir(pslot_at(ref.slot)), 0);
        if (error == ENOSPC && rc != 0 && logdir_state(0) != LOGDIR_FAILED &&
            logdir_state(OTHER) != LOGDIR_FAILED) { /* goes on, and may be asked again */
            append(ref, 10);
            end += 10;
            assert_int_equal(kit_verify(ref, 0), end);
            ref = start_again(partition, 0);
            assert_int_equal(kit_verify(ref, 0), end);
            ask(ref, OTHER);
            if (move(ref, &err) != 0)
                fail_msg("%d: asked again: %s", nth, err.text);
        }
        if (logdir_state(pslot_dir(pslot_at(ref.slot))) != LOGDIR_FAILED &&
            kit_append(ref, &(KitBatch){0}, NULL) == 0)
            end++;
        ref = start_again(partition, 0);
        if (kit_verify(ref, 0) != end)
            fail_msg("%d: a start finds %lld of %d records", nth, (long long)kit_verify(ref, 0),
                     end);
        assert_true(nth < 300);
    }
}

static void
nothing_is_lost_when_a_call_fails(void **state)
{
    (void)state;
    assert_true(fail_everywhere(ENOSPC, false, 0) > 40);
    assert_true(fail_everywhere(EIO, false, 1000) > 40);
    assert_true(fail_everywhere(EIO, true, 2000) > 40);
}

/*
 * The source fails when its name is gone from its directory, and the name cannot be given back either: nothing is
 * appended there any more, and the start finds the copy, which has its name.
 */
static void
the_source_fails_between_its_renames(void **state)
{
    uint64_t renames = 0;
    int between = 0;

    (void)state;
    for (int32_t nth = 0;; nth++) {
        PartitionRef ref = start_again(3000 + nth, 0);
        ErrInfo err = {0};
        int rc;

        append(ref, 30);
        ask(ref, OTHER);
        vfs_faulty_install();
        vfs_faulty_plan((VfsFault){.call = nth == 0 ? VFS_CALL_COUNT : VFS_CALL_FSYNC,
                                   .nth = (uint64_t)nth,
                                   .errno_value = EIO,
                                   .short_bytes = -1});
        if (nth > 0)
            vfs_faulty_also((VfsFault){.call = VFS_CALL_RENAME,
                                       .nth = renames + 1, /* back */
                                       .and_later = true});
        rc = move(ref, &err);
        vfs_faulty_remove();
        if (nth == 0) { /* the last rename of a move is that of the original */
            assert_int_equal(rc, 0);
            renames = vfs_faulty_count(VFS_CALL_RENAME);
            continue;
        }
        if (vfs_faulty_count(VFS_CALL_FSYNC) < (uint64_t)nth)
            break;
        if (rc != 0 && logdir_state(0) == LOGDIR_FAILED &&
            vfs_faulty_count(VFS_CALL_RENAME) > renames) {
            between++;
            assert_true(!has_folder(ref, 0) && has_folder(ref, OTHER));
            assert_int_equal(pslot_dir(pslot_at(ref.slot)), 0);
            assert_true(kit_append(ref, &(KitBatch){0}, NULL) != 0);
        }
        ref = start_again(3000 + nth, 0);
        assert_int_equal(kit_verify(ref, 0), 30);
        assert_true(nth < 100);
    }
    assert_int_equal(between, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follows_the_log, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(snapshots_of_rolls_come_late, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(wishes_change, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_start_takes_wishes_up, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_burial_takes_the_copy_along, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(odd_places, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_lost_when_a_call_fails, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(the_source_fails_between_its_renames, setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
