/*
 * test_log_file.c - names and ages of log files, and what is appended to them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/logger/log_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/vfs.h"

#define T0 INT64_C(1740830400123) /* 2025-03-01 12:00:00.123 UTC */

static LogFileRules rules;
static char dir[] = "/tmp/ottla-log-file-XXXXXX";

static LogFile
begin(const char *pattern, int64_t age_ms, int64_t size)
{
    LogFile file = LOG_FILE_NONE;
    ErrInfo err = {0};

    rules = (LogFileRules){.age_ms = age_ms, .size = size};
    snprintf(rules.directory, sizeof rules.directory, "%s/logs", dir);
    snprintf(rules.pattern, sizeof rules.pattern, "%s", pattern);
    assert_int_equal(log_file_rotate(&file, &rules, LOG_FILE_BEGIN, T0, &err), 0);
    return file;
}

static const char *
content(const char *path)
{
    static char text[1000];
    FILE *f = fopen(path, "r");

    if (f == NULL)
        return "none";
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void
append(LogFile *file, const char *lines)
{
    assert_int_equal(log_file_append(file, lines, strlen(lines), NULL), 0);
}

static void
names_come_from_the_clock(void **state)
{
    char path[PATH_MAX];
    ErrInfo err;

    (void)state;
    rules = (LogFileRules){.directory = "/d"};
    strcpy(rules.pattern, "a-%Y-%m-%d_%H%M%S.log");
    assert_int_equal(log_file_name(&rules, T0, path, &err), 0);
    assert_string_equal(path, "/d/a-2025-03-01_120000.log");
    rules.pattern[0] = '\0';
    assert_int_equal(log_file_name(&rules, T0, path, &err), OT_E_CONFIG);
    memset(rules.pattern, '%', 2);
    for (size_t i = 0; i + 2 < sizeof rules.pattern; i += 2)
        memcpy(rules.pattern + i, "%c", 3);
    assert_int_equal(log_file_name(&rules, T0, path, &err), OT_E_CONFIG);
    rules.age_ms = 3600000;
    assert_int_equal(log_file_due(&rules, T0), T0 - 123 + 3600000);
    assert_int_equal(log_file_due(&rules, T0 - 123), T0 - 123 + 3600000);
    rules.age_ms = 0;
    assert_true(log_file_due(&rules, T0) == INT64_MAX);
    rules.age_ms = INT64_MAX;
    assert_true(log_file_due(&rules, T0) == INT64_MAX);
}

static void
files_follow_one_another(void **state)
{
    LogFile file = begin("%S", 60000, 5);
    char first[PATH_MAX];
    ErrInfo err;

    (void)state;
    strcpy(first, file.path);
    append(&file, "one\n");
    assert_int_equal(log_file_wanted(&file, &rules, T0 + 1000), LOG_FILE_BEGIN);
    append(&file, "two\n");
    assert_int_equal(log_file_wanted(&file, &rules, T0 + 100), LOG_FILE_BEGIN); /* the same name */
    assert_int_equal(log_file_wanted(&file, &rules, T0 + 1000), LOG_FILE_SIZE);
    assert_int_equal(log_file_wanted(&file, &rules, T0 + 60000), LOG_FILE_AGE);
    assert_int_equal(log_file_rotate(&file, &rules, LOG_FILE_SIZE, T0 + 1000, &err), 0);
    assert_string_not_equal(file.path, first);
    append(&file, "three\n");
    assert_string_equal(content(first), "one\ntwo\n");
    /* A minute later its name comes again: added to, or begun anew by age alone. */
    assert_int_equal(log_file_rotate(&file, &rules, LOG_FILE_AGE, T0 + 60000, &err), 0);
    append(&file, "four\n");
    assert_string_equal(content(first), "one\ntwo\nfour\n");
    rules.truncate = true;
    assert_int_equal(log_file_rotate(&file, &rules, LOG_FILE_AGE, T0 + 120000, &err), 0);
    assert_string_equal(content(first), "one\ntwo\nfour\n"); /* it is the one that is open */
    assert_int_equal(log_file_rotate(&file, &rules, LOG_FILE_ORDER, T0 + 121000, &err), 0);
    assert_int_equal(log_file_rotate(&file, &rules, LOG_FILE_AGE, T0 + 180000, &err), 0);
    assert_string_equal(content(first), "");
    vfs_close(file.fd);
}

/* What cannot be opened leaves the one there is, for a minute. */
static void
failures_change_nothing(void **state)
{
    LogFile file = begin("kept", 0, 1);
    char path[PATH_MAX];
    ErrInfo err;

    (void)state;
    append(&file, "a\n");
    strcpy(rules.pattern, "no/such/%S");
    assert_int_equal(log_file_wanted(&file, &rules, T0), LOG_FILE_SIZE);
    assert_true(log_file_rotate(&file, &rules, LOG_FILE_SIZE, T0, &err) < 0);
    assert_int_equal(log_file_wanted(&file, &rules, T0 + 59999), LOG_FILE_BEGIN);
    assert_int_equal(log_file_wanted(&file, &rules, T0 + 60000), LOG_FILE_AGE);
    append(&file, "b\n");
    strcpy(rules.pattern, "..");
    assert_true(log_file_rotate(&file, &rules, LOG_FILE_ORDER, T0, &err) < 0);
    assert_string_equal(content(file.path), "a\nb\n");

    /* Moved away, and opened again. */
    snprintf(path, sizeof path, "%s/moved", dir);
    assert_int_equal(rename(file.path, path), 0);
    append(&file, "c\n");
    assert_int_equal(log_file_reopen(&file, &err), 0);
    append(&file, "d\n");
    assert_string_equal(content(path), "a\nb\nc\n");
    assert_string_equal(content(file.path), "d\n");

    /* Cut by who copied it; then half a line of somebody else's. */
    assert_int_equal(truncate(file.path, 0), 0);
    append(&file, "e\n");
    assert_string_equal(content(file.path), "e\n");
    assert_int_equal(write(file.fd, "ha", 2), 2);
    assert_false(log_file_settle(&file));
    assert_int_equal(write(file.fd, "f\n", 2), 2);
    assert_true(log_file_settle(&file));
    assert_string_equal(content(file.path), "e\nf\n");
    vfs_close(file.fd);
}

static int
make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
    static const char *const names[] = {"logs/00", "logs/01", "logs/kept", "moved"};
    char path[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/logs", dir);
    return rmdir(path) != 0 || rmdir(dir) != 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_from_the_clock),
        cmocka_unit_test(files_follow_one_another),
        cmocka_unit_test(failures_change_nothing),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
