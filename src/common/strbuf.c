/*
 * strbuf.c - text that grows
 *
 * Runs in: every process. Never: logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"

static char nothing[1] = "";

void
strbuf_init(StrBuf *buf, size_t max_len, Arena *arena)
{
    ot_assert(max_len < SIZE_MAX / 4);
    *buf = (StrBuf){.ptr = nothing, .max_len = max_len, .arena = arena};
}

void
strbuf_init_in(StrBuf *buf, char *memory, size_t size)
{
    ot_assert(size > 0);
    memory[0] = '\0';
    *buf = (StrBuf){.ptr = memory, .size = size, .max_len = size - 1};
}

void
strbuf_release(StrBuf *buf)
{
    if (buf->arena == NULL && buf->size > 0)
        free(buf->ptr);
    strbuf_init(buf, buf->max_len, buf->arena);
}

void
strbuf_clear(StrBuf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->size > 0)
        buf->ptr[0] = '\0';
}

/* Room for more bytes and the zero; false sets failed. */
static bool
make_room(StrBuf *buf, size_t more)
{
    size_t size;
    char *bigger;

    if (buf->failed)
        return false;
    if (more > buf->max_len - buf->len) {
        buf->failed = true;
        return false;
    }
    if (buf->size - buf->len > more)
        return true;
    size = buf->size * 2 > 64 ? buf->size * 2 : 64;
    if (size < buf->len + more + 1)
        size = buf->len + more + 1;
    if (size > buf->max_len + 1)
        size = buf->max_len + 1;
    if (buf->arena != NULL)
        bigger = arena_alloc(buf->arena, size);
    else
        bigger = realloc(buf->size > 0 ? buf->ptr : NULL, size);
    if (bigger == NULL) {
        buf->failed = true;
        return false;
    }
    if (buf->arena != NULL || buf->size == 0)
        memcpy(bigger, buf->ptr, buf->len + 1);
    buf->ptr = bigger;
    buf->size = size;
    return true;
}

void
strbuf_add(StrBuf *buf, const void *bytes, size_t len)
{
    if (len == 0 || !make_room(buf, len))
        return;
    memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
    buf->ptr[buf->len] = '\0';
}

void
strbuf_add_char(StrBuf *buf, char c)
{
    strbuf_add(buf, &c, 1);
}

void
strbuf_add_cstr(StrBuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void
strbuf_add_view(StrBuf *buf, StrView text)
{
    ot_assert(text.len >= 0);
    strbuf_add(buf, text.ptr, (size_t)text.len);
}

void
strbuf_vprintf(StrBuf *buf, const char *format, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    if (len < 0)
        buf->failed = true;
    if (len > 0 && make_room(buf, (size_t)len)) {
        len = vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, again);
        ot_assert(len >= 0);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void
strbuf_printf(StrBuf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    strbuf_vprintf(buf, format, args);
    va_end(args);
}

/* The part of a JSON string for one sequence of len bytes. */
static void
add_json_char(StrBuf *buf, const uint8_t *p, size_t len)
{
    if (p[0] == '"' || p[0] == '\\') {
        strbuf_add_char(buf, '\\');
        strbuf_add(buf, p, 1);
    } else if (p[0] == '\n') {
        strbuf_add_cstr(buf, "\\n");
    } else if (p[0] == '\r') {
        strbuf_add_cstr(buf, "\\r");
    } else if (p[0] == '\t') {
        strbuf_add_cstr(buf, "\\t");
    } else if (p[0] < 0x20 || p[0] == 0x7f) {
        strbuf_printf(buf, "\\u%04x", p[0]);
    } else {
        strbuf_add(buf, p, len);
    }
}

void
strbuf_add_json(StrBuf *buf, StrView text)
{
    if (text.ptr == NULL) {
        strbuf_add_cstr(buf, "null");
        return;
    }
    strbuf_add_char(buf, '"');
    while (text.len > 0 && !buf->failed) {
        bool good;
        int32_t len = text_utf8_step(text, &good);

        if (good)
            add_json_char(buf, (const uint8_t *)text.ptr, (size_t)len);
        else
            strbuf_add_cstr(buf, "\\ufffd");
        text = (StrView){text.ptr + len, text.len - len};
    }
    strbuf_add_char(buf, '"');
}

static const char hex_digits[] = "0123456789abcdef";

void
strbuf_add_hex(StrBuf *buf, BytesView bytes)
{
    for (int32_t i = 0; i < bytes.len && !buf->failed; i++) {
        char pair[2] = {hex_digits[bytes.ptr[i] >> 4], hex_digits[bytes.ptr[i] & 15]};

        strbuf_add(buf, pair, sizeof pair);
    }
}

void
strbuf_add_escaped(StrBuf *buf, StrView text)
{
    for (int32_t i = 0; i < text.len && !buf->failed; i++) {
        uint8_t c = (uint8_t)text.ptr[i];

        if (c == '"' || c == '\\')
            strbuf_add_char(buf, '\\');
        if (c >= 0x20 && c < 0x7f)
            strbuf_add_char(buf, (char)c);
        else
            strbuf_printf(buf, "\\x%02x", c);
    }
}

void
strbuf_truncate(StrBuf *buf, size_t len)
{
    ot_assert(len <= buf->len);
    buf->len = len;
    if (buf->size > 0)
        buf->ptr[len] = '\0';
}

bool
strbuf_failed(const StrBuf *buf)
{
    return buf->failed;
}

StrView
strbuf_view(const StrBuf *buf)
{
    ot_assert(buf->len <= INT32_MAX);
    return (StrView){buf->ptr, (int32_t)buf->len};
}
