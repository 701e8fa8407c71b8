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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ottla/common/assert.h"

#define ROOM_AT_FIRST 1024

/* ---- text ------------------------------------------------------------------------------------ */

void
json_add_raw(JsonText *text, const char *raw, size_t len)
{
    if (text->failed)
        return;
    if (text->room - text->len <= len) {
        size_t room = text->room == 0 ? ROOM_AT_FIRST : text->room;
        while (room - text->len <= len)
            room *= 2;
        char *ptr = realloc(text->ptr, room);
        if (ptr == NULL) {
            text->failed = true;
            return;
        }
        text->ptr = ptr;
        text->room = room;
    }
    memcpy(text->ptr + text->len, raw, len);
    text->len += len;
    text->ptr[text->len] = '\0';
}

void
json_clear(JsonText *text)
{
    text->len = 0;
    text->failed = false;
}

void
json_fini(JsonText *text)
{
    free(text->ptr);
    *text = (JsonText){0};
}

static void
add(JsonText *text, const char *raw)
{
    json_add_raw(text, raw, strlen(raw));
}

__attribute__((format(printf, 2, 3))) static void
addf(JsonText *text, const char *format, ...)
{
    char buf[80];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(buf, sizeof buf, format, args);
    va_end(args);
    ot_assert(len >= 0 && len < (int)sizeof buf);
    json_add_raw(text, buf, (size_t)len);
}

static void
add_hex(JsonText *text, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        json_add_raw(text, pair, 2);
    }
}

/* ---- strings --------------------------------------------------------------------------------- */

/*
 * Takes one code point off [*p, end); U+FFFD for a byte that begins no valid sequence, which is then
 * the only one taken.
 */
static uint32_t
next_code_point(const uint8_t **p, const uint8_t *end)
{
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    uint32_t c = *(*p)++;
    if (c < 0x80)
        return c;
    int more = c >= 0xf0 && c < 0xf8   ? 3
               : c >= 0xe0 && c < 0xf0 ? 2
               : c >= 0xc0 && c < 0xe0 ? 1
                                       : 0;
    if (more == 0 || end - *p < more)
        return 0xfffd;
    uint32_t v = c & (0x3fu >> more);
    for (int i = 0; i < more; i++) {
        if (((*p)[i] & 0xc0) != 0x80)
            return 0xfffd;
        v = v << 6 | ((*p)[i] & 0x3fu);
    }
    if (v < least[more] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return 0xfffd;
    *p += more;
    return v;
}

static void
add_code_point(JsonText *text, uint32_t c)
{
    static const char named[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    const char *at = c == 0 || c > 0x7f ? NULL : strchr(named, (int)c);
    if (at != NULL)
        addf(text, "\\%c", letters[at - named]);
    else if (c >= 0x20 && c < 0x7f)
        addf(text, "%c", (char)c);
    else if (c < 0x10000)
        addf(text, "\\u%04x", (unsigned)c);
    else
        addf(text, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
             (unsigned)(0xdc00 + (c & 0x3ff)));
}

void
json_add_string(JsonText *text, StrView v)
{
    const uint8_t *p = (const uint8_t *)v.ptr;
    const uint8_t *end = p + v.len;
    add(text, "\"");
    while (p < end) {
        const uint8_t *plain = p;
        while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
            p++;
        json_add_raw(text, (const char *)plain, (size_t)(p - plain));
        if (p < end)
            add_code_point(text, next_code_point(&p, end));
    }
    add(text, "\"");
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The shortest form that reads back as the same number, with a point or an exponent. */
static void
add_float(JsonText *text, double v)
{
    char buf[40];
    if (isnan(v) || isinf(v)) {
        add(text, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(buf, sizeof buf, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    if (fabs(v) >= 1e-4 && fabs(v) < 1e16 && strchr(buf, 'e') != NULL)
        (void)snprintf(buf, sizeof buf, "%.0f", v);
    add(text, buf);
    if (strpbrk(buf, ".e") == NULL)
        add(text, ".0");
}

static void
add_uuid(JsonText *text, const Uuid *id)
{
    static const int dash_before[16] = {[4] = 1, [6] = 1, [8] = 1, [10] = 1};
    add(text, "\"");
    for (int i = 0; i < 16; i++) {
        if (dash_before[i])
            add(text, "-");
        add_hex(text, &id->b[i], 1);
    }
    add(text, "\"");
}

static void
add_bytes(JsonText *text, const BytesView *v)
{
    if (v->ptr == NULL) {
        add(text, "null");
        return;
    }
    add(text, "\"");
    add_hex(text, v->ptr, (size_t)v->len);
    add(text, "\"");
}

static void
add_records(JsonText *text, const RecordsView *v)
{
    if (records_is_file(v))
        addf(text, "\"file:%" PRId32 "\"", v->len);
    else
        add_bytes(text, &(BytesView){v->ptr, v->len});
}

/* What a print of one message needs everywhere. */
typedef struct Print {
    JsonText *text;
    int16_t version;
} Print;

static void add_struct(const Print *print, const StructDesc *body, const uint8_t *at);

static void
add_value(const Print *print, const FieldDesc *f, const void *at)
{
    JsonText *text = print->text;
    switch ((WireType)f->type) {
    case WIRE_BOOL:
        add(text, *(const bool *)at ? "true" : "false");
        break;
    case WIRE_INT8:
        addf(text, "%d", *(const int8_t *)at);
        break;
    case WIRE_INT16:
        addf(text, "%d", *(const int16_t *)at);
        break;
    case WIRE_UINT16:
        addf(text, "%u", *(const uint16_t *)at);
        break;
    case WIRE_INT32:
        addf(text, "%" PRId32, *(const int32_t *)at);
        break;
    case WIRE_UINT32:
        addf(text, "%" PRIu32, *(const uint32_t *)at);
        break;
    case WIRE_INT64:
        addf(text, "%" PRId64, *(const int64_t *)at);
        break;
    case WIRE_FLOAT64:
        add_float(text, *(const double *)at);
        break;
    case WIRE_STRING:
        if (((const StrView *)at)->ptr == NULL)
            add(text, "null");
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
            add(text, "null");
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
        add(print->text, "null");
        return;
    }
    add(print->text, "[");
    for (int32_t i = 0; i < count; i++) {
        if (i > 0)
            add(print->text, ",");
        add_value(print, f, list + (size_t)i * message_element_bytes(f));
    }
    add(print->text, "]");
}

static void
add_unknown_tags(JsonText *text, const WireTags *tags, bool first)
{
    add(text, first ? "\"_unknownTags\":{" : ",\"_unknownTags\":{");
    for (int32_t i = 0; i < tags->count; i++) {
        addf(text, i > 0 ? ",\"%" PRIu32 "\":" : "\"%" PRIu32 "\":", tags->list[i].tag);
        add_bytes(text, &tags->list[i].bytes);
    }
    add(text, "}");
}

/* The nesting of the tables bounds the recursion. */
static void
add_struct(const Print *print, const StructDesc *body, const uint8_t *at)
{
    JsonText *text = print->text;
    bool first = true;
    add(text, "{");
    for (uint32_t i = 0; i < body->fields_count; i++) {
        const FieldDesc *f = &body->fields[i];
        if (print->version < f->versions.lo || print->version > f->versions.hi)
            continue;
        addf(text, first ? "\"%s\":" : ",\"%s\":", f->name);
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
    add(text, "}");
}

void
json_add_message(JsonText *text, const MessageDesc *desc, int16_t version, const void *msg)
{
    const Print print = {text, version};
    add_struct(&print, desc->body, msg);
}
