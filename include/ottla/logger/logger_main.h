/*
 * logger_main.h - the process that writes the log lines of all others into files
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_LOGGER_LOGGER_MAIN_H
#define OTTLA_LOGGER_LOGGER_MAIN_H

#include <limits.h>

#include "ottla/common/log.h"
#include "ottla/ipc/atomics.h"

/*
 * Levels that requests set, as SharedPage.log_levels has them: a page apart from all other shared memory, which may be
 * replaced beside the logger. The supervisor writes.
 */
typedef struct LoggerLevels {
    AtomicU32 words[LOG_CATEGORY_COUNT];
} LoggerLevels;

/* What it is told. */
typedef struct LoggerStart {
    int pipe_fd;                /* of log_pipe_become_reader */
    const LoggerLevels *levels; /* NULL: there are none */
    char data_dir[PATH_MAX];
} LoggerStart;

/*
 * KindMain of the logger: start is a LoggerStart. Until no other process holds the pipe. It has no slot, and of shared
 * memory the levels alone. SIGHUP: the settings are read again and the file is opened again; SIGUSR1, or the signal of a latch: the next file.
 */
_Noreturn void logger_main(int instance, const void *start);

#endif
