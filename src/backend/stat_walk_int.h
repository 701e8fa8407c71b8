/*
 * stat_walk_int.h - what the views of groups show: gathered from the coordinator workers into a table, kept a while
 *
 * A view that shows groups cannot be walked over in one go: its rows come from other processes. So they are
 * gathered into a table of at most WALK_ROWS_MAX rows, from which pages are shown; when it does not hold all, the
 * page behind its last row gathers the next one. A table from the beginning is shown again for WALK_KEEP_US.
 * Two tables at most are kept by a process, whatever the number of groups.
 *
 * Cursor: number of the table (high 32 bits), row in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_STAT_WALK_INT_H
#define OTTLA_BACKEND_STAT_WALK_INT_H

#include "ottla/coordinator/group_pages.h"
#include "backend/stat_int.h"

#define WALK_ROWS_MAX 10000
#define WALK_KEEP_US  (10 * INT64_C(1000000))

/* An offset of a group, and how far it is behind; LAG_UNKNOWN where that is not known. Texts may be null. */
typedef struct LagRow {
    StrView group, topic;
    StrView member_id, client_id, client_host;
    int64_t committed, start, end; /* start, end: LAG_UNKNOWN: not a log of this node */
    int64_t records, bytes, ms;
    int32_t partition;
    bool behind_start;
} LagRow;

typedef struct GroupRow {
    StrView group, type, protocol_type, protocol, state;
    int64_t bytes, total_lag;
    int32_t members, epoch, topics, offsets;
    bool is_simple;
} GroupRow;

typedef struct ShardRow {
    StrView state;
    int64_t groups, members, offsets, bytes, load_us, loaded_records;
    int32_t partition;
} ShardRow;

typedef enum StatWalkKind { STAT_WALK_SHARDS, STAT_WALK_GROUPS, STAT_WALK_LAG } StatWalkKind;

/* What a table holds; another ask gathers anew. */
typedef struct StatWalkAsk {
    StatWalkKind kind;
    bool costly;  /* LAG: bytes and ms; GROUPS: total_lag */
    StrView only; /* this group alone; null: all */
} StatWalkAsk;

typedef struct StatTable {
    uint32_t number; /* 0: there is none */
    StatWalkAsk ask; /* only: a copy */
    Arena *arena;    /* of rows and texts */
    void *rows;      /* LagRow, GroupRow, ShardRow */
    int32_t count;
    bool first;          /* begins at the beginning */
    bool whole;          /* ends at the end */
    int64_t gathered_us; /* when its first page was asked for */
    GroupPlace place;    /* where the next one begins */
    int64_t used;        /* order of use */
} StatTable;

/*
 * Before a walk over rows: the table of the cursor, gathered if need be. STAT_WAIT: again after a wake-up.
 * READY: scan->work is the StatTable, *cursor a row of it.
 */
StatReady stat_walk_prepare(StatScan *scan, const StatWalkAsk *ask, int64_t *cursor);

/* The request is over before its table was: what is under way is given up. */
void stat_walk_drop(StatScan *scan);

/* The cursor behind a row; the table's end is that of the view when it is whole. */
int64_t stat_walk_cursor(const StatTable *table, int32_t row);

/* ---- stat_walk_take.c: from a page of the workers to rows ------------------------------------------ */

/* Has the table no room for another page? */
bool stat_table_is_full(const StatTable *table);

/* False: no memory. */
bool stat_table_take(StatTable *table, const GroupWalkResponse *page, Arena *scratch);

#endif
