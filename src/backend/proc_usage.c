/*
 * proc_usage.c - what the kernel says a process of this node uses
 *
 * Runs in: backend, for views that are asked for it: two files of /proc per process. The format is the kernel's
 * (proc(5)); a process that is gone, or another user's, has no numbers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/proc_usage_int.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/text.h"
#include "ottla/common/vfs.h"

#define STAT_TEXT_BYTES 1024 /* of a line; both files have one */
#define STAT_UTIME      11   /* blanks between the end of the name and the field */
#define STAT_STIME      12
#define STATM_RESIDENT  1

/* The line of /proc/PID/NAME. False: there is none. */
static bool
read_line(pid_t pid, const char *name, char ret[STAT_TEXT_BYTES])
{
    char path[64];
    int64_t len;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = vfs_open(path, O_RDONLY, 0, NULL);
    if (fd < 0)
        return false;
    len = vfs_pread(fd, ret, STAT_TEXT_BYTES - 1, 0, NULL);
    vfs_close(fd);
    if (len <= 0)
        return false;
    ret[len] = '\0';
    return true;
}

/* The number behind so many blanks. */
static bool
number_at(const char *text, int blanks, int64_t *ret)
{
    for (; blanks > 0; blanks--) {
        text = strchr(text, ' ');
        if (text == NULL)
            return false;
        text++;
    }
    return text_to_int64((StrView){text, (int32_t)strspn(text, "0123456789")}, ret);
}

bool
proc_cpu_ms(pid_t pid, int64_t *ret)
{
    int64_t ticks = sysconf(_SC_CLK_TCK);
    int64_t user, system;
    char line[STAT_TEXT_BYTES];
    const char *name_end;

    if (!read_line(pid, "stat", line))
        return false;
    name_end = strrchr(line, ')'); /* the name may hold anything */
    if (name_end == NULL || strncmp(name_end, ") ", 2) != 0 ||
        !number_at(name_end + 2, STAT_UTIME, &user) ||
        !number_at(name_end + 2, STAT_STIME, &system))
        return false;
    *ret = (user + system) * 1000 / (ticks > 0 ? ticks : 100);
    return true;
}

bool
proc_rss_bytes(pid_t pid, int64_t *ret)
{
    char line[STAT_TEXT_BYTES];
    int64_t pages;

    if (!read_line(pid, "statm", line) || !number_at(line, STATM_RESIDENT, &pages))
        return false;
    *ret = pages * sysconf(_SC_PAGESIZE);
    return true;
}
