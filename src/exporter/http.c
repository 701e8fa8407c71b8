/*
 * http.c - the exporter's HTTP server, over libmicrohttpd
 *
 * Runs in: exporter. The library is turned from outside (its epoll descriptor stands in the main loop). A request
 * whose page is not there yet is suspended; who asked is remembered in `waiting`, never more than there are
 * connections.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "exporter/http_int.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "exporter/http_lib_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/net.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/mainloop.h"

#define BACKLOG 64

/* A connection as the deadline of its requests sees it. */
typedef struct HttpConn {
    bool used;
    int fd;
    int64_t since_us; /* it began, or its last answer was done */
} HttpConn;

static struct {
    const HttpLib *lib;
    HttpSource source;
    struct MHD_Daemon *daemons[HTTP_SOCKETS_MAX];
    int epoll_fds[HTTP_SOCKETS_MAX];
    int count;
    struct MHD_Connection *waiting[HTTP_SOCKETS_MAX * HTTP_CONNECTIONS_MAX];
    int32_t waiting_count;
    bool give_up; /* while requests are resumed: no page will come */
    HttpConn conns[HTTP_SOCKETS_MAX * HTTP_CONNECTIONS_MAX];
    int32_t conn_count;
    char address[HTTP_ADDRESS_MAX];
} http;

bool
http_is_open(void)
{
    return http.count > 0;
}

const char *
http_address(void)
{
    return http.address;
}

int32_t
http_waiting(void)
{
    return http.waiting_count;
}

/* ---- answers ------------------------------------------------------------------------------------ */

static enum MHD_Result
send_response(struct MHD_Connection *c, unsigned status, struct MHD_Response *response,
              const char *type)
{
    enum MHD_Result rc;

    if (response == NULL)
        return MHD_NO;
    (void)http.lib->add_response_header(response, "Content-Type", type);
    (void)http.lib->add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)http.lib->add_response_header(response, "Allow", "GET, HEAD");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        (void)http.lib->add_response_header(response, "Retry-After", "1");
    rc = http.lib->queue_response(c, status, response);
    http.lib->destroy_response(response);
    return rc;
}

static enum MHD_Result
send_text(struct MHD_Connection *c, unsigned status, const char *text)
{
    /* The library does not write to a persistent buffer, it only takes a pointer to writable bytes. */
    union {
        const char *in;
        char *out;
    } bytes = {.in = text};

    return send_response(
        c, status,
        http.lib->create_response_from_buffer(strlen(text), bytes.out, MHD_RESPMEM_PERSISTENT),
        "text/plain; charset=utf-8");
}

static void
release_page(void *page)
{
    page_release(page);
}

static enum MHD_Result
answer_metrics(struct MHD_Connection *c)
{
    PromFormat format = prom_format_accepted(
        http.lib->lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
    Page *page = http.source.page(http.source.arg, format);
    struct MHD_Response *response;

    if (page == NULL && http.give_up)
        return send_text(c, MHD_HTTP_SERVICE_UNAVAILABLE,
                         "too many answers are still being read\n");
    if (page == NULL) {
        ot_assert(http.waiting_count < HTTP_SOCKETS_MAX * HTTP_CONNECTIONS_MAX);
        http.waiting[http.waiting_count++] = c;
        http.lib->suspend_connection(c);
        return MHD_YES;
    }
    response = http.lib->create_response_from_buffer_with_free_callback_cls(
        page->text.len, page->text.ptr, release_page, page);
    if (response == NULL)
        page_release(page);
    return send_response(c, MHD_HTTP_OK, response, prom_content_type(format));
}

/*
 * The library's callback: when the headers are there, for each piece of a body, and again after the request was
 * resumed. Answered behind the body, which nobody reads: an answer before it would end the connection.
 */
static enum MHD_Result
answer(void *arg, struct MHD_Connection *c, const char *url, const char *method,
       const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)arg;
    (void)version;
    (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return send_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are served\n");
    if (*state == NULL || *upload_size > 0) {
        *state = &http;
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(c);
    if (strcmp(url, "/healthz") == 0)
        return http.source.healthy(http.source.arg)
                   ? send_text(c, MHD_HTTP_OK, "ok\n")
                   : send_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "not serving\n");
    if (strcmp(url, "/") == 0)
        return send_text(c, MHD_HTTP_OK, "ottla exporter: /metrics, /healthz\n");
    return send_text(c, MHD_HTTP_NOT_FOUND, "/metrics and /healthz are here\n");
}

/* ---- connections -------------------------------------------------------------------------------- */

static int
fd_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        http.lib->get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info == NULL ? -1 : info->connect_fd;
}

static void
connection_changed(void *arg, struct MHD_Connection *c, void **context,
                   enum MHD_ConnectionNotificationCode code)
{
    (void)arg;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        HttpConn *conn = *context;

        if (conn != NULL) {
            conn->used = false;
            http.conn_count--;
        }
        return;
    }
    for (int32_t i = 0; i < HTTP_SOCKETS_MAX * HTTP_CONNECTIONS_MAX; i++)
        if (!http.conns[i].used) {
            http.conns[i] = (HttpConn){.used = true, .fd = fd_of(c), .since_us = clock_mono_us()};
            http.conn_count++;
            *context = &http.conns[i];
            return;
        }
}

static void
request_done(void *arg, struct MHD_Connection *c, void **state,
             enum MHD_RequestTerminationCode code)
{
    const union MHD_ConnectionInfo *info =
        http.lib->get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    (void)arg;
    (void)state;
    (void)code;
    if (info != NULL && info->socket_context != NULL)
        ((HttpConn *)info->socket_context)->since_us = clock_mono_us();
}

/* Whose request trickles in, or whose answer trickles out: the library notices that the socket ended. */
static void
end_slow(int64_t now_us)
{
    for (int32_t i = 0; http.conn_count > 0 && i < HTTP_SOCKETS_MAX * HTTP_CONNECTIONS_MAX; i++)
        if (http.conns[i].used && now_us - http.conns[i].since_us >= HTTP_REQUEST_US)
            (void)shutdown(http.conns[i].fd, SHUT_RDWR);
}

/* ---- the server --------------------------------------------------------------------------------- */

static void
quiet(void *arg, const char *format, va_list args)
{
    (void)arg; /* what the library complains of is what clients did */
    (void)format;
    (void)args;
}

static void
on_ready(int fd, uint32_t events, void *arg)
{
    (void)fd; /* http_turn runs all */
    (void)events;
    (void)arg;
}

static int
start_daemon(int listen_fd, ErrInfo *err)
{
    const union MHD_DaemonInfo *info;
    struct MHD_Daemon *daemon = http.lib->start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, NULL,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_PEER,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_REQUEST_BYTES_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S, MHD_OPTION_NOTIFY_CONNECTION,
        connection_changed, NULL, MHD_OPTION_NOTIFY_COMPLETED, request_done, NULL, MHD_OPTION_END);

    if (daemon == NULL)
        return err_set(err, OT_E_NETWORK, "the HTTP server does not start");
    info = http.lib->get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || mainloop_add(info->epoll_fd, EPOLLIN, on_ready, NULL) != 0) {
        http.lib->stop_daemon(daemon);
        return err_set(err, OT_E_SYSTEM, "the HTTP server cannot be watched");
    }
    http.daemons[http.count] = daemon;
    http.epoll_fds[http.count++] = info->epoll_fd;
    return 0;
}

/* host:port taken apart; the port is behind the last colon. */
static int
resolve(const char *text, NetAddress ret[NET_ADDRESSES_MAX], ErrInfo *err)
{
    StrView all = text_trim(strview_from(text));
    char host[HTTP_ADDRESS_MAX];
    int32_t colon = all.len, port;

    while (colon > 0 && all.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0 || all.len >= HTTP_ADDRESS_MAX ||
        !text_to_int32((StrView){all.ptr + colon, all.len - colon}, &port) || port < 0 ||
        port > 65535)
        return err_set(err, OT_E_CONFIG, "metrics.listen is host:port, not \"%s\"", text);
    all.len = colon - 1;
    if (all.len >= 2 && all.ptr[0] == '[' && all.ptr[all.len - 1] == ']')
        all = (StrView){all.ptr + 1, all.len - 2};
    (void)snprintf(host, sizeof host, "%.*s", (int)all.len, all.ptr);
    return net_resolve(host, (uint16_t)port, true, ret, err);
}

static void
set_port(NetAddress *address, uint16_t port)
{
    if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&address->storage)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)&address->storage)->sin_port = htons(port);
}

/* Listens on one address; the first says which port 0 became. */
static int
open_one(NetAddress *address, ErrInfo *err)
{
    static const NetListenOptions options = {
        .backlog = BACKLOG, .send_buffer = -1, .receive_buffer = -1};
    NetAddress real;
    int fd = net_listen(address, &options, err);
    int rc;

    if (fd < 0)
        return fd;
    rc = net_local_address(fd, &real, err);
    if (rc == 0)
        rc = start_daemon(fd, err); /* the daemon closes it */
    if (rc != 0) {
        vfs_close(fd);
        return rc;
    }
    if (http.count == 1) {
        net_address_text(&real, http.address);
        set_port(address, net_port(&real));
    }
    return 0;
}

int
http_open(const char *address, const HttpSource *source, ErrInfo *err)
{
    NetAddress found[NET_ADDRESSES_MAX];
    int count, rc = 0;

    ot_assert(http.count == 0);
    http.lib = http_lib(err);
    if (http.lib == NULL)
        return OT_E_UNSUPPORTED;
    http.source = *source;
    count = resolve(address, found, err);
    if (count < 0)
        return count;
    for (int i = 0; rc == 0 && i < count && i < HTTP_SOCKETS_MAX; i++) {
        if (i > 0)
            set_port(&found[i], net_port(&found[0]));
        rc = open_one(&found[i], err);
    }
    if (rc != 0)
        http_close();
    return rc;
}

void
http_close(void)
{
    http_resume(true); /* the library does not stop while requests are suspended */
    for (int i = 0; i < http.count; i++) {
        mainloop_remove(http.epoll_fds[i]);
        http.lib->stop_daemon(http.daemons[i]);
    }
    http.count = 0;
    http.waiting_count = 0;
}

void
http_turn(int64_t now_us)
{
    end_slow(now_us);
    for (int i = 0; i < http.count; i++)
        (void)http.lib->run(http.daemons[i]);
}

int64_t
http_deadline_us(int64_t now_us)
{
    int64_t next = INT64_MAX;

    for (int i = 0; i < http.count; i++) {
        MHD_UNSIGNED_LONG_LONG ms;

        if (http.lib->get_timeout(http.daemons[i], &ms) == MHD_YES && ms < 1000000 &&
            now_us + (int64_t)ms * 1000 < next)
            next = now_us + (int64_t)ms * 1000;
    }
    for (int32_t i = 0; http.conn_count > 0 && i < HTTP_SOCKETS_MAX * HTTP_CONNECTIONS_MAX; i++)
        if (http.conns[i].used && http.conns[i].since_us + HTTP_REQUEST_US < next)
            next = http.conns[i].since_us + HTTP_REQUEST_US;
    return next;
}

void
http_resume(bool give_up)
{
    int32_t count = http.waiting_count;

    http.waiting_count = 0;
    for (int32_t i = 0; i < count; i++)
        http.lib->resume_connection(http.waiting[i]);
    http.give_up = give_up;
    if (count > 0)
        for (int i = 0; i < http.count; i++)
            (void)http.lib->run(http.daemons[i]);
    http.give_up = false;
}
