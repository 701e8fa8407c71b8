/*
 * producer_state.h - what a partition remembers of one producer, and what it decides with it
 *
 * The state is 8 words short enough to be kept twice in shared memory; the functions here are pure
 * and say whether a batch is next, repeated or wrong (log.md 8.1-8.3), and how the state moves. The
 * snapshot file (6.5) is encoded and decoded here, too.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_PRODUCER_STATE_H
#define OTTLA_STORAGE_PRODUCER_STATE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/protocol/batch.h"

#define PRODUCER_WINDOW 5 /* batches in which a repetition is recognised */

/* One remembered batch. */
typedef struct ProducerBatch {
    int64_t last_offset;
    int64_t timestamp; /* the batch's maxTimestamp */
    int32_t last_sequence;
    int32_t offset_delta;
} ProducerBatch;

/* last_sequence - offset_delta, where 0 follows 2147483647. */
int32_t producer_first_sequence(const ProducerBatch *batch);

typedef struct ProducerState {
    int64_t last_timestamp;
    int64_t txn_first_offset;  /* -1: no open transaction */
    int32_t coordinator_epoch; /* -1: unknown */
    int16_t epoch;             /* -1: unknown */
    uint16_t batch_count;
    ProducerBatch batches[PRODUCER_WINDOW]; /* oldest first */
} ProducerState;

static_assert(sizeof(ProducerState) == 144 && sizeof(ProducerState) % 8 == 0, "copied by words");

#define PRODUCER_STATE_EMPTY                  \
    ((ProducerState){.last_timestamp = -1,    \
                     .txn_first_offset = -1,  \
                     .coordinator_epoch = -1, \
                     .epoch = BATCH_NO_PRODUCER_EPOCH})

/* -1: no data batch remembered. */
int32_t producer_last_sequence(const ProducerState *state);
int64_t producer_last_offset(const ProducerState *state);

typedef enum ProducerCheck {
    PRODUCER_NEXT,      /* append */
    PRODUCER_DUPLICATE, /* *ret_duplicate is the batch it repeats */
    PRODUCER_OUT_OF_ORDER,
    PRODUCER_FENCED, /* older epoch: INVALID_PRODUCER_EPOCH */
    PRODUCER_BAD_TXN_STATE,
    PRODUCER_CHECK_COUNT
} ProducerCheck;

/*
 * A data batch with a producer id (8.2). state NULL: producer unknown here. client: sequences and
 * repetitions are looked at, too. A repetition is checked for before anything else.
 */
ProducerCheck producer_check(const ProducerState *state, const uint8_t *header, bool client,
                             ProducerBatch *ret_duplicate);

/*
 * Takes over a data batch that stands in the log (base offset assigned). A batch at or below the
 * newest remembered offset changes nothing, so that a replay may overlap.
 */
void producer_apply_batch(ProducerState *state, const uint8_t *header);

/* Takes over an end-transaction marker (8.6). */
void producer_apply_marker(ProducerState *state, const uint8_t *header, int32_t coordinator_epoch);

/* ---- snapshot file ---------------------------------------------------------------------------- */

#define PRODUCER_SNAPSHOT_HEAD_BYTES  10
#define PRODUCER_SNAPSHOT_ENTRY_BYTES 46

/* Bytes of a file with this many entries. */
size_t producer_snapshot_bytes(int32_t count);

/* Encodes one entry at its place in the file. */
void producer_snapshot_put(uint8_t *file, int32_t index, int64_t producer_id,
                           const ProducerState *state);

/* Writes version, checksum and count once all entries are in place. */
void producer_snapshot_seal(uint8_t *file, int32_t count);

/* OT_E_CORRUPT: version, size or checksum. */
int producer_snapshot_check(BytesView file, int32_t *ret_count, ErrInfo *err);

/* One entry of a checked file; the window holds its newest batch only. */
void producer_snapshot_get(BytesView file, int32_t index, int64_t *ret_producer_id,
                           ProducerState *ret);

#endif
