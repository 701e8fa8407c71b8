/*
 * tap.h - results of a program as TAP on stdout
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_TAP_H
#define TEST_TAP_H

#include <stdbool.h>

/* One test. */
void check(bool good, const char *what);

/* The plan; the exit code of the program. */
int tap_end(void);

#endif
