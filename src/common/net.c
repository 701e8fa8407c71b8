/*
 * net.c - sockets
 *
 * Runs in: supervisor (listen, accept), backend (transfers), replicator (connect). Never: blocks on a
 * socket, logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ottla/common/assert.h"

static int
get_addresses(const char *host, uint16_t port, int flags, NetAddress *ret, ErrInfo *err)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *found, *at;
    char service[8];
    int rc, count = 0;

    snprintf(service, sizeof service, "%u", port);
    rc = getaddrinfo(host[0] == '\0' ? NULL : host, service, &hints, &found);
    if (rc != 0)
        return err_set(err, OT_E_NOT_FOUND, "cannot resolve \"%s\": %s", host, gai_strerror(rc));
    for (at = found; at != NULL && count < NET_ADDRESSES_MAX; at = at->ai_next) {
        if ((at->ai_family != AF_INET && at->ai_family != AF_INET6) ||
            at->ai_addrlen > sizeof ret[0].storage)
            continue;
        memset(&ret[count].storage, 0, sizeof ret[count].storage);
        memcpy(&ret[count].storage, at->ai_addr, at->ai_addrlen);
        ret[count].len = at->ai_addrlen;
        count++;
    }
    freeaddrinfo(found);
    if (count == 0)
        return err_set(err, OT_E_NOT_FOUND, "\"%s\" has no IP address", host);
    return count;
}

int
net_resolve(const char *host, uint16_t port, bool passive, NetAddress ret[NET_ADDRESSES_MAX],
            ErrInfo *err)
{
    return get_addresses(host, port, passive ? AI_PASSIVE : 0, ret, err);
}

int
net_parse_address(const char *host, NetAddress ret[NET_ADDRESSES_MAX])
{
    int count = get_addresses(host, 0, AI_PASSIVE | AI_NUMERICHOST, ret, NULL);

    return count < 0 ? 0 : count;
}

static const struct sockaddr *
as_sockaddr(const NetAddress *address)
{
    return (const struct sockaddr *)&address->storage;
}

void
net_address_text(const NetAddress *address, char ret[NET_TEXT_MAX])
{
    char host[NET_TEXT_MAX];

    net_host_text(address, host);
    if (address->storage.ss_family == AF_INET6)
        snprintf(ret, NET_TEXT_MAX, "[%.64s]:%u", host, net_port(address));
    else if (address->storage.ss_family == AF_INET)
        snprintf(ret, NET_TEXT_MAX, "%.64s:%u", host, net_port(address));
    else
        snprintf(ret, NET_TEXT_MAX, "%.64s", host);
}

void
net_host_text(const NetAddress *address, char ret[NET_TEXT_MAX])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    char interface[IF_NAMESIZE];
    size_t len;

    snprintf(ret, NET_TEXT_MAX, "[local]");
    if (address->storage.ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, ret, NET_TEXT_MAX);
    } else if (address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        (void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ret, NET_TEXT_MAX);
    } else if (address->storage.ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, ret, NET_TEXT_MAX);
        len = strlen(ret);
        if (v6->sin6_scope_id != 0 && if_indextoname(v6->sin6_scope_id, interface) != NULL)
            snprintf(ret + len, NET_TEXT_MAX - len, "%%%s", interface);
    }
}

uint16_t
net_port(const NetAddress *address)
{
    if (address->storage.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
    if (address->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    return 0;
}

static int
set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* Options that must be set before listen, so that accepted sockets inherit them. */
static int
apply_listen_options(int fd, int family, const NetListenOptions *options)
{
    if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0)
        return -1;
    if (family == AF_INET6 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0)
        return -1;
    if (options->send_buffer >= 0 && set_int(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer) != 0)
        return -1;
    if (options->receive_buffer >= 0 &&
        set_int(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer) != 0)
        return -1;
    if (options->defer_accept_s > 0 &&
        set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, options->defer_accept_s) != 0)
        return -1;
    if (options->congestion != NULL &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options->congestion,
                   (socklen_t)strlen(options->congestion)) != 0)
        return -1;
    return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int
net_listen(const NetAddress *address, const NetListenOptions *options, ErrInfo *err)
{
    int family = address->storage.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    char text[NET_TEXT_MAX];
    int cause;

    if (fd >= 0 && apply_listen_options(fd, family, options) == 0 &&
        bind(fd, as_sockaddr(address), address->len) == 0 && listen(fd, options->backlog) == 0)
        return fd;
    cause = errno;
    if (fd >= 0)
        close(fd);
    net_address_text(address, text);
    return err_set_errno(err, cause == EADDRINUSE ? OT_E_EXISTS : OT_E_NETWORK, cause,
                         "cannot listen on %s", text);
}

/* Not a call when nothing is to change: a service's filter may forbid it. */
static int
give_group(const char *path, gid_t group)
{
    return group == NET_GROUP_KEEP ? 0 : chown(path, (uid_t)-1, group);
}

int
net_listen_unix(const char *path, const NetUnixAccess *access, int backlog, ErrInfo *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    int fd, cause;

    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, OT_E_INVALID, "socket path \"%s\" is longer than %zu bytes", path,
                       sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    /* Only a socket is taken away: a file of that name is a mistake that must be seen. */
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        give_group(path, access->group) == 0 && chmod(path, access->mode) == 0 &&
        listen(fd, backlog) == 0)
        return fd;
    cause = errno;
    if (fd >= 0)
        close(fd);
    return err_set_errno(err, cause == EADDRINUSE ? OT_E_EXISTS : OT_E_NETWORK, cause,
                         "cannot listen on \"%s\"", path);
}

int
net_accept(int listen_fd, NetAddress *ret_peer, ErrInfo *err)
{
    NetAddress peer = {.len = sizeof peer.storage};
    int fd, cause;

    do {
        peer.len = sizeof peer.storage;
        fd = accept4(listen_fd, (struct sockaddr *)&peer.storage, &peer.len,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    if (fd >= 0) {
        *ret_peer = peer;
        return fd;
    }
    cause = errno;
    /* A connection that ended before it was accepted is not our fault: there may be another. */
    if (cause == EAGAIN || cause == EWOULDBLOCK || cause == ECONNABORTED)
        return err_set(err, OT_E_AGAIN, "no connection waits");
    if (cause == EMFILE || cause == ENFILE || cause == ENOBUFS || cause == ENOMEM)
        return err_set_errno(err, OT_E_LIMIT, cause, "cannot accept");
    return err_set_errno(err, OT_E_NETWORK, cause, "cannot accept");
}

int
net_connect(const NetAddress *address, ErrInfo *err)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    char text[NET_TEXT_MAX];
    int cause;

    if (fd >= 0 && (connect(fd, as_sockaddr(address), address->len) == 0 || errno == EINPROGRESS ||
                    errno == EINTR))
        return fd;
    cause = errno;
    if (fd >= 0)
        close(fd);
    net_address_text(address, text);
    return err_set_errno(err, OT_E_NETWORK, cause, "cannot connect to %s", text);
}

int
net_connect_result(int fd, ErrInfo *err)
{
    int cause = 0;
    socklen_t len = sizeof cause;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0)
        cause = errno;
    return cause == 0 ? 0 : err_set_errno(err, OT_E_NETWORK, cause, "cannot connect");
}

/* The code for a failed transfer. */
static int
transfer_code(int cause)
{
    if (cause == EAGAIN || cause == EWOULDBLOCK)
        return OT_E_AGAIN;
    if (cause == ECONNRESET || cause == EPIPE || cause == ENOTCONN || cause == ETIMEDOUT ||
        cause == ESHUTDOWN || cause == ECONNABORTED)
        return OT_E_CLOSED;
    return OT_E_NETWORK;
}

int64_t
net_read(int fd, void *buffer, size_t size)
{
    ssize_t got;

    do {
        got = recv(fd, buffer, size, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    return got >= 0 ? got : transfer_code(errno);
}

static int64_t
send_vector(int fd, const struct iovec *iov, int count, int flags)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX)};
    ssize_t sent;

    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : transfer_code(errno);
}

int64_t
net_writev(int fd, const struct iovec *iov, int count)
{
    return send_vector(fd, iov, count, 0);
}

int64_t
net_writev_more(int fd, const struct iovec *iov, int count)
{
    return send_vector(fd, iov, count, MSG_MORE);
}

int64_t
net_sendfile(int fd, int file_fd, int64_t pos, size_t size)
{
    off_t at = pos;
    ssize_t sent;

    do {
        sent = sendfile(fd, file_fd, &at, size);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EIO ? OT_E_READ : transfer_code(errno);
}

int
net_set_nonblocking(int fd, ErrInfo *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        return 0;
    return err_set_errno(err, OT_E_SYSTEM, errno, "cannot set descriptor %d non-blocking", fd);
}

void
net_set_nodelay(int fd)
{
    /* Unix sockets have no such option, and need none. */
    (void)set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

int
net_local_address(int fd, NetAddress *ret, ErrInfo *err)
{
    NetAddress address = {.len = sizeof address.storage};

    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.len) != 0)
        return err_set_errno(err, OT_E_SYSTEM, errno, "cannot ask the address of descriptor %d",
                             fd);
    *ret = address;
    return 0;
}

int
net_unix_peer(int fd, NetPeer *ret, ErrInfo *err)
{
    struct ucred credentials;
    socklen_t len = sizeof credentials;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0)
        return err_set_errno(err, OT_E_SYSTEM, errno, "cannot ask who is behind descriptor %d", fd);
    *ret = (NetPeer){credentials.pid, credentials.uid, credentials.gid};
    return 0;
}
