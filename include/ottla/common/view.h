/*
 * view.h - views into memory that somebody else owns
 *
 * A view is valid as long as the buffer it points into; a request's views live as long as the
 * request. Strings are not zero-terminated.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_VIEW_H
#define OTTLA_COMMON_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ptr NULL means null (then len is 0); an empty string has ptr set and len 0. */
typedef struct StrView {
    const char *ptr;
    int32_t len;
} StrView;

typedef struct BytesView {
    const uint8_t *ptr;
    int32_t len;
} BytesView;

/* 16 bytes, most significant first; all zero means "none". */
typedef struct Uuid {
    uint8_t b[16];
} Uuid;

#define STRVIEW(literal) ((StrView){(literal), (int32_t)sizeof(literal) - 1})

static inline StrView
strview_from(const char *cstr)
{
    return (StrView){cstr, cstr == NULL ? 0 : (int32_t)strlen(cstr)};
}

static inline bool
strview_equal(StrView a, StrView b)
{
    return a.len == b.len && (a.ptr == NULL) == (b.ptr == NULL) &&
           (a.len == 0 || memcmp(a.ptr, b.ptr, (size_t)a.len) == 0);
}

static inline bool
uuid_equal(Uuid a, Uuid b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

static inline bool
uuid_is_zero(Uuid a)
{
    static const Uuid zero;
    return uuid_equal(a, zero);
}

#define UUID_TEXT_LEN 22 /* URL-safe base64 without padding */

/* Kafka's text form, zero-terminated into ret[UUID_TEXT_LEN + 1]. */
void uuid_to_text(Uuid id, char ret[UUID_TEXT_LEN + 1]);

/* Parses Kafka's text form. False: not 22 characters of URL-safe base64 for 128 bits. */
bool uuid_from_text(StrView text, Uuid *ret);

#endif
