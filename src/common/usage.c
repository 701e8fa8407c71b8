/*
 * usage.c - how a program answers words of its command line that it does not understand
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/usage.h"

#include <stdio.h>

int
usage_fault(const char *program, const char *what, const char *value, int exit_code)
{
    fprintf(stderr, "%s: %s%s%s\nTry \"%s --help\".\n", program, what, value == NULL ? "" : ": ",
            value == NULL ? "" : value, program);
    return exit_code;
}
