/*
 * test_complete.c - what may stand at the cursor, as far as no node is needed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell/complete_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static Shell shell;

static int
setup(void **state)
{
    (void)state;
    shell.vars = variables_new();
    print_options_init(&shell.pset);
    strbuf_init(&shell.statement, 1 << 16, NULL);
    return shell.vars == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    sql_close(shell.sql);
    variables_free(shell.vars);
    return 0;
}

/* The words for a line, "start:word word"; at most a few are compared. */
static void
assert_words_after(const char *before, const char *line, const char *expected)
{
    char text[4096];
    size_t used;
    Completions c;

    completions_init(&c);
    complete_line(&shell, strview_from(before), strview_from(line), 100, &c);
    used = (size_t)snprintf(text, sizeof text, "%d:", c.start);
    for (int32_t i = 0; i < c.count && used < sizeof text - 200; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "", c.words[i]);
    if (strcmp(text, expected) != 0)
        fail_msg("%s gives %s, not %s", line, text, expected);
    completions_release(&c);
}

static void
assert_words(const char *line, const char *expected)
{
    assert_words_after("", line, expected);
}

static void
statements(void **state)
{
    (void)state;
    assert_words("ALTER TOPIC x SET (reten", "19:retention.bytes retention.ms");
    assert_words("ALTER TOPIC x SET (cleanup.policy = ", "36:compact delete");
    assert_words("ALTER TOPIC x SET (cleanup.policy = 'c", "36:'compact'");
    assert_words("ALTER TOPIC x SET (preallocate = t", "33:true");
    assert_words("  drop to", "7:topic");
    assert_words("DROP to", "5:topic");
    assert_words("DROP TO", "5:TOPIC");
    assert_words("SHOW TOPICS; UPG", "13:UPGRADE");
    assert_words("SELECT ';' ; UPG", "13:UPGRADE");
    assert_words("-- DROP\n UPG", "9:UPGRADE");
    assert_words("/* ; */ UPG", "8:UPGRADE");
    assert_words_after("ALTER TOPIC x", "SET (min.ins", "5:min.insync.replicas");
    assert_words("PRA", "0:PRAGMA");
    assert_words("", "0:"
                     "ABORT ADD ALTER ATTACH CANCEL CREATE CREATE TEMP DENY DESCRIBE DOWNGRADE "
                     "DROP ELECT EXPIRE "
                     "EXPLAIN FIND GRANT INSERT INTO PRAGMA PRODUCE REASSIGN REMOVE RENEW REVOKE "
                     "SELECT SET SHOW "
                     "TRUNCATE UNREGISTER UPGRADE VALUES WITH");
}

static void
keyword_case(void **state)
{
    static const struct {
        const char *how, *line, *words;
    } cases[] = {
        {"lower", "DROP TO", "5:topic"},
        {"upper", "drop to", "5:TOPIC"},
        {"preserve-lower", "drop ELECT", "5:"},
        {"preserve-lower", "UNREG", "0:UNREGISTER"},
        {"preserve-lower", "UNREGISTER ", "11:broker"},
        {"preserve-upper", "unregister ", "11:BROKER"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        variables_state(shell.vars, "COMP_KEYWORD_CASE", cases[i].how);
        assert_words(cases[i].line, cases[i].words);
    }
    variables_state(shell.vars, "COMP_KEYWORD_CASE", "preserve-upper");
}

static void
commands(void **state)
{
    (void)state;
    assert_words("\\conni", "1:conninfo");
    assert_words("SELECT 1 \\conni", "10:conninfo");
    assert_words("\\pset line", "6:linestyle");
    assert_words("\\pset linestyle u", "16:unicode");
    assert_words("\\pset   expanded a", "17:auto");
    assert_words("\\x a", "3:auto");
    assert_words("\\x auto ", "8:");
    assert_words("\\set ON_ERROR_S", "5:ON_ERROR_STOP");
    assert_words("\\set VERBOSITY s", "15:sqlstate");
    assert_words("\\h create us", "10:user");
    assert_words("\\t on \\\\ UPG", "9:UPGRADE");
    assert_words("\\nonsense a", "10:");
    assert_words("\\watch c", "7:c=");
}

static void
variables(void **state)
{
    (void)state;
    variables_state(shell.vars, "zz_mine", "1");
    assert_words("SELECT :zz", "7::zz_mine");
    assert_words("SELECT :'zz", "7::'zz_mine'");
    assert_words("SELECT :\"zz", "7::\"zz_mine\"");
    assert_words("\\if :{?zz", "4::{?zz_mine}");
    assert_words("SELECT x::zz", "10:");
}

static void
files(void **state)
{
    char folder[] = "/tmp/ottla-complete-XXXXXX", path[100], line[100], expected[200];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/inner", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/in\033visible", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(line, sizeof line, "\\i %s/i", folder);
    snprintf(expected, sizeof expected, "3:%s/inner/", folder);
    assert_words(line, expected);
    snprintf(line, sizeof line, "\\o '%s/i", folder);
    snprintf(expected, sizeof expected, "3:'%s/inner/", folder);
    assert_words(line, expected);
    assert_words("\\i /no/such/folder/", "3:");
    assert_int_equal(rmdir(path), 0);
    snprintf(path, sizeof path, "%s/inner", folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void
sql(void **state)
{
    (void)state;
    assert_words("SELECT * FROM partiti", "14:partitions");
    assert_words("SELECT * FROM topics, partiti", "22:partitions");
    assert_words("SELECT * FROM topics t JOIN partiti", "28:partitions");
    assert_words("SELECT * FROM topics WHERE retention_m", "27:retention_ms");
    assert_words("select * from topics wher", "21:where");
    assert_words("SELECT * FROM topics WHERE topic = 'or", "35:");
    assert_words("SELECT \"quoted", "7:");
}

/* Names of the cluster are in quotes where the grammar needs them, and never reach a terminal raw. */
static void
names(void **state)
{
    static const char *const all[] = {"plain-name.v1", "9lives", "with space", "quo\"te",
                                      "esc\033[2J",    "\xff",   "日本"};
    static const struct {
        const char *typed, *words;
    } cases[] = {
        {"", "\"9lives\" \"quo\"\"te\" \"with space\" \"日本\" plain-name.v1"},
        {"pl", "plain-name.v1"},
        {"\"w", "\"with space\""},
        {"'p", "'plain-name.v1'"},
        {"9", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[500] = "";
        Completions c;

        completions_init(&c);
        c.typed = strview_from(cases[i].typed);
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            complete_add_name(&c, strview_from(all[j]));
        completions_sort(&c);
        for (int32_t j = 0; j < c.count; j++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", j > 0 ? " " : "",
                     c.words[j]);
        assert_string_equal(text, cases[i].words);
        completions_release(&c);
    }
}

/* More names than anybody reads. */
static void
words_are_bounded(void **state)
{
    Completions c;

    (void)state;
    completions_init(&c);
    for (int i = 0; i < COMPLETIONS_MAX + 100; i++) {
        char name[16];

        snprintf(name, sizeof name, "t%d", i);
        complete_add_cstr(&c, name);
    }
    assert_int_equal(c.count, COMPLETIONS_MAX);
    completions_release(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements), cmocka_unit_test(keyword_case),
        cmocka_unit_test(commands),   cmocka_unit_test(variables),
        cmocka_unit_test(files),      cmocka_unit_test(sql),
        cmocka_unit_test(names),      cmocka_unit_test(words_are_bounded),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
