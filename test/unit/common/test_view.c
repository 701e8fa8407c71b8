/*
 * test_view.c - uuids read and write Kafka's text form
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
uuid_text_is_kafkas(void **state)
{
    Uuid metadata = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    Uuid id;
    char text[UUID_TEXT_LEN + 1];

    (void)state;
    uuid_to_text(metadata, text);
    assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAQ");
    assert_true(uuid_from_text(strview_from(text), &id));
    assert_true(uuid_equal(id, metadata));
    for (int i = 0; i < 16; i++)
        id.b[i] = (uint8_t)(0xff - 17 * i);
    uuid_to_text(id, text);
    assert_true(uuid_from_text(strview_from(text), &metadata));
    assert_true(uuid_equal(id, metadata));
    assert_false(uuid_is_zero(id));
}

static void
bad_uuid_text_is_refused(void **state)
{
    Uuid id = {{9}};

    (void)state;
    assert_false(uuid_from_text(STRVIEW("AAAAAAAAAAAAAAAAAAAAA"), &id));
    assert_false(uuid_from_text(STRVIEW("AAAAAAAAAAAAAAAAAAAAAAA"), &id));
    assert_false(uuid_from_text(STRVIEW("AAAAAAAAAAAAAAAAAAAAAR"), &id));
    assert_false(uuid_from_text(STRVIEW("AAAAAAAAAA+AAAAAAAAAAQ"), &id));
    assert_false(uuid_from_text((StrView){NULL, 0}, &id));
    assert_int_equal(id.b[0], 9);
}

static void
null_and_empty_views_differ(void **state)
{
    (void)state;
    assert_false(strview_equal((StrView){NULL, 0}, STRVIEW("")));
    assert_true(strview_equal(STRVIEW(""), (StrView){"x", 0}));
    assert_true(strview_equal(STRVIEW("ab"), (StrView){"abc", 2}));
    assert_false(strview_equal(STRVIEW("ab"), STRVIEW("ac")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuid_text_is_kafkas),
        cmocka_unit_test(bad_uuid_text_is_refused),
        cmocka_unit_test(null_and_empty_views_differ),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
