/*
 * log_values.h - the values at the end of a log message: "what happened: why; key=value key="quoted value""
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_LOG_VALUES_H
#define OTTLA_COMMON_LOG_VALUES_H

#include <stdbool.h>

#include "ottla/common/view.h"

/* Where they begin: behind the first "; " that nothing but values follows. NULL: there are none. */
const char *log_values_begin(const char *text);

/* The one of that key, without its quotes; list is what log_values_begin gave. False: it is not there. */
bool log_values_find(const char *list, const char *key, StrView *ret);

#endif
