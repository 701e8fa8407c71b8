/*
 * notify.h - what systemd is told; nothing happens without NOTIFY_SOCKET
 *
 * Runs in: supervisor.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_NOTIFY_H
#define OTTLA_POSTMASTER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* READY=1 with a status. */
void notify_ready(const char *status);

/* STATUS= alone, when it differs from the last one sent. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* STOPPING=1, before anything else of a stop. */
void notify_stopping(const char *status);

/* RELOADING=1 with MONOTONIC_USEC; notify_ready ends it. */
void notify_reloading(void);

/* ERRNO= and a status, when the node ends with a failure. */
void notify_failed(int errno_value, const char *status);

/* More time for a start that takes long (EXTEND_TIMEOUT_USEC). */
void notify_extend_start(int64_t more_us);

/* WATCHDOG=1. */
void notify_watchdog(void);

/* Half of systemd's patience and a third of it in microseconds; false: no watchdog wanted. */
bool notify_watchdog_period(int64_t *ret_half_us, int64_t *ret_third_us);

#endif
