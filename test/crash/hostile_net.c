/*
 * hostile_net.c - connections as the attacks use them: non-blocking, every wait with an end
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ottla/common/clock.h"

long connections;

int
dial(int receive_buffer)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(witness.server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0)
        give_up("socket");
    if (receive_buffer > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        give_up("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        give_up("fcntl");
    connections++;
    return fd;
}

uint16_t
local_port(int fd)
{
    struct sockaddr_in self;
    socklen_t size = sizeof self;

    return getsockname(fd, (struct sockaddr *)&self, &size) == 0 ? ntohs(self.sin_port) : 0;
}

bool
drain(int fd)
{
    static char sink[65536];
    ssize_t n;

    do
        n = recv(fd, sink, sizeof sink, 0);
    while (n > 0);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

bool
hear(int fd, void *bytes, size_t len)
{
    int64_t end_us = clock_mono_us() + ANSWER_US;
    uint8_t *at = bytes;

    while (len > 0 && clock_mono_us() < end_us) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = recv(fd, at, len, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else {
            (void)poll(&p, 1, 100);
        }
    }
    return len == 0;
}

bool
push(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    int64_t end_us = clock_mono_us() + ANSWER_US;

    while (len > 0 && clock_mono_us() < end_us) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

        if (n > 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            return false;
        } else if (poll(&p, 1, 1000) > 0 && (p.revents & POLLIN) && !drain(fd)) {
            return false;
        }
    }
    return len == 0;
}

bool
ends(int fd)
{
    int64_t end_us = clock_mono_us() + ANSWER_US;
    bool open = drain(fd);

    while (open && clock_mono_us() < end_us) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        (void)poll(&p, 1, 100);
        open = drain(fd);
    }
    close(fd);
    return !open;
}

bool
ends_after(const void *bytes, size_t len)
{
    int fd = dial(0);

    (void)push(fd, bytes, len); /* refused in the middle is fine */
    return ends(fd);
}

bool
ends_half_closed(const void *bytes, size_t len)
{
    int fd = dial(0);

    (void)push(fd, bytes, len);
    (void)shutdown(fd, SHUT_WR);
    return ends(fd);
}
