/*
 * conn.c - bytes on connections: dial, send frames, read answers, wait
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: looks into an answer beyond its size and correlation id; keeps a connection whose answers are out of step.
 * Invariants:
 *   N1  answers come in the order of the requests on one connection
 *   N2  an answer takes memory only after its size was compared with CLIENT_ANSWER_MAX
 *   N3  when flights_run returns, a connection is either closed or has nothing outstanding
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client/client_int.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "ottla/common/clock.h"

void
conn_close(ClientConn *conn)
{
    if (conn->fd >= 0)
        (void)close(conn->fd);
    conn->fd = -1;
    conn->answer = NULL;
    conn->head_got = conn->answer_got = conn->answer_len = 0;
}

bool
conn_usable(ClientConn *conn)
{
    struct pollfd at = {.fd = conn->fd, .events = POLLIN | POLLRDHUP};

    if (conn->fd < 0)
        return false;
    if (poll(&at, 1, 0) <= 0)
        return true;
    conn_close(conn);
    return false;
}

/* Takes the interruption that has come. */
static int
interrupted(Client *c, Fault *f)
{
    uint64_t count;

    c->interrupted = 0;
    while (read(c->wake_fd, &count, sizeof count) > 0)
        ;
    return fault_set(f, FAULT_CANCELED, "canceled on user's request");
}

/* Milliseconds for poll until a deadline, rounded so that it has passed afterwards. */
static int
poll_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_mono_ms() + 1;

    return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

int
client_wait(Client *c, int fd, short events, int64_t deadline_ms, Fault *f)
{
    for (;;) {
        struct pollfd at[2] = {{.fd = c->wake_fd, .events = POLLIN}, {.fd = fd, .events = events}};
        int ready;

        if (c->interrupted)
            return interrupted(c, f);
        ready = poll(at, fd >= 0 ? 2 : 1, poll_ms(deadline_ms));
        if (c->interrupted)
            return interrupted(c, f);
        if (fd >= 0 && ready > 0 && at[1].revents != 0)
            return 0;
        if (clock_mono_ms() >= deadline_ms)
            return 1;
        if (ready > 0 && at[0].revents != 0) {
            uint64_t count; /* woken for an interruption that was forgotten since */
            (void)!read(c->wake_fd, &count, sizeof count);
        }
    }
}

/* ---- dialling ---- */

/* Why a connection failed: net's texts name the address first, which the fault has already. */
static const char *
reason_of(const ErrInfo *err)
{
    const char *reason = strstr(err->text, ": ");

    return reason == NULL ? err->text : reason + 2;
}

/* One address: connects before the deadline. */
static int
dial_address(Client *c, ClientConn *conn, const NetAddress *address, int64_t deadline_ms, Fault *f)
{
    ErrInfo err = {0};
    int fd = net_connect(address, &err);
    int got;

    if (fd < 0)
        return fault_set(f, FAULT_CANNOT_CONNECT, "%s: %s", conn->address, reason_of(&err));
    got = client_wait(c, fd, POLLOUT, deadline_ms, f);
    if (got == 1)
        (void)fault_set(f, FAULT_CANNOT_CONNECT, "%s: no answer within %.3g s", conn->address,
                        (double)c->target.connect_timeout_ms / 1000);
    else if (got == 0 && net_connect_result(fd, &err) != 0)
        got = fault_set(f, FAULT_CANNOT_CONNECT, "%s: %s", conn->address, reason_of(&err));
    if (got != 0) {
        (void)close(fd);
        return -1;
    }
    net_set_nodelay(fd);
    conn->fd = fd;
    return 0;
}

static int
dial_socket(Client *c, ClientConn *conn, const ClientHost *host, int64_t deadline_ms, Fault *f)
{
    NetAddress address = {0};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int len = snprintf(un.sun_path, sizeof un.sun_path, "%s/.s.ottla.%u", host->name, host->port);

    (void)snprintf(conn->address, sizeof conn->address, "%s/.s.ottla.%u", host->name, host->port);
    if (len < 0 || (size_t)len >= sizeof un.sun_path)
        return fault_set(f, FAULT_CANNOT_CONNECT, "%s: longer than a socket's path may be",
                         conn->address);
    memcpy(&address.storage, &un, sizeof un);
    address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len + 1);
    return dial_address(c, conn, &address, deadline_ms, f);
}

int
conn_dial(Client *c, ClientConn *conn, const ClientHost *host, Fault *f)
{
    int64_t deadline_ms = clock_mono_ms() + c->target.connect_timeout_ms;
    NetAddress found[NET_ADDRESSES_MAX];
    ErrInfo err = {0};
    int count;

    conn_close(conn);
    conn->host = *host;
    conn->is_socket = host->name[0] == '/';
    if (conn->is_socket)
        return dial_socket(c, conn, host, deadline_ms, f);
    (void)snprintf(conn->address, sizeof conn->address,
                   strchr(host->name, ':') != NULL ? "[%s]:%u" : "%s:%u", host->name, host->port);
    count = net_resolve(host->name, host->port, false, found, &err);
    if (count < 0)
        return fault_set(f, FAULT_CANNOT_CONNECT, "%s: %s", conn->address, err.text);
    for (int i = 0; i < count; i++) {
        char text[NET_TEXT_MAX];

        net_address_text(&found[i], text);
        (void)snprintf(conn->address, sizeof conn->address, "%s", text);
        if (dial_address(c, conn, &found[i], deadline_ms, f) == 0)
            return 0;
        if (strcmp(f->sqlstate, FAULT_CANCELED) == 0)
            return -1;
    }
    return -1;
}

/* ---- flights ---- */

/* All requests without an answer on this connection fail; it is closed. */
static void
drop_conn(Flight *flights, int32_t count, ClientConn *conn, const char *sqlstate, const char *why)
{
    for (int32_t i = 0; i < count; i++) {
        if (flights[i].conn != conn || flights[i].done)
            continue;
        flights[i].done = true;
        flights[i].status = fault_set(flights[i].fault, sqlstate, "%s: %s", conn->address, why);
        if (strcmp(sqlstate, FAULT_CONNECTION_LOST) == 0)
            fault_hint(flights[i].fault, "The request may have taken effect.");
        else if (strcmp(sqlstate, FAULT_BAD_REPLY) == 0)
            fault_hint(flights[i].fault, "Is this a listener of Kafka's protocol, without TLS?");
    }
    conn_close(conn);
}

/* The first request of a connection that waits for its answer (N1); NULL: none. */
static Flight *
first_waiting(Flight *flights, int32_t count, const ClientConn *conn)
{
    for (int32_t i = 0; i < count; i++) {
        if (flights[i].conn == conn && !flights[i].done)
            return flights[i].sent > 0 ? &flights[i] : NULL;
    }
    return NULL;
}

/* Sends what the socket takes. */
static void
send_frames(Client *c, Flight *flights, int32_t count, ClientConn *conn)
{
    for (int32_t i = 0; i < count; i++) {
        Flight *flight = &flights[i];

        while (flight->conn == conn && !flight->done && flight->sent < flight->frame.len) {
            struct iovec iov = {flight->frame.buf + flight->sent, flight->frame.len - flight->sent};
            int64_t sent = net_writev(conn->fd, &iov, 1);

            if (sent == OT_E_AGAIN)
                return;
            if (sent < 0) {
                /* What the other side said before it closed may still be there; reading finds the end, too. */
                if (first_waiting(flights, count, conn) == NULL)
                    drop_conn(flights, count, conn, FAULT_CONNECTION_LOST,
                              "the connection was closed");
                return;
            }
            flight->sent += (size_t)sent;
            c->bytes_out += sent;
        }
    }
}

/* The size of an answer is there: takes the memory for it. */
static const char *
begin_answer(ClientConn *conn, Arena *arena)
{
    int32_t len = (int32_t)wire_load32(conn->head);

    if (len < 4 || len > CLIENT_ANSWER_MAX)
        return "an answer of an impossible size";
    conn->answer = arena_alloc(arena, (size_t)len);
    conn->answer_len = (size_t)len;
    conn->answer_got = 0;
    return conn->answer == NULL ? "" : NULL;
}

/* Reads one piece. Null: go on; "": out of memory; else why the connection is of no use any more. */
static const char *
read_piece(Client *c, ClientConn *conn, Arena *arena, bool *ret_again, bool *ret_whole)
{
    bool in_head = conn->head_got < sizeof conn->head;
    uint8_t *to = in_head ? conn->head + conn->head_got : conn->answer + conn->answer_got;
    size_t size =
        in_head ? sizeof conn->head - conn->head_got : conn->answer_len - conn->answer_got;
    int64_t got = net_read(conn->fd, to, size);

    if (got == OT_E_AGAIN) {
        *ret_again = true;
        return NULL;
    }
    if (got <= 0)
        return "the server closed the connection";
    c->bytes_in += got;
    if (!in_head) {
        conn->answer_got += (size_t)got;
        *ret_whole = conn->answer_got == conn->answer_len;
        return NULL;
    }
    conn->head_got += (size_t)got;
    return conn->head_got == sizeof conn->head ? begin_answer(conn, arena) : NULL;
}

/* Reads until the socket is empty or nobody waits for an answer. */
static void
read_answers(Client *c, Flight *flights, int32_t count, ClientConn *conn, Arena *arena)
{
    for (;;) {
        Flight *flight = first_waiting(flights, count, conn);
        bool again = false;
        bool whole = false;
        const char *why;

        if (flight == NULL)
            return;
        why = read_piece(c, conn, arena, &again, &whole);
        if (why != NULL && why[0] == '\0') {
            drop_conn(flights, count, conn, FAULT_NO_MEMORY,
                      "no memory for an answer of this size");
            return;
        }
        if (why != NULL) {
            bool lost = conn->head_got < sizeof conn->head || conn->answer != NULL;
            drop_conn(flights, count, conn, lost ? FAULT_CONNECTION_LOST : FAULT_BAD_REPLY, why);
            return;
        }
        if (again)
            return;
        if (!whole)
            continue;
        if ((int32_t)wire_load32(conn->answer) != flight->correlation) {
            drop_conn(flights, count, conn, FAULT_BAD_REPLY, "an answer to another request");
            return;
        }
        flight->answer = (BytesView){conn->answer, (int32_t)conn->answer_len};
        flight->done = true;
        conn->answer = NULL;
        conn->head_got = conn->answer_got = conn->answer_len = 0;
    }
}

/* The connections that still have something to do, once each. */
static int
gather(Flight *flights, int32_t count, struct pollfd *polls, ClientConn **conns)
{
    int found = 0;

    for (int32_t i = 0; i < count; i++) {
        Flight *flight = &flights[i];
        int at = 0;

        if (flight->done)
            continue;
        while (at < found && conns[at] != flight->conn)
            at++;
        if (at == found) {
            conns[found] = flight->conn;
            polls[found++] = (struct pollfd){.fd = flight->conn->fd, .events = POLLIN};
        }
        if (flight->sent < flight->frame.len)
            polls[at].events |= POLLOUT;
    }
    return found;
}

/* The earliest deadline; requests whose time is over end with their connections, and those whose connection is gone. */
static int64_t
expire(Flight *flights, int32_t count)
{
    int64_t now_ms = clock_mono_ms();
    int64_t earliest_ms = INT64_MAX;

    for (int32_t i = 0; i < count; i++) {
        Flight *flight = &flights[i];

        if (flight->done)
            continue;
        if (flight->conn->fd < 0) {
            flight->done = true;
            flight->status = fault_set(flight->fault, FAULT_CONNECTION_LOST,
                                       "%s: the connection was closed", flight->conn->address);
        } else if (flight->deadline_ms <= now_ms) {
            flight->done = true;
            flight->status = fault_set(flight->fault, FAULT_TIMEOUT, "%s: no answer in time",
                                       flight->conn->address);
            fault_hint(flight->fault, "The request may have taken effect.");
            drop_conn(flights, count, flight->conn, FAULT_CONNECTION_LOST,
                      "closed, for an earlier request got no answer in time");
        } else if (flight->deadline_ms < earliest_ms) {
            earliest_ms = flight->deadline_ms;
        }
    }
    return earliest_ms;
}

/* Ends what is under way: all connections with something outstanding are closed (N3). */
static int
cancel_all(Client *c, Flight *flights, int32_t count, Fault *f)
{
    (void)interrupted(c, f);
    for (int32_t i = 0; i < count; i++) {
        if (!flights[i].done)
            drop_conn(flights, count, flights[i].conn, FAULT_CANCELED,
                      "canceled on user's request");
    }
    return -1;
}

int
flights_run(Client *c, Flight *flights, int32_t count, Arena *arena, Fault *f)
{
    for (;;) {
        struct pollfd polls[CLIENT_CONNS_MAX + 1];
        ClientConn *conns[CLIENT_CONNS_MAX];
        int64_t deadline_ms;
        int found;

        if (c->interrupted)
            return cancel_all(c, flights, count, f);
        deadline_ms = expire(flights, count);
        found = gather(flights, count, polls, conns);
        if (found == 0)
            return 0;
        polls[found] = (struct pollfd){.fd = c->wake_fd, .events = POLLIN};
        if (poll(polls, (nfds_t)found + 1, poll_ms(deadline_ms)) < 0 && errno != EINTR)
            return fault_set(f, FAULT_INTERNAL, "poll: %s", strerror(errno));
        if (polls[found].revents != 0 && !c->interrupted) {
            uint64_t seen; /* woken for an interruption that was forgotten since */
            (void)!read(c->wake_fd, &seen, sizeof seen);
        }
        for (int i = 0; i < found && !c->interrupted; i++) {
            if ((polls[i].revents & POLLOUT) != 0)
                send_frames(c, flights, count, conns[i]);
            if ((polls[i].revents & ~POLLOUT) != 0 && conns[i]->fd >= 0)
                read_answers(c, flights, count, conns[i], arena);
        }
    }
}
