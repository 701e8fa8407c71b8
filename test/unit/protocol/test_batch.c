/*
 * test_batch.c - header fields, checksum arithmetic, scanning and building of batches
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/batch.h"

#include <stdlib.h>

#include "batch_kit.h"

#define NOW 1700000000000

/* The example of log.md 2.1, byte for byte. */
static const char example[] = "00000000000000000000003affffffff02e99b8dd8000000000000"
                              "0000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff00000001"
                              "10000000026b027600";

static BytesView
build_one(BatchBuilderOptions options, Arena *arena)
{
    BatchBuilder *builder = batch_builder_new(&options, arena);
    BytesView bytes;

    assert_int_equal(
        batch_builder_add(
            builder, &(BatchRecord){.timestamp = NOW, .key = kit_text("k"), .value = kit_text("v")},
            NULL),
        0);
    assert_int_equal(batch_builder_finish(builder, &bytes, NULL), 0);
    return bytes;
}

static void
header_fields_are_where_kafka_has_them(void **state)
{
    Arena *arena = arena_new(4096, 0);
    BytesView want = kit_hex(example);
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BytesView bytes;

    (void)state;
    options.leader_epoch = -1;
    bytes = build_one(options, arena);
    assert_int_equal(bytes.len, want.len);
    assert_memory_equal(bytes.ptr, want.ptr, (size_t)want.len);
    assert_int_equal(batch_size(bytes.ptr), 70);
    assert_int_equal(batch_crc(bytes.ptr), 0xe99b8dd8);
    assert_true(batch_crc_ok(bytes.ptr, (size_t)bytes.len));
    assert_int_equal(batch_next_offset(bytes.ptr), 1);
    assert_int_equal(batch_last_sequence(bytes.ptr), BATCH_NO_SEQUENCE);

    options = (BatchBuilderOptions){.base_offset = (int64_t)1 << 40,
                                    .leader_epoch = 77,
                                    .base_sequence = INT32_MAX,
                                    .producer_id = (int64_t)1 << 50,
                                    .producer_epoch = 12,
                                    .attributes = BATCH_ATTR_TRANSACTIONAL | BATCH_ATTR_APPEND_TIME,
                                    .append_time_ms = NOW + 3,
                                    .max_bytes = 1000};
    bytes = build_one(options, arena);
    assert_int_equal(batch_base_offset(bytes.ptr), (int64_t)1 << 40);
    assert_int_equal(batch_leader_epoch(bytes.ptr), 77);
    assert_int_equal(batch_producer_id(bytes.ptr), (int64_t)1 << 50);
    assert_int_equal(batch_producer_epoch(bytes.ptr), 12);
    assert_int_equal(batch_base_sequence(bytes.ptr), INT32_MAX);
    assert_int_equal(batch_last_sequence(bytes.ptr), INT32_MAX);
    assert_int_equal(batch_base_timestamp(bytes.ptr), NOW);
    assert_int_equal(batch_max_timestamp(bytes.ptr), NOW + 3);
    assert_true(batch_is_transactional(bytes.ptr) && batch_has_append_time(bytes.ptr));
    assert_false(batch_is_control(bytes.ptr) || batch_has_delete_horizon(bytes.ptr));
    kit_free(want);
    arena_free(arena);
}

static void
sequences_wrap_to_zero(void **state)
{
    (void)state;
    assert_int_equal(batch_sequence_add(5, 0), 5);
    assert_int_equal(batch_sequence_add(INT32_MAX, 0), INT32_MAX);
    assert_int_equal(batch_sequence_add(INT32_MAX, 1), 0);
    assert_int_equal(batch_sequence_add(INT32_MAX - 1, 5), 3);
    assert_int_equal(batch_sequence_add(0, INT32_MAX), INT32_MAX);
}

/* ---- Scanning: S of log.md 2.5 ---- */

static BatchScan
scan(BytesView bytes, int64_t region_left)
{
    int64_t size = -1;
    BatchScan found = batch_scan(bytes, region_left, &size);

    assert_int_equal(size, found == BATCH_SCAN_OK || found == BATCH_SCAN_OLD_FORMAT ? 70 : -1);
    return found;
}

static void
torn_tails_end_a_scan_and_garbage_stops_it(void **state)
{
    static const int32_t bad_lengths[] = {INT32_MIN, -1, 0, 13, 14, 48};
    BytesView bytes = kit_hex(example);
    uint8_t copy[70];
    BytesView view = {copy, sizeof copy};

    (void)state;
    for (int64_t left = 0; left < 70; left++) {
        assert_int_equal(scan((BytesView){bytes.ptr, (int32_t)left}, left), BATCH_SCAN_END);
    }
    assert_int_equal(scan(bytes, 70), BATCH_SCAN_OK);
    assert_int_equal(scan((BytesView){bytes.ptr, 17}, 1000), BATCH_SCAN_OK);
    for (size_t i = 0; i < sizeof bad_lengths / sizeof bad_lengths[0]; i++) {
        memcpy(copy, bytes.ptr, sizeof copy);
        wire_store32(copy + BATCH_AT_LENGTH, (uint32_t)bad_lengths[i]);
        assert_int_equal(scan(view, 70), BATCH_SCAN_CORRUPT);
        assert_int_equal(scan(view, 17), BATCH_SCAN_CORRUPT);
        assert_int_equal(scan(view, 16), BATCH_SCAN_END);
    }
    memcpy(copy, bytes.ptr, sizeof copy);
    wire_store32(copy + BATCH_AT_LENGTH, INT32_MAX);
    assert_int_equal(scan(view, 70), BATCH_SCAN_END);
    memcpy(copy, bytes.ptr, sizeof copy);
    for (int magic = 0; magic < 256; magic++) {
        copy[BATCH_AT_MAGIC] = (uint8_t)magic;
        assert_int_equal(scan(view, 70), magic == 2  ? BATCH_SCAN_OK
                                         : magic < 2 ? BATCH_SCAN_OLD_FORMAT
                                                     : BATCH_SCAN_CORRUPT);
    }
    kit_free(bytes);
}

/* ---- Assigning ---- */

/* The checksum corrected by the change equals the one computed anew, for payloads of any length. */
static void
append_time_changes_the_checksum_rightly(void **state)
{
    static const int32_t counts[] = {1, 2, 3, 40, 999};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        Arena *arena = arena_new(65536, 0);
        BytesView bytes = kit_batch(arena, 0, counts[i], NOW);
        BatchRules rules = kit_rules(NOW);
        BatchVerdict verdict;

        rules.append_time = true;
        batch_validate(&rules, bytes, arena, &verdict);
        assert_int_equal(verdict.code, 0);
        for (int64_t time = NOW - 3; time < NOW + 3; time++) {
            batch_assign(&verdict.batch, time, 4, time);
            assert_int_equal(batch_max_timestamp(verdict.batch.header), time);
            assert_int_equal(verdict.batch.max_timestamp, time);
            assert_int_equal(batch_crc(verdict.batch.header),
                             batch_crc_of(verdict.batch.header, verdict.batch.payload));
        }
        kit_free(bytes);
        arena_free(arena);
    }
}

static void
a_batch_in_one_piece_is_taken_as_it_is(void **state)
{
    Arena *arena = arena_new(65536, 0);
    BytesView bytes = kit_batch(arena, BATCH_CODEC_ZSTD, 10, NOW);
    Batch batch;

    (void)state;
    batch_from_bytes(bytes, &batch);
    batch_assign(&batch, 500, 6, NOW + 1000);
    assert_int_equal(batch_total_bytes(&batch), bytes.len);
    assert_int_equal(batch.max_timestamp, NOW + 4);
    assert_int_equal(batch.max_timestamp_delta, 9);
    assert_int_equal(batch_crc(batch.header), batch_crc(bytes.ptr));
    assert_int_equal(batch_last_offset(batch.header), 509);
    kit_free(bytes);
    arena_free(arena);
}

/* ---- Building ---- */

static void
the_builder_keeps_its_limit(void **state)
{
    Arena *arena = arena_new(4096, 0);
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchRecord record = {.timestamp = NOW, .value = kit_text("0123456789")};
    BatchBuilder *builder;
    BytesView bytes;
    ErrInfo err = {0};
    int64_t with;

    (void)state;
    options.max_bytes = 61 + 5 * 17;
    builder = batch_builder_new(&options, arena);
    for (int i = 0; i < 5; i++) {
        with = batch_builder_bytes_with(builder, &record);
        assert_int_equal(batch_builder_add(builder, &record, &err), 0);
        assert_int_equal(batch_builder_bytes(builder), with);
    }
    assert_int_equal(batch_builder_bytes(builder), options.max_bytes);
    assert_int_equal(batch_builder_add(builder, &record, &err), OT_E_MESSAGE_TOO_LARGE);
    assert_true(err.text[0] != 0);
    assert_int_equal(batch_builder_count(builder), 5);
    assert_int_equal(batch_builder_finish(builder, &bytes, &err), 0);
    assert_int_equal(bytes.len, options.max_bytes);

    /* Bytes that do not shrink: the limit holds behind the codec as well. */
    options.attributes = BATCH_CODEC_GZIP;
    options.max_bytes = 70;
    builder = batch_builder_new(&options, arena);
    assert_int_equal(batch_builder_add(builder, &(BatchRecord){.timestamp = NOW}, &err), 0);
    assert_int_equal(batch_builder_finish(builder, &bytes, &err), OT_E_MESSAGE_TOO_LARGE);
    arena_free(arena);
}

static void
a_builder_without_memory_says_so(void **state)
{
    Arena *arena = arena_new(1024, 16384);
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchBuilder *builder = batch_builder_new(&options, arena);
    uint8_t big[4096] = {0};
    int rc = 0;

    (void)state;
    for (int i = 0; i < 10 && rc == 0; i++) {
        rc = batch_builder_add(builder,
                               &(BatchRecord){.timestamp = NOW, .value = {big, sizeof big}}, NULL);
    }
    assert_int_equal(rc, OT_E_NO_MEMORY);
    arena_free(arena);
}

static void
an_empty_builder_gives_a_header(void **state)
{
    Arena *arena = arena_new(4096, 0);
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BytesView bytes;

    (void)state;
    assert_int_equal(batch_builder_finish(batch_builder_new(&options, arena), &bytes, NULL), 0);
    assert_int_equal(bytes.len, BATCH_HEADER_BYTES);
    assert_int_equal(batch_last_offset_delta(bytes.ptr), -1);
    assert_true(batch_crc_ok(bytes.ptr, BATCH_HEADER_BYTES));
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_fields_are_where_kafka_has_them),
        cmocka_unit_test(sequences_wrap_to_zero),
        cmocka_unit_test(torn_tails_end_a_scan_and_garbage_stops_it),
        cmocka_unit_test(append_time_changes_the_checksum_rightly),
        cmocka_unit_test(a_batch_in_one_piece_is_taken_as_it_is),
        cmocka_unit_test(the_builder_keeps_its_limit),
        cmocka_unit_test(a_builder_without_memory_says_so),
        cmocka_unit_test(an_empty_builder_gives_a_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
