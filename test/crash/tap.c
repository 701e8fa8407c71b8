/*
 * tap.c - results of a program as TAP on stdout
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tap.h"

#include <stdio.h>

static int tests, failures;

void
check(bool good, const char *what)
{
    tests++;
    failures += !good;
    printf("%s %d - %s\n", good ? "ok" : "not ok", tests, what);
    fflush(stdout);
}

int
tap_end(void)
{
    printf("1..%d\n", tests);
    return failures != 0;
}
