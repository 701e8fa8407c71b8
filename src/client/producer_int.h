/*
 * producer_int.h - what the files of a producer share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef PRODUCER_INT_H
#define PRODUCER_INT_H

#include "client/client_int.h"
#include "ottla/client/produce.h"

#define PRODUCER_BATCH_BYTES     (256 << 10)
#define PRODUCER_FULL_BYTES      (8 << 20) /* then a flush is wanted */
#define PRODUCER_FULL_RECORDS    100000
#define PRODUCER_RECORD_MAX      (100 << 20) /* as much as a node takes in one request */
#define PRODUCER_PARTS_MAX       100000
#define PRODUCER_BUCKETS         1024
#define PRODUCER_ARENA_MAX_BYTES ((size_t)1024 << 20)

typedef struct ProducerBatch {
    struct ProducerBatch *next;
    struct ProducerBatch *split; /* the part that holds the records from split_at on; NULL: none */
    int32_t split_at;
    uint8_t *bytes;
    int32_t size;
    int32_t count;
    bool raw; /* the bytes of another log */
    bool done;
    int64_t base_offset;
    int64_t append_time; /* -1: the records' own */
} ProducerBatch;

typedef struct ProducerPart {
    struct ProducerPart *same_bucket;
    struct ProducerPart *next; /* of all */
    char *topic;
    int32_t partition;
    int32_t sequence;      /* of the next batch */
    int64_t floor;         /* raw batches below it were there before; -1: not known */
    BatchBuilder *builder; /* NULL: none */
    ProducerBatch *building;
    ProducerBatch *head; /* to be sent, in order */
    ProducerBatch *tail;
} ProducerPart;

/* One record that was added. */
typedef struct ProducerEntry {
    ProducerPart *part;
    ProducerBatch *batch;
    int32_t delta;
    int64_t timestamp;
} ProducerEntry;

struct ClientProducer {
    Client *c;
    ClientProducerOptions options;
    int64_t producer_id; /* -1: none yet */
    int16_t producer_epoch;
    uint64_t sticky; /* which partition records without a key get until the next flush */
    ProducerPart *buckets[PRODUCER_BUCKETS];
    ProducerPart *parts;
    int32_t part_count;
    ProducerEntry *entries;
    int32_t entry_count;
    int32_t entry_room;
    int64_t waiting_bytes;
    Arena *arena;   /* batches that wait */
    Arena *answers; /* of one round */
};

/* NULL: nothing was written to it yet. */
ProducerPart *producer_part(const ClientProducer *p, StrView topic, int32_t partition);

/* Ends the batch that is being built; it joins those to be sent. */
int producer_seal(ProducerPart *part, Fault *f);

/* Options of a batch with the producer's identity. */
BatchBuilderOptions producer_batch_options(const ClientProducer *p, int32_t sequence);

#endif
