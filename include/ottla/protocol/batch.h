/*
 * batch.h - the 61-byte header of a record batch: reading, patching, checksum, scanning
 *
 * A batch is Kafka's record batch of format 2 (log.md 2): 61 bytes of header, then records, plain
 * or as one compressed stream. The first 17 bytes lie alike in every format, so look at nothing
 * beyond them before batch_scan() has said what the bytes are.
 * Records inside are record.h, making batches is batch_builder.h, what a client may send is
 * batch_validate.h. Pure: no clock, no I/O.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_BATCH_H
#define OTTLA_PROTOCOL_BATCH_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ottla/common/view.h"
#include "ottla/protocol/wire.h"

#define BATCH_HEADER_BYTES   61
#define BATCH_OVERHEAD_BYTES 12 /* base offset and length, which the length does not count */
#define BATCH_PREFIX_BYTES   17 /* alike in all formats: offset, length, leader epoch, magic */
#define BATCH_LENGTH_MIN     14 /* least length field of any format ever (log.md 2.1) */
#define BATCH_LENGTH_MIN_V2  (BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES)
#define BATCH_MAGIC          2

/* Where the fields lie. */
#define BATCH_AT_BASE_OFFSET       0
#define BATCH_AT_LENGTH            8
#define BATCH_AT_LEADER_EPOCH      12
#define BATCH_AT_MAGIC             16
#define BATCH_AT_CRC               17
#define BATCH_AT_ATTRIBUTES        21 /* the checksum covers everything from here on */
#define BATCH_AT_LAST_OFFSET_DELTA 23
#define BATCH_AT_BASE_TIMESTAMP    27
#define BATCH_AT_MAX_TIMESTAMP     35
#define BATCH_AT_PRODUCER_ID       43
#define BATCH_AT_PRODUCER_EPOCH    51
#define BATCH_AT_BASE_SEQUENCE     53
#define BATCH_AT_RECORD_COUNT      57

/* Attributes (log.md 2.2). */
#define BATCH_ATTR_CODEC          0x07
#define BATCH_ATTR_APPEND_TIME    0x08
#define BATCH_ATTR_TRANSACTIONAL  0x10
#define BATCH_ATTR_CONTROL        0x20
#define BATCH_ATTR_DELETE_HORIZON 0x40

/* Codec ids as in the attributes; 5 to 7 do not exist. */
#define BATCH_CODEC_NONE   0
#define BATCH_CODEC_GZIP   1
#define BATCH_CODEC_SNAPPY 2
#define BATCH_CODEC_LZ4    3
#define BATCH_CODEC_ZSTD   4
#define BATCH_CODEC_LAST   BATCH_CODEC_ZSTD

#define BATCH_NO_TIMESTAMP      (-1)
#define BATCH_NO_PRODUCER_ID    (-1)
#define BATCH_NO_PRODUCER_EPOCH (-1)
#define BATCH_NO_SEQUENCE       (-1)

/* ---- The prefix: valid to read when BATCH_PREFIX_BYTES are there ---- */

static inline int64_t
batch_base_offset(const uint8_t *batch)
{
    return (int64_t)wire_load64(batch + BATCH_AT_BASE_OFFSET);
}

/* The length field as it stands: may be negative in bytes from outside. */
static inline int32_t
batch_length(const uint8_t *batch)
{
    return (int32_t)wire_load32(batch + BATCH_AT_LENGTH);
}

/* Size in bytes of the whole batch; negative or small for a bad length field. */
static inline int64_t
batch_size(const uint8_t *batch)
{
    return (int64_t)batch_length(batch) + BATCH_OVERHEAD_BYTES;
}

static inline int32_t
batch_leader_epoch(const uint8_t *batch)
{
    return (int32_t)wire_load32(batch + BATCH_AT_LEADER_EPOCH);
}

static inline int8_t
batch_magic(const uint8_t *batch)
{
    return (int8_t)batch[BATCH_AT_MAGIC];
}

/* ---- The rest of the header: valid when BATCH_HEADER_BYTES are there and magic is 2 ---- */

static inline uint32_t
batch_crc(const uint8_t *batch)
{
    return wire_load32(batch + BATCH_AT_CRC);
}

static inline int16_t
batch_attributes(const uint8_t *batch)
{
    return (int16_t)wire_load16(batch + BATCH_AT_ATTRIBUTES);
}

/* 0 to 7: check against BATCH_CODEC_LAST. */
static inline int
batch_codec(const uint8_t *batch)
{
    return batch_attributes(batch) & BATCH_ATTR_CODEC;
}

static inline bool
batch_has_append_time(const uint8_t *batch)
{
    return (batch_attributes(batch) & BATCH_ATTR_APPEND_TIME) != 0;
}

static inline bool
batch_is_transactional(const uint8_t *batch)
{
    return (batch_attributes(batch) & BATCH_ATTR_TRANSACTIONAL) != 0;
}

static inline bool
batch_is_control(const uint8_t *batch)
{
    return (batch_attributes(batch) & BATCH_ATTR_CONTROL) != 0;
}

/* The base timestamp is then a delete horizon; base + delta still gives a record's timestamp. */
static inline bool
batch_has_delete_horizon(const uint8_t *batch)
{
    return (batch_attributes(batch) & BATCH_ATTR_DELETE_HORIZON) != 0;
}

static inline int32_t
batch_last_offset_delta(const uint8_t *batch)
{
    return (int32_t)wire_load32(batch + BATCH_AT_LAST_OFFSET_DELTA);
}

static inline int64_t
batch_last_offset(const uint8_t *batch)
{
    return (int64_t)((uint64_t)batch_base_offset(batch) +
                     (uint64_t)(int64_t)batch_last_offset_delta(batch));
}

static inline int64_t
batch_next_offset(const uint8_t *batch)
{
    return (int64_t)((uint64_t)batch_last_offset(batch) + 1);
}

static inline int64_t
batch_base_timestamp(const uint8_t *batch)
{
    return (int64_t)wire_load64(batch + BATCH_AT_BASE_TIMESTAMP);
}

static inline int64_t
batch_max_timestamp(const uint8_t *batch)
{
    return (int64_t)wire_load64(batch + BATCH_AT_MAX_TIMESTAMP);
}

static inline int64_t
batch_producer_id(const uint8_t *batch)
{
    return (int64_t)wire_load64(batch + BATCH_AT_PRODUCER_ID);
}

static inline int16_t
batch_producer_epoch(const uint8_t *batch)
{
    return (int16_t)wire_load16(batch + BATCH_AT_PRODUCER_EPOCH);
}

static inline int32_t
batch_base_sequence(const uint8_t *batch)
{
    return (int32_t)wire_load32(batch + BATCH_AT_BASE_SEQUENCE);
}

static inline int32_t
batch_record_count(const uint8_t *batch)
{
    return (int32_t)wire_load32(batch + BATCH_AT_RECORD_COUNT);
}

/* Kafka counts every negative id as "no producer". */
static inline bool
batch_has_producer_id(const uint8_t *batch)
{
    return batch_producer_id(batch) > BATCH_NO_PRODUCER_ID;
}

/* sequence + count, where 2147483647 is followed by 0 (log.md 2.1). Both arguments >= 0. */
int32_t batch_sequence_add(int32_t sequence, int32_t count);

/* The sequence of the last record; BATCH_NO_SEQUENCE when the batch has none. */
int32_t batch_last_sequence(const uint8_t *batch);

/* ---- Patching. Only base offset and leader epoch lie outside the checksum. ---- */

static inline void
batch_set_base_offset(uint8_t *batch, int64_t base_offset)
{
    wire_store64(batch + BATCH_AT_BASE_OFFSET, (uint64_t)base_offset);
}

static inline void
batch_set_leader_epoch(uint8_t *batch, int32_t leader_epoch)
{
    wire_store32(batch + BATCH_AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

/* ---- Checksum ---- */

/* CRC-32C of a batch whose header and payload lie apart; size of the payload in its view. */
uint32_t batch_crc_of(const uint8_t header[BATCH_HEADER_BYTES], BytesView payload);

/* Whether the stored checksum fits. size: whole batch, at least BATCH_HEADER_BYTES. */
bool batch_crc_ok(const uint8_t *batch, size_t size);

/* Computes and stores the checksum of a whole batch lying in one piece. */
void batch_seal(uint8_t *batch, size_t size);

/* ---- Scanning (log.md 2.5) ---- */

typedef enum BatchScan {
    BATCH_SCAN_OK,         /* a whole batch of format 2; its size was given */
    BATCH_SCAN_END,        /* too few bytes left for a batch: a torn tail ends the scan */
    BATCH_SCAN_CORRUPT,    /* no batch can begin like this */
    BATCH_SCAN_OLD_FORMAT, /* a whole message set of format 0 or 1: never truncate it (log.md 1.1) */
    BATCH_SCAN_COUNT
} BatchScan;

/*
 * What stands at a position of a file or buffer.
 *
 * bytes         what could be read there; only the first min(bytes.len, 17) bytes are looked at
 * region_left   bytes from the position to the end of the region (of the file, of the buffer);
 *               bytes.len may be smaller when only the start was read, but not below
 *               min(17, region_left)
 * ret_size      size of the whole batch; set for OK and OLD_FORMAT only
 *
 * The checksum is not looked at: batch_crc_ok() once the whole batch is in memory.
 * Fewer than 17 bytes left, or a size beyond the region: END. A length below 14, a magic outside
 * 0 to 2, or a length below 49 with magic 2: CORRUPT, also when the size is beyond the region.
 */
BatchScan batch_scan(BytesView bytes, int64_t region_left, int64_t *ret_size);

/* ---- A batch ready to be appended ---- */

/*
 * Header (private, patched) and payload (a view into the request or an arena, never changed): two
 * pieces for one pwritev. Made by batch_validate() or batch_builder_finish().
 */
typedef struct Batch {
    uint8_t header[BATCH_HEADER_BYTES];
    bool append_time;            /* batch_assign() stores the append time */
    BytesView payload;           /* everything after the header */
    int64_t max_timestamp;       /* largest of the records, -1 if none has one */
    int32_t max_timestamp_delta; /* offset delta of the first record that has it */
    uint32_t crc_shift;          /* private to batch_assign() */
} Batch;

static inline int64_t
batch_total_bytes(const Batch *batch)
{
    return BATCH_HEADER_BYTES + (int64_t)batch->payload.len;
}

/*
 * A batch lying in one piece, as it is (replicated batches, the metadata log).
 * bytes: exactly one whole batch of format 2. max_timestamp is taken from the header, with the
 * last record's delta; append_time is false.
 */
void batch_from_bytes(BytesView bytes, Batch *ret);

/*
 * Give a batch its place in the log: base offset, leader epoch and, for append_time batches,
 * the append time with a corrected checksum. Meant for use under the append lock: its cost does
 * not depend on the size of the batch.
 *
 * append_time_ms   the clock, read under the lock; ignored unless batch->append_time
 */
void batch_assign(Batch *batch, int64_t base_offset, int32_t leader_epoch, int64_t append_time_ms);

#endif
