/*
 * acks.c - how long acknowledgements take at a given load
 *
 *     acks PORT TOPIC PARTITIONS ACKS BYTES RATE SECONDS
 *
 * Makes TOPIC unless it exists, writes every partition once, and then sends RATE Produce requests a
 * second, each one record of BYTES, to the partitions in turn, over CONNECTIONS connections. The load is
 * open: a request is sent at its time whether those before it were answered or not, and its latency
 * counts from that time, so that a stall is charged to all whom it delays. RATE 0: as fast as answers
 * come, DEPTH requests under way on each connection. Prints: answers a second, p50, p99, p99.9 and
 * largest latency in us. Any error code ends it.
 *
 * A client that sends small requests stands for one on another machine: it asks the scheduler for short slices, so
 * that its own waiting for a core is not taken for the node's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ottla/common/errlist.h"
#include "ottla/common/slice.h"
#include "ottla/protocol/wire.h"

#include "bench_kit.h"
#include "wire_requests.h"

#define CONNECTIONS 32
#define DEPTH       16 /* requests of one connection that a node works on */
#define PATIENCE_US 30000000
#define ANSWER_MAX  65536
#define SMALL_BYTES 65536

typedef struct Flight {
    double sent_us; /* when it was due */
    int32_t partition;
} Flight;

typedef struct Connection {
    WireClient client;
    Flight *flights; /* ring of requests not answered, oldest first */
    size_t first, count, size;
    size_t unsent; /* of these, the last ones that are not wholly written */
    size_t part;   /* bytes of the first of them that are */
    uint8_t in[ANSWER_MAX];
    size_t in_len;
} Connection;

static struct {
    uint16_t port;
    const char *topic;
    int32_t partitions;
    int16_t acks;
    size_t bytes;
    double rate, seconds;
    BytesView *requests; /* by partition, ready to be sent */
    Connection connections[CONNECTIONS];
    double *latencies;
    size_t answers, room;
} me;

/* ---- requests ------------------------------------------------------------------------------------- */

static void
create_topic(void)
{
    int error = wire_create_topic(&me.connections[0].client, me.topic, me.partitions);
    if (error != 0 && error != KERR_TOPIC_ALREADY_EXISTS) {
        die("the topic cannot be made");
    }
}

static void
make_requests(void)
{
    Arena *arena = arena_new(me.bytes * 3 + 65536, 0); /* as long as the program */
    BytesView batch = wire_batch(1, (int32_t)me.bytes, arena);
    me.requests = arena_calloc(arena, (size_t)me.partitions, sizeof *me.requests);
    for (int32_t i = 0; i < me.partitions; i++) {
        WireProduce what = {me.topic, i, me.acks, batch};
        me.requests[i] = wire_produce_frame(&what, arena);
    }
}

/* ---- one connection --------------------------------------------------------------------------------- */

static Flight *
flight_at(Connection *c, size_t i)
{
    return &c->flights[(c->first + i) % c->size];
}

static void
push(Connection *c, Flight flight)
{
    if (c->count == c->size) {
        size_t size = c->size == 0 ? 64 : c->size * 2;
        Flight *grown = calloc(size, sizeof *grown);
        if (grown == NULL) {
            die("no memory");
        }
        for (size_t i = 0; i < c->count; i++) {
            grown[i] = *flight_at(c, i);
        }
        free(c->flights);
        c->flights = grown;
        c->first = 0;
        c->size = size;
    }
    c->count++;
    c->unsent++;
    *flight_at(c, c->count - 1) = flight;
}

/* Writes what the socket takes. */
static void
drive_out(Connection *c)
{
    while (c->unsent > 0) {
        BytesView request = me.requests[flight_at(c, c->count - c->unsent)->partition];
        ssize_t sent =
            send(c->client.fd, request.ptr + c->part, (size_t)request.len - c->part, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            return;
        }
        if (sent < 0) {
            die("the connection broke");
        }
        c->part += (size_t)sent;
        if (c->part == (size_t)request.len) {
            c->part = 0;
            c->unsent--;
        }
    }
}

static void
take_answer(Connection *c, const uint8_t *frame, size_t len)
{
    arena_reset(c->client.arena);
    if (c->count == c->unsent ||
        wire_produce_answer((BytesView){frame, (int32_t)len}, c->client.arena) != 0) {
        die("an answer that is no success");
    }
    if (me.answers == me.room) {
        me.room = me.room == 0 ? 65536 : me.room * 2;
        me.latencies = realloc(me.latencies, me.room * sizeof *me.latencies);
        if (me.latencies == NULL) {
            die("no memory");
        }
    }
    me.latencies[me.answers++] = now_us() - flight_at(c, 0)->sent_us;
    c->first = (c->first + 1) % c->size;
    c->count--;
}

static void
drive_in(Connection *c)
{
    ssize_t got = recv(c->client.fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
    size_t at = 0;
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        die("the connection broke");
    }
    c->in_len += (size_t)got;
    while (c->in_len - at >= 4 && c->in_len - at - 4 >= wire_load32(c->in + at)) {
        size_t len = wire_load32(c->in + at);
        take_answer(c, c->in + at + 4, len);
        at += 4 + len;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

/* ---- all of them ------------------------------------------------------------------------------------- */

static size_t
under_way(void)
{
    size_t sum = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        sum += me.connections[i].count;
    }
    return sum;
}

/* Moves bytes until a time comes, or something did. */
static void
drive(double until_us)
{
    struct pollfd fds[CONNECTIONS];
    double left = until_us - now_us();
    struct timespec wait = {0};
    for (int i = 0; i < CONNECTIONS; i++) {
        Connection *c = &me.connections[i];
        drive_out(c);
        fds[i] = (struct pollfd){.fd = c->client.fd,
                                 .events = (short)(POLLIN | (c->unsent > 0 ? POLLOUT : 0))};
    }
    if (left > 0) {
        wait.tv_sec = (time_t)(left / 1e6);
        wait.tv_nsec = (long)(left - (double)wait.tv_sec * 1e6) * 1000;
    }
    if (ppoll(fds, CONNECTIONS, &wait, NULL) < 0 && errno != EINTR) {
        die("poll");
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) {
            drive_in(&me.connections[i]);
        }
    }
}

static void
wait_for_all(void)
{
    double end = now_us() + PATIENCE_US;
    while (under_way() > 0) {
        if (now_us() > end) {
            die("answers do not come");
        }
        drive(end);
    }
}

static void
open_load(void)
{
    double begin = now_us();
    size_t total = (size_t)(me.rate * me.seconds);
    for (size_t i = 0; i < total;) {
        double due = begin + (double)i * 1e6 / me.rate;
        if (now_us() < due) {
            drive(due);
            continue;
        }
        push(&me.connections[i % CONNECTIONS], (Flight){due, (int32_t)(i % (size_t)me.partitions)});
        i++;
    }
}

static void
closed_load(void)
{
    double end = now_us() + me.seconds * 1e6;
    size_t n = 0;
    while (now_us() < end) {
        for (int i = 0; i < CONNECTIONS; i++) {
            Connection *c = &me.connections[i];
            while (c->count < DEPTH) {
                push(c, (Flight){now_us(), (int32_t)(n++ % (size_t)me.partitions)});
            }
        }
        drive(end);
    }
}

int
main(int argc, char **argv)
{
    double begin, took;
    if (argc != 8) {
        die("usage: acks PORT TOPIC PARTITIONS ACKS BYTES RATE SECONDS");
    }
    me.port = (uint16_t)strtol(argv[1], NULL, 10);
    me.topic = argv[2];
    me.partitions = (int32_t)strtol(argv[3], NULL, 10);
    me.acks = (int16_t)strtol(argv[4], NULL, 10);
    me.bytes = (size_t)strtol(argv[5], NULL, 10);
    me.rate = strtod(argv[6], NULL);
    me.seconds = strtod(argv[7], NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        wire_client_init(&me.connections[i].client, me.port);
        if (!wire_client_connect(&me.connections[i].client)) {
            die("nobody listens");
        }
    }
    if (me.bytes <= SMALL_BYTES) {
        /* It stands for one on another machine: its own waiting for a core is not to be taken for the node's. */
        slice_ask_short();
    }
    create_topic();
    make_requests();
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = me.connections[i].client.fd;
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    for (int32_t p = 0; p < me.partitions; p++) {
        push(&me.connections[p % CONNECTIONS], (Flight){now_us(), p});
    }
    wait_for_all();
    me.answers = 0;
    begin = now_us();
    if (me.rate > 0) {
        open_load();
    } else {
        closed_load();
    }
    wait_for_all();
    took = now_us() - begin;
    sort_figures(me.latencies, me.answers);
    printf("%.0f %.0f %.0f %.0f %.0f\n", (double)me.answers / took * 1e6,
           percentile(me.latencies, me.answers, 0.5), percentile(me.latencies, me.answers, 0.99),
           percentile(me.latencies, me.answers, 0.999), percentile(me.latencies, me.answers, 1));
    return 0;
}
