/*
 * client_int.h - what the files of src/client share: the client, its connections, requests under way
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLIENT_INT_H
#define CLIENT_INT_H

#include <signal.h>

#include "ottla/client/client.h"
#include "ottla/common/net.h"
#include "ottla/protocol/frame.h"

#define CONN_APIS_MAX            256 /* that a node may list; more are not looked at */
#define CONN_ADDRESS_MAX         (CLIENT_HOST_MAX + 32)
#define CLIENT_TOPICS_MAX        64   /* topics whose leaders are remembered */
#define CLIENT_FRESH_MS          1000 /* brokers and leaders are asked for again after this time */
#define CLIENT_SCRATCH_MAX_BYTES ((size_t)512 << 20)
#define CLIENT_META_MAX_BYTES    ((size_t)512 << 20)

/* One connection. Between calls no answer is outstanding on it. */
typedef struct ClientConn {
    int fd;          /* -1: closed */
    int32_t node_id; /* -1: not known (of the first one) */
    ClientHost host; /* with its port */
    char address[CONN_ADDRESS_MAX];
    bool is_socket;
    int64_t used_ms; /* clock_mono_ms; 0: the place is free */
    int32_t correlation;
    ClientApi apis[CONN_APIS_MAX];
    int32_t api_count;
    int16_t metadata_level; /* highest metadata.version of its features; 0: not told */
    /* The answer that is being read. */
    uint8_t head[4];
    size_t head_got;
    uint8_t *answer;
    size_t answer_len;
    size_t answer_got;
} ClientConn;

/* One request under way. */
typedef struct Flight {
    ClientConn *conn;
    FrameOut frame;
    size_t sent;
    int32_t correlation;
    int64_t deadline_ms;
    BytesView answer; /* behind its size, in the arena */
    bool done;
    int status;
    Fault *fault;
} Flight;

typedef struct TopicLeaders {
    char name[256]; /* "": free */
    int64_t fetched_ms;
    int32_t count;
    int32_t *leaders; /* by partition; -1: none now */
} TopicLeaders;

struct Client {
    ClientTarget target;
    ClientConn conns[CLIENT_CONNS_MAX]; /* the first is the one it began with */
    int wake_fd;
    volatile sig_atomic_t interrupted;
    bool
        learning; /* who is at the other end of the first connection, which is not opened again for that */
    Arena *scratch;
    Arena *meta; /* brokers */
    ClientBroker *brokers;
    int32_t broker_count;
    int32_t controller_id;
    int64_t brokers_ms; /* 0: to be asked for */
    TopicLeaders topics[CLIENT_TOPICS_MAX];
    ClientInfo info;
    uint64_t session;
    char cluster_id[64];
    char server_version[16];
    int64_t bytes_in;
    int64_t bytes_out;
    ClientTrace trace;
    void *trace_arg;
};

static inline ClientConn *
client_first(Client *c)
{
    return &c->conns[0];
}

/* ---- conn.c: bytes on connections ---- */

void conn_close(ClientConn *conn);

/* False when it is closed, ended by the other side, or has bytes that nobody asked for: it is closed then. */
bool conn_usable(ClientConn *conn);

/* TCP or Unix connection to a host; 08001 with the reason, 57014. Never the handshake. */
int conn_dial(Client *c, ClientConn *conn, const ClientHost *host, Fault *f);

/*
 * Sends all frames and reads their answers, each until its deadline. Every flight gets its status; -1: interrupted. A
 * connection on which an answer is missing in the end is closed.
 */
int flights_run(Client *c, Flight *flights, int32_t count, Arena *arena, Fault *f);

/* Waits until the descriptor is ready or the deadline: 0, 1 at the deadline, -1 interrupted. fd -1: only time. */
int client_wait(Client *c, int fd, short events, int64_t deadline_ms, Fault *f);

/* ---- connect.c: which connection, and its handshake ---- */

/* The connection to a node, opened if need be. */
int client_conn(Client *c, int32_t node_id, ClientConn **ret, Fault *f);

/* Dials and asks for the versions; conn is closed on a failure. */
int conn_open(Client *c, ClientConn *conn, const ClientHost *host, Fault *f);

/* NULL: the other side did not list it. */
const ClientApi *conn_api(const ClientConn *conn, int16_t key);

/* ---- call.c ---- */

/* As client_call, on a connection that is there. */
int conn_call(Client *c, ClientConn *conn, const ClientCall *call, const void *request,
              void *response, Arena *arena, Fault *f);

/* ---- route.c ---- */

/* Asks for brokers and, when the name is not null, the leaders of a topic; 42P01 and others from the topic. */
int route_fetch(Client *c, StrView topic, Fault *f);

/* NULL: metadata does not name it. */
const ClientBroker *route_broker(const Client *c, int32_t node_id);

#endif
