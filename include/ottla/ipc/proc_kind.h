/*
 * proc_kind.h - the kinds of processes a node consists of
 *
 * The number of a kind is stored in process slots. What the supervisor does with each kind is a row
 * of postmaster/process_kinds.h.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_PROC_KIND_H
#define OTTLA_IPC_PROC_KIND_H

typedef enum ProcKind {
    PROC_SUPERVISOR,
    PROC_BACKEND,
    PROC_CONTROLLER,
    PROC_CHECKPOINTER,
    PROC_RETENTION,
    PROC_STARTUP,
    PROC_COORDINATOR,
    PROC_EXPORTER,
    PROC_LOGGER, /* has no slot */
    PROC_KIND_COUNT
} ProcKind;

/*
 * Exit code of a worker that lost what the node cannot live without (the metadata log): the supervisor
 * stops the node in order and exits with 1 (design.md 6).
 */
#define PROC_EXIT_NODE_ENDS 3

#define PROC_WORKERS_MAX 128 /* worker processes of a node: worker slots behind the backend slots */

#endif
