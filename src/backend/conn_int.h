/*
 * conn_int.h - one connection: socket, frames, requests in order
 *
 * A backend has exactly one. Its parts: frame.c finds frames (pure), pending.c keeps the
 * order of requests (pure), outq.c sends, conn.c moves bytes between them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_CONN_INT_H
#define OTTLA_BACKEND_CONN_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/request_int.h"
#include "ottla/backend/backend_main.h"
#include "ottla/ipc/listeners.h"

#define CONN_PRINCIPAL_MAX 256
#define CONN_REASON_MAX    192

/* What handlers may know of the connection they serve. */
struct Conn {
    int fd;
    int listener;             /* index into node_listeners: whose endpoints Metadata answers */
    const Listener *endpoint; /* its row */
    char peer[BACKEND_PEER_MAX];
    char principal[CONN_PRINCIPAL_MAX]; /* "User:ANONYMOUS" */
    char software_name[64];             /* of ApiVersions 3+; "" unknown */
    char software_version[64];
    bool software_is_new; /* said by the present request: not shown to others yet */
    bool peer_is_owner;   /* over the Unix socket: root, or the user the node runs as */
    char close_reason[CONN_REASON_MAX]; /* why the connection ends; "": the client hung up */
    int64_t muted_until_us;             /* a quota was hit: nothing is begun or read until then */
    void (*idle)(void);                 /* of a handler: called once at idle_at_us; NULL: none */
    int64_t idle_at_us;
};

/*
 * Is it one of our own programs, on the Unix socket or by the name it gave? It may use the APIs that others
 * do not see. conn may be NULL: no.
 */
bool conn_is_own(const Conn *conn);

/* May it do what only super users may? Its user is named in super.users, or it is the node's owner on this machine. */
bool conn_is_super(const Conn *conn);

/* Serves the connection until it ends. */
void conn_serve(const BackendStart *start);

#endif
