/*
 * assignor_uniform.c - all partitions together are spread evenly, and who has some keeps what it may
 *
 * When all members subscribe to the same topics, sizes differ by one at most and only what is too much moves. Else
 * the least loaded subscriber gets what nobody has, and topics are balanced one after the other, in rounds
 * whose number is bounded.
 *
 * Runs in: coordinator; tests. Spec: groups-and-transactions.md 4.6. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "groups/assignor_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/errlist.h"

#define NOBODY     (-1)
#define ROUNDS_MAX 16

typedef struct Spread {
    Assign *assign;
    int32_t *first; /* index in owners of partition 0 of each topic */
    int32_t *owners;
    int32_t total;
    int32_t *load; /* partitions of each member */
} Spread;

/* Subscribers of each topic: list[begin[t]] up to list[begin[t + 1]]. */
typedef struct Subscribers {
    int32_t *begin;
    int32_t *list;
    int32_t *order; /* topics in the order in which they are worked on */
} Subscribers;

static int
spread_init(Spread *s, Assign *a)
{
    int64_t total = 0;

    *s = (Spread){.assign = a};
    s->first = arena_calloc(a->arena, (size_t)a->topic_count + 1, sizeof *s->first);
    s->load = arena_calloc(a->arena, (size_t)a->member_count, sizeof *s->load);
    if (s->first == NULL || s->load == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t t = 0; t < a->topic_count; t++) {
        s->first[t] = (int32_t)total;
        total += a->partitions[t];
        if (total > INT32_MAX / 16)
            return OT_E_NO_MEMORY;
    }
    s->total = (int32_t)total;
    s->first[a->topic_count] = s->total;
    s->owners = arena_alloc(a->arena, (size_t)total * sizeof *s->owners);
    if (s->owners == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < s->total; i++)
        s->owners[i] = NOBODY;
    return 0;
}

/* Everybody keeps what it has of topics that it subscribes to. */
static void
keep_current(Spread *s)
{
    const Assign *a = s->assign;

    for (int32_t i = 0; i < a->member_count; i++) {
        const AssignMember *m = &a->members[i];
        int32_t at = 0; /* both lists rise */

        for (int32_t c = 0; c < m->current_count; c++) {
            AssignPart part = m->current[c];

            while (at < m->topic_count && m->topics[at] < part.topic)
                at++;
            if (at == m->topic_count)
                break;
            if (m->topics[at] != part.topic || part.partition >= a->partitions[part.topic] ||
                s->owners[s->first[part.topic] + part.partition] != NOBODY)
                continue;
            s->owners[s->first[part.topic] + part.partition] = i;
            s->load[i]++;
        }
    }
}

static int
answer(Spread *s)
{
    Assign *a = s->assign;

    for (int32_t i = 0; i < a->member_count; i++) {
        AssignMember *m = &a->members[i];

        m->ret_count = 0;
        m->ret = arena_alloc(a->arena, (size_t)s->load[i] * sizeof *m->ret);
        if (m->ret == NULL)
            return OT_E_NO_MEMORY;
    }
    for (int32_t t = 0; t < a->topic_count; t++)
        for (int32_t p = 0; p < a->partitions[t]; p++) {
            int32_t owner = s->owners[s->first[t] + p];

            if (owner != NOBODY)
                a->members[owner].ret[a->members[owner].ret_count++] = (AssignPart){t, p};
        }
    return 0;
}

/* Member i gives what is above its quota, by number, to the end of the list of free ones. */
static int32_t
give_excess(Spread *s, int32_t i, int32_t quota, int32_t *free_list, int32_t free_count)
{
    const AssignMember *m = &s->assign->members[i];
    int32_t kept = 0;

    for (int32_t c = 0; c < m->current_count; c++) {
        AssignPart part = m->current[c];
        int32_t index;

        if (part.topic < 0 || part.partition >= s->assign->partitions[part.topic])
            continue;
        index = s->first[part.topic] + part.partition;
        if (s->owners[index] != i)
            continue;
        if (kept < quota) {
            kept++;
            continue;
        }
        s->owners[index] = NOBODY;
        free_list[free_count++] = index;
        s->load[i]--;
    }
    return free_count;
}

static int
spread_same(Spread *s)
{
    Assign *a = s->assign;
    int32_t *free_list = arena_alloc(a->arena, (size_t)s->total * sizeof *free_list);
    int32_t *missing = arena_calloc(a->arena, (size_t)a->member_count, sizeof *missing);
    int32_t free_count = 0, next = 0;
    int32_t least = s->total / a->member_count, extra = s->total % a->member_count;

    if (free_list == NULL || missing == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < s->total; i++)
        if (s->owners[i] == NOBODY)
            free_list[free_count++] = i;
    for (int32_t i = 0; i < a->member_count; i++) {
        bool has_extra = extra > 0;
        int32_t quota = least + (has_extra ? 1 : 0);

        free_count = give_excess(s, i, quota, free_list, free_count);
        /* Room is left, and enough others are still to come that can take the extra one: theirs. */
        if (s->load[i] < quota && has_extra && a->member_count - i > extra) {
            quota--;
            has_extra = false;
        }
        missing[i] = quota - s->load[i];
        if (has_extra)
            extra--;
    }
    for (int32_t i = 0; i < a->member_count; i++)
        for (; missing[i] > 0 && next < free_count; missing[i]--) {
            s->owners[free_list[next++]] = i;
            s->load[i]++;
        }
    ot_assert(next == free_count);
    return 0;
}

/* ---- members with different topics ---------------------------------------------------------------- */

typedef struct Order {
    int32_t topic;
    int32_t partitions;
    int32_t subscribers;
} Order;

static int
compare_orders(const void *left, const void *right)
{
    const Order *a = left, *b = right;
    int64_t more =
        (int64_t)b->partitions * a->subscribers - (int64_t)a->partitions * b->subscribers;

    if (more != 0)
        return more < 0 ? -1 : 1;
    if (a->subscribers != b->subscribers)
        return a->subscribers < b->subscribers ? -1 : 1;
    return (a->topic > b->topic) - (a->topic < b->topic);
}

static int
subscribers_init(Subscribers *subs, const Assign *a)
{
    size_t topics = (size_t)a->topic_count;
    int32_t *at = arena_calloc(a->arena, topics + 1, sizeof *at);
    Order *order = arena_calloc(a->arena, topics, sizeof *order);
    int64_t total = 0;

    subs->begin = arena_calloc(a->arena, topics + 1, sizeof *subs->begin);
    subs->order = arena_calloc(a->arena, topics, sizeof *subs->order);
    if (at == NULL || order == NULL || subs->begin == NULL || subs->order == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < a->member_count; i++)
        for (int32_t t = 0; t < a->members[i].topic_count; t++)
            order[a->members[i].topics[t]].subscribers++;
    for (int32_t t = 0; t < a->topic_count; t++) {
        order[t].topic = t;
        order[t].partitions = a->partitions[t];
        subs->begin[t] = at[t] = (int32_t)total;
        total += order[t].subscribers;
        if (total > INT32_MAX / 16)
            return OT_E_NO_MEMORY;
    }
    subs->begin[a->topic_count] = (int32_t)total;
    subs->list = arena_alloc(a->arena, (size_t)total * sizeof *subs->list);
    if (subs->list == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < a->member_count; i++)
        for (int32_t t = 0; t < a->members[i].topic_count; t++)
            subs->list[at[a->members[i].topics[t]]++] = i;
    if (a->topic_count > 1)
        qsort(order, topics, sizeof *order, compare_orders);
    for (int32_t t = 0; t < a->topic_count; t++)
        subs->order[t] = order[t].topic;
    return 0;
}

static bool
is_less(const int32_t *load, int32_t a, int32_t b)
{
    return load[a] < load[b] || (load[a] == load[b] && a < b);
}

/* A heap of members, the least loaded at its top. */
static void
sink(const int32_t *load, int32_t *heap, int32_t count, int32_t i)
{
    int32_t member = heap[i];

    for (;;) {
        int32_t child = 2 * i + 1;

        if (child >= count)
            break;
        if (child + 1 < count && is_less(load, heap[child + 1], heap[child]))
            child++;
        if (!is_less(load, heap[child], member))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = member;
}

/* What nobody has goes to the least loaded subscriber. heap: room for all members. */
static void
hand_out(Spread *s, const Subscribers *subs, int32_t topic, int32_t *heap)
{
    int32_t count = subs->begin[topic + 1] - subs->begin[topic];
    bool is_heap = false;

    if (count == 0)
        return;
    for (int32_t i = s->first[topic]; i < s->first[topic + 1]; i++) {
        if (s->owners[i] != NOBODY)
            continue;
        if (!is_heap) {
            for (int32_t k = 0; k < count; k++)
                heap[k] = subs->list[subs->begin[topic] + k];
            for (int32_t k = count / 2 - 1; k >= 0; k--)
                sink(s->load, heap, count, k);
            is_heap = true;
        }
        s->owners[i] = heap[0];
        s->load[heap[0]]++;
        sink(s->load, heap, count, 0);
    }
}

/* The owner with the highest load, by that of its partitions which has the highest number; -1: none. */
static int32_t
most_loaded_part(const Spread *s, int32_t topic)
{
    int32_t best = -1;

    for (int32_t i = s->first[topic + 1] - 1; i >= s->first[topic]; i--)
        if (s->owners[i] != NOBODY &&
            (best < 0 || s->load[s->owners[i]] > s->load[s->owners[best]]))
            best = i;
    return best;
}

static bool
balance_topic(Spread *s, const Subscribers *subs, int32_t topic)
{
    bool moved = false;

    /* Each move makes two loads more alike: there are never more than the partitions at hand. */
    for (int32_t left = s->assign->partitions[topic]; left > 0; left--) {
        int32_t from = most_loaded_part(s, topic);
        int32_t to = subs->list[subs->begin[topic]];

        for (int32_t k = subs->begin[topic] + 1; k < subs->begin[topic + 1]; k++)
            if (is_less(s->load, subs->list[k], to))
                to = subs->list[k];
        if (from < 0 || s->load[s->owners[from]] - s->load[to] <= 1)
            break;
        s->load[s->owners[from]]--;
        s->load[to]++;
        s->owners[from] = to;
        moved = true;
    }
    return moved;
}

static int
spread_different(Spread *s)
{
    const Assign *a = s->assign;
    Subscribers subs;
    int32_t *heap = arena_calloc(a->arena, (size_t)a->member_count, sizeof *heap);
    bool moved = true;
    int err = subscribers_init(&subs, a);

    if (err != 0 || heap == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t t = 0; t < a->topic_count; t++)
        hand_out(s, &subs, subs.order[t], heap);
    for (int round = 0; round < ROUNDS_MAX && moved; round++) {
        moved = false;
        for (int32_t t = 0; t < a->topic_count; t++) {
            int32_t topic = subs.order[t];

            if (subs.begin[topic + 1] - subs.begin[topic] >= 2 && balance_topic(s, &subs, topic))
                moved = true;
        }
    }
    return 0;
}

int
assign_uniform(Assign *assign)
{
    Spread s;
    int err = spread_init(&s, assign);

    if (err != 0)
        return err;
    keep_current(&s);
    if (assign->homogeneous && assign->member_count > 0)
        err = assign->members[0].topic_count == 0 ? 0 : spread_same(&s);
    else
        err = spread_different(&s);
    return err != 0 ? err : answer(&s);
}
