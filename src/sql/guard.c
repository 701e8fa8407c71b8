/*
 * guard.c - what a statement may do: read, keep things in TEMP and attached files, insert messages
 *
 * SQLite asks for each action while it prepares a statement. Refusals are told as faults with a hint, since SQLite
 * itself says only "not authorized".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include "ottla/common/text.h"

static int refuse(Sql *sql, const char *sqlstate, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* hint may be NULL. */
static int
refuse(Sql *sql, const char *sqlstate, const char *hint, const char *format, ...)
{
    char text[256];
    va_list args;
    Fault f;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut */
    va_end(args);
    fault_set(&f, sqlstate, "%s", text);
    if (hint != NULL)
        fault_hint(&f, "%s", hint);
    (void)sql_keep_fault(sql, &f); /* its code is for those who run */
    return SQLITE_DENY;
}

/* Everything but the catalogue itself: TEMP, and attached files. */
static bool
is_own(const char *database)
{
    return database != NULL && sqlite3_stricmp(database, "main") != 0;
}

static int
judge_create(Sql *sql, const char *database)
{
    if (is_own(database))
        return SQLITE_OK;
    return refuse(
        sql, FAULT_NOT_SUPPORTED,
        "Use CREATE TEMP TABLE or CREATE TEMP VIEW, or ATTACH a file and create it there.",
        "the catalogue takes no tables of yours");
}

static int
judge_change(Sql *sql, int action, const char *table, const char *database)
{
    const SqlTable *found;

    if (is_own(database))
        return SQLITE_OK;
    if (table != NULL && strncmp(table, "sqlite_", 7) == 0)
        return judge_create(sql, database);
    found = table == NULL ? NULL : catalogue_find(sql, strview_from(table));
    if (found != NULL && found->insert != NULL && action == SQLITE_INSERT)
        return SQLITE_OK;
    return refuse(sql, "42501", "Changes are made by statements: \\h lists them.",
                  "table \"%s\" shows what the cluster says and cannot be written",
                  table == NULL ? "" : table);
}

/* PRAGMAs that only tell something. */
static int
judge_pragma(Sql *sql, const char *name, const char *value)
{
    static const char *const telling[] = {
        "table_info",     "table_xinfo",     "table_list",      "database_list", "index_list",
        "index_info",     "index_xinfo",     "function_list",   "module_list",   "pragma_list",
        "collation_list", "compile_options", "foreign_key_list"};
    static const char *const asked[] = {"user_version",  "encoding",       "page_size",
                                        "page_count",    "schema_version", "data_version",
                                        "freelist_count"};

    for (size_t i = 0; i < sizeof telling / sizeof telling[0]; i++)
        if (sqlite3_stricmp(name, telling[i]) == 0)
            return SQLITE_OK;
    for (size_t i = 0; value == NULL && i < sizeof asked / sizeof asked[0]; i++)
        if (sqlite3_stricmp(name, asked[i]) == 0)
            return SQLITE_OK;
    return refuse(sql, FAULT_NOT_SUPPORTED,
                  "PRAGMAs that tell something are: table_info, table_list, function_list, ...",
                  "PRAGMA %s is not allowed here", name);
}

static int
judge(void *arg, int action, const char *a, const char *b, const char *database,
      const char *trigger)
{
    Sql *sql = arg;

    (void)trigger; /* TEMP triggers may do what a statement may */
    if (sql->declaring)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_DETACH:
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW:
        return SQLITE_OK;
    case SQLITE_ATTACH:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        if (b != NULL && sqlite3_stricmp(b, "load_extension") == 0)
            return refuse(sql, "42501", NULL, "function %s is not allowed here", b);
        return SQLITE_OK;
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VIEW:
    case SQLITE_REINDEX:
    case SQLITE_ANALYZE:
        return judge_create(sql, database);
    case SQLITE_ALTER_TABLE:
        return judge_create(sql, a);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return judge_change(sql, action, a, database);
    case SQLITE_PRAGMA:
        return judge_pragma(sql, a, b);
    default:
        return refuse(sql, FAULT_NOT_SUPPORTED, NULL, "this is not allowed here");
    }
}

void
guard_install(Sql *sql)
{
    (void)sqlite3_set_authorizer(sql->db, judge, sql); /* fails for a misused handle alone */
}
