/*
 * consumer_compute.c - a target is computed and stored, slice by slice when it is a large one
 *
 * What a target is computed from is copied when the computation begins; after that members may come and go, and
 * topics, too. The first slice is part of the heartbeat that began it, a timer brings the others. Until the last one the
 * target's epoch is the old one, so that the group is `Assigning` and the next heartbeat of anybody behind it looks
 * whether the group's epoch has moved on meanwhile.
 *
 * Records 7 are written as targets are stored, some of them in each slice: the unit of a slice fits in a batch however
 * large the group is. A load may so find new targets of some members beside old ones of others. That is borne: the
 * stored epoch is the old one, so the next heartbeat computes again, and what a member is given is free in any case.
 *
 * Members are taken in the order of their ids and topics in that of theirs, so that the same state gives the same
 * target wherever it is computed.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.4 (step 8), 8.6. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "groups/assignor_int.h"
#include "groups/consumer_int.h"
#include "ottla/common/assert.h"

#define JOB_ARENA_CHUNK 16384
#define SLICE_PAUSE_US  1000
#define TOPIC_COST      64 /* of a topic that is looked up */
#define STORE_COST      8  /* of an entry of a target: stored, and written */
#define UNIT_SHARE      4  /* records 7 take so much of a batch, and one record more */

typedef struct TargetJob {
    Arena *arena;
    int32_t epoch;            /* of the group when it began */
    ConsumerMember **members; /* by id; NULL: has gone */
    Uuid *topics;             /* by id */
    Assign assign;
    bool assigned;  /* the assignor is done */
    int32_t stored; /* so many members have their new target */
} TargetJob;

/* ---- beginning: what the assignor is told ------------------------------------------------------------- */

static int
compare_ids(const void *left, const void *right)
{
    StrView a = (*(ConsumerMember *const *)left)->node.key;
    StrView b = (*(ConsumerMember *const *)right)->node.key;
    int32_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, (size_t)common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* False: no memory. */
static bool
copy_members(const ConsumerGroup *consumer, TargetJob *job)
{
    size_t count = consumer->members.count, n = 0;

    job->members = arena_calloc(job->arena, count, sizeof(ConsumerMember *));
    job->assign.members = arena_calloc(job->arena, count, sizeof *job->assign.members);
    job->assign.member_count = (int32_t)count;
    if (job->members == NULL || job->assign.members == NULL)
        return false;
    for (ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        job->members[n++] = m;
    if (n > 1)
        qsort(job->members, n, sizeof(ConsumerMember *), compare_ids);
    for (size_t i = 0; i < n; i++) {
        StrView instance = job->members[i]->instance_id;
        char *text;

        if (instance.ptr == NULL)
            continue;
        text = arena_strdup(job->arena, instance);
        if (text == NULL)
            return false;
        job->assign.members[i].instance_id = (StrView){text, instance.len};
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

/* The numbers of the member's own topics; bits: of all topics, clear before and after. False: no memory. */
static bool
own_topics(Arena *arena, const ConsumerMember *member, uint64_t *bits, int32_t topic_count,
           AssignMember *ret)
{
    int32_t more = member->regex == NULL ? 0 : member->regex->topic_count, count = 0;
    int32_t *list = arena_alloc(arena, (size_t)(member->name_count + more) * sizeof *list);

    if (list == NULL)
        return false;
    for (int32_t i = 0; i < member->name_count; i++) {
        int32_t number = member->names[i]->number;

        if (number >= 0)
            bits[number / 64] |= UINT64_C(1) << (number % 64);
    }
    for (int32_t i = 0; i < more; i++) {
        int32_t number = member->regex->topics[i]->number;

        if (number >= 0)
            bits[number / 64] |= UINT64_C(1) << (number % 64);
    }
    for (int32_t w = 0; w <= topic_count / 64; w++)
        for (; bits[w] != 0; bits[w] &= bits[w] - 1)
            list[count++] = w * 64 + __builtin_ctzll(bits[w]);
    ret->topics = list;
    ret->topic_count = count;
    return true;
}

/* What the present target gives the member, of topics that are seen. False: no memory. */
static bool
current_parts(Arena *arena, const ConsumerMember *member, AssignMember *ret)
{
    const PartitionSet *set = &member->target;
    AssignPart *list = arena_alloc(arena, (size_t)set->count * sizeof *list);

    if (list == NULL)
        return false;
    ret->current = list;
    for (int32_t i = 0; i < set->count; i++)
        if (set->list[i].topic->number >= 0)
            list[ret->current_count++] =
                (AssignPart){set->list[i].topic->number, set->list[i].partition};
    return true;
}

/* False: no memory. */
static bool
copy_topics(const ConsumerGroup *consumer, const SeenList *seen, TargetJob *job)
{
    size_t count = (size_t)seen->count;
    int32_t *partitions = arena_alloc(job->arena, count * sizeof *partitions);
    uint32_t bucket = 0;

    job->topics = arena_alloc(job->arena, count * sizeof *job->topics);
    if (partitions == NULL || job->topics == NULL)
        return false;
    job->assign.partitions = partitions;
    job->assign.topic_count = seen->count;
    for (MapNode *node = map_next(&consumer->topics, &bucket, NULL); node != NULL;
         node = map_next(&consumer->topics, &bucket, node))
        MAP_OWNER(node, ConsumerTopic, node)->number = -1;
    for (int32_t i = 0; i < seen->count; i++) {
        int32_t parts = seen->list[i].topic.partition_count;
        ConsumerTopic *topic = consumer_find_topic(consumer, seen->list[i].topic.id);

        partitions[i] = parts < CONSUMER_PARTITION_MAX ? parts : CONSUMER_PARTITION_MAX;
        job->topics[i] = seen->list[i].topic.id;
        if (topic != NULL)
            topic->number = i;
    }
    return true;
}

/* Subscriptions and present targets. False: no memory. */
static bool
copy_wishes(const ConsumerGroup *consumer, TargetJob *job, int64_t *budget)
{
    int32_t topics = job->assign.topic_count;
    int32_t *all = arena_alloc(job->arena, (size_t)topics * sizeof *all);
    uint64_t *bits = arena_calloc(job->arena, (size_t)topics / 64 + 1, sizeof *bits);

    if (all == NULL || bits == NULL)
        return false;
    for (int32_t i = 0; i < topics; i++)
        all[i] = i;
    job->assign.homogeneous = is_homogeneous(consumer);
    for (int32_t i = 0; i < job->assign.member_count; i++) {
        AssignMember *one = &job->assign.members[i];

        if (!current_parts(job->arena, job->members[i], one))
            return false;
        *budget -= one->current_count + 1;
        if (job->assign.homogeneous) {
            one->topics = all;
            one->topic_count = topics;
        } else {
            if (!own_topics(job->arena, job->members[i], bits, topics, one))
                return false;
            *budget -= one->topic_count + topics / 64;
        }
    }
    return true;
}

static void
end_job(GroupShard *shard, ConsumerGroup *consumer)
{
    TargetJob *job = consumer->job;

    for (int32_t i = 0; job->members != NULL && i < job->assign.member_count; i++)
        if (job->members[i] != NULL)
            job->members[i]->in_job = 0;
    timers_cancel(&shard->timers, &consumer->job_timer);
    arena_free(job->arena);
    gmem_free(shard->memory, job, sizeof *job);
    consumer->job = NULL;
}

/* False: no memory, and the out has failed. */
static bool
begin_job(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer, int64_t *budget)
{
    TargetJob *job = gmem_new(shard->memory, sizeof *job);
    bool range = consumer_assignor(consumer, env->settings) == ASSIGNOR_RANGE;
    SeenList seen;

    consumer->job = job;
    job->epoch = consumer->epoch;
    job->arena = job->assign.arena = arena_new(JOB_ARENA_CHUNK, 0);
    if (job->arena == NULL || !consumer_see_topics(env, consumer, &seen) ||
        !copy_members(consumer, job) || !copy_topics(consumer, &seen, job) ||
        !copy_wishes(consumer, job, budget) ||
        (range ? assign_range(&job->assign) : assign_uniform(&job->assign)) != 0) {
        env->out->failed = true;
        end_job(shard, consumer);
        return false;
    }
    *budget -= (int64_t)seen.count * TOPIC_COST;
    for (int32_t i = 0; i < job->assign.member_count; i++)
        job->members[i]->in_job = i + 1;
    return true;
}

/* ---- storing -------------------------------------------------------------------------------------------- */

static bool
is_same_target(const ConsumerMember *member, const AssignMember *one)
{
    if (member->target.count != one->ret_count || one->current_count != one->ret_count)
        return false;
    return one->ret_count == 0 ||
           memcmp(one->current, one->ret, (size_t)one->ret_count * sizeof *one->ret) == 0;
}

/* topics: those that were looked up, by number. list: room for all that the member gets. */
static void
store_target(GroupShard *shard, TargetJob *job, int32_t i, ConsumerTopic **topics, SetEntry *list)
{
    const AssignMember *one = &job->assign.members[i];
    ConsumerMember *member = job->members[i];

    for (int32_t k = 0; k < one->ret_count; k++) {
        ConsumerTopic **topic = &topics[one->ret[k].topic];

        if (*topic == NULL)
            *topic = consumer_topic(shard, member->consumer, job->topics[one->ret[k].topic]);
        list[k] = (SetEntry){*topic, one->ret[k].partition, 0};
    }
    consumer_store_target(shard, member, list, one->ret_count);
}

static int32_t
largest_target(const TargetJob *job)
{
    int32_t largest = 0;

    for (int32_t i = 0; i < job->assign.member_count; i++)
        if (job->assign.members[i].ret_count > largest)
            largest = job->assign.members[i].ret_count;
    return largest;
}

/* Targets of members, as many as the budget and a batch allow; env NULL: all that are left, without records. */
static void
store(GroupShard *shard, GroupEnv *env, TargetJob *job, int64_t *budget)
{
    Arena *arena = job->arena;
    ConsumerTopic **topics =
        arena_calloc(arena, (size_t)job->assign.topic_count, sizeof(ConsumerTopic *));
    SetEntry *list = arena_alloc(arena, (size_t)largest_target(job) * sizeof *list);

    ot_assert(topics != NULL && list != NULL); /* as gmem_new */
    for (; job->stored < job->assign.member_count; job->stored++) {
        const AssignMember *one = &job->assign.members[job->stored];
        ConsumerMember *member = job->members[job->stored];

        if (env != NULL &&
            (*budget <= 0 ||
             env->out->record_bytes > (size_t)env->settings->max_batch_bytes / UNIT_SHARE))
            return;
        (*budget)--;
        if (member == NULL || is_same_target(member, one))
            continue;
        *budget -= (int64_t)one->ret_count * STORE_COST;
        store_target(shard, job, job->stored, topics, list);
        if (env != NULL)
            consumer_write_target(env, member);
    }
}

static void
finish(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    consumer->target_epoch = consumer->job->epoch;
    consumer->target_wall_ms = env->wall_ms;
    end_job(shard, consumer);
    consumer_write_target_epoch(env, consumer);
    consumer_note_all_settled(consumer);
    consumer_sweep_topics(shard, consumer);
}

/* Can the log hold what each member gets? */
static bool
fits(const GroupEnv *env, const TargetJob *job)
{
    for (int32_t i = 0; i < job->assign.member_count; i++)
        if (job->members[i] != NULL &&
            !consumer_target_fits(env, job->members[i], &job->assign.members[i]))
            return false;
    return true;
}

/* ---- slices --------------------------------------------------------------------------------------------- */

static void
go_on(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer, int64_t budget)
{
    TargetJob *job = consumer->job;

    if (!job->assigned) {
        int more = assign_step(&job->assign, &budget);

        if (more < 0) {
            env->out->failed = true;
            end_job(shard, consumer);
            return;
        }
        job->assigned = more == 0;
        if (job->assigned && !fits(env, job)) { /* the old one stays; not at once again */
            consumer->target_refused_ms = env->wall_ms;
            end_job(shard, consumer);
            return;
        }
    }
    if (job->assigned) {
        ArenaMark mark = arena_mark(job->arena);

        store(shard, env, job, &budget);
        arena_release(job->arena, mark);
    }
    if (job->assigned && job->stored == job->assign.member_count)
        finish(shard, env, consumer);
    else
        timers_set(&shard->timers, &consumer->job_timer, TIMER_CONSUMER_TARGET,
                   env->now_us + SLICE_PAUSE_US);
}

void
consumer_compute(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    int64_t budget = env->settings->slice_steps;

    if (consumer->job != NULL || begin_job(shard, env, consumer, &budget))
        go_on(shard, env, consumer, budget);
}

/*
 * A new group whose target is still to come has an empty one until then: its first member needs an epoch above 0. The
 * group's is 2 at least, since it has topics.
 */
static void
begin_empty(GroupEnv *env, ConsumerGroup *consumer)
{
    consumer->target_epoch = 1;
    consumer_write_target_epoch(env, consumer);
    consumer_note_all_settled(consumer);
}

void
consumer_update_target(GroupShard *shard, GroupEnv *env, ConsumerGroup *consumer)
{
    int64_t interval = consumer_assignment_interval_ms(env, consumer);
    int64_t last_ms = consumer->target_refused_ms > consumer->target_wall_ms
                          ? consumer->target_refused_ms
                          : consumer->target_wall_ms;
    int64_t age = env->wall_ms - last_ms;
    int64_t budget = env->settings->slice_steps;

    if (timer_is_set(&consumer->job_timer) || consumer->epoch <= consumer->target_epoch)
        return;
    /* A clock that was set back must not hold the group up: age < 0 counts as over. */
    if (last_ms != 0 && age >= 0 && age < interval)
        return;
    if (consumer->epoch == 1) /* one member, and no topics */
        budget = INT64_MAX;
    /* The heartbeat has looked at all these topics already: once more would be too much. */
    if (consumer_seen_room(consumer) > budget / TOPIC_COST)
        timers_set(&shard->timers, &consumer->job_timer, TIMER_CONSUMER_TARGET, env->now_us);
    else if (begin_job(shard, env, consumer, &budget))
        go_on(shard, env, consumer, budget);
    if (consumer->target_epoch == 0)
        begin_empty(env, consumer);
}

void
consumer_compute_without(ConsumerMember *member)
{
    if (member->in_job > 0)
        member->consumer->job->members[member->in_job - 1] = NULL;
    member->in_job = 0;
}

void
consumer_stop_computing(GroupShard *shard, ConsumerGroup *consumer)
{
    TargetJob *job = consumer->job;
    int64_t budget = 0;

    if (job != NULL && job->stored > 0)
        store(shard, NULL, job, &budget);
    if (job != NULL)
        end_job(shard, consumer);
    timers_cancel(&shard->timers, &consumer->job_timer);
}

void
consumer_check_computing(const GroupShard *shard, const ConsumerGroup *consumer)
{
    const TargetJob *job = consumer->job;
    int32_t members = 0;

    ot_assert(timer_is_set(&consumer->job_timer) >= (job != NULL));
    ot_assert(!timer_is_set(&consumer->job_timer) || consumer->epoch > consumer->target_epoch);
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next) {
        ot_assert(m->in_job == 0 || (job != NULL && job->members[m->in_job - 1] == m));
        members += m->in_job > 0;
    }
    for (int32_t i = 0; job != NULL && i < job->assign.member_count; i++)
        members -= job->members[i] != NULL;
    ot_assert(members == 0);
    if (job == NULL)
        return;
    ot_assert(shard->loaded && job->epoch > consumer->target_epoch);
    ot_assert(job->epoch <= consumer->epoch && (job->assigned || job->stored == 0));
}
