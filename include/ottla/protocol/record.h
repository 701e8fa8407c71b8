/*
 * record.h - the records inside a batch: iterate, plain or compressed, in bounded memory
 *
 * Two ways to walk: record_iter_next() gives every field as a view and needs the record in one
 * piece (at most RECORD_BODY_MAX_BYTES); record_iter_skim() checks the structure and gives only
 * what offsets, timestamps and the key rule need, and never holds more than one piece of the
 * decoder, however large a record claims to be. Both check everything of log.md 2.3; bytes are
 * taken as hostile. Pure: no clock, no I/O.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_RECORD_H
#define OTTLA_PROTOCOL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"

/* Longest encodings. */
#define RECORD_VARINT_MAX  5
#define RECORD_VARLONG_MAX 10

/* Largest record that record_iter_next() gathers: above what message.max.bytes is ever set to. */
#define RECORD_BODY_MAX_BYTES (128 << 20)

/* Bytes that one compressed batch may become: the clients' own buffers count them in 31 bits. */
#define BATCH_DECODED_MAX_BYTES INT32_MAX

/* What a walk can end with, beside a record. */
typedef enum RecordStatus {
    RECORD_OK,        /* a record was given */
    RECORD_END,       /* all counted records were given, and nothing is left behind them */
    RECORD_INVALID,   /* bad structure, count that does not fit, bytes left over: Kafka's 87 */
    RECORD_GARBLED,   /* decoder failed, or the length prefix itself is no varint: Kafka's -1 */
    RECORD_TOO_LARGE, /* only record_iter_next(): body above the limit, or no memory for it */
    RECORD_STATUS_COUNT
} RecordStatus;

/* All fields; views live until the next call on the iterator. */
typedef struct Record {
    int64_t offset;    /* base offset + delta */
    int64_t timestamp; /* base + delta, or the batch's maximum for append-time batches */
    int64_t timestamp_delta;
    int32_t offset_delta;
    int32_t header_count;
    int8_t attributes;
    BytesView key;     /* ptr NULL: null */
    BytesView value;   /* ptr NULL: null */
    BytesView headers; /* encoded, already checked: record_header_next() */
} Record;

/* What record_iter_skim() gives. */
typedef struct RecordSkim {
    int64_t timestamp_delta;
    int32_t offset_delta;
    int8_t attributes;
    bool has_key;
    int32_t body_bytes; /* the length prefix */
    int32_t tail_bytes; /* of these, from the key length on */
} RecordSkim;

typedef struct RecordHeader {
    StrView key;
    BytesView value; /* ptr NULL: null */
} RecordHeader;

typedef struct RecordIter RecordIter;

/*
 * Start a walk over one whole batch.
 *
 * batch   at least BATCH_HEADER_BYTES, magic 2, size as the length field says (batch_scan said OK)
 * arena   gives the iterator, its buffers and, for compressed batches, its decoder; all of it is
 *         given back with the arena, except the decoder, which record_iter_close() closes
 *
 * NULL: no memory, or a codec that does not exist. The checksum is not looked at.
 */
RecordIter *record_iter_open(BytesView batch, Arena *arena);

/* As record_iter_open with header and payload apart. */
RecordIter *record_iter_open_parts(const uint8_t *header, BytesView payload, Arena *arena);

/* NULL is fine. */
void record_iter_close(RecordIter *iter);

/* The next record with all its fields. After anything but RECORD_OK the walk is over. */
RecordStatus record_iter_next(RecordIter *iter, Record *ret);

/* The next record, checked and skipped. May be mixed with record_iter_next(). */
RecordStatus record_iter_skim(RecordIter *iter, RecordSkim *ret);

/* Why the walk ended with INVALID, GARBLED or TOO_LARGE, for a log line; "" otherwise. */
const char *record_iter_reason(const RecordIter *iter);

/*
 * The next of a record's headers.
 * rest: starts as record.headers, moves on. False when none is left.
 */
bool record_header_next(BytesView *rest, RecordHeader *ret);

/* ---- Writing: used by the builder, the re-encoder and tests ---- */

/* Bytes of the zigzag encoding. */
size_t record_varint_size(int64_t value);

/* Writes the zigzag encoding (at most RECORD_VARLONG_MAX bytes) and returns its length. */
size_t record_varint_put(uint8_t *at, int64_t value);

/*
 * Reads a zigzag varint of at most `most` bytes (RECORD_VARINT_MAX or RECORD_VARLONG_MAX).
 * Returns the bytes used, 0 when it does not end before `end` or is too long.
 */
size_t record_varint_get(const uint8_t *at, const uint8_t *end, size_t most, int64_t *ret_value);

/* ---- Control records (log.md 2.4) ---- */

typedef enum ControlType {
    CONTROL_ABORT = 0,
    CONTROL_COMMIT = 1,
    CONTROL_LEADER_CHANGE = 2,
    CONTROL_SNAPSHOT_HEADER = 3,
    CONTROL_SNAPSHOT_FOOTER = 4,
    CONTROL_KRAFT_VERSION = 5,
    CONTROL_KRAFT_VOTERS = 6,
} ControlType;

/* Type from a control record's key; an unknown one is given as it is (ignore it).
 * False: key null, shorter than 4 bytes, or of a negative version. */
bool control_record_type(BytesView key, int16_t *ret_type);

/* Coordinator epoch from the value of an ABORT or COMMIT. False: null, too short, bad version. */
bool control_end_txn_epoch(BytesView value, int32_t *ret_coordinator_epoch);

#endif
