/*
 * server_log.h - the last lines that the processes of this node have logged
 *
 * A ring in shared memory, written by whoever logs a message, beside what becomes of it elsewhere. A writer takes a place by
 * one addition and waits for nobody; readers copy, and leave out what is being written.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_SERVER_LOG_H
#define OTTLA_IPC_SERVER_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/log.h"
#include "ottla/ipc/region.h"

#define SERVER_LOG_LINES 10000
#define SERVER_LOG_TEXT \
    424 /* bytes of message, detail and hint together, each with its zero; longer ones are cut */

typedef struct ServerLogLine {
    int64_t ts_ms; /* wall clock */
    int32_t pid;
    int32_t level; /* LogLevel */
    char kind[16]; /* of process */
    char category[16];
    int32_t detail; /* where it begins in text; 0: there is none */
    int32_t hint;
    char text[SERVER_LOG_TEXT]; /* the message first */
} ServerLogLine;

/* Keeps a message; what log.h calls for each. */
void server_log_keep(const LogEntry *entry);

/* Supervisor, before the region is unmapped: lines are not kept until there is another. */
void server_log_leave(void);

/* Serials of the oldest line that is kept and of the next that will be. */
void server_log_range(uint64_t *ret_first, uint64_t *ret_end);

/* The line with this serial. False: it is not there yet, or no longer, or its writer died. */
bool server_log_read(uint64_t serial, ServerLogLine *ret);

size_t server_log_shm_size(const ShmLimits *limits);
void server_log_shm_init(void *base, const ShmLimits *limits);

#endif
