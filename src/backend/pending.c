/*
 * pending.c - the requests of a connection in their order
 *
 * Called by conn.c and conn_send.c. Never: sends, allocates, calls handlers.
 * Invariants, cited as [P1].. in tests:
 *   P1  answers are taken off in the order the requests were pushed
 *   P2  a request that is not Produce never runs beside another
 *   P3  nothing starts behind a PENDING_LAST
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/pending_int.h"

#include <stddef.h>

#include "ottla/common/assert.h"

const PendingSlot *
pending_at(const Pending *p, int i)
{
    ot_assert(i >= 0 && i < p->count);
    return &p->ring[(p->head + i) % PENDING_MAX];
}

const PendingSlot *
pending_head(const Pending *p)
{
    return p->count == 0 ? NULL : pending_at(p, 0);
}

bool
pending_may_start(const Pending *p, bool beside)
{
    if (p->count == 0)
        return true;
    if (p->count == PENDING_MAX || !beside)
        return false;
    for (int i = 0; i < p->count; i++) {
        const PendingSlot *slot = pending_at(p, i);

        if (!slot->beside || slot->state == PENDING_LAST)
            return false;
    }
    return true;
}

void
pending_push(Pending *p, struct Request *rq, bool beside)
{
    ot_assert(pending_may_start(p, beside));
    p->ring[(p->head + p->count) % PENDING_MAX] =
        (PendingSlot){.rq = rq, .state = PENDING_RUNNING, .beside = beside};
    p->count++;
}

void
pending_set(Pending *p, const struct Request *rq, PendingState state)
{
    for (int i = 0; i < p->count; i++) {
        PendingSlot *slot = &p->ring[(p->head + i) % PENDING_MAX];

        if (slot->rq == rq) {
            ot_assert(slot->state == PENDING_RUNNING);
            slot->state = state;
            return;
        }
    }
    ot_unreachable();
}

struct Request *
pending_pop(Pending *p)
{
    struct Request *rq;

    ot_assert(p->count > 0);
    ot_assert(p->ring[p->head].state != PENDING_RUNNING);
    rq = p->ring[p->head].rq;
    p->head = (p->head + 1) % PENDING_MAX;
    p->count--;
    return rq;
}

int
pending_running(const Pending *p)
{
    int running = 0;

    for (int i = 0; i < p->count; i++)
        running += pending_at(p, i)->state == PENDING_RUNNING;
    return running;
}
