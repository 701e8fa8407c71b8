/*
 * consumer_check.c - what must always hold in a consumer group
 *
 * Runs in: tests. Takes time in proportion to the group. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/consumer_int.h"
#include "ottla/common/assert.h"

typedef struct Counts {
    int32_t members, classic, statics, regex_members, settled;
    int64_t entries, owned;
} Counts;

static void
check_set(const ConsumerMember *member, const PartitionSet *set, bool owns, Counts *counts)
{
    for (int32_t i = 0; i < set->count; i++) {
        const SetEntry *e = &set->list[i];

        if (i == 0 || set->list[i - 1].topic != e->topic)
            ot_assert(consumer_find_topic(member->consumer, e->topic->id) == e->topic);
        ot_assert(e->partition >= 0);
        if (i > 0 && set->list[i - 1].topic == e->topic)
            ot_assert(set->list[i - 1].partition < e->partition);
        if (i > 0 && set->list[i - 1].topic != e->topic)
            ot_assert(memcmp(set->list[i - 1].topic->id.b, e->topic->id.b, 16) < 0);
        if (owns) {
            ot_assert(e->partition < e->topic->room && e->topic->owners[e->partition] == member);
            ot_assert(e->epoch <= member->consumer->target_epoch);
        }
    }
    counts->entries += set->count;
    if (owns)
        counts->owned += set->count;
}

/* A member that is at the epoch of the group, for which the target is, has nothing else. */
static void
check_within_target(const ConsumerMember *m)
{
    for (int32_t i = 0; i < m->assigned.count; i++)
        ot_assert(set_find(&m->target, m->assigned.list[i].topic, m->assigned.list[i].partition) !=
                  NULL);
}

/* How many members the name has. Names of a member are the very ones of the group. */
static int32_t
count_named(const ConsumerGroup *c, const ConsumerName *name)
{
    int32_t members = 0;

    for (const ConsumerMember *m = c->first; m != NULL; m = m->next)
        for (int32_t i = 0; i < m->name_count; i++)
            members += m->names[i] == name;
    return members;
}

static void
check_member(const GroupShard *shard, const ConsumerMember *m, Counts *counts)
{
    const ConsumerGroup *c = m->consumer;

    ot_assert(consumer_find_member(c, m->node.key) == m);
    ot_assert(m->next == NULL ? c->last == m : m->next->prev == m);
    if (m->instance_id.ptr != NULL)
        ot_assert(consumer_find_instance(c, m->instance_id) == m);
    for (int32_t i = 1; i < m->name_count; i++)
        ot_assert(m->names[i - 1] != m->names[i]);
    check_set(m, &m->assigned, true, counts);
    check_set(m, &m->pending, true, counts);
    check_set(m, &m->target, false, counts);
    ot_assert(m->epoch >= CONSUMER_EPOCH_AWAY && m->epoch <= c->target_epoch);
    ot_assert((m->pending.count > 0) == (m->state == CONSUMER_UNREVOKED));
    if (m->epoch > 0 && m->epoch == c->epoch && m->state != CONSUMER_UNREVOKED)
        check_within_target(m);
    ot_assert(m->settled == (m->state == CONSUMER_STABLE && m->epoch == c->target_epoch));
    if (shard->loaded) {
        ot_assert(m->has_metadata);
        ot_assert(timer_is_set(&m->session));
        ot_assert(timer_is_set(&m->rebalance) == (m->state == CONSUMER_UNREVOKED));
    }
    counts->members++;
    counts->classic += m->classic != NULL;
    counts->statics += m->instance_id.ptr != NULL;
    counts->regex_members += m->regex != NULL;
    counts->settled += m->settled;
}

/* A whole target gives each partition to one member. */
static void
check_targets(const ConsumerGroup *c)
{
    for (const ConsumerMember *a = c->first; a != NULL; a = a->next)
        for (const ConsumerMember *b = a->next; b != NULL; b = b->next)
            for (int32_t i = 0; i < a->target.count; i++)
                ot_assert(set_find(&b->target, a->target.list[i].topic,
                                   a->target.list[i].partition) == NULL);
}

static void
check_topics(const ConsumerGroup *c, const Counts *counts)
{
    uint32_t bucket = 0;
    int64_t refs = 0, owned = 0;

    for (MapNode *node = map_next(&c->topics, &bucket, NULL); node != NULL;
         node = map_next(&c->topics, &bucket, node)) {
        const ConsumerTopic *topic = MAP_OWNER(node, ConsumerTopic, node);

        refs += topic->refs;
        for (int32_t p = 0; p < topic->room; p++)
            owned += topic->owners[p] != NULL;
    }
    ot_assert(refs == counts->entries);
    ot_assert(owned == counts->owned); /* nobody has what another one has */
}

static void
check_shared(const ConsumerGroup *c)
{
    uint32_t bucket = 0;
    int32_t regexes = 0, names = 0;
    int64_t meant = 0, uses = 0;

    for (MapNode *node = map_next(&c->names, &bucket, NULL); node != NULL;
         node = map_next(&c->names, &bucket, node)) {
        const ConsumerName *name = MAP_OWNER(node, ConsumerName, node);

        ot_assert(name->members == count_named(c, name) && name->members > 0);
        names += name->members;
    }
    for (const ConsumerRegex *regex = c->regex_first; regex != NULL; regex = regex->next) {
        int32_t members = 0;

        for (const ConsumerMember *m = c->first; m != NULL; m = m->next)
            members += m->regex == regex;
        ot_assert(regex->members == members);
        ot_assert(regex->resolved || regex->topic_count == 0);
        for (int32_t i = 0; i < regex->topic_count; i++) {
            const MapNode *node = map_find(&c->meant, regex->topics[i]->name);

            ot_assert(node == &regex->topics[i]->node);
        }
        meant += regex->topic_count;
        regexes++;
    }
    bucket = 0;
    for (MapNode *node = map_next(&c->meant, &bucket, NULL); node != NULL;
         node = map_next(&c->meant, &bucket, node))
        uses += MAP_OWNER(node, ConsumerName, node)->members;
    ot_assert(uses == meant);
    for (const ConsumerMember *m = c->first; m != NULL; m = m->next)
        names -= m->name_count;
    ot_assert(names == 0 && regexes == (int32_t)c->regexes.count);
    ot_assert(timer_is_set(&c->regex_timer) <= c->resolving);
}

void
consumer_check(const GroupShard *shard, const Group *group)
{
    const ConsumerGroup *c = group->consumer;
    Counts counts = {0};

    ot_assert(c->group == group && group->classic == NULL);
    for (const ConsumerMember *m = c->first; m != NULL; m = m->next)
        check_member(shard, m, &counts);
    ot_assert(counts.members == (int32_t)c->members.count);
    ot_assert(counts.classic == c->classic_count);
    ot_assert(counts.statics == (int32_t)c->instances.count);
    ot_assert(counts.regex_members == c->regex_members);
    ot_assert(counts.settled == c->settled_count);
    ot_assert(c->target_epoch <= c->epoch);
    if (c->epoch == c->target_epoch)
        check_targets(c);
    check_topics(c, &counts);
    check_shared(c);
    consumer_check_computing(shard, c);
}
