/*
 * strbuf.h - text that grows: JSON, answers of tools, messages of several parts
 *
 * Errors are sticky: after the first failure (no memory, limit) appends do nothing and
 * strbuf_failed() says so, so that callers test once at the end. The text is always zero-terminated.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_STRBUF_H
#define OTTLA_COMMON_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"

typedef struct StrBuf {
    char *ptr; /* "" before the first append */
    size_t len;
    size_t size;    /* of the memory behind ptr; 0: none */
    size_t max_len; /* len never exceeds it */
    Arena *arena;   /* where the memory comes from; NULL: malloc */
    bool failed;
} StrBuf;

/* Empty. max_len bounds the text; arena may be NULL. Nothing is allocated yet. */
void strbuf_init(StrBuf *buf, size_t max_len, Arena *arena);

/* Empty, in memory of the caller's, which holds the text with its zero; never released. */
void strbuf_init_in(StrBuf *buf, char *memory, size_t size);

/* Gives malloc'ed memory back; the buffer is empty again. */
void strbuf_release(StrBuf *buf);

/* Forgets the text and the failure, keeps the memory. */
void strbuf_clear(StrBuf *buf);

void strbuf_add(StrBuf *buf, const void *bytes, size_t len);
void strbuf_add_char(StrBuf *buf, char c);
void strbuf_add_cstr(StrBuf *buf, const char *text);
void strbuf_add_view(StrBuf *buf, StrView text); /* null adds nothing */
void strbuf_printf(StrBuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(StrBuf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* A JSON string with its quotes; null as null. Bytes that are no UTF-8 become U+FFFD. */
void strbuf_add_json(StrBuf *buf, StrView text);

/* Bytes as lower-case hex. */
void strbuf_add_hex(StrBuf *buf, BytesView bytes);

/* Outside bytes for a log line: printable ASCII as it is, '"' and '\' with a backslash, others \xNN. */
void strbuf_add_escaped(StrBuf *buf, StrView text);

/* Cuts to len, which is at most the present one. */
void strbuf_truncate(StrBuf *buf, size_t len);

bool strbuf_failed(const StrBuf *buf);
StrView strbuf_view(const StrBuf *buf);

#endif
