/*
 * json_read.c - fills any message from JSON, driven by its description
 *
 * Used by the shell and tests; never while a request is served. The nesting of the tables bounds the recursion:
 * a value that no field wants is refused, not skipped. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"
#include "ottla/protocol/json.h"

/* Fields of one struct: as many as fit into the set of those that were seen. */
#define FIELDS_MAX 64

typedef struct Scan {
    const char *begin;
    const char *at;
    const char *end;
    int16_t version;
    Arena *arena;
    ErrInfo *err;
} Scan;

static int
refuse(const Scan *s, const char *what, const char *field)
{
    return err_set(s->err, OT_E_MALFORMED, "%s%s%s at byte %td", field,
                   field[0] == '\0' ? "" : ": ", what, s->at - s->begin);
}

static int
no_memory(const Scan *s)
{
    return err_set(s->err, OT_E_NO_MEMORY, "no memory");
}

/* ---- signs and words ---------------------------------------------------------------------------- */

static void
skip_blanks(Scan *s)
{
    while (s->at < s->end && strchr(" \t\r\n", *s->at) != NULL && *s->at != '\0')
        s->at++;
}

/* Takes the sign if it is next. */
static bool
take(Scan *s, char sign)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != sign)
        return false;
    s->at++;
    return true;
}

static bool
take_word(Scan *s, const char *word)
{
    size_t len = strlen(word);

    skip_blanks(s);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return false;
    s->at += len;
    return true;
}

/* ---- strings ------------------------------------------------------------------------------------ */

/* Four hex digits; -1: not. */
static int32_t
take_unit(Scan *s)
{
    int32_t unit = 0;

    if (s->end - s->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = *s->at++;
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* As UTF-8; returns its bytes. */
static int32_t
put_code_point(char *out, int32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Behind "\u"; a pair of surrogates is one code point, half a pair none. -1: wrong. */
static int32_t
take_code_point(Scan *s)
{
    int32_t first = take_unit(s);
    int32_t second;

    if (first < 0xd800 || first > 0xdfff)
        return first;
    if (first > 0xdbff || s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
        return -1;
    s->at += 2;
    second = take_unit(s);
    if (second < 0xdc00 || second > 0xdfff)
        return -1;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

/* Behind a backslash. Bytes put, -1: wrong. */
static int32_t
take_escape(Scan *s, char *out)
{
    static const char letters[] = "bfnrt\"\\/";
    static const char meanings[] = "\b\f\n\r\t\"\\/";
    char c = s->at < s->end ? *s->at++ : '\0';
    const char *at = c == '\0' ? NULL : strchr(letters, c);
    int32_t point;

    if (at != NULL) {
        *out = meanings[at - letters];
        return 1;
    }
    point = c == 'u' ? take_code_point(s) : -1;
    return point < 0 ? -1 : put_code_point(out, point);
}

/* Where the string ends that begins behind s->at; NULL: nowhere. */
static const char *
string_end(const Scan *s)
{
    for (const char *at = s->at; at < s->end; at++) {
        if (*at == '"')
            return at;
        if (*at == '\\')
            at++;
    }
    return NULL;
}

static int
read_string(Scan *s, const char *field, StrView *ret)
{
    const char *end;
    char *out;
    int32_t len = 0;

    if (!take(s, '"'))
        return refuse(s, "a string is expected", field);
    end = string_end(s);
    if (end == NULL || end - s->at > INT32_MAX / 2)
        return refuse(s, "the string does not end", field);
    out = arena_alloc(s->arena,
                      (size_t)(end - s->at) + 4); /* escapes are longer than what they mean */
    if (out == NULL)
        return no_memory(s);
    while (s->at < end) {
        int32_t put = 1;

        if ((uint8_t)*s->at < 0x20)
            return refuse(s, "a control character in a string", field);
        if (*s->at != '\\') {
            out[len] = *s->at++;
        } else {
            s->at++;
            put = take_escape(s, out + len);
        }
        if (put < 0 || s->at > end)
            return refuse(s, "an escape that means nothing", field);
        len += put;
    }
    s->at = end + 1;
    *ret = (StrView){out, len};
    return 0;
}

/* ---- other values ------------------------------------------------------------------------------- */

static int
read_integer(Scan *s, const char *field, int64_t lo, int64_t hi, int64_t *ret)
{
    const char *begin;

    skip_blanks(s);
    begin = s->at;
    while (s->at < s->end && (*s->at == '-' || (*s->at >= '0' && *s->at <= '9')))
        s->at++;
    if (s->at - begin > 20 || !text_to_int64((StrView){begin, (int32_t)(s->at - begin)}, ret))
        return refuse(s, "an integer is expected", field);
    if (*ret < lo || *ret > hi)
        return refuse(s, "the number does not fit", field);
    return 0;
}

static int
read_float(Scan *s, const char *field, double *ret)
{
    const char *begin;

    skip_blanks(s);
    begin = s->at;
    while (s->at < s->end && *s->at != '\0' && strchr("+-.0123456789eE", *s->at) != NULL)
        s->at++;
    if (s->at - begin > 64 || !text_to_double((StrView){begin, (int32_t)(s->at - begin)}, ret))
        return refuse(s, "a number is expected", field);
    return 0;
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* Hex digits in place; the string was ours. */
static int
read_hex(Scan *s, const char *field, BytesView *ret)
{
    StrView text;
    uint8_t *out;
    int rc = read_string(s, field, &text);

    if (rc != 0)
        return rc;
    out = arena_alloc(s->arena, (size_t)text.len / 2);
    if (out == NULL)
        return no_memory(s);
    for (int32_t i = 0; i + 1 < text.len; i += 2) {
        int high = hex_digit(text.ptr[i]);
        int low = hex_digit(text.ptr[i + 1]);

        if (high < 0 || low < 0)
            return refuse(s, "bytes are written as hex digits", field);
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    if (text.len % 2 != 0)
        return refuse(s, "bytes are written as pairs of hex digits", field);
    *ret = (BytesView){out, text.len / 2};
    return 0;
}

/* 22 characters of Kafka's form, or 32 hex digits with dashes anywhere. */
static int
read_uuid(Scan *s, const char *field, Uuid *ret)
{
    StrView text;
    Uuid id = {{0}};
    int digits = 0;
    int rc = read_string(s, field, &text);

    if (rc != 0)
        return rc;
    if (uuid_from_text(text, ret))
        return 0;
    for (int32_t i = 0; i < text.len; i++) {
        int digit = hex_digit(text.ptr[i]);

        if (text.ptr[i] == '-')
            continue;
        if (digit < 0 || digits == 32)
            return refuse(s, "a uuid is expected", field);
        id.b[digits / 2] = (uint8_t)(id.b[digits / 2] << 4 | digit);
        digits++;
    }
    if (digits != 32)
        return refuse(s, "a uuid is expected", field);
    *ret = id;
    return 0;
}

/* ---- fields ------------------------------------------------------------------------------------- */

static int read_struct(Scan *s, const StructDesc *body, bool whole, uint8_t *at);

static int
read_number(Scan *s, const FieldDesc *f, uint8_t *at)
{
    static const struct {
        int64_t lo, hi;
    } range[WIRE_TYPE_COUNT] = {
        [WIRE_INT8] = {INT8_MIN, INT8_MAX}, [WIRE_INT16] = {INT16_MIN, INT16_MAX},
        [WIRE_UINT16] = {0, UINT16_MAX},    [WIRE_INT32] = {INT32_MIN, INT32_MAX},
        [WIRE_UINT32] = {0, UINT32_MAX},    [WIRE_INT64] = {INT64_MIN, INT64_MAX},
    };
    int64_t number;
    int rc = read_integer(s, f->name, range[f->type].lo, range[f->type].hi, &number);

    if (rc == 0) /* little-endian, and it fits: its first bytes are the number */
        memcpy(at, &number, message_element_bytes(f));
    return rc;
}

static int
read_records(Scan *s, const FieldDesc *f, RecordsView *ret)
{
    BytesView bytes;
    int rc = read_hex(s, f->name, &bytes);

    if (rc == 0)
        *ret = records_in_memory(bytes.ptr, bytes.len);
    return rc;
}

static int
read_nested(Scan *s, const FieldDesc *f, uint8_t *at)
{
    uint8_t *body = at;

    if (f->pointer) {
        body = arena_calloc(s->arena, 1, f->sub->bytes);
        if (body == NULL)
            return no_memory(s);
        memcpy(at, &body, sizeof body);
    }
    return read_struct(s, f->sub, true, body);
}

static int
read_value(Scan *s, const FieldDesc *f, void *at)
{
    switch ((WireType)f->type) {
    case WIRE_BOOL:
        *(bool *)at = take_word(s, "true");
        return *(bool *)at || take_word(s, "false") ? 0 : refuse(s, "true or false", f->name);
    case WIRE_INT8:
    case WIRE_INT16:
    case WIRE_UINT16:
    case WIRE_INT32:
    case WIRE_UINT32:
    case WIRE_INT64:
        return read_number(s, f, at);
    case WIRE_FLOAT64:
        return read_float(s, f->name, at);
    case WIRE_STRING:
        return read_string(s, f->name, at);
    case WIRE_UUID:
        return read_uuid(s, f->name, at);
    case WIRE_BYTES:
        return read_hex(s, f->name, at);
    case WIRE_RECORDS:
        return read_records(s, f, at);
    case WIRE_STRUCT:
        return read_nested(s, f, at);
    case WIRE_TYPE_COUNT:
        break;
    }
    ot_unreachable();
}

/* "null" where a value may be null. */
static void
set_null(const FieldDesc *f, uint8_t *at)
{
    static const int32_t none = -1;
    size_t bytes = f->array || f->pointer ? sizeof(void *) : message_element_bytes(f);

    memset(at + f->pos, 0, bytes); /* null views and pointers are zeroes */
    if (f->array)
        memcpy(at + f->count_pos, &none, sizeof none);
}

/* An element more of a list that has `count`; a longer list when it is full. */
static uint8_t *
grow(Scan *s, uint8_t *list, int32_t count, int32_t *size, size_t bytes)
{
    uint8_t *longer;

    if (count < *size)
        return list;
    *size = *size == 0 ? 4 : *size * 2;
    longer = *size > INT32_MAX / 4 ? NULL : arena_calloc(s->arena, (size_t)*size, bytes);
    if (longer != NULL && count > 0)
        memcpy(longer, list, (size_t)count * bytes);
    return longer;
}

static int
read_array(Scan *s, const FieldDesc *f, uint8_t *at)
{
    size_t bytes = message_element_bytes(f);
    uint8_t *list = NULL;
    int32_t count = 0, size = 0;
    int rc;

    if (!take(s, '['))
        return refuse(s, "an array is expected", f->name);
    if (!take(s, ']')) {
        do {
            list = grow(s, list, count, &size, bytes);
            if (list == NULL)
                return no_memory(s);
            rc = read_value(s, f, list + (size_t)count * bytes);
            if (rc != 0)
                return rc;
            count++;
        } while (take(s, ','));
        if (!take(s, ']'))
            return refuse(s, "a comma or bracket is expected", f->name);
    }
    memcpy(at + f->pos, &list, sizeof list);
    memcpy(at + f->count_pos, &count, sizeof count);
    return 0;
}

static bool
has_version(VersionRange range, int16_t version)
{
    return version >= range.lo && version <= range.hi;
}

static int
read_field(Scan *s, const FieldDesc *f, uint8_t *at)
{
    if (has_version(f->nullable, s->version) && take_word(s, "null")) {
        set_null(f, at);
        return 0;
    }
    return f->array ? read_array(s, f, at) : read_value(s, f, at + f->pos);
}

/* ---- structs ------------------------------------------------------------------------------------ */

/* The number of the field of this name in this version; -1: none. */
static int
find_field(const Scan *s, const StructDesc *body, StrView name)
{
    for (uint32_t i = 0; i < body->fields_count; i++)
        if (has_version(body->fields[i].versions, s->version) &&
            strview_equal(name, strview_from(body->fields[i].name)))
            return (int)i;
    return -1;
}

static int
read_pairs(Scan *s, const StructDesc *body, uint8_t *at, uint64_t *ret_seen)
{
    do {
        StrView name;
        int rc = read_string(s, "", &name);
        int i = rc != 0 ? -1 : find_field(s, body, name);

        if (rc != 0)
            return rc;
        if (i < 0)
            return err_set(s->err, OT_E_MALFORMED, "%s has no field \"%.*s\" in version %d",
                           body->name, name.len, name.ptr, s->version);
        if ((*ret_seen >> i & 1) != 0)
            return refuse(s, "given twice", body->fields[i].name);
        if (!take(s, ':'))
            return refuse(s, "a colon is expected", body->fields[i].name);
        *ret_seen |= (uint64_t)1 << i;
        rc = read_field(s, &body->fields[i], at);
        if (rc != 0)
            return rc;
    } while (take(s, ','));
    return 0;
}

/* Fields of an element that were not given: uuids and those with a tag are zero, nullable ones null, others an error. */
static int
fill_missing(const Scan *s, const StructDesc *body, uint64_t seen, uint8_t *at)
{
    for (uint32_t i = 0; i < body->fields_count; i++) {
        const FieldDesc *f = &body->fields[i];

        if ((seen >> i & 1) != 0 || !has_version(f->versions, s->version))
            continue;
        if (has_version(f->nullable, s->version))
            set_null(f, at);
        else if (f->tag < 0 && (f->type != WIRE_UUID || f->array))
            return err_set(s->err, OT_E_MALFORMED, "%s lacks the field \"%s\"", body->name,
                           f->name);
    }
    return 0;
}

/* whole: there are no defaults in it. */
static int
read_struct(Scan *s, const StructDesc *body, bool whole, uint8_t *at)
{
    uint64_t seen = 0;
    int rc;

    ot_assert(body->fields_count <= FIELDS_MAX);
    if (!take(s, '{'))
        return refuse(s, "an object is expected", body->name);
    if (!take(s, '}')) {
        rc = read_pairs(s, body, at, &seen);
        if (rc != 0)
            return rc;
        if (!take(s, '}'))
            return refuse(s, "a comma or brace is expected", body->name);
    }
    return whole ? fill_missing(s, body, seen, at) : 0;
}

int
json_read_message(JsonText text, const MessageDesc *desc, void *ret, Arena *arena, ErrInfo *err)
{
    Scan s = {text.text.ptr, text.text.ptr, text.text.ptr + text.text.len,
              text.version,  arena,         err};
    int rc;

    desc->init(ret);
    rc = read_struct(&s, desc->body, false, ret);
    if (rc != 0)
        return rc;
    skip_blanks(&s);
    return s.at == s.end ? 0 : refuse(&s, "something behind the object", "");
}
