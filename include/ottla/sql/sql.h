/*
 * sql.h - SQL over what a cluster says: an SQLite session whose tables are answers of Kafka's APIs
 *
 * The catalogue (topics, partitions, groups, ...) are virtual tables: a statement asks for what it uses, once, and
 * sees it as it was then. What is written is refused, but for temporary tables, attached files, and messages.
 * One session belongs to one shell; no threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_SQL_H
#define OTTLA_SQL_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/client/client.h"
#include "ottla/client/fault.h"
#include "ottla/common/view.h"

typedef struct Sql Sql;

/* How bytes of messages become values. */
typedef enum SqlFormat {
    SQL_FORMAT_AUTO, /* text if they are UTF-8, else a blob */
    SQL_FORMAT_TEXT,
    SQL_FORMAT_HEX,
    SQL_FORMAT_BASE64,
    SQL_FORMAT_JSON,
    SQL_FORMAT_BLOB,
    SQL_FORMAT_COUNT
} SqlFormat;

/* What a session depends on. Stays the caller's and may change between statements. */
typedef struct SqlEnv {
    Client **client;      /* *client NULL: not connected, 08006 for what needs it */
    const char *timezone; /* "local" or NULL, "UTC", or a name of the time zone database */
    int64_t scan_limit;   /* messages that one statement may read; 0: any number */
    SqlFormat key_format;
    SqlFormat value_format;
} SqlEnv;

typedef enum SqlType {
    SQL_NULL,
    SQL_INTEGER,
    SQL_REAL,
    SQL_TEXT,
    SQL_BLOB,
    SQL_TYPE_COUNT
} SqlType;

typedef struct SqlValue {
    SqlType type;
    union {
        int64_t integer;
        double real;
        StrView bytes; /* of texts and blobs */
    };
} SqlValue;

/* What a column means, for those who print it. */
typedef enum SqlKind {
    SQL_KIND_PLAIN,
    SQL_KIND_BOOLEAN, /* 0 or 1 */
    SQL_KIND_BYTES,   /* a size */
    SQL_KIND_MILLIS,  /* a duration */
    SQL_KIND_TIME,    /* a point in time, as text */
    SQL_KIND_JSON,
    SQL_KIND_COUNT
} SqlKind;

typedef struct SqlColumn {
    const char *name;
    const char *declared; /* as the table says it, "TEXT"; "" for an expression */
    SqlKind kind;         /* of a column of the catalogue; PLAIN for expressions */
    bool number; /* the first row has a number in it, or the table says so: print it at the right */
} SqlColumn;

/*
 * Takes the result of a statement: columns once, then each row. All is valid during the call alone. Another result than
 * 0 ends the statement without a fault. Both are not called for statements without a result.
 */
typedef struct SqlSink {
    int (*columns)(void *arg, const SqlColumn *columns, int32_t count);
    int (*row)(void *arg, const SqlValue *values, int32_t count);
    void *arg;
} SqlSink;

#define SQL_TAG_MAX 64

/* *ret is to be closed. 53200: no memory. */
int sql_open(const SqlEnv *env, Sql **ret, Fault *f) __attribute__((warn_unused_result));

/* NULL is fine. */
void sql_close(Sql *sql);

/* True when the first keyword of the text is one that sql_run takes: SELECT, WITH, VALUES, INSERT, ... */
bool sql_knows(StrView text);

/*
 * Runs one statement.
 *
 * ret_tag  "SELECT 3", "INSERT 1", "CREATE TABLE"
 * Faults carry the position in the statement where SQLite knows it.
 */
int sql_run(Sql *sql, StrView statement, const SqlSink *sink, char ret_tag[SQL_TAG_MAX], Fault *f)
    __attribute__((warn_unused_result));

/* The columns that a statement would give, without running it (\gdesc): name and declared type. */
int sql_describe(Sql *sql, StrView statement, const SqlSink *sink, Fault *f)
    __attribute__((warn_unused_result));

/* Ends the statement that runs, or else the next one, with 57014. Async-signal-safe. */
void sql_interrupt(Sql *sql);

/* Forgets an interruption that nobody took. That of the client is the client's. */
void sql_interrupt_reset(Sql *sql);

/* Called for each table of the catalogue (column NULL), or each column of one; for completion and help. */
typedef void (*SqlNameFn)(void *arg, const char *table, const char *column, const char *declared);
void sql_tables(Sql *sql, SqlNameFn fn, void *arg);
void sql_columns(Sql *sql, const char *table, SqlNameFn fn, void *arg);

#endif
