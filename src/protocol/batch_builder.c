/*
 * batch_builder.c - make record batches from records
 *
 * Runs in: controller (metadata log), coordinators, tests, tools. Pure.
 * Never: sees a client's bytes, so a wrong argument is an assertion.
 *
 * Records are collected uncompressed behind room for the header; a codec is applied at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/batch_builder.h"

#include "batch_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/compress.h"

#define FIRST_BYTES         1024
#define CONTROL_KEY_BYTES   4
#define END_TXN_VALUE_BYTES 6

struct BatchBuilder {
    BatchBuilderOptions options;
    Arena *arena;
    uint8_t *bytes; /* header, then records */
    int64_t used;
    int64_t room;
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t next_delta; /* offset delta of the next record */
    int32_t count;
    bool finished;
};

BatchBuilder *
batch_builder_new(const BatchBuilderOptions *options, Arena *arena)
{
    BatchBuilder *builder = arena_calloc(arena, 1, sizeof *builder);

    ot_assert((options->attributes & BATCH_ATTR_CODEC) <= BATCH_CODEC_LAST);
    if (builder == NULL) {
        return NULL;
    }
    builder->options = *options;
    builder->arena = arena;
    builder->used = BATCH_HEADER_BYTES;
    builder->base_timestamp = BATCH_NO_TIMESTAMP;
    builder->max_timestamp = BATCH_NO_TIMESTAMP;
    return builder;
}

static int64_t
field_size(BytesView field)
{
    return field.ptr == NULL ? (int64_t)record_varint_size(-1)
                             : (int64_t)record_varint_size(field.len) + field.len;
}

static int64_t
timestamp_delta(const BatchBuilder *builder, const BatchRecord *record)
{
    return builder->count == 0
               ? 0
               : (int64_t)((uint64_t)record->timestamp - (uint64_t)builder->base_timestamp);
}

/* Bytes of a record without its length prefix. */
static int64_t
body_size(const BatchBuilder *builder, const BatchRecord *record)
{
    int64_t size = 1 + (int64_t)record_varint_size(timestamp_delta(builder, record)) +
                   (int64_t)record_varint_size(builder->next_delta + record->offset_gap) +
                   field_size(record->key) + field_size(record->value) +
                   (int64_t)record_varint_size(record->header_count);

    for (int32_t i = 0; i < record->header_count; i++) {
        StrView key = record->headers[i].key;

        size += field_size((BytesView){(const uint8_t *)key.ptr, key.len}) +
                field_size(record->headers[i].value);
    }
    return size;
}

int64_t
batch_builder_bytes(const BatchBuilder *builder)
{
    return builder->used;
}

int64_t
batch_builder_bytes_with(const BatchBuilder *builder, const BatchRecord *record)
{
    int64_t body = body_size(builder, record);

    return builder->used + (int64_t)record_varint_size(body) + body;
}

int32_t
batch_builder_count(const BatchBuilder *builder)
{
    return builder->count;
}

int32_t
batch_builder_next_delta(const BatchBuilder *builder)
{
    return (int32_t)builder->next_delta;
}

static bool
make_room(BatchBuilder *builder, int64_t need)
{
    int64_t room = builder->room == 0 ? FIRST_BYTES : builder->room;
    uint8_t *bigger;

    if (need <= builder->room) {
        return true;
    }
    while (room < need) {
        room *= 2;
    }
    bigger = arena_alloc(builder->arena, (size_t)room);
    if (bigger == NULL) {
        return false;
    }
    if (builder->bytes != NULL) {
        memcpy(bigger, builder->bytes, (size_t)builder->used);
    }
    builder->bytes = bigger;
    builder->room = room;
    return true;
}

static void
put_varint(BatchBuilder *builder, int64_t value)
{
    builder->used += (int64_t)record_varint_put(builder->bytes + builder->used, value);
}

static void
put_field(BatchBuilder *builder, BytesView field)
{
    put_varint(builder, field.ptr == NULL ? -1 : field.len);
    if (field.len > 0) {
        memcpy(builder->bytes + builder->used, field.ptr, (size_t)field.len);
        builder->used += field.len;
    }
}

int
batch_builder_add(BatchBuilder *builder, const BatchRecord *record, ErrInfo *err)
{
    int64_t body = body_size(builder, record);
    int64_t need = builder->used + (int64_t)record_varint_size(body) + body;
    int64_t delta = builder->next_delta + record->offset_gap;

    ot_assert(!builder->finished && record->offset_gap >= 0);
    if (need > builder->options.max_bytes || need > INT32_MAX || delta >= INT32_MAX) {
        return err_set(err, OT_E_MESSAGE_TOO_LARGE, "a batch of %lld bytes is above its limit %lld",
                       (long long)need, (long long)builder->options.max_bytes);
    }
    if (!make_room(builder, need)) {
        return err_set(err, OT_E_NO_MEMORY, "no memory for a batch of %lld bytes", (long long)need);
    }
    put_varint(builder, body);
    builder->bytes[builder->used++] = 0;
    put_varint(builder, timestamp_delta(builder, record));
    put_varint(builder, delta);
    put_field(builder, record->key);
    put_field(builder, record->value);
    put_varint(builder, record->header_count);
    for (int32_t i = 0; i < record->header_count; i++) {
        StrView key = record->headers[i].key;

        ot_assert(key.ptr != NULL);
        put_field(builder, (BytesView){(const uint8_t *)key.ptr, key.len});
        put_field(builder, record->headers[i].value);
    }
    ot_assert(builder->used == need);
    if (builder->count == 0) {
        builder->base_timestamp = record->timestamp;
    }
    if (record->timestamp > builder->max_timestamp) {
        builder->max_timestamp = record->timestamp;
    }
    builder->count++;
    builder->next_delta = delta + 1;
    return 0;
}

static void
write_header(const BatchBuilder *builder, uint8_t *to, int64_t size)
{
    const BatchBuilderOptions *options = &builder->options;
    bool append_time = (options->attributes & BATCH_ATTR_APPEND_TIME) != 0;

    batch_set_base_offset(to, options->base_offset);
    wire_store32(to + BATCH_AT_LENGTH, (uint32_t)(size - BATCH_OVERHEAD_BYTES));
    batch_set_leader_epoch(to, options->leader_epoch);
    to[BATCH_AT_MAGIC] = BATCH_MAGIC;
    wire_store16(to + BATCH_AT_ATTRIBUTES, (uint16_t)options->attributes);
    wire_store32(to + BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)(builder->next_delta - 1));
    wire_store64(to + BATCH_AT_BASE_TIMESTAMP, (uint64_t)builder->base_timestamp);
    wire_store64(to + BATCH_AT_MAX_TIMESTAMP,
                 (uint64_t)(append_time ? options->append_time_ms : builder->max_timestamp));
    wire_store64(to + BATCH_AT_PRODUCER_ID, (uint64_t)options->producer_id);
    wire_store16(to + BATCH_AT_PRODUCER_EPOCH, (uint16_t)options->producer_epoch);
    wire_store32(to + BATCH_AT_BASE_SEQUENCE, (uint32_t)options->base_sequence);
    wire_store32(to + BATCH_AT_RECORD_COUNT, (uint32_t)builder->count);
    batch_seal(to, (size_t)size);
}

int
batch_builder_finish(BatchBuilder *builder, BytesView *ret_bytes, ErrInfo *err)
{
    int codec = builder->options.attributes & BATCH_ATTR_CODEC;
    int64_t size = builder->used;
    uint8_t *bytes;

    ot_assert(!builder->finished);
    if (!make_room(builder, builder->used)) {
        return err_set(err, OT_E_NO_MEMORY, "no memory for a batch");
    }
    bytes = builder->bytes;
    if (codec != BATCH_CODEC_NONE) {
        BatchSink sink;
        ReencodeStatus status;

        batch_sink_init(&sink, codec, builder->options.level, builder->options.max_bytes,
                        builder->arena);
        status =
            batch_sink_put(&sink, bytes + BATCH_HEADER_BYTES, (size_t)(size - BATCH_HEADER_BYTES));
        if (status == REENCODE_OK) {
            status = batch_sink_finish(&sink);
        }
        batch_sink_fini(&sink);
        if (status != REENCODE_OK) {
            return err_set(err,
                           status == REENCODE_TOO_LARGE ? OT_E_MESSAGE_TOO_LARGE : OT_E_NO_MEMORY,
                           "a batch of %lld bytes cannot be compressed into %lld", (long long)size,
                           (long long)builder->options.max_bytes);
        }
        bytes = sink.bytes;
        size = sink.used;
    }
    builder->finished = true;
    write_header(builder, bytes, size);
    *ret_bytes = (BytesView){bytes, (int32_t)size};
    return 0;
}

/* ---- Control batches ---- */

void
control_record_key(ControlType type, uint8_t ret_key[CONTROL_KEY_BYTES])
{
    wire_store16(ret_key, 0);
    wire_store16(ret_key + 2, (uint16_t)type);
}

int
control_batch_build(const BatchBuilderOptions *options, ControlType type, BytesView value,
                    int64_t timestamp, Arena *arena, BytesView *ret_bytes, ErrInfo *err)
{
    BatchBuilderOptions control = *options;
    BatchBuilder *builder;
    uint8_t key[CONTROL_KEY_BYTES];
    int rc;

    control.attributes |= BATCH_ATTR_CONTROL;
    builder = batch_builder_new(&control, arena);
    if (builder == NULL) {
        return err_set(err, OT_E_NO_MEMORY, "no memory for a control batch");
    }
    control_record_key(type, key);
    rc = batch_builder_add(
        builder,
        &(BatchRecord){.timestamp = timestamp, .key = {key, CONTROL_KEY_BYTES}, .value = value},
        err);
    return rc != 0 ? rc : batch_builder_finish(builder, ret_bytes, err);
}

int
end_txn_batch_build(const BatchBuilderOptions *options, bool commit, int32_t coordinator_epoch,
                    int64_t timestamp, Arena *arena, BytesView *ret_bytes, ErrInfo *err)
{
    BatchBuilderOptions marker = *options;
    uint8_t value[END_TXN_VALUE_BYTES];

    marker.attributes |= BATCH_ATTR_TRANSACTIONAL;
    marker.base_sequence = BATCH_NO_SEQUENCE;
    wire_store16(value, 0);
    wire_store32(value + 2, (uint32_t)coordinator_epoch);
    return control_batch_build(&marker, commit ? CONTROL_COMMIT : CONTROL_ABORT,
                               (BytesView){value, END_TXN_VALUE_BYTES}, timestamp, arena, ret_bytes,
                               err);
}
