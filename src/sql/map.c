/*
 * map.c - from bytes to things: the index of cached answers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/cache_int.h"

#include "ottla/common/hash.h"

static CacheEntry *
find(const CacheMap *map, StrView key, uint64_t hash)
{
    uint64_t at = hash;

    for (;; at++) {
        CacheEntry *entry = &map->entries[at & (uint64_t)(map->size - 1)];

        if (entry->value == NULL || (entry->hash == hash && strview_equal(entry->key, key)))
            return entry;
    }
}

void *
cache_map_get(const CacheMap *map, StrView key)
{
    return map->size == 0 ? NULL : find(map, key, hash_str(key, 1))->value;
}

static bool
grow(CacheMap *map, Arena *arena)
{
    CacheMap larger = {.size = map->size == 0 ? 64 : map->size * 2, .count = map->count};

    larger.entries = arena_calloc(arena, (size_t)larger.size, sizeof *larger.entries);
    if (larger.entries == NULL)
        return false;
    for (int32_t i = 0; i < map->size; i++)
        if (map->entries[i].value != NULL)
            *find(&larger, map->entries[i].key, map->entries[i].hash) = map->entries[i];
    *map = larger;
    return true;
}

bool
cache_map_put(CacheMap *map, Arena *arena, StrView key, void *value)
{
    uint64_t hash = hash_str(key, 1);
    CacheEntry *entry;

    if ((map->count + 1) * 4 > map->size * 3 && !grow(map, arena))
        return false;
    entry = find(map, key, hash);
    if (entry->value == NULL)
        map->count++;
    *entry = (CacheEntry){hash, key, value};
    return true;
}
