/*
 * test_names.c - legal topic and software names; repair of what is not UTF-8
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/names_int.h"

static void
test_topics(void **state)
{
    char longest[251];

    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_true(name_is_legal_topic((StrView){longest, 249}));
    assert_false(name_is_legal_topic((StrView){longest, 250}));
    for (const char *const *p = (const char *const[]){"a", "A.b_c-9", "...", "-", NULL}; *p; p++)
        assert_true(name_is_legal_topic(strview_from(*p)));
    for (const char *const *p = (const char *const[]){"", ".", "..", "a b", "a/b", "\xc3\xa9",
                                                      "a\n", "*", "a:b", NULL};
         *p; p++)
        assert_false(name_is_legal_topic(strview_from(*p)));
    assert_false(name_is_legal_topic((StrView){"a\0b", 3}));
    assert_false(name_is_legal_topic((StrView){NULL, 0}));
    assert_true(name_is_internal_topic(STRVIEW("__consumer_offsets")));
    assert_false(name_is_internal_topic(STRVIEW("__cluster_metadata")));
}

static void
test_software(void **state)
{
    (void)state;
    for (const char *const *p =
             (const char *const[]){"a", "a--b", "1..2", "apache-kafka-java", NULL};
         *p; p++)
        assert_true(name_is_legal_software(strview_from(*p)));
    for (const char *const *p =
             (const char *const[]){"", "-a", "a-", ".a", "a.", "a_b", "1+2", "a\n", "a b", NULL};
         *p; p++)
        assert_false(name_is_legal_software(strview_from(*p)));
}

static void
test_echo(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "plain"},
        {"caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"},
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xc3", "a\xef\xbf\xbd"},
        {"\xe6\x97z", "\xef\xbf\xbdz"},                           /* cut: replaced as one */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\x80x", "\xef\xbf\xbdx"},
    };
    Arena *arena = arena_new(1024, 0);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(
            strview_equal(name_echo(arena, strview_from(rows[i].in)), strview_from(rows[i].out)));
    assert_null(name_echo(arena, (StrView){NULL, 0}).ptr);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_software),
        cmocka_unit_test(test_echo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
