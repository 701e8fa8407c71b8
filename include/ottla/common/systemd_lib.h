/*
 * systemd_lib.h - the functions of libsystemd that Ottla uses, loaded when one is needed first
 *
 * Who calls looks first whether there is anything to say or to ask: at NOTIFY_SOCKET, LISTEN_FDS,
 * WATCHDOG_USEC or the journal's socket. A node that does not run under systemd never loads it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_SYSTEMD_LIB_H
#define OTTLA_COMMON_SYSTEMD_LIB_H

/* The place in the code is that of the caller of log_msg, not of the call to libsystemd. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include "ottla/common/err.h"

/* Members are named like the functions without sd_; their contracts are libsystemd's. */
typedef struct SystemdLib {
    __typeof__(sd_notify) *notify;
    __typeof__(sd_watchdog_enabled) *watchdog_enabled;
    __typeof__(sd_listen_fds_with_names) *listen_fds_with_names;
    __typeof__(sd_is_socket) *is_socket;
    __typeof__(sd_journal_sendv) *journal_sendv;
} SystemdLib;

/* NULL: it cannot be loaded; err says why. It is tried once per process. */
const SystemdLib *systemd_lib(ErrInfo *err);

#endif
