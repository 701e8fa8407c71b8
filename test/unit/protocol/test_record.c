/*
 * test_record.c - records come out of a batch as they went in, and hostile ones do not come out
 *
 * own.tsv and clients.tsv hold batches with their contents as JSON, checked against Kafka's own
 * reader; bad.tsv holds batches that it refuses. R1 to R3 are the invariants of record.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/record.h"

#include <jansson.h>
#include <stdlib.h>

#include "batch_kit.h"
#include "protocol/batch_int.h"

#define NOW 1700000000000

/* ---- Vectors ---- */

static int64_t
number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    assert_non_null(value);
    return json_integer_value(value);
}

static void
expect_bytes(const json_t *hex, BytesView got)
{
    BytesView want;

    if (json_is_null(hex)) {
        assert_null(got.ptr);
        return;
    }
    assert_non_null(got.ptr);
    want = json_string_length(hex) == 0 ? kit_copy("", 0) : kit_hex(json_string_value(hex));
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.ptr, want.ptr, (size_t)want.len);
    kit_free(want);
}

static void
expect_header(const json_t *json, BytesView bytes)
{
    const uint8_t *b = bytes.ptr;

    assert_int_equal(batch_base_offset(b), number(json, "baseOffset"));
    assert_int_equal(batch_length(b), number(json, "batchLength"));
    assert_int_equal(batch_leader_epoch(b), number(json, "partitionLeaderEpoch"));
    assert_int_equal(batch_magic(b), number(json, "magic"));
    assert_int_equal(batch_crc(b), number(json, "crc"));
    assert_int_equal(batch_attributes(b), number(json, "attributes"));
    assert_int_equal(batch_last_offset_delta(b), number(json, "lastOffsetDelta"));
    assert_int_equal(batch_base_timestamp(b), number(json, "baseTimestamp"));
    assert_int_equal(batch_max_timestamp(b), number(json, "maxTimestamp"));
    assert_int_equal(batch_producer_id(b), number(json, "producerId"));
    assert_int_equal(batch_producer_epoch(b), number(json, "producerEpoch"));
    assert_int_equal(batch_base_sequence(b), number(json, "baseSequence"));
    assert_int_equal(batch_record_count(b), number(json, "recordCount"));
    assert_true(batch_crc_ok(b, (size_t)bytes.len));
}

static void
expect_record(const json_t *json, const Record *record, BytesView batch)
{
    const json_t *headers = json_object_get(json, "headers");
    BytesView rest = record->headers;
    RecordHeader header;

    assert_int_equal(record->attributes, number(json, "attributes"));
    assert_int_equal(record->timestamp_delta, number(json, "timestampDelta"));
    assert_int_equal(record->offset_delta, number(json, "offsetDelta"));
    assert_int_equal(record->offset, batch_base_offset(batch.ptr) + record->offset_delta);
    assert_int_equal(record->timestamp,
                     batch_has_append_time(batch.ptr)
                         ? batch_max_timestamp(batch.ptr)
                         : batch_base_timestamp(batch.ptr) + record->timestamp_delta);
    expect_bytes(json_object_get(json, "key"), record->key);
    expect_bytes(json_object_get(json, "value"), record->value);
    assert_int_equal(record->header_count, json_array_size(headers));
    for (size_t i = 0; i < json_array_size(headers); i++) {
        const json_t *pair = json_array_get(headers, i);
        BytesView want;

        assert_true(record_header_next(&rest, &header));
        /* The key is text in one set of vectors, hex in none. */
        want = kit_text(json_string_value(json_array_get(pair, 0)));
        assert_int_equal(header.key.len, want.len);
        assert_memory_equal(header.key.ptr, want.ptr, (size_t)want.len);
        expect_bytes(json_array_get(pair, 1), header.value);
    }
    assert_false(record_header_next(&rest, &header));
}

/* The records built anew give the same batch, except for what compression makes of them. */
static void
expect_rebuilt(const json_t *json, BytesView bytes, Arena *arena)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    const uint8_t *b = bytes.ptr;
    BatchBuilder *builder;
    RecordIter *iter = record_iter_open(bytes, arena);
    BytesView again;
    Record record;

    options.base_offset = batch_base_offset(b);
    options.leader_epoch = batch_leader_epoch(b);
    options.base_sequence = batch_base_sequence(b);
    options.producer_id = batch_producer_id(b);
    options.producer_epoch = batch_producer_epoch(b);
    options.attributes = batch_attributes(b);
    options.append_time_ms = batch_max_timestamp(b);
    builder = batch_builder_new(&options, arena);
    while (record_iter_next(iter, &record) == RECORD_OK) {
        RecordHeader headers[200];
        BytesView rest = record.headers;
        int32_t count = 0;

        while (record_header_next(&rest, &headers[count])) {
            count++;
            assert_true(count < 200);
        }
        assert_int_equal(
            batch_builder_add(
                builder,
                &(BatchRecord){.timestamp = batch_base_timestamp(b) + record.timestamp_delta,
                               .key = record.key,
                               .value = record.value,
                               .headers = headers,
                               .header_count = count,
                               .offset_gap = (int32_t)(record.offset_delta) -
                                             batch_builder_next_delta(builder)},
                NULL),
            0);
    }
    record_iter_close(iter);
    assert_int_equal(batch_builder_finish(builder, &again, NULL), 0);
    if (batch_codec(b) == 0 && batch_record_count(b) > 0 &&
        number(json, "lastOffsetDelta") == batch_last_offset_delta(again.ptr) &&
        batch_base_timestamp(b) == batch_base_timestamp(again.ptr)) {
        assert_int_equal(again.len, bytes.len);
        assert_memory_equal(again.ptr, bytes.ptr, (size_t)bytes.len);
    }
}

static void
check_file(const char *name, int at_least)
{
    FILE *file = kit_open(name);
    KitRow row = {0};
    int checked = 0;

    for (; kit_next(file, &row); checked++) {
        Arena *arena = arena_new(65536, 0);
        json_t *json = json_loads(row.column[2], 0, NULL);
        json_t *records = json_object_get(json, "records");
        BytesView bytes = kit_hex(row.column[1]);
        RecordIter *iter = record_iter_open(bytes, arena);
        RecordIter *skim_iter = record_iter_open(bytes, arena);
        RecordSkim skim;
        Record record;
        int64_t size;

        assert_non_null(json);
        assert_int_equal(batch_scan(bytes, bytes.len, &size), BATCH_SCAN_OK);
        assert_int_equal(size, bytes.len);
        expect_header(json, bytes);
        for (size_t i = 0; i < json_array_size(records); i++) {
            assert_int_equal(record_iter_next(iter, &record), RECORD_OK);
            expect_record(json_array_get(records, i), &record, bytes);
            assert_int_equal(record_iter_skim(skim_iter, &skim), RECORD_OK);
            assert_int_equal(skim.offset_delta, record.offset_delta);
            assert_int_equal(skim.timestamp_delta, record.timestamp_delta);
            assert_int_equal(skim.has_key, record.key.ptr != NULL);
        }
        assert_int_equal(record_iter_next(iter, &record), RECORD_END);
        assert_int_equal(record_iter_next(iter, &record), RECORD_END);
        assert_int_equal(record_iter_skim(skim_iter, &skim), RECORD_END);
        expect_rebuilt(json, bytes, arena);
        record_iter_close(iter);
        record_iter_close(skim_iter);
        json_decref(json);
        kit_free(bytes);
        arena_free(arena);
    }
    fclose(file);
    assert_true(checked >= at_least);
}

static void
own_vectors_are_read_and_built(void **state)
{
    (void)state;
    check_file("own.tsv", 27);
}

static void
client_vectors_are_read_and_built(void **state)
{
    (void)state;
    check_file("clients.tsv", 23);
}

/* Every one is stopped by the scan, the checksum, or the walk. */
static void
bad_vectors_are_refused(void **state)
{
    FILE *file = kit_open("bad.tsv");
    KitRow row = {0};
    int checked = 0;

    (void)state;
    for (; kit_next(file, &row); checked++) {
        Arena *arena = arena_new(65536, 0);
        BytesView bytes = kit_hex(row.column[1]);
        RecordIter *iter;
        RecordStatus status = RECORD_OK;
        RecordSkim skim;
        int64_t size;

        if (batch_scan(bytes, bytes.len, &size) == BATCH_SCAN_OK &&
            batch_crc_ok(bytes.ptr, (size_t)size)) {
            iter = record_iter_open(bytes, arena);
            while (iter != NULL && (status = record_iter_skim(iter, &skim)) == RECORD_OK) {
            }
            if (iter != NULL && status == RECORD_END) {
                fail_msg("accepted: %s", row.column[0]);
            }
            assert_true(iter == NULL || record_iter_reason(iter)[0] != 0);
            record_iter_close(iter);
        }
        kit_free(bytes);
        arena_free(arena);
    }
    fclose(file);
    assert_int_equal(checked, 15);
}

/* ---- Varints ---- */

static void
varints_go_round(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        for (int64_t around = -2; around <= 2; around++) {
            int64_t value = (int64_t)((uint64_t)1 << bit) + around;
            uint8_t bytes[RECORD_VARLONG_MAX];
            size_t used = record_varint_put(bytes, value);
            int64_t got = 0;

            assert_int_equal(used, record_varint_size(value));
            assert_int_equal(record_varint_get(bytes, bytes + used, RECORD_VARLONG_MAX, &got),
                             used);
            assert_int_equal(got, value);
            assert_int_equal(record_varint_get(bytes, bytes + used - 1, RECORD_VARLONG_MAX, &got),
                             0);
            if (value == (int32_t)value) {
                assert_int_equal(record_varint_get(bytes, bytes + used, RECORD_VARINT_MAX, &got),
                                 used);
                assert_int_equal(got, value);
            }
        }
    }
}

static void
varints_have_a_greatest_length(void **state)
{
    static const uint8_t six[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    static const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                     0x80, 0x80, 0x80, 0x80, 0x00};
    int64_t got;

    (void)state;
    assert_int_equal(record_varint_get(six, six + sizeof six, RECORD_VARINT_MAX, &got), 0);
    assert_int_equal(record_varint_get(six, six + sizeof six, RECORD_VARLONG_MAX, &got), 6);
    assert_int_equal(record_varint_get(eleven, eleven + sizeof eleven, RECORD_VARLONG_MAX, &got),
                     0);
}

/* ---- Pieces ---- */

/* R3: records of every size around a decoder's piece come out whole, read either way. */
static void
records_across_pieces_come_out_whole(void **state)
{
    static const int32_t sizes[] = {0, 1, 1000, 32700, 65500, 65536, 70000, 300000, 3, 131072, 7};
    const int count = (int)(sizeof sizes / sizeof sizes[0]);
    uint8_t *noise = malloc(300005);
    uint64_t seed = 99;

    (void)state;
    for (int i = 0; i < 300005; i++) {
        noise[i] = (uint8_t)(kit_random(&seed) % 16);
    }
    for (int16_t codec = 0; codec <= BATCH_CODEC_LAST; codec++) {
        Arena *arena = arena_new(65536, 0);
        BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
        BatchBuilder *builder;
        RecordIter *iter;
        RecordIter *skim_iter;
        RecordSkim skim;
        RecordHeader header = {STRVIEW("h"), {noise, 50000}};
        BytesView bytes;
        Record record;

        options.attributes = codec;
        builder = batch_builder_new(&options, arena);
        for (int i = 0; i < count; i++) {
            assert_int_equal(batch_builder_add(builder,
                                               &(BatchRecord){.timestamp = NOW - i,
                                                              .key = {noise, sizes[i] / 3},
                                                              .value = {noise + 5, sizes[i]},
                                                              .headers = &header,
                                                              .header_count = i % 3 == 0},
                                               NULL),
                             0);
        }
        assert_int_equal(batch_builder_finish(builder, &bytes, NULL), 0);
        iter = record_iter_open(bytes, arena);
        skim_iter = record_iter_open(bytes, arena);
        for (int i = 0; i < count; i++) {
            assert_int_equal(record_iter_next(iter, &record), RECORD_OK);
            assert_int_equal(record.key.len, sizes[i] / 3);
            assert_memory_equal(record.key.ptr, noise, (size_t)record.key.len);
            if (record.value.len > 0) {
                assert_memory_equal(record.value.ptr, noise + 5, (size_t)record.value.len);
            }
            /* R3: both kinds of step may be mixed. */
            assert_int_equal(i % 2 == 0 ? record_iter_skim(skim_iter, &skim)
                                        : record_iter_next(skim_iter, &record),
                             RECORD_OK);
        }
        assert_int_equal(record_iter_next(iter, &record), RECORD_END);
        assert_int_equal(record_iter_skim(skim_iter, &skim), RECORD_END);
        record_iter_close(iter);
        record_iter_close(skim_iter);
        arena_free(arena);
    }
    free(noise);
}

/* R1, R2: every cut and every byte too much inside a compressed stream is found. */
static void
counts_and_streams_must_agree(void **state)
{
    (void)state;
    for (int16_t codec = 0; codec <= BATCH_CODEC_LAST; codec++) {
        for (int32_t wrong = -1; wrong <= 1; wrong += 2) {
            Arena *arena = arena_new(65536, 0);
            BytesView good = kit_batch(arena, codec, 30, NOW);
            uint8_t *at = malloc((size_t)good.len);
            RecordSkim skim;
            RecordIter *iter;
            RecordStatus status;

            memcpy(at, good.ptr, (size_t)good.len);
            wire_store32(at + BATCH_AT_RECORD_COUNT, (uint32_t)(30 + wrong));
            iter = record_iter_open((BytesView){at, good.len}, arena);
            while ((status = record_iter_skim(iter, &skim)) == RECORD_OK) {
            }
            assert_int_equal(status, RECORD_INVALID);
            assert_int_equal(record_iter_skim(iter, &skim), RECORD_INVALID);
            record_iter_close(iter);
            free(at);
            kit_free(good);
            arena_free(arena);
        }
    }
}

/* What a walk over the whole batch comes to. */
typedef struct Walk {
    RecordStatus status;
    int32_t records;
    int64_t sum; /* of deltas, key presence: a different reading gives a different sum */
} Walk;

static Walk
walk(BytesView bytes, bool skim)
{
    Arena *arena = arena_new(65536, 0);
    RecordIter *iter = record_iter_open(bytes, arena);
    Walk walked = {0};
    RecordSkim skimmed;
    Record record;

    for (;; walked.records++) {
        int64_t deltas;
        bool has_key;

        if (skim) {
            walked.status = record_iter_skim(iter, &skimmed);
            deltas = skimmed.timestamp_delta * 3 + skimmed.offset_delta;
            has_key = skimmed.has_key;
        } else {
            walked.status = record_iter_next(iter, &record);
            deltas = record.timestamp_delta * 3 + record.offset_delta;
            has_key = record.key.ptr != NULL;
        }
        if (walked.status != RECORD_OK) {
            break;
        }
        walked.sum = walked.sum * 31 + deltas * 2 + (int64_t)has_key;
    }
    record_iter_close(iter);
    arena_free(arena);
    return walked;
}

static BytesView
packed(BytesView payload, int codec, int32_t count)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    Arena *arena = arena_new(1 << 20, 0);
    BatchSink sink;
    BytesView bytes;

    options.attributes = (int16_t)codec;
    batch_sink_init(&sink, codec, BATCH_LEVEL_DEFAULT, INT32_MAX, arena);
    assert_int_equal(batch_sink_put(&sink, payload.ptr, (size_t)payload.len), REENCODE_OK);
    assert_int_equal(batch_sink_finish(&sink), REENCODE_OK);
    batch_sink_fini(&sink);
    bytes = kit_assemble(
        &options,
        (BytesView){sink.bytes + BATCH_HEADER_BYTES, (int32_t)(sink.used - BATCH_HEADER_BYTES)},
        count, count - 1);
    arena_free(arena);
    return bytes;
}

/*
 * R1, R2: the quick look, the careful parse, and the reading across pieces understand the same
 * bytes alike, right or wrong. Changes are made everywhere and where pieces end.
 */
static void
all_ways_of_reading_agree(void **state)
{
    const int32_t count = 1500;
    uint64_t seed = 4711;

    (void)state;
    for (int round = 0; round < 400; round++) {
        Arena *arena = arena_new(65536, 0);
        BytesView good = kit_batch(arena, 0, count, NOW);
        BytesView payload = {good.ptr + BATCH_HEADER_BYTES, good.len - BATCH_HEADER_BYTES};
        uint8_t *at = malloc((size_t)payload.len);
        Walk careful;

        memcpy(at, payload.ptr, (size_t)payload.len);
        for (uint64_t changes = kit_random(&seed) % 3; changes > 0; changes--) {
            uint64_t noise = kit_random(&seed);
            size_t pos = round % 2 == 0 ? noise % (size_t)payload.len : 65536 - 120 + noise % 240;

            at[pos] = noise % 5 == 0 ? 0xff : (uint8_t)(noise >> 32);
        }
        payload.ptr = at;
        for (int codec = 0; codec <= BATCH_CODEC_LAST; codec += codec == 0 ? 2 : 1) {
            BytesView bytes = packed(payload, codec, count);
            Walk skimmed = walk(bytes, true);

            if (codec == 0) {
                careful = walk(bytes, false);
            }
            assert_int_equal(skimmed.status, careful.status);
            assert_int_equal(skimmed.records, careful.records);
            assert_int_equal(skimmed.sum, careful.sum);
            kit_free(bytes);
        }
        free(at);
        kit_free(good);
        arena_free(arena);
    }
}

/* R1: a byte too much or too few in a record is found on the quick path as well. */
static void
fields_fill_their_record(void **state)
{
    (void)state;
    for (int wrong = -1; wrong <= 1; wrong++) {
        uint8_t payload[64] = {0};
        BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
        BytesView bytes;

        payload[0] = (uint8_t)(2 * (27 + wrong)); /* length */
        payload[4] = 2 * 1;                       /* key length; key is zero */
        payload[6] = 2 * 20;                      /* value length; value is zero */
        bytes = kit_assemble(&options, (BytesView){payload, 28 + wrong}, 1, 0);
        assert_int_equal(walk(bytes, true).status, wrong == 0 ? RECORD_END : RECORD_INVALID);
        assert_int_equal(walk(bytes, false).status, wrong == 0 ? RECORD_END : RECORD_INVALID);
        kit_free(bytes);
    }
}

/* The same faults in a record that begins two bytes before the end of a decoder's piece. */
static void
faults_across_pieces_are_found(void **state)
{
    static const uint8_t long_length[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    static const uint8_t too_long[] = {2 * 9, 0, 0, 2 * 1, 2 * 1, 'k', 2 * 1, 'v', 0, 0};
    static const uint8_t right[] = {2 * 8, 0, 0, 2 * 1, 2 * 1, 'k', 2 * 1, 'v', 0};
    const struct {
        BytesView second;
        RecordStatus status;
    } cases[] = {{{long_length, sizeof long_length}, RECORD_GARBLED},
                 {{too_long, sizeof too_long}, RECORD_INVALID},
                 {{right, sizeof right}, RECORD_END}};
    const int32_t first = COMPRESS_PIECE_BYTES - 2;
    uint8_t *payload = calloc(1, (size_t)first + 32);
    size_t at;

    (void)state;
    /* length, attributes, deltas, no key, a value of three length bytes, no headers */
    at = record_varint_put(payload, first - 3);
    assert_int_equal(at, 3);
    at += 3;
    payload[at++] = 1;
    at += record_varint_put(payload + at, first - 3 - 3 - 1 - 3 - 1);
    assert_int_equal(at, 10);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(payload + first, cases[i].second.ptr, (size_t)cases[i].second.len);
        for (int codec = 0; codec <= BATCH_CODEC_LAST; codec++) {
            BytesView bytes = packed((BytesView){payload, first + cases[i].second.len}, codec, 2);

            assert_int_equal(walk(bytes, true).status, cases[i].status);
            assert_int_equal(walk(bytes, false).status, cases[i].status);
            kit_free(bytes);
        }
    }
    free(payload);
}

/* ---- Control records ---- */

static void
control_records_are_understood(void **state)
{
    Arena *arena = arena_new(4096, 0);
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BytesView bytes;
    Record record;
    RecordIter *iter;
    int16_t type = -1;
    int32_t epoch = -1;
    uint8_t key[4];

    (void)state;
    options.producer_id = 5;
    options.producer_epoch = 2;
    options.base_sequence = 9;
    assert_int_equal(end_txn_batch_build(&options, false, 31, NOW, arena, &bytes, NULL), 0);
    assert_int_equal(bytes.len, 78);
    assert_int_equal(batch_attributes(bytes.ptr), BATCH_ATTR_TRANSACTIONAL | BATCH_ATTR_CONTROL);
    assert_int_equal(batch_base_sequence(bytes.ptr), BATCH_NO_SEQUENCE);
    iter = record_iter_open(bytes, arena);
    assert_int_equal(record_iter_next(iter, &record), RECORD_OK);
    assert_true(control_record_type(record.key, &type));
    assert_int_equal(type, CONTROL_ABORT);
    assert_true(control_end_txn_epoch(record.value, &epoch));
    assert_int_equal(epoch, 31);
    record_iter_close(iter);

    options = BATCH_BUILDER_DEFAULTS;
    assert_int_equal(control_batch_build(&options, CONTROL_SNAPSHOT_HEADER, kit_text("body"), NOW,
                                         arena, &bytes, NULL),
                     0);
    assert_int_equal(batch_attributes(bytes.ptr), BATCH_ATTR_CONTROL);
    iter = record_iter_open(bytes, arena);
    assert_int_equal(record_iter_next(iter, &record), RECORD_OK);
    assert_true(control_record_type(record.key, &type));
    assert_int_equal(type, CONTROL_SNAPSHOT_HEADER);
    assert_int_equal(record.value.len, 4);
    record_iter_close(iter);

    control_record_key(CONTROL_KRAFT_VOTERS, key);
    assert_true(control_record_type((BytesView){key, 4}, &type));
    assert_int_equal(type, CONTROL_KRAFT_VOTERS);
    assert_false(control_record_type((BytesView){key, 3}, &type));
    assert_false(control_record_type((BytesView){NULL, 0}, &type));
    key[0] = 0x80;
    assert_false(control_record_type((BytesView){key, 4}, &type));
    assert_false(control_end_txn_epoch((BytesView){key, 4}, &epoch));
    assert_false(control_end_txn_epoch((BytesView){NULL, 0}, &epoch));
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_vectors_are_read_and_built),
        cmocka_unit_test(client_vectors_are_read_and_built),
        cmocka_unit_test(bad_vectors_are_refused),
        cmocka_unit_test(varints_go_round),
        cmocka_unit_test(varints_have_a_greatest_length),
        cmocka_unit_test(records_across_pieces_come_out_whole),
        cmocka_unit_test(counts_and_streams_must_agree),
        cmocka_unit_test(all_ways_of_reading_agree),
        cmocka_unit_test(fields_fill_their_record),
        cmocka_unit_test(faults_across_pieces_are_found),
        cmocka_unit_test(control_records_are_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
