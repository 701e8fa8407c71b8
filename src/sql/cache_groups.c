/*
 * cache_groups.c - which groups there are, and where: ListGroups, FindCoordinator
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_list_groups.h"
#include "sql/cache_groups_int.h"

#define LIST_ROUNDS 20 /* while coordinators are loading */

static int
by_group_id(const void *a, const void *b)
{
    StrView x = (*(CacheGroup *const *)a)->group_id;
    StrView y = (*(CacheGroup *const *)b)->group_id;
    int result = memcmp(x.ptr, y.ptr, (size_t)(x.len < y.len ? x.len : y.len));

    return result != 0 ? result : x.len - y.len;
}

static int
keep_listed(Sql *sql, Cache *cache, const ListGroupsResponse *response, int32_t node_id, Fault *f)
{
    for (int32_t i = 0; i < response->groups_count; i++) {
        const ListGroupsResponseGroup *from = &response->groups[i];
        CacheGroup *group = cache_map_get(&cache->groups, from->group_id);

        if (group == NULL) {
            group = arena_calloc(sql->arena, 1, sizeof *group);
            if (group == NULL || !cache_map_put(&cache->groups, sql->arena, from->group_id, group))
                return cache_no_memory(f);
        } else if (group->described) {
            continue;
        }
        *group = (CacheGroup){.group_id = from->group_id,
                              .type = from->group_type,
                              .state = from->group_state,
                              .protocol_type = from->protocol_type,
                              .coordinator = node_id,
                              .epoch = -1,
                              .exists = true};
        if (group->type.len == 0)
            group->type = STRVIEW("classic");
    }
    return 0;
}

/* All brokers once. *ret_again: one is still loading its groups. */
static int
list_round(Sql *sql, Cache *cache, Client *client, bool *ret_again, Fault *f)
{
    const DescribeClusterResponse *cluster;
    ListGroupsRequest request;
    ListGroupsResponse *answers;
    ClientRequest *requests;
    int32_t count = 0;

    *ret_again = false;
    if (cache_cluster(sql, &cluster, f) != 0)
        return -1;
    answers = arena_calloc(sql->arena, (size_t)cluster->brokers_count + 1, sizeof *answers);
    requests = arena_calloc(sql->arena, (size_t)cluster->brokers_count + 1, sizeof *requests);
    if (answers == NULL || requests == NULL)
        return cache_no_memory(f);
    list_groups_request_init(&request);
    for (int32_t i = 0; i < cluster->brokers_count && count < CLIENT_CALLS_MAX; i++) {
        if (cluster->brokers[i].is_fenced)
            continue;
        requests[count].call = client_call_to(cluster->brokers[i].broker_id, API_ListGroups);
        requests[count].request = &request;
        requests[count].response = &answers[count];
        count++;
    }
    if (count > 0 && client_call_many(client, requests, count, sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        int status = cache_look_at(&requests[i], f);

        if (status < 0)
            return -1;
        if (status != 0)
            continue;
        if (client_retryable(answers[i].error_code, NULL))
            *ret_again = true;
        else if (answers[i].error_code != 0)
            return fault_kafka(f, answers[i].error_code, requests[i].call.node_id, NULL);
        if (keep_listed(sql, cache, &answers[i], requests[i].call.node_id, f) != 0)
            return -1;
    }
    return 0;
}

static int
list_all(Sql *sql, Cache *cache, Client *client, Fault *f)
{
    int64_t deadline = client_deadline(client);

    for (int round = 1; round <= LIST_ROUNDS; round++) {
        bool again;
        int waited;

        if (list_round(sql, cache, client, &again, f) != 0)
            return -1;
        if (!again)
            break;
        waited = client_backoff(client, round, deadline, f);
        if (waited < 0)
            return -1;
        if (waited > 0)
            return fault_kafka(f, KERR_COORDINATOR_LOAD_IN_PROGRESS, -1, NULL);
    }
    cache->all_groups = true;
    sql->groups_seen = cache->groups.count;
    return 0;
}

/* Groups that are asked for by name: where they are; the rest is told by their description. */
static int
find_named(Sql *sql, Cache *cache, Client *client, const SqlKey *ids, Fault *f)
{
    for (int32_t i = 0; i < ids->count; i++) {
        StrView id = ids->values[i].bytes;
        CacheGroup *group;

        if (ids->values[i].type != SQL_TEXT || id.len == 0 || id.len > 32767 ||
            cache_map_get(&cache->groups, id) != NULL)
            continue;
        group = arena_calloc(sql->arena, 1, sizeof *group);
        id.ptr = arena_strdup(sql->arena, id);
        if (group == NULL || id.ptr == NULL ||
            !cache_map_put(&cache->groups, sql->arena, id, group))
            return cache_no_memory(f);
        *group = (CacheGroup){.group_id = id, .epoch = -1};
        if (client_coordinator(client, 0, id, &group->coordinator, f) != 0)
            return -1;
    }
    return 0;
}

int
cache_groups(Sql *sql, const SqlKey *ids, bool describe, CacheGroups *ret, Fault *f)
{
    Cache *cache = cache_of(sql, f);
    Client *client = sql_client(sql, f);
    int32_t size;

    if (cache == NULL || client == NULL)
        return -1;
    if (!cache->all_groups && (ids == NULL ? list_all(sql, cache, client, f) != 0
                                           : find_named(sql, cache, client, ids, f) != 0))
        return -1;
    size = ids == NULL ? cache->groups.count : ids->count;
    *ret = (CacheGroups){.groups = arena_calloc(sql->arena, (size_t)size + 1, sizeof *ret->groups)};
    if (ret->groups == NULL)
        return cache_no_memory(f);
    for (int32_t i = 0; ids == NULL && i < cache->groups.size; i++)
        if (cache->groups.entries[i].value != NULL)
            ret->groups[ret->count++] = cache->groups.entries[i].value;
    for (int32_t i = 0; ids != NULL && i < ids->count; i++) {
        CacheGroup *group = cache_map_get(&cache->groups, ids->values[i].bytes);

        if (group != NULL)
            ret->groups[ret->count++] = group;
    }
    if (ret->count > 0)
        qsort(ret->groups, (size_t)ret->count, sizeof *ret->groups, by_group_id);
    /* A group that was named may not exist: its description tells. */
    if ((describe || ids != NULL) && groups_describe(sql, client, ret, f) != 0)
        return -1;
    size = ret->count;
    ret->count = 0;
    for (int32_t i = 0; i < size; i++)
        if (ret->groups[i]->exists)
            ret->groups[ret->count++] = ret->groups[i];
    return 0;
}
