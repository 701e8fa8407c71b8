/*
 * listen.c - sockets for the listeners table
 *
 * Runs in: supervisor. A host with several addresses (localhost) gets one socket each, all with the
 * same port; an address the kernel does not have (no IPv6) is left out as long as one remains.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ottla/common/log.h"
#include "ottla/common/net.h"
#include "ottla/common/systemd_lib.h"
#include "ottla/common/vfs.h"

#define DEFER_ACCEPT_S    30  /* a silent connection is handed over after this long */
#define UNIX_PATH_LEN_MAX 107 /* sun_path without its zero */

/* Unix sockets we bound ourselves: lock file beside each, held until the last child is gone. */
static int unix_lock_fd = -1;
static bool unix_is_ours;
static bool some_are_passed; /* by the service manager, which goes on listening on them */

static void
set_port(NetAddress *address, uint16_t port)
{
    if (address->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
    else if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
}

static int
learn_port(Listener *row, int fd, ErrInfo *err)
{
    NetAddress bound;
    int rc = net_local_address(fd, &bound, err);

    if (rc < 0)
        return rc;
    if (row->advertised_port == 0)
        row->advertised_port = net_port(&bound);
    row->port = net_port(&bound);
    return 0;
}

int
listen_open_row(Listener *row, NetAddress *addresses, int count, const ListenOptions *options,
                ErrInfo *err)
{
    NetListenOptions net = {
        .backlog = options->backlog,
        .defer_accept_s = DEFER_ACCEPT_S,
        .send_buffer = options->send_buffer,
        .receive_buffer = options->receive_buffer,
        .congestion = options->congestion,
    };
    int fd = -1;

    for (int i = 0; i < count && row->fd_count < LISTENER_FDS_MAX; i++) {
        char text[NET_TEXT_MAX];
        set_port(&addresses[i], row->port);
        fd = net_listen(&addresses[i], &net, err);
        net_address_text(&addresses[i], text);
        if (fd < 0)
            err_prefix(err, "listener %s at %s", row->name, text);
        if (fd == OT_E_EXISTS)
            return fd;
        if (fd < 0) { /* localhost names ::1 on machines without IPv6, too */
            if (i + 1 < count || row->fd_count > 0)
                log_msg(LL_WARNING, "listen", "address left out: %s", err->text);
            continue;
        }
        row->fds[row->fd_count++] = fd;
        int rc = learn_port(row, fd, err);
        if (rc < 0)
            return rc;
    }
    return row->fd_count > 0 ? 0 : fd;
}

void
listen_close_row(Listener *row)
{
    for (int k = 0; k < row->fd_count; k++) {
        /* A child that was just forked has not closed its copy yet: nobody is to connect to that. */
        if (!some_are_passed)
            (void)shutdown(row->fds[k], SHUT_RDWR); /* the close follows whatever it says */
        vfs_close(row->fds[k]);
        row->fds[k] = -1;
    }
    row->fd_count = 0;
}

static int
open_tcp(Listener *row, const ListenOptions *options, ErrInfo *err)
{
    NetAddress addresses[NET_ADDRESSES_MAX];
    int count = net_resolve(row->host, row->port, true, addresses, err);

    if (count < 0) {
        err_prefix(err, "listener %s", row->name);
        return count;
    }
    return listen_open_row(row, addresses, count, options, err);
}

/* The lock says whether another server lives behind the socket's file. */
static int
lock_unix(const char *path, ErrInfo *err)
{
    char lock_path[LISTENER_HOST_MAX + 8];
    int rc;

    snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    rc = vfs_open(lock_path, O_RDWR | O_CREAT, 0640, err);
    if (rc < 0)
        return rc;
    unix_lock_fd = rc;
    rc = vfs_try_lock(unix_lock_fd, NULL, err);
    if (rc == OT_E_BUSY)
        return err_set(err, OT_E_BUSY, "%s is locked by another server", lock_path);
    return rc;
}

/*
 * DIR/.s.ottla.PORT, known when the first TCP port is; one that is too long for the kernel costs the
 * Unix socket, not the start.
 */
static int
open_unix(Listener *row, uint16_t port, const ListenOptions *options, ErrInfo *err)
{
    char path[LISTENER_HOST_MAX + 24];
    int len = snprintf(path, sizeof path, "%s/.s.ottla.%u", row->host, port);

    if (len > UNIX_PATH_LEN_MAX) {
        log_msg(LL_WARNING, "listen", "no Unix socket: %s is longer than %d bytes", path,
                UNIX_PATH_LEN_MAX);
        return 0;
    }
    memcpy(row->host, path, (size_t)len + 1);
    int rc = lock_unix(row->host, err);

    if (rc < 0)
        return rc;
    rc = net_listen_unix(row->host, &options->local, options->backlog, err);
    if (rc < 0) {
        err_prefix(err, "listener %s", row->name);
        return rc;
    }
    row->fds[row->fd_count++] = rc;
    unix_is_ours = true;
    return 0;
}

/* Options of a passed TCP socket; failures leave the system's choice. */
static void
tune_passed(int fd, const ListenOptions *options)
{
    int defer = DEFER_ACCEPT_S;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);
    if (options->congestion != NULL &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options->congestion,
                   (socklen_t)strlen(options->congestion)) != 0)
        log_msg(LL_WARNING, "listen", "congestion control %s not set: %s", options->congestion,
                strerror(errno));
}

static int
take_passed(ListenerTable *table, const ListenOptions *options, ErrInfo *err)
{
    const SystemdLib *lib;
    char **names = NULL;
    int count;
    int rc = 0;

    if (getenv("LISTEN_FDS") == NULL)
        return 0;
    lib = systemd_lib(err);
    if (lib == NULL)
        return OT_E_UNSUPPORTED;
    count = lib->listen_fds_with_names(1, &names);
    if (count < 0)
        return err_set_errno(err, OT_E_SYSTEM, -count, "sockets passed by systemd");
    for (int i = 0; i < count; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        Listener *row = NULL;
        for (int k = 0; k < table->count; k++)
            if (strcasecmp(table->rows[k].name, names[i]) == 0)
                row = &table->rows[k];
        if (row == NULL)
            rc = err_set(err, OT_E_CONFIG,
                         "systemd passed a socket named \"%s\", which is no listener "
                         "(set FileDescriptorName=)",
                         names[i]);
        else if (lib->is_socket(fd, row->is_unix ? AF_UNIX : AF_UNSPEC, SOCK_STREAM, 1) <= 0)
            rc = err_set(err, OT_E_CONFIG,
                         "the socket \"%s\" that systemd passed is no listening %s socket",
                         names[i], row->is_unix ? "Unix" : "TCP");
        else if (row->fd_count == LISTENER_FDS_MAX)
            rc = err_set(err, OT_E_CONFIG, "too many sockets named \"%s\"", names[i]);
        else
            rc = net_set_nonblocking(fd, err);
        if (rc == 0 && !row->is_unix) {
            tune_passed(fd, options);
            rc = learn_port(row, fd, err);
        }
        if (rc < 0)
            break;
        some_are_passed = true;
        row->fds[row->fd_count++] = fd;
    }
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return rc;
}

int
listen_open(ListenerTable *table, const ListenOptions *options, ErrInfo *err)
{
    int rc = take_passed(table, options, err);

    for (int i = 0; rc == 0 && i < table->count; i++) {
        Listener *row = &table->rows[i];
        if (row->fd_count > 0 || row->is_controller)
            continue;
        rc = row->is_unix ? open_unix(row, table->rows[0].port, options, err)
                          : open_tcp(row, options, err);
    }
    if (rc < 0)
        listen_close(table);
    return rc;
}

void
listen_close(ListenerTable *table)
{
    for (int i = 0; i < table->count; i++) {
        Listener *row = &table->rows[i];
        /* The file goes first: who finds it can still connect. */
        if (row->is_unix && unix_is_ours && row->fd_count > 0)
            (void)!vfs_unlink(row->host, NULL); /* a file left over is removed at the next start */
        listen_close_row(row);
    }
}

void
listen_close_inherited(const ListenerTable *table)
{
    for (int i = 0; i < table->count; i++)
        for (int k = 0; k < table->rows[i].fd_count; k++)
            vfs_close(table->rows[i].fds[k]);
}

void
listen_first_address(const ListenerTable *table, char *ret, size_t size)
{
    for (int i = 0; i < table->count; i++) {
        const Listener *row = &table->rows[i];
        if (!row->is_unix && !row->is_controller) {
            bool v6 = strchr(row->host, ':') != NULL;
            snprintf(ret, size, "%s%s%s:%u", v6 ? "[" : "",
                     row->host[0] == '\0' ? row->advertised_host : row->host, v6 ? "]" : "",
                     row->port);
            return;
        }
    }
    snprintf(ret, size, "[local]");
}
