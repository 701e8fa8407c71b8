/*
 * own_memory.c - memory of the supervisor that its children do not get
 *
 * Runs in: supervisor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "own_memory_int.h"

#include <sys/mman.h>

#include "ottla/common/assert.h"

void *
own_memory_take(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    (void)madvise(memory, size, MADV_DONTFORK); /* refused: children are larger, that is all */
    return memory;
}

void
own_memory_give(void *memory, size_t size)
{
    if (memory != NULL)
        ot_assert(munmap(memory, size) == 0);
}
