/*
 * assignor_range.c - each topic is cut into ranges of its own
 *
 * Members with an instance id come first, by that id, so that their ranges survive a restart under
 * another member id; then the others by member id. The order is the same for all topics: partitions of the same
 * number go to the same member where the counts are equal.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.6. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "groups/assignor_int.h"
#include "ottla/common/errlist.h"

typedef struct Place {
    AssignMember *member;
    int32_t next; /* of its topics */
} Place;

static int
compare_text(StrView a, StrView b)
{
    int32_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, (size_t)common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
compare_places(const void *left, const void *right)
{
    const AssignMember *a = ((const Place *)left)->member;
    const AssignMember *b = ((const Place *)right)->member;

    if ((a->instance_id.ptr == NULL) != (b->instance_id.ptr == NULL))
        return a->instance_id.ptr == NULL ? 1 : -1;
    if (a->instance_id.ptr != NULL && compare_text(a->instance_id, b->instance_id) != 0)
        return compare_text(a->instance_id, b->instance_id);
    return (a > b) - (a < b); /* members are in the order of their ids */
}

/* Whether the place's member has the topic; topics come in rising order. */
static bool
has_topic(Place *place, int32_t topic)
{
    const AssignMember *m = place->member;

    while (place->next < m->topic_count && m->topics[place->next] < topic)
        place->next++;
    return place->next < m->topic_count && m->topics[place->next] == topic;
}

/* How many partitions the member will have, at most: room for its answer. */
static int32_t
room_of(const Assign *assign, const AssignMember *member, const int32_t *subscribers)
{
    int64_t room = 0;

    for (int32_t i = 0; i < member->topic_count; i++) {
        int32_t topic = member->topics[i];

        room += assign->partitions[topic] / subscribers[topic] + 1;
    }
    return room > INT32_MAX / 16 ? -1 : (int32_t)room;
}

static void
give_topic(const Assign *assign, int32_t topic, Place *places, int32_t subscribers)
{
    int32_t quota = assign->partitions[topic] / subscribers;
    int32_t extra = assign->partitions[topic] % subscribers;
    int32_t next = 0;

    for (int32_t i = 0; i < assign->member_count; i++) {
        AssignMember *m = places[i].member;
        int32_t end;

        if (!has_topic(&places[i], topic))
            continue;
        end = next + quota + (extra > 0 ? 1 : 0);
        if (extra > 0)
            extra--;
        while (next < end)
            m->ret[m->ret_count++] = (AssignPart){topic, next++};
    }
}

int
assign_range(Assign *assign)
{
    Place *places = arena_calloc(assign->arena, (size_t)assign->member_count, sizeof *places);
    int32_t *subscribers =
        arena_calloc(assign->arena, (size_t)assign->topic_count, sizeof(int32_t));

    if (places == NULL || subscribers == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < assign->member_count; i++) {
        places[i].member = &assign->members[i];
        for (int32_t t = 0; t < assign->members[i].topic_count; t++)
            subscribers[assign->members[i].topics[t]]++;
    }
    for (int32_t i = 0; i < assign->member_count; i++) {
        AssignMember *m = &assign->members[i];
        int32_t room = room_of(assign, m, subscribers);

        m->ret_count = 0;
        m->ret = room < 0 ? NULL : arena_calloc(assign->arena, (size_t)room, sizeof *m->ret);
        if (m->ret == NULL)
            return OT_E_NO_MEMORY;
    }
    if (assign->member_count > 1)
        qsort(places, (size_t)assign->member_count, sizeof *places, compare_places);
    for (int32_t t = 0; t < assign->topic_count; t++)
        if (subscribers[t] > 0)
            give_topic(assign, t, places, subscribers[t]);
    return 0;
}
