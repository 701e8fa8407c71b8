/*
 * test_variables.c - names, values, special variables
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell/variables_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int
set(Variables *vars, const char *name, const char *value, ErrInfo *err)
{
    *err = (ErrInfo){0};
    return variables_set(vars, strview_from(name), strview_from(value), err);
}

static const char *
get(const Variables *vars, const char *name)
{
    return variables_get(vars, strview_from(name));
}

static void
they_keep_their_values(void **state)
{
    Variables *vars = variables_new();
    const char *name, *value, *before = "";
    ErrInfo err;
    int count = 0;

    (void)state;
    assert_non_null(vars);
    assert_null(get(vars, "x"));
    assert_int_equal(set(vars, "x", "1", &err), 0);
    assert_int_equal(set(vars, "\xc3\xa9_9", "two", &err), 0);
    assert_int_equal(set(vars, "x", "", &err), 0);
    assert_string_equal(get(vars, "x"), "");
    assert_string_equal(get(vars, "\xc3\xa9_9"), "two");
    for (; variables_at(vars, count, &name, &value); count++) {
        assert_true(strcmp(before, name) < 0);
        before = name;
    }
    assert_int_equal(set(vars, "x", NULL, &err), 0);
    assert_null(get(vars, "x"));
    assert_false(variables_at(vars, count - 1, &name, &value));
    assert_int_equal(set(vars, "x", NULL, &err), 0);
    variables_free(vars);
}

static void
names_have_rules(void **state)
{
    static const char *const bad[] = {"", "a b", "a-b", "a.b", "a'", "a\n", "a\""};
    Variables *vars = variables_new();
    ErrInfo err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(set(vars, bad[i], "1", &err), OT_E_INVALID);
    assert_string_equal(err.text, "invalid variable name: \"a\"\"");
    variables_free(vars);
}

static void
their_number_is_bounded(void **state)
{
    Variables *vars = variables_new();
    ErrInfo err;
    int rc = 0;
    int i;

    (void)state;
    for (i = 0; rc == 0 && i <= VARIABLES_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "v%d", i);
        rc = set(vars, name, "1", &err);
    }
    assert_int_equal(rc, OT_E_LIMIT);
    assert_int_equal(set(vars, "v0", "2", &err), 0);
    variables_free(vars);
}

static void
special_ones_are_checked(void **state)
{
    static const struct {
        const char *name, *value, *stored; /* stored NULL: refused */
    } rows[] = {
        {"ON_ERROR_STOP", "1", "on"},
        {"ON_ERROR_STOP", "", "on"},
        {"ON_ERROR_STOP", "of", "off"},
        {"ON_ERROR_STOP", "maybe", NULL},
        {"ON_ERROR_STOP", "o", NULL},
        {"ECHO", "ALL", "all"},
        {"ECHO", "some", NULL},
        {"ECHO_HIDDEN", "noexec", "noexec"},
        {"ECHO_HIDDEN", "true", "on"},
        {"FETCH_COUNT", "100", "100"},
        {"FETCH_COUNT", "-1", NULL},
        {"FETCH_COUNT", "x", NULL},
        {"VERBOSITY", "Verbose", "verbose"},
        {"PROMPT1", "", ""},
        {"ROW_COUNT", "anything", "anything"},
    };
    Variables *vars = variables_new();
    ErrInfo err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int rc = set(vars, rows[i].name, rows[i].value, &err);

        if ((rc == 0) != (rows[i].stored != NULL))
            fail_msg("%s = %s: %s", rows[i].name, rows[i].value, err.text);
        if (rc == 0)
            assert_string_equal(get(vars, rows[i].name), rows[i].stored);
    }
    assert_int_equal(set(vars, "VERBOSITY", "loud", &err), OT_E_INVALID);
    assert_string_equal(err.text,
                        "unrecognized value \"loud\" for \"VERBOSITY\": available values are "
                        "terse default verbose sqlstate");
    assert_int_equal(set(vars, "VERBOSITY", NULL, &err), 0);
    assert_string_equal(get(vars, "VERBOSITY"), "default");
    assert_int_equal(set(vars, "HISTFILE", "/x", &err), 0);
    assert_int_equal(set(vars, "HISTFILE", NULL, &err), 0);
    assert_null(get(vars, "HISTFILE"));
    variables_free(vars);
}

static void
they_are_asked_for(void **state)
{
    Variables *vars = variables_new();
    bool on;

    (void)state;
    assert_false(variables_on(vars, "QUIET") || variables_on(vars, "none"));
    variables_state(vars, "QUIET", "yes");
    assert_true(variables_on(vars, "QUIET") && variables_is(vars, "QUIET", "on"));
    assert_int_equal(variables_number(vars, "SCAN_LIMIT", 7), 1000000);
    assert_int_equal(variables_number(vars, "none", 7), 7);
    assert_true(variable_parse_bool(STRVIEW("Y"), &on) && on);
    assert_true(variable_parse_bool(STRVIEW("FALSE"), &on) && !on);
    assert_false(variable_parse_bool(STRVIEW(""), &on) || variable_parse_bool(STRVIEW("2"), &on));
    variables_free(vars);
}

static void
rows_are_sorted(void **state)
{
    (void)state;
    for (int i = 1; i < special_vars_count; i++)
        assert_true(strcmp(special_vars[i - 1].name, special_vars[i].name) < 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_keep_their_values),  cmocka_unit_test(names_have_rules),
        cmocka_unit_test(their_number_is_bounded), cmocka_unit_test(special_ones_are_checked),
        cmocka_unit_test(they_are_asked_for),      cmocka_unit_test(rows_are_sorted),
    };
    return cmocka_run_group_tests_name("variables", tests, NULL, NULL);
}
