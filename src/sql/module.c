/*
 * module.c - one SQLite module for all tables: declares columns, takes constraints, walks rows
 *
 * Each row of the catalogue is an eponymous module: a table that exists by its name alone. What differs between tables
 * stands in SqlTable. A fault of a scan is kept in the session, since SQLite has room for a text only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include <math.h>

#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"

#define KEYS_BYTES ((size_t)64 << 20) /* values of the constraints of one cursor */

typedef struct TableModule {
    Sql *sql;
    const SqlTable *table;
} TableModule;

typedef struct Vtab {
    sqlite3_vtab base;
    Sql *sql;
    const SqlTable *table;
} Vtab;

typedef struct Cursor {
    sqlite3_vtab_cursor base;
    Sql *sql;
    const SqlTable *table;
    Arena *keys_arena; /* values of the constraints; of a streaming table */
    SqlScan scan;      /* what is wanted; of a streaming table also its rows */
    SnapshotRows rows;
    int32_t at;
    bool open; /* a streaming table that wants to be closed */
} Cursor;

SqlKind
module_kind(const char *declared)
{
    static const struct {
        const char *declared;
        SqlKind kind;
    } kinds[] = {
        {SQL_DECL_BOOLEAN, SQL_KIND_BOOLEAN}, {SQL_DECL_BYTES, SQL_KIND_BYTES},
        {SQL_DECL_MILLIS, SQL_KIND_MILLIS},   {SQL_DECL_TIME, SQL_KIND_TIME},
        {SQL_DECL_JSON, SQL_KIND_JSON},
    };

    for (size_t i = 0; declared != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(declared, kinds[i].declared) == 0)
            return kinds[i].kind;
    return SQL_KIND_PLAIN;
}

/* Its columns as CREATE TABLE has them. NULL: no memory. */
static char *
make_declaration(const SqlTable *table, Arena *arena)
{
    StrBuf text;

    strbuf_init(&text, 65536, arena);
    strbuf_add_cstr(&text, "CREATE TABLE x(");
    for (int32_t i = 0; i < table->column_count; i++) {
        const SqlColumnDef *column = &table->columns[i];

        strbuf_printf(&text, "%s\"%s\" %s%s", i == 0 ? "" : ", ", column->name, column->declared,
                      (column->flags & SQL_COLUMN_HIDDEN) != 0 ? " HIDDEN" : "");
    }
    strbuf_add_char(&text, ')');
    return strbuf_failed(&text) ? NULL : text.ptr;
}

/* ---- tables ---- */

static int
x_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **err)
{
    const TableModule *module = aux;
    Arena *arena = arena_new(4096, 1 << 20);
    char *declaration = arena == NULL ? NULL : make_declaration(module->table, arena);
    Vtab *vtab = declaration == NULL ? NULL : calloc(1, sizeof *vtab);
    int rc = SQLITE_NOMEM;

    (void)argc, (void)argv, (void)err; /* of CREATE VIRTUAL TABLE, which nobody may say */
    if (vtab != NULL) {
        module->sql->declaring = true;
        rc = sqlite3_declare_vtab(db, declaration);
        module->sql->declaring = false;
        if (rc == SQLITE_OK) {
            vtab->sql = module->sql;
            vtab->table = module->table;
            *ret = &vtab->base;
        } else {
            free(vtab);
        }
    }
    arena_free(arena);
    return rc;
}

static int
x_disconnect(sqlite3_vtab *base)
{
    free(base);
    return SQLITE_OK;
}

static int
x_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    Vtab *vtab = (Vtab *)base;

    return plan_best(vtab->sql, vtab->table, info);
}

/* ---- cursors ---- */

static int
x_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
    Vtab *vtab = (Vtab *)base;
    Cursor *cursor = calloc(1, sizeof *cursor);

    if (cursor == NULL)
        return SQLITE_NOMEM;
    cursor->keys_arena = arena_new(1024, KEYS_BYTES);
    if (cursor->keys_arena == NULL) {
        free(cursor);
        return SQLITE_NOMEM;
    }
    cursor->sql = vtab->sql;
    cursor->table = vtab->table;
    *ret = &cursor->base;
    return SQLITE_OK;
}

static void
close_stream(Cursor *cursor)
{
    if (cursor->open && cursor->table->close != NULL)
        cursor->table->close(&cursor->scan);
    cursor->open = false;
    if (cursor->table->next != NULL) {
        arena_free(cursor->scan.arena);
        cursor->scan.arena = NULL;
    }
}

static int
x_close(sqlite3_vtab_cursor *base)
{
    Cursor *cursor = (Cursor *)base;

    close_stream(cursor);
    arena_free(cursor->keys_arena);
    free(cursor);
    return SQLITE_OK;
}

typedef enum Affinity { AFFINITY_TEXT, AFFINITY_INTEGER, AFFINITY_REAL, AFFINITY_NONE } Affinity;

static Affinity
affinity_of(const SqlColumnDef *column)
{
    if (strstr(column->declared, "INT") != NULL || strcmp(column->declared, SQL_DECL_BOOLEAN) == 0)
        return AFFINITY_INTEGER;
    if (strcmp(column->declared, SQL_DECL_REAL) == 0)
        return AFFINITY_REAL;
    return strcmp(column->declared, SQL_DECL_ANY) == 0 ? AFFINITY_NONE : AFFINITY_TEXT;
}

/* An integer for a bound: rounded towards the side where no row is lost; SQLite compares once more. */
static bool
integer_bound(double real, SqlOp op, int64_t *ret)
{
    double rounded = op == SQL_OP_GT || op == SQL_OP_GE ? floor(real) : ceil(real);

    if (isnan(real))
        return false;
    if (rounded >= 9.2e18)
        *ret = INT64_MAX;
    else if (rounded <= -9.2e18)
        *ret = INT64_MIN;
    else
        *ret = (int64_t)rounded;
    return true;
}

/* The value as the column would have it. False: no row can equal it. */
static bool
take_value(Arena *arena, const SqlColumnDef *column, SqlOp op, sqlite3_value *value, SqlValue *ret)
{
    int type = sqlite3_value_type(value);
    StrView bytes;

    if (type == SQLITE_NULL)
        return false;
    switch (affinity_of(column)) {
    case AFFINITY_INTEGER:
        type = sqlite3_value_numeric_type(value);
        if (type == SQLITE_INTEGER) {
            *ret = (SqlValue){.type = SQL_INTEGER, .integer = sqlite3_value_int64(value)};
            return true;
        }
        if (type == SQLITE_FLOAT && op != SQL_OP_EQ) {
            ret->type = SQL_INTEGER;
            return integer_bound(sqlite3_value_double(value), op, &ret->integer);
        }
        return false;
    case AFFINITY_REAL:
        *ret = (SqlValue){.type = SQL_REAL, .real = sqlite3_value_double(value)};
        return true;
    case AFFINITY_TEXT:
        if (type == SQLITE_BLOB)
            return false;
        break;
    case AFFINITY_NONE:
        if (type == SQLITE_INTEGER || type == SQLITE_FLOAT)
            return false;
        break;
    }
    ret->type = type == SQLITE_BLOB ? SQL_BLOB : SQL_TEXT;
    bytes.ptr =
        type == SQLITE_BLOB ? sqlite3_value_blob(value) : (const char *)sqlite3_value_text(value);
    bytes.len = sqlite3_value_bytes(value);
    if (bytes.ptr == NULL)
        bytes = STRVIEW("");
    ret->bytes = (StrView){arena_strdup(arena, bytes), bytes.len};
    return ret->bytes.ptr != NULL;
}

/* All values of an IN. */
static int
take_in(Cursor *cursor, const PlanTerm *term, sqlite3_value *list, SqlKey *ret)
{
    const SqlColumnDef *column = &cursor->table->columns[term->column];
    SqlValue *values = NULL;
    int32_t size = 0;
    int32_t count = 0;
    sqlite3_value *value = NULL;
    int rc;

    for (rc = sqlite3_vtab_in_first(list, &value); rc == SQLITE_OK && value != NULL;
         rc = sqlite3_vtab_in_next(list, &value)) {
        if (count == size) {
            SqlValue *more =
                arena_calloc(cursor->keys_arena, (size_t)(size * 2 + 16), sizeof *more);

            if (more == NULL || count >= SQL_IN_MAX)
                return SQLITE_NOMEM;
            if (count > 0)
                memcpy(more, values, (size_t)count * sizeof *more);
            size = size * 2 + 16;
            values = more;
        }
        if (take_value(cursor->keys_arena, column, SQL_OP_EQ, value, &values[count]))
            count++;
    }
    ret->values = values;
    ret->count = count;
    return rc == SQLITE_DONE || rc == SQLITE_OK ? SQLITE_OK : rc;
}

/* EQ first, by column; then the bounds: snapshots count on it. */
static int
by_place(const void *a, const void *b)
{
    const SqlKey *x = a;
    const SqlKey *y = b;

    if ((x->op == SQL_OP_EQ) != (y->op == SQL_OP_EQ))
        return x->op == SQL_OP_EQ ? -1 : 1;
    return x->column != y->column ? x->column - y->column : (int)x->op - (int)y->op;
}

/* Constraints and limit of this opening. *ret_empty: no row can fit. */
static int
take_arguments(Cursor *cursor, const Plan *plan, sqlite3_value **argv, bool *ret_empty)
{
    SqlKey *keys = arena_calloc(cursor->keys_arena, SQL_KEYS_MAX, sizeof *keys);
    int32_t i;

    if (keys == NULL)
        return SQLITE_NOMEM;
    for (i = 0; i < plan->term_count; i++) {
        const PlanTerm *term = &plan->terms[i];
        SqlKey *key = &keys[i];

        key->column = term->column;
        key->op = (SqlOp)term->op;
        if (term->in) {
            int rc = take_in(cursor, term, argv[i], key);

            if (rc != SQLITE_OK)
                return rc;
        } else {
            SqlValue *value = arena_calloc(cursor->keys_arena, 1, sizeof *value);

            if (value == NULL)
                return SQLITE_NOMEM;
            key->count = take_value(cursor->keys_arena, &cursor->table->columns[term->column],
                                    key->op, argv[i], value);
            key->values = value;
        }
        *ret_empty = *ret_empty || key->count == 0;
    }
    qsort(keys, (size_t)plan->term_count, sizeof *keys, by_place);
    cursor->scan.keys = keys;
    cursor->scan.key_count = plan->term_count;
    cursor->scan.limit = INT64_MAX;
    if (plan->limit) {
        int64_t limit = sqlite3_value_int64(argv[i]);
        int64_t offset = plan->offset ? sqlite3_value_int64(argv[i + 1]) : 0;

        if (limit >= 0 && limit < INT32_MAX && offset < INT32_MAX)
            cursor->scan.limit = limit + (offset > 0 ? offset : 0);
    }
    return SQLITE_OK;
}

static void
place_columns(SqlScan *scan)
{
    scan->slot_count = 0;
    for (int32_t i = 0; i < scan->table->column_count; i++) {
        /* Keys tell the rows of a streaming table apart: x_rowid needs them. */
        bool key = scan->table->next != NULL &&
                   (scan->table->columns[i].flags & (SQL_COLUMN_KEY | SQL_COLUMN_RANGE)) != 0;
        bool place = key || scan_uses(scan, i);

        scan->slot_of[i] = place ? scan->slot_count++ : -1;
    }
}

/* Fills the rows of a streaming table that come next. */
static int
fetch_more(Cursor *cursor)
{
    Fault f;

    cursor->scan.row_count = 0;
    cursor->scan.row_size = 0;
    cursor->scan.rows = NULL;
    arena_reset(cursor->scan.arena);
    cursor->at = 0;
    fault_clear(&f);
    if (cursor->table->next(&cursor->scan, &f) != 0 || scan_end(&cursor->scan, &f) != 0)
        return sql_keep_fault(cursor->sql, &f);
    cursor->rows = (SnapshotRows){&cursor->scan, NULL, NULL, cursor->scan.row_count};
    return SQLITE_OK;
}

static int
open_stream(Cursor *cursor)
{
    Fault f;

    cursor->scan.arena = arena_new(65536, SQL_STATEMENT_BYTES);
    if (cursor->scan.arena == NULL)
        return SQLITE_NOMEM;
    fault_clear(&f);
    cursor->open = true;
    if (cursor->table->scan(&cursor->scan, &f) != 0)
        return sql_keep_fault(cursor->sql, &f);
    return fetch_more(cursor);
}

static int
x_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv)
{
    Cursor *cursor = (Cursor *)base;
    Plan plan;
    bool empty = false;
    Fault f;
    int rc;

    (void)number;
    close_stream(cursor);
    arena_reset(cursor->keys_arena);
    cursor->at = 0;
    cursor->rows = (SnapshotRows){&cursor->scan, NULL, NULL, 0};
    if (!plan_read(cursor->table, text, &plan) || argc < plan.term_count + plan.limit + plan.offset)
        return SQLITE_INTERNAL;
    cursor->scan = (SqlScan){.sql = cursor->sql,
                             .table = cursor->table,
                             .arena = cursor->table->next == NULL ? cursor->sql->arena : NULL,
                             .used = plan.used,
                             .ordered = plan.ordered};
    place_columns(&cursor->scan);
    rc = take_arguments(cursor, &plan, argv, &empty);
    if (rc != SQLITE_OK || empty)
        return rc;
    if (cursor->table->next != NULL)
        return open_stream(cursor);
    fault_clear(&f);
    if (snapshot_open(cursor->sql, &cursor->scan, &cursor->rows, &f) != 0)
        return sql_keep_fault(cursor->sql, &f);
    return SQLITE_OK;
}

static int
x_next(sqlite3_vtab_cursor *base)
{
    Cursor *cursor = (Cursor *)base;

    cursor->at++;
    if (cursor->at >= cursor->rows.count && cursor->open && cursor->rows.count > 0)
        return fetch_more(cursor);
    return SQLITE_OK;
}

static int
x_eof(sqlite3_vtab_cursor *base)
{
    Cursor *cursor = (Cursor *)base;

    return cursor->at >= cursor->rows.count;
}

static int
x_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    Cursor *cursor = (Cursor *)base;
    int32_t at = cursor->rows.picked == NULL ? cursor->at : cursor->rows.picked[cursor->at];
    const SqlScan *scan = cursor->rows.scan;
    int16_t slot = scan->slot_of[column];
    const SqlValue *value;
    const char *bytes;

    if (slot < 0)
        return SQLITE_OK;
    value = &scan->rows[at][slot];
    bytes = value->bytes.ptr;
    switch (value->type) {
    case SQL_INTEGER:
        sqlite3_result_int64(context, value->integer);
        break;
    case SQL_REAL:
        sqlite3_result_double(context, value->real);
        break;
    case SQL_TEXT:
        sqlite3_result_text(context, bytes, value->bytes.len,
                            scan->table->next == NULL ? SQLITE_STATIC : SQLITE_TRANSIENT);
        break;
    case SQL_BLOB:
        sqlite3_result_blob(context, bytes, value->bytes.len,
                            scan->table->next == NULL ? SQLITE_STATIC : SQLITE_TRANSIENT);
        break;
    case SQL_NULL:
    case SQL_TYPE_COUNT:
        break;
    }
    return SQLITE_OK;
}

static int
x_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    Cursor *cursor = (Cursor *)base;
    const SnapshotRows *rows = &cursor->rows;
    int32_t at = rows->picked == NULL ? cursor->at : rows->picked[cursor->at];

    *ret = rows->snapshot == NULL ? snapshot_hash_row(rows->scan, rows->scan->rows[at])
                                  : snapshot_rowid(cursor->sql, rows->snapshot, at);
    return SQLITE_OK;
}

/* ---- INSERT ---- */

static SqlValue
value_of(sqlite3_value *value)
{
    SqlValue v = {.type = SQL_NULL};

    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        v.type = SQL_INTEGER;
        v.integer = sqlite3_value_int64(value);
        break;
    case SQLITE_FLOAT:
        v.type = SQL_REAL;
        v.real = sqlite3_value_double(value);
        break;
    case SQLITE_TEXT:
        v.type = SQL_TEXT;
        v.bytes.ptr = (const char *)sqlite3_value_text(value);
        v.bytes.len = sqlite3_value_bytes(value);
        break;
    case SQLITE_BLOB:
        v.type = SQL_BLOB;
        v.bytes.ptr = sqlite3_value_blob(value);
        v.bytes.len = sqlite3_value_bytes(value);
        if (v.bytes.ptr == NULL)
            v.bytes = STRVIEW("");
        break;
    default:
        break;
    }
    return v;
}

static int
x_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *ret_rowid)
{
    Vtab *vtab = (Vtab *)base;
    SqlValue values[SQL_COLUMNS_MAX];
    int64_t rowid = 0;
    Fault f;

    fault_clear(&f);
    if (argc != vtab->table->column_count + 2 || sqlite3_value_type(argv[0]) != SQLITE_NULL) {
        fault_set(&f, "42501", "rows of table \"%s\" cannot be changed or deleted",
                  vtab->table->name);
        return sql_keep_fault(vtab->sql, &f);
    }
    for (int32_t i = 0; i < vtab->table->column_count; i++)
        values[i] = value_of(argv[i + 2]);
    vtab->sql->inserted = true;
    if (vtab->table->insert(vtab->sql, values, &rowid, &f) != 0)
        return sql_keep_fault(vtab->sql, &f);
    *ret_rowid = rowid;
    return SQLITE_OK;
}

static const sqlite3_module reading = {
    .iVersion = 3,
    .xConnect = x_connect,
    .xBestIndex = x_best_index,
    .xDisconnect = x_disconnect,
    .xOpen = x_open,
    .xClose = x_close,
    .xFilter = x_filter,
    .xNext = x_next,
    .xEof = x_eof,
    .xColumn = x_column,
    .xRowid = x_rowid,
};

static const sqlite3_module taking = {
    .iVersion = 3,
    .xConnect = x_connect,
    .xBestIndex = x_best_index,
    .xDisconnect = x_disconnect,
    .xOpen = x_open,
    .xClose = x_close,
    .xFilter = x_filter,
    .xNext = x_next,
    .xEof = x_eof,
    .xColumn = x_column,
    .xRowid = x_rowid,
    .xUpdate = x_update,
};

int
module_register(Sql *sql, const SqlTable *table, Fault *f)
{
    TableModule *module;

    if (sql->table_count == SQL_TABLES_MAX || table->column_count > SQL_COLUMNS_MAX)
        return fault_set(f, FAULT_LIMIT, "too many tables or columns at table \"%s\"", table->name);
    module = calloc(1, sizeof *module);
    if (module == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    *module = (TableModule){sql, table};
    /* SQLite frees the module, also when it refuses it. */
    if (sqlite3_create_module_v2(sql->db, table->name, table->insert == NULL ? &reading : &taking,
                                 module, free) != SQLITE_OK)
        return fault_set(f, FAULT_INTERNAL, "table \"%s\": %s", table->name,
                         sqlite3_errmsg(sql->db));
    sql->tables[sql->table_count++] = table;
    return 0;
}
