/*
 * crashpoint.c - places where a test lets the process die by SIGKILL
 *
 * Runs in: every process of a debug, asan or tsan build; release builds never call it.
 * Never: logs, allocates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/crashpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void (*crashpoint_hook)(const char *name);

static const char *armed_name;
static int armed_left;
static bool environment_read;
static CrashpointRow *rows; /* of the file; NULL: none */

static void
map_file(void)
{
    const char *path = getenv("OTTLA_CRASHPOINT_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *memory;

    if (fd < 0)
        return;
    memory = mmap(NULL, CRASHPOINT_ROWS * sizeof *rows, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED)
        rows = memory;
    (void)close(fd);
}

/* OTTLA_CRASHPOINT=name[:n] and the file, looked at once per process tree. */
static void
read_environment(void)
{
    static char name[128];
    const char *value = getenv("OTTLA_CRASHPOINT");
    const char *colon;
    size_t len;

    environment_read = true;
    map_file();
    if (value == NULL)
        return;
    colon = strchr(value, ':');
    len = colon != NULL ? (size_t)(colon - value) : strlen(value);
    if (len == 0 || len >= sizeof name)
        return;
    memcpy(name, value, len);
    name[len] = '\0';
    armed_name = name;
    armed_left = colon != NULL ? (int)strtol(colon + 1, NULL, 10) : 1;
}

void
crashpoint_arm(const char *name, int nth)
{
    environment_read = true;
    armed_name = name;
    armed_left = nth;
}

/*
 * Dies, or stops, when a row of the file names the point and this is its passage. Plain words are enough: two that come by
 * at the same instant may both die, or count as one.
 */
static void
pass_rows(const char *name)
{
    for (int i = 0; i < CRASHPOINT_ROWS; i++) {
        volatile CrashpointRow *row = &rows[i];
        int32_t left = row->left;

        if (left <= 0 || strncmp(rows[i].name, name, sizeof rows[i].name) != 0)
            continue;
        row->left = left - 1;
        if (left > 1)
            continue;
        row->pid = (int32_t)getpid();
        (void)kill(getpid(), row->signal != 0 ? row->signal : SIGKILL);
    }
}

void
crashpoint_pass(const char *name)
{
    if (!environment_read)
        read_environment();
    if (rows != NULL)
        pass_rows(name);
    if (armed_name == NULL || strcmp(armed_name, name) != 0)
        return;
    if (--armed_left > 0)
        return;
    armed_name = NULL;
    if (crashpoint_hook != NULL) {
        crashpoint_hook(name);
        return;
    }
    (void)kill(getpid(), SIGKILL);
}
