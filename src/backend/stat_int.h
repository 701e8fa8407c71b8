/*
 * stat_int.h - views of what the node knows of itself: typed rows for OttlaStat
 *
 * A view is a row of the table in stat_views.c: its columns, and a function that walks over what it
 * shows. The walk says what each row holds; which columns are wanted, which rows pass the filters, and
 * when the page is full is settled here. Views read shared memory and file names; they take no lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_STAT_INT_H
#define OTTLA_BACKEND_STAT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/request_int.h"
#include "ottla/protocol/msg_ottla_stat.h"

#define STAT_COLUMNS_MAX 64    /* of a view: a bit each */
#define STAT_PAGE_ROWS   1000  /* of an answer */
#define STAT_PAGE_LOOKS  10000 /* entries an answer looks at: a filter may let nothing pass */
#define STAT_PAGE_TEXT \
    1048576           /* bytes of the texts of an answer; the row that passes it is the last */
#define STAT_END (-1) /* cursor behind the last row */

/* Values on the wire. */
typedef enum StatType {
    STAT_INTEGER = 0,
    STAT_TEXT = 1,
    STAT_BOOLEAN = 2,
    STAT_REAL = 3, /* the number holds the bits of a double */
} StatType;

typedef struct StatColumn {
    const char *name;
    StatType type;
} StatColumn;

typedef struct StatScan StatScan;

/* Can the walk begin? FAILED: scan->code and scan->why say what the request is answered. */
typedef enum StatReady { STAT_READY, STAT_WAIT, STAT_FAILED } StatReady;

typedef struct StatView {
    const char *name;
    const StatColumn *columns;
    int32_t column_count;
    /* Rows from cursor (0: the first) until stat_full; returns the cursor behind them or STAT_END. */
    int64_t (*scan)(StatScan *scan, int64_t cursor);
    /*
     * NULL, or called first, and again after each wake-up while it says WAIT (until rq->deadline_us): gets what the
     * walk needs of other processes. May change the cursor.
     */
    StatReady (*prepare)(StatScan *scan, int64_t *cursor);
    void (*drop)(StatScan *scan); /* the request ended while it said WAIT */
} StatView;

/* A page on its way. */
struct StatScan {
    Request *rq;
    const StatView *view;
    uint64_t wanted;   /* bit per column: selected */
    uint64_t filtered; /* bit per column */
    struct StatFilter {
        StrView text; /* null: is null */
        int64_t number;
    } filters[STAT_COLUMNS_MAX];
    struct StatCell {
        bool set; /* else null */
        int64_t number;
        StrView text;
    } row[STAT_COLUMNS_MAX];
    int64_t *numbers[STAT_COLUMNS_MAX]; /* of the page, per wanted column */
    StrView *texts[STAT_COLUMNS_MAX];
    uint8_t *nulls[STAT_COLUMNS_MAX];
    int32_t row_count;
    int32_t looks;
    int64_t text_bytes;
    bool failed; /* no memory */
    int64_t cursor;
    void *work;      /* of a view that prepares: what it walks over, */
    void *gathering; /* and what it waits for */
    int16_t code;    /* STAT_FAILED */
    const char *why;
};

/* The view with this name, or NULL. */
const StatView *stat_view_find(StrView name);

/* ---- for the walks ----------------------------------------------------------------------------- */

/* Another entry is looked at. False: the page is full, return its cursor. */
bool stat_look(StatScan *scan);

/* Will the column be shown or compared? What is costly is found only then. */
bool stat_wants(const StatScan *scan, int32_t column);

/* Can a row with this value pass? To leave out whole entries early; text views need not last. */
bool stat_may_pass(const StatScan *scan, int32_t column, StrView value);

/* The row that stat_end ends; cells not set are null. Texts must last until stat_end. */
void stat_integer(StatScan *scan, int32_t column, int64_t value);
void stat_boolean(StatScan *scan, int32_t column, bool value);
void stat_real(StatScan *scan, int32_t column, double value);
void stat_text(StatScan *scan, int32_t column, StrView value);

/* Can the row still pass, by the cells that are set? False: it is dropped, begin the next. Before what is costly. */
bool stat_row_lives(StatScan *scan);

/* First word of a title: the kind of process. */
StrView stat_kind_of_title(const char *title);

/* Takes the row into the page if it passes the filters, and begins the next. */
void stat_end(StatScan *scan);

/* ---- the views ----------------------------------------------------------------------------------- */

extern const StatView stat_activity_view;
extern const StatView stat_file_settings_view;
extern const StatView stat_settings_view;
extern const StatView stat_workers_view;
extern const StatView stat_brokers_view;
extern const StatView stat_shmem_view;
extern const StatView stat_connections_view;
extern const StatView stat_server_log_view;
extern const StatView stat_requests_view;
extern const StatView stat_segments_view;
extern const StatView stat_partitions_view;
extern const StatView stat_locks_view;
extern const StatView stat_log_dirs_view;
extern const StatView stat_metrics_view;
extern const StatView stat_processes_view;
extern const StatView stat_group_lag_view;
extern const StatView stat_groups_view;
extern const StatView stat_coordinator_shards_view;
extern const StatView stat_coordinators_view;
extern const StatView stat_quota_usage_view;
extern const StatView stat_rebalances_view;

#endif
