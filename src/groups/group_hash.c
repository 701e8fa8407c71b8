/*
 * group_hash.c - which partition of an internal topic a key belongs to
 *
 * Runs in: backend, coordinator; tests. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/groups/group_hash.h"

#include "ottla/common/assert.h"
#include "ottla/common/text.h"

#define REPLACEMENT       0xfffd
#define FIRST_SURROGATED  0x10000
#define SURROGATES_HIGH   0xd800
#define SURROGATES_LOW    0xdc00
#define CONTINUATION_BITS 6

/* The character of a good sequence. */
static uint32_t
decode(const uint8_t *at, int32_t len)
{
    uint32_t c = len == 1 ? at[0] : at[0] & (0xffu >> (len + 1));

    for (int32_t i = 1; i < len; i++)
        c = c << CONTINUATION_BITS | (at[i] & 0x3fu);
    return c;
}

/* Takes the character at the front off. */
static uint32_t
next_char(StrView *text)
{
    bool good;
    int32_t len = text_utf8_step(*text, &good);
    uint32_t c = good ? decode((const uint8_t *)text->ptr, len) : REPLACEMENT;

    *text = (StrView){text->ptr + len, text->len - len};
    return c;
}

int32_t
java_string_hash(StrView text)
{
    uint32_t hash = 0;

    while (text.len > 0) {
        uint32_t c = next_char(&text);

        if (c >= FIRST_SURROGATED) {
            hash = 31 * hash + (SURROGATES_HIGH | (c - FIRST_SURROGATED) >> 10);
            c = SURROGATES_LOW | ((c - FIRST_SURROGATED) & 0x3ff);
        }
        hash = 31 * hash + c;
    }
    return (int32_t)hash;
}

int32_t
java_string_units(StrView text)
{
    int32_t units = 0;

    while (text.len > 0)
        units += next_char(&text) >= FIRST_SURROGATED ? 2 : 1;
    return units;
}

int32_t
group_partition_of(StrView id, int32_t partitions)
{
    int32_t hash = java_string_hash(id);

    ot_assert(partitions > 0);
    if (hash == INT32_MIN)
        return 0;
    return (hash < 0 ? -hash : hash) % partitions;
}
