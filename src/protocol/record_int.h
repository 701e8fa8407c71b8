/*
 * record_int.h - records piece by piece, for the re-encoder. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SRC_PROTOCOL_RECORD_INT_H
#define OTTLA_SRC_PROTOCOL_RECORD_INT_H

#include "ottla/protocol/record.h"

/* Gets every piece that a walk decodes, once, before the walk looks at it. */
typedef void (*RecordWatch)(void *arg, BytesView piece);

/* From now on; nothing was asked of the iterator before. A walk that decodes nothing shows nothing. */
void record_iter_watch(RecordIter *iter, RecordWatch watch, void *arg);

/*
 * Reads the next record up to its key length; has_key is not set. The caller takes the
 * ret->tail_bytes behind it by record_iter_tail() before he asks for another record. Meant for
 * records that a skim has already accepted.
 */
RecordStatus record_iter_prefix(RecordIter *iter, RecordSkim *ret);

/* Walks that began to decode, for the test that a batch is decoded once. */
extern uint64_t record_decodes;

/* The next piece of the tail, at most *left bytes (> 0), which it lowers. */
RecordStatus record_iter_tail(RecordIter *iter, int32_t *left, BytesView *ret_piece);

#endif
