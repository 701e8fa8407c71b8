/*
 * assert.c - the end of a process whose own promise was broken
 *
 * Runs in: every process. Never: allocates, takes a lock, returns.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/own_page.h"

OWN_PAGE void (*ot_panic_hook)(const char *text);

void
ot_panic_at(const char *file, int line, const char *func, const char *what)
{
    static char text[512];
    void (*hook)(const char *) = ot_panic_hook;
    int len = snprintf(text, sizeof text - 1, "assertion failed: %s; at=%s:%d function=%s", what,
                       file, line, func);

    if (len < 0)
        len = 0;
    if ((size_t)len > sizeof text - 2)
        len = (int)sizeof text - 2;
    text[len] = '\0';
    /* The hook runs once, even if it panics itself. */
    ot_panic_hook = NULL;
    if (hook != NULL)
        hook(text);
    text[len] = '\n';
    /* Nothing can be done about a lost line: the process ends here. */
    if (write(STDERR_FILENO, text, (size_t)len + 1) < 0)
        text[len] = '\0';
    abort();
}
