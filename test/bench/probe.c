/*
 * probe.c - figures of a node that need no client library
 *
 *     probe first-ack PORT COMMAND...     starts COMMAND, a node on an empty directory; prints the ms
 *                                         from its start to the first acknowledged record (acks=all)
 *                                         and its pid, which it leaves running
 *     probe create-topics PORT N COUNT    makes COUNT requests of N partitions each; prints the ms of
 *                                         the first tenth and of the last tenth, and of all
 *     probe idle PORT COUNT               opens COUNT connections that ask ApiVersions once and then
 *                                         nothing; prints the KiB that each costs in all: anonymous
 *                                         memory, page tables, kernel stacks and slab
 *     probe connect PORT COUNT            COUNT connections, one after the other, that ask ApiVersions
 *                                         and end; prints the us from connect to the answer: p50, p99
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_api_versions.h"

#include "bench_kit.h"
#include "wire_requests.h"

#define START_US  30e6
#define SETTLE_MS 1500 /* a backend gives back what it does not need after a second of silence */

static void
first_ack(uint16_t port, char **command)
{
    WireClient client;
    wire_client_init(&client, port);
    double begin = now_us();
    pid_t pid = launch_node(command);
    while (!wire_client_connect(&client)) {
        if (now_us() - begin > START_US) {
            die("the node does not listen");
        }
        (void)poll(NULL, 0, 1);
    }
    Arena *arena = arena_new(4096, 0);
    WireProduce produce = {"first", 0, -1, wire_batch(1, 1, arena)};
    int error;
    while ((error = wire_create_topic(&client, "first", 1)) != 0 &&
           error != KERR_TOPIC_ALREADY_EXISTS) {
        if (now_us() - begin > START_US || (error == -1 && !wire_client_connect(&client))) {
            die("no topic could be created");
        }
    }
    while (wire_produce(&client, &produce) != 0) {
        if (now_us() - begin > START_US) {
            die("nothing was acknowledged");
        }
    }
    printf("%.1f %d\n", (now_us() - begin) / 1e3, (int)pid);
    arena_free(arena);
}

static void
create_topics(uint16_t port, int32_t partitions, int count)
{
    WireClient client;
    double begin, tenth = 0, last = 0;
    wire_client_init(&client, port);
    if (!wire_client_connect(&client)) {
        die("nobody listens");
    }
    begin = now_us();
    for (int i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "many-%d-%d", (int)getpid(), i);
        if (i == count / 10) {
            tenth = now_us() - begin;
        }
        if (i == count - count / 10) {
            last = now_us();
        }
        if (wire_create_topic(&client, name, partitions) != 0) {
            die("a topic was refused");
        }
    }
    printf("%.1f %.1f %.1f\n", tenth / 1e3, (now_us() - last) / 1e3, (now_us() - begin) / 1e3);
}

static long
meminfo_kib(void)
{
    static const char *const keys[] = {"AnonPages:", "PageTables:", "KernelStack:", "Slab:"};
    char line[128];
    long sum = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            if (strncmp(line, keys[i], strlen(keys[i])) == 0) {
                sum += strtol(line + strlen(keys[i]), NULL, 10);
            }
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return sum;
}

static bool
ask(WireClient *client)
{
    ApiVersionsRequest request;
    ApiVersionsResponse response;
    api_versions_request_init(&request);
    return wire_client_call(client, &(WireCall){18, 0, &api_versions_request_desc, &request,
                                                &api_versions_response_desc, &response}) == WIRE_OK;
}

static void
idle(uint16_t port, int count)
{
    struct rlimit files;
    WireClient client;
    if (count <= 0 || getrlimit(RLIMIT_NOFILE, &files) != 0) {
        die("no connections to count");
    }
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    wire_client_init(&client, port);
    long before = meminfo_kib();
    for (int i = 0; i < count; i++) {
        if (!wire_client_connect(&client) || !ask(&client)) {
            die("a connection was refused");
        }
        client.fd = -1; /* stays open until the end; memory of clients is not the node's */
    }
    (void)poll(NULL, 0, SETTLE_MS);
    printf("%.0f\n", (double)(meminfo_kib() - before) / count);
}

static void
connect_often(uint16_t port, size_t count)
{
    double *us = calloc(count + 1, sizeof *us);
    WireClient client;
    if (us == NULL || count == 0) {
        die("no memory");
    }
    wire_client_init(&client, port);
    for (size_t i = 0; i < count; i++) {
        double begin = now_us();
        if (!wire_client_connect(&client) || !ask(&client)) {
            die("a connection was refused");
        }
        us[i] = now_us() - begin;
        arena_reset(client.arena);
        wire_client_close(&client);
    }
    sort_figures(us, count);
    printf("%.0f %.0f\n", percentile(us, count, 0.5), percentile(us, count, 0.99));
}

int
main(int argc, char **argv)
{
    uint16_t port = argc > 2 ? (uint16_t)strtol(argv[2], NULL, 10) : 0;
    if (argc > 3 && strcmp(argv[1], "first-ack") == 0) {
        first_ack(port, argv + 3);
    } else if (argc == 5 && strcmp(argv[1], "create-topics") == 0) {
        create_topics(port, (int32_t)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10));
    } else if (argc == 4 && strcmp(argv[1], "idle") == 0) {
        idle(port, (int)strtol(argv[3], NULL, 10));
    } else if (argc == 4 && strcmp(argv[1], "connect") == 0) {
        connect_often(port, strtoul(argv[3], NULL, 10));
    } else {
        die("first-ack PORT COMMAND... | create-topics PORT PARTITIONS COUNT | idle PORT COUNT | "
            "connect PORT COUNT");
    }
    return 0;
}
