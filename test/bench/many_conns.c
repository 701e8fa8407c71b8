/*
 * many_conns.c - thousands of connections in one process, each with one request under way
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "many_conns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ottla/protocol/frame.h"

#include "bench_kit.h"

#define EVENTS     256
#define ANSWER_MAX (64u << 20)

static struct {
    int epoll;
    ManyHandlers handlers;
    ManyConn **heap; /* by due_us; from 1 */
    int32_t heap_count;
    Arena *arena;
} me;

static void *
must(void *ptr)
{
    if (ptr == NULL) {
        die("no memory");
    }
    return ptr;
}

void
many_init(size_t count, ManyHandlers handlers)
{
    struct rlimit files = {count + 64, count + 64};
    struct rlimit now;
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 ||
        (now.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files) != 0)) {
        die("so many connections may not be opened");
    }
    me.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (me.epoll < 0) {
        die("no epoll");
    }
    me.handlers = handlers;
    me.heap = must(calloc(count + 1, sizeof *me.heap));
    me.arena = must(arena_new(1 << 20, 0));
}

void
many_adopt(ManyConn *conn, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    int one = 1;
    *conn = (ManyConn){.fd = fd, .api_key = -1};
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(me.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("a connection cannot be watched");
    }
}

void
many_connect(ManyConn *conn, uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        die("nobody listens");
    }
    many_adopt(conn, fd);
}

/* ---- who is due ------------------------------------------------------------------------------------ */

static void
heap_put(int32_t at, ManyConn *conn)
{
    me.heap[at] = conn;
    conn->heap_at = at;
}

static void
heap_settle(int32_t at)
{
    ManyConn *conn = me.heap[at];
    for (; at > 1 && conn->due_us < me.heap[at / 2]->due_us; at /= 2) {
        heap_put(at, me.heap[at / 2]);
    }
    for (;;) {
        int32_t child = at * 2;
        if (child > me.heap_count) {
            break;
        }
        if (child < me.heap_count && me.heap[child + 1]->due_us < me.heap[child]->due_us) {
            child++;
        }
        if (conn->due_us <= me.heap[child]->due_us) {
            break;
        }
        heap_put(at, me.heap[child]);
        at = child;
    }
    heap_put(at, conn);
}

void
many_due(ManyConn *conn, double at_us)
{
    conn->due_us = at_us;
    if (conn->heap_at == 0) {
        heap_put(++me.heap_count, conn);
    }
    heap_settle(conn->heap_at);
}

static void
call_due(double now)
{
    while (me.heap_count > 0 && me.heap[1]->due_us <= now) {
        ManyConn *conn = me.heap[1];
        ManyConn *last = me.heap[me.heap_count--];
        conn->heap_at = 0;
        conn->due_us = 0;
        if (last != conn) {
            heap_put(1, last);
            heap_settle(1);
        }
        me.handlers.on_due(conn, now);
    }
}

/* ---- requests and answers ----------------------------------------------------------------------------- */

static void
watch(ManyConn *conn, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(me.epoll, EPOLL_CTL_MOD, conn->fd, &event) != 0) {
        die("a connection cannot be watched");
    }
}

static void
drive_out(ManyConn *conn)
{
    while (conn->out_done < conn->out_len) {
        ssize_t sent = send(conn->fd, conn->out + conn->out_done, conn->out_len - conn->out_done,
                            MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            return;
        }
        if (sent <= 0) {
            die("a connection broke");
        }
        conn->out_done += (uint32_t)sent;
    }
    free(conn->out);
    conn->out = NULL;
    conn->out_len = conn->out_done = 0;
    watch(conn, EPOLLIN);
}

void
many_send_bytes(ManyConn *conn, const uint8_t *bytes, uint32_t len)
{
    conn->sent_us = now_us();
    ssize_t sent = send(conn->fd, bytes, len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
        sent = 0;
    }
    if (sent < 0) {
        die("a connection broke");
    }
    if ((uint32_t)sent < len) {
        conn->out_len = len - (uint32_t)sent;
        conn->out_done = 0;
        conn->out = must(malloc(conn->out_len));
        memcpy(conn->out, bytes + sent, conn->out_len);
        watch(conn, EPOLLIN | EPOLLOUT);
    }
}

void
many_send(ManyConn *conn, int16_t api_key, int16_t version, const MessageDesc *desc,
          const void *request)
{
    RequestHead head = {.api = api_find(api_key),
                        .api_version = version,
                        .correlation_id = ++conn->correlation_id,
                        .client_id = STRVIEW("group-load")};
    FrameBody body = {desc, request, version};
    FrameOut out;
    ErrInfo err = {0};
    ArenaMark mark = arena_mark(me.arena);
    if (conn->api_key >= 0) {
        die("two requests at once");
    }
    if (frame_encode_request(&head, &body, &out, me.arena, &err) != 0) {
        die(err.text);
    }
    conn->api_key = api_key;
    conn->api_version = version;
    many_send_bytes(conn, out.buf, (uint32_t)out.len);
    arena_release(me.arena, mark);
}

static void
hand_over(ManyConn *conn, const uint8_t *frame, uint32_t size, double now)
{
    WireReader r;
    int16_t api_key = conn->api_key;
    conn->api_key = -1;
    wire_reader_init(&r, frame, size, me.arena);
    if (api_key >= 0) {
        if (wire_read_int32(&r, "correlationId") != conn->correlation_id) {
            die("an answer to another request");
        }
        if (frame_response_header_version(api_find(api_key), conn->api_version) > 0) {
            (void)wire_read_tags(&r);
        }
    }
    me.handlers.on_answer(conn, api_key, &r, now);
}

static void
drive_in(ManyConn *conn, double now)
{
    static uint8_t room[1 << 16];
    for (;;) {
        ssize_t got = recv(conn->fd, room, sizeof room, 0);
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            die("a connection broke");
        }
        const uint8_t *at = room;
        uint32_t len = (uint32_t)got;
        if (conn->in_len + len > conn->in_room && conn->in_len > 0) {
            conn->in_room = (conn->in_len + len) * 2;
            conn->in = must(realloc(conn->in, conn->in_room));
        }
        if (conn->in_len > 0) {
            memcpy(conn->in + conn->in_len, room, len);
            conn->in_len += len;
            at = conn->in;
            len = conn->in_len;
        }
        uint32_t size = len >= 4 ? wire_load32(at) : 0;
        if (size > ANSWER_MAX) {
            die("an answer of impossible size");
        }
        if (len >= 4 && len == size + 4) {
            uint8_t *whole = conn->in_len > 0 ? conn->in : NULL;
            conn->in = NULL;
            conn->in_len = conn->in_room = 0;
            arena_reset(me.arena);
            hand_over(conn, at + 4, size, now);
            free(whole);
        } else if (len >= 4 && len > size + 4) {
            die("an answer that nobody asked for");
        } else if (conn->in_len == 0) {
            conn->in_room = size + 4 > len ? size + 4 : len + 64;
            conn->in = must(malloc(conn->in_room));
            memcpy(conn->in, room, len);
            conn->in_len = len;
        }
        if ((size_t)got < sizeof room) {
            return;
        }
    }
}

void
many_run(double until_us, bool (*done)(void))
{
    struct epoll_event events[EVENTS];
    for (;;) {
        double now = now_us();
        if (now >= until_us || (done != NULL && done())) {
            return;
        }
        call_due(now);
        double next =
            me.heap_count > 0 && me.heap[1]->due_us < until_us ? me.heap[1]->due_us : until_us;
        int wait_ms = next <= now ? 0 : (int)((next - now) / 1e3) + 1;
        int count = epoll_wait(me.epoll, events, EVENTS, wait_ms);
        now = now_us();
        for (int i = 0; i < count; i++) {
            ManyConn *conn = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0) {
                drive_out(conn);
            }
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
                drive_in(conn, now);
            }
        }
    }
}
