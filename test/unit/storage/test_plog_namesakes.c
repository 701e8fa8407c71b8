/*
 * test_plog_namesakes.c - a topic is deleted and made anew while somebody still works on its old log
 *
 * Both logs have one place on the disk. Proves that whoever holds the append lock of the old one finds its files there
 * or nothing at all, never those of the new one: nothing of the new log is overwritten, renamed or mixed with others.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/crashpoint.h"
#include "storage/storage_kit.h"

#define NEW_BATCHES 20
#define NEW_BYTES   50 /* of a record */
#define OLD_BYTES   60

/* The controller deletes the topic; the kit's ids follow the name, so the old one gets another. */
static void
retire(PartitionRef old)
{
    PartitionSlot *slot = pslot_at(old.slot);

    slot->topic_id.b[15] = 99;
    if (slot->has_folder)
        assert_int_equal(
            partition_metadata_store(kit_path(old, ""), slot->topic_id, VFS_NOT_SYNCED, NULL), 0);
    pslot_retire(slot);
}

/* The process that writes to the new log; made before this one holds any lock. */
typedef struct Writer {
    PartitionRef ref;
    volatile bool begin;
    volatile bool begun;
} Writer;

static Writer *writer;
static pid_t writer_pid;

static int
append_new(void *arg)
{
    (void)arg;
    fd_cache_reset();
    while (!writer->begin)
        (void)sched_yield();
    writer->begun = true;
    for (int i = 0; i < NEW_BATCHES; i++) {
        if (kit_append(writer->ref, &(KitBatch){.value_bytes = NEW_BYTES}, NULL) != 0)
            return 1;
    }
    return 0;
}

static void
make_writer(void)
{
    writer = kit_shared(sizeof *writer);
    writer_pid = kit_fork(append_new, NULL);
}

/* The new topic, and who writes to it, until that has ended or waits for something. */
static PartitionRef
renew(PartitionRef old)
{
    char path[64], text[256] = "";
    const char *state = NULL;

    retire(old);
    writer->ref = kit_partition("same", 0);
    writer->begin = true;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)writer_pid);
    do {
        FILE *f = fopen(path, "r");

        assert_non_null(f);
        assert_non_null(fgets(text, sizeof text, f));
        (void)fclose(f);
        state = strrchr(text, ')');
        assert_non_null(state);
    } while (!writer->begun || (state[2] != 'S' && state[2] != 'Z'));
    return writer->ref;
}

/* Folders with this suffix in their names. */
static int
count_folders(const char *suffix)
{
    DIR *d = opendir(kit_dir);
    struct dirent *e;
    int count = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name);

        count += len > strlen(suffix) && strcmp(e->d_name + len - strlen(suffix), suffix) == 0;
    }
    (void)closedir(d);
    return count;
}

/* Of rolls, for when the lock is let go. */
static PlogSnapshot *snapshots[8];
static int snapshot_count;

/* One batch more, by the holder of the lock. */
static int
append_locked(PartitionSlot *slot)
{
    PlogAppendArgs args = {.now_ms = KIT_NOW_MS, .hw_follows = true};
    PlogAppendResult result;
    Batch batch;
    int rc;

    kit_batch(&(KitBatch){.value_bytes = OLD_BYTES}, &batch);
    args.batch = &batch;
    result.snapshot = NULL;
    rc = plog_append(slot, &args, &result, NULL);
    if (result.snapshot != NULL)
        snapshots[snapshot_count++] = result.snapshot;
    return rc;
}

static void
check_new(PartitionRef fresh, int64_t end)
{
    assert_int_equal(kit_verify(fresh, 0), end);
    assert_int_equal(kit_file_size(kit_segment(fresh, 0, ".log")), kit_tuple(fresh).active_size);
    assert_int_equal(count_folders("-stray"), 0);
    kit_restart(false);
    fresh = kit_partition("same", 0);
    assert_int_equal(kit_verify(fresh, 0), end);
}

static void
an_append_is_on_its_way(void **state)
{
    PartitionRef old = kit_partition("same", 0);
    PartitionRef fresh;
    PartitionSlot *slot;

    (void)state;
    for (int i = 0; i < 3; i++)
        kit_append_ok(old, &(KitBatch){.value_bytes = OLD_BYTES});
    make_writer();
    assert_int_equal(plog_lock(old, &slot, NULL), 0);
    fresh = renew(old);
    assert_int_equal(append_locked(slot), 0);
    plog_unlock(slot);
    assert_int_equal(kit_wait(writer_pid), 0);
    assert_int_equal(count_folders("-delete"), 1);
    check_new(fresh, NEW_BATCHES);
}

static void
a_roll_is_on_its_way(void **state)
{
    PartitionRef old, fresh;
    PartitionSlot *slot;

    (void)state;
    kit_settings.segment_bytes = 300;
    old = kit_partition("same", 0);
    kit_settings.segment_bytes = 1 << 30;
    for (int i = 0; i < 7; i++)
        kit_append_ok(old, &(KitBatch){.value_bytes = OLD_BYTES});
    make_writer();
    assert_int_equal(plog_lock(old, &slot, NULL), 0);
    fresh = renew(old);
    for (int i = 0; i < 5; i++)
        assert_int_equal(append_locked(slot), 0);
    plog_unlock(slot);
    assert_int_equal(kit_wait(writer_pid), 0);
    assert_true(snapshot_count > 1);
    for (int i = 0; i < snapshot_count; i++) /* whose folder is another one's now */
        plog_store_roll(old, snapshots[i]);
    snapshot_count = 0;
    for (int64_t offset = 0; offset < 13; offset++)
        assert_int_equal(kit_file_size(kit_segment(fresh, offset, ".snapshot")), -1);
    assert_int_equal(kit_file_size(kit_path(fresh, "roll--1.snapshot.tmp")), -1);
    check_new(fresh, NEW_BATCHES);
}

/* Nothing of the old log is on the disk yet. */
static void
a_first_append_is_on_its_way(void **state)
{
    PartitionRef old = kit_partition("same", 0);
    PartitionRef fresh;
    PartitionSlot *slot;

    (void)state;
    make_writer();
    assert_int_equal(plog_lock(old, &slot, NULL), 0);
    fresh = renew(old);
    assert_int_equal(kit_wait(writer_pid), 0);
    assert_int_equal(append_locked(slot), OT_E_UNKNOWN_TOPIC_OR_PARTITION);
    plog_unlock(slot);
    assert_int_equal(count_folders("-delete"), 0);
    check_new(fresh, NEW_BATCHES);
}

static PartitionRef opened;

static void
renew_it(const char *name)
{
    (void)name;
    (void)renew(opened);
}

static void
the_old_log_is_being_opened(void **state)
{
    (void)state;
    opened = kit_partition("same", 0);
    make_writer();
    crashpoint_hook = renew_it;
    crashpoint_arm("plog.open.begin", 1);
    assert_int_equal(plog_ensure_open(opened, NULL), OT_E_UNKNOWN_TOPIC_OR_PARTITION);
    crashpoint_hook = NULL;
    assert_int_equal(kit_wait(writer_pid), 0);
    assert_int_equal(pslot_state(pslot_at(opened.slot)), PSLOT_DELETING);
    assert_int_equal(plog_bury(opened.slot, kit_buried, NULL), 0);
    check_new(writer->ref, NEW_BATCHES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_append_is_on_its_way, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_roll_is_on_its_way, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_first_append_is_on_its_way, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(the_old_log_is_being_opened, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
