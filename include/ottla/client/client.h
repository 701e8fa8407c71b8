/*
 * client.h - a Kafka client for our own programs: connections, calls, and who must be asked
 *
 * One Client is a session with a cluster: the connection it began with, and one to each other node that
 * had to be asked. A call takes the struct of the generated codecs, picks the highest version that both sides have,
 * and gives the decoded answer. Everything waits by poll, until a deadline or client_interrupt. A connection on which an
 * answer is outstanding, wrong or garbled is closed; the next call opens it again.
 *
 * One thread. All functions that take a Fault return 0, or -1 with it filled:
 *   08001 nobody answers, 08006 the connection ended, 08P01 an answer that cannot be read, 0A000 the other side lacks
 *   the API, 57014 interrupted, 57P05 no answer in time, 53200 the arena is at its cap
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CLIENT_CLIENT_H
#define OTTLA_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/client/fault.h"
#include "ottla/client/target.h"
#include "ottla/common/arena.h"
#include "ottla/common/view.h"

typedef struct Client Client;

#define CLIENT_HERE           (-1)        /* the node of the connection that there is */
#define CLIENT_CONNS_MAX      64          /* connections kept; the one not used for longest goes */
#define CLIENT_ANSWER_MAX     (512 << 20) /* bytes of one answer */
#define CLIENT_CALLS_MAX      1024        /* requests of one client_call_many */
#define CLIENT_BACKOFF_MIN_MS 100
#define CLIENT_BACKOFF_MAX_MS 1000

/* Connects (2.1): to the given hosts in random order, else to the socket, then localhost. *ret is to be closed. */
int client_open(const ClientTarget *t, Client **ret, Fault *f) __attribute__((warn_unused_result));

/* NULL is fine. */
void client_close(Client *c);

/* Opens the first connection again if it is gone; calls do it themselves. */
int client_reconnect(Client *c, Fault *f) __attribute__((warn_unused_result));

/* False: the connection it began with is gone. Looks at the socket. */
bool client_connected(Client *c);

/* ---- calls ---- */

typedef struct ClientCall {
    int32_t node_id; /* or CLIENT_HERE */
    int16_t api_key;
    int16_t version_max; /* -1: the highest that both know */
    int64_t timeout_ms;  /* 0: that of the target */
} ClientCall;

/* A call without limits of its own. */
static inline ClientCall
client_call_to(int32_t node_id, int16_t api_key)
{
    return (ClientCall){.node_id = node_id, .api_key = api_key, .version_max = -1};
}

/*
 * Sends one request and waits for its answer.
 *
 * request       struct of the generated codec (XRequest), filled after x_request_init
 * ret_response  XResponse; its views and arrays lie in the arena
 * Fields that the version lacks and the table does not call ignorable: 0A000.
 */
int client_call(Client *c, const ClientCall *call, const void *request, void *ret_response,
                Arena *arena, Fault *f) __attribute__((warn_unused_result));

typedef struct ClientRequest {
    ClientCall call;
    const void *request;
    void *response;
    int16_t version; /* out: the one that was used */
    int status;      /* out: 0, or -1 with the fault */
    Fault fault;
} ClientRequest;

/*
 * Several requests at once, to one node or many; on one connection they are sent behind one another. Each has its own
 * result. -1: none was sent, or 57014; those without an answer have that fault then.
 */
int client_call_many(Client *c, ClientRequest *requests, int32_t count, Arena *arena, Fault *f)
    __attribute__((warn_unused_result));

/* The version that a call would use; -1: none. Connects to the node if need be. */
int16_t client_version(Client *c, int32_t node_id, int16_t api_key);

/* ---- who must be asked ---- */

typedef struct ClientBroker {
    int32_t node_id;
    int32_t port;
    const char *host;
    const char *rack; /* NULL: none */
} ClientBroker;

/* Brokers by id, from metadata at most a second old; valid until the next call of this client. */
int client_brokers(Client *c, const ClientBroker **ret, int32_t *ret_count, Fault *f)
    __attribute__((warn_unused_result));

/* The leader of a partition, waited for while there is none. 42P01: no such topic or partition. */
int client_leader(Client *c, StrView topic, int32_t partition, int32_t *ret_node, Fault *f)
    __attribute__((warn_unused_result));

/* How many partitions a topic has. */
int client_partition_count(Client *c, StrView topic, int32_t *ret_count, Fault *f)
    __attribute__((warn_unused_result));

/* key_type: 0 group, 1 transaction, 2 share. Waits while the coordinator is being found. */
int client_coordinator(Client *c, int8_t key_type, StrView key, int32_t *ret_node, Fault *f)
    __attribute__((warn_unused_result));

/* The broker that Metadata names as controller. */
int client_controller(Client *c, int32_t *ret_node, Fault *f) __attribute__((warn_unused_result));

/* Forgets what is known of brokers and leaders: after NOT_LEADER and its kin. */
void client_refresh(Client *c);

/* ---- retries ---- */

/* Worth trying again; wants_metadata (may be NULL): after client_refresh. */
bool client_retryable(int16_t kafka_error, bool *ret_wants_metadata);

/*
 * Waits before attempt number `attempt` (from 1): 100 ms doubling to 1 s, until the deadline (clock_mono_ms).
 * 0: go on. 1: the time is over, *f is left as it is. -1: interrupted.
 */
int client_backoff(Client *c, int attempt, int64_t deadline_ms, Fault *f)
    __attribute__((warn_unused_result));

/* clock_mono_ms at which a statement that begins now runs out of time. */
int64_t client_deadline(const Client *c);

/* ---- what is known ---- */

typedef struct ClientApi {
    int16_t key;
    int16_t lo;
    int16_t hi;
} ClientApi;

typedef struct ClientInfo {
    const char *host;           /* as it was given; of a socket its directory */
    const char *address;        /* "127.0.0.1:9092", or the path of the socket */
    const char *transport;      /* "socket" or "TCP" */
    const char *cluster_id;     /* "": not told; cleaned, as the version of the server is */
    const char *server_name;    /* "Ottla", "Apache Kafka" */
    const char *server_version; /* "": not known; a foreign one is judged by its features */
    const char *client_id;
    const char *user; /* as it was given */
    uint64_t session; /* another number for each client_open */
    int32_t node_id;  /* -1: not known */
    uint16_t port;
    bool is_socket;
    bool is_ottla;
    const ClientApi *apis; /* by key */
    int32_t api_count;
    int64_t connected_ms; /* wall clock */
} ClientInfo;

const ClientInfo *client_info(const Client *c);

/* Bytes of all frames since client_open, in and out. */
int64_t client_bytes_in(const Client *c);
int64_t client_bytes_out(const Client *c);

/* Called for each request that is sent, but for those that open connections; fn NULL: no more. */
typedef void (*ClientTrace)(void *arg, int16_t api_key, int16_t version, int32_t node_id);
void client_trace(Client *c, ClientTrace fn, void *arg);

/* ---- interruption ---- */

/* The call that waits, or the next one that would, ends with 57014. Async-signal-safe. */
void client_interrupt(Client *c);

/* Forgets an interruption that nobody met: before a statement begins. */
void client_interrupt_reset(Client *c);

/* True when an interruption has come and not been met. */
bool client_interrupted(const Client *c);

/* ---- OttlaStat ---- */

typedef struct ClientStatFilter {
    const char *column;
    StrView value; /* ptr NULL: is null */
} ClientStatFilter;

typedef struct ClientStatQuery {
    const char *view;
    const char *const *columns; /* NULL: all that the view has */
    int32_t column_count;
    const ClientStatFilter *filters;
    int32_t filter_count;
} ClientStatQuery;

typedef enum ClientStatType {
    CLIENT_STAT_INTEGER,
    CLIENT_STAT_TEXT,
    CLIENT_STAT_BOOLEAN,
    CLIENT_STAT_REAL
} ClientStatType;

typedef struct ClientStatCell {
    StrView name; /* of the column */
    ClientStatType type;
    bool null;
    int64_t number; /* integer, boolean */
    double real;
    StrView text;
} ClientStatCell;

/* A row; the cells are valid during the call. Another result than 0 ends the walk (no fault is made for it). */
typedef int (*ClientStatRow)(void *arg, const ClientStatCell *cells, int32_t count);

/* All rows of a view of one node, page by page; 0A000 where the server is not Ottla. */
int client_stat(Client *c, int32_t node_id, const ClientStatQuery *q, ClientStatRow fn, void *arg,
                Fault *f) __attribute__((warn_unused_result));

#define CLIENT_PRINCIPAL_MAX 512

/*
 * Whom the node takes us for: "User:alice". False: it does not tell (it is not Ottla, or shows its sessions to others
 * only), or it could not be asked; ret is "" then.
 */
bool client_principal(Client *c, char ret[CLIENT_PRINCIPAL_MAX]);

#endif
