/*
 * twocopy.h - a record kept twice, so that its writer may die at any instant
 *
 * The word says how often the record was published; its lowest bit which copy holds. The one
 * writer (an owner, or whoever holds a lock) fills the other copy and then stores the word.
 * Readers load the word, copy, load it again; they repeat when it moved, so a live writer costs them
 * a repetition and a dead one nothing: no seqlock's odd count stays behind. A zeroed record is one
 * that was never published: all zero.
 *
 * T1  only the copy not named by the word is ever written
 * T2  the store of the word comes after the copy's bytes (release; pairs with [T3])
 * T3  a reader's loads of bytes lie between two loads of the word (acquire, acquire fence)
 * T4  bytes of publication n+2 are written after the word of n+1 (release fence; pairs with [T3])
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_TWOCOPY_H
#define OTTLA_IPC_TWOCOPY_H

#include "ottla/ipc/atomics.h"

typedef struct TwoCopy {
    AtomicU64 word;
} TwoCopy;

/* Publications so far; changes whenever the record may have changed. */
static inline uint64_t
twocopy_serial(const TwoCopy *head)
{
    return atomic_u64_load(&head->word);
}

/*
 * The writer's view: the published copy, which stays unchanged until the publication after next.
 * copies is an array of two records of size bytes each, 8-byte aligned, size a multiple of 8.
 */
static inline const void *
twocopy_current(const TwoCopy *head, const void *copies, size_t size)
{
    return (const char *)copies + (atomic_u64_load(&head->word) & 1) * size;
}

/* The copy to fill (its content is old). Fill it with shared_copy_in where readers may race. */
static inline void *
twocopy_begin(TwoCopy *head, void *copies, size_t size)
{
    fence_release(); /* [T4] */
    return (char *)copies + (~atomic_u64_load_relaxed(&head->word) & 1) * size;
}

/* Makes the filled copy the published one. [T2] */
static inline void
twocopy_publish(TwoCopy *head)
{
    atomic_u64_store(&head->word, atomic_u64_load_relaxed(&head->word) + 1);
}

/* begin, fill from src, publish. */
static inline void
twocopy_write(TwoCopy *head, void *copies, const void *src, size_t size)
{
    shared_copy_in(twocopy_begin(head, copies, size), src, size);
    twocopy_publish(head);
}

/*
 * Copies the published record to ret (size bytes, 8-byte aligned) and returns its serial, 0 when
 * nothing was published yet. Repeats only while the writer publishes.
 */
static inline uint64_t
twocopy_read(const TwoCopy *head, const void *copies, size_t size, void *ret)
{
    uint64_t word = atomic_u64_load(&head->word);

    for (;;) { /* [T3] */
        uint64_t again;

        shared_copy_out(ret, (const char *)copies + (word & 1) * size, size);
        fence_acquire();
        again = atomic_u64_load_relaxed(&head->word);
        if (again == word)
            return word;
        word = atomic_u64_load(&head->word);
    }
}

#endif
