/*
 * one_node.c - node 1 as its controller knows it: listeners, a formatted folder, requests as backends hand them over
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/one_node.h"

#include "ottla/common/assert.h"
#include "ottla/controller/metadata_format.h"
#include "ottla/protocol/msg_create_topics.h"

#define CREATE_VERSION 7

const ListenerTable one_node_listeners = {.count = 2,
                                          .rows = {{.name = "PLAINTEXT",
                                                    .host = "localhost",
                                                    .advertised_host = "localhost",
                                                    .port = 9092,
                                                    .advertised_port = 9092,
                                                    .is_inter_broker = true},
                                                   {.name = "CONTROLLER",
                                                    .host = "localhost",
                                                    .advertised_host = "localhost",
                                                    .port = 9093,
                                                    .advertised_port = 9093,
                                                    .is_controller = true}}};

int
one_node_format(const char *folder, Uuid directory_id, int64_t now_ms, ErrInfo *err)
{
    MetadataVoter voter = {.node_id = 1,
                           .directory_id = directory_id,
                           .listener = "CONTROLLER",
                           .host = "localhost",
                           .port = 9093,
                           .now_ms = now_ms};
    int rc = metadata_format_bootstrap(folder, NULL, err);

    return rc != 0 ? rc : metadata_format_quorum(folder, &voter, err);
}

TurnItem
one_node_item(const MessageDesc *desc, int16_t version, const void *msg, Arena *arena)
{
    TurnItem item = {.request = {.api_key = desc->number, .api_version = version}};
    WireSizer size = {0};
    WireWriter w;
    uint8_t *bytes;

    desc->size(&size, version, msg);
    ot_assert(size.err == 0);
    bytes = arena_alloc(arena, size.bytes);
    ot_assert(bytes != NULL);
    wire_writer_init(&w, bytes, size.bytes);
    desc->write(&w, version, msg);
    item.request.body = (BytesView){bytes, (int32_t)size.bytes};
    return item;
}

TurnItem
one_node_create_item(const char *name, int32_t partitions, Arena *arena)
{
    CreateTopicsRequestTopic topic;
    CreateTopicsRequest request;

    create_topics_request_init(&request);
    create_topics_request_topic_init(&topic);
    topic.name = strview_from(name);
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    request.topics = &topic;
    request.topics_count = 1;
    return one_node_item(&create_topics_request_desc, CREATE_VERSION, &request, arena);
}

int16_t
one_node_created(const TurnItem *item, Arena *arena, Uuid *ret_id)
{
    CreateTopicsResponse response;
    WireReader r;

    wire_reader_init(&r, item->body.ptr, (size_t)item->body.len, arena);
    create_topics_response_read(&r, CREATE_VERSION, &response);
    ot_assert(r.err == 0 && response.topics_count == 1);
    if (ret_id != NULL)
        *ret_id = response.topics[0].topic_id;
    return response.topics[0].error_code;
}
