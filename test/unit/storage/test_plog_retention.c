/*
 * test_plog_retention.c - retention of one log: what leaves the list, what happens to the files
 *
 * Proves: the rules act on real segments; a log that goes as a whole goes on at its end, after a restart
 * and after a death at each step; file times count where no record has a timestamp; a file that is still
 * read keeps its space no longer than is said; slots, chunks and lists of deleted partitions come back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs_faulty.h"
#include "storage_kit.h"

#define DAY INT64_C(86400000)

/* Ten segments of one batch each, a second apart. */
static PartitionRef
ten_segments(const char *topic)
{
    PartitionRef ref;

    kit_settings.segment_bytes = 200;
    ref = kit_partition(topic, 0);
    for (int i = 0; i < 10; i++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 100, .timestamp = KIT_NOW_MS + i * 1000});
    assert_int_equal(kit_tuple(ref).seg_count, 9);
    return ref;
}

static void
by_time(void **state)
{
    PlogRetention r;
    PartitionRef ref;

    (void)state;
    kit_settings.retention_ms = DAY;
    ref = ten_segments("aged");
    assert_int_equal(plog_apply_retention(ref, KIT_NOW_MS, &r, NULL), 0);
    assert_int_equal(r.segments, 0);
    assert_true(r.due_ms == KIT_NOW_MS + DAY + 1);
    assert_int_equal(kit_retain(ref, r.due_ms - 1), 0);
    assert_int_equal(kit_retain(ref, r.due_ms), 1);
    assert_int_equal(kit_offsets(ref).log_start_offset, 1);
    assert_int_equal(plog_apply_retention(ref, KIT_NOW_MS + DAY + 5001, &r, NULL), 0);
    assert_int_equal(r.segments, 5);
    assert_int_equal(r.count[RETENTION_TOO_OLD], 5);
    assert_int_equal(r.log_start, 6);
    assert_true(r.bytes > 500 && r.due_ms == KIT_NOW_MS + DAY + 6001);
    assert_int_equal(kit_file_size(kit_segment(ref, 5, ".log")), -1);
    assert_true(kit_file_size(kit_segment(ref, 5, ".log.deleted")) > 0);
    assert_int_equal(kit_file_size(kit_segment(ref, 5, ".index.deleted")), 0);
    assert_int_equal(kit_verify(ref, 6), 10);
    /* log.md 18.39: all of it goes, an empty segment remains, and the log goes on at its end */
    assert_int_equal(kit_retain(ref, KIT_NOW_MS + 2 * DAY), 4);
    assert_int_equal(kit_offsets(ref).log_start_offset, 10);
    assert_int_equal(kit_tuple(ref).seg_count, 0);
    assert_int_equal(kit_tuple(ref).active_size, 0);
    assert_int_equal(kit_retain(ref, KIT_NOW_MS + 3 * DAY), 0);
    kit_restart(false);
    ref = kit_partition("aged", 0);
    assert_int_equal(kit_offsets(ref).log_end_offset, 10);
    assert_int_equal(kit_append_ok(ref, &(KitBatch){0}), 10);
    assert_int_equal(kit_verify(ref, 10), 11);
}

static void
by_size(void **state)
{
    PlogRetention r;
    PartitionRef ref;
    int64_t size;

    (void)state;
    ref = ten_segments("full");
    size = kit_tuple(ref).active_size;
    kit_settings.retention_bytes = 5 * size / 2; /* log.md 18.38: 2.5 segments */
    ref = ten_segments("sized");
    assert_int_equal(plog_apply_retention(ref, KIT_NOW_MS, &r, NULL), 0);
    assert_int_equal(r.segments, 7);
    assert_int_equal(r.count[RETENTION_OVER_SIZE], 7);
    assert_true(r.due_ms == RETENTION_NEVER);
    assert_int_equal(kit_offsets(ref).log_start_offset, 7);
    assert_int_equal(kit_verify(ref, 7), 10);
}

/* Records without timestamps: the time of the file. */
static void
by_file_time(void **state)
{
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    PlogRetention r;
    PartitionRef ref;

    (void)state;
    kit_settings.retention_ms = DAY;
    ref = kit_partition("timeless", 0);
    kit_append_ok(ref, &(KitBatch){.timestamp = -1});
    assert_int_equal(kit_tuple(ref).max_timestamp, -1);
    assert_int_equal(plog_apply_retention(ref, clock_wall_ms(), &r, NULL), 0);
    assert_int_equal(r.segments, 0);
    assert_true(r.due_ms > clock_wall_ms() + DAY - 60000 &&
                r.due_ms < clock_wall_ms() + DAY + 60000);
    assert_int_equal(utimensat(AT_FDCWD, kit_segment(ref, 0, ".log"), old, 0), 0);
    assert_int_equal(kit_retain(ref, clock_wall_ms()), 1);
}

/* A death at each step, then a start from the files: old or new state, never an older end. */
static void
killed_at_each_step(void **state)
{
    static const char *const points[] = {"plog.roll.flushed",       "plog.roll.created",
                                         "plog.roll.published",     "plog.retention.rolled",
                                         "plog.retention.unlisted", "plog.retention.rename"};

    (void)state;
    kit_settings.retention_ms = DAY;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        PartitionRef ref;
        char topic[16];
        pid_t pid;

        (void)snprintf(topic, sizeof topic, "killed-%d", (int)i);
        ref = ten_segments(topic);
        pid = fork();
        if (pid == 0) {
            crashpoint_arm(points[i], i == 5 ? 4 : 1);
            _exit(kit_retain(ref, KIT_NOW_MS + 2 * DAY) > 0 ? 0 : 1);
        }
        assert_true(WIFSIGNALED(kit_wait(pid)));
        kit_restart(false);
        ref = kit_partition(topic, 0);
        assert_int_equal(kit_offsets(ref).log_end_offset, 10);
        assert_int_equal(kit_offsets(ref).log_start_offset, i == 5 ? 3 : 0);
        assert_int_equal(kit_verify(ref, i == 5 ? 3 : 0), 10);
        assert_int_equal(kit_retain(ref, KIT_NOW_MS + 2 * DAY) > 0, 1);
        assert_int_equal(kit_append_ok(ref, &(KitBatch){0}), 10);
    }
}

static void
lists_of_segments(void **state)
{
    PlogSegment list[16];
    PartitionRef ref;
    int32_t count;

    (void)state;
    kit_settings.retention_ms = DAY;
    ref = ten_segments("listed");
    assert_int_equal(plog_segments(ref, KIT_NOW_MS + DAY + 1001, 0, list, 16, &count, NULL), 0);
    assert_int_equal(count, 10);
    assert_int_equal(list[0].verdict.reason, RETENTION_TOO_OLD);
    assert_int_equal(list[1].verdict.reason, RETENTION_TOO_OLD);
    assert_int_equal(list[2].verdict.reason, RETENTION_WITHIN);
    assert_int_equal(list[3].verdict.reason, RETENTION_BEHIND_OLDER);
    assert_true(list[9].active && list[9].end_offset == 10 && list[9].base_offset == 9);
    assert_int_equal(plog_segments(ref, KIT_NOW_MS + DAY + 1001, 8, list, 1, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].base_offset, 8);
}

/* Who reads a segment when it goes has twice the delay, at least 3 s more than it. */
static void
readers_let_go(void **state)
{
    PlogReadArgs args = {0, PLOG_BOUND_HW, 1000, true};
    PlogReadResult read;
    PartitionRef ref;
    int64_t now;

    (void)state;
    kit_settings.retention_ms = DAY;
    kit_settings.file_delete_delay_ms = 5000;
    ref = ten_segments("read");
    assert_int_equal(plog_read(ref, &args, &read, NULL), 0);
    assert_int_equal(kit_retain(ref, KIT_NOW_MS + DAY + 1001), 2);
    assert_true(fd_cache_hold_deadline_us() == INT64_MAX);
    fd_cache_sweep();
    now = clock_mono_us();
    assert_true(fd_cache_hold_deadline_us() > now + 9000000 &&
                fd_cache_hold_deadline_us() <= now + 10000000);
    assert_false(fd_cache_holds_space(now + 9000000));
    assert_false(fd_cache_holds_space(now + 10000000)); /* it has its name: no space to give back */
    assert_int_equal(unlink(kit_segment(ref, 0, ".log.deleted")), 0);
    assert_true(fd_cache_holds_space(now + 20000000));
    plog_slice_release(&read.slice);
    assert_false(fd_cache_holds_space(now + 20000000));
    assert_true(fd_cache_hold_deadline_us() == INT64_MAX);
}

/* Slots and lists over many deletions, in any order. */
static void
slots_come_back(void **state)
{
    RandomSeq seq = {random_u64()};
    PartitionRef refs[50];
    bool overflow;
    int32_t next;

    (void)state;
    print_message("# seed %llu\n", (unsigned long long)seq.state);
    kit_settings.segment_bytes = 200;
    for (int i = 0; i < 50; i++)
        refs[i] = kit_partition("slots", i);
    for (int round = 0; round < 500; round++) {
        int i = (int)random_seq_below(&seq, 50);

        for (int n = (int)random_seq_below(&seq, 4); n > 0; n--)
            kit_append_ok(refs[i], &(KitBatch){.value_bytes = 100, .producer_id = 1 + n});
        pslot_retire(pslot_at(refs[i].slot));
        next = pslot_take_retired();
        assert_int_equal(next, refs[i].slot);
        assert_int_equal(atomic_i32_load(&pslot_at(next)->retired_next), 0);
        assert_int_equal(plog_bury(next, kit_buried, NULL), 0);
        refs[i] = kit_partition("slots", 1000 + round);
        assert_int_equal(pslot_high(), 50);
    }
    for (int i = 0; i < 50; i++) {
        pslot_retire(pslot_at(refs[i].slot));
        assert_int_equal(plog_bury(refs[i].slot, kit_buried, NULL), 0);
    }
    assert_int_equal(segment_pool_used(), 0);
    assert_int_equal(producer_pool_used(), 0);
    next = pslot_take_changed(&overflow);
    assert_false(overflow);
    for (int n = 0; n < 50 && next >= 0; n++)
        next = atomic_i32_load(&pslot_at(next)->changed_next) - 1;
    assert_int_equal(next, -1);
}

/* Idle: what a commit has to cover keeps its descriptor, the rest goes. */
static void
idle_processes_close_files(void **state)
{
    PlogReadArgs args = {0, PLOG_BOUND_HW, 1000, true};
    PlogReadResult read;
    PartitionRef ref;

    (void)state;
    ref = kit_partition("idle", 0);
    kit_append_ok(ref, &(KitBatch){0});
    assert_false(fd_cache_trim(0));
    assert_true(fd_cache_count() > 0);
    assert_true(fd_cache_trim(10));
    fd_cache_reset();
    assert_int_equal(plog_read(ref, &args, &read, NULL), 0);
    assert_false(fd_cache_trim(0)); /* pinned */
    plog_slice_release(&read.slice);
    assert_true(fd_cache_trim(0));
    assert_int_equal(fd_cache_count(), 0);
}

static void
full_from_now_on(const char *name)
{
    (void)name;
    vfs_faulty_plan(
        (VfsFault){.call = VFS_CALL_OPEN, .nth = 1, .errno_value = EMFILE, .short_bytes = -1});
}

/* There is room to drop segments, none to begin another: what the attempt wrote is not forgotten. */
static void
a_roll_that_fails_leaves_the_index_in_order(void **state)
{
    uint8_t at[TIME_ENTRY_BYTES];
    int64_t timestamp = -1;
    PlogRetention r;
    PartitionRef ref;
    int32_t count;
    int fd;

    (void)state;
    kit_settings.retention_ms = DAY;
    kit_settings.index_interval_bytes = 1000;
    kit_settings.segment_bytes = 40000;
    ref = kit_partition("unrolled", 0);
    kit_append_ok(ref, &(KitBatch){.value_bytes = 39000});
    for (int i = 1; i <= HOT_TIME_ENTRIES; i++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 1100, .timestamp = KIT_NOW_MS + i});
    kit_append_ok(ref, &(KitBatch){.value_bytes = 10, .timestamp = KIT_NOW_MS + 100});
    kit_append_ok(ref, &(KitBatch){.value_bytes = 10, .timestamp = KIT_NOW_MS + 200});
    assert_int_equal(kit_tuple(ref).seg_count, 1);
    assert_int_equal(kit_tuple(ref).time_count - kit_tuple(ref).time_flushed, HOT_TIME_ENTRIES);
    vfs_faulty_install();
    crashpoint_hook = full_from_now_on;
    crashpoint_arm("plog.roll.flushed", 1);
    assert_int_equal(plog_apply_retention(ref, KIT_NOW_MS + 2 * DAY, &r, NULL), 0);
    crashpoint_hook = NULL;
    vfs_faulty_remove();
    assert_int_equal(r.segments, 1);
    kit_append_ok(ref, &(KitBatch){.value_bytes = 1100, .timestamp = KIT_NOW_MS + 300});
    kit_append_ok(ref, &(KitBatch){.value_bytes = 1100, .timestamp = KIT_NOW_MS + 400});
    assert_int_equal(plog_checkpoint_begin(ref, PLOG_CHECKPOINT_FULL, &(PlogCheckpoint){0}, NULL),
                     0);
    count = kit_tuple(ref).time_flushed;
    assert_true(count > HOT_TIME_ENTRIES);
    fd = open(kit_segment(ref, kit_tuple(ref).active_base, ".timeindex"), O_RDONLY);
    assert_true(fd >= 0);
    for (int32_t i = 0; i < count; i++) {
        assert_int_equal(pread(fd, at, sizeof at, i * TIME_ENTRY_BYTES), TIME_ENTRY_BYTES);
        assert_true(time_entry_decode(at).timestamp > timestamp);
        timestamp = time_entry_decode(at).timestamp;
    }
    (void)close(fd);
}

static PartitionRef opened;

static void
retire_it(const char *name)
{
    (void)name;
    pslot_retire(pslot_at(opened.slot));
}

/* The controller does not wait for who opens a log: the slot stays retired. */
static void
deleted_while_it_is_opened(void **state)
{
    ErrInfo err = {0};

    (void)state;
    opened = ten_segments("opened");
    kit_append_ok(opened, &(KitBatch){.producer_id = 5});
    kit_restart(false);
    opened = kit_partition("opened", 0);
    crashpoint_hook = retire_it;
    crashpoint_arm("plog.open.loaded", 1);
    assert_int_equal(plog_ensure_open(opened, &err), OT_E_UNKNOWN_TOPIC_OR_PARTITION);
    crashpoint_hook = NULL;
    assert_int_equal(pslot_state(pslot_at(opened.slot)), PSLOT_DELETING);
    assert_true(segment_pool_used() > 0);
    assert_int_equal(plog_bury(opened.slot, kit_buried, &err), 0);
    assert_true(strstr(kit_buried, "-delete") != NULL);
    assert_int_equal(pslot_state(pslot_at(opened.slot)), PSLOT_FREE);
    assert_int_equal(segment_pool_used(), 0);
    assert_int_equal(producer_pool_used(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_time, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(by_size, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(by_file_time, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(killed_at_each_step, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(lists_of_segments, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(readers_let_go, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(slots_come_back, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(idle_processes_close_files, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_roll_that_fails_leaves_the_index_in_order, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(deleted_while_it_is_opened, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
