/*
 * batch.c - the header of a record batch: scan, checksum, place in the log
 *
 * Runs in: every process that reads or appends batches. Pure: works on bytes given.
 * Never: looks at records (record.c), allocates, reads a clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/batch.h"

#include "batch_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/crc32c.h"

static_assert(BATCH_AT_RECORD_COUNT + 4 == BATCH_HEADER_BYTES, "header layout of log.md 2.1");
static_assert(BATCH_LENGTH_MIN_V2 == 49, "least length of format 2");
static_assert(BATCH_CODEC_GZIP == (int)CODEC_GZIP && BATCH_CODEC_ZSTD == (int)CODEC_ZSTD,
              "one numbering");

int32_t
batch_sequence_add(int32_t sequence, int32_t count)
{
    if (sequence > INT32_MAX - count) {
        return count - (INT32_MAX - sequence) - 1;
    }
    return sequence + count;
}

int32_t
batch_last_sequence(const uint8_t *batch)
{
    int32_t base = batch_base_sequence(batch);

    if (base < 0) {
        return BATCH_NO_SEQUENCE;
    }
    return batch_sequence_add(base, batch_last_offset_delta(batch));
}

uint32_t
batch_crc_of(const uint8_t header[BATCH_HEADER_BYTES], BytesView payload)
{
    uint32_t crc = crc32c(header + BATCH_AT_ATTRIBUTES, BATCH_HEADER_BYTES - BATCH_AT_ATTRIBUTES);

    return payload.len > 0 ? crc32c_extend(crc, payload.ptr, (size_t)payload.len) : crc;
}

bool
batch_crc_ok(const uint8_t *batch, size_t size)
{
    ot_assert(size >= BATCH_HEADER_BYTES);
    return crc32c(batch + BATCH_AT_ATTRIBUTES, size - BATCH_AT_ATTRIBUTES) == batch_crc(batch);
}

void
batch_seal(uint8_t *batch, size_t size)
{
    ot_assert(size >= BATCH_HEADER_BYTES);
    wire_store32(batch + BATCH_AT_CRC,
                 crc32c(batch + BATCH_AT_ATTRIBUTES, size - BATCH_AT_ATTRIBUTES));
}

BatchScan
batch_scan(BytesView bytes, int64_t region_left, int64_t *ret_size)
{
    int32_t length;
    int8_t magic;

    if (region_left < BATCH_PREFIX_BYTES) {
        return BATCH_SCAN_END;
    }
    ot_assert(bytes.len >= BATCH_PREFIX_BYTES);
    length = batch_length(bytes.ptr);
    magic = batch_magic(bytes.ptr);
    if (length < BATCH_LENGTH_MIN || magic < 0 || magic > BATCH_MAGIC ||
        (magic == BATCH_MAGIC && length < BATCH_LENGTH_MIN_V2)) {
        return BATCH_SCAN_CORRUPT;
    }
    if (batch_size(bytes.ptr) > region_left) {
        return BATCH_SCAN_END;
    }
    *ret_size = batch_size(bytes.ptr);
    return magic == BATCH_MAGIC ? BATCH_SCAN_OK : BATCH_SCAN_OLD_FORMAT;
}

void
batch_from_bytes(BytesView bytes, Batch *ret)
{
    ot_assert(bytes.len >= BATCH_HEADER_BYTES && batch_size(bytes.ptr) == bytes.len);
    *ret = (Batch){.payload = {bytes.ptr + BATCH_HEADER_BYTES, bytes.len - BATCH_HEADER_BYTES},
                   .max_timestamp = batch_max_timestamp(bytes.ptr),
                   .max_timestamp_delta = batch_last_offset_delta(bytes.ptr)};
    memcpy(ret->header, bytes.ptr, BATCH_HEADER_BYTES);
}

/*
 * CRC-32C arithmetic. A checksum is a polynomial over GF(2), kept bit-reflected: bit 31 is x^0.
 * A change of some bytes changes the checksum by (CRC of the change, without pre- and
 * postconditioning) * x^(8 * bytes behind it), whatever the other bytes are. So the append time
 * costs two table-free multiplications under the lock, not a pass over the batch.
 */
#define CRC_POLY 0x82F63B78U
#define CRC_ONE  0x80000000U /* x^0 */

static uint32_t
crc_times_x(uint32_t a)
{
    return (a >> 1) ^ ((a & 1) != 0 ? CRC_POLY : 0);
}

/* a * b mod the polynomial. */
static uint32_t
crc_multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (; a != 0; a <<= 1) {
        if ((a & CRC_ONE) != 0) {
            product ^= b;
        }
        b = crc_times_x(b);
    }
    return product;
}

uint32_t
batch_crc_shift(size_t bytes_behind)
{
    uint32_t result = CRC_ONE;
    uint32_t square = CRC_ONE >> 8; /* x^8: one byte */

    for (; bytes_behind != 0; bytes_behind >>= 1) {
        if ((bytes_behind & 1) != 0) {
            result = crc_multiply(result, square);
        }
        square = crc_multiply(square, square);
    }
    return result;
}

void
batch_change(Batch *batch, int16_t attributes, int64_t max_timestamp)
{
    /* The window from attributes to maximum timestamp: 22 bytes, 18 + payload behind it. */
    uint8_t *from = batch->header + BATCH_AT_ATTRIBUTES;
    uint8_t change[BATCH_AT_PRODUCER_ID - BATCH_AT_ATTRIBUTES];
    uint32_t crc = 0;

    memcpy(change, from, sizeof change);
    wire_store16(batch->header + BATCH_AT_ATTRIBUTES, (uint16_t)attributes);
    wire_store64(batch->header + BATCH_AT_MAX_TIMESTAMP, (uint64_t)max_timestamp);
    for (size_t i = 0; i < sizeof change; i++) {
        crc ^= (uint8_t)(change[i] ^ from[i]);
        for (int bit = 0; bit < 8; bit++) {
            crc = crc_times_x(crc);
        }
    }
    if (crc != 0) {
        wire_store32(batch->header + BATCH_AT_CRC,
                     batch_crc(batch->header) ^ crc_multiply(crc, batch->crc_shift));
    }
}

void
batch_assign(Batch *batch, int64_t base_offset, int32_t leader_epoch, int64_t append_time_ms)
{
    batch_set_base_offset(batch->header, base_offset);
    batch_set_leader_epoch(batch->header, leader_epoch);
    if (batch->append_time) {
        batch_change(batch, batch_attributes(batch->header), append_time_ms);
        batch->max_timestamp = append_time_ms;
    }
    ot_assert_slow(batch_crc_of(batch->header, batch->payload) == batch_crc(batch->header) ||
                   !batch->append_time);
}
