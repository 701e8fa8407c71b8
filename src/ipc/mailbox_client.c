/*
 * mailbox_client.c - the backend's side: calls under way, sent and collected piece by piece
 *
 * Runs in: backends, and workers that ask another worker.
 * Never: blocks. What does not fit now goes out at a later poll, after the worker's wake-up.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "mailbox_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/own_page.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/latch.h"

/* A call and what the caller need not know of it. */
typedef struct Outstanding {
    MboxCall *call; /* NULL: free entry */
    uint64_t owner; /* the worker's process when the call began */
    bool failed;    /* the reply had no room in the arena */
    bool lost;      /* the worker died, and its chunks with it */
    bool sent;      /* the last piece was handed over */
} Outstanding;

/* This process's, towards one worker. */
typedef struct Direction {
    PieceChunks held; /* of the piece in the request cell */
    uint32_t sending; /* serial whose pieces are being sent; 0: none */
} Direction;

/* 2 KiB, in room that each process has to itself anyway. */
static OWN_PAGE Outstanding table[MBOX_CALLS_MAX];
static OWN_PAGE Direction directions[MBOX_WORKER_COUNT];
static OWN_PAGE uint32_t last_serial; /* 0: nobody was asked so far */

/* Generation whose cells towards that worker are ours. */
static OWN_PAGE uint32_t claimed[MBOX_WORKER_COUNT];

void
mbox_begin(void)
{
    if (last_serial == 0)
        return; /* nothing was written here since the start of the program */
    memset(table, 0, sizeof table);
    memset(directions, 0, sizeof directions);
    memset(claimed, 0, sizeof claimed);
    last_serial = 0;
}

/* The cells of this slot are touched by those who ask a worker, and by nobody else. */
static void
claim_once(MboxWorker worker)
{
    if (claimed[worker] == my_generation)
        return;
    mailbox_claim(worker, my_slot_index, my_generation);
    claimed[worker] = my_generation;
}

static Outstanding *
find_call(MboxWorker worker, uint32_t serial)
{
    for (int i = 0; i < MBOX_CALLS_MAX; i++)
        if (table[i].call != NULL && table[i].call->worker == worker &&
            table[i].call->serial == serial)
            return &table[i];
    return NULL;
}

/* The oldest call that was not handed over wholly. */
static Outstanding *
next_to_send(MboxWorker worker)
{
    Outstanding *oldest = NULL;

    for (int i = 0; i < MBOX_CALLS_MAX; i++) {
        Outstanding *o = &table[i];

        if (o->call == NULL || o->call->worker != worker || o->sent)
            continue;
        if (o->call->serial == directions[worker].sending)
            return o; /* its other pieces first */
        if (oldest == NULL || serial_at_or_before(o->call->serial, oldest->call->serial))
            oldest = o;
    }
    return oldest;
}

static void
ring_worker(MboxWorker worker)
{
    (void)ready_set(mailbox_ready(worker), my_slot_index);
    latch_set(slot_ref_unpack(atomic_u64_load_seq(mailbox_owner(worker))));
}

/* Fills the request cell if it is empty and something waits. */
static void
send_on(MboxWorker worker)
{
    Direction *dir = &directions[worker];
    Cell *cell = cell_request(worker, my_slot_index);
    Outstanding *o = next_to_send(worker);
    CellStatus status;
    Piece piece;

    if (cell_status(atomic_u64_load_seq(&cell->word)) != CELL_EMPTY) {
        if (o == NULL)
            return;
        /* Asks to be woken; looks again, for the worker may have emptied it just before. */
        atomic_u32_store_seq(&cell->wake_on_empty, 1);
        if (cell_status(atomic_u64_load_seq(&cell->word)) != CELL_EMPTY)
            return;
    }
    cell_free_chunks(&dir->held);
    if (o == NULL)
        return;
    atomic_u32_store_seq(&cell->wake_on_empty, 0);
    piece = (Piece){o->call->bytes, o->call->size, o->call->sent_bytes, 0};
    status = cell_fill(cell, &piece, &dir->held);
    atomic_i64_store_relaxed(&cell->filled_us, clock_mono_us());
    o->call->sent_bytes += piece.size;
    o->sent = status == CELL_FULL;
    dir->sending = o->sent ? 0 : o->call->serial;
    if (next_to_send(worker) != NULL)
        atomic_u32_store_seq(&cell->wake_on_empty, 1);
    atomic_u64_store_seq(&cell->word, cell_word(my_generation, o->call->serial, status));
    ring_worker(worker);
}

/* The process that was asked is not there any more. */
static bool
worker_is_gone(const Outstanding *o)
{
    uint64_t owner = atomic_u64_load_seq(mailbox_owner(o->call->worker));

    return owner == 0 || owner != o->owner || !slot_ref_alive(owner);
}

/* Puts a piece of a reply where it belongs. */
static void
collect(const Cell *cell, uint64_t word, Outstanding *o)
{
    MboxCall *call = o->call;
    PieceHead head;

    ot_assert(cell_read_head(cell, &head)); /* the worker's promise: published heads are whole */
    ot_assert(head.offset == call->reply_got);
    if (head.offset == 0 && !o->failed) {
        call->reply = arena_alloc(call->arena, head.total == 0 ? 1 : head.total);
        call->reply_size = head.total;
        o->failed = call->reply == NULL;
    }
    if (!o->failed && !cell_read_bytes(cell, &head, o->owner, call->reply + head.offset)) {
        o->lost = worker_is_gone(o);
        o->failed = true;
    }
    call->reply_got += head.size;
    if (cell_status(word) == CELL_FULL && !o->lost) {
        call->done = true;
        call->no_memory = o->failed;
    }
}

/* Takes what stands in the reply cell; more may follow while we are at it. */
static void
receive(MboxWorker worker)
{
    Cell *cell = cell_reply(worker, my_slot_index);

    for (size_t pieces = 0; pieces <= MBOX_MESSAGE_MAX / MBOX_PIECE_MAX; pieces++) {
        uint64_t word = atomic_u64_load_seq(&cell->word);
        Outstanding *o;

        if (cell_status(word) == CELL_EMPTY)
            return;
        ot_assert(cell_generation(word) == my_generation);
        o = find_call(worker, cell_serial(word));
        if (o != NULL && !o->call->done) /* else: of a call given up */
            collect(cell, word, o);
        atomic_u64_store_seq(&cell->word, cell_word(my_generation, cell_serial(word), CELL_EMPTY));
        if (cell_status(word) == CELL_MORE || atomic_u32_load_seq(&cell->wake_on_empty) != 0) {
            atomic_u32_store_seq(&cell->wake_on_empty, 0);
            ring_worker(worker);
        }
    }
}

/*
 * Serials run in a circle: what was given up long ago would one day stand ahead of the calls under way, and the
 * worker would drop their answers. What is that old has been seen by now.
 */
static void
forget_old_abandoned(MboxWorker worker)
{
    AtomicU64 *word = &cell_request(worker, my_slot_index)->abandoned;
    uint32_t serial = (uint32_t)atomic_u64_load_relaxed(word) & MBOX_SERIAL_MASK;

    if (serial != 0 && ((last_serial - serial) & MBOX_SERIAL_MASK) > MBOX_SERIAL_MASK / 4)
        atomic_u64_store_seq(word, (uint64_t)my_generation << 32);
}

int
mbox_submit(MboxCall *call, MboxWorker worker, BytesView bytes, Arena *arena, ErrInfo *err)
{
    Outstanding *o = NULL;

    ot_assert(my_slot != NULL && worker < MBOX_WORKER_COUNT && call->serial == 0);
    if (bytes.len > MBOX_MESSAGE_MAX)
        return err_set(err, OT_E_LIMIT, "a request of %d bytes is too long for a worker",
                       bytes.len);
    for (int i = 0; i < MBOX_CALLS_MAX && o == NULL; i++)
        if (table[i].call == NULL)
            o = &table[i];
    if (o == NULL)
        return err_set(err, OT_E_LIMIT, "%d requests to workers are under way", MBOX_CALLS_MAX);
    claim_once(worker);
    receive(worker); /* what came for a call given up: the worker does not wake us for room */
    last_serial = (last_serial + 1) & MBOX_SERIAL_MASK;
    if (last_serial == 0)
        last_serial = 1;
    forget_old_abandoned(worker);
    *call = (MboxCall){
        .worker = worker,
        .serial = last_serial,
        .bytes = bytes.ptr,
        .size = (size_t)bytes.len,
        .arena = arena,
    };
    *o = (Outstanding){.call = call, .owner = atomic_u64_load_seq(mailbox_owner(worker))};
    stat_add(STAT_MAILBOX_REQUESTS, 1);
    send_on(worker);
    return 0;
}

/* The call is over: its entry is free, its pieces no longer wait to be sent. */
static void
forget(Outstanding *o)
{
    if (directions[o->call->worker].sending == o->call->serial)
        directions[o->call->worker].sending = 0;
    o->call->serial = 0;
    o->call = NULL;
}

/* The highest serial that no living call is at or below: what the worker may forget. */
static void
publish_abandoned(MboxWorker worker, uint32_t serial)
{
    Cell *cell = cell_request(worker, my_slot_index);
    uint32_t limit = last_serial;

    for (int i = 0; i < MBOX_CALLS_MAX; i++)
        if (table[i].call != NULL && table[i].call->worker == worker &&
            serial_at_or_before(table[i].call->serial, limit))
            limit = (table[i].call->serial - 1) & MBOX_SERIAL_MASK;
    if (serial_at_or_before(serial, limit)) {
        atomic_u64_store_seq(&cell->abandoned, (uint64_t)my_generation << 32 | limit);
        ring_worker(worker);
    }
}

/*
 * Nobody waits for this call any more: the worker that was asked is gone, and its successor shall not do what
 * we have told our client is not done; or we have given up. What still stands in the cell is ours again: a worker
 * that took our bit and died leaves a successor that looks for bits only, and the cell would stay full for ever.
 */
static void
take_back(MboxWorker worker, uint32_t serial)
{
    Cell *cell = cell_request(worker, my_slot_index);
    uint64_t word = atomic_u64_load_seq(&cell->word);

    if (cell_status(word) != CELL_EMPTY && cell_serial(word) == serial)
        (void)atomic_u64_cas(&cell->word, &word, cell_word(my_generation, serial, CELL_EMPTY));
    publish_abandoned(worker, serial);
    send_on(worker);
}

MboxStatus
mbox_poll(MboxCall *call)
{
    MboxWorker worker = call->worker;
    uint32_t serial = call->serial;
    Outstanding *o;
    MboxStatus status = MBOX_WAITING;

    o = find_call(worker, serial);
    ot_assert(o != NULL && o->call == call);
    receive(worker);
    send_on(worker);
    if (call->done)
        status = call->no_memory ? MBOX_NO_MEMORY : MBOX_DONE;
    else if (worker_is_gone(o))
        status = MBOX_NO_WORKER;
    if (status != MBOX_WAITING)
        forget(o);
    if (status == MBOX_NO_WORKER)
        take_back(worker, serial);
    return status;
}

void
mbox_cancel(MboxCall *call)
{
    uint32_t serial = call->serial;
    Outstanding *o;

    if (serial == 0)
        return;
    o = find_call(call->worker, serial);
    ot_assert(o != NULL && o->call == call);
    forget(o);
    take_back(call->worker, serial);
    stat_add(STAT_MAILBOX_DROPPED, 1);
}
