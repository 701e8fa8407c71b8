/*
 * pager.c - results longer than the screen go through a pager
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pager_int.h"

#include "ottla/print/print.h"

int
pager_print(Shell *shell, const PrintTable *table, const PrintOptions *options)
{
    (void)shell;
    return print_table(table, options, stdout);
}

FILE *
pager_open(Shell *shell)
{
    (void)shell;
    return stdout;
}

void
pager_close(Shell *shell, FILE *out)
{
    (void)shell;
    fflush(out);
}
