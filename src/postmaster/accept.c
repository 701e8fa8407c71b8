/*
 * accept.c - connections: accepted, counted, handed to a freshly forked backend
 *
 * Runs in: supervisor. Never: reads a byte of a connection. At max.connections TCP accepting waits,
 * as in Kafka, and the backlog holds who comes; the Unix socket, whose slots are kept free, goes on.
 * Over max.connections.per.ip, without a slot, or when fork fails, the connection is closed with
 * at most one line a second.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "ottla/backend/backend_main.h"
#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/common/net.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/postmaster/launch.h"
#include "postmaster_int.h"

#define ACCEPTS_PER_TURN 16     /* of one socket; then signals and the others get their turn */
#define REFILL_PAUSE_US  2000   /* time for a new backend to answer before the next fork */
#define ACCEPT_PAUSE_US  100000 /* after want of descriptors or memory */

static int32_t
address_limit(const AcceptLimits *limits, const ClientAddress *address)
{
    for (int i = 0; i < limits->address_count; i++)
        if (memcmp(&limits->addresses[i].address, address, sizeof *address) == 0)
            return limits->addresses[i].max;
    return limits->max_per_address;
}

/* Without a spare: NULL, or why there is no backend. */
static const char *
fork_backend(Postmaster *pm, const BackendStart *start, Child *child, ErrInfo *err)
{
    const LaunchOrder order = {
        .kind = PROC_BACKEND,
        .instance = start->listener,
        .slot = children_free_slot(pm->children, PROC_BACKEND,
                                   node_listeners.rows[start->listener].is_unix),
        .start = start,
        .main = pm->mains->main[PROC_BACKEND],
        .close_inherited = accept_close_inherited,
    };

    if (order.slot < 0)
        return "no backend slot is free (backend.slots)";
    child->slot = order.slot;
    child->pid = launch_child(&order, &child->generation, err);
    if (child->pid < 0) {
        pm->accept_resume_us = clock_mono_us() + ACCEPT_PAUSE_US;
        return err->text;
    }
    children_add(pm->children, child);
    postmaster_feed(pm, &(PmEvent){.type = PM_EV_CONNECTED, .kind = PROC_BACKEND});
    return NULL;
}

/* Starts the backend of one connection; the descriptor is closed here in any case. */
static void
start_backend(Postmaster *pm, int listener, int fd, const NetAddress *peer)
{
    static LogRate refused;
    const Listener *row = &node_listeners.rows[listener];
    Child child = {.kind = PROC_BACKEND, .instance = listener, .started_us = clock_mono_us()};
    BackendStart start = {.fd = fd, .listener = listener};
    const char *why = NULL;
    char text[NET_TEXT_MAX];
    ErrInfo err = {0};

    net_address_text(peer, text);
    snprintf(start.peer, sizeof start.peer, "%.*s", (int)sizeof start.peer - 1, text);
    if (!row->is_unix)
        child.address = client_address_of(peer);
    if (!row->is_unix && children_count_address(pm->children, &child.address) >=
                             address_limit(&pm->settings->accept, &child.address)) {
        why = "max.connections.per.ip reached";
    } else if ((child.pid = spare_hand_over(&start)) > 0) {
        children_assign(pm->children, child.pid, listener, &child.address);
        /* Its first answer comes before its replacement, as long as there are others. */
        pm->refill_us = spare_living() * 2 >= pm->settings->spare_backends
                            ? clock_mono_us() + REFILL_PAUSE_US
                            : 0;
    } else {
        why = fork_backend(pm, &start, &child, &err);
    }
    vfs_close(fd);
    if (why != NULL) {
        stat_add(STAT_CONNECTIONS_REFUSED, 1);
        log_limited(&refused, 1, LL_WARNING, "supervisor",
                    "connection from %s closed: %s; code=53300", text, why);
        return;
    }
    atomic_u32_store(&shared_page->backends, (uint32_t)accept_client_count(pm));
}

int32_t
accept_client_count(const Postmaster *pm)
{
    return children_count_kind(pm->children, PROC_BACKEND) - spare_living();
}

/* At max.connections TCP waits; the limit never counts more than the slots hold. */
static bool
tcp_is_full(const Postmaster *pm)
{
    return accept_client_count(pm) >= pm->settings->accept.max_connections;
}

static void
on_listener(int fd, uint32_t events, void *arg)
{
    Postmaster *pm = arg;
    static LogRate failures;
    ErrInfo err;
    int listener = -1;

    (void)events; /* readable, or an error that accept tells */
    for (int i = 0; i < node_listeners.count; i++)
        for (int k = 0; k < node_listeners.rows[i].fd_count; k++)
            if (node_listeners.rows[i].fds[k] == fd)
                listener = i;
    for (int n = 0; n < ACCEPTS_PER_TURN && pm->accepting && listener >= 0; n++) {
        NetAddress peer;
        if (pm->accept_resume_us != 0 ||
            (!node_listeners.rows[listener].is_unix && tcp_is_full(pm)))
            break;
        int connected = net_accept(fd, &peer, &err);
        if (connected == OT_E_AGAIN)
            return;
        if (connected == OT_E_LIMIT)
            pm->accept_resume_us = clock_mono_us() + ACCEPT_PAUSE_US;
        if (connected < 0)
            log_limited(&failures, 1, LL_WARNING, "supervisor", "cannot accept: %s", err.text);
        else
            start_backend(pm, listener, connected, &peer);
    }
    accept_review(pm, clock_mono_us());
}

/* What each socket is watched for now. */
static void
watch_all(Postmaster *pm, bool tcp, bool local)
{
    for (int i = 0; i < node_listeners.count; i++) {
        const Listener *row = &node_listeners.rows[i];
        bool on = row->is_unix ? local : tcp;
        for (int k = 0; k < row->fd_count; k++)
            mainloop_modify(row->fds[k], on ? EPOLLIN : 0);
    }
    pm->tcp_paused = !tcp;
}

void
accept_on(Postmaster *pm)
{
    static bool added; /* descriptors stay the same across crash cycles */

    for (int i = 0; !added && i < node_listeners.count; i++)
        for (int k = 0; k < node_listeners.rows[i].fd_count; k++)
            if (mainloop_add(node_listeners.rows[i].fds[k], EPOLLIN, on_listener, pm) < 0)
                log_msg(LL_ERROR, "supervisor", "listener %s cannot be watched",
                        node_listeners.rows[i].name);
    added = true;
    pm->accepting = true;
    pm->accept_resume_us = 0;
    watch_all(pm, true, true);
}

void
accept_off(Postmaster *pm)
{
    if (pm->accepting)
        watch_all(pm, false, false);
    pm->accepting = false;
}

void
accept_review(Postmaster *pm, int64_t now_us)
{
    bool short_of = pm->accept_resume_us != 0 && now_us < pm->accept_resume_us;

    if (!pm->accepting)
        return;
    if (!short_of)
        pm->accept_resume_us = 0;
    bool tcp = !short_of && !tcp_is_full(pm);
    if (tcp == pm->tcp_paused || short_of)
        watch_all(pm, tcp, !short_of);
}

void
accept_close_inherited(void)
{
    listen_close(&node_listeners, false);
    spare_close_all();
}
