/*
 * options_int.h - the command line
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_OPTIONS_INT_H
#define OTTLA_SHELL_OPTIONS_INT_H

#include "shell_int.h"

/* -c and -f of one command line. */
#define OPTION_ACTIONS_MAX 1024

typedef enum ActionKind { ACTION_STRING, ACTION_FILE } ActionKind;

typedef struct Action {
    ActionKind kind;
    const char *text;
} Action;

typedef struct Options {
    Action actions[OPTION_ACTIONS_MAX];
    int action_count;
    bool list;          /* -l */
    bool no_rc;         /* -X */
    bool confirm_given; /* -v CONFIRM=... */
    bool ended;         /* help or version was printed: exit_code is the end */
    int exit_code;
} Options;

/* Reads the words into the shell (target, variables, pset, output) and *ret. Faults are told on stderr: ended, exit code 1. */
void options_read(int argc, char **argv, Shell *shell, Options *ret);

struct option;

/* The long options, for completion; the last one has no name. */
const struct option *options_long(void);

#endif
