/*
 * child_int.h - commands of the system shell: run, written to, read from
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_CHILD_INT_H
#define OTTLA_SHELL_CHILD_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ottla/common/strbuf.h"

/* Runs a command on our terminal and waits. Its exit code (128 + signal), or -1 with errno. */
int child_run(const char *command);

/* Starts a command; what is written to the stream is its input (read: its output is what is read from it). NULL: errno. */
FILE *child_open(const char *command, bool read, int64_t *ret_pid);

/* Closes the stream and waits. Exit code as child_run. */
int child_close(FILE *file, int64_t pid);

/* Appends what a command prints. Exit code as child_run. */
int child_capture(const char *command, StrBuf *out);

#endif
