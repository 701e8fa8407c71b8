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
#include <string.h>
#include <systemd/sd-daemon.h>

#include "ottla/common/clock.h"

#define STATUS_MAX 256

static char last_status[STATUS_MAX];

static void
remember(const char *status)
{
    snprintf(last_status, sizeof last_status, "%s", status);
}

void
notify_ready(const char *status)
{
    remember(status);
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", last_status);
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
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void
notify_stopping(const char *status)
{
    remember(status);
    (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", last_status);
}

void
notify_reloading(void)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
}

void
notify_failed(int errno_value, const char *status)
{
    remember(status);
    (void)sd_notifyf(0, "ERRNO=%d\nSTATUS=%s", errno_value, last_status);
}

void
notify_extend_start(int64_t more_us)
{
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%lld", (long long)more_us);
}

void
notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

bool
notify_watchdog_period(int64_t *ret_half_us, int64_t *ret_third_us)
{
    uint64_t period_us = 0;

    if (sd_watchdog_enabled(0, &period_us) <= 0 || period_us < 3)
        return false;
    *ret_half_us = (int64_t)(period_us / 2);
    *ret_third_us = (int64_t)(period_us / 3);
    return true;
}
