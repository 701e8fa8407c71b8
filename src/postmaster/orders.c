/*
 * orders.c - what backends ask of the supervisor, on behalf of super users
 *
 * Runs in: supervisor. Whom an order is about is looked up in the private table of children: pid and generation must
 * be those of a living backend. Rights are the backend's business. Bounded by the number of children, and done only
 * when somebody has asked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postmaster_int.h"

#include <signal.h>

#include "ottla/ipc/control.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/shared_page.h"

static ControlState
signal_backend(const Postmaster *pm, const ControlOrder *order)
{
    const Child *child = children_find(pm->children, order->pid);

    if (child == NULL || child->generation != order->generation)
        return CONTROL_NO_PROCESS;
    if (child->kind != PROC_BACKEND)
        return CONTROL_NO_BACKEND;
    (void)kill(child->pid, order->what == CONTROL_TERMINATE ? SIGTERM : SIGINT);
    return CONTROL_DONE;
}

static ControlState
perform(Postmaster *pm, const ControlOrder *order)
{
    int before = pm->reloads_done;

    if (order->what != CONTROL_RELOAD)
        return signal_backend(pm, order);
    postmaster_feed(pm, &(PmEvent){.type = PM_EV_RELOAD});
    return pm->reloads_done > before ? CONTROL_DONE : CONTROL_FAILED;
}

void
orders_follow(Postmaster *pm)
{
    uint32_t serial = atomic_u32_load_seq(&shared_page->control_serial);

    if (serial == pm->orders_seen)
        return;
    pm->orders_seen = serial;
    for (int32_t i = 0; i < children_count(pm->children) && !pm->exiting; i++) {
        const Child child = *children_at(pm->children, i); /* a reload may change the table */
        ControlOrder order;

        if (child.kind != PROC_BACKEND || !control_take(child.slot, &order))
            continue;
        control_reply(child.slot, &order, perform(pm, &order));
        (void)kill(child.pid, LATCH_SIGNAL);
    }
}
