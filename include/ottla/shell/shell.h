/*
 * shell.h - the shell as a program
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_SHELL_H
#define OTTLA_SHELL_SHELL_H

/* Everything: options, connection, input. Returns the exit code. */
int shell_main(int argc, char **argv);

#endif
