/*
 * sql_int.h - the inside of an SQL session
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_SQL_INT_H
#define OTTLA_SQL_SQL_INT_H

#include <signal.h>

#include "ottla/common/arena.h"
#include "sql/table_int.h"

#define SQL_STATEMENT_BYTES ((size_t)512 << 20) /* answers and rows of one statement */
#define SQL_HEAP_BYTES      ((int64_t)1 << 30)  /* what SQLite itself may take */
#define SQL_PROGRESS_OPS    1000 /* steps of SQLite between looks at the interrupt flag */
#define SQL_TABLES_MAX      256

typedef struct Cache Cache;
typedef struct Snapshot Snapshot;

/* Offsets from UTC of quarters of an hour that were asked for: zones change at no other times. */
typedef struct ZoneCache {
    char name[64];
    struct {
        int64_t quarter;
        int32_t offset_s;
        bool known;
    } slot[64];
} ZoneCache;

struct Sql {
    const SqlEnv *env;
    sqlite3 *db;
    Arena *arena;        /* of the statement */
    Arena *lasting;      /* of the session: tables that were discovered */
    Cache *cache;        /* answers of the statement; NULL: none yet */
    Snapshot *snapshots; /* of the statement */
    Fault
        fault; /* that a table or a function told, while SQLite passes on only that there was one */
    bool has_fault;
    bool declaring;    /* a table tells SQLite its columns by CREATE TABLE */
    bool inserted;     /* the statement wrote into tables that need a flush */
    int64_t statement; /* number of the one that runs */
    volatile sig_atomic_t interrupted;
    const SqlTable *tables[SQL_TABLES_MAX];
    int32_t table_count;
    int32_t own_table_count; /* those before were built in, others were discovered */
    char discovered_for[96]; /* server whose views are known; "": none */
    int64_t topics_seen;     /* as last told, for the planner; 0: not yet */
    int64_t partitions_seen;
    int64_t groups_seen;
    ZoneCache zone;
    void *messages;            /* of the table messages: what outlives a statement */
    struct Progress *progress; /* of moves, as they were seen before; NULL: none were */
    uint64_t progress_of;      /* session of the client */
};

/* The client, or NULL with 08006. */
Client *sql_client(Sql *sql, Fault *f);

/* Keeps the fault for the end of the statement; returns SQLITE_ERROR (SQLITE_INTERRUPT for 57014). */
int sql_keep_fault(Sql *sql, const Fault *f);

/* ---- module.c ---- */

/* Makes a table known to SQLite. */
int module_register(Sql *sql, const SqlTable *table, Fault *f);

SqlKind module_kind(const char *declared);

/* ---- catalogue.c ---- */

/* All tables that are built in. */
int catalogue_register(Sql *sql, Fault *f);

const SqlTable *catalogue_find(const Sql *sql, StrView name);

/* What to say of a table that does not exist: 0A000 for those that only Ottla has, 42P01 for others. */
int catalogue_missing(Sql *sql, StrView name, Fault *f);

/* ---- t_views.c ---- */

/* The views of the node become tables, if it has any and they are not known yet. *ret_new: some are new. */
int views_discover(Sql *sql, bool *ret_new, Fault *f);

/* ---- snapshot.c ---- */

/* Rows of a table, and those of them that fit. */
typedef struct SnapshotRows {
    const SqlScan *scan;
    Snapshot *snapshot;    /* NULL: of a streaming table, or no rows */
    const int32_t *picked; /* indexes into scan->rows; NULL: all of them */
    int32_t count;
} SnapshotRows;

int snapshot_open(Sql *sql, const SqlScan *wanted, SnapshotRows *ret, Fault *f);

/*
 * A number for a row that is the same in each reading of the statement: SQLite unites the readings of an OR by it.
 * Rows that are equal in all columns the statement looks at are counted. 0: no memory.
 */
int64_t snapshot_rowid(Sql *sql, Snapshot *snapshot, int32_t row);

/* The same for a row whose columns in these places tell it from all others. */
int64_t snapshot_hash_row(const SqlScan *scan, const SqlValue *row);

/* ---- plan.c: what xBestIndex tells xFilter, as text that EXPLAIN QUERY PLAN shows ---- */

typedef struct PlanTerm {
    int16_t column;
    uint8_t op; /* SqlOp */
    bool in;    /* all values of an IN at once */
} PlanTerm;

typedef struct Plan {
    PlanTerm terms[SQL_KEYS_MAX];
    int32_t term_count;
    bool limit;
    bool offset;
    bool ordered;
    uint64_t used;
} Plan;

/* False: not a plan of this table. */
bool plan_read(const SqlTable *table, const char *text, Plan *ret);

/* Fills what SQLite asks about a cursor. */
int plan_best(Sql *sql, const SqlTable *table, sqlite3_index_info *info);

/* ---- explain.c ---- */

/* EXPLAIN SELECT: the plan, and which calls it makes. select: a part of the statement, behind EXPLAIN. */
int explain_run(Sql *sql, StrView statement, StrView select, const SqlSink *sink, Fault *f);

/* ---- guard.c: what a statement may do ---- */

void guard_install(Sql *sql);

/* ---- error.c ---- */

/* What SQLite says failed becomes a fault; base is where the statement given to SQLite begins in the user's. */
int error_from_sqlite(Sql *sql, int rc, StrView statement, int32_t base, Fault *f);

/* ---- time.c ---- */

#define SQL_TIME_MAX 40

/* "2026-03-01T12:00:00.123+01:00" into ret. */
void time_to_text(Sql *sql, int64_t wall_ms, char ret[SQL_TIME_MAX]);

/* The reverse: a date with or without time and zone (else the session's), "now", "-1h" (before now), or a number of ms. */
bool time_from_text(Sql *sql, StrView text, int64_t *ret_ms);

/* ---- functions ---- */

int functions_text_register(Sql *sql);
int functions_bytes_register(Sql *sql);
int functions_node_register(Sql *sql);

#endif
