/*
 * fuzz_batches.c - any bytes as the records of a Produce request
 *
 * Byte 0 chooses the rules, byte 1 whether the checksum is made right first, so that changed bytes
 * get as far as the records; the rest is what a client sent. What is accepted must be readable in
 * full and acceptable again. Layers: protocol common
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/assert.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/batch_validate.h"
#include "ottla/protocol/record.h"

#define NOW           1700000000000
#define ARENA_CAP     ((size_t)96 << 20)
#define FULL_WALK_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that can be read without a verdict, as recovery and consumers' tools do it. */
static void
walk(BytesView bytes, Arena *arena)
{
    RecordIter *iter;
    Record record;
    RecordHeader header;
    int64_t size;

    if (batch_scan(bytes, bytes.len, &size) != BATCH_SCAN_OK) {
        return;
    }
    iter = record_iter_open((BytesView){bytes.ptr, (int32_t)size}, arena);
    for (int i = 0; iter != NULL && i < FULL_WALK_MAX; i++) {
        int32_t headers = 0;
        int16_t type;
        int32_t epoch;

        if (record_iter_next(iter, &record) != RECORD_OK) {
            break;
        }
        while (record_header_next(&record.headers, &header)) {
            headers++;
        }
        ot_assert(headers == record.header_count);
        (void)control_record_type(record.key, &type);      /* only read */
        (void)control_end_txn_epoch(record.value, &epoch); /* only read */
    }
    record_iter_close(iter);
}

/* An accepted batch: right checksum, consecutive records, and accepted once more as it is now. */
static void
check_accepted(Batch *batch, const BatchRules *rules, Arena *arena)
{
    BatchRules again = *rules;
    BatchVerdict verdict;
    uint8_t *bytes;
    size_t size = (size_t)batch_total_bytes(batch);

    batch_assign(batch, 0, 1, NOW);
    ot_assert(batch_crc_of(batch->header, batch->payload) == batch_crc(batch->header));
    bytes = malloc(size);
    ot_assert(bytes != NULL);
    memcpy(bytes, batch->header, BATCH_HEADER_BYTES);
    if (batch->payload.len > 0) {
        memcpy(bytes + BATCH_HEADER_BYTES, batch->payload.ptr, (size_t)batch->payload.len);
    }
    again.origin = BATCH_FROM_COORDINATOR;
    again.target_codec = BATCH_TARGET_PRODUCER;
    again.append_time = false;
    again.timestamp_before_max_ms = INT64_MAX;
    again.timestamp_after_max_ms = INT64_MAX;
    if (!batch->append_time && batch_max_timestamp(batch->header) >= 0) {
        batch_validate(&again, (BytesView){bytes, (int32_t)size}, arena, &verdict);
        ot_assert(verdict.code == 0 || verdict.code == -1 || verdict.code == 32);
        ot_assert(verdict.code != 0 || verdict.outcome == BATCH_PASSED);
    }
    free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BatchRules rules = {.now_ms = NOW,
                        .timestamp_before_max_ms = INT64_MAX,
                        .timestamp_after_max_ms = 3600000,
                        .max_message_bytes = 1 << 20,
                        .segment_bytes = 1 << 30,
                        .target_codec = BATCH_TARGET_PRODUCER};
    ProduceScreen screen;
    BatchVerdict verdict;
    BytesView records;
    uint8_t *bytes;
    Arena *arena;
    int64_t whole;

    if (size < 2 || size > 1 << 20) {
        return 0;
    }
    rules.target_codec = (int8_t)(data[0] % 6 - 1);
    rules.level = rules.target_codec == BATCH_CODEC_LZ4 ? 9 : 1;
    rules.compacted = (data[0] & 0x40) != 0;
    rules.append_time = (data[0] & 0x80) != 0;
    bytes = malloc(size - 2 > 0 ? size - 2 : 1);
    arena = arena_new(65536, ARENA_CAP);
    ot_assert(bytes != NULL && arena != NULL);
    memcpy(bytes, data + 2, size - 2);
    records = (BytesView){bytes, (int32_t)(size - 2)};
    if ((data[1] & 1) != 0 && batch_scan(records, records.len, &whole) == BATCH_SCAN_OK) {
        batch_seal(bytes, (size_t)whole);
    }
    produce_screen_init(&screen);
    produce_screen_add(&screen, records);
    batch_precheck((data[1] & 2) != 0 ? 3 : 9, records, &verdict);
    if (verdict.code == 0) {
        batch_validate(&rules, records, arena, &verdict);
        if (verdict.code == 0) {
            check_accepted(&verdict.batch, &rules, arena);
        } else {
            ot_assert(verdict.reason != NULL && verdict.reason[0] != 0);
        }
    }
    arena_reset(arena);
    walk(records, arena);
    arena_free(arena);
    free(bytes);
    return 0;
}
