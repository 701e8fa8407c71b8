/*
 * crc32c.c - the Castagnoli checksum
 *
 * Short inputs (batch headers, small batches) go through the processor's crc32 instruction directly:
 * the folding code of ISA-L pays off from about 300 bytes on.
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/crc32c.h"

#include <limits.h>
#include <string.h>

#include <isa-l/crc.h>

#ifdef __x86_64__
#include <nmmintrin.h>

#define SHORT_BYTES 300

/* On a raw register value, without the inversions at both ends. */
__attribute__((target("sse4.2"))) static uint32_t
crc_short(uint32_t crc, const uint8_t *at, size_t len)
{
    uint64_t wide = crc;

    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    for (; len > 0; at++, len--)
        crc = _mm_crc32_u8(crc, *at);
    return crc;
}
#endif

uint32_t
crc32c_extend(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    crc = ~crc;
#ifdef SHORT_BYTES
    if (len < SHORT_BYTES && __builtin_cpu_supports("sse4.2"))
        return ~crc_short(crc, at, len);
#endif
    while (len > 0) {
        int piece = len > INT_MAX ? INT_MAX : (int)len;

        /* The library takes its input without const, and only reads it. */
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, piece, crc);
        at += piece;
        len -= (size_t)piece;
    }
    return ~crc;
}

uint32_t
crc32c(const void *bytes, size_t len)
{
    return crc32c_extend(0, bytes, len);
}

uint32_t
crc32_extend(uint32_t crc, const void *bytes, size_t len)
{
    return crc32_gzip_refl(crc, bytes, len);
}
