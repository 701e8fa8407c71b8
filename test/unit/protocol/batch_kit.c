/*
 * batch_kit.c - vectors and hand-made batches for the tests of batches and records
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "batch_kit.h"

#include <stdlib.h>

FILE *
kit_open(const char *name)
{
    char path[256];
    char *line = NULL;
    size_t room = 0;
    FILE *file;

    snprintf(path, sizeof path, "test/vectors/records/%s", name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(getline(&line, &room, file) > 0);
    free(line);
    return file;
}

bool
kit_next(FILE *file, KitRow *row)
{
    char *rest;
    char *column;

    if (getline(&row->line, &row->room, file) <= 0) {
        free(row->line);
        *row = (KitRow){0};
        return false;
    }
    row->line[strcspn(row->line, "\n")] = 0;
    rest = row->line;
    for (row->count = 0; (column = strsep(&rest, "\t")) != NULL; row->count++) {
        assert_true(row->count < KIT_COLUMNS_MAX);
        row->column[row->count] = column;
    }
    return true;
}

BytesView
kit_copy(const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return (BytesView){copy, (int32_t)len};
}

static uint8_t
digit(char c)
{
    assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

BytesView
kit_hex(const char *hex)
{
    size_t len = hex[0] == '-' ? 0 : strlen(hex) / 2;
    uint8_t *bytes = malloc(len > 0 ? len : 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    }
    return (BytesView){bytes, (int32_t)len};
}

void
kit_free(BytesView bytes)
{
    union {
        const uint8_t *in;
        void *out;
    } p = {bytes.ptr};

    free(p.out);
}

BytesView
kit_assemble(const BatchBuilderOptions *options, BytesView payload, int32_t count,
             int32_t last_offset_delta)
{
    size_t size = BATCH_HEADER_BYTES + (size_t)payload.len;
    uint8_t *bytes = calloc(1, size);

    assert_non_null(bytes);
    batch_set_base_offset(bytes, options->base_offset);
    wire_store32(bytes + BATCH_AT_LENGTH, (uint32_t)size - BATCH_OVERHEAD_BYTES);
    batch_set_leader_epoch(bytes, options->leader_epoch);
    bytes[BATCH_AT_MAGIC] = BATCH_MAGIC;
    wire_store16(bytes + BATCH_AT_ATTRIBUTES, (uint16_t)options->attributes);
    wire_store32(bytes + BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)last_offset_delta);
    wire_store64(bytes + BATCH_AT_PRODUCER_ID, (uint64_t)options->producer_id);
    wire_store16(bytes + BATCH_AT_PRODUCER_EPOCH, (uint16_t)options->producer_epoch);
    wire_store32(bytes + BATCH_AT_BASE_SEQUENCE, (uint32_t)options->base_sequence);
    wire_store32(bytes + BATCH_AT_RECORD_COUNT, (uint32_t)count);
    if (payload.len > 0) {
        memcpy(bytes + BATCH_HEADER_BYTES, payload.ptr, (size_t)payload.len);
    }
    batch_seal(bytes, size);
    return (BytesView){bytes, (int32_t)size};
}

BytesView
kit_text(const char *text)
{
    return (BytesView){(const uint8_t *)text, (int32_t)strlen(text)};
}

BytesView
kit_batch(Arena *arena, int16_t attributes, int32_t count, int64_t timestamp)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    RecordHeader header = {STRVIEW("trace"), kit_text("id")};
    BatchBuilder *builder;
    BytesView bytes;
    char value[101];

    options.attributes = attributes;
    builder = batch_builder_new(&options, arena);
    assert_non_null(builder);
    for (int32_t i = 0; i < count; i++) {
        snprintf(value, sizeof value, "%0100d", i * 7919);
        assert_int_equal(batch_builder_add(builder,
                                           &(BatchRecord){.timestamp = timestamp + i % 5,
                                                          .key = kit_text("key"),
                                                          .value = kit_text(value),
                                                          .headers = &header,
                                                          .header_count = i % 2},
                                           NULL),
                         0);
    }
    assert_int_equal(batch_builder_finish(builder, &bytes, NULL), 0);
    return kit_copy(bytes.ptr, (size_t)bytes.len);
}

BatchRules
kit_rules(int64_t now_ms)
{
    return (BatchRules){.now_ms = now_ms,
                        .timestamp_before_max_ms = INT64_MAX,
                        .timestamp_after_max_ms = 3600000,
                        .max_message_bytes = 1048588,
                        .segment_bytes = 1 << 30,
                        .target_codec = BATCH_TARGET_PRODUCER};
}

uint64_t
kit_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
