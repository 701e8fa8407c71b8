/*
 * regex_int.h - regular expressions on keys and values of messages
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_REGEX_INT_H
#define OTTLA_SHELL_REGEX_INT_H

#include <stdbool.h>

#include "ottla/client/fault.h"
#include "ottla/common/view.h"

typedef struct Regex Regex;

/* NULL: *f says why. */
Regex *regex_new(const char *pattern, Fault *f);

/* NULL is fine. */
void regex_free(Regex *regex);

/* Is it anywhere in the bytes? Null has nothing in it; bytes on which a limit is hit do not match. */
bool regex_matches(const Regex *regex, BytesView bytes);

#endif
