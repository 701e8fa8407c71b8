/*
 * bulk_int.h - chunks of 64 KiB that carry long messages between processes
 *
 * The writer of a message takes and frees its chunks; the owner word names the writer, so chunks of
 * the dead are taken back by whoever looks for free ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_BULK_INT_H
#define OTTLA_IPC_BULK_INT_H

#include "ottla/ipc/pool.h"

/* A chunk for this process; POOL_NONE: none is free, not even of the dead. */
uint32_t bulk_alloc(void);

/* Gives back a chunk of this process. */
void bulk_free(uint32_t chunk);

/* Its BULK_CHUNK_BYTES. */
unsigned char *bulk_at(uint32_t chunk);

/* True while the chunk belongs to that process (slot_ref_pack). False for numbers out of range. */
bool bulk_belongs_to(uint32_t chunk, uint64_t owner);

#endif
