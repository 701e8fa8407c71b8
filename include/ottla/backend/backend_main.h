/*
 * backend_main.h - the process that serves one connection
 *
 * The supervisor accepts a connection, forks, and the child calls backend_main, which never returns:
 * the process ends with its connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_BACKEND_MAIN_H
#define OTTLA_BACKEND_BACKEND_MAIN_H

#include <stdbool.h>
#include <stdint.h>

#define BACKEND_PEER_MAX 64 /* bytes of a peer's text with its zero */

/* What the supervisor tells a new backend. */
typedef struct BackendStart {
    int fd;                      /* the connected socket; the backend's own from now on */
    int listener;                /* index into node_listeners of the listener it was accepted on */
    char peer[BACKEND_PEER_MAX]; /* "127.0.0.1:51302", "[::1]:4711", "local" for the Unix socket */
} BackendStart;

/*
 * Serves the connection until it ends, then exits: 0 after an orderly end, hang-up included, 1
 * when the process could not be set up. Called in the forked child with my_slot set (state
 * STARTING), signals of ipc/latch.h blocked, the settings read.
 *
 * SIGTERM: finishes the requests already begun, then closes. SIGINT: cancels the waits of the
 * pending requests, which are answered as at their deadline. SIGHUP: the settings are read anew
 * before the next request is begun.
 */
_Noreturn void backend_main(const BackendStart *start);

#endif
