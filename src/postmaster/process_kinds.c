/*
 * process_kinds.c - the table of process kinds
 *
 * Read by the state machine (policy, phases), the launcher (titles, names) and the obituary.
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/process_kinds.h"

#include <signal.h>
#include <stddef.h>

const KindRow process_kinds[PROC_KIND_COUNT] = {
    [PROC_SUPERVISOR] = {.name = "supervisor"},
    [PROC_BACKEND] = {.name = "backend",
                      .policy = KIND_ALONE,
                      .phase = KIND_PHASE_CLIENT,
                      .stop = KIND_STOP_CLIENTS,
                      .stop_signal = SIGTERM,
                      .oom_score_adj = 100},
    [PROC_CONTROLLER] = {.name = "controller",
                         .policy = KIND_CYCLE,
                         .phase = KIND_PHASE_FIRST,
                         .stop = KIND_STOP_WORKERS,
                         .stop_signal = SIGTERM,
                         .exit1_hint = "the line before says why the metadata log cannot be used"},
    [PROC_CHECKPOINTER] = {.name = "checkpointer",
                           .policy = KIND_RESTART,
                           .phase = KIND_PHASE_SERVICE,
                           .stop = KIND_STOP_LAST,
                           .stop_signal = SIGUSR2,
                           .exit1_hint = "look for messages about its log directory"},
    [PROC_RETENTION] = {.name = "retention",
                        .policy = KIND_RESTART,
                        .phase = KIND_PHASE_SERVICE,
                        .stop = KIND_STOP_WORKERS,
                        .stop_signal = SIGTERM,
                        .background = true},
    [PROC_STARTUP] = {.name = "startup",
                      .policy = KIND_RESTART,
                      .phase = KIND_PHASE_SERVICE,
                      .stop = KIND_STOP_WORKERS,
                      .stop_signal = SIGTERM,
                      .background = true,
                      .runs_to_end = true,
                      .exit1_hint = "partitions not opened yet are opened when they are asked for"},
    [PROC_COORDINATOR] = {.name = "coordinator",
                          .policy = KIND_REVIVE,
                          .phase = KIND_PHASE_SERVICE,
                          .stop = KIND_STOP_WORKERS,
                          .stop_signal = SIGTERM,
                          .exit1_hint =
                              "groups of its partitions wait until it has read them again"},
    [PROC_EXPORTER] = {.name = "exporter",
                       .policy = KIND_APART,
                       .phase = KIND_PHASE_SERVICE,
                       .stop = KIND_STOP_WORKERS,
                       .stop_signal = SIGTERM,
                       .exit1_hint = "metrics are not served until it runs again"},
    /* Not the machine's: it outlives the others and the region (collector.c). */
    [PROC_LOGGER] = {.name = "logger", .policy = KIND_APART},
};
