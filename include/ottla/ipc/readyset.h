/*
 * readyset.h - which of n things need a look: bits that many set and one takes
 *
 * Two levels: a word per 64 bits, and a summary bit per word, so that taking costs O(set bits) and
 * not O(n). This is what design.md calls a ready list. It is bits and not a linked list because
 * setting a bit is idempotent and has no half-way state: a list whose pusher is killed between
 * marking the node and linking it leaves a node of which nobody knows whether it is on the list.
 *
 * Setter: bit, then summary. Taker: summary, then words: so a bit whose summary was taken is found,
 * or its setter sets the summary again [Y1]. A setter killed in between leaves a bit without
 * summary; rescan_epoch makes the taker look at every word (ready_take_all).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_READYSET_H
#define OTTLA_IPC_READYSET_H

#include "ottla/ipc/atomics.h"

/* Zeroed memory is an empty set. Followed by ready_words(n) words, aligned to a line. */
typedef struct ReadySet {
    alignas(CACHE_LINE_BYTES) AtomicU64 summary[8]; /* up to 32,768 bits */
    AtomicU64 words[];
} ReadySet;

#define READY_BITS_MAX (8 * 64 * 64)

static inline size_t
ready_words(int32_t bits)
{
    return ((size_t)bits + 63) / 64;
}

/* Bytes of a set of so many bits, whole cache lines. */
static inline size_t
ready_size(int32_t bits)
{
    size_t size = sizeof(ReadySet) + ready_words(bits) * sizeof(AtomicU64);

    return (size + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1);
}

/*
 * Sets a bit. True: it was not set before. What the bit announces was published before, and a full
 * fence stands between (pairs with [Y2] in ready_next).
 */
bool ready_set(ReadySet *set, int32_t bit);

/* A walk over what is ready; private to the taker. */
typedef struct ReadyCursor {
    ReadySet *set;
    int32_t word_count;
    int32_t summary_index; /* being walked; -1 before the first */
    int32_t word_index;
    uint64_t summary_left;
    uint64_t word_left;
    bool all;
    uint32_t looked; /* words looked at, for tests of cost */
} ReadyCursor;

/*
 * Begins to take what is set. all: ignore the summary, look at every word (after a death).
 * A walk not brought to its end has taken bits that it did not return: put them back with
 * ready_put_back.
 */
void ready_begin(ReadyCursor *cursor, ReadySet *set, int32_t bits, bool all);

/* The next taken bit, or -1. Bits set meanwhile may or may not come. */
int32_t ready_next(ReadyCursor *cursor);

/* Sets again what the walk took and did not return. */
void ready_put_back(ReadyCursor *cursor);

/* Empties the set; the owner alone, bits set meanwhile may stay. */
void ready_clear(ReadySet *set, int32_t bits);

#endif
