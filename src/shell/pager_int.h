/*
 * pager_int.h - results longer than the screen go through a pager
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_PAGER_INT_H
#define OTTLA_SHELL_PAGER_INT_H

#include "shell_int.h"

/* Prints to the terminal, through a pager when \pset pager and the size of the result want one. -1: it failed. */
int pager_print(Shell *shell, const PrintTable *table, const PrintOptions *options);

/* A stream for a long text: a pager at a terminal, else stdout. To be closed by pager_close. */
FILE *pager_open(Shell *shell);
void pager_close(Shell *shell, FILE *out);

#endif
