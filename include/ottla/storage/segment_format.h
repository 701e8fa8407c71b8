/*
 * segment_format.h - names and entries of the files beside a .log, as Kafka writes them
 *
 * The one place that knows how an index entry lies in its file. Used by the log itself and by the tools
 * that read a node at rest.
 *
 * pure
 * Spec: log.md 5.1, 5.3, 6.2-6.4.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_SEGMENT_FORMAT_H
#define OTTLA_STORAGE_SEGMENT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"
#include "ottla/protocol/wire.h"

typedef enum SegmentFile {
    SEGMENT_LOG,
    SEGMENT_INDEX,
    SEGMENT_TIMEINDEX,
    SEGMENT_TXNINDEX,
    SEGMENT_SNAPSHOT,
    SEGMENT_FILE_COUNT
} SegmentFile;

/*
 * Base and kind of a file name, with what stands behind the known suffix ("", ".deleted", ...). False:
 * not the name of a segment file.
 */
bool segment_name_parse(StrView name, int64_t *ret_base, SegmentFile *ret_kind, StrView *ret_tail);

/* ---- .index: last offset of the appended set, relative to the base, and where the set starts ---- */

#define INDEX_ENTRY_BYTES 8

typedef struct IndexEntry {
    int32_t offset_rel;
    int32_t pos;
} IndexEntry;

static inline void
index_entry_encode(uint8_t at[INDEX_ENTRY_BYTES], IndexEntry e)
{
    wire_store32(at, (uint32_t)e.offset_rel);
    wire_store32(at + 4, (uint32_t)e.pos);
}

static inline IndexEntry
index_entry_decode(const uint8_t at[INDEX_ENTRY_BYTES])
{
    return (IndexEntry){(int32_t)wire_load32(at), (int32_t)wire_load32(at + 4)};
}

/* ---- .timeindex: largest timestamp up to and including an offset -------------------------------- */

#define TIME_ENTRY_BYTES 12

typedef struct TimeEntry {
    int64_t timestamp;
    int32_t offset_rel;
    int32_t pad;
} TimeEntry;

static inline void
time_entry_encode(uint8_t at[TIME_ENTRY_BYTES], TimeEntry e)
{
    wire_store64(at, (uint64_t)e.timestamp);
    wire_store32(at + 8, (uint32_t)e.offset_rel);
}

static inline TimeEntry
time_entry_decode(const uint8_t at[TIME_ENTRY_BYTES])
{
    return (TimeEntry){.timestamp = (int64_t)wire_load64(at),
                       .offset_rel = (int32_t)wire_load32(at + 8)};
}

/* ---- .txnindex: one aborted transaction ---------------------------------------------------------- */

#define TXN_ENTRY_BYTES   34
#define TXN_ENTRY_VERSION 0

typedef struct TxnEntry {
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset; /* of the abort marker */
    int64_t last_stable_offset;
    int16_t version;
} TxnEntry;

static inline void
txn_entry_encode(uint8_t at[TXN_ENTRY_BYTES], TxnEntry e)
{
    wire_store16(at, (uint16_t)e.version);
    wire_store64(at + 2, (uint64_t)e.producer_id);
    wire_store64(at + 10, (uint64_t)e.first_offset);
    wire_store64(at + 18, (uint64_t)e.last_offset);
    wire_store64(at + 26, (uint64_t)e.last_stable_offset);
}

static inline TxnEntry
txn_entry_decode(const uint8_t at[TXN_ENTRY_BYTES])
{
    return (TxnEntry){.version = (int16_t)wire_load16(at),
                      .producer_id = (int64_t)wire_load64(at + 2),
                      .first_offset = (int64_t)wire_load64(at + 10),
                      .last_offset = (int64_t)wire_load64(at + 18),
                      .last_stable_offset = (int64_t)wire_load64(at + 26)};
}

#endif
