/*
 * node.h - a node in one process: the steps of its start, its work and its stop, on a folder of files
 *
 * What the supervisor, the controller, startup, backends, checkpointer and retention do to files, called one
 * after the other; nothing of the product is replaced but the disk below it and the numbers of the kernel's
 * random source, so that a run can be repeated.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_SIM_NODE_H
#define TEST_SIM_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/controller.h"
#include "ottla/common/arena.h"
#include "ottla/storage/plog.h"

#define NODE_NOW_MS INT64_C(1700000000000)

extern Controller node_controller;

/* Makes the folders of a new node below root and formats them, as the supervisor does. */
void node_format(const char *root);

#define NODE_DIRS 2 /* log directories */

/* Starts on root: markers, controller, strays, moves that were wished for. False: an error, already printed. */
bool node_start(const char *root);

/* Forgets all memory and closes all files; nothing is written. */
void node_kill(void);

/* The ordered stop: final checkpoint, marker, then as node_kill. False: an error, already printed. */
bool node_stop(void);

/*
 * What the worker that moves logs does until it has nothing to do, or for a while, and the controller with it.
 * False: the controller failed.
 */
bool node_move_logs(void);

const Image *node_image(void);

/* Kafka error code of the answer; -1: the controller failed. ret_id: of the topic. */
int node_create_topic(const char *name, int32_t partitions, Uuid *ret_id);
int node_delete_topic(const char *name);

/* The next block of producer ids; -1: refused. */
int64_t node_producer_ids(void);

/* The slot of a partition; PARTITION_REF_NONE: not in the image. Its segments are small. */
PartitionRef node_partition(const char *topic, int32_t partition);

/* A batch of a client. */
typedef struct NodeBatch {
    int64_t producer_id; /* 0: none */
    int64_t timestamp;   /* of the first record, the next ones +1 */
    int32_t count;
    int32_t value_bytes;
    int32_t sequence;
    int16_t epoch;
} NodeBatch;

/* Builds it; the bytes are different for different timestamps. */
void node_batch(const NodeBatch *what, Arena *arena, Batch *ret);

#endif
