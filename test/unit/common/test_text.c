/*
 * test_text.c - numbers, units, distances, growing text
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/common/hash.h"
#include "ottla/common/strbuf.h"

static void
integers_have_edges(void **state)
{
    int64_t n = 7;
    int32_t m = 7;
    uint64_t u = 7;

    (void)state;
    assert_true(text_to_int64(STRVIEW("-9223372036854775808"), &n) && n == INT64_MIN);
    assert_true(text_to_int64(STRVIEW("+9223372036854775807"), &n) && n == INT64_MAX);
    assert_false(text_to_int64(STRVIEW("9223372036854775808"), &n));
    assert_false(text_to_int64(STRVIEW("-9223372036854775809"), &n));
    assert_false(text_to_int64(STRVIEW(""), &n) || text_to_int64(STRVIEW("-"), &n));
    assert_false(text_to_int64(STRVIEW(" 1"), &n) || text_to_int64(STRVIEW("1x"), &n));
    assert_true(text_to_int32(STRVIEW("-2147483648"), &m) && m == INT32_MIN);
    assert_false(text_to_int32(STRVIEW("2147483648"), &m));
    assert_true(text_to_uint64(STRVIEW("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(text_to_uint64(STRVIEW("18446744073709551616"), &u));
}

static void
doubles_are_javas(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1", 1},  {".5", 0.5},        {"5.", 5},       {"1e3", 1000},
                {"2d", 2}, {" -0.25 ", -0.25}, {"1E-2f", 0.01}, {"Infinity", INFINITY}};
    static const char *const bad[] = {"",    "e5",  "1e",  "0x10", "inf",
                                      "nan", "1 2", "1_0", "d",    "--1"};
    static const struct {
        double value;
        const char *text;
    } shown[] = {{0.5, "0.5"},
                 {1, "1.0"},
                 {2147483647, "2.147483647E9"},
                 {0.001, "0.001"},
                 {0.0001, "1.0E-4"},
                 {1e7, "1.0E7"},
                 {1234567, "1234567.0"},
                 {-0.9, "-0.9"},
                 {1.7976931348623157E308, "1.7976931348623157E308"},
                 {100, "100.0"},
                 {0, "0.0"},
                 {12.5, "12.5"}};
    char text[TEXT_DOUBLE_MAX];
    double value;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(text_to_double(strview_from(good[i].text), &value) && value == good[i].value);
    assert_true(text_to_double(STRVIEW("NaN"), &value) && isnan(value));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(text_to_double(strview_from(bad[i]), &value));
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        text_from_double(shown[i].value, text);
        assert_string_equal(text, shown[i].text);
    }
}

static void
quantities_have_units(void **state)
{
    static const struct {
        const char *text;
        TextUnit base;
        int64_t value;
    } good[] = {{"1GB", TEXT_UNIT_BYTES, 1 << 30},
                {"1.5 kB", TEXT_UNIT_BYTES, 1536},
                {"0.0025 kB", TEXT_UNIT_BYTES, 3},
                {"0.0024 kB", TEXT_UNIT_BYTES, 2},
                {"-0.0025 kB", TEXT_UNIT_BYTES, -3},
                {"7d", TEXT_UNIT_HOURS, 168},
                {"90s", TEXT_UNIT_MINUTES, 2},
                {"1us", TEXT_UNIT_MS, 0},
                {"500us", TEXT_UNIT_MS, 1},
                {"-1", TEXT_UNIT_MS, -1},
                {"5", TEXT_UNIT_NONE, 5},
                {"9223372036854775807", TEXT_UNIT_MS, INT64_MAX}};
    static const struct {
        const char *text;
        TextUnit base;
    } bad[] = {{"1gb", TEXT_UNIT_BYTES}, {"1s", TEXT_UNIT_BYTES},
               {"5ms", TEXT_UNIT_NONE},  {"", TEXT_UNIT_MS},
               {"s", TEXT_UNIT_MS},      {"9223372036854775807d", TEXT_UNIT_MS},
               {"1..2s", TEXT_UNIT_MS},  {"1.5", TEXT_UNIT_NONE}};
    char text[TEXT_QUANTITY_MAX];
    int64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(text_to_quantity(strview_from(good[i].text), good[i].base, &value));
        assert_int_equal(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(text_to_quantity(strview_from(bad[i].text), bad[i].base, &value));
    text_from_quantity(604800000, TEXT_UNIT_MS, text);
    assert_string_equal(text, "7d");
    text_from_quantity(1048588, TEXT_UNIT_BYTES, text);
    assert_string_equal(text, "1048588B");
    text_from_quantity(-1, TEXT_UNIT_MS, text);
    assert_string_equal(text, "-1");
    text_from_quantity(168, TEXT_UNIT_HOURS, text);
    assert_string_equal(text, "7d");
}

static void
distances_count_edits(void **state)
{
    (void)state;
    assert_int_equal(text_distance(STRVIEW("abc"), STRVIEW("abc"), 3), 0);
    assert_int_equal(text_distance(STRVIEW("abc"), STRVIEW("acb"), 3), 1);
    assert_int_equal(text_distance(STRVIEW("abc"), STRVIEW("abcd"), 3), 1);
    assert_int_equal(text_distance(STRVIEW("kitten"), STRVIEW("sitting"), 3), 3);
    assert_int_equal(text_distance(STRVIEW("kitten"), STRVIEW("sitting"), 2), 3);
    assert_int_equal(text_distance(STRVIEW(""), STRVIEW(""), 0), 0);
    assert_true(text_equal_nocase(STRVIEW("AbC"), STRVIEW("aBc")));
    assert_true(strview_equal(text_trim(STRVIEW(" \t a b\n")), STRVIEW("a b")));
}

static void
strbuf_grows_and_stops_at_its_limit(void **state)
{
    Arena *arena = arena_new(64, 0);
    StrBuf buf, in_arena;

    (void)state;
    strbuf_init(&buf, 1000, NULL);
    assert_string_equal(buf.ptr, "");
    strbuf_init(&in_arena, 1000, arena);
    for (int i = 0; i < 100; i++) {
        strbuf_printf(&buf, "%d,", i % 10);
        strbuf_add_view(&in_arena, STRVIEW("ab"));
    }
    assert_int_equal(buf.len, 200);
    assert_int_equal(strbuf_view(&in_arena).len, 200);
    strbuf_truncate(&buf, 4);
    assert_string_equal(buf.ptr, "0,1,");
    for (int i = 0; i < 1000; i++)
        strbuf_add_cstr(&buf, "xyz");
    assert_true(strbuf_failed(&buf));
    assert_true(buf.len <= 1000);
    assert_int_equal(strlen(buf.ptr), buf.len);
    strbuf_clear(&buf);
    assert_false(strbuf_failed(&buf));
    strbuf_release(&buf);
    strbuf_release(&buf);
    arena_free(arena);
}

static void
json_and_escapes(void **state)
{
    static const uint8_t bytes[] = {0, 0x1f, 0xab};
    StrBuf buf;

    (void)state;
    strbuf_init(&buf, 1000, NULL);
    strbuf_add_json(&buf, STRVIEW("a\"\\\n\x01\xc3\xa4\xff\xc0\x80\xed\xa0\x80\xf0\x9f\x98\x80"));
    assert_string_equal(buf.ptr, "\"a\\\"\\\\\\n\\u0001\xc3\xa4\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"
                                 "\\ufffd\xf0\x9f\x98\x80\"");
    strbuf_clear(&buf);
    strbuf_add_json(&buf, (StrView){NULL, 0});
    strbuf_add_hex(&buf, (BytesView){bytes, 3});
    strbuf_add_escaped(&buf, STRVIEW("\"\x7f\xe4 "));
    assert_string_equal(buf.ptr, "null001fab\\\"\\x7f\\xe4 ");
    strbuf_release(&buf);
}

static void
hashes_spread_and_depend_on_the_seed(void **state)
{
    Uuid id = {{1}};

    (void)state;
    assert_true(hash_str(STRVIEW("orders"), 1) == hash_bytes("orders", 6, 1));
    assert_true(hash_str(STRVIEW("orders"), 1) != hash_str(STRVIEW("orders"), 2));
    assert_true(hash_str(STRVIEW("orders"), 1) != hash_str(STRVIEW("order"), 1));
    assert_true(hash_uuid(id, 0) == hash_bytes(id.b, 16, 0));
    assert_true(hash_u64(1) != hash_u64(2));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_have_edges),
        cmocka_unit_test(doubles_are_javas),
        cmocka_unit_test(quantities_have_units),
        cmocka_unit_test(distances_count_edits),
        cmocka_unit_test(strbuf_grows_and_stops_at_its_limit),
        cmocka_unit_test(json_and_escapes),
        cmocka_unit_test(hashes_spread_and_depend_on_the_seed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
