/*
 * move_queue.c - which of the moves of logs goes on next
 *
 * Pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "move_queue_int.h"

#include "ottla/common/assert.h"

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

MoveChoice
move_queue_choose(const MoveQueue *q, int32_t limit, int64_t now_us)
{
    MoveChoice wait = {.action = MOVE_ACTION_WAIT, .place = -1, .until_us = INT64_MAX};
    int32_t first = -1;

    ot_assert(limit >= 1 && limit <= MOVES_MAX);
    if (q->looking && q->count < limit) {
        if (q->look_us <= now_us)
            return (MoveChoice){.action = MOVE_ACTION_LOOK, .place = -1};
        wait.until_us = q->look_us;
    }
    for (int32_t i = 0; i < MOVES_MAX; i++) {
        const MovePlace *p = &q->places[i];
        int64_t at = later(p->not_before_us, q->rate_us);

        if (!p->taken)
            continue;
        if (at > now_us)
            wait.until_us = sooner(wait.until_us, at);
        else if (first < 0 || p->served < q->places[first].served)
            first = i;
    }
    return first < 0 ? wait : (MoveChoice){.action = MOVE_ACTION_SLICE, .place = first};
}

int32_t
move_queue_add(MoveQueue *q)
{
    int32_t place = 0;

    while (place < MOVES_MAX && q->places[place].taken)
        place++;
    ot_assert(place < MOVES_MAX);
    q->places[place] = (MovePlace){.taken = true, .served = ++q->turn};
    q->count++;
    return place;
}

void
move_queue_remove(MoveQueue *q, int32_t place)
{
    ot_assert(q->places[place].taken);
    q->places[place] = (MovePlace){0};
    q->count--;
}

/* It had its turn, and the rate is used up for a while. */
static MovePlace *
note_turn(MoveQueue *q, int32_t place, const MoveCopied *copied, int64_t now_us)
{
    int64_t rate = copied->bytes_per_second;

    q->places[place].served = ++q->turn;
    q->rate_us = now_us + (rate <= 0 ? MOVE_LOOK_AGAIN_US : copied->bytes * 1000000 / rate);
    return &q->places[place];
}

void
move_queue_served(MoveQueue *q, int32_t place, const MoveCopied *copied, int64_t now_us)
{
    note_turn(q, place, copied, now_us)->held_us = 0;
}

void
move_queue_held(MoveQueue *q, int32_t place, const MoveCopied *copied, int64_t now_us)
{
    MovePlace *p = note_turn(q, place, copied, now_us);

    p->held_us = p->held_us == 0 ? MOVE_HELD_MIN_US : sooner(p->held_us * 2, MOVE_HELD_MAX_US);
    p->not_before_us = now_us + p->held_us;
}

void
move_queue_look(MoveQueue *q, int64_t now_us)
{
    q->looking = true;
    q->look_us = now_us;
}

void
move_queue_looked(MoveQueue *q)
{
    q->looking = false;
}

void
move_queue_look_later(MoveQueue *q, int64_t now_us)
{
    q->looking = true;
    q->look_us = now_us + MOVE_LOOK_AGAIN_US;
}
