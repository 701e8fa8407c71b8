/*
 * test_prompt.c - escapes of prompts, their width, places of errors
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell/prompt_int.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shell/place_int.h"

static bool
field(void *arg, char letter, StrBuf *out)
{
    (void)arg;
    if (letter == 'I')
        strbuf_add_cstr(out, "main");
    return letter == 'I';
}

static const char *
variable(void *arg, StrView name)
{
    (void)arg;
    return strview_equal(name, STRVIEW("v")) ? "value" : NULL;
}

static void
run(void *arg, const char *command, StrBuf *out)
{
    (void)arg;
    strbuf_printf(out, "<%s>\n", command);
}

static void
escapes_are_expanded(void **state)
{
    static const struct {
        const char *format, *plain, *marked;
    } rows[] = {
        {"%I=# ", "main=# ", "main=# "},
        {"100%% %q %", "100% q %", "100% q %"},
        {"a%wb", "a   b", "a   b"},
        {"%:v:%:none:%:v", "valuevalue", "valuevalue"},
        {"%`echo 1`>", "<echo 1>>", "<echo 1>>"},
        {"%[%033[1m%]x%[%0x1b[0m%]", "\033[1mx\033[0m", "\001\033[1m\002x\001\033[0m\002"},
        {"", "", ""},
    };
    PromptEnv env = {field, variable, run, NULL, false, 3};
    StrBuf out;

    (void)state;
    strbuf_init(&out, PROMPT_BYTES_MAX, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        env.marks = false;
        strbuf_clear(&out);
        prompt_expand(strview_from(rows[i].format), &env, &out);
        assert_string_equal(out.ptr, rows[i].plain);
        env.marks = true;
        strbuf_clear(&out);
        prompt_expand(strview_from(rows[i].format), &env, &out);
        assert_string_equal(out.ptr, rows[i].marked);
    }
    strbuf_release(&out);
}

static void
widths_are_those_of_the_screen(void **state)
{
    (void)state;
    assert_int_equal(prompt_width(STRVIEW("main=# ")), 7);
    assert_int_equal(prompt_width(STRVIEW("one\ntwo> ")), 5);
    assert_int_equal(prompt_width(STRVIEW("\001\033[1m\002x\001\033[0m\002")), 1);
    assert_int_equal(prompt_width(STRVIEW("\xe6\x97\xa5> ")), 4);
    assert_int_equal(prompt_width(STRVIEW("")), 0);
}

static void
shows(const char *text, int64_t position, const char *expected)
{
    StrBuf out;

    strbuf_init(&out, 4096, NULL);
    place_add(&out, strview_from(text), position);
    assert_string_equal(out.ptr, expected);
    strbuf_release(&out);
}

static void
places_are_shown(void **state)
{
    (void)state;
    shows("SELECT nope", 7, "LINE 1: SELECT nope\n               ^\n");
    shows("a\nb c\nd", 4, "LINE 2: b c\n          ^\n");
    shows("a", 1, "LINE 1: a\n         ^\n");
    shows("a", 99, "LINE 1: a\n         ^\n");
    shows("", 0, "LINE 1: \n        ^\n");
    shows("\t\xe6\x97\xa5 x", 5, "LINE 1:  \xe6\x97\xa5 x\n            ^\n");
    /* the end of a long line, and its beginning */
    shows("1234567890123456789012345678901234567890123456789012345678901234567890 x", 71,
          "LINE 1: ...2345678901234567890123456789012345678901234567890 x\n"
          "                                                             ^\n");
    shows("1234567890123456789012345678901234567890123456789012345678901234567890 x", 0,
          "LINE 1: 123456789012345678901234567890123456789012345678901234567890...\n"
          "        ^\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_expanded),
        cmocka_unit_test(widths_are_those_of_the_screen),
        cmocka_unit_test(places_are_shown),
    };
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        return 1;
    return cmocka_run_group_tests_name("prompt", tests, NULL, NULL);
}
