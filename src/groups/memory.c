/*
 * memory.c - counted memory of groups
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/memory_int.h"

#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"

/* What malloc itself takes for each piece. */
#define PIECE_OVERHEAD 16

static void
count(GroupMemory *memory, size_t size)
{
    for (; memory != NULL; memory = memory->parent)
        memory->used += size + PIECE_OVERHEAD;
}

static void
uncount(GroupMemory *memory, size_t size)
{
    for (; memory != NULL; memory = memory->parent) {
        ot_assert(memory->used >= size + PIECE_OVERHEAD);
        memory->used -= size + PIECE_OVERHEAD;
    }
}

void *
gmem_new(GroupMemory *memory, size_t size)
{
    void *ptr = calloc(1, size > 0 ? size : 1);

    ot_assert(ptr != NULL);
    count(memory, size);
    return ptr;
}

void
gmem_free(GroupMemory *memory, void *ptr, size_t size)
{
    if (ptr == NULL)
        return;
    uncount(memory, size);
    free(ptr);
}

void *
gmem_resize(GroupMemory *memory, void *ptr, size_t old_size, size_t size)
{
    void *grown = realloc(ptr, size > 0 ? size : 1);

    ot_assert(grown != NULL);
    if (ptr != NULL)
        uncount(memory, old_size);
    count(memory, size);
    return grown;
}

/* The bytes of a view are written here and nowhere else. */
static void *
writable(const void *ptr)
{
    union {
        const void *in;
        void *out;
    } view = {ptr};

    return view.out;
}

StrView
gmem_text(GroupMemory *memory, StrView text)
{
    char *copy;

    if (text.ptr == NULL || text.len == 0)
        return text.ptr == NULL ? (StrView){0} : STRVIEW("");
    copy = gmem_new(memory, (size_t)text.len);
    memcpy(copy, text.ptr, (size_t)text.len);
    return (StrView){copy, text.len};
}

BytesView
gmem_bytes(GroupMemory *memory, BytesView bytes)
{
    static const uint8_t empty[1];
    uint8_t *copy;

    if (bytes.ptr == NULL || bytes.len == 0)
        return bytes.ptr == NULL ? (BytesView){0} : (BytesView){empty, 0};
    copy = gmem_new(memory, (size_t)bytes.len);
    memcpy(copy, bytes.ptr, (size_t)bytes.len);
    return (BytesView){copy, bytes.len};
}

void
gmem_free_text(GroupMemory *memory, StrView text)
{
    if (text.len > 0)
        gmem_free(memory, writable(text.ptr), (size_t)text.len);
}

void
gmem_free_bytes(GroupMemory *memory, BytesView bytes)
{
    if (bytes.len > 0)
        gmem_free(memory, writable(bytes.ptr), (size_t)bytes.len);
}

bool
gmem_set_text(GroupMemory *memory, StrView *field, StrView text)
{
    StrView old = *field;

    if (strview_equal(old, text))
        return false;
    *field = gmem_text(memory, text); /* before the old one goes: text may lie within it */
    gmem_free_text(memory, old);
    return true;
}

bool
gmem_set_bytes(GroupMemory *memory, BytesView *field, BytesView bytes)
{
    BytesView old = *field;

    if (old.len == bytes.len && (old.ptr == NULL) == (bytes.ptr == NULL) &&
        (old.len == 0 || memcmp(old.ptr, bytes.ptr, (size_t)old.len) == 0))
        return false;
    *field = gmem_bytes(memory, bytes);
    gmem_free_bytes(memory, old);
    return true;
}

bool
gmem_is_tight(const GroupMemory *memory)
{
    while (memory->parent != NULL)
        memory = memory->parent;
    return memory->used > memory->limit / 10 * 9;
}
