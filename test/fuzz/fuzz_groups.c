/*
 * fuzz_groups.c - any bytes as records of a coordinator's log, and as requests of its clients
 *
 * A list of steps, each a byte that says which: a record to replay (key, value), a request (API, version, body), time that
 * passes, a change of topics, a marker of a transaction, expiry, a client that hangs up, the same shard from its own log.
 * Records come first: the shard counts as loaded from the first step of another kind on. A record that is refused ends the
 * run, as it ends a shard. A member id of one byte below 8 stands for one that was handed out.
 *
 * Claims: nothing crashes; every answer can be encoded in its version; nobody is answered twice; every unit fits its
 * batch, and what was written can be replayed; the invariants of shard_check hold after each request,
 * unless the input said records.
 *
 * Kit: groups/group_kit
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdio.h>

#include "groups/group_kit.h"
#include "ottla/common/assert.h"
#include "ottla/protocol/msg_consumer_group_describe.h"
#include "ottla/protocol/msg_delete_groups.h"

#define INPUT_MAX   8192
#define STEPS_MAX   200
#define MEMBERS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GroupKit kit;
static GroupShard *shard;
static bool loaded, hostile; /* hostile: records that no shard has written */
static char members[MEMBERS_MAX][160];
static int member_count;

/* ---- what comes out ------------------------------------------------------------------------------------ */

static void
check_encodes(const MessageDesc *desc, int16_t version, const void *message)
{
    WireSizer size = {0};
    WireWriter w;
    uint8_t *bytes;

    desc->size(&size, version, message);
    ot_assert(size.err == 0);
    bytes = arena_alloc(kit.arena, size.bytes + 1);
    ot_assert(bytes != NULL);
    wire_writer_init(&w, bytes, size.bytes);
    desc->write(&w, version, message);
    ot_assert(w.pos == w.end);
}

static void
note_reply(void *ctx, const GroupReply *reply)
{
    const JoinGroupResponse *response;

    (void)ctx;
    if (reply->desc != &join_group_response_desc)
        return;
    response = reply->message;
    if (response->member_id.len > 0 && response->member_id.len < (int32_t)sizeof members[0])
        (void)snprintf(members[member_count++ % MEMBERS_MAX], sizeof members[0], "%.*s",
                       response->member_id.len, response->member_id.ptr);
}

/* A log that no shard has written may say what cannot be; nothing crashes, but its state agrees with nothing. */
static void
check(void)
{
    if (!hostile)
        shard_check(shard);
}

static void
take(void)
{
    ot_assert(group_out_fits(&kit.out, &kit.settings));
    (void)kit_take(&kit); /* the log grows */
    check();
    kit_forget(&kit);
}

static void
start_serving(void)
{
    if (loaded)
        return;
    loaded = true;
    shard_loaded(shard, kit_env(&kit));
    take();
}

/* ---- steps ----------------------------------------------------------------------------------------------- */

/* False: it is refused. */
static bool
replay_step(FuzzInput *in)
{
    uint8_t flags = fuzz_byte(in);
    ReplayRecord record = {.producer_id = flags & 2 ? flags >> 4 : -1};

    record.key = fuzz_piece(in);
    if (!(flags & 1))
        record.value = fuzz_piece(in);
    hostile = true;
    return shard_replay(shard, &record, NULL) == 0;
}

static void
name_member(StrView *id)
{
    if (id->len == 1 && (uint8_t)id->ptr[0] < MEMBERS_MAX)
        *id = strview_from(members[(uint8_t)id->ptr[0]]);
}

typedef union Request {
    JoinGroupRequest join;
    SyncGroupRequest sync;
    HeartbeatRequest heartbeat;
    LeaveGroupRequest leave;
    ConsumerGroupHeartbeatRequest consumer;
    OffsetCommitRequest commit;
    OffsetDeleteRequest delete;
    OffsetFetchRequest fetch;
    DescribeGroupsRequest describe;
    ConsumerGroupDescribeRequest describe_consumer;
    DeleteGroupsRequest delete_groups;
} Request;

static void
run_join(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    name_member(&in->join.member_id);
    shard_join_group(shard, env, caller, &in->join);
}

static void
run_sync(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    name_member(&in->sync.member_id);
    for (int32_t i = 0; i < in->sync.assignments_count; i++)
        name_member(&in->sync.assignments[i].member_id);
    shard_sync_group(shard, env, caller, &in->sync);
}

static void
run_heartbeat(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    name_member(&in->heartbeat.member_id);
    shard_heartbeat(shard, env, caller, &in->heartbeat);
}

static void
run_leave(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    name_member(&in->leave.member_id);
    for (int32_t i = 0; i < in->leave.members_count; i++)
        name_member(&in->leave.members[i].member_id);
    shard_leave_group(shard, env, caller, &in->leave);
}

static void
run_consumer(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    name_member(&in->consumer.member_id);
    shard_consumer_heartbeat(shard, env, caller, &in->consumer);
}

static void
run_commit(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    name_member(&in->commit.member_id);
    shard_offset_commit(shard, env, caller, &in->commit);
}

static void
run_delete(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    shard_offset_delete(shard, env, caller, &in->delete);
}

static void
run_fetch(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    int16_t version = caller->api_version < 8 ? 8 : caller->api_version;

    for (int32_t i = 0; i < in->fetch.groups_count; i++) {
        OffsetFetchResponseGroup group;
        OffsetFetchResponse response;

        name_member(&in->fetch.groups[i].member_id);
        shard_offset_fetch(shard, env, version, in->fetch.require_stable, &in->fetch.groups[i],
                           &group);
        offset_fetch_response_init(&response);
        response.groups = &group;
        response.groups_count = 1;
        check_encodes(&offset_fetch_response_desc, version, &response);
    }
}

static void
run_describe(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    for (int32_t i = 0; i < in->describe.groups_count; i++) {
        DescribeGroupsResponseGroup group;
        DescribeGroupsResponse response;

        shard_describe_classic(shard, env, caller->api_version, in->describe.groups[i], &group);
        describe_groups_response_init(&response);
        response.groups = &group;
        response.groups_count = 1;
        check_encodes(&describe_groups_response_desc, caller->api_version, &response);
    }
}

static void
run_describe_consumer(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    for (int32_t i = 0; i < in->describe_consumer.group_ids_count; i++) {
        ConsumerGroupDescribeResponseGroup group;
        ConsumerGroupDescribeResponse response;

        shard_describe_consumer(shard, env, in->describe_consumer.group_ids[i], &group);
        consumer_group_describe_response_init(&response);
        response.groups = &group;
        response.groups_count = 1;
        check_encodes(&consumer_group_describe_response_desc, caller->api_version, &response);
    }
}

static void
run_delete_groups(GroupEnv *env, const GroupCaller *caller, Request *in)
{
    (void)caller;
    if (in->delete_groups.groups_names_count > 0)
        (void)shard_delete_group(shard, env,
                                 in->delete_groups.groups_names[0]); /* any code is fine */
}

typedef struct Row {
    const MessageDesc *desc;
    void (*run)(GroupEnv *env, const GroupCaller *caller, Request *in);
} Row;

static const Row rows[] = {
    {&join_group_request_desc, run_join},
    {&sync_group_request_desc, run_sync},
    {&heartbeat_request_desc, run_heartbeat},
    {&leave_group_request_desc, run_leave},
    {&consumer_group_heartbeat_request_desc, run_consumer},
    {&offset_commit_request_desc, run_commit},
    {&offset_delete_request_desc, run_delete},
    {&offset_fetch_request_desc, run_fetch},
    {&describe_groups_request_desc, run_describe},
    {&consumer_group_describe_request_desc, run_describe_consumer},
    {&delete_groups_request_desc, run_delete_groups},
};

static void
request_step(FuzzInput *in)
{
    const Row *row = &rows[fuzz_byte(in) % (sizeof rows / sizeof rows[0])];
    const VersionRange *versions = &row->desc->versions;
    int16_t version = (int16_t)(versions->lo + fuzz_byte(in) % (versions->hi - versions->lo + 1));
    BytesView body = fuzz_piece(in);
    GroupCaller caller = kit_caller(&kit, version);
    GroupEnv *env = kit_env(&kit);
    Request request;
    WireReader r;

    wire_reader_init(&r, body.ptr, (size_t)body.len, kit.arena);
    row->desc->read(&r, version, &request);
    if (r.err == 0)
        row->run(env, &caller, &request);
    take();
}

static void
pass_time(int64_t ms)
{
    kit_advance_ms(&kit, ms);
    for (bool more = true; more;) {
        more = shard_tick(shard, kit_env(&kit));
        take();
    }
}

static void
change_topics(uint8_t how)
{
    char name[2] = {(char)('a' + how % 4), '\0'};
    GroupTopic there;

    if (kit.metadata.by_name(&kit, strview_from(name), &there))
        kit_remove_topic(&kit, name);
    else
        (void)kit_add_topic(&kit, name, 1 + how / 4);
    for (bool more = true; more;) {
        more = shard_metadata_changed(shard, kit_env(&kit));
        take();
    }
}

static void
expire(void)
{
    ExpiryCursor cursor = {0};

    for (bool more = true; more;) {
        more = shard_expire_offsets(shard, kit_env(&kit), &cursor);
        take();
    }
}

/* What was written can be read, unless it stands behind records of the input. */
static void
reload(void)
{
    GroupShard *again;

    if (hostile)
        return;
    again = shard_new(1, &kit.memory, 7);
    for (size_t i = 0; i < kit.log_count; i++) {
        const ReplayRecord record = kit_replay_record(&kit, i);

        ot_assert(shard_replay(again, &record, NULL) == 0);
    }
    shard_unload(shard, kit_env(&kit), KERR_NOT_COORDINATOR);
    (void)kit_take(&kit); /* answers */
    shard_free(shard);
    shard = again;
    shard_loaded(shard, kit_env(&kit));
    take();
}

/* False: the shard is to be used no more. */
static bool
step(FuzzInput *in)
{
    uint8_t what = fuzz_byte(in) % 16;

    if (what == 0 && !loaded)
        return replay_step(in);
    start_serving();
    switch (what) {
    case 1:
        pass_time((int64_t)fuzz_byte(in) * fuzz_byte(in));
        break;
    case 2:
        pass_time((int64_t)fuzz_byte(in) * 60000);
        break;
    case 3:
        change_topics(fuzz_byte(in));
        break;
    case 4:
        shard_end_transaction(shard, fuzz_byte(in) % 16, fuzz_byte(in) & 1);
        break;
    case 5:
        expire();
        break;
    case 6:
        shard_add_stall(shard, (int64_t)fuzz_byte(in) * 1000000);
        break;
    case 7:
        reload();
        break;
    default:
        request_step(in);
        break;
    }
    check();
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, data + size};
    bool good = true;

    if (size > INPUT_MAX)
        return 0;
    fuzz_quiet();
    kit_init(&kit, 1);
    kit.on_reply = note_reply;
    (void)kit_add_topic(&kit, "a", 3);
    (void)kit_add_topic(&kit, "b", 2);
    shard = shard_new(0, &kit.memory, 1);
    loaded = hostile = false;
    member_count = 0;
    memset(members, 0, sizeof members);
    for (int steps = 0; good && in.at < in.end && steps < STEPS_MAX; steps++)
        good = step(&in);
    shard_unload(shard, kit_env(&kit), KERR_NOT_COORDINATOR);
    (void)kit_take(&kit); /* answers */
    shard_free(shard);
    kit_fini(&kit);
    return 0;
}
