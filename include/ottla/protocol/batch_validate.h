/*
 * batch_validate.h - what a client's Produce data must look like, and what becomes of it
 *
 * All checks of log.md 4.1 that need no state of the log, in the order and with the codes that
 * Kafka 4.3.1 was seen to answer (observed.md 1 and the recordings), except where Kafka stores what
 * nobody can read. Pure: no clock (the time is an argument), no I/O; needs no lock.
 *
 * The Produce handler calls, for one request:
 *   1. produce_screen_init(), then produce_screen_add() for every partition in the order of the
 *      request, before anything else; screen.code != 0: every partition gets it
 *   2. (transactional id, authorization, existence of partitions: the handler's own)
 *   3. batch_precheck() for every partition that is authorized and exists; failed_request: every
 *      partition of the request gets the code
 *   4. (acks, internal topics, leadership, min ISR: the handler's own)
 *   5. batch_validate() for what is left: verdict.code, or verdict.batch to append
 * Under the append lock the log calls batch_assign().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_BATCH_VALIDATE_H
#define OTTLA_PROTOCOL_BATCH_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"
#include "ottla/protocol/batch.h"

/* ---- Step 1: the request as a whole ---- */

/* Faults that are counted apart; Kafka has a meter for each. */
typedef enum BatchFault {
    BATCH_FAULT_OTHER,
    BATCH_FAULT_MAGIC,
    BATCH_FAULT_CRC,
    BATCH_FAULT_OFFSET, /* offsets, counts, a control batch, the sequence */
} BatchFault;

/* Filled by produce_screen_add(); read freely. */
typedef struct ProduceScreen {
    int16_t code;          /* 0, or what every partition of the request answers */
    const char *text;      /* errorMessage then; NULL: null */
    BatchFault fault;      /* what kind of fault that is */
    bool transactional;    /* some first batch is: a transactional id is needed, else 53 */
    bool producers_differ; /* transactional batches of several (id, epoch): 49 everywhere */
    int64_t producer_id;   /* of the first transactional batch, else -1 */
    int16_t producer_epoch;
} ProduceScreen;

void produce_screen_init(ProduceScreen *screen);

/*
 * Looks at the first batch of a partition's records (null and empty ones are fine here).
 * Kafka stops at the first transactional batch, so that a corrupt one behind it fails alone.
 */
void produce_screen_add(ProduceScreen *screen, BytesView records);

/* ---- Steps 3 and 5: one partition ---- */

/* compression.type of the topic. */
#define BATCH_TARGET_PRODUCER (-1) /* keep what the producer chose; else a BATCH_CODEC_* */

typedef enum BatchOrigin {
    BATCH_FROM_CLIENT,
    BATCH_FROM_COORDINATOR, /* offsets, transactions: no checks of base offset, count, control
                               bit and sequence (log.md 4.5) */
    BATCH_ORIGIN_COUNT
} BatchOrigin;

typedef struct BatchRules {
    BatchOrigin origin;
    int64_t now_ms;                  /* for the range check, and first guess of the append time */
    int64_t timestamp_before_max_ms; /* message.timestamp.before.max.ms */
    int64_t timestamp_after_max_ms;  /* message.timestamp.after.max.ms */
    int64_t max_message_bytes;       /* max.message.bytes */
    int64_t segment_bytes;           /* segment.bytes */
    bool append_time;                /* message.timestamp.type=LogAppendTime */
    bool compacted;                  /* cleanup.policy contains compact: keys are needed */
    int8_t target_codec;             /* BATCH_TARGET_PRODUCER or BATCH_CODEC_* */
    int32_t level;                   /* of that codec, as its compression.*.level setting says */
} BatchRules;

/* Record errors listed for one batch; further ones count for the code but are not listed. */
#define RECORD_ERRORS_MAX 4096

typedef struct BatchRecordError {
    int32_t index;    /* of the record in the batch */
    const char *text; /* lives as long as the arena */
} BatchRecordError;

typedef enum BatchOutcome {
    BATCH_PASSED,    /* bytes as sent, checksum included */
    BATCH_PATCHED,   /* header fields and checksum corrected, payload as sent */
    BATCH_REENCODED, /* payload made anew in the arena */
    BATCH_OUTCOME_COUNT
} BatchOutcome;

typedef struct BatchVerdict {
    int16_t code;             /* KERR_*, 0: append batch */
    bool failed_request;      /* precheck only: the code goes to every partition of the request */
    bool real_log_start;      /* the error answer carries the log start offset, else -1 */
    const char *text;         /* errorMessage (Produce 8+); NULL: null */
    const char *reason;       /* why, for the log; never NULL when code != 0 */
    BatchFault fault;         /* when code != 0 */
    int32_t no_key_count;     /* records that have no key and need one */
    int32_t error_count;      /* recordErrors (Produce 8+), at most RECORD_ERRORS_MAX */
    BatchRecordError *errors; /* in the arena */
    BatchOutcome outcome;     /* when code == 0 */
    Batch batch;              /* when code == 0; its payload points into records or the arena */
} BatchVerdict;

/*
 * Steps c to g of log.md 4.1: exactly one whole batch of format 2, zstd only from version 7.
 * records: as received; null counts as empty (87). Bytes behind the batch that could be a torn
 * second one are ignored.
 * Sets code, failed_request, real_log_start (false), reason; leaves the rest of *ret zero.
 */
void batch_precheck(int16_t api_version, BytesView records, BatchVerdict *ret);

/*
 * Steps l to v of log.md 4.1 for records that passed batch_precheck().
 *
 * records   not changed; must stay as long as ret->batch is used
 * arena     record errors, re-encoded payload, decoder buffers
 *
 * On success ret->batch holds the header with attributes, maximum timestamp and checksum
 * corrected; base offset and leader epoch are batch_assign()'s. An arena that is full gives -1
 * with the reason "no memory".
 */
void batch_validate(const BatchRules *rules, BytesView records, Arena *arena, BatchVerdict *ret);

#endif
