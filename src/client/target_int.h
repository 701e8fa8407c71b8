/*
 * target_int.h - what the files that read targets share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TARGET_INT_H
#define TARGET_INT_H

#include "ottla/client/target.h"

/* -1: no keyword. */
int target_key_of(StrView name);

static inline bool
target_given(const ClientTarget *t, ClientKey key)
{
    return (t->given & 1u << key) != 0;
}

/* Sets a value without a word on where it came from; given: it was said explicitly. */
int target_put(ClientTarget *t, ClientKey key, StrView value, bool given, Fault *f);

/* Copies a view into a zero-terminated field; 22023 when it is too long or has a zero byte. */
int target_copy(char *to, size_t size, StrView value, const char *what, Fault *f);

void target_notice(const ClientTarget *t, bool important, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- target_files.c ---- */

/* Whether a service file has this section. */
bool target_has_service(StrView name);

/* Values of the service that were not given otherwise; 22023 when no file has it. */
int target_take_service(ClientTarget *t, Fault *f);

#endif
