/*
 * fetch_session_int.h - fetch sessions of the node (KIP-227; log.md 12.7, observed.md 3)
 *
 * A session belongs to the node, not to a connection: it lies in the region fetch_session and may be
 * continued on another connection, that is by another process. It is used under its robust lock; a
 * process that dies holding it costs the session (70, the client starts anew). The lock is not held
 * while a fetch waits: who comes back compares serial and epoch.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_FETCH_SESSION_INT_H
#define OTTLA_BACKEND_FETCH_SESSION_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/fetch_set_int.h"
#include "ottla/ipc/plock.h"
#include "ottla/ipc/region.h"
#include "ottla/ipc/waitlist.h"

#define FETCH_EPOCH_INITIAL 0
#define FETCH_EPOCH_FINAL   (-1)

/*
 * Kafka's constant. Idle for so long, a session may be evicted by any newcomer; existing for so long, by
 * a larger one.
 */
#define FETCH_SESSION_EVICTION_MS 120000

typedef struct FetchSession {
    AtomicU32 id;      /* 0: free. Given under both locks, taken away under the session's */
    AtomicU32 serial;  /* another one for each session that lives here */
    AtomicI64 used_ms; /* monotonic, of the last fetch */
    int64_t created_ms;
    AtomicI32 part_count; /* for eviction, without the lock */
    bool by_id;           /* made by a version that names topics by id */
    bool privileged;      /* of a follower */
    int32_t epoch;        /* the next one expected */
    PLock lock;
    FetchSet set;
} FetchSession;

/* A session this process holds the lock of. */
typedef struct FetchHold {
    FetchSession *session;
    int32_t index;
} FetchHold;

/* 1, 2 ... 2^31-1, 1: never 0. */
int32_t fetch_epoch_next(int32_t epoch);

/* Where the chunks of all sessions lie. */
const FetchChunks *fetch_session_chunks(void);

/*
 * Locks the session with this id. False: there is none (any more). A session whose last holder died
 * with the lock is destroyed here.
 */
bool fetch_session_lock(int32_t id, FetchHold *ret);

/* Locks the session again after a wait: false when it is gone or another one lives in its place. */
bool fetch_session_relock(int32_t index, uint32_t serial, FetchHold *ret);

void fetch_session_unlock(FetchHold *hold);

/* What a new session is made of. */
typedef struct FetchSessionNew {
    int32_t part_count;
    bool by_id;
    bool privileged;
    int64_t now_ms;
} FetchSessionNew;

/*
 * Makes a session and locks it: empty, epoch 1 expected. False: no room, nobody may be evicted for it
 * (answered without a session, not an error).
 */
bool fetch_session_create(const FetchSessionNew *what, FetchHold *ret);

/* Ends the session and lets go of the lock. */
void fetch_session_destroy(FetchHold *hold);

/* The waiter whose nodes the session's parts use. */
WaiterId fetch_session_waiter(const FetchHold *hold);

/*
 * A lock of fetch sessions, for statistics: index 0 is the table's, *ret_id 0; then each session's, with its id, 0: of none now.
 * NULL: there are no more.
 */
const PLock *fetch_session_lock_at(int32_t index, int32_t *ret_id);

/* Sessions that exist, for statistics and tests. */
int32_t fetch_session_count(void);

size_t fetch_session_shm_size(const ShmLimits *limits);
void fetch_session_shm_init(void *base, const ShmLimits *limits);

#endif
