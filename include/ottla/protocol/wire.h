/*
 * wire.h - the primitives of Kafka's wire format: bounds-checked reader, sizer, writer
 *
 * The generated codecs (ottla/protocol/msg_*.h) are made of these. Three passes exist:
 *
 *   read   bytes to a struct. Strings, bytes and records are views into the buffer; arrays come from
 *          the reader's arena. The error is sticky: after the first fault every read yields zero and
 *          the caller tests reader.err once, at the end.
 *   size   struct to number of bytes; here, and only here, a value that the version cannot carry is
 *          noticed (sticky error again).
 *   write  struct to bytes, into a buffer of the size that the size pass gave. It cannot fail; a
 *          buffer that is too small is a broken promise of our own code.
 *
 * Pure: no process, no clock, no file. File slices are only noted, somebody else sends them.
 * Spec: ../shared/protocol/README.md of the specification, "The wire format".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_WIRE_H
#define OTTLA_PROTOCOL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/errlist.h"
#include "ottla/common/view.h"

/* ---- types of fields ------------------------------------------------------------------------ */

/*
 * Record batches back to back: in memory, or a piece of a file that leaves by sendfile.
 *
 *   null       ptr NULL, len 0
 *   memory     ptr set (also when len is 0)
 *   file       ptr NULL, len > 0: fd and file_pos say where the bytes are
 *
 * A zeroed RecordsView is therefore null; fd counts in the third case alone.
 */
typedef struct RecordsView {
    const uint8_t *ptr;
    int32_t len;
    int fd;
    int64_t file_pos;
} RecordsView;

/* Tagged fields that the tables do not know, in the order in which they came. */
typedef struct WireTag {
    uint32_t tag;
    BytesView bytes;
} WireTag;

typedef struct WireTags {
    int32_t count;
    WireTag *list;
} WireTags;

#define WIRE_NULL_STRING   ((StrView){NULL, 0})
#define WIRE_EMPTY_STRING  ((StrView){"", 0})
#define WIRE_NULL_BYTES    ((BytesView){NULL, 0})
#define WIRE_EMPTY_BYTES   ((BytesView){(const uint8_t *)"", 0})
#define WIRE_NULL_RECORDS  ((RecordsView){NULL, 0, -1, 0})
#define WIRE_EMPTY_RECORDS ((RecordsView){(const uint8_t *)"", 0, -1, 0})

#define WIRE_STRING_BYTES_MAX 32767

static inline RecordsView
records_in_memory(const uint8_t *ptr, int32_t len)
{
    return (RecordsView){len == 0 ? (const uint8_t *)"" : ptr, len, -1, 0};
}

/* A piece of a file; the descriptor must stay open until the bytes were sent. len 0: empty, not null. */
static inline RecordsView
records_in_file(int fd, int64_t file_pos, int32_t len)
{
    return len == 0 ? WIRE_EMPTY_RECORDS : (RecordsView){NULL, len, fd, file_pos};
}

static inline bool
records_is_file(const RecordsView *records)
{
    return records->ptr == NULL && records->len > 0;
}

static inline bool
records_is_null(const RecordsView *records)
{
    return records->ptr == NULL && records->len == 0;
}

/* ---- reader --------------------------------------------------------------------------------- */

/* After an error pos equals end, so that every check of bounds fails at once. */
typedef struct WireReader {
    const uint8_t *begin;
    const uint8_t *pos;
    const uint8_t *end;
    Arena *arena;          /* for arrays; NULL: the message has none, or one is an error */
    int err;               /* 0, OT_E_MALFORMED, OT_E_NO_MEMORY, OT_E_UNSUPPORTED_VERSION */
    const char *err_field; /* Kafka's name of the field at the first fault */
    size_t err_pos;        /* bytes from begin to the first fault */
} WireReader;

/* bytes must outlive everything that is read from them. */
static inline void
wire_reader_init(WireReader *r, const uint8_t *bytes, size_t len, Arena *arena)
{
    *r = (WireReader){bytes, bytes, bytes + len, arena, 0, NULL, 0};
}

static inline size_t
wire_left(const WireReader *r)
{
    return (size_t)(r->end - r->pos);
}

/* Notes the first fault; later ones are ignored. */
void wire_fail(WireReader *r, int err, const char *field) __attribute__((cold, noinline));

/* count elements of elem_bytes from the arena, not cleared; NULL when count <= 0 or after an error. */
void *wire_alloc(WireReader *r, int32_t count, size_t elem_bytes, const char *field);

/* The slow paths of the inline functions below. */
uint32_t wire_read_uvarint_slow(WireReader *r, const char *field);

static inline bool
wire_need(WireReader *r, size_t bytes, const char *field)
{
    if (__builtin_expect(wire_left(r) < bytes, 0)) {
        wire_fail(r, OT_E_MALFORMED, field);
        return false;
    }
    return true;
}

static inline uint16_t
wire_load16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}

static inline uint32_t
wire_load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

static inline uint64_t
wire_load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

static inline void
wire_store16(uint8_t *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, sizeof v);
}

static inline void
wire_store32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}

static inline void
wire_store64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

static inline bool
wire_read_bool(WireReader *r, const char *field)
{
    return wire_need(r, 1, field) ? *r->pos++ != 0 : false;
}

static inline int8_t
wire_read_int8(WireReader *r, const char *field)
{
    return wire_need(r, 1, field) ? (int8_t)*r->pos++ : 0;
}

static inline uint16_t
wire_read_uint16(WireReader *r, const char *field)
{
    if (!wire_need(r, 2, field))
        return 0;
    r->pos += 2;
    return wire_load16(r->pos - 2);
}

static inline int16_t
wire_read_int16(WireReader *r, const char *field)
{
    return (int16_t)wire_read_uint16(r, field);
}

static inline uint32_t
wire_read_uint32(WireReader *r, const char *field)
{
    if (!wire_need(r, 4, field))
        return 0;
    r->pos += 4;
    return wire_load32(r->pos - 4);
}

static inline int32_t
wire_read_int32(WireReader *r, const char *field)
{
    return (int32_t)wire_read_uint32(r, field);
}

static inline int64_t
wire_read_int64(WireReader *r, const char *field)
{
    if (!wire_need(r, 8, field))
        return 0;
    r->pos += 8;
    return (int64_t)wire_load64(r->pos - 8);
}

static inline double
wire_read_float64(WireReader *r, const char *field)
{
    uint64_t bits = (uint64_t)wire_read_int64(r, field);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline Uuid
wire_read_uuid(WireReader *r, const char *field)
{
    Uuid id = {{0}};
    if (wire_need(r, sizeof id.b, field)) {
        memcpy(id.b, r->pos, sizeof id.b);
        r->pos += sizeof id.b;
    }
    return id;
}

/* Seven bits a byte, lowest group first, at most five bytes and 32 bits. */
static inline uint32_t
wire_read_uvarint(WireReader *r, const char *field)
{
    if (__builtin_expect(r->pos < r->end && *r->pos < 0x80, 1))
        return *r->pos++;
    return wire_read_uvarint_slow(r, field);
}

/* Zigzag forms, as inside record batches; at most 5 and 10 bytes. */
int32_t wire_read_varint(WireReader *r, const char *field);
int64_t wire_read_varlong(WireReader *r, const char *field);

/*
 * The length of a string (wide false) or of bytes, records and arrays; -1 means null. Every negative
 * length counts as null, and null where it is not allowed is a fault.
 */
static inline int32_t
wire_read_length(WireReader *r, bool flexible, bool wide, bool nullable, const char *field)
{
    int32_t n;
    if (flexible)
        n = (int32_t)(wire_read_uvarint(r, field) - 1);
    else if (wide)
        n = wire_read_int32(r, field);
    else
        n = wire_read_int16(r, field);
    if (__builtin_expect(n < 0, 0)) {
        if (!nullable)
            wire_fail(r, OT_E_MALFORMED, field);
        return -1;
    }
    return n;
}

static inline StrView
wire_read_string(WireReader *r, bool flexible, bool nullable, const char *field)
{
    int32_t n = wire_read_length(r, flexible, false, nullable, field);
    StrView v = WIRE_NULL_STRING;
    if (n < 0)
        return v;
    if (__builtin_expect(n > WIRE_STRING_BYTES_MAX, 0)) {
        wire_fail(r, OT_E_MALFORMED, field);
        return v;
    }
    if (wire_need(r, (size_t)n, field)) {
        v = (StrView){(const char *)r->pos, n};
        r->pos += n;
    }
    return v;
}

static inline BytesView
wire_read_bytes(WireReader *r, bool flexible, bool nullable, const char *field)
{
    int32_t n = wire_read_length(r, flexible, true, nullable, field);
    BytesView v = WIRE_NULL_BYTES;
    if (n >= 0 && wire_need(r, (size_t)n, field)) {
        v = (BytesView){r->pos, n};
        r->pos += n;
    }
    return v;
}

static inline RecordsView
wire_read_records(WireReader *r, bool flexible, bool nullable, const char *field)
{
    BytesView v = wire_read_bytes(r, flexible, nullable, field);
    return (RecordsView){v.ptr, v.len, -1, 0};
}

/*
 * The count of an array whose elements take at least min_bytes each; -1: null. A count that the bytes
 * left cannot hold is a fault, before anything is allocated. Yields 0 after an error.
 */
static inline int32_t
wire_read_count(WireReader *r, bool flexible, bool nullable, size_t min_bytes, const char *field)
{
    int32_t n = wire_read_length(r, flexible, true, nullable, field);
    if (__builtin_expect(n > 0 && (size_t)n > wire_left(r) / min_bytes, 0))
        wire_fail(r, OT_E_MALFORMED, field);
    return __builtin_expect(r->err != 0, 0) ? 0 : n;
}

/* What stands before a nullable struct: an int8, or inside a tagged field a uvarint. */
static inline bool
wire_read_present(WireReader *r, bool tagged, const char *field)
{
    bool present = tagged ? wire_read_uvarint(r, field) > 0 : wire_read_int8(r, field) >= 0;
    return present && r->err == 0;
}

/* Arrays of primitives: count and elements. */
int8_t *wire_read_int8_array(WireReader *r, bool flexible, bool nullable, int32_t *ret_count,
                             const char *field);
int16_t *wire_read_int16_array(WireReader *r, bool flexible, bool nullable, int32_t *ret_count,
                               const char *field);
int32_t *wire_read_int32_array(WireReader *r, bool flexible, bool nullable, int32_t *ret_count,
                               const char *field);
int64_t *wire_read_int64_array(WireReader *r, bool flexible, bool nullable, int32_t *ret_count,
                               const char *field);
Uuid *wire_read_uuid_array(WireReader *r, bool flexible, bool nullable, int32_t *ret_count,
                           const char *field);
StrView *wire_read_string_array(WireReader *r, bool flexible, bool nullable, int32_t *ret_count,
                                const char *field);

/*
 * A tagged-field section, from count to last byte. Duplicate and unordered tags are accepted, as
 * Kafka does; the last one of a known tag counts. A count above 2^31-1 reads as negative: no tags.
 *
 *   for (int32_t left = wire_read_tag_count(r); left > 0 && r->err == 0; left--) {
 *       const uint8_t *outer_end;
 *       uint32_t tag = wire_read_tag_begin(r, &outer_end);
 *       ...read a known one, or:
 *       wire_read_unknown_tag(r, tag, left, &ret->unknown_tags);
 *       wire_read_tag_end(r, outer_end);
 *   }
 *
 * Between begin and end the reader sees the bytes of that field alone; all must be used.
 */
int32_t wire_read_tag_count(WireReader *r);
uint32_t wire_read_tag_begin(WireReader *r, const uint8_t **ret_outer_end);
void wire_read_unknown_tag(WireReader *r, uint32_t tag, int32_t left, WireTags **tags);
void wire_read_tag_end(WireReader *r, const uint8_t *outer_end);
void wire_read_tags_slow(WireReader *r, WireTags **ret);

/* The section of a struct that knows no tags; NULL when it is empty. */
static inline WireTags *
wire_read_tags(WireReader *r)
{
    WireTags *tags = NULL;
    if (__builtin_expect(r->pos < r->end && *r->pos == 0, 1))
        r->pos++;
    else
        wire_read_tags_slow(r, &tags);
    return tags;
}

/* ---- sizer ---------------------------------------------------------------------------------- */

/* Start with a zeroed one; a size function adds to it. */
typedef struct WireSizer {
    size_t bytes;          /* that the writer puts into its buffer */
    size_t file_bytes;     /* that are sent from files; on the wire: bytes + file_bytes */
    int32_t slices_count;  /* pieces of files */
    int err;               /* 0, OT_E_UNSUPPORTED_VERSION, OT_E_MESSAGE_TOO_LARGE */
    const char *err_field; /* Kafka's name of the field at the first fault */
} WireSizer;

/* Notes the first value that cannot be written. */
void wire_size_fail(WireSizer *s, int err, const char *field) __attribute__((cold, noinline));

static inline size_t
wire_uvarint_size(uint32_t v)
{
    return v < 0x80 ? 1 : v < 0x4000 ? 2 : v < 0x200000 ? 3 : v < 0x10000000 ? 4 : 5;
}

size_t wire_varint_size(int32_t v);
size_t wire_varlong_size(int64_t v);

/* Lengths and counts; null says that the value is null, n is 0 then. */
static inline void
wire_size_length(WireSizer *s, bool flexible, bool wide, bool nullable, bool null, int32_t n,
                 const char *field)
{
    if (__builtin_expect(null && !nullable, 0))
        wire_size_fail(s, OT_E_UNSUPPORTED_VERSION, field);
    s->bytes += !flexible ? (wide ? 4 : 2) : null ? 1 : wire_uvarint_size((uint32_t)n + 1);
}

static inline void
wire_size_string(WireSizer *s, bool flexible, bool nullable, StrView v, const char *field)
{
    if (__builtin_expect(v.len > WIRE_STRING_BYTES_MAX || v.len < 0, 0))
        wire_size_fail(s, OT_E_MESSAGE_TOO_LARGE, field);
    wire_size_length(s, flexible, false, nullable, v.ptr == NULL, v.len, field);
    s->bytes += (size_t)v.len;
}

static inline void
wire_size_bytes(WireSizer *s, bool flexible, bool nullable, BytesView v, const char *field)
{
    if (__builtin_expect(v.len < 0, 0))
        wire_size_fail(s, OT_E_MESSAGE_TOO_LARGE, field);
    wire_size_length(s, flexible, true, nullable, v.ptr == NULL, v.len, field);
    s->bytes += (size_t)v.len;
}

void wire_size_records(WireSizer *s, bool flexible, bool nullable, const RecordsView *v,
                       const char *field);

/* The count of an array; count < 0 is null. */
static inline void
wire_size_count(WireSizer *s, bool flexible, bool nullable, int32_t count, const char *field)
{
    wire_size_length(s, flexible, true, nullable, count < 0, count < 0 ? 0 : count, field);
}

static inline void
wire_size_fixed_array(WireSizer *s, bool flexible, bool nullable, int32_t count, size_t elem_bytes,
                      const char *field)
{
    wire_size_count(s, flexible, nullable, count, field);
    s->bytes += count > 0 ? (size_t)count * elem_bytes : 0;
}

void wire_size_string_array(WireSizer *s, bool flexible, bool nullable, const StrView *list,
                            int32_t count, const char *field);

/* A tagged field whose content takes content->bytes; errors of the content are taken over. */
void wire_size_tagged(WireSizer *s, uint32_t tag, const WireSizer *content);

/* The count of a section with known_count known tags, and the unknown ones whole. */
void wire_size_tags(WireSizer *s, uint32_t known_count, const WireTags *unknown);

/* Bytes of a message, a heading before it, and so on must fit an int32 frame size. */
static inline size_t
wire_size_on_wire(const WireSizer *s)
{
    return s->bytes + s->file_bytes;
}

/* ---- writer --------------------------------------------------------------------------------- */

/* Where the bytes of a file go: after buf_pos bytes of the buffer. */
typedef struct WireSlice {
    size_t buf_pos;
    int64_t file_pos;
    int32_t len;
    int fd;
} WireSlice;

typedef struct WireWriter {
    uint8_t *begin;
    uint8_t *pos;
    uint8_t *end;
    WireSlice *slices; /* room for slices_max; may be NULL when there are no file records */
    int32_t slices_count;
    int32_t slices_max;
} WireWriter;

static inline void
wire_writer_init(WireWriter *w, uint8_t *buf, size_t len)
{
    *w = (WireWriter){buf, buf, buf + len, NULL, 0, 0};
}

/* Panics: the buffer is smaller than the size pass said. */
_Noreturn void wire_overrun(void) __attribute__((cold));

static inline uint8_t *
wire_take(WireWriter *w, size_t bytes)
{
    uint8_t *p = w->pos;
    if (__builtin_expect((size_t)(w->end - p) < bytes, 0))
        wire_overrun();
    w->pos += bytes;
    return p;
}

static inline void
wire_write_bool(WireWriter *w, bool v)
{
    *wire_take(w, 1) = v ? 1 : 0;
}

static inline void
wire_write_int8(WireWriter *w, int8_t v)
{
    *wire_take(w, 1) = (uint8_t)v;
}

static inline void
wire_write_uint16(WireWriter *w, uint16_t v)
{
    wire_store16(wire_take(w, 2), v);
}

static inline void
wire_write_int16(WireWriter *w, int16_t v)
{
    wire_store16(wire_take(w, 2), (uint16_t)v);
}

static inline void
wire_write_uint32(WireWriter *w, uint32_t v)
{
    wire_store32(wire_take(w, 4), v);
}

static inline void
wire_write_int32(WireWriter *w, int32_t v)
{
    wire_store32(wire_take(w, 4), (uint32_t)v);
}

static inline void
wire_write_int64(WireWriter *w, int64_t v)
{
    wire_store64(wire_take(w, 8), (uint64_t)v);
}

static inline void
wire_write_float64(WireWriter *w, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    wire_store64(wire_take(w, 8), bits);
}

static inline void
wire_write_uuid(WireWriter *w, Uuid v)
{
    memcpy(wire_take(w, sizeof v.b), v.b, sizeof v.b);
}

void wire_write_uvarint_slow(WireWriter *w, uint32_t v);

static inline void
wire_write_uvarint(WireWriter *w, uint32_t v)
{
    if (__builtin_expect(v < 0x80, 1))
        *wire_take(w, 1) = (uint8_t)v;
    else
        wire_write_uvarint_slow(w, v);
}

void wire_write_varint(WireWriter *w, int32_t v);
void wire_write_varlong(WireWriter *w, int64_t v);

static inline void
wire_write_length(WireWriter *w, bool flexible, bool wide, bool null, int32_t n)
{
    if (flexible)
        wire_write_uvarint(w, null ? 0 : (uint32_t)n + 1);
    else if (wide)
        wire_write_int32(w, null ? -1 : n);
    else
        wire_write_int16(w, null ? -1 : (int16_t)n);
}

static inline void
wire_write_raw(WireWriter *w, const void *bytes, int32_t len)
{
    if (len > 0)
        memcpy(wire_take(w, (size_t)len), bytes, (size_t)len);
}

static inline void
wire_write_string(WireWriter *w, bool flexible, StrView v)
{
    wire_write_length(w, flexible, false, v.ptr == NULL, v.len);
    wire_write_raw(w, v.ptr, v.len);
}

static inline void
wire_write_bytes(WireWriter *w, bool flexible, BytesView v)
{
    wire_write_length(w, flexible, true, v.ptr == NULL, v.len);
    wire_write_raw(w, v.ptr, v.len);
}

/* Records in a file: the length goes into the buffer, the piece onto w->slices. */
void wire_write_records(WireWriter *w, bool flexible, const RecordsView *v);

static inline void
wire_write_count(WireWriter *w, bool flexible, int32_t count)
{
    wire_write_length(w, flexible, true, count < 0, count);
}

void wire_write_int8_array(WireWriter *w, bool flexible, const int8_t *list, int32_t count);
void wire_write_int16_array(WireWriter *w, bool flexible, const int16_t *list, int32_t count);
void wire_write_int32_array(WireWriter *w, bool flexible, const int32_t *list, int32_t count);
void wire_write_int64_array(WireWriter *w, bool flexible, const int64_t *list, int32_t count);
void wire_write_uuid_array(WireWriter *w, bool flexible, const Uuid *list, int32_t count);
void wire_write_string_array(WireWriter *w, bool flexible, const StrView *list, int32_t count);

/*
 * A tagged-field section: the head with both counts, then each known tag in rising order by
 * wire_write_tag and its content, then the end. Unknown tags go between them by number; next is
 * the index of the first unknown one that is not written yet.
 */
void wire_write_tags_head(WireWriter *w, uint32_t known_count, const WireTags *unknown);
void wire_write_tag(WireWriter *w, uint32_t tag, size_t content_bytes, const WireTags *unknown,
                    int32_t *next);
void wire_write_tags_end(WireWriter *w, const WireTags *unknown, int32_t next);

/* The section of a struct without known tags. */
static inline void
wire_write_tags(WireWriter *w, const WireTags *unknown)
{
    wire_write_tags_head(w, 0, unknown);
    if (__builtin_expect(unknown != NULL, 0))
        wire_write_tags_end(w, unknown, 0);
}

#endif
