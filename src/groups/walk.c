/*
 * walk.c - groups and their committed offsets, page by page
 *
 * Runs in: coordinator; tests. Within a group topics come by name and partitions by number, whatever order they have
 * in memory, so that a page that ends within a group can be gone on with. Who has a partition is looked up where
 * members say so: consumer groups know, in classic ones of consumers the assignments are read once per page.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/groups/walk.h"

#include <stdlib.h>
#include <string.h>

#include "groups/classic_int.h"
#include "groups/consumer_int.h"
#include "groups/offsets_int.h"

typedef GroupWalkResponseGroup PageGroup;

/* Which member of a classic group was given a partition. */
typedef struct Given {
    StrView topic;
    int32_t partition;
    int32_t member; /* its place in the list */
} Given;

/* A group on the page. */
typedef struct Visit {
    GroupWalk *walk;
    GroupEnv *env;
    const Group *group;
    PageGroup *to;
    Given *given; /* classic: sorted */
    int32_t given_count;
    const void **members; /* of to->owners */
    int32_t owner_room;
} Visit;

void
group_walk_begin(GroupWalk *walk, Arena *arena, bool with_offsets, GroupWalkResponse *out)
{
    *walk = (GroupWalk){.arena = arena, .with_offsets = with_offsets, .out = out};
}

/* Cleared; NULL sets failed. */
static void *
take(GroupWalk *walk, size_t count, size_t size)
{
    void *list = arena_calloc(walk->arena, count, size);

    walk->failed |= list == NULL;
    return list;
}

static bool
is_full(const GroupWalk *walk)
{
    return walk->failed || walk->out->groups_count >= WALK_PAGE_GROUPS ||
           walk->offset_count >= WALK_PAGE_OFFSETS || walk->bytes >= WALK_PAGE_BYTES;
}

/* ---- who has which partition ---------------------------------------------------------------------- */

static int
compare_given(const void *left, const void *right)
{
    const Given *a = left, *b = right;
    int32_t len = a->topic.len < b->topic.len ? a->topic.len : b->topic.len;
    int order = len == 0 ? 0 : memcmp(a->topic.ptr, b->topic.ptr, (size_t)len);

    if (order == 0)
        order = (a->topic.len > b->topic.len) - (a->topic.len < b->topic.len);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

/* What one member was given, as it stands in its assignment. Bytes that cannot be read say nothing. */
static void
read_given(Visit *v, const ClassicMember *m, int32_t number, Given *list)
{
    ConsumerProtocolAssignment in;

    if (protocol_read_assignment(m->assignment, v->walk->arena, &in) != 0)
        return;
    for (int32_t t = 0; t < in.assigned_partitions_count; t++)
        for (int32_t p = 0; p < in.assigned_partitions[t].partitions_count; p++) {
            if (list != NULL)
                list[v->given_count] = (Given){in.assigned_partitions[t].topic,
                                               in.assigned_partitions[t].partitions[p], number};
            v->given_count++;
        }
}

/* Reads the assignments twice: to count, and to keep. */
static void
read_assignments(Visit *v)
{
    const ClassicGroup *c = v->group->classic;
    Given *list = NULL;

    if (c == NULL || !strview_equal(c->protocol_type, CONSUMER_PROTOCOL_TYPE))
        return;
    for (int pass = 0; pass < 2; pass++) {
        int32_t number = 0;

        if (pass == 1)
            list = take(v->walk, (size_t)v->given_count, sizeof *list);
        if (pass == 1 && list == NULL)
            return;
        v->given_count = 0;
        for (const ClassicMember *m = c->first; m != NULL; m = m->next)
            read_given(v, m, number++, list);
    }
    qsort(list, (size_t)v->given_count, sizeof *list, compare_given);
    v->given = list;
}

static const ClassicMember *
classic_owner(const Visit *v, StrView topic, int32_t partition)
{
    const ClassicMember *m = v->group->classic->first;
    Given key = {topic, partition, 0};
    const Given *found = v->given == NULL ? NULL
                                          : bsearch(&key, v->given, (size_t)v->given_count,
                                                    sizeof key, compare_given);

    for (int32_t i = 0; found != NULL && m != NULL && i < found->member; i++)
        m = m->next;
    return found == NULL ? NULL : m;
}

static const ConsumerMember *
consumer_owner(const Visit *v, StrView topic, const OffsetEntry *entry)
{
    const GroupMetadata *metadata = v->env->metadata;
    Uuid id = entry->topic_id;
    const ConsumerTopic *of;
    GroupTopic found;

    if (uuid_is_zero(id)) {
        if (!metadata->by_name(metadata->ctx, topic, &found))
            return NULL;
        id = found.id;
    }
    of = consumer_find_topic(v->group->consumer, id);
    return of == NULL || entry->partition < 0 || entry->partition >= of->room
               ? NULL
               : of->owners[entry->partition];
}

/* The member's place among the owners on the page; a few at most, but for groups with many members. */
static int32_t
owner_number(Visit *v, const void *member, const GroupWalkResponseOwner *what)
{
    PageGroup *to = v->to;

    if (member == NULL)
        return -1;
    for (int32_t i = to->owners_count - 1; i >= 0; i--)
        if (v->members[i] == member)
            return i;
    if (to->owners_count == v->owner_room) {
        int32_t room = v->owner_room == 0 ? 8 : v->owner_room * 2;
        GroupWalkResponseOwner *list = take(v->walk, (size_t)room, sizeof *list);
        const void **members = take(v->walk, (size_t)room, sizeof(*members));

        if (list == NULL || members == NULL)
            return -1;
        if (to->owners_count > 0) {
            memcpy(list, to->owners, (size_t)to->owners_count * sizeof *list);
            memcpy(members, v->members, (size_t)to->owners_count * sizeof(*members));
        }
        to->owners = list;
        v->members = members;
        v->owner_room = room;
    }
    v->members[to->owners_count] = member;
    to->owners[to->owners_count] = *what;
    v->walk->bytes += what->member_id.len + what->client_id.len + what->client_host.len;
    return to->owners_count++;
}

static StrView
text_of(StrView text)
{
    return text.ptr == NULL ? STRVIEW("") : text;
}

static int32_t
owner_of(Visit *v, StrView topic, const OffsetEntry *entry)
{
    GroupWalkResponseOwner what;

    group_walk_response_owner_init(&what);
    if (v->group->consumer != NULL) {
        const ConsumerMember *m = consumer_owner(v, topic, entry);

        if (m != NULL) {
            what.member_id = m->node.key;
            what.client_id = text_of(m->client_id);
            what.client_host = text_of(m->client_host);
        }
        return owner_number(v, m, &what);
    } else {
        const ClassicMember *m = classic_owner(v, topic, entry->partition);

        if (m != NULL) {
            what.member_id = m->id;
            what.client_id = text_of(m->client_id);
            what.client_host = text_of(m->client_host);
        }
        return owner_number(v, m, &what);
    }
}

/* ---- offsets ---------------------------------------------------------------------------------------- */

static int
compare_names(StrView x, StrView y)
{
    int32_t len = x.len < y.len ? x.len : y.len;
    int order = len == 0 ? 0 : memcmp(x.ptr, y.ptr, (size_t)len);

    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

static int
by_name(const void *a, const void *b)
{
    return compare_names((*(const OffsetTopic *const *)a)->topic->name,
                         (*(const OffsetTopic *const *)b)->topic->name);
}

static int
by_partition(const void *a, const void *b)
{
    int32_t x = (*(const OffsetEntry *const *)a)->partition;
    int32_t y = (*(const OffsetEntry *const *)b)->partition;

    return (x > y) - (x < y);
}

/* The topics of the group from a name on, in order; NULL: no memory. */
static const OffsetTopic **
topics_from(GroupWalk *walk, const Group *group, StrView first, int32_t *ret_count)
{
    const Map *map = &group->offsets.topics;
    const OffsetTopic **list = take(walk, map->count, sizeof(*list));
    uint32_t bucket = 0;

    *ret_count = 0;
    if (list == NULL)
        return NULL;
    for (MapNode *node = map_next(map, &bucket, NULL); node != NULL;
         node = map_next(map, &bucket, node))
        if (compare_names(node->key, first) >= 0)
            list[(*ret_count)++] = MAP_OWNER(node, OffsetTopic, node);
    qsort(list, (size_t)*ret_count, sizeof(*list), by_name);
    return list;
}

/* Partitions of one topic above `after`; the page may be full before their end: then false, and the place is told. */
static bool
add_topic(Visit *v, const OffsetTopic *of, int32_t after)
{
    GroupWalk *walk = v->walk;
    GroupWalkResponseTopic *to = &v->to->topics[v->to->topics_count];
    const OffsetEntry **list = take(walk, of->count, sizeof(*list));
    int32_t count = 0, take_count;

    if (list == NULL)
        return false;
    for (uint32_t i = 0; i < of->count; i++)
        if (of->entries[i].partition > after)
            list[count++] = &of->entries[i];
    qsort(list, (size_t)count, sizeof(*list), by_partition);
    take_count = count < WALK_PAGE_OFFSETS - walk->offset_count
                     ? count
                     : WALK_PAGE_OFFSETS - walk->offset_count;
    group_walk_response_topic_init(to);
    to->name = of->topic->name;
    to->partitions = take(walk, (size_t)take_count, sizeof *to->partitions);
    if (to->partitions == NULL)
        return false;
    walk->bytes += to->name.len;
    for (int32_t i = 0; i < take_count; i++)
        to->partitions[i] = (GroupWalkResponsePartition){.partition = list[i]->partition,
                                                         .committed = list[i]->offset,
                                                         .topic_id = list[i]->topic_id,
                                                         .owner = owner_of(v, to->name, list[i])};
    to->partitions_count = take_count;
    v->to->topics_count += take_count > 0;
    walk->offset_count += take_count;
    if (take_count == count)
        return true;
    walk->out->next.topic = of->topic->name;
    walk->out->next.partition = take_count == 0 ? after : list[take_count - 1]->partition;
    return false;
}

/* The offsets of a group from a topic and partition on. False: the page is full before their end, or failed. */
static bool
add_offsets(Visit *v, StrView first, int32_t after)
{
    const OffsetTopic **topics;
    int32_t count;

    if (v->group->offsets.topics.count == 0)
        return true;
    read_assignments(v);
    topics = topics_from(v->walk, v->group, first, &count);
    v->to->topics = take(v->walk, (size_t)count, sizeof *v->to->topics);
    if (topics == NULL || v->to->topics == NULL)
        return false;
    for (int32_t t = 0; t < count; t++) {
        bool same = compare_names(topics[t]->topic->name, first) == 0;

        if (t > 0 && is_full(v->walk)) {
            v->walk->out->next.topic = topics[t]->topic->name;
            v->walk->out->next.partition = -1;
            return false;
        }
        if (!add_topic(v, topics[t], same ? after : -1))
            return false;
    }
    return true;
}

/* ---- groups ----------------------------------------------------------------------------------------- */

static PageGroup *
new_group(GroupWalk *walk)
{
    GroupWalkResponse *out = walk->out;

    if (out->groups_count == walk->group_room) {
        int32_t room = walk->group_room == 0 ? 16 : walk->group_room * 2;
        PageGroup *list = take(walk, (size_t)room, sizeof *list);

        if (list == NULL)
            return NULL;
        if (walk->group_room > 0)
            memcpy(list, out->groups, (size_t)walk->group_room * sizeof *list);
        out->groups = list;
        walk->group_room = room;
    }
    group_walk_response_group_init(&out->groups[out->groups_count]);
    return &out->groups[out->groups_count++];
}

static void
describe(GroupEnv *env, const Group *group, PageGroup *to)
{
    const ConsumerGroup *consumer = group->consumer;

    to->group_id = group->id;
    to->type = consumer == NULL ? STRVIEW("classic") : STRVIEW("consumer");
    to->topic_count = (int32_t)group->offsets.topics.count;
    to->offset_count = group->offsets.count;
    to->bytes = group_bytes(group);
    if (consumer != NULL) {
        to->protocol_type = CONSUMER_PROTOCOL_TYPE;
        to->protocol = consumer_assignor_name(consumer_assignor(consumer, env->settings));
        to->state = strview_from(consumer_state_text(group));
        to->members = consumer_member_count(group);
        to->epoch = consumer->epoch;
    } else {
        to->protocol_type = classic_protocol_type(group);
        to->protocol = text_of(group->classic->protocol);
        to->state = strview_from(classic_state_text(group));
        to->members = classic_member_count(group);
        to->epoch = group->classic->generation;
        to->is_simple = classic_is_simple(group);
    }
}

/* One group. False: the page is full before the end of its offsets. */
static bool
visit(const Group *group, GroupEnv *env, GroupWalk *walk, StrView topic, int32_t after)
{
    Visit v = {.walk = walk, .env = env, .group = group, .to = new_group(walk)};

    if (v.to == NULL)
        return false;
    describe(env, group, v.to);
    v.to->continued = topic.len > 0;
    walk->bytes += group->id.len;
    if (!walk->with_offsets || add_offsets(&v, topic, after))
        return true;
    walk->out->next.group_id = group->id;
    walk->out->next.group_serial = (int64_t)group->serial;
    return false;
}

/* The group of the place, or the next one that is left behind it. */
static const Group *
find_place(const GroupShard *shard, const GroupWalkRequestPlace *place, bool *ret_same)
{
    const Group *group = shard_find_group(shard, place->group_id);

    *ret_same = group != NULL && (int64_t)group->serial == place->group_serial;
    if (*ret_same)
        return group;
    for (group = shard->first; group != NULL; group = group->next)
        if ((int64_t)group->serial >= place->group_serial)
            break;
    return group;
}

bool
shard_walk(const GroupShard *shard, GroupEnv *env, GroupWalk *walk,
           const GroupWalkRequestPlace *place)
{
    bool same;
    const Group *group = find_place(shard, place, &same);

    for (; group != NULL; group = group->next, same = false) {
        if (is_full(walk)) {
            walk->out->next.group_id = group->id;
            walk->out->next.group_serial = (int64_t)group->serial;
            return false;
        }
        if (!visit(group, env, walk, same ? place->topic : STRVIEW(""),
                   same ? place->partition : -1))
            return false;
    }
    return !walk->failed;
}

bool
shard_walk_group(const GroupShard *shard, GroupEnv *env, GroupWalk *walk,
                 const GroupWalkRequestPlace *place)
{
    const Group *group = shard_find_group(shard, place->group_id);

    return group == NULL || visit(group, env, walk, place->topic, place->partition);
}
