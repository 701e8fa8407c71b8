/*
 * relisten.c - listeners that are opened and closed while the node runs
 *
 * Runs in: supervisor. A request has changed `listeners` (the controller judged it), or the metadata that
 * was read at the start holds such a change. Listeners are told apart by name, as in Kafka: one whose
 * address alone changed stays as it is until the node starts anew. One that cannot be opened costs a
 * line, not the node. Files read again by SIGHUP change nothing here, for Kafka reads none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>

#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/ipc/latch.h"
#include "postmaster_int.h"
#include "resolver.h"

static bool waiting; /* a listener is wanted whose host is being asked for */

/* What the node was started with, under what requests have set since. */
static int
read_wanted(const Postmaster *pm, ListenerTable *ret, ErrInfo *err)
{
    ListenerSettings wanted = pm->settings->listeners;
    const char *listeners = conf_live_str(CONF_LISTENERS);
    const char *map = conf_live_str(CONF_LISTENER_SECURITY_PROTOCOL_MAP);

    if (listeners != NULL) {
        wanted.listeners = listeners;
        wanted.port = 0; /* of the command line: the list says all ports */
    }
    if (map != NULL)
        wanted.protocol_map = map;
    return listeners_parse(&wanted, ret, err);
}

static void
close_one(Postmaster *pm, int index)
{
    Listener *row = &node_listeners.rows[index];

    log_msg(LL_LOG, "supervisor", "listener %s closed; port=%u connections=%d", row->name,
            row->port, (int)children_count_listener(pm->children, index));
    accept_remove_listener(pm, index);
    listen_close_row(row);
    *row = (Listener){.fd_count = 0};
}

/* False: its host is not resolved yet; resolver.c calls again when it is. */
static bool
open_one(Postmaster *pm, const Listener *wanted)
{
    NetAddress addresses[NET_ADDRESSES_MAX];
    int count = resolver_lookup(wanted->host, addresses);
    Listener *row = NULL;
    ErrInfo err = {0};
    int rc;

    if (count == RESOLVER_ASKED) {
        waiting = true;
        return false;
    }
    if (count == 0)
        rc = err_set(&err, OT_E_NOT_FOUND, "listener %s: \"%s\" has no address", wanted->name,
                     wanted->host);
    else if ((row = listeners_new_row(&node_listeners)) == NULL)
        rc = err_set(&err, OT_E_LIMIT, "listener %s: more than %d", wanted->name, LISTENERS_MAX);
    else {
        *row = *wanted;
        rc = listen_open_row(row, addresses, count, &pm->settings->listen, &err);
    }
    if (rc < 0) {
        log_msg(LL_ERROR, "supervisor", "listener not opened: %s", err.text);
        if (row != NULL) {
            listen_close_row(row);
            *row = (Listener){.fd_count = 0};
        }
        return true;
    }
    accept_add_listener(pm, (int)(row - node_listeners.rows));
    log_msg(LL_LOG, "supervisor", "listener %s opened; host=%s port=%u", row->name, row->host,
            row->port);
    return true;
}

bool
relisten_waits(void)
{
    return waiting && resolver_is_asking();
}

void
relisten_follow(Postmaster *pm)
{
    static ListenerTable wanted;
    ListenerPlan plan;
    ErrInfo err = {0};
    bool changed = false;

    waiting = false;
    if (read_wanted(pm, &wanted, &err) != 0) {
        log_msg(LL_ERROR, "supervisor", "listeners stay as they are: %s", err.text);
        return;
    }
    listeners_plan(&node_listeners, &wanted, &plan);
    for (int i = 0; i < node_listeners.count; i++) {
        if (plan.removed[i])
            close_one(pm, i);
        changed |= plan.removed[i];
    }
    for (int i = 0; i < plan.added_count; i++)
        changed |= open_one(pm, &wanted.rows[plan.added[i]]);
    if (!changed)
        return;
    spare_close_all(); /* they know the table of before */
    listeners_share(&node_listeners);
    for (int32_t i = 0; i < children_count(pm->children); i++)
        if (children_at(pm->children, i)->kind == PROC_CONTROLLER)
            (void)kill(children_at(pm->children, i)->pid, LATCH_SIGNAL);
}
