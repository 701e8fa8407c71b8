/*
 * log_sink.h - destinations of log messages beside plain lines: the journal with its fields, syslog, JSON
 *
 * What is handed to LogStyle.sink. The first two open their socket by themselves, at the first message; it is
 * a datagram socket, so that processes may share it after a fork.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_LOG_SINK_H
#define OTTLA_COMMON_LOG_SINK_H

#include <sys/types.h>
#include <sys/uio.h>

#include "ottla/common/log.h"

/* Is there a journal that takes messages? */
bool log_journal_found(void);

/* To the journal, by its own protocol, with the fields of shell-and-service.md 11. */
bool log_journal_write(const LogEntry *entry);

/* To syslog(3), facility daemon; continuation lines are messages of their own. */
bool log_syslog_write(const LogEntry *entry);

/* To the style's fd: a line with a JSON object, the fields of the journal with TIME and _PID before them, all strings. */
bool log_json_write(const LogEntry *entry);

/* Would they be taken without waiting, in so many ms at the latest? */
bool log_journal_takes(int patience_ms);
bool log_syslog_takes(int patience_ms);

/* The same of whoever reads the datagram socket of this name; true when nobody does, for that is an error at once. */
bool log_socket_takes(const char *path, int patience_ms);

#define LOG_JSON_MAX 16384 /* bytes of one line; fields that do not fit are left out */

/* That line with its line feed; returns its length. Pure. */
size_t log_json_line(const LogEntry *entry, int64_t wall_ms, pid_t pid, char ret[LOG_JSON_MAX]);

#define LOG_JOURNAL_FIELDS_MAX 32

/* The fields of one message, as sd_journal_sendv wants them. */
typedef struct LogFields {
    struct iovec list[LOG_JOURNAL_FIELDS_MAX];
    int count;
    char bytes[8 * LOG_LINE_MAX]; /* what list points into; a text that does not fit is cut */
    size_t used;
} LogFields;

/* Fields that do not apply are left out. Pure. */
void log_journal_fields(const LogEntry *entry, LogFields *ret);

#endif
