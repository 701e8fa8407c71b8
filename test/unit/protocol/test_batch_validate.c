/*
 * test_batch_validate.c - a client's batch gets the verdict that Kafka 4.3.1 was seen to give
 *
 * verdicts.tsv holds requests of the conformance recordings with the codes, log start offsets,
 * record errors and stored headers answered to them; rows that end in "[not so]" carry the code of
 * the documented deviation instead. The other tests cover what needs large or odd batches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/batch_validate.h"

#include <stdlib.h>

#include "batch_kit.h"
#include "ottla/common/crc32c.h"
#include "ottla/common/errlist.h"
#include "protocol/batch_int.h"
#include "protocol/record_int.h"

#define NOW                    1700000000000
#define REQUEST_PARTITIONS_MAX 8

/* ---- The recordings ---- */

/* Columns of verdicts.tsv. */
enum {
    COL_CASE,
    COL_REQUEST,
    COL_VERSION,
    COL_SETTINGS,
    COL_HEX,
    COL_CODE,
    COL_LOG_START,
    COL_ERRORS,
    COL_TEXT,
    COL_ATTRIBUTES,
    COL_BASE_TIMESTAMP,
    COL_MAX_TIMESTAMP,
    COL_COUNT
};

typedef struct Row {
    char *column[COL_COUNT];
    BytesView records;
} Row;

static void
apply_settings(BatchRules *rules, const char *settings)
{
    static const char *const codecs[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
    char copy[200];
    char *rest = copy;
    char *item;

    if (settings[0] == '-') {
        return;
    }
    snprintf(copy, sizeof copy, "%s", settings);
    while ((item = strsep(&rest, ";")) != NULL) {
        char *value = strchr(item, '=');

        assert_non_null(value);
        *value++ = 0;
        if (strcmp(item, "compression.type") == 0) {
            for (int8_t i = 0; i < 5; i++) {
                if (strcmp(value, codecs[i]) == 0) {
                    rules->target_codec = i;
                    rules->level = i == BATCH_CODEC_ZSTD ? 3 : i == BATCH_CODEC_LZ4 ? 9 : -1;
                }
            }
        } else if (strcmp(item, "max.message.bytes") == 0) {
            rules->max_message_bytes = strtoll(value, NULL, 10);
        } else if (strcmp(item, "segment.bytes") == 0) {
            rules->segment_bytes = strtoll(value, NULL, 10);
        } else if (strcmp(item, "cleanup.policy") == 0) {
            rules->compacted = strstr(value, "compact") != NULL;
        } else if (strcmp(item, "message.timestamp.type") == 0) {
            rules->append_time = strcmp(value, "LogAppendTime") == 0;
        } else if (strcmp(item, "message.timestamp.before.max.ms") == 0) {
            rules->timestamp_before_max_ms = strtoll(value, NULL, 10);
        } else if (strcmp(item, "message.timestamp.after.max.ms") == 0) {
            rules->timestamp_after_max_ms = strtoll(value, NULL, 10);
        } else {
            fail_msg("unknown setting %s", item);
        }
    }
}

static void
expect_errors(const Row *row, const BatchVerdict *verdict)
{
    char list[200] = "";

    for (int32_t i = 0; i < verdict->error_count; i++) {
        size_t len = strlen(list);

        assert_true(verdict->errors[i].text != NULL && verdict->errors[i].text[0] != 0);
        snprintf(list + len, sizeof list - len, "%s%d", i > 0 ? "," : "", verdict->errors[i].index);
    }
    assert_string_equal(list[0] != 0 ? list : "none", row->column[COL_ERRORS]);
}

static void
expect_stored(const Row *row, const BatchVerdict *verdict, int64_t now)
{
    Batch batch = verdict->batch;
    Arena *arena = arena_new(65536, 0);
    RecordIter *iter;
    Record record;
    int32_t index = 0;

    batch_assign(&batch, 70, 3, now + 5);
    assert_int_equal(batch_base_offset(batch.header), 70);
    assert_int_equal(batch_leader_epoch(batch.header), 3);
    assert_int_equal(batch_size(batch.header), batch_total_bytes(&batch));
    assert_int_equal(batch_crc_of(batch.header, batch.payload), batch_crc(batch.header));
    assert_int_equal(batch.max_timestamp, batch_max_timestamp(batch.header));
    if (row->column[COL_ATTRIBUTES][0] != '-' || row->column[COL_ATTRIBUTES][1] != 0) {
        assert_int_equal(batch_attributes(batch.header), atoi(row->column[COL_ATTRIBUTES]));
        if (strcmp(row->column[COL_BASE_TIMESTAMP], "now") != 0) {
            assert_int_equal(batch_base_timestamp(batch.header),
                             strtoll(row->column[COL_BASE_TIMESTAMP], NULL, 10));
        }
        assert_int_equal(batch_max_timestamp(batch.header),
                         batch.append_time ? now + 5
                                           : strtoll(row->column[COL_MAX_TIMESTAMP], NULL, 10));
    }
    /* What is stored can be read: consecutive offsets, as many as the header says. */
    iter = record_iter_open_parts(batch.header, batch.payload, arena);
    assert_non_null(iter);
    while (record_iter_next(iter, &record) == RECORD_OK) {
        assert_int_equal(record.offset, 70 + index++);
    }
    assert_string_equal(record_iter_reason(iter), "");
    assert_int_equal(index, batch_record_count(batch.header));
    record_iter_close(iter);
    arena_free(arena);
}

/* One partition of a request; a code for the whole request is given back. */
static int16_t
judge(const Row *row, BatchVerdict *verdict, int64_t now, Arena *arena)
{
    BatchRules rules = kit_rules(now);

    batch_precheck((int16_t)atoi(row->column[COL_VERSION]), row->records, verdict);
    if (verdict->code == 0) {
        apply_settings(&rules, row->column[COL_SETTINGS]);
        batch_validate(&rules, row->records, arena, verdict);
    }
    return verdict->failed_request ? verdict->code : 0;
}

static void
check_request(const Row *rows, int count, int64_t now)
{
    Arena *arena = arena_new(65536, 0);
    BatchVerdict verdicts[REQUEST_PARTITIONS_MAX];
    ProduceScreen screen;
    int16_t all = 0;

    produce_screen_init(&screen);
    for (int i = 0; i < count; i++) {
        produce_screen_add(&screen, rows[i].records);
    }
    for (int i = 0; i < count; i++) {
        int16_t code = judge(&rows[i], &verdicts[i], now, arena);

        all = code != 0 ? code : all;
    }
    for (int i = 0; i < count; i++) {
        BatchVerdict *verdict = &verdicts[i];
        const Row *row = &rows[i];
        int expected = atoi(row->column[COL_CODE]);

        if (screen.code != 0 || all != 0) {
            *verdict =
                (BatchVerdict){.code = screen.code != 0 ? screen.code : all, .text = screen.text};
        }
        if (verdict->code != expected) {
            fail_msg("%s, version %s, partition %d: code %d instead of %d (%s)",
                     row->column[COL_CASE], row->column[COL_VERSION], i, verdict->code, expected,
                     verdict->reason != NULL ? verdict->reason : "");
        }
        if (verdict->code == 0) {
            expect_stored(row, verdict, now);
            continue;
        }
        if (row->column[COL_LOG_START][0] != '-' || row->column[COL_LOG_START][1] != 0) {
            if (verdict->real_log_start != (strcmp(row->column[COL_LOG_START], "real") == 0)) {
                fail_msg("%s: log start", row->column[COL_CASE]);
            }
        }
        if (row->column[COL_TEXT][0] != '-') {
            if ((verdict->text != NULL) != (strcmp(row->column[COL_TEXT], "yes") == 0)) {
                fail_msg("%s: text", row->column[COL_CASE]);
            }
            expect_errors(row, verdict);
        }
    }
    arena_free(arena);
}

static void
verdicts_are_those_of_the_recordings(void **state)
{
    FILE *file = kit_open("verdicts.tsv");
    Row rows[REQUEST_PARTITIONS_MAX];
    KitRow line = {0};
    int64_t now;
    int count = 0;
    int checked = 0;
    bool more;

    (void)state;
    assert_true(kit_next(file, &line));
    assert_string_equal(line.column[COL_CASE], "now");
    now = strtoll(line.column[COL_REQUEST], NULL, 10);
    do {
        more = kit_next(file, &line);
        if (count > 0 &&
            (!more || strcmp(line.column[COL_REQUEST], rows[0].column[COL_REQUEST]) != 0)) {
            check_request(rows, count, now);
            checked++;
            for (int i = 0; i < count; i++) {
                kit_free(rows[i].records);
                for (int c = 0; c < COL_COUNT; c++) {
                    free(rows[i].column[c]);
                }
            }
            count = 0;
        }
        if (more) {
            assert_int_equal(line.count, COL_COUNT);
            assert_true(count < REQUEST_PARTITIONS_MAX);
            for (int c = 0; c < COL_COUNT; c++) {
                rows[count].column[c] = strdup(line.column[c]);
            }
            rows[count].records = kit_hex(line.column[COL_HEX]);
            count++;
        }
    } while (more);
    fclose(file);
    assert_true(checked > 500);
}

/* ---- The request as a whole ---- */

static BytesView
transactional(int64_t producer_id, int16_t producer_epoch)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;

    options.attributes = BATCH_ATTR_TRANSACTIONAL;
    options.producer_id = producer_id;
    options.producer_epoch = producer_epoch;
    options.base_sequence = 0;
    return kit_assemble(&options, kit_text("\x0c"), 1, 0);
}

static void
screen_stops_at_the_first_transactional_batch(void **state)
{
    BytesView one = transactional(7, 1);
    BytesView other = transactional(7, 2);
    uint8_t zeros[17] = {0};
    ProduceScreen screen;

    (void)state;
    produce_screen_init(&screen);
    produce_screen_add(&screen, (BytesView){NULL, 0});
    produce_screen_add(&screen, (BytesView){zeros, 11});
    assert_int_equal(screen.code, 0);
    produce_screen_add(&screen, (BytesView){zeros, 12});
    assert_int_equal(screen.code, KERR_CORRUPT_MESSAGE);
    assert_non_null(screen.text);

    produce_screen_init(&screen);
    produce_screen_add(&screen, one);
    produce_screen_add(&screen, (BytesView){zeros, 17});
    assert_int_equal(screen.code, 0);
    assert_true(screen.transactional);
    assert_false(screen.producers_differ);
    assert_int_equal(screen.producer_id, 7);
    produce_screen_add(&screen, one);
    assert_false(screen.producers_differ);
    produce_screen_add(&screen, other);
    assert_true(screen.producers_differ);
    assert_int_equal(screen.producer_epoch, 1);
    kit_free(one);
    kit_free(other);
}

static void
null_records_are_one_bad_partition(void **state)
{
    BatchVerdict verdict;

    (void)state;
    batch_precheck(9, (BytesView){NULL, 0}, &verdict);
    assert_int_equal(verdict.code, KERR_INVALID_RECORD);
    assert_false(verdict.failed_request);
    assert_false(verdict.real_log_start);
}

/* ---- Sizes ---- */

static void
limits_are_inclusive(void **state)
{
    Arena *arena = arena_new(65536, 0);
    BytesView bytes = kit_batch(arena, 0, 10, NOW);
    BatchRules rules = kit_rules(NOW);
    BatchVerdict verdict;

    (void)state;
    rules.max_message_bytes = bytes.len;
    rules.segment_bytes = bytes.len;
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, 0);
    assert_int_equal(verdict.outcome, BATCH_PASSED);
    rules.segment_bytes--;
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, KERR_RECORD_LIST_TOO_LARGE);
    assert_false(verdict.real_log_start);
    rules.max_message_bytes--;
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, KERR_MESSAGE_TOO_LARGE);
    assert_false(verdict.real_log_start);
    kit_free(bytes);
    arena_free(arena);
}

/* ---- What the input and the arena may cost ---- */

static void
the_request_is_never_written_to(void **state)
{
    Arena *arena = arena_new(65536, 0);
    BytesView bytes = kit_batch(arena, BATCH_CODEC_LZ4, 50, NOW);
    BytesView before = kit_copy(bytes.ptr, (size_t)bytes.len);
    BatchRules rules = kit_rules(NOW);
    BatchVerdict verdict;

    (void)state;
    rules.append_time = true;
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, 0);
    assert_int_equal(verdict.outcome, BATCH_PATCHED);
    assert_ptr_equal(verdict.batch.payload.ptr, bytes.ptr + BATCH_HEADER_BYTES);
    batch_assign(&verdict.batch, 5, 1, NOW + 9);
    assert_memory_equal(bytes.ptr, before.ptr, (size_t)bytes.len);
    kit_free(bytes);
    kit_free(before);
    arena_free(arena);
}

static void
record_errors_are_bounded(void **state)
{
    Arena *arena = arena_new(65536, 0);
    BytesView bytes = kit_batch(arena, BATCH_CODEC_ZSTD, RECORD_ERRORS_MAX + 1000, 5);
    BatchRules rules = kit_rules(NOW);
    BatchVerdict verdict;

    (void)state;
    rules.timestamp_before_max_ms = 10;
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, KERR_INVALID_TIMESTAMP);
    assert_int_equal(verdict.error_count, RECORD_ERRORS_MAX);
    assert_int_equal(verdict.errors[RECORD_ERRORS_MAX - 1].index, RECORD_ERRORS_MAX - 1);
    kit_free(bytes);
    arena_free(arena);
}

/* A few KiB that become 64 MiB: checked in constant memory, refused where they would be stored. */
static void
bombs_do_not_grow_the_process(void **state)
{
    const int32_t big = 64 << 20;

    (void)state;
    for (int16_t codec = BATCH_CODEC_GZIP; codec <= BATCH_CODEC_ZSTD; codec++) {
        Arena *making = arena_new(65536, 0);
        Arena *arena = arena_new(65536, 0);
        BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
        BatchBuilder *builder;
        BatchRules rules = kit_rules(NOW);
        BatchVerdict verdict;
        uint8_t *zeros = calloc(1, (size_t)big);
        BytesView bytes;

        options.attributes = codec;
        builder = batch_builder_new(&options, making);
        assert_int_equal(
            batch_builder_add(
                builder,
                &(BatchRecord){.timestamp = NOW, .key = kit_text("k"), .value = {zeros, big}},
                NULL),
            0);
        assert_int_equal(batch_builder_finish(builder, &bytes, NULL), 0);
        free(zeros);
        rules.max_message_bytes = bytes.len;
        batch_validate(&rules, bytes, arena, &verdict);
        assert_int_equal(verdict.code, 0);
        assert_true(arena_bytes(arena) < (size_t)9 << 20);
        rules.target_codec = BATCH_CODEC_NONE;
        batch_validate(&rules, bytes, arena, &verdict);
        assert_int_equal(verdict.code, KERR_MESSAGE_TOO_LARGE);
        assert_true(arena_bytes(arena) < ((size_t)16 << 20) + 3 * (size_t)bytes.len);
        arena_free(arena);
        arena_free(making);
    }
}

static void
a_full_arena_is_an_error_answer(void **state)
{
    Arena *making = arena_new(65536, 0);
    BytesView bytes = kit_batch(making, BATCH_CODEC_GZIP, 2000, NOW);

    (void)state;
    for (size_t cap = 256; cap < 1 << 20; cap *= 2) {
        Arena *arena = arena_new(256, cap);
        BatchRules rules = kit_rules(NOW);
        BatchVerdict verdict;

        rules.target_codec = BATCH_CODEC_NONE;
        batch_validate(&rules, bytes, arena, &verdict);
        assert_true(verdict.code == 0 || verdict.code == KERR_UNKNOWN_SERVER_ERROR);
        arena_free(arena);
    }
    kit_free(bytes);
    arena_free(making);
}

/* ---- Re-encoding ---- */

/* Every codec into every other: the same records, new numbering, the header of log.md 4.4. */
static void
every_codec_into_every_other(void **state)
{
    (void)state;
    for (int16_t from = 0; from <= BATCH_CODEC_LAST; from++) {
        for (int8_t to = 0; to <= BATCH_CODEC_LAST; to++) {
            Arena *arena = arena_new(65536, 0);
            BytesView bytes = kit_batch(arena, from | BATCH_ATTR_DELETE_HORIZON, 3000, NOW);
            BatchRules rules = kit_rules(NOW);
            BatchVerdict verdict;
            RecordIter *old;
            RecordIter *new;
            Record a;
            Record b;
            RecordStatus status;

            rules.target_codec = to;
            rules.level = to == BATCH_CODEC_ZSTD ? 3 : to == BATCH_CODEC_LZ4 ? 9 : -1;
            batch_validate(&rules, bytes, arena, &verdict);
            assert_int_equal(verdict.code, 0);
            assert_int_equal(verdict.outcome, from == to ? BATCH_PASSED : BATCH_REENCODED);
            assert_int_equal(batch_attributes(verdict.batch.header),
                             to | (from == to ? BATCH_ATTR_DELETE_HORIZON : 0));
            assert_int_equal(batch_max_timestamp(verdict.batch.header), NOW + 4);
            assert_int_equal(verdict.batch.max_timestamp_delta, 4);
            batch_assign(&verdict.batch, 0, 0, -1);
            assert_int_equal(batch_crc_of(verdict.batch.header, verdict.batch.payload),
                             batch_crc(verdict.batch.header));
            old = record_iter_open(bytes, arena);
            new = record_iter_open_parts(verdict.batch.header, verdict.batch.payload, arena);
            while ((status = record_iter_next(old, &a)) == RECORD_OK) {
                assert_int_equal(record_iter_next(new, &b), RECORD_OK);
                assert_int_equal(a.offset, b.offset);
                assert_int_equal(a.timestamp, b.timestamp);
                assert_int_equal(a.value.len, b.value.len);
                assert_memory_equal(a.value.ptr, b.value.ptr, (size_t)a.value.len);
                assert_int_equal(a.headers.len, b.headers.len);
            }
            assert_int_equal(status, RECORD_END);
            assert_int_equal(record_iter_next(new, &b), RECORD_END);
            record_iter_close(old);
            record_iter_close(new);
            kit_free(bytes);
            arena_free(arena);
        }
    }
}

/* A batch of five records in gzip after a byte of the plain payload was set. */
static BytesView
changed_and_packed(size_t at, uint8_t byte, Arena *arena)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BytesView plain = kit_batch(arena, BATCH_CODEC_NONE, 5, NOW);
    uint8_t *payload = arena_alloc(arena, (size_t)plain.len);
    size_t len = (size_t)plain.len - BATCH_HEADER_BYTES;
    BatchSink sink;

    memcpy(payload, plain.ptr + BATCH_HEADER_BYTES, len);
    payload[at] = byte;
    batch_sink_init(&sink, BATCH_CODEC_GZIP, BATCH_LEVEL_DEFAULT, INT32_MAX, arena);
    assert_int_equal(batch_sink_put(&sink, payload, len), REENCODE_OK);
    assert_int_equal(batch_sink_finish(&sink), REENCODE_OK);
    batch_sink_fini(&sink);
    options.attributes = BATCH_CODEC_GZIP;
    kit_free(plain);
    return kit_assemble(
        &options,
        (BytesView){sink.bytes + BATCH_HEADER_BYTES, (int32_t)(sink.used - BATCH_HEADER_BYTES)}, 5,
        4);
}

/*
 * A batch whose records need no change is decoded once; one whose records do, twice: here the first
 * timestamp is not the base, or a record's attributes are not 0.
 */
static void
what_stays_is_decoded_once(void **state)
{
    static const struct {
        size_t at;
        uint8_t byte;
        int decodes;
        int64_t first;
    } cases[] = {{2, 0, 1, 0}, {2, 7, 2, 0}, {3, 2, 2, 1}}; /* behind a length of two bytes */

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Arena *arena = arena_new(65536, 0);
        BytesView bytes = changed_and_packed(cases[i].at, cases[i].byte, arena);
        int64_t base = batch_base_timestamp(bytes.ptr);
        uint64_t before = record_decodes;
        BatchRules rules = kit_rules(base);
        BatchVerdict verdict;
        RecordIter *iter;
        Record record;

        rules.target_codec = BATCH_CODEC_LZ4;
        rules.level = 9;
        batch_validate(&rules, bytes, arena, &verdict);
        assert_int_equal(verdict.code, 0);
        assert_int_equal(verdict.outcome, BATCH_REENCODED);
        assert_int_equal(record_decodes - before, cases[i].decodes);
        assert_int_equal(batch_base_timestamp(verdict.batch.header), base + cases[i].first);
        iter = record_iter_open_parts(verdict.batch.header, verdict.batch.payload, arena);
        for (int32_t n = 0; n < 5; n++) {
            assert_int_equal(record_iter_next(iter, &record), RECORD_OK);
            assert_int_equal(record.attributes, 0);
            assert_int_equal(record.offset, n);
            assert_int_equal(record.timestamp, base + (n == 0 ? cases[i].first : n));
        }
        assert_int_equal(record_iter_next(iter, &record), RECORD_END);
        record_iter_close(iter);
        kit_free(bytes);
        arena_free(arena);
    }
}

static void
reencoded_batches_get_the_append_time_too(void **state)
{
    Arena *arena = arena_new(65536, 0);
    BytesView bytes = kit_batch(arena, BATCH_CODEC_GZIP, 20, NOW);
    BatchRules rules = kit_rules(NOW);
    BatchVerdict verdict;

    (void)state;
    rules.target_codec = BATCH_CODEC_NONE;
    rules.append_time = true;
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, 0);
    batch_assign(&verdict.batch, 100, 2, NOW + 77);
    assert_int_equal(batch_attributes(verdict.batch.header), BATCH_ATTR_APPEND_TIME);
    assert_int_equal(batch_max_timestamp(verdict.batch.header), NOW + 77);
    assert_int_equal(batch_crc_of(verdict.batch.header, verdict.batch.payload),
                     batch_crc(verdict.batch.header));
    kit_free(bytes);
    arena_free(arena);
}

static void
the_limit_holds_for_the_reencoded_batch(void **state)
{
    Arena *arena = arena_new(65536, 0);
    BytesView bytes = kit_batch(arena, BATCH_CODEC_GZIP, 20, NOW);
    BatchRules rules = kit_rules(NOW);
    BatchVerdict verdict;

    (void)state;
    rules.target_codec = BATCH_CODEC_NONE;
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, 0);
    rules.max_message_bytes = batch_total_bytes(&verdict.batch);
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, 0);
    rules.max_message_bytes--;
    assert_true(bytes.len <= rules.max_message_bytes);
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, KERR_MESSAGE_TOO_LARGE);
    kit_free(bytes);
    arena_free(arena);
}

/* ---- Timestamps at the ends of their range (observed.md 1) ---- */

static int16_t
verdict_on_timestamp(int64_t timestamp, int64_t before_max_ms, int64_t after_max_ms)
{
    Arena *arena = arena_new(4096, 0);
    BytesView bytes = kit_batch(arena, 0, 1, timestamp);
    BatchRules rules = kit_rules(NOW);
    BatchVerdict verdict;

    rules.timestamp_before_max_ms = before_max_ms;
    rules.timestamp_after_max_ms = after_max_ms;
    batch_validate(&rules, bytes, arena, &verdict);
    kit_free(bytes);
    arena_free(arena);
    return verdict.code;
}

static void
timestamps_are_compared_without_overflow(void **state)
{
    (void)state;
    assert_int_equal(verdict_on_timestamp(-1, 0, 0), 0);
    assert_int_equal(verdict_on_timestamp(-2, INT64_MAX, 3600000), 0);
    assert_int_equal(verdict_on_timestamp(-1000, INT64_MAX, 3600000), 0);
    assert_int_equal(verdict_on_timestamp(INT64_MIN, INT64_MAX, 3600000), KERR_INVALID_TIMESTAMP);
    assert_int_equal(verdict_on_timestamp(INT64_MIN, INT64_MAX, INT64_MAX), KERR_INVALID_TIMESTAMP);
    assert_int_equal(verdict_on_timestamp(INT64_MAX, INT64_MAX, 3600000), KERR_INVALID_TIMESTAMP);
    assert_int_equal(verdict_on_timestamp(INT64_MAX, INT64_MAX, INT64_MAX), 0);
    assert_int_equal(verdict_on_timestamp(NOW - 10, 10, 0), 0);
    assert_int_equal(verdict_on_timestamp(NOW - 11, 10, 0), KERR_INVALID_TIMESTAMP);
    assert_int_equal(verdict_on_timestamp(NOW + 10, 0, 10), 0);
    assert_int_equal(verdict_on_timestamp(NOW + 11, 0, 10), KERR_INVALID_TIMESTAMP);
}

/* ---- Coordinators ---- */

static void
coordinators_may_write_what_clients_may_not(void **state)
{
    Arena *arena = arena_new(65536, 0);
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchRules rules = kit_rules(NOW);
    BatchVerdict verdict;
    BytesView bytes;

    (void)state;
    options.producer_id = 9;
    options.producer_epoch = 0;
    assert_int_equal(end_txn_batch_build(&options, true, 4, NOW, arena, &bytes, NULL), 0);
    assert_int_equal(bytes.len, 78);
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, KERR_INVALID_RECORD);
    rules.origin = BATCH_FROM_COORDINATOR;
    rules.compacted = true;
    rules.target_codec = BATCH_CODEC_ZSTD;
    batch_validate(&rules, bytes, arena, &verdict);
    assert_int_equal(verdict.code, 0);
    assert_int_equal(verdict.outcome, BATCH_PASSED);
    arena_free(arena);
}

/* ---- Hostile bytes ---- */

/* Any change of bytes, with the checksum made right again, ends in a verdict and nothing else. */
static void
random_changes_never_harm(void **state)
{
    uint64_t seed = 20260101;

    (void)state;
    for (int16_t codec = 0; codec <= BATCH_CODEC_LAST; codec++) {
        Arena *arena = arena_new(65536, (size_t)64 << 20);
        BytesView good = kit_batch(arena, codec, 12, NOW);

        for (int round = 0; round < 3000; round++) {
            BytesView bytes = kit_copy(good.ptr, (size_t)good.len);
            uint8_t *at = malloc((size_t)good.len);
            BatchRules rules = kit_rules(NOW);
            BatchVerdict verdict;
            int changes = 1 + (int)(kit_random(&seed) % 4);

            memcpy(at, good.ptr, (size_t)good.len);
            for (int i = 0; i < changes; i++) {
                size_t from = round % 3 == 0 ? 0 : BATCH_AT_ATTRIBUTES;
                size_t pos = from + kit_random(&seed) % ((size_t)good.len - from);

                at[pos] = (uint8_t)kit_random(&seed);
            }
            batch_seal(at, (size_t)good.len);
            kit_free(bytes);
            bytes = kit_copy(at, (size_t)good.len);
            free(at);
            rules.target_codec = (int8_t)((int)(kit_random(&seed) % 6) - 1);
            rules.level = rules.target_codec == BATCH_CODEC_LZ4 ? 9 : 3;
            rules.compacted = round % 2 == 0;
            rules.append_time = round % 5 == 0;
            batch_precheck(9, bytes, &verdict);
            if (verdict.code == 0) {
                batch_validate(&rules, bytes, arena, &verdict);
            }
            if (verdict.code == 0) {
                batch_assign(&verdict.batch, 1, 1, NOW);
                assert_int_equal(batch_crc_of(verdict.batch.header, verdict.batch.payload),
                                 batch_crc(verdict.batch.header));
            }
            kit_free(bytes);
            arena_reset(arena);
        }
        kit_free(good);
        arena_free(arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_those_of_the_recordings),
        cmocka_unit_test(screen_stops_at_the_first_transactional_batch),
        cmocka_unit_test(null_records_are_one_bad_partition),
        cmocka_unit_test(limits_are_inclusive),
        cmocka_unit_test(the_request_is_never_written_to),
        cmocka_unit_test(record_errors_are_bounded),
        cmocka_unit_test(bombs_do_not_grow_the_process),
        cmocka_unit_test(a_full_arena_is_an_error_answer),
        cmocka_unit_test(every_codec_into_every_other),
        cmocka_unit_test(what_stays_is_decoded_once),
        cmocka_unit_test(reencoded_batches_get_the_append_time_too),
        cmocka_unit_test(the_limit_holds_for_the_reencoded_batch),
        cmocka_unit_test(timestamps_are_compared_without_overflow),
        cmocka_unit_test(coordinators_may_write_what_clients_may_not),
        cmocka_unit_test(random_changes_never_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
