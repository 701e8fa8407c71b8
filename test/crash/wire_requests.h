/*
 * wire_requests.h - the requests that most programs of the tests make: a topic, a batch, a Produce of it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_WIRE_REQUESTS_H
#define TEST_WIRE_REQUESTS_H

#include "wire_client.h"

#define WIRE_TIMEOUT_MS      30000 /* that a request gives the node */
#define WIRE_PRODUCE_VERSION 9

/* The error code for a topic of one replica; -1: the connection broke. */
int wire_create_topic(WireClient *client, const char *name, int32_t partitions);

/* A batch of one record whose value is so many zeros; in the arena. Ends the program where it cannot be made. */
BytesView wire_batch(int64_t timestamp_ms, int32_t value_bytes, Arena *arena);

/* A Produce request of one batch. */
typedef struct WireProduce {
    const char *topic;
    int32_t partition;
    int16_t acks;
    BytesView batch;
} WireProduce;

/* The error code of its answer; -1: the connection broke. */
int wire_produce(WireClient *client, const WireProduce *what);

/* The same as a frame with a size and correlation id 0; in the arena. */
BytesView wire_produce_frame(const WireProduce *what, Arena *arena);

/* Reads an answer to it (behind the size). The error code; -1: it cannot be read. */
int wire_produce_answer(BytesView frame, Arena *arena);

#endif
