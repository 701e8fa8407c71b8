/*
 * consumer_target.c - who shall have what: the group's epoch, the topics it sees, the target
 *
 * Members are taken in the order of their ids and topics in that of theirs, so that the same state gives the same
 * target wherever it is computed.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.4 (steps 7, 8), 4.7. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "groups/assignor_int.h"
#include "groups/consumer_int.h"
#include "ottla/common/hash.h"

/* A topic that somebody subscribes to and that exists. */
typedef struct Seen {
    GroupTopic topic;
    ConsumerName *name; /* NULL: by expressions alone */
} Seen;

typedef struct SeenList {
    Seen *list; /* by id, each once */
    int32_t count;
} SeenList;

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
    const Seen *a = left, *b = right;
    int order = memcmp(a->topic.id.b, b->topic.id.b, sizeof a->topic.id.b);

    /* The one with a name first: it is the one that stays. */
    return order != 0 ? order : (a->name == NULL) - (b->name == NULL);
}

static int32_t
seen_room(const ConsumerGroup *consumer)
{
    int64_t room = consumer->names.count;
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&consumer->regexes, &bucket, NULL); node != NULL;
         node = map_next(&consumer->regexes, &bucket, node))
        room += MAP_OWNER(node, ConsumerRegex, node)->topic_count;
    return room > INT32_MAX ? INT32_MAX : (int32_t)room;
}

static void
see_names(GroupEnv *env, const ConsumerGroup *consumer, SeenList *seen)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&consumer->names, &bucket, NULL); node != NULL;
         node = map_next(&consumer->names, &bucket, node)) {
        ConsumerName *name = MAP_OWNER(node, ConsumerName, node);
        Seen *one = &seen->list[seen->count];

        name->number = -1;
        one->name = name;
        if (env->metadata->by_name(env->metadata->ctx, name->name, &one->topic))
            seen->count++;
    }
}

static void
see_regexes(GroupEnv *env, const ConsumerGroup *consumer, SeenList *seen, int32_t room)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&consumer->regexes, &bucket, NULL); node != NULL;
         node = map_next(&consumer->regexes, &bucket, node)) {
        const ConsumerRegex *regex = MAP_OWNER(node, ConsumerRegex, node);

        if (regex->members == 0 || !regex->resolved)
            continue;
        for (int32_t i = 0; i < regex->topic_count && seen->count < room; i++) {
            Seen *one = &seen->list[seen->count];

            one->name = NULL;
            if (env->metadata->by_name(env->metadata->ctx, regex->topics[i], &one->topic))
                seen->count++;
        }
    }
}

/* False: no memory, and the out has failed. */
static bool
see_topics(GroupEnv *env, const ConsumerGroup *consumer, SeenList *ret)
{
    int32_t room = seen_room(consumer), kept = 0;

    ret->count = 0;
    ret->list = group_out_alloc(env->out, (size_t)room + 1, sizeof *ret->list);
    if (ret->list == NULL)
        return false;
    see_names(env, consumer, ret);
    see_regexes(env, consumer, ret, room);
    if (ret->count > 1)
        qsort(ret->list, (size_t)ret->count, sizeof *ret->list, compare_seen);
    for (int32_t i = 0; i < ret->count; i++)
        if (kept == 0 || !uuid_equal(ret->list[kept - 1].topic.id, ret->list[i].topic.id))
            ret->list[kept++] = ret->list[i];
    ret->count = kept;
    for (int32_t i = 0; i < kept; i++)
        if (ret->list[i].name != NULL)
            ret->list[i].name->number = i;
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

static void
note_begin(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer, RebalanceCause cause,
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

    if (!see_topics(env, consumer, &seen))
        return;
    consumer->epoch++;
    consumer->metadata_hash = hash_seen(&seen);
    consumer->metadata_due = false;
    consumer_write_epoch(env, consumer);
    note_begin(shard, env, consumer, cause, member);
}

void
consumer_refresh_metadata(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    SeenList seen;

    if (!consumer->metadata_due || !see_topics(env, consumer, &seen))
        return;
    consumer->metadata_due = false;
    if (hash_seen(&seen) != consumer->metadata_hash)
        consumer_bump(shard, env, consumer, REBALANCE_METADATA_CHANGED, (StrView){0});
}

/* ---- the target -------------------------------------------------------------------------------------- */

static int
compare_ids(const void *left, const void *right)
{
    StrView a = (*(ConsumerMember *const *)left)->node.key;
    StrView b = (*(ConsumerMember *const *)right)->node.key;
    int32_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, (size_t)common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static ConsumerMember **
sorted_members(GroupEnv *env, const ConsumerGroup *consumer)
{
    size_t count = consumer->members.count;
    ConsumerMember **list = group_out_alloc(env->out, count, sizeof(ConsumerMember *));
    size_t n = 0;

    if (list == NULL)
        return NULL;
    for (ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        list[n++] = m;
    if (n > 1)
        qsort(list, n, sizeof(ConsumerMember *), compare_ids);
    return list;
}

static int
compare_numbers(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;

    return (a > b) - (a < b);
}

static bool
number_regexes(GroupEnv *env, const ConsumerGroup *consumer, const SeenList *seen)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&consumer->regexes, &bucket, NULL); node != NULL;
         node = map_next(&consumer->regexes, &bucket, node)) {
        ConsumerRegex *regex = MAP_OWNER(node, ConsumerRegex, node);
        Seen key;

        regex->number_count = 0;
        regex->numbers =
            group_out_alloc(env->out, (size_t)regex->topic_count, sizeof *regex->numbers);
        if (regex->numbers == NULL)
            return false;
        key.name = NULL;
        for (int32_t i = 0; i < regex->topic_count && regex->resolved; i++) {
            const Seen *found;

            if (!env->metadata->by_name(env->metadata->ctx, regex->topics[i], &key.topic))
                continue;
            /* The name does not take part: an entry has either. */
            for (int32_t low = 0, high = seen->count; low < high;) {
                int32_t middle = low + (high - low) / 2;
                int order;

                found = &seen->list[middle];
                order = memcmp(key.topic.id.b, found->topic.id.b, sizeof key.topic.id.b);
                if (order == 0) {
                    regex->numbers[regex->number_count++] = middle;
                    break;
                }
                *(order < 0 ? &high : &low) = order < 0 ? middle : middle + 1;
            }
        }
    }
    return true;
}

/* All members have all the topics. */
static bool
is_homogeneous(const ConsumerGroup *consumer)
{
    uint32_t bucket = 0;
    int32_t members = (int32_t)consumer->members.count;

    if (consumer->regex_members > 0)
        return consumer->names.count == 0 && consumer->regex_members == members &&
               consumer->first->regex->members == members;
    for (MapNode *node = map_next(&consumer->names, &bucket, NULL); node != NULL;
         node = map_next(&consumer->names, &bucket, node))
        if (MAP_OWNER(node, ConsumerName, node)->members != members)
            return false;
    return true;
}

/* The numbers of the member's own topics. False: no memory. */
static bool
own_topics(GroupEnv *env, const ConsumerMember *member, AssignMember *ret)
{
    int32_t more = member->regex == NULL ? 0 : member->regex->number_count;
    int32_t *list = group_out_alloc(env->out, (size_t)(member->name_count + more), sizeof *list);
    int32_t count = 0, kept = 0;

    if (list == NULL)
        return false;
    for (int32_t i = 0; i < member->name_count; i++)
        if (member->names[i]->number >= 0)
            list[count++] = member->names[i]->number;
    for (int32_t i = 0; i < more; i++)
        list[count++] = member->regex->numbers[i];
    if (count > 1)
        qsort(list, (size_t)count, sizeof *list, compare_numbers);
    for (int32_t i = 0; i < count; i++)
        if (kept == 0 || list[kept - 1] != list[i])
            list[kept++] = list[i];
    ret->topics = list;
    ret->topic_count = kept;
    return true;
}

/* What the present target gives the member, of topics that are seen. False: no memory. */
static bool
current_parts(GroupEnv *env, const ConsumerMember *member, AssignMember *ret)
{
    const PartitionSet *set = &member->target;
    AssignPart *list = group_out_alloc(env->out, (size_t)set->count, sizeof *list);

    if (list == NULL)
        return false;
    ret->current = list;
    for (int32_t i = 0; i < set->count; i++)
        if (set->list[i].topic->number >= 0)
            list[ret->current_count++] =
                (AssignPart){set->list[i].topic->number, set->list[i].partition};
    return true;
}

static void
number_topics(const ConsumerGroup *consumer, const SeenList *seen)
{
    uint32_t bucket = 0;

    for (MapNode *node = map_next(&consumer->topics, &bucket, NULL); node != NULL;
         node = map_next(&consumer->topics, &bucket, node))
        MAP_OWNER(node, ConsumerTopic, node)->number = -1;
    for (int32_t i = 0; i < seen->count; i++) {
        ConsumerTopic *topic = consumer_find_topic(consumer, seen->list[i].topic.id);

        if (topic != NULL)
            topic->number = i;
    }
}

/* Everything that the assignor is told. False: no memory. */
static bool
prepare(GroupEnv *env, const ConsumerGroup *consumer, ConsumerMember **members,
        const SeenList *seen, Assign *ret)
{
    int32_t *partitions = group_out_alloc(env->out, (size_t)seen->count, sizeof *partitions);
    int32_t *all = group_out_alloc(env->out, (size_t)seen->count, sizeof *all);

    ret->arena = env->out->arena;
    ret->partitions = partitions;
    ret->topic_count = seen->count;
    ret->member_count = (int32_t)consumer->members.count;
    ret->members = group_out_alloc(env->out, consumer->members.count, sizeof *ret->members);
    ret->homogeneous = is_homogeneous(consumer);
    if (partitions == NULL || all == NULL || ret->members == NULL ||
        !number_regexes(env, consumer, seen))
        return false;
    for (int32_t i = 0; i < seen->count; i++) {
        int32_t count = seen->list[i].topic.partition_count;

        partitions[i] = count < CONSUMER_PARTITION_MAX ? count : CONSUMER_PARTITION_MAX;
        all[i] = i;
    }
    number_topics(consumer, seen);
    for (int32_t i = 0; i < ret->member_count; i++) {
        AssignMember *one = &ret->members[i];

        one->instance_id = members[i]->instance_id;
        if (!current_parts(env, members[i], one))
            return false;
        if (ret->homogeneous) {
            one->topics = all;
            one->topic_count = seen->count;
        } else if (!own_topics(env, members[i], one)) {
            return false;
        }
    }
    return true;
}

static bool
is_same_target(const ConsumerMember *member, const AssignMember *one)
{
    if (member->target.count != one->ret_count || one->current_count != one->ret_count)
        return false;
    return one->ret_count == 0 ||
           memcmp(one->current, one->ret, (size_t)one->ret_count * sizeof *one->ret) == 0;
}

static bool
store_target(GroupShard *shard, GroupEnv *env, ConsumerMember *member, const AssignMember *one,
             const SeenList *seen)
{
    SetEntry *list = group_out_alloc(env->out, (size_t)one->ret_count, sizeof *list);

    if (list == NULL)
        return false;
    for (int32_t i = 0; i < one->ret_count; i++) {
        bool same = i > 0 && one->ret[i].topic == one->ret[i - 1].topic;
        ConsumerTopic *topic =
            same ? list[i - 1].topic
                 : consumer_topic(shard, member->consumer, seen->list[one->ret[i].topic].topic.id);

        list[i] = (SetEntry){topic, one->ret[i].partition, 0};
    }
    consumer_store_target(shard, member, list, one->ret_count);
    consumer_write_target(env, member);
    return true;
}

static void
compute(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    ConsumerMember **members = sorted_members(env, consumer);
    SeenList seen;
    Assign assign;
    int err;

    if (members == NULL || !see_topics(env, consumer, &seen) ||
        !prepare(env, consumer, members, &seen, &assign))
        return;
    if (consumer_assignor(consumer, env->settings) == ASSIGNOR_RANGE)
        err = assign_range(&assign);
    else
        err = assign_uniform(&assign);
    if (err != 0) {
        env->out->failed = true;
        return;
    }
    for (int32_t i = 0; i < assign.member_count; i++)
        if (!is_same_target(members[i], &assign.members[i]) &&
            !store_target(shard, env, members[i], &assign.members[i], &seen))
            return;
    consumer->target_epoch = consumer->epoch;
    consumer->target_wall_ms = env->wall_ms;
    consumer_write_target_epoch(env, consumer);
    consumer_note_all_settled(consumer);
    consumer_sweep_topics(shard, consumer);
}

void
consumer_update_target(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    int64_t interval = consumer_assignment_interval_ms(env, consumer);
    int64_t age = env->wall_ms - consumer->target_wall_ms;

    if (consumer->epoch <= consumer->target_epoch)
        return;
    /* A clock that was set back must not hold the group up: age < 0 counts as over. */
    if (consumer->target_wall_ms != 0 && age >= 0 && age < interval)
        return;
    compute(shard, env, consumer);
}
