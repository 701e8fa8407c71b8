/*
 * text.h - numbers, units and names in text
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_TEXT_H
#define OTTLA_COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/view.h"

/* Without blanks (bytes up to 0x20, as Java's trim) at both ends. */
StrView text_trim(StrView text);

/* ASCII letters only; other bytes compare as they are. */
bool text_equal_nocase(StrView a, StrView b);

/* A decimal number with an optional sign and nothing around it. False: not one, or out of range. */
bool text_to_int64(StrView text, int64_t *ret);
bool text_to_int32(StrView text, int32_t *ret);
bool text_to_uint64(StrView text, uint64_t *ret);

/* Java's syntax of Double.parseDouble after trimming, without hexadecimal: 1, .5, 1e9, 2d, NaN, -Infinity. */
bool text_to_double(StrView text, double *ret);

/* Java's Double.toString: 0.9, 1.0, 2.147483647E9. */
#define TEXT_DOUBLE_MAX 32
void text_from_double(double value, char ret[TEXT_DOUBLE_MAX]);

/* What a bare number means, and which units may follow it. */
typedef enum TextUnit {
    TEXT_UNIT_NONE, /* no unit allowed */
    TEXT_UNIT_BYTES,
    TEXT_UNIT_US,
    TEXT_UNIT_MS,
    TEXT_UNIT_SECONDS,
    TEXT_UNIT_MINUTES,
    TEXT_UNIT_HOURS,
} TextUnit;

/*
 * Parses "1.5GB", "7d", "-1", "500 ms" into the base unit; case-sensitive as PostgreSQL's. Fractions
 * are rounded to the nearest base unit. False: no number, unknown unit, or out of int64.
 */
bool text_to_quantity(StrView text, TextUnit base, int64_t *ret);

/* The units allowed with a base, for error texts ("B, kB, MB, GB, TB"). */
const char *text_units_of(TextUnit base);

/* A value in its largest unit that needs no fraction: "7d", "1GB", "1048588B"; bare without unit. */
#define TEXT_QUANTITY_MAX 32
void text_from_quantity(int64_t value, TextUnit base, char ret[TEXT_QUANTITY_MAX]);

/*
 * Number of single-byte edits (insert, delete, replace, swap of neighbours) between two names, counted
 * up to limit; limit + 1 when there are more. Names longer than 128 bytes differ by more than any limit.
 */
int text_distance(StrView a, StrView b, int limit);

/*
 * Bytes of the UTF-8 sequence at the front of a text that is not empty: whole when *ret_good, else the
 * longest part of one that could have become a sequence (at least 1), which is replaced as one, as Java
 * and browsers do. Overlong forms and surrogates are none.
 */
int32_t text_utf8_step(StrView text, bool *ret_good);

/* Whole sequences from the first byte to the last? */
bool text_is_utf8(StrView text);

#endif
