/*
 * wire_requests.c - the requests that most programs of the tests make: a topic, a batch, a Produce of it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire_requests.h"

#include <stdio.h>
#include <stdlib.h>

#include "ottla/protocol/apis.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/frame.h"
#include "ottla/protocol/msg_create_topics.h"
#include "ottla/protocol/msg_produce.h"

#define CREATE_VERSION 7

static void
give_up(const char *what)
{
    fprintf(stderr, "wire requests: %s\n", what);
    exit(3);
}

int
wire_create_topic(WireClient *client, const char *name, int32_t partitions)
{
    CreateTopicsRequestTopic topic;
    CreateTopicsRequest request;
    CreateTopicsResponse response;
    WireCall call = {API_CreateTopics,
                     CREATE_VERSION,
                     &create_topics_request_desc,
                     &request,
                     &create_topics_response_desc,
                     &response};

    create_topics_request_topic_init(&topic);
    create_topics_request_init(&request);
    topic.name = strview_from(name);
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    request.topics = &topic;
    request.topics_count = 1;
    request.timeout_ms = WIRE_TIMEOUT_MS;
    if (wire_client_call(client, &call) != WIRE_OK || response.topics_count != 1)
        return -1;
    return response.topics[0].error_code;
}

BytesView
wire_batch(int64_t timestamp_ms, int32_t value_bytes, Arena *arena)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchBuilder *builder = batch_builder_new(&options, arena);
    uint8_t *value = arena_calloc(arena, (size_t)value_bytes, 1);
    BatchRecord record = {.timestamp = timestamp_ms, .value = {value, value_bytes}};
    BytesView batch;

    if (value == NULL || builder == NULL || batch_builder_add(builder, &record, NULL) != 0 ||
        batch_builder_finish(builder, &batch, NULL) != 0)
        give_up("cannot build a batch");
    return batch;
}

typedef struct ProduceParts {
    ProduceRequestPartition partition;
    ProduceRequestTopic topic;
    ProduceRequest request;
} ProduceParts;

static void
put_parts(ProduceParts *parts, const WireProduce *what)
{
    parts->partition = (ProduceRequestPartition){
        .index = what->partition, .records = records_in_memory(what->batch.ptr, what->batch.len)};
    parts->topic = (ProduceRequestTopic){.name = strview_from(what->topic),
                                         .partition_data = &parts->partition,
                                         .partition_data_count = 1};
    parts->request = (ProduceRequest){.transactional_id = WIRE_NULL_STRING,
                                      .acks = what->acks,
                                      .timeout_ms = WIRE_TIMEOUT_MS,
                                      .topic_data = &parts->topic,
                                      .topic_data_count = 1};
}

static int
answered(const ProduceResponse *response)
{
    if (response->responses_count != 1 || response->responses[0].partition_responses_count != 1)
        return -1;
    return response->responses[0].partition_responses[0].error_code;
}

int
wire_produce(WireClient *client, const WireProduce *what)
{
    ProduceParts parts;
    ProduceResponse response;
    WireCall call = {API_Produce,    WIRE_PRODUCE_VERSION,   &produce_request_desc,
                     &parts.request, &produce_response_desc, &response};

    put_parts(&parts, what);
    return wire_client_call(client, &call) == WIRE_OK ? answered(&response) : -1;
}

BytesView
wire_produce_frame(const WireProduce *what, Arena *arena)
{
    ProduceParts parts;
    RequestHead head = {.api = api_find(API_Produce),
                        .api_version = WIRE_PRODUCE_VERSION,
                        .client_id = STRVIEW("test")};
    FrameBody body = {&produce_request_desc, &parts.request, WIRE_PRODUCE_VERSION};
    FrameOut out;

    put_parts(&parts, what);
    if (frame_encode_request(&head, &body, &out, arena, NULL) != 0)
        give_up("a request cannot be encoded");
    return (BytesView){out.buf, (int32_t)out.len};
}

int
wire_produce_answer(BytesView frame, Arena *arena)
{
    ProduceResponse response;
    WireReader r;

    wire_reader_init(&r, frame.ptr, (size_t)frame.len, arena);
    (void)wire_read_int32(&r, "correlationId");
    (void)wire_read_tags(&r);
    produce_response_desc.read(&r, WIRE_PRODUCE_VERSION, &response);
    return r.err == 0 ? answered(&response) : -1;
}
