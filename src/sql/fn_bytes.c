/*
 * fn_bytes.c - SQL functions on bytes: text, base64, numbers out of blobs, checksums, Kafka's partitioner
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include "ottla/common/crc32c.h"
#include "ottla/common/hash.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"

#define UNPACK_MAX 10000 /* values of one call */

static bool
bytes_of(sqlite3_value *value, StrView *ret)
{
    int type = sqlite3_value_type(value);

    if (type == SQLITE_NULL)
        return false;
    ret->ptr =
        type == SQLITE_BLOB ? sqlite3_value_blob(value) : (const char *)sqlite3_value_text(value);
    ret->len = sqlite3_value_bytes(value);
    if (ret->ptr == NULL)
        *ret = STRVIEW("");
    return true;
}

/* Bytes that are no UTF-8 become U+FFFD. */
static void
fn_utf8(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    StrView bytes;
    StrBuf text;

    (void)argc;
    if (!bytes_of(argv[0], &bytes))
        return;
    if (text_is_utf8(bytes)) {
        sqlite3_result_text(context, bytes.ptr, bytes.len, SQLITE_TRANSIENT);
        return;
    }
    strbuf_init(&text, (size_t)bytes.len * 3 + 1, NULL);
    while (bytes.len > 0) {
        bool good;
        int32_t step = text_utf8_step(bytes, &good);

        if (good)
            strbuf_add(&text, bytes.ptr, (size_t)step);
        else
            strbuf_add_cstr(&text, "\xef\xbf\xbd");
        bytes = (StrView){bytes.ptr + step, bytes.len - step};
    }
    if (strbuf_failed(&text))
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_text(context, text.ptr, (int)text.len, SQLITE_TRANSIENT);
    strbuf_release(&text);
}

static int
base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c == '-' ? '+' : c == '_' ? '/' : c);

    return at == NULL ? -1 : (int)(at - digits);
}

static void
encode_base64(sqlite3_context *context, StrView bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    StrBuf text;

    strbuf_init(&text, ((size_t)bytes.len + 2) / 3 * 4, NULL);
    for (int32_t i = 0; i < bytes.len; i += 3) {
        int left = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t n = (uint32_t)(uint8_t)bytes.ptr[i] << 16 |
                     (left > 1 ? (uint32_t)(uint8_t)bytes.ptr[i + 1] << 8 : 0) |
                     (left > 2 ? (uint32_t)(uint8_t)bytes.ptr[i + 2] : 0);

        for (int d = 0; d < 4; d++)
            strbuf_add_char(&text, d <= left ? digits[n >> (18 - 6 * d) & 63] : '=');
    }
    if (strbuf_failed(&text))
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_text(context, text.ptr, (int)text.len, SQLITE_TRANSIENT);
    strbuf_release(&text);
}

static void
decode_base64(sqlite3_context *context, StrView text)
{
    StrBuf bytes;
    uint32_t n = 0;
    int bits = 0;

    strbuf_init(&bytes, (size_t)text.len + 1, NULL);
    for (int32_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.ptr[i]);

        if (digit < 0) {
            if (text.ptr[i] == '=' || text.ptr[i] == '\n' || text.ptr[i] == '\r')
                continue;
            strbuf_release(&bytes);
            sqlite3_result_error(context, "base64: the text has other characters in it", -1);
            return;
        }
        n = n << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            strbuf_add_char(&bytes, (char)(n >> bits & 0xff));
        }
    }
    if (strbuf_failed(&bytes))
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_blob(context, bytes.ptr, (int)bytes.len, SQLITE_TRANSIENT);
    strbuf_release(&bytes);
}

/* A blob becomes text, a text becomes the blob it stands for. */
static void
fn_base64(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    StrView bytes;

    (void)argc;
    if (!bytes_of(argv[0], &bytes))
        return;
    if (sqlite3_value_type(argv[0]) == SQLITE_BLOB)
        encode_base64(context, bytes);
    else
        decode_base64(context, bytes);
}

/* ---- unpack ---- */

static int
size_of(char code)
{
    switch (code) {
    case 'b':
    case 'B':
    case 'c':
        return 1;
    case 'h':
    case 'H':
        return 2;
    case 'i':
    case 'I':
    case 'l':
    case 'L':
    case 'f':
        return 4;
    case 'q':
    case 'Q':
    case 'd':
        return 8;
    default:
        return 0;
    }
}

static uint64_t
number_at(const char *p, int size, bool big)
{
    uint64_t n = 0;

    for (int i = 0; i < size; i++)
        n = n << 8 | (uint8_t)p[big ? i : size - 1 - i];
    return n;
}

/* One value of the format. Unsigned 64-bit ones above the largest integer of SQL come out negative. */
static SqlValue
value_at(char code, const char *p, bool big)
{
    int size = size_of(code);
    uint64_t n = number_at(p, size, big);
    SqlValue v = {.type = SQL_INTEGER};

    if (code == 'c') {
        v.type = SQL_TEXT;
        v.bytes = (StrView){p, 1};
    } else if (code == 'd') {
        v.type = SQL_REAL;
        memcpy(&v.real, &n, sizeof v.real);
    } else if (code == 'f') {
        uint32_t bits = (uint32_t)n;
        float real;

        memcpy(&real, &bits, sizeof real);
        v.type = SQL_REAL;
        v.real = (double)real;
    } else if (code >= 'a' && size < 8) {
        uint64_t sign = UINT64_C(1) << (size * 8 - 1);

        v.integer = (int64_t)((n ^ sign) - sign);
    } else {
        v.integer = (int64_t)n;
    }
    return v;
}

static void
give_value(sqlite3_context *context, const SqlValue *v)
{
    if (v->type == SQL_INTEGER)
        sqlite3_result_int64(context, v->integer);
    else if (v->type == SQL_REAL)
        sqlite3_result_double(context, v->real);
    else
        sqlite3_result_text(context, v->bytes.ptr, v->bytes.len, SQLITE_TRANSIENT);
}

/* unpack('>I', blob): one value as it is, several as a JSON array; NULL when the blob is too short. */
static void
fn_unpack(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    StrView format, bytes;
    StrBuf list;
    SqlValue first = {.type = SQL_NULL};
    bool big = true;
    int32_t at = 0;
    int count = 0;

    (void)argc;
    if (!bytes_of(argv[0], &format) || !bytes_of(argv[1], &bytes))
        return;
    strbuf_init(&list, 1 << 20, NULL);
    for (int32_t i = 0; i < format.len; i++) {
        char code = format.ptr[i];
        int size = size_of(code);
        SqlValue v;

        if (code == '>' || code == '<' || code == ' ') {
            big = code == ' ' ? big : code == '>';
            continue;
        }
        if (size == 0 || count == UNPACK_MAX) {
            sqlite3_result_error(context, "unpack: the format knows > < b B h H i I q Q f d c", -1);
            strbuf_release(&list);
            return;
        }
        if (at + size > bytes.len) {
            strbuf_release(&list);
            return;
        }
        v = value_at(code, bytes.ptr + at, big);
        if (count++ == 0)
            first = v;
        strbuf_add_char(&list, count == 1 ? '[' : ',');
        if (v.type == SQL_INTEGER)
            strbuf_printf(&list, "%lld", (long long)v.integer);
        else if (v.type == SQL_REAL)
            strbuf_printf(&list, "%.17g", v.real);
        else
            strbuf_add_json(&list, v.bytes);
        at += size;
    }
    strbuf_add_char(&list, ']');
    if (count == 1)
        give_value(context, &first);
    else if (count > 1 && !strbuf_failed(&list))
        sqlite3_result_text(context, list.ptr, (int)list.len, SQLITE_TRANSIENT);
    strbuf_release(&list);
}

/* ---- checksums and the partitioner ---- */

static void
fn_crc32c(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    StrView bytes;

    (void)argc;
    if (bytes_of(argv[0], &bytes))
        sqlite3_result_int64(context, crc32c(bytes.ptr, (size_t)bytes.len));
}

/* As Java has it: a signed integer. */
static void
fn_murmur2(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    StrView bytes;

    (void)argc;
    if (bytes_of(argv[0], &bytes))
        sqlite3_result_int64(context, (int32_t)hash_murmur2(bytes.ptr, (size_t)bytes.len));
}

static void
fn_partition_for(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    StrView bytes;
    int64_t count = sqlite3_value_int64(argv[1]);

    (void)argc;
    if (bytes_of(argv[0], &bytes) && count > 0 && count <= INT32_MAX)
        sqlite3_result_int64(
            context, (int64_t)(hash_murmur2(bytes.ptr, (size_t)bytes.len) & 0x7fffffff) % count);
}

int
functions_bytes_register(Sql *sql)
{
    static const struct {
        const char *name;
        int argc;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"utf8", 1, fn_utf8},       {"base64", 1, fn_base64},
        {"unpack", 2, fn_unpack},   {"crc32c", 1, fn_crc32c},
        {"murmur2", 1, fn_murmur2}, {"partition_for", 2, fn_partition_for},
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++)
        rc = sqlite3_create_function_v2(sql->db, functions[i].name, functions[i].argc,
                                        SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC, sql,
                                        functions[i].fn, NULL, NULL, NULL);
    return rc;
}
