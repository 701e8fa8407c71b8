/*
 * group_pages.h - groups of this node, page by page, from all its coordinator workers
 *
 * One page is asked for at a time, of one worker after the other; a page is bounded (groups/walk.h), and so is
 * what is held of it. Spec: design.md 11 ("Lag").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_GROUP_PAGES_H
#define OTTLA_COORDINATOR_GROUP_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/groups/walk.h"
#include "ottla/ipc/mailbox.h"

/* Where a walk stands. Texts are the caller's. */
typedef struct GroupPlace {
    int32_t worker; /* number of the coordinator; behind the last one: the walk is over */
    GroupWalkRequestPlace place;
} GroupPlace;

typedef struct GroupPages {
    GroupWalkWhat what;
    StrView only; /* this group alone; null: all */
    Arena *arena; /* of the page */
    MboxCall call;
    bool under_way;
    int64_t patience_us;    /* how long an answer may take */
    int64_t deadline_us;    /* of the one that is waited for */
    GroupWalkResponse page; /* of the last one that came; in the arena */
} GroupPages;

/* What the asking process says each time. */
typedef struct GroupPagesTurn {
    int64_t now_us; /* monotonic */
    bool cancelled; /* nobody wants the answer any more */
} GroupPagesTurn;

typedef enum GroupPagesStatus {
    GROUP_PAGES_WAIT,
    GROUP_PAGES_PAGE,
    GROUP_PAGES_OVER
} GroupPagesStatus;

/* only: see GroupPages; lives as long as the pages. False: no memory. */
bool group_pages_init(GroupPages *pages, GroupWalkWhat what, StrView only, int64_t patience_us);

/*
 * Goes on from *place, asking for the next page or looking whether it has come. PAGE: pages->page, and *place is
 * behind it, with texts in pages->arena, which the next call empties. WAIT: again after the next wake-up, or at
 * pages->deadline_us. A code other than 0 in *ret_code ends the walk.
 */
GroupPagesStatus group_pages_next(GroupPages *pages, GroupPagesTurn turn, GroupPlace *place,
                                  int16_t *ret_code);

/* Gives back what it holds, the call under way too. */
void group_pages_end(GroupPages *pages);

#endif
