/*
 * record.c - walk over the records of a batch
 *
 * Runs in: every process that looks into batches. Pure: works on bytes given.
 * Never: trusts a length, allocates more than a record really brings, recurses.
 *
 * A walk reads a window [at, end). In a plain batch the window is the whole payload; in a
 * compressed one it is the decoder's present piece. A record that lies whole in the window is
 * parsed there (parse_body, the hot path); one that crosses the border is either read byte by
 * byte (skim) or gathered in scratch memory that grows only with bytes that have arrived (next).
 * Invariants, cited in tests:
 *   R1  a record is given only if its fields fill its length exactly
 *   R2  RECORD_END is given only if the stream ended with the last counted record
 *   R3  memory held is one decoder, one piece and, for next(), one record
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/record.h"

#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/compress.h"
#include "ottla/protocol/batch.h"
#include "record_int.h"

#define SCRATCH_FIRST_BYTES 4096

/* Enough in the window for the fields before the key, each of two bytes at most. */
#define FAST_BYTES 16

struct RecordIter {
    const uint8_t *at;
    const uint8_t *end;
    Decoder *decoder; /* NULL: plain, the window is all there is */
    Arena *arena;
    uint8_t *scratch;
    int32_t scratch_bytes;
    int32_t left; /* records not given yet */
    int64_t base_offset;
    int64_t base_timestamp;
    int64_t append_timestamp;
    int64_t decoded_bytes;
    RecordWatch watch; /* NULL: nobody */
    void *watch_arg;
    bool append_time;
    RecordStatus ended; /* RECORD_OK while the walk goes on */
    const char *reason;
};

/* What parse_body() finds; positions are kept as pointers into the body. */
typedef struct Body {
    int64_t timestamp_delta;
    int32_t offset_delta;
    int32_t header_count;
    int8_t attributes;
    const uint8_t *tail; /* from the key length on */
    BytesView key;
    BytesView value;
    const uint8_t *headers;
} Body;

uint64_t record_decodes;

size_t
record_varint_size(int64_t value)
{
    uint64_t zigzag = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    int bits = 64 - __builtin_clzll(zigzag | 1);

    return (size_t)(bits + 6) / 7;
}

size_t
record_varint_put(uint8_t *at, int64_t value)
{
    uint64_t zigzag = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    size_t used = 0;

    while (zigzag >= 0x80) {
        at[used++] = (uint8_t)(zigzag | 0x80);
        zigzag >>= 7;
    }
    at[used++] = (uint8_t)zigzag;
    return used;
}

static inline int64_t
unzigzag(uint64_t zigzag)
{
    return (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
}

size_t
record_varint_get(const uint8_t *at, const uint8_t *end, size_t most, int64_t *ret_value)
{
    uint64_t zigzag = 0;

    for (size_t used = 0; used < most && at + used < end; used++) {
        zigzag |= (uint64_t)(at[used] & 0x7f) << (7 * used);
        if (at[used] < 0x80) {
            /* As Kafka does, bits beyond the type's width are dropped. */
            *ret_value = unzigzag(most == RECORD_VARINT_MAX ? (uint32_t)zigzag : zigzag);
            return used + 1;
        }
    }
    return 0;
}

/* The hot form: position after the varint, NULL when it is none. One byte is the usual case. */
static inline const uint8_t *
take_varint(const uint8_t *at, const uint8_t *end, size_t most, int64_t *ret)
{
    size_t used;

    if (__builtin_expect(at < end && *at < 0x80, 1)) {
        *ret = unzigzag(*at);
        return at + 1;
    }
    if (end - at >= 2 && at[1] < 0x80) {
        *ret = unzigzag((uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7);
        return at + 2;
    }
    used = record_varint_get(at, end, most, ret);
    return used == 0 ? NULL : at + used;
}

/* A length and its bytes; -1 gives the null view if null_ok. NULL: they do not fit. */
static inline const uint8_t *
take_bytes(const uint8_t *at, const uint8_t *end, bool null_ok, BytesView *ret)
{
    int64_t len;

    at = take_varint(at, end, RECORD_VARINT_MAX, &len);
    if (at == NULL || len > end - at || len < (null_ok ? -1 : 0)) {
        return NULL;
    }
    if (len < 0) {
        *ret = (BytesView){NULL, 0};
        return at;
    }
    *ret = (BytesView){at, (int32_t)len};
    return at + len;
}

/* Parses a body lying in one piece. NULL on success, else what is wrong with it. [R1] */
static inline const char *
parse_body(const uint8_t *at, const uint8_t *end, Body *ret)
{
    int64_t offset_delta;
    int64_t count;
    BytesView skipped;

    if (at >= end) {
        return "record without content";
    }
    ret->attributes = (int8_t)*at++;
    at = take_varint(at, end, RECORD_VARLONG_MAX, &ret->timestamp_delta);
    if (at == NULL) {
        return "bad timestamp delta";
    }
    at = take_varint(at, end, RECORD_VARINT_MAX, &offset_delta);
    if (at == NULL) {
        return "bad offset delta";
    }
    ret->offset_delta = (int32_t)offset_delta;
    ret->tail = at;
    at = take_bytes(at, end, true, &ret->key);
    if (at == NULL) {
        return "bad key length";
    }
    at = take_bytes(at, end, true, &ret->value);
    if (at == NULL) {
        return "bad value length";
    }
    at = take_varint(at, end, RECORD_VARINT_MAX, &count);
    if (at == NULL || count < 0 || count > end - at) {
        return "bad header count";
    }
    ret->header_count = (int32_t)count;
    ret->headers = at;
    for (; count > 0; count--) {
        at = take_bytes(at, end, false, &skipped);
        if (at == NULL || (at = take_bytes(at, end, true, &skipped)) == NULL) {
            return "bad header";
        }
    }
    return at == end ? NULL : "fields do not fill the record";
}

static RecordStatus
finish(RecordIter *iter, RecordStatus status, const char *reason)
{
    iter->ended = status;
    iter->reason = reason;
    return status;
}

/* Next piece of a compressed stream. RECORD_OK: at < end; RECORD_END: no more bytes. */
static RecordStatus
refill(RecordIter *iter)
{
    BytesView piece;
    int rc;

    if (iter->decoder == NULL) {
        return RECORD_END;
    }
    rc = decoder_next(iter->decoder, &piece);
    if (rc == OT_E_EOF) {
        return RECORD_END;
    }
    if (rc == OT_E_EMPTY_COMPRESSION) {
        return finish(iter, RECORD_INVALID, "compressed stream without bytes");
    }
    if (rc == OT_E_NO_MEMORY) {
        return finish(iter, RECORD_GARBLED, "no memory");
    }
    if (rc == OT_E_UNSUPPORTED_COMPRESSION_TYPE) {
        return finish(iter, RECORD_GARBLED, "the library of this codec is not installed here");
    }
    if (rc != 0) {
        return finish(iter, RECORD_GARBLED, "compressed stream cannot be decoded");
    }
    iter->decoded_bytes += piece.len;
    if (iter->decoded_bytes > BATCH_DECODED_MAX_BYTES) {
        return finish(iter, RECORD_GARBLED, "compressed stream is longer than any client makes");
    }
    iter->at = piece.ptr;
    iter->end = piece.ptr + piece.len;
    if (iter->watch != NULL) {
        iter->watch(iter->watch_arg, piece);
    }
    return RECORD_OK;
}

static inline RecordStatus
take_byte(RecordIter *iter, uint8_t *ret)
{
    if (iter->at == iter->end) {
        RecordStatus status = refill(iter);

        if (status == RECORD_END) {
            return finish(iter, RECORD_INVALID, "records end too early");
        }
        if (status != RECORD_OK) {
            return status;
        }
    }
    *ret = *iter->at++;
    return RECORD_OK;
}

/* The length prefix. Kafka gives an over-long one another code than all other faults. */
static RecordStatus
take_length(RecordIter *iter, int64_t *ret)
{
    const uint8_t *next;
    uint64_t zigzag = 0;
    uint8_t byte;

    if (iter->at < iter->end && *iter->at < 0x80) {
        *ret = unzigzag(*iter->at++);
    } else if (iter->end - iter->at >= RECORD_VARINT_MAX) {
        next = take_varint(iter->at, iter->end, RECORD_VARINT_MAX, ret);
        if (next == NULL) {
            return finish(iter, RECORD_GARBLED, "record length of more than 5 bytes");
        }
        iter->at = next;
    } else {
        for (int shift = 0;; shift += 7) {
            RecordStatus status = take_byte(iter, &byte);

            if (status != RECORD_OK) {
                return status;
            }
            zigzag |= (uint64_t)(byte & 0x7f) << shift;
            if (byte < 0x80) {
                break;
            }
            if (shift == 7 * (RECORD_VARINT_MAX - 1)) {
                return finish(iter, RECORD_GARBLED, "record length of more than 5 bytes");
            }
        }
        *ret = unzigzag((uint32_t)zigzag);
    }
    if (*ret <= 0) {
        return finish(iter, RECORD_INVALID, "record length not positive");
    }
    if (iter->decoder == NULL && *ret > iter->end - iter->at) {
        return finish(iter, RECORD_INVALID, "record longer than the batch");
    }
    return RECORD_OK;
}

/* Called when all counted records were given. [R2] */
static RecordStatus
check_end(RecordIter *iter)
{
    while (iter->at == iter->end) {
        RecordStatus status = refill(iter);

        if (status != RECORD_OK) {
            return status == RECORD_END ? finish(iter, RECORD_END, "") : status;
        }
    }
    return finish(iter, RECORD_INVALID, "bytes behind the last record");
}

/* Begins the next record: its length. RECORD_OK, or how the walk ended. */
static inline RecordStatus
begin_record(RecordIter *iter, int64_t *ret_length)
{
    RecordStatus status;

    if (iter->ended != RECORD_OK) {
        return iter->ended;
    }
    if (iter->left == 0) {
        return check_end(iter);
    }
    status = take_length(iter, ret_length);
    if (status == RECORD_OK) {
        iter->left--;
    }
    return status;
}

/* ---- Reading across pieces, for skim: `left` is what the record's length still allows ---- */

static RecordStatus
cross_varint(RecordIter *iter, int64_t *left, size_t most, int64_t *ret)
{
    uint64_t zigzag = 0;
    uint8_t byte;

    for (size_t used = 0; used < most; used++) {
        RecordStatus status;

        if (*left == 0) {
            return finish(iter, RECORD_INVALID, "field beyond the record");
        }
        status = take_byte(iter, &byte);
        if (status != RECORD_OK) {
            return status;
        }
        --*left;
        zigzag |= (uint64_t)(byte & 0x7f) << (7 * used);
        if (byte < 0x80) {
            *ret = unzigzag(most == RECORD_VARINT_MAX ? (uint32_t)zigzag : zigzag);
            return RECORD_OK;
        }
    }
    return finish(iter, RECORD_INVALID, "varint too long");
}

static RecordStatus
cross_bytes(RecordIter *iter, int64_t *left, bool null_ok, bool *ret_present)
{
    int64_t len;
    RecordStatus status = cross_varint(iter, left, RECORD_VARINT_MAX, &len);

    if (status != RECORD_OK) {
        return status;
    }
    if (len > *left || len < (null_ok ? -1 : 0)) {
        return finish(iter, RECORD_INVALID, "bad length of a field");
    }
    *ret_present = len >= 0;
    *left -= len > 0 ? len : 0;
    while (len > 0) {
        int64_t here = iter->end - iter->at;

        if (here == 0) {
            status = refill(iter);
            if (status == RECORD_END) {
                return finish(iter, RECORD_INVALID, "records end too early");
            }
            if (status != RECORD_OK) {
                return status;
            }
            continue;
        }
        here = here < len ? here : len;
        iter->at += here;
        len -= here;
    }
    return RECORD_OK;
}

static RecordStatus
cross_headers(RecordIter *iter, int64_t *left)
{
    int64_t count;
    bool present;
    RecordStatus status = cross_varint(iter, left, RECORD_VARINT_MAX, &count);

    if (status != RECORD_OK) {
        return status;
    }
    if (count < 0 || count > *left) {
        return finish(iter, RECORD_INVALID, "bad header count");
    }
    for (; count > 0; count--) {
        status = cross_bytes(iter, left, false, &present);
        if (status == RECORD_OK) {
            status = cross_bytes(iter, left, true, &present);
        }
        if (status != RECORD_OK) {
            return status;
        }
    }
    return RECORD_OK;
}

/* Attributes and deltas of a record of *left bytes, which become those from the key length on. */
static RecordStatus
cross_head(RecordIter *iter, int64_t *left, RecordSkim *ret)
{
    int64_t offset_delta = 0;
    uint8_t attributes = 0;
    RecordStatus status = take_byte(iter, &attributes);

    ret->attributes = (int8_t)attributes;
    --*left;
    if (status == RECORD_OK) {
        status = cross_varint(iter, left, RECORD_VARLONG_MAX, &ret->timestamp_delta);
    }
    if (status == RECORD_OK) {
        status = cross_varint(iter, left, RECORD_VARINT_MAX, &offset_delta);
    }
    ret->offset_delta = (int32_t)offset_delta;
    ret->tail_bytes = (int32_t)*left;
    return status;
}

/* Skim of a record that does not lie whole in the window. */
static RecordStatus
cross_record(RecordIter *iter, int64_t left, RecordSkim *ret)
{
    bool value_present;
    RecordStatus status = cross_head(iter, &left, ret);

    if (status == RECORD_OK) {
        status = cross_bytes(iter, &left, true, &ret->has_key);
    }
    if (status == RECORD_OK) {
        status = cross_bytes(iter, &left, true, &value_present);
    }
    if (status == RECORD_OK) {
        status = cross_headers(iter, &left);
    }
    if (status == RECORD_OK && left != 0) {
        return finish(iter, RECORD_INVALID, "fields do not fill the record");
    }
    return status;
}

/* One or two bytes of varint at *at, which must be readable; false: it is longer. */
static inline bool
fast_varint(const uint8_t **at, uint32_t *ret_zigzag)
{
    uint32_t zigzag = **at;

    if (zigzag >= 0x80) {
        uint32_t high = (*at)[1];

        if (high >= 0x80) {
            return false;
        }
        zigzag = (zigzag & 0x7f) | high << 7;
        ++*at;
    }
    ++*at;
    *ret_zigzag = zigzag;
    return true;
}

static inline int32_t
unzigzag32(uint32_t zigzag)
{
    return (int32_t)(zigzag >> 1) ^ -(int32_t)(zigzag & 1);
}

/*
 * The usual record in a third of the time: short lengths and deltas, no headers, whole in the
 * window. False: nothing was taken, and the careful path decides.
 */
static inline bool
skim_fast(RecordIter *iter, RecordSkim *ret)
{
    const uint8_t *at = iter->at;
    const uint8_t *stop;
    uint32_t zigzag;
    int32_t length;
    int32_t len;

    if (iter->end - at < FAST_BYTES || !fast_varint(&at, &zigzag)) {
        return false;
    }
    length = unzigzag32(zigzag);
    stop = at + length;
    if (length <= 0 || length > iter->end - at) {
        return false;
    }
    ret->attributes = (int8_t)*at++;
    if (!fast_varint(&at, &zigzag)) {
        return false;
    }
    ret->timestamp_delta = unzigzag32(zigzag);
    if (!fast_varint(&at, &zigzag)) {
        return false;
    }
    ret->offset_delta = unzigzag32(zigzag);
    ret->tail_bytes = (int32_t)(stop - at);
    if (!fast_varint(&at, &zigzag)) {
        return false;
    }
    len = unzigzag32(zigzag);
    /* Two bytes of the value's length must be readable behind the key, and one of the count. */
    if (len < -1 || len > stop - at - 3) {
        return false;
    }
    ret->has_key = len >= 0;
    at += len > 0 ? len : 0;
    if (!fast_varint(&at, &zigzag)) {
        return false;
    }
    len = unzigzag32(zigzag);
    if (len < -1 || (len > 0 ? len : 0) + 1 != stop - at || stop[-1] != 0) {
        return false;
    }
    ret->body_bytes = length;
    iter->at = stop;
    return true;
}

RecordStatus
record_iter_skim(RecordIter *iter, RecordSkim *ret)
{
    const char *fault;
    int64_t length;
    Body body;
    RecordStatus status;

    if (iter->ended == RECORD_OK && iter->left > 0 && skim_fast(iter, ret)) {
        iter->left--;
        return RECORD_OK;
    }
    status = begin_record(iter, &length);
    if (status != RECORD_OK) {
        return status;
    }
    ret->body_bytes = (int32_t)length;
    if (length > iter->end - iter->at) {
        return cross_record(iter, length, ret);
    }
    fault = parse_body(iter->at, iter->at + length, &body);
    if (fault != NULL) {
        return finish(iter, RECORD_INVALID, fault);
    }
    ret->attributes = body.attributes;
    ret->timestamp_delta = body.timestamp_delta;
    ret->offset_delta = body.offset_delta;
    ret->has_key = body.key.ptr != NULL;
    ret->tail_bytes = (int32_t)(iter->at + length - body.tail);
    iter->at += length;
    return RECORD_OK;
}

/* Makes room for at least `need` bytes, keeping the first `used`. */
static bool
grow_scratch(RecordIter *iter, int32_t used, int32_t need)
{
    int32_t bytes = iter->scratch_bytes > 0 ? iter->scratch_bytes : SCRATCH_FIRST_BYTES;
    uint8_t *bigger;

    if (need <= iter->scratch_bytes) {
        return true;
    }
    while (bytes < need) {
        bytes = bytes > INT32_MAX / 2 ? INT32_MAX : bytes * 2;
    }
    bigger = arena_alloc(iter->arena, (size_t)bytes);
    if (bigger == NULL) {
        return false;
    }
    if (used > 0) {
        memcpy(bigger, iter->scratch, (size_t)used);
    }
    iter->scratch = bigger;
    iter->scratch_bytes = bytes;
    return true;
}

/* Copies a record's body from several pieces into the scratch memory. [R3] */
static RecordStatus
gather(RecordIter *iter, int32_t length)
{
    int32_t used = 0;

    if (length > RECORD_BODY_MAX_BYTES) {
        return finish(iter, RECORD_TOO_LARGE, "record above the limit");
    }
    while (used < length) {
        int64_t here = iter->end - iter->at;

        if (here == 0) {
            RecordStatus status = refill(iter);

            if (status == RECORD_END) {
                return finish(iter, RECORD_INVALID, "records end too early");
            }
            if (status != RECORD_OK) {
                return status;
            }
            continue;
        }
        here = here < length - used ? here : length - used;
        if (!grow_scratch(iter, used, used + (int32_t)here)) {
            return finish(iter, RECORD_TOO_LARGE, "no memory for a record");
        }
        memcpy(iter->scratch + used, iter->at, (size_t)here);
        iter->at += here;
        used += (int32_t)here;
    }
    return RECORD_OK;
}

RecordStatus
record_iter_next(RecordIter *iter, Record *ret)
{
    const uint8_t *from;
    const char *fault;
    int64_t length;
    Body body;
    RecordStatus status;

    status = begin_record(iter, &length);
    if (status != RECORD_OK) {
        return status;
    }
    if (length <= iter->end - iter->at) {
        from = iter->at;
        iter->at += length;
    } else {
        status = gather(iter, (int32_t)length);
        if (status != RECORD_OK) {
            return status;
        }
        from = iter->scratch;
    }
    fault = parse_body(from, from + length, &body);
    if (fault != NULL) {
        return finish(iter, RECORD_INVALID, fault);
    }
    *ret = (Record){
        .offset = (int64_t)((uint64_t)iter->base_offset + (uint64_t)(int64_t)body.offset_delta),
        .timestamp = (int64_t)((uint64_t)iter->base_timestamp + (uint64_t)body.timestamp_delta),
        .timestamp_delta = body.timestamp_delta,
        .offset_delta = body.offset_delta,
        .header_count = body.header_count,
        .attributes = body.attributes,
        .key = body.key,
        .value = body.value,
        .headers = {body.headers, (int32_t)(from + length - body.headers)}};
    if (iter->append_time) {
        ret->timestamp = iter->append_timestamp;
    }
    return RECORD_OK;
}

RecordStatus
record_iter_prefix(RecordIter *iter, RecordSkim *ret)
{
    int64_t left;
    RecordStatus status = begin_record(iter, &left);

    if (status != RECORD_OK) {
        return status;
    }
    ret->body_bytes = (int32_t)left;
    return cross_head(iter, &left, ret);
}

RecordStatus
record_iter_tail(RecordIter *iter, int32_t *left, BytesView *ret_piece)
{
    int64_t here;

    while (iter->at == iter->end) {
        RecordStatus status = refill(iter);

        if (status == RECORD_END) {
            return finish(iter, RECORD_INVALID, "records end too early");
        }
        if (status != RECORD_OK) {
            return status;
        }
    }
    here = iter->end - iter->at;
    here = here < *left ? here : *left;
    *ret_piece = (BytesView){iter->at, (int32_t)here};
    iter->at += here;
    *left -= (int32_t)here;
    return RECORD_OK;
}

RecordIter *
record_iter_open_parts(const uint8_t *header, BytesView payload, Arena *arena)
{
    RecordIter *iter;
    int codec = batch_codec(header);

    if (codec > BATCH_CODEC_LAST) {
        return NULL;
    }
    iter = arena_calloc(arena, 1, sizeof *iter);
    if (iter == NULL) {
        return NULL;
    }
    iter->arena = arena;
    iter->left = batch_record_count(header);
    iter->base_offset = batch_base_offset(header);
    iter->base_timestamp = batch_base_timestamp(header);
    iter->append_time = batch_has_append_time(header);
    iter->append_timestamp = batch_max_timestamp(header);
    iter->ended = RECORD_OK;
    iter->reason = "";
    if (iter->left < 0) {
        (void)finish(iter, RECORD_INVALID, "negative record count"); /* the next call tells */
        return iter;
    }
    /* A batch that compaction emptied has no stream, whatever its codec bits say. */
    if (codec == BATCH_CODEC_NONE || (iter->left == 0 && payload.len == 0)) {
        iter->at = payload.ptr;
        iter->end = payload.ptr + payload.len;
        return iter;
    }
    record_decodes++;
    iter->decoder = decoder_open((Codec)codec, payload, arena);
    return iter->decoder != NULL ? iter : NULL;
}

RecordIter *
record_iter_open(BytesView batch, Arena *arena)
{
    ot_assert(batch.len >= BATCH_HEADER_BYTES);
    return record_iter_open_parts(
        batch.ptr, (BytesView){batch.ptr + BATCH_HEADER_BYTES, batch.len - BATCH_HEADER_BYTES},
        arena);
}

void
record_iter_watch(RecordIter *iter, RecordWatch watch, void *arg)
{
    iter->watch = watch;
    iter->watch_arg = arg;
}

void
record_iter_close(RecordIter *iter)
{
    if (iter != NULL && iter->decoder != NULL) {
        decoder_close(iter->decoder);
        iter->decoder = NULL;
    }
}

const char *
record_iter_reason(const RecordIter *iter)
{
    return iter->reason;
}

bool
record_header_next(BytesView *rest, RecordHeader *ret)
{
    const uint8_t *end = rest->ptr + rest->len;
    const uint8_t *at = rest->ptr;
    BytesView key;
    BytesView value;

    if (rest->len <= 0) {
        return false;
    }
    at = take_bytes(at, end, false, &key);
    if (at == NULL || (at = take_bytes(at, end, true, &value)) == NULL) {
        return false;
    }
    *ret = (RecordHeader){{(const char *)key.ptr, key.len}, value};
    *rest = (BytesView){at, (int32_t)(end - at)};
    return true;
}

/* ---- Control records ---- */

bool
control_record_type(BytesView key, int16_t *ret_type)
{
    if (key.ptr == NULL || key.len < 4 || (int16_t)wire_load16(key.ptr) < 0) {
        return false;
    }
    *ret_type = (int16_t)wire_load16(key.ptr + 2);
    return true;
}

bool
control_end_txn_epoch(BytesView value, int32_t *ret_coordinator_epoch)
{
    if (value.ptr == NULL || value.len < 6 || (int16_t)wire_load16(value.ptr) < 0) {
        return false;
    }
    *ret_coordinator_epoch = (int32_t)wire_load32(value.ptr + 2);
    return true;
}
