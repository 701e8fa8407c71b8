/*
 * test_history.c - statements that were typed: what is kept, the file, its bound
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell/history_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static Shell shell;
static char path[64];

static int
setup(void **state)
{
    (void)state;
    shell.vars = variables_new();
    snprintf(path, sizeof path, "/tmp/ottla-history-%d", (int)getpid());
    variables_state(shell.vars, "HISTFILE", path);
    return shell.vars == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    history_free();
    variables_free(shell.vars);
    unlink(path);
    return 0;
}

static bool
add(const char *text)
{
    return history_add(&shell, strview_from(text));
}

static void
assert_file(const char *expected)
{
    char text[4096] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) < sizeof text - 1);
    fclose(file);
    assert_string_equal(text, expected);
}

static void
secrets_are_kept_nowhere(void **state)
{
    (void)state;
    assert_false(add("CREATE USER u PASSWORD 'x';"));
    assert_false(add("alter user u\npassWord 'x';"));
    assert_false(add("\\c user=u password=x"));
    assert_false(add("\\c kafka://a \\\\ \\c ottla://u:secret@host:9092/?a=b"));
    assert_true(add("\\c ottla://u@host:9092,b:9092"));
    assert_true(add("SELECT 'pass';"));
    history_free();
}

static void
control(void **state)
{
    (void)state;
    assert_false(add("") || add("\n") || add("  "));
    assert_true(add(" one") && add(" one"));
    variables_state(shell.vars, "HISTCONTROL", "ignorespace");
    assert_false(add(" two"));
    assert_true(add("two") && add("two"));
    variables_state(shell.vars, "HISTCONTROL", "ignoredups");
    assert_false(add("two"));
    assert_true(add(" three"));
    variables_state(shell.vars, "HISTCONTROL", "ignoreboth");
    assert_false(add(" three") || add(" four"));
    variables_state(shell.vars, "HISTCONTROL", "none");
    history_free();
}

static char loaded[256];

static void
on_entry(const char *entry)
{
    snprintf(loaded + strlen(loaded), sizeof loaded - strlen(loaded), "[%s]", entry);
}

static void
the_file_holds_entries(void **state)
{
    struct stat st;

    (void)state;
    assert_true(add("SELECT\n1;\n") && add("two"));
    history_save(&shell);
    assert_file("SELECT\0011;\ntwo\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    history_save(&shell); /* nothing new */
    assert_file("SELECT\0011;\ntwo\n");
    history_free();
    history_load(&shell, on_entry);
    assert_string_equal(loaded, "[SELECT\n1;][two]");
    assert_true(add("three"));
    history_save(&shell);
    assert_file("SELECT\0011;\ntwo\nthree\n");
    history_free();
}

/* Two sessions append; the oldest entries of both are cut. */
static void
the_file_is_bounded(void **state)
{
    FILE *file;

    (void)state;
    variables_state(shell.vars, "HISTSIZE", "3");
    history_load(&shell, NULL);
    file = fopen(path, "a");
    assert_non_null(file);
    fputs("other\n", file);
    fclose(file);
    assert_true(add("four") && add("five"));
    history_save(&shell);
    assert_file("other\nfour\nfive\n");
    for (int i = 0; i < 10; i++)
        assert_true(add("more"));
    history_save(&shell);
    assert_file("more\nmore\nmore\n");
    history_free();
    variables_state(shell.vars, "HISTSIZE", "0");
    assert_false(add("none"));
    history_save(&shell);
    assert_file("more\nmore\nmore\n");
    variables_state(shell.vars, "HISTSIZE", "500");
}

/* Whatever the file holds. */
static void
any_bytes_are_read(void **state)
{
    FILE *file = fopen(path, "w");

    (void)state;
    assert_non_null(file);
    fwrite("a\0b\n\n\001\nlast", 1, 11, file);
    fclose(file);
    loaded[0] = '\0';
    history_load(&shell, on_entry);
    assert_string_equal(loaded, "[\n][last]");
    history_free();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_kept_nowhere), cmocka_unit_test(control),
        cmocka_unit_test(the_file_holds_entries),   cmocka_unit_test(the_file_is_bounded),
        cmocka_unit_test(any_bytes_are_read),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
