/*
 * classic_join.c - JoinGroup of classic groups
 *
 * The checks stand in the order in which Kafka makes them, because their codes are what clients see. A join
 * that passes them adds a member, replaces the process behind a static one, or updates a known one, and is parked
 * until the next generation; or it is answered with the generation there is.
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"

#include "ottla/common/assert.h"

/* One request on its way. */
typedef struct Join {
    GroupShard *shard;
    GroupEnv *env;
    const GroupCaller *caller;
    const JoinGroupRequest *request;
    Group *group;
    JoinGroupRequestProtocol *protocols; /* each name once */
    int32_t protocol_count;
    int64_t bytes; /* of them */
    bool bounded;  /* as much metadata as a member may have */
} Join;

static void
refuse(const Join *j, int16_t code, StrView member_id)
{
    classic_refuse_join(j->env, j->caller->token, j->caller->api_version, code, member_id);
}

/* ---- ids -------------------------------------------------------------------------------------------- */

#define UUID_CHARS 36

/* "PREFIX-" and a random uuid; prefix is cut where the whole would not fit in a string of the protocol. */
static StrView
new_member_id(const Join *j, StrView prefix)
{
    static const char digits[] = "0123456789abcdef";
    int32_t len = prefix.len;
    uint8_t uuid[16];
    char *text, *at;

    if (len > WIRE_STRING_BYTES_MAX - UUID_CHARS - 1) {
        len = WIRE_STRING_BYTES_MAX - UUID_CHARS - 1;
        while (len > 0 && ((uint8_t)prefix.ptr[len] & 0xc0) == 0x80)
            len--; /* not amidst a character */
    }
    text = group_out_alloc(j->env->out, (size_t)len + 1 + UUID_CHARS, 1);
    if (text == NULL)
        return STRVIEW("");
    if (len > 0)
        memcpy(text, prefix.ptr, (size_t)len);
    at = text + len;
    *at++ = '-';
    (j->env->random)(uuid, sizeof uuid);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* version 4 */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof uuid; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[uuid[i] >> 4];
        *at++ = digits[uuid[i] & 15];
    }
    return (StrView){text, (int32_t)(at - text)};
}

/* ---- checks ------------------------------------------------------------------------------------------ */

/* Of a name that is offered twice the first counts. */
static void
take_protocols(Join *j)
{
    const JoinGroupRequest *request = j->request;
    int64_t bytes = 0;

    if (request->protocols_count > CLASSIC_PROTOCOLS_MAX)
        return;
    j->protocols = group_out_alloc(j->env->out, CLASSIC_PROTOCOLS_MAX, sizeof *request->protocols);
    if (j->protocols == NULL)
        return;
    for (int32_t i = 0; i < request->protocols_count; i++) {
        const JoinGroupRequestProtocol *one = &request->protocols[i];
        int32_t k = 0;

        while (k < j->protocol_count && !strview_equal(j->protocols[k].name, one->name))
            k++;
        if (k < j->protocol_count)
            continue;
        j->protocols[j->protocol_count++] = *one;
        bytes += one->name.len + one->metadata.len;
    }
    j->bytes = bytes;
    j->bounded = bytes <= j->env->settings->max_member_metadata_bytes;
}

static int16_t
check_protocols(const Join *j)
{
    const ClassicGroup *c = j->group->classic;
    StrView type = j->request->protocol_type;

    if (!j->bounded || j->protocol_count == 0)
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (c->state == CLASSIC_EMPTY
            ? type.len == 0
            : !strview_equal(type, c->protocol_type) ||
                  !classic_supports(j->group, j->protocols, j->protocol_count))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (strview_equal(type, STRVIEW("consumer")))
        for (int32_t i = 0; i < j->protocol_count; i++)
            if (!classic_is_sane_subscription(j->protocols[i].metadata))
                return KERR_INVALID_REQUEST;
    return 0;
}

/* Is there room for it in the group (2.3 step 6)? member NULL: nobody of that id. */
static bool
has_room(const Join *j, const ClassicMember *member)
{
    const ClassicGroup *c = j->group->classic;
    int32_t most = j->env->settings->max_size;

    if (c->state == CLASSIC_EMPTY)
        return true;
    if (c->state == CLASSIC_PREPARING)
        return (member != NULL && member->join.parked) || c->joining_count < most;
    return member != NULL || (int32_t)c->members.count < most;
}

/* Who is refused for want of room is no longer known under its id. */
static void
turn_away(const Join *j)
{
    ClassicMember *member = classic_find_member(j->group, j->request->member_id);
    ClassicPending *pending = classic_find_pending(j->group, j->request->member_id);

    if (member != NULL)
        classic_remove_member(j->shard, j->env, member);
    if (pending != NULL)
        classic_drop_pending(j->shard, pending);
    refuse(j, KERR_GROUP_MAX_SIZE_REACHED, STRVIEW(""));
    classic_maybe_complete_join(j->shard, j->env, j->group);
}

/* ---- what follows ------------------------------------------------------------------------------------- */

static void
add_member(const Join *j, StrView id)
{
    ClassicGroup *c = j->group->classic;
    const JoinGroupRequest *request = j->request;
    ClassicMember *member;

    if (c->first == NULL)
        (void)gmem_set_text(j->shard->memory, &c->protocol_type, request->protocol_type);
    member = classic_add_member(j->shard, j->group,
                                &(ClassicMemberInit){
                                    .id = id,
                                    .instance_id = request->group_instance_id,
                                    .client_id = j->caller->client_id,
                                    .client_host = j->caller->client_host,
                                    .session_timeout_ms = request->session_timeout_ms,
                                    .rebalance_timeout_ms = request->rebalance_timeout_ms,
                                    .protocols = j->protocols,
                                    .protocol_count = j->protocol_count,
                                });
    member->is_new = true;
    if (c->state == CLASSIC_PREPARING && c->initial)
        c->new_joined = true;
    classic_park_join(j->shard, j->env, member, j->caller);
    /* It knows its id only from the answer, so it cannot heartbeat before. */
    timers_set(&j->shard->timers, &member->timer, TIMER_CLASSIC_MEMBER,
               j->env->now_us + (int64_t)CLASSIC_NEW_MEMBER_MS * 1000);
    classic_rebalance(j->shard, j->env, j->group, REBALANCE_NEW_MEMBER, member->id);
}

static void
update_member(const Join *j, ClassicMember *member)
{
    const JoinGroupRequest *request = j->request;

    (void)classic_set_protocols(j->shard, member, j->protocols, j->protocol_count);
    member->session_timeout_ms = request->session_timeout_ms;
    member->rebalance_timeout_ms = request->rebalance_timeout_ms < 0
                                       ? request->session_timeout_ms
                                       : request->rebalance_timeout_ms;
}

/* What it offers takes more memory than what it offered, and there is none. */
static bool
outgrows(const Join *j, const ClassicMember *member)
{
    int64_t bytes = 0;

    for (int32_t i = 0; i < member->protocol_count; i++)
        bytes += member->protocols[i].name.len + member->protocols[i].metadata.len;
    return j->bytes > bytes && gmem_is_tight(j->shard->memory);
}

static void
tell_generation(const Join *j, const ClassicMember *member)
{
    bool with_list = member == j->group->classic->leader;
    JoinGroupResponse *response = classic_joined(j->env, member, with_list);

    if (response != NULL)
        group_reply(j->env->out, j->caller->token, REPLY_REPLICATED, &join_group_response_desc,
                    j->caller->api_version, response);
}

static void
rejoin(const Join *j, ClassicMember *member)
{
    const ClassicGroup *c = j->group->classic;
    bool same = classic_same_protocols(member, j->protocols, j->protocol_count);
    bool leads = member == c->leader;

    ot_assert(c->state != CLASSIC_EMPTY);
    if (same && (c->state == CLASSIC_COMPLETING || (c->state == CLASSIC_STABLE && !leads))) {
        tell_generation(j, member);
        return;
    }
    if (outgrows(j, member)) {
        refuse(j, KERR_COORDINATOR_NOT_AVAILABLE, member->id);
        return;
    }
    update_member(j, member);
    classic_park_join(j->shard, j->env, member, j->caller);
    classic_rebalance(j->shard, j->env, j->group,
                      same ? REBALANCE_LEADER_REJOINED : REBALANCE_SUBSCRIPTION_CHANGED,
                      member->id);
}

/* ---- static members (2.8) ---------------------------------------------------------------------------- */

/* Would the group's record still fit in a batch with the member's new id and metadata? */
static bool
fits_replaced(const Join *j, const ClassicMember *member, StrView id)
{
    const ClassicGroup *c = j->group->classic;
    GroupOut out;
    bool in_log = c->in_log;
    size_t more = 2 * (size_t)id.len; /* twice: as the leader, too */

    for (int32_t i = 0; i < j->protocol_count; i++)
        if (strview_equal(j->protocols[i].name, c->protocol))
            more += (size_t)j->protocols[i].metadata.len;
    classic_write_group(j->env, j->group);
    out = *j->env->out;
    group_out_forget_records(j->env->out);
    j->group->classic->in_log = in_log;
    if (out.failed)
        return false;
    out.record_bytes += more;
    out.record_bytes -= (size_t)classic_metadata(member, c->protocol).len;
    out.record_bytes -= (member == c->leader ? 2 : 1) * (size_t)member->id.len;
    return group_out_fits(&out, j->env->settings);
}

/* The group goes on as it was, with another process behind the instance. */
static void
tell_replaced(const Join *j, const ClassicMember *member, StrView old_leader)
{
    int16_t version = j->caller->api_version;
    bool leads = member == j->group->classic->leader && version >= 9;
    JoinGroupResponse *response = classic_joined(j->env, member, leads);

    if (response == NULL)
        return;
    response->skip_assignment = leads;
    if (version < 9)
        response->leader = old_leader; /* so that it does not think it has to assign */
    group_reply(j->env->out, j->caller->token, REPLY_COMMITTED, &join_group_response_desc, version,
                response);
}

static void
replace_static(const Join *j, ClassicMember *member, StrView id)
{
    ClassicGroup *c = j->group->classic;
    StrView old_leader = group_out_text(j->env->out, c->leader->id);

    if (c->state == CLASSIC_STABLE && !fits_replaced(j, member, id)) {
        refuse(j, KERR_UNKNOWN_SERVER_ERROR, STRVIEW(""));
        return;
    }
    if (outgrows(j, member)) {
        refuse(j, KERR_COORDINATOR_NOT_AVAILABLE, STRVIEW(""));
        return;
    }
    classic_fence_parked(j->env, member, KERR_FENCED_INSTANCE_ID, member->id);
    classic_rename_member(j->shard, member, id);
    member->is_new = false;
    update_member(j, member);
    classic_touch(j->shard, j->env, member);
    if (c->state == CLASSIC_STABLE && strview_equal(classic_vote(j->group), c->protocol)) {
        classic_write_group(j->env, j->group);
        tell_replaced(j, member, old_leader);
        return;
    }
    classic_park_join(j->shard, j->env, member, j->caller);
    classic_rebalance(j->shard, j->env, j->group, REBALANCE_MEMBER_REJOINED, member->id);
}

/* ---- JoinGroup ------------------------------------------------------------------------------------------- */

static void
join_without_id(const Join *j)
{
    StrView instance = j->request->group_instance_id;
    int16_t code = check_protocols(j);
    ClassicMember *holder;
    StrView id;

    if (code != 0) {
        refuse(j, code, STRVIEW(""));
        return;
    }
    holder = instance.ptr == NULL ? NULL : classic_find_instance(j->group, instance);
    if (holder == NULL && gmem_is_tight(j->shard->memory)) {
        refuse(j, KERR_GROUP_MAX_SIZE_REACHED, STRVIEW(""));
        return;
    }
    id = new_member_id(j, instance.ptr == NULL ? j->caller->client_id : instance);
    if (id.len == 0)
        return; /* no memory: the out has failed */
    if (holder != NULL) {
        replace_static(j, holder, id);
    } else if (instance.ptr == NULL && j->caller->api_version >= 4) {
        classic_add_pending(j->shard, j->env, j->group, id, j->request->session_timeout_ms);
        refuse(j, KERR_MEMBER_ID_REQUIRED, id);
    } else {
        add_member(j, id);
    }
}

static void
join_pending(const Join *j, ClassicPending *pending)
{
    if (j->request->group_instance_id.ptr !=
        NULL) { /* static members are never given an id first */
        refuse(j, KERR_UNKNOWN_MEMBER_ID, j->request->member_id);
        return;
    }
    if (gmem_is_tight(j->shard->memory)) {
        turn_away(j);
        return;
    }
    classic_drop_pending(j->shard, pending);
    add_member(j, j->request->member_id);
}

static void
join_with_id(const Join *j)
{
    StrView id = j->request->member_id;
    ClassicPending *pending = classic_find_pending(j->group, id);
    int16_t code = check_protocols(j);

    if (code == 0 && pending != NULL) {
        join_pending(j, pending);
        return;
    }
    if (code == 0)
        code = classic_check_member(j->group, id, j->request->group_instance_id);
    if (code != 0)
        refuse(j, code, id);
    else
        rejoin(j, classic_find_member(j->group, id));
}

/* The group that a join makes; false: refused. */
static bool
make_group(Join *j)
{
    if (j->request->member_id.len > 0) {
        refuse(j, KERR_UNKNOWN_MEMBER_ID, j->request->member_id);
        return false;
    }
    if (j->group != NULL) { /* an empty consumer group becomes a classic one; its offsets stay */
        consumer_write_tombstones(j->env, j->group);
        consumer_detach(j->shard, j->group);
        classic_attach(j->shard, j->group);
    } else {
        j->group = shard_add_group(j->shard, j->request->group_id);
    }
    if (j->group == NULL) {
        refuse(j, KERR_GROUP_MAX_SIZE_REACHED, STRVIEW(""));
        return false;
    }
    j->group->classic->state_ms = j->env->wall_ms;
    classic_write_group(j->env, j->group); /* it exists from now on, whatever becomes of the join */
    return true;
}

void
classic_join(GroupShard *shard, GroupEnv *env, const GroupCaller *caller,
             const JoinGroupRequest *request, Group *group)
{
    Join j = {.shard = shard, .env = env, .caller = caller, .request = request, .group = group};
    int32_t timeout = request->session_timeout_ms;

    if (request->group_id.len == 0) {
        refuse(&j, KERR_INVALID_GROUP_ID, request->member_id);
        return;
    }
    if (timeout < env->settings->min_session_timeout_ms ||
        timeout > env->settings->max_session_timeout_ms) {
        refuse(&j, KERR_INVALID_SESSION_TIMEOUT, request->member_id);
        return;
    }
    take_protocols(&j);
    if (group == NULL || group->classic == NULL) {
        if (!make_group(&j))
            return;
    } else if (!has_room(&j, classic_find_member(group, request->member_id))) {
        turn_away(&j);
        return;
    }
    if (request->member_id.len == 0)
        join_without_id(&j);
    else
        join_with_id(&j);
}
