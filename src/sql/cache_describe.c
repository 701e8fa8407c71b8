/*
 * cache_describe.c - groups with their members: ConsumerGroupDescribe, DescribeGroups, ShareGroupDescribe; OffsetFetch
 *
 * Each kind of group is described by an API of its own. Of a group that was named nobody knows the kind: it is asked for
 * as a consumer group, then as a classic one, then as a share group, as Kafka's own tools do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_consumer_group_describe.h"
#include "ottla/protocol/msg_describe_groups.h"
#include "ottla/protocol/msg_group_records.h"
#include "ottla/protocol/msg_share_group_describe.h"
#include "sql/cache_groups_int.h"

#define ROUNDS_MAX 20 /* while a coordinator moves or loads */

/* One way to describe groups. */
typedef struct Way {
    const char *type;
    int16_t api_key;
    /* Fills *ret from a request of these ids; the storage lies in the arena. NULL: no memory. */
    void *(*request)(Arena *arena, StrView *ids, int32_t count);
    size_t response_bytes;
    int (*take)(Sql *sql, const void *response, Fault *f);
} Way;

/* What an answer says of one group. 0: take it; 1: it is not there, or not of this kind, or asked again later. */
static int
judge(Sql *sql, StrView id, int16_t error, CacheGroup **ret)
{
    CacheGroup *group = cache_map_get(&sql->cache->groups, id);

    *ret = group;
    if (group == NULL || group->described)
        return 1;
    if (client_retryable(error, NULL)) {
        group->again = true;
        return 1;
    }
    group->error = error;
    return error == 0 ? 0 : 1;
}

static CacheMember *
make_members(Sql *sql, CacheGroup *group, int32_t count)
{
    group->members = arena_calloc(sql->arena, (size_t)count + 1, sizeof *group->members);
    group->member_count = group->members == NULL ? 0 : count;
    return group->members;
}

/* ---- classic ---- */

static void *
classic_request(Arena *arena, StrView *ids, int32_t count)
{
    DescribeGroupsRequest *request = arena_calloc(arena, 1, sizeof *request);

    if (request != NULL) {
        describe_groups_request_init(request);
        request->groups = ids;
        request->groups_count = count;
    }
    return request;
}

/* The opaque bytes of protocol type "consumer"; what cannot be read is shown as nothing. */
static void
read_consumer_bytes(Sql *sql, const DescribeGroupsResponseMember *from, CacheMember *m)
{
    WireReader r;
    ConsumerProtocolAssignment assignment;
    int16_t version;

    wire_reader_init(&r, from->member_metadata.ptr, (size_t)from->member_metadata.len, sql->arena);
    version = from->member_metadata.len > 1 ? wire_read_int16(&r, "version") : -1;
    if (version >= 0) {
        StrView *topics;
        int32_t count;

        topics = wire_read_string_array(&r, false, false, &count, "topics");
        if (r.err == 0) {
            m->subscribed = topics;
            m->subscribed_count = count;
        }
    }
    wire_reader_init(&r, from->member_assignment.ptr, (size_t)from->member_assignment.len,
                     sql->arena);
    version = from->member_assignment.len > 1 ? wire_read_int16(&r, "version") : -1;
    if (version < 0)
        return;
    consumer_protocol_assignment_init(&assignment);
    consumer_protocol_assignment_read(&r, version > 3 ? 3 : version, &assignment);
    if (r.err != 0)
        return;
    m->assigned = arena_calloc(sql->arena, (size_t)assignment.assigned_partitions_count + 1,
                               sizeof *m->assigned);
    for (int32_t i = 0; m->assigned != NULL && i < assignment.assigned_partitions_count; i++)
        m->assigned[m->assigned_count++] = (CacheAssigned){
            assignment.assigned_partitions[i].topic, assignment.assigned_partitions[i].partitions,
            assignment.assigned_partitions[i].partitions_count};
}

static int
classic_take(Sql *sql, const void *response, Fault *f)
{
    const DescribeGroupsResponse *answer = response;

    for (int32_t i = 0; i < answer->groups_count; i++) {
        const DescribeGroupsResponseGroup *from = &answer->groups[i];
        CacheGroup *group;
        CacheMember *members;

        if (judge(sql, from->group_id, from->error_code, &group) != 0)
            continue;
        if (strview_equal(from->group_state,
                          STRVIEW("Dead"))) { /* before version 6: no such group */
            group->error = KERR_GROUP_ID_NOT_FOUND;
            continue;
        }
        members = make_members(sql, group, from->members_count);
        if (members == NULL)
            return cache_no_memory(f);
        group->type = STRVIEW("classic");
        group->state = from->group_state;
        group->protocol_type = from->protocol_type;
        group->protocol = from->protocol_data;
        group->described = group->exists = true;
        for (int32_t j = 0; j < from->members_count; j++) {
            const DescribeGroupsResponseMember *m = &from->members[j];

            members[j] = (CacheMember){.member_id = m->member_id,
                                       .instance_id = m->group_instance_id,
                                       .client_id = m->client_id,
                                       .host = m->client_host,
                                       .epoch = -1};
            if (strview_equal(from->protocol_type, STRVIEW("consumer")))
                read_consumer_bytes(sql, m, &members[j]);
        }
    }
    return 0;
}

/* ---- consumer ---- */

static void *
consumer_request(Arena *arena, StrView *ids, int32_t count)
{
    ConsumerGroupDescribeRequest *request = arena_calloc(arena, 1, sizeof *request);

    if (request != NULL) {
        consumer_group_describe_request_init(request);
        request->group_ids = ids;
        request->group_ids_count = count;
    }
    return request;
}

static CacheAssigned *
consumer_assigned(Sql *sql, const ConsumerGroupDescribeResponseAssignment *from, int32_t *ret_count)
{
    CacheAssigned *list =
        arena_calloc(sql->arena, (size_t)from->topic_partitions_count + 1, sizeof *list);

    *ret_count = list == NULL ? 0 : from->topic_partitions_count;
    for (int32_t i = 0; i < *ret_count; i++)
        list[i] = (CacheAssigned){from->topic_partitions[i].topic_name,
                                  from->topic_partitions[i].partitions,
                                  from->topic_partitions[i].partitions_count};
    return list;
}

static int
consumer_take(Sql *sql, const void *response, Fault *f)
{
    const ConsumerGroupDescribeResponse *answer = response;

    for (int32_t i = 0; i < answer->groups_count; i++) {
        const ConsumerGroupDescribeResponseGroup *from = &answer->groups[i];
        CacheGroup *group;
        CacheMember *members;

        if (judge(sql, from->group_id, from->error_code, &group) != 0)
            continue;
        members = make_members(sql, group, from->members_count);
        if (members == NULL)
            return cache_no_memory(f);
        group->type = STRVIEW("consumer");
        group->state = from->group_state;
        group->protocol_type = STRVIEW("consumer");
        group->protocol = from->assignor_name;
        group->epoch = from->group_epoch;
        group->described = group->exists = true;
        for (int32_t j = 0; j < from->members_count; j++) {
            const ConsumerGroupDescribeResponseMember *m = &from->members[j];

            members[j] = (CacheMember){.member_id = m->member_id,
                                       .instance_id = m->instance_id,
                                       .client_id = m->client_id,
                                       .host = m->client_host,
                                       .rack = m->rack_id,
                                       .epoch = m->member_epoch,
                                       .subscribed = m->subscribed_topic_names,
                                       .subscribed_count = m->subscribed_topic_names_count,
                                       .regex = m->subscribed_topic_regex};
            members[j].assigned =
                consumer_assigned(sql, &m->assignment, &members[j].assigned_count);
            members[j].target =
                consumer_assigned(sql, &m->target_assignment, &members[j].target_count);
        }
    }
    return 0;
}

/* ---- share ---- */

static void *
share_request(Arena *arena, StrView *ids, int32_t count)
{
    ShareGroupDescribeRequest *request = arena_calloc(arena, 1, sizeof *request);

    if (request != NULL) {
        share_group_describe_request_init(request);
        request->group_ids = ids;
        request->group_ids_count = count;
    }
    return request;
}

static int
share_take(Sql *sql, const void *response, Fault *f)
{
    const ShareGroupDescribeResponse *answer = response;

    for (int32_t i = 0; i < answer->groups_count; i++) {
        const ShareGroupDescribeResponseGroup *from = &answer->groups[i];
        CacheGroup *group;
        CacheMember *members;

        if (judge(sql, from->group_id, from->error_code, &group) != 0)
            continue;
        members = make_members(sql, group, from->members_count);
        if (members == NULL)
            return cache_no_memory(f);
        group->type = STRVIEW("share");
        group->state = from->group_state;
        group->protocol_type = STRVIEW("share");
        group->protocol = from->assignor_name;
        group->epoch = from->group_epoch;
        group->described = group->exists = true;
        for (int32_t j = 0; j < from->members_count; j++) {
            const ShareGroupDescribeResponseMember *m = &from->members[j];
            int32_t topics = m->assignment.topic_partitions_count;

            members[j] = (CacheMember){.member_id = m->member_id,
                                       .client_id = m->client_id,
                                       .host = m->client_host,
                                       .rack = m->rack_id,
                                       .epoch = m->member_epoch,
                                       .subscribed = m->subscribed_topic_names,
                                       .subscribed_count = m->subscribed_topic_names_count};
            members[j].assigned =
                arena_calloc(sql->arena, (size_t)topics + 1, sizeof *members[j].assigned);
            for (int32_t t = 0; members[j].assigned != NULL && t < topics; t++)
                members[j].assigned[members[j].assigned_count++] =
                    (CacheAssigned){m->assignment.topic_partitions[t].topic_name,
                                    m->assignment.topic_partitions[t].partitions,
                                    m->assignment.topic_partitions[t].partitions_count};
        }
    }
    return 0;
}

static const Way ways[] = {
    {"consumer", API_ConsumerGroupDescribe, consumer_request, sizeof(ConsumerGroupDescribeResponse),
     consumer_take},
    {"classic", API_DescribeGroups, classic_request, sizeof(DescribeGroupsResponse), classic_take},
    {"share", API_ShareGroupDescribe, share_request, sizeof(ShareGroupDescribeResponse),
     share_take},
};
#define WAY_COUNT ((int)(sizeof ways / sizeof ways[0]))

/* ---- asking ---- */

/* The group is to be asked this way: it is of this kind, or its kind is not known and the ways before failed. */
static bool
goes_this_way(const CacheGroup *group, const Way *way)
{
    if (group->described || group->asked)
        return false;
    return group->type.len == 0 || strview_equal(group->type, strview_from(way->type));
}

/* Up to GROUPS_AT_ONCE groups of one coordinator; they are marked as asked. */
static int32_t
gather(const CacheGroups *groups, const Way *way, StrView *ids, int32_t *ret_node)
{
    int32_t count = 0;

    for (int32_t i = 0; i < groups->count && count < GROUPS_AT_ONCE; i++) {
        CacheGroup *group = groups->groups[i];

        if (!goes_this_way(group, way) || (count > 0 && group->coordinator != *ret_node))
            continue;
        *ret_node = group->coordinator;
        group->asked = true;
        ids[count++] = group->group_id;
    }
    return count;
}

/* All groups that go this way, each once. */
static int
ask_way(Sql *sql, Client *client, const CacheGroups *groups, const Way *way, Fault *f)
{
    for (;;) {
        int32_t node = CLIENT_HERE;
        StrView *ids = arena_calloc(sql->arena, GROUPS_AT_ONCE, sizeof *ids);
        int32_t count = ids == NULL ? 0 : gather(groups, way, ids, &node);
        ClientCall call = client_call_to(node, way->api_key);
        void *request;
        void *response;

        if (ids == NULL)
            return cache_no_memory(f);
        if (count == 0)
            return 0;
        if (client_version(client, node, way->api_key) < 0)
            continue; /* the server has no such groups */
        request = way->request(sql->arena, ids, count);
        response = arena_calloc(sql->arena, 1, way->response_bytes);
        if (request == NULL || response == NULL)
            return cache_no_memory(f);
        if (client_call(client, &call, request, response, sql->arena, f) != 0 ||
            way->take(sql, response, f) != 0)
            return -1;
    }
}

static int
ask_all_ways(Sql *sql, Client *client, const CacheGroups *groups, Fault *f)
{
    for (int w = 0; w < WAY_COUNT; w++) {
        for (int32_t i = 0; i < groups->count; i++)
            groups->groups[i]->asked = groups->groups[i]->again;
        if (ask_way(sql, client, groups, &ways[w], f) != 0)
            return -1;
    }
    return 0;
}

/* Groups whose coordinator could not answer: it is looked up again. *ret_any: there are some. */
static int
prepare_again(Client *client, const CacheGroups *groups, bool *ret_any, Fault *f)
{
    *ret_any = false;
    for (int32_t i = 0; i < groups->count; i++) {
        CacheGroup *group = groups->groups[i];

        if (!group->again || group->described)
            continue;
        group->again = false;
        *ret_any = true;
        if (client_coordinator(client, 0, group->group_id, &group->coordinator, f) != 0)
            return -1;
    }
    return 0;
}

/* What is left: groups that do not exist, and those that we may not see. */
static int
look_at_rest(const CacheGroups *groups, Fault *f)
{
    for (int32_t i = 0; i < groups->count; i++) {
        CacheGroup *group = groups->groups[i];

        if (group->described)
            continue;
        if (group->error == KERR_GROUP_AUTHORIZATION_FAILED)
            return fault_kafka(f, group->error, group->coordinator,
                               "not authorized for group \"%.*s\"", group->group_id.len,
                               group->group_id.ptr);
        if (group->error == KERR_GROUP_ID_NOT_FOUND)
            group->exists = false;
        group->described = true;
    }
    return 0;
}

int
groups_describe(Sql *sql, Client *client, const CacheGroups *groups, Fault *f)
{
    int64_t deadline = client_deadline(client);

    for (int round = 1;; round++) {
        bool again;
        int waited;

        if (ask_all_ways(sql, client, groups, f) != 0 ||
            prepare_again(client, groups, &again, f) != 0)
            return -1;
        if (!again)
            return look_at_rest(groups, f);
        waited = client_backoff(client, round, deadline, f);
        if (waited < 0)
            return -1;
        if (waited > 0 || round == ROUNDS_MAX)
            return fault_kafka(f, KERR_COORDINATOR_NOT_AVAILABLE, -1, NULL);
    }
}

/* ---- offsets ---- */

static int
fetch_offsets(Sql *sql, Client *client, CacheGroup **groups, int32_t count, Fault *f)
{
    ClientCall call = client_call_to(groups[0]->coordinator, API_OffsetFetch);
    OffsetFetchRequest request;
    OffsetFetchResponse response;

    call.version_max = 9; /* names of topics; 10 has ids */
    offset_fetch_request_init(&request);
    request.groups = arena_calloc(sql->arena, (size_t)count, sizeof *request.groups);
    if (request.groups == NULL)
        return cache_no_memory(f);
    request.groups_count = count;
    for (int32_t i = 0; i < count; i++) {
        offset_fetch_request_group_init(&request.groups[i]);
        request.groups[i].group_id = groups[i]->group_id;
        request.groups[i].topics_count = -1; /* null: all */
    }
    if (client_call(client, &call, &request, &response, sql->arena, f) != 0)
        return -1;
    for (int32_t i = 0; i < response.groups_count; i++) {
        CacheGroup *group = cache_map_get(&sql->cache->groups, response.groups[i].group_id);

        if (group == NULL)
            continue;
        group->again = client_retryable(response.groups[i].error_code, NULL);
        if (response.groups[i].error_code == 0)
            group->offsets = &response.groups[i];
        else if (!group->again && response.groups[i].error_code != KERR_GROUP_ID_NOT_FOUND)
            return fault_kafka(f, response.groups[i].error_code, group->coordinator,
                               "group \"%.*s\": %s", group->group_id.len, group->group_id.ptr,
                               fault_kafka_text(response.groups[i].error_code));
    }
    return 0;
}

/* Those of one coordinator, batch by batch, each once. */
static int
offsets_round(Sql *sql, Client *client, const CacheGroups *groups, Fault *f)
{
    CacheGroup *batch[GROUPS_AT_ONCE];

    for (;;) {
        int32_t count = 0;

        for (int32_t i = 0; i < groups->count && count < GROUPS_AT_ONCE; i++) {
            CacheGroup *group = groups->groups[i];

            if (group->offsets_asked || strview_equal(group->type, STRVIEW("share")) ||
                (count > 0 && group->coordinator != batch[0]->coordinator))
                continue;
            group->offsets_asked = true;
            batch[count++] = group;
        }
        if (count == 0)
            return 0;
        if (fetch_offsets(sql, client, batch, count, f) != 0)
            return -1;
    }
}

int
cache_group_offsets(Sql *sql, const CacheGroups *groups, Fault *f)
{
    Client *client = sql_client(sql, f);
    int64_t deadline;

    if (client == NULL)
        return -1;
    deadline = client_deadline(client);
    for (int round = 1;; round++) {
        bool again = false;
        int waited;

        if (offsets_round(sql, client, groups, f) != 0)
            return -1;
        for (int32_t i = 0; i < groups->count; i++) {
            CacheGroup *group = groups->groups[i];

            if (!group->again)
                continue;
            group->again = group->offsets_asked = false;
            again = true;
            if (client_coordinator(client, 0, group->group_id, &group->coordinator, f) != 0)
                return -1;
        }
        if (!again)
            return 0;
        waited = client_backoff(client, round, deadline, f);
        if (waited < 0)
            return -1;
        if (waited > 0 || round == ROUNDS_MAX)
            return fault_kafka(f, KERR_COORDINATOR_NOT_AVAILABLE, -1, NULL);
    }
}
