/*
 * cache_offsets.c - offsets of partitions: ListOffsets, one request per leader
 *
 * A leader that moved meanwhile is looked up again a few times; what cannot be told then stays unknown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_list_offsets.h"
#include "ottla/protocol/msg_metadata.h"
#include "sql/cache_state_int.h"

#define ROUNDS_MAX 4 /* lookings-up of a leader */

/* One asking: what, and where the answers go. */
typedef struct Asking {
    Sql *sql;
    Client *client;
    int64_t timestamp;
    int8_t isolation;
    bool wants_timestamp; /* of the record, not its offset */
    const CachePart *parts;
    int32_t count;
    int64_t *values; /* a place per part */
    bool *done;
} Asking;

/* Parts of one leader that are not done, as a request. Parts of one topic stand together. */
static int
make_request(Asking *a, int32_t leader, ListOffsetsRequest *ret)
{
    int32_t topics = 0;
    int32_t partitions = 0;
    ListOffsetsRequestPartition *p;
    StrView last = {NULL, 0};

    for (int32_t i = 0; i < a->count; i++)
        partitions += !a->done[i] && a->parts[i].partition->leader == leader;
    p = arena_calloc(a->sql->arena, (size_t)partitions + 1, sizeof *p);
    list_offsets_request_init(ret);
    ret->topics = arena_calloc(a->sql->arena, (size_t)partitions + 1, sizeof *ret->topics);
    if (p == NULL || ret->topics == NULL)
        return -1;
    for (int32_t i = 0; i < a->count; i++) {
        const CachePart *part = &a->parts[i];

        if (a->done[i] || part->partition->leader != leader)
            continue;
        if (last.ptr == NULL || !strview_equal(last, part->topic->name)) {
            list_offsets_request_topic_init(&ret->topics[topics]);
            ret->topics[topics].name = last = part->topic->name;
            ret->topics[topics++].partitions = p;
        }
        list_offsets_request_partition_init(p);
        p->partition_index = part->partition->partition;
        p->timestamp = a->timestamp;
        p++;
        ret->topics[topics - 1].partitions_count++;
    }
    ret->topics_count = topics;
    ret->replica_id = -1;
    ret->isolation_level = a->isolation;
    ret->timeout_ms = 30000;
    return 0;
}

/* The part of an answer; they come in the order of the request, so the search begins behind the last one. */
static int32_t
find_part(const Asking *a, StrView topic, int32_t partition, int32_t from)
{
    for (int32_t n = 0; n < a->count; n++) {
        int32_t i = (from + n) % a->count;

        if (a->parts[i].partition->partition == partition &&
            strview_equal(a->parts[i].topic->name, topic))
            return i;
    }
    return -1;
}

static void
take_answer(Asking *a, const ListOffsetsResponse *response)
{
    int32_t at = 0;

    for (int32_t i = 0; i < response->topics_count; i++) {
        const ListOffsetsResponseTopic *topic = &response->topics[i];

        for (int32_t j = 0; j < topic->partitions_count; j++) {
            const ListOffsetsResponsePartition *p = &topic->partitions[j];
            int32_t part = find_part(a, topic->name, p->partition_index, at);

            if (part < 0)
                continue;
            at = part + 1;
            if (client_retryable(p->error_code, NULL))
                continue;
            a->done[part] = true;
            if (p->error_code == 0)
                a->values[part] = a->wants_timestamp ? p->timestamp : p->offset;
        }
    }
}

/* Leaders of what is not done, as they are now. */
static int
look_up_leaders(Asking *a, Fault *f)
{
    MetadataRequest request;
    MetadataResponse response;
    ClientCall call = client_call_to(CLIENT_HERE, API_Metadata);
    int32_t count = 0;

    metadata_request_init(&request);
    request.allow_auto_topic_creation = false;
    request.topics = arena_calloc(a->sql->arena, (size_t)a->count + 1, sizeof *request.topics);
    if (request.topics == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; i < a->count; i++) {
        StrView name = a->parts[i].topic->name;

        if (a->done[i] || (count > 0 && strview_equal(request.topics[count - 1].name, name)))
            continue;
        metadata_request_topic_init(&request.topics[count]);
        request.topics[count++].name = name;
    }
    request.topics_count = count;
    client_refresh(a->client);
    if (client_call(a->client, &call, &request, &response, a->sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.topics_count; i++) {
        const MetadataResponseTopic *topic = &response.topics[i];

        for (int32_t j = 0; topic->name.ptr != NULL && j < topic->partitions_count; j++) {
            CachePartition *p =
                cache_partition(a->sql, topic->name, topic->partitions[j].partition_index);

            if (p != NULL)
                p->leader = topic->partitions[j].leader_id;
        }
    }
    return 0;
}

/* Leaders of what is not done, each once. */
static int32_t
list_leaders(const Asking *a, int32_t *leaders, int32_t max)
{
    int32_t count = 0;

    for (int32_t i = 0; i < a->count; i++) {
        int32_t leader = a->parts[i].partition->leader;
        int32_t n = 0;

        if (a->done[i] || leader < 0)
            continue;
        while (n < count && leaders[n] != leader)
            n++;
        if (n == count && count < max)
            leaders[count++] = leader;
    }
    return count;
}

/* Asks all leaders once. */
static int
ask_round(Asking *a, Fault *f)
{
    int32_t leaders[CLIENT_CALLS_MAX];
    int32_t count = list_leaders(a, leaders, CLIENT_CALLS_MAX);
    ClientRequest *requests = arena_calloc(a->sql->arena, (size_t)count + 1, sizeof *requests);
    ListOffsetsRequest *bodies = arena_calloc(a->sql->arena, (size_t)count + 1, sizeof *bodies);
    ListOffsetsResponse *answers = arena_calloc(a->sql->arena, (size_t)count + 1, sizeof *answers);

    if (requests == NULL || bodies == NULL || answers == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; i < count; i++) {
        if (make_request(a, leaders[i], &bodies[i]) != 0)
            return cache_no_memory(f);
        requests[i].call = client_call_to(leaders[i], API_ListOffsets);
        requests[i].request = &bodies[i];
        requests[i].response = &answers[i];
    }
    if (count > 0 && client_call_many(a->client, requests, count, a->sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        int status = cache_look_at(&requests[i], f);

        if (status < 0)
            return -1;
        if (status == 0)
            take_answer(a, &answers[i]);
    }
    return 0;
}

static bool
all_done(const Asking *a)
{
    for (int32_t i = 0; i < a->count; i++)
        if (!a->done[i] && a->parts[i].partition->leader >= 0)
            return false;
    return true;
}

static int
ask(Asking *a, Fault *f)
{
    int64_t deadline;

    a->client = sql_client(a->sql, f);
    a->done = arena_calloc(a->sql->arena, (size_t)a->count + 1, sizeof *a->done);
    if (a->client == NULL)
        return -1;
    if (a->done == NULL)
        return cache_no_memory(f);
    deadline = client_deadline(a->client);
    for (int32_t i = 0; i < a->count; i++)
        a->values[i] = -1;
    for (int round = 1;; round++) {
        int waited;

        if (ask_round(a, f) != 0)
            return -1;
        if (all_done(a) || round == ROUNDS_MAX)
            return 0;
        waited = client_backoff(a->client, round, deadline, f);
        if (waited != 0)
            return waited < 0 ? -1 : 0;
        if (look_up_leaders(a, f) != 0)
            return -1;
    }
}

int
cache_offsets(Sql *sql, const CachePart *parts, int32_t count, CacheOffset what, Fault *f)
{
    static const int64_t timestamps[] = {[CACHE_OFFSET_START] = -2,
                                         [CACHE_OFFSET_END] = -1,
                                         [CACHE_OFFSET_STABLE] = -1,
                                         [CACHE_OFFSET_MAX_TIMESTAMP] = -3};
    uint8_t bit = (uint8_t)(1u << what);
    CachePart *missing = arena_calloc(sql->arena, (size_t)count + 1, sizeof *missing);
    Asking a = {.sql = sql,
                .timestamp = timestamps[what],
                .isolation = what == CACHE_OFFSET_STABLE,
                .wants_timestamp = what == CACHE_OFFSET_MAX_TIMESTAMP};

    if (missing == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; i < count; i++)
        if ((parts[i].partition->asked & bit) == 0)
            missing[a.count++] = parts[i];
    if (a.count == 0)
        return 0;
    a.parts = missing;
    a.values = arena_calloc(sql->arena, (size_t)a.count, sizeof *a.values);
    if (a.values == NULL)
        return cache_no_memory(f);
    if (ask(&a, f) != 0)
        return -1;
    for (int32_t i = 0; i < a.count; i++) {
        missing[i].partition->offsets[what] = a.values[i];
        missing[i].partition->asked |= bit;
    }
    return 0;
}

int
cache_offsets_at(Sql *sql, const CachePart *parts, int32_t count, int64_t timestamp,
                 int64_t *ret_offsets, Fault *f)
{
    Asking a = {
        .sql = sql, .timestamp = timestamp, .parts = parts, .count = count, .values = ret_offsets};

    return count == 0 ? 0 : ask(&a, f);
}
