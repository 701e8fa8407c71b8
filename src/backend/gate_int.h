/*
 * gate_int.h - what all backends of the node share: memory for large requests, lines about clients
 *
 * A request above LIMIT_SMALL_REQUEST_BYTES is not read before its size fits into
 * queued.max.request.bytes beside those of the other backends. What a backend holds stands in its
 * own word with its generation, so a death gives it back by itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_GATE_INT_H
#define OTTLA_BACKEND_GATE_INT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Takes bytes of the budget for this backend, which holds none. False: the others hold too much;
 * the latch is set when some of it was given back. Two that ask at once may both be refused: look
 * again after a tenth of a second all the same. A request alone is always let in.
 */
bool gate_take(int64_t bytes, int64_t budget);

/* Gives back what this backend holds, and wakes who waits. */
void gate_release(void);

/* This backend does not wait for memory any more. */
void gate_forget(void);

/* May a line about a client's fault be written now? At most ten a second in the whole node. */
bool gate_line_allowed(int64_t now_us, uint32_t *ret_dropped);

#endif
