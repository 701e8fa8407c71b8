/*
 * sql.c - an SQL session: opens SQLite, runs statements, hands results over
 *
 * Never: prints, reads a terminal. What a statement may do stands in guard.c, what tables there are in catalogue.c.
 * All that was asked for a statement goes when it ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/sql/sql.h"

#include "ottla/common/text.h"
#include "sql/sql_int.h"

#define LENGTH_MAX     (256 << 20) /* bytes of one value or row */
#define STATEMENT_MAX  (1 << 20)   /* bytes of one statement */
#define DISCOVER_TRIES 1

typedef struct Limit {
    int what;
    int value;
} Limit;

static const Limit limits[] = {
    {SQLITE_LIMIT_LENGTH, LENGTH_MAX},        {SQLITE_LIMIT_SQL_LENGTH, STATEMENT_MAX},
    {SQLITE_LIMIT_EXPR_DEPTH, 200},           {SQLITE_LIMIT_COMPOUND_SELECT, 100},
    {SQLITE_LIMIT_FUNCTION_ARG, 100},         {SQLITE_LIMIT_ATTACHED, 8},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 4096}, {SQLITE_LIMIT_TRIGGER_DEPTH, 10},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 100},      {SQLITE_LIMIT_WORKER_THREADS, 0},
};

Client *
sql_client(Sql *sql, Fault *f)
{
    if (sql->env->client != NULL && *sql->env->client != NULL)
        return *sql->env->client;
    fault_set(f, FAULT_CONNECTION_LOST, "not connected to a server");
    fault_hint(f, "Connect with \\c.");
    return NULL;
}

int
sql_keep_fault(Sql *sql, const Fault *f)
{
    if (!sql->has_fault)
        sql->fault = *f;
    sql->has_fault = true;
    return strcmp(f->sqlstate, FAULT_CANCELED) == 0 ? SQLITE_INTERRUPT : SQLITE_ERROR;
}

/* Non-zero ends the statement. */
static int
on_progress(void *arg)
{
    const Sql *sql = arg;

    return sql->interrupted;
}

/*
 * SQLite's own table functions tell their columns when they are first used, by the same words that make a table, which
 * the guard refuses. So they are used once before it watches.
 */
static int
wake_built_in(Sql *sql, Fault *f)
{
    static const char *const names[] = {"json_each",
                                        "json_tree",
                                        "pragma_table_info",
                                        "pragma_table_xinfo",
                                        "pragma_table_list",
                                        "pragma_database_list",
                                        "pragma_function_list",
                                        "pragma_module_list",
                                        "pragma_pragma_list",
                                        "pragma_collation_list",
                                        "pragma_compile_options"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[128];

        (void)snprintf(text, sizeof text, "SELECT 1 FROM %s LIMIT 0", names[i]);
        if (sqlite3_exec(sql->db, text, NULL, NULL, NULL) != SQLITE_OK)
            return fault_set(f, FAULT_INTERNAL, "SQLite: %s", sqlite3_errmsg(sql->db));
    }
    return 0;
}

static int
set_up(Sql *sql, Fault *f)
{
    int rc = sqlite3_open_v2(":memory:", &sql->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_PRIVATECACHE,
                             NULL);

    if (rc != SQLITE_OK)
        return fault_set(f, FAULT_NO_MEMORY, "SQLite: %s", sqlite3_errstr(rc));
    (void)sqlite3_hard_heap_limit64(SQL_HEAP_BYTES); /* returns the old limit */
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        (void)sqlite3_limit(sql->db, limits[i].what, limits[i].value); /* returns the old one */
    if (sqlite3_db_config(sql->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL) != SQLITE_OK ||
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK ||
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL) != SQLITE_OK ||
        functions_text_register(sql) != SQLITE_OK || functions_bytes_register(sql) != SQLITE_OK ||
        functions_node_register(sql) != SQLITE_OK)
        return fault_set(f, FAULT_INTERNAL, "SQLite: %s", sqlite3_errmsg(sql->db));
    if (wake_built_in(sql, f) != 0)
        return -1;
    sqlite3_progress_handler(sql->db, SQL_PROGRESS_OPS, on_progress, sql);
    guard_install(sql);
    return catalogue_register(sql, f);
}

int
sql_open(const SqlEnv *env, Sql **ret, Fault *f)
{
    Sql *sql = calloc(1, sizeof *sql);

    if (sql == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    sql->env = env;
    sql->arena = arena_new(65536, SQL_STATEMENT_BYTES);
    sql->lasting = arena_new(4096, 16 << 20);
    if (sql->arena == NULL || sql->lasting == NULL) {
        sql_close(sql);
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    }
    if (set_up(sql, f) != 0) {
        sql_close(sql);
        return -1;
    }
    sql->own_table_count = sql->table_count;
    *ret = sql;
    return 0;
}

void
sql_close(Sql *sql)
{
    if (sql == NULL)
        return;
    (void)sqlite3_close_v2(sql->db); /* with no statement left it cannot fail */
    for (int32_t i = 0; i < sql->table_count; i++)
        if (sql->tables[i]->forget != NULL)
            sql->tables[i]->forget(sql);
    arena_free(sql->arena);
    arena_free(sql->lasting);
    free(sql);
}

void
sql_interrupt(Sql *sql)
{
    sql->interrupted = 1;
    if (sql->env->client != NULL && *sql->env->client != NULL)
        client_interrupt(*sql->env->client);
}

void
sql_interrupt_reset(Sql *sql)
{
    sql->interrupted = 0;
}

/* ---- which statements are ours ---- */

/* The next word of a text behind blanks and comments; *rest is what follows it. */
static StrView
next_word(StrView text, StrView *rest)
{
    const char *p = text.ptr;
    const char *end = text.ptr + text.len;
    const char *begin;

    for (;;) {
        while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r') || *p == ';' || *p == '('))
            p++;
        if (end - p >= 2 && p[0] == '-' && p[1] == '-') {
            while (p < end && *p != '\n')
                p++;
        } else if (end - p >= 2 && p[0] == '/' && p[1] == '*') {
            const char *stop = memmem(p + 2, (size_t)(end - p - 2), "*/", 2);

            p = stop == NULL ? end : stop + 2;
        } else {
            break;
        }
    }
    begin = p;
    while (p < end && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_'))
        p++;
    *rest = (StrView){p, (int32_t)(end - p)};
    return (StrView){begin, (int32_t)(p - begin)};
}

static bool
is_one_of(StrView word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (text_equal_nocase(word, strview_from(*words)))
            return true;
    return false;
}

bool
sql_knows(StrView text)
{
    static const char *const alone[] = {"SELECT", "WITH",   "VALUES",   "INSERT",    "REPLACE",
                                        "PRAGMA", "ATTACH", "DETACH",   "UPDATE",    "DELETE",
                                        "BEGIN",  "COMMIT", "ROLLBACK", "SAVEPOINT", NULL};
    static const char *const objects[] = {"TEMP",  "TEMPORARY", "TABLE",   "VIEW",
                                          "INDEX", "UNIQUE",    "TRIGGER", NULL};
    static const char *const changing[] = {"CREATE", "DROP", "ALTER", NULL};
    static const char *const explained[] = {"SELECT", "WITH", "VALUES", "QUERY", "INSERT", NULL};
    StrView rest;
    StrView word = next_word(text, &rest);

    if (is_one_of(word, alone))
        return true;
    if (is_one_of(word, changing))
        return is_one_of(next_word(rest, &rest), objects);
    return text_equal_nocase(word, STRVIEW("EXPLAIN")) &&
           is_one_of(next_word(rest, &rest), explained);
}

/* EXPLAIN SELECT and not EXPLAIN QUERY PLAN: *ret_select is what is to be explained. */
static bool
is_explain(StrView text, StrView *ret_select)
{
    StrView rest;

    if (!text_equal_nocase(next_word(text, &rest), STRVIEW("EXPLAIN")))
        return false;
    *ret_select = rest;
    return !text_equal_nocase(next_word(rest, &rest), STRVIEW("QUERY"));
}

/* ---- running ---- */

static void
begin_statement(Sql *sql)
{
    sql->has_fault = false;
    sql->inserted = false;
    sql->cache = NULL;
    sql->snapshots = NULL;
    sql->statement++;
}

static void
end_statement(Sql *sql)
{
    sql->cache = NULL;
    sql->snapshots = NULL;
    arena_reset(sql->arena);
}

/* Prepares one statement. A table that is not there may be a view of the node: then it is looked for, once. */
static int
prepare(Sql *sql, StrView text, sqlite3_stmt **ret, Fault *f)
{
    const char *tail = NULL;
    StrView rest;

    if (text.len > STATEMENT_MAX)
        return fault_set(f, FAULT_LIMIT, "the statement is longer than %d bytes", STATEMENT_MAX);
    for (int try = 0;; try++) {
        int rc = sqlite3_prepare_v2(sql->db, text.ptr, text.len, ret, &tail);
        bool found = false;

        if (rc == SQLITE_OK)
            break;
        if (try < DISCOVER_TRIES && !sql->has_fault &&
            strncmp(sqlite3_errmsg(sql->db), "no such table: ", 15) == 0 &&
            views_discover(sql, &found, f) == 0 && found)
            continue;
        return error_from_sqlite(sql, rc, text, 0, f);
    }
    if (next_word((StrView){tail, (int32_t)(text.ptr + text.len - tail)}, &rest).len > 0) {
        (void)sqlite3_finalize(*ret); /* never ran */
        *ret = NULL;
        fault_set(f, FAULT_SYNTAX, "more than one statement");
        f->position = (int32_t)(tail - text.ptr);
        return -1;
    }
    return 0;
}

static bool
is_number(sqlite3_stmt *statement, int column, bool has_row)
{
    const char *declared = sqlite3_column_decltype(statement, column);
    int type = has_row ? sqlite3_column_type(statement, column) : SQLITE_NULL;

    if (declared != NULL && strcmp(declared, SQL_DECL_BOOLEAN) == 0)
        return false;
    if (type != SQLITE_NULL)
        return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    return declared != NULL &&
           (strstr(declared, "INT") != NULL || strstr(declared, "REAL") != NULL);
}

static int
give_columns(Sql *sql, sqlite3_stmt *statement, bool has_row, const SqlSink *sink)
{
    int count = sqlite3_column_count(statement);
    SqlColumn *columns = arena_calloc(sql->arena, (size_t)count + 1, sizeof *columns);

    if (columns == NULL)
        return -1;
    for (int i = 0; i < count; i++) {
        const char *declared = sqlite3_column_decltype(statement, i);
        const char *name = sqlite3_column_name(statement, i);

        columns[i].name = name == NULL ? "?" : name;
        columns[i].declared = declared == NULL ? "" : declared;
        columns[i].kind = module_kind(declared);
        columns[i].number = is_number(statement, i, has_row);
    }
    return sink->columns(sink->arg, columns, count);
}

static int
give_row(sqlite3_stmt *statement, SqlValue *values, const SqlSink *sink)
{
    int count = sqlite3_column_count(statement);

    for (int i = 0; i < count; i++) {
        SqlValue *v = &values[i];

        switch (sqlite3_column_type(statement, i)) {
        case SQLITE_INTEGER:
            *v = (SqlValue){.type = SQL_INTEGER, .integer = sqlite3_column_int64(statement, i)};
            break;
        case SQLITE_FLOAT:
            *v = (SqlValue){.type = SQL_REAL, .real = sqlite3_column_double(statement, i)};
            break;
        case SQLITE_TEXT:
            *v = (SqlValue){.type = SQL_TEXT};
            v->bytes.ptr = (const char *)sqlite3_column_text(statement, i);
            v->bytes.len = sqlite3_column_bytes(statement, i);
            break;
        case SQLITE_BLOB:
            *v = (SqlValue){.type = SQL_BLOB};
            v->bytes.ptr = sqlite3_column_blob(statement, i);
            v->bytes.len = sqlite3_column_bytes(statement, i);
            break;
        default:
            *v = (SqlValue){.type = SQL_NULL};
            break;
        }
        if ((v->type == SQL_TEXT || v->type == SQL_BLOB) && v->bytes.ptr == NULL)
            v->bytes = STRVIEW("");
    }
    return sink->row(sink->arg, values, count);
}

/* Steps to the end; *ret_rows counts what was given. 1: the sink has had enough. */
static int
walk(Sql *sql, sqlite3_stmt *statement, const SqlSink *sink, int64_t *ret_rows, int *ret_rc)
{
    int count = sqlite3_column_count(statement);
    SqlValue *values = arena_calloc(sql->arena, (size_t)count + 1, sizeof *values);
    int rc = sqlite3_step(statement);

    *ret_rows = 0;
    *ret_rc = values == NULL ? SQLITE_NOMEM : rc;
    if (values == NULL || (rc != SQLITE_ROW && rc != SQLITE_DONE))
        return 0;
    if (count > 0 && give_columns(sql, statement, rc == SQLITE_ROW, sink) != 0)
        return 1;
    while (rc == SQLITE_ROW) {
        if (give_row(statement, values, sink) != 0)
            return 1;
        ++*ret_rows;
        rc = sqlite3_step(statement);
    }
    *ret_rc = rc;
    return 0;
}

/* "CREATE TABLE", "INSERT 3": what psql prints behind a statement. */
static void
make_tag(Sql *sql, StrView text, int64_t rows, bool has_result, char *ret)
{
    static const char *const counted[] = {"INSERT", "REPLACE", "UPDATE", "DELETE", NULL};
    static const char *const two[] = {"CREATE", "DROP", "ALTER", NULL};
    static const char *const skipped[] = {"TEMP", "TEMPORARY", "UNIQUE", NULL};
    StrView rest;
    StrView word = next_word(text, &rest);
    StrView second = {"", 0};
    char upper[SQL_TAG_MAX];

    if (is_one_of(word, two)) {
        second = next_word(rest, &rest);
        if (is_one_of(second, skipped))
            second = next_word(rest, &rest);
    }
    (void)snprintf(upper, sizeof upper, "%.*s%s%.*s", word.len < 20 ? word.len : 20, word.ptr,
                   second.len > 0 ? " " : "", second.len < 20 ? second.len : 20, second.ptr);
    for (char *p = upper; *p != '\0'; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    if (has_result)
        (void)snprintf(ret, SQL_TAG_MAX, "SELECT %lld", (long long)rows);
    else if (is_one_of(word, counted))
        (void)snprintf(ret, SQL_TAG_MAX, "%.40s %lld", upper,
                       (long long)sqlite3_changes64(sql->db));
    else
        (void)snprintf(ret, SQL_TAG_MAX, "%s", upper);
}

static int
flush_tables(Sql *sql, Fault *f)
{
    for (int32_t i = 0; i < sql->table_count; i++)
        if (sql->tables[i]->flush != NULL && sql->tables[i]->flush(sql, f) != 0)
            return -1;
    return 0;
}

static int
run(Sql *sql, StrView text, const SqlSink *sink, char *ret_tag, Fault *f)
{
    sqlite3_stmt *statement = NULL;
    int64_t rows = 0;
    int rc = SQLITE_OK;
    int result = 0;
    int stopped;
    bool has_result;

    if (prepare(sql, text, &statement, f) != 0)
        return -1;
    if (statement == NULL) /* nothing but blanks */
        return 0;
    has_result = sqlite3_column_count(statement) > 0;
    stopped = walk(sql, statement, sink, &rows, &rc);
    if (stopped == 0 && rc != SQLITE_DONE)
        result = error_from_sqlite(sql, rc, text, 0, f);
    (void)sqlite3_finalize(statement); /* tells the same error once more */
    if (result == 0 && sql->inserted)
        result = flush_tables(sql, f);
    if (result == 0)
        make_tag(sql, text, rows, has_result, ret_tag);
    return result;
}

int
sql_run(Sql *sql, StrView statement, const SqlSink *sink, char ret_tag[SQL_TAG_MAX], Fault *f)
{
    StrView select;
    int result;

    fault_clear(f);
    ret_tag[0] = '\0';
    begin_statement(sql);
    if (is_explain(statement, &select))
        result = explain_run(sql, statement, select, sink, f);
    else
        result = run(sql, statement, sink, ret_tag, f);
    end_statement(sql);
    return result;
}

int
sql_describe(Sql *sql, StrView text, const SqlSink *sink, Fault *f)
{
    sqlite3_stmt *statement = NULL;
    int result;

    fault_clear(f);
    begin_statement(sql);
    result = prepare(sql, text, &statement, f);
    if (result == 0 && statement != NULL && sqlite3_column_count(statement) > 0)
        (void)give_columns(sql, statement, false, sink); /* the sink's result ends nothing here */
    (void)sqlite3_finalize(statement);                   /* never ran */
    end_statement(sql);
    return result;
}

/* ---- names ---- */

void
sql_tables(Sql *sql, SqlNameFn fn, void *arg)
{
    Fault f;
    bool found;

    if (sql->env->client != NULL && *sql->env->client != NULL)
        (void)views_discover(sql, &found, &f); /* without them the others are still told */
    for (int32_t i = 0; i < sql->table_count; i++)
        fn(arg, sql->tables[i]->name, NULL, NULL);
}

void
sql_columns(Sql *sql, const char *table, SqlNameFn fn, void *arg)
{
    const SqlTable *found = catalogue_find(sql, strview_from(table));

    for (int32_t i = 0; found != NULL && i < found->column_count; i++)
        if ((found->columns[i].flags & SQL_COLUMN_HIDDEN) == 0)
            fn(arg, found->name, found->columns[i].name, found->columns[i].declared);
}
