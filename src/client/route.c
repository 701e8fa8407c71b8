/*
 * route.c - who must be asked: brokers, leaders, coordinators, the controller
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: trusts what it knows for longer than CLIENT_FRESH_MS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client/client_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/clock.h"
#include "ottla/protocol/msg_find_coordinator.h"
#include "ottla/protocol/msg_metadata.h"

#define UNKNOWN_TOPIC_TRIES \
    3 /* of a foreign node: a new topic reaches its brokers one after another */

static int
by_node(const void *a, const void *b)
{
    const ClientBroker *left = a;
    const ClientBroker *right = b;

    return (left->node_id > right->node_id) - (left->node_id < right->node_id);
}

/* Copies the brokers out of an answer; the old ones go. */
static int
take_brokers(Client *c, const MetadataResponse *response, Fault *f)
{
    int32_t count = response->brokers_count;

    c->broker_count = 0;
    arena_reset(c->meta);
    c->brokers = arena_calloc(c->meta, (size_t)count, sizeof c->brokers[0]);
    if (c->brokers == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for %d brokers", count);
    for (int32_t i = 0; i < count; i++) {
        const MetadataResponseBroker *from = &response->brokers[i];
        ClientBroker *to = &c->brokers[i];

        to->node_id = from->node_id;
        to->port = from->port;
        to->host = arena_strdup(c->meta, from->host);
        to->rack = arena_strdup(c->meta, from->rack);
        if (to->host == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "no memory for %d brokers", count);
    }
    qsort(c->brokers, (size_t)count, sizeof c->brokers[0], by_node);
    c->broker_count = count;
    c->controller_id = response->controller_id;
    c->brokers_ms = clock_mono_ms();
    (void)snprintf(c->cluster_id, sizeof c->cluster_id, "%.*s", response->cluster_id.len,
                   response->cluster_id.ptr == NULL ? "" : response->cluster_id.ptr);
    fault_clean(c->cluster_id);
    return 0;
}

static TopicLeaders *
find_topic(Client *c, StrView name)
{
    for (int i = 0; i < CLIENT_TOPICS_MAX; i++) {
        TopicLeaders *topic = &c->topics[i];

        if (topic->name[0] != '\0' && strview_equal(strview_from(topic->name), name))
            return topic;
    }
    return NULL;
}

/* Remembers the leaders of one topic, in the place of the one that was asked for longest ago. */
static int
take_leaders(Client *c, const MetadataResponseTopic *from, StrView name, Fault *f)
{
    TopicLeaders *topic = find_topic(c, name);
    int32_t count = from->partitions_count;
    int32_t *leaders = malloc((size_t)(count > 0 ? count : 1) * sizeof *leaders);

    if (leaders == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for %d partitions", count);
    for (int i = 1; topic == NULL && i < CLIENT_TOPICS_MAX; i++) {
        if (c->topics[i].fetched_ms < c->topics[0].fetched_ms) {
            TopicLeaders old = c->topics[0];
            c->topics[0] = c->topics[i];
            c->topics[i] = old;
        }
    }
    if (topic == NULL)
        topic = &c->topics[0];
    for (int32_t i = 0; i < count; i++)
        leaders[i] = -1;
    for (int32_t i = 0; i < count; i++) {
        const MetadataResponsePartition *partition = &from->partitions[i];

        if (partition->partition_index >= 0 && partition->partition_index < count)
            leaders[partition->partition_index] = partition->leader_id;
    }
    free(topic->leaders);
    *topic = (TopicLeaders){.fetched_ms = clock_mono_ms(), .count = count, .leaders = leaders};
    (void)snprintf(topic->name, sizeof topic->name, "%.*s", name.len, name.ptr);
    return 0;
}

/* What the answer says of the topic that was asked for. */
static int
take_topic(Client *c, const MetadataResponse *response, StrView name, Fault *f)
{
    const MetadataResponseTopic *topic = response->topics_count > 0 ? response->topics : NULL;

    if (topic == NULL || !strview_equal(topic->name, name))
        return fault_set(f, FAULT_BAD_REPLY, "an answer to Metadata about another topic");
    if (topic->error_code == KERR_UNKNOWN_TOPIC_OR_PARTITION)
        return fault_kafka(f, topic->error_code, c->info.node_id, "topic \"%.*s\" does not exist",
                           name.len, name.ptr);
    if (topic->error_code != KERR_NONE && topic->error_code != KERR_LEADER_NOT_AVAILABLE)
        return fault_kafka(f, topic->error_code, c->info.node_id, "topic \"%.*s\": %s", name.len,
                           name.ptr, fault_kafka_text(topic->error_code));
    return take_leaders(c, topic, name, f);
}

int
route_fetch(Client *c, StrView topic, Fault *f)
{
    ClientCall call = client_call_to(CLIENT_HERE, API_Metadata);
    Arena *arena;
    MetadataRequest request;
    MetadataRequestTopic wanted;
    MetadataResponse response;
    int status;

    if (topic.ptr != NULL && topic.len >= (int32_t)sizeof c->topics[0].name)
        return fault_set(f, "42602", "a topic's name of %d bytes", topic.len);
    arena = arena_new((size_t)64 << 10, CLIENT_META_MAX_BYTES);
    if (arena == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for metadata");
    metadata_request_init(&request);
    metadata_request_topic_init(&wanted);
    wanted.name = topic;
    request.allow_auto_topic_creation = false;
    request.topics = &wanted;
    request.topics_count = topic.ptr == NULL ? 0 : 1;
    status = conn_call(c, client_first(c), &call, &request, &response, arena, f);
    if (status == 0 && response.error_code != KERR_NONE)
        status = fault_kafka(f, response.error_code, c->info.node_id, NULL);
    if (status == 0)
        status = take_brokers(c, &response, f);
    if (status == 0 && topic.ptr != NULL)
        status = take_topic(c, &response, topic, f);
    arena_free(arena);
    return status;
}

const ClientBroker *
route_broker(const Client *c, int32_t node_id)
{
    for (int32_t i = 0; i < c->broker_count; i++) {
        if (c->brokers[i].node_id == node_id)
            return &c->brokers[i];
    }
    return NULL;
}

static bool
fresh(int64_t since_ms)
{
    return since_ms != 0 && clock_mono_ms() - since_ms < CLIENT_FRESH_MS;
}

/* Makes sure that brokers are known and not old. */
static int
need_brokers(Client *c, Fault *f)
{
    if (client_reconnect(c, f) != 0)
        return -1;
    return fresh(c->brokers_ms) ? 0 : route_fetch(c, WIRE_NULL_STRING, f);
}

int
client_brokers(Client *c, const ClientBroker **ret, int32_t *ret_count, Fault *f)
{
    if (need_brokers(c, f) != 0)
        return -1;
    *ret = c->brokers;
    *ret_count = c->broker_count;
    return 0;
}

int
client_controller(Client *c, int32_t *ret_node, Fault *f)
{
    if (need_brokers(c, f) != 0)
        return -1;
    if (c->controller_id < 0)
        return fault_kafka(f, KERR_BROKER_NOT_AVAILABLE, c->info.node_id, "there is no controller");
    *ret_node = c->controller_id;
    return 0;
}

/* The topic's leaders, asked for again when they are old. */
static int
need_topic(Client *c, StrView name, TopicLeaders **ret, Fault *f)
{
    int64_t deadline_ms = client_deadline(c);

    if (client_reconnect(c, f) != 0)
        return -1;
    *ret = find_topic(c, name);
    if (*ret != NULL && fresh((*ret)->fetched_ms))
        return 0;
    for (int attempt = 1; route_fetch(c, name, f) != 0; attempt++) {
        int more;

        if (f->kafka_error != KERR_UNKNOWN_TOPIC_OR_PARTITION || c->info.is_ottla ||
            attempt > UNKNOWN_TOPIC_TRIES)
            return -1;
        more = client_backoff(c, attempt, deadline_ms, f);
        if (more != 0)
            return -1;
    }
    *ret = find_topic(c, name);
    return *ret != NULL ? 0 : fault_set(f, FAULT_INTERNAL, "leaders of a topic are lost");
}

int
client_partition_count(Client *c, StrView topic, int32_t *ret_count, Fault *f)
{
    TopicLeaders *found;

    if (need_topic(c, topic, &found, f) != 0)
        return -1;
    *ret_count = found->count;
    return 0;
}

int
client_leader(Client *c, StrView topic, int32_t partition, int32_t *ret_node, Fault *f)
{
    int64_t deadline_ms = client_deadline(c);

    for (int attempt = 1;; attempt++) {
        TopicLeaders *found;
        int more;

        if (need_topic(c, topic, &found, f) != 0)
            return -1;
        if (partition < 0 || partition >= found->count) {
            (void)fault_kafka(f, KERR_UNKNOWN_TOPIC_OR_PARTITION, c->info.node_id,
                              "topic \"%.*s\" has no partition %d", topic.len, topic.ptr,
                              partition);
            fault_hint(f, "Its partitions are 0 to %d.", found->count - 1);
            return -1;
        }
        *ret_node = found->leaders[partition];
        if (*ret_node >= 0)
            return 0;
        found->fetched_ms = 0;
        (void)fault_kafka(f, KERR_LEADER_NOT_AVAILABLE, c->info.node_id,
                          "partition %d of topic \"%.*s\" has no leader", partition, topic.len,
                          topic.ptr);
        more = client_backoff(c, attempt, deadline_ms, f);
        if (more != 0)
            return -1;
    }
}

void
client_refresh(Client *c)
{
    c->brokers_ms = 0;
    for (int i = 0; i < CLIENT_TOPICS_MAX; i++)
        c->topics[i].fetched_ms = 0;
}

/* One question for a coordinator. Gives the error of the answer, whose form changed with version 4. */
static int
ask_coordinator(Client *c, int8_t key_type, StrView key, int32_t *ret_node, int16_t *ret_error,
                Fault *f)
{
    ClientCall call = client_call_to(CLIENT_HERE, API_FindCoordinator);
    Arena *arena = arena_new((size_t)16 << 10, (size_t)1 << 20);
    FindCoordinatorRequest request;
    FindCoordinatorResponse response;
    int status;

    if (arena == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a coordinator");
    find_coordinator_request_init(&request);
    request.key_type = key_type;
    if (client_version(c, CLIENT_HERE, API_FindCoordinator) >= 4) {
        request.coordinator_keys = &key;
        request.coordinator_keys_count = 1;
    } else {
        request.key = key;
    }
    status = client_call(c, &call, &request, &response, arena, f);
    if (status == 0 && response.coordinators_count > 0) {
        *ret_error = response.coordinators[0].error_code;
        *ret_node = response.coordinators[0].node_id;
    } else if (status == 0) {
        *ret_error = response.error_code;
        *ret_node = response.node_id;
    }
    arena_free(arena);
    return status;
}

int
client_coordinator(Client *c, int8_t key_type, StrView key, int32_t *ret_node, Fault *f)
{
    static const char *const kinds[] = {"group", "transactional id", "share group"};
    int64_t deadline_ms = client_deadline(c);
    const char *kind = key_type >= 0 && key_type <= 2 ? kinds[key_type] : "key";

    for (int attempt = 1;; attempt++) {
        int16_t error = KERR_NONE;
        int more;

        if (ask_coordinator(c, key_type, key, ret_node, &error, f) != 0)
            return -1;
        if (error == KERR_NONE && *ret_node >= 0)
            return 0;
        if (error == KERR_NONE)
            error = KERR_COORDINATOR_NOT_AVAILABLE;
        (void)fault_kafka(f, error, c->info.node_id, "no coordinator of %s \"%.*s\": %s", kind,
                          key.len, key.ptr, fault_kafka_text(error));
        if (!client_retryable(error, NULL))
            return -1;
        more = client_backoff(c, attempt, deadline_ms, f);
        if (more != 0)
            return -1;
    }
}
