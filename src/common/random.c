/*
 * random.c - random numbers from the kernel, and a repeatable sequence for pure modules
 *
 * Runs in: every process. Never: keeps state that a fork would duplicate.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/random.h"

#include <errno.h>
#include <sys/random.h>

#include "ottla/common/assert.h"

void
random_bytes(void *buffer, size_t size)
{
    uint8_t *at = buffer;

    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);

        if (got < 0) {
            ot_assert(errno == EINTR);
            continue;
        }
        at += got;
        size -= (size_t)got;
    }
}

uint64_t
random_u64(void)
{
    uint64_t value;

    random_bytes(&value, sizeof value);
    return value;
}

Uuid
random_uuid(void)
{
    Uuid id;

    do {
        random_bytes(id.b, sizeof id.b);
        id.b[6] = (uint8_t)((id.b[6] & 0x0f) | 0x40); /* version 4 */
        id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80); /* RFC 4122 variant */
        /* '-' is digit 62 of the text form; version and variant keep it off the reserved ids. */
    } while (id.b[0] >> 2 == 62);
    return id;
}

/* SplitMix64: passes the usual batteries, one word of state, any seed is good. */
uint64_t
random_seq_next(RandomSeq *seq)
{
    uint64_t z = (seq->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t
random_seq_below(RandomSeq *seq, uint64_t bound)
{
    ot_assert(bound > 0);
    return (uint64_t)((unsigned __int128)random_seq_next(seq) * bound >> 64);
}
