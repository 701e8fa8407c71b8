/*
 * log_file.c - the file that log lines go to: its name, when another is due, and what a full disk does
 *
 * Runs in: logger. Never: flushes; what the machine loses with its power, the log has lost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/logger/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ottla/common/vfs.h"

#define FILE_MODE 0640
#define RETRY_MS  60000

int
log_file_name(const LogFileRules *rules, int64_t wall_ms, char ret[PATH_MAX], ErrInfo *err)
{
    char name[NAME_MAX + 1];
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;

    if (gmtime_r(&seconds, &parts) == NULL)
        return err_set(err, OT_E_CONFIG, "the clock is out of its mind");
        /* The pattern is the administrator's. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (strftime(name, sizeof name, rules->pattern, &parts) == 0)
        return err_set(err, OT_E_CONFIG, "log.filename \"%s\" gives an empty or too long name",
                       rules->pattern);
#pragma GCC diagnostic pop
    if (snprintf(ret, PATH_MAX, "%s/%s", rules->directory, name) >= PATH_MAX)
        return err_set(err, OT_E_CONFIG, "the path of \"%s\" is too long", name);
    return 0;
}

int64_t
log_file_due(const LogFileRules *rules, int64_t wall_ms)
{
    if (rules->age_ms <= 0 || wall_ms < 0 || wall_ms > INT64_MAX - rules->age_ms)
        return INT64_MAX;
    return (wall_ms / rules->age_ms + 1) * rules->age_ms;
}

static int
open_file(LogFile *file, bool truncate, ErrInfo *err)
{
    struct stat st;

    file->fd = vfs_open(
        file->path, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | (truncate ? O_TRUNC : 0),
        FILE_MODE, err);
    if (file->fd < 0)
        return file->fd;
    if (fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode)) {
        file->size = st.st_size;
        return 0;
    }
    vfs_close(file->fd);
    return err_set(err, OT_E_CONFIG, "%s is no regular file", file->path);
}

int
log_file_rotate(LogFile *file, const LogFileRules *rules, LogFileWhy why, int64_t wall_ms,
                ErrInfo *err)
{
    LogFile next = {.fd = -1, .due_ms = log_file_due(rules, wall_ms)};
    int rc = log_file_name(rules, wall_ms, next.path, err);
    bool same = strcmp(next.path, file->path) == 0;

    if (rc == 0)
        rc = vfs_mkdirs(rules->directory, 0750, err);
    if (rc == 0)
        rc = open_file(&next, rules->truncate && why == LOG_FILE_AGE && !same, err);
    if (rc < 0) {
        file->due_ms = wall_ms + RETRY_MS;
        file->stuck = true;
        return rc;
    }
    if (file->fd >= 0)
        vfs_close(file->fd);
    *file = next;
    return 0;
}

int
log_file_reopen(LogFile *file, ErrInfo *err)
{
    int old = file->fd;
    int rc = open_file(file, false, err);

    if (rc < 0)
        file->fd = old;
    else
        vfs_close(old);
    return rc;
}

LogFileWhy
log_file_wanted(const LogFile *file, const LogFileRules *rules, int64_t wall_ms)
{
    char path[PATH_MAX];

    if (wall_ms >= file->due_ms)
        return LOG_FILE_AGE;
    if (file->fd < 0 || file->stuck || rules->size <= 0 || file->size < rules->size)
        return LOG_FILE_BEGIN;
    /* A name that does not change with the time leaves nowhere else to go. */
    if (log_file_name(rules, wall_ms, path, NULL) != 0 || strcmp(path, file->path) == 0)
        return LOG_FILE_BEGIN;
    return LOG_FILE_SIZE;
}

/* Who turned the file over by copying it has cut it: its size is what it says. */
static void
look_at_size(LogFile *file)
{
    int64_t size = vfs_size(file->fd, NULL);

    if (size >= 0)
        file->size = size;
}

int
log_file_append(LogFile *file, const char *lines, size_t len, ErrInfo *err)
{
    int rc;

    look_at_size(file);
    rc = vfs_pwrite(file->fd, lines, len, file->size, err); /* at the end, wherever that is */
    if (rc == 0)
        file->size += (int64_t)len;
    else
        (void)!vfs_truncate(file->fd, file->size, NULL);
    return rc;
}

bool
log_file_settle(LogFile *file)
{
    int64_t before = file->size;
    char last = '\0';

    look_at_size(file);
    if (file->size <= before)
        return false;
    if (vfs_pread(file->fd, &last, 1, file->size - 1, NULL) == 1 && last == '\n')
        return true;
    (void)!vfs_truncate(file->fd, before, NULL);
    file->size = before;
    return false;
}
