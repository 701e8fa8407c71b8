/*
 * pm_state.c - the supervisor's decisions: (state, event) to (state, actions)
 *
 * Runs in: supervisor; unit test. Never: calls the system, reads a clock, knows a pid.
 * Invariants, asserted after every step:
 *   P1  no child lives in INIT, CRASH_BACKOFF and DONE
 *   P2  while STARTING only kinds of the first phase run, and no backend
 *   P3  a worker waits for its restart only while STARTING or in RUN
 *   P4  STOP_SMART and STOP_BACKENDS are left as soon as no backend lives; later stop states have
 *       none, and STOP_CHECKPOINTERS only kinds that stop last
 *   P5  STOP_IMMEDIATE and CRASH_WAIT are left as soon as nobody lives
 *   P6  each state that waits for children to go has a deadline
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/pm_state.h"

#include <signal.h>
#include <string.h>

#include "ottla/common/assert.h"

#define BIT(state) (1u << (state))

/* Legal transitions: bit mask of the states that may follow. */
static const unsigned transitions[PM_STATE_COUNT] = {
    [PM_INIT] = BIT(PM_STARTING) | BIT(PM_DONE),
    [PM_STARTING] = BIT(PM_RUN) | BIT(PM_STOP_WORKERS) | BIT(PM_STOP_IMMEDIATE) |
                    BIT(PM_CRASH_WAIT) | BIT(PM_CRASH_BACKOFF) | BIT(PM_DONE),
    [PM_RUN] = BIT(PM_STOP_SMART) | BIT(PM_STOP_BACKENDS) | BIT(PM_STOP_WORKERS) |
               BIT(PM_STOP_CHECKPOINTERS) | BIT(PM_STOP_IMMEDIATE) | BIT(PM_CRASH_WAIT) |
               BIT(PM_CRASH_BACKOFF) | BIT(PM_DONE),
    [PM_STOP_SMART] = BIT(PM_STOP_BACKENDS) | BIT(PM_STOP_WORKERS) | BIT(PM_STOP_CHECKPOINTERS) |
                      BIT(PM_STOP_IMMEDIATE) | BIT(PM_DONE),
    [PM_STOP_BACKENDS] =
        BIT(PM_STOP_WORKERS) | BIT(PM_STOP_CHECKPOINTERS) | BIT(PM_STOP_IMMEDIATE) | BIT(PM_DONE),
    [PM_STOP_WORKERS] = BIT(PM_STOP_CHECKPOINTERS) | BIT(PM_STOP_IMMEDIATE) | BIT(PM_DONE),
    [PM_STOP_CHECKPOINTERS] = BIT(PM_STOP_IMMEDIATE) | BIT(PM_DONE),
    [PM_STOP_IMMEDIATE] = BIT(PM_DONE),
    [PM_CRASH_WAIT] = BIT(PM_CRASH_BACKOFF) | BIT(PM_STOP_IMMEDIATE) | BIT(PM_DONE),
    [PM_CRASH_BACKOFF] = BIT(PM_STARTING) | BIT(PM_DONE),
    [PM_DONE] = 0,
};

/* Pause before the n-th cycle of a window; also slows down who guesses addresses. */
static const int64_t crash_backoff_ms[PM_CRASH_CYCLES_MAX] = {0, 250, 1000, 4000, 4000};

static void
pm_set_state(PmMachine *pm, PmState state, int64_t deadline_ms)
{
    ot_assert(transitions[pm->state] & BIT(state));
    pm->state = state;
    pm->deadline_ms = deadline_ms;
}

static void
act(PmActions *actions, PmActionType type, ProcKind kind, int instance, int value)
{
    ot_assert(actions->count < PM_ACTIONS_MAX);
    actions->list[actions->count++] =
        (PmAction){.type = type, .kind = kind, .instance = instance, .value = value};
}

static void
act_plain(PmActions *actions, PmActionType type)
{
    act(actions, type, PROC_SUPERVISOR, 0, 0);
}

void
pm_init(PmMachine *pm, const PmConfig *config)
{
    memset(pm, 0, sizeof *pm);
    pm->config = *config;
    pm->state = PM_INIT;
    pm->deadline_ms = INT64_MAX;
    ot_assert(config->crash_cycles_max >= 1 && config->crash_cycles_max <= PM_CRASH_CYCLES_MAX);
    for (int kind = 0; kind < PROC_KIND_COUNT; kind++) {
        int room = config->worker_count[kind];

        if (kind == PROC_STARTUP && room > 0 && room < config->startup_max)
            room = config->startup_max;
        for (int i = 0; i < room; i++) {
            ot_assert(pm->worker_total < PROC_WORKERS_MAX);
            pm->workers[pm->worker_total++] = (PmWorker){.kind = (ProcKind)kind,
                                                         .instance = i,
                                                         .state = PM_WORKER_ABSENT,
                                                         .backoff_ms = PM_WORKER_BACKOFF_MIN_MS};
        }
    }
}

void
pm_reconfigure(PmMachine *pm, const PmConfig *config)
{
    pm->config.smart_timeout_ms = config->smart_timeout_ms;
    pm->config.backend_timeout_ms = config->backend_timeout_ms;
    pm->config.restart_after_crash = config->restart_after_crash;
    pm->config.send_abort = config->send_abort;
    if (pm->config.worker_count[PROC_STARTUP] > 0 &&
        config->worker_count[PROC_STARTUP] <= pm->config.startup_max)
        pm->config.worker_count[PROC_STARTUP] = config->worker_count[PROC_STARTUP];
}

static int
running_workers(const PmMachine *pm)
{
    int count = 0;

    for (int i = 0; i < pm->worker_total; i++)
        count += pm->workers[i].state == PM_WORKER_RUNNING;
    return count;
}

static int
running_of_stop(const PmMachine *pm, KindStop stop)
{
    int count = 0;

    for (int i = 0; i < pm->worker_total; i++)
        count += pm->workers[i].state == PM_WORKER_RUNNING &&
                 process_kinds[pm->workers[i].kind].stop == stop;
    return count;
}

static bool
nobody_lives(const PmMachine *pm)
{
    return pm->backends == 0 && running_workers(pm) == 0;
}

static PmWorker *
find_worker(PmMachine *pm, ProcKind kind, int instance)
{
    for (int i = 0; i < pm->worker_total; i++)
        if (pm->workers[i].kind == kind && pm->workers[i].instance == instance)
            return &pm->workers[i];
    ot_unreachable();
}

/* ---- starting ---- */

static void
launch_worker(PmWorker *worker, int64_t now_ms, PmActions *actions)
{
    worker->state = PM_WORKER_RUNNING;
    worker->launched_at_ms = now_ms;
    act(actions, PM_ACT_LAUNCH, worker->kind, worker->instance, 0);
}

static void
launch_phase(PmMachine *pm, KindPhase phase, int64_t now_ms, PmActions *actions)
{
    for (int i = 0; i < pm->worker_total; i++) {
        PmWorker *worker = &pm->workers[i];

        if (process_kinds[worker->kind].phase == phase &&
            worker->instance < pm->config.worker_count[worker->kind])
            launch_worker(worker, now_ms, actions);
    }
}

static void
enter_starting(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    for (int i = 0; i < pm->worker_total; i++)
        pm->workers[i].state = PM_WORKER_ABSENT;
    pm_set_state(pm, PM_STARTING, INT64_MAX);
    launch_phase(pm, KIND_PHASE_FIRST, now_ms, actions);
}

static void
enter_run(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    pm_set_state(pm, PM_RUN, INT64_MAX);
    launch_phase(pm, KIND_PHASE_SERVICE, now_ms, actions);
    act_plain(actions, PM_ACT_ACCEPT_ON);
    act_plain(actions, pm->ever_active ? PM_ACT_NOTIFY_RECOVERED : PM_ACT_NOTIFY_READY);
    pm->ever_active = true;
}

/* ---- stopping ---- */

static void
cancel_restarts(PmMachine *pm)
{
    for (int i = 0; i < pm->worker_total; i++)
        if (pm->workers[i].state == PM_WORKER_RESTART)
            pm->workers[i].state = PM_WORKER_ABSENT;
}

static void
announce_stop(PmActions *actions)
{
    act_plain(actions, PM_ACT_CLOSE_LISTENERS); /* who reads that we stop finds nobody listening */
    act_plain(actions, PM_ACT_NOTIFY_STOPPING);
}

static void
enter_done(PmMachine *pm, int code, PmActions *actions)
{
    pm_set_state(pm, PM_DONE, INT64_MAX);
    act(actions, PM_ACT_EXIT, PROC_SUPERVISOR, 0, code);
}

static void
signal_stop_group(PmMachine *pm, KindStop stop, PmActions *actions)
{
    for (int kind = 0; kind < PROC_KIND_COUNT; kind++) {
        bool wanted = process_kinds[kind].stop == stop &&
                      (stop == KIND_STOP_CLIENTS || pm->config.worker_count[kind] > 0);
        if (wanted)
            act(actions, PM_ACT_SIGNAL_KIND, (ProcKind)kind, 0, process_kinds[kind].stop_signal);
    }
}

/* The next stop state that has somebody to wait for. */
static void
advance_stop(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    ot_assert(pm->backends == 0);
    if (running_of_stop(pm, KIND_STOP_WORKERS) > 0) {
        if (pm->state != PM_STOP_WORKERS) {
            pm_set_state(pm, PM_STOP_WORKERS, now_ms + PM_WORKER_PATIENCE_MS);
            signal_stop_group(pm, KIND_STOP_WORKERS, actions);
        }
    } else if (running_of_stop(pm, KIND_STOP_LAST) > 0) {
        if (pm->state != PM_STOP_CHECKPOINTERS) {
            pm_set_state(pm, PM_STOP_CHECKPOINTERS, now_ms + PM_CHECKPOINT_PATIENCE_MS);
            signal_stop_group(pm, KIND_STOP_LAST, actions);
        }
    } else {
        enter_done(pm, pm->unclean ? 1 : 0, actions);
    }
}

static void
stop_backends(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    if (pm->backends == 0) {
        advance_stop(pm, now_ms, actions);
        return;
    }
    pm_set_state(pm, PM_STOP_BACKENDS, now_ms + pm->config.backend_timeout_ms);
    signal_stop_group(pm, KIND_STOP_CLIENTS, actions);
}

/* Everybody out, no checkpoint; the node ends with 1. */
static void
stop_immediately(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    cancel_restarts(pm);
    if (nobody_lives(pm)) {
        enter_done(pm, 1, actions);
        return;
    }
    if (pm->state != PM_CRASH_WAIT) /* there they were told already */
        act(actions, PM_ACT_SIGNAL_ALL, PROC_SUPERVISOR, 0, SIGQUIT);
    pm_set_state(pm, PM_STOP_IMMEDIATE, now_ms + PM_QUIT_PATIENCE_MS);
}

static bool
is_stopping(PmState state)
{
    switch (state) {
    case PM_STOP_SMART:
    case PM_STOP_BACKENDS:
    case PM_STOP_WORKERS:
    case PM_STOP_CHECKPOINTERS:
    case PM_STOP_IMMEDIATE:
    case PM_DONE:
        return true;
    case PM_INIT:
    case PM_STARTING:
    case PM_RUN:
    case PM_CRASH_WAIT:
    case PM_CRASH_BACKOFF:
    case PM_STATE_COUNT:
        break;
    }
    return false;
}

static void
handle_stop(PmMachine *pm, const PmEvent *event, PmActions *actions)
{
    int64_t now_ms = event->now_ms;
    bool immediate = event->type == PM_EV_IMMEDIATE;

    if (pm->state == PM_DONE)
        return;
    if (is_stopping(pm->state)) { /* only a stronger mode changes a stop */
        if (immediate && pm->state != PM_STOP_IMMEDIATE)
            stop_immediately(pm, now_ms, actions);
        else if (!immediate && pm->state == PM_STOP_SMART)
            stop_backends(pm, now_ms, actions);
        return;
    }
    announce_stop(actions);
    cancel_restarts(pm);
    if (pm->state == PM_INIT) {
        enter_done(pm, immediate ? 1 : 0, actions);
    } else if (immediate || pm->state == PM_CRASH_WAIT || pm->state == PM_CRASH_BACKOFF) {
        /* What a crash left behind cannot be checkpointed. */
        stop_immediately(pm, now_ms, actions);
    } else if (event->type == PM_EV_SMART && pm->backends > 0) {
        pm_set_state(pm, PM_STOP_SMART, now_ms + pm->config.smart_timeout_ms);
    } else {
        stop_backends(pm, now_ms, actions);
    }
}

/* ---- crash cycle ---- */

static void
remember_crash(PmMachine *pm, int64_t now_ms)
{
    int kept = 0;

    for (int i = 0; i < pm->crash_count; i++)
        if (now_ms - pm->crash_at_ms[i] < PM_CRASH_WINDOW_MS)
            pm->crash_at_ms[kept++] = pm->crash_at_ms[i];
    ot_assert(kept < PM_CRASH_CYCLES_MAX);
    pm->crash_at_ms[kept++] = now_ms;
    pm->crash_count = kept;
}

/* Everybody is gone after a crash: again from a new region, or the end. */
static void
after_crash(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    if (!pm->config.restart_after_crash || pm->crash_count >= pm->config.crash_cycles_max) {
        announce_stop(actions);
        enter_done(pm, 1, actions);
        return;
    }
    int64_t pause_ms = crash_backoff_ms[pm->crash_count - 1];
    pm_set_state(pm, PM_CRASH_BACKOFF, now_ms + pause_ms);
    if (pause_ms == 0) {
        act_plain(actions, PM_ACT_REBUILD);
        enter_starting(pm, now_ms, actions);
    }
}

static void
enter_crash(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    remember_crash(pm, now_ms);
    cancel_restarts(pm);
    act_plain(actions, PM_ACT_ACCEPT_OFF);
    act_plain(actions, PM_ACT_CRASHED);
    if (nobody_lives(pm)) {
        after_crash(pm, now_ms, actions);
        return;
    }
    act(actions, PM_ACT_SIGNAL_ALL, PROC_SUPERVISOR, 0, pm->config.send_abort ? SIGABRT : SIGQUIT);
    pm_set_state(pm, PM_CRASH_WAIT, now_ms + PM_QUIT_PATIENCE_MS);
}

/* ---- deaths ---- */

static void
schedule_restart(PmWorker *worker, int64_t now_ms)
{
    if (now_ms - worker->launched_at_ms >= PM_WORKER_HEALTHY_MS)
        worker->backoff_ms = PM_WORKER_BACKOFF_MIN_MS;
    worker->state = PM_WORKER_RESTART;
    worker->restart_at_ms = now_ms + worker->backoff_ms;
    worker->restarts++;
    worker->backoff_ms *= 2;
    if (worker->backoff_ms > PM_WORKER_BACKOFF_MAX_MS)
        worker->backoff_ms = PM_WORKER_BACKOFF_MAX_MS;
}

/*
 * A worker whose death nobody else is touched by: again at once, and slower when it dies again within the window.
 * False: it has died too often, and something else must be wrong.
 */
static bool
revive(PmWorker *worker, int64_t now_ms, PmActions *actions)
{
    int recent = 0;
    int64_t pause_ms = 0;

    worker->death_at_ms[worker->deaths++ % PM_REVIVE_DEATHS_MAX] = now_ms;
    for (int i = 0; i < worker->deaths && i < PM_REVIVE_DEATHS_MAX; i++)
        recent += now_ms - worker->death_at_ms[i] < PM_REVIVE_WINDOW_MS;
    if (recent == PM_REVIVE_DEATHS_MAX) {
        worker->deaths = 0;
        return false;
    }
    act_plain(actions, PM_ACT_RESCAN);
    for (int i = 1; i < recent; i++)
        pause_ms = pause_ms == 0 ? PM_REVIVE_BACKOFF_MIN_MS : pause_ms * 2;
    if (pause_ms > PM_REVIVE_BACKOFF_MAX_MS)
        pause_ms = PM_REVIVE_BACKOFF_MAX_MS;
    worker->restarts++;
    if (pause_ms == 0) {
        launch_worker(worker, now_ms, actions);
    } else {
        worker->state = PM_WORKER_RESTART;
        worker->restart_at_ms = now_ms + pause_ms;
    }
    return true;
}

/* A worker ended while nobody asked it to. */
static void
worker_died_in_service(PmMachine *pm, PmWorker *worker, const PmEvent *event, PmActions *actions)
{
    bool fork_failed = event->type == PM_EV_LAUNCH_FAILED;
    const KindRow *row = &process_kinds[worker->kind];

    if (event->death == PM_DEATH_ROUTINE && row->runs_to_end && !fork_failed) {
        worker->state = PM_WORKER_FINISHED;
        return;
    }
    worker->state = PM_WORKER_ABSENT;
    if (row->policy == KIND_APART) {
        schedule_restart(worker, event->now_ms);
        act_plain(actions, PM_ACT_RESCAN);
    } else if (row->policy == KIND_REVIVE && !fork_failed) {
        if (!revive(worker, event->now_ms, actions))
            enter_crash(pm, event->now_ms, actions);
    } else if (event->death == PM_DEATH_NODE && !fork_failed) {
        pm->unclean = true;
        announce_stop(actions);
        cancel_restarts(pm);
        stop_backends(pm, event->now_ms, actions);
    } else if (event->death == PM_DEATH_CRASH && !fork_failed) {
        enter_crash(pm, event->now_ms, actions);
    } else if (!pm->ever_active) { /* the first start failed: the operator must look */
        announce_stop(actions);
        stop_immediately(pm, event->now_ms, actions);
    } else if (row->policy == KIND_CYCLE && !fork_failed) {
        enter_crash(pm, event->now_ms, actions);
    } else {
        schedule_restart(worker, event->now_ms);
        act_plain(actions, PM_ACT_RESCAN);
    }
}

/* A worker ended during an orderly stop. */
static void
worker_died_in_stop(PmMachine *pm, PmWorker *worker, const PmEvent *event, PmActions *actions)
{
    const KindRow *row = &process_kinds[worker->kind];
    bool told = (row->stop == KIND_STOP_WORKERS && pm->state == PM_STOP_WORKERS) ||
                (row->stop == KIND_STOP_LAST && pm->state == PM_STOP_CHECKPOINTERS);

    worker->state = PM_WORKER_ABSENT;
    if (event->death == PM_DEATH_CRASH) {
        stop_immediately(pm, event->now_ms, actions);
        return;
    }
    if (row->policy == KIND_REVIVE && event->death == PM_DEATH_ALONE)
        act_plain(actions, PM_ACT_RESCAN); /* clients that are still there learn of it */
    /*
     * One that runs to its end may be cut short, and the death of one that is revived leaves nothing to be repaired
     * that the next lock holder does not repair; another must answer its order with exit 0.
     */
    if (!row->runs_to_end && row->policy != KIND_REVIVE && row->policy != KIND_APART &&
        !(told && event->death == PM_DEATH_ROUTINE))
        pm->unclean = true;
    if (pm->backends == 0)
        advance_stop(pm, event->now_ms, actions);
}

static void
backend_died(PmMachine *pm, const PmEvent *event, PmActions *actions)
{
    ot_assert(pm->backends > 0);
    pm->backends--;
    switch (pm->state) {
    case PM_RUN:
        if (event->death == PM_DEATH_CRASH)
            enter_crash(pm, event->now_ms, actions);
        else if (event->death == PM_DEATH_ALONE)
            act_plain(actions, PM_ACT_RESCAN);
        break;
    case PM_STOP_SMART:
    case PM_STOP_BACKENDS:
        if (event->death == PM_DEATH_CRASH) {
            stop_immediately(pm, event->now_ms, actions);
            break;
        }
        if (event->death == PM_DEATH_ALONE)
            act_plain(actions, PM_ACT_RESCAN);
        if (pm->backends == 0)
            advance_stop(pm, event->now_ms, actions);
        break;
    case PM_STOP_IMMEDIATE:
    case PM_CRASH_WAIT:
        break; /* pm_step looks whether it was the last */
    case PM_INIT:
    case PM_STARTING:
    case PM_STOP_WORKERS:
    case PM_STOP_CHECKPOINTERS:
    case PM_CRASH_BACKOFF:
    case PM_DONE:
    case PM_STATE_COUNT:
        ot_unreachable(); /* P1, P2, P4: no backend lives there */
    }
}

static void
handle_death(PmMachine *pm, const PmEvent *event, PmActions *actions)
{
    if (event->kind == PROC_BACKEND) {
        backend_died(pm, event, actions);
    } else {
        PmWorker *worker = find_worker(pm, event->kind, event->instance);
        ot_assert(worker->state == PM_WORKER_RUNNING);
        if (pm->state == PM_STARTING || pm->state == PM_RUN)
            worker_died_in_service(pm, worker, event, actions);
        else if (pm->state == PM_STOP_IMMEDIATE || pm->state == PM_CRASH_WAIT)
            worker->state = PM_WORKER_ABSENT;
        else
            worker_died_in_stop(pm, worker, event, actions);
    }
    if (nobody_lives(pm)) {
        if (pm->state == PM_STOP_IMMEDIATE)
            enter_done(pm, 1, actions);
        else if (pm->state == PM_CRASH_WAIT)
            after_crash(pm, event->now_ms, actions);
    }
}

/* ---- time ---- */

static void
restart_due_workers(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    for (int i = 0; i < pm->worker_total; i++) {
        PmWorker *worker = &pm->workers[i];
        if (worker->state == PM_WORKER_RESTART && worker->restart_at_ms <= now_ms)
            launch_worker(worker, now_ms, actions);
    }
}

static void
handle_tick(PmMachine *pm, int64_t now_ms, PmActions *actions)
{
    if (pm->state == PM_STARTING || pm->state == PM_RUN)
        restart_due_workers(pm, now_ms, actions);
    if (now_ms < pm->deadline_ms)
        return;
    switch (pm->state) {
    case PM_STOP_SMART:
        stop_backends(pm, now_ms, actions);
        break;
    case PM_STOP_BACKENDS:
        act(actions, PM_ACT_SIGNAL_KIND, PROC_BACKEND, 0, SIGKILL);
        pm->deadline_ms = now_ms + PM_QUIT_PATIENCE_MS;
        break;
    case PM_STOP_WORKERS:
    case PM_STOP_CHECKPOINTERS:
        stop_immediately(pm, now_ms, actions);
        break;
    case PM_STOP_IMMEDIATE:
    case PM_CRASH_WAIT:
        act(actions, PM_ACT_SIGNAL_ALL, PROC_SUPERVISOR, 0, SIGKILL);
        pm->deadline_ms = now_ms + PM_QUIT_PATIENCE_MS;
        break;
    case PM_CRASH_BACKOFF:
        act_plain(actions, PM_ACT_REBUILD);
        enter_starting(pm, now_ms, actions);
        break;
    case PM_INIT:
    case PM_STARTING:
    case PM_RUN:
    case PM_DONE:
    case PM_STATE_COUNT:
        ot_unreachable(); /* P6: they have no deadline */
    }
}

/* The promises of the head of this file. */
static void
check_invariants(const PmMachine *pm)
{
    const unsigned here = BIT(pm->state);
    int running = running_workers(pm);

    if (here & (BIT(PM_INIT) | BIT(PM_CRASH_BACKOFF) | BIT(PM_DONE)))
        ot_assert(nobody_lives(pm)); /* P1 */
    if (pm->state == PM_STARTING)
        ot_assert(pm->backends == 0); /* P2 */
    for (int i = 0; i < pm->worker_total; i++) {
        const PmWorker *worker = &pm->workers[i];
        if (pm->state == PM_STARTING && worker->state == PM_WORKER_RUNNING)
            ot_assert(process_kinds[worker->kind].phase == KIND_PHASE_FIRST); /* P2 */
        if (worker->state == PM_WORKER_RESTART)
            ot_assert(here & (BIT(PM_STARTING) | BIT(PM_RUN))); /* P3 */
    }
    if (here & (BIT(PM_STOP_SMART) | BIT(PM_STOP_BACKENDS)))
        ot_assert(pm->backends > 0); /* P4 */
    if (here & (BIT(PM_STOP_WORKERS) | BIT(PM_STOP_CHECKPOINTERS)))
        ot_assert(pm->backends == 0 && running > 0); /* P4 */
    if (pm->state == PM_STOP_CHECKPOINTERS)
        ot_assert(running == running_of_stop(pm, KIND_STOP_LAST)); /* P4 */
    if (here & (BIT(PM_STOP_IMMEDIATE) | BIT(PM_CRASH_WAIT)))
        ot_assert(!nobody_lives(pm)); /* P5 */
    bool waits = (here & (BIT(PM_INIT) | BIT(PM_STARTING) | BIT(PM_RUN) | BIT(PM_DONE))) == 0;
    ot_assert(waits == (pm->deadline_ms != INT64_MAX)); /* P6 */
    ot_assert(pm->crash_count >= 0 && pm->crash_count <= pm->config.crash_cycles_max);
}

void
pm_step(PmMachine *pm, const PmEvent *event, PmActions *actions)
{
    actions->count = 0;
    switch (event->type) {
    case PM_EV_BEGIN:
        if (pm->state == PM_INIT)
            enter_starting(pm, event->now_ms, actions);
        break;
    case PM_EV_CONTROLLER_ACTIVE:
        if (pm->state == PM_STARTING)
            enter_run(pm, event->now_ms, actions);
        break;
    case PM_EV_SMART:
    case PM_EV_FAST:
    case PM_EV_IMMEDIATE:
        handle_stop(pm, event, actions);
        break;
    case PM_EV_RELOAD:
        if (!is_stopping(pm->state) && pm->state != PM_INIT)
            act_plain(actions, PM_ACT_RELOAD);
        break;
    case PM_EV_CONNECTED:
        ot_assert(pm->state == PM_RUN);
        pm->backends++;
        break;
    case PM_EV_DEATH:
    case PM_EV_LAUNCH_FAILED:
        handle_death(pm, event, actions);
        break;
    case PM_EV_TICK:
        handle_tick(pm, event->now_ms, actions);
        break;
    case PM_EV_TYPE_COUNT:
        ot_unreachable();
    }
    check_invariants(pm);
}

int64_t
pm_next_deadline(const PmMachine *pm)
{
    int64_t next_ms = pm->deadline_ms;

    for (int i = 0; i < pm->worker_total; i++)
        if (pm->workers[i].state == PM_WORKER_RESTART && pm->workers[i].restart_at_ms < next_ms)
            next_ms = pm->workers[i].restart_at_ms;
    return next_ms;
}

PmDeath
pm_classify_exit(const PmExit *how)
{
    if (process_kinds[how->kind].policy == KIND_APART && how->exited && how->code == 1)
        return PM_DEATH_GAVE_UP;
    if (process_kinds[how->kind].policy == KIND_REVIVE ||
        process_kinds[how->kind].policy == KIND_APART)
        return !how->panicked && how->exited && how->code == 0 ? PM_DEATH_ROUTINE : PM_DEATH_ALONE;
    if (how->panicked || (!how->exited && how->code == SIGABRT))
        return PM_DEATH_CRASH; /* a broken promise of our own code, or of the C library's heap */
    if (how->exited && how->code == 0)
        return PM_DEATH_ROUTINE;
    if (how->exited && how->code == 1)
        return PM_DEATH_GAVE_UP;
    if (how->exited && how->code == PROC_EXIT_NODE_ENDS && how->kind != PROC_BACKEND)
        return PM_DEATH_NODE;
    return process_kinds[how->kind].policy == KIND_ALONE ? PM_DEATH_ALONE : PM_DEATH_CRASH;
}

const char *
pm_state_name(PmState state)
{
    static const char *const names[PM_STATE_COUNT] = {
        [PM_INIT] = "init",
        [PM_STARTING] = "starting",
        [PM_RUN] = "run",
        [PM_STOP_SMART] = "stop-smart",
        [PM_STOP_BACKENDS] = "stop-backends",
        [PM_STOP_WORKERS] = "stop-workers",
        [PM_STOP_CHECKPOINTERS] = "stop-checkpointers",
        [PM_STOP_IMMEDIATE] = "stop-immediate",
        [PM_CRASH_WAIT] = "crash-wait",
        [PM_CRASH_BACKOFF] = "crash-backoff",
        [PM_DONE] = "done",
    };
    return state < PM_STATE_COUNT ? names[state] : "?";
}

const char *
pm_event_name(PmEventType type)
{
    static const char *const names[PM_EV_TYPE_COUNT] = {
        [PM_EV_BEGIN] = "begin",
        [PM_EV_CONTROLLER_ACTIVE] = "controller-active",
        [PM_EV_SMART] = "smart",
        [PM_EV_FAST] = "fast",
        [PM_EV_IMMEDIATE] = "immediate",
        [PM_EV_RELOAD] = "reload",
        [PM_EV_CONNECTED] = "connected",
        [PM_EV_DEATH] = "death",
        [PM_EV_LAUNCH_FAILED] = "launch-failed",
        [PM_EV_TICK] = "tick",
    };
    return type < PM_EV_TYPE_COUNT ? names[type] : "?";
}

const char *
pm_action_name(PmActionType type)
{
    static const char *const names[PM_ACT_TYPE_COUNT] = {
        [PM_ACT_LAUNCH] = "launch",
        [PM_ACT_SIGNAL_KIND] = "signal-kind",
        [PM_ACT_SIGNAL_ALL] = "signal-all",
        [PM_ACT_ACCEPT_ON] = "accept-on",
        [PM_ACT_ACCEPT_OFF] = "accept-off",
        [PM_ACT_CLOSE_LISTENERS] = "close-listeners",
        [PM_ACT_NOTIFY_READY] = "ready",
        [PM_ACT_NOTIFY_RECOVERED] = "recovered",
        [PM_ACT_NOTIFY_STOPPING] = "stopping",
        [PM_ACT_RELOAD] = "reload",
        [PM_ACT_RESCAN] = "rescan",
        [PM_ACT_CRASHED] = "crashed",
        [PM_ACT_REBUILD] = "rebuild",
        [PM_ACT_EXIT] = "exit",
    };
    return type < PM_ACT_TYPE_COUNT ? names[type] : "?";
}
