/*
 * consumer_reconcile.c - a member is moved towards its target, as far as others let it
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.5. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/consumer_int.h"

typedef struct Next {
    SetEntry *assigned;
    SetEntry *pending;
    int32_t assigned_count;
    int32_t pending_count;
    int32_t epoch;
    ConsumerState state;
} Next;

/* Whether the member says, or may be taken to say, that it owns some of the list. */
static bool
owns_any(const ConsumerGroup *consumer, const ConsumerOwned *owned, const PartitionSet *set)
{
    if (set->count == 0)
        return false;
    if (!owned->given)
        return true;
    for (int32_t i = 0; i < owned->count; i++) {
        const ConsumerTopic *topic = consumer_find_topic(consumer, owned->list[i].topic_id);

        if (topic == NULL)
            continue;
        for (int32_t p = 0; p < owned->list[i].partitions_count; p++)
            if (set_find(set, topic, owned->list[i].partitions[p]) != NULL)
                return true;
    }
    return false;
}

bool
owned_is_within(const ConsumerGroup *consumer, const ConsumerOwned *owned, const PartitionSet *set)
{
    if (!owned->given)
        return false;
    for (int32_t i = 0; i < owned->count; i++) {
        const ConsumerTopic *topic = consumer_find_topic(consumer, owned->list[i].topic_id);

        for (int32_t p = 0; p < owned->list[i].partitions_count; p++)
            if (topic == NULL || set_find(set, topic, owned->list[i].partitions[p]) == NULL)
                return false;
    }
    return true;
}

/* Does the member subscribe to the topic now? An expression that is not resolved means no topics. */
static bool
is_subscribed(GroupEnv *env, const ConsumerMember *member, const ConsumerTopic *topic)
{
    GroupTopic found;

    if (!env->metadata->by_id(env->metadata->ctx, topic->id, &found))
        return false;
    return consumer_has_name(member, found.name) ||
           (member->regex != NULL && consumer_regex_means(member->regex, found.name));
}

static void
mark_set(GroupEnv *env, const ConsumerMember *member, const PartitionSet *set)
{
    for (int32_t i = 0; i < set->count; i++) {
        ConsumerTopic *topic = set->list[i].topic;

        if ((i == 0 || set->list[i - 1].topic != topic) && is_subscribed(env, member, topic))
            topic->mark = member->consumer->mark;
    }
}

/*
 * Marks topics of its sets that the member subscribes to; the mark is the group's. The sets are looked through, not
 * the subscription: that may be of ten thousand topics, for each member of which the sets have a few.
 */
static void
mark_subscribed(GroupEnv *env, const ConsumerMember *member)
{
    member->consumer->mark++;
    mark_set(env, member, &member->assigned);
    mark_set(env, member, &member->target);
}

static bool
next_init(GroupEnv *env, const ConsumerMember *member, Next *ret)
{
    size_t all = (size_t)member->assigned.count + (size_t)member->pending.count;

    *ret = (Next){.epoch = member->epoch};
    ret->assigned =
        group_out_alloc(env->out, all + (size_t)member->target.count, sizeof *ret->assigned);
    ret->pending = group_out_alloc(env->out, all, sizeof *ret->pending);
    return ret->assigned != NULL && ret->pending != NULL;
}

/* Topics that are not subscribed any more are given back; nothing new comes. */
static bool
drop_unsubscribed(GroupEnv *env, const ConsumerMember *member, const ConsumerOwned *owned, Next *n)
{
    PartitionSet pending;

    if (!next_init(env, member, n))
        return false;
    mark_subscribed(env, member);
    for (int32_t i = 0; i < member->pending.count; i++)
        n->pending[n->pending_count++] = member->pending.list[i];
    for (int32_t i = 0; i < member->assigned.count; i++)
        if (member->assigned.list[i].topic->mark == member->consumer->mark)
            n->assigned[n->assigned_count++] = member->assigned.list[i];
        else
            n->pending[n->pending_count++] = member->assigned.list[i];
    if (n->assigned_count == member->assigned.count)
        return false;
    set_sort(n->pending, n->pending_count);
    pending = (PartitionSet){n->pending, n->pending_count};
    n->state = CONSUMER_UNREVOKED;
    if (!owns_any(member->consumer, owned, &pending)) {
        n->state = CONSUMER_STABLE;
        n->pending_count = 0;
    }
    return true;
}

/* The step to the target; the epoch is that of a member that has something to give back first. */
static bool
next_towards_target(GroupEnv *env, const ConsumerMember *member, const ConsumerOwned *owned,
                    int32_t epoch, Next *n)
{
    int32_t target_epoch = member->consumer->target_epoch;
    bool unreleased = false;
    int32_t t = 0, kept;
    PartitionSet given_back;

    if (!next_init(env, member, n))
        return false;
    mark_subscribed(env, member);
    for (int32_t i = 0; i < member->assigned.count; i++) {
        const SetEntry *e = &member->assigned.list[i];

        if (e->topic->mark == member->consumer->mark &&
            set_find(&member->target, e->topic, e->partition) != NULL)
            n->assigned[n->assigned_count++] = *e;
        else
            n->pending[n->pending_count++] = *e;
    }
    given_back = (PartitionSet){n->pending, n->pending_count};
    n->epoch = epoch;
    n->state = CONSUMER_UNREVOKED;
    if (owns_any(member->consumer, owned, &given_back))
        return true;
    n->pending_count = 0;
    n->epoch = target_epoch;
    kept = n->assigned_count;
    for (int32_t i = 0; i < member->target.count; i++) {
        const SetEntry *e = &member->target.list[i];
        const ConsumerMember *owner;

        /* Both lists are sorted alike. */
        if (t < kept && n->assigned[t].topic == e->topic &&
            n->assigned[t].partition == e->partition) {
            t++;
            continue;
        }
        if (e->topic->mark != member->consumer->mark)
            continue;
        owner = e->partition < e->topic->room ? e->topic->owners[e->partition] : NULL;
        if (owner != NULL && owner != member) {
            unreleased = true;
            continue;
        }
        n->assigned[n->assigned_count++] = (SetEntry){e->topic, e->partition, target_epoch};
    }
    n->state = unreleased ? CONSUMER_UNRELEASED : CONSUMER_STABLE;
    return true;
}

/* False: nothing is to change. */
static bool
decide(GroupEnv *env, const ConsumerMember *member, const ConsumerOwned *owned,
       bool subscription_changed, Next *ret)
{
    int32_t target_epoch = member->consumer->target_epoch;

    switch ((ConsumerState)member->state) {
    case CONSUMER_STABLE:
        if (member->epoch != target_epoch)
            return next_towards_target(env, member, owned, member->epoch, ret);
        return subscription_changed && drop_unsubscribed(env, member, owned, ret);
    case CONSUMER_UNREVOKED:
        if (!owned->given || owns_any(member->consumer, owned, &member->pending))
            return subscription_changed && drop_unsubscribed(env, member, owned, ret);
        return next_towards_target(env, member, owned, member->epoch, ret);
    case CONSUMER_UNRELEASED:
        return next_towards_target(env, member, owned, member->epoch, ret);
    case CONSUMER_UNKNOWN:
        return next_towards_target(env, member, owned, target_epoch, ret);
    }
    return false;
}

bool
consumer_reconcile(GroupShard *shard, GroupEnv *env, ConsumerMember *member,
                   const ConsumerOwned *owned, bool subscription_changed)
{
    PartitionSet assigned, pending;
    bool assigned_changed;
    Next n;

    if (!decide(env, member, owned, subscription_changed, &n))
        return false;
    set_sort(n.assigned, n.assigned_count);
    assigned = (PartitionSet){n.assigned, n.assigned_count};
    pending = (PartitionSet){n.pending, n.pending_count};
    assigned_changed = !set_equal(&assigned, &member->assigned);
    if (!assigned_changed && set_equal(&pending, &member->pending) && n.epoch == member->epoch &&
        member->previous_epoch == member->epoch && n.state == (ConsumerState)member->state)
        return false;
    consumer_store_sets(shard, member, n.assigned, n.assigned_count, n.pending, n.pending_count);
    /* A step within an epoch counts, too: what it was before the epoch is no answer that got lost any more. */
    member->previous_epoch = member->epoch;
    member->epoch = n.epoch;
    member->state = (uint8_t)n.state;
    consumer_note_settled(member);
    consumer_write_current(env, member);
    if (n.state == CONSUMER_UNREVOKED)
        timers_set(&shard->timers, &member->rebalance, TIMER_CONSUMER_REBALANCE,
                   env->now_us + (int64_t)member->rebalance_timeout_ms * 1000);
    else
        timers_cancel(&shard->timers, &member->rebalance);
    return assigned_changed;
}

bool
consumer_waits_for_others(const ConsumerMember *member)
{
    for (int32_t i = 0; i < member->target.count; i++) {
        const SetEntry *e = &member->target.list[i];
        const ConsumerMember *owner =
            e->partition < e->topic->room ? e->topic->owners[e->partition] : NULL;

        if (owner != NULL && owner != member)
            return true;
    }
    return false;
}
