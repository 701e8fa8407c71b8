/*
 * pending_int.h - the requests of a connection in their order: pure
 *
 * A ring of requests, oldest first. Each is running (its handler waits), ready (its answer is
 * complete, or it has none) or last (the connection ends when it is reached). Answers leave in the
 * order of the requests whatever the order in which they become ready.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_PENDING_INT_H
#define OTTLA_BACKEND_PENDING_INT_H

#include <stdbool.h>
#include <stdint.h>

#define PENDING_MAX 16 /* requests begun and not wholly answered */

typedef enum PendingState {
    PENDING_RUNNING,
    PENDING_READY, /* its answer may be sent when it is the oldest */
    PENDING_LAST,  /* no answer; the connection ends when it is the oldest */
} PendingState;

struct Request;

typedef struct PendingSlot {
    struct Request *rq;
    PendingState state;
    bool beside; /* Produce: others of its kind may run beside it */
} PendingSlot;

typedef struct Pending {
    PendingSlot ring[PENDING_MAX];
    int head;
    int count;
} Pending;

/*
 * May a request begin now? Produce beside Produce up to PENDING_MAX, any other only when all before
 * it are answered (design.md 4, Requests); none after a PENDING_LAST.
 */
bool pending_may_start(const Pending *p, bool beside);

/* Appends a running request. pending_may_start was true. */
void pending_push(Pending *p, struct Request *rq, bool beside);

/* The request became ready, or ends the connection. */
void pending_set(Pending *p, const struct Request *rq, PendingState state);

/* The oldest one, or NULL. */
const PendingSlot *pending_head(const Pending *p);

/* The i-th oldest; i < count. */
const PendingSlot *pending_at(const Pending *p, int i);

/* Takes the oldest off; it must not be running. */
struct Request *pending_pop(Pending *p);

/* Requests whose handler waits. */
int pending_running(const Pending *p);

#endif
