/*
 * hash.h - 64-bit hash of bytes, for hash tables
 *
 * Tables whose keys come from clients use a random seed per node, so that nobody can aim at one
 * bucket. Not for anything stored or sent, hash_murmur2 apart.
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_HASH_H
#define OTTLA_COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "ottla/common/view.h"

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed);
uint64_t hash_str(StrView text, uint64_t seed);
uint64_t hash_uuid(Uuid id, uint64_t seed);

/* MurmurHash2 with Kafka's seed, by which producers choose the partition of a key: this one is sent by its effect. */
uint32_t hash_murmur2(const void *bytes, size_t len);

/* Mixes an integer so that all bits of the result depend on all bits of the value. */
static inline uint64_t
hash_u64(uint64_t value)
{
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    value ^= value >> 32;
    return value;
}

#endif
