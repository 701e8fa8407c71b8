/*
 * log_pipe.h - the pipe that the logger collects: stderr of all processes of a node where log.destination is "file"
 *
 * The supervisor makes it before the first fork and keeps both ends, so that a logger that died can be replaced without
 * losing what is in it. Each write is a packet: a reader gets the pieces as they were written, whole lines. No write ever
 * waits: where the pipe is full, log.c counts what it could not say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_LOG_PIPE_H
#define OTTLA_COMMON_LOG_PIPE_H

#include <stdbool.h>

#include "ottla/common/err.h"

/* Supervisor, once, before the first fork; stderr stays what it is. */
int log_pipe_open(ErrInfo *err) __attribute__((warn_unused_result));

/* Is stderr the pipe from now on, or what it was at the start? False: it is not, there may be no pipe. */
bool log_pipe_use(bool wanted);

/* In a child that is not the logger: closes the end it must not hold. */
void log_pipe_close_reader(void);

/*
 * In a child: it becomes the logger. stderr is what it was at the start, of all other descriptors the pipe's alone stays open, which
 * is returned. End of file there means that no other process is left.
 */
int log_pipe_become_reader(void);

/* Supervisor, at its end: stderr is what it was, both ends are closed. */
void log_pipe_close(void);

#endif
