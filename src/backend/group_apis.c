/*
 * group_apis.c - the APIs that concern one group, and their answers when its coordinator gives none
 *
 * Runs in: backend. A row per API: its request, and the answer that carries one code as Kafka places it
 * (groups-and-transactions.md 2.3-2.10, 3, 4.3).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/group_apis_int.h"

#include "backend/names_int.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_consumer_group_heartbeat.h"
#include "ottla/protocol/msg_heartbeat.h"
#include "ottla/protocol/msg_join_group.h"
#include "ottla/protocol/msg_leave_group.h"
#include "ottla/protocol/msg_offset_fetch.h"
#include "ottla/protocol/msg_sync_group.h"

static ReqResult
fail_join(Request *rq, const void *msg, int16_t code)
{
    const JoinGroupRequest *in = msg;
    JoinGroupResponse out;

    join_group_response_init(&out);
    out.error_code = code;
    out.member_id = name_echo(rq->arena, in->member_id);
    out.protocol_name = rq->head.api_version >= 7 ? WIRE_NULL_STRING : WIRE_EMPTY_STRING;
    return request_respond(rq, &join_group_response_desc, &out);
}

static ReqResult
fail_sync(Request *rq, const void *msg, int16_t code)
{
    SyncGroupResponse out;

    (void)msg; /* one code for all */
    sync_group_response_init(&out);
    out.error_code = code;
    return request_respond(rq, &sync_group_response_desc, &out);
}

static ReqResult
fail_heartbeat(Request *rq, const void *msg, int16_t code)
{
    HeartbeatResponse out;

    (void)msg; /* one code for all */
    heartbeat_response_init(&out);
    /* A member that is told of loading would join anew, and all of its group with it (1.4). */
    out.error_code = code == KERR_COORDINATOR_LOAD_IN_PROGRESS ? 0 : code;
    return request_respond(rq, &heartbeat_response_desc, &out);
}

static ReqResult
fail_leave(Request *rq, const void *msg, int16_t code)
{
    LeaveGroupResponse out;

    (void)msg; /* one code for all */
    leave_group_response_init(&out);
    out.error_code = code;
    return request_respond(rq, &leave_group_response_desc, &out);
}

static ReqResult
fail_consumer_heartbeat(Request *rq, const void *msg, int16_t code)
{
    ConsumerGroupHeartbeatResponse out;

    (void)msg; /* one code for all */
    consumer_group_heartbeat_response_init(&out);
    out.error_code = code;
    return request_respond(rq, &consumer_group_heartbeat_response_desc, &out);
}

/* Versions 1 to 7: the first has no place for a code but at each partition. */
static ReqResult
fail_offset_fetch(Request *rq, const void *msg, int16_t code)
{
    const OffsetFetchRequest *in = msg;
    bool at_partitions = rq->head.api_version < 2;
    OffsetFetchResponse out;

    offset_fetch_response_init(&out);
    out.error_code = code;
    if (at_partitions && in->topics_count > 0)
        out.topics = arena_calloc(rq->arena, (size_t)in->topics_count, sizeof *out.topics);
    for (int32_t i = 0; at_partitions && out.topics != NULL && i < in->topics_count; i++) {
        const OffsetFetchRequestTopic *from = &in->topics[i];
        OffsetFetchResponseTopic *to = &out.topics[out.topics_count++];

        offset_fetch_response_topic_init(to);
        to->name = name_echo(rq->arena, from->name);
        to->partitions = arena_calloc(rq->arena, (size_t)from->partition_indexes_count + 1,
                                      sizeof *to->partitions);
        for (int32_t k = 0; to->partitions != NULL && k < from->partition_indexes_count; k++) {
            OffsetFetchResponsePartition *part = &to->partitions[to->partitions_count++];

            offset_fetch_response_partition_init(part);
            part->partition_index = from->partition_indexes[k];
            part->committed_offset = -1;
            part->metadata = WIRE_EMPTY_STRING;
            part->error_code = code;
        }
    }
    return request_respond(rq, &offset_fetch_response_desc, &out);
}

static const GroupApi rows[] = {
    {&join_group_request_desc, offsetof(JoinGroupRequest, group_id), WAIT_EV_GROUP_JOIN, true,
     fail_join},
    {&sync_group_request_desc, offsetof(SyncGroupRequest, group_id), WAIT_EV_GROUP_SYNC, true,
     fail_sync},
    {&heartbeat_request_desc, offsetof(HeartbeatRequest, group_id), WAIT_EV_COORDINATOR_REPLY,
     false, fail_heartbeat},
    {&leave_group_request_desc, offsetof(LeaveGroupRequest, group_id), WAIT_EV_COORDINATOR_REPLY,
     false, fail_leave},
    {&offset_fetch_request_desc, offsetof(OffsetFetchRequest, group_id), WAIT_EV_COORDINATOR_REPLY,
     false, fail_offset_fetch},
    {&consumer_group_heartbeat_request_desc, offsetof(ConsumerGroupHeartbeatRequest, group_id),
     WAIT_EV_COORDINATOR_REPLY, false, fail_consumer_heartbeat},
};

const GroupApi *
group_api(int16_t api_key)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].request->number == api_key)
            return &rows[i];
    return NULL;
}
