/*
 * serve.c - requests of coordinators: decode, find the shard, hand over
 *
 * Runs in: coordinator. Requests that name one group are here, the others in serve_many.c. What a shard that
 * is loading answers: groups-and-transactions.md 1.4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "coordinator/worker_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/log.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_delete_groups.h"
#include "ottla/protocol/msg_group_walk.h"
#include "ottla/protocol/msg_list_groups.h"

/* Hands a request of one group to its shard. */
typedef void (*ServeOne)(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
                         const void *in);

typedef struct ServeRow {
    int16_t api_key;
    const MessageDesc *request;
    ServeOne one;                        /* NULL: several groups, */
    void (*many)(Worker *w, Served *s);  /* which this serves */
    StrView (*group_of)(const void *in); /* of one */
} ServeRow;

/* The functions of a row whose request names one group. */
#define ONE(serve, group_of, shard_function, Type)                                                 \
    static void serve(GroupShard *shard, GroupEnv *env, const GroupCaller *caller, const void *in) \
    {                                                                                              \
        shard_function(shard, env, caller, (const Type *)in);                                      \
    }                                                                                              \
    static StrView group_of(const void *in)                                                        \
    {                                                                                              \
        return ((const Type *)in)->group_id;                                                       \
    }

ONE(serve_join_group, group_of_join_group, shard_join_group, JoinGroupRequest)
ONE(serve_sync_group, group_of_sync_group, shard_sync_group, SyncGroupRequest)
ONE(serve_heartbeat, group_of_heartbeat, shard_heartbeat, HeartbeatRequest)
ONE(serve_leave_group, group_of_leave_group, shard_leave_group, LeaveGroupRequest)
ONE(serve_consumer_heartbeat, group_of_consumer_heartbeat, shard_consumer_heartbeat,
    ConsumerGroupHeartbeatRequest)
ONE(serve_offset_commit, group_of_offset_commit, shard_offset_commit, OffsetCommitRequest)
ONE(serve_offset_delete, group_of_offset_delete, shard_offset_delete, OffsetDeleteRequest)

static const ServeRow rows[] = {
    {8, &offset_commit_request_desc, serve_offset_commit, NULL, group_of_offset_commit},
    {9, &offset_fetch_request_desc, NULL, serve_offset_fetch, NULL},
    {11, &join_group_request_desc, serve_join_group, NULL, group_of_join_group},
    {12, &heartbeat_request_desc, serve_heartbeat, NULL, group_of_heartbeat},
    {13, &leave_group_request_desc, serve_leave_group, NULL, group_of_leave_group},
    {14, &sync_group_request_desc, serve_sync_group, NULL, group_of_sync_group},
    {15, &describe_groups_request_desc, NULL, serve_describe_groups, NULL},
    {16, &list_groups_request_desc, NULL, serve_list_groups, NULL},
    {42, &delete_groups_request_desc, NULL, serve_delete_groups, NULL},
    {47, &offset_delete_request_desc, serve_offset_delete, NULL, group_of_offset_delete},
    {68, &consumer_group_heartbeat_request_desc, serve_consumer_heartbeat, NULL,
     group_of_consumer_heartbeat},
    {69, &consumer_group_describe_request_desc, NULL, serve_consumer_describe, NULL},
    {COORDINATOR_WALK_KEY, &group_walk_request_desc, NULL, serve_walk, NULL},
};

static const ServeRow *
find_row(int16_t api_key)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].api_key == api_key)
            return &rows[i];
    return NULL;
}

void
serve_status(const Served *s, int16_t status)
{
    answer_release(answer_new(s->cookie, status, NULL, 0, NULL));
}

/* Members of classic groups must not rejoin because their coordinator reads its log. */
static void
answer_heartbeat_while_loading(const Served *s)
{
    HeartbeatResponse out;

    heartbeat_response_init(&out);
    answer_release(answer_new(s->cookie, 0, &heartbeat_response_desc, s->head.api_version, &out));
}

static void
serve_one(Worker *w, const Served *s, const ServeRow *row)
{
    StrView group_id = row->group_of(s->in);
    Host *host = host_of_group(w, group_id);
    int16_t status = host_status(host);
    GroupCaller caller = {.api_version = s->head.api_version,
                          .client_id =
                              s->head.client_id.ptr == NULL ? STRVIEW("") : s->head.client_id,
                          .client_host = s->head.client_host};
    GroupEnv env;

    if (status == KERR_COORDINATOR_LOAD_IN_PROGRESS && row->request == &heartbeat_request_desc) {
        answer_heartbeat_while_loading(s);
        return;
    }
    if (status != 0) {
        serve_status(s, status);
        return;
    }
    caller.token = call_begin(&w->calls, s->cookie, s->head.api_key, host->partition);
    env_begin(w, &env);
    row->one(host->shard, &env, &caller, s->in);
    env_end(w);
    host_take_out(w, host);
}

void
serve_request(Worker *w, const MboxRequest *request, Arena *arena)
{
    Served s = {.cookie = &request->cookie, .arena = arena};
    const ServeRow *row;
    WireReader reader;

    if (!coordinator_request_decode((BytesView){request->bytes, (int32_t)request->size}, &s.head)) {
        serve_status(&s, KERR_INVALID_REQUEST);
        return;
    }
    row = find_row(s.head.api_key);
    if (row == NULL || !message_has_version(row->request, s.head.api_version)) {
        serve_status(&s, KERR_UNSUPPORTED_VERSION);
        return;
    }
    s.in = arena_calloc(arena, 1, row->request->body->bytes);
    if (s.in == NULL) {
        serve_status(&s, KERR_UNKNOWN_SERVER_ERROR);
        return;
    }
    wire_reader_init(&reader, s.head.body.ptr, (size_t)s.head.body.len, arena);
    row->request->read(&reader, s.head.api_version, s.in);
    if (reader.err != 0)
        serve_status(&s, KERR_INVALID_REQUEST);
    else if (row->one != NULL)
        serve_one(w, &s, row);
    else
        row->many(w, &s);
}
