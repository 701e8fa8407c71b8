/*
 * test_logdir_state.c - full, failed, repaired: the state of a log directory and its record on disk
 *
 * Proves the rules at the head of logdir_state.h, that the reserve is given up and taken back, that the
 * record of a failure survives its writer at any call, and that a repair reads, writes again and
 * flushes exactly what was not durable (design.md 6 "Errors").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/crc32c.h"
#include "ottla/common/vfs_faulty.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/slot.h"
#include "ottla/storage/control_file.h"
#include "ottla/storage/failure_record.h"
#include "ottla/storage/reserve.h"
#include "storage/storage_kit.h"

static const char *
in_dir(const char *name)
{
    static char path[400];

    (void)snprintf(path, sizeof path, "%s/%s", kit_dir, name);
    return path;
}

static void
keep_control_here(void)
{
    (void)snprintf(node_info.data_dir, sizeof node_info.data_dir, "%s", kit_dir);
}

static void
full_gives_up_its_reserve_and_takes_it_back(void **state)
{
    PartitionRef ref = kit_partition("full", 0);
    int64_t size;

    (void)state;
    assert_true(logdir_take_reserve(0));
    size = kit_file_size(in_dir(RESERVE_FILE));
    assert_true(size >= RESERVE_BYTES_MIN && size <= RESERVE_BYTES_MAX);
    kit_append_ok(ref, &(KitBatch){0});
    vfs_faulty_install();
    vfs_faulty_plan(
        (VfsFault){.call = VFS_CALL_PWRITEV, .nth = 1, .errno_value = ENOSPC, .short_bytes = -1});
    assert_int_equal(kit_append(ref, &(KitBatch){0}, NULL), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(logdir_state(0), LOGDIR_FULL);
    assert_int_equal(kit_file_size(in_dir(RESERVE_FILE)), -1);
    /* still full: the reserve does not come back, so no write is tried, which would eat what is left */
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_FALLOCATE,
                               .nth = 1,
                               .and_later = true,
                               .errno_value = EDQUOT,
                               .short_bytes = -1});
    for (int i = 0; i < 5; i++)
        assert_int_equal(kit_append(ref, &(KitBatch){0}, NULL), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(vfs_faulty_count(VFS_CALL_PWRITEV), 0);
    assert_int_equal(kit_file_size(in_dir(RESERVE_FILE)), 0);
    assert_int_equal(logdir_full_count(0), 6);
    /* space: the very next append goes */
    vfs_faulty_remove();
    kit_append_ok(ref, &(KitBatch){0});
    assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
    assert_int_equal(kit_file_size(in_dir(RESERVE_FILE)), size);
    assert_int_equal(kit_verify(ref, 0), 2);
}

static void
first_failure_counts(void **state)
{
    char text[LOGDIR_FAILURE_TEXT_BYTES];
    LogDirUsage usage;
    ErrInfo err = {0};

    (void)state;
    logdir_usage(0, &usage);
    assert_int_equal(usage.error, 0);
    assert_true(usage.total_bytes > 0 && usage.usable_bytes <= usage.total_bytes);
    assert_int_equal(logdir_failure(0, text), LOGDIR_FAILURE_NONE);
    (void)err_set(&err, OT_E_READ, "cannot read");
    assert_int_equal(logdir_write_failed(0, OT_E_READ, &err), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(err.code, OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
    (void)err_set(&err, OT_E_IO, "the first");
    assert_int_equal(logdir_write_failed(0, OT_E_IO, &err), OT_E_KAFKA_STORAGE_ERROR);
    (void)err_set(&err, OT_E_NO_SPACE, "the second");
    assert_int_equal(logdir_flush_failed(0, &err), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(logdir_write_failed(0, OT_E_NO_SPACE, &err), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(logdir_state(0), LOGDIR_FAILED);
    assert_int_equal(logdir_failure(0, text), LOGDIR_FAILURE_WRITE);
    assert_string_equal(text, "the first");
    assert_int_equal(logdir_admit(0, &err), OT_E_KAFKA_STORAGE_ERROR);
    assert_false(logdir_take_reserve(0));
    logdir_usage(0, &usage);
    assert_int_equal(usage.error, OT_E_KAFKA_STORAGE_ERROR);
    assert_true(usage.total_bytes > 0);
}

static void
the_record_comes_back(void **state)
{
    const char *text;
    ErrInfo err = {0};

    (void)state;
    keep_control_here();
    assert_int_equal(failure_record_load(&err), 0);
    assert_int_equal(logdir_repair_reason(0, &text), LOGDIR_FAILURE_NONE);
    logdir_fail(0, LOGDIR_FAILURE_FLUSH, "cannot\tflush\n");
    assert_false(failure_is_recorded(0));
    assert_int_equal(failure_record_add(0, &err), 0);
    assert_true(failure_is_recorded(0));
    /* each of the two places alone says it */
    for (int gone = 0; gone < 3; gone++) {
        ControlFile *file = calloc(1, sizeof *file);

        assert_int_equal(control_file_load(in_dir(CONTROL_FILE), file, &err), 0);
        assert_int_equal(file->count, 1);
        assert_string_equal(file->rows[0].path, kit_dir);
        if (gone > 0)
            assert_int_equal(unlink(in_dir(gone == 1 ? FAILED_NOTE : CONTROL_FILE)), 0);
        logdirs_clear();
        assert_int_equal(logdir_add(kit_dir, (Uuid){{1}}, &err), 0);
        assert_int_equal(failure_record_load(&err), 0);
        assert_int_equal(logdir_repair_reason(0, &text), LOGDIR_FAILURE_FLUSH);
        assert_string_equal(text, "cannot?flush?");
        kit_restart(true);
        assert_int_equal(logdir_state(0), LOGDIR_REPAIRING);
        assert_true(failure_is_recorded(0));
        assert_int_equal(failure_record_add(0, &err), 0);
        free(file);
    }
    assert_int_equal(failure_record_remove(0, &err), 0);
    logdirs_clear();
    assert_int_equal(logdir_add(kit_dir, (Uuid){{1}}, &err), 0);
    assert_int_equal(failure_record_load(&err), 0);
    assert_int_equal(logdir_repair_reason(0, &text), LOGDIR_FAILURE_NONE);
}

/* A directory that is not configured for a while is still known when it comes back. */
static void
rows_of_other_directories_are_kept(void **state)
{
    ControlFile *file = calloc(1, sizeof *file);
    const char *text;
    ErrInfo err = {0};

    (void)state;
    keep_control_here();
    file->count = 1;
    file->rows[0] = (ControlRow){.directory_id = {{9}},
                                 .failure = LOGDIR_FAILURE_WRITE,
                                 .time_ms = 5,
                                 .path = "/elsewhere",
                                 .text = "gone"};
    assert_int_equal(control_file_store(in_dir(CONTROL_FILE), file, &err), 0);
    assert_int_equal(failure_record_load(&err), 0);
    assert_int_equal(logdir_repair_reason(0, &text), LOGDIR_FAILURE_NONE);
    logdir_fail(0, LOGDIR_FAILURE_FLUSH, "now");
    assert_int_equal(failure_record_add(0, &err), 0);
    assert_int_equal(failure_record_remove(0, &err), 0);
    assert_int_equal(control_file_load(in_dir(CONTROL_FILE), file, &err), 0);
    assert_int_equal(file->count, 1);
    assert_string_equal(file->rows[0].path, "/elsewhere");
    assert_string_equal(file->rows[0].text, "gone");
    assert_int_equal(file->rows[0].time_ms, 5);
    free(file);
}

/* The state of the node stands beside the rows, and neither writer takes away what the other wrote. */
static void
state_and_rows_keep_each_other(void **state)
{
    static const char old[] = "ottla-control 1\ncrc32c\t";
    ControlFile *file = calloc(1, sizeof *file);
    ControlNode node = {
        .state = CONTROL_NODE_PRODUCTION, .changed_ms = 7, .checkpoint_ms = 8, .version = "1.2"};
    ErrInfo err = {0};
    char text[64];

    (void)state;
    keep_control_here();
    assert_int_equal(control_record_node(&node, &err), 0);
    logdir_fail(0, LOGDIR_FAILURE_FLUSH, "why");
    assert_int_equal(failure_record_add(0, &err), 0);
    assert_int_equal(control_file_load(in_dir(CONTROL_FILE), file, &err), 0);
    assert_int_equal(file->count, 1);
    assert_int_equal(file->node.state, CONTROL_NODE_PRODUCTION);
    assert_int_equal(file->node.changed_ms, 7);
    assert_int_equal(file->node.checkpoint_ms, 8);
    assert_string_equal(file->node.version, "1.2");
    node = (ControlNode){.state = CONTROL_NODE_SHUT_DOWN, .changed_ms = 9, .version = "1.3"};
    assert_int_equal(control_record_node(&node, &err), 0);
    assert_int_equal(control_file_load(in_dir(CONTROL_FILE), file, &err), 0);
    assert_int_equal(file->count, 1);
    assert_int_equal(file->node.state, CONTROL_NODE_SHUT_DOWN);
    assert_int_equal(file->node.checkpoint_ms, 8); /* of the run before */
    assert_int_equal(failure_record_remove(0, &err), 0);
    assert_int_equal(control_file_load(in_dir(CONTROL_FILE), file, &err), 0);
    assert_int_equal(file->count, 0);
    assert_int_equal(file->node.state, CONTROL_NODE_SHUT_DOWN);

    /* A file of version 1 has no such line. */
    snprintf(text, sizeof text, "%s%08x\n", old, (unsigned)crc32c(old, 16));
    assert_int_equal(vfs_replace_file(in_dir(CONTROL_FILE),
                                      (BytesView){(const uint8_t *)text, (int32_t)strlen(text)},
                                      0640, VFS_NOT_SYNCED, &err),
                     0);
    assert_int_equal(control_file_load(in_dir(CONTROL_FILE), file, &err), 0);
    assert_int_equal(file->node.state, CONTROL_NODE_UNKNOWN);
    free(file);
}

static void
a_damaged_record_counts_against_all(void **state)
{
    const char *text;
    ErrInfo err = {0};
    int64_t size;

    (void)state;
    keep_control_here();
    logdir_fail(0, LOGDIR_FAILURE_FLUSH, "why");
    assert_int_equal(failure_record_add(0, &err), 0);
    size = kit_file_size(in_dir(CONTROL_FILE));
    for (int64_t pos = 0; pos < size; pos++) {
        ControlFile *file = malloc(sizeof *file);

        kit_corrupt(in_dir(CONTROL_FILE), pos);
        assert_int_equal(control_file_load(in_dir(CONTROL_FILE), file, &err), OT_E_CORRUPT);
        kit_corrupt(in_dir(CONTROL_FILE), pos);
        free(file);
    }
    assert_int_equal(unlink(in_dir(FAILED_NOTE)), 0);
    assert_int_equal(truncate(in_dir(CONTROL_FILE), size - 1), 0);
    assert_int_equal(failure_record_load(&err), 0);
    assert_int_equal(logdir_repair_reason(0, &text), LOGDIR_FAILURE_FLUSH);
}

/* Whatever call of the recording fails: no damaged file, and success only with one that says it. */
static void
recording_is_all_or_nothing(void **state)
{
    ErrInfo err = {0};

    (void)state;
    keep_control_here();
    for (uint64_t nth = 1; nth < 40; nth++) {
        const char *text;
        uint64_t calls;
        int rc;

        kit_restart(true);
        logdir_fail(0, LOGDIR_FAILURE_FLUSH, "why");
        vfs_faulty_install();
        vfs_faulty_plan((VfsFault){.call = VFS_CALL_ANY,
                                   .nth = nth,
                                   .and_later = nth % 2 == 0,
                                   .errno_value = EIO,
                                   .short_bytes = -1});
        rc = failure_record_add(0, &err);
        calls = vfs_faulty_count(VFS_CALL_ANY);
        vfs_faulty_remove();
        logdirs_clear();
        assert_int_equal(logdir_add(kit_dir, (Uuid){{1}}, &err), 0);
        assert_int_equal(failure_record_load(&err), 0);
        if (rc == 0)
            assert_int_equal(logdir_repair_reason(0, &text), LOGDIR_FAILURE_FLUSH);
        assert_true(logdir_repair_reason(0, &text) == LOGDIR_FAILURE_NONE ||
                    strcmp(text, "why") == 0);
        kit_restart(true);
        if (failure_is_recorded(0))
            assert_int_equal(failure_record_remove(0, &err), 0);
        logdirs_clear();
        assert_int_equal(logdir_add(kit_dir, (Uuid){{1}}, &err), 0);
        if (calls < nth)
            return;
    }
    fail_msg("more calls than thought");
}

/* ---- repair ------------------------------------------------------------------------------------- */

static int64_t batch_bytes; /* of each that prepare_logs appends */

static void
prepare_logs(PartitionRef *ref, int64_t batches)
{
    kit_settings.segment_bytes = 4000;
    kit_settings.index_interval_bytes = 500;
    *ref = kit_partition("repair", 0);
    for (int64_t i = 0; i < batches; i++)
        kit_append_ok(*ref,
                      &(KitBatch){.value_bytes = 300, .producer_id = 3, .sequence = (int32_t)i});
    batch_bytes = kit_tuple(*ref).active_size / (batches - kit_tuple(*ref).active_base);
}

/* Batches, of one record each, in a segment. */
static int64_t
segment_batches(PartitionRef ref, int64_t base)
{
    return kit_file_size(kit_segment(ref, base, ".log")) / batch_bytes;
}

static void
a_repair_writes_what_was_not_durable(void **state)
{
    PartitionRef ref;
    ErrInfo err = {0};
    int64_t recovery_point = 25;
    ino_t inodes[60] = {0};
    int64_t last;
    int renewed = 0;

    (void)state;
    prepare_logs(&ref, 60);
    /* without a repair nothing of a log is written at its opening but indexes */
    kit_restart(false);
    ref = kit_partition_at("repair", 0, recovery_point, 0);
    vfs_faulty_install();
    assert_int_equal(plog_ensure_open(ref, &err), 0);
    assert_int_equal(vfs_faulty_count(VFS_CALL_FSYNC), 0);
    /* a clean stop does not hide that the directory failed */
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_COUNT});
    for (int64_t base = 0; base < 60; base++) {
        struct stat was;

        if (stat(kit_segment(ref, base, ".log"), &was) == 0)
            inodes[base] = was.st_ino;
    }
    logdir_require_repair(0, LOGDIR_FAILURE_FLUSH, "test");
    kit_restart(true);
    assert_int_equal(logdir_state(0), LOGDIR_REPAIRING);
    ref = kit_partition_at("repair", 0, recovery_point, 0);
    assert_int_equal(kit_append(ref, &(KitBatch){0}, NULL), OT_E_KAFKA_STORAGE_ERROR);
    vfs_faulty_remove();
    /* new files for the segment with the recovery point and those behind it, none for what is below */
    for (int64_t base = 0; base < 60; base++) {
        struct stat now;

        if (inodes[base] == 0)
            continue;
        assert_int_equal(stat(kit_segment(ref, base, ".log"), &now), 0);
        last = base + segment_batches(ref, base);
        assert_int_equal(now.st_ino != inodes[base], last > recovery_point);
        renewed += now.st_ino != inodes[base];
    }
    assert_true(renewed > 1);
    assert_int_equal(kit_verify(ref, 0), 60);
    logdir_repaired(0);
    assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
    kit_append_ok(ref, &(KitBatch){.value_bytes = 300, .producer_id = 3, .sequence = 60});
}

/* The bytes that a failed flush lost show as damage once the memory of the kernel is gone: cut. */
static void
a_repair_serves_nothing_damaged(void **state)
{
    PartitionRef ref;
    PlogTuple t;

    (void)state;
    prepare_logs(&ref, 60);
    t = kit_tuple(ref);
    kit_corrupt(kit_segment(ref, t.active_base, ".log"), t.active_size - 10);
    logdir_require_repair(0, LOGDIR_FAILURE_FLUSH, "test");
    kit_restart(true);
    ref = kit_partition_at("repair", 0, 25, 0);
    assert_int_equal(kit_verify(ref, 0), 59);
}

/* The n-th call of a repair fails: the log is not open, or whole; the directory failed again or not. */
static void
a_repair_may_fail_again(void **state)
{
    PartitionRef ref;

    (void)state;
    prepare_logs(&ref, 60);
    for (uint64_t nth = 1; nth < 200; nth++) {
        ErrInfo err = {0};
        uint64_t calls;
        int rc;

        logdir_require_repair(0, LOGDIR_FAILURE_FLUSH, "test");
        kit_restart(true);
        ref = kit_partition_at("repair", 0, 25, 0);
        vfs_faulty_install();
        vfs_faulty_plan((VfsFault){.call = VFS_CALL_ANY,
                                   .nth = nth,
                                   .errno_value = nth % 3 == 0 ? ENOSPC : EIO,
                                   .short_bytes = -1});
        rc = plog_ensure_open(ref, &err);
        calls = vfs_faulty_count(VFS_CALL_ANY);
        vfs_faulty_remove();
        if (rc == 0) {
            assert_int_equal(kit_verify(ref, 0), 60);
        } else {
            assert_int_equal(rc, OT_E_KAFKA_STORAGE_ERROR);
            assert_true(logdir_state(0) == LOGDIR_FAILED ||
                        pslot_state(pslot_at(ref.slot)) != PSLOT_OPEN);
            /* no space is no reason to give the log up */
            if (pslot_state(pslot_at(ref.slot)) == PSLOT_UNOPENED)
                assert_int_equal(plog_ensure_open(ref, &err), 0);
        }
        if (calls < nth)
            return;
    }
    fail_msg("more calls than thought");
}

static int
stop_with_names(void *arg)
{
    slot_claim(0, *(const uint32_t *)arg, PROC_BACKEND, 0);
    if (logdir_names_lock(0, NULL) == 0)
        (void)raise(SIGSTOP);
    return 1;
}

/* Who waits in vain for the names ends a process that is stopped with them. */
static void
a_stopped_process_does_not_keep_the_names(void **state)
{
    uint32_t generation = slot_prepare(0);
    pid_t pid = kit_fork(stop_with_names, &generation);
    int status;

    (void)state;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(logdir_names_lock(0, NULL), OT_E_TIMEOUT);
    assert_true(WIFSIGNALED(kit_wait(pid)));
    assert_int_equal(logdir_names_lock(0, NULL), 0);
    logdir_names_unlock(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_gives_up_its_reserve_and_takes_it_back, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(first_failure_counts, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(the_record_comes_back, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(state_and_rows_keep_each_other, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(rows_of_other_directories_are_kept, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_record_counts_against_all, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(recording_is_all_or_nothing, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_repair_writes_what_was_not_durable, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(a_repair_serves_nothing_damaged, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_repair_may_fail_again, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_stopped_process_does_not_keep_the_names, kit_setup,
                                        kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
