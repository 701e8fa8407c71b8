/*
 * mailbox.c - the cells of mailboxes: layout, filling, reading
 *
 * Runs in: backends (mailbox_client.c) and workers (mailbox_worker.c).
 *
 * Crash argument. A cell has one writer at a time, told by its word alone.
 *   Backend killed while it fills a request: the word says EMPTY; its next owner stores its own
 *     generation with EMPTY before its first call (mailbox_claim) and fills anew. Killed after FULL: the worker takes
 *     the request and answers into nothing. Killed between FULL and bit: nobody sees it.
 *   Slot reused while the worker copies: the word changes before the content (claim first), so the
 *     worker's second look at the word discards the copy. Chunks of the dead may be taken by others
 *     before the slot is reused: the worker looks at their owner words after copying.
 *   Reply: the worker fills while the word says EMPTY and publishes by CAS from exactly that word; a
 *     new owner has changed it by then, and the reply is dropped.
 *   Controller killed: a crash cycle; nothing here survives it.
 *   Coordinator killed: it is restarted alone, with a new generation. Calls of before see another owner and end with
 *     MBOX_NO_WORKER; the client then empties its own request cell by CAS (the successor may be copying it: its
 *     own CAS fails, and it discards the copy) and says that the call is abandoned. Ready bits that the dead
 *     one had taken belong to such calls, or to calls given up, which are taken out of the cell likewise. A reply
 *     cell that was being filled says EMPTY; a FULL one is whole, and its chunks carry the dead generation: what was
 *     taken away from under the copy is noticed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/mailbox.h"

#include <string.h>

#include "bulk_int.h"
#include "mailbox_int.h"
#include "ottla/common/assert.h"
#include "ottla/ipc/latch.h"

/*
 * One region has the owners' words and the ready sets of all workers: whoever asks touches it, so it lies among what
 * everybody touches. The other has the cells of slot 0 towards worker 0, 1 ..., those of slot 1, and so on: a process
 * that asks several workers touches few pages, and the cells of workers that do not exist are touched by nobody.
 */
typedef struct MailboxHead {
    alignas(CACHE_LINE_BYTES) AtomicU64 owner;
} MailboxHead;

static char *heads;
static char *cells;
static int32_t slot_limit; /* backends and workers: workers may ask each other, too */

static size_t
heads_bytes(int32_t slots)
{
    return MBOX_WORKER_COUNT * (sizeof(MailboxHead) + ready_size(slots));
}

size_t
mailbox_heads_shm_size(const ShmLimits *limits)
{
    ot_assert(limits->mailbox_workers >= MBOX_WORKER_COUNT);
    return heads_bytes(limits->backend_slots + limits->worker_slots);
}

void
mailbox_heads_shm_init(void *base, const ShmLimits *limits)
{
    heads = base;
    slot_limit = limits->backend_slots + limits->worker_slots;
    ot_assert(slot_limit <= READY_BITS_MAX);
}

size_t
mailbox_shm_size(const ShmLimits *limits)
{
    int32_t slots = limits->backend_slots + limits->worker_slots;

    return 2 * sizeof(Cell) * MBOX_WORKER_COUNT * (size_t)slots;
}

void
mailbox_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits; /* the heads have them */
    cells = base;
}

AtomicU64 *
mailbox_owner(MboxWorker worker)
{
    ot_assert(worker < MBOX_WORKER_COUNT && heads != NULL);
    return &((MailboxHead *)(void *)heads)[worker].owner;
}

ReadySet *
mailbox_ready(MboxWorker worker)
{
    ot_assert(worker < MBOX_WORKER_COUNT && heads != NULL);
    return (ReadySet *)(void *)(heads + MBOX_WORKER_COUNT * sizeof(MailboxHead) +
                                (size_t)worker * ready_size(slot_limit));
}

Cell *
cell_request(MboxWorker worker, int32_t slot)
{
    ot_assert(worker < MBOX_WORKER_COUNT && cells != NULL);
    ot_assert(slot >= 0 && slot < slot_limit);
    return (Cell *)(void *)cells + 2 * ((size_t)slot * MBOX_WORKER_COUNT + worker);
}

Cell *
cell_reply(MboxWorker worker, int32_t slot)
{
    return cell_request(worker, slot) + 1;
}

void
mailbox_claim(MboxWorker worker, int32_t slot, uint32_t generation)
{
    Cell *request = cell_request(worker, slot);
    Cell *reply = cell_reply(worker, slot);

    atomic_u64_store_seq(&request->word, cell_word(generation, 0, CELL_EMPTY));
    atomic_u64_store_seq(&reply->word, cell_word(generation, 0, CELL_EMPTY));
    atomic_u64_store_seq(&request->abandoned, (uint64_t)generation << 32);
    atomic_u32_store_seq(&request->wake_on_empty, 0);
    atomic_u32_store_seq(&reply->wake_on_empty, 0);
}

bool
mbox_worker_is_open(MboxWorker worker)
{
    return slot_ref_alive(atomic_u64_load_seq(mailbox_owner(worker)));
}

void
mbox_wake_coordinators(void)
{
    if (heads == NULL)
        return; /* a test of the controller alone */
    for (int w = MBOX_COORDINATOR_FIRST; w < MBOX_WORKER_COUNT; w++) {
        uint64_t owner = atomic_u64_load_seq(mailbox_owner((MboxWorker)w));

        if (owner != 0)
            latch_set(slot_ref_unpack(owner));
    }
}

/* Takes chunks for bytes; what it got may be fewer, none too. */
static void
take_chunks(size_t bytes, PieceChunks *held)
{
    size_t wanted = (bytes + BULK_CHUNK_BYTES - 1) / BULK_CHUNK_BYTES;

    if (wanted > MBOX_PIECE_CHUNKS)
        wanted = MBOX_PIECE_CHUNKS;
    held->count = 0;
    while (held->count < wanted) {
        uint32_t chunk = bulk_alloc();

        if (chunk == POOL_NONE)
            break;
        held->chunks[held->count++] = chunk;
    }
}

CellStatus
cell_fill(Cell *cell, Piece *piece, PieceChunks *held)
{
    const uint8_t *from = piece->message + piece->offset;
    size_t left = piece->total - piece->offset;

    ot_assert(held->count == 0);
    if (left > MBOX_INLINE_BYTES)
        take_chunks(left, held);
    if (held->count == 0) {
        uint64_t words[MBOX_INLINE_BYTES / 8] = {0};

        piece->size = left < MBOX_INLINE_BYTES ? left : MBOX_INLINE_BYTES;
        memcpy(words, from, piece->size);
        shared_copy_in(cell->bytes, words, (piece->size + 7) & ~(size_t)7);
    } else {
        size_t room = (size_t)held->count * BULK_CHUNK_BYTES;
        size_t done = 0;

        piece->size = left < room ? left : room;
        for (uint32_t i = 0; i < held->count; i++) {
            size_t n =
                piece->size - done < BULK_CHUNK_BYTES ? piece->size - done : BULK_CHUNK_BYTES;

            memcpy(bulk_at(held->chunks[i]), from + done, n);
            atomic_u32_store_relaxed(&cell->chunks[i], held->chunks[i]);
            done += n;
        }
    }
    atomic_u32_store_relaxed(&cell->offset, (uint32_t)piece->offset);
    atomic_u32_store_relaxed(&cell->size, (uint32_t)piece->size);
    atomic_u32_store_relaxed(&cell->total, (uint32_t)piece->total);
    atomic_u32_store_relaxed(&cell->chunk_count, held->count);
    return piece->offset + piece->size == piece->total ? CELL_FULL : CELL_MORE;
}

void
cell_free_chunks(PieceChunks *held)
{
    for (uint32_t i = 0; i < held->count; i++)
        bulk_free(held->chunks[i]);
    held->count = 0;
}

bool
cell_read_head(const Cell *cell, PieceHead *ret)
{
    ret->offset = atomic_u32_load_relaxed(&cell->offset);
    ret->size = atomic_u32_load_relaxed(&cell->size);
    ret->total = atomic_u32_load_relaxed(&cell->total);
    ret->chunk_count = atomic_u32_load_relaxed(&cell->chunk_count);
    if (ret->total > MBOX_MESSAGE_MAX || ret->offset > ret->total ||
        ret->size > ret->total - ret->offset || ret->chunk_count > MBOX_PIECE_CHUNKS)
        return false;
    for (uint32_t i = 0; i < ret->chunk_count; i++)
        ret->chunks[i] = atomic_u32_load_relaxed(&cell->chunks[i]);
    if (ret->chunk_count == 0)
        return ret->size <= MBOX_INLINE_BYTES;
    return ret->size <= (size_t)ret->chunk_count * BULK_CHUNK_BYTES;
}

bool
cell_read_bytes(const Cell *cell, const PieceHead *head, uint64_t writer, uint8_t *ret)
{
    size_t done = 0;

    if (head->chunk_count == 0) {
        uint64_t words[MBOX_INLINE_BYTES / 8];

        shared_copy_out(words, cell->bytes, (head->size + 7) & ~(size_t)7);
        memcpy(ret, words, head->size);
        fence_acquire(); /* the caller looks at the word again */
        return true;
    }
    for (uint32_t i = 0; i < head->chunk_count; i++) {
        size_t n = head->size - done < BULK_CHUNK_BYTES ? head->size - done : BULK_CHUNK_BYTES;

        if (!bulk_belongs_to(head->chunks[i], writer))
            return false;
        memcpy(ret + done, bulk_at(head->chunks[i]), n);
        done += n;
    }
    fence_acquire();
    for (uint32_t i = 0; i < head->chunk_count; i++)
        if (!bulk_belongs_to(head->chunks[i], writer))
            return false;
    return true;
}
