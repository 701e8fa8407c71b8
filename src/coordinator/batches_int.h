/*
 * batches_int.h - units of records become as few batches as fit
 *
 * A unit (all records of one operation) is never split over two batches, so that a crash cannot leave
 * half of it. Units stay in the order in which they came.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_BATCHES_INT_H
#define OTTLA_COORDINATOR_BATCHES_INT_H

#include "ottla/common/err.h"
#include "ottla/groups/env.h"
#include "ottla/protocol/batch_builder.h"

typedef struct BuiltBatch {
    struct BuiltBatch *next;
    BytesView bytes; /* one whole batch, without its offsets */
    int32_t records;
} BuiltBatch;

typedef struct Batches {
    Arena *arena; /* takes all of it; NULL: nothing was added */
    BatchBuilder *open;
    BuiltBatch *first, **end;
    int32_t records; /* in all of them */
    int8_t codec;    /* BATCH_CODEC_* */
    int32_t max_bytes;
} Batches;

/* Empty; arena stays the caller's. */
void batches_init(Batches *batches, Arena *arena, int8_t codec, int32_t max_bytes);

/*
 * Adds a unit. OT_E_MESSAGE_TOO_LARGE: it does not fit one batch, OT_E_NO_MEMORY; then what was added is of no use
 * any more.
 */
int batches_add(Batches *batches, const GroupRecord *unit, int64_t wall_ms, ErrInfo *err);

/* Closes the last batch: first, and those behind it, are ready to be appended. Errors as batches_add. */
int batches_finish(Batches *batches, ErrInfo *err);

#endif
