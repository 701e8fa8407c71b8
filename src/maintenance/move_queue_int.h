/*
 * move_queue_int.h - which of the moves of logs goes on next: pure
 *
 * A few moves go on at a time, so that a long one does not keep the others waiting. Each turn is a slice of the one
 * that waited longest; all of them share one rate. A move that cannot go on (its log is locked) is left out for a
 * while that grows, and holds up nobody.
 *
 * Pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_MOVE_QUEUE_INT_H
#define OTTLA_MAINTENANCE_MOVE_QUEUE_INT_H

#include <stdbool.h>
#include <stdint.h>

#define MOVES_MAX          16 /* at a time, each with a buffer of a MiB and its files */
#define MOVE_HELD_MIN_US   (1 * 1000)
#define MOVE_HELD_MAX_US   (1000 * 1000)
#define MOVE_LOOK_AGAIN_US (1000 * 1000) /* wishes that cannot begin yet, a rate of nothing */

typedef struct MovePlace {
    bool taken;
    uint64_t served; /* turn in which it was last dealt with */
    int64_t not_before_us;
    int64_t held_us; /* next pause when it is held; 0: it was not */
} MovePlace;

/* Zeroed: empty, nothing to look for. Times are monotonic. */
typedef struct MoveQueue {
    MovePlace places[MOVES_MAX];
    int32_t count;
    uint64_t turn;
    int64_t rate_us; /* no slice before: what was copied has to last so long */
    int64_t look_us; /* no search for wishes before */
    bool looking;    /* there may be wishes that have no place yet */
} MoveQueue;

typedef enum MoveAction {
    MOVE_ACTION_WAIT,  /* until_us; INT64_MAX: for a wish */
    MOVE_ACTION_LOOK,  /* for a wish that has no place yet, and begin it */
    MOVE_ACTION_SLICE, /* of the move at place */
} MoveAction;

typedef struct MoveChoice {
    MoveAction action;
    int32_t place;
    int64_t until_us;
} MoveChoice;

/* limit: how many at a time, 1 to MOVES_MAX. */
MoveChoice move_queue_choose(const MoveQueue *q, int32_t limit, int64_t now_us);

/* A move began: its place, which comes after all others. There is room. */
int32_t move_queue_add(MoveQueue *q);
void move_queue_remove(MoveQueue *q, int32_t place);

/* What a turn cost. */
typedef struct MoveCopied {
    int64_t bytes;            /* of a slice */
    int64_t bytes_per_second; /* that all moves may copy; 0: none at all */
} MoveCopied;

/* A slice of the move was copied. Held: and then it could not go on. */
void move_queue_served(MoveQueue *q, int32_t place, const MoveCopied *copied, int64_t now_us);
void move_queue_held(MoveQueue *q, int32_t place, const MoveCopied *copied, int64_t now_us);

/* Wishes changed; no more of them were found; those that were found cannot begin yet. */
void move_queue_look(MoveQueue *q, int64_t now_us);
void move_queue_looked(MoveQueue *q);
void move_queue_look_later(MoveQueue *q, int64_t now_us);

#endif
