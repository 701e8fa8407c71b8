/*
 * test_pm_state.c - the supervisor's state machine over every (state, event) pair
 *
 * Proves: the table below is the whole of the machine's transitions; invariants P1-P6 of
 * pm_state.c hold after every step of long random walks, which always come to an end once a stop
 * is asked for; deaths, restarts with backoff, crash cycles and their limit, escalation of stops.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/postmaster/pm_state.h"

static const PmConfig config = {
    .worker_count = {[PROC_CONTROLLER] = 1,
                     [PROC_CHECKPOINTER] = 2,
                     [PROC_RETENTION] = 1,
                     [PROC_STARTUP] = 2,
                     [PROC_COORDINATOR] = 2,
                     [PROC_EXPORTER] = 1},
    .smart_timeout_ms = 30000,
    .backend_timeout_ms = 10000,
    .restart_after_crash = true,
    .crash_cycles_max = 5,
};

/* A machine with a clock and the actions of its last step. */
typedef struct Rig {
    PmMachine pm;
    PmActions did;
    int64_t now_ms;
} Rig;

static void
feed(Rig *rig, PmEvent event)
{
    event.now_ms = rig->now_ms;
    pm_step(&rig->pm, &event, &rig->did);
}

static void
feed_plain(Rig *rig, PmEventType type)
{
    feed(rig, (PmEvent){.type = type});
}

static void
feed_death(Rig *rig, ProcKind kind, int instance, PmDeath death)
{
    feed(rig, (PmEvent){.type = PM_EV_DEATH, .kind = kind, .instance = instance, .death = death});
}

static int
did_count(const Rig *rig, PmActionType type)
{
    int count = 0;

    for (int i = 0; i < rig->did.count; i++)
        count += rig->did.list[i].type == type;
    return count;
}

static int
did_value(const Rig *rig, PmActionType type)
{
    for (int i = 0; i < rig->did.count; i++)
        if (rig->did.list[i].type == type)
            return rig->did.list[i].value;
    fail_msg("no action %s", pm_action_name(type));
    return -1;
}

static bool
lives(const Rig *rig, ProcKind kind, int instance)
{
    if (kind == PROC_BACKEND)
        return rig->pm.backends > 0;
    for (int i = 0; i < rig->pm.worker_total; i++) {
        const PmWorker *worker = &rig->pm.workers[i];
        if (worker->kind == kind && worker->instance == instance)
            return worker->state == PM_WORKER_RUNNING;
    }
    return false;
}

static void
start_node(Rig *rig, const PmConfig *with)
{
    memset(rig, 0, sizeof *rig);
    rig->now_ms = 1000000;
    pm_init(&rig->pm, with);
    feed_plain(rig, PM_EV_BEGIN);
    assert_int_equal(did_count(rig, PM_ACT_LAUNCH), 1);
    feed_plain(rig, PM_EV_CONTROLLER_ACTIVE);
}

/* Ends every live worker of a stop group the orderly way. */
static void
end_group(Rig *rig, KindStop stop)
{
    for (int kind = 0; kind < PROC_KIND_COUNT; kind++)
        for (int i = 0; i < config.worker_count[kind]; i++)
            if (process_kinds[kind].stop == stop && lives(rig, (ProcKind)kind, i))
                feed_death(rig, (ProcKind)kind, i, PM_DEATH_ROUTINE);
}

static void
kill_everybody(Rig *rig)
{
    for (int i = 0; i < rig->pm.worker_total; i++) {
        PmWorker *worker = &rig->pm.workers[i];
        if (worker->state == PM_WORKER_RUNNING &&
            (rig->pm.state == PM_CRASH_WAIT || rig->pm.state == PM_STOP_IMMEDIATE))
            feed_death(rig, worker->kind, worker->instance, PM_DEATH_CRASH);
    }
    while (rig->pm.backends > 0)
        feed_death(rig, PROC_BACKEND, 0, PM_DEATH_ALONE);
}

/* Brings a fresh machine into a state by the shortest way, with one backend where some may live. */
static void
bring_to(Rig *rig, PmState state)
{
    memset(rig, 0, sizeof *rig);
    rig->now_ms = 1000000;
    pm_init(&rig->pm, &config);
    if (state == PM_INIT)
        return;
    feed_plain(rig, PM_EV_BEGIN);
    if (state == PM_STARTING)
        return;
    feed_plain(rig, PM_EV_CONTROLLER_ACTIVE);
    if (state != PM_STOP_WORKERS && state != PM_STOP_CHECKPOINTERS && state != PM_DONE)
        feed_plain(rig, PM_EV_CONNECTED);
    switch (state) {
    case PM_INIT:
    case PM_STARTING:
    case PM_RUN:
    case PM_STATE_COUNT:
        break;
    case PM_STOP_SMART:
        feed_plain(rig, PM_EV_SMART);
        break;
    case PM_STOP_BACKENDS:
    case PM_STOP_WORKERS:
        feed_plain(rig, PM_EV_FAST);
        break;
    case PM_STOP_CHECKPOINTERS:
        feed_plain(rig, PM_EV_FAST);
        end_group(rig, KIND_STOP_WORKERS);
        break;
    case PM_STOP_IMMEDIATE:
        feed_plain(rig, PM_EV_IMMEDIATE);
        break;
    case PM_CRASH_WAIT:
        feed_death(rig, PROC_RETENTION, 0, PM_DEATH_CRASH);
        break;
    case PM_CRASH_BACKOFF: /* the second cycle pauses */
        feed_death(rig, PROC_RETENTION, 0, PM_DEATH_CRASH);
        kill_everybody(rig);
        feed_plain(rig, PM_EV_CONTROLLER_ACTIVE);
        feed_death(rig, PROC_RETENTION, 0, PM_DEATH_CRASH);
        kill_everybody(rig);
        break;
    case PM_DONE:
        feed_plain(rig, PM_EV_FAST);
        end_group(rig, KIND_STOP_WORKERS);
        end_group(rig, KIND_STOP_LAST);
        break;
    }
    assert_int_equal(rig->pm.state, state);
}

/* The events of the table: each once per state, deaths by who and how. */
typedef enum Column {
    C_BEGIN,
    C_ACTIVE,
    C_SMART,
    C_FAST,
    C_IMMEDIATE,
    C_RELOAD,
    C_CONNECTED,
    C_TICK,         /* just before the deadline */
    C_DEADLINE,     /* a day later */
    C_BACKEND_OK,   /* the last backend ended with 0 */
    C_BACKEND_DIED, /* ... by a signal */
    C_BACKEND_PANIC,
    C_CONTROLLER_OK,
    C_CONTROLLER_1,
    C_CONTROLLER_CRASH,
    C_CONTROLLER_NODE, /* lost the metadata log */
    C_RETENTION_1,
    C_RETENTION_CRASH,
    C_STARTUP_OK,
    C_CHECKPOINTER_1,
    C_CHECKPOINTER_CRASH,
    C_COORDINATOR_OK,
    C_COORDINATOR_DIED, /* however: signal, exit, panic */
    C_LAUNCH_FAILED,    /* of the controller */
    C_COUNT
} Column;

static const PmEvent columns[C_COUNT] = {
    [C_BEGIN] = {.type = PM_EV_BEGIN},
    [C_ACTIVE] = {.type = PM_EV_CONTROLLER_ACTIVE},
    [C_SMART] = {.type = PM_EV_SMART},
    [C_FAST] = {.type = PM_EV_FAST},
    [C_IMMEDIATE] = {.type = PM_EV_IMMEDIATE},
    [C_RELOAD] = {.type = PM_EV_RELOAD},
    [C_CONNECTED] = {.type = PM_EV_CONNECTED},
    [C_TICK] = {.type = PM_EV_TICK},
    [C_DEADLINE] = {.type = PM_EV_TICK},
    [C_BACKEND_OK] = {PM_EV_DEATH, PROC_BACKEND, 0, PM_DEATH_ROUTINE, 0},
    [C_BACKEND_DIED] = {PM_EV_DEATH, PROC_BACKEND, 0, PM_DEATH_ALONE, 0},
    [C_BACKEND_PANIC] = {PM_EV_DEATH, PROC_BACKEND, 0, PM_DEATH_CRASH, 0},
    [C_CONTROLLER_OK] = {PM_EV_DEATH, PROC_CONTROLLER, 0, PM_DEATH_ROUTINE, 0},
    [C_CONTROLLER_1] = {PM_EV_DEATH, PROC_CONTROLLER, 0, PM_DEATH_GAVE_UP, 0},
    [C_CONTROLLER_CRASH] = {PM_EV_DEATH, PROC_CONTROLLER, 0, PM_DEATH_CRASH, 0},
    [C_CONTROLLER_NODE] = {PM_EV_DEATH, PROC_CONTROLLER, 0, PM_DEATH_NODE, 0},
    [C_RETENTION_1] = {PM_EV_DEATH, PROC_RETENTION, 0, PM_DEATH_GAVE_UP, 0},
    [C_RETENTION_CRASH] = {PM_EV_DEATH, PROC_RETENTION, 0, PM_DEATH_CRASH, 0},
    [C_STARTUP_OK] = {PM_EV_DEATH, PROC_STARTUP, 0, PM_DEATH_ROUTINE, 0},
    [C_CHECKPOINTER_1] = {PM_EV_DEATH, PROC_CHECKPOINTER, 0, PM_DEATH_GAVE_UP, 0},
    [C_CHECKPOINTER_CRASH] = {PM_EV_DEATH, PROC_CHECKPOINTER, 0, PM_DEATH_CRASH, 0},
    [C_COORDINATOR_OK] = {PM_EV_DEATH, PROC_COORDINATOR, 1, PM_DEATH_ROUTINE, 0},
    [C_COORDINATOR_DIED] = {PM_EV_DEATH, PROC_COORDINATOR, 1, PM_DEATH_ALONE, 0},
    [C_LAUNCH_FAILED] = {PM_EV_LAUNCH_FAILED, PROC_CONTROLLER, 0, PM_DEATH_GAVE_UP, 0},
};

/*
 * One letter per state for the table; '-': the pair cannot occur (a death of who does not live, a
 * connection while none are accepted).
 *   i init, s starting, R run, m smart, b stop-backends, w stop-workers, c stop-checkpointers,
 *   I immediate, x crash-wait, o crash-backoff, D done
 */
static const char letters[PM_STATE_COUNT + 1] = "isRmbwcIxoD";

/* Rows: the state before; columns in the order of Column. */
static const char *const table[PM_STATE_COUNT] = {
    /*                        B A S F I L C T D   b b b  c c c n  r r  s  k k  g g  l */
    [PM_INIT] = "s i D D D i - i i   - - -  - - - -  - -  -  - -  - -  -",
    [PM_STARTING] = "s R w w I s - s s   - - -  D D s D  - -  -  - -  - -  D",
    [PM_RUN] = "R R m b I R R R R   R R x  x x x b  R x  R  R x  R R  R",
    [PM_STOP_SMART] = "m m b b I m - m b   w w I  m m I m  m I  m  m I  m m  m",
    [PM_STOP_BACKENDS] = "b b b b I b - b b   w w I  b b I b  b I  b  b I  b b  b",
    [PM_STOP_WORKERS] = "w w w w I w - w I   - - -  w w I w  w I  w  w I  w w  w",
    [PM_STOP_CHECKPOINTERS] = "c c c c I c - c I   - - -  - - - -  - -  -  c I  - -  -",
    [PM_STOP_IMMEDIATE] = "I I I I I I - I I   I I I  I I I I  I I  I  I I  I I  I",
    [PM_CRASH_WAIT] = "x x I I I x - x x   x x x  x x x x  - -  x  x x  x x  x",
    [PM_CRASH_BACKOFF] = "o o D D D o - o s   - - -  - - - -  - -  -  - -  - -  -",
    [PM_DONE] = "D D D D D D - D D   - - -  - - - -  - -  -  - -  - -  -",
};

static char
expected(PmState state, Column column)
{
    int seen = -1;

    for (const char *p = table[state]; *p != '\0'; p++)
        if (*p != ' ' && ++seen == (int)column)
            return *p;
    fail_msg("row %s is short", pm_state_name(state));
    return '?';
}

static bool
pair_can_occur(const Rig *rig, const PmEvent *event)
{
    if (event->type == PM_EV_CONNECTED)
        return rig->pm.state == PM_RUN;
    if (event->type == PM_EV_DEATH || event->type == PM_EV_LAUNCH_FAILED)
        return lives(rig, event->kind, event->instance);
    return true;
}

static void
every_pair_goes_where_the_table_says(void **unused)
{
    (void)unused; /* cmocka's signature */
    for (int state = 0; state < PM_STATE_COUNT; state++) {
        for (int column = 0; column < C_COUNT; column++) {
            Rig rig;
            PmEvent event = columns[column];
            char want = expected((PmState)state, (Column)column);

            bring_to(&rig, (PmState)state);
            if (!pair_can_occur(&rig, &event)) {
                assert_int_equal(want, '-');
                continue;
            }
            if (column == C_DEADLINE)
                rig.now_ms += 24 * 3600 * 1000;
            feed(&rig, event);
            if (letters[rig.pm.state] != want)
                fail_msg("%s + column %d (%s): %c, want %c", pm_state_name((PmState)state), column,
                         pm_event_name(event.type), letters[rig.pm.state], want);
        }
    }
}

static void
start_launches_in_phases(void **unused)
{
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 8);
    assert_int_equal(did_count(&rig, PM_ACT_ACCEPT_ON), 1);
    assert_int_equal(did_count(&rig, PM_ACT_NOTIFY_READY), 1);
    assert_true(pm_next_deadline(&rig.pm) == INT64_MAX);
}

static void
fast_stop_goes_through_all_groups(void **unused)
{
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    feed_plain(&rig, PM_EV_CONNECTED);
    feed_plain(&rig, PM_EV_CONNECTED);
    feed_plain(&rig, PM_EV_FAST);
    assert_int_equal(did_count(&rig, PM_ACT_NOTIFY_STOPPING), 1);
    assert_int_equal(did_count(&rig, PM_ACT_CLOSE_LISTENERS), 1);
    assert_int_equal(did_value(&rig, PM_ACT_SIGNAL_KIND), SIGTERM);
    feed_death(&rig, PROC_BACKEND, 0, PM_DEATH_ROUTINE);
    assert_int_equal(rig.pm.state, PM_STOP_BACKENDS);
    feed_death(&rig, PROC_BACKEND, 0, PM_DEATH_GAVE_UP);
    assert_int_equal(rig.pm.state, PM_STOP_WORKERS);
    assert_int_equal(did_count(&rig, PM_ACT_SIGNAL_KIND), 5);
    feed_death(&rig, PROC_STARTUP, 0, PM_DEATH_GAVE_UP); /* cut short: allowed */
    end_group(&rig, KIND_STOP_WORKERS);
    assert_int_equal(rig.pm.state, PM_STOP_CHECKPOINTERS);
    assert_int_equal(did_value(&rig, PM_ACT_SIGNAL_KIND), SIGUSR2);
    end_group(&rig, KIND_STOP_LAST);
    assert_int_equal(rig.pm.state, PM_DONE);
    assert_int_equal(did_value(&rig, PM_ACT_EXIT), 0);
}

static void
smart_stop_waits_then_escalates(void **unused)
{
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    feed_plain(&rig, PM_EV_CONNECTED);
    feed_plain(&rig, PM_EV_SMART);
    assert_int_equal(did_count(&rig, PM_ACT_SIGNAL_KIND), 0);
    rig.now_ms += 29999;
    feed_plain(&rig, PM_EV_TICK);
    assert_int_equal(rig.pm.state, PM_STOP_SMART);
    rig.now_ms += 1;
    feed_plain(&rig, PM_EV_TICK);
    assert_int_equal(rig.pm.state, PM_STOP_BACKENDS);
    assert_int_equal(did_value(&rig, PM_ACT_SIGNAL_KIND), SIGTERM);
    rig.now_ms += 10000;
    feed_plain(&rig, PM_EV_TICK);
    assert_int_equal(did_value(&rig, PM_ACT_SIGNAL_KIND), SIGKILL);
    feed_plain(&rig, PM_EV_SMART); /* weaker: ignored */
    assert_int_equal(rig.did.count, 0);
    feed_plain(&rig, PM_EV_IMMEDIATE);
    assert_int_equal(did_value(&rig, PM_ACT_SIGNAL_ALL), SIGQUIT);
    rig.now_ms += PM_QUIT_PATIENCE_MS;
    feed_plain(&rig, PM_EV_TICK);
    assert_int_equal(did_value(&rig, PM_ACT_SIGNAL_ALL), SIGKILL);
    kill_everybody(&rig);
    assert_int_equal(rig.pm.state, PM_DONE);
    assert_int_equal(did_value(&rig, PM_ACT_EXIT), 1);
}

static void
a_failed_final_checkpoint_is_no_clean_stop(void **unused)
{
    Rig rig;

    (void)unused; /* cmocka's signature */
    bring_to(&rig, PM_STOP_CHECKPOINTERS);
    feed_death(&rig, PROC_CHECKPOINTER, 0, PM_DEATH_GAVE_UP);
    assert_int_equal(rig.pm.state, PM_STOP_CHECKPOINTERS);
    feed_death(&rig, PROC_CHECKPOINTER, 1, PM_DEATH_ROUTINE);
    assert_int_equal(did_value(&rig, PM_ACT_EXIT), 1);
}

static void
workers_restart_with_backoff(void **unused)
{
    static const int64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        feed_death(&rig, PROC_RETENTION, 0, PM_DEATH_GAVE_UP);
        assert_int_equal(did_count(&rig, PM_ACT_RESCAN), 1);
        assert_true(pm_next_deadline(&rig.pm) == rig.now_ms + pauses[i]);
        rig.now_ms += pauses[i] - 1;
        feed_plain(&rig, PM_EV_TICK);
        assert_int_equal(rig.did.count, 0);
        rig.now_ms += 1;
        feed_plain(&rig, PM_EV_TICK);
        assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 1);
    }
    rig.now_ms += PM_WORKER_HEALTHY_MS; /* health resets the pause */
    feed_death(&rig, PROC_RETENTION, 0, PM_DEATH_GAVE_UP);
    assert_true(pm_next_deadline(&rig.pm) == rig.now_ms + 1000);
}

/* However a coordinator ends: again at once, slower when it goes on, and a crash cycle when it does not stop. */
static void
a_coordinator_is_revived(void **unused)
{
    static const int64_t pauses[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    feed_death(&rig, PROC_COORDINATOR, 1, PM_DEATH_ALONE);
    assert_int_equal(rig.did.count, 2);
    assert_int_equal(rig.did.list[0].type,
                     PM_ACT_RESCAN); /* before: who waits for the dead one hears it */
    assert_int_equal(rig.did.list[1].type, PM_ACT_LAUNCH);
    assert_int_equal(rig.did.list[1].instance, 1);
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        feed_death(&rig, PROC_COORDINATOR, 1, PM_DEATH_ALONE);
        assert_int_equal(rig.pm.state, PM_RUN);
        assert_int_equal(did_count(&rig, PM_ACT_RESCAN), 1);
        assert_true(pm_next_deadline(&rig.pm) == rig.now_ms + pauses[i]);
        rig.now_ms += pauses[i];
        feed_plain(&rig, PM_EV_TICK);
        assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 1);
    }
    feed_death(&rig, PROC_COORDINATOR, 0, PM_DEATH_ALONE); /* another one: at once */
    assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 1);
    feed_death(&rig, PROC_COORDINATOR, 1, PM_DEATH_ALONE); /* the tenth in a minute */
    assert_int_equal(rig.pm.state, PM_CRASH_WAIT);
}

/* Deaths far apart cost nothing but themselves. */
static void
a_coordinator_that_dies_rarely_comes_at_once(void **unused)
{
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    for (int i = 0; i < 30; i++) {
        feed_death(&rig, PROC_COORDINATOR, 0, PM_DEATH_ALONE);
        assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 1);
        rig.now_ms += PM_REVIVE_WINDOW_MS;
    }
}

/* One that dies while the node stops is not missed: its clients are told, and the stop stays clean. */
static void
a_coordinator_may_die_in_a_stop(void **unused)
{
    Rig rig;

    (void)unused; /* cmocka's signature */
    bring_to(&rig, PM_STOP_SMART);
    feed_death(&rig, PROC_COORDINATOR, 0, PM_DEATH_ALONE);
    assert_int_equal(did_count(&rig, PM_ACT_RESCAN), 1);
    assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 0);
    feed_death(&rig, PROC_BACKEND, 0, PM_DEATH_ROUTINE);
    end_group(&rig, KIND_STOP_WORKERS);
    end_group(&rig, KIND_STOP_LAST);
    assert_int_equal(rig.pm.state, PM_DONE);
    assert_int_equal(did_value(&rig, PM_ACT_EXIT), 0);
}

static void
a_backend_dies_alone(void **unused)
{
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    feed_plain(&rig, PM_EV_CONNECTED);
    feed_plain(&rig, PM_EV_CONNECTED);
    feed_death(&rig, PROC_BACKEND, 0, PM_DEATH_ALONE);
    assert_int_equal(rig.pm.state, PM_RUN);
    assert_int_equal(rig.did.count, 1);
    assert_int_equal(did_count(&rig, PM_ACT_RESCAN), 1);
    feed_death(&rig, PROC_BACKEND, 0, PM_DEATH_GAVE_UP);
    assert_int_equal(rig.did.count, 0);
}

static void
five_cycles_end_the_node(void **unused)
{
    static const int64_t pauses[] = {0, 250, 1000, 4000};
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        feed_plain(&rig, PM_EV_CONNECTED);
        feed_death(&rig, PROC_CHECKPOINTER, 1, PM_DEATH_CRASH);
        assert_int_equal(did_value(&rig, PM_ACT_SIGNAL_ALL), SIGQUIT);
        assert_int_equal(did_count(&rig, PM_ACT_ACCEPT_OFF), 1);
        kill_everybody(&rig);
        if (pauses[i] > 0) {
            assert_int_equal(rig.pm.state, PM_CRASH_BACKOFF);
            assert_true(pm_next_deadline(&rig.pm) == rig.now_ms + pauses[i]);
            rig.now_ms += pauses[i];
            feed_plain(&rig, PM_EV_TICK);
        }
        assert_int_equal(rig.did.list[0].type, PM_ACT_REBUILD);
        assert_int_equal(rig.did.list[1].type, PM_ACT_LAUNCH);
        feed_plain(&rig, PM_EV_CONTROLLER_ACTIVE);
        assert_int_equal(did_count(&rig, PM_ACT_NOTIFY_READY), 0);
        assert_int_equal(did_count(&rig, PM_ACT_NOTIFY_RECOVERED), 1);
    }
    feed_death(&rig, PROC_STARTUP, 0, PM_DEATH_CRASH);
    kill_everybody(&rig);
    assert_int_equal(rig.pm.state, PM_DONE);
    assert_int_equal(did_value(&rig, PM_ACT_EXIT), 1);
}

static void
old_cycles_are_forgotten(void **unused)
{
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    for (int i = 0; i < 20; i++) {
        feed_death(&rig, PROC_CONTROLLER, 0, PM_DEATH_GAVE_UP); /* cannot restart alone */
        kill_everybody(&rig);
        assert_int_equal(rig.pm.state, PM_STARTING);
        feed_plain(&rig, PM_EV_CONTROLLER_ACTIVE);
        rig.now_ms += PM_CRASH_WINDOW_MS;
    }
}

/* However often the exporter ends, and however: it alone is started again, slower and slower. */
static void
an_exporter_concerns_nobody(void **unused)
{
    static const PmDeath deaths[] = {PM_DEATH_ALONE, PM_DEATH_GAVE_UP, PM_DEATH_ROUTINE};
    Rig rig;

    (void)unused; /* cmocka's signature */
    start_node(&rig, &config);
    for (int i = 0; i < 30; i++) {
        feed_death(&rig, PROC_EXPORTER, 0, deaths[i % 3]);
        assert_int_equal(rig.pm.state, PM_RUN);
        assert_int_equal(did_count(&rig, PM_ACT_SIGNAL_ALL), 0);
        assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 0);
        rig.now_ms = pm_next_deadline(&rig.pm);
        feed_plain(&rig, PM_EV_TICK);
        assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 1);
        assert_int_equal(rig.did.list[0].kind, PROC_EXPORTER);
    }
    bring_to(&rig, PM_STOP_SMART);
    feed_death(&rig, PROC_EXPORTER, 0, PM_DEATH_ALONE);
    feed_death(&rig, PROC_BACKEND, 0, PM_DEATH_ROUTINE);
    end_group(&rig, KIND_STOP_WORKERS);
    end_group(&rig, KIND_STOP_LAST);
    assert_int_equal(rig.pm.state, PM_DONE);
    assert_int_equal(did_value(&rig, PM_ACT_EXIT), 0);
}

static void
no_restart_after_crash_ends_the_node(void **unused)
{
    PmConfig strict = config;
    Rig rig;

    (void)unused; /* cmocka's signature */
    strict.restart_after_crash = false;
    strict.send_abort = true;
    start_node(&rig, &strict);
    feed_death(&rig, PROC_RETENTION, 0, PM_DEATH_CRASH);
    assert_int_equal(did_value(&rig, PM_ACT_SIGNAL_ALL), SIGABRT);
    kill_everybody(&rig);
    assert_int_equal(did_value(&rig, PM_ACT_EXIT), 1);
}

static void
exits_are_classified(void **unused)
{
    static const struct {
        PmExit how;
        PmDeath want;
    } cases[] = {
        {{PROC_BACKEND, true, 0, false}, PM_DEATH_ROUTINE},
        {{PROC_BACKEND, true, 1, false}, PM_DEATH_GAVE_UP},
        {{PROC_BACKEND, true, 2, false}, PM_DEATH_ALONE},
        {{PROC_BACKEND, false, SIGKILL, false}, PM_DEATH_ALONE},
        {{PROC_BACKEND, false, SIGSEGV, false}, PM_DEATH_ALONE},
        {{PROC_BACKEND, false, SIGABRT, true}, PM_DEATH_CRASH},
        {{PROC_BACKEND, false, SIGABRT, false}, PM_DEATH_CRASH},
        {{PROC_RETENTION, true, 0, false}, PM_DEATH_ROUTINE},
        {{PROC_RETENTION, true, 1, false}, PM_DEATH_GAVE_UP},
        {{PROC_RETENTION, true, 2, false}, PM_DEATH_CRASH},
        {{PROC_CONTROLLER, false, SIGKILL, false}, PM_DEATH_CRASH},
        {{PROC_STARTUP, true, 0, true}, PM_DEATH_CRASH},
        {{PROC_EXPORTER, true, 0, false}, PM_DEATH_ROUTINE},
        {{PROC_EXPORTER, true, 1, false}, PM_DEATH_GAVE_UP},
        {{PROC_EXPORTER, true, 2, false}, PM_DEATH_ALONE},
        {{PROC_EXPORTER, false, SIGKILL, false}, PM_DEATH_ALONE},
        {{PROC_EXPORTER, false, SIGABRT, true}, PM_DEATH_ALONE},
        {{PROC_COORDINATOR, true, 0, false}, PM_DEATH_ROUTINE},
        {{PROC_COORDINATOR, true, 1, false}, PM_DEATH_ALONE},
        {{PROC_COORDINATOR, true, PROC_EXIT_NODE_ENDS, false}, PM_DEATH_ALONE},
        {{PROC_COORDINATOR, false, SIGKILL, false}, PM_DEATH_ALONE},
        {{PROC_COORDINATOR, false, SIGABRT, true}, PM_DEATH_ALONE},
    };

    (void)unused; /* cmocka's signature */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(pm_classify_exit(&cases[i].how), cases[i].want);
}

/* Any sequence of events keeps the invariants (asserted by pm_step) and ends when told to. */
static void
random_walks_keep_the_promises(void **unused)
{
    const char *given = getenv("OTTLA_SEED");
    unsigned seed = given == NULL ? 20261 : (unsigned)strtoul(given, NULL, 10);

    (void)unused; /* cmocka's signature */
    printf("# seed %u\n", seed);
    for (int walk = 0; walk < 2000; walk++) {
        Rig rig;

        memset(&rig, 0, sizeof rig);
        pm_init(&rig.pm, &config);
        for (int step = 0; step < 300 && rig.pm.state != PM_DONE; step++) {
            seed = seed * 1103515245u + 12345u;
            PmEvent event = columns[(seed >> 16) % C_COUNT];
            if (event.type == PM_EV_DEATH && event.kind != PROC_BACKEND)
                event.instance = (int)(seed >> 9) % config.worker_count[event.kind];
            rig.now_ms += (seed >> 5) % 5000;
            if (pair_can_occur(&rig, &event))
                feed(&rig, event);
        }
        if (rig.pm.state == PM_DONE)
            continue;
        feed_plain(&rig, PM_EV_IMMEDIATE);
        kill_everybody(&rig);
        assert_int_equal(rig.pm.state, PM_DONE);
        assert_int_equal(did_value(&rig, PM_ACT_EXIT), 1);
    }
}

/* num.recovery.threads.per.data.dir: what is set before the workers of a start are launched counts. */
static void
test_startup_workers_follow_the_setting(void **state)
{
    PmConfig with = config;
    Rig rig = {.now_ms = 1000000};

    (void)state;
    with.startup_max = 8;
    pm_init(&rig.pm, &with);
    with.worker_count[PROC_STARTUP] = 5;
    pm_reconfigure(&rig.pm, &with);
    with.worker_count[PROC_STARTUP] = 9; /* more than there is room for: as before */
    pm_reconfigure(&rig.pm, &with);
    feed_plain(&rig, PM_EV_BEGIN);
    feed_plain(&rig, PM_EV_CONTROLLER_ACTIVE);
    assert_int_equal(did_count(&rig, PM_ACT_LAUNCH), 2 + 1 + 2 + 1 + 5);
    assert_true(lives(&rig, PROC_STARTUP, 4));
    assert_false(lives(&rig, PROC_STARTUP, 5));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_startup_workers_follow_the_setting),
        cmocka_unit_test(every_pair_goes_where_the_table_says),
        cmocka_unit_test(start_launches_in_phases),
        cmocka_unit_test(fast_stop_goes_through_all_groups),
        cmocka_unit_test(smart_stop_waits_then_escalates),
        cmocka_unit_test(a_failed_final_checkpoint_is_no_clean_stop),
        cmocka_unit_test(workers_restart_with_backoff),
        cmocka_unit_test(a_coordinator_is_revived),
        cmocka_unit_test(a_coordinator_that_dies_rarely_comes_at_once),
        cmocka_unit_test(a_coordinator_may_die_in_a_stop),
        cmocka_unit_test(a_backend_dies_alone),
        cmocka_unit_test(five_cycles_end_the_node),
        cmocka_unit_test(old_cycles_are_forgotten),
        cmocka_unit_test(an_exporter_concerns_nobody),
        cmocka_unit_test(no_restart_after_crash_ends_the_node),
        cmocka_unit_test(exits_are_classified),
        cmocka_unit_test(random_walks_keep_the_promises),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
