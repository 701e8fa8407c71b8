/*
 * consumer_regex.c - which topics the expressions of a consumer group mean
 *
 * A resolution goes through all expressions of the group, and for each through all names of topics, in slices: a
 * timer brings the next one, so that other groups are served in between. A name is tried with few steps first;
 * those that need more cost the slice more, and an expression on which even the most of them were too few for
 * HARD_NAMES names gets no more than the few. Checked on heartbeats alone, and begun at most every ten seconds.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.7, design.md 11. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "groups/consumer_int.h"

#define SLICE_COST     300  /* of names: some milliseconds at the worst */
#define STEPS_CHEAP    1000 /* of matching a name for cost 1 */
#define COST_FULL      (GROUP_REGEX_STEPS_MAX / STEPS_CHEAP)
#define HARD_NAMES     50
#define SLICE_PAUSE_US 1000

ConsumerRegex *
consumer_find_regex(const ConsumerGroup *consumer, StrView pattern)
{
    MapNode *node = map_find(&consumer->regexes, pattern);

    return node == NULL ? NULL : MAP_OWNER(node, ConsumerRegex, node);
}

ConsumerRegex *
consumer_make_regex(GroupShard *shard, ConsumerGroup *consumer, StrView pattern)
{
    ConsumerRegex *regex = gmem_new(shard->memory, sizeof *regex);

    regex->pattern = gmem_text(shard->memory, pattern);
    map_add(&consumer->regexes, &regex->node, regex->pattern);
    regex->prev = consumer->regex_last;
    *(regex->prev == NULL ? &consumer->regex_first : &regex->prev->next) = regex;
    consumer->regex_last = regex;
    consumer->regexes_due = true;
    return regex;
}

/* Uses of names, in a list with room for so many. */
static void
clear_topics(GroupShard *shard, ConsumerGroup *consumer, ConsumerName **topics, int32_t count,
             int32_t room)
{
    for (int32_t i = 0; i < count; i++)
        consumer_give_name(shard, &consumer->meant, topics[i]);
    gmem_free(shard->memory, topics, (size_t)room * sizeof(ConsumerName *));
}

void
consumer_set_regex_topics(GroupShard *shard, ConsumerGroup *consumer, ConsumerRegex *regex,
                          const StrView *topics, int32_t count)
{
    size_t bytes = (size_t)count * sizeof(ConsumerName *);
    ConsumerName **list = count == 0 ? NULL : gmem_new(shard->memory, bytes);

    for (int32_t i = 0; i < count; i++)
        list[i] = consumer_take_name(shard, &consumer->meant, topics[i]);
    clear_topics(shard, consumer, regex->topics, regex->topic_count, regex->topic_count);
    regex->topics = list;
    regex->topic_count = count;
}

bool
consumer_regex_means(const ConsumerRegex *regex, StrView topic)
{
    int32_t low = 0, high = regex->resolved ? regex->topic_count : 0;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        StrView one = regex->topics[middle]->name;
        int32_t common = topic.len < one.len ? topic.len : one.len;
        int order = memcmp(topic.ptr, one.ptr, (size_t)common);

        if (order == 0 && topic.len == one.len)
            return true;
        if (order < 0 || (order == 0 && topic.len < one.len))
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* What is known of the expression that is looked at goes. */
static void
forget_progress(GroupShard *shard, ConsumerGroup *consumer)
{
    for (int32_t i = 0; i < consumer->found_count; i++)
        gmem_free_text(shard->memory, consumer->found[i]);
    gmem_free(shard->memory, consumer->found, (size_t)consumer->found_room * sizeof(StrView));
    consumer->found = NULL;
    consumer->found_count = consumer->found_room = consumer->found_hard = 0;
    gmem_free_text(shard->memory, consumer->resolve_after);
    consumer->resolve_after = (StrView){0};
    group_regex_free(consumer->resolve_compiled);
    consumer->resolve_compiled = NULL;
}

void
consumer_free_regex(GroupShard *shard, ConsumerGroup *consumer, ConsumerRegex *regex)
{
    if (consumer->resolve_regex == regex) {
        forget_progress(shard, consumer);
        consumer->resolve_regex = regex->next;
    }
    *(regex->prev == NULL ? &consumer->regex_first : &regex->prev->next) = regex->next;
    *(regex->next == NULL ? &consumer->regex_last : &regex->next->prev) = regex->prev;
    consumer_set_regex_topics(shard, consumer, regex, NULL, 0);
    map_remove(&consumer->regexes, &regex->node);
    gmem_free_text(shard->memory, regex->pattern);
    gmem_free(shard->memory, regex, sizeof *regex);
}

void
consumer_drop_unused_regexes(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    ConsumerRegex *next;

    if (consumer->regexes.count == 0)
        return;
    for (ConsumerRegex *regex = consumer->regex_first; regex != NULL; regex = next) {
        next = regex->next;
        if (regex->members > 0)
            continue;
        if (regex->resolved && env != NULL)
            consumer_write_regex_tombstone(env, consumer, regex->pattern);
        consumer_free_regex(shard, consumer, regex);
    }
}

void
consumer_stop_resolving(GroupShard *shard, ConsumerGroup *consumer)
{
    forget_progress(shard, consumer);
    consumer->resolve_regex = NULL;
    consumer->resolving = false;
    timers_cancel(&shard->timers, &consumer->regex_timer);
}

void
consumer_check_regexes(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    int64_t age = env->now_us - consumer->resolve_begin_us;
    bool first = consumer->resolve_begin_us == INT64_MIN;

    if (consumer->regex_members == 0 || consumer->resolving)
        return;
    if (!first && age < (int64_t)CONSUMER_REGEX_PAUSE_MS * 1000)
        return;
    if (!first && !consumer->regexes_due &&
        age / 1000 < env->settings->consumer_regex_refresh_interval_ms)
        return;
    consumer->resolving = true;
    consumer->resolve_changed = false;
    consumer->regexes_due = false;
    consumer->resolve_begin_us = env->now_us;
    consumer->resolve_version = env->metadata->version;
    consumer->resolve_regex = consumer->regex_first;
    timers_set(&shard->timers, &consumer->regex_timer, TIMER_CONSUMER_REGEX, env->now_us);
}

static void
add_found(GroupShard *shard, ConsumerGroup *consumer, StrView name)
{
    if (consumer->found_count == consumer->found_room) {
        int32_t room = consumer->found_room == 0 ? 8 : consumer->found_room * 2;

        consumer->found = gmem_resize(shard->memory, consumer->found,
                                      (size_t)consumer->found_room * sizeof(StrView),
                                      (size_t)room * sizeof(StrView));
        consumer->found_room = room;
    }
    consumer->found[consumer->found_count++] = gmem_text(shard->memory, name);
}

/* Returns what it cost. */
static int
look_at(GroupShard *shard, ConsumerGroup *consumer, StrView name)
{
    RegexMatch match = group_regex_match(consumer->resolve_compiled, name, STEPS_CHEAP);
    int cost = 1;

    if (match == REGEX_LIMIT && consumer->found_hard < HARD_NAMES) {
        match = group_regex_match(consumer->resolve_compiled, name, GROUP_REGEX_STEPS_MAX);
        cost += COST_FULL;
        consumer->found_hard += match == REGEX_LIMIT;
    }
    if (match == REGEX_LIMIT)
        consumer->regex_limit_count++;
    if (match == REGEX_YES)
        add_found(shard, consumer, name);
    return cost;
}

/* May it be known what the expression means? What fits in no record or in no memory may not. */
static bool
may_end(const GroupShard *shard, GroupEnv *env, const ConsumerGroup *consumer)
{
    int64_t bytes = CONSUMER_TEXT_BYTES(consumer->resolve_regex->pattern);

    for (int32_t i = 0; i < consumer->found_count; i++)
        bytes += CONSUMER_TEXT_BYTES(consumer->found[i]);
    return consumer_record_fits(env, consumer->group, bytes) &&
           (consumer->found_count <= consumer->resolve_regex->topic_count ||
            !gmem_is_tight(shard->memory));
}

/* All names were looked at. */
static void
end_regex(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    ConsumerRegex *regex = consumer->resolve_regex;
    bool changed = !regex->resolved || regex->topic_count != consumer->found_count;

    if (!may_end(shard, env, consumer)) { /* it stays what it was */
        forget_progress(shard, consumer);
        consumer->resolve_regex = regex->next;
        return;
    }
    for (int32_t i = 0; !changed && i < regex->topic_count; i++)
        changed = !strview_equal(regex->topics[i]->name, consumer->found[i]);
    if (changed) {
        consumer_set_regex_topics(shard, consumer, regex, consumer->found, consumer->found_count);
        /* Even when it means no topics: what its members had from another one before must move. */
        consumer->resolve_changed = true;
    }
    regex->resolved = true;
    regex->version = (int64_t)consumer->resolve_version;
    regex->wall_ms = env->wall_ms;
    consumer_write_regex(env, consumer, regex);
    forget_progress(shard, consumer);
    consumer->resolve_regex = regex->next;
}

/* False: it is not an expression any more (an older server took more), and means no topics. */
static bool
begin_regex(ConsumerGroup *consumer)
{
    const char *fault;

    consumer->resolve_compiled = group_regex_new(consumer->resolve_regex->pattern, &fault);
    return consumer->resolve_compiled != NULL;
}

void
consumer_resolve(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    int cost = 0;

    while (consumer->resolve_regex != NULL && cost < SLICE_COST) {
        GroupTopic topic;

        if (consumer->resolve_compiled == NULL && !begin_regex(consumer)) {
            end_regex(shard, env, consumer);
            cost++;
            continue;
        }
        if (!env->metadata->after(env->metadata->ctx, consumer->resolve_after, &topic)) {
            end_regex(shard, env, consumer);
            cost++;
            continue;
        }
        cost += look_at(shard, consumer, topic.name);
        (void)gmem_set_text(shard->memory, &consumer->resolve_after, topic.name); /* is larger */
    }
    if (consumer->resolve_regex != NULL) {
        timers_set(&shard->timers, &consumer->regex_timer, TIMER_CONSUMER_REGEX,
                   env->now_us + SLICE_PAUSE_US);
        return;
    }
    consumer->resolving = false;
    if (consumer->resolve_changed)
        consumer_bump(shard, env, consumer, REBALANCE_METADATA_CHANGED, (StrView){0});
}
