/*
 * conn.c - the life of one connection: begin it, turn by turn start requests and finish them, end it
 *
 * Runs in: backend. Called by backend_main alone. conn_read.c, conn_send.c and conn_wait.c are its parts.
 * Never: knows an API (dispatch.c), holds a pin or a lock across a wait.
 *
 * One turn of the loop: take what the socket has, start what may start, send what is ready, and when
 * nothing moves any more, wait. The socket is watched edge-triggered, so readable and writable
 * stay true until the socket said otherwise.
 * Invariants:
 *   C1  at most one whole frame is read ahead (held): a client that sends and never reads is bounded
 *       by the pending requests, one frame and the input buffer
 *   C2  a frame above LIMIT_SMALL_REQUEST_BYTES is read only while the gate gave its bytes, and one
 *       at a time
 *   C3  answers leave in the order of the requests (pending.c)
 *   C4  while the client is throttled nothing is begun and nothing is read; what was begun goes on
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_state_int.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "backend/audit_int.h"
#include "backend/dispatch_int.h"
#include "backend/frame_int.h"
#include "backend/gate_int.h"
#include "backend/quota_int.h"
#include "backend/settings_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/net.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/storage/fd_cache.h"

#define BOXES_CHUNK 1024 /* a box or two: most connections need no more */

OWN_PAGE Connection my_conn;

/* ---- requests -------------------------------------------------------------------------------------- */

/* What the handler said. */
static void
settle(Request *rq, ReqResult result)
{
    if (result == REQ_PENDING) {
        ot_assert(rq->handler->finish != NULL);
        if (rq->parked_us == 0)
            rq->parked_us = clock_mono_us();
        return;
    }
    if (rq->parked_us != 0)
        rq->remote_us = rq->now_us - rq->parked_us;
    switch (result) {
    case REQ_PENDING:
        return;
    case REQ_SILENT:
        quota_charge_silent(rq);
        rq->out = (OutMsg){0};
        pending_set(&my_conn.pending, rq, PENDING_READY);
        return;
    case REQ_DONE:
        pending_set(&my_conn.pending, rq, PENDING_READY);
        return;
    case REQ_CLOSE:
        rq->out = (OutMsg){0};
        rq->failed = true;
        if (rq->in != NULL)
            audit_lost(rq);
        pending_set(&my_conn.pending, rq, PENDING_LAST);
        return;
    }
}

/* A client may use another id in each request; none does. */
static inline bool
client_is_same(const StrView *id)
{
    return id->len == my_conn.client_raw_len &&
           (id->ptr == NULL || memcmp(id->ptr, my_conn.client_raw, my_conn.client_raw_kept) == 0);
}

static void
take_client(StrView id)
{
    my_conn.client_raw_len = id.len;
    my_conn.client_raw_kept = (size_t)id.len < SLOT_TEXT_MAX ? (size_t)id.len : SLOT_TEXT_MAX;
    if (id.len > 0)
        memcpy(my_conn.client_raw, id.ptr, my_conn.client_raw_kept);
    slot_text_set(my_conn.client_id, sizeof my_conn.client_id, id);
    conn_show_client();
    my_conn.title.client_is_new = true;
}

void
conn_show_client(void)
{
    SlotClient client = {.connected_ms = my_conn.connected_ms, .listener = my_conn.conn.listener};

    slot_text_set(client.client_id, sizeof client.client_id, strview_from(my_conn.client_id));
    slot_text_set(client.principal, sizeof client.principal, strview_from(my_conn.conn.principal));
    slot_text_set(client.peer, sizeof client.peer, strview_from(my_conn.conn.peer));
    slot_text_set(client.software, sizeof client.software,
                  strview_from(my_conn.conn.software_name));
    slot_text_set(client.software_version, sizeof client.software_version,
                  strview_from(my_conn.conn.software_version));
    slot_set_client(&client);
    my_conn.conn.software_is_new = false;
}

/* For every request, and therefore cheap: what others see of it, and where it will be counted. */
static inline void
show_activity(Request *rq)
{
    uint32_t key = (uint32_t)(uint16_t)rq->head.api->key << 16 | (uint16_t)rq->head.api_version;

    if (!client_is_same(&rq->head.client_id))
        take_client(rq->head.client_id);
    if (my_conn.counts_key != key) {
        /* Unknown versions of ApiVersions are answered in version 0: who makes them up gets no row for each. */
        bool known = api_serves(rq->head.api, rq->head.api_version);

        my_conn.counts = request_stats_row(rq->head.api->key, known ? rq->head.api_version : 0);
        my_conn.counts_key = key;
    }
    rq->counts = my_conn.counts;
    slot_set_request((uint64_t)key << 32 | (uint32_t)rq->head.correlation_id, rq->received_us);
}

/* Begins the held frame when its turn has come. True: something happened. */
static bool
start_held(void)
{
    RequestBox *box = my_conn.held;
    Request *rq = &box->rq;
    ErrInfo err;
    bool beside = frame_api_key(box->frame, box->size) == API_Produce;

    if (conn_is_muted() || !pending_may_start(&my_conn.pending, beside))
        return false;
    my_conn.held = NULL;
    my_conn.trimmed = false;
    my_conn.moved.requests++;
    rq->received_us = rq->now_us = my_conn.now_us;
    rq->frame_bytes = box->size;
    pending_push(&my_conn.pending, rq, beside);
    if (dispatch_request(rq, (BytesView){box->frame, box->size}, &err) < 0) {
        settle(rq, request_close(rq, "%s", err.text));
        return true;
    }
    arena_set_cap(rq->arena,
                  LIMIT_BACKEND_BASE_BYTES + api_memory_bytes(rq->head.api, (size_t)box->size));
    show_activity(rq);
    log_set_request(rq->head.api->name, rq->head.correlation_id);
    quota_begin(rq);
    settle(rq, rq->handler->start(rq));
    return true;
}

void
conn_finish_waiting(FinishWhy why)
{
    for (int i = 0; i < my_conn.pending.count; i++) {
        const PendingSlot *slot = pending_at(&my_conn.pending, i);
        Request *rq = slot->rq;

        if (slot->state != PENDING_RUNNING)
            continue;
        if (!why.woken && !why.rescan && !why.cancel && my_conn.now_us < rq->deadline_us)
            continue;
        rq->now_us = my_conn.now_us;
        rq->rescan = why.rescan;
        rq->cancelled = rq->cancelled || why.cancel;
        settle(rq, rq->handler->finish(rq));
    }
}

/* ---- the loop -------------------------------------------------------------------------------------- */

/* Everything that can be done without waiting. */
static void
work(void)
{
    bool moved;

    do {
        moved = false;
        conn_take_frame();
        if (my_conn.held != NULL && !my_conn.stopping && start_held()) {
            moved = true;
            if (my_conn.hung_up)
                conn_finish_waiting(
                    (FinishWhy){.cancel = true}); /* nobody will read a late answer */
        }
        moved |= conn_send_ready();
        if (my_conn.held == NULL && my_conn.readable && !my_conn.refused && !my_conn.stopping &&
            !my_conn.over && !my_conn.gate_wait && !conn_is_muted())
            moved |= conn_read_some();
    } while (moved && !my_conn.over);
    /* What the client sent before it hung up is begun in its order, as in Kafka; then it is over. */
    if (my_conn.pending.count == 0 &&
        ((my_conn.eof && my_conn.held == NULL) || my_conn.stopping || my_conn.refused))
        my_conn.over = true;
}

static void
on_socket(int fd, uint32_t events, void *arg)
{
    (void)fd;
    (void)arg; /* there is one connection */
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        my_conn.readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        my_conn.writable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        my_conn.hung_up = true;
    if (events & (EPOLLHUP | EPOLLERR))
        my_conn.gone = true;
}

bool
conn_is_own(const Conn *conn)
{
    return conn != NULL && (conn->endpoint->is_unix || strcmp(conn->software_name, "ottla") == 0);
}

bool
conn_is_super(const Conn *conn)
{
    const char *list = conf_str(CONF_SUPER_USERS);
    size_t len = strlen(conn->principal);

    for (const char *at = list; at != NULL && *at != '\0';) {
        const char *end = strchrnul(at, ';');

        while (at < end && *at == ' ')
            at++;
        if ((size_t)(end - at) == len && memcmp(at, conn->principal, len) == 0)
            return true;
        at = *end == '\0' ? end : end + 1;
    }
    return conn->peer_is_owner;
}

/* ---- begin and end ---------------------------------------------------------------------------------- */

/* Whose lines these are from now on. */
static void
name_in_log(void)
{
    char *colon;

    snprintf(my_conn.session, sizeof my_conn.session, "%llx.%x",
             (unsigned long long)clock_wall_ms() / 1000, (unsigned)getpid());
    snprintf(my_conn.host, sizeof my_conn.host, "%s", my_conn.conn.peer);
    colon = strrchr(my_conn.host, ':');
    if (colon != NULL)
        *colon = '\0';
    log_set_identity(&(LogIdentity){.instance = node_info.instance,
                                    .kind = "backend",
                                    .node_id = node_info.node_id,
                                    .session = my_conn.session,
                                    .client_address = my_conn.conn.peer,
                                    .client_host = my_conn.host,
                                    .principal = my_conn.conn.principal,
                                    .client_id = my_conn.client_id,
                                    .listener = my_conn.conn.endpoint->name});
}

/* Who the kernel says is behind the Unix socket: "User:NAME", or its number if it has no name. */
static void
name_local_peer(void)
{
    Conn *conn = &my_conn.conn;
    const struct passwd *user;
    NetPeer peer;

    if (!conn->endpoint->is_unix || net_unix_peer(conn->fd, &peer, NULL) < 0)
        return;
    conn->peer_is_owner = peer.uid == 0 || peer.uid == geteuid();
    user = getpwuid(peer.uid);
    if (user != NULL)
        snprintf(conn->principal, sizeof conn->principal, "User:%s", user->pw_name);
    else
        snprintf(conn->principal, sizeof conn->principal, "User:%u", (unsigned)peer.uid);
}

static bool
conn_open(const BackendStart *start)
{
    ErrInfo err;

    my_conn.arena = arena_new(BOXES_CHUNK, 0);
    if (my_conn.arena == NULL) {
        log_msg(LL_ERROR, "backend", "cannot serve a connection: no memory");
        return false;
    }
    my_conn.conn.fd = start->fd;
    my_conn.conn.listener = start->listener;
    my_conn.conn.endpoint = &node_listeners.rows[start->listener];
    snprintf(my_conn.conn.peer, sizeof my_conn.conn.peer, "%s", start->peer);
    snprintf(my_conn.conn.principal, sizeof my_conn.conn.principal, "User:ANONYMOUS");
    name_local_peer();
    my_conn.connected_ms = clock_wall_ms();
    my_conn.title_due_us = INT64_MAX;
    my_conn.counts_key = UINT32_MAX; /* nobody's */
    my_conn.now_us = my_conn.active_us = my_conn.begun_us = clock_mono_us();
    my_conn.readable = my_conn.writable = true;
    if (net_set_nonblocking(start->fd, &err) < 0 ||
        mainloop_add(start->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_socket, NULL) < 0) {
        log_msg(LL_ERROR, "backend", "cannot serve a connection: the socket cannot be watched");
        return false;
    }
    if (!my_conn.conn.endpoint->is_unix)
        net_set_nodelay(start->fd);
    stat_add(STAT_CONNECTIONS, 1);
    name_in_log();
    conn_show_client();
    conn_set_title((ConnTitle){0});
    return true;
}

/* An address that opens too many connections: this one is held unread for a while, then closed. */
static void
hold_back(void)
{
    int32_t ms = quota_connection_ms(&my_conn.conn, my_conn.now_us);

    if (ms == 0)
        return;
    stat_add(STAT_CONNECTIONS_REFUSED, 1);
    (void)atomic_u32_add(&shared_page->connections_held[my_conn.conn.listener], 1);
    snprintf(my_conn.conn.close_reason, sizeof my_conn.conn.close_reason,
             "too many connections a second from this address, held for %d ms", ms);
    my_conn.conn.muted_until_us = my_conn.now_us + (int64_t)ms * 1000;
    slot_set_activity_state(ACTIVITY_THROTTLED, my_conn.now_us);
    conn_set_title((ConnTitle){.throttled = true});
    while (conn_is_muted() && !my_conn.gone && !interrupt_pending(INTERRUPT_TERMINATE) &&
           !interrupt_pending(INTERRUPT_ORPHANED)) {
        (void)mainloop_wait(my_conn.conn.muted_until_us, WAIT_EV_QUOTA_THROTTLE);
        my_conn.now_us = clock_mono_us();
    }
    my_conn.over = true;
}

/* The end of a request that nobody hears of; what it may have changed is asked for a last time, for the log. */
static void
drop(Request *rq)
{
    rq->cancelled = true;
    if (rq->in != NULL && rq->handler->finish(rq) != REQ_PENDING)
        return;
    if (rq->handler->drop != NULL)
        rq->handler->drop(rq);
    if (rq->in != NULL)
        audit_lost(rq);
}

static void
conn_close(void)
{
    char client[128];
    uint32_t dropped;

    slot_set_activity_state(ACTIVITY_CLOSING, my_conn.now_us);
    if (my_conn.conn.close_reason[0] != 0 && gate_line_allowed(my_conn.now_us, &dropped)) {
        const PendingSlot *head = pending_head(&my_conn.pending);
        StrView id = head == NULL ? (StrView){"", 0} : head->rq->head.client_id;

        log_msg(LL_INFO, "backend",
                "closing connection: %s; peer=%s listener=%s client=\"%s\" left_out=%u",
                my_conn.conn.close_reason, my_conn.conn.peer, my_conn.conn.endpoint->name,
                log_escape(id, client, sizeof client), dropped);
    }
    while (my_conn.pending.count > 0) {
        const PendingSlot *head = pending_head(&my_conn.pending);
        Request *rq = head->rq;

        if (head->state == PENDING_RUNNING) {
            drop(rq);
            pending_set(&my_conn.pending, rq, PENDING_LAST);
        }
        conn_account(rq);
        conn_box_free((RequestBox *)pending_pop(&my_conn.pending));
    }
    if (setting_log_disconnections())
        log_msg(LL_LOG, "backend",
                "connection ends; peer=%s listener=%s ms=%lld requests=%llu bytes_in=%llu "
                "bytes_out=%llu",
                my_conn.conn.peer, my_conn.conn.endpoint->name,
                (long long)((clock_mono_us() - my_conn.begun_us) / 1000),
                (unsigned long long)my_conn.moved.requests,
                (unsigned long long)my_conn.moved.bytes_in,
                (unsigned long long)my_conn.moved.bytes_out);
    fd_cache_reset(); /* says which files go without a commit */
    gate_forget();
    mainloop_remove(my_conn.conn.fd);
    close(my_conn.conn.fd);
}

void
conn_serve(const BackendStart *start)
{
    if (!conn_open(start))
        exit(1);
    (void)live_conf_refresh(); /* this process knows the files alone so far */
    if (setting_log_connections())
        log_msg(LL_LOG, "backend", "connection begins; peer=%s listener=%s", my_conn.conn.peer,
                my_conn.conn.endpoint->name);
    hold_back();
    while (!my_conn.over) {
        work();
        if (!my_conn.over)
            conn_wait_turn();
    }
    conn_close();
}
