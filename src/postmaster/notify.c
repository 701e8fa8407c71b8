/*
 * notify.c - messages to systemd by libsystemd
 *
 * Runs in: supervisor. Every message is one datagram; one that cannot be sent is lost silently,
 * because nobody is there to read about it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/common/systemd_lib.h"

#define STATUS_MAX 256

static char last_status[STATUS_MAX];

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One datagram, if anybody listens. */
static void
tell(const char *format, ...)
{
    static LogRate failures;
    char text[STATUS_MAX + 64];
    const SystemdLib *lib;
    ErrInfo err;
    va_list args;

    if (getenv("NOTIFY_SOCKET") == NULL)
        return;
    lib = systemd_lib(&err);
    if (lib == NULL) {
        log_limited(&failures, 1, LL_ERROR, "supervisor", "systemd is not told of anything: %s",
                    err.text);
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)lib->notify(0, text);
}

static void
remember(const char *status)
{
    snprintf(last_status, sizeof last_status, "%s", status);
}

void
notify_ready(const char *status)
{
    remember(status);
    tell("READY=1\nSTATUS=%s", last_status);
}

void
notify_status(const char *format, ...)
{
    char status[STATUS_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(status, sizeof status, format, args);
    va_end(args);
    if (strcmp(status, last_status) == 0)
        return;
    remember(status);
    tell("STATUS=%s", status);
}

void
notify_stopping(const char *status)
{
    remember(status);
    tell("STOPPING=1\nSTATUS=%s", last_status);
}

void
notify_reloading(void)
{
    tell("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
}

void
notify_failed(int errno_value, const char *status)
{
    remember(status);
    tell("ERRNO=%d\nSTATUS=%s", errno_value, last_status);
}

void
notify_extend_start(int64_t more_us)
{
    tell("EXTEND_TIMEOUT_USEC=%lld", (long long)more_us);
}

void
notify_watchdog(void)
{
    tell("WATCHDOG=1");
}

bool
notify_watchdog_period(int64_t *ret_half_us, int64_t *ret_third_us)
{
    const SystemdLib *lib = getenv("WATCHDOG_USEC") == NULL ? NULL : systemd_lib(NULL);
    uint64_t period_us = 0;

    if (lib == NULL || lib->watchdog_enabled(0, &period_us) <= 0 || period_us < 3)
        return false;
    *ret_half_us = (int64_t)(period_us / 2);
    *ret_third_us = (int64_t)(period_us / 3);
    return true;
}
