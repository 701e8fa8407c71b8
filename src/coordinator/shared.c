/*
 * shared.c - what coordinators leave in shared memory: where they are, what they count, past rebalances
 *
 * Runs in: coordinators write, everybody reads.
 *
 * Crash argument. Counts and marks are single words. A line of the history has a word that says which line it
 * is; it is 0 while the line is being written, so a line whose writer died is no line, and the writer's successor
 * goes on behind it. Readers compare the word before and after they copy.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/coordinator/shared.h"

#include <assert.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/mailbox.h"

#define DEATHS_KEPT 16

typedef struct Line {
    AtomicU64 serial; /* 1, 2 ...; 0: none, or being written */
    RebalanceLine line;
} Line;

static_assert(sizeof(RebalanceLine) % 8 == 0, "copied by words");

typedef struct Death {
    AtomicI64 at_us; /* monotonic; 0: none */
    AtomicI32 partition;
} Death;

typedef struct WorkerShared {
    alignas(CACHE_LINE_BYTES) AtomicI64 counts[COORDINATOR_COUNT_COUNT];
    AtomicI64 turn_us; /* monotonic */
    AtomicI32 loading; /* partition + 1 */
    AtomicI64 loading_offset;
    AtomicU32 death_count;
    Death deaths[DEATHS_KEPT];
    AtomicU64 lines_added;
    alignas(REGION_PAGE) Line lines[REBALANCE_HISTORY_MAX];
} WorkerShared;

static WorkerShared *workers;

size_t
coordinators_shm_size(const ShmLimits *limits)
{
    (void)limits; /* there are always cells for so many */
    return MBOX_COORDINATORS_MAX * sizeof(WorkerShared);
}

void
coordinators_shm_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    workers = base;
}

static WorkerShared *
worker_at(int worker)
{
    ot_assert(workers != NULL && worker >= 0 && worker < MBOX_COORDINATORS_MAX);
    return &workers[worker];
}

/* ---- counts ------------------------------------------------------------------------------------ */

const char *
coordinator_count_name(CoordinatorCount which)
{
    static const char *const names[COORDINATOR_COUNT_COUNT] = {
#define COUNT_NAME(constant, name) [constant] = name,
        COORDINATOR_COUNT_ROWS(COUNT_NAME)
#undef COUNT_NAME
    };

    return which < COORDINATOR_COUNT_COUNT ? names[which] : "?";
}

int64_t
coordinator_count(int worker, CoordinatorCount which)
{
    return atomic_i64_load(&worker_at(worker)->counts[which]);
}

void
coordinator_count_set(int worker, CoordinatorCount which, int64_t value)
{
    atomic_i64_store(&worker_at(worker)->counts[which], value);
}

void
coordinator_count_add(int worker, CoordinatorCount which, int64_t amount)
{
    coordinator_count_set(worker, which, coordinator_count(worker, which) + amount);
}

/* ---- whether a worker runs ---------------------------------------------------------------------- */

void
coordinator_note_turn(int worker, int64_t now_us)
{
    atomic_i64_store(&worker_at(worker)->turn_us, now_us);
}

int64_t
coordinator_last_turn_us(int worker)
{
    return atomic_i64_load(&worker_at(worker)->turn_us);
}

/* ---- what a worker is loading ------------------------------------------------------------------ */

void
coordinator_mark_loading(int worker, int32_t partition, int64_t offset)
{
    WorkerShared *w = worker_at(worker);

    atomic_i64_store(&w->loading_offset, offset);
    atomic_i32_store(&w->loading, partition + 1);
}

int32_t
coordinator_note_start(int worker, int64_t now_us, int64_t *ret_offset)
{
    WorkerShared *w = worker_at(worker);
    int32_t partition = atomic_i32_load(&w->loading) - 1;

    *ret_offset = atomic_i64_load(&w->loading_offset);
    if (partition >= 0) {
        uint32_t count = atomic_u32_load(&w->death_count);
        Death *death = &w->deaths[count % DEATHS_KEPT];

        atomic_i32_store(&death->partition, partition);
        atomic_i64_store(&death->at_us, now_us);
        atomic_u32_store(&w->death_count, count + 1);
    }
    atomic_i32_store(&w->loading, 0);
    return partition;
}

bool
coordinator_load_is_deadly(int worker, int32_t partition, int64_t now_us)
{
    WorkerShared *w = worker_at(worker);
    int found = 0;

    for (int i = 0; i < DEATHS_KEPT; i++) {
        int64_t at_us = atomic_i64_load(&w->deaths[i].at_us);

        found += at_us != 0 && now_us - at_us < COORDINATOR_LOAD_WINDOW_US &&
                 atomic_i32_load(&w->deaths[i].partition) == partition;
    }
    return found >= COORDINATOR_LOAD_DEATHS;
}

/* ---- history of rebalances --------------------------------------------------------------------- */

static void
put_text(char ret[REBALANCE_HISTORY_TEXT], StrView text)
{
    int32_t len = text.len < REBALANCE_HISTORY_TEXT ? text.len : REBALANCE_HISTORY_TEXT - 1;

    if (text.ptr != NULL && len > 0)
        memcpy(ret, text.ptr, (size_t)len);
}

void
rebalance_history_add(int worker, const GroupRebalance *rebalance)
{
    WorkerShared *w = worker_at(worker);
    uint64_t serial = atomic_u64_load(&w->lines_added) + 1;
    Line *at = &w->lines[serial % REBALANCE_HISTORY_MAX];
    RebalanceLine line = {.begin_wall_ms = rebalance->begin_wall_ms,
                          .duration_ms = rebalance->duration_ms,
                          .generation = rebalance->generation,
                          .members = rebalance->members,
                          .cause = (int32_t)rebalance->cause,
                          .worker = worker};

    put_text(line.group, rebalance->group);
    put_text(line.cause_member, rebalance->cause_member);
    put_text(line.waited_for, rebalance->waited_for);
    atomic_u64_store(&w->lines_added, serial); /* first: a successor never writes this line again */
    atomic_u64_store(&at->serial, 0);
    fence_release();
    shared_copy_in(&at->line, &line, sizeof line);
    atomic_u64_store(&at->serial, serial);
}

/* The line with a serial; false: it was never finished, or is gone. */
static bool
read_line(WorkerShared *w, uint64_t serial, RebalanceLine *ret)
{
    Line *at = &w->lines[serial % REBALANCE_HISTORY_MAX];

    if (atomic_u64_load(&at->serial) != serial)
        return false;
    shared_copy_out(ret, &at->line, sizeof *ret);
    fence_acquire();
    return atomic_u64_load_relaxed(&at->serial) == serial;
}

/* The newest line at or below *io_serial that is whole; false: none. */
static bool
newest(WorkerShared *w, uint64_t oldest, uint64_t *io_serial, RebalanceLine *ret)
{
    for (; *io_serial > oldest; (*io_serial)--)
        if (read_line(w, *io_serial, ret))
            return true;
    return false;
}

static int64_t
end_of(const RebalanceLine *line)
{
    return line->begin_wall_ms + line->duration_ms;
}

int32_t
rebalance_history_read(RebalanceLine *ret, int32_t max)
{
    uint64_t next[MBOX_COORDINATORS_MAX];
    uint64_t oldest[MBOX_COORDINATORS_MAX];
    int32_t count = 0;

    if (max > REBALANCE_HISTORY_MAX)
        max = REBALANCE_HISTORY_MAX;
    for (int i = 0; i < MBOX_COORDINATORS_MAX; i++) {
        next[i] = atomic_u64_load(&worker_at(i)->lines_added);
        oldest[i] = next[i] > REBALANCE_HISTORY_MAX ? next[i] - REBALANCE_HISTORY_MAX : 0;
    }
    while (count < max) { /* the newest of all heads, from the end of the array downwards */
        RebalanceLine *at = &ret[max - 1 - count];
        RebalanceLine one = {0};
        int best = -1;

        for (int i = 0; i < MBOX_COORDINATORS_MAX; i++) {
            if (!newest(worker_at(i), oldest[i], &next[i], &one))
                continue;
            if (best < 0 || end_of(&one) > end_of(at)) {
                *at = one;
                best = i;
            }
        }
        if (best < 0)
            break;
        next[best]--;
        count++;
    }
    memmove(ret, ret + (max - count), (size_t)count * sizeof *ret);
    return count;
}
