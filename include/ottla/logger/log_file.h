/*
 * log_file.h - the file that log lines go to: its name, when another is due, and what a full disk does
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_LOGGER_LOG_FILE_H
#define OTTLA_LOGGER_LOG_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/err.h"

/* What the settings say. */
typedef struct LogFileRules {
    char directory[PATH_MAX];   /* absolute */
    char pattern[NAME_MAX + 1]; /* log.filename, with escapes of strftime */
    int64_t age_ms;             /* log.rotation.age; 0: never */
    int64_t size;               /* log.rotation.size; 0: never */
    bool truncate;              /* log.truncate.on.rotation */
} LogFileRules;

typedef struct LogFile {
    int fd; /* -1: none */
    char path[PATH_MAX];
    int64_t size;
    int64_t due_ms; /* wall clock: the next one by age; INT64_MAX: never */
    bool stuck;     /* another one could not be opened; tried again when due */
} LogFile;

#define LOG_FILE_NONE ((LogFile){.fd = -1, .due_ms = INT64_MAX})

/* The path of the file that is begun at that time (UTC). OT_E_CONFIG: it is empty or too long. Pure. */
int log_file_name(const LogFileRules *rules, int64_t wall_ms, char ret[PATH_MAX], ErrInfo *err);

/* When the age of a file that is begun now is reached: at the next multiple of it, as clocks show it. Pure. */
int64_t log_file_due(const LogFileRules *rules, int64_t wall_ms);

/* Why another file is wanted. */
typedef enum LogFileWhy { LOG_FILE_BEGIN, LOG_FILE_ORDER, LOG_FILE_AGE, LOG_FILE_SIZE } LogFileWhy;

/*
 * Goes on in the file of this time, which may be the same, made anew if it is gone. A failure leaves everything as it was,
 * and the next try by itself comes after a minute.
 */
int log_file_rotate(LogFile *file, const LogFileRules *rules, LogFileWhy why, int64_t wall_ms,
                    ErrInfo *err) __attribute__((warn_unused_result));

/* The same file by its name once more: somebody may have moved the one that is open. On failure that stays. */
int log_file_reopen(LogFile *file, ErrInfo *err) __attribute__((warn_unused_result));

/* Another one is wanted now: LOG_FILE_AGE or LOG_FILE_SIZE; LOG_FILE_BEGIN: none is. Pure. */
LogFileWhy log_file_wanted(const LogFile *file, const LogFileRules *rules, int64_t wall_ms);

/* Appends whole lines, all of them or none. */
int log_file_append(LogFile *file, const char *lines, size_t len, ErrInfo *err)
    __attribute__((warn_unused_result));

/* After somebody else wrote lines by the descriptor: a last one that did not fit is taken back. True: all did. */
bool log_file_settle(LogFile *file);

#endif
