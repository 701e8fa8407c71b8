/*
 * test_options.c - \pset: names, values, abbreviations, messages
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/print/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Sets and compares what \pset says then, or what it refuses with. */
static void
assert_says(PrintOptions *o, const char *name, const char *value, const char *says)
{
    StrBuf out;
    ErrInfo err = {0};

    strbuf_init(&out, 1 << 16, NULL);
    if (print_options_set(o, strview_from(name), strview_from(value), &err) != 0)
        strbuf_add_cstr(&out, err.text);
    else
        assert_int_equal(print_options_show(o, strview_from(name), &out, &err), 0);
    assert_string_equal(out.ptr, says);
    strbuf_release(&out);
}

static void
says_what_psql_says(void **state)
{
    static const struct {
        const char *name, *value, *says;
    } cases[] = {
        {"border", "2", "Border style is 2.\n"},
        {"border", NULL, "Border style is 2.\n"},
        {"columns", "80", "Target width is 80.\n"},
        {"columns", "0", "Target width is unset.\n"},
        {"csv_fieldsep", ";", "Field separator for CSV is \";\".\n"},
        {"csv_fieldsep", ";;", "csv_fieldsep must be a single one-byte character"},
        {"csv_fieldsep", "ü", "csv_fieldsep must be a single one-byte character"},
        {"csv_fieldsep", "\n",
         "csv_fieldsep cannot be a double quote, a newline, or a carriage return"},
        {"expanded", NULL, "Expanded display is on.\n"},
        {"x", "auto", "Expanded display is used automatically.\n"},
        {"x", NULL, "Expanded display is off.\n"},
        {"x", "yes", "Expanded display is on.\n"},
        {"x", "perhaps",
         "unrecognized value \"perhaps\" for \"expanded\"; available values are: off, on, auto"},
        {"fieldsep", ", ", "Field separator is \", \".\n"},
        {"fieldsep_zero", NULL, "Field separator is zero byte.\n"},
        {"fieldsep", NULL, "Field separator is zero byte.\n"},
        {"fieldsep", "", "Field separator is \"\".\n"},
        {"footer", NULL, "Default footer is off.\n"},
        {"footer", "on", "Default footer is on.\n"},
        {"footer", "o", "unrecognized value \"o\" for \"footer\": Boolean expected"},
        {"footer", "of", "Default footer is off.\n"},
        {"footer", "", "unrecognized value \"\" for \"footer\": Boolean expected"},
        {"format", "a", "ambiguous abbreviation \"a\" matches both \"aligned\" and \"asciidoc\""},
        {"format", "AL", "Output format is aligned.\n"},
        {"format", "json", "Output format is json.\n"},
        {"format", "jsonl", "Output format is jsonl.\n"},
        {"format", "w", "Output format is wrapped.\n"},
        {"format", "latex",
         "allowed formats are aligned, asciidoc, csv, html, json, jsonl, markdown, unaligned, "
         "wrapped"},
        {"format", NULL, "Output format is wrapped.\n"},
        {"linestyle", "uni", "Line style is unicode.\n"},
        {"linestyle", "x", "allowed line styles are ascii, old-ascii, unicode"},
        {"null", "∅", "Null display is \"∅\".\n"},
        {"numericlocale", NULL, "Locale-adjusted numeric output is on.\n"},
        {"pager", NULL, "Pager usage is off.\n"},
        {"pager", "always", "Pager is always used.\n"},
        {"pager", "1", "Pager is used for long output.\n"},
        {"pager_min_lines", "1", "Pager won't be used for less than 1 line.\n"},
        {"pager_min_lines", "20", "Pager won't be used for less than 20 lines.\n"},
        {"pager_min_lines", "many",
         "pager_min_lines must be a number from 0 to 1000000, not \"many\""},
        {"recordsep", NULL, "Record separator is <newline>.\n"},
        {"recordsep", "--", "Record separator is \"--\".\n"},
        {"recordsep_zero", NULL, "Record separator is zero byte.\n"},
        {"tableattr", "class=x", "Table attributes are \"class=x\".\n"},
        {"T", NULL, "Table attributes unset.\n"},
        {"title", "x y", "Title is \"x y\".\n"},
        {"C", NULL, "Title is unset.\n"},
        {"t", NULL, "Tuples only is on.\n"},
        {"tuples_only", "false", "Tuples only is off.\n"},
        {"unicode_border_linestyle", "double", "Unicode border line style is \"double\".\n"},
        {"unicode_column_linestyle", "s", "Unicode column line style is \"single\".\n"},
        {"unicode_header_linestyle", "thick",
         "allowed Unicode header line styles are single, double"},
        {"units", "raw", "Units are raw.\n"},
        {"border", "4", "border must be a number from 0 to 3, not \"4\""},
        {"nonsense", "1", "unknown option: nonsense"},
    };
    PrintOptions o;

    (void)state;
    print_options_init(&o);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_says(&o, cases[i].name, cases[i].value, cases[i].says);
}

static void
a_refused_value_changes_nothing(void **state)
{
    static const char *const bad[][2] = {
        {"border", "-1"}, {"format", "x"},     {"csv_fieldsep", ""},
        {"pager", "o"},   {"footer", "maybe"}, {"unicode_border_linestyle", ""},
    };
    PrintOptions o, before;
    char text[PRINT_TEXT_MAX + 1];

    (void)state;
    print_options_init(&o);
    before = o;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(
            print_options_set(&o, strview_from(bad[i][0]), strview_from(bad[i][1]), NULL),
            OT_E_INVALID);
    assert_int_equal(print_options_set(&o, STRVIEW("null"), (StrView){text, PRINT_TEXT_MAX}, NULL),
                     OT_E_INVALID);
    assert_int_equal(print_options_set(&o, STRVIEW("null"), STRVIEW("a\0b"), NULL), OT_E_INVALID);
    assert_memory_equal(&o, &before, sizeof o);
    assert_int_equal(
        print_options_set(&o, STRVIEW("null"), (StrView){text, PRINT_TEXT_MAX - 1}, NULL), 0);
}

static void
all_options_are_listed(void **state)
{
    PrintOptions o;
    StrBuf out;
    ErrInfo err;

    (void)state;
    print_options_init(&o);
    strbuf_init(&out, 1 << 16, NULL);
    print_options_show_all(&o, &out);
    assert_string_equal(out.ptr, "border                   1\n"
                                 "columns                  0\n"
                                 "csv_fieldsep             ','\n"
                                 "expanded                 off\n"
                                 "fieldsep                 '|'\n"
                                 "fieldsep_zero            off\n"
                                 "footer                   on\n"
                                 "format                   aligned\n"
                                 "linestyle                ascii\n"
                                 "null                     ''\n"
                                 "numericlocale            off\n"
                                 "pager                    1\n"
                                 "pager_min_lines          0\n"
                                 "recordsep                '\\n'\n"
                                 "recordsep_zero           off\n"
                                 "tableattr                \n"
                                 "title                    \n"
                                 "tuples_only              off\n"
                                 "unicode_border_linestyle single\n"
                                 "unicode_column_linestyle single\n"
                                 "unicode_header_linestyle single\n"
                                 "units                    auto\n");
    strbuf_clear(&out);
    assert_int_equal(print_options_set(&o, STRVIEW("fieldsep_zero"), STRVIEW("on"), &err), 0);
    print_options_show_all(&o, &out);
    assert_non_null(strstr(out.ptr, "fieldsep                 ''\nfieldsep_zero            on\n"));
    strbuf_release(&out);
    for (int i = 0; print_option_name(i) != NULL; i++) {
        StrView name = strview_from(print_option_name(i));

        /* what completion offers is taken */
        assert_non_null(print_option_values(i));
        for (const char *words = print_option_values(i); *words != '\0';) {
            size_t len = strcspn(words, " ");

            assert_int_equal(print_options_set(&o, name, (StrView){words, (int32_t)len}, &err), 0);
            words += len + (words[len] == ' ');
        }
    }
    assert_null(print_option_values(-1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_psql_says),
        cmocka_unit_test(a_refused_value_changes_nothing),
        cmocka_unit_test(all_options_are_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
