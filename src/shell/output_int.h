/*
 * output_int.h - where results go: the screen, a file, the input of a command
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_OUTPUT_INT_H
#define OTTLA_SHELL_OUTPUT_INT_H

#include "shell_int.h"

/* Opens what the argument of \o or \g names: "file", "|command", NULL or "" for stdout. -1: reported. */
int output_open(Shell *shell, const char *target, Output *ret);

/* Closes it and waits for the command; stdout only flushed. */
void output_close(Output *output);

/* Changes where all further output goes (\o, -o). -1: reported, nothing changed. */
int output_change(Shell *shell, const char *target);

/* After writing to stdout: a pipe that nobody reads any more ends the shell without a word, another failure with one. */
void output_check(Shell *shell);

/* A statement and what is done with it, into the session log. */
void output_log_statement(Shell *shell, StrView text);

#endif
