/*
 * cache_nodes.c - brokers and what lies on them: DescribeCluster, DescribeLogDirs, reassignments, configs of topics
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>

#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_metadata.h"
#include "sql/cache_state_int.h"

#define CONFIG_TOPICS 500 /* of one request */
#define REPLICA_KEY   320 /* bytes of "topic/partition/node" */

/* What a server without DescribeCluster knows. */
static int
cluster_from_metadata(Sql *sql, Client *client, DescribeClusterResponse *ret, Fault *f)
{
    ClientCall call = client_call_to(CLIENT_HERE, API_Metadata);
    MetadataRequest request;
    MetadataRequestTopic none;
    MetadataResponse response;

    metadata_request_init(&request);
    metadata_request_topic_init(&none);
    request.topics = &none;
    request.allow_auto_topic_creation = false;
    if (client_call(client, &call, &request, &response, sql->arena, f) != 0)
        return -1;
    *ret = (DescribeClusterResponse){.cluster_id = response.cluster_id,
                                     .controller_id = response.controller_id,
                                     .brokers_count = response.brokers_count};
    ret->brokers =
        arena_calloc(sql->arena, (size_t)response.brokers_count + 1, sizeof *ret->brokers);
    if (ret->brokers == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; i < response.brokers_count; i++) {
        ret->brokers[i].broker_id = response.brokers[i].node_id;
        ret->brokers[i].host = response.brokers[i].host;
        ret->brokers[i].port = response.brokers[i].port;
        ret->brokers[i].rack = response.brokers[i].rack;
    }
    return 0;
}

static int
by_id(const void *a, const void *b)
{
    int32_t x = ((const DescribeClusterResponseBroker *)a)->broker_id;
    int32_t y = ((const DescribeClusterResponseBroker *)b)->broker_id;

    return x < y ? -1 : x > y;
}

int
cache_cluster(Sql *sql, const DescribeClusterResponse **ret, Fault *f)
{
    Cache *cache = cache_of(sql, f);
    Client *client = sql_client(sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeCluster);
    DescribeClusterRequest request;
    DescribeClusterResponse *response;

    if (cache == NULL || client == NULL)
        return -1;
    if (cache->cluster == NULL) {
        int16_t version = client_version(client, CLIENT_HERE, API_DescribeCluster);

        response = arena_calloc(sql->arena, 1, sizeof *response);
        if (response == NULL)
            return cache_no_memory(f);
        describe_cluster_request_init(&request);
        request.include_fenced_brokers = version >= 2;
        if (version < 0 ? cluster_from_metadata(sql, client, response, f) != 0
                        : client_call(client, &call, &request, response, sql->arena, f) != 0)
            return -1;
        if (response->error_code != 0)
            return fault_kafka(f, response->error_code, -1, NULL);
        if (response->brokers_count > 0)
            qsort(response->brokers, (size_t)response->brokers_count, sizeof *response->brokers,
                  by_id);
        cache->cluster = response;
    }
    *ret = cache->cluster;
    return 0;
}

/* ---- directories ---- */

static int
begin_dirs(Sql *sql, Cache *cache, Fault *f)
{
    const DescribeClusterResponse *cluster;

    if (cache->dirs != NULL)
        return 0;
    if (cache_cluster(sql, &cluster, f) != 0)
        return -1;
    cache->dirs = arena_calloc(sql->arena, (size_t)cluster->brokers_count + 1, sizeof *cache->dirs);
    cache->dirs_asked =
        arena_calloc(sql->arena, (size_t)cluster->brokers_count + 1, sizeof *cache->dirs_asked);
    if (cache->dirs == NULL || cache->dirs_asked == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; i < cluster->brokers_count; i++) {
        cache->dirs[i].node_id = cluster->brokers[i].broker_id;
        cache->dirs_asked[i] = cluster->brokers[i].is_fenced; /* would not answer */
    }
    cache->dir_count = cluster->brokers_count;
    return 0;
}

static bool
wants_node(const SqlKey *nodes, int32_t node_id)
{
    for (int32_t i = 0; nodes != NULL && i < nodes->count; i++)
        if (nodes->values[i].integer == node_id)
            return true;
    return nodes == NULL;
}

static StrView
replica_key(char text[REPLICA_KEY], StrView topic, int32_t partition, int32_t node_id)
{
    int len = snprintf(text, REPLICA_KEY, "%.*s/%" PRId32 "/%" PRId32, topic.len, topic.ptr,
                       partition, node_id);

    return (StrView){text, len < REPLICA_KEY ? len : REPLICA_KEY - 1};
}

static int
keep_log(Sql *sql, Cache *cache, StrView key, CacheLog log, Fault *f)
{
    CacheLog *first = cache_map_get(&cache->logs, key);
    CacheLog *copy = arena_calloc(sql->arena, 1, sizeof *copy);
    const char *text;

    if (copy == NULL)
        return cache_no_memory(f);
    *copy = log;
    if (first != NULL && first->log->is_future_key) { /* the one in use goes in front */
        *copy = *first;
        log.next = copy;
        *first = log;
        return 0;
    }
    if (first != NULL) {
        copy->next = first->next;
        first->next = copy;
        return 0;
    }
    text = arena_strdup(sql->arena, key);
    return text != NULL && cache_map_put(&cache->logs, sql->arena, (StrView){text, key.len}, copy)
               ? 0
               : cache_no_memory(f);
}

/* The logs of one node. */
static int
keep_logs(Sql *sql, Cache *cache, const CacheDirs *dirs, Fault *f)
{
    for (int32_t d = 0; d < dirs->response.results_count; d++) {
        const DescribeLogDirsResponseResult *dir = &dirs->response.results[d];

        for (int32_t t = 0; t < dir->topics_count; t++) {
            const DescribeLogDirsResponseTopic *topic = &dir->topics[t];

            for (int32_t p = 0; p < topic->partitions_count; p++) {
                char text[REPLICA_KEY];
                StrView key = replica_key(text, topic->name, topic->partitions[p].partition_index,
                                          dirs->node_id);

                if (keep_log(sql, cache, key, (CacheLog){dir, &topic->partitions[p], NULL}, f) != 0)
                    return -1;
            }
        }
    }
    return 0;
}

int
cache_dirs(Sql *sql, const SqlKey *nodes, CacheDirs **ret, int32_t *ret_count, Fault *f)
{
    Cache *cache = cache_of(sql, f);
    Client *client = sql_client(sql, f);
    DescribeLogDirsRequest request;
    ClientRequest *requests = arena_calloc(sql->arena, CLIENT_CALLS_MAX, sizeof *requests);
    int32_t places[CLIENT_CALLS_MAX];
    int32_t count = 0;

    if (cache == NULL || client == NULL || begin_dirs(sql, cache, f) != 0)
        return -1;
    if (requests == NULL)
        return cache_no_memory(f);
    describe_log_dirs_request_init(&request);
    request.topics_count = -1; /* null: all */
    for (int32_t i = 0; i < cache->dir_count && count < CLIENT_CALLS_MAX; i++) {
        if (cache->dirs_asked[i] || !wants_node(nodes, cache->dirs[i].node_id))
            continue;
        requests[count] =
            (ClientRequest){.call = client_call_to(cache->dirs[i].node_id, API_DescribeLogDirs),
                            .request = &request,
                            .response = &cache->dirs[i].response};
        places[count++] = i;
    }
    if (count > 0 && client_call_many(client, requests, count, sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        CacheDirs *dirs = &cache->dirs[places[i]];
        int status = cache_look_at(&requests[i], f);

        if (status < 0)
            return -1;
        cache->dirs_asked[places[i]] = true;
        if (status != 0)
            continue;
        if (dirs->response.error_code != 0)
            return fault_kafka(f, dirs->response.error_code, dirs->node_id, NULL);
        dirs->reached = true;
        if (keep_logs(sql, cache, dirs, f) != 0)
            return -1;
    }
    *ret = cache->dirs;
    *ret_count = cache->dir_count;
    return 0;
}

const CacheLog *
cache_logs(Sql *sql, StrView topic, int32_t partition, int32_t node_id)
{
    char text[REPLICA_KEY];

    return sql->cache == NULL
               ? NULL
               : cache_map_get(&sql->cache->logs, replica_key(text, topic, partition, node_id));
}

int64_t
cache_replica_bytes(Sql *sql, StrView topic, int32_t partition, int32_t node_id)
{
    const CacheLog *log = cache_logs(sql, topic, partition, node_id);

    return log == NULL || log->log->is_future_key ? -1 : log->log->partition_size;
}

/* ---- reassignments ---- */

int
cache_reassignments(Sql *sql, const ListPartitionReassignmentsResponse **ret, Fault *f)
{
    Cache *cache = cache_of(sql, f);
    Client *client = sql_client(sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_ListPartitionReassignments);
    ListPartitionReassignmentsRequest request;
    ListPartitionReassignmentsResponse *response;

    if (cache == NULL || client == NULL)
        return -1;
    if (cache->reassignments == NULL) {
        response = arena_calloc(sql->arena, 1, sizeof *response);
        if (response == NULL)
            return cache_no_memory(f);
        list_partition_reassignments_request_init(&request);
        request.timeout_ms = 30000;
        request.topics_count = -1; /* null: all */
        if (client_call(client, &call, &request, response, sql->arena, f) != 0)
            return -1;
        if (response->error_code != 0)
            return fault_kafka(f, response->error_code, -1, NULL);
        cache->reassignments = response;
    }
    *ret = cache->reassignments;
    return 0;
}

/* ---- configs of topics ---- */

static int
ask_configs(Sql *sql, Client *client, DescribeConfigsRequestResource *resources, int32_t count,
            Fault *f)
{
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeConfigs);
    DescribeConfigsRequest request;
    DescribeConfigsResponse response;

    describe_configs_request_init(&request);
    request.resources = resources;
    request.resources_count = count;
    if (client_call(client, &call, &request, &response, sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.results_count; i++) {
        CacheTopic *topic = cache_topic(sql, response.results[i].resource_name);

        if (topic != NULL && response.results[i].error_code == 0)
            topic->configs = &response.results[i];
    }
    return 0;
}

int
cache_topic_configs(Sql *sql, const CacheTopics *topics, Fault *f)
{
    Client *client = sql_client(sql, f);
    DescribeConfigsRequestResource *resources =
        arena_calloc(sql->arena, CONFIG_TOPICS, sizeof *resources);
    int32_t count = 0;

    if (client == NULL)
        return -1;
    if (resources == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; i <= topics->count; i++) {
        if (count > 0 && (i == topics->count || count == CONFIG_TOPICS)) {
            if (ask_configs(sql, client, resources, count, f) != 0)
                return -1;
            count = 0;
        }
        if (i < topics->count && !topics->topics[i]->configs_asked) {
            describe_configs_request_resource_init(&resources[count]);
            resources[count].resource_type = 2;             /* topic */
            resources[count].configuration_keys_count = -1; /* null: all */
            resources[count++].resource_name = topics->topics[i]->name;
            topics->topics[i]->configs_asked = true;
        }
    }
    return 0;
}

const DescribeConfigsResponseResourceResult *
cache_topic_config(const CacheTopic *topic, const char *name)
{
    for (int32_t i = 0; topic->configs != NULL && i < topic->configs->configs_count; i++)
        if (strview_equal(topic->configs->configs[i].name, strview_from(name)))
            return &topic->configs->configs[i];
    return NULL;
}
