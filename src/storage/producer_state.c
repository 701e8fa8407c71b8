/*
 * producer_state.c - idempotence and open transactions of one producer on one partition
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/producer_state.h"

#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/crc32c.h"

#define SNAPSHOT_VERSION 1

int32_t
producer_last_sequence(const ProducerState *state)
{
    return state->batch_count == 0 ? BATCH_NO_SEQUENCE
                                   : state->batches[state->batch_count - 1].last_sequence;
}

int64_t
producer_last_offset(const ProducerState *state)
{
    return state->batch_count == 0 ? -1 : state->batches[state->batch_count - 1].last_offset;
}

int32_t
producer_first_sequence(const ProducerBatch *batch)
{
    int64_t first = (int64_t)batch->last_sequence - batch->offset_delta;

    return (int32_t)(first >= 0 ? first : first + (int64_t)INT32_MAX + 1);
}

static bool
find_duplicate(const ProducerState *state, const uint8_t *header, ProducerBatch *ret)
{
    int32_t first = batch_base_sequence(header);
    int32_t last = batch_last_sequence(header);
    int i;

    if (state->epoch != batch_producer_epoch(header))
        return false;
    for (i = 0; i < state->batch_count; i++) {
        const ProducerBatch *b = &state->batches[i];

        if (b->last_sequence == last && producer_first_sequence(b) == first) {
            *ret = *b;
            return true;
        }
    }
    return false;
}

static bool
in_sequence(const ProducerState *state, const uint8_t *header)
{
    int32_t sequence = batch_base_sequence(header);
    int32_t last = producer_last_sequence(state);

    if (state->epoch == BATCH_NO_PRODUCER_EPOCH)
        return true;
    if (batch_producer_epoch(header) != state->epoch)
        return sequence == 0;
    return (int64_t)sequence == (int64_t)last + 1 || (sequence == 0 && last == INT32_MAX);
}

ProducerCheck
producer_check(const ProducerState *state, const uint8_t *header, bool client,
               ProducerBatch *ret_duplicate)
{
    static const ProducerState unknown = {.last_timestamp = -1,
                                          .txn_first_offset = -1,
                                          .coordinator_epoch = -1,
                                          .epoch = BATCH_NO_PRODUCER_EPOCH};
    const ProducerState *cur = state != NULL ? state : &unknown;

    ot_assert(batch_has_producer_id(header));
    if (client && find_duplicate(cur, header, ret_duplicate))
        return PRODUCER_DUPLICATE;
    /* No verification guard exists yet: a transaction can only go on, not begin. */
    if (batch_is_transactional(header) && cur->txn_first_offset < 0)
        return PRODUCER_BAD_TXN_STATE;
    if (batch_producer_epoch(header) < cur->epoch)
        return PRODUCER_FENCED;
    if (client && !in_sequence(cur, header))
        return PRODUCER_OUT_OF_ORDER;
    if (cur->txn_first_offset >= 0 && !batch_is_transactional(header))
        return PRODUCER_BAD_TXN_STATE;
    return PRODUCER_NEXT;
}

/* A change of epoch forgets the window. */
static void
set_epoch(ProducerState *state, int16_t epoch)
{
    if (state->epoch != epoch) {
        state->epoch = epoch;
        state->batch_count = 0;
    }
}

void
producer_apply_batch(ProducerState *state, const uint8_t *header)
{
    ProducerBatch *b;

    if (batch_last_offset(header) <= producer_last_offset(state))
        return;
    set_epoch(state, batch_producer_epoch(header));
    if (state->batch_count == PRODUCER_WINDOW) {
        memmove(&state->batches[0], &state->batches[1],
                (PRODUCER_WINDOW - 1) * sizeof state->batches[0]);
        state->batch_count--;
    }
    b = &state->batches[state->batch_count++];
    b->last_offset = batch_last_offset(header);
    b->timestamp = batch_max_timestamp(header);
    b->last_sequence = batch_last_sequence(header);
    b->offset_delta = batch_last_offset_delta(header);
    state->last_timestamp = batch_max_timestamp(header);
    if (batch_is_transactional(header) && state->txn_first_offset < 0)
        state->txn_first_offset = batch_base_offset(header);
}

void
producer_apply_marker(ProducerState *state, const uint8_t *header, int32_t coordinator_epoch)
{
    set_epoch(state, batch_producer_epoch(header));
    state->coordinator_epoch = coordinator_epoch;
    state->last_timestamp = batch_max_timestamp(header);
    state->txn_first_offset = -1;
}

/* ---- snapshot file ------------------------------------------------------------------------------ */

size_t
producer_snapshot_bytes(int32_t count)
{
    return PRODUCER_SNAPSHOT_HEAD_BYTES + (size_t)count * PRODUCER_SNAPSHOT_ENTRY_BYTES;
}

void
producer_snapshot_put(uint8_t *file, int32_t index, int64_t producer_id, const ProducerState *state)
{
    uint8_t *at = file + producer_snapshot_bytes(index);
    const ProducerBatch *last =
        state->batch_count == 0 ? NULL : &state->batches[state->batch_count - 1];

    wire_store64(at, (uint64_t)producer_id);
    wire_store16(at + 8, (uint16_t)state->epoch);
    wire_store32(at + 10, (uint32_t)(last != NULL ? last->last_sequence : BATCH_NO_SEQUENCE));
    wire_store64(at + 14, (uint64_t)(last != NULL ? last->last_offset : -1));
    wire_store32(at + 22, (uint32_t)(last != NULL ? last->offset_delta : 0));
    wire_store64(at + 26, (uint64_t)state->last_timestamp);
    wire_store32(at + 34, (uint32_t)state->coordinator_epoch);
    wire_store64(at + 38, (uint64_t)state->txn_first_offset);
}

void
producer_snapshot_seal(uint8_t *file, int32_t count)
{
    wire_store16(file, SNAPSHOT_VERSION);
    wire_store32(file + 6, (uint32_t)count);
    wire_store32(file + 2, crc32c(file + 6, producer_snapshot_bytes(count) - 6));
}

int
producer_snapshot_check(BytesView file, int32_t *ret_count, ErrInfo *err)
{
    int32_t count;

    if (file.len < PRODUCER_SNAPSHOT_HEAD_BYTES || wire_load16(file.ptr) != SNAPSHOT_VERSION)
        return err_set(err, OT_E_CORRUPT, "producer snapshot: unknown version");
    if (crc32c(file.ptr + 6, (size_t)file.len - 6) != wire_load32(file.ptr + 2))
        return err_set(err, OT_E_CORRUPT, "producer snapshot: wrong checksum");
    count = (int32_t)wire_load32(file.ptr + 6);
    if (count < 0 || producer_snapshot_bytes(count) != (size_t)file.len)
        return err_set(err, OT_E_CORRUPT, "producer snapshot: %d entries in %d bytes", (int)count,
                       (int)file.len);
    *ret_count = count;
    return 0;
}

void
producer_snapshot_get(BytesView file, int32_t index, int64_t *ret_producer_id, ProducerState *ret)
{
    const uint8_t *at = file.ptr + producer_snapshot_bytes(index);
    int64_t last_offset = (int64_t)wire_load64(at + 14);

    ot_assert(producer_snapshot_bytes(index + 1) <= (size_t)file.len);
    *ret = PRODUCER_STATE_EMPTY;
    *ret_producer_id = (int64_t)wire_load64(at);
    ret->epoch = (int16_t)wire_load16(at + 8);
    ret->last_timestamp = (int64_t)wire_load64(at + 26);
    ret->coordinator_epoch = (int32_t)wire_load32(at + 34);
    ret->txn_first_offset = (int64_t)wire_load64(at + 38);
    if (last_offset >= 0) {
        ret->batch_count = 1;
        ret->batches[0] = (ProducerBatch){.last_offset = last_offset,
                                          .timestamp = ret->last_timestamp,
                                          .last_sequence = (int32_t)wire_load32(at + 10),
                                          .offset_delta = (int32_t)wire_load32(at + 22)};
    }
}
