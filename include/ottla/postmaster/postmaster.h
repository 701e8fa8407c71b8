/*
 * postmaster.h - the supervisor: from the command line to the exit code
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_POSTMASTER_H
#define OTTLA_POSTMASTER_POSTMASTER_H

#include <stdbool.h>

#include "ottla/postmaster/process_kinds.h"

/* Exit codes of ottlad (shell-and-service.md 13). */
enum {
    EXIT_CODE_CLEAN = 0,
    EXIT_CODE_FATAL = 1,     /* fatal at start, crash limit, immediate stop */
    EXIT_CODE_QUIT = 2,      /* a child after SIGQUIT; never seen from outside */
    EXIT_CODE_INTERNAL = 70, /* a broken promise of our own code in the supervisor */
    EXIT_CODE_LOCKED = 75,   /* another process holds a directory */
    EXIT_CODE_ACCESS = 77,   /* permission or ownership of the data directory */
    EXIT_CODE_CONFIG = 78,
};

typedef struct PmOptions {
    const char *data_dir;    /* -D */
    const char *user;        /* --user; NULL: default rule of design.md 9 */
    bool no_auto_format;     /* --no-auto-format */
    int port;                /* -p; 0: of the settings */
    const char *config_file; /* for the first log line; NULL: none */
    const KindMains *mains;
} PmOptions;

/*
 * Runs the node in the foreground until it ends and gives the process's exit code. The settings are
 * parsed already (common/conf.h). Returns in the supervisor only: children leave by exit.
 */
int postmaster_main(const PmOptions *options);

#endif
