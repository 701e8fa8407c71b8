/*
 * test_conf_entries.c - the files of the settings line by line; ottla.auto.conf changed
 *
 * Proves: entries come in the order in which they count, with file, line, what was written, and what is wrong with
 * them; a line that cannot be read is one, too. A change of ottla.auto.conf keeps all other lines, writes values so
 * that they are read as they were, replaces a setting however its name was written, and leaves the file alone when
 * one of the changes is wrong or the disk is full.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/conf_entries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/vfs.h"
#include "ottla/common/vfs_faulty.h"

static char folder[64];
static char auto_path[96];
static char main_path[96];

/* What conf_read_entries said, a line per entry. */
static char seen[4096];

static void
put_file(const char *path, const char *text)
{
    assert_int_equal(vfs_replace_file(path,
                                      (BytesView){(const uint8_t *)text, (int32_t)strlen(text)},
                                      0600, VFS_NOT_SYNCED, NULL),
                     0);
}

static int
setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/ottla-test-entries-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(auto_path, sizeof auto_path, "%s/ottla.auto.conf", folder);
    snprintf(main_path, sizeof main_path, "%s/ottla.conf", folder);
    seen[0] = '\0';
    return 0;
}

static int
teardown(void **state)
{
    char tmp[128];

    (void)state;
    snprintf(tmp, sizeof tmp, "%s.tmp", auto_path);
    (void)unlink(tmp);
    (void)unlink(auto_path);
    (void)unlink(main_path);
    return rmdir(folder);
}

static void
note(void *arg, const ConfEntry *entry)
{
    size_t used = strlen(seen);

    assert_ptr_equal(arg, seen);
    assert_int_equal(strncmp(entry->file, folder, strlen(folder)), 0);
    snprintf(seen + used, sizeof seen - used, "%s:%d %.*s=%.*s %s%s%s\n",
             entry->file + strlen(folder) + 1, entry->line, (int)entry->name.len,
             entry->name.ptr == NULL ? "" : entry->name.ptr, (int)entry->value.len,
             entry->value.ptr == NULL ? "" : entry->value.ptr,
             entry->id < 0 ? "?" : conf_rows[entry->id].name, entry->error == NULL ? "" : " !",
             entry->bad_value       ? "bad value"
             : entry->error == NULL ? ""
                                    : "error");
}

static void
entries_are_the_lines(void **state)
{
    (void)state;
    put_file(main_path, "# comment\nNum_Partitions = 4\nlog.retention.ms 'broken\n"
                        "log.retention.ms = 7x\nno.such.thing = 1\nlog.level.raft = debug1\n");
    put_file(auto_path, "num.partitions = '5'\n");
    conf_read_entries(&(ConfArgs){.file = main_path, .auto_file = auto_path}, note, seen);
    assert_string_equal(seen, "ottla.conf:2 Num_Partitions=4 num.partitions\n"
                              "ottla.conf:3 = ? !error\n"
                              "ottla.conf:4 log.retention.ms=7x log.retention.ms !bad value\n"
                              "ottla.conf:5 no.such.thing=1 ? !error\n"
                              "ottla.conf:6 log.level.raft=debug1 ?\n"
                              "ottla.auto.conf:1 num.partitions=5 num.partitions\n");
    assert_int_equal(conf_int32(CONF_NUM_PARTITIONS), 1); /* nothing is in force */
}

static int
edit(const ConfAutoChange *changes, int32_t count, bool reset_all)
{
    ErrInfo err;

    return conf_auto_edit(
        auto_path, &(ConfAutoEdit){.changes = changes, .count = count, .reset_all = reset_all},
        &err);
}

static const char *
content(void)
{
    seen[0] = '\0';
    conf_read_entries(&(ConfArgs){.auto_file = auto_path}, note, seen);
    return seen;
}

static void
changes_leave_the_rest(void **state)
{
    const ConfAutoChange first[] = {{STRVIEW("NUM_partitions"), STRVIEW("3")},
                                    {STRVIEW("log.line.prefix"), STRVIEW(" '\\''%m\\ ")},
                                    {STRVIEW("num.partitions"), STRVIEW("4")}};
    const ConfAutoChange second[] = {{STRVIEW("Num.Partitions"), {NULL, 0}},
                                     {STRVIEW("not.there"), {NULL, 0}},
                                     {STRVIEW("log.retention.ms"), STRVIEW("7d")}};

    (void)state;
    assert_int_equal(edit(first, 3, false), 0);
    assert_string_equal(content(), "ottla.auto.conf:2 log.line.prefix= '\\''%m\\  log.line.prefix\n"
                                   "ottla.auto.conf:3 num.partitions=4 num.partitions\n");
    assert_int_equal(edit(second, 3, false), 0);
    assert_string_equal(content(), "ottla.auto.conf:2 log.line.prefix= '\\''%m\\  log.line.prefix\n"
                                   "ottla.auto.conf:3 log.retention.ms=7d log.retention.ms\n");
    assert_int_equal(edit(first + 2, 1, true), 0);
    assert_string_equal(content(), "ottla.auto.conf:2 num.partitions=4 num.partitions\n");
}

static void
wrong_changes_change_nothing(void **state)
{
    const ConfAutoChange good = {STRVIEW("num.partitions"), STRVIEW("3")};
    const ConfAutoChange wrong[][2] = {
        {good, {STRVIEW("num.partitions"), STRVIEW("none")}},
        {good, {STRVIEW("no.such.setting"), STRVIEW("1")}},
        {good, {STRVIEW("log.line.prefix"), STRVIEW("a\nb")}},
        {good, {STRVIEW("include"), STRVIEW("other.conf")}},
        {good, {STRVIEW(""), STRVIEW("")}},
    };

    (void)state;
    put_file(auto_path, "num.partitions = 7\n");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(edit(wrong[i], 2, false), OT_E_INVALID_CONFIG);
    assert_string_equal(content(), "ottla.auto.conf:1 num.partitions=7 num.partitions\n");
    put_file(auto_path, "num.partitions = 7\nbroken 'line\n");
    assert_int_equal(edit(&good, 1, false), OT_E_INVALID_CONFIG);
    assert_string_equal(content(), "ottla.auto.conf:1 num.partitions=7 num.partitions\n"
                                   "ottla.auto.conf:2 = ? !error\n");
}

static void
a_full_disk_changes_nothing(void **state)
{
    const ConfAutoChange change = {STRVIEW("num.partitions"), STRVIEW("3")};
    int failures = 0;

    (void)state;
    for (VfsCall call = 0; call < VFS_CALL_COUNT; call++) {
        int rc;

        put_file(auto_path, "num.partitions = 7\n");
        vfs_faulty_install();
        vfs_faulty_plan(
            (VfsFault){.call = call, .nth = call == VFS_CALL_OPEN ? 2 : 1, .errno_value = 28});
        rc = edit(&change, 1, false);
        if (rc < 0)
            assert_string_equal(content(), "ottla.auto.conf:1 num.partitions=7 num.partitions\n");
        failures += rc < 0;
        vfs_faulty_remove();
    }
    assert_true(failures >= 4); /* open, write, flush, rename */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_are_the_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_leave_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_changes_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
