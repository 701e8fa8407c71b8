/*
 * batch_reencode.c - the same records in the codec that the topic asks for
 *
 * Runs in: backend, when compression.type differs from what the producer chose (log.md 4.4). Pure.
 * Never: sees records that were not checked, holds the uncompressed batch, however large it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "batch_int.h"
#include "ottla/common/assert.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/record.h"
#include "record_int.h"

#define SINK_FIRST_BYTES 4096
#define PREFIX_MAX       (RECORD_VARINT_MAX + 1 + RECORD_VARLONG_MAX + RECORD_VARINT_MAX)

/* ---- The sink ---- */

/* Kafka's own defaults for a level that was not chosen. */
static int32_t
level_of(int codec, int32_t level)
{
    if (level != BATCH_LEVEL_DEFAULT) {
        return level;
    }
    switch (codec) {
    case BATCH_CODEC_LZ4:
        return 9;
    case BATCH_CODEC_ZSTD:
        return 3;
    default:
        return -1;
    }
}

void
batch_sink_init(BatchSink *sink, int codec, int32_t level, int64_t limit, Arena *arena)
{
    *sink = (BatchSink){
        .used = BATCH_HEADER_BYTES, .limit = limit < INT32_MAX ? limit : INT32_MAX, .arena = arena};
    if (codec != BATCH_CODEC_NONE) {
        sink->encoder = encoder_open((Codec)codec, level_of(codec, level), arena);
        sink->no_encoder = sink->encoder == NULL;
    }
}

void
batch_sink_fini(BatchSink *sink)
{
    if (sink->encoder != NULL) {
        encoder_close(sink->encoder);
        sink->encoder = NULL;
    }
}

/* Appends finished bytes of the payload. */
static ReencodeStatus
store(BatchSink *sink, const uint8_t *bytes, size_t len)
{
    int64_t need = sink->used + (int64_t)len;
    int64_t room = sink->room == 0 ? SINK_FIRST_BYTES : sink->room;
    uint8_t *bigger;

    if (need > sink->limit) {
        return REENCODE_TOO_LARGE;
    }
    if (need > sink->room) {
        while (room < need) {
            room *= 2;
        }
        bigger = arena_alloc(sink->arena, (size_t)room);
        if (bigger == NULL) {
            return REENCODE_NO_MEMORY;
        }
        if (sink->bytes != NULL) {
            memcpy(bigger, sink->bytes, (size_t)sink->used);
        }
        sink->bytes = bigger;
        sink->room = room;
    }
    memcpy(sink->bytes + sink->used, bytes, len);
    sink->used = need;
    return REENCODE_OK;
}

/* Carries a status through the encoder, which knows only "not 0". */
static int
store_encoded(void *arg, const uint8_t *bytes, size_t len)
{
    return (int)store(arg, bytes, len);
}

/* What an encoder's call returned: our status, or an error code of its own. */
static ReencodeStatus
encoder_status(int rc)
{
    if (rc >= REENCODE_OK && rc < REENCODE_STATUS_COUNT) {
        return (ReencodeStatus)rc;
    }
    return rc == OT_E_NO_MEMORY ? REENCODE_NO_MEMORY : REENCODE_FAILED;
}

ReencodeStatus
batch_sink_put(BatchSink *sink, const uint8_t *bytes, size_t len)
{
    if (sink->no_encoder) {
        return REENCODE_NO_MEMORY;
    }
    if (sink->encoder == NULL) {
        return store(sink, bytes, len);
    }
    return encoder_status(encoder_put(sink->encoder, bytes, len, store_encoded, sink));
}

ReencodeStatus
batch_sink_finish(BatchSink *sink)
{
    if (sink->no_encoder) {
        return REENCODE_NO_MEMORY;
    }
    if (sink->encoder == NULL) {
        return REENCODE_OK;
    }
    return encoder_status(encoder_finish(sink->encoder, store_encoded, sink));
}

/* ---- The records ---- */

/* One record with new deltas: a prefix made anew, then its own bytes. */
static ReencodeStatus
copy_record(RecordIter *iter, const RecordSkim *old, int64_t timestamp_delta, int32_t offset_delta,
            BatchSink *sink)
{
    uint8_t prefix[PREFIX_MAX];
    uint8_t deltas[PREFIX_MAX];
    size_t deltas_len = 1;
    size_t prefix_len;
    int32_t left = old->tail_bytes;
    ReencodeStatus status;

    deltas[0] = 0; /* a record's attributes mean nothing and are written as 0 */
    deltas_len += record_varint_put(deltas + deltas_len, timestamp_delta);
    deltas_len += record_varint_put(deltas + deltas_len, offset_delta);
    prefix_len = record_varint_put(prefix, (int64_t)deltas_len + left);
    memcpy(prefix + prefix_len, deltas, deltas_len);
    status = batch_sink_put(sink, prefix, prefix_len + deltas_len);
    while (status == REENCODE_OK && left > 0) {
        BytesView piece;

        if (record_iter_tail(iter, &left, &piece) != RECORD_OK) {
            return REENCODE_FAILED;
        }
        status = batch_sink_put(sink, piece.ptr, (size_t)piece.len);
    }
    return status;
}

static ReencodeStatus
copy_records(RecordIter *iter, int64_t to_new_base, BatchSink *sink)
{
    RecordStatus found;
    RecordSkim record;
    int32_t index;

    for (index = 0; (found = record_iter_prefix(iter, &record)) == RECORD_OK; index++) {
        int64_t delta = (int64_t)((uint64_t)record.timestamp_delta + (uint64_t)to_new_base);
        ReencodeStatus status = copy_record(iter, &record, delta, index, sink);

        if (status != REENCODE_OK) {
            return status;
        }
    }
    /* The records were accepted once: anything else is the decoder running out of memory. */
    return found == RECORD_END ? batch_sink_finish(sink) : REENCODE_NO_MEMORY;
}

static void
rewrite_header(const BatchRules *rules, int64_t first_timestamp, const BatchSink *sink, Batch *ret)
{
    uint8_t *header = ret->header;
    int kept = batch_attributes(header) & (BATCH_ATTR_TRANSACTIONAL | BATCH_ATTR_CONTROL);
    int time = rules->append_time ? BATCH_ATTR_APPEND_TIME : 0;

    ret->payload =
        (BytesView){sink->bytes + BATCH_HEADER_BYTES, (int32_t)(sink->used - BATCH_HEADER_BYTES)};
    wire_store32(header + BATCH_AT_LENGTH, (uint32_t)(sink->used - BATCH_OVERHEAD_BYTES));
    wire_store16(header + BATCH_AT_ATTRIBUTES, (uint16_t)(kept | time | rules->target_codec));
    wire_store64(header + BATCH_AT_BASE_TIMESTAMP, (uint64_t)first_timestamp);
    wire_store64(header + BATCH_AT_MAX_TIMESTAMP, (uint64_t)ret->max_timestamp);
    wire_store32(header + BATCH_AT_CRC, batch_crc_of(header, ret->payload));
    ret->crc_shift = batch_crc_shift(BATCH_FIXED_TAIL_BYTES + (size_t)ret->payload.len);
}

ReencodeStatus
batch_reencode(const BatchRules *rules, BytesView bytes, int64_t first_timestamp, Arena *arena,
               Batch *ret)
{
    RecordIter *iter = record_iter_open(bytes, arena);
    int64_t to_new_base =
        (int64_t)((uint64_t)batch_base_timestamp(bytes.ptr) - (uint64_t)first_timestamp);
    ReencodeStatus status;
    BatchSink sink;

    if (iter == NULL) {
        return REENCODE_NO_MEMORY;
    }
    batch_sink_init(&sink, rules->target_codec, rules->level, rules->max_message_bytes, arena);
    status = copy_records(iter, to_new_base, &sink);
    batch_sink_fini(&sink);
    record_iter_close(iter);
    if (status == REENCODE_OK) {
        rewrite_header(rules, first_timestamp, &sink, ret);
    }
    return status;
}

/* ---- While they are checked ---- */

static void
tee_piece(void *arg, BytesView piece)
{
    BatchTee *tee = arg;

    if (tee->status == REENCODE_OK) {
        tee->status = batch_sink_put(&tee->sink, piece.ptr, (size_t)piece.len);
    }
}

void
batch_tee_begin(BatchTee *tee, const BatchRules *rules, RecordIter *iter, Arena *arena)
{
    tee->status = REENCODE_OK;
    batch_sink_init(&tee->sink, rules->target_codec, rules->level, rules->max_message_bytes, arena);
    record_iter_watch(iter, tee_piece, tee);
}

ReencodeStatus
batch_tee_finish(BatchTee *tee, const BatchRules *rules, int64_t first_timestamp, Batch *ret)
{
    if (tee->status == REENCODE_OK) {
        tee->status = batch_sink_finish(&tee->sink);
    }
    if (tee->status == REENCODE_OK) {
        rewrite_header(rules, first_timestamp, &tee->sink, ret);
    }
    return tee->status;
}

void
batch_tee_fini(BatchTee *tee)
{
    batch_sink_fini(&tee->sink);
}
