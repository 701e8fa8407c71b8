/*
 * json.c - prints messages as JSON, driven by their descriptions
 *
 * Used by tests, fuzzers, the log dump and the shell; never while a request is served. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"

/* ---- strings --------------------------------------------------------------------------------- */

/* The code point of a whole sequence. */
static uint32_t
code_point(const char *sequence, int32_t len)
{
    uint32_t c = (uint8_t)sequence[0];

    if (len > 1)
        c &= 0x7fu >> len;
    for (int32_t i = 1; i < len; i++)
        c = c << 6 | ((uint8_t)sequence[i] & 0x3fu);
    return c;
}

/* One that does not stand for itself. */
static void
add_code_point(StrBuf *text, uint32_t c)
{
    static const char named[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    const char *at = c == 0 || c > 0x7f ? NULL : strchr(named, (int)c);
    if (at != NULL)
        strbuf_printf(text, "\\%c", letters[at - named]);
    else if (c < 0x10000)
        strbuf_printf(text, "\\u%04x", (unsigned)c);
    else
        strbuf_printf(text, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
                      (unsigned)(0xdc00 + (c & 0x3ff)));
}

/* Bytes at the front that stand for themselves. */
static int32_t
plain_run(StrView v)
{
    int32_t len = 0;

    while (len < v.len && v.ptr[len] >= 0x20 && v.ptr[len] < 0x7f && v.ptr[len] != '"' &&
           v.ptr[len] != '\\')
        len++;
    return len;
}

void
json_add_string(StrBuf *text, StrView v)
{
    strbuf_add_char(text, '"');
    while (v.len > 0) {
        int32_t len = plain_run(v);
        bool good;

        if (len > 0) {
            strbuf_add(text, v.ptr, (size_t)len);
        } else {
            len = text_utf8_step(v, &good);
            add_code_point(text, good ? code_point(v.ptr, len) : 0xfffd);
        }
        v.ptr += len;
        v.len -= len;
    }
    strbuf_add_char(text, '"');
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The shortest form that reads back as the same number, with a point or an exponent. */
static void
add_float(StrBuf *text, double v)
{
    char buf[40];
    if (isnan(v) || isinf(v)) {
        strbuf_add_cstr(text, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(buf, sizeof buf, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    if (fabs(v) >= 1e-4 && fabs(v) < 1e16 && strchr(buf, 'e') != NULL)
        (void)snprintf(buf, sizeof buf, "%.0f", v);
    strbuf_add_cstr(text, buf);
    if (strpbrk(buf, ".e") == NULL)
        strbuf_add_cstr(text, ".0");
}

static void
add_uuid(StrBuf *text, const Uuid *id)
{
    static const int dash_before[16] = {[4] = 1, [6] = 1, [8] = 1, [10] = 1};
    strbuf_add_cstr(text, "\"");
    for (int i = 0; i < 16; i++) {
        if (dash_before[i])
            strbuf_add_cstr(text, "-");
        strbuf_add_hex(text, (BytesView){&id->b[i], 1});
    }
    strbuf_add_cstr(text, "\"");
}

static void
add_bytes(StrBuf *text, const BytesView *v)
{
    if (v->ptr == NULL) {
        strbuf_add_cstr(text, "null");
        return;
    }
    strbuf_add_cstr(text, "\"");
    strbuf_add_hex(text, *v);
    strbuf_add_cstr(text, "\"");
}

static void
add_records(StrBuf *text, const RecordsView *v)
{
    if (records_is_file(v))
        strbuf_printf(text, "\"file:%" PRId32 "\"", v->len);
    else
        add_bytes(text, &(BytesView){v->ptr, v->len});
}

/* What a print of one message needs everywhere. */
typedef struct Print {
    StrBuf *text;
    int16_t version;
} Print;

static void add_struct(const Print *print, const StructDesc *body, const uint8_t *at);

static void
add_value(const Print *print, const FieldDesc *f, const void *at)
{
    StrBuf *text = print->text;
    switch ((WireType)f->type) {
    case WIRE_BOOL:
        strbuf_add_cstr(text, *(const bool *)at ? "true" : "false");
        break;
    case WIRE_INT8:
        strbuf_printf(text, "%d", *(const int8_t *)at);
        break;
    case WIRE_INT16:
        strbuf_printf(text, "%d", *(const int16_t *)at);
        break;
    case WIRE_UINT16:
        strbuf_printf(text, "%u", *(const uint16_t *)at);
        break;
    case WIRE_INT32:
        strbuf_printf(text, "%" PRId32, *(const int32_t *)at);
        break;
    case WIRE_UINT32:
        strbuf_printf(text, "%" PRIu32, *(const uint32_t *)at);
        break;
    case WIRE_INT64:
        strbuf_printf(text, "%" PRId64, *(const int64_t *)at);
        break;
    case WIRE_FLOAT64:
        add_float(text, *(const double *)at);
        break;
    case WIRE_STRING:
        if (((const StrView *)at)->ptr == NULL)
            strbuf_add_cstr(text, "null");
        else
            json_add_string(text, *(const StrView *)at);
        break;
    case WIRE_UUID:
        add_uuid(text, at);
        break;
    case WIRE_BYTES:
        add_bytes(text, at);
        break;
    case WIRE_RECORDS:
        add_records(text, at);
        break;
    case WIRE_STRUCT:
        if (f->pointer)
            at = *(const void *const *)at;
        if (at == NULL)
            strbuf_add_cstr(text, "null");
        else
            add_struct(print, f->sub, at);
        break;
    case WIRE_TYPE_COUNT:
        ot_unreachable();
    }
}

static void
add_array(const Print *print, const FieldDesc *f, const uint8_t *at)
{
    int32_t count;
    const uint8_t *list;
    memcpy(&count, at + f->count_pos, sizeof count);
    memcpy(&list, at + f->pos, sizeof list);
    if (count < 0) {
        strbuf_add_cstr(print->text, "null");
        return;
    }
    strbuf_add_cstr(print->text, "[");
    for (int32_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_add_cstr(print->text, ",");
        add_value(print, f, list + (size_t)i * message_element_bytes(f));
    }
    strbuf_add_cstr(print->text, "]");
}

static void
add_unknown_tags(StrBuf *text, const WireTags *tags, bool first)
{
    strbuf_add_cstr(text, first ? "\"_unknownTags\":{" : ",\"_unknownTags\":{");
    for (int32_t i = 0; i < tags->count; i++) {
        strbuf_printf(text, i > 0 ? ",\"%" PRIu32 "\":" : "\"%" PRIu32 "\":", tags->list[i].tag);
        add_bytes(text, &tags->list[i].bytes);
    }
    strbuf_add_cstr(text, "}");
}

/* The nesting of the tables bounds the recursion. */
static void
add_struct(const Print *print, const StructDesc *body, const uint8_t *at)
{
    StrBuf *text = print->text;
    bool first = true;
    strbuf_add_cstr(text, "{");
    for (uint32_t i = 0; i < body->fields_count; i++) {
        const FieldDesc *f = &body->fields[i];
        if (print->version < f->versions.lo || print->version > f->versions.hi)
            continue;
        strbuf_printf(text, first ? "\"%s\":" : ",\"%s\":", f->name);
        first = false;
        if (f->array)
            add_array(print, f, at);
        else
            add_value(print, f, at + f->pos);
    }
    if (body->tags_pos >= 0) {
        const WireTags *tags;
        memcpy(&tags, at + body->tags_pos, sizeof tags);
        if (tags != NULL)
            add_unknown_tags(text, tags, first);
    }
    strbuf_add_cstr(text, "}");
}

void
json_add_message(StrBuf *text, const MessageDesc *desc, int16_t version, const void *msg)
{
    const Print print = {text, version};
    add_struct(&print, desc->body, msg);
}
