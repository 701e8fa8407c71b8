/*
 * producer_ids.h - the node's block of producer ids
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_PRODUCER_IDS_H
#define OTTLA_BACKEND_PRODUCER_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/ipc/region.h"

#define PRODUCER_ID_BLOCK 1000 /* ids of a block; it begins at a multiple of this, as in Kafka */

/* Takes the next id of the node's block. False: the block is used up, ask the controller. */
bool producer_ids_take(int64_t *ret);

/*
 * A block came from the controller: its first id is the caller's, the rest becomes the node's block,
 * unless another backend was faster; then the rest is lost, which is harmless.
 */
int64_t producer_ids_refill(int64_t first);

size_t producer_ids_shm_size(const ShmLimits *limits);
void producer_ids_shm_init(void *base, const ShmLimits *limits);

#endif
