/*
 * base64.h - bytes as base64 text (RFC 4648) and back
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_BASE64_H
#define OTTLA_COMMON_BASE64_H

#include "ottla/common/strbuf.h"

/* Appends the bytes with the standard alphabet and padding. */
void base64_encode(StrBuf *to, BytesView bytes);

/* Appends what the text stands for; either alphabet, padding and line ends are not needed. False: other characters. */
bool base64_decode(StrBuf *to, StrView text);

#endif
