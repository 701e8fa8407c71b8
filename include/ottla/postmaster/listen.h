/*
 * listen.h - opens the sockets of the listeners table, or takes those systemd passed
 *
 * Runs in: supervisor. Blocks for name resolution at start alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_LISTEN_H
#define OTTLA_POSTMASTER_LISTEN_H

#include <stdbool.h>

#include "ottla/common/err.h"
#include "ottla/common/net.h"
#include "ottla/ipc/listeners.h"

#define LISTEN_BACKLOG 4096 /* as in design.md 10; the kernel caps it by net.core.somaxconn */

/* Below 0 or NULL: the system's choice. */
typedef struct ListenOptions {
    int backlog;            /* socket.listen.backlog.size */
    int send_buffer;        /* socket.send.buffer.bytes */
    int receive_buffer;     /* socket.receive.buffer.bytes */
    const char *congestion; /* listener.congestion.control */
    NetUnixAccess local;    /* unix.socket.permissions, unix.socket.group */
} ListenOptions;

/*
 * Opens every broker listener (controller listeners stay closed while the node is alone) on every
 * address of its host and fills descriptors and real ports. Sockets that systemd passed
 * (LISTEN_FDS, named after listeners, LOCAL for the Unix socket) replace our own. When it fails
 * everything is closed again.
 *
 * OT_E_EXISTS: a port is in use. OT_E_BUSY: another server holds the Unix socket. OT_E_CONFIG: a passed
 * socket has an unknown name or is not listening. OT_E_NOT_FOUND: a host has no address.
 */
int listen_open(ListenerTable *table, const ListenOptions *options, ErrInfo *err);

/*
 * Opens one listener on these addresses (their ports are set here) and fills its descriptors and real port. When it
 * fails on the first of them with OT_E_EXISTS (the port is in use), or on all, what was opened of it is
 * left for listen_close_row.
 */
int listen_open_row(Listener *row, NetAddress *addresses, int count, const ListenOptions *options,
                    ErrInfo *err);
void listen_close_row(Listener *row);

/* Closes all sockets and removes the Unix socket's file (not one of systemd's). */
void listen_close(ListenerTable *table);

/* In a child: closes its copies of the sockets; the table is of no use to it and stays as it is. */
void listen_close_inherited(const ListenerTable *table);

/* "localhost:9092" of the first TCP listener; "[local]PATH" when there is none. */
void listen_first_address(const ListenerTable *table, char *ret, size_t size);

#endif
