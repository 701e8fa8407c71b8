/*
 * conn_state_int.h - the connection as its own files see it: conn*.c and no others
 *
 * One turn of the loop (conn.c) calls the others: conn_read.c fills and takes frames, conn_send.c lets answers go,
 * conn_wait.c waits and gives back what an idle connection does not need.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_CONN_STATE_INT_H
#define OTTLA_BACKEND_CONN_STATE_INT_H

#include "backend/conn_int.h"
#include "backend/pending_int.h"
#include "ottla/common/arena.h"
#include "ottla/common/own_page.h"
#include "ottla/ipc/request_stats.h"
#include "ottla/ipc/slot.h"

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

/* What a title says beside who is connected. */
typedef struct ConnTitle {
    const char *api; /* that waits; NULL: idle */
    bool throttled;
    bool client_is_new; /* only in what is wanted: the client has another id than before */
} ConnTitle;

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
    bool clock_fresh;   /* now_us was read in this turn, after its work */
    RequestRow *counts; /* where requests of the last API and version are counted */
    uint32_t counts_key;
    ConnTitle title;       /* what ps shows */
    int64_t title_due_us;  /* something else is to be shown from then on; INT64_MAX: nothing */
    int64_t title_next_us; /* not before this: a title costs as much as a small request */
    int64_t begun_us;
    SlotProgress moved;      /* requests begun, bytes read and written */
    int64_t bytes_accounted; /* of both, up to the last request that is over */
    int32_t heavy_left; /* light requests until this process is no heavy one again; 0: it is none */
    /* For the lines and journal fields of this process. */
    char session[32]; /* hex start time and pid */
    char host[BACKEND_PEER_MAX];
    char client_id[SLOT_TEXT_MAX];
    char client_raw[SLOT_TEXT_MAX]; /* as it was sent, as much of it as counts */
    int32_t client_raw_len;         /* of all of it */
    size_t client_raw_kept;
    int64_t connected_ms; /* wall clock */
} Connection;

/* The connection of this process; its only one. */
extern OWN_PAGE Connection my_conn;

/* [C4] */
static inline bool
conn_is_muted(void)
{
    return my_conn.now_us < my_conn.conn.muted_until_us;
}

/* ---- conn.c ---- */

typedef struct FinishWhy {
    bool woken;  /* latch: everybody looks */
    bool rescan; /* somebody died */
    bool cancel; /* all waits end */
} FinishWhy;

/* Lets the waiting requests look again. */
void conn_finish_waiting(FinishWhy why);

/* Shows others whose connection this is. */
void conn_show_client(void);

/* ---- conn_read.c ---- */

/* Takes the next whole frame from what was read, if there is one and its place is free. */
void conn_take_frame(void);

/* One read into the frame being filled, or else the buffer. True: bytes came. */
bool conn_read_some(void);

/* Gives back what a request held. */
void conn_box_free(RequestBox *box);

/* Gives back the input buffer, if nothing is in it, and the memory of boxes that are not used. */
void conn_read_trim(void);

/* ---- conn_send.c ---- */

/* Sends the answers whose turn it is. True: a place became free. */
bool conn_send_ready(void);

/* Counts a request that is over. */
void conn_account(const Request *rq);

/* ---- conn_wait.c ---- */

/* Shows at once what the connection does. */
void conn_set_title(ConnTitle title);

/* Waits until there may be something to do, and takes what does not come from the socket. */
void conn_wait_turn(void);

#endif
