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

#define SORT_COST 16 /* of a member */

typedef struct Place {
    AssignMember *member;
    int32_t next; /* of its topics */
} Place;

/* Phases; `at` is the member, or the topic, that is next. */
typedef enum RangePhase {
    RANGE_COUNT, /* who has which topic, and the order of members */
    RANGE_ROOM,  /* for the answers */
    RANGE_GIVE
} RangePhase;

typedef struct Ranges {
    Place *places;        /* of members, in the order in which they get ranges */
    int32_t *subscribers; /* of each topic */
    RangePhase phase;
    int32_t at;
} Ranges;

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
give_topic(const Assign *assign, Place *places, int32_t topic, int32_t subscribers)
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

static void
count_topics(const Assign *assign, Ranges *ranges, int32_t member)
{
    ranges->places[member].member = &assign->members[member];
    for (int32_t t = 0; t < assign->members[member].topic_count; t++)
        ranges->subscribers[assign->members[member].topics[t]]++;
}

static int
make_room(const Assign *assign, const Ranges *ranges, int32_t member)
{
    AssignMember *m = &assign->members[member];
    int32_t room = room_of(assign, m, ranges->subscribers);

    m->ret_count = 0;
    m->ret = room < 0 ? NULL : arena_alloc(assign->arena, (size_t)room * sizeof *m->ret);
    return m->ret == NULL ? OT_E_NO_MEMORY : 0;
}

static void
next_phase(Ranges *ranges)
{
    ranges->phase++;
    ranges->at = 0;
}

static int
step(Assign *assign, int64_t *budget)
{
    Ranges *r = assign->work;

    while (*budget > 0)
        switch (r->phase) {
        case RANGE_COUNT:
            if (r->at == assign->member_count) {
                if (r->at > 1)
                    qsort(r->places, (size_t)r->at, sizeof *r->places, compare_places);
                *budget -= (int64_t)r->at * SORT_COST;
                next_phase(r);
                break;
            }
            *budget -= assign->members[r->at].topic_count + 1;
            count_topics(assign, r, r->at++);
            break;
        case RANGE_ROOM:
            if (r->at == assign->member_count) {
                next_phase(r);
                break;
            }
            *budget -= assign->members[r->at].topic_count + 1;
            if (make_room(assign, r, r->at++) != 0)
                return OT_E_NO_MEMORY;
            break;
        case RANGE_GIVE:
            if (r->at == assign->topic_count)
                return 0;
            *budget -= assign->member_count + assign->partitions[r->at];
            if (r->subscribers[r->at] > 0)
                give_topic(assign, r->places, r->at, r->subscribers[r->at]);
            r->at++;
            break;
        }
    return 1;
}

int
assign_range(Assign *assign)
{
    Ranges *r = arena_calloc(assign->arena, 1, sizeof *r);

    if (r == NULL)
        return OT_E_NO_MEMORY;
    r->places = arena_calloc(assign->arena, (size_t)assign->member_count, sizeof *r->places);
    r->subscribers = arena_calloc(assign->arena, (size_t)assign->topic_count, sizeof(int32_t));
    if (r->places == NULL || r->subscribers == NULL)
        return OT_E_NO_MEMORY;
    assign->step = step;
    assign->work = r;
    return 0;
}

int
assign_step(Assign *assign, int64_t *budget)
{
    return assign->step(assign, budget);
}
