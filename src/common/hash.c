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
