/*
 * stat_views.c - the table of all views, and the view of that table
 *
 * Runs in: backend.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/stat_int.h"

enum { COL_VIEW, COL_POSITION, COL_COLUMN, COL_TYPE };

static const StatColumn columns_columns[] = {
    [COL_VIEW] = {"view", STAT_TEXT},
    [COL_POSITION] = {"position", STAT_INTEGER},
    [COL_COLUMN] = {"column", STAT_TEXT},
    [COL_TYPE] = {"type", STAT_TEXT},
};

static int64_t scan_columns(StatScan *scan, int64_t cursor);

static const StatView columns_view = {.name = "columns",
                                      .columns = columns_columns,
                                      .column_count =
                                          sizeof columns_columns / sizeof columns_columns[0],
                                      .scan = scan_columns};

/* clang-format off */
static const StatView *const views[] = {
    &stat_activity_view,
    &stat_brokers_view,
    &columns_view,
    &stat_connections_view,
    &stat_coordinator_shards_view,
    &stat_coordinators_view,
    &stat_file_settings_view,
    &stat_group_lag_view,
    &stat_groups_view,
    &stat_locks_view,
    &stat_log_dirs_view,
    &stat_metrics_view,
    &stat_partitions_view,
    &stat_processes_view,
    &stat_quota_usage_view,
    &stat_rebalances_view,
    &stat_requests_view,
    &stat_segments_view,
    &stat_server_log_view,
    &stat_settings_view,
    &stat_shmem_view,
    &stat_workers_view,
};
/* clang-format on */

/* NULL: behind the last one. */
static const StatView *
view_at(int64_t index)
{
    return index >= 0 && (uint64_t)index < sizeof views / sizeof views[0] ? views[index] : NULL;
}

const StatView *
stat_view_find(StrView name)
{
    const StatView *view = NULL;

    for (int32_t i = 0; (view = view_at(i)) != NULL; i++)
        if (strview_equal(strview_from(view->name), name))
            break;
    return view;
}

static StrView
type_name(StatType type)
{
    switch (type) {
    case STAT_INTEGER:
        return STRVIEW("integer");
    case STAT_TEXT:
        return STRVIEW("text");
    case STAT_BOOLEAN:
        return STRVIEW("boolean");
    case STAT_REAL:
        return STRVIEW("real");
    }
    return STRVIEW("");
}

/* Cursor: view * STAT_COLUMNS_MAX + column. */
static int64_t
scan_columns(StatScan *scan, int64_t cursor)
{
    const StatView *view;

    while ((view = view_at(cursor / STAT_COLUMNS_MAX)) != NULL) {
        int32_t column = (int32_t)(cursor % STAT_COLUMNS_MAX);

        if (column >= view->column_count) {
            cursor += STAT_COLUMNS_MAX - column;
            continue;
        }
        if (!stat_look(scan))
            return cursor;
        stat_text(scan, COL_VIEW, strview_from(view->name));
        stat_integer(scan, COL_POSITION, column);
        stat_text(scan, COL_COLUMN, strview_from(view->columns[column].name));
        stat_text(scan, COL_TYPE, type_name(view->columns[column].type));
        stat_end(scan);
        cursor++;
    }
    return STAT_END;
}
