/*
 * test_base64.c - the vectors of RFC 4648, every length, and what is refused
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_vectors(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    StrBuf text;

    (void)state;
    strbuf_init(&text, 100, NULL);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        strbuf_clear(&text);
        base64_encode(&text,
                      (BytesView){(const uint8_t *)vectors[i][0], (int32_t)strlen(vectors[i][0])});
        assert_string_equal(text.ptr, vectors[i][1]);
        strbuf_clear(&text);
        assert_true(base64_decode(&text, strview_from(vectors[i][1])));
        assert_string_equal(text.ptr, vectors[i][0]);
    }
    strbuf_clear(&text);
    assert_true(base64_decode(&text, STRVIEW("-_-_\n")));
    assert_memory_equal(text.ptr, "\xfb\xff\xbf", 3);
    assert_false(base64_decode(&text, STRVIEW("Zm9v!")));
    strbuf_release(&text);
}

static void
test_lengths(void **state)
{
    uint8_t bytes[256];
    StrBuf text;
    StrBuf back;

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)(i * 7);
    strbuf_init(&text, 1000, NULL);
    strbuf_init(&back, 1000, NULL);
    for (int32_t len = 0; len <= 256; len++) {
        strbuf_clear(&text);
        strbuf_clear(&back);
        base64_encode(&text, (BytesView){bytes, len});
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_true(base64_decode(&back, strbuf_view(&text)));
        assert_int_equal(back.len, len);
        assert_memory_equal(back.ptr, bytes, (size_t)len);
    }
    strbuf_release(&text);
    strbuf_release(&back);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors),
                                       cmocka_unit_test(test_lengths)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
