/*
 * err.h - how functions report failure
 *
 * A fallible function returns 0 or a negative OT_E_* code of errlist.h and, when it was given an
 * ErrInfo, a text for the operator. It does not log: who decides, logs (style.md 6).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_ERR_H
#define OTTLA_COMMON_ERR_H

#include "ottla/common/errlist.h"

typedef struct ErrInfo {
    int code;       /* OT_E_*, 0 while nothing failed */
    char text[252]; /* zero-terminated, no line feed */
} ErrInfo;

/* Sets code and text (cut when too long); returns code, so that "return err_set(...)" works. err may be NULL. */
int err_set(ErrInfo *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As err_set; appends ": strerror(errno_value)". */
int err_set_errno(ErrInfo *err, int code, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the text. */
void err_prefix(ErrInfo *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The Kafka error code (KERR_*) that a client is told for a negative OT_E_* (0 for 0). */
int16_t err_to_kafka(int code);

/* Name of an OT_E_* code without the prefix ("STORAGE"), and its standard text; never NULL. */
const char *err_name(int code);
const char *err_text(int code);

#endif
