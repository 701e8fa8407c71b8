/*
 * progress_int.h - how long moves of partitions will take, by what a session saw of them before
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_PROGRESS_INT_H
#define OTTLA_SQL_PROGRESS_INT_H

#include <stdint.h>

#include "ottla/common/view.h"

#define PROGRESS_MAX 1000 /* moves that are remembered; the one not seen for longest goes */

typedef struct Progress Progress;

/* A look at a move. */
typedef struct ProgressLook {
    StrView topic;
    int32_t partition;
    int64_t done; /* bytes */
    int64_t total;
    int64_t now_ms; /* of a clock that does not jump */
} ProgressLook;

/*
 * Remembers the look and tells how many ms are left, if bytes go on coming as they did since the first look at this move.
 * -1: not known, this is the first look, or nothing came since. *p is made when it is NULL; without memory nothing is known.
 */
int64_t progress_look(Progress **p, const ProgressLook *look);

/* NULL is fine. */
void progress_free(Progress *p);

#endif
