/*
 * test_classic_random.c - a million random steps of clients of three classic groups
 *
 * Clients join, sync, heartbeat, leave, hang up, lie about ids and generations; time passes; the shard is loaded
 * again from its records. After each step: one answer per request at most; generations only grow, and after a load
 * by what the log says plus 16; a generation has those who joined, and static ones, and does not begin before an id that
 * was handed out is used or its time is over; one assignment per generation; the log holds exactly the members of a stable group;
 * timers run for whom they must (classic_check). When all fall silent, everybody who waits is answered, every
 * group is empty in the end, and no memory is left.
 *
 * OTTLA_STEPS: how many steps (1,000,000); OTTLA_SEED: the first seed (1); an episode has one each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"
#include "groups/group_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS        3
#define CLIENTS       6 /* of each group; the first STATICS of them are static */
#define STATICS       2
#define GHOSTS        64 /* members of a group that clients have forgotten, and those they are */
#define ID_MAX        96
#define TOKENS        (1 << 16) /* requests of an episode */
#define EPISODE_STEPS 10000

/* What a client that means well would do next. */
typedef enum Wish { WISH_JOIN, WISH_SYNC, WISH_BEAT, WISH_NOTHING } Wish;

typedef struct Client {
    Wish wish;
    char id[ID_MAX];
    int32_t id_len;
    int32_t generation;
    int32_t mark; /* of its metadata */
    int16_t version;
} Client;

/* A group before something happens to it. */
typedef struct Before {
    bool there;
    int32_t generation;
    char joined[GHOSTS][ID_MAX]; /* who waits for the join phase to end */
    int joined_count;
} Before;

typedef struct Waiting {
    uint8_t group, client;
    Wish wish; /* that it is to fulfil */
    bool open, abandoned;
} Waiting;

/* What the test knows of a group. */
typedef struct Model {
    int32_t told;     /* highest generation since the load */
    int32_t stored;   /* generation of the last record */
    bool loaded_anew; /* no generation yet since */
    int32_t assigned; /* generation of `assignments` */
    uint64_t assignments;
} Model;

static GroupKit kit;
static GroupShard *shard;
static Client clients[GROUPS][CLIENTS];
static Model models[GROUPS];
static Waiting waiting[TOKENS];
static uint64_t now_seed;
static int64_t now_step;
static Before befores[GROUPS];
static int64_t generations_seen;
static int64_t stable_seen, replaced_seen, records_seen;
static size_t rebalances_seen;

static uint32_t
below(uint32_t bound)
{
    return (uint32_t)random_seq_below(&kit.seq, bound);
}

static StrView
group_name(int g)
{
    static const char *const names[GROUPS] = {"g0", "g1", "g2"};

    return strview_from(names[g]);
}

#define REQUIRE(cond) require((cond), __LINE__, #cond)

static void
require(bool holds, int line, const char *what)
{
    if (!holds)
        fail_msg("seed %llu, step %lld, line %d: %s", (unsigned long long)now_seed,
                 (long long)now_step, line, what);
}

/* ---- answers --------------------------------------------------------------------------------------- */

/* Somebody, or the log, was told of a generation. */
static void
on_generation(Model *m, int32_t generation)
{
    if (m->loaded_anew && generation != m->stored) {
        /* Above it when all who were in the first had hung up. */
        REQUIRE(generation >= m->stored + CLASSIC_RELOAD_GENERATION);
        m->loaded_anew = false;
    }
    REQUIRE(generation >= m->told);
    m->told = generation;
}

static void
on_join(const Waiting *w, const GroupReply *reply)
{
    const JoinGroupResponse *r = reply->message;
    Client *client = &clients[w->group][w->client];

    REQUIRE(reply->desc == &join_group_response_desc);
    REQUIRE(r->member_id.len < ID_MAX);
    if (r->error_code == 0) {
        client->wish = WISH_SYNC;
        on_generation(&models[w->group], r->generation_id);
        client->generation = r->generation_id;
        REQUIRE(r->members_count == 0 || strview_equal(r->leader, r->member_id));
    } else {
        REQUIRE(r->generation_id == -1 && r->members_count == 0);
    }
    if (r->error_code == 0 || r->error_code == KERR_MEMBER_ID_REQUIRED) {
        memcpy(client->id, r->member_id.ptr, (size_t)r->member_id.len);
        client->id_len = r->member_id.len;
    } else if (below(4) > 0) { /* some do not give up */
        client->id_len = 0;
    }
}

static void
on_sync(const Waiting *w, const GroupReply *reply)
{
    const SyncGroupResponse *r = reply->message;
    int32_t generation;

    REQUIRE(reply->desc == &sync_group_response_desc && r->error_code == 0);
    REQUIRE(reply->when != REPLY_NOW);
    clients[w->group][w->client].wish = WISH_BEAT;
    if (r->assignment.len == 0)
        return;
    REQUIRE(r->assignment.len == 12);
    memcpy(&generation, r->assignment.ptr, sizeof generation);
    REQUIRE(generation == models[w->group].assigned);
}

static void
on_reply(const GroupReply *reply)
{
    Waiting *w = &waiting[reply->token % TOKENS];

    REQUIRE(w->open || w->abandoned);
    if (w->abandoned) { /* its client is gone */
        w->abandoned = false;
        return;
    }
    w->open = false;
    clients[w->group][w->client].wish = WISH_JOIN;
    if (reply->status != 0)
        return;
    if (w->wish == WISH_JOIN)
        on_join(w, reply);
    else if (w->wish == WISH_SYNC)
        on_sync(w, reply);
    else if (w->wish == WISH_BEAT)
        clients[w->group][w->client].wish = WISH_BEAT;
}

/* ---- the log ------------------------------------------------------------------------------------------ */

static int
group_of(StrView name)
{
    for (int g = 0; g < GROUPS; g++)
        if (strview_equal(group_name(g), name))
            return g;
    REQUIRE(false);
    return 0;
}

static void
read_record(const KitRecord *record, GroupMetadataKey *key, GroupMetadataValue *value)
{
    kit_forget(&kit);
    kit_read_record(&kit, record, &group_metadata_key_desc, key, &group_metadata_value_desc, value);
}

/* Of one generation there is one assignment; a replaced member keeps its share. */
static void
on_record(const KitRecord *record)
{
    GroupMetadataKey key;
    GroupMetadataValue value;
    uint64_t hash = 14695981039346656037u;
    Model *m;

    records_seen++;
    read_record(record, &key, &value);
    m = &models[group_of(key.group)];
    on_generation(m, value.generation);
    m->stored = value.generation;
    for (int32_t i = 0; i < value.members_count; i++)
        for (int32_t b = 0; b < value.members[i].assignment.len; b++)
            hash = (hash ^ value.members[i].assignment.ptr[b]) * 1099511628211u;
    if (value.members_count == 0)
        return;
    REQUIRE(value.generation >= m->assigned);
    if (value.generation == m->assigned) {
        REQUIRE(hash == m->assignments);
        replaced_seen++;
    }
    m->assigned = value.generation;
    m->assignments = hash;
}

/* The last record of a group holds exactly what a stable or empty group is. */
static void
compare_with_log(int g)
{
    const Group *group = shard_find_group(shard, group_name(g));
    const ClassicMember *member;
    GroupMetadataKey key;
    GroupMetadataValue value;

    if (group == NULL ||
        (group->classic->state != CLASSIC_STABLE && group->classic->state != CLASSIC_EMPTY))
        return;
    stable_seen += group->classic->state == CLASSIC_STABLE;
    for (size_t i = kit.log_count; i-- > 0;) {
        read_record(&kit.log[i], &key, &value);
        if (!strview_equal(key.group, group->id))
            continue;
        REQUIRE(value.generation == group->classic->generation);
        member = group->classic->first;
        for (int32_t k = 0; k < value.members_count; k++, member = member->next) {
            REQUIRE(member != NULL && strview_equal(member->id, value.members[k].member_id));
            REQUIRE(member->assignment.len == value.members[k].assignment.len);
        }
        REQUIRE(member == NULL);
        return;
    }
    REQUIRE(false);
}

/* ---- generations ------------------------------------------------------------------------------------------ */

static void
look_before(void)
{
    for (int g = 0; g < GROUPS; g++) {
        const Group *group = shard_find_group(shard, group_name(g));
        Before *b = &befores[g];

        b->there = group != NULL;
        b->joined_count = 0;
        if (!b->there)
            continue;
        b->generation = group->classic->generation;
        for (const ClassicMember *m = group->classic->first; m != NULL; m = m->next)
            if (m->join.parked && b->joined_count < GHOSTS) {
                memset(b->joined[b->joined_count], 0, ID_MAX);
                memcpy(b->joined[b->joined_count++], m->id.ptr, (size_t)m->id.len);
            }
    }
}

/* joining: members of one request, at most, may have joined meanwhile; timer: the time for joining may be over. */
static void
look_after(int joining, bool timer)
{
    for (int g = 0; g < GROUPS; g++) {
        const Group *group = shard_find_group(shard, group_name(g));
        const Before *b = &befores[g];
        int others = 0;

        if (group == NULL || !b->there || group->classic->generation == b->generation)
            continue;
        generations_seen++;
        REQUIRE(timer || group->classic->pending.count == 0);
        for (const ClassicMember *m = group->classic->first; m != NULL; m = m->next) {
            bool joined = m->instance_id.ptr != NULL;

            for (int i = 0; i < b->joined_count; i++)
                joined = joined || strview_equal(strview_from(b->joined[i]), m->id);
            others += !joined;
        }
        REQUIRE(others <= joining);
    }
}

/* ---- requests -------------------------------------------------------------------------------------------- */

static GroupCaller
caller_of(int g, int c, int16_t version, Wish wish)
{
    GroupCaller caller = kit_caller(&kit, version);
    Waiting *w = &waiting[caller.token % TOKENS];

    REQUIRE(!w->open);
    *w = (Waiting){(uint8_t)g, (uint8_t)c, wish, true, false};
    clients[g][c].wish = WISH_NOTHING;
    return caller;
}

static StrView
instance_of(int c)
{
    static const char *const names[STATICS] = {"i0", "i1"};

    return c < STATICS ? strview_from(names[c]) : (StrView){0};
}

static StrView
id_of(int g, int c)
{
    if (below(50) == 0)
        return below(2) == 0 ? STRVIEW("made-up")
                             : (StrView){clients[g][below(CLIENTS)].id, clients[g][0].id_len};
    return (StrView){clients[g][c].id, clients[g][c].id_len};
}

static void
join(int g, int c)
{
    static const char *const names[3] = {"range", "rr", "sticky"};
    static const int16_t versions[4] = {9, 9, 5, 3};
    Client *client = &clients[g][c];
    JoinGroupRequestProtocol protocols[3];
    JoinGroupRequest request;
    GroupCaller caller;
    char metadata[32];

    if (below(30) == 0)
        client->mark++;
    if (client->id_len == 0)
        client->version = c < STATICS ? 9 : versions[below(4)];
    (void)snprintf(metadata, sizeof metadata, "m%d", client->mark);
    join_group_request_init(&request);
    request.group_id = group_name(g);
    request.session_timeout_ms = 1000 * (2 + (int32_t)below(10));
    request.rebalance_timeout_ms = 1000 * (1 + (int32_t)below(4));
    if (c >= STATICS || below(3) > 0) /* a static one begins anew, now and then */
        request.member_id = id_of(g, c);
    request.group_instance_id = instance_of(c);
    request.protocol_type = below(60) == 0 ? STRVIEW("other") : STRVIEW("test");
    request.protocols = protocols;
    request.protocols_count = 1 + (int32_t)below(3);
    for (int32_t i = 0; i < request.protocols_count; i++)
        protocols[i] = (JoinGroupRequestProtocol){
            .name = strview_from(names[(i + client->mark) % 3]),
            .metadata = {(const uint8_t *)metadata, (int32_t)strlen(metadata)},
        };
    if (below(40) > 0)
        protocols[0].name = STRVIEW("range");
    caller = caller_of(g, c, client->version, WISH_JOIN);
    shard_join_group(shard, kit_env(&kit), &caller, &request);
}

static void
sync_group(int g, int c)
{
    static int32_t serial;
    Client *client = &clients[g][c];
    SyncGroupRequestAssignment list[CLIENTS];
    int32_t assignments[CLIENTS][3];
    SyncGroupRequest request;
    GroupCaller caller;

    sync_group_request_init(&request);
    request.group_id = group_name(g);
    request.generation_id = client->generation - (below(20) == 0);
    request.member_id = id_of(g, c);
    request.group_instance_id = instance_of(c);
    request.assignments = list;
    serial++;
    for (int i = 0; i < CLIENTS && below(12) > 0; i++) {
        assignments[i][0] = client->generation;
        assignments[i][1] = serial;
        assignments[i][2] = i;
        list[request.assignments_count++] = (SyncGroupRequestAssignment){
            .member_id = {clients[g][i].id, clients[g][i].id_len},
            .assignment = {(const uint8_t *)assignments[i], sizeof assignments[i]},
        };
    }
    caller = caller_of(g, c, 4, WISH_SYNC);
    shard_sync_group(shard, kit_env(&kit), &caller, &request);
}

static void
heartbeat(int g, int c)
{
    HeartbeatRequest request;
    GroupCaller caller = caller_of(g, c, 4, WISH_BEAT);

    heartbeat_request_init(&request);
    request.group_id = group_name(g);
    request.generation_id = clients[g][c].generation - (below(20) == 0);
    request.member_id = id_of(g, c);
    request.group_instance_id = instance_of(c);
    shard_heartbeat(shard, kit_env(&kit), &caller, &request);
    REQUIRE(kit.out.replies != NULL);
}

static void
leave(int g, int c)
{
    LeaveGroupRequestMember list[3] = {0};
    LeaveGroupRequest request;
    GroupCaller caller = caller_of(g, c, 5, WISH_NOTHING);

    leave_group_request_init(&request);
    request.group_id = group_name(g);
    request.members = list;
    request.members_count = 1 + (int32_t)below(3) / 2;
    for (int32_t i = 0; i < request.members_count; i++) {
        int other = i == 0 ? c : (int)below(CLIENTS);

        if (other >= STATICS || below(2) == 0)
            list[i].member_id = id_of(g, other);
        list[i].group_instance_id = instance_of(other);
    }
    shard_leave_group(shard, kit_env(&kit), &caller, &request);
    REQUIRE(kit.out.replies != NULL);
}

static void
hang_up(void)
{
    for (int i = 0; i < 20; i++) {
        GroupToken token = kit.last_token - below(20);
        Waiting *w = &waiting[token % TOKENS];

        if (token == 0 || token > kit.last_token || !w->open)
            continue;
        w->abandoned = true;
        w->open = false;
        clients[w->group][w->client].wish = WISH_JOIN;
        return;
    }
}

/* ---- time and loads ------------------------------------------------------------------------------------ */

static void
finish(void)
{
    size_t before = kit.log_count;

    (void)kit_take(&kit);
    for (size_t i = before; i < kit.log_count; i++)
        on_record(&kit.log[i]);
}

/* Records are looked at before replies are judged, which speak of them. */
static void
settle(void)
{
    GroupOut *out = &kit.out;
    GroupReply *replies = out->replies;

    out->replies = NULL;
    finish();
    for (const GroupReply *reply = replies; reply != NULL; reply = reply->next)
        on_reply(reply);
}

static void
pass_ms(int64_t ms)
{
    int64_t end = kit.env.now_us + ms * 1000;

    while (shard_next_timer_us(shard) <= end) {
        int64_t next = shard_next_timer_us(shard);

        if (next > kit.env.now_us)
            kit.env.now_us = next;
        look_before();
        (void)shard_tick(shard, kit_env(&kit));
        look_after(0, true);
        settle();
    }
    kit.env.now_us = end;
    kit.env.wall_ms += ms;
}

static void
unload(void)
{
    shard_unload(shard, kit_env(&kit), KERR_NOT_COORDINATOR);
    settle();
    for (int i = 0; i < TOKENS; i++)
        REQUIRE(!waiting[i].open);
    shard_free(shard);
    shard = NULL;
    REQUIRE(kit.memory.used == 0);
}

static void
load(void)
{
    ErrInfo err = {0};

    shard = shard_new(0, &kit.memory, random_seq_next(&kit.seq));
    kit_compact_log(&kit);
    for (size_t i = 0; i < kit.log_count; i++) {
        ReplayRecord record = kit_replay_record(&kit, i);

        REQUIRE(shard_replay(shard, &record, &err) == 0);
    }
    shard_loaded(shard, kit_env(&kit));
    for (int g = 0; g < GROUPS; g++) {
        models[g].told = 0;
        models[g].loaded_anew = shard_find_group(shard, group_name(g)) != NULL;
    }
    settle();
}

/* ---- episodes ------------------------------------------------------------------------------------------- */

static void
fulfil(int g, int c)
{
    switch (clients[g][c].wish) {
    case WISH_JOIN:
        join(g, c);
        break;
    case WISH_SYNC:
        sync_group(g, c);
        break;
    case WISH_BEAT:
        heartbeat(g, c);
        break;
    case WISH_NOTHING:
        break;
    }
}

static void
step(void)
{
    int g = (int)below(GROUPS), c = (int)below(CLIENTS);
    uint32_t what = below(1000);
    Group *group;

    (void)kit_env(&kit); /* empty: some steps ask for nothing */
    look_before();
    if (what < 880)
        fulfil(g, c);
    else if (what < 888)
        join(g, c);
    else if (what < 900)
        sync_group(g, c);
    else if (what < 915)
        heartbeat(g, c);
    else if (what < 923)
        leave(g, c);
    else if (what < 930)
        hang_up();
    else if (what < 990)
        pass_ms(below(what < 931 ? 5000 : 300));
    else if (what < 992)
        kit.settings.max_size = below(4) > 0 ? INT32_MAX : (int32_t)below(CLIENTS);
    else if (what < 994)
        kit.memory.limit = below(4) > 0 ? (size_t)1 << 30 : 1;
    else if (what < 996)
        kit.settings.max_batch_bytes = below(6) > 0 ? 1048588 : 700;
    else if (what < 997) {
        unload();
        load();
    } else
        kit.settings.initial_rebalance_delay_ms = (int32_t)below(2) * 500;
    if (what < 930) /* one request */
        look_after(1, false);
    settle();
    group = shard_find_group(shard, group_name(g));
    if (group != NULL)
        classic_check(shard, group);
    if (now_step % 64 == 0)
        shard_check(shard);
    compare_with_log(g);
}

static void
episode(uint64_t seed, int64_t steps)
{
    now_seed = seed;
    now_step = -1;
    kit_init(&kit, seed);
    kit.settings.min_session_timeout_ms = 1000;
    kit.quiet = true;
    memset(clients, 0, sizeof clients);
    memset(models, 0, sizeof models);
    memset(waiting, 0, sizeof waiting);
    load();
    for (now_step = 0; now_step < steps; now_step++) {
        step();
        if (now_step % 100 == 0)
            kit_compact_log(&kit);
    }
    pass_ms((int64_t)3600 * 1000); /* everybody is silent */
    for (int i = 0; i < TOKENS; i++)
        REQUIRE(!waiting[i].open);
    for (int g = 0; g < GROUPS; g++) {
        Group *group = shard_find_group(shard, group_name(g));

        REQUIRE(group == NULL || classic_is_empty(group));
    }
    shard_check(shard);
    rebalances_seen += kit.rebalance_count;
    unload();
    kit_fini(&kit);
}

static void
random_clients_break_nothing(void **state)
{
    const char *steps_text = getenv("OTTLA_STEPS");
    const char *seed_text = getenv("OTTLA_SEED");
    int64_t steps = steps_text == NULL ? 1000000 : strtoll(steps_text, NULL, 10);
    uint64_t seed = seed_text == NULL ? 1 : strtoull(seed_text, NULL, 10);

    (void)state;
    print_message("# first seed %llu, %lld steps\n", (unsigned long long)seed, (long long)steps);
    for (int64_t done = 0; done < steps; done += EPISODE_STEPS)
        episode(seed++, EPISODE_STEPS);
    print_message(
        "# %lld looks at a stable group, %lld replaced members, %lld records, %zu rebalances\n",
        (long long)stable_seen, (long long)replaced_seen, (long long)records_seen, rebalances_seen);
    /* The steps led somewhere. */
    assert_true(stable_seen * 20 > steps);
    assert_true(replaced_seen * 1000 > steps);
    assert_true(generations_seen * 200 > steps);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_clients_break_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
