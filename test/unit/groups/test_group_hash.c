/*
 * test_group_hash.c - hashes are those of Java, over UTF-16 units
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ottla/groups/group_hash.h"

/* groups-and-transactions.md 1.1, and 11.1: neither bytes nor a mask. */
static void
vectors_of_java(void **state)
{
    static const struct {
        const char *text;
        int32_t hash, partition, units;
    } rows[] = {
        {"", 0, 0, 0},
        {"a", 97, 47, 1},
        {"test", 3556498, 48, 4},
        {"my-group", -1906497762, 12, 8},
        {"ottla-txn", 297783809, 9, 9},
        {"g\xf0\x9f\x98\x80", 1871882, 32, 3},
        {"polygenelubricants", INT32_MIN, 0, 18},
        {"\xc3\xa9", 0xe9, 0xe9 % 50, 1},
        {"\xe2\x82\xac", 0x20ac, 0x20ac % 50, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        StrView text = strview_from(rows[i].text);

        assert_int_equal(java_string_hash(text), rows[i].hash);
        assert_int_equal(group_partition_of(text, 50), rows[i].partition);
        assert_int_equal(java_string_units(text), rows[i].units);
    }
}

/* What is no UTF-8 is what a Java server decodes it to: U+FFFD for each piece that cannot be one. */
static void
bad_bytes_are_replaced(void **state)
{
    static const char replacement[] = "\xef\xbf\xbd";
    static const struct {
        const char *text;
        int32_t replaced;
    } rows[] = {{"\xff", 1},     {"\xc0\x80", 2},     {"\xe2\x82", 1}, {"\xed\xa0\x80", 3},
                {"\x80\x80", 2}, {"\xf0\x9f\x98", 1}, {"\xc3", 1},     {"\xf5\x80", 2}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        StrView text = strview_from(rows[i].text);
        char same[16] = "";

        for (int32_t j = 0; j < rows[i].replaced; j++)
            strcat(same, replacement);
        assert_int_equal(java_string_units(text), rows[i].replaced);
        assert_int_equal(java_string_hash(text), java_string_hash(strview_from(same)));
    }
}

static void
every_partition_is_in_range(void **state)
{
    char text[3] = "";

    (void)state;
    for (int c = 0; c < 1 << 16; c++) {
        text[0] = (char)(c >> 8);
        text[1] = (char)c;
        for (int32_t n = 1; n < 60; n += 7) {
            int32_t partition = group_partition_of((StrView){text, 2}, n);

            assert_in_range(partition, 0, n - 1);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_java),
        cmocka_unit_test(bad_bytes_are_replaced),
        cmocka_unit_test(every_partition_is_in_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
