/*
 * consumer.c - consumer groups: their life, and what others ask of them
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4; observed.md 12. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/consumer_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/text.h"

void
consumer_attach(GroupShard *shard, Group *group)
{
    ConsumerGroup *consumer = gmem_new(shard->memory, sizeof *consumer);

    ot_assert(group->consumer == NULL && group->classic == NULL);
    consumer->group = group;
    consumer->metadata_due = true;
    consumer->resolve_begin_us = INT64_MIN;
    map_init(&consumer->members, shard->memory, shard->seed);
    map_init(&consumer->instances, shard->memory, shard->seed);
    map_init(&consumer->topics, shard->memory, shard->seed);
    map_init(&consumer->names, shard->memory, shard->seed);
    map_init(&consumer->meant, shard->memory, shard->seed);
    map_init(&consumer->regexes, shard->memory, shard->seed);
    group->consumer = consumer;
}

void
consumer_detach(GroupShard *shard, Group *group)
{
    ConsumerGroup *consumer = group->consumer;

    consumer_stop_resolving(shard, consumer);
    consumer_stop_computing(shard, consumer);
    while (consumer->last != NULL)
        consumer_drop_member(shard, consumer->last);
    consumer_drop_unused_regexes(shard, NULL, consumer);
    consumer_sweep_topics(shard, consumer);
    ot_assert(consumer->topics.count == 0 && consumer->names.count == 0 &&
              consumer->meant.count == 0);
    map_clear(&consumer->members);
    map_clear(&consumer->instances);
    map_clear(&consumer->topics);
    map_clear(&consumer->names);
    map_clear(&consumer->meant);
    map_clear(&consumer->regexes);
    gmem_free_text(shard->memory, consumer->cause_member);
    gmem_free(shard->memory, consumer, sizeof *consumer);
    group->consumer = NULL;
}

/* ---- settings --------------------------------------------------------------------------------------- */

static int32_t
config(GroupEnv *env, const ConsumerGroup *consumer, StrView key, int32_t value)
{
    StrView text;
    int32_t own;

    if (env->metadata->group_config(env->metadata->ctx, consumer->group->id, key, &text) &&
        text_to_int32(text, &own))
        return own;
    return value;
}

static int32_t
clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

int32_t
consumer_session_timeout_ms(GroupEnv *env, const ConsumerGroup *consumer)
{
    const GroupSettings *s = env->settings;

    return clamp(config(env, consumer, STRVIEW("consumer.session.timeout.ms"),
                        s->consumer_session_timeout_ms),
                 s->consumer_min_session_timeout_ms, s->consumer_max_session_timeout_ms);
}

int32_t
consumer_heartbeat_interval_ms(GroupEnv *env, const ConsumerGroup *consumer)
{
    const GroupSettings *s = env->settings;

    return clamp(config(env, consumer, STRVIEW("consumer.heartbeat.interval.ms"),
                        s->consumer_heartbeat_interval_ms),
                 s->consumer_min_heartbeat_interval_ms, s->consumer_max_heartbeat_interval_ms);
}

int32_t
consumer_assignment_interval_ms(GroupEnv *env, const ConsumerGroup *consumer)
{
    const GroupSettings *s = env->settings;

    return clamp(config(env, consumer, STRVIEW("consumer.assignment.interval.ms"),
                        s->consumer_assignment_interval_ms),
                 s->consumer_min_assignment_interval_ms, s->consumer_max_assignment_interval_ms);
}

/* ---- time ------------------------------------------------------------------------------------------- */

void
consumer_touch(GroupShard *shard, GroupEnv *env, ConsumerMember *member)
{
    int64_t timeout_ms = member->classic != NULL
                             ? member->classic->session_timeout_ms
                             : consumer_session_timeout_ms(env, member->consumer);

    timers_set(&shard->timers, &member->session, TIMER_CONSUMER_SESSION,
               env->now_us + timeout_ms * 1000);
}

void
consumer_timer(GroupShard *shard, GroupEnv *env, GroupTimer *timer)
{
    ConsumerMember *member = NULL;

    group_out_spread(env->out);
    switch ((TimerKind)timer->kind) {
    case TIMER_CONSUMER_SESSION:
        member = MAP_OWNER(timer, ConsumerMember, session);
        break;
    case TIMER_CONSUMER_REBALANCE:
        member = MAP_OWNER(timer, ConsumerMember, rebalance);
        break;
    case TIMER_CONSUMER_JOIN:
        member = MAP_OWNER(timer, ConsumerClassic, join)->member;
        break;
    case TIMER_CONSUMER_SYNC:
        member = MAP_OWNER(timer, ConsumerClassic, sync)->member;
        break;
    case TIMER_CONSUMER_REGEX:
        consumer_resolve(shard, env, MAP_OWNER(timer, ConsumerGroup, regex_timer));
        return;
    case TIMER_CONSUMER_TARGET:
        consumer_compute(shard, env, MAP_OWNER(timer, ConsumerGroup, job_timer));
        return;
    case TIMER_CLASSIC_PENDING:
    case TIMER_CLASSIC_MEMBER:
    case TIMER_CLASSIC_JOIN:
    case TIMER_CLASSIC_SYNC:
    case TIMER_KIND_COUNT:
        ot_unreachable();
    }
    consumer_remove_members(shard, env, member->consumer, &member, 1, REBALANCE_MEMBER_EXPIRED);
}

/* Members have to move still, as far as they are there: what they were told before, and why, is not in the log. */
static bool
is_on_its_way(const ConsumerGroup *consumer)
{
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        if (m->epoch != CONSUMER_EPOCH_AWAY &&
            (!m->settled || consumer->epoch != consumer->target_epoch))
            return true;
    return false;
}

void
consumer_loaded(GroupShard *shard, GroupEnv *env, Group *group)
{
    ConsumerGroup *consumer = group->consumer;
    ConsumerMember *next;

    consumer->metadata_due = true;
    consumer->regexes_due = true;
    for (ConsumerMember *m = consumer->first; m != NULL; m = next) {
        next = m->next;
        if (!m->has_metadata) { /* its own record is gone: it is none */
            consumer_drop_member(shard, m);
            continue;
        }
        consumer_touch(shard, env, m);
        if (m->state == CONSUMER_UNREVOKED)
            timers_set(&shard->timers, &m->rebalance, TIMER_CONSUMER_REBALANCE,
                       env->now_us + (int64_t)m->rebalance_timeout_ms * 1000);
    }
    consumer_note_all_settled(consumer);
    if (is_on_its_way(consumer))
        consumer_note_begin(shard, env, consumer, REBALANCE_RELOADED, (StrView){0});
    consumer_drop_unused_regexes(shard, NULL, consumer);
    consumer_sweep_topics(shard, consumer);
}

void
consumer_unload(GroupShard *shard, GroupEnv *env, Group *group, int16_t status)
{
    ConsumerGroup *consumer = group->consumer;

    (void)env;    /* nobody is ever parked in a consumer group: */
    (void)status; /* there is nobody to answer */
    consumer_stop_resolving(shard, consumer);
    consumer_stop_computing(shard, consumer);
    for (ConsumerMember *m = consumer->first; m != NULL; m = m->next) {
        timers_cancel(&shard->timers, &m->session);
        timers_cancel(&shard->timers, &m->rebalance);
        if (m->classic != NULL) {
            timers_cancel(&shard->timers, &m->classic->join);
            timers_cancel(&shard->timers, &m->classic->sync);
        }
    }
}

void
consumer_metadata_changed(GroupShard *shard, GroupEnv *env, Group *group)
{
    (void)shard; /* both for symmetry with what classic groups are told */
    (void)env;
    group->consumer->metadata_due = true;
    group->consumer->regexes_due = true;
}

/* ---- offsets ------------------------------------------------------------------------------------------ */

int16_t
consumer_check_commit(GroupShard *shard, GroupEnv *env, Group *group, StrView member_id,
                      StrView instance_id, int32_t epoch, int16_t version, bool transactional)
{
    const ConsumerGroup *consumer = group->consumer;
    const ConsumerMember *member;

    (void)shard; /* a commit keeps no member of this kind alive */
    (void)env;
    if (epoch < 0 && consumer->members.count == 0)
        return 0;
    if (transactional && epoch < 0 && member_id.len == 0 && instance_id.ptr == NULL)
        return 0;
    member = consumer_find_member(consumer, member_id);
    if (member == NULL)
        return KERR_UNKNOWN_MEMBER_ID;
    if (!transactional && member->classic == NULL && version < 9)
        return KERR_UNSUPPORTED_VERSION;
    if (epoch == member->epoch)
        return 0;
    return member->classic != NULL ? KERR_ILLEGAL_GENERATION : KERR_STALE_MEMBER_EPOCH;
}

int16_t
consumer_check_commit_partition(const Group *group, GroupEnv *env, StrView member_id, int32_t epoch,
                                StrView topic, int32_t partition)
{
    const ConsumerMember *member = consumer_find_member(group->consumer, member_id);
    const ConsumerTopic *known;
    const SetEntry *entry;
    GroupTopic found;

    if (member == NULL || member->classic != NULL || epoch < 0 || epoch > member->epoch)
        return KERR_STALE_MEMBER_EPOCH;
    if (!env->metadata->by_name(env->metadata->ctx, topic, &found))
        return KERR_STALE_MEMBER_EPOCH;
    known = consumer_find_topic(group->consumer, found.id);
    if (known == NULL)
        return KERR_STALE_MEMBER_EPOCH;
    entry = set_find(&member->assigned, known, partition);
    if (entry == NULL)
        entry = set_find(&member->pending, known, partition);
    return entry == NULL || epoch < entry->epoch ? KERR_STALE_MEMBER_EPOCH : 0;
}

int16_t
consumer_check_fetch(const Group *group, StrView member_id, int32_t epoch)
{
    const ConsumerMember *member;

    if (member_id.ptr == NULL && epoch < 0)
        return 0;
    member = member_id.ptr == NULL ? NULL : consumer_find_member(group->consumer, member_id);
    if (member == NULL)
        return KERR_UNKNOWN_MEMBER_ID;
    if (epoch == member->epoch)
        return 0;
    return member->classic != NULL ? KERR_ILLEGAL_GENERATION : KERR_STALE_MEMBER_EPOCH;
}

/* ---- what others ask ----------------------------------------------------------------------------------- */

bool
consumer_is_empty(const Group *group)
{
    return group->consumer->members.count == 0;
}

const char *
consumer_state_text(const Group *group)
{
    const ConsumerGroup *consumer = group->consumer;

    if (consumer->members.count == 0)
        return "Empty";
    if (consumer->epoch > consumer->target_epoch)
        return "Assigning";
    return consumer->settled_count == (int32_t)consumer->members.count ? "Stable" : "Reconciling";
}

int32_t
consumer_member_count(const Group *group)
{
    return (int32_t)group->consumer->members.count;
}

bool
consumer_subscribes(const Group *group, StrView topic)
{
    const ConsumerGroup *consumer = group->consumer;

    return map_find(&consumer->names, topic) != NULL || map_find(&consumer->meant, topic) != NULL;
}
