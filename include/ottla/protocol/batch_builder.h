/*
 * batch_builder.h - making record batches: metadata log, coordinators, markers, tests
 *
 * Append records, finish, use the batch. The buffer grows in the builder's arena; a batch is
 * limited by the bytes given at the start. Records get offset deltas 0, 1, 2... unless asked for
 * otherwise. Pure: times are arguments.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_BATCH_BUILDER_H
#define OTTLA_PROTOCOL_BATCH_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/record.h"

typedef struct BatchBuilder BatchBuilder;

/* Start from BATCH_BUILDER_DEFAULTS and change what matters. */
typedef struct BatchBuilderOptions {
    int64_t base_offset;
    int32_t leader_epoch;
    int32_t base_sequence;
    int64_t producer_id;
    int16_t producer_epoch;
    int16_t attributes;     /* BATCH_ATTR_* with the codec in the low bits */
    int32_t level;          /* of the codec; BATCH_LEVEL_DEFAULT */
    int64_t append_time_ms; /* maxTimestamp when BATCH_ATTR_APPEND_TIME is set */
    int64_t max_bytes;      /* of the whole batch, before compression and after */
} BatchBuilderOptions;

#define BATCH_LEVEL_DEFAULT INT32_MIN /* the codec's own default */

#define BATCH_BUILDER_DEFAULTS                                        \
    ((BatchBuilderOptions){.producer_id = BATCH_NO_PRODUCER_ID,       \
                           .producer_epoch = BATCH_NO_PRODUCER_EPOCH, \
                           .base_sequence = BATCH_NO_SEQUENCE,        \
                           .level = BATCH_LEVEL_DEFAULT,              \
                           .append_time_ms = BATCH_NO_TIMESTAMP,      \
                           .max_bytes = INT32_MAX})

/* One record to append; key and value null when ptr is NULL. */
typedef struct BatchRecord {
    int64_t timestamp; /* BATCH_NO_TIMESTAMP: none */
    BytesView key;
    BytesView value;
    const RecordHeader *headers;
    int32_t header_count;
    int32_t offset_gap; /* offsets to leave out before this record (compaction, tests) */
} BatchRecord;

/* NULL: no memory. The builder lives in the arena; nothing is to be freed. */
BatchBuilder *batch_builder_new(const BatchBuilderOptions *options, Arena *arena);

/* OT_E_MESSAGE_TOO_LARGE: does not fit below max_bytes, nothing was added. OT_E_NO_MEMORY. */
int batch_builder_add(BatchBuilder *builder, const BatchRecord *record, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Size that the batch has now (uncompressed), and would have with one more record. */
int64_t batch_builder_bytes(const BatchBuilder *builder);
int64_t batch_builder_bytes_with(const BatchBuilder *builder, const BatchRecord *record);

int32_t batch_builder_count(const BatchBuilder *builder);

/* The offset delta that the next record gets when it leaves no gap. */
int32_t batch_builder_next_delta(const BatchBuilder *builder);

/*
 * Compress, fill in the header, compute the checksum. The builder cannot be used any more.
 * ret_bytes: the whole batch in one piece, in the arena. No records: a header-only batch with
 * lastOffsetDelta -1.
 * OT_E_MESSAGE_TOO_LARGE, OT_E_NO_MEMORY.
 */
int batch_builder_finish(BatchBuilder *builder, BytesView *ret_bytes, ErrInfo *err)
    __attribute__((warn_unused_result));

/* ---- Control batches (log.md 2.4): attributes of the options get the control bit ---- */

/* Key of a control record of a type, in 4 bytes. */
void control_record_key(ControlType type, uint8_t ret_key[4]);

/*
 * A batch of one control record of the metadata log (types 2 to 6).
 * value: the encoded message, its version in front. Errors as batch_builder_finish().
 */
int control_batch_build(const BatchBuilderOptions *options, ControlType type, BytesView value,
                        int64_t timestamp, Arena *arena, BytesView *ret_bytes, ErrInfo *err)
    __attribute__((warn_unused_result));

/* An end-of-transaction marker (78 bytes); producer id and epoch from the options. */
int end_txn_batch_build(const BatchBuilderOptions *options, bool commit, int32_t coordinator_epoch,
                        int64_t timestamp, Arena *arena, BytesView *ret_bytes, ErrInfo *err)
    __attribute__((warn_unused_result));

#endif
