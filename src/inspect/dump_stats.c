/*
 * dump_stats.c - a summary of the batches and records of a log: sizes, codecs, producers, keys
 *
 * Producers and keys are counted by a bounded set of hashes: exact up to STATS_SET_MAX distinct ones,
 * "at least" beyond.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>

#include "inspect/dump_int.h"
#include "ottla/common/hash.h"

#define STATS_SET_MAX   (1 << 20) /* distinct values remembered */
#define STATS_SET_SLOTS (1 << 21)
#define SIZE_CLASSES    32 /* powers of two */

typedef struct HashSet {
    uint64_t *slots; /* 0: free */
    int64_t count;
    bool full;
} HashSet;

struct DumpStats {
    int64_t batches, bytes, bad_crc;
    int64_t first_offset, last_offset;
    int64_t min_timestamp, max_timestamp;
    int64_t smallest, largest;
    int64_t codec_batches[BATCH_CODEC_LAST + 2], codec_bytes[BATCH_CODEC_LAST + 2];
    int64_t size_class[SIZE_CLASSES];
    int64_t transactional, control;
    int64_t records, keyed, null_values, key_bytes, value_bytes;
    HashSet producers, keys;
};

static void
set_add(HashSet *set, uint64_t hash)
{
    uint64_t at;

    if (set->slots == NULL)
        set->slots = calloc(STATS_SET_SLOTS, sizeof *set->slots);
    if (set->slots == NULL || set->count == STATS_SET_MAX) {
        set->full = true;
        return;
    }
    if (hash == 0)
        hash = 1;
    for (at = hash; set->slots[at % STATS_SET_SLOTS] != 0; at++)
        if (set->slots[at % STATS_SET_SLOTS] == hash)
            return;
    set->slots[at % STATS_SET_SLOTS] = hash;
    set->count++;
}

DumpStats *
dump_stats_new(void)
{
    DumpStats *stats = calloc(1, sizeof *stats);

    if (stats != NULL) {
        stats->first_offset = -1;
        stats->last_offset = -1;
        stats->min_timestamp = INT64_MAX;
        stats->max_timestamp = -1;
        stats->smallest = INT64_MAX;
    }
    return stats;
}

void
dump_stats_free(DumpStats *stats)
{
    if (stats == NULL)
        return;
    free(stats->producers.slots);
    free(stats->keys.slots);
    free(stats);
}

static int
class_of(int64_t size)
{
    int class = 0;

    while (class < SIZE_CLASSES - 1 && size >= (int64_t)2 << class)
        class ++;
    return class;
}

void
dump_stats_add_batch(DumpStats *stats, const WalkedBatch *batch)
{
    const uint8_t *h = batch->header;
    int codec = batch_codec(h) <= BATCH_CODEC_LAST ? batch_codec(h) : BATCH_CODEC_LAST + 1;
    int64_t producer = batch_producer_id(h);

    if (stats->batches++ == 0)
        stats->first_offset = batch_base_offset(h);
    stats->last_offset = batch_last_offset(h);
    stats->bytes += batch->size;
    stats->bad_crc += !batch->crc_ok;
    stats->smallest = batch->size < stats->smallest ? batch->size : stats->smallest;
    stats->largest = batch->size > stats->largest ? batch->size : stats->largest;
    stats->codec_batches[codec]++;
    stats->codec_bytes[codec] += batch->size;
    stats->size_class[class_of(batch->size)]++;
    stats->transactional += batch_is_transactional(h);
    stats->control += batch_is_control(h);
    if (batch_base_timestamp(h) < stats->min_timestamp)
        stats->min_timestamp = batch_base_timestamp(h);
    if (batch_max_timestamp(h) > stats->max_timestamp)
        stats->max_timestamp = batch_max_timestamp(h);
    if (producer >= 0)
        set_add(&stats->producers, hash_u64((uint64_t)producer + 1));
}

void
dump_stats_add_record(DumpStats *stats, const Record *record)
{
    stats->records++;
    if (record->key.ptr != NULL) {
        stats->keyed++;
        stats->key_bytes += record->key.len;
        set_add(&stats->keys, hash_bytes(record->key.ptr, (size_t)record->key.len, 0));
    }
    if (record->value.ptr == NULL)
        stats->null_values++;
    else
        stats->value_bytes += record->value.len;
}

static void
print_distinct(const Dump *d, const char *name, const char *name_when_full, const HashSet *set)
{
    row_out_int(d->out, set->full ? name_when_full : name, set->count);
}

static void
print_codecs(const DumpStats *stats, const Dump *d)
{
    for (int codec = 0; codec <= BATCH_CODEC_LAST + 1; codec++) {
        if (stats->codec_batches[codec] == 0)
            continue;
        row_out_begin(d->out, "| ");
        row_out_text(d->out, "compresscodec", strview_from(dump_codec_name(codec)));
        row_out_int(d->out, "batches", stats->codec_batches[codec]);
        row_out_int(d->out, "bytes", stats->codec_bytes[codec]);
        if (!dump_row_done(d))
            return;
    }
    for (int class = 0; class < SIZE_CLASSES; class ++) {
        if (stats->size_class[class] == 0)
            continue;
        row_out_begin(d->out, "| ");
        row_out_int(d->out, "sizeFrom", (int64_t)1 << class);
        row_out_int(d->out, "sizeTo", ((int64_t)2 << class) - 1);
        row_out_int(d->out, "batches", stats->size_class[class]);
        if (!dump_row_done(d))
            return;
    }
}

void
dump_stats_print(const DumpStats *stats, const Dump *d)
{
    RowOut *out = d->out;

    row_out_begin(out, "");
    row_out_int(out, "batches", stats->batches);
    row_out_int(out, "bytes", stats->bytes);
    row_out_int(out, "firstOffset", stats->first_offset);
    row_out_int(out, "lastOffset", stats->last_offset);
    row_out_optional(out, "minTimestamp", stats->batches > 0, stats->min_timestamp);
    row_out_optional(out, "maxTimestamp", stats->batches > 0, stats->max_timestamp);
    row_out_optional(out, "smallestBatch", stats->batches > 0, stats->smallest);
    row_out_optional(out, "largestBatch", stats->batches > 0, stats->largest);
    row_out_int(out, "invalidBatches", stats->bad_crc);
    row_out_int(out, "transactionalBatches", stats->transactional);
    row_out_int(out, "controlBatches", stats->control);
    row_out_int(out, "records", stats->records);
    row_out_int(out, "keyedRecords", stats->keyed);
    row_out_int(out, "nullValues", stats->null_values);
    row_out_int(out, "keyBytes", stats->key_bytes);
    row_out_int(out, "valueBytes", stats->value_bytes);
    print_distinct(d, "distinctKeys", "distinctKeysAtLeast", &stats->keys);
    print_distinct(d, "producers", "producersAtLeast", &stats->producers);
    if (dump_row_done(d))
        print_codecs(stats, d);
}
