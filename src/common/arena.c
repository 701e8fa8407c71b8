/*
 * arena.c - memory that is given piece by piece and taken back at once
 *
 * Runs in: every process. Never: logs, gives single allocations back.
 * Invariants:
 *   A1  chunks form a list, the youngest first; only the youngest is allocated from
 *   A2  bytes of a chunk from `used` on are poisoned under ASan
 *   A3  a chunk is as large as chunk_bytes or, for one large request, as that request
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ottla/common/assert.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(ptr, size)   ASAN_POISON_MEMORY_REGION(ptr, size)
#define UNPOISON(ptr, size) ASAN_UNPOISON_MEMORY_REGION(ptr, size)
#else
#define POISON(ptr, size)   ((void)(ptr), (void)(size))
#define UNPOISON(ptr, size) ((void)(ptr), (void)(size))
#endif

#define ALIGNMENT 16u

typedef struct Chunk {
    struct Chunk *older;
    size_t size; /* of data */
    size_t used; /* of data, a multiple of ALIGNMENT */
    alignas(ALIGNMENT) uint8_t data[];
} Chunk;

struct Arena {
    Chunk *youngest;
    size_t chunk_bytes;
    size_t cap_bytes;
    size_t taken_bytes;
};

Arena *
arena_new(size_t chunk_bytes, size_t cap_bytes)
{
    Arena *arena = malloc(sizeof *arena);

    ot_assert(chunk_bytes > 0 && chunk_bytes < SIZE_MAX / 2);
    if (arena == NULL)
        return NULL;
    *arena = (Arena){.chunk_bytes = (chunk_bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1),
                     .cap_bytes = cap_bytes};
    return arena;
}

static void
drop_youngest(Arena *arena)
{
    Chunk *chunk = arena->youngest;

    arena->youngest = chunk->older;
    arena->taken_bytes -= sizeof *chunk + chunk->size;
    UNPOISON(chunk->data, chunk->size);
    free(chunk);
}

void
arena_free(Arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->youngest != NULL)
        drop_youngest(arena);
    free(arena);
}

void
arena_reset(Arena *arena)
{
    while (arena->youngest != NULL && arena->youngest->older != NULL)
        drop_youngest(arena);
    if (arena->youngest != NULL && arena->youngest->size > arena->chunk_bytes)
        drop_youngest(arena);
    if (arena->youngest != NULL) {
        POISON(arena->youngest->data, arena->youngest->size);
        arena->youngest->used = 0;
    }
}

void
arena_set_cap(Arena *arena, size_t cap_bytes)
{
    arena->cap_bytes = cap_bytes;
}

static Chunk *
add_chunk(Arena *arena, size_t least)
{
    size_t size = least > arena->chunk_bytes ? least : arena->chunk_bytes;
    size_t room = arena->cap_bytes == 0                   ? SIZE_MAX
                  : arena->cap_bytes > arena->taken_bytes ? arena->cap_bytes - arena->taken_bytes
                                                          : 0;
    Chunk *chunk;

    /* Near the cap a smaller chunk may still do. */
    if (sizeof *chunk + size > room)
        size = least;
    if (sizeof *chunk + size > room)
        return NULL;
    chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL)
        return NULL;
    chunk->older = arena->youngest;
    chunk->size = size;
    chunk->used = 0;
    POISON(chunk->data, size);
    arena->youngest = chunk;
    arena->taken_bytes += sizeof *chunk + size;
    return chunk;
}

void *
arena_alloc(Arena *arena, size_t size)
{
    size_t need = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    Chunk *chunk = arena->youngest;
    void *result;

    if (size > SIZE_MAX / 2)
        return NULL;
    if (chunk == NULL || chunk->size - chunk->used < need) {
        chunk = add_chunk(arena, need);
        if (chunk == NULL)
            return NULL;
    }
    result = chunk->data + chunk->used;
    chunk->used += need;
    UNPOISON(result, size);
    return result;
}

void *
arena_calloc(Arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void *result;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    result = arena_alloc(arena, bytes);
    if (result != NULL)
        memset(result, 0, bytes);
    return result;
}

char *
arena_strdup(Arena *arena, StrView text)
{
    char *copy;

    if (text.ptr == NULL)
        return NULL;
    ot_assert(text.len >= 0);
    copy = arena_alloc(arena, (size_t)text.len + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text.ptr, (size_t)text.len);
    copy[text.len] = '\0';
    return copy;
}

char *
arena_printf(Arena *arena, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return NULL;
    text = arena_alloc(arena, (size_t)len + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    len = vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    ot_assert(len >= 0);
    return text;
}

ArenaMark
arena_mark(const Arena *arena)
{
    return (ArenaMark){arena->youngest, arena->youngest == NULL ? 0 : arena->youngest->used};
}

void
arena_release(Arena *arena, ArenaMark mark)
{
    while (arena->youngest != mark.chunk) {
        ot_assert(arena->youngest != NULL);
        drop_youngest(arena);
    }
    if (arena->youngest != NULL) {
        ot_assert(mark.used <= arena->youngest->used);
        POISON(arena->youngest->data + mark.used, arena->youngest->size - mark.used);
        arena->youngest->used = mark.used;
    }
}

size_t
arena_bytes(const Arena *arena)
{
    return arena->taken_bytes;
}
