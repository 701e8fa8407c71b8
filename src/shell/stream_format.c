/*
 * stream_format.c - messages as text: formats with tokens, as kcat has them, and JSON
 *
 * Pure but for the time zone of the process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stream_format_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ottla/common/base64.h"
#include "ottla/common/text.h"
#include "ottla/protocol/wire.h"

#define NAME_MAX_BYTES 100 /* between the braces of %{...} */
#define TIME_MAX_BYTES 200

/* ---- escapes ---- */

static int
hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The byte that an escape stands for; its length with the backslash, 0: it is none. */
static int
escape_at(const char *at, char *ret)
{
    static const char from[] = "nrt\\0";
    static const char to[] = "\n\r\t\\";
    const char *found;

    if (at[0] != '\\' || at[1] == '\0')
        return 0;
    if (at[1] == 'x' && hex_of(at[2]) >= 0) {
        int second = hex_of(at[3]);

        *ret = (char)(second < 0 ? hex_of(at[2]) : hex_of(at[2]) << 4 | second);
        return second < 0 ? 3 : 4;
    }
    found = strchr(from, at[1]);
    if (found == NULL)
        return 0;
    *ret = to[found - from];
    return 2;
}

char *
stream_unescape(const char *text, size_t *ret_len)
{
    char *out = malloc(strlen(text) + 1);
    size_t len = 0;

    if (out == NULL)
        return NULL;
    while (*text != '\0') {
        int used = escape_at(text, &out[len]);

        if (used == 0)
            out[len] = *text;
        text += used == 0 ? 1 : used;
        len++;
    }
    out[len] = '\0';
    *ret_len = len;
    return out;
}

/* ---- tokens ---- */

static void
add_bytes(const StreamFormat *format, BytesView bytes, StrBuf *to)
{
    if (bytes.ptr == NULL)
        strbuf_add_cstr(to, format->null);
    else
        strbuf_add(to, bytes.ptr, (size_t)bytes.len);
}

static void
add_length(BytesView bytes, StrBuf *to)
{
    strbuf_printf(to, "%d", bytes.ptr == NULL ? -1 : bytes.len);
}

static void
add_big_endian(BytesView bytes, StrBuf *to)
{
    uint8_t length[4];

    wire_store32(length, bytes.ptr == NULL ? UINT32_MAX : (uint32_t)bytes.len);
    strbuf_add(to, length, sizeof length);
}

static void
add_headers(const StreamFormat *format, const StreamMessage *m, StrBuf *to)
{
    for (int32_t i = 0; i < m->header_count; i++) {
        if (i > 0)
            strbuf_add_char(to, ',');
        strbuf_add_view(to, m->headers[i].key);
        strbuf_add_char(to, '=');
        if (m->headers[i].value.ptr == NULL)
            strbuf_add_cstr(to, format->null[0] == '\0' ? "NULL" : format->null);
        else
            add_bytes(format, m->headers[i].value, to);
    }
}

/* The pattern is the user's, as that of date(1) is; what strftime makes of it stays within the buffer. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void
add_time(const StreamFormat *format, const StreamMessage *m, const char *pattern, StrBuf *to)
{
    time_t seconds = (time_t)(m->timestamp / 1000);
    char text[TIME_MAX_BYTES];
    struct tm tm;

    if (m->timestamp < 0) {
        strbuf_add_cstr(to, format->null);
        return;
    }
    if ((format->utc ? gmtime_r(&seconds, &tm) : localtime_r(&seconds, &tm)) == NULL)
        return;
    strbuf_add(
        to, text,
        strftime(text, sizeof text, pattern[0] == '\0' ? "%Y-%m-%dT%H:%M:%S%z" : pattern, &tm));
}

#pragma GCC diagnostic pop

/* %{NAME} and %{NAME:ARGUMENT}. False: there is no such token. to NULL: only looks. */
static bool
add_named(const StreamFormat *format, const StreamMessage *m, const char *name, StrBuf *to)
{
    static const char *const numbers[] = {"lag", "epoch", "pid"};
    const char *colon = strchr(name, ':');
    const char *what = colon == NULL ? "" : colon + 1;
    size_t len = colon == NULL ? strlen(name) : (size_t)(colon - name);
    StrView head = {name, (int32_t)len};
    BytesView bytes;

    if (strview_equal(head, STRVIEW("ts"))) {
        if (to != NULL)
            add_time(format, m, what, to);
        return true;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (colon != NULL || strcmp(name, numbers[i]) != 0)
            continue;
        if (to != NULL)
            strbuf_printf(to, "%" PRId64,
                          i == 0   ? m->lag
                          : i == 1 ? (int64_t)m->leader_epoch
                                   : m->producer_id);
        return true;
    }
    if (strcmp(what, "k") != 0 && strcmp(what, "v") != 0 && strcmp(what, "s") != 0)
        return false;
    if (!strview_equal(head, STRVIEW("hex")) && !strview_equal(head, STRVIEW("base64")) &&
        !strview_equal(head, STRVIEW("json")))
        return false;
    if (to == NULL)
        return true;
    bytes = what[0] == 'k' ? m->key : m->value;
    if (head.ptr[0] == 'j')
        strbuf_add_json(to, (StrView){(const char *)bytes.ptr, bytes.len});
    else if (bytes.ptr == NULL)
        strbuf_add_cstr(to, format->null);
    else if (head.ptr[0] == 'h')
        strbuf_add_hex(to, bytes);
    else
        base64_encode(to, bytes);
    return true;
}

/* One letter. False: no token. to NULL: only looks. */
static bool
add_token(const StreamFormat *format, const StreamMessage *m, char token, StrBuf *to)
{
    if (token == '\0' || strchr("tpokKsSRTh%", token) == NULL)
        return false;
    if (to == NULL)
        return true;
    switch (token) {
    case 't':
        strbuf_add_view(to, m->topic);
        break;
    case 'p':
        strbuf_printf(to, "%d", m->partition);
        break;
    case 'o':
        strbuf_printf(to, "%" PRId64, m->offset);
        break;
    case 'k':
        add_bytes(format, m->key, to);
        break;
    case 'K':
        add_length(m->key, to);
        break;
    case 's':
        add_bytes(format, m->value, to);
        break;
    case 'S':
        add_length(m->value, to);
        break;
    case 'R':
        add_big_endian(m->value, to);
        break;
    case 'T':
        strbuf_printf(to, "%" PRId64, m->timestamp);
        break;
    case 'h':
        add_headers(format, m, to);
        break;
    default:
        strbuf_add_char(to, '%');
        break;
    }
    return true;
}

/* Walks over a format. NULL: it is good; else the place of the first fault. m and to may be NULL together. */
static const char *
walk(const StreamFormat *format, const StreamMessage *m, StrBuf *to)
{
    const char *at = format->format;

    while (*at != '\0') {
        char byte;
        int used = escape_at(at, &byte);

        if (used > 0) {
            if (to != NULL)
                strbuf_add_char(to, byte);
            at += used;
        } else if (at[0] == '%' && at[1] == '{') {
            const char *close = strchr(at, '}');
            char name[NAME_MAX_BYTES];

            if (close == NULL || close - at - 2 >= NAME_MAX_BYTES)
                return at;
            memcpy(name, at + 2, (size_t)(close - at - 2));
            name[close - at - 2] = '\0';
            if (!add_named(format, m, name, to))
                return at;
            at = close + 1;
        } else if (at[0] == '%') {
            if (!add_token(format, m, at[1], to))
                return at;
            at += 2;
        } else {
            if (to != NULL)
                strbuf_add_char(to, *at);
            at++;
        }
    }
    return NULL;
}

const char *
stream_format_check(const char *format)
{
    StreamFormat checked = {.format = format, .null = ""};
    const char *fault = walk(&checked, NULL, NULL);

    return fault == NULL ? "" : fault;
}

/* ---- whole messages ---- */

static void
add_json(const StreamMessage *m, StrBuf *to)
{
    strbuf_add_cstr(to, "{\"topic\":");
    strbuf_add_json(to, m->topic);
    strbuf_printf(to, ",\"partition\":%d,\"offset\":%" PRId64, m->partition, m->offset);
    if (m->timestamp >= 0)
        strbuf_printf(to, ",\"tstype\":\"%s\",\"ts\":%" PRId64,
                      m->append_time ? "logappend" : "create", m->timestamp);
    strbuf_printf(to, ",\"broker\":%d,\"headers\":[", m->broker);
    for (int32_t i = 0; i < m->header_count; i++) {
        BytesView value = m->headers[i].value;

        strbuf_add_cstr(to, i == 0 ? "" : ",");
        strbuf_add_json(to, m->headers[i].key);
        strbuf_add_char(to, ',');
        strbuf_add_json(to, (StrView){(const char *)value.ptr, value.len});
    }
    strbuf_add_cstr(to, "],\"key\":");
    strbuf_add_json(to, (StrView){(const char *)m->key.ptr, m->key.len});
    strbuf_add_cstr(to, ",\"payload\":");
    strbuf_add_json(to, (StrView){(const char *)m->value.ptr, m->value.len});
    strbuf_add_cstr(to, "}\n");
}

void
stream_format_add(const StreamFormat *format, const StreamMessage *message, StrBuf *to)
{
    if (format->json) {
        add_json(message, to);
    } else if (format->format != NULL) {
        (void)walk(format, message, to);
    } else {
        if (format->key_delimiter != NULL) {
            add_bytes(format, message->key, to);
            strbuf_add_cstr(to, format->key_delimiter);
        }
        add_bytes(format, message->value, to);
        strbuf_add_cstr(to, format->delimiter);
    }
}
