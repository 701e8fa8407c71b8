/*
 * launch.h - forks a child into its slot
 *
 * Runs in: supervisor; the second half in the child.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_LAUNCH_H
#define OTTLA_POSTMASTER_LAUNCH_H

#include <stdint.h>
#include <sys/types.h>

#include "ottla/common/err.h"
#include "ottla/postmaster/process_kinds.h"

/* Makes the death pipe, whose write end only the supervisor holds. Before the first fork. */
int launch_init(ErrInfo *err);

/* In a child: the descriptor whose end of file means that the supervisor is dead. */
int launch_death_fd(void);

/* What to fork. */
typedef struct LaunchOrder {
    ProcKind kind;
    int instance;
    int32_t slot;      /* DEAD */
    const void *start; /* BackendStart of a backend, else NULL */
    KindMain main;
    void (*close_inherited)(
        void); /* in the child: closes what only the supervisor uses; may be NULL */
} LaunchOrder;

/*
 * Forks. In the supervisor: the pid, and the slot's generation; OT_E_LIMIT when fork fails (the slot is
 * DEAD again). The child never returns: it sets up death signal and pipe, title, slot, log
 * identity, main loop, then calls main.
 */
pid_t launch_child(const LaunchOrder *order, uint32_t *ret_generation, ErrInfo *err);

#endif
