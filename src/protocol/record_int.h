/*
 * record_int.h - reading records piece by piece, for the re-encoder. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SRC_PROTOCOL_RECORD_INT_H
#define OTTLA_SRC_PROTOCOL_RECORD_INT_H

#include "ottla/protocol/record.h"

/*
 * Reads the next record up to its key length; has_key is not set. The caller takes the
 * ret->tail_bytes behind it by record_iter_tail() before he asks for another record. Meant for
 * records that a skim has already accepted.
 */
RecordStatus record_iter_prefix(RecordIter *iter, RecordSkim *ret);

/* The next piece of the tail, at most *left bytes (> 0), which it lowers. */
RecordStatus record_iter_tail(RecordIter *iter, int32_t *left, BytesView *ret_piece);

#endif
