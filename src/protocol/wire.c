/*
 * wire.c - the primitives of Kafka's wire format: slow paths, arrays, tagged-field sections
 *
 * Called by the generated codecs and the record-batch code. Pure.
 * Never: reads beyond reader.end, allocates for a count that the bytes left cannot hold.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/wire.h"

#include "ottla/common/assert.h"

/* ---- reader --------------------------------------------------------------------------------- */

void
wire_fail(WireReader *r, int err, const char *field)
{
    if (r->err == 0) {
        r->err = err;
        r->err_field = field;
        r->err_pos = (size_t)(r->pos - r->begin);
    }
    r->pos = r->end;
}

void *
wire_alloc(WireReader *r, int32_t count, size_t elem_bytes, const char *field)
{
    if (count <= 0 || r->err != 0)
        return NULL;
    /* count <= bytes of a frame and elem_bytes is a struct: no overflow in 64 bits */
    void *list = r->arena == NULL ? NULL : arena_alloc(r->arena, (size_t)count * elem_bytes);
    if (list == NULL)
        wire_fail(r, OT_E_NO_MEMORY, field);
    return list;
}

/* At most max_bytes bytes and bits bits; yields 0 after a fault. */
static inline uint64_t
read_groups(WireReader *r, int max_bytes, int bits, const char *field)
{
    uint64_t v = 0;
    for (int i = 0; i < max_bytes; i++) {
        if (!wire_need(r, 1, field))
            return 0;
        uint8_t b = *r->pos++;
        int room = bits - 7 * i;
        if (room < 7 && (b & 0x7f) >> room != 0)
            break;
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80)
            return v;
    }
    wire_fail(r, OT_E_MALFORMED, field);
    return 0;
}

uint32_t
wire_read_uvarint_slow(WireReader *r, const char *field)
{
    return (uint32_t)read_groups(r, 5, 32, field);
}

int32_t
wire_read_varint(WireReader *r, const char *field)
{
    uint32_t v = (uint32_t)read_groups(r, 5, 32, field);
    return (int32_t)(v >> 1 ^ (0 - (v & 1)));
}

int64_t
wire_read_varlong(WireReader *r, const char *field)
{
    uint64_t v = read_groups(r, 10, 64, field);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* Arrays of fixed-size integers: TYPE of BITS bits. The count was checked, so the loop is unchecked. */
#define INT_ARRAY_READER(TYPE, BYTES, LOAD)                                         \
    TYPE##_t *wire_read_##TYPE##_array(WireReader *r, bool flexible, bool nullable, \
                                       int32_t *ret_count, const char *field)       \
    {                                                                               \
        int32_t count = wire_read_count(r, flexible, nullable, BYTES, field);       \
        TYPE##_t *list = wire_alloc(r, count, sizeof *list, field);                 \
        *ret_count = list == NULL && count > 0 ? 0 : count;                         \
        if (list == NULL)                                                           \
            return NULL;                                                            \
        const uint8_t *p = r->pos;                                                  \
        for (int32_t i = 0; i < count; i++)                                         \
            list[i] = (TYPE##_t)LOAD(p + (size_t)i * (BYTES));                      \
        r->pos = p + (size_t)count * (BYTES);                                       \
        return list;                                                                \
    }

#define LOAD8(p) (*(p))
INT_ARRAY_READER(int8, 1, LOAD8)
INT_ARRAY_READER(int16, 2, wire_load16)
INT_ARRAY_READER(int32, 4, wire_load32)
INT_ARRAY_READER(int64, 8, wire_load64)

Uuid *
wire_read_uuid_array(WireReader *r, bool flexible, bool nullable, int32_t *ret_count,
                     const char *field)
{
    int32_t count = wire_read_count(r, flexible, nullable, sizeof(Uuid), field);
    Uuid *list = wire_alloc(r, count, sizeof *list, field);
    *ret_count = list == NULL && count > 0 ? 0 : count;
    if (list != NULL) {
        memcpy(list, r->pos, (size_t)count * sizeof *list);
        r->pos += (size_t)count * sizeof *list;
    }
    return list;
}

StrView *
wire_read_string_array(WireReader *r, bool flexible, bool nullable, int32_t *ret_count,
                       const char *field)
{
    int32_t count = wire_read_count(r, flexible, nullable, flexible ? 1 : 2, field);
    StrView *list = wire_alloc(r, count, sizeof *list, field);
    *ret_count = list == NULL && count > 0 ? 0 : count;
    for (int32_t i = 0; list != NULL && i < count; i++)
        list[i] = wire_read_string(r, flexible, false, field);
    return list;
}

/* ---- tagged-field sections ------------------------------------------------------------------- */

static const char tags_name[] = "tagged fields";

int32_t
wire_read_tag_count(WireReader *r)
{
    uint32_t n = wire_read_uvarint(r, tags_name);
    if (n > INT32_MAX)
        return 0;
    /* each takes a tag and a size */
    if (n > wire_left(r) / 2)
        wire_fail(r, OT_E_MALFORMED, tags_name);
    return r->err != 0 ? 0 : (int32_t)n;
}

uint32_t
wire_read_tag_begin(WireReader *r, const uint8_t **ret_outer_end)
{
    uint32_t tag = wire_read_uvarint(r, tags_name);
    uint32_t size = wire_read_uvarint(r, tags_name);
    *ret_outer_end = r->end;
    if (wire_need(r, size, tags_name))
        r->end = r->pos + size;
    return tag;
}

void
wire_read_unknown_tag(WireReader *r, uint32_t tag, int32_t left, WireTags **tags)
{
    if (r->err != 0)
        return;
    if (*tags == NULL) {
        WireTags *new_tags = wire_alloc(r, 1, sizeof *new_tags, tags_name);
        WireTag *list = wire_alloc(r, left, sizeof *list, tags_name);
        if (list == NULL)
            return;
        *new_tags = (WireTags){0, list};
        *tags = new_tags;
    }
    WireTag *entry = &(*tags)->list[(*tags)->count++];
    *entry = (WireTag){tag, {r->pos, (int32_t)wire_left(r)}};
    r->pos = r->end;
}

void
wire_read_tag_end(WireReader *r, const uint8_t *outer_end)
{
    if (r->pos != r->end)
        wire_fail(r, OT_E_MALFORMED, tags_name);
    r->end = outer_end;
    if (r->err != 0)
        r->pos = r->end;
}

void
wire_read_tags_slow(WireReader *r, WireTags **ret)
{
    for (int32_t left = wire_read_tag_count(r); left > 0 && r->err == 0; left--) {
        const uint8_t *outer_end;
        uint32_t tag = wire_read_tag_begin(r, &outer_end);
        wire_read_unknown_tag(r, tag, left, ret);
        wire_read_tag_end(r, outer_end);
    }
}

/* ---- sizer ---------------------------------------------------------------------------------- */

void
wire_size_fail(WireSizer *s, int err, const char *field)
{
    if (s->err == 0) {
        s->err = err;
        s->err_field = field;
    }
}

size_t
wire_varlong_size(int64_t v)
{
    uint64_t u = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
    size_t n = 1;
    for (; u >= 0x80; u >>= 7)
        n++;
    return n;
}

size_t
wire_varint_size(int32_t v)
{
    return wire_uvarint_size((uint32_t)v << 1 ^ (uint32_t)(v >> 31));
}

void
wire_size_records(WireSizer *s, bool flexible, bool nullable, const RecordsView *v,
                  const char *field)
{
    if (v->len < 0)
        wire_size_fail(s, OT_E_MESSAGE_TOO_LARGE, field);
    wire_size_length(s, flexible, true, nullable, records_is_null(v), v->len, field);
    if (records_is_file(v)) {
        s->file_bytes += (size_t)v->len;
        s->slices_count++;
    } else {
        s->bytes += (size_t)v->len;
    }
}

void
wire_size_string_array(WireSizer *s, bool flexible, bool nullable, const StrView *list,
                       int32_t count, const char *field)
{
    wire_size_count(s, flexible, nullable, count, field);
    for (int32_t i = 0; i < count; i++)
        wire_size_string(s, flexible, false, list[i], field);
}

void
wire_size_tagged(WireSizer *s, uint32_t tag, const WireSizer *content)
{
    if (content->err != 0)
        wire_size_fail(s, content->err, content->err_field);
    s->bytes +=
        wire_uvarint_size(tag) + wire_uvarint_size((uint32_t)content->bytes) + content->bytes;
}

void
wire_size_tags(WireSizer *s, uint32_t known_count, const WireTags *unknown)
{
    uint32_t count = known_count;
    for (int32_t i = 0; unknown != NULL && i < unknown->count; i++, count++) {
        uint32_t len = (uint32_t)unknown->list[i].bytes.len;
        s->bytes += wire_uvarint_size(unknown->list[i].tag) + wire_uvarint_size(len) + len;
    }
    s->bytes += wire_uvarint_size(count);
}

/* ---- writer --------------------------------------------------------------------------------- */

void
wire_overrun(void)
{
    ot_unreachable();
}

void
wire_write_uvarint_slow(WireWriter *w, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        *wire_take(w, 1) = (uint8_t)(v | 0x80);
    *wire_take(w, 1) = (uint8_t)v;
}

void
wire_write_varint(WireWriter *w, int32_t v)
{
    wire_write_uvarint(w, (uint32_t)v << 1 ^ (uint32_t)(v >> 31));
}

void
wire_write_varlong(WireWriter *w, int64_t v)
{
    uint64_t u = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
    for (; u >= 0x80; u >>= 7)
        *wire_take(w, 1) = (uint8_t)(u | 0x80);
    *wire_take(w, 1) = (uint8_t)u;
}

void
wire_write_records(WireWriter *w, bool flexible, const RecordsView *v)
{
    wire_write_length(w, flexible, true, records_is_null(v), v->len);
    if (!records_is_file(v)) {
        wire_write_raw(w, v->ptr, v->len);
        return;
    }
    ot_assert(w->slices_count < w->slices_max);
    w->slices[w->slices_count++] =
        (WireSlice){(size_t)(w->pos - w->begin), v->file_pos, v->len, v->fd};
}

#define INT_ARRAY_WRITER(TYPE, UTYPE, BYTES, STORE)                                    \
    void wire_write_##TYPE##_array(WireWriter *w, bool flexible, const TYPE##_t *list, \
                                   int32_t count)                                      \
    {                                                                                  \
        wire_write_count(w, flexible, count);                                          \
        if (count <= 0)                                                                \
            return;                                                                    \
        uint8_t *p = wire_take(w, (size_t)count * (BYTES));                            \
        for (int32_t i = 0; i < count; i++)                                            \
            STORE(p + (size_t)i * (BYTES), (UTYPE)list[i]);                            \
    }

#define STORE8(p, v) (*(p) = (v))
INT_ARRAY_WRITER(int8, uint8_t, 1, STORE8)
INT_ARRAY_WRITER(int16, uint16_t, 2, wire_store16)
INT_ARRAY_WRITER(int32, uint32_t, 4, wire_store32)
INT_ARRAY_WRITER(int64, uint64_t, 8, wire_store64)

void
wire_write_uuid_array(WireWriter *w, bool flexible, const Uuid *list, int32_t count)
{
    wire_write_count(w, flexible, count);
    if (count > 0)
        memcpy(wire_take(w, (size_t)count * sizeof *list), list, (size_t)count * sizeof *list);
}

void
wire_write_string_array(WireWriter *w, bool flexible, const StrView *list, int32_t count)
{
    wire_write_count(w, flexible, count);
    for (int32_t i = 0; i < count; i++)
        wire_write_string(w, flexible, list[i]);
}

void
wire_write_tags_head(WireWriter *w, uint32_t known_count, const WireTags *unknown)
{
    wire_write_uvarint(w, known_count + (unknown == NULL ? 0 : (uint32_t)unknown->count));
}

static void
write_unknown_tag(WireWriter *w, const WireTag *t)
{
    wire_write_uvarint(w, t->tag);
    wire_write_uvarint(w, (uint32_t)t->bytes.len);
    wire_write_raw(w, t->bytes.ptr, t->bytes.len);
}

void
wire_write_tag(WireWriter *w, uint32_t tag, size_t content_bytes, const WireTags *unknown,
               int32_t *next)
{
    while (unknown != NULL && *next < unknown->count && unknown->list[*next].tag < tag)
        write_unknown_tag(w, &unknown->list[(*next)++]);
    wire_write_uvarint(w, tag);
    wire_write_uvarint(w, (uint32_t)content_bytes);
}

void
wire_write_tags_end(WireWriter *w, const WireTags *unknown, int32_t next)
{
    for (; unknown != NULL && next < unknown->count; next++)
        write_unknown_tag(w, &unknown->list[next]);
}
