/*
 * conn.c - the life of one connection: read frames, start requests, send answers, wait
 *
 * Runs in: backend. Called by backend_main alone.
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
#include "backend/conn_int.h"

#include <malloc.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/dispatch_int.h"
#include "backend/frame_int.h"
#include "backend/gate_int.h"
#include "backend/pending_int.h"
#include "backend/quota_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/net.h"
#include "ottla/common/own_page.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/fd_cache.h"

#include "backend/settings_int.h"

#define IN_BUFFER_BYTES  16384         /* small frames lie whole in it */
#define STACK_NEAR_BYTES 1024          /* below a frame: what its own calls use */
#define STACK_DEEP_BYTES 131072        /* as deep as requests go */
#define BOXES_CHUNK      1024          /* a box or two: most connections need no more */
#define ARENA_CHUNK      8192          /* most requests and answers fit into one */
#define GATE_RETRY_US    (100 * 1000)  /* gate_take says why */
#define IDLE_TRIM_US     (1000 * 1000) /* so long idle: give back what is not needed */
#define TRIM_AGAIN_US    (5000 * 1000) /* what a commit has to cover first: looked at again */
#define IDLE_OPEN_FILES  32            /* what the next requests need most likely */

/* A request with its memory. Reused: the arena keeps its first chunk. */
typedef struct RequestBox {
    Request rq; /* first: a Request of ours is its box */
    Arena *arena;
    uint8_t *frame;
    int32_t size;   /* of the frame */
    int32_t filled; /* bytes of it read */
    bool gated;     /* the gate gave its bytes */
    struct RequestBox *next_free;
} RequestBox;

typedef struct Connection {
    Conn conn; /* what handlers see */
    Arena *arena;
    size_t in_start, in_end; /* of in_buffer: what is not taken yet */
    RequestBox *filling;     /* a large frame being read */
    RequestBox *held;        /* a whole frame whose turn has not come [C1] */
    RequestBox *free_boxes;
    Pending pending;
    bool readable, writable;
    bool hung_up;   /* the client sends no more (maybe more is in the socket) */
    bool gone;      /* and reads no more */
    bool eof;       /* everything it sent was read */
    bool stopping;  /* SIGTERM: what was begun is finished, nothing else */
    bool refused;   /* a bad frame: read no further */
    bool over;      /* leave now */
    bool gate_wait; /* a large frame waits for memory */
    int64_t gate_retry_us;
    bool trimmed;          /* memory was given back since the last request */
    int64_t trim_again_us; /* not all could be given back: not before this */
    int64_t active_us;     /* when bytes last moved */
    int64_t now_us;
    const char *title_api; /* what the title shows: API that waits; NULL: idle */
    bool title_throttled;
    uint64_t requests;
    /* For the lines and journal fields of this process. */
    char session[32]; /* hex start time and pid */
    char host[BACKEND_PEER_MAX];
    char client_id[SLOT_TEXT_MAX];
} Connection;

static OWN_PAGE Connection cn;

/* Its own pages, so that an idle connection can do without them. */
static alignas(4096) uint8_t in_buffer[IN_BUFFER_BYTES];

/* [C4] */
static bool
is_muted(void)
{
    return cn.now_us < cn.conn.muted_until_us;
}

/* ---- boxes ------------------------------------------------------------------------------------- */

/* A box whose arena takes a frame of this size, at its start. NULL: no memory. */
static RequestBox *
box_new(int32_t size)
{
    RequestBox *box = cn.free_boxes;

    if (box != NULL)
        cn.free_boxes = box->next_free;
    else
        box = arena_calloc(cn.arena, 1, sizeof *box); /* at most PENDING_MAX + 2 ever */
    if (box == NULL)
        return NULL;
    if (box->arena == NULL)
        box->arena = arena_new(ARENA_CHUNK, 0);
    if (box->arena == NULL) {
        box->next_free = cn.free_boxes;
        cn.free_boxes = box;
        return NULL;
    }
    /* The frame is in the arena; the factor of its API is known when its header was read. */
    arena_set_cap(box->arena, LIMIT_BACKEND_BASE_BYTES + 2 * (size_t)size);
    box->rq = (Request){.conn = &cn.conn, .arena = box->arena, .deadline_us = INT64_MAX};
    box->frame = arena_alloc(box->arena, (size_t)size);
    box->size = size;
    box->filled = 0;
    box->gated = false;
    return box;
}

static void
box_free(RequestBox *box)
{
    if (box->rq.release != NULL)
        box->rq.release(&box->rq);
    if (box->gated)
        gate_release();
    arena_reset(box->arena);
    box->rq = (Request){0};
    box->frame = NULL;
    box->next_free = cn.free_boxes;
    cn.free_boxes = box;
}

void
request_grow(Request *rq, size_t bytes)
{
    arena_set_cap(rq->arena, arena_bytes(rq->arena) + LIMIT_BACKEND_BASE_BYTES + bytes);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void
refuse_frame(int32_t size)
{
    snprintf(cn.conn.close_reason, sizeof cn.conn.close_reason,
             size < 0 ? "frame of negative size %d" : "frame of %d bytes is above the limit", size);
    cn.refused = true;
}

/* A large frame begins: its bytes so far move into its own buffer. False: not now. */
static bool
begin_large(int32_t size)
{
    bool gated = size > LIMIT_SMALL_REQUEST_BYTES;
    RequestBox *box;

    if (gated) {
        for (int i = 0; i < cn.pending.count; i++)
            if (((RequestBox *)pending_at(&cn.pending, i)->rq)->gated)
                return false; /* [C2] */
        if (!gate_take(size, setting_queued_bytes())) {
            cn.gate_wait = true;
            cn.gate_retry_us = cn.now_us + GATE_RETRY_US;
            return false;
        }
        cn.gate_wait = false;
    }
    box = box_new(size);
    if (box == NULL || box->frame == NULL) {
        snprintf(cn.conn.close_reason, sizeof cn.conn.close_reason,
                 "no memory for a frame of %d bytes", size);
        cn.refused = true;
        if (gated)
            gate_release();
        return false;
    }
    box->gated = gated;
    box->filled = (int32_t)(cn.in_end - cn.in_start - FRAME_SIZE_BYTES);
    memcpy(box->frame, in_buffer + cn.in_start + FRAME_SIZE_BYTES, (size_t)box->filled);
    cn.in_start = cn.in_end = 0;
    cn.filling = box;
    return true;
}

/* Takes the next whole frame from what was read, if there is one and its place is free. */
static void
take_frame(void)
{
    size_t have = cn.in_end - cn.in_start;
    int32_t size;

    if (cn.held != NULL || cn.refused || cn.gate_wait)
        return;
    if (cn.filling != NULL) {
        if (cn.filling->filled == cn.filling->size) {
            cn.held = cn.filling;
            cn.filling = NULL;
        }
        return;
    }
    switch (
        frame_look(in_buffer + cn.in_start, have, IN_BUFFER_BYTES, setting_request_max(), &size)) {
    case FRAME_PARTIAL:
        return;
    case FRAME_BAD:
        refuse_frame(size);
        return;
    case FRAME_LARGE:
        if (!is_muted())             /* its memory would lie idle */
            (void)begin_large(size); /* not now: tried again each turn */
        return;
    case FRAME_WHOLE:
        break;
    }
    cn.held = box_new(size);
    if (cn.held == NULL || cn.held->frame == NULL) {
        if (cn.held != NULL)
            box_free(cn.held);
        cn.held = NULL;
        snprintf(cn.conn.close_reason, sizeof cn.conn.close_reason,
                 "no memory for a frame of %d bytes", size);
        cn.refused = true;
        return;
    }
    memcpy(cn.held->frame, in_buffer + cn.in_start + FRAME_SIZE_BYTES, (size_t)size);
    cn.held->filled = size;
    cn.in_start += (size_t)size + FRAME_SIZE_BYTES;
    if (cn.in_start == cn.in_end)
        cn.in_start = cn.in_end = 0;
}

/* One read into the frame being filled, or else the buffer. True: bytes came. */
static bool
read_some(void)
{
    uint8_t *into;
    size_t room;
    int64_t n;

    if (cn.filling != NULL) {
        into = cn.filling->frame + cn.filling->filled;
        room = (size_t)(cn.filling->size - cn.filling->filled);
    } else {
        if (cn.in_start > 0) {
            memmove(in_buffer, in_buffer + cn.in_start, cn.in_end - cn.in_start);
            cn.in_end -= cn.in_start;
            cn.in_start = 0;
        }
        into = in_buffer + cn.in_end;
        room = IN_BUFFER_BYTES - cn.in_end;
    }
    if (room == 0)
        return false;
    n = net_read(cn.conn.fd, into, room);
    if (n <= 0) {
        cn.readable = false;
        if (n != OT_E_AGAIN)
            cn.eof = true;
        return false;
    }
    if ((size_t)n < room && !cn.hung_up)
        cn.readable = false; /* a stream socket that gave less has no more; an edge will come */
    if (cn.filling != NULL)
        cn.filling->filled += (int32_t)n;
    else
        cn.in_end += (size_t)n;
    cn.active_us = cn.now_us;
    slot_count_add(SLOT_COUNT_BYTES_IN, (uint64_t)n);
    stat_add(STAT_BYTES_IN, (uint64_t)n);
    return true;
}

/* ---- requests -------------------------------------------------------------------------------------- */

/* What the handler said. */
static void
settle(Request *rq, ReqResult result)
{
    switch (result) {
    case REQ_PENDING:
        ot_assert(rq->handler->finish != NULL);
        return;
    case REQ_SILENT:
        quota_charge_silent(rq);
        rq->out = (OutMsg){0};
        pending_set(&cn.pending, rq, PENDING_READY);
        return;
    case REQ_DONE:
        pending_set(&cn.pending, rq, PENDING_READY);
        return;
    case REQ_CLOSE:
        rq->out = (OutMsg){0};
        rq->failed = true;
        pending_set(&cn.pending, rq, PENDING_LAST);
        return;
    }
}

static void
show_activity(const Request *rq)
{
    SlotActivity act = {.since_us = rq->received_us,
                        .api_key = rq->head.api->key,
                        .api_version = rq->head.api_version,
                        .correlation_id = rq->head.correlation_id};

    slot_text_set(act.client_id, rq->head.client_id);
    slot_text_set(cn.client_id, rq->head.client_id);
    log_set_request(rq->head.api->name, rq->head.correlation_id);
    slot_text_set(act.principal, strview_from(cn.conn.principal));
    slot_text_set(act.peer, strview_from(cn.conn.peer));
    slot_set_activity(&act);
    slot_set_activity_state(ACTIVITY_ACTIVE);
}

/* Begins the held frame when its turn has come. True: something happened. */
static bool
start_held(void)
{
    RequestBox *box = cn.held;
    Request *rq = &box->rq;
    ErrInfo err;
    bool beside = frame_api_key(box->frame, box->size) == API_Produce;

    if (is_muted() || !pending_may_start(&cn.pending, beside))
        return false;
    cn.held = NULL;
    cn.trimmed = false;
    cn.requests++;
    rq->received_us = rq->now_us = cn.now_us;
    rq->frame_bytes = box->size;
    pending_push(&cn.pending, rq, beside);
    slot_count_add(SLOT_COUNT_REQUESTS, 1);
    stat_add(STAT_REQUESTS, 1);
    if (dispatch_request(rq, (BytesView){box->frame, box->size}, &err) < 0) {
        settle(rq, request_close(rq, "%s", err.text));
        return true;
    }
    arena_set_cap(rq->arena,
                  LIMIT_BACKEND_BASE_BYTES + api_memory_bytes(rq->head.api, (size_t)box->size));
    show_activity(rq);
    quota_begin(rq);
    settle(rq, rq->handler->start(rq));
    return true;
}

typedef struct FinishWhy {
    bool woken;  /* latch: everybody looks */
    bool rescan; /* somebody died */
    bool cancel; /* all waits end */
} FinishWhy;

/* Lets the waiting requests look again. */
static void
finish_waiting(FinishWhy why)
{
    for (int i = 0; i < cn.pending.count; i++) {
        const PendingSlot *slot = pending_at(&cn.pending, i);
        Request *rq = slot->rq;

        if (slot->state != PENDING_RUNNING)
            continue;
        if (!why.woken && !why.rescan && !why.cancel && cn.now_us < rq->deadline_us)
            continue;
        rq->now_us = cn.now_us;
        rq->rescan = why.rescan;
        rq->cancelled = rq->cancelled || why.cancel;
        settle(rq, rq->handler->finish(rq));
    }
}

/* ---- sending --------------------------------------------------------------------------------------- */

static void
account(const Request *rq)
{
    if (rq->head.api != NULL)
        stat_api_add(rq->head.api->key, clock_mono_us() - rq->received_us, rq->failed);
    if (rq->failed)
        stat_add(STAT_REQUEST_ERRORS, 1);
}

/*
 * The disk failed under an answer that is half sent: all that is left is to close the connection. The
 * next fetch is answered with an error for that partition alone.
 */
static void
report_unreadable(const OutMsg *msg)
{
    static LogRate rate;
    const PartitionSlot *slot = fd_cache_note_unreadable(msg->pieces[msg->next].fd);

    log_limited(&rate, 1, LL_ERROR, "backend",
                "a segment cannot be read, the connection is closed; topic=%s partition=%d",
                slot == NULL ? "?" : slot->topic, slot == NULL ? -1 : (int)slot->partition);
}

/* Sends the answers whose turn it is. True: a place became free. */
static bool
send_ready(void)
{
    bool freed = false;

    while (cn.pending.count > 0 && !cn.over) {
        const PendingSlot *head = pending_head(&cn.pending);
        const PendingSlot *next = cn.pending.count > 1 ? pending_at(&cn.pending, 1) : NULL;
        OutCount count = {0};
        OutStatus status;

        if (head->state == PENDING_LAST) {
            cn.over = true;
            break;
        }
        if (head->state == PENDING_RUNNING)
            break;
        if (head->rq->out.bytes_left > 0 && !cn.writable)
            break;
        status = outmsg_send(
            &head->rq->out, cn.conn.fd,
            next != NULL && next->state == PENDING_READY && next->rq->out.bytes_left > 0, &count);
        if (count.bytes > 0) {
            cn.active_us = cn.now_us;
            slot_count_add(SLOT_COUNT_BYTES_OUT, (uint64_t)count.bytes);
            stat_add(STAT_BYTES_OUT, (uint64_t)count.bytes);
            stat_add(STAT_BYTES_SENDFILE, (uint64_t)count.file_bytes);
        }
        if (status == OUT_BLOCKED) {
            cn.writable = false;
            break;
        }
        if (status == OUT_UNREADABLE)
            report_unreadable(&head->rq->out);
        if (status == OUT_BROKEN || status == OUT_UNREADABLE) {
            cn.over = true;
            break;
        }
        account(head->rq);
        box_free((RequestBox *)pending_pop(&cn.pending));
        freed = true;
    }
    return freed;
}

/* ---- the loop -------------------------------------------------------------------------------------- */

/* Everything that can be done without waiting. */
static void
work(void)
{
    bool moved;

    do {
        moved = false;
        take_frame();
        if (cn.held != NULL && !cn.stopping && start_held()) {
            moved = true;
            if (cn.hung_up)
                finish_waiting((FinishWhy){.cancel = true}); /* nobody will read a late answer */
        }
        moved |= send_ready();
        if (cn.held == NULL && cn.readable && !cn.refused && !cn.stopping && !cn.over &&
            !cn.gate_wait && !is_muted())
            moved |= read_some();
    } while (moved && !cn.over);
    /* What the client sent before it hung up is begun in its order, as in Kafka; then it is over. */
    if (cn.pending.count == 0 && ((cn.eof && cn.held == NULL) || cn.stopping || cn.refused))
        cn.over = true;
}

static void
on_socket(int fd, uint32_t events, void *arg)
{
    (void)fd;
    (void)arg; /* there is one connection */
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        cn.readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        cn.writable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        cn.hung_up = true;
    if (events & (EPOLLHUP | EPOLLERR))
        cn.gone = true;
}

static void
set_title(const char *api, bool throttled)
{
    const char *user = cn.conn.principal + sizeof "User:" - 1;
    int64_t ms = (cn.conn.muted_until_us - cn.now_us) / 1000;

    cn.title_api = api;
    cn.title_throttled = throttled;
    if (throttled)
        title_set("%s %s %s throttled %lldms", cn.conn.endpoint->name, cn.conn.peer, user,
                  (long long)ms);
    else
        title_set("%s %s %s %s%s", cn.conn.endpoint->name, cn.conn.peer, user,
                  api == NULL ? "idle" : api, api == NULL ? "" : " waiting");
}

/* When an idle connection gives back what it does not need. */
static int64_t
trim_due_us(void)
{
    int64_t due = cn.active_us + IDLE_TRIM_US;

    return due > cn.trim_again_us ? due : cn.trim_again_us;
}

/* What is waited for, for ps and the shell; when to wake up at the latest. */
static int64_t
prepare_wait(WaitEvent *ret_event)
{
    const PendingSlot *head = pending_head(&cn.pending);
    int64_t idle_us = setting_idle_us();
    int64_t deadline = idle_us < 0 ? INT64_MAX : cn.active_us + idle_us;
    const char *api = NULL;

    *ret_event = WAIT_EV_CLIENT_READ;
    if (is_muted() && cn.conn.muted_until_us < deadline)
        deadline = cn.conn.muted_until_us;
    if (head == NULL) {
        slot_set_activity_state(is_muted() ? ACTIVITY_THROTTLED : ACTIVITY_IDLE);
        if (is_muted())
            *ret_event = WAIT_EV_QUOTA_THROTTLE;
        if (!cn.trimmed && trim_due_us() < deadline)
            deadline = trim_due_us();
    } else if (head->state == PENDING_READY) {
        slot_set_activity_state(ACTIVITY_SENDING);
        *ret_event = WAIT_EV_CLIENT_WRITE;
    } else {
        slot_set_activity_state(ACTIVITY_WAITING);
        *ret_event = head->rq->wait_event;
        api = head->rq->head.api->name;
    }
    if (api != cn.title_api || (head == NULL && is_muted()) != cn.title_throttled)
        set_title(api, head == NULL && is_muted());
    if (cn.conn.idle != NULL && cn.conn.idle_at_us < deadline)
        deadline = cn.conn.idle_at_us;
    if (fd_cache_hold_deadline_us() < deadline)
        deadline = fd_cache_hold_deadline_us();
    for (int i = 0; i < cn.pending.count; i++) {
        const PendingSlot *slot = pending_at(&cn.pending, i);

        if (slot->state == PENDING_RUNNING && slot->rq->deadline_us < deadline)
            deadline = slot->rq->deadline_us;
    }
    if (cn.gate_wait) {
        *ret_event = WAIT_EV_REQUEST_MEMORY;
        if (cn.gate_retry_us < deadline)
            deadline = cn.gate_retry_us;
    }
    return deadline;
}

/* What calls deeper than this one have used of the stack; nothing below a frame is ever read again. */
static __attribute__((noinline)) void
give_back_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t end = (here - STACK_NEAR_BYTES) & ~(uintptr_t)4095;

    /* It may begin above that: then what is mapped of it is given back all the same. */
    (void)madvise((void *)(end - STACK_DEEP_BYTES), STACK_DEEP_BYTES, MADV_DONTNEED);
}

/* An idle connection keeps a few files, a piece of a frame if there is one, and nothing else. */
static void
trim(void)
{
    if (cn.in_start == cn.in_end)
        (void)madvise(in_buffer, sizeof in_buffer, MADV_DONTNEED); /* reads as zeros from here on */
    for (RequestBox *box = cn.free_boxes; box != NULL; box = box->next_free) {
        arena_free(box->arena);
        box->arena = NULL;
    }
    malloc_trim(0);
    give_back_stack();
    cn.trimmed = fd_cache_trim(IDLE_OPEN_FILES);
    cn.trim_again_us = cn.now_us + TRIM_AGAIN_US;
}

static void
take_interrupts(void)
{
    if (interrupt_pending(INTERRUPT_ORPHANED))
        cn.over = true; /* nobody is left to flush or to decide what requests wait for */
    if (interrupt_take(INTERRUPT_TERMINATE)) {
        cn.stopping = true;
        finish_waiting((FinishWhy){.cancel = true});
    }
    if (interrupt_take(INTERRUPT_CANCEL))
        finish_waiting((FinishWhy){.cancel = true});
}

static void
wait_turn(void)
{
    WaitEvent event;
    int64_t deadline = prepare_wait(&event);
    int64_t idle_us = setting_idle_us();
    bool was_hung_up = cn.hung_up;
    uint32_t why = mainloop_wait(deadline, event);

    cn.now_us = clock_mono_us();
    (void)live_conf_refresh(); /* settings are asked for when they are used */
    if (cn.gone && is_muted())
        cn.over = true; /* what it still sent is not begun: nobody is left to be told */
    fd_cache_sweep();
    if (why & WOKE_INTERRUPT)
        take_interrupts();
    if ((why & (WOKE_LATCH | WOKE_RESCAN | WOKE_DEADLINE)) && cn.pending.count > 0)
        finish_waiting(
            (FinishWhy){.woken = (why & WOKE_LATCH) != 0, .rescan = (why & WOKE_RESCAN) != 0});
    if (cn.gate_wait && ((why & (WOKE_LATCH | WOKE_RESCAN)) || cn.now_us >= cn.gate_retry_us))
        cn.gate_wait = false;
    if (cn.hung_up && !was_hung_up)
        finish_waiting((FinishWhy){.cancel = true}); /* its waits are dropped, as in Kafka */
    if (cn.conn.idle != NULL && cn.now_us >= cn.conn.idle_at_us) {
        cn.conn.idle();
        cn.conn.idle = NULL;
    }
    if (fd_cache_holds_space(cn.now_us)) {
        snprintf(cn.conn.close_reason, sizeof cn.conn.close_reason,
                 "the client does not take records whose segment is deleted");
        cn.over = true;
    } else if (idle_us >= 0 && cn.now_us >= cn.active_us + idle_us) {
        snprintf(cn.conn.close_reason, sizeof cn.conn.close_reason, "idle for %lld ms",
                 (long long)(idle_us / 1000));
        cn.over = true;
    } else if (cn.pending.count == 0 && !cn.trimmed && cn.now_us >= trim_due_us()) {
        trim();
    }
}

bool
conn_is_own(const Conn *conn)
{
    return conn != NULL && (conn->endpoint->is_unix || strcmp(conn->software_name, "ottla") == 0);
}

/* ---- begin and end ---------------------------------------------------------------------------------- */

/* Whose lines these are from now on. */
static void
name_in_log(void)
{
    char *colon;

    snprintf(cn.session, sizeof cn.session, "%llx.%x", (unsigned long long)clock_wall_ms() / 1000,
             (unsigned)getpid());
    snprintf(cn.host, sizeof cn.host, "%s", cn.conn.peer);
    colon = strrchr(cn.host, ':');
    if (colon != NULL)
        *colon = '\0';
    log_set_identity(&(LogIdentity){.instance = node_info.instance,
                                    .kind = "backend",
                                    .node_id = node_info.node_id,
                                    .session = cn.session,
                                    .client_address = cn.conn.peer,
                                    .client_host = cn.host,
                                    .principal = cn.conn.principal,
                                    .client_id = cn.client_id,
                                    .listener = cn.conn.endpoint->name});
}

static bool
conn_open(const BackendStart *start)
{
    ErrInfo err;

    cn.arena = arena_new(BOXES_CHUNK, 0);
    if (cn.arena == NULL) {
        log_msg(LL_ERROR, "backend", "cannot serve a connection: no memory");
        return false;
    }
    cn.conn.fd = start->fd;
    cn.conn.listener = start->listener;
    cn.conn.endpoint = &node_listeners.rows[start->listener];
    snprintf(cn.conn.peer, sizeof cn.conn.peer, "%s", start->peer);
    snprintf(cn.conn.principal, sizeof cn.conn.principal, "User:ANONYMOUS");
    cn.now_us = cn.active_us = clock_mono_us();
    cn.readable = cn.writable = true;
    if (net_set_nonblocking(start->fd, &err) < 0 ||
        mainloop_add(start->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_socket, NULL) < 0) {
        log_msg(LL_ERROR, "backend", "cannot serve a connection: the socket cannot be watched");
        return false;
    }
    if (!cn.conn.endpoint->is_unix)
        net_set_nodelay(start->fd);
    stat_add(STAT_CONNECTIONS, 1);
    name_in_log();
    set_title(NULL, false);
    return true;
}

/* An address that opens too many connections: this one is held unread for a while, then closed. */
static void
hold_back(void)
{
    int32_t ms = quota_connection_ms(&cn.conn, cn.now_us);

    if (ms == 0)
        return;
    stat_add(STAT_CONNECTIONS_REFUSED, 1);
    (void)atomic_u32_add(&shared_page->connections_held[cn.conn.listener], 1);
    snprintf(cn.conn.close_reason, sizeof cn.conn.close_reason,
             "too many connections a second from this address, held for %d ms", ms);
    cn.conn.muted_until_us = cn.now_us + (int64_t)ms * 1000;
    slot_set_activity_state(ACTIVITY_THROTTLED);
    set_title(NULL, true);
    while (is_muted() && !cn.gone && !interrupt_pending(INTERRUPT_TERMINATE) &&
           !interrupt_pending(INTERRUPT_ORPHANED)) {
        (void)mainloop_wait(cn.conn.muted_until_us, WAIT_EV_QUOTA_THROTTLE);
        cn.now_us = clock_mono_us();
    }
    cn.over = true;
}

static void
conn_close(void)
{
    char client[128];
    uint32_t dropped;

    slot_set_activity_state(ACTIVITY_CLOSING);
    if (cn.conn.close_reason[0] != 0 && gate_line_allowed(cn.now_us, &dropped)) {
        const PendingSlot *head = pending_head(&cn.pending);
        StrView id = head == NULL ? (StrView){"", 0} : head->rq->head.client_id;

        log_msg(LL_INFO, "backend",
                "closing connection: %s; peer=%s listener=%s client=\"%s\" left_out=%u",
                cn.conn.close_reason, cn.conn.peer, cn.conn.endpoint->name,
                log_escape(id, client, sizeof client), dropped);
    }
    while (cn.pending.count > 0) {
        const PendingSlot *head = pending_head(&cn.pending);
        Request *rq = head->rq;

        if (head->state == PENDING_RUNNING) {
            if (rq->handler->drop != NULL)
                rq->handler->drop(rq);
            pending_set(&cn.pending, rq, PENDING_LAST);
        }
        account(rq);
        box_free((RequestBox *)pending_pop(&cn.pending));
    }
    fd_cache_reset(); /* says which files go without a commit */
    gate_forget();
    mainloop_remove(cn.conn.fd);
    close(cn.conn.fd);
}

void
conn_serve(const BackendStart *start)
{
    if (!conn_open(start))
        exit(1);
    (void)live_conf_refresh(); /* this process knows the files alone so far */
    hold_back();
    while (!cn.over) {
        work();
        if (!cn.over)
            wait_turn();
    }
    conn_close();
}
