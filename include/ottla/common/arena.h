/*
 * arena.h - memory that is given piece by piece and taken back at once
 *
 * Four lifetimes use it: process, connection, request, scratch (mark/release around a loop body).
 * An arena has a cap; passing it yields NULL, which request code answers with an error and
 * start-up code with an exit. Under ASan released memory is poisoned.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_ARENA_H
#define OTTLA_COMMON_ARENA_H

#include <stddef.h>

#include "ottla/common/view.h"

typedef struct Arena Arena;

typedef struct ArenaMark {
    void *chunk;
    size_t used;
} ArenaMark;

/*
 * chunk_bytes  size of the pieces taken from malloc (a larger request gets its own)
 * cap_bytes    sum of all pieces that may be taken; 0: no cap
 * NULL: no memory.
 */
Arena *arena_new(size_t chunk_bytes, size_t cap_bytes);

/* Gives everything back. NULL is fine. */
void arena_free(Arena *arena);

/* Forgets all allocations; keeps the first chunk for reuse, gives the others back. */
void arena_reset(Arena *arena);

/* Changes the cap; what is already allocated stays. */
void arena_set_cap(Arena *arena, size_t cap_bytes);

/* 16-byte aligned, not cleared. NULL: cap reached or no memory. size 0 gives a valid pointer. */
void *arena_alloc(Arena *arena, size_t size) __attribute__((malloc, warn_unused_result));

/* count * size bytes, cleared; NULL also when the product overflows. */
void *arena_calloc(Arena *arena, size_t count, size_t size) __attribute__((warn_unused_result));

/* A zero-terminated copy; NULL as arena_alloc, or when the view is null. */
char *arena_strdup(Arena *arena, StrView text) __attribute__((warn_unused_result));

/* printf into the arena; NULL as arena_alloc. */
char *arena_printf(Arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

ArenaMark arena_mark(const Arena *arena);

/* Forgets what was allocated after the mark. */
void arena_release(Arena *arena, ArenaMark mark);

/* Bytes taken from malloc now, for statistics and tests of bounds. */
size_t arena_bytes(const Arena *arena);

#endif
