/*
 * load_client.h - what the clients of the crash load share: a connection that outlives the node
 *
 * Each client is a process. It and the parent see each other through one Shared. A client that meets
 * what must not happen says so on stderr, marks itself failed, and ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_LOAD_CLIENT_H
#define TEST_LOAD_CLIENT_H

#include "ottla/ipc/atomics.h"
#include "wire_client.h"

#define PARTITIONS    4
#define WRITERS       8 /* two to a partition: an idempotent one and a plain one */
#define READERS       4
#define COMMITTERS    3
#define CLIENTS       (WRITERS + READERS + COMMITTERS)
#define CHURN         CLIENTS /* one more client, of whole nodes only */
#define BATCH_RECORDS 5
#define SETTLE_MS     20000
#define TOPIC         "crash-load"

/* Of one client, in memory shared with the parent. */
typedef struct ClientState {
    AtomicU32 port;     /* of its connection; 0: none now */
    AtomicU32 breaks;   /* connections that ended under it */
    AtomicU32 expected; /* kills of its backend */
    AtomicU32 failed;   /* it gave up: why is on stderr */
    AtomicI64 done;     /* records acknowledged, offsets read, or commits acknowledged */
    AtomicU32 resent;   /* requests sent again */
} ClientState;

typedef struct Shared {
    AtomicU32 stop;
    ClientState clients[CLIENTS + 1];
} Shared;

extern Shared *shared;
extern uint16_t server_port;

int64_t now_ms(void);
void wait_ms(int ms);

/* Ends the process. */
_Noreturn void client_fail(ClientState *me, const char *what, int64_t number);

/* Connects, again and again while the node restarts. False: the test is over. */
bool client_connect(WireClient *client, ClientState *me);

/* The connection broke: counts it and connects anew. */
bool client_broke(WireClient *client, ClientState *me, WireResult result);

/* An error that ends by itself: the same request is sent again. */
bool is_transient(int16_t error);

#endif
