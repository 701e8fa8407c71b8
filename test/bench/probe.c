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
#include <time.h>
#include <unistd.h>

#include "ottla/common/errlist.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/msg_api_versions.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_produce.h"
#include "wire_client.h"

#define START_MS  30000
#define SETTLE_MS 500

static void
die(const char *what)
{
    fprintf(stderr, "probe: %s\n", what);
    exit(1);
}

static double
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The error code; -1 also when the connection broke. */
static int
create_topic(WireClient *client, const char *name, int32_t partitions)
{
    CreateTopicsRequestTopic topic;
    CreateTopicsRequest request;
    CreateTopicsResponse response;
    create_topics_request_topic_init(&topic);
    create_topics_request_init(&request);
    topic.name = strview_from(name);
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    request.topics = &topic;
    request.topics_count = 1;
    request.timeout_ms = START_MS;
    if (wire_client_call(client, &(WireCall){19, 7, &create_topics_request_desc, &request,
                                             &create_topics_response_desc, &response}) != WIRE_OK) {
        return -1;
    }
    return response.topics[0].error_code;
}

static int
produce_one(WireClient *client, const char *name)
{
    Arena *arena = arena_new(4096, 0);
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchBuilder *builder = batch_builder_new(&options, arena);
    BatchRecord record = {.timestamp = 1, .value = {(const uint8_t *)"x", 1}};
    BytesView batch;
    if (batch_builder_add(builder, &record, NULL) != 0 ||
        batch_builder_finish(builder, &batch, NULL) != 0) {
        die("cannot build a batch");
    }
    ProduceRequestPartition partition = {.records = records_in_memory(batch.ptr, batch.len)};
    ProduceRequestTopic topic = {
        .name = strview_from(name), .partition_data = &partition, .partition_data_count = 1};
    ProduceRequest request = {.transactional_id = WIRE_NULL_STRING,
                              .acks = -1,
                              .timeout_ms = START_MS,
                              .topic_data = &topic,
                              .topic_data_count = 1};
    ProduceResponse response;
    WireResult result = wire_client_call(client, &(WireCall){0, 9, &produce_request_desc, &request,
                                                             &produce_response_desc, &response});
    arena_free(arena);
    return result == WIRE_OK ? response.responses[0].partition_responses[0].error_code : -1;
}

static void
first_ack(uint16_t port, char **command)
{
    WireClient client;
    wire_client_init(&client, port);
    double begin = now_ms();
    pid_t pid = fork();
    if (pid == 0) {
        (void)setsid();
        (void)!freopen("/dev/null", "w", stdout);
        (void)!freopen("/dev/null", "w", stderr);
        execv(command[0], command);
        _exit(127);
    }
    while (!wire_client_connect(&client)) {
        if (now_ms() - begin > START_MS) {
            die("the node does not listen");
        }
        (void)poll(NULL, 0, 1);
    }
    int error;
    while ((error = create_topic(&client, "first", 1)) != 0 && error != KERR_TOPIC_ALREADY_EXISTS) {
        if (now_ms() - begin > START_MS || (error == -1 && !wire_client_connect(&client))) {
            die("no topic could be created");
        }
    }
    while (produce_one(&client, "first") != 0) {
        if (now_ms() - begin > START_MS) {
            die("nothing was acknowledged");
        }
    }
    printf("%.1f %d\n", now_ms() - begin, (int)pid);
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
    begin = now_ms();
    for (int i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "many-%d-%d", (int)getpid(), i);
        if (i == count / 10) {
            tenth = now_ms() - begin;
        }
        if (i == count - count / 10) {
            last = now_ms();
        }
        if (create_topic(&client, name, partitions) != 0) {
            die("a topic was refused");
        }
    }
    printf("%.1f %.1f %.1f\n", tenth, now_ms() - last, now_ms() - begin);
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
    WireClient *clients = calloc((size_t)count, sizeof *clients);
    if (clients == NULL || getrlimit(RLIMIT_NOFILE, &files) != 0) {
        die("no memory");
    }
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 0; i < count; i++) {
        wire_client_init(&clients[i], port);
    }
    long before = meminfo_kib();
    for (int i = 0; i < count; i++) {
        if (!wire_client_connect(&clients[i]) || !ask(&clients[i])) {
            die("a connection was refused");
        }
        arena_reset(clients[i].arena);
    }
    (void)poll(NULL, 0, SETTLE_MS);
    printf("%.0f\n", (double)(meminfo_kib() - before) / count);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
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
        double begin = now_ms();
        if (!wire_client_connect(&client) || !ask(&client)) {
            die("a connection was refused");
        }
        us[i] = (now_ms() - begin) * 1000;
        arena_reset(client.arena);
        wire_client_close(&client);
    }
    qsort(us, count, sizeof *us, compare);
    printf("%.0f %.0f\n", us[count / 2], us[count * 99 / 100]);
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
