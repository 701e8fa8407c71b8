/*
 * test_stream_format.c - messages as text: every token, escapes, JSON, and formats that are none
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shell/stream_format_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const RecordHeader headers[] = {{{"h", 1}, {(const uint8_t *)"x", 1}},
                                       {{"none", 4}, {NULL, 0}}};
static const StreamMessage full = {.topic = {"orders", 6},
                                   .partition = 3,
                                   .leader_epoch = 5,
                                   .producer_id = 77,
                                   .lag = 2,
                                   .offset = 42,
                                   .timestamp = 86400000,
                                   .broker = 1,
                                   .key = {(const uint8_t *)"k\xff", 2},
                                   .value = {(const uint8_t *)"va\"l", 4},
                                   .headers = headers,
                                   .header_count = 2};
static const StreamMessage empty = {.topic = {"t", 1}, .timestamp = -1, .lag = -1, .broker = -1};

/* The message by a format; valid until the next call. */
static const char *
by_format(const char *format, const StreamMessage *m, const char *null)
{
    static StrBuf text;
    StreamFormat f = {.format = format, .delimiter = "\n", .null = null, .utc = true};

    if (text.max_len == 0)
        strbuf_init(&text, 4096, NULL);
    strbuf_clear(&text);
    if (format != NULL)
        assert_string_equal(stream_format_check(format), "");
    stream_format_add(&f, m, &text);
    assert_false(strbuf_failed(&text));
    return text.ptr;
}

static void
test_tokens(void **state)
{
    (void)state;
    assert_string_equal(by_format("%t %p %o %K %s %S %T %h %%\\n", &full, ""),
                        "orders 3 42 2 va\"l 4 86400000 h=x,none=NULL %\n");
    assert_string_equal(
        by_format("%{hex:k} %{base64:v} %{json:v} %{lag} %{epoch} %{pid}", &full, ""),
        "6bff dmEibA== \"va\\\"l\" 2 5 77");
    assert_string_equal(by_format("%{ts:%Y-%m-%d} %{ts}", &full, ""),
                        "1970-01-02 1970-01-02T00:00:00+0000");
    assert_memory_equal(by_format("%R", &full, ""), "\0\0\0\4", 4);
    assert_memory_equal(by_format("%R", &empty, ""), "\xff\xff\xff\xff", 4);
    assert_string_equal(by_format("%k|%K|%s|%S|%{hex:v}|%{json:k}|%{ts}", &empty, "NULL"),
                        "NULL|-1|NULL|-1|NULL|null|NULL");
    assert_string_equal(by_format("\\x41\\t\\\\\\q\\x4", &full, ""), "A\t\\\\q\x04");
    assert_string_equal(by_format(NULL, &full, ""), "va\"l\n");
}

static void
test_no_formats(void **state)
{
    static const char *const bad[] = {"%q", "a%", "%{", "%{ts", "%{hex}", "%{hex:x}", "%{lag:k}"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_not_equal(stream_format_check(bad[i]), "");
}

static void
test_json(void **state)
{
    StreamFormat f = {.json = true, .null = ""};
    StrBuf text;

    (void)state;
    strbuf_init(&text, 4096, NULL);
    stream_format_add(&f, &full, &text);
    assert_string_equal(text.ptr,
                        "{\"topic\":\"orders\",\"partition\":3,\"offset\":42,\"tstype\":\"create\","
                        "\"ts\":86400000,\"broker\":1,\"headers\":[\"h\",\"x\",\"none\",null],"
                        "\"key\":\"k\\ufffd\",\"payload\":\"va\\\"l\"}\n");
    strbuf_clear(&text);
    stream_format_add(&f, &empty, &text);
    assert_string_equal(text.ptr, "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"broker\":-1,"
                                  "\"headers\":[],\"key\":null,\"payload\":null}\n");
    strbuf_release(&text);
}

static void
test_unescape(void **state)
{
    size_t len;
    char *text = stream_unescape("a\\n\\x00b\\z", &len);

    (void)state;
    assert_int_equal(len, 6);
    assert_memory_equal(text, "a\n\0b\\z", 6);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens), cmocka_unit_test(test_no_formats),
        cmocka_unit_test(test_json), cmocka_unit_test(test_unescape)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
