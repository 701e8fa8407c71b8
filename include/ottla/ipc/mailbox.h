/*
 * mailbox.h - requests from backends to workers, and their replies
 *
 * Per (backend slot, worker) one cell each way, with one state word {generation, serial, state}. A
 * message of any length up to MBOX_MESSAGE_MAX travels as pieces: up to 512 bytes inside the cell,
 * else up to 1 MiB in bulk chunks of 64 KiB; a piece that is not the last is stored as MORE. The
 * worker copies a piece, reads the word again (changed: discard) and stores EMPTY, so a request
 * that the worker holds holds no cell. Several requests of one backend may be under way.
 *
 * Backend: mbox_submit, then park; after each wake-up mbox_poll. Worker: after each wake-up
 * mbox_next until it says no; mbox_reply whenever the answer is there, from any later turn.
 *
 * Crash rules: src/ipc/mailbox.c. The death of a backend needs no care: its requests are answered
 * into nothing. The death of the controller is a crash cycle; a coordinator is restarted alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_MAILBOX_H
#define OTTLA_IPC_MAILBOX_H

#include <sys/uio.h>

#include "ottla/common/arena.h"
#include "ottla/common/err.h"
#include "ottla/ipc/slot.h"

#define MBOX_INLINE_BYTES 512
#define BULK_CHUNK_BYTES  65536
#define MBOX_PIECE_CHUNKS 16 /* a piece is at most 1 MiB */
#define MBOX_MESSAGE_MAX  (128 << 20)
#define MBOX_CALLS_MAX    32 /* requests of one process under way to all workers together */

#define MBOX_COORDINATORS_MAX 16 /* group.coordinator.threads */

/* Workers that take requests. The worker says which slot it is by mbox_worker_open. */
typedef enum MboxWorker {
    MBOX_CONTROLLER,
    MBOX_COORDINATOR_FIRST, /* and those behind it: as many as group.coordinator.threads */
    MBOX_WORKER_COUNT = MBOX_COORDINATOR_FIRST + MBOX_COORDINATORS_MAX
} MboxWorker;

size_t mailbox_heads_shm_size(const ShmLimits *limits);
void mailbox_heads_shm_init(void *base, const ShmLimits *limits);
size_t mailbox_shm_size(const ShmLimits *limits);
void mailbox_shm_init(void *base, const ShmLimits *limits);
size_t bulk_shm_size(const ShmLimits *limits);
void bulk_shm_init(void *base, const ShmLimits *limits);

/* ---- backend ------------------------------------------------------------------------------- */

/* One request under way; the caller's memory (the request's arena), zeroed before submit. */
typedef struct MboxCall {
    MboxWorker worker;
    uint32_t serial;      /* 0: not under way */
    const uint8_t *bytes; /* of the request; must live until sent_bytes == size */
    size_t size;
    size_t sent_bytes; /* handed over so far, in pieces */
    Arena *arena;      /* takes the reply */
    uint8_t *reply;    /* collected so far; whole when mbox_poll says DONE */
    size_t reply_size; /* of the whole reply, known from its first piece */
    size_t reply_got;
    bool done;
    bool no_memory;
} MboxCall;

typedef enum MboxStatus {
    MBOX_WAITING,   /* not answered yet: park, the latch will be set */
    MBOX_DONE,      /* call->reply, call->reply_size; the call is over */
    MBOX_NO_WORKER, /* the worker is not running, or was restarted: no answer will come */
    MBOX_NO_MEMORY, /* the arena could not take the reply; the call is over */
} MboxStatus;

/*
 * Begins a call. bytes must stay as they are until the call is over. arena: where the reply goes.
 * Never blocks: what does not fit now goes out at later polls. OT_E_LIMIT: MBOX_CALLS_MAX calls are
 * under way, or the message is above MBOX_MESSAGE_MAX.
 */
int mbox_submit(MboxCall *call, MboxWorker worker, BytesView bytes, Arena *arena, ErrInfo *err)
    __attribute__((warn_unused_result));

/* After each wake-up: moves all this process's calls on and tells about this one. */
MboxStatus mbox_poll(MboxCall *call);

/*
 * Gives the call up: deadline, hang-up, signal. The worker forgets the reply, not what the request
 * did. Nothing happens when the call is over.
 */
void mbox_cancel(MboxCall *call);

/* True when the worker has said mbox_worker_open and lives. */
bool mbox_worker_is_open(MboxWorker worker);

/* Wakes all coordinators that run: the metadata image has changed. */
void mbox_wake_coordinators(void);

/* ---- worker -------------------------------------------------------------------------------- */

/* Where an answer belongs. A plain value; may be kept as long as the worker likes. */
typedef struct MboxCookie {
    MboxWorker worker;
    SlotRef client;
    uint32_t serial;
} MboxCookie;

typedef struct MboxRequest {
    MboxCookie cookie;
    const uint8_t *bytes; /* in the arena given to mbox_next */
    size_t size;
    int64_t sent_us; /* monotonic: when the last of it was put in, by what the sender says */
} MboxRequest;

/* The worker's process, once: it takes requests from now on. */
void mbox_worker_open(MboxWorker worker);

/* It takes no more: calls under way get MBOX_NO_WORKER. */
void mbox_worker_close(MboxWorker worker);

/*
 * The next whole request, copied into the arena; false: none is waiting. rescan: WOKE_RESCAN of
 * this turn: look at every cell. Also sends replies on that waited for room. What does not fit the arena
 * is kept for the next turn, then false: use a fresh arena each turn, with room for the largest
 * request.
 */
bool mbox_next(MboxWorker worker, Arena *arena, bool rescan, MboxRequest *ret);

/* True when nobody waits for the answer any more: client dead or cancelled. */
bool mbox_is_abandoned(const MboxCookie *cookie);

/*
 * Answers. The bytes are copied (what does not fit the cell now is kept in private memory and goes
 * out as the client takes it). Dropped when nobody waits for it.
 */
void mbox_reply(const MboxCookie *cookie, const struct iovec *parts, int count);

/* Replies kept back in private memory now, and their bytes. */
int32_t mbox_replies_waiting(MboxWorker worker);
size_t mbox_reply_bytes(MboxWorker worker);

/* ---- bulk chunks ------------------------------------------------------------------------------- */

/*
 * Gives the pages that a rush of long messages used back to the system when it is over; workers call it
 * when they are awake anyway. When it wants to be called next, INT64_MAX: there are none. Monotonic.
 */
int64_t bulk_tidy(int64_t now_us);

/* For tests and statistics: chunks in all, and taken ones (a count of the words: O(chunks)). */
uint32_t bulk_chunk_count(void);
uint32_t bulk_chunks_taken(void);

/*
 * This process has taken a slot: calls of before belong to another owner of it, or to the parent. By
 * slot_claim. What a predecessor left in the cells is cleared by the first call.
 */
void mbox_begin(void);

#endif
