/*
 * test_group_regex.c - which texts are expressions, what they match, and that no name takes long
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "groups/group_regex_int.h"

static void
what_re2_refuses_is_refused(void **state)
{
    static const char *const bad[] = {
        "[",      "(?<n>",  "a**",     "\\",      "(?=x)",   "(?!x)",
        "(?<=x)", "(?<!x)", "x{2,1}",  "x{1001}", "a)",      "(a",
        "\\1",    "(?>a)",  "a++",     "a*+",     "(?(1)a)", "(?R)",
        "(?1)",   "(?C1)",  "(*FAIL)", "\\C",     "\\G",     "\\K",
        "\\R",    "\\X",    "\\Z",     "\\h",     "\\N",     "\\g{1}",
        "\\k<a>", "(?#a)",  "(?x)a",   "(?|a|b)", "[z-a]",   "[[:nothing:]]",
        "*a",     "\\Kx",   "(?P=n)",  "(?P>n)",
    };
    static char large[1200];
    const char *fault;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        GroupRegex *regex = group_regex_new(strview_from(bad[i]), &fault);

        if (regex != NULL || fault == NULL)
            fail_msg("taken: %s", bad[i]);
    }
    memset(large, 'a', 1024);
    {
        GroupRegex *regex = group_regex_new(strview_from(large), &fault);

        assert_non_null(regex);
        group_regex_free(regex);
    }
    large[1024] = 'a';
    assert_null(group_regex_new(strview_from(large), &fault));
    assert_non_null(fault);
    assert_null(group_regex_new(STRVIEW("((((x{100}){100}){100}){100}"), &fault));
    assert_null(group_regex_new(STRVIEW("((x|y){1000}){1000}"), &fault));
    assert_non_null(fault);
    group_regex_free(NULL);
}

static void
the_whole_name_must_match(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"t-.*", "t-1", true},
        {"t-", "t-1", false},
        {"t-", "t-", true},
        {"-1", "t-1", false},
        {"a|ab", "ab", true},
        {"a|ab", "abc", false},
        {"^a$", "a", true},
        {"(?i)ABC", "aBc", true},
        {"[[:alpha:]]+[0-9]{2}", "ab12", true},
        {"[[:alpha:]]+[0-9]{2}", "ab123", false},
        {"\\Qa.b\\E", "a.b", true},
        {"\\Qa.b\\E", "axb", false},
        {"\\Qa.b", "a.b", true},
        {"(?P<n>a+)b", "aab", true},
        {"(?<n>a+)b", "aab", true},
        {"a.c", "abc", true},
        {"\\d+\\.\\w", "12.x", true},
        {"a\\vb", "a b", false},
        {"\\x61", "a", true},
        {"(?U)a+", "aaa", true},
        {"a{,2}", "a{,2}", true},
        {"\\Aab\\z", "ab", true},
        {".*", "", true},
    };
    const char *fault;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        GroupRegex *regex = group_regex_new(strview_from(cases[i].pattern), &fault);
        RegexMatch match;

        if (regex == NULL)
            fail_msg("refused: %s: %s", cases[i].pattern, fault);
        match = group_regex_match(regex, strview_from(cases[i].name), GROUP_REGEX_STEPS_MAX);
        if (match != (cases[i].matches ? REGEX_YES : REGEX_NO))
            fail_msg("%s on %s: %d", cases[i].pattern, cases[i].name, (int)match);
        group_regex_free(regex);
    }
}

static void
a_name_that_takes_too_long_does_not_match(void **state)
{
    const char *fault;
    GroupRegex *regex = group_regex_new(STRVIEW("((a*)*|b)*c"), &fault);
    StrView name = STRVIEW("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaad");

    (void)state;
    assert_non_null(regex);
    assert_int_not_equal(group_regex_match(regex, name, GROUP_REGEX_STEPS_MAX), REGEX_YES);
    group_regex_free(regex);
    regex = group_regex_new(STRVIEW("(a|aa|aaa)*b?(a|aa)*[xz]"), &fault);
    assert_non_null(regex);
    assert_int_equal(
        group_regex_match(regex, STRVIEW("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaay"), 1000),
        REGEX_LIMIT);
    assert_int_equal(group_regex_match(regex, STRVIEW("aax"), 1000), REGEX_YES);
    group_regex_free(regex);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_re2_refuses_is_refused),
        cmocka_unit_test(the_whole_name_must_match),
        cmocka_unit_test(a_name_that_takes_too_long_does_not_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
