/*
 * memory_int.h - counted memory of groups
 *
 * malloc does not fail here: the limit of GroupMemory is looked at before something new is taken in
 * (gmem_is_tight), and a machine without memory for what exists ends the worker, which loads again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_MEMORY_INT_H
#define OTTLA_GROUPS_MEMORY_INT_H

#include "ottla/groups/shard.h"

/* Cleared memory; never NULL. */
void *gmem_new(GroupMemory *memory, size_t size) __attribute__((malloc, warn_unused_result));

/* size: as at gmem_new. NULL is fine. */
void gmem_free(GroupMemory *memory, void *ptr, size_t size);

/* Grows or shrinks; new bytes are not cleared. ptr NULL with old_size 0: new memory. */
void *gmem_resize(GroupMemory *memory, void *ptr, size_t old_size, size_t size)
    __attribute__((warn_unused_result));

/* Copies; null and empty views give views that need no gmem_free_*. */
StrView gmem_text(GroupMemory *memory, StrView text);
BytesView gmem_bytes(GroupMemory *memory, BytesView bytes);
void gmem_free_text(GroupMemory *memory, StrView text);
void gmem_free_bytes(GroupMemory *memory, BytesView bytes);

/* Frees *field and puts a copy of the text there; nothing happens when they are equal. True: changed. */
bool gmem_set_text(GroupMemory *memory, StrView *field, StrView text);
bool gmem_set_bytes(GroupMemory *memory, BytesView *field, BytesView bytes);

/* Above nine tenths of the limit: nothing new is taken in. */
bool gmem_is_tight(const GroupMemory *memory);

#endif
