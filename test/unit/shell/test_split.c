/*
 * test_split.c - the statements of a text that holds several
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell/split_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The statements with '|' between them. */
static void
gives(const char *text, const char *expected)
{
    char got[512] = "";
    int32_t count = -1;
    StrView *pieces = split_statements(strview_from(text), &count);

    assert_non_null(pieces);
    for (int32_t i = 0; i < count; i++) {
        assert_true(pieces[i].ptr >= text && pieces[i].ptr + pieces[i].len <= text + strlen(text));
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i > 0 ? "|" : "",
                       pieces[i].len, pieces[i].ptr);
    }
    free(pieces);
    assert_string_equal(got, expected);
}

static void
statements(void **state)
{
    (void)state;
    gives("", "");
    gives("a", "a");
    gives("-- nothing", "-- nothing");
    gives("a;b", "a|b");
    gives("a ; b;", "a | b");
    gives(";; a;;b;", " a|b");
    gives("a; -- b", "a");
    gives(";", "");
    gives("'a;b';\"c;d\";E'\\';';$x$;$x$", "'a;b'|\"c;d\"|E'\\';'|$x$;$x$");
    gives("a -- ;\n;b /* ; /* ; */ ; */ c;d", "a -- ;\n|b /* ; /* ; */ ; */ c|d");
    gives("(a;b);c", "(a;b)|c");
    gives("'a;b", "'a;b");
    gives(":a;:{?b};\\x;c", ":a|:{?b}|\\x|c");
}

static void
triggers(void **state)
{
    (void)state;
    gives("CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END; b",
          "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END| b");
    gives("create trigger t BEGIN SELECT 1; b", "create trigger t BEGIN SELECT 1; b");
    gives("CREATE TABLE trigger; b", "CREATE TABLE trigger| b");
    gives("CREATE TEMP; b", "CREATE TEMP| b");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements),
        cmocka_unit_test(triggers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
