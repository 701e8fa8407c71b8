/*
 * mailbox_int.h - the cells of mailboxes and the pieces in them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_MAILBOX_INT_H
#define OTTLA_IPC_MAILBOX_INT_H

#include "ottla/ipc/mailbox.h"
#include "ottla/ipc/readyset.h"

#define MBOX_PIECE_MAX   ((size_t)MBOX_PIECE_CHUNKS * BULK_CHUNK_BYTES)
#define MBOX_SERIAL_MASK 0xffffffu

/* Low byte of a cell's word. */
typedef enum CellStatus {
    CELL_EMPTY = 0, /* the writer's to fill */
    CELL_FULL,      /* the last piece of a message, the reader's to take */
    CELL_MORE,      /* a piece, others follow */
} CellStatus;

/*
 * One direction between a slot and a worker. The content belongs to the writer while the word says
 * EMPTY, to the reader otherwise.
 */
typedef struct Cell {
    alignas(CACHE_LINE_BYTES) AtomicU64 word; /* generation << 32 | serial << 8 | CellStatus */
    AtomicU64 abandoned;     /* request cell: generation << 32 | serial: given up up to here */
    AtomicU32 wake_on_empty; /* the writer wants to know when the reader has emptied it */
    AtomicU32 offset;        /* of the piece in the message */
    AtomicU32 size;          /* of the piece */
    AtomicU32 total;         /* of the message */
    AtomicU32 chunk_count;   /* 0: the piece lies in bytes */
    AtomicU32 chunks[MBOX_PIECE_CHUNKS];
    AtomicI64 filled_us; /* monotonic: request cell: when the piece was put here */
    alignas(CACHE_LINE_BYTES) uint64_t bytes[MBOX_INLINE_BYTES / 8];
} Cell;

static_assert(sizeof(Cell) == 2 * CACHE_LINE_BYTES + MBOX_INLINE_BYTES,
              "head lines, then the inline bytes");

/* Chunks of a piece under way; private to its writer, freed when the cell is empty again. */
typedef struct PieceChunks {
    uint32_t count;
    uint32_t chunks[MBOX_PIECE_CHUNKS];
} PieceChunks;

/* A piece to be written. */
typedef struct Piece {
    const uint8_t *message;
    size_t total;
    size_t offset;
    size_t size; /* set by cell_fill: what fitted */
} Piece;

Cell *cell_request(MboxWorker worker, int32_t slot);
Cell *cell_reply(MboxWorker worker, int32_t slot);

/*
 * Clears what a predecessor in this slot left in its cells towards a worker. By the slot's owner, before
 * its first call to that worker: the cells of the others stay untouched memory.
 */
void mailbox_claim(MboxWorker worker, int32_t slot, uint32_t generation);

/* The worker's set of slots to look at. */
ReadySet *mailbox_ready(MboxWorker worker);

/* Packed SlotRef of the worker's process; 0: closed. */
AtomicU64 *mailbox_owner(MboxWorker worker);

static inline uint64_t
cell_word(uint32_t generation, uint32_t serial, CellStatus status)
{
    return (uint64_t)generation << 32 | (uint64_t)(serial & MBOX_SERIAL_MASK) << 8 |
           (uint64_t)status;
}

static inline uint32_t
cell_generation(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint32_t
cell_serial(uint64_t word)
{
    return (uint32_t)(word >> 8) & MBOX_SERIAL_MASK;
}

static inline CellStatus
cell_status(uint64_t word)
{
    return (CellStatus)(word & 0xff);
}

/* Serials run in a circle of 2^24: is a at or before b? */
static inline bool
serial_at_or_before(uint32_t a, uint32_t b)
{
    return ((b - a) & MBOX_SERIAL_MASK) < MBOX_SERIAL_MASK / 2;
}

/*
 * The writer of an EMPTY cell fills in the next piece of a message, with as many chunks as it can
 * get; without any, with what fits inside. The word is not touched. Returns the status to publish.
 */
CellStatus cell_fill(Cell *cell, Piece *piece, PieceChunks *held);

/* Frees the chunks of the piece before; the cell is empty. */
void cell_free_chunks(PieceChunks *held);

/* What a reader finds in a cell: numbers only, checked against the limits. */
typedef struct PieceHead {
    size_t offset;
    size_t size;
    size_t total;
    uint32_t chunk_count;
    uint32_t chunks[MBOX_PIECE_CHUNKS];
} PieceHead;

/* False: not a possible piece (the cell is being reused by a new owner). */
bool cell_read_head(const Cell *cell, PieceHead *ret);

/*
 * Copies a piece. False: its chunks are no longer the writer's, what was copied is worthless. The
 * caller then compares the cell's word as well.
 */
bool cell_read_bytes(const Cell *cell, const PieceHead *head, uint64_t writer, uint8_t *ret);

#endif
