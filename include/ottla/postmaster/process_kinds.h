/*
 * process_kinds.h - one row per kind of child: what the supervisor does with it
 *
 * The table is the seam between the supervisor and the children's main functions: ottlad passes the
 * real ones (process_kinds.c), tests pass their own. A new kind is a new row here, a name in
 * ipc/proc_kind.h, and nothing else.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_PROCESS_KINDS_H
#define OTTLA_POSTMASTER_PROCESS_KINDS_H

#include <stdbool.h>

#include "ottla/ipc/proc_kind.h"

/* What exit code 1 ("gave up after a reported failure") leads to. */
typedef enum KindPolicy {
    KIND_ALONE,   /* the child ends alone and is not replaced (backend) */
    KIND_RESTART, /* the same instance again after a pause that doubles */
    KIND_REVIVE, /* whatever ended it: the same instance again, soon; it touches shared memory only where
                     a generation or a lock tells of its death (coordinator) */
    KIND_APART, /* whatever ended it: the same instance again after such a pause; nobody else notices, since it
                   writes nothing that others rely on (exporter) */
    KIND_CYCLE, /* owns state that only a new region can rebuild: crash cycle */
} KindPolicy;

/* When a kind is started and stopped; the machine walks the phases in order. */
typedef enum KindPhase {
    KIND_PHASE_NONE,
    KIND_PHASE_FIRST,   /* started first (controller); the others wait until it is active */
    KIND_PHASE_SERVICE, /* started when the controller is active */
    KIND_PHASE_CLIENT,  /* one per connection */
} KindPhase;

typedef enum KindStop {
    KIND_STOP_NONE,
    KIND_STOP_CLIENTS, /* told first */
    KIND_STOP_WORKERS, /* told when the clients are gone */
    KIND_STOP_LAST,    /* told when the workers are gone: final checkpoint */
} KindStop;

typedef struct KindRow {
    const char *name; /* "backend": in titles, log lines, comm name ottlad-NAME */
    KindPolicy policy;
    KindPhase phase;
    KindStop stop;
    int stop_signal;        /* the orderly stop */
    bool runs_to_end;       /* exit 0 is its job done, not a stop (startup) */
    bool background;        /* nobody waits for it: keeps the system's slice of a core (slice.h) */
    int oom_score_adj;      /* only where OTTLA_OOM_ADJUST_VALUE is set */
    const char *exit1_hint; /* HINT of an obituary for exit 1; NULL: none */
} KindRow;

extern const KindRow process_kinds[PROC_KIND_COUNT];

/* What a child runs. start is a BackendStart for backends, else NULL. Must not return. */
typedef void (*KindMain)(int instance, const void *start);

/* Main functions by kind; NULL where the kind has none. */
typedef struct KindMains {
    KindMain main[PROC_KIND_COUNT];
} KindMains;

#endif
