/*
 * net.h - sockets: listen, accept, connect, and transfers that do not block
 *
 * All descriptors made here are close-on-exec and non-blocking. EINTR ends inside. Transfers return
 * a count, or OT_E_AGAIN (wait until the socket is ready), OT_E_CLOSED (the peer is gone),
 * OT_E_NETWORK (anything else).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_NET_H
#define OTTLA_COMMON_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ottla/common/err.h"

#define NET_ADDRESSES_MAX 16 /* of one name: localhost has two, a host rarely more than four */
#define NET_TEXT_MAX      80 /* "[address%interface]:port" with its zero byte */

typedef struct NetAddress {
    struct sockaddr_storage storage;
    socklen_t len;
} NetAddress;

/*
 * All addresses of a host, for listening when passive (an empty host is then "any"). Blocks for DNS:
 * not for the data path. Returns their number (1 to NET_ADDRESSES_MAX) or OT_E_NOT_FOUND.
 */
int net_resolve(const char *host, uint16_t port, bool passive, NetAddress ret[NET_ADDRESSES_MAX],
                ErrInfo *err) __attribute__((warn_unused_result));

/*
 * The address that a text writes in numbers, in any form of inet_aton, port 0; "": every address of this machine, one
 * for each protocol. 0: it is a name. Never blocks.
 */
int net_parse_address(const char *host, NetAddress ret[NET_ADDRESSES_MAX]);

typedef struct NetListenOptions {
    int backlog;
    int defer_accept_s;     /* TCP_DEFER_ACCEPT; 0: off */
    int send_buffer;        /* bytes; -1: the system's choice */
    int receive_buffer;     /* bytes; -1: the system's choice */
    const char *congestion; /* TCP_CONGESTION; NULL: the system's choice */
} NetListenOptions;

/* Listens on an IP address (IPv6 sockets serve IPv6 alone). Descriptor or OT_E_EXISTS (in use), OT_E_NETWORK. */
int net_listen(const NetAddress *address, const NetListenOptions *options, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Who may connect to a Unix socket. */
typedef struct NetUnixAccess {
    mode_t mode;
    gid_t group; /* NET_GROUP_KEEP: the one that files get anyway */
} NetUnixAccess;

#define NET_GROUP_KEEP ((gid_t)-1)

/* Listens on a Unix socket; a file left over is removed first. Group and mode are set after bind. */
int net_listen_unix(const char *path, const NetUnixAccess *access, int backlog, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Descriptor or OT_E_AGAIN, OT_E_LIMIT (descriptors, memory: try later), OT_E_NETWORK. */
int net_accept(int listen_fd, NetAddress *ret_peer, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Starts to connect; the descriptor becomes writable when it is done, then net_connect_result. */
int net_connect(const NetAddress *address, ErrInfo *err) __attribute__((warn_unused_result));

/* 0 or OT_E_NETWORK with the reason. */
int net_connect_result(int fd, ErrInfo *err) __attribute__((warn_unused_result));

/* 0: nothing more will come (orderly end). */
int64_t net_read(int fd, void *buffer, size_t size) __attribute__((warn_unused_result));
int64_t net_writev(int fd, const struct iovec *iov, int count) __attribute__((warn_unused_result));

/* Sends bytes that lie behind more: MSG_MORE, so that they share a packet with what follows. */
int64_t net_writev_more(int fd, const struct iovec *iov, int count)
    __attribute__((warn_unused_result));

/* File bytes straight into the socket. 0: the file ends at pos. OT_E_READ: the file could not be read. */
int64_t net_sendfile(int fd, int file_fd, int64_t pos, size_t size)
    __attribute__((warn_unused_result));

int net_set_nonblocking(int fd, ErrInfo *err) __attribute__((warn_unused_result));

/* Small answers leave at once. A hint: no failure. */
void net_set_nodelay(int fd);

/* "10.1.2.3:51544", "[::1]:9092", "[local]". */
void net_address_text(const NetAddress *address, char ret[NET_TEXT_MAX]);

/* The address without its port: "10.1.2.3", "::1", "[local]". */
void net_host_text(const NetAddress *address, char ret[NET_TEXT_MAX]);

/* Port of an address, 0 for Unix sockets. */
uint16_t net_port(const NetAddress *address);

/* The address a socket is bound to: says which port 0 became. */
int net_local_address(int fd, NetAddress *ret, ErrInfo *err) __attribute__((warn_unused_result));

/* Who is on the other side of a Unix socket. */
typedef struct NetPeer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
} NetPeer;

int net_unix_peer(int fd, NetPeer *ret, ErrInfo *err) __attribute__((warn_unused_result));

#endif
