/*
 * promises.h - what the node has promised to its clients, and whether it holds after a loss of power
 *
 * Every promise carries the moment it was made (disk_now). When power fails at a moment, those made before it
 * must hold; what was begun before it may be there; nothing else may.
 *
 *   topics       an answered creation or deletion
 *   records      everything below a published durable offset, and what acks=all was answered for
 *   log start    an answered DeleteRecords, once a checkpoint that began after it is complete
 *   producer ids a block is given out once
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_SIM_PROMISES_H
#define TEST_SIM_PROMISES_H

#include <stdbool.h>
#include <stdint.h>

#include "node.h"
#include "ottla/replica/replica.h"

#define SIM_TOPICS     8 /* names in use at a time */
#define SIM_PARTITIONS 2
#define SIM_PRODUCERS  3 /* of a partition, ids 1 ... */
#define NEVER          INT64_MAX

/* A value that only rises, and when. */
typedef struct Rises {
    struct {
        int64_t when;
        int64_t value;
    } * items;
    int32_t count, room;
} Rises;

void rises_add(Rises *r, int64_t when, int64_t value);
int64_t rises_at(const Rises *r, int64_t when); /* the last one not after when; 0: none */

typedef struct SimBatch {
    NodeBatch what;
    int64_t base;
    int64_t begun;    /* the moment before it was written */
    ReplicaWait wait; /* what its acknowledgement waits for */
    int32_t leader_epoch;
    uint32_t crc;
} SimBatch;

typedef struct SimPartition {
    SimBatch *batches;
    int32_t count, room;
    Rises durable;
    Rises start;       /* promised */
    Rises start_asked; /* may be */
    int64_t start_now;
} SimPartition;

typedef struct SimTopic {
    char name[16]; /* "": free */
    Uuid id;
    int32_t partitions;
    int64_t create_begun, created; /* NEVER: not */
    int64_t delete_begun, deleted;
    SimPartition parts[SIM_PARTITIONS];
} SimTopic;

typedef struct Promises {
    SimTopic topics[SIM_TOPICS * 4]; /* deleted ones keep their row until the power fails */
    Rises producer_ids;
} Promises;

/* A free row for a topic; NULL: none. */
SimTopic *promises_new_topic(Promises *p, const char *name);
SimBatch *promises_add_batch(SimPartition *part);

/* The last batch of a producer that is there; NULL: none. */
const SimBatch *promises_last_of(const SimPartition *part, int64_t producer_id);
int64_t promises_log_end(const SimPartition *part);
int64_t batch_end(const SimBatch *batch);

/* Notes what is promised now: published durable offsets, acknowledgements that may leave. */
void promises_note_durable(Promises *p);

/*
 * The node was started on what power failure at this moment left: compares, and forgets what did not survive.
 * nothing_lost: the node was only killed. Failures go to sim_fail.
 */
void promises_check(Promises *p, int64_t moment, bool nothing_lost, RandomSeq *random);

void promises_free(Promises *p);

/* Ends the run as failed; provided by the program. */
_Noreturn void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
