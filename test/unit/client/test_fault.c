/*
 * test_fault.c - Kafka's errors become the SQLSTATEs of the shell's table, and texts stay harmless
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The rows of the specification (4.1). */
static const struct {
    const char *sqlstate;
    int16_t errors[12]; /* ends with 0 */
} wanted[] = {
    {"28000", {33, 34, 58}}, {"42501", {29, 30, 31, 53, 65}},
    {"42P01", {3, 100}},     {"42704", {69, 91, 105, 102, 62}},
    {"42P07", {36}},         {"42710", {92, 101}},
    {"42602", {17, 24}},     {"22023", {37, 38, 39, 40, 42, 76, 93}},
    {"22003", {1, 32}},      {"0A000", {35, 43, 54, 61, 73, 115}},
    {"23514", {44, 87}},     {"40001", {14, 15, 16, 27, 41, 51, 5, 6, 74, 75, 79}},
    {"53400", {89}},         {"55000", {84, 85, 80, 83, 95, 96}},
    {"55006", {68, 60, 86}}, {"54000", {10, 18, 118}},
    {"58030", {56, 57}},     {"57P05", {7}},
    {"XX000", {-1, 9999}},   {"XX001", {2}},
};

static void
test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        for (const int16_t *at = wanted[i].errors; *at != 0; at++) {
            Fault f;

            assert_string_equal(fault_sqlstate_of(*at), wanted[i].sqlstate);
            assert_int_equal(fault_kafka(&f, *at, 2, NULL), -1);
            assert_string_equal(f.sqlstate, wanted[i].sqlstate);
            assert_int_equal(f.kafka_error, *at);
            assert_string_not_equal(f.message, "");
        }
    }
}

static void
test_texts(void **state)
{
    Fault f;

    (void)state;
    assert_int_equal(fault_kafka(&f, 36, 2, "topic \"%s\" already exists", "orders"), -1);
    assert_string_equal(f.message, "topic \"orders\" already exists");
    assert_string_equal(f.detail, "TOPIC_ALREADY_EXISTS (36) from node 2");
    assert_int_equal(f.position, -1);
    (void)fault_kafka(&f, 36, -1, NULL);
    assert_string_equal(f.detail, "TOPIC_ALREADY_EXISTS (36)");
    (void)fault_kafka(&f, 7, 1, NULL);
    assert_non_null(strstr(f.hint, "may have taken effect"));
    assert_string_equal(fault_kafka_name(9999), "UNKNOWN");
    (void)fault_kafka(&f, 36, 1, "%.*s", 3, "\0ab");
    assert_string_equal(f.message, fault_kafka_text(36));

    assert_int_equal(fault_set(&f, "42601", "a\x1b[2Jb\nc"), -1);
    assert_string_equal(f.message, "a?[2Jb c");
    (void)fault_set(&f, "42601",
                    "a\xc2\x9b"
                    "2J\xc3\xa9\xc2\xa0.\xc2");
    assert_string_equal(f.message, "a??2J\xc3\xa9\xc2\xa0.\xc2");
    assert_string_equal(f.detail, "");
    assert_int_equal(f.kafka_error, 0);
    (void)fault_set(&f, "XX000", "%0600d", 1);
    assert_int_equal(strlen(f.message), sizeof f.message - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_texts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
