/*
 * stat_coordinators.c - the views coordinators and rebalances
 *
 * Runs in: backend. What the workers leave in shared memory (coordinator/shared.h); none of them is asked.
 * Cursors: worker; of rebalances, which come newest first, when the last one shown ended, and how many shown
 * ended then.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "backend/stat_int.h"
#include "ottla/coordinator/requests.h"
#include "ottla/coordinator/shared.h"
#include "ottla/groups/env.h"
#include "ottla/ipc/node.h"

/* ---- coordinators ------------------------------------------------------------------------------- */

enum { C_NODE_ID, C_WORKER, C_COUNTS, C_COLUMNS = C_COUNTS + COORDINATOR_COUNT_COUNT };

static_assert(C_COLUMNS <= STAT_COLUMNS_MAX, "a view shows all counts");

static const StatColumn coordinator_columns[] = {[C_NODE_ID] = {"node_id", STAT_INTEGER},
                                                 [C_WORKER] = {"worker", STAT_INTEGER},
#define COUNT_COLUMN(constant, name) [C_COUNTS + constant] = {name, STAT_INTEGER},
                                                 COORDINATOR_COUNT_ROWS(COUNT_COLUMN)
#undef COUNT_COLUMN
};

static int64_t
scan_coordinators(StatScan *scan, int64_t cursor)
{
    for (; cursor < coordinator_worker_count(); cursor++) {
        if (!stat_look(scan))
            return cursor;
        stat_integer(scan, C_NODE_ID, node_info.node_id);
        stat_integer(scan, C_WORKER, cursor);
        for (int i = 0; i < COORDINATOR_COUNT_COUNT; i++)
            stat_integer(scan, C_COUNTS + i, coordinator_count((int)cursor, (CoordinatorCount)i));
        stat_end(scan);
    }
    return STAT_END;
}

const StatView stat_coordinators_view = {.name = "coordinators",
                                         .columns = coordinator_columns,
                                         .column_count = C_COLUMNS,
                                         .scan = scan_coordinators};

/* ---- rebalances --------------------------------------------------------------------------------- */

enum {
    R_NODE_ID,
    R_WORKER,
    R_GROUP_ID,
    R_CAUSE,
    R_MEMBER_ID,
    R_WAITED_FOR,
    R_GENERATION,
    R_MEMBERS,
    R_STARTED,
    R_DURATION_MS,
};

static const StatColumn rebalance_columns[] = {
    [R_NODE_ID] = {"node_id", STAT_INTEGER},       [R_WORKER] = {"worker", STAT_INTEGER},
    [R_GROUP_ID] = {"group_id", STAT_TEXT},        [R_CAUSE] = {"cause", STAT_TEXT},
    [R_MEMBER_ID] = {"member_id", STAT_TEXT},      [R_WAITED_FOR] = {"waited_for", STAT_TEXT},
    [R_GENERATION] = {"generation", STAT_INTEGER}, [R_MEMBERS] = {"members", STAT_INTEGER},
    [R_STARTED] = {"started", STAT_INTEGER},       [R_DURATION_MS] = {"duration_ms", STAT_INTEGER},
};

#define TIES_MAX 1024 /* factor in the cursor */

static_assert(REBALANCE_HISTORY_MAX <= TIES_MAX, "all of the history may have ended at once");

/* When it ended, above 0 and so that it fits a cursor. */
static int64_t
end_of(const RebalanceLine *line)
{
    int64_t end = line->begin_wall_ms + line->duration_ms;

    return end < 1 ? 1 : end > INT64_MAX / TIES_MAX - 1 ? INT64_MAX / TIES_MAX - 1 : end;
}

static StrView
text_of(const char text[REBALANCE_HISTORY_TEXT])
{
    return (StrView){text, (int32_t)strnlen(text, REBALANCE_HISTORY_TEXT)};
}

static void
put_rebalance(StatScan *scan, const RebalanceLine *line)
{
    stat_integer(scan, R_NODE_ID, node_info.node_id);
    stat_integer(scan, R_WORKER, line->worker);
    stat_text(scan, R_GROUP_ID, text_of(line->group));
    if (line->cause >= 0 && line->cause < REBALANCE_CAUSE_COUNT)
        stat_text(scan, R_CAUSE, strview_from(rebalance_cause_text((RebalanceCause)line->cause)));
    if (line->cause_member[0] != '\0')
        stat_text(scan, R_MEMBER_ID, text_of(line->cause_member));
    if (line->waited_for[0] != '\0')
        stat_text(scan, R_WAITED_FOR, text_of(line->waited_for));
    stat_integer(scan, R_GENERATION, line->generation);
    stat_integer(scan, R_MEMBERS, line->members);
    stat_integer(scan, R_STARTED, line->begin_wall_ms);
    stat_integer(scan, R_DURATION_MS, line->duration_ms);
    stat_end(scan);
}

/* Cursors count downwards in time and are shown as INT64_MAX minus it: a later page has a larger one. */
static int64_t
scan_rebalances(StatScan *scan, int64_t cursor)
{
    int64_t before = cursor == 0 ? INT64_MAX / TIES_MAX : (INT64_MAX - cursor) / TIES_MAX;
    int64_t skip = cursor == 0 ? 0 : TIES_MAX - 1 - (INT64_MAX - cursor) % TIES_MAX;
    int64_t last = before, ties = skip;
    RebalanceLine *lines;
    int32_t count;

    request_grow(scan->rq, REBALANCE_HISTORY_MAX * sizeof *lines);
    lines = arena_calloc(scan->rq->arena, REBALANCE_HISTORY_MAX, sizeof *lines);
    scan->failed |= lines == NULL;
    if (lines == NULL)
        return STAT_END;
    count = rebalance_history_read(lines, REBALANCE_HISTORY_MAX);
    for (int32_t i = count - 1; i >= 0; i--) {
        int64_t end = end_of(&lines[i]);

        if (end > before || (end == before && skip-- > 0))
            continue;
        if (!stat_look(scan))
            return INT64_MAX - (last * TIES_MAX + TIES_MAX - 1 - ties);
        ties = end == last ? ties + 1 : 1;
        last = end;
        put_rebalance(scan, &lines[i]);
    }
    return STAT_END;
}

const StatView stat_rebalances_view = {.name = "rebalances",
                                       .columns = rebalance_columns,
                                       .column_count =
                                           sizeof rebalance_columns / sizeof rebalance_columns[0],
                                       .scan = scan_rebalances};
