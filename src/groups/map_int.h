/*
 * map_int.h - hash tables whose nodes lie within what they hold
 *
 * Chains behind a power of two of buckets, which doubles at one node per bucket. Keys are bytes that
 * live in the owner of the node. Order of a walk: by bucket, so by seed; where an order can be seen
 * from outside, the owner keeps a list.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_GROUPS_MAP_INT_H
#define OTTLA_GROUPS_MAP_INT_H

#include <stddef.h>

#include "groups/memory_int.h"

typedef struct MapNode {
    struct MapNode *next;
    uint64_t hash;
    StrView key;
} MapNode;

typedef struct Map {
    MapNode **buckets; /* NULL while empty */
    uint32_t mask;     /* buckets - 1 */
    uint32_t count;
    uint64_t seed;
    GroupMemory *memory;
} Map;

void map_init(Map *map, GroupMemory *memory, uint64_t seed);

/* Gives the buckets back; nodes are the caller's. The map may be used again. */
void map_clear(Map *map);

/* NULL: none. */
MapNode *map_find(const Map *map, StrView key);

/* The key must not be there yet, and must live as long as the node is in. */
void map_add(Map *map, MapNode *node, StrView key);
void map_remove(Map *map, MapNode *node);

/*
 * A walk: start with *bucket 0 and node NULL; NULL: the end. The node just given may be removed once
 * map_next has been called for the one behind it.
 */
MapNode *map_next(const Map *map, uint32_t *bucket, MapNode *node);

/* The owner of a node. */
#define MAP_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
