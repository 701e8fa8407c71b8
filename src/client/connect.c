/*
 * connect.c - opening and closing a client; which connection goes to which node, and its handshake
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: sends anything but ApiVersions before it knows what the other side speaks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client/client_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/random.h"
#include "ottla/common/version.h"
#include "ottla/protocol/msg_api_versions.h"

#define SCRATCH_CHUNK_BYTES ((size_t)64 << 10)
#define HANDSHAKE_TRIES     3
#define ADDRESSES_TRIED_MAX 400 /* text of a fault that lists them */

static bool
canceled(const Fault *f)
{
    return strcmp(f->sqlstate, FAULT_CANCELED) == 0;
}

/* ---- handshake ---- */

const ClientApi *
conn_api(const ClientConn *conn, int16_t key)
{
    for (int32_t i = 0; i < conn->api_count; i++) {
        if (conn->apis[i].key == key)
            return &conn->apis[i];
    }
    return NULL;
}

static int
by_key(const void *a, const void *b)
{
    const ClientApi *left = a;
    const ClientApi *right = b;

    return (left->key > right->key) - (left->key < right->key);
}

static void
take_versions(ClientConn *conn, const ApiVersionsResponse *response)
{
    conn->api_count = 0;
    for (int32_t i = 0; i < response->api_keys_count && conn->api_count < CONN_APIS_MAX; i++) {
        const ApiVersionsResponseApiVersion *api = &response->api_keys[i];

        conn->apis[conn->api_count++] =
            (ClientApi){api->api_key, api->min_version, api->max_version};
    }
    qsort(conn->apis, (size_t)conn->api_count, sizeof conn->apis[0], by_key);
    conn->metadata_level = 0;
    for (int32_t i = 0; i < response->supported_features_count; i++) {
        if (strview_equal(response->supported_features[i].name, STRVIEW("metadata.version")))
            conn->metadata_level = response->supported_features[i].max_version;
    }
}

/*
 * One try with a version. A server that does not know it answers error 35 in version 0, with the versions it has:
 * *ret_retry then says which one to take. An old one leaves the list empty: version 0.
 */
static int
ask_versions(Client *c, ClientConn *conn, int16_t version, int16_t *ret_retry, Fault *f)
{
    ApiVersionsRequest request;
    ApiVersionsResponse response;
    const ApiInfo *api = api_find(API_ApiVersions);
    RequestHead head = {api, version, ++conn->correlation, strview_from(c->target.client_id)};
    FrameBody body = {&api_versions_request_desc, &request, version};
    Flight flight = {.conn = conn, .correlation = head.correlation_id, .fault = f};
    ErrInfo err = {0};
    WireReader r;

    api_versions_request_init(&request);
    request.client_software_name = STRVIEW("ottla");
    request.client_software_version = STRVIEW(OT_VERSION);
    if (frame_encode_request(&head, &body, &flight.frame, c->scratch, &err) != 0)
        return fault_set(f, FAULT_INTERNAL, "%s", err.text);
    flight.deadline_ms = clock_mono_ms() + c->target.connect_timeout_ms;
    if (flights_run(c, &flight, 1, c->scratch, f) != 0 || flight.status != 0)
        return -1;
    wire_reader_init(&r, flight.answer.ptr + 4, (size_t)flight.answer.len - 4, c->scratch);
    if (wire_left(&r) >= 2 && (int16_t)wire_load16(r.pos) == KERR_UNSUPPORTED_VERSION)
        version = 0;
    api_versions_response_read(&r, version, &response);
    if (r.err != 0)
        return fault_set(f, FAULT_BAD_REPLY, "%s: an answer to ApiVersions that cannot be read",
                         conn->address);
    if (response.error_code != KERR_NONE && response.error_code != KERR_UNSUPPORTED_VERSION)
        return fault_kafka(f, response.error_code, -1, "%s does not tell its API versions",
                           conn->address);
    take_versions(conn, &response);
    *ret_retry = -1;
    if (response.error_code == KERR_UNSUPPORTED_VERSION) {
        const ClientApi *known = conn_api(conn, API_ApiVersions);
        *ret_retry = known == NULL ? 0 : known->hi;
    }
    return 0;
}

static int
handshake(Client *c, ClientConn *conn, Fault *f)
{
    int16_t version = api_versions_request_desc.versions.hi;
    ArenaMark mark = arena_mark(c->scratch);
    int status = -1;

    for (int try = 0; try < HANDSHAKE_TRIES; try++) {
        int16_t retry = -1;

        status = ask_versions(c, conn, version, &retry, f);
        if (status != 0 || retry < 0)
            break;
        if (retry >= version) {
            status =
                fault_set(f, FAULT_BAD_REPLY, "%s refuses the version it offers", conn->address);
            break;
        }
        version = retry;
    }
    arena_release(c->scratch, mark);
    return status;
}

int
conn_open(Client *c, ClientConn *conn, const ClientHost *host, Fault *f)
{
    conn->api_count = 0;
    conn->used_ms = clock_mono_ms();
    if (host->name[0] != '/' && c->target.sslmode != CLIENT_SSL_DISABLE)
        return fault_set(f, FAULT_NOT_SUPPORTED, "TLS comes with the security feature");
    if (host->name[0] != '/' && (c->target.user[0] != '\0' || c->target.token[0] != '\0')) {
        (void)fault_set(f, FAULT_NOT_SUPPORTED,
                        "logging in by name and password comes with the security feature");
        fault_hint(f, "Connect without a user, or on the Unix socket of the node.");
        return -1;
    }
    if (conn_dial(c, conn, host, f) != 0)
        return -1;
    if (handshake(c, conn, f) != 0) {
        conn_close(conn);
        return -1;
    }
    return 0;
}

/* ---- the first connection ---- */

/* The hosts to try, in order; true: a socket that is missing is no failure, the next one is tried. */
static int32_t
hosts_to_try(const Client *c, ClientHost ret[CLIENT_HOSTS_MAX])
{
    const ClientTarget *t = &c->target;
    int32_t count = t->host_count;

    if (count == 0) {
        (void)snprintf(ret[0].name, sizeof ret[0].name, "%s", CLIENT_SOCKET_DIRECTORY);
        (void)snprintf(ret[1].name, sizeof ret[1].name, "localhost");
        ret[0].port = ret[1].port = t->port;
        return 2;
    }
    memcpy(ret, t->hosts, (size_t)count * sizeof ret[0]);
    for (int32_t i = 0; i < count; i++) {
        int32_t other = i + (int32_t)(random_u64() % (uint64_t)(count - i));
        ClientHost chosen = ret[other];

        ret[other] = ret[i];
        ret[i] = chosen;
        if (ret[i].port == 0)
            ret[i].port = t->port;
    }
    return count;
}

/* Connects to the first host that answers; a fault lists all that were tried. */
static int
open_first(Client *c, Fault *f)
{
    ClientHost hosts[CLIENT_HOSTS_MAX];
    int32_t count = hosts_to_try(c, hosts);
    char tried[ADDRESSES_TRIED_MAX] = "";
    size_t len = 0;
    bool down = true;

    for (int32_t i = 0; i < count; i++) {
        if (conn_open(c, client_first(c), &hosts[i], f) == 0)
            return 0;
        if (canceled(f) || strcmp(f->sqlstate, FAULT_NOT_SUPPORTED) == 0)
            return -1;
        down = down && strcmp(f->sqlstate, FAULT_CANNOT_CONNECT) == 0;
        len += (size_t)snprintf(tried + len, sizeof tried - len, "%s%s", i == 0 ? "" : "; ",
                                f->message);
        if (len >= sizeof tried)
            len = sizeof tried - 1;
    }
    if (count > 1) {
        (void)fault_set(f, FAULT_CANNOT_CONNECT, "could not connect to any of %d addresses", count);
        fault_detail(f, "%s", tried);
    } else {
        char sqlstate[sizeof f->sqlstate];

        memcpy(sqlstate, f->sqlstate, sizeof sqlstate);
        (void)fault_set(f, sqlstate, "could not connect: %s", tried);
    }
    if (down)
        fault_hint(f, "Is ottlad running on %s? systemctl status ottlad",
                   c->target.host_count == 0 ? "this host" : "that host");
    return -1;
}

/* ---- who it is ---- */

/* The release whose features end at a level of metadata.version; "" for what nobody knows yet. */
static const char *
kafka_release(int16_t level)
{
    static const struct {
        int16_t level; /* the highest of the release */
        const char *release;
    } releases[] = {{1, "3.0"},  {2, "3.1"},  {3, "3.2"},  {7, "3.3"},  {8, "3.4"},
                    {11, "3.5"}, {14, "3.6"}, {19, "3.7"}, {20, "3.8"}, {21, "3.9"},
                    {25, "4.0"}, {27, "4.1"}, {29, "4.2"}, {30, "4.3"}};

    for (size_t i = 0; level > 0 && i < sizeof releases / sizeof releases[0]; i++) {
        if (level <= releases[i].level)
            return releases[i].release;
    }
    return "";
}

static int
take_node_id(void *arg, const ClientStatCell *cells, int32_t count)
{
    if (count > 0 && !cells[0].null)
        *(int32_t *)arg = (int32_t)cells[0].number;
    return 1;
}

/* Which of the brokers is at the other end: it says so itself, or its address does, or there is only one. */
static int
find_node_id(Client *c, int32_t *ret, Fault *f)
{
    static const char *const columns[] = {"node_id"};
    static const ClientStatQuery query = {"log_dirs", columns, 1, NULL, 0};
    const ClientConn *conn = client_first(c);

    *ret = -1;
    if (c->info.is_ottla && client_stat(c, CLIENT_HERE, &query, take_node_id, ret, f) != 0 &&
        canceled(f))
        return -1;
    for (int32_t i = 0; i < c->broker_count && !conn->is_socket && *ret < 0; i++) {
        if (c->brokers[i].port == conn->host.port &&
            strcmp(c->brokers[i].host, conn->host.name) == 0)
            *ret = c->brokers[i].node_id;
    }
    if (*ret < 0 && c->broker_count == 1)
        *ret = c->brokers[0].node_id;
    return 0;
}

static int
take_version(void *arg, const ClientStatCell *cells, int32_t count)
{
    Client *c = arg;

    if (count == 1 && cells[0].type == CLIENT_STAT_TEXT && !cells[0].null)
        (void)snprintf(c->server_version, sizeof c->server_version, "%.*s", (int)cells[0].text.len,
                       cells[0].text.ptr);
    fault_clean(c->server_version);
    return 0;
}

/* An Ottla that has no such view is older than it: its version stays untold. -1: interrupted. */
static int
ask_version(Client *c, Fault *f)
{
    static const char *const columns[] = {"version"};
    const ClientStatQuery query = {.view = "brokers", .columns = columns, .column_count = 1};

    if (client_stat(c, CLIENT_HERE, &query, take_version, c, f) == 0)
        return 0;
    c->server_version[0] = '\0';
    return canceled(f) ? -1 : 0;
}

/* Fills what client_info tells. A node without Metadata (a controller alone) still serves. */
static int
learn(Client *c, Fault *f)
{
    ClientConn *conn = client_first(c);
    int32_t node_id;

    c->info = (ClientInfo){.host = conn->host.name,
                           .address = conn->address,
                           .transport = conn->is_socket ? "socket" : "TCP",
                           .cluster_id = c->cluster_id,
                           .server_version = c->server_version,
                           .client_id = c->target.client_id,
                           .user = c->target.user,
                           .session = c->session,
                           .node_id = -1,
                           .port = conn->host.port,
                           .is_socket = conn->is_socket,
                           .is_ottla = conn_api(conn, API_OttlaStat) != NULL,
                           .apis = conn->apis,
                           .api_count = conn->api_count,
                           .connected_ms = clock_wall_ms()};
    c->info.server_name = c->info.is_ottla ? "Ottla" : "Apache Kafka";
    (void)snprintf(c->server_version, sizeof c->server_version, "%s",
                   c->info.is_ottla ? "" : kafka_release(conn->metadata_level));
    conn->node_id = -1;
    c->brokers_ms = 0;
    if (c->info.is_ottla && ask_version(c, f) != 0)
        return -1;
    if (conn_api(conn, API_Metadata) == NULL)
        return 0;
    if (route_fetch(c, WIRE_NULL_STRING, f) != 0 || find_node_id(c, &node_id, f) != 0)
        return -1;
    c->info.node_id = conn->node_id = node_id;
    return 0;
}

int
client_reconnect(Client *c, Fault *f)
{
    ClientConn *conn = client_first(c);
    int status;

    if (conn_usable(conn))
        return 0;
    if (c->learning)
        return fault_set(f, FAULT_CONNECTION_LOST, "%s: the connection was closed", conn->address);
    if (open_first(c, f) != 0)
        return -1;
    c->learning = true;
    status = learn(c, f);
    c->learning = false;
    if (status != 0)
        conn_close(conn);
    return status;
}

bool
client_connected(Client *c)
{
    return conn_usable(client_first(c));
}

int
client_open(const ClientTarget *t, Client **ret, Fault *f)
{
    Client *c = calloc(1, sizeof *c);

    fault_clear(f);
    if (c == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a client");
    c->target = *t;
    c->session = random_u64();
    c->controller_id = -1;
    for (int i = 0; i < CLIENT_CONNS_MAX; i++)
        c->conns[i].fd = c->conns[i].node_id = -1;
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->scratch = arena_new(SCRATCH_CHUNK_BYTES, CLIENT_SCRATCH_MAX_BYTES);
    c->meta = arena_new(SCRATCH_CHUNK_BYTES, CLIENT_META_MAX_BYTES);
    if (c->wake_fd < 0 || c->scratch == NULL || c->meta == NULL) {
        client_close(c);
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a client");
    }
    if (client_target_finish(&c->target, f) != 0 || client_reconnect(c, f) != 0) {
        client_close(c);
        return -1;
    }
    *ret = c;
    return 0;
}

void
client_close(Client *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < CLIENT_CONNS_MAX; i++)
        conn_close(&c->conns[i]);
    for (int i = 0; i < CLIENT_TOPICS_MAX; i++)
        free(c->topics[i].leaders);
    if (c->wake_fd >= 0)
        (void)close(c->wake_fd);
    arena_free(c->scratch);
    arena_free(c->meta);
    explicit_bzero(&c->target, sizeof c->target);
    free(c);
}

/* ---- the other nodes ---- */

/* The place of a node's connection: its own, a free one, or that which nobody used for longest. */
static ClientConn *
place_for(Client *c, int32_t node_id)
{
    ClientConn *oldest = &c->conns[1];

    for (int i = 1; i < CLIENT_CONNS_MAX; i++) {
        if (c->conns[i].used_ms != 0 && c->conns[i].node_id == node_id)
            return &c->conns[i];
        if (c->conns[i].used_ms < oldest->used_ms)
            oldest = &c->conns[i];
    }
    conn_close(oldest);
    oldest->node_id = node_id;
    return oldest;
}

int
client_conn(Client *c, int32_t node_id, ClientConn **ret, Fault *f)
{
    ClientConn *conn;
    const ClientBroker *broker;
    ClientHost host = {.port = 0};

    if (node_id == CLIENT_HERE || node_id == c->info.node_id) {
        *ret = client_first(c);
        return client_reconnect(c, f);
    }
    conn = place_for(c, node_id);
    *ret = conn;
    if (conn_usable(conn)) {
        conn->used_ms = clock_mono_ms();
        return 0;
    }
    broker = route_broker(c, node_id);
    if (broker == NULL) {
        if (route_fetch(c, WIRE_NULL_STRING, f) != 0)
            return -1;
        broker = route_broker(c, node_id);
    }
    if (broker == NULL)
        return fault_set(f, "42704", "there is no broker %d", node_id);
    if (broker->host[0] ==
        '/') /* a directory: no broker's words lead to a socket of this machine */
        return fault_set(f, FAULT_BAD_REPLY, "broker %d has a host that is none: \"%s\"", node_id,
                         broker->host);
    (void)snprintf(host.name, sizeof host.name, "%s", broker->host);
    host.port = (uint16_t)broker->port;
    if (conn_open(c, conn, &host, f) != 0) {
        if (strcmp(f->sqlstate, FAULT_CANNOT_CONNECT) == 0)
            fault_detail(f, "Broker %d is at %s:%u, says node %d.", node_id, host.name, host.port,
                         c->info.node_id);
        conn->used_ms = 0;
        return -1;
    }
    return 0;
}

/* ---- small questions ---- */

const ClientInfo *
client_info(const Client *c)
{
    return &c->info;
}

int64_t
client_bytes_in(const Client *c)
{
    return c->bytes_in;
}

int64_t
client_bytes_out(const Client *c)
{
    return c->bytes_out;
}

void
client_trace(Client *c, ClientTrace fn, void *arg)
{
    c->trace = fn;
    c->trace_arg = arg;
}

void
client_interrupt(Client *c)
{
    static const uint64_t one = 1;
    int saved = errno;

    c->interrupted = 1;
    (void)!write(c->wake_fd, &one, sizeof one);
    errno = saved;
}

void
client_interrupt_reset(Client *c)
{
    c->interrupted = 0;
}

bool
client_interrupted(const Client *c)
{
    return c->interrupted != 0;
}
