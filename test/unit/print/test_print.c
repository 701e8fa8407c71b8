/*
 * test_print.c - tables that psql has no model for: json, jsonl, markdown, units, hostile cells; filling a table
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/print/print.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "print/print_kit.h"

static Arena *arena;

static int
setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 16, 0);
    return arena == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* Prints with options "name=value ..." and compares. */
static void
assert_printed(const PrintTable *table, const char *options, const char *expected)
{
    PrintOptions o;
    char words[256], *rest = words, *word, *text;
    size_t len;

    print_options_init(&o);
    snprintf(words, sizeof words, "%s", options);
    while ((word = strsep(&rest, " ")) != NULL) {
        char *name = strsep(&word, "=");

        kit_set(&o, name, word);
    }
    text = kit_printed(table, &o, &len);
    assert_string_equal(text, expected);
    free(text);
}

static void
make_sample(PrintTable *t)
{
    print_table_init(t, arena, STRVIEW("List of topics"));
    print_table_add_column(t, STRVIEW("Topic"), 'l');
    print_table_add_column(t, STRVIEW("Size"), 'r');
    print_table_column_unit(t, PRINT_UNIT_BYTES);
    print_table_add_column(t, STRVIEW("Replicas"), 'c');
    print_table_column_json(t);
    print_table_add_text(t, "or_d|<1>*\n\"x\"");
    print_table_add_int(t, 4509715660);
    print_table_add_text(t, "[1, 2,\n3]");
    print_table_add_cell(t, (StrView){"a\0\xff", 3});
    print_table_add_null(t);
    print_table_add_text(t, "[1, 2");
}

static void
json_keeps_numbers_and_json(void **state)
{
    PrintTable t;

    (void)state;
    make_sample(&t);
    assert_printed(
        &t, "format=json",
        "[\n{\"Topic\":\"or_d|<1>*\\n\\\"x\\\"\",\"Size\":4509715660,\"Replicas\":[1, 2, 3]},\n"
        "{\"Topic\":\"a\\u0000\\ufffd\",\"Size\":null,\"Replicas\":\"[1, 2\"}\n]\n");
    assert_printed(
        &t, "format=jsonl expanded=on",
        "{\"Topic\":\"or_d|<1>*\\n\\\"x\\\"\",\"Size\":4509715660,\"Replicas\":[1, 2, 3]}\n"
        "{\"Topic\":\"a\\u0000\\ufffd\",\"Size\":null,\"Replicas\":\"[1, 2\"}\n");
    print_table_init(&t, arena, (StrView){NULL, 0});
    print_table_add_column(&t, STRVIEW("n"), 'r');
    assert_printed(&t, "format=json", "[]\n");
    assert_printed(&t, "format=jsonl", "");
}

/* What looks like a number to people is a string where JSON has no such number. */
static void
json_numbers_are_jsons(void **state)
{
    static const char *const texts[][2] = {
        {"-0.5e+10", "-0.5e+10"}, {"0", "0"},
        {"007", "\"007\""},       {"+1", "\"+1\""},
        {".5", "\".5\""},         {"1.", "\"1.\""},
        {"NaN", "\"NaN\""},       {"", "\"\""},
        {"-", "\"-\""},           {"1e", "\"1e\""},
        {"1 ", "\"1 \""},         {"12345678901234567890", "12345678901234567890"},
    };
    PrintTable t;
    char expected[512];
    size_t used = 0;

    (void)state;
    print_table_init(&t, arena, (StrView){NULL, 0});
    print_table_add_column(&t, STRVIEW("n"), 'r');
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        print_table_add_text(&t, texts[i][0]);
        used +=
            (size_t)snprintf(expected + used, sizeof expected - used, "{\"n\":%s}\n", texts[i][1]);
    }
    assert_printed(&t, "format=jsonl", expected);
}

/* Only one whole value goes in as it is. */
static void
json_texts_are_checked(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } texts[] = {
        {"{}", true},
        {"[]", true},
        {" [ { \"a\" : [ null , true ] , \"b\" : -1.5 } , \"\\u00e9\\\"\" ] ", true},
        {"\"x\"", true},
        {"1", true},
        {"", false},
        {"[1,]", false},
        {"[,1]", false},
        {"{\"a\"}", false},
        {"{\"a\":}", false},
        {"{1:2}", false},
        {"[1] 2", false},
        {"[1}", false},
        {"{\"a\":1]", false},
        {"\"\\q\"", false},
        {"\"\\u12g4\"", false},
        {"\"open", false},
        {"nul", false},
        {"]", false},
        {"[\"\xff\"]", false},
        {"[\"\t\"]", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        PrintTable t;
        PrintOptions o;
        char *text;
        size_t len;

        print_table_init(&t, arena, (StrView){NULL, 0});
        print_table_add_column(&t, STRVIEW("v"), 'l');
        print_table_column_json(&t);
        print_table_add_text(&t, texts[i].text);
        print_options_init(&o);
        o.format = PRINT_JSONL;
        text = kit_printed(&t, &o, &len);
        if ((strncmp(text, "{\"v\":\"", 6) != 0 || texts[i].text[0] == '"') != texts[i].good &&
            (strstr(text, "\\\"") == NULL) != texts[i].good)
            fail_msg("%s became %s", texts[i].text, text);
        free(text);
    }
}

/* n arrays in one another. */
static void
print_nested(int n, char *ret, size_t size)
{
    char text[256], *printed;
    PrintTable t;
    PrintOptions o;
    size_t len;

    memset(text, '[', (size_t)n);
    memset(text + n, ']', (size_t)n);
    print_table_init(&t, arena, (StrView){NULL, 0});
    print_table_add_column(&t, STRVIEW("v"), 'l');
    print_table_column_json(&t);
    print_table_add_cell(&t, (StrView){text, n * 2});
    print_options_init(&o);
    o.format = PRINT_JSONL;
    printed = kit_printed(&t, &o, &len);
    snprintf(ret, size, "%s", printed);
    free(printed);
}

static void
json_depth_is_bounded(void **state)
{
    char text[300];

    (void)state;
    print_nested(64, text, sizeof text);
    assert_memory_equal(text, "{\"v\":[", 6);
    print_nested(65, text, sizeof text);
    assert_memory_equal(text, "{\"v\":\"[", 7);
}

static void
markdown_escapes(void **state)
{
    PrintTable t;

    (void)state;
    make_sample(&t);
    assert_printed(&t, "format=markdown null=-",
                   "**List of topics**\n\n"
                   "| Topic | Size | Replicas |\n| :--- | ---: | :---: |\n"
                   "| or_d\\|&lt;1>\\*<br>\"x\" | 4509715660 | \\[1, 2,<br>3] |\n| a");
}

static void
markdown_expanded(void **state)
{
    PrintTable t;

    (void)state;
    print_table_init(&t, arena, (StrView){NULL, 0});
    print_table_add_column(&t, STRVIEW("a"), 'l');
    print_table_add_column(&t, STRVIEW("b"), 'r');
    for (int i = 0; i < 4; i++)
        print_table_add_int(&t, i);
    print_table_add_footer(&t, "%d of %d", 2, 3);
    assert_printed(&t, "format=markdown expanded=on",
                   "| Record 1 | |\n| :--- | :--- |\n| a | 0 |\n| b | 1 |\n\n"
                   "| Record 2 | |\n| :--- | :--- |\n| a | 2 |\n| b | 3 |\n\n2 of 3\n\n");
    assert_printed(&t, "format=markdown tuples_only=on",
                   "| a | b |\n| :--- | ---: |\n| 0 | 1 |\n| 2 | 3 |\n\n");
}

/* The sample of the manual; what is no UTF-8 is shown byte by byte. */
static void
people_see_units_and_escapes(void **state)
{
    PrintTable t;

    (void)state;
    make_sample(&t);
    assert_printed(&t, "null=none border=1",
                   "        List of topics\n"
                   "   Topic   |  Size  | Replicas \n"
                   "-----------+--------+----------\n"
                   " or_d|<1>*+| 4.2 GB | [1, 2,  +\n"
                   " \"x\"       |        | 3]\n"
                   " a\\x00\\xFF |   none | [1, 2\n"
                   "(2 rows)\n\n");
    assert_printed(&t, "units=raw border=0 tuples_only=on",
                   "or_d|<1>*+4509715660 [1, 2,  +\n"
                   "\"x\"                  3]\n"
                   "a\\x00\\xFF            [1, 2\n\n");
}

static void
human_numbers(void **state)
{
    static const struct {
        int64_t value;
        PrintUnit unit;
        const char *text;
    } samples[] = {
        {0, PRINT_UNIT_BYTES, "0 B"},
        {1023, PRINT_UNIT_BYTES, "1023 B"},
        {1024, PRINT_UNIT_BYTES, "1 kB"},
        {1025, PRINT_UNIT_BYTES, "1.0 kB"},
        {4509715660, PRINT_UNIT_BYTES, "4.2 GB"},
        {10 << 20, PRINT_UNIT_BYTES, "10 MB"},
        {(1 << 30) - 1, PRINT_UNIT_BYTES, "1.0 GB"},
        {INT64_MAX, PRINT_UNIT_BYTES, "8.0 EB"},
        {3250586, PRINT_UNIT_BYTES_PER_S, "3.1 MB/s"},
        {-1, PRINT_UNIT_BYTES, "-1"},
        {-1, PRINT_UNIT_MS, "-1"},
        {999, PRINT_UNIT_MS, "999ms"},
        {1500, PRINT_UNIT_MS, "1.5s"},
        {59999, PRINT_UNIT_MS, "59.9s"},
        {60000, PRINT_UNIT_MS, "1min"},
        {125000, PRINT_UNIT_MS, "2min 5s"},
        {604800000, PRINT_UNIT_MS, "7d"},
        {93784000, PRINT_UNIT_MS, "1d 2h"},
        {42, PRINT_UNIT_NONE, "42"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char text[PRINT_HUMAN_MAX];

        print_human(samples[i].value, samples[i].unit, text);
        assert_string_equal(text, samples[i].text);
    }
}

static void
widths(void **state)
{
    (void)state;
    assert_int_equal(print_width(STRVIEW("")), 0);
    assert_int_equal(print_width(STRVIEW("abc")), 3);
    assert_int_equal(print_width(STRVIEW("日本")), 4);
    assert_int_equal(print_width(STRVIEW("e\xcc\x81")), 1);
    assert_int_equal(print_width(STRVIEW("\xff\x1b")), 8);
    assert_int_equal(print_width(STRVIEW("a\tb")), 9);
    assert_int_equal(print_width(STRVIEW("long\nx")), 4);
}

/* A table that could not be filled is not printed in part. */
static void
failure_sticks(void **state)
{
    PrintTable t;
    PrintOptions o;
    Arena *small = arena_new(1 << 12, 1 << 16);
    char big[1024];
    FILE *out = fopen("/dev/null", "w");

    (void)state;
    memset(big, 'x', sizeof big);
    print_options_init(&o);
    print_table_init(&t, small, (StrView){NULL, 0});
    print_table_add_column(&t, STRVIEW("a"), 'l');
    for (int i = 0; i < 200; i++)
        print_table_add_cell(&t, (StrView){big, sizeof big});
    assert_int_equal(print_table(&t, &o, out), OT_E_NO_MEMORY);
    arena_free(small);
    print_table_init(&t, arena, (StrView){NULL, 0});
    for (int i = 0; i <= PRINT_COLUMNS_MAX; i++)
        print_table_add_column(&t, STRVIEW("a"), 'l');
    assert_int_equal(print_table(&t, &o, out), OT_E_NO_MEMORY);
    assert_int_equal(fclose(out), 0);
}

static void
a_full_disk_is_told(void **state)
{
    PrintTable t;
    PrintOptions o;
    FILE *out = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(out);
    assert_int_equal(setvbuf(out, NULL, _IONBF, 0), 0);
    make_sample(&t);
    print_options_init(&o);
    assert_int_equal(print_table(&t, &o, out), OT_E_IO);
    (void)fclose(out);
}

/* More cells than lie in one piece. */
static void
long_results(void **state)
{
    PrintTable t;
    PrintOptions o;
    char *text;
    size_t len;

    (void)state;
    print_table_init(&t, arena, (StrView){NULL, 0});
    print_table_add_column(&t, STRVIEW("a"), 'r');
    print_table_add_column(&t, STRVIEW("b"), 'l');
    print_table_add_column(&t, STRVIEW("c"), 'l');
    for (int i = 0; i < 50000; i++) {
        print_table_add_int(&t, i);
        print_table_add_bool(&t, i % 2 == 0);
        print_table_printf(&t, "row %d", i);
    }
    assert_int_equal(print_table_rows(&t), 50000);
    assert_true(strview_equal(print_table_cell(&t, 49999, 2), STRVIEW("row 49999")));
    print_options_init(&o);
    text = kit_printed(&t, &o, &len);
    assert_string_equal(strstr(text, " 49999"), " 49999 | f | row 49999\n(50000 rows)\n\n");
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_keeps_numbers_and_json),
        cmocka_unit_test(json_numbers_are_jsons),
        cmocka_unit_test(json_texts_are_checked),
        cmocka_unit_test(json_depth_is_bounded),
        cmocka_unit_test(markdown_escapes),
        cmocka_unit_test(markdown_expanded),
        cmocka_unit_test(people_see_units_and_escapes),
        cmocka_unit_test(human_numbers),
        cmocka_unit_test(widths),
        cmocka_unit_test(failure_sticks),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(long_results),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
