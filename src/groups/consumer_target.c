/*
 * consumer_target.c - what a target is computed for: the group's epoch, the topics it sees, the assignor
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.4 (step 7), 4.7. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "groups/consumer_int.h"
#include "ottla/common/hash.h"

static const StrView assignor_names[ASSIGNOR_COUNT] = {
    [ASSIGNOR_UNIFORM] = {"uniform", 7},
    [ASSIGNOR_RANGE] = {"range", 5},
};

StrView
consumer_assignor_name(AssignorKind kind)
{
    return assignor_names[kind];
}

int
consumer_assignor_of_name(StrView name)
{
    for (int i = 0; i < ASSIGNOR_COUNT; i++)
        if (strview_equal(name, assignor_names[i]))
            return i;
    return -1;
}

AssignorKind
consumer_assignor(const ConsumerGroup *consumer, const GroupSettings *settings)
{
    int32_t votes[ASSIGNOR_COUNT] = {0};
    AssignorKind best = settings->assignor_count > 0 ? settings->assignors[0] : ASSIGNOR_UNIFORM;

    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next) {
        int kind = m->assignor.ptr == NULL ? -1 : consumer_assignor_of_name(m->assignor);

        if (kind >= 0)
            votes[kind]++;
    }
    for (int32_t i = 0; i < settings->assignor_count; i++)
        if (votes[settings->assignors[i]] > votes[best])
            best = settings->assignors[i];
    return best;
}

static int
compare_seen(const void *left, const void *right)
{
    const SeenTopic *a = left, *b = right;

    return memcmp(a->topic.id.b, b->topic.id.b, sizeof a->topic.id.b);
}

int32_t
consumer_seen_room(const ConsumerGroup *consumer)
{
    return (int32_t)(consumer->names.count + consumer->meant.count);
}

/* named: by members; else by expressions. */
static void
see_names(GroupEnv *env, const Map *names, bool named, SeenList *seen)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(names, &bucket, NULL); node != NULL;
         node = map_next(names, &bucket, node)) {
        ConsumerName *name = MAP_OWNER(node, ConsumerName, node);
        SeenTopic *one = &seen->list[seen->count];

        name->number = -1;
        one->name = named ? name : NULL;
        one->meant = named ? NULL : name;
        if (env->metadata->by_name(env->metadata->ctx, name->name, &one->topic))
            seen->count++;
    }
}

bool
consumer_see_topics(GroupEnv *env, const ConsumerGroup *consumer, SeenList *ret)
{
    size_t room = (size_t)consumer_seen_room(consumer);
    int32_t all;

    ret->count = 0;
    ret->list = group_out_alloc(env->out, room + 1, sizeof *ret->list);
    if (ret->list == NULL)
        return false;
    see_names(env, &consumer->names, true, ret);
    see_names(env, &consumer->meant, false, ret);
    all = ret->count;
    if (all > 1)
        qsort(ret->list, (size_t)all, sizeof *ret->list, compare_seen);
    ret->count = 0;
    for (int32_t i = 0; i < all; i++) {
        SeenTopic *one = &ret->list[i];

        if (ret->count == 0 || !uuid_equal(ret->list[ret->count - 1].topic.id, one->topic.id))
            ret->count++;
        if (one->name != NULL)
            one->name->number = ret->count - 1;
        else
            one->meant->number = ret->count - 1;
        ret->list[ret->count - 1] = *one;
    }
    return true;
}

/*
 * Tells one set of topics from another; stored, but only ever compared with what this very function gave (after an
 * upgrade that changes it, each group computes one target more). 0: no topics.
 */
static uint64_t
hash_seen(const SeenList *seen)
{
    uint64_t hash = 0;

    for (int32_t i = 0; i < seen->count; i++) {
        const GroupTopic *t = &seen->list[i].topic;
        uint64_t one = hash_uuid(t->id, hash_str(t->name, 0));

        hash = hash_u64(hash ^ hash_u64(one + (uint64_t)t->partition_count));
        hash += hash == 0;
    }
    return hash;
}

void
consumer_note_begin(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer, RebalanceCause cause,
                    StrView member)
{
    if (consumer->rebalancing)
        return;
    consumer->rebalancing = true;
    consumer->cause = cause;
    (void)gmem_set_text(shard->memory, &consumer->cause_member, member); /* changed or not */
    consumer->rebalance_begin_us = env->now_us;
    consumer->rebalance_begin_wall_ms = env->wall_ms;
}

void
consumer_bump(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer, RebalanceCause cause,
              StrView member)
{
    SeenList seen;

    if (!consumer_see_topics(env, consumer, &seen))
        return;
    consumer->epoch++;
    consumer->metadata_hash = hash_seen(&seen);
    consumer->metadata_due = false;
    consumer_write_epoch(env, consumer);
    consumer_note_begin(shard, env, consumer, cause, member);
}

void
consumer_refresh_metadata(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    SeenList seen;

    if (!consumer->metadata_due || !consumer_see_topics(env, consumer, &seen))
        return;
    consumer->metadata_due = false;
    if (hash_seen(&seen) != consumer->metadata_hash)
        consumer_bump(shard, env, consumer, REBALANCE_METADATA_CHANGED, (StrView){0});
}
