/*
 * table_int.h - what a table of the catalogue is: a row of names, columns, calls, and a function that makes its rows
 *
 * A scan function is called when a cursor opens. It asks the cluster by the functions of cache_int.h, which keep each
 * answer for the length of a statement, and adds rows. Keys are what the statement asks for: a scan uses them to ask
 * for less; rows that do not fit are dropped by the framework, so that it need not be exact.
 *
 * A table that streams (next) is for what does not fit into memory: its scan only opens, next makes rows until
 * there are none, close ends it. Others are snapshots, kept for the statement and shared between its cursors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_TABLE_INT_H
#define OTTLA_SQL_TABLE_INT_H

#include <sqlite3.h>

#include "ottla/common/arena.h"
#include "ottla/sql/sql.h"

#define SQL_COLUMNS_MAX 128    /* of one table */
#define SQL_KEYS_MAX    16     /* constraints of one cursor that are pushed down */
#define SQL_IN_MAX      100000 /* values of one IN */

typedef enum SqlColumnFlags {
    SQL_COLUMN_KEY = 1,      /* "= value" and IN are pushed down */
    SQL_COLUMN_RANGE = 2,    /* <, <=, >, >= are pushed down */
    SQL_COLUMN_REQUIRED = 4, /* a key without which the table cannot be read */
    SQL_COLUMN_HIDDEN = 8,   /* not in SELECT *; an argument of table(...) in this order */
    SQL_COLUMN_ONE = 16,     /* a key that takes "= value" alone, no IN */
} SqlColumnFlags;

typedef struct SqlColumnDef {
    const char *name;
    const char *declared; /* "INTEGER", "TEXT", or one of the SQL_DECL_* */
    uint8_t flags;        /* SqlColumnFlags */
} SqlColumnDef;

/* Declared types: SQLite takes its affinity from them, printers the kind. */
#define SQL_DECL_TEXT    "TEXT"
#define SQL_DECL_INTEGER "INTEGER"
#define SQL_DECL_BOOLEAN "BOOLEAN"
#define SQL_DECL_BYTES   "BYTES INTEGER"
#define SQL_DECL_MILLIS  "MILLIS INTEGER"
#define SQL_DECL_TIME    "TIME TEXT"
#define SQL_DECL_JSON    "JSON TEXT"
#define SQL_DECL_REAL    "REAL"
#define SQL_DECL_ANY     "BLOB"

/* A call that a scan makes when one of the columns is used; bit i is column i, 63 all from there on; 0: always. */
typedef struct SqlCallDef {
    const char *api;
    uint64_t columns;
} SqlCallDef;

/* What the number of rows goes with. */
typedef enum SqlRowsOf {
    SQL_ROWS_FEW,
    SQL_ROWS_TOPICS,
    SQL_ROWS_PARTITIONS,
    SQL_ROWS_GROUPS
} SqlRowsOf;

typedef enum SqlOp { SQL_OP_EQ, SQL_OP_LT, SQL_OP_LE, SQL_OP_GT, SQL_OP_GE } SqlOp;

/* A constraint of the statement. EQ with several values is IN. */
typedef struct SqlKey {
    int32_t column;
    SqlOp op;
    const SqlValue *values; /* of the column's type; a value that can equal none is left out */
    int32_t count;
} SqlKey;

typedef struct SqlTable SqlTable;

/* One reading of a table. */
typedef struct SqlScan {
    Sql *sql;
    const SqlTable *table;
    Arena *arena;  /* of the rows: of the statement; of a streaming table: until the next call */
    void *state;   /* of a streaming table: its own */
    uint64_t used; /* columns that the statement looks at, as SqlCallDef */
    int64_t limit; /* no more rows than that are looked at; INT64_MAX: no limit */
    bool ordered;  /* the statement counts on rows in the order of SqlTable.order_column */
    const SqlKey *keys;
    int32_t key_count;
    SqlValue **rows;
    int32_t row_count;
    int32_t row_size;
    int16_t slot_of[SQL_COLUMNS_MAX]; /* where a column lies in a row; -1: nobody looks at it */
    int16_t slot_count;
    bool no_memory;
} SqlScan;

struct SqlTable {
    const char *name;
    const char *help; /* one line */
    const SqlColumnDef *columns;
    int32_t column_count;
    const SqlCallDef *calls;
    int32_t call_count;
    SqlRowsOf rows_of;
    int32_t rows_guess; /* for the planner: rows for each of those, 0: 1 */
    int (*scan)(SqlScan *scan, Fault *f);
    /* Streaming tables. */
    int (*next)(SqlScan *scan, Fault *f); /* adds rows; none: the end */
    void (*close)(SqlScan *scan);         /* also after a failed scan */
    int32_t order_column; /* rows come in this order when order_key is given; -1: none */
    int32_t order_key;
    int32_t order_key_too; /* another one that does; 0: none */
    /* INSERT: a value per column; *ret_rowid is what last_insert_rowid() says. NULL: refused. */
    int (*insert)(Sql *sql, const SqlValue *values, int64_t *ret_rowid, Fault *f);
    /* Called at the end of each statement that inserted and did not fail. */
    int (*flush)(Sql *sql, Fault *f);
    void (*forget)(Sql *sql); /* the session ends; may be NULL */
    const void *data;         /* of tables that share their functions */
};

#define SQL_COLUMNS(array) \
    .columns = (array), .column_count = (int32_t)(sizeof(array) / sizeof(array)[0])
#define SQL_CALLS(array) .calls = (array), .call_count = (int32_t)(sizeof(array) / sizeof(array)[0])

/* ---- for scan functions ---- */

/* Does the statement look at the column? */
bool scan_uses(const SqlScan *scan, int32_t column);

/* The EQ constraint on a column; NULL: any value will do. */
const SqlKey *scan_key(const SqlScan *scan, int32_t column);

/* Is a row with this value wanted, as far as the EQ constraint says? */
bool scan_admits(const SqlScan *scan, int32_t column, StrView value);
bool scan_admits_int(const SqlScan *scan, int32_t column, int64_t value);

/* A new row of nulls. NULL: no memory, or the limit is reached; scan_end tells them apart. */
SqlValue *scan_row(SqlScan *scan);

/* What a scan function returns at its end: 0, or 53200. */
int scan_end(const SqlScan *scan, Fault *f);

/* Set a column of a row; nothing happens when nobody looks at it. Views must live as long as the scan's arena. */
void row_int(const SqlScan *scan, SqlValue *row, int32_t column, int64_t value);
void row_real(const SqlScan *scan, SqlValue *row, int32_t column, double value);
void row_bool(const SqlScan *scan, SqlValue *row, int32_t column, bool value);
void row_text(const SqlScan *scan, SqlValue *row, int32_t column, StrView value); /* null is null */
void row_cstr(const SqlScan *scan, SqlValue *row, int32_t column, const char *value);
void row_uuid(SqlScan *scan, SqlValue *row, int32_t column, Uuid value);

/* Milliseconds as text in the session's time zone; below 0: null. */
void row_time(SqlScan *scan, SqlValue *row, int32_t column, int64_t wall_ms);

/* [1,2,3], ["a","b"] */
void row_ints_json(SqlScan *scan, SqlValue *row, int32_t column, const int32_t *values,
                   int32_t count);
void row_strings_json(SqlScan *scan, SqlValue *row, int32_t column, const StrView *values,
                      int32_t count);

#endif
