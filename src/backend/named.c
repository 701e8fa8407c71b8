/*
 * named.c - the partitions that a request names, each topic together
 *
 * Called by handlers. Never: looks whether they exist.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/named_int.h"

#include <stdlib.h>

#include "ottla/common/assert.h"

static int
compare_topics(const Named *a, const Named *b)
{
    int32_t len = a->topic.len < b->topic.len ? a->topic.len : b->topic.len;
    int order = memcmp(a->id.b, b->id.b, sizeof a->id.b);

    if (order != 0 || !uuid_is_zero(a->id))
        return order;
    order = len == 0 ? 0 : memcmp(a->topic.ptr, b->topic.ptr, (size_t)len);
    return order != 0 ? order : (a->topic.len > b->topic.len) - (a->topic.len < b->topic.len);
}

static int
compare(const void *pa, const void *pb)
{
    const Named *a = pa, *b = pb;
    int order = compare_topics(a, b);

    if (order != 0)
        return order;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return a->serial < b->serial ? -1 : 1;
}

bool
named_list_init(NamedList *list, int64_t room, Arena *arena)
{
    *list = (NamedList){0};
    if (room > INT32_MAX)
        return false;
    list->room = (int32_t)room;
    list->items = arena_alloc(arena, (size_t)room * sizeof *list->items);
    return list->items != NULL;
}

void
named_list_add(NamedList *list, StrView topic, int32_t partition, const void *in)
{
    ot_assert(list->count < list->room);
    list->items[list->count] =
        (Named){.topic = topic, .partition = partition, .serial = list->count, .in = in};
    list->count++;
}

void
named_sort(Named *list, int32_t count)
{
    if (count > 1)
        qsort(list, (size_t)count, sizeof *list, compare);
}

bool
named_same_topic_next(const Named *list, int32_t i, int32_t count)
{
    return i + 1 < count && compare_topics(&list[i], &list[i + 1]) == 0;
}

bool
named_repeated_next(const Named *list, int32_t i, int32_t count)
{
    return named_same_topic_next(list, i, count) && list[i].partition == list[i + 1].partition;
}
