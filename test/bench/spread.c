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
#include "ottla/protocol/apis.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/frame.h"
#include "ottla/protocol/msg_create_partitions.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_produce.h"
#include "ottla/protocol/wire.h"
#include "wire_client.h"

#define VERSION        9
#define TIMEOUT_MS     60000
#define CREATE_AT_ONCE 8000 /* partitions: a request may make 10,000 records */
#define DEPTH_MAX      16
#define MARK_A         0x01010101
#define MARK_B         0x02020202

static struct {
    WireClient client;
    const char *topic;
    int32_t partitions;
    size_t bytes;
    uint8_t *frame;
    size_t frame_len;
    size_t index_at; /* where the partition's number stands in the frame */
    double sent_us[DEPTH_MAX];
    double *took_us;
} me;

static void
die(const char *what)
{
    fprintf(stderr, "spread: %s\n", what);
    exit(1);
}

static double
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- the topic -------------------------------------------------------------------------------------- */

static void
grow_topic(int32_t count)
{
    CreatePartitionsRequestTopic topic = {
        .name = strview_from(me.topic), .count = count, .assignments_count = -1};
    CreatePartitionsRequest request = {
        .topics = &topic, .topics_count = 1, .timeout_ms = TIMEOUT_MS};
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
    CreateTopicsRequestTopic topic;
    CreateTopicsRequest request;
    CreateTopicsResponse response;
    create_topics_request_topic_init(&topic);
    create_topics_request_init(&request);
    topic.name = strview_from(me.topic);
    topic.num_partitions = have;
    topic.replication_factor = 1;
    request.topics = &topic;
    request.topics_count = 1;
    request.timeout_ms = TIMEOUT_MS;
    if (wire_client_call(&me.client, &(WireCall){19, 7, &create_topics_request_desc, &request,
                                                 &create_topics_response_desc, &response}) !=
        WIRE_OK) {
        die("the topic cannot be made");
    }
    if (response.topics[0].error_code == KERR_TOPIC_ALREADY_EXISTS) {
        return;
    }
    if (response.topics[0].error_code != 0) {
        die("the topic cannot be made");
    }
    while (have < me.partitions) {
        have = me.partitions - have < CREATE_AT_ONCE ? me.partitions : have + CREATE_AT_ONCE;
        grow_topic(have);
    }
}

/* ---- requests --------------------------------------------------------------------------------------- */

static uint8_t *
encode(BytesView batch, int32_t index, Arena *arena)
{
    ProduceRequestPartition part = {.index = index,
                                    .records = records_in_memory(batch.ptr, batch.len)};
    ProduceRequestTopic topic = {
        .name = strview_from(me.topic), .partition_data = &part, .partition_data_count = 1};
    ProduceRequest request = {.transactional_id = WIRE_NULL_STRING,
                              .acks = 1,
                              .timeout_ms = TIMEOUT_MS,
                              .topic_data = &topic,
                              .topic_data_count = 1};
    RequestHead head = {
        .api = api_find(0), .api_version = VERSION, .client_id = STRVIEW("bench-spread")};
    FrameBody body = {&produce_request_desc, &request, VERSION};
    FrameOut out;
    if (frame_encode_request(&head, &body, &out, arena, NULL) != 0) {
        die("a request cannot be encoded");
    }
    me.frame_len = out.len;
    return out.buf;
}

/* The frame is made once; where the partition stands shows when it is made with another. */
static void
make_frame(size_t bytes)
{
    Arena *arena = arena_new(bytes * 4 + 65536, 0);
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchBuilder *builder = batch_builder_new(&options, arena);
    BatchRecord record = {.timestamp = 1, .value = {calloc(1, bytes), (int32_t)bytes}};
    BytesView batch;
    const uint8_t *other;
    if (batch_builder_add(builder, &record, NULL) != 0 ||
        batch_builder_finish(builder, &batch, NULL) != 0) {
        die("cannot build a batch");
    }
    other = encode(batch, MARK_A, arena);
    me.frame = encode(batch, MARK_B, arena);
    for (me.index_at = 0; other[me.index_at] == me.frame[me.index_at];) {
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
    ProduceResponse response;
    WireReader r;
    uint32_t len;
    receive_all(frame, 4);
    len = wire_load32(frame);
    if (len > sizeof frame) {
        die("an answer that is too long");
    }
    receive_all(frame, len);
    arena_reset(me.client.arena);
    wire_reader_init(&r, frame, len, me.client.arena);
    (void)wire_read_int32(&r, "correlationId");
    (void)wire_read_tags(&r);
    produce_response_desc.read(&r, VERSION, &response);
    if (r.err != 0 || response.responses[0].partition_responses[0].error_code != 0) {
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
            wire_store32(me.frame + me.index_at, (uint32_t)(sent % (size_t)me.partitions));
            me.sent_us[sent % DEPTH_MAX] = now_us();
            send_all(me.frame, me.frame_len);
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

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
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
    qsort(me.took_us, requests, sizeof *me.took_us, compare);
    printf("%.1f %.1f %.1f\n", (double)requests * (double)me.bytes / 1e6 / seconds,
           me.took_us[requests / 2], me.took_us[requests * 99 / 100]);
    return 0;
}
