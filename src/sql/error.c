/*
 * error.c - what SQLite says failed, as faults with a code, the place in the statement, and a hint
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include <ctype.h>

#include "ottla/common/text.h"

/* Messages of SQLite that begin alike; what follows the prefix comes between before and after. */
typedef struct ErrorRow {
    const char *prefix;
    const char *sqlstate;
    const char *before;
    const char *after;
} ErrorRow;

static const ErrorRow rows[] = {
    {"no such column: ", "42703", "column \"", "\" does not exist"},
    {"no such function: ", "42883", "function ", " does not exist"},
    {"ambiguous column name: ", "42702", "column name \"", "\" is ambiguous"},
    {"wrong number of arguments to function ", "42883", "wrong number of arguments to function ",
     ""},
    {"unrecognized token: ", FAULT_SYNTAX, "unrecognized token ", ""},
    {"misuse of aggregate", "42803", "misuse of aggregate", ""},
    {"unknown database ", "3F000", "unknown database ", ""},
    {"no such module: ", FAULT_NOT_SUPPORTED, "no such module: ", ""},
    {"too many ", FAULT_LIMIT, "too many ", ""},
};

static bool
is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$';
}

/* Where a name stands as a word of its own in the statement; -1: nowhere. Quoted text is looked at, too: names may be quoted. */
static int32_t
find_name(StrView statement, StrView name)
{
    for (int32_t i = 0; i + name.len <= statement.len && name.len > 0; i++) {
        if (!text_equal_nocase((StrView){statement.ptr + i, name.len}, name))
            continue;
        if ((i == 0 || !is_name_byte(statement.ptr[i - 1])) &&
            (i + name.len == statement.len || !is_name_byte(statement.ptr[i + name.len])))
            return i;
    }
    return -1;
}

/* What follows "table." of a qualified name. */
static StrView
last_part(StrView name)
{
    for (int32_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '.')
            return (StrView){name.ptr + i, name.len - i};
    return name;
}

/* A column or table whose name is nearly that one. */
static const char *
nearest_column(const Sql *sql, StrView statement, StrView name)
{
    const char *best = NULL;
    int best_distance = name.len < 5 ? 2 : 3;

    for (int32_t t = 0; t < sql->table_count; t++) {
        const SqlTable *table = sql->tables[t];

        if (find_name(statement, strview_from(table->name)) < 0)
            continue;
        for (int32_t i = 0; i < table->column_count; i++) {
            int distance = text_distance(name, strview_from(table->columns[i].name), best_distance);

            if (distance < best_distance) {
                best = table->columns[i].name;
                best_distance = distance;
            }
        }
    }
    return best;
}

static void
set_position(Sql *sql, StrView statement, StrView name, int32_t base, Fault *f)
{
    int offset = sqlite3_error_offset(sql->db);

    if (offset >= base && offset < base + statement.len)
        f->position = offset - base;
    else if (name.ptr != NULL)
        f->position = find_name(statement, name);
}

/* "near \"x\": syntax error", "incomplete input". */
static bool
is_syntax(const char *text)
{
    return strstr(text, "syntax error") != NULL || strcmp(text, "incomplete input") == 0;
}

static int
error_of_statement(Sql *sql, const char *text, StrView statement, int32_t base, Fault *f)
{
    StrView name = {NULL, 0};

    if (strncmp(text, "no such table: ", 15) == 0) {
        name = strview_from(text + 15);
        (void)catalogue_missing(sql, name, f); /* is a fault always */
        f->position = find_name(statement, last_part(name));
        return -1;
    }
    if (is_syntax(text)) {
        fault_set(f, FAULT_SYNTAX, "%s",
                  strcmp(text, "incomplete input") == 0 ? "syntax error at end of input" : text);
        set_position(sql, statement, name, base, f);
        if (f->position < 0 && strcmp(text, "incomplete input") == 0)
            f->position = statement.len;
        return -1;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].prefix);
        const char *nearest;

        if (strncmp(text, rows[i].prefix, len) != 0)
            continue;
        name = strview_from(text + len);
        fault_set(f, rows[i].sqlstate, "%s%s%s", rows[i].before, name.ptr, rows[i].after);
        nearest = strcmp(rows[i].sqlstate, "42703") == 0
                      ? nearest_column(sql, statement, last_part(name))
                      : NULL;
        if (nearest != NULL)
            fault_hint(f, "Perhaps you meant \"%s\".", nearest);
        set_position(sql, statement, last_part(name), base, f);
        return -1;
    }
    if (strstr(text, "may not be modified") != NULL || strstr(text, "attempt to write") != NULL) {
        fault_set(f, "42501", "%s", text);
        fault_hint(f, "The catalogue shows what the cluster says; changes are made by statements.");
        return -1;
    }
    fault_set(f, "42000", "%s", text);
    set_position(sql, statement, name, base, f);
    return -1;
}

int
error_from_sqlite(Sql *sql, int rc, StrView statement, int32_t base, Fault *f)
{
    const char *text = sqlite3_errmsg(sql->db);

    if (sql->has_fault) {
        *f = sql->fault;
        return -1;
    }
    switch (rc & 0xff) {
    case SQLITE_INTERRUPT:
        return fault_set(f, FAULT_CANCELED, "canceling statement due to user request");
    case SQLITE_NOMEM:
        fault_set(f, FAULT_NO_MEMORY, "the statement needs more memory than it may take");
        fault_hint(f, "Ask for fewer rows or columns.");
        return -1;
    case SQLITE_TOOBIG:
        return fault_set(f, FAULT_LIMIT, "a text, blob or statement is too large");
    case SQLITE_AUTH:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return fault_set(f, "42501", "%s", text);
    case SQLITE_CONSTRAINT:
        return fault_set(f, "23000", "%s", text);
    case SQLITE_MISMATCH:
        return fault_set(f, "22000", "%s", text);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_NOTADB:
        return fault_set(f, FAULT_FILE, "%s", text);
    case SQLITE_FULL:
        return fault_set(f, "53100", "%s", text);
    case SQLITE_CORRUPT:
        return fault_set(f, FAULT_CORRUPT, "%s", text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fault_set(f, "55006", "%s", text);
    default:
        return error_of_statement(sql, text, statement, base, f);
    }
}
