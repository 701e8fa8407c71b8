/*
 * view.c - the text form of uuids
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/view.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
uuid_to_text(Uuid id, char ret[UUID_TEXT_LEN + 1])
{
    int out = 0;

    for (int i = 0; i < 15; i += 3) {
        uint32_t group = (uint32_t)id.b[i] << 16 | (uint32_t)id.b[i + 1] << 8 | id.b[i + 2];

        ret[out++] = digits[group >> 18];
        ret[out++] = digits[group >> 12 & 63];
        ret[out++] = digits[group >> 6 & 63];
        ret[out++] = digits[group & 63];
    }
    ret[out++] = digits[id.b[15] >> 2];
    ret[out++] = digits[(id.b[15] & 3) << 4];
    ret[out] = '\0';
}

static int
digit_value(char c)
{
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

bool
uuid_from_text(StrView text, Uuid *ret)
{
    Uuid id;
    uint32_t bits = 0;
    int bit_count = 0, out = 0;

    if (text.ptr == NULL || text.len != UUID_TEXT_LEN)
        return false;
    for (int i = 0; i < UUID_TEXT_LEN; i++) {
        int value = digit_value(text.ptr[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            id.b[out++] = (uint8_t)(bits >> bit_count);
        }
    }
    /* 132 bits for 128: the last four must be zero, or two texts would name one id. */
    if ((bits & 15) != 0)
        return false;
    *ret = id;
    return true;
}
