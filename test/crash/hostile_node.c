/*
 * hostile_node.c - what the node looks like from outside while it is attacked: its backends and their memory
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/clock.h"

#define BASE_SLACK (512 << 10) /* allocator and stack */
#define LOOK_MS    5

static pid_t supervisor;
static int64_t base_bytes; /* private memory of a backend that answered one small request */

static void
slurp(const char *path, char *text, size_t room)
{
    FILE *f = fopen(path, "re");
    size_t len = f == NULL ? 0 : fread(text, 1, room - 1, f);

    if (f != NULL)
        fclose(f);
    text[len] = 0;
}

/* Children of the supervisor whose title holds the text; the first of them. */
static int
count_children(const char *with, pid_t *ret_first)
{
    char list[65536], path[64], title[512];
    int count = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)supervisor, (int)supervisor);
    slurp(path, list, sizeof list);
    for (char *at = strtok(list, " "); at != NULL; at = strtok(NULL, " ")) {
        snprintf(path, sizeof path, "/proc/%s/cmdline", at);
        slurp(path, title, sizeof title);
        if (strstr(title, with) == NULL)
            continue;
        if (count++ == 0 && ret_first != NULL)
            *ret_first = (pid_t)strtol(at, NULL, 10);
    }
    return count;
}

/* So many bytes says a line of a file below /proc of the backend that serves this port of ours; 0: none does. */
static int64_t
backend_bytes(uint16_t port, const char *file, const char *line)
{
    char text[32], path[64], all[4096];
    const char *at;
    pid_t pid = 0;

    snprintf(text, sizeof text, ":%u ", (unsigned)port);
    if (count_children(text, &pid) == 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    slurp(path, all, sizeof all);
    at = strstr(all, line);
    return at == NULL ? 0 : strtoll(at + strlen(line), NULL, 10) * 1024;
}

static int64_t
private_bytes(uint16_t port)
{
    return backend_bytes(port, "smaps_rollup", "Private_Dirty:");
}

int64_t
peak_bytes(int fd)
{
    return backend_bytes(local_port(fd), "status", "VmHWM:");
}

void
node_watch(pid_t pid)
{
    supervisor = pid;
    base_bytes = private_bytes(witness.local_port);
    printf("# a backend's own memory: %lld bytes\n", (long long)base_bytes);
    check(base_bytes > 0, "the witness's backend is seen");
}

bool
within(int fd, const ApiInfo *api, int64_t request_bytes)
{
    int64_t most =
        base_bytes + BASE_SLACK + (1 << 20) + (int64_t)api_memory_bytes(api, (size_t)request_bytes);
    int64_t end_us = clock_mono_us() + ANSWER_US;
    int64_t bytes = private_bytes(local_port(fd));
    bool good;

    while (bytes == 0 && clock_mono_us() < end_us) { /* it may just be starting */
        pause_ms(LOOK_MS);
        bytes = private_bytes(local_port(fd));
    }
    good = bytes > 0 && bytes <= most;
    if (!good)
        printf("# %lld bytes of private memory, allowed %lld\n", (long long)bytes, (long long)most);
    return good;
}

bool
all_gone(void)
{
    int64_t end_us = clock_mono_us() + ANSWER_US;
    int left;

    do {
        left = count_children(" 127.0.0.1:", NULL);
        if (left > 1)
            pause_ms(LOOK_MS);
    } while (left > 1 && clock_mono_us() < end_us);
    if (left != 1)
        printf("# %d backends are left\n", left);
    return left == 1;
}
