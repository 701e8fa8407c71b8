/*
 * own_memory_int.h - memory of the supervisor that its children do not get
 *
 * What the supervisor writes between two forks would otherwise be copied for each child, page by page, and
 * stay with it for life (doc/internals/idle-connection.md). Nothing here may be touched in a child, not even read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_OWN_MEMORY_INT_H
#define OTTLA_POSTMASTER_OWN_MEMORY_INT_H

#include <stddef.h>

/* Zeroed memory; its untouched pages cost nothing. NULL: there is none. */
void *own_memory_take(size_t size);

/* Gives it back, with the size it was taken by. Does nothing with NULL. */
void own_memory_give(void *memory, size_t size);

#endif
