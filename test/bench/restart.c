/*
 * restart.c - how long a node with many partitions is away after kill -9 of everything
 *
 *     restart PORT PARTITIONS MIB RUNS COMMAND...
 *
 * Starts COMMAND, a node, makes PARTITIONS partitions (topics of 100), writes MIB into them evenly by
 * acks=1, and then RUNS times kills the node's whole process group, starts COMMAND again and asks
 * until a random partition has acknowledged a record (acks=1). Prints the milliseconds of each run
 * from start to that ack, and at last the process id of the node, which it leaves running.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/random.h"
#include "ottla/protocol/msg_produce.h"

#include "bench_kit.h"
#include "wire_requests.h"

#define PER_TOPIC   100 /* partitions */
#define CHUNK_BYTES 16384
#define PATIENCE_US 60e6

static struct {
    uint16_t port;
    int32_t topics;
    char **command;
    pid_t node;
    WireClient client;
} me;

/* ---- the node ----------------------------------------------------------------------------------- */

/* It is left running when all went well. */
static void
end_node(int status, void *arg)
{
    (void)arg;
    if (status != 0 && me.node > 0) {
        kill(-me.node, SIGKILL);
    }
}

static void
connect_within(double begin)
{
    while (!wire_client_connect(&me.client)) {
        if (now_us() - begin > PATIENCE_US) {
            die("the node does not listen");
        }
        (void)poll(NULL, 0, 1);
    }
}

/* As a subreaper we see the end of the orphans, too: all of them are gone when it returns. */
static void
kill_all(void)
{
    kill(-me.node, SIGKILL);
    while (waitpid(-me.node, NULL, 0) > 0 || errno == EINTR) {
    }
    wire_client_close(&me.client);
}

/* ---- requests ----------------------------------------------------------------------------------- */

static const char *
topic_name(int32_t topic)
{
    static char name[32];
    snprintf(name, sizeof name, "many-%d", (int)topic);
    return name;
}

/* One batch to each of count partitions from first on, acks=1; the first error that is none. */
static int
produce(int32_t topic, int32_t first, int32_t count, BytesView batch)
{
    ProduceRequestPartition partitions[PER_TOPIC];
    ProduceResponse response;
    ProduceRequestTopic t = {.name = strview_from(topic_name(topic)),
                             .partition_data = partitions,
                             .partition_data_count = count};
    ProduceRequest request = {.transactional_id = WIRE_NULL_STRING,
                              .acks = 1,
                              .timeout_ms = 1000,
                              .topic_data = &t,
                              .topic_data_count = 1};
    for (int32_t i = 0; i < count; i++) {
        partitions[i] = (ProduceRequestPartition){
            .index = first + i, .records = records_in_memory(batch.ptr, batch.len)};
    }
    if (wire_client_call(&me.client, &(WireCall){0, 9, &produce_request_desc, &request,
                                                 &produce_response_desc, &response}) != WIRE_OK) {
        return -1;
    }
    for (int32_t i = 0; i < count; i++) {
        int error = response.responses[0].partition_responses[i].error_code;
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static void
fill(int32_t mib)
{
    Arena *arena = arena_new(1 << 16, 0);
    BytesView batch = wire_batch(clock_wall_ms(), CHUNK_BYTES, arena);
    int64_t rounds = ((int64_t)mib << 20) / ((int64_t)me.topics * PER_TOPIC * CHUNK_BYTES);
    for (int64_t round = 0; round < rounds || round == 0; round++) {
        for (int32_t topic = 0; topic < me.topics; topic++) {
            if (produce(topic, 0, PER_TOPIC, batch) != 0) {
                die("a record was not acknowledged");
            }
        }
    }
    arena_free(arena);
}

static double
time_one_start(void)
{
    int32_t topic = (int32_t)(random_u64() % (uint64_t)me.topics);
    int32_t partition = (int32_t)(random_u64() % PER_TOPIC);
    Arena *arena = arena_new(4096, 0);
    BytesView batch = wire_batch(clock_wall_ms(), 100, arena);
    double begin = now_us();
    me.node = launch_node(me.command);
    connect_within(begin);
    while (produce(topic, partition, 1, batch) != 0) {
        if (now_us() - begin > PATIENCE_US) {
            die("nothing was acknowledged");
        }
        (void)poll(NULL, 0, 1);
        if (me.client.fd < 0 || !wire_client_connect(&me.client)) {
            connect_within(begin);
        }
    }
    arena_free(arena);
    return (now_us() - begin) / 1e3;
}

int
main(int argc, char **argv)
{
    if (argc < 6) {
        die("PORT PARTITIONS MIB RUNS COMMAND...");
    }
    me.port = (uint16_t)strtol(argv[1], NULL, 10);
    me.topics = (int32_t)strtol(argv[2], NULL, 10) / PER_TOPIC;
    me.command = argv + 5;
    (void)on_exit(end_node, NULL);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    wire_client_init(&me.client, me.port);
    me.node = launch_node(me.command);
    connect_within(now_us());
    for (int32_t i = 0; i < me.topics; i++) {
        if (wire_create_topic(&me.client, topic_name(i), PER_TOPIC) != 0) {
            die("a topic was refused");
        }
    }
    fill((int32_t)strtol(argv[3], NULL, 10));
    for (long i = strtol(argv[4], NULL, 10); i > 0; i--) {
        kill_all();
        printf("%.1f ", time_one_start());
        fflush(stdout);
    }
    printf("%d\n", (int)me.node);
    return 0;
}
