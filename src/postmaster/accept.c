/*
 * accept.c - connections: accepted, counted, handed to a freshly forked backend
 *
 * Runs in: supervisor. Never: reads a byte of a connection. At a limit on numbers or rates accepting waits,
 * as in Kafka (accept_policy.c), and the backlog holds who comes; the Unix socket, for which some are kept
 * free, goes on. Over max.connections.per.ip, without a slot, or when fork fails, the connection is
 * closed with at most one line a second.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
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
#include "ottla/ipc/slot.h"
#include "ottla/postmaster/launch.h"
#include "postmaster_int.h"
#include "resolver.h"

static_assert(ACCEPT_LISTENERS_MAX == LISTENERS_MAX && CHILDREN_LISTENERS_MAX == LISTENERS_MAX,
              "indexes of listeners fit everywhere");

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
    Child child = {.kind = PROC_BACKEND,
                   .instance = listener,
                   .started_us = clock_mono_us(),
                   .connected = true};
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

/* What is known of the listeners now: numbers, exemption, connections that were held and closed. */
static void
update_state(Postmaster *pm, int64_t now_us)
{
    AcceptState *state = &pm->accept_state;
    const AcceptRules *rules = &pm->settings->accept.rules;
    int tcp = 0;

    state->count = node_listeners.count;
    for (int i = 0; i < node_listeners.count; i++)
        tcp += !node_listeners.rows[i].is_unix && node_listeners.rows[i].fd_count > 0;
    for (int i = 0; i < node_listeners.count; i++) {
        const Listener *row = &node_listeners.rows[i];
        AcceptListener *l = &state->listeners[i];
        uint32_t held = atomic_u32_load(&shared_page->connections_held[i]);

        l->local = row->is_unix;
        l->inter_broker = row->is_inter_broker && tcp > 1;
        l->connections = children_count_listener(pm->children, i);
        if (held != pm->held_seen[i])
            accept_uncount(state, rules, i, (int32_t)(held - pm->held_seen[i]), now_us);
        pm->held_seen[i] = held;
    }
}

static AcceptVerdict
verdict_on(const Postmaster *pm, int listener, int64_t now_us)
{
    return accept_verdict(&pm->accept_state, &pm->settings->accept.rules, listener,
                          accept_client_count(pm), now_us);
}

/*
 * The inter-broker listener is always let in: a client that has done nothing for longest makes room. Its process
 * is asked to end, like any that is told to by SIGTERM.
 */
static void
evict_one(const Postmaster *pm)
{
    const Child *idlest = NULL;
    int64_t idlest_us = INT64_MAX;

    for (int32_t i = 0; i < children_count(pm->children); i++) {
        const Child *child = children_at(pm->children, i);
        const AcceptListener *l;
        int64_t turned_us;

        if (child->kind != PROC_BACKEND || !child->connected)
            continue;
        l = &pm->accept_state.listeners[child->instance];
        if (l->local || l->inter_broker)
            continue;
        turned_us = atomic_i64_load(&slot_at(child->slot)->progress_us);
        if (turned_us < child->started_us)
            turned_us = child->started_us;
        if (turned_us < idlest_us) {
            idlest_us = turned_us;
            idlest = child;
        }
    }
    if (idlest == NULL)
        return;
    log_msg(LL_INFO, "supervisor",
            "closing the connection that was idle for longest: max.connections reached; pid=%d",
            (int)idlest->pid);
    (void)kill(idlest->pid, SIGTERM); /* it may be dead and not reaped yet */
}

/* Takes one connection. False: nobody is waiting, or nobody can be taken now. */
static bool
accept_one(Postmaster *pm, int listener, int fd)
{
    static LogRate failures;
    int64_t now_us = clock_mono_us();
    NetAddress peer;
    ErrInfo err;
    int connected;

    update_state(pm, now_us);
    if (pm->accept_resume_us != 0 || verdict_on(pm, listener, now_us) != ACCEPT_NOW)
        return false;
    connected = net_accept(fd, &peer, &err);
    if (connected == OT_E_AGAIN)
        return false;
    if (connected == OT_E_LIMIT)
        pm->accept_resume_us = now_us + ACCEPT_PAUSE_US;
    if (connected < 0) {
        log_limited(&failures, 1, LL_WARNING, "supervisor", "cannot accept: %s", err.text);
        return true;
    }
    accept_count(&pm->accept_state, &pm->settings->accept.rules, listener, now_us);
    start_backend(pm, listener, connected, &peer);
    if (pm->accept_state.listeners[listener].inter_broker &&
        accept_must_evict(&pm->accept_state, &pm->settings->accept.rules, accept_client_count(pm)))
        evict_one(pm);
    return true;
}

static void
on_listener(int fd, uint32_t events, void *arg)
{
    Postmaster *pm = arg;
    int listener = -1;

    (void)events; /* readable, or an error that accept tells */
    postmaster_follow_settings(
        pm); /* whoever comes after the answer to a change finds it in force */
    for (int i = 0; i < node_listeners.count; i++)
        for (int k = 0; k < node_listeners.rows[i].fd_count; k++)
            if (node_listeners.rows[i].fds[k] == fd)
                listener = i; /* none: it was closed just now */
    for (int n = 0; n < ACCEPTS_PER_TURN && pm->accepting && listener >= 0; n++)
        if (!accept_one(pm, listener, fd))
            break;
    accept_review(pm, clock_mono_us());
}

/*
 * A limit keeps this listener from accepting from now on, or no longer. The sum and the moment are one word, so that it is
 * always whole: while it is blocked, the word says when that would have begun if it had been without a break.
 */
static void
note_blocked(int listener, bool blocked, int64_t now_us)
{
    AtomicI64 *word = &shared_page->accept_blocked[listener];
    int64_t before = atomic_i64_load(word);

    if (((before & 1) != 0) != blocked)
        atomic_i64_store(word, (now_us - before / 2) * 2 + blocked);
}

static void
watch(Postmaster *pm, int listener, bool on)
{
    const Listener *row = &node_listeners.rows[listener];

    if (pm->watched[listener] == on)
        return;
    for (int k = 0; k < row->fd_count; k++)
        mainloop_modify(row->fds[k], on ? EPOLLIN : 0);
    pm->watched[listener] = on;
}

/* Descriptors stay the same across crash cycles. */
static void
add_to_loop(Postmaster *pm, int listener)
{
    const Listener *row = &node_listeners.rows[listener];

    for (int k = 0; !pm->in_loop[listener] && k < row->fd_count; k++)
        if (mainloop_add(row->fds[k], 0, on_listener, pm) < 0)
            log_msg(LL_ERROR, "supervisor", "listener %s cannot be watched", row->name);
    pm->in_loop[listener] = true;
}

void
accept_remove_listener(Postmaster *pm, int listener)
{
    const Listener *row = &node_listeners.rows[listener];

    for (int k = 0; k < row->fd_count; k++)
        mainloop_remove(row->fds[k]);
    pm->in_loop[listener] = false;
    note_blocked(listener, false, clock_mono_us());
    for (int32_t i = 0; i < children_count(pm->children); i++) {
        const Child *child = children_at(pm->children, i);

        if (child->kind == PROC_BACKEND && child->connected && child->instance == listener)
            (void)kill(child->pid, SIGTERM); /* it may be dead and not reaped yet */
    }
}

void
accept_add_listener(Postmaster *pm, int listener)
{
    pm->watched[listener] = false; /* a free row may be called so */
    pm->accept_state.listeners[listener] = (AcceptListener){.connections = 0};
    pm->held_seen[listener] = atomic_u32_load(&shared_page->connections_held[listener]);
    atomic_i64_store(&shared_page->accept_blocked[listener], 0); /* it counts for itself */
    atomic_i64_store(&shared_page->accept_blocked_told[listener], 0);
    if (pm->accepting)
        add_to_loop(pm, listener);
}

void
accept_on(Postmaster *pm)
{
    for (int i = 0; i < node_listeners.count; i++)
        add_to_loop(pm, i);
    pm->accepting = true;
    pm->accept_resume_us = 0;
    for (int i = 0; i < node_listeners.count; i++)
        pm->held_seen[i] = atomic_u32_load(&shared_page->connections_held[i]); /* of a new region */
    accept_review(pm, clock_mono_us());
}

void
accept_off(Postmaster *pm)
{
    for (int i = 0; pm->accepting && i < node_listeners.count; i++) {
        watch(pm, i, false);
        note_blocked(i, false, clock_mono_us());
    }
    pm->accepting = false;
}

void
accept_review(Postmaster *pm, int64_t now_us)
{
    if (!pm->accepting)
        return;
    if (now_us >= pm->accept_resume_us)
        pm->accept_resume_us = 0;
    update_state(pm, now_us);
    for (int i = 0; i < node_listeners.count; i++) {
        bool open = pm->accept_resume_us == 0 && verdict_on(pm, i, now_us) == ACCEPT_NOW;

        watch(pm, i, open);
        note_blocked(i, !open && node_listeners.rows[i].fd_count > 0, now_us);
    }
}

int64_t
accept_next_review_us(const Postmaster *pm, int64_t now_us)
{
    int64_t next_us = accept_next_us(&pm->accept_state, now_us);

    if (!pm->accepting)
        return INT64_MAX;
    return pm->accept_resume_us != 0 && pm->accept_resume_us < next_us ? pm->accept_resume_us
                                                                       : next_us;
}

void
accept_close_inherited(void)
{
    listen_close_inherited(&node_listeners);
    spare_close_all();
    resolver_close_inherited();
}
