/*
 * test_cond.c - branches of \if, and expressions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell/cond_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Steps: i/I \if false/true, e/E \elif, s \else, x \endif, and for each '?' whether the branch counts. */
static const char *
walk(const char *steps, char *out)
{
    CondStack stack = {.depth = 0};
    ErrInfo err = {0};
    size_t len = 0;
    int rc = 0;

    for (; *steps != '\0' && rc == 0; steps++) {
        switch (*steps) {
        case 'i':
        case 'I':
            rc = cond_if(&stack, *steps == 'I', &err);
            break;
        case 'e':
        case 'E':
            rc = cond_elif(&stack, *steps == 'E', &err);
            break;
        case 's':
            rc = cond_else(&stack, &err);
            break;
        case 'x':
            rc = cond_endif(&stack, &err);
            break;
        default:
            out[len++] = cond_active(&stack) ? '+' : '-';
        }
    }
    if (rc != 0)
        out[len++] = '!';
    out[len] = '\0';
    return out;
}

static void
one_branch_counts(void **state)
{
    static const struct {
        const char *steps, *seen;
    } rows[] = {
        {"?I?s?x?", "++-+"},
        {"i?s?x?", "-++"},
        {"i?E?E?s?x?", "-+--+"},
        {"i?e?s?x", "--+"},
        {"I?E?s?x", "+--"},
        {"iI?s?E", "--!"},
        {"iI?s?xs?x?", "--++"},
        {"II?sI?s?x?xs?x?", "+----+"},
        {"E", "!"},
        {"s", "!"},
        {"x", "!"},
        {"Iss", "!"},
        {"IsE", "!"},
    };
    char seen[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(walk(rows[i].steps, seen), rows[i].seen) != 0)
            fail_msg("%s: %s, not %s", rows[i].steps, seen, rows[i].seen);
}

static void
depth_is_bounded(void **state)
{
    CondStack stack = {.depth = 0};
    ErrInfo err = {0};

    (void)state;
    assert_null(cond_top(&stack));
    assert_false(cond_wants_elif(&stack));
    for (int i = 0; i < COND_DEPTH_MAX; i++)
        assert_int_equal(cond_if(&stack, false, &err), 0);
    assert_int_equal(cond_if(&stack, true, &err), OT_E_LIMIT);
    assert_int_equal(cond_top(&stack)->state, COND_IGNORED);
}

static void
expressions_have_values(void **state)
{
    static const struct {
        const char *words[4];
        int value; /* -1: refused */
    } rows[] = {
        {{"true"}, 1},
        {{"off"}, 0},
        {{"1"}, 1},
        {{"2"}, -1},
        {{""}, -1},
        {{NULL}, -1},
        {{"a", "=", "a"}, 1},
        {{"a", "=", "b"}, 0},
        {{"a", "<>", "b"}, 1},
        {{"9", "<", "10"}, 1},
        {{"9", ">", "10"}, 0},
        {{"1.0", "=", "1"}, 1},
        {{"b9", "<", "b10"}, 0},
        {{"", "=", ""}, 1},
        {{"a", "<", "ab"}, 1},
        {{"1", "==", "1"}, -1},
        {{"1", "="}, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        StrView words[4];
        ErrInfo err = {0};
        bool value = false;
        int count = 0, rc;

        while (count < 4 && rows[i].words[count] != NULL) {
            words[count] = strview_from(rows[i].words[count]);
            count++;
        }
        rc = cond_value(words, count, &value, &err);
        if (rc != 0 ? rows[i].value != -1 : rows[i].value != (int)value)
            fail_msg("row %zu: %d, %d", i, rc, value);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_branch_counts),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(expressions_have_values),
    };
    return cmocka_run_group_tests_name("cond", tests, NULL, NULL);
}
