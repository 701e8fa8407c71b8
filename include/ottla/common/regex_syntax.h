/*
 * regex_syntax.h - is a text a regular expression as Kafka takes it (RE2's syntax)?
 *
 * RE2 leaves out what needs backtracking: look-around, back references, possessive and atomic groups,
 * conditionals, recursion. Counts go up to 1000.
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_REGEX_SYNTAX_H
#define OTTLA_COMMON_REGEX_SYNTAX_H

#include <stdbool.h>

#include "ottla/common/view.h"

/* NULL: it is one; else why not. Takes time in proportion to its length, and no memory. */
const char *regex_syntax_fault(StrView pattern);

#endif
