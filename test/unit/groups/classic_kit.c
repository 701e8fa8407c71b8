/*
 * classic_kit.c - a shard with one classic group, driven by short calls
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_kit.h"

#include <stdio.h>
#include <string.h>

void
classic_kit_init(ClassicKit *k, uint64_t seed)
{
    kit_init(&k->kit, seed);
    k->shard = shard_new(0, &k->kit.memory, seed);
    shard_loaded(k->shard, kit_env(&k->kit));
    (void)kit_take(&k->kit);
}

void
classic_kit_fini(ClassicKit *k)
{
    shard_unload(k->shard, kit_env(&k->kit), KERR_NOT_COORDINATOR);
    (void)kit_take(&k->kit);
    shard_free(k->shard);
    kit_fini(&k->kit);
}

static void
done(ClassicKit *k)
{
    (void)kit_take(&k->kit);
    shard_check(k->shard);
}

static StrView
text_or(const char *text, const char *otherwise)
{
    return strview_from(text == NULL ? otherwise : text);
}

static const char *
keep(ClassicKit *k, StrView text)
{
    return arena_strdup(k->kit.replies_arena, text);
}

/* ---- requests ------------------------------------------------------------------------------------ */

static void
put_protocols(ClassicKit *k, const JoinArgs *args, JoinGroupRequest *request)
{
    const char *names = args->protocols == NULL ? "range" : args->protocols;

    request->protocols =
        arena_calloc(k->kit.replies_arena, strlen(names) + 1, sizeof *request->protocols);
    for (const char *at = names; *at != '\0';) {
        size_t len = strcspn(at, ",");
        JoinGroupRequestProtocol *one = &request->protocols[request->protocols_count++];

        one->name = (StrView){at, (int32_t)len};
        one->metadata = args->metadata.ptr != NULL ? args->metadata
                                                   : kit_subscription(&k->kit, "t", args->mark);
        at += len + (at[len] == ',');
    }
}

GroupToken
kit_join(ClassicKit *k, JoinArgs args)
{
    int16_t version = args.version == 0 ? 9 : args.version < 0 ? 0 : args.version;
    GroupCaller caller = kit_caller(&k->kit, version);
    JoinGroupRequest request;

    join_group_request_init(&request);
    request.group_id = text_or(args.group, "g");
    request.session_timeout_ms = args.session_ms == 0 ? 10000 : args.session_ms;
    request.rebalance_timeout_ms =
        version == 0 ? -1 : (args.rebalance_ms == 0 ? 60000 : args.rebalance_ms);
    request.member_id = text_or(args.member, "");
    request.group_instance_id = strview_from(args.instance);
    request.protocol_type = text_or(args.type, "consumer");
    put_protocols(k, &args, &request);
    shard_join_group(k->shard, kit_env(&k->kit), &caller, &request);
    done(k);
    return caller.token;
}

GroupToken
kit_sync_static(ClassicKit *k, const char *member, const char *instance, int32_t generation,
                const char *const *to)
{
    GroupCaller caller = kit_caller(&k->kit, 5);
    SyncGroupRequestAssignment list[8];
    SyncGroupRequest request;

    sync_group_request_init(&request);
    request.group_id = STRVIEW("g");
    request.generation_id = generation;
    request.member_id = strview_from(member);
    request.group_instance_id = strview_from(instance);
    request.protocol_type = kit_group(k)->classic->protocol_type;
    request.protocol_name = kit_group(k)->classic->protocol;
    request.assignments = list;
    for (; to != NULL && *to != NULL; to++) {
        SyncGroupRequestAssignment *one = &list[request.assignments_count++];
        const char *text = arena_printf(k->kit.replies_arena, "for %s", *to);

        *one = (SyncGroupRequestAssignment){
            .member_id = strview_from(*to),
            .assignment = {(const uint8_t *)text, (int32_t)strlen(text)},
        };
    }
    shard_sync_group(k->shard, kit_env(&k->kit), &caller, &request);
    done(k);
    return caller.token;
}

GroupToken
kit_sync(ClassicKit *k, const char *member, int32_t generation, const char *const *to)
{
    return kit_sync_static(k, member, NULL, generation, to);
}

int16_t
kit_beat(ClassicKit *k, const char *member, const char *instance, int32_t generation)
{
    GroupCaller caller = kit_caller(&k->kit, 4);
    HeartbeatRequest request;

    heartbeat_request_init(&request);
    request.group_id = STRVIEW("g");
    request.generation_id = generation;
    request.member_id = strview_from(member);
    request.group_instance_id = strview_from(instance);
    shard_heartbeat(k->shard, kit_env(&k->kit), &caller, &request);
    done(k);
    return kit_code(&k->kit, caller.token);
}

int16_t
kit_leave(ClassicKit *k, const char *member, const char *instance)
{
    GroupCaller caller = kit_caller(&k->kit, 5);
    LeaveGroupRequestMember one = {
        .member_id = strview_from(member),
        .group_instance_id = strview_from(instance),
    };
    LeaveGroupRequest request;
    const LeaveGroupResponse *response;

    leave_group_request_init(&request);
    request.group_id = STRVIEW("g");
    request.members = &one;
    request.members_count = 1;
    shard_leave_group(k->shard, kit_env(&k->kit), &caller, &request);
    done(k);
    response = kit_message(&k->kit, caller.token, &leave_group_response_desc);
    assert_int_equal(response->error_code, 0);
    assert_int_equal(response->members_count, 1);
    return response->members[0].error_code;
}

int16_t
kit_check_commit(ClassicKit *k, const char *member, int32_t generation)
{
    int16_t code = classic_check_commit(k->shard, kit_env(&k->kit), kit_group(k),
                                        strview_from(member), (StrView){0}, generation, false);

    done(k);
    return code;
}

/* ---- time and reload ----------------------------------------------------------------------------- */

void
kit_pass_ms(ClassicKit *k, int64_t ms)
{
    int64_t end = k->kit.env.now_us + ms * 1000;

    while (shard_next_timer_us(k->shard) <= end) {
        int64_t next = shard_next_timer_us(k->shard);

        if (next > k->kit.env.now_us) {
            k->kit.env.wall_ms += (next - k->kit.env.now_us) / 1000;
            k->kit.env.now_us = next;
        }
        (void)shard_tick(k->shard, kit_env(&k->kit));
        done(k);
    }
    k->kit.env.wall_ms += (end - k->kit.env.now_us) / 1000;
    k->kit.env.now_us = end;
}

void
kit_reload(ClassicKit *k)
{
    ErrInfo err = {0};

    shard_unload(k->shard, kit_env(&k->kit), KERR_NOT_COORDINATOR);
    (void)kit_take(&k->kit);
    shard_free(k->shard);
    k->shard = shard_new(0, &k->kit.memory, 5);
    for (size_t i = 0; i < k->kit.log_count; i++) {
        ReplayRecord record = kit_replay_record(&k->kit, i);

        assert_int_equal(shard_replay(k->shard, &record, &err), 0);
    }
    shard_loaded(k->shard, kit_env(&k->kit));
    done(k);
}

/* ---- answers -------------------------------------------------------------------------------------- */

const JoinGroupResponse *
kit_joined(ClassicKit *k, GroupToken token)
{
    const JoinGroupResponse *response = kit_message(&k->kit, token, &join_group_response_desc);

    assert_int_equal(response->error_code, 0);
    return response;
}

const char *
kit_member(ClassicKit *k, GroupToken token)
{
    const JoinGroupResponse *response = kit_message(&k->kit, token, &join_group_response_desc);

    return keep(k, response->member_id);
}

const char *
kit_assignment(ClassicKit *k, GroupToken token)
{
    const SyncGroupResponse *response = kit_message(&k->kit, token, &sync_group_response_desc);

    assert_int_equal(response->error_code, 0);
    return keep(k, (StrView){(const char *)response->assignment.ptr, response->assignment.len});
}

Group *
kit_group(ClassicKit *k)
{
    Group *group = shard_find_group(k->shard, STRVIEW("g"));

    assert_non_null(group);
    return group;
}

const char *
kit_state(ClassicKit *k)
{
    return classic_state_text(kit_group(k));
}

GroupMetadataValue
kit_last_group(ClassicKit *k)
{
    GroupMetadataKey key;
    GroupMetadataValue value;

    assert_true(k->kit.log_count > 0);
    kit_read_record(&k->kit, &k->kit.log[k->kit.log_count - 1], &group_metadata_key_desc, &key,
                    &group_metadata_value_desc, &value);
    return value;
}

/* ---- whole steps ------------------------------------------------------------------------------------ */

GroupToken
kit_enter(ClassicKit *k, JoinArgs args, const char **ret_member)
{
    GroupToken token = kit_join(k, args);

    if (args.instance != NULL) { /* parked or answered, under an id that only the group knows yet */
        *ret_member = keep(k, classic_find_instance(kit_group(k), strview_from(args.instance))->id);
        return token;
    }
    assert_int_equal(kit_code(&k->kit, token), KERR_MEMBER_ID_REQUIRED);
    args.member = *ret_member = kit_member(k, token);
    return kit_join(k, args);
}

const char *
kit_alone(ClassicKit *k, JoinArgs args)
{
    const char *to[2] = {0};
    GroupToken token = kit_enter(k, args, &to[0]);

    kit_pass_ms(k, k->kit.settings.initial_rebalance_delay_ms);
    token = kit_sync_static(k, to[0], args.instance, kit_joined(k, token)->generation_id, to);
    assert_int_equal(kit_code(&k->kit, token), 0);
    assert_string_equal(kit_state(k), "Stable");
    return to[0];
}

void
kit_pair(ClassicKit *k, JoinArgs a, JoinArgs b, const char *ret_members[2], int32_t *ret_generation)
{
    const char *to[3] = {0};
    GroupToken token, other;
    int32_t generation;

    to[0] = kit_alone(k, a);
    other = kit_enter(k, b, &to[1]);
    a.member = to[0];
    token = kit_join(k, a);
    generation = kit_joined(k, token)->generation_id;
    assert_int_equal(kit_joined(k, other)->generation_id, generation);
    token = kit_sync_static(k, to[0], a.instance, generation, to);
    other = kit_sync_static(k, to[1], b.instance, generation, NULL);
    assert_int_equal(kit_code(&k->kit, token), 0);
    assert_int_equal(kit_code(&k->kit, other), 0);
    ret_members[0] = to[0];
    ret_members[1] = to[1];
    if (ret_generation != NULL)
        *ret_generation = generation;
}
