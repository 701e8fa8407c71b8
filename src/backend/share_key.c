/*
 * share_key.c - keys of share coordinators: group:topic id:partition
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/share_key_int.h"

/* Java's Integer.parseInt: an optional sign and ASCII digits, any number of zeros in front. */
static bool
is_int32(StrView text)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    int32_t at = text.len > 0 && (negative || text.ptr[0] == '+') ? 1 : 0;
    int64_t value = 0;

    if (at >= text.len)
        return false;
    for (; at < text.len; at++) {
        if (text.ptr[at] < '0' || text.ptr[at] > '9')
            return false;
        value = value * 10 + (text.ptr[at] - '0');
        if (value > (int64_t)INT32_MAX + negative)
            return false;
    }
    return true;
}

/* Nothing but what Java's String.trim takes away: characters up to the space. */
static bool
is_blank(StrView text)
{
    for (int32_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] > ' ')
            return false;
    return true;
}

bool
share_key_is_legal(StrView key)
{
    int32_t colons[2], count = 0;
    StrView group, topic, partition;
    Uuid id;

    for (int32_t i = 0; i < key.len; i++) {
        if (key.ptr[i] != ':')
            continue;
        if (count == 2)
            return false;
        colons[count++] = i;
    }
    if (count < 2)
        return false;
    group = (StrView){key.ptr, colons[0]};
    topic = (StrView){key.ptr + colons[0] + 1, colons[1] - colons[0] - 1};
    partition = (StrView){key.ptr + colons[1] + 1, key.len - colons[1] - 1};
    return !is_blank(group) && uuid_from_text(topic, &id) && is_int32(partition);
}
