/*
 * fetch_session.c - fetch sessions of the node: the table in shared memory
 *
 * Runs in: backend.
 * Never: waits for anything but a lock with a deadline; reads partitions (fetch_read.c does).
 *
 * Locks: table lock (creation and eviction), then a session's lock. Lookup by id needs no table lock:
 * id % capacity is the index, and the id is compared again under the session's lock.
 *
 * Crash argument: everything in a session is changed under its robust lock. Whoever finds the owner
 * dead destroys the session: chunks are found by the set's chunk tables, whose entries are written
 * before they are used, and a chunk taken but not yet entered names the session in the pool all the
 * same: the pool is asked, not the tables (session_reset, which may die halfway and is then done
 * again). Wait nodes need no care: wait_renew makes all nodes of before count for nothing. The table
 * lock protects no data of its own but the choice of a slot, so a dead owner leaves nothing to repair.
 * A process that dies while it waits for a session, without its lock, leaves its name as the one to
 * wake; waitlist.c takes a dead one for nobody.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_session_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/random.h"
#include "ottla/ipc/counters.h"
#include "ottla/metrics/facts.h"

#define LOCK_WAIT_US (10 * 1000 * 1000)

/* Besides two chunks for each session, for the large ones. */
#define EXTRA_CHUNKS 4096

typedef struct SessionTable {
    int32_t capacity;
    uint32_t chunk_count;
    PLock lock;
    AtomicI32 count;
} SessionTable;

static SessionTable *table;
static FetchSession *sessions;
static FetchChunks chunks;

static uint32_t
chunk_count(const ShmLimits *limits)
{
    return (uint32_t)limits->fetch_sessions * 2 + EXTRA_CHUNKS;
}

/* Without locks: a session that is changed meanwhile counts as before or as after. */
static void
find_figures(int64_t *ret_sessions, int64_t *ret_partitions)
{
    int64_t count = 0, partitions = 0;

    for (int32_t i = 0; i < table->capacity && sessions[i].lock.initialized != 0; i++)
        if (atomic_u32_load(&sessions[i].id) != 0) {
            count++;
            partitions += atomic_i32_load(&sessions[i].part_count);
        }
    *ret_sessions = count;
    *ret_partitions = partitions;
}

size_t
fetch_session_shm_size(const ShmLimits *limits)
{
    return region_round(sizeof(SessionTable)) +
           region_round((size_t)limits->fetch_sessions * sizeof(FetchSession)) +
           region_round(pool_size(chunk_count(limits))) +
           (size_t)chunk_count(limits) * FETCH_CHUNK_BYTES;
}

void
fetch_session_shm_init(void *base, const ShmLimits *limits)
{
    uint8_t *at = base;
    table = base;
    table->capacity = limits->fetch_sessions;
    table->chunk_count = chunk_count(limits);
    plock_init(&table->lock, PLOCK_RANK_FETCH_TABLE);
    at += region_round(sizeof(SessionTable));
    sessions = (void *)at;
    at += region_round((size_t)limits->fetch_sessions * sizeof(FetchSession));
    chunks.pool = (void *)at;
    pool_init(chunks.pool, table->chunk_count);
    chunks.base = at + region_round(pool_size(table->chunk_count));
    metric_find_fetch_sessions = find_figures;
}

const FetchChunks *
fetch_session_chunks(void)
{
    return &chunks;
}

int32_t
fetch_session_count(void)
{
    return atomic_i32_load(&table->count);
}

/* Places are used in order (slot_choose), so behind the first that never was there is nothing. */
const PLock *
fetch_session_lock_at(int32_t index, int32_t *ret_id)
{
    *ret_id = 0;
    if (index == 0)
        return &table->lock;
    if (index < 0 || index > table->capacity || sessions[index - 1].lock.initialized == 0)
        return NULL;
    *ret_id = (int32_t)atomic_u32_load(&sessions[index - 1].id);
    return &sessions[index - 1].lock;
}

int32_t
fetch_epoch_next(int32_t epoch)
{
    return epoch < 0 ? FETCH_EPOCH_FINAL : epoch == INT32_MAX ? 1 : epoch + 1;
}

WaiterId
fetch_session_waiter(const FetchHold *hold)
{
    return wait_session_waiter(hold->index);
}

/* The owner word of the chunks of whoever lives at this index. */
static uint64_t
chunk_owner(int32_t index)
{
    return (uint64_t)index + 1;
}

static bool
chunk_is_lost(uint32_t chunk, uint64_t owner, void *arg)
{
    (void)chunk; /* every chunk of that owner is lost */
    return owner == *(const uint64_t *)arg;
}

/*
 * Makes the slot free. doubtful: a holder died inside, so the set's tables are not believed and the
 * pool is asked instead.
 */
static void
session_reset(int32_t index, bool doubtful)
{
    FetchSession *s = &sessions[index];
    uint64_t owner = chunk_owner(index);
    if (doubtful) {
        uint32_t position = 0;
        (void)pool_scan(chunks.pool, &position, table->chunk_count, chunk_is_lost, &owner);
        fetch_set_init(&s->set, owner);
    } else {
        fetch_set_fini(&s->set, &chunks);
    }
    wait_renew(wait_session_waiter(index));
    if (atomic_u32_load(&s->id) != 0) {
        atomic_u32_store(&s->id, 0);
        atomic_i32_add(&table->count, -1);
    }
    atomic_u32_add(&s->serial, 1);
    atomic_i32_store(&s->part_count, 0);
}

/* Takes the session's lock; what a dead holder left is reset, and then there is no session. */
static bool
session_take(int32_t index, bool wait)
{
    FetchSession *s = &sessions[index];
    if (s->lock.initialized == 0)
        return false;
    PLockResult got =
        wait ? plock_lock(&s->lock, clock_mono_us() + LOCK_WAIT_US, WAIT_EV_FETCH_SESSIONS)
             : plock_trylock(&s->lock);
    if (got == PLOCK_OWNER_DIED) {
        session_reset(index, true);
        plock_consistent(&s->lock);
    }
    return got != PLOCK_TIMEOUT;
}

bool
fetch_session_lock(int32_t id, FetchHold *ret)
{
    if (id <= 0 || table->capacity == 0)
        return false;
    int32_t index = id % table->capacity;
    if (atomic_u32_load(&sessions[index].id) != (uint32_t)id || !session_take(index, true))
        return false;
    if (atomic_u32_load(&sessions[index].id) != (uint32_t)id) {
        plock_unlock(&sessions[index].lock);
        return false;
    }
    *ret = (FetchHold){&sessions[index], index};
    return true;
}

bool
fetch_session_relock(int32_t index, uint32_t serial, FetchHold *ret)
{
    FetchSession *s = &sessions[index];
    if (atomic_u32_load(&s->serial) != serial || !session_take(index, true))
        return false;
    if (atomic_u32_load(&s->serial) != serial || atomic_u32_load(&s->id) == 0) {
        plock_unlock(&s->lock);
        return false;
    }
    *ret = (FetchHold){s, index};
    return true;
}

void
fetch_session_unlock(FetchHold *hold)
{
    atomic_i32_store(&hold->session->part_count, hold->session->set.part_count);
    plock_unlock(&hold->session->lock);
    *hold = (FetchHold){NULL, FETCH_NONE};
}

void
fetch_session_destroy(FetchHold *hold)
{
    session_reset(hold->index, false);
    plock_unlock(&hold->session->lock);
    *hold = (FetchHold){NULL, FETCH_NONE};
}

/* Idle for so long that nobody misses it. */
static bool
is_idle(const FetchSession *s, int64_t now_ms)
{
    return now_ms - atomic_i64_load(&s->used_ms) > FETCH_SESSION_EVICTION_MS;
}

/* Negative: the session comes before the newcomer in (privileged, parts), so it goes first. */
static int
compare_weight(const FetchSession *s, bool privileged, int32_t part_count)
{
    int32_t parts = atomic_i32_load(&s->part_count);

    if (s->privileged != privileged)
        return s->privileged ? 1 : -1;
    return (parts > part_count) - (parts < part_count);
}

/* May a newcomer take the place of this session (log.md 12.7)? */
static bool
may_evict(const FetchSession *s, const FetchSessionNew *newcomer)
{
    if (is_idle(s, newcomer->now_ms))
        return true;
    if (newcomer->now_ms - s->created_ms <= FETCH_SESSION_EVICTION_MS &&
        (s->privileged || !newcomer->privileged))
        return false;
    return compare_weight(s, newcomer->privileged, newcomer->part_count) < 0;
}

/* The better victim of two: the one idle for longest first, then the lighter. */
static bool
better_victim(const FetchSession *a, const FetchSession *b, int64_t now_ms)
{
    bool idle = is_idle(a, now_ms);

    if (idle != is_idle(b, now_ms))
        return idle;
    if (idle)
        return atomic_i64_load(&a->used_ms) < atomic_i64_load(&b->used_ms);
    return compare_weight(a, b->privileged, atomic_i32_load(&b->part_count)) < 0;
}

/*
 * Table lock held: a free slot, or one to evict; FETCH_NONE. Its lock is taken on success. A slot
 * whose lock somebody holds is left alone: it is in use this moment.
 */
static int32_t
slot_choose(const FetchSessionNew *what)
{
    int32_t victim = FETCH_NONE;

    for (int32_t i = 0; i < table->capacity; i++) {
        FetchSession *s = &sessions[i];

        if (atomic_u32_load(&s->id) == 0) {
            if (s->lock.initialized == 0)
                plock_init(&s->lock, PLOCK_RANK_FETCH_SESSION);
            if (session_take(i, false))
                return i;
        } else if (may_evict(s, what) &&
                   (victim < 0 || better_victim(s, &sessions[victim], what->now_ms))) {
            victim = i;
        }
    }
    if (victim < 0 || !session_take(victim, false))
        return FETCH_NONE;
    if (atomic_u32_load(&sessions[victim].id) == 0 || may_evict(&sessions[victim], what))
        return victim;
    plock_unlock(&sessions[victim].lock); /* used since we looked */
    return FETCH_NONE;
}

/* Positive, unknown to who did not get it, and index = id % capacity. */
static int32_t
id_make(int32_t index)
{
    int32_t rounds = (INT32_MAX - index) / table->capacity;
    int32_t round = 1 + (int32_t)(random_u64() % (uint64_t)(rounds > 1 ? rounds - 1 : 1));
    return round * table->capacity + index;
}

bool
fetch_session_create(const FetchSessionNew *what, FetchHold *ret)
{
    if (what->part_count > FETCH_SESSION_PARTS_MAX)
        return false;
    PLockResult got =
        plock_lock(&table->lock, clock_mono_us() + LOCK_WAIT_US, WAIT_EV_FETCH_SESSIONS);
    if (got == PLOCK_TIMEOUT)
        return false;
    if (got == PLOCK_OWNER_DIED)
        plock_consistent(&table->lock);
    int32_t index = slot_choose(what);
    if (index >= 0) {
        FetchSession *s = &sessions[index];
        if (atomic_u32_load(&s->id) != 0)
            stat_add(STAT_FETCH_SESSION_EVICTIONS, 1);
        session_reset(index, false);
        fetch_set_init(&s->set, chunk_owner(index));
        s->by_id = what->by_id;
        s->privileged = what->privileged;
        s->epoch = FETCH_EPOCH_INITIAL + 1;
        s->created_ms = what->now_ms;
        atomic_i64_store(&s->used_ms, what->now_ms);
        atomic_i32_store(&s->part_count, what->part_count);
        atomic_u32_store(&s->id, (uint32_t)id_make(index));
        atomic_i32_add(&table->count, 1);
        *ret = (FetchHold){s, index};
    }
    plock_unlock(&table->lock);
    return index >= 0;
}
