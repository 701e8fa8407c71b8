/*
 * test_err.c - the error table is complete, and texts are built as promised
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
every_kafka_code_has_a_row(void **state)
{
    (void)state;
    assert_int_equal(KERR_FIRST, -1);
    assert_int_equal(KERR_LAST, 133);
    assert_int_equal(err_to_kafka(0), KERR_NONE);
    for (int code = KERR_FIRST; code <= KERR_LAST; code++) {
        const ErrRow *row = &err_kafka_rows[code - KERR_FIRST];

        assert_int_equal(row->kafka, code);
        assert_true(strlen(row->text) > 5);
        if (code != 0) {
            assert_int_equal(err_to_kafka(-1000 - code), code);
            assert_string_equal(err_name(-1000 - code), row->name);
        }
    }
    assert_int_equal(OT_E_UNKNOWN_SERVER_ERROR, -999);
    assert_int_equal(err_to_kafka(OT_E_UNKNOWN_SERVER_ERROR), -1);
    assert_int_equal(KERR_SHARE_SESSION_LIMIT_REACHED, 133);
}

static void
internal_codes_map_to_kafka(void **state)
{
    (void)state;
    assert_int_equal(err_to_kafka(OT_E_STORAGE), KERR_KAFKA_STORAGE_ERROR);
    assert_int_equal(err_to_kafka(OT_E_NO_SPACE), KERR_KAFKA_STORAGE_ERROR);
    assert_int_equal(err_to_kafka(OT_E_EMPTY_COMPRESSION), KERR_INVALID_RECORD);
    assert_string_equal(err_name(OT_E_STORAGE), "STORAGE");
    assert_int_equal(err_to_kafka(-12345), KERR_UNKNOWN_SERVER_ERROR);
    assert_int_equal(err_to_kafka(7), KERR_UNKNOWN_SERVER_ERROR);
    assert_non_null(err_text(-12345));
}

static void
texts_are_built_in_place(void **state)
{
    ErrInfo err = {0};
    char longer[600];

    (void)state;
    assert_int_equal(err_set(NULL, OT_E_IO, "nobody listens"), OT_E_IO);
    assert_int_equal(err_set(&err, OT_E_IO, "a\nb %d", 5), OT_E_IO);
    assert_int_equal(err.code, OT_E_IO);
    assert_string_equal(err.text, "a b 5");
    err_prefix(&err, "partition %s", "orders-3");
    assert_string_equal(err.text, "partition orders-3: a b 5");
    assert_int_equal(err_set_errno(&err, OT_E_IO, ENOENT, "open \"%s\"", "x"), OT_E_IO);
    assert_string_equal(err.text, "open \"x\": No such file or directory");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(err_set_errno(&err, OT_E_IO, ENOENT, "%s", longer), OT_E_IO);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_prefix(&err, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err_prefix(NULL, "nothing");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kafka_code_has_a_row),
        cmocka_unit_test(internal_codes_map_to_kafka),
        cmocka_unit_test(texts_are_built_in_place),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
