/*
 * base64.c - bytes as base64 text and back
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(StrBuf *to, BytesView bytes)
{
    for (int32_t i = 0; i < bytes.len; i += 3) {
        int32_t left = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t n = (uint32_t)bytes.ptr[i] << 16 |
                     (left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0) |
                     (left > 2 ? (uint32_t)bytes.ptr[i + 2] : 0);

        for (int d = 0; d < 4; d++)
            strbuf_add_char(to, d <= left ? digits[n >> (18 - 6 * d) & 63] : '=');
    }
}

/* -1: no digit. */
static int
digit_of(char c)
{
    const char *at = c == '\0' ? NULL : strchr(digits, c == '-' ? '+' : c == '_' ? '/' : c);

    return at == NULL ? -1 : (int)(at - digits);
}

bool
base64_decode(StrBuf *to, StrView text)
{
    uint32_t n = 0;
    int bits = 0;

    for (int32_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);

        if (text.ptr[i] == '=' || text.ptr[i] == '\n' || text.ptr[i] == '\r')
            continue;
        if (digit < 0)
            return false;
        n = n << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            strbuf_add_char(to, (char)(n >> bits & 0xff));
        }
    }
    return true;
}
