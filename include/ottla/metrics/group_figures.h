/*
 * group_figures.h - how many groups there are, and how far they are behind: asked of the coordinators
 *
 * Groups are the coordinators' private memory, so their figures are gathered page by page by mailbox
 * (coordinator/group_pages.h) and kept a while. Bounded: `lag_max` lags at most, FIGURES_STATES_MAX kinds of
 * groups, and a deadline after which what has come so far is all.
 *
 * Runs in: exporter.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_METRICS_GROUP_FIGURES_H
#define OTTLA_METRICS_GROUP_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"

#define FIGURES_STATES_MAX 32
#define FIGURES_TEXT_MAX   32

typedef struct GroupStateFigure {
    char protocol[FIGURES_TEXT_MAX];
    char state[FIGURES_TEXT_MAX];
    int64_t count;
} GroupStateFigure;

/* An offset that a group has committed to a partition of this node. */
typedef struct GroupLagFigure {
    StrView group, topic;
    int64_t records;
    int64_t ms; /* LAG_UNKNOWN: not to be had */
    int32_t partition;
} GroupLagFigure;

typedef struct GroupFigures {
    GroupStateFigure states[FIGURES_STATES_MAX];
    int32_t state_count;
    GroupLagFigure *lags;
    int32_t lag_count;
    int64_t lag_dropped; /* offsets that were left out */
} GroupFigures;

/* A gathering; its figures are those of the last one that was finished. */
typedef struct GroupGather GroupGather;

/* NULL: no memory. */
GroupGather *group_gather_new(void);

/* Begins anew unless one is under way. lag_max: lags that are told at most. */
void group_gather_begin(GroupGather *g, int64_t now_us, int32_t lag_max);

/*
 * After each wake-up, and at group_gather_deadline_us: goes on. False: nothing is under way any more, and
 * group_gather_figures are the new ones.
 */
bool group_gather_step(GroupGather *g, int64_t now_us);
int64_t group_gather_deadline_us(const GroupGather *g); /* INT64_MAX: nothing is under way */

/* Of the last one; NULL: there was none. They live until the next one is finished. */
const GroupFigures *group_gather_figures(const GroupGather *g);

/* When the last one was begun; monotonic, 0: never. */
int64_t group_gather_begun_us(const GroupGather *g);

#endif
