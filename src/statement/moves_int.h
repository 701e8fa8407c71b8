/*
 * moves_int.h - carries out a plan: shown, submitted in batches, throttled, waited for
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_MOVES_INT_H
#define OTTLA_STATEMENT_MOVES_INT_H

#include "exec_int.h"
#include "plan_int.h"

/* Does what the plan says, as THROTTLE, BATCH, WAIT and PLAN ONLY of the statement have it, and sets the tag. */
int moves_run(Exec *x, const Plan *plan, const char *tag);

/* Where running moves lead to is what counts as the state of their partitions: before becomes their target. */
int moves_take_running(Exec *x, Plan *plan);

#endif
