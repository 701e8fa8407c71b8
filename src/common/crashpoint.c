/*
 * crashpoint.c - places where a test lets the process die by SIGKILL
 *
 * Runs in: every process of a debug, asan or tsan build; release builds never call it.
 * Never: logs, allocates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/crashpoint.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void (*crashpoint_hook)(const char *name);

static const char *armed_name;
static int armed_left;
static bool environment_read;

/* OTTLA_CRASHPOINT=name[:n], looked at once per process tree. */
static void
read_environment(void)
{
    static char name[128];
    const char *value = getenv("OTTLA_CRASHPOINT");
    const char *colon;
    size_t len;

    environment_read = true;
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

void
crashpoint_pass(const char *name)
{
    if (!environment_read)
        read_environment();
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
