/*
 * listeners.h - what the node listens on: the table every process inherits
 *
 * Built by the supervisor from `listeners`, `advertised.listeners` and
 * `listener.security.protocol.map` (listeners_parse, pure), completed with descriptors and real
 * ports by postmaster/listen.c. A child reads the copy that it inherited. A backend is told the index of
 * the listener it was accepted on; the controller registers the broker with the advertised endpoints.
 *
 * While the node runs the supervisor alone opens and closes listeners (postmaster/relisten.c). A row
 * never moves, so that indexes stay true: a closed one is a free row, which has no name. The controller
 * takes over a copy of the table from shared memory; a backend needs no other row than its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_LISTENERS_H
#define OTTLA_IPC_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/ipc/region.h"

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

/* One row of `listeners`, or the Unix socket; without a name: a free row. */
typedef struct Listener {
    char name[LISTENER_NAME_MAX]; /* "PLAINTEXT", "CONTROLLER"; "LOCAL": Unix socket */
    SecurityProtocol protocol;
    char host[LISTENER_HOST_MAX]; /* as configured; "": every address; a Unix socket's path */
    char advertised_host[LISTENER_HOST_MAX]; /* what Metadata answers to who asked on it */
    uint16_t port;                           /* real one after listening; 0 before: any */
    uint16_t advertised_port;
    bool is_unix;       /* the Unix socket: not advertised; Metadata answers the first TCP one */
    bool is_controller; /* named in controller.listener.names: never opened while alone */
    bool is_listed;     /* in `listeners`, not added to it */
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

/* ---- changes while the node runs (listeners_change.c) ---- */

/*
 * May what a running node listens on change so? Pure. As in Kafka a listener that is advertised cannot go, a protocol
 * stays, and so does the inter-broker listener. advertised: `advertised.listeners`, NULL or "" when not
 * set: all are. OT_E_CONFIG with a text.
 */
int listeners_check_change(const ListenerTable *before, const ListenerTable *after,
                           const char *advertised, ErrInfo *err);

/* What is to be done: listeners are told apart by name; one whose address alone changed stays. */
typedef struct ListenerPlan {
    bool removed[LISTENERS_MAX]; /* rows of the running table */
    int added[LISTENERS_MAX];    /* rows of the wanted one */
    int added_count;
} ListenerPlan;

/* Pure. Only listeners for clients are opened and closed: not the Unix socket, not those of controllers. */
void listeners_plan(const ListenerTable *now, const ListenerTable *wanted, ListenerPlan *ret);

/* A row for another listener, zeroed, its descriptors -1; NULL: there is none. */
Listener *listeners_new_row(ListenerTable *table);

size_t listeners_shm_size(const ShmLimits *limits);
void listeners_shm_init(void *base, const ShmLimits *limits);

/* Supervisor: what it listens on now, for the controller. */
void listeners_share(const ListenerTable *table);

/* Controller, once a turn: takes over into node_listeners what was shared since. True: something was. */
bool listeners_follow(void);

/* The row with this name (case matters not), or NULL. */
const Listener *listeners_find(const ListenerTable *table, const char *name);

/* The listener that answers for one that is not advertised (Unix socket): inter-broker, else first. */
const Listener *listeners_advertised_for(const ListenerTable *table, int index);

#endif
