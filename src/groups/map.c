/*
 * map.c - hash tables whose nodes lie within what they hold
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/map_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/hash.h"

#define BUCKETS_MIN 8

void
map_init(Map *map, GroupMemory *memory, uint64_t seed)
{
    *map = (Map){.memory = memory, .seed = seed};
}

static size_t
bucket_bytes(const Map *map)
{
    return ((size_t)map->mask + 1) * sizeof *map->buckets;
}

void
map_clear(Map *map)
{
    if (map->buckets != NULL)
        gmem_free(map->memory, map->buckets, bucket_bytes(map));
    map->buckets = NULL;
    map->mask = 0;
    map->count = 0;
}

MapNode *
map_find(const Map *map, StrView key)
{
    uint64_t hash;

    if (map->count == 0)
        return NULL;
    hash = hash_str(key, map->seed);
    for (MapNode *node = map->buckets[hash & map->mask]; node != NULL; node = node->next)
        if (node->hash == hash && node->key.len == key.len &&
            (key.len == 0 || memcmp(node->key.ptr, key.ptr, (size_t)key.len) == 0))
            return node;
    return NULL;
}

static void
put(Map *map, MapNode *node)
{
    MapNode **bucket = &map->buckets[node->hash & map->mask];

    node->next = *bucket;
    *bucket = node;
}

static void
grow(Map *map)
{
    Map old = *map;
    uint32_t buckets = old.buckets == NULL ? BUCKETS_MIN : (old.mask + 1) * 2;

    map->mask = buckets - 1;
    map->buckets = gmem_new(map->memory, bucket_bytes(map));
    if (old.buckets == NULL)
        return;
    for (uint32_t i = 0; i <= old.mask; i++) {
        MapNode *next;

        for (MapNode *node = old.buckets[i]; node != NULL; node = next) {
            next = node->next;
            put(map, node);
        }
    }
    gmem_free(map->memory, old.buckets, bucket_bytes(&old));
}

void
map_add(Map *map, MapNode *node, StrView key)
{
    ot_assert_slow(map_find(map, key) == NULL);
    if (map->buckets == NULL || map->count > map->mask)
        grow(map);
    node->key = key;
    node->hash = hash_str(key, map->seed);
    put(map, node);
    map->count++;
}

void
map_remove(Map *map, MapNode *node)
{
    MapNode **link = &map->buckets[node->hash & map->mask];

    while (*link != node) {
        ot_assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

MapNode *
map_next(const Map *map, uint32_t *bucket, MapNode *node)
{
    if (map->buckets == NULL)
        return NULL;
    if (node != NULL && node->next != NULL)
        return node->next;
    if (node != NULL)
        (*bucket)++;
    for (; *bucket <= map->mask; (*bucket)++)
        if (map->buckets[*bucket] != NULL)
            return map->buckets[*bucket];
    return NULL;
}
