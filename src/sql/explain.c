/*
 * explain.c - EXPLAIN SELECT: how SQLite goes through the tables, and which calls that makes
 *
 * Nothing is asked of the cluster: SQLite's plan carries what was pushed down (plan.c), and each table says which call
 * it makes for which columns.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include "ottla/common/strbuf.h"

#define NODES_MAX 1000 /* lines of one plan */

static const char index_mark[] = " VIRTUAL TABLE INDEX 0:";

typedef struct Explain {
    Sql *sql;
    const SqlSink *sink;
    int ids[NODES_MAX]; /* of lines, to find how deep their children are */
    int depths[NODES_MAX];
    int count;
    bool stopped;
} Explain;

static void
give_line(Explain *e, const char *text)
{
    SqlValue value = {.type = SQL_TEXT, .bytes = strview_from(text)};

    if (!e->stopped && e->sink->row(e->sink->arg, &value, 1) != 0)
        e->stopped = true;
}

static int
depth_of(const Explain *e, int parent)
{
    for (int i = 0; i < e->count; i++)
        if (e->ids[i] == parent)
            return e->depths[i] + 1;
    return 0;
}

/* "topic = 'a', partition in a list; ordered" from "topic='a' partition[] ordered #1f". */
static void
add_constraints(StrBuf *text, const SqlTable *table, const char *plan_text, const Plan *plan)
{
    static const char *const ops[] = {" = ", " < ", " <= ", " > ", " >= "};
    const char *p = plan_text + strlen(table->name);

    for (int32_t i = 0; i < plan->term_count; i++) {
        const PlanTerm *term = &plan->terms[i];
        const char *name = table->columns[term->column].name;
        const char *value = strstr(p, name);

        strbuf_printf(text, "%s%s", i == 0 ? ": " : ", ", name);
        if (term->in || value == NULL) {
            strbuf_add_cstr(text, " in a list");
            continue;
        }
        value += strlen(name);
        value += strspn(value, "<>=");
        strbuf_add_cstr(text, ops[term->op]);
        p = value;
        if (*p == '\'') {
            for (p++; *p != '\0' && (*p != '\'' || p[1] == '\''); p += *p == '\'' ? 2 : 1) {
            }
            p += *p == '\'';
        } else {
            p += strcspn(p, " ");
        }
        if (*value == '?')
            strbuf_add_cstr(text, "a value of the row before");
        else
            strbuf_add(text, value, (size_t)(p - value));
    }
    if (plan->limit)
        strbuf_add_cstr(text, plan->term_count > 0 ? ", LIMIT" : ": LIMIT");
    if (plan->ordered)
        strbuf_add_cstr(text, ", in order");
}

static void
give_calls(Explain *e, int depth, const SqlTable *table, uint64_t used)
{
    StrBuf text;
    int32_t count = 0;

    strbuf_init(&text, 4096, e->sql->arena);
    strbuf_printf(&text, "%*sAPI calls:", depth * 2 + 2, "");
    for (int32_t i = 0; i < table->call_count; i++)
        if (table->calls[i].columns == 0 || (table->calls[i].columns & used) != 0)
            strbuf_printf(&text, "%s %s", count++ == 0 ? "" : ",", table->calls[i].api);
    if (count == 0)
        strbuf_add_cstr(&text, " none");
    give_line(e, text.ptr);
}

static void
give_node(Explain *e, sqlite3_stmt *statement)
{
    int id = sqlite3_column_int(statement, 0);
    int depth = depth_of(e, sqlite3_column_int(statement, 1));
    const char *detail = (const char *)sqlite3_column_text(statement, 3);
    const char *mark = detail == NULL ? NULL : strstr(detail, index_mark);
    const char *plan_text = mark == NULL ? NULL : mark + sizeof index_mark - 1;
    const SqlTable *table = NULL;
    StrBuf text;
    Plan plan;

    if (e->count < NODES_MAX) {
        e->ids[e->count] = id;
        e->depths[e->count++] = depth;
    }
    if (plan_text != NULL)
        table = catalogue_find(e->sql, (StrView){plan_text, (int32_t)strcspn(plan_text, " ")});
    strbuf_init(&text, 65536, e->sql->arena);
    if (table == NULL || !plan_read(table, plan_text, &plan)) {
        strbuf_printf(&text, "%*s%s", depth * 2, "", detail == NULL ? "" : detail);
        give_line(e, text.ptr);
        return;
    }
    strbuf_printf(&text, "%*s%.*s", depth * 2, "", (int)(mark - detail), detail);
    add_constraints(&text, table, plan_text, &plan);
    give_line(e, text.ptr);
    give_calls(e, depth, table, plan.used);
}

int
explain_run(Sql *sql, StrView statement, StrView select, const SqlSink *sink, Fault *f)
{
    static const char begin[] = "EXPLAIN QUERY PLAN ";
    int32_t skipped = (int32_t)(select.ptr - statement.ptr);
    SqlColumn column = {.name = "QUERY PLAN", .declared = SQL_DECL_TEXT};
    sqlite3_stmt *prepared = NULL;
    StrBuf text;
    Explain *e = arena_calloc(sql->arena, 1, sizeof *e);
    bool found = false;
    int rc;

    strbuf_init(&text, 2 << 20, sql->arena);
    strbuf_add_cstr(&text, begin);
    strbuf_add_view(&text, select);
    if (e == NULL || strbuf_failed(&text))
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    *e = (Explain){.sql = sql, .sink = sink};
    rc = sqlite3_prepare_v2(sql->db, text.ptr, (int)text.len, &prepared, NULL);
    if (rc != SQLITE_OK && strncmp(sqlite3_errmsg(sql->db), "no such table: ", 15) == 0 &&
        views_discover(sql, &found, f) == 0 && found)
        rc = sqlite3_prepare_v2(sql->db, text.ptr, (int)text.len, &prepared, NULL);
    if (rc != SQLITE_OK) {
        (void)error_from_sqlite(sql, rc, select, (int32_t)sizeof begin - 1, f); /* is one */
        if (f->position >= 0)
            f->position += skipped;
        return -1;
    }
    if (sink->columns(sink->arg, &column, 1) != 0)
        e->stopped = true;
    while (!e->stopped && (rc = sqlite3_step(prepared)) == SQLITE_ROW)
        give_node(e, prepared);
    (void)sqlite3_finalize(prepared); /* a plan that was read to its end cannot fail */
    return 0;
}
