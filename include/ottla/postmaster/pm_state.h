/*
 * pm_state.h - the supervisor's decisions: pure state machine
 *
 * pm_step(machine, event, actions) is the only function that changes state. It knows which children
 * live, which phase the node is in and when the next deadline is; postmaster.c turns the world into
 * events and performs the actions in order. Time is in the event.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_PM_STATE_H
#define OTTLA_POSTMASTER_PM_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/postmaster/process_kinds.h"

/* Phases of a node's life. */
typedef enum PmState {
    PM_INIT,               /* nothing started */
    PM_STARTING,           /* controller runs, is not active yet */
    PM_RUN,                /* all workers run, connections are accepted */
    PM_STOP_SMART,         /* no new connections; clients may stay until the timeout */
    PM_STOP_BACKENDS,      /* backends were told to finish */
    PM_STOP_WORKERS,       /* startup, retention, controller were told to finish */
    PM_STOP_CHECKPOINTERS, /* final checkpoint runs */
    PM_STOP_IMMEDIATE,     /* all were told to exit at once; the node ends with 1 */
    PM_CRASH_WAIT,         /* a worker crashed: all were told to exit at once */
    PM_CRASH_BACKOFF,      /* all are gone; the region is rebuilt at the deadline */
    PM_DONE,               /* PM_ACT_EXIT was given */
    PM_STATE_COUNT
} PmState;

typedef enum PmEventType {
    PM_EV_BEGIN,             /* sockets and region are there */
    PM_EV_CONTROLLER_ACTIVE, /* the controller published its first image */
    PM_EV_SMART,             /* SIGTERM */
    PM_EV_FAST,              /* SIGINT */
    PM_EV_IMMEDIATE,         /* SIGQUIT */
    PM_EV_RELOAD,            /* SIGHUP */
    PM_EV_CONNECTED,         /* a backend was forked; only fed while accepting (PM_RUN) */
    PM_EV_DEATH,             /* a live child was reaped: kind, instance, death */
    PM_EV_LAUNCH_FAILED,     /* fork of a worker failed: kind, instance */
    PM_EV_TICK,              /* a deadline may have passed */
    PM_EV_TYPE_COUNT
} PmEventType;

/* What an exit means, whoever died (pm_classify_exit). */
typedef enum PmDeath {
    PM_DEATH_ROUTINE, /* exit 0: did its job */
    PM_DEATH_GAVE_UP, /* exit 1: ended itself after a reported failure */
    PM_DEATH_ALONE, /* by a signal or the like, and nobody else is touched (backend, coordinator) */
    PM_DEATH_CRASH, /* all children must go and the region is rebuilt */
    PM_DEATH_NODE,  /* exit PROC_EXIT_NODE_ENDS: the node stops in order and ends with 1 */
    PM_DEATH_COUNT
} PmDeath;

typedef struct PmEvent {
    PmEventType type;
    ProcKind kind;  /* DEATH, LAUNCH_FAILED */
    int instance;   /* DEATH, LAUNCH_FAILED of a worker */
    PmDeath death;  /* DEATH */
    int64_t now_ms; /* monotonic */
} PmEvent;

typedef enum PmActionType {
    PM_ACT_LAUNCH,      /* fork worker (kind, instance) */
    PM_ACT_SIGNAL_KIND, /* signal every child of kind */
    PM_ACT_SIGNAL_ALL,  /* signal every child */
    PM_ACT_ACCEPT_ON,
    PM_ACT_ACCEPT_OFF,       /* leave connections in the backlog */
    PM_ACT_CLOSE_LISTENERS,  /* close the sockets for good */
    PM_ACT_NOTIFY_READY,     /* READY=1 to systemd, the line `ready` */
    PM_ACT_NOTIFY_RECOVERED, /* after a crash cycle: STATUS and a line, READY stays */
    PM_ACT_NOTIFY_STOPPING,  /* STOPPING=1, pid file status */
    PM_ACT_RELOAD,           /* parse the configuration; signal children when it is good */
    PM_ACT_RESCAN,           /* raise rescan_epoch and wake every child: a waker may have died */
    PM_ACT_CRASHED,          /* the cycle's line and STATUS */
    PM_ACT_REBUILD,          /* throw the region away, map and init a new one */
    PM_ACT_EXIT,             /* remove the pid file when code is 0, leave with code */
    PM_ACT_TYPE_COUNT
} PmActionType;

typedef struct PmAction {
    PmActionType type;
    ProcKind kind;
    int instance;
    int value; /* signal number or exit code */
} PmAction;

#define PM_ACTIONS_MAX (PROC_WORKERS_MAX + 16)

typedef struct PmActions {
    PmAction list[PM_ACTIONS_MAX];
    int count;
} PmActions;

#define PM_CRASH_CYCLES_MAX       5 /* default and upper bound of crash_cycles_max */
#define PM_CRASH_WINDOW_MS        (10 * 60 * 1000)
#define PM_QUIT_PATIENCE_MS       5000            /* SIGQUIT to SIGKILL */
#define PM_WORKER_PATIENCE_MS     60000           /* orderly stop of the workers */
#define PM_CHECKPOINT_PATIENCE_MS (9 * 60 * 1000) /* final checkpoint; below TimeoutStopSec */
#define PM_WORKER_BACKOFF_MIN_MS  1000
#define PM_WORKER_BACKOFF_MAX_MS  60000
#define PM_WORKER_HEALTHY_MS      (10 * 60 * 1000)
#define PM_REVIVE_BACKOFF_MIN_MS  100 /* KIND_REVIVE: at once, then this, doubling */
#define PM_REVIVE_BACKOFF_MAX_MS  5000
#define PM_REVIVE_WINDOW_MS       60000
#define PM_REVIVE_DEATHS_MAX      10 /* so many of one worker within the window: a crash cycle */

typedef enum PmWorkerState {
    PM_WORKER_ABSENT, /* not started in this phase, or ended on order */
    PM_WORKER_RUNNING,
    PM_WORKER_RESTART,  /* gave up; launched again at restart_at_ms */
    PM_WORKER_FINISHED, /* did its job (startup) */
} PmWorkerState;

typedef struct PmWorker {
    ProcKind kind;
    int instance;
    PmWorkerState state;
    int64_t launched_at_ms;
    int64_t restart_at_ms;
    int64_t backoff_ms; /* the next pause */
    int restarts;
    int64_t death_at_ms[PM_REVIVE_DEATHS_MAX]; /* KIND_REVIVE: a ring of the latest */
    int deaths;
} PmWorker;

/* Fixed when the machine is made, but for what pm_reconfigure takes over. */
typedef struct PmConfig {
    int worker_count[PROC_KIND_COUNT]; /* instances per worker kind */
    int startup_max;            /* startup workers there may ever be; below their count: that */
    int64_t smart_timeout_ms;   /* smart.shutdown.timeout */
    int64_t backend_timeout_ms; /* patience with backends in a fast stop, then SIGKILL */
    bool restart_after_crash;   /* restart.after.crash */
    bool send_abort;            /* send.abort.for.crash: SIGABRT instead of SIGQUIT */
    int crash_cycles_max;       /* so many cycles in PM_CRASH_WINDOW_MS end the node */
} PmConfig;

typedef struct PmMachine {
    PmConfig config;
    PmState state;
    PmWorker workers[PROC_WORKERS_MAX];
    int worker_total;
    int backends;                             /* live backends */
    int64_t deadline_ms;                      /* of the phase; INT64_MAX: none */
    int64_t crash_at_ms[PM_CRASH_CYCLES_MAX]; /* latest cycles, oldest first */
    int crash_count;                          /* used entries of crash_at_ms */
    bool ever_active;                         /* READY was given */
    bool unclean;                             /* something went wrong while stopping: no exit 0 */
} PmMachine;

/* Sets the machine to PM_INIT. */
void pm_init(PmMachine *pm, const PmConfig *config);

/* Settings have changed: timeouts, flags, and how many startup workers the next start has. */
void pm_reconfigure(PmMachine *pm, const PmConfig *config);

/*
 * Takes one event; fills actions (never NULL; overwritten) with what must be done now, in order.
 * Every (state, event) pair is legal but for deaths of children that do not live and connections
 * while none are accepted; one without effect gives no action.
 */
void pm_step(PmMachine *pm, const PmEvent *event, PmActions *actions);

/* When PM_EV_TICK is due at the latest; INT64_MAX: never. */
int64_t pm_next_deadline(const PmMachine *pm);

/* How a process ended: by exit(code), or by signal `code`; panicked: its panic slot holds a text. */
typedef struct PmExit {
    ProcKind kind;
    bool exited;
    int code;
    bool panicked;
} PmExit;

/* What that end means (design.md 4 and 11, shell-and-service.md 9.1). */
PmDeath pm_classify_exit(const PmExit *how);

const char *pm_state_name(PmState state);
const char *pm_event_name(PmEventType type);
const char *pm_action_name(PmActionType type);

#endif
