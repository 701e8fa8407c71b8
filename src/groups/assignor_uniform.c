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
#define HEAP_COST  8  /* of a change of a heap */
#define SORT_COST  16 /* of a topic */

/* Members by load: the least loaded at the top, or the most loaded. */
typedef struct Heap {
    int32_t *list;
    int32_t *place; /* of each member in the list; NOBODY: it is not in there */
    int32_t count;
    bool most;
} Heap;

/* Subscribers of each topic: list[begin[t]] up to list[begin[t + 1]]. */
typedef struct Subscribers {
    int32_t *begin;
    int32_t *list;
    int32_t *order; /* topics in the order in which they are worked on */
    int32_t *fill;  /* where the next one of each topic goes */
} Subscribers;

/* `at` is the member, the topic, or the place in the order of topics that is next. */
typedef enum SpreadPhase {
    SPREAD_KEEP, /* everybody keeps what it has */
    /* members with the same topics */
    SPREAD_FREE,
    SPREAD_EXCESS,
    SPREAD_FILL,
    /* members with different topics */
    SPREAD_COUNT,
    SPREAD_LIST,
    SPREAD_HAND_OUT,
    SPREAD_BALANCE,
    /* all */
    SPREAD_ROOM,
    SPREAD_ANSWER,
    SPREAD_DONE
} SpreadPhase;

typedef struct Spread {
    Assign *assign;
    int32_t *first; /* index in owners of partition 0 of each topic */
    int32_t *owners;
    int32_t total;
    int32_t *load; /* partitions of each member */
    SpreadPhase phase;
    int32_t at;
    /* the same topics */
    int32_t *free_list;
    int32_t free_count, free_next;
    int32_t *missing; /* of each member */
    int32_t extra;    /* members that may have one more */
    /* different topics */
    Subscribers subs;
    Heap takers; /* subscribers of the topic */
    Heap givers; /* who has partitions of it */
    int32_t *top,
        *below;   /* of a giver: its partition with the highest number, and the ones below each */
    int32_t part; /* of the topic that is handed out; NOBODY: it has not begun */
    int32_t moves_left; /* of the topic that is balanced; NOBODY: it has not begun */
    int32_t round;
    bool moved; /* in this round */
} Spread;

static int
spread_init(Spread *s, Assign *a)
{
    int64_t total = 0;

    s->assign = a;
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

static void
go_to(Spread *s, SpreadPhase phase)
{
    s->phase = phase;
    s->at = 0;
}

/* The member keeps what it has of topics that it subscribes to. */
static void
keep_current(Spread *s, int32_t i)
{
    const Assign *a = s->assign;
    const AssignMember *m = &a->members[i];
    int32_t at = 0; /* both lists rise */

    for (int32_t c = 0; c < m->current_count; c++) {
        AssignPart part = m->current[c];

        while (!a->homogeneous && at < m->topic_count && m->topics[at] < part.topic)
            at++;
        if (!a->homogeneous && at == m->topic_count)
            break;
        if ((!a->homogeneous && m->topics[at] != part.topic) ||
            part.partition >= a->partitions[part.topic] ||
            s->owners[s->first[part.topic] + part.partition] != NOBODY)
            continue;
        s->owners[s->first[part.topic] + part.partition] = i;
        s->load[i]++;
    }
}

static int
make_room(Spread *s, int32_t i)
{
    AssignMember *m = &s->assign->members[i];

    m->ret_count = 0;
    m->ret = arena_alloc(s->assign->arena, (size_t)s->load[i] * sizeof *m->ret);
    return m->ret == NULL ? OT_E_NO_MEMORY : 0;
}

static void
answer_topic(const Spread *s, int32_t t)
{
    Assign *a = s->assign;

    for (int32_t p = 0; p < a->partitions[t]; p++) {
        int32_t owner = s->owners[s->first[t] + p];

        if (owner != NOBODY)
            a->members[owner].ret[a->members[owner].ret_count++] = (AssignPart){t, p};
    }
}

/* ---- members with the same topics ----------------------------------------------------------------- */

static int
list_free(Spread *s)
{
    const Assign *a = s->assign;

    s->free_list = arena_alloc(a->arena, (size_t)s->total * sizeof *s->free_list);
    s->missing = arena_calloc(a->arena, (size_t)a->member_count, sizeof *s->missing);
    if (s->free_list == NULL || s->missing == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < s->total; i++)
        if (s->owners[i] == NOBODY)
            s->free_list[s->free_count++] = i;
    s->extra = s->total % a->member_count;
    return 0;
}

/* Member i gives what is above its quota, by number, to the end of the list of free ones. */
static void
give_excess(Spread *s, int32_t i, int32_t quota)
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
        s->free_list[s->free_count++] = index;
        s->load[i]--;
    }
}

static void
find_quota(Spread *s, int32_t i)
{
    int32_t members = s->assign->member_count;
    bool has_extra = s->extra > 0;
    int32_t quota = s->total / members + (has_extra ? 1 : 0);

    give_excess(s, i, quota);
    /* Room is left, and enough others are still to come that can take the extra one: theirs. */
    if (s->load[i] < quota && has_extra && members - i > s->extra) {
        quota--;
        has_extra = false;
    }
    s->missing[i] = quota - s->load[i];
    if (has_extra)
        s->extra--;
}

static void
fill(Spread *s, int32_t i)
{
    for (; s->missing[i] > 0 && s->free_next < s->free_count; s->missing[i]--) {
        s->owners[s->free_list[s->free_next++]] = i;
        s->load[i]++;
    }
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
heap_init(Heap *heap, const Assign *a, bool most)
{
    heap->most = most;
    heap->list = arena_calloc(a->arena, (size_t)a->member_count, sizeof *heap->list);
    heap->place = arena_alloc(a->arena, (size_t)a->member_count * sizeof *heap->place);
    if (heap->list == NULL || heap->place == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < a->member_count; i++)
        heap->place[i] = NOBODY;
    return 0;
}

static int
different_init(Spread *s)
{
    const Assign *a = s->assign;
    size_t topics = (size_t)a->topic_count, members = (size_t)a->member_count;

    s->subs.begin = arena_calloc(a->arena, topics + 1, sizeof(int32_t));
    s->subs.fill = arena_calloc(a->arena, topics + 1, sizeof(int32_t));
    s->subs.order = arena_calloc(a->arena, topics, sizeof(int32_t));
    s->top = arena_calloc(a->arena, members, sizeof(int32_t));
    s->below = arena_alloc(a->arena, (size_t)s->total * sizeof(int32_t));
    s->part = s->moves_left = NOBODY;
    s->moved = true;
    if (s->subs.begin == NULL || s->subs.fill == NULL || s->subs.order == NULL || s->top == NULL ||
        s->below == NULL || heap_init(&s->takers, a, false) != 0)
        return OT_E_NO_MEMORY;
    return heap_init(&s->givers, a, true);
}

/* Once the subscribers of each topic are counted, in `fill`: where each list begins, and which topic comes when. */
static int
order_topics(Spread *s)
{
    const Assign *a = s->assign;
    Subscribers *subs = &s->subs;
    Order *order = arena_calloc(a->arena, (size_t)a->topic_count, sizeof *order);
    int64_t total = 0;

    if (order == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t t = 0; t < a->topic_count; t++) {
        order[t] = (Order){t, a->partitions[t], subs->fill[t]};
        subs->begin[t] = subs->fill[t] = (int32_t)total;
        total += order[t].subscribers;
        if (total > INT32_MAX / 16)
            return OT_E_NO_MEMORY;
    }
    subs->begin[a->topic_count] = (int32_t)total;
    subs->list = arena_alloc(a->arena, (size_t)total * sizeof *subs->list);
    if (subs->list == NULL)
        return OT_E_NO_MEMORY;
    if (a->topic_count > 1)
        qsort(order, (size_t)a->topic_count, sizeof *order, compare_orders);
    for (int32_t t = 0; t < a->topic_count; t++)
        subs->order[t] = order[t].topic;
    return 0;
}

static bool
is_before(const Spread *s, const Heap *heap, int32_t a, int32_t b)
{
    if (!heap->most)
        return s->load[a] < s->load[b] || (s->load[a] == s->load[b] && a < b);
    return s->load[a] > s->load[b] || (s->load[a] == s->load[b] && s->top[a] > s->top[b]);
}

static void
put(Heap *heap, int32_t i, int32_t member)
{
    heap->list[i] = member;
    heap->place[member] = i;
}

static void
sink(const Spread *s, Heap *heap, int32_t i)
{
    int32_t member = heap->list[i];

    for (;;) {
        int32_t child = 2 * i + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && is_before(s, heap, heap->list[child + 1], heap->list[child]))
            child++;
        if (!is_before(s, heap, heap->list[child], member))
            break;
        put(heap, i, heap->list[child]);
        i = child;
    }
    put(heap, i, member);
}

static void
rise(const Spread *s, Heap *heap, int32_t i)
{
    int32_t member = heap->list[i];

    for (; i > 0 && is_before(s, heap, member, heap->list[(i - 1) / 2]); i = (i - 1) / 2)
        put(heap, i, heap->list[(i - 1) / 2]);
    put(heap, i, member);
}

static void
heap_order(const Spread *s, Heap *heap)
{
    for (int32_t k = heap->count / 2 - 1; k >= 0; k--)
        sink(s, heap, k);
}

static void
heap_clear(Heap *heap)
{
    for (int32_t k = 0; k < heap->count; k++)
        heap->place[heap->list[k]] = NOBODY;
    heap->count = 0;
}

static int32_t
subscriber_count(const Spread *s, int32_t topic)
{
    return s->subs.begin[topic + 1] - s->subs.begin[topic];
}

static void
gather_takers(Spread *s, int32_t topic)
{
    for (int32_t k = s->subs.begin[topic]; k < s->subs.begin[topic + 1]; k++)
        put(&s->takers, s->takers.count++, s->subs.list[k]);
    heap_order(s, &s->takers);
}

/* What nobody has goes to the least loaded subscriber. True: all of the topic is handed out. */
static bool
hand_out(Spread *s, int32_t topic, int64_t *budget)
{
    int32_t end = s->first[topic + 1];

    if (s->part == NOBODY)
        s->part = s->first[topic];
    if (subscriber_count(s, topic) == 0)
        s->part = end;
    for (; s->part<end && * budget> 0; s->part++, (*budget)--) {
        int32_t member;

        if (s->owners[s->part] != NOBODY)
            continue;
        if (s->takers.count == 0) {
            gather_takers(s, topic);
            *budget -= s->takers.count;
        }
        member = s->takers.list[0];
        s->owners[s->part] = member;
        s->load[member]++;
        sink(s, &s->takers, 0);
        *budget -= HEAP_COST;
    }
    if (s->part < end)
        return false;
    heap_clear(&s->takers);
    s->part = NOBODY;
    return true;
}

static bool
is_balanced(const Spread *s, int32_t topic)
{
    int32_t least = INT32_MAX, most = 0;

    for (int32_t k = s->subs.begin[topic]; k < s->subs.begin[topic + 1]; k++)
        if (s->load[s->subs.list[k]] < least)
            least = s->load[s->subs.list[k]];
    for (int32_t i = s->first[topic]; i < s->first[topic + 1]; i++)
        if (s->load[s->owners[i]] > most)
            most = s->load[s->owners[i]];
    return most - least <= 1;
}

/* Each topic with a subscriber is handed out: every partition has an owner, which is a subscriber. */
static void
gather_givers(Spread *s, int32_t topic)
{
    for (int32_t i = s->first[topic]; i < s->first[topic + 1]; i++) {
        int32_t owner = s->owners[i];

        if (s->givers.place[owner] == NOBODY) {
            put(&s->givers, s->givers.count++, owner);
            s->top[owner] = NOBODY;
        }
        s->below[i] = s->top[owner];
        s->top[owner] = i;
    }
    heap_order(s, &s->givers);
}

/*
 * The owner with the highest load gives the least loaded subscriber one partition: of the most loaded owners' the one
 * with the highest number. Who was the least loaded never gives in turn: the least load only grows, and
 * its own is one above it at most. So what it was given need not be known to be its.
 */
static bool
move_one(Spread *s)
{
    int32_t from = s->givers.list[0], to = s->takers.list[0];
    int32_t part = s->top[from];

    if (s->givers.count == 0 || s->load[from] - s->load[to] <= 1)
        return false;
    s->owners[part] = to;
    s->load[from]--;
    s->top[from] = s->below[part];
    rise(s, &s->takers, s->takers.place[from]);
    if (s->top[from] == NOBODY) { /* has no more of this topic */
        put(&s->givers, 0, s->givers.list[--s->givers.count]);
        s->givers.place[from] = NOBODY;
    }
    if (s->givers.count > 0)
        sink(s, &s->givers, 0);
    s->load[to]++;
    sink(s, &s->takers, s->takers.place[to]);
    if (s->givers.place[to] != NOBODY)
        rise(s, &s->givers, s->givers.place[to]);
    return true;
}

/* True: the topic's subscribers are as even as its partitions allow. */
static bool
balance(Spread *s, int32_t topic, int64_t *budget)
{
    int32_t partitions = s->assign->partitions[topic];

    if (s->moves_left == NOBODY) {
        if (subscriber_count(s, topic) < 2 || partitions == 0)
            return true;
        *budget -= partitions + subscriber_count(s, topic);
        if (is_balanced(s, topic))
            return true;
        gather_takers(s, topic);
        gather_givers(s, topic);
        *budget -= partitions + subscriber_count(s, topic);
        s->moves_left = partitions; /* each makes two loads more alike */
    }
    while (s->moves_left > 0 && *budget > 0) {
        *budget -= 2 * HEAP_COST;
        if (!move_one(s)) {
            s->moves_left = 0;
            break;
        }
        s->moves_left--;
        s->moved = true;
    }
    if (s->moves_left > 0)
        return false;
    heap_clear(&s->takers);
    heap_clear(&s->givers);
    s->moves_left = NOBODY;
    return true;
}

/* One member, or topic, of a phase of members with the same topics. */
static int
step_same(Spread *s, int64_t *budget)
{
    const Assign *a = s->assign;

    switch (s->phase) {
    case SPREAD_FREE:
        *budget -= s->total;
        go_to(s, SPREAD_EXCESS);
        return list_free(s);
    case SPREAD_EXCESS:
        if (s->at == a->member_count) {
            go_to(s, SPREAD_FILL);
            break;
        }
        *budget -= a->members[s->at].current_count + 1;
        find_quota(s, s->at++);
        break;
    default: /* SPREAD_FILL */
        if (s->at == a->member_count) {
            ot_assert(s->free_next == s->free_count);
            go_to(s, SPREAD_ROOM);
            break;
        }
        *budget -= s->missing[s->at] + 1;
        fill(s, s->at++);
    }
    return 0;
}

static void
list_subscriptions(Spread *s, int32_t i)
{
    const AssignMember *m = &s->assign->members[i];

    for (int32_t t = 0; t < m->topic_count; t++)
        s->subs.list[s->subs.fill[m->topics[t]]++] = i;
}

static void
next_round(Spread *s)
{
    s->moved = false;
    go_to(s, SPREAD_BALANCE);
    if (s->round++ == ROUNDS_MAX)
        go_to(s, SPREAD_ROOM);
}

/* The same of members with different topics. */
static int
step_different(Spread *s, int64_t *budget)
{
    const Assign *a = s->assign;

    switch (s->phase) {
    case SPREAD_COUNT:
        if (s->at == a->member_count) {
            *budget -= (int64_t)a->topic_count * SORT_COST;
            go_to(s, SPREAD_LIST);
            return order_topics(s);
        }
        *budget -= a->members[s->at].topic_count + 1;
        for (int32_t t = 0; t < a->members[s->at].topic_count; t++)
            s->subs.fill[a->members[s->at].topics[t]]++;
        s->at++;
        break;
    case SPREAD_LIST:
        if (s->at == a->member_count) {
            go_to(s, SPREAD_HAND_OUT);
            break;
        }
        *budget -= a->members[s->at].topic_count + 1;
        list_subscriptions(s, s->at++);
        break;
    case SPREAD_HAND_OUT:
        if (s->at == a->topic_count)
            next_round(s);
        else if (hand_out(s, s->subs.order[s->at], budget))
            s->at++;
        (*budget)--;
        break;
    default: /* SPREAD_BALANCE */
        if (s->at == a->topic_count && !s->moved)
            go_to(s, SPREAD_ROOM);
        else if (s->at == a->topic_count)
            next_round(s);
        else if (balance(s, s->subs.order[s->at], budget))
            s->at++;
        (*budget)--;
    }
    return 0;
}

static int
step_all(Spread *s, int64_t *budget)
{
    const Assign *a = s->assign;

    switch (s->phase) {
    case SPREAD_KEEP:
        if (s->at < a->member_count) {
            *budget -= a->members[s->at].current_count + 1;
            if (!a->homogeneous)
                *budget -= a->members[s->at].topic_count;
            keep_current(s, s->at++);
        } else if (!a->homogeneous || a->member_count == 0) {
            go_to(s, SPREAD_COUNT);
            return different_init(s);
        } else {
            go_to(s, a->members[0].topic_count == 0 ? SPREAD_ROOM : SPREAD_FREE);
        }
        break;
    case SPREAD_ROOM:
        if (s->at == a->member_count) {
            go_to(s, SPREAD_ANSWER);
            break;
        }
        (*budget)--;
        return make_room(s, s->at++);
    default: /* SPREAD_ANSWER */
        if (s->at == a->topic_count) {
            go_to(s, SPREAD_DONE);
            break;
        }
        *budget -= a->partitions[s->at] + 1;
        answer_topic(s, s->at++);
    }
    return 0;
}

static int
step(Assign *assign, int64_t *budget)
{
    Spread *s = assign->work;
    int err = 0;

    while (*budget > 0 && s->phase != SPREAD_DONE && err == 0)
        if (s->phase >= SPREAD_FREE && s->phase <= SPREAD_FILL)
            err = step_same(s, budget);
        else if (s->phase >= SPREAD_COUNT && s->phase <= SPREAD_BALANCE)
            err = step_different(s, budget);
        else
            err = step_all(s, budget);
    return err != 0 ? err : s->phase == SPREAD_DONE ? 0 : 1;
}

int
assign_uniform(Assign *assign)
{
    Spread *s = arena_calloc(assign->arena, 1, sizeof *s);

    if (s == NULL)
        return OT_E_NO_MEMORY;
    assign->step = step;
    assign->work = s;
    return spread_init(s, assign);
}
