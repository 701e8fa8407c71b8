/*
 * batch_int.h - what the batch files share among themselves. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SRC_PROTOCOL_BATCH_INT_H
#define OTTLA_SRC_PROTOCOL_BATCH_INT_H

#include "ottla/common/arena.h"
#include "ottla/common/compress.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/batch_validate.h"
#include "ottla/protocol/record.h"

/* Behind the fields that may change under the lock: the header from the producer id on. */
#define BATCH_FIXED_TAIL_BYTES (BATCH_HEADER_BYTES - BATCH_AT_PRODUCER_ID)

/* x^(8 * bytes_behind) modulo the polynomial of CRC-32C, for Batch.crc_shift. */
uint32_t batch_crc_shift(size_t bytes_behind);

/*
 * Store attributes and maximum timestamp and correct the checksum by the change.
 * Needs batch->crc_shift = batch_crc_shift(BATCH_FIXED_TAIL_BYTES + payload) and a right checksum.
 */
void batch_change(Batch *batch, int16_t attributes, int64_t max_timestamp);

typedef enum ReencodeStatus {
    REENCODE_OK,
    REENCODE_TOO_LARGE, /* above max.message.bytes */
    REENCODE_NO_MEMORY,
    REENCODE_FAILED, /* the codec itself */
    REENCODE_STATUS_COUNT
} ReencodeStatus;

/*
 * Where the bytes of a batch in the making go: room for the header, then the payload, plain or
 * through a codec, in arena memory that doubles up to a limit. The fields are private but for
 * bytes and used, which are the result.
 */
typedef struct BatchSink {
    uint8_t *bytes; /* BATCH_HEADER_BYTES to be filled by the owner, then the payload */
    int64_t used;   /* header included */
    int64_t room;
    int64_t limit;
    Arena *arena;
    Encoder *encoder; /* NULL: plain */
    bool no_encoder;  /* it could not be opened */
} BatchSink;

/* limit: size of the whole batch above which put and finish say REENCODE_TOO_LARGE. */
void batch_sink_init(BatchSink *sink, int codec, int32_t level, int64_t limit, Arena *arena);
ReencodeStatus batch_sink_put(BatchSink *sink, const uint8_t *bytes, size_t len);

/* Ends the stream: bytes and used are final. */
ReencodeStatus batch_sink_finish(BatchSink *sink);

/* Needed after init in any case; bytes stay with the arena. */
void batch_sink_fini(BatchSink *sink);

/*
 * Most batches that change their codec need no other change of their records. So the payload is encoded
 * anew while the records are checked, which decodes it once: begin before the walk, finish when all records
 * have passed and each was as it shall stay, fini in any case.
 */
typedef struct BatchTee {
    BatchSink sink;
    ReencodeStatus status;
} BatchTee;

void batch_tee_begin(BatchTee *tee, const BatchRules *rules, RecordIter *iter, Arena *arena);

/* As batch_reencode, of what the walk saw. */
ReencodeStatus batch_tee_finish(BatchTee *tee, const BatchRules *rules, int64_t first_timestamp,
                                Batch *ret);

void batch_tee_fini(BatchTee *tee);

/*
 * Makes ret->payload anew in the arena with rules->target_codec, and adapts ret->header: length,
 * attributes, base and maximum timestamp, checksum. bytes is the batch as sent, its records have
 * passed all checks, and ret is batch_from_bytes() of it with max_timestamp as it shall be.
 * Every record keeps key, value and headers as the bytes they are; only the deltas before them
 * are new, so that no record is ever held in one piece.
 */
ReencodeStatus batch_reencode(const BatchRules *rules, BytesView bytes, int64_t first_timestamp,
                              Arena *arena, Batch *ret);

#endif
