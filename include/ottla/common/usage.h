/*
 * usage.h - how a program answers words of its command line that it does not understand
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_USAGE_H
#define OTTLA_COMMON_USAGE_H

/*
 * Says on stderr what is wrong, with the value that is unless it is NULL, and where help is to be had.
 * Returns exit_code, for `return usage_fault(...)`.
 */
int usage_fault(const char *program, const char *what, const char *value, int exit_code);

#endif
