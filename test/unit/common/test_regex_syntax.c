/*
 * test_regex_syntax.c - proves that what RE2 takes is taken, and what it refuses is refused
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ottla/common/regex_syntax.h"

static void
patterns(void **state)
{
    static const char *const good[] = {
        "",          "abc",     "a.*b+?c??",    "a|b|",           "(a)(?:b)(?P<n>c)(?<m>d)",
        "(?i)a",     "(?i:a)b", "[abc]",        "[^a-z0-9]",      "[]a]",
        "[a-]",      "[-a]",    "[[:alpha:]_]", "[\\d\\-x]",      "\\d\\S\\w\\b\\.\\/",
        "a{2}",      "a{2,}",   "a{2,3}?",      "a{1000}",        "a{,2}",
        "{",         "a{x}",    "\\x41\\x{1F}", "\\pL\\p{Greek}", "\\Qa(b\\E",
        "\\Qa(b",    "^$",      "\\101",        "[\\x41-\\x5A]",  "\xc3\xa4+",
        "(a|(b|c))", "1[23]",   "[a\\]b]"};
    static const char *const bad[] = {
        "[",     "[a",   "(",      ")",       "(?=a)b",   "(?!a)",   "(?<=a)",  "(?>a)",
        "a**",   "a*+",  "*a",     "|*",      "(*a)",     "a{1001}", "a{3,2}",  "\\",
        "\\1",   "\\y",  "\\k<n>", "[z-a]",   "[[:no:]]", "[a-\\d]", "(?P<>a)", "(?P=n)",
        "(?#c)", "\\p{", "\\xG1",  "a{2}{3}", "(?R)",     "[\\b]",   "+"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (regex_syntax_fault(strview_from(good[i])) != NULL)
            fail_msg("%s: %s", good[i], regex_syntax_fault(strview_from(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (regex_syntax_fault(strview_from(bad[i])) == NULL)
            fail_msg("%s is taken", bad[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(patterns)};

    return cmocka_run_group_tests_name("regex_syntax", tests, NULL, NULL);
}
