/*
 * coordinator_main.c - a coordinator worker's process: its loop, its mailbox, its exit
 *
 * A turn: what the image says, a slice of loading, requests, timers, then everything that the turn has gathered
 * is appended, and answers leave that may. Requests come before timers, so that heartbeats that waited while this
 * process was stopped still count.
 *
 * Never: waits but in mainloop_wait, for the append lock of its own partitions, and for their files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/coordinator/coordinator_main.h"

#include <stdlib.h>

#include "coordinator/worker_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/controller/live_conf.h"
#include "ottla/coordinator/shared.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/title.h"
#include "ottla/storage/fd_cache.h"

#define OPEN_FILES       256
#define TURN_REQUESTS    256
#define TURN_BYTES       (8 << 20)
#define TURN_ARENA_CHUNK (256 * 1024)
#define TURN_ARENA_CAP \
    ((size_t)384 << 20) /* a request of the largest size, and what is told of it */
#define OUT_ARENA_CHUNK 65536
#define COUNT_EVERY_US  (1000 * INT64_C(1000))

static void
init(Worker *w, int instance)
{
    int64_t offset;
    int32_t died_at;

    *w = (Worker){.index = instance,
                  .workers = coordinator_worker_count(),
                  .mailbox = (MboxWorker)(MBOX_COORDINATOR_FIRST + instance),
                  .arena = arena_new(OUT_ARENA_CHUNK, 0),
                  .memory = {.limit = (size_t)conf_int64(CONF_COORDINATOR_WORKER_MEMORY_BYTES)},
                  .commit_timeout_us = conf_int64(CONF_OFFSETS_COMMIT_TIMEOUT_MS) * 1000,
                  .now_us = clock_mono_us()};
    ot_assert(w->arena != NULL);
    calls_init(&w->calls);
    fd_cache_init(OPEN_FILES);
    coordinator_settings(&w->settings);
    died_at = coordinator_note_start(instance, w->now_us, &offset);
    if (died_at >= 0)
        log_msg(LL_WARNING, COORDINATOR_LOG,
                "the worker before this one died while it read groups; partition=%d offset=%lld",
                (int)died_at, (long long)offset);
    coordinator_count_add(instance, COORDINATOR_STARTS, 1);
}

/* Requests that wait. True: there may be more. */
static bool
serve(Worker *w, bool rescan)
{
    Arena *arena = arena_new(TURN_ARENA_CHUNK, TURN_ARENA_CAP);
    MboxRequest request;
    size_t bytes = 0;
    int count = 0;

    ot_assert(arena != NULL);
    while (count < TURN_REQUESTS && bytes < TURN_BYTES &&
           mbox_next(w->mailbox, arena, rescan && count == 0, &request)) {
        count++;
        serve_request(w, &request, arena);
        bytes = arena_bytes(arena); /* nobody is to find it full */
    }
    if (count > 0) {
        slot_count_add(SLOT_COUNT_REQUESTS, (uint64_t)count);
        coordinator_count_add(w->index, COORDINATOR_REQUESTS, count);
    }
    arena_free(arena);
    return count == TURN_REQUESTS || bytes >= TURN_BYTES;
}

/* This process did not run when it wanted to: nobody is to lose its session over it. */
static void
mind_stall(Worker *w, int64_t wanted_us)
{
    int64_t stall_us = w->now_us - wanted_us;

    if (stall_us < STALL_US)
        return;
    log_msg(LL_WARNING, COORDINATOR_LOG, "stood still: sessions of members last longer; ms=%lld",
            (long long)(stall_us / 1000));
    coordinator_count_add(w->index, COORDINATOR_STALLS, 1);
    for (int32_t i = 0; i < w->host_count; i++)
        if (w->hosts[i].state == HOST_ACTIVE)
            shard_add_stall(w->hosts[i].shard, stall_us);
}

/* Which partitions made progress does not matter: all that wait are looked at, and they are few. */
static void
take_ready(bool rescan)
{
    WaitTake take;
    uint32_t key;
    int32_t node;

    wait_begin_take(&take, my_slot_index, rescan);
    while (wait_next(&take, &node, &key))
        ;
    wait_end_take(&take);
}

static void
load_hosts(Worker *w)
{
    for (int32_t i = 0; i < w->host_count; i++)
        if (w->hosts[i].state == HOST_LOADING)
            host_load(w, &w->hosts[i], clock_mono_us() + LOAD_SLICE_US);
}

static void
finish_turn(Worker *w)
{
    hosts_run_timers(w);
    for (int32_t i = 0; i < w->host_count; i++)
        host_flush(w, &w->hosts[i]);
    for (int32_t i = 0; i < w->host_count; i++)
        host_settle(w, &w->hosts[i]);
}

/* What ps and the statistics show. */
static void
show(Worker *w)
{
    static int64_t next_us;
    static int64_t shown_groups = -1;
    static int32_t shown_loading = -1;
    int64_t groups = 0, members = 0, offsets = 0;
    int32_t active = 0, loading = 0, failed = 0, first = -1;

    if (w->now_us < next_us)
        return;
    next_us = w->now_us + COUNT_EVERY_US;
    for (int32_t i = 0; i < w->host_count; i++) {
        const Host *host = &w->hosts[i];

        active += host->state == HOST_ACTIVE;
        loading += host->state == HOST_LOADING;
        failed += host->state == HOST_FAILED;
        if (host->state == HOST_LOADING && first < 0)
            first = host->partition;
        if (host->state == HOST_ACTIVE) {
            ShardCounts counts = shard_counts(host->shard);

            groups += counts.groups;
            members += counts.members;
            offsets += counts.offsets;
        }
    }
    coordinator_count_set(w->index, COORDINATOR_SHARDS, active);
    coordinator_count_set(w->index, COORDINATOR_SHARDS_LOADING, loading);
    coordinator_count_set(w->index, COORDINATOR_SHARDS_FAILED, failed);
    coordinator_count_set(w->index, COORDINATOR_GROUPS, groups);
    coordinator_count_set(w->index, COORDINATOR_MEMBERS, members);
    coordinator_count_set(w->index, COORDINATOR_OFFSETS, offsets);
    coordinator_count_set(w->index, COORDINATOR_MEMORY_BYTES, (int64_t)w->memory.used);
    coordinator_count_set(w->index, COORDINATOR_REQUESTS_PARKED, w->calls.count);
    if (loading > 0 && first != shown_loading)
        title_set("%d loading __consumer_offsets-%d", w->index, (int)first);
    else if (loading == 0 && (groups != shown_groups || shown_loading >= 0))
        title_set("%d groups %lld", w->index, (long long)groups);
    shown_loading = first;
    shown_groups = groups;
}

/*
 * Who is parked is to see that this process runs, and members are to keep their sessions when it does
 * not, which only a process knows that looks at the clock often.
 */
static bool
has_watchers(const Worker *w)
{
    if (w->calls.count > 0)
        return true;
    for (int32_t i = 0; i < w->host_count; i++)
        if (w->hosts[i].state == HOST_ACTIVE && shard_counts(w->hosts[i].shard).members > 0)
            return true;
    return false;
}

/* At at_us at the latest. */
static int64_t
next_wake_us(const Worker *w, int64_t at_us)
{
    if (has_watchers(w) && w->now_us + COUNT_EVERY_US < at_us)
        at_us = w->now_us + COUNT_EVERY_US;
    for (int32_t i = 0; i < w->host_count; i++) {
        int64_t host_us = host_deadline_us(w, &w->hosts[i]);

        if (host_us < at_us)
            at_us = host_us;
    }
    return at_us;
}

/* Everything that was decided is in the log already; who waits is told to look elsewhere. */
static _Noreturn void
end(Worker *w)
{
    for (int32_t i = 0; i < w->host_count; i++)
        host_close(w, &w->hosts[i]);
    mbox_worker_close(w->mailbox);
    exit(interrupt_pending(INTERRUPT_ORPHANED) ? 1 : 0);
}

_Noreturn void
coordinator_main(int instance, const void *start)
{
    static Worker worker;
    Worker *w = &worker;
    bool rescan = true;    /* of what a predecessor has left */
    bool unlooked = false; /* the last turn ended amidst its walk over those who ask */
    int64_t wake_us, tidy_us;

    (void)start;
    init(w, instance);
    mbox_worker_open(w->mailbox);
    latch_set_index(my_slot_index); /* requests may wait already */
    title_set("%d idle", instance);
    wake_us = INT64_MAX;
    for (;;) {
        bool more;
        int64_t begin_us;

        w->now_us = begin_us = clock_mono_us();
        coordinator_note_turn(w->index, begin_us);
        if (wake_us != 0 && wake_us != INT64_MAX)
            mind_stall(w, wake_us);
        fd_cache_sweep();
        if (live_conf_refresh())
            w->image_generation = 0; /* settings are read with the image */
        hosts_follow(w);
        load_hosts(w);
        take_ready(rescan);
        more = serve(w, rescan);
        w->now_us = clock_mono_us();
        mind_stall(w, begin_us);
        calls_abandon(w, rescan);
        finish_turn(w);
        show(w);
        tidy_us = bulk_tidy(w->now_us);
        /* The walk that went on may have passed by whose wake-up is used up: a whole one follows. */
        wake_us = more || unlooked ? 0 : next_wake_us(w, tidy_us);
        unlooked = more;
        rescan = (mainloop_wait(wake_us, WAIT_EV_COORDINATOR_MAIN) & WOKE_RESCAN) != 0;
        if (interrupt_pending(INTERRUPT_TERMINATE) || interrupt_pending(INTERRUPT_ORPHANED))
            end(w);
    }
}
