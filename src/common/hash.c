/*
 * hash.c - 64-bit hash of bytes
 *
 * XXH3 with a seed: the fastest for the short names that key our tables.
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/hash.h"

#include "ottla/common/assert.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
hash_bytes(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

uint64_t
hash_str(StrView text, uint64_t seed)
{
    ot_assert(text.len >= 0);
    return hash_bytes(text.ptr, (size_t)text.len, seed);
}

uint64_t
hash_uuid(Uuid id, uint64_t seed)
{
    return hash_bytes(id.b, sizeof id.b, seed);
}

uint32_t
hash_murmur2(const void *bytes, size_t len)
{
    const uint32_t m = 0x5bd1e995;
    const uint8_t *p = bytes;
    uint32_t h = 0x9747b28cu ^ (uint32_t)len;

    for (; len >= 4; p += 4, len -= 4) {
        uint32_t k =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    for (size_t i = len; i > 0; i--)
        h ^= (uint32_t)p[i - 1] << (8 * (i - 1));
    if (len > 0)
        h *= m;
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}
