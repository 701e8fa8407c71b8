/*
 * listeners.h - what the node listens on: the table every process inherits
 *
 * Built by the supervisor from `listeners`, `advertised.listeners` and
 * `listener.security.protocol.map` (listeners_parse, pure), completed with descriptors and real
 * ports by postmaster/listen.c, and never changed after the first fork: a child reads its private
 * copy of the same bytes. A backend is told the index of the listener it was accepted on; the
 * controller registers the broker with the advertised endpoints.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_LISTENERS_H
#define OTTLA_IPC_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"

#define LISTENERS_MAX     16  /* named listeners, the Unix socket included */
#define LISTENER_NAME_MAX 64  /* bytes of a listener's name with its zero */
#define LISTENER_HOST_MAX 256 /* bytes of a host name or a socket path with its zero */
#define LISTENER_FDS_MAX  16  /* addresses one host name may resolve to */

/* Kafka's numbers of security protocols, as in broker registrations. */
typedef enum SecurityProtocol {
    SECURITY_PLAINTEXT = 0,
    SECURITY_SSL = 1,
    SECURITY_SASL_PLAINTEXT = 2,
    SECURITY_SASL_SSL = 3,
} SecurityProtocol;

/* One row of `listeners`, or the Unix socket. */
typedef struct Listener {
    char name[LISTENER_NAME_MAX]; /* "PLAINTEXT", "CONTROLLER"; "LOCAL": Unix socket */
    SecurityProtocol protocol;
    char host[LISTENER_HOST_MAX]; /* as configured; "": every address; a Unix socket's path */
    char advertised_host[LISTENER_HOST_MAX]; /* what Metadata answers to who asked on it */
    uint16_t port;                           /* real one after listening; 0 before: any */
    uint16_t advertised_port;
    bool is_unix;       /* the Unix socket: not advertised; Metadata answers the first TCP one */
    bool is_controller; /* named in controller.listener.names: never opened while alone */
    bool is_inter_broker;
    int fds[LISTENER_FDS_MAX]; /* one per address; supervisor only, closed (-1) in children */
    int fd_count;
} Listener;

typedef struct ListenerTable {
    Listener rows[LISTENERS_MAX];
    int count;
} ListenerTable;

/* The node's table; filled before the first fork. */
extern ListenerTable node_listeners;

/* Where the settings come from; all strings may be NULL (not set). */
typedef struct ListenerSettings {
    const char *listeners;         /* "PLAINTEXT://localhost:9092,..." */
    const char *advertised;        /* advertised.listeners */
    const char *protocol_map;      /* listener.security.protocol.map */
    const char *controller_names;  /* controller.listener.names */
    const char *inter_broker_name; /* inter.broker.listener.name */
    const char *unix_dir;          /* of the Unix socket .s.ottla.PORT; NULL or "": none */
    const char *hostname;          /* advertised for a listener without host (":9092") */
    uint16_t port;                 /* -p: port of the first broker listener; 0: as listed */
} ListenerSettings;

/*
 * Fills the table from the settings: broker listeners in their order, then controller listeners,
 * then the Unix socket (host: still the folder). Pure: resolves nothing, opens nothing (fd_count 0). A controller listener that
 * is not listed stands at localhost, one port above the first (it is named in VotersRecord).
 * OT_E_CONFIG with a text that names setting and value: unknown protocol, name twice, port twice, a
 * listener on every address without an advertised one, no broker listener, too many.
 */
int listeners_parse(const ListenerSettings *settings, ListenerTable *ret, ErrInfo *err);

/* The row with this name (case matters not), or NULL. */
const Listener *listeners_find(const ListenerTable *table, const char *name);

/* The listener that answers for one that is not advertised (Unix socket): inter-broker, else first. */
const Listener *listeners_advertised_for(const ListenerTable *table, int index);

#endif
