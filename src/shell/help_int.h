/*
 * help_int.h - texts of help, for \? and --help
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_HELP_INT_H
#define OTTLA_SHELL_HELP_INT_H

#include <stdio.h>

void help_options(FILE *out);
void help_commands(FILE *out);
void help_variables(FILE *out);

#endif
