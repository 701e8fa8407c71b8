/*
 * cache_topics.c - topics and partitions: Metadata, DescribeTopicPartitions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_describe_topic_partitions.h"
#include "ottla/protocol/msg_metadata.h"
#include "sql/cache_state_int.h"

#define ELR_PAGES_MAX 100000 /* answers of one walk through DescribeTopicPartitions */
#define ELR_TOPICS    1000   /* of one request */

int
cache_no_memory(Fault *f)
{
    return fault_set(f, FAULT_NO_MEMORY,
                     "the answers of the cluster do not fit into the memory of a statement");
}

Cache *
cache_of(Sql *sql, Fault *f)
{
    if (sql->cache == NULL)
        sql->cache = arena_calloc(sql->arena, 1, sizeof *sql->cache);
    if (sql->cache == NULL)
        (void)cache_no_memory(f);
    return sql->cache;
}

int
cache_look_at(const ClientRequest *request, Fault *f)
{
    if (request->status == 0)
        return 0;
    if (strcmp(request->fault.sqlstate, FAULT_CANCELED) == 0 ||
        strcmp(request->fault.sqlstate, FAULT_NO_MEMORY) == 0) {
        *f = request->fault;
        return -1;
    }
    return 1;
}

static int
by_number(const void *a, const void *b)
{
    int32_t x = ((const CachePartition *)a)->partition;
    int32_t y = ((const CachePartition *)b)->partition;

    return x < y ? -1 : x > y; /* a difference wraps where a server says any number */
}

/* Java's order of names, which is that of bytes for the characters that they may have. */
static int
by_name(const void *a, const void *b)
{
    StrView x = (*(CacheTopic *const *)a)->name;
    StrView y = (*(CacheTopic *const *)b)->name;
    int result = memcmp(x.ptr, y.ptr, (size_t)(x.len < y.len ? x.len : y.len));

    return result != 0 ? result : x.len - y.len;
}

static int
keep_topic(Sql *sql, Cache *cache, const MetadataResponseTopic *from, Fault *f)
{
    CacheTopic *topic = arena_calloc(sql->arena, 1, sizeof *topic);
    CachePartition *partitions =
        arena_calloc(sql->arena, (size_t)from->partitions_count + 1, sizeof *partitions);

    if (topic == NULL || partitions == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; i < from->partitions_count; i++) {
        const MetadataResponsePartition *p = &from->partitions[i];

        partitions[i] = (CachePartition){.partition = p->partition_index,
                                         .leader = p->leader_id,
                                         .leader_epoch = p->leader_epoch,
                                         .error = p->error_code,
                                         .replicas = p->replica_nodes,
                                         .replica_count = p->replica_nodes_count,
                                         .isr = p->isr_nodes,
                                         .isr_count = p->isr_nodes_count,
                                         .offline = p->offline_replicas,
                                         .offline_count = p->offline_replicas_count,
                                         .elr_count = -1,
                                         .last_known_elr_count = -1,
                                         .offsets = {-1, -1, -1, -1}};
    }
    qsort(partitions, (size_t)from->partitions_count, sizeof *partitions, by_number);
    *topic = (CacheTopic){.name = from->name,
                          .id = from->topic_id,
                          .error = from->error_code,
                          .internal = from->is_internal,
                          .partitions = partitions,
                          .partition_count = from->partitions_count};
    return cache_map_put(&cache->topics, sql->arena, topic->name, topic) ? 0 : cache_no_memory(f);
}

/* count -1: all topics. */
static int
ask_metadata(Sql *sql, Cache *cache, MetadataRequestTopic *names, int32_t count, Fault *f)
{
    Client *client = sql_client(sql, f);
    ClientCall call = client_call_to(CLIENT_HERE, API_Metadata);
    MetadataRequest request;
    MetadataResponse response;

    if (client == NULL)
        return -1;
    metadata_request_init(&request);
    request.topics = count < 0 ? NULL : names;
    request.topics_count = count; /* -1: null, all topics */
    request.allow_auto_topic_creation = false;
    if (client_call(client, &call, &request, &response, sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.topics_count; i++) {
        const MetadataResponseTopic *topic = &response.topics[i];

        if (topic->name.ptr == NULL)
            continue;
        if (count >= 0 && topic->error_code == KERR_TOPIC_AUTHORIZATION_FAILED)
            return fault_kafka(f, topic->error_code, -1, "not authorized for topic \"%.*s\"",
                               topic->name.len, topic->name.ptr);
        if (keep_topic(sql, cache, topic, f) != 0)
            return -1;
    }
    return 0;
}

/* Those of the key's values that nobody asked for yet. */
static int
ask_named(Sql *sql, Cache *cache, const SqlKey *names, Fault *f)
{
    MetadataRequestTopic *topics =
        arena_calloc(sql->arena, (size_t)names->count + 1, sizeof *topics);
    int32_t count = 0;

    if (topics == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; i < names->count; i++) {
        StrView name = names->values[i].bytes;

        if (names->values[i].type != SQL_TEXT || name.len == 0 || name.len > 32767 ||
            cache_map_get(&cache->topics, name) != NULL)
            continue;
        metadata_request_topic_init(&topics[count]);
        topics[count].name = name;
        topics[count].name.ptr = arena_strdup(sql->arena, name);
        if (topics[count].name.ptr == NULL)
            return cache_no_memory(f);
        count++;
    }
    return count == 0 ? 0 : ask_metadata(sql, cache, topics, count, f);
}

/* An answer is there, and the topic exists. */
static bool
exists(const CacheTopic *topic)
{
    return topic != NULL && topic->error != KERR_UNKNOWN_TOPIC_OR_PARTITION &&
           topic->error != KERR_INVALID_TOPIC_EXCEPTION &&
           topic->error != KERR_TOPIC_AUTHORIZATION_FAILED;
}

CacheTopic *
cache_topic(Sql *sql, StrView name)
{
    CacheTopic *topic = sql->cache == NULL ? NULL : cache_map_get(&sql->cache->topics, name);

    return exists(topic) ? topic : NULL;
}

CachePartition *
cache_partition(Sql *sql, StrView name, int32_t number)
{
    CacheTopic *topic = cache_topic(sql, name);
    CachePartition wanted = {.partition = number};

    return topic == NULL || topic->partition_count == 0
               ? NULL
               : bsearch(&wanted, topic->partitions, (size_t)topic->partition_count, sizeof wanted,
                         by_number);
}

static void
count_for_planner(Sql *sql, const CacheTopics *all)
{
    sql->topics_seen = all->count;
    sql->partitions_seen = 0;
    for (int32_t i = 0; i < all->count; i++)
        sql->partitions_seen += all->topics[i]->partition_count;
}

int
cache_topics(Sql *sql, const SqlKey *names, CacheTopics *ret, Fault *f)
{
    Cache *cache = cache_of(sql, f);
    int32_t size;

    if (cache == NULL)
        return -1;
    if (!cache->all_topics) {
        if (names == NULL ? ask_metadata(sql, cache, NULL, -1, f) != 0
                          : ask_named(sql, cache, names, f) != 0)
            return -1;
        cache->all_topics = names == NULL;
    }
    size = names == NULL ? cache->topics.count : names->count;
    *ret = (CacheTopics){.topics = arena_calloc(sql->arena, (size_t)size + 1, sizeof *ret->topics)};
    if (ret->topics == NULL)
        return cache_no_memory(f);
    if (names == NULL) {
        for (int32_t i = 0; i < cache->topics.size; i++)
            if (exists(cache->topics.entries[i].value))
                ret->topics[ret->count++] = cache->topics.entries[i].value;
    } else {
        for (int32_t i = 0; i < names->count; i++) {
            CacheTopic *topic = cache_topic(sql, names->values[i].bytes);

            if (topic != NULL)
                ret->topics[ret->count++] = topic;
        }
    }
    qsort(ret->topics, (size_t)ret->count, sizeof *ret->topics, by_name);
    if (names == NULL)
        count_for_planner(sql, ret);
    return 0;
}

/* ---- eligible leaders ---- */

static void
keep_elr(Sql *sql, const DescribeTopicPartitionsResponse *response)
{
    for (int32_t i = 0; i < response->topics_count; i++) {
        const DescribeTopicPartitionsResponseTopic *topic = &response->topics[i];

        for (int32_t j = 0; j < topic->partitions_count; j++) {
            const DescribeTopicPartitionsResponsePartition *from = &topic->partitions[j];
            CachePartition *p = topic->name.ptr == NULL
                                    ? NULL
                                    : cache_partition(sql, topic->name, from->partition_index);

            if (p == NULL)
                continue;
            if (from->eligible_leader_replicas_count >= 0) {
                p->elr = from->eligible_leader_replicas;
                p->elr_count = from->eligible_leader_replicas_count;
            }
            if (from->last_known_elr_count >= 0) {
                p->last_known_elr = from->last_known_elr;
                p->last_known_elr_count = from->last_known_elr_count;
            }
        }
    }
}

/* All pages of some topics. */
static int
walk_elr(Sql *sql, Client *client, DescribeTopicPartitionsRequestTopic *topics, int32_t count,
         Fault *f)
{
    ClientCall call = client_call_to(CLIENT_HERE, API_DescribeTopicPartitions);
    DescribeTopicPartitionsRequest request;
    DescribeTopicPartitionsRequestCursor cursor;

    describe_topic_partitions_request_init(&request);
    request.topics = topics;
    request.topics_count = count;
    for (int page = 0; page < ELR_PAGES_MAX; page++) {
        DescribeTopicPartitionsResponse response;

        if (client_call(client, &call, &request, &response, sql->arena, f) != 0)
            return -1;
        keep_elr(sql, &response);
        if (response.next_cursor == NULL)
            return 0;
        describe_topic_partitions_request_cursor_init(&cursor);
        cursor.topic_name = response.next_cursor->topic_name;
        cursor.partition_index = response.next_cursor->partition_index;
        request.cursor = &cursor;
    }
    return 0;
}

int
cache_elr(Sql *sql, const CacheTopics *topics, Fault *f)
{
    Client *client = sql_client(sql, f);
    DescribeTopicPartitionsRequestTopic *names =
        arena_calloc(sql->arena, ELR_TOPICS, sizeof *names);
    int32_t count = 0;

    if (client == NULL)
        return -1;
    if (names == NULL)
        return cache_no_memory(f);
    if (client_version(client, CLIENT_HERE, API_DescribeTopicPartitions) < 0)
        return 0;
    for (int32_t i = 0; i <= topics->count; i++) {
        if (count > 0 && (i == topics->count || count == ELR_TOPICS)) {
            if (walk_elr(sql, client, names, count, f) != 0)
                return -1;
            count = 0;
        }
        if (i < topics->count && !topics->topics[i]->elr_asked) {
            describe_topic_partitions_request_topic_init(&names[count]);
            names[count++].name = topics->topics[i]->name;
            topics->topics[i]->elr_asked = true;
        }
    }
    return 0;
}
