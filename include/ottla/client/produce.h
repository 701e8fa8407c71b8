/*
 * produce.h - writing records: idempotent batches with acks=all, and where each record went
 *
 * Records are collected and sent by client_producer_flush, batch by batch of each partition, all partitions at once. What
 * may be tried again is, under the same sequence numbers, so that nothing is written twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CLIENT_PRODUCE_H
#define OTTLA_CLIENT_PRODUCE_H

#include "ottla/client/client.h"
#include "ottla/protocol/batch_builder.h"

/* The partition of n that Java's default partitioner gives a key; n > 0. */
int32_t client_partition_for(BytesView key, int32_t n);

#define CLIENT_PARTITION_ANY \
    (-1) /* by the key; without one, one of them by chance until the next flush */

/* Where a record went. */
typedef struct ClientProduced {
    StrView topic;
    int32_t partition;
    int64_t offset;       /* -1: written earlier, the server does not say where */
    int64_t timestamp_ms; /* as stored */
} ClientProduced;

/* Called in the order of client_producer_add for what was written. */
typedef void (*ClientProducedFn)(void *arg, const ClientProduced *produced);

typedef struct ClientProducerOptions {
    int codec;                 /* BATCH_CODEC_* */
    int64_t batch_bytes;       /* 0: the default */
    ClientProducedFn produced; /* may be NULL */
    void *arg;
} ClientProducerOptions;

typedef struct ClientProducer ClientProducer;

int client_producer_open(Client *c, const ClientProducerOptions *options, ClientProducer **ret,
                         Fault *f) __attribute__((warn_unused_result));

/*
 * Copies a record. partition: CLIENT_PARTITION_ANY or its number. A timestamp of -1 is now.
 * 54000: the record is larger than a request may be.
 */
int client_producer_add(ClientProducer *p, StrView topic, int32_t partition,
                        const BatchRecord *record, Fault *f) __attribute__((warn_unused_result));

/* A whole batch as it lies in another log: its bytes are changed where a new log needs it (base offset, producer). */
int client_producer_add_batch(ClientProducer *p, StrView topic, int32_t partition, BytesView batch,
                              Fault *f) __attribute__((warn_unused_result));

/* So much is waiting that a flush is wanted before more is added. */
bool client_producer_full(const ClientProducer *p);

/*
 * Sends what is waiting and waits for the answers. On a fault the rest is forgotten; produced is called for what was
 * written all the same.
 */
int client_producer_flush(ClientProducer *p, Fault *f) __attribute__((warn_unused_result));

/* Forgets what is waiting. */
void client_producer_discard(ClientProducer *p);

/* NULL is fine; what is waiting is forgotten. */
void client_producer_close(ClientProducer *p);

#endif
