/*
 * test_consumer_random.c - consumers that join, lie, vanish and come back by chance
 *
 * Clients of both protocols, honest ones and others, do what a seed says; topics come, grow and go; time passes; the
 * shard is loaded again from its (compacted) log. After each step all invariants of the group hold and no epoch goes
 * back; what an honest client believes to own is its own: no other honest client believes the same. Now and then
 * there is peace: then each partition that is subscribed to comes to a subscriber in the end.
 * OTTLA_GROUP_STEPS steps instead of a few, OTTLA_SEED from that seed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS   600000
#define CLIENTS 10
#define GROUPS  2
#define TOPICS  4
#define PARTS   6
#define RELOADS 400 /* a step in so many */
#define NAMES   5

#define PEACE_EVERY  5000
#define PEACE_ROUNDS 40 /* seconds: sessions of who is silent end, expressions are resolved anew */

/* Owned partitions as a bit each. */
typedef struct Owned {
    Uuid ids[TOPICS];
    uint32_t bits[TOPICS];
    int count;
} Owned;

typedef struct Client {
    char id[64];
    const char *instance; /* NULL: dynamic */
    int group;
    int32_t epoch; /* 0: outside */
    bool classic;
    bool liar;            /* has said what was not true: what it believes does not count */
    int32_t member_epoch; /* highest that the group gave this id since it joined */
    Owned owned;
} Client;

typedef struct Run {
    ConsumerKit ck;
    Client clients[CLIENTS];
    int32_t epochs[GROUPS], target_epochs[GROUPS];
    uint64_t seed;
    uint64_t step;
    uint64_t codes[130];                            /* of heartbeats that were answered */
    uint64_t mixed, revoking, converted, computing; /* steps after which a group is so */
    uint64_t peaces;
    bool was_consumer[GROUPS];
    int serial;
} Run;

static const char *const group_names[GROUPS] = {"g0", "g1"};
static const char *const topic_names[NAMES] = {"ta", "tb", "tc", "ua", "ub"};
static const char *const instances[3] = {"i0", "i1", "i2"};
static const char *const regexes[4] = {"t.*", "u.*", "[tu]a", "none"};

static int
below(Run *run, int bound)
{
    return (int)random_seq_below(&run->ck.kit.seq, (uint64_t)bound);
}

static bool
one_in(Run *run, int n)
{
    return below(run, n) == 0;
}

static ConsumerGroup *
group_of(Run *run, int group)
{
    Group *g = shard_find_group(run->ck.shard, strview_from(group_names[group]));

    return g == NULL ? NULL : g->consumer;
}

/* ---- what clients believe ------------------------------------------------------------------------------------- */

static void
forget_owned(Client *client)
{
    client->owned = (Owned){0};
}

static bool
believes(const Client *client, Uuid id, int partition)
{
    for (int i = 0; i < client->owned.count; i++)
        if (uuid_equal(client->owned.ids[i], id))
            return (client->owned.bits[i] >> partition & 1) != 0;
    return false;
}

/* A target that is for the group's epoch gives all partitions of what is subscribed to, as far as the group has looked. */
static void
check_target(Run *run, const ConsumerGroup *consumer)
{
    GroupKit *kit = &run->ck.kit;
    int32_t given = 0, wanted = 0;
    GroupTopic found;

    if (consumer->epoch != consumer->target_epoch || consumer->metadata_due ||
        consumer->resolving || (consumer->regexes_due && consumer->regex_members > 0))
        return; /* an expression that is not resolved yet: what was before it counts */
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        for (int32_t i = 0; i < m->target.count; i++) /* a topic may have come and gone meanwhile */
            given += kit->metadata.by_id(kit, m->target.list[i].topic->id, &found);
    for (int32_t t = 0; t < kit->topic_count; t++)
        if (consumer_subscribes(consumer->group, strview_from(kit->topics[t].name)))
            wanted += kit->topics[t].partitions;
    if (given != wanted)
        fail_msg("seed %llu, step %llu: the target has %d partitions of %d",
                 (unsigned long long)run->seed, (unsigned long long)run->step, given, wanted);
}

/* A member's epoch only grows, but for a fresh start and for one who is away. */
static void
check_epochs(Run *run)
{
    for (int i = 0; i < CLIENTS; i++) {
        Client *client = &run->clients[i];
        ConsumerGroup *consumer = group_of(run, client->group);
        const ConsumerMember *m =
            consumer == NULL ? NULL : consumer_find_member(consumer, strview_from(client->id));

        if (m != NULL && m->epoch > 0 && m->epoch < client->member_epoch)
            fail_msg("seed %llu, step %llu: %s goes back from %d to %d",
                     (unsigned long long)run->seed, (unsigned long long)run->step, client->id,
                     client->member_epoch, m->epoch);
        client->member_epoch = m == NULL || m->epoch <= 0 ? 0 : m->epoch;
    }
}

static void
check_beliefs(Run *run)
{
    for (int a = 0; a < CLIENTS; a++) {
        const Client *one = &run->clients[a];
        ConsumerGroup *consumer = group_of(run, one->group);
        ConsumerMember *member;

        if (one->liar || one->classic || one->epoch <= 0 || consumer == NULL)
            continue;
        member = consumer_find_member(consumer, strview_from(one->id));
        if (member == NULL || member->epoch <= 0)
            continue; /* it will hear that it is out */
        for (int i = 0; i < one->owned.count; i++)
            for (int p = 0; p < 32; p++) {
                const ConsumerTopic *topic;

                if ((one->owned.bits[i] >> p & 1) == 0)
                    continue;
                topic = consumer_find_topic(consumer, one->owned.ids[i]);
                if (topic == NULL || p >= topic->room || topic->owners[p] != member)
                    fail_msg("seed %llu, step %llu: %s believes in a partition that is not its own",
                             (unsigned long long)run->seed, (unsigned long long)run->step, one->id);
            }
    }
}

static void
check(Run *run)
{
    for (int g = 0; g < GROUPS; g++) {
        Group *group = shard_find_group(run->ck.shard, strview_from(group_names[g]));

        bool consumer = group != NULL && group->consumer != NULL;

        run->converted += consumer != run->was_consumer[g];
        run->was_consumer[g] = consumer;
        if (!consumer) {
            run->epochs[g] = run->target_epochs[g] = 0;
            continue;
        }
        consumer_check(run->ck.shard, group);
        check_target(run, group->consumer);
        run->mixed += group->consumer->classic_count > 0 &&
                      group->consumer->classic_count < (int32_t)group->consumer->members.count;
        for (ConsumerMember *m = group->consumer->first; m != NULL; m = m->next)
            run->revoking += m->state == CONSUMER_UNREVOKED;
        run->computing += timer_is_set(&group->consumer->job_timer);
        assert_true(group->consumer->epoch >= run->epochs[g]);
        assert_true(group->consumer->target_epoch >= run->target_epochs[g]);
        run->epochs[g] = group->consumer->epoch;
        run->target_epochs[g] = group->consumer->target_epoch;
    }
    check_beliefs(run);
    check_epochs(run);
}

/* ---- consumers ---------------------------------------------------------------------------------------------------- */

static void
fill_owned(Run *run, const Client *client, ConsumerGroupHeartbeatRequest *r)
{
    Arena *arena = run->ck.kit.replies_arena;

    r->topic_partitions = arena_calloc(arena, TOPICS + 1, sizeof *r->topic_partitions);
    r->topic_partitions_count = 0;
    for (int i = 0; i < client->owned.count; i++) {
        ConsumerGroupHeartbeatRequestTopicPartitions *to =
            &r->topic_partitions[r->topic_partitions_count++];

        to->topic_id = client->owned.ids[i];
        to->partitions = arena_calloc(arena, 32, sizeof(int32_t));
        for (int p = 0; p < 32; p++)
            if (client->owned.bits[i] >> p & 1)
                to->partitions[to->partitions_count++] = p;
    }
}

static void
fill_subscription(Run *run, ConsumerGroupHeartbeatRequest *r)
{
    int how = below(run, 6);

    if (how == 0) {
        r->subscribed_topic_regex = strview_from(regexes[below(run, 4)]);
        r->subscribed_topic_names_count = one_in(run, 2) ? -1 : 0;
        if (r->subscribed_topic_names_count == 0)
            r->subscribed_topic_names = arena_calloc(run->ck.kit.replies_arena, 1, sizeof(StrView));
        return;
    }
    if (one_in(run, 4))
        r->subscribed_topic_regex = STRVIEW("");
    r->subscribed_topic_names = arena_calloc(run->ck.kit.replies_arena, NAMES, sizeof(StrView));
    r->subscribed_topic_names_count = 0;
    for (int i = 0; i < NAMES; i++)
        if (i == how - 1 || one_in(run, how == 5 ? 1 : 3))
            r->subscribed_topic_names[r->subscribed_topic_names_count++] =
                strview_from(topic_names[i]);
}

static void
hear(Run *run, Client *client, const ConsumerGroupHeartbeatResponse *response)
{
    if (response->error_code != 0) {
        if (response->error_code == KERR_UNKNOWN_MEMBER_ID ||
            response->error_code == KERR_FENCED_MEMBER_EPOCH ||
            response->error_code == KERR_GROUP_ID_NOT_FOUND) {
            client->epoch = 0;
            forget_owned(client);
        }
        return;
    }
    client->epoch = response->member_epoch;
    if (response->assignment == NULL)
        return;
    forget_owned(client);
    for (int32_t t = 0; t < response->assignment->topic_partitions_count; t++) {
        const ConsumerGroupHeartbeatResponseTopicPartitions *one =
            &response->assignment->topic_partitions[t];

        assert_true(client->owned.count < TOPICS);
        client->owned.ids[client->owned.count] = one->topic_id;
        for (int32_t i = 0; i < one->partitions_count; i++)
            client->owned.bits[client->owned.count] |= UINT32_C(1) << one->partitions[i];
        client->owned.count++;
    }
    for (int other = 0; other < CLIENTS; other++) {
        const Client *o = &run->clients[other];
        ConsumerGroup *consumer = group_of(run, client->group);

        if (o == client || o->liar || o->classic || o->group != client->group || o->epoch <= 0 ||
            consumer_find_member(consumer, strview_from(o->id)) == NULL || client->liar)
            continue;
        for (int i = 0; i < client->owned.count; i++)
            for (int p = 0; p < 32; p++)
                if (client->owned.bits[i] >> p & 1)
                    assert_false(believes(o, client->owned.ids[i], p));
    }
}

static void
send_beat(Run *run, Client *client, ConsumerGroupHeartbeatRequest *r, bool lost)
{
    GroupCaller caller = kit_caller(&run->ck.kit, 1);
    const ConsumerGroupHeartbeatResponse *response;

    r->group_id = strview_from(group_names[client->group]);
    r->member_id = strview_from(client->id);
    shard_consumer_heartbeat(run->ck.shard, kit_env(&run->ck.kit), &caller, r);
    (void)kit_take(&run->ck.kit); /* how many records does not matter */
    response = kit_message(&run->ck.kit, caller.token, &consumer_group_heartbeat_response_desc);
    run->codes[1 + response->error_code]++;
    if (!lost)
        hear(run, client, response);
}

static void
new_client(Run *run, Client *client)
{
    *client = (Client){.group = below(run, GROUPS), .classic = one_in(run, 4)};
    (void)snprintf(client->id, sizeof client->id, "m%d", run->serial++ % 1000); /* fits */
    if (one_in(run, 3))
        client->instance = instances[below(run, 3)];
}

static void
join(Run *run, Client *client)
{
    ConsumerGroupHeartbeatRequest r;

    consumer_group_heartbeat_request_init(&r);
    forget_owned(client);
    client->liar = false;
    r.instance_id = strview_from(client->instance);
    r.rebalance_timeout_ms = 2000 + below(run, 20) * 1000;
    r.topic_partitions = arena_calloc(run->ck.kit.replies_arena, 1, sizeof *r.topic_partitions);
    r.topic_partitions_count = 0;
    fill_subscription(run, &r);
    if (r.subscribed_topic_names_count < 0 && r.subscribed_topic_regex.ptr == NULL)
        r.subscribed_topic_regex = STRVIEW("");
    if (one_in(run, 3))
        r.server_assignor = one_in(run, 2) ? STRVIEW("range") : STRVIEW("uniform");
    send_beat(run, client, &r, false);
}

static void
beat(Run *run, Client *client)
{
    ConsumerGroupHeartbeatRequest r;
    int what = below(run, 100);

    consumer_group_heartbeat_request_init(&r);
    r.member_epoch = client->epoch;
    if (client->instance != NULL && one_in(run, 2))
        r.instance_id = strview_from(client->instance);
    if (!one_in(run, 4))
        fill_owned(run, client, &r);
    if (what < 4) {
        fill_subscription(run, &r);
    } else if (what < 6) {
        r.member_epoch += below(run, 4) - 2;
        if (r.member_epoch <= 0)
            r.member_epoch = 1;
    } else if (what < 7) { /* lies */
        client->liar = true;
        r.topic_partitions = arena_calloc(run->ck.kit.replies_arena, 1, sizeof *r.topic_partitions);
        r.topic_partitions_count = 0;
    } else if (what < 8) {
        r.rebalance_timeout_ms = 1000 + below(run, 10000);
    }
    send_beat(run, client, &r, one_in(run, 12));
}

static void
leave(Run *run, Client *client)
{
    ConsumerGroupHeartbeatRequest r;
    bool away = client->instance != NULL && one_in(run, 2);

    consumer_group_heartbeat_request_init(&r);
    r.member_epoch = away ? CONSUMER_EPOCH_AWAY : CONSUMER_EPOCH_LEAVE;
    if (away || one_in(run, 2))
        r.instance_id = strview_from(client->instance);
    send_beat(run, client, &r, false);
    client->epoch = 0;
    forget_owned(client);
    if (away)
        (void)snprintf(client->id, sizeof client->id, "m%d", run->serial++ % 1000); /* fits */
}

/* ---- classic members ------------------------------------------------------------------------------------------------ */

/* Every token of a classic request is answered at once while the group is a consumer's. */
static void
classic_step(Run *run, Client *client)
{
    GroupKit *kit = &run->ck.kit;
    GroupCaller caller = kit_caller(kit, one_in(run, 4) ? 3 : 5);
    StrView group = strview_from(group_names[client->group]);
    StrView id = strview_from(client->id);
    int what = below(run, 8);

    if (what < 3) {
        JoinGroupRequestProtocol protocol = {.name = STRVIEW("range")};
        JoinGroupRequest r;

        join_group_request_init(&r);
        r.group_id = group;
        r.member_id = one_in(run, 4) ? STRVIEW("") : id;
        r.group_instance_id =
            caller.api_version >= 5 ? strview_from(client->instance) : (StrView){0};
        r.session_timeout_ms = 6000;
        r.rebalance_timeout_ms = 3000;
        r.protocol_type = CONSUMER_PROTOCOL_TYPE;
        protocol.metadata = kit_subscription(kit, one_in(run, 2) ? "ta,tb" : "ua", NULL);
        r.protocols = &protocol;
        r.protocols_count = 1;
        shard_join_group(run->ck.shard, kit_env(kit), &caller, &r);
    } else if (what < 5) {
        SyncGroupRequest r;

        sync_group_request_init(&r);
        r.group_id = group;
        r.member_id = id;
        r.generation_id = client->epoch;
        shard_sync_group(run->ck.shard, kit_env(kit), &caller, &r);
    } else if (what < 7) {
        HeartbeatRequest r;

        caller.api_version = 4;
        heartbeat_request_init(&r);
        r.group_id = group;
        r.member_id = id;
        r.generation_id = client->epoch;
        shard_heartbeat(run->ck.shard, kit_env(kit), &caller, &r);
    } else {
        LeaveGroupRequestMember one = {.member_id = one_in(run, 3) ? STRVIEW("") : id,
                                       .group_instance_id = strview_from(client->instance)};
        LeaveGroupRequest r;

        leave_group_request_init(&r);
        r.group_id = group;
        r.member_id = id;
        r.members = &one;
        r.members_count = 1;
        shard_leave_group(run->ck.shard, kit_env(kit), &caller, &r);
        client->epoch = 0;
    }
    (void)kit_take(kit); /* the same */
    if (what < 3 && kit_code(kit, caller.token) == 0) {
        const JoinGroupResponse *response =
            kit_message(kit, caller.token, &join_group_response_desc);

        assert_true(response->member_id.len < (int32_t)sizeof client->id);
        memcpy(client->id, response->member_id.ptr, (size_t)response->member_id.len);
        client->id[response->member_id.len] = '\0';
        client->epoch = response->generation_id;
    }
}

/* ---- the world ------------------------------------------------------------------------------------------------------ */

static void
change_topics(Run *run)
{
    GroupKit *kit = &run->ck.kit;
    const char *name = topic_names[below(run, NAMES)];

    for (int32_t i = 0; i < kit->topic_count; i++) {
        if (strcmp(kit->topics[i].name, name) != 0)
            continue;
        if (kit->topics[i].partitions < PARTS && one_in(run, 2)) {
            kit->topics[i].partitions++;
            kit->metadata.version++;
        } else {
            kit_remove_topic(kit, name);
        }
        ck_tell_metadata(&run->ck);
        return;
    }
    if (kit->topic_count < TOPICS)
        kit_add_topic(kit, name, 1 + below(run, PARTS));
    ck_tell_metadata(&run->ck);
}

static void
step(Run *run)
{
    int what = below(run, 1000);
    Client *client = &run->clients[below(run, CLIENTS)];

    run->ck.kit.settings.slice_steps = one_in(run, 3) ? 1 + below(run, 60) : GROUP_SLICE_STEPS;
    if (what < 6) {
        change_topics(run);
    } else if (what < 40) {
        ck_wait(&run->ck, below(run, what < 10 ? 60000 : 800));
    } else if (what < 50) {
        new_client(run, client); /* the old one vanishes */
    } else if (client->classic) {
        classic_step(run, client);
    } else if (client->epoch <= 0 || what < 60) {
        join(run, client);
    } else if (what < 80) {
        leave(run, client);
    } else {
        beat(run, client);
    }
    if (one_in(run, RELOADS)) {
        ck_reload(&run->ck);
        ck_compact(&run->ck);
        ck_compare(&run->ck);
    }
    kit_forget(&run->ck.kit);
}

/* ---- peace ---------------------------------------------------------------------------------------------------------- */

/* Everything that is subscribed to is somebody's who subscribes to it, and everybody has what it shall have. */
static void
check_peace(Run *run, const ConsumerGroup *consumer)
{
    GroupKit *kit = &run->ck.kit;

    assert_string_equal(consumer_state_text(consumer->group), "Stable");
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next) {
        int32_t there = 0;
        GroupTopic found;

        assert_true(m->epoch == consumer->epoch);
        for (int32_t i = 0; i < m->target.count; i++)
            there += kit->metadata.by_id(kit, m->target.list[i].topic->id, &found);
        assert_int_equal(m->assigned.count, there);
    }
    for (int32_t t = 0; t < kit->topic_count; t++) {
        const ConsumerTopic *topic = consumer_find_topic(consumer, kit->topics[t].id);
        StrView name = strview_from(kit->topics[t].name);
        bool wanted = consumer_subscribes(consumer->group, name);

        for (int32_t p = 0; p < kit->topics[t].partitions; p++) {
            const ConsumerMember *m = topic == NULL || p >= topic->room ? NULL : topic->owners[p];

            if ((m != NULL) != wanted)
                fail_msg("seed %llu, step %llu: %s:%d is %s", (unsigned long long)run->seed,
                         (unsigned long long)run->step, kit->topics[t].name, p,
                         wanted ? "nobody's" : "still somebody's");
            assert_true(m == NULL || consumer_has_name(m, name) ||
                        (m->regex != NULL && consumer_regex_means(m->regex, name)));
        }
    }
}

/* For a while nothing changes, consumers speak the truth and hear all; the others are silent. Then all is settled. */
static void
peace(Run *run)
{
    for (int i = 0; i < CLIENTS; i++)
        if (run->clients[i].liar)
            run->clients[i].epoch = 0;
    for (int round = 0; round < PEACE_ROUNDS; round++) {
        for (int i = 0; i < CLIENTS; i++) {
            Client *client = &run->clients[i];
            ConsumerGroupHeartbeatRequest r;

            if (client->classic)
                continue;
            if (client->epoch <= 0) {
                join(run, client);
                continue;
            }
            consumer_group_heartbeat_request_init(&r);
            r.member_epoch = client->epoch;
            fill_owned(run, client, &r);
            send_beat(run, client, &r, false);
        }
        ck_wait(&run->ck, 1000);
        check(run);
        kit_forget(&run->ck.kit);
    }
    for (int g = 0; g < GROUPS; g++) {
        const Group *group = shard_find_group(run->ck.shard, strview_from(group_names[g]));

        if (group == NULL || group->consumer == NULL || group->consumer->first == NULL)
            continue;
        check_peace(run, group->consumer);
        run->peaces++;
    }
}

static void
whatever_happens_the_group_is_whole(void **state)
{
    const char *steps_text = getenv("OTTLA_GROUP_STEPS");
    const char *seed_text = getenv("OTTLA_SEED");
    uint64_t steps = steps_text == NULL ? STEPS : strtoull(steps_text, NULL, 10);
    Run *run = calloc(1, sizeof *run);

    (void)state;
    assert_non_null(run);
    run->seed = seed_text == NULL ? 848 : strtoull(seed_text, NULL, 10);
    printf("# seed %llu\n", (unsigned long long)run->seed);
    consumer_kit_init(&run->ck, run->seed);
    run->ck.kit.settings.consumer_assignment_interval_ms = 200;
    run->ck.kit.settings.consumer_min_session_timeout_ms = 10000;
    run->ck.kit.settings.consumer_session_timeout_ms = 20000;
    if (below(run, 2) == 0) /* units are spread, conversions refused, perhaps a target */
        run->ck.kit.settings.max_batch_bytes = 400 + below(run, 2000);
    for (int i = 0; i < 3; i++)
        kit_add_topic(&run->ck.kit, topic_names[i], 2 + i);
    for (int i = 0; i < CLIENTS; i++)
        new_client(run, &run->clients[i]);
    for (run->step = 0; run->step < steps; run->step++) {
        step(run);
        check(run);
        if (run->step % PEACE_EVERY == PEACE_EVERY - 1)
            peace(run);
    }
    ck_reload(&run->ck);
    /* The steps led through everything they are meant for. */
    if (steps >= STEPS) {
        static const int16_t wanted[] = {0, 25, 69, 82, 110, 111};

        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            if (run->codes[1 + wanted[i]] == 0)
                fail_msg("no heartbeat was answered %d", wanted[i]);
        assert_true(run->mixed > 100 && run->revoking > 100 && run->converted > 10 &&
                    run->computing > 100 && run->peaces > 10);
    }
    consumer_kit_fini(&run->ck);
    free(run);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_the_group_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
