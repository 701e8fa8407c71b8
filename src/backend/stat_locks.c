/*
 * stat_locks.c - the view locks: locks in shared memory that are held or waited for now
 *
 * Runs in: backend. Never: takes one of them. Cursor: place in the row of all locks: that of ottla.auto.conf, those of log
 * directories, of fetch sessions, of partitions. Places of the first three do not change while a node runs, but for fetch
 * sessions that come behind the last.
 * Spec: shell-and-service.md 6.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "backend/fetch_session_int.h"
#include "backend/stat_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/limits.h"
#include "ottla/ipc/control.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/plock_use.h"
#include "ottla/ipc/slot.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/partition_slot.h"

#define GROUP_SHIFT 40 /* a cursor is group << GROUP_SHIFT | place in it */
#define WAITERS_MAX 65536

enum { G_AUTO_FILE, G_LOG_DIRS, G_FETCH_SESSIONS, G_PARTITIONS, G_COUNT };

enum { L_NODE_ID, L_LOCK, L_MODE, L_HOLDER_PID, L_WAITERS, L_HELD_US, L_WAITED_US };

static const StatColumn lock_columns[] = {
    [L_NODE_ID] = {"node_id", STAT_INTEGER},
    [L_LOCK] = {"lock", STAT_TEXT},
    [L_MODE] = {"mode", STAT_TEXT},
    [L_HOLDER_PID] = {"holder_pid", STAT_INTEGER},
    [L_WAITERS] = {"waiters", STAT_INTEGER},
    [L_HELD_US] = {"held_us", STAT_INTEGER},
    [L_WAITED_US] = {"waited_us", STAT_INTEGER},
};

/* One lock on its way into the view: "what", "what 7", "what /path" or "what topic-7". */
typedef struct Found {
    const PLock *lock;
    const AtomicU32 *word; /* instead, where it is one */
    const char *what;
    const char *of;
    int32_t number; /* -1: none */
} Found;

/* What a page knows of all who wait. */
typedef struct Waiters {
    PLockWaiter *all;
    int32_t count;
    int64_t now_us;
} Waiters;

/* ---- finding locks: false: the group has no such place ---- */

static bool
auto_file_at(int64_t place, Found *ret)
{
    *ret = (Found){.lock = control_auto_file_lock(), .what = "auto_conf", .number = -1};
    return place == 0;
}

static bool
log_dir_at(int64_t place, Found *ret)
{
    LogDirLock at;

    if (place > LOGDIRS_MAX * 2 || !logdir_lock_at((int)place, &at))
        return false;
    *ret = (Found){.lock = at.lock, .what = at.what, .number = -1};
    if (at.dir >= 0)
        ret->of = logdir_path(at.dir);
    return true;
}

static bool
fetch_session_at(int64_t place, Found *ret)
{
    int32_t id = 0;

    *ret = (Found){.what = place == 0 ? "fetch_sessions" : "fetch_session"};
    if (place <= INT32_MAX)
        ret->lock = fetch_session_lock_at((int32_t)place, &id);
    ret->number = place == 0 ? -1 : id;
    return ret->lock != NULL;
}

/* Two for each slot: the append lock, and who writes how much of the log is durable. */
static bool
partition_at(int64_t place, Found *ret)
{
    const PartitionSlot *slot;

    if (place / 2 >= pslot_high())
        return false;
    slot = pslot_at((int32_t)(place / 2));
    *ret = (Found){.what = "append", .of = slot->topic, .number = slot->partition};
    if (place % 2 == 0) {
        ret->lock = &slot->append_lock;
    } else {
        ret->word = &slot->durable_guard;
        ret->what = "durable";
    }
    return true;
}

static bool
lock_at(int64_t cursor, Found *ret)
{
    static bool (*const groups[G_COUNT])(int64_t place, Found * ret) = {
        [G_AUTO_FILE] = auto_file_at,
        [G_LOG_DIRS] = log_dir_at,
        [G_FETCH_SESSIONS] = fetch_session_at,
        [G_PARTITIONS] = partition_at,
    };

    return groups[cursor >> GROUP_SHIFT](cursor & ((INT64_C(1) << GROUP_SHIFT) - 1), ret);
}

/* ---- rows ---- */

static bool
take_waiters(StatScan *scan, Waiters *ret)
{
    int32_t room = slot_count() < WAITERS_MAX ? slot_count() : WAITERS_MAX;

    request_grow(scan->rq, (size_t)room * sizeof *ret->all);
    ret->all = arena_alloc(scan->rq->arena, (size_t)room * sizeof *ret->all);
    if (ret->all == NULL) {
        scan->failed = true;
        return false;
    }
    ret->count = plock_waiters(ret->all, room);
    ret->now_us = clock_mono_us();
    return true;
}

static void
name_lock(const Found *found, char *ret, size_t size)
{
    if (found->of != NULL && found->number >= 0)
        snprintf(ret, size, "%s %.*s-%d", found->what, LIMIT_TOPIC_NAME_LEN, found->of,
                 (int)found->number);
    else if (found->of != NULL)
        snprintf(ret, size, "%s %s", found->what, found->of);
    else if (found->number >= 0)
        snprintf(ret, size, "%s %d", found->what, (int)found->number);
    else
        snprintf(ret, size, "%s", found->what);
}

static void
put_lock(StatScan *scan, const Found *found, const Waiters *waiters)
{
    const void *lock = found->lock != NULL ? (const void *)found->lock : found->word;
    PLockUse use = found->lock != NULL ? plock_use(found->lock, waiters->now_us)
                                       : plock_word_use(found->word, waiters->now_us);
    char name[LIMIT_LOG_DIR_BYTES + 32];
    int32_t count;
    const PLockWaiter *first =
        plock_waiters_of(waiters->all, waiters->count, plock_name(lock), &count);

    if (!use.held && count == 0)
        return;
    name_lock(found, name, sizeof name);
    stat_integer(scan, L_NODE_ID, node_info.node_id);
    stat_text(scan, L_LOCK, strview_from(name));
    stat_text(scan, L_MODE, STRVIEW("exclusive"));
    if (use.holder != 0) {
        stat_integer(scan, L_HOLDER_PID, use.holder);
        stat_integer(scan, L_HELD_US, use.held_us);
    }
    stat_integer(scan, L_WAITERS, count);
    if (first != NULL && waiters->now_us > first->since_us)
        stat_integer(scan, L_WAITED_US, waiters->now_us - first->since_us);
    stat_end(scan);
}

static int64_t
scan_locks(StatScan *scan, int64_t cursor)
{
    Waiters waiters;
    Found found;

    if (!take_waiters(scan, &waiters))
        return STAT_END;
    while (cursor >> GROUP_SHIFT < G_COUNT) {
        if (!lock_at(cursor, &found)) {
            cursor = ((cursor >> GROUP_SHIFT) + 1) << GROUP_SHIFT;
            continue;
        }
        if (!stat_look(scan))
            return cursor;
        put_lock(scan, &found, &waiters);
        cursor++;
    }
    return STAT_END;
}

const StatView stat_locks_view = {.name = "locks",
                                  .columns = lock_columns,
                                  .column_count = sizeof lock_columns / sizeof lock_columns[0],
                                  .scan = scan_locks};
