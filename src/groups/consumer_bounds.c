/*
 * consumer_bounds.c - what a consumer group may not do because the log could not hold it, or memory could not
 *
 * A record that fits in no batch would cost the whole shard: there is no undo but to load it again. So what decides the
 * size of a record is looked at before anything changes. All records of an operation together may be too much for one
 * batch; then they are spread (group_out_spread), but for a group that moves to the other protocol.
 *
 * Sizes are counted upwards: what is refused may be smaller by some bytes for each text and topic.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 1.6, 8.8. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/classic_int.h"
#include "groups/consumer_int.h"

#define RECORD_BYTES  256 /* a batch of one record, its key without ids, numbers in its value */
#define TOPIC_BYTES   40 /* in records 7 and 8: id, counts; twice where it is split over two sets */
#define PART_BYTES    8  /* number and epoch */
#define MADE_ID_BYTES 22 /* consumer_make_member_id */

static int64_t
ids_bytes(const Group *group, StrView member)
{
    return CONSUMER_TEXT_BYTES(group->id) + CONSUMER_TEXT_BYTES(member);
}

static bool
fits(const GroupEnv *env, int64_t bytes)
{
    return bytes + RECORD_BYTES <= env->settings->max_batch_bytes;
}

bool
consumer_record_fits(const GroupEnv *env, const Group *group, int64_t bytes)
{
    return fits(env, CONSUMER_TEXT_BYTES(group->id) + bytes);
}

static int64_t
protocols_bytes(const JoinGroupRequestProtocol *protocols, int32_t count)
{
    int64_t bytes = 0;

    for (int32_t i = 0; i < count; i++)
        bytes +=
            CONSUMER_TEXT_BYTES(protocols[i].name) + CONSUMER_TEXT_BYTES(protocols[i].metadata);
    return bytes;
}

/* Of the text that will be there: the wish, or what is there now. */
static int64_t
wish_bytes(StrView wish, const StrView *now)
{
    return wish.ptr != NULL || now == NULL ? CONSUMER_TEXT_BYTES(wish) : CONSUMER_TEXT_BYTES(*now);
}

/* Each bump looks all of them up. Counted upwards: a new name that is given twice counts twice. */
static bool
may_name(const ConsumerWish *wish)
{
    int64_t names = wish->consumer == NULL ? 0 : wish->consumer->names.count;

    for (int32_t i = 0; i < wish->names_count && names <= CONSUMER_NAMES_MAX; i++)
        if (wish->consumer == NULL || map_find(&wish->consumer->names, wish->names[i]) == NULL)
            names++;
    return names <= CONSUMER_NAMES_MAX;
}

int16_t
consumer_check_wish(const GroupShard *shard, const GroupEnv *env, const ConsumerMember *member,
                    const ConsumerWish *wish)
{
    static const ConsumerMember nobody;
    const ConsumerMember *m = member != NULL ? member : &nobody;
    StrView regex = m->regex == NULL ? (StrView){0} : m->regex->pattern;
    int64_t names = wish->names_count < 0 ? m->names_bytes : 0;
    int64_t protocols = protocols_bytes(wish->protocols, wish->protocol_count);
    int64_t held = m->names_bytes;
    int64_t bytes = CONSUMER_TEXT_BYTES(wish->group_id) + CONSUMER_TEXT_BYTES(wish->member_id);

    if (wish->member_id.len == 0)
        bytes += MADE_ID_BYTES;
    for (int32_t i = 0; i < wish->names_count; i++)
        names += CONSUMER_TEXT_BYTES(wish->names[i]);
    bytes +=
        wish_bytes(wish->instance_id, &m->instance_id) + wish_bytes(wish->rack_id, &m->rack_id);
    bytes += wish_bytes(wish->regex, &regex) + wish_bytes(wish->assignor, &m->assignor);
    bytes += CONSUMER_TEXT_BYTES(wish->client_id) + CONSUMER_TEXT_BYTES(wish->client_host);
    if (!fits(env, bytes + names + protocols))
        return KERR_UNKNOWN_SERVER_ERROR;
    if (!may_name(wish))
        return KERR_INVALID_REQUEST;
    if (m->classic != NULL)
        held += protocols_bytes(m->classic->protocols, m->classic->protocol_count);
    if (wish->regex.len > regex.len)
        names += wish->regex.len;
    return names + protocols > held && gmem_is_tight(shard->memory) ? KERR_COORDINATOR_NOT_AVAILABLE
                                                                    : 0;
}

/* ---- targets ------------------------------------------------------------------------------------------ */

static int64_t
set_bytes(const PartitionSet *set)
{
    int64_t topics = 0;

    for (int32_t i = 0; i < set->count; i++)
        topics += i == 0 || set->list[i].topic != set->list[i - 1].topic;
    return topics * TOPIC_BYTES + (int64_t)set->count * PART_BYTES;
}

bool
consumer_target_fits(const GroupEnv *env, const ConsumerMember *member, const AssignMember *one)
{
    int64_t topics = 0;

    for (int32_t i = 0; i < one->ret_count; i++)
        topics += i == 0 || one->ret[i].topic != one->ret[i - 1].topic;
    return fits(env, ids_bytes(member->consumer->group, member->node.key) + topics * TOPIC_BYTES +
                         (int64_t)one->ret_count * PART_BYTES);
}

/* ---- conversion ---------------------------------------------------------------------------------------- */

static bool
all_fits(const GroupEnv *env, int64_t bytes)
{
    return fits(env, (int64_t)env->out->record_bytes + bytes);
}

int64_t
consumer_upgraded_bytes(const Group *group, const ClassicMember *from,
                        const ConsumerProtocolSubscription *subscription,
                        const ConsumerProtocolAssignment *assignment)
{
    int64_t bytes = 3 * (RECORD_BYTES + ids_bytes(group, from->id));

    for (int32_t i = 0; i < from->protocol_count; i++)
        bytes += CONSUMER_TEXT_BYTES(from->protocols[i].name) +
                 CONSUMER_TEXT_BYTES(from->protocols[i].metadata);
    for (int32_t i = 0; i < subscription->topics_count; i++)
        bytes += CONSUMER_TEXT_BYTES(subscription->topics[i]);
    for (int32_t i = 0; i < assignment->assigned_partitions_count; i++)
        bytes += 2 * TOPIC_BYTES +
                 2 * PART_BYTES * (int64_t)assignment->assigned_partitions[i].partitions_count;
    return bytes + CONSUMER_TEXT_BYTES(from->instance_id) +
           CONSUMER_TEXT_BYTES(subscription->rack_id) + CONSUMER_TEXT_BYTES(from->client_id) +
           CONSUMER_TEXT_BYTES(from->client_host);
}

bool
consumer_upgrade_fits(const GroupEnv *env, int64_t bytes)
{
    return all_fits(env, bytes + 4 * RECORD_BYTES);
}

/* Of a member as the record of a classic group tells it, and its tombstones. */
static int64_t
downgraded_bytes(const GroupEnv *env, const ConsumerMember *m)
{
    int64_t bytes = 3 * (RECORD_BYTES + ids_bytes(m->consumer->group, m->node.key)) +
                    2 * CONSUMER_TEXT_BYTES(m->node.key) + CONSUMER_TEXT_BYTES(m->instance_id) +
                    CONSUMER_TEXT_BYTES(m->client_id) + CONSUMER_TEXT_BYTES(m->client_host) +
                    set_bytes(&m->target);

    for (int32_t i = 0; i < m->target.count; i++) {
        GroupTopic topic;

        if ((i == 0 || m->target.list[i].topic != m->target.list[i - 1].topic) &&
            env->metadata->by_id(env->metadata->ctx, m->target.list[i].topic->id, &topic))
            bytes += CONSUMER_TEXT_BYTES(topic.name);
    }
    if (m->classic != NULL)
        bytes += protocols_bytes(m->classic->protocols, m->classic->protocol_count);
    return bytes;
}

bool
consumer_downgrade_fits(const GroupEnv *env, const ConsumerGroup *consumer)
{
    int64_t bytes = 4 * (RECORD_BYTES + CONSUMER_TEXT_BYTES(consumer->group->id));

    for (const ConsumerRegex *regex = consumer->regex_first; regex != NULL; regex = regex->next)
        bytes += RECORD_BYTES + CONSUMER_TEXT_BYTES(consumer->group->id) +
                 CONSUMER_TEXT_BYTES(regex->pattern);
    for (const ConsumerMember *m = consumer->first; m != NULL; m = m->next)
        bytes += downgraded_bytes(env, m);
    return all_fits(env, bytes);
}
