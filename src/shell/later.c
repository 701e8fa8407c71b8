/*
 * later.c - stands in for libraries that come with the next commits: SQL, and the running of statements
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/sql/sql.h"
#include "ottla/statement/statement.h"

int
sql_open(const SqlEnv *env, Sql **ret, Fault *f)
{
    (void)env;
    (void)ret;
    return fault_set(f, FAULT_NOT_SUPPORTED, "SQL is not built in yet");
}

void
sql_close(Sql *sql)
{
    (void)sql;
}

bool
sql_knows(StrView text)
{
    return text.len > 6 && strncasecmp(text.ptr, "select", 6) == 0;
}

int
sql_run(Sql *sql, StrView statement, const SqlSink *sink, char ret_tag[SQL_TAG_MAX], Fault *f)
{
    (void)sql, (void)statement, (void)sink, (void)ret_tag;
    return fault_set(f, FAULT_NOT_SUPPORTED, "SQL is not built in yet");
}

int
sql_describe(Sql *sql, StrView statement, const SqlSink *sink, Fault *f)
{
    (void)sql, (void)statement, (void)sink;
    return fault_set(f, FAULT_NOT_SUPPORTED, "SQL is not built in yet");
}

void
sql_interrupt(Sql *sql)
{
    (void)sql;
}

void
sql_tables(Sql *sql, SqlNameFn fn, void *arg)
{
    (void)sql, (void)fn, (void)arg;
}

void
sql_columns(Sql *sql, const char *table, SqlNameFn fn, void *arg)
{
    (void)sql, (void)table, (void)fn, (void)arg;
}

int
statement_run(const StatementEnv *env, StrView text, char tag[STATEMENT_TAG_MAX], Fault *f)
{
    (void)env, (void)text, (void)tag;
    return fault_set(f, FAULT_NOT_SUPPORTED, "statements are not built in yet");
}
