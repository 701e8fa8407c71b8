/*
 * mailbox_worker.c - the worker's side: requests put together, replies handed out as they fit
 *
 * Runs in: the worker that has opened the mailbox.
 * Never: blocks, or trusts a cell before its second look at the word.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mailbox_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/latch.h"

/* A reply on its way. */
typedef struct Reply {
    struct Reply *next;
    MboxCookie cookie;
    size_t size;
    size_t sent;
    uint8_t bytes[];
} Reply;

/* What the worker keeps of a slot that talks to it; private memory. */
typedef struct Client {
    uint32_t generation; /* of the partial request */
    uint32_t serial;
    uint8_t *partial; /* request put together so far; NULL: none */
    size_t partial_got;
    size_t partial_total;
    int64_t partial_us; /* when the last piece was sent */
    Reply *first;       /* replies in order */
    Reply *last;
    PieceChunks held; /* of the piece in the reply cell */
} Client;

typedef struct WorkerSide {
    Client **clients; /* by slot; NULL: never talked to us */
    ReadyCursor cursor;
    bool walking;
    int32_t waiting; /* replies */
    size_t bytes;    /* of them */
} WorkerSide;

static WorkerSide sides[MBOX_WORKER_COUNT];

void
mbox_worker_open(MboxWorker worker)
{
    WorkerSide *side = &sides[worker];

    ot_assert(my_slot != NULL && side->clients == NULL);
    side->clients = calloc((size_t)slot_count(), sizeof(Client *));
    ot_assert(side->clients != NULL);
    side->walking = false;
    atomic_u64_store_seq(mailbox_owner(worker), slot_ref_pack(slot_ref_self()));
}

static void
drop_partial(Client *client)
{
    free(client->partial);
    client->partial = NULL;
    client->partial_got = 0;
    client->partial_total = 0;
}

static void
pop_reply(WorkerSide *side, Client *client)
{
    Reply *reply = client->first;

    client->first = reply->next;
    if (client->first == NULL)
        client->last = NULL;
    side->waiting--;
    side->bytes -= reply->size;
    free(reply);
}

void
mbox_worker_close(MboxWorker worker)
{
    WorkerSide *side = &sides[worker];

    atomic_u64_store_seq(mailbox_owner(worker), 0);
    for (int32_t i = 0; side->clients != NULL && i < slot_count(); i++) {
        Client *client = side->clients[i];

        if (client == NULL)
            continue;
        while (client->first != NULL)
            pop_reply(side, client);
        cell_free_chunks(&client->held);
        drop_partial(client);
        free(client);
    }
    free(side->clients);
    side->clients = NULL;
}

static Client *
client_at(WorkerSide *side, int32_t slot)
{
    if (side->clients[slot] == NULL) {
        side->clients[slot] = calloc(1, sizeof(Client));
        ot_assert(side->clients[slot] != NULL);
    }
    return side->clients[slot];
}

bool
mbox_is_abandoned(const MboxCookie *cookie)
{
    uint64_t abandoned;

    if (!slot_is_alive(cookie->client.index, cookie->client.generation))
        return true;
    abandoned = atomic_u64_load_seq(&cell_request(cookie->worker, cookie->client.index)->abandoned);
    return (uint32_t)(abandoned >> 32) == cookie->client.generation &&
           ((uint32_t)abandoned & MBOX_SERIAL_MASK) != 0 &&
           serial_at_or_before(cookie->serial, (uint32_t)abandoned & MBOX_SERIAL_MASK);
}

/* ---- replies ----------------------------------------------------------------------------------- */

/* Hands out one piece of the first reply. False: the cell is taken, or the reply was dropped. */
static bool
send_piece(WorkerSide *side, Client *client)
{
    Reply *reply = client->first;
    Cell *cell = cell_reply(reply->cookie.worker, reply->cookie.client.index);
    uint64_t word = atomic_u64_load_seq(&cell->word);
    Piece piece = {reply->bytes, reply->size, reply->sent, 0};
    CellStatus status;

    if (cell_generation(word) == reply->cookie.client.generation &&
        cell_status(word) != CELL_EMPTY) {
        atomic_u32_store_seq(&cell->wake_on_empty, 1);
        word = atomic_u64_load_seq(&cell->word);
        if (cell_status(word) != CELL_EMPTY)
            return false;
    }
    cell_free_chunks(&client->held); /* taken by their reader, or nobody's any more */
    /* Half a reply is never left out: its reader drops the rest itself. */
    if (cell_generation(word) != reply->cookie.client.generation ||
        (reply->sent == 0 && mbox_is_abandoned(&reply->cookie))) {
        stat_add(STAT_MAILBOX_DROPPED, 1);
        pop_reply(side, client);
        return client->first != NULL;
    }
    status = cell_fill(cell, &piece, &client->held);
    atomic_u32_store_seq(&cell->wake_on_empty, client->held.count > 0 || reply->next != NULL);
    crashpoint("mailbox.reply.filled");
    if (!atomic_u64_cas(&cell->word, &word,
                        cell_word(reply->cookie.client.generation, reply->cookie.serial, status)))
        return true; /* a new owner of the slot: the next look drops the reply */
    reply->sent += piece.size;
    crashpoint("mailbox.reply.published");
    latch_set(reply->cookie.client);
    if (status == CELL_FULL) {
        stat_add(STAT_MAILBOX_REPLIES, 1);
        pop_reply(side, client);
    }
    return client->first != NULL;
}

static void
send_replies(WorkerSide *side, Client *client, MboxWorker worker, int32_t slot)
{
    while (client->first != NULL && send_piece(side, client))
        ;
    if (client->first == NULL && client->held.count > 0 &&
        cell_status(atomic_u64_load_seq(&cell_reply(worker, slot)->word)) == CELL_EMPTY)
        cell_free_chunks(&client->held);
}

void
mbox_reply(const MboxCookie *cookie, const struct iovec *parts, int count)
{
    WorkerSide *side = &sides[cookie->worker];
    Client *client = client_at(side, cookie->client.index);
    size_t size = 0;
    size_t done = 0;
    Reply *reply;

    if (mbox_is_abandoned(cookie)) {
        stat_add(STAT_MAILBOX_DROPPED, 1);
        return;
    }
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    ot_assert(size <= MBOX_MESSAGE_MAX);
    reply = malloc(sizeof *reply + size);
    ot_assert(reply != NULL);
    *reply = (Reply){.cookie = *cookie, .size = size};
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0)
            memcpy(reply->bytes + done, parts[i].iov_base, parts[i].iov_len);
        done += parts[i].iov_len;
    }
    if (client->last == NULL)
        client->first = reply;
    else
        client->last->next = reply;
    client->last = reply;
    side->waiting++;
    side->bytes += size;
    send_replies(side, client, cookie->worker, cookie->client.index);
}

int32_t
mbox_replies_waiting(MboxWorker worker)
{
    return sides[worker].waiting;
}

size_t
mbox_reply_bytes(MboxWorker worker)
{
    return sides[worker].bytes;
}

/* After a death: forgets what was kept for the dead. */
static void
drop_dead_clients(WorkerSide *side, MboxWorker worker)
{
    for (int32_t slot = 0; slot < slot_count(); slot++) {
        Client *client = side->clients[slot];

        if (client == NULL)
            continue;
        if (client->partial != NULL && !slot_is_alive(slot, client->generation))
            drop_partial(client);
        while (client->first != NULL &&
               !slot_is_alive(slot, client->first->cookie.client.generation))
            pop_reply(side, client);
        /* Nobody reads the cell of a dead slot; its next owner empties it. */
        if (client->held.count > 0 && client->first == NULL && slot_state(slot) == SLOT_DEAD)
            cell_free_chunks(&client->held);
        send_replies(side, client, worker, slot);
    }
}

/* ---- requests ---------------------------------------------------------------------------------- */

/* Marks the slot to be looked at again, at the next turn. */
static void
look_again(MboxWorker worker, int32_t slot)
{
    (void)ready_set(mailbox_ready(worker), slot);
    (void)atomic_u32_swap(&my_slot->latch_set, 1); /* the next wait returns at once */
}

/* Where a piece is to be copied; NULL: no memory now, or a piece of nothing we know. */
static uint8_t *
room_for(Client *client, uint64_t word, const PieceHead *head, Arena *arena)
{
    bool continues = client->partial != NULL && client->generation == cell_generation(word) &&
                     client->serial == cell_serial(word) && client->partial_got == head->offset &&
                     client->partial_total == head->total;

    if (!continues)
        drop_partial(client);
    if (head->offset == 0 && cell_status(word) == CELL_FULL)
        return arena_alloc(arena, head->size == 0 ? 1 : head->size);
    if (!continues && head->offset != 0)
        return NULL;
    if (!continues) {
        client->partial = malloc(head->total);
        client->partial_total = head->total;
        client->generation = cell_generation(word);
        client->serial = cell_serial(word);
    }
    return client->partial == NULL ? NULL : client->partial + head->offset;
}

/* A request of several pieces is whole: moves it to the arena. False: no room this turn. */
static bool
deliver_partial(Client *client, Arena *arena, MboxRequest *ret)
{
    uint8_t *bytes = arena_alloc(arena, client->partial_total);

    if (bytes == NULL)
        return false;
    memcpy(bytes, client->partial, client->partial_total);
    ret->bytes = bytes;
    ret->size = client->partial_total;
    ret->sent_us = client->partial_us;
    drop_partial(client);
    return true;
}

typedef enum Taken {
    TAKEN_NOTHING,
    TAKEN_REQUEST, /* ret is filled */
    TAKEN_NO_ROOM, /* the arena is full: again next turn */
} Taken;

/* Empties the cell if it still holds what was copied. False: discard the copy. */
static bool
empty_cell(Cell *cell, uint64_t word, SlotRef client)
{
    uint64_t expected = word;

    if (!atomic_u64_cas(&cell->word, &expected,
                        cell_word(cell_generation(word), cell_serial(word), CELL_EMPTY)))
        return false;
    crashpoint("mailbox.request.taken");
    if (cell_status(word) == CELL_MORE || atomic_u32_load_seq(&cell->wake_on_empty) != 0)
        latch_set(client);
    return true;
}

/* Takes the piece in a slot's request cell. */
static Taken
take_piece(MboxWorker worker, int32_t slot, Client *client, Arena *arena, MboxRequest *ret)
{
    Cell *cell = cell_request(worker, slot);
    uint64_t word = atomic_u64_load_seq(&cell->word);
    SlotRef writer = {slot, cell_generation(word)};
    PieceHead head;
    int64_t sent_us;
    uint8_t *room;

    if (client->partial != NULL && client->partial_got == client->partial_total) {
        ret->cookie = (MboxCookie){worker, {slot, client->generation}, client->serial};
        return deliver_partial(client, arena, ret) ? TAKEN_REQUEST : TAKEN_NO_ROOM;
    }
    if (cell_status(word) == CELL_EMPTY || !slot_is_alive(slot, writer.generation) ||
        !cell_read_head(cell, &head))
        return TAKEN_NOTHING;
    ret->cookie = (MboxCookie){worker, writer, cell_serial(word)};
    room = room_for(client, word, &head, arena);
    if (room == NULL && head.offset == 0)
        return TAKEN_NO_ROOM;
    if (room == NULL || !cell_read_bytes(cell, &head, slot_ref_pack(writer), room)) {
        (void)empty_cell(cell, word, writer); /* rest of a request given up */
        return TAKEN_NOTHING;
    }
    sent_us = atomic_i64_load_relaxed(&cell->filled_us);
    crashpoint("mailbox.request.copied");
    if (!empty_cell(cell, word, writer))
        return TAKEN_NOTHING; /* the slot has a new owner: its bit will come */
    if (head.offset == 0 && cell_status(word) == CELL_FULL) {
        ret->bytes = room;
        ret->size = head.size;
        ret->sent_us = sent_us;
        return TAKEN_REQUEST;
    }
    client->partial_got += head.size;
    client->partial_us = sent_us;
    if (client->partial_got < client->partial_total)
        return TAKEN_NOTHING;
    return deliver_partial(client, arena, ret) ? TAKEN_REQUEST : TAKEN_NO_ROOM;
}

bool
mbox_next(MboxWorker worker, Arena *arena, bool rescan, MboxRequest *ret)
{
    WorkerSide *side = &sides[worker];
    int32_t slot;

    ot_assert(side->clients != NULL);
    if (rescan && side->walking && !side->cursor.all) {
        ready_put_back(&side->cursor);
        side->walking = false;
    }
    if (!side->walking) {
        if (rescan)
            drop_dead_clients(side, worker);
        ready_begin(&side->cursor, mailbox_ready(worker), slot_count(), rescan);
        side->walking = true;
    }
    while ((slot = ready_next(&side->cursor)) >= 0) {
        Client *client = client_at(side, slot);
        Taken taken;

        crashpoint("mailbox.bit.taken");
        send_replies(side, client, worker, slot);
        taken = take_piece(worker, slot, client, arena, ret);
        if (taken == TAKEN_NO_ROOM) {
            look_again(worker, slot);
            break;
        }
        if (taken == TAKEN_REQUEST && !mbox_is_abandoned(&ret->cookie))
            return true;
    }
    ready_put_back(&side->cursor);
    side->walking = false;
    return false;
}
