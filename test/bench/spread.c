/*
 * spread.c - one producer over one partition or many, as fast as answers come
 *
 *     spread PORT TOPIC PARTITIONS BYTES REQUESTS DEPTH
 *
 * Makes TOPIC unless it exists, writes every partition once (its folder and files are made then), and
 * sends REQUESTS Produce requests (acks=1) of one record of BYTES each to the partitions in turn, DEPTH
 * under way. Prints MB/s, and p50 and p99 of the time from sending a request to its answer, in us. With
 * DEPTH 1 and one partition that is the round trip; with many partitions and a larger DEPTH it is what
 * spreading costs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_create_partitions.h"
#include "ottla/protocol/wire.h"

#include "bench_kit.h"
#include "wire_requests.h"

#define CREATE_AT_ONCE 8000 /* partitions: a request may make 10,000 records */
#define DEPTH_MAX      16
#define MARK_A         0x01010101
#define MARK_B         0x02020202

static struct {
    WireClient client;
    const char *topic;
    int32_t partitions;
    size_t bytes;
    BytesView frame;
    size_t index_at; /* where the partition's number stands in the frame */
    double sent_us[DEPTH_MAX];
    double *took_us;
} me;

/* ---- the topic -------------------------------------------------------------------------------------- */

static void
grow_topic(int32_t count)
{
    CreatePartitionsRequestTopic topic = {
        .name = strview_from(me.topic), .count = count, .assignments_count = -1};
    CreatePartitionsRequest request = {
        .topics = &topic, .topics_count = 1, .timeout_ms = WIRE_TIMEOUT_MS};
    CreatePartitionsResponse response;
    if (wire_client_call(&me.client, &(WireCall){37, 3, &create_partitions_request_desc, &request,
                                                 &create_partitions_response_desc, &response}) !=
            WIRE_OK ||
        response.results[0].error_code != 0) {
        die("the topic cannot grow");
    }
}

static void
make_topic(void)
{
    int32_t have = me.partitions < CREATE_AT_ONCE ? me.partitions : CREATE_AT_ONCE;
    int error = wire_create_topic(&me.client, me.topic, have);
    if (error == KERR_TOPIC_ALREADY_EXISTS) {
        return;
    }
    if (error != 0) {
        die("the topic cannot be made");
    }
    while (have < me.partitions) {
        have = me.partitions - have < CREATE_AT_ONCE ? me.partitions : have + CREATE_AT_ONCE;
        grow_topic(have);
    }
}

/* ---- requests --------------------------------------------------------------------------------------- */

/* The frame is made once; where the partition stands shows when it is made with another. */
static void
make_frame(size_t bytes)
{
    Arena *arena = arena_new(bytes * 4 + 65536, 0);
    BytesView batch = wire_batch(1, (int32_t)bytes, arena);
    BytesView other = wire_produce_frame(&(WireProduce){me.topic, MARK_A, 1, batch}, arena);
    me.frame = wire_produce_frame(&(WireProduce){me.topic, MARK_B, 1, batch}, arena);
    me.index_at = 0;
    while (other.ptr[me.index_at] == me.frame.ptr[me.index_at]) {
        me.index_at++;
    }
}

static void
send_all(const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(me.client.fd, bytes + at, len - at, MSG_NOSIGNAL);
        if (n <= 0) {
            die("the connection broke");
        }
        at += (size_t)n;
    }
}

static void
receive_all(uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(me.client.fd, bytes + at, len - at, 0);
        if (n <= 0) {
            die("the connection broke");
        }
        at += (size_t)n;
    }
}

static void
take_answer(void)
{
    static uint8_t frame[65536];
    uint32_t len;
    receive_all(frame, 4);
    len = wire_load32(frame);
    if (len > sizeof frame) {
        die("an answer that is too long");
    }
    receive_all(frame, len);
    arena_reset(me.client.arena);
    if (wire_produce_answer((BytesView){frame, (int32_t)len}, me.client.arena) != 0) {
        die("an answer that is no success");
    }
}

/* The times of the requests go to took_us when it is not NULL. */
static void
produce(size_t requests, size_t depth, double *took_us)
{
    size_t answered = 0;
    for (size_t sent = 0; answered < requests;) {
        if (sent < requests && sent - answered < depth) {
            wire_store32((uint8_t *)(uintptr_t)me.frame.ptr + me.index_at,
                         (uint32_t)(sent % (size_t)me.partitions));
            me.sent_us[sent % DEPTH_MAX] = now_us();
            send_all(me.frame.ptr, (size_t)me.frame.len);
            sent++;
            continue;
        }
        take_answer();
        if (took_us != NULL) {
            took_us[answered] = now_us() - me.sent_us[answered % DEPTH_MAX];
        }
        answered++;
    }
}

int
main(int argc, char **argv)
{
    size_t requests, depth;
    double begin, seconds;
    if (argc != 7) {
        die("usage: spread PORT TOPIC PARTITIONS BYTES REQUESTS DEPTH");
    }
    me.topic = argv[2];
    me.partitions = atoi(argv[3]);
    me.bytes = strtoul(argv[4], NULL, 10);
    requests = strtoul(argv[5], NULL, 10);
    depth = strtoul(argv[6], NULL, 10);
    if (depth < 1 || depth > DEPTH_MAX || requests < 1 || me.partitions < 1) {
        die("bad numbers");
    }
    wire_client_init(&me.client, (uint16_t)atoi(argv[1]));
    if (!wire_client_connect(&me.client)) {
        die("nobody listens");
    }
    make_topic();
    make_frame(1);
    produce((size_t)me.partitions, DEPTH_MAX, NULL);
    make_frame(me.bytes);
    me.took_us = calloc(requests, sizeof *me.took_us);
    if (me.took_us == NULL) {
        die("no memory");
    }
    begin = now_us();
    produce(requests, depth, me.took_us);
    seconds = (now_us() - begin) / 1e6;
    sort_figures(me.took_us, requests);
    printf("%.1f %.1f %.1f\n", (double)requests * (double)me.bytes / 1e6 / seconds,
           percentile(me.took_us, requests, 0.5), percentile(me.took_us, requests, 0.99));
    return 0;
}
