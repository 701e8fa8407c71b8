/*
 * test_share_key.c - which keys of share coordinators are legal
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/share_key_int.h"

#define ID "AAAAAAAAAAAAAAAAAAAAAQ"

static void
test_legal(void **state)
{
    (void)state;
    for (const char *const *p =
             (const char *const[]){"g:" ID ":0", "g:" ID ":-1", "g:" ID ":+1", "g:" ID ":01",
                                   "g h:" ID ":2147483647", "g:" ID ":-2147483648", NULL};
         *p; p++)
        assert_true(share_key_is_legal(strview_from(*p)));
}

static void
test_illegal(void **state)
{
    (void)state;
    for (const char *const *p =
             (const char *const[]){"", "g", ":", "::", "g:" ID, "g:" ID ":", "g:" ID ":x",
                                   "g:" ID ":-", "g:" ID ":1 ", "g:AAAA:0", "g:topic:0",
                                   ":" ID ":0", "  :" ID ":0", "g:" ID ":0:1",
                                   "g:" ID ":2147483648", "g:" ID ":-2147483649",
                                   "g:" ID ":99999999999999999999999", NULL};
         *p; p++)
        assert_false(share_key_is_legal(strview_from(*p)));
    assert_false(share_key_is_legal((StrView){NULL, 0}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legal),
        cmocka_unit_test(test_illegal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
