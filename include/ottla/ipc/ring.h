/*
 * ring.h - a queue with one writer and one reader
 *
 * Entries of one size, copied in and out, bounded: push refuses when full, what then happens is the
 * user's contract. Built on Concurrency Kit's single-producer, single-consumer ring. Both sides are
 * wait-free; either may die at any instant: an entry is published by one store after it is whole,
 * and taken by one store after it was copied, so a reader that dies may have acted on an entry that
 * its successor reads again, and nothing is ever half.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_RING_H
#define OTTLA_IPC_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Ring Ring;

/* Bytes for a ring; capacity is a power of two >= 4 (one less fits), entry_size a multiple of 8. */
size_t ring_size(uint32_t capacity, uint32_t entry_size);

/* memory: ring_size bytes at a cache line. Touches the head lines only. */
Ring *ring_init(void *memory, uint32_t capacity, uint32_t entry_size);

/* The writer. False: full, nothing happened. */
bool ring_push(Ring *ring, const void *entry);

/* The reader: copies the oldest entry and removes it. False: empty. */
bool ring_pop(Ring *ring, void *ret_entry);

/* The reader: copies the oldest entry without removing it; ring_drop removes it. */
bool ring_peek(Ring *ring, void *ret_entry);
void ring_drop(Ring *ring);

/* Entries in it; exact for either side when the other rests. */
uint32_t ring_count(const Ring *ring);

#endif
