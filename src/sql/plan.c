/*
 * plan.c - which constraints of a statement a table takes, and how SQLite is told
 *
 * The plan travels from xBestIndex to xFilter as the text that EXPLAIN QUERY PLAN shows:
 *
 *   partitions topic='orders' partition[] limit #3f
 *
 * table, one word per constraint in the order of the arguments, and the columns that are used as a hexadecimal mask.
 * Constants are there for the reader; the values themselves come as arguments.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include <inttypes.h>

#include "ottla/common/strbuf.h"

#define CONSTANT_SHOWN 40 /* bytes of a constant that a plan shows */

static const char *const op_texts[] = {[SQL_OP_EQ] = "=",
                                       [SQL_OP_LT] = "<",
                                       [SQL_OP_LE] = "<=",
                                       [SQL_OP_GT] = ">",
                                       [SQL_OP_GE] = ">="};

/* False: the table cannot make use of this kind of constraint on the column. */
static bool
op_of(const SqlColumnDef *column, int sqlite_op, SqlOp *ret)
{
    switch (sqlite_op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        *ret = SQL_OP_EQ;
        return (column->flags & SQL_COLUMN_KEY) != 0;
    case SQLITE_INDEX_CONSTRAINT_LT:
        *ret = SQL_OP_LT;
        break;
    case SQLITE_INDEX_CONSTRAINT_LE:
        *ret = SQL_OP_LE;
        break;
    case SQLITE_INDEX_CONSTRAINT_GT:
        *ret = SQL_OP_GT;
        break;
    case SQLITE_INDEX_CONSTRAINT_GE:
        *ret = SQL_OP_GE;
        break;
    default:
        return false;
    }
    return (column->flags & SQL_COLUMN_RANGE) != 0;
}

/* The constant that a constraint compares with, if SQLite knows it already. */
static void
show_constant(sqlite3_str *text, sqlite3_index_info *info, int index)
{
    sqlite3_value *value = NULL;

    if (sqlite3_vtab_rhs_value(info, index, &value) != SQLITE_OK || value == NULL) {
        sqlite3_str_appendall(text, "?");
        return;
    }
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        sqlite3_str_appendf(text, "%lld", (long long)sqlite3_value_int64(value));
        break;
    case SQLITE_TEXT:
        sqlite3_str_appendf(text, "%.*Q", CONSTANT_SHOWN, (const char *)sqlite3_value_text(value));
        break;
    default:
        sqlite3_str_appendall(text, "?");
        break;
    }
}

static double
rows_of(const Sql *sql, const SqlTable *table)
{
    double times = table->rows_guess > 0 ? table->rows_guess : 1;

    switch (table->rows_of) {
    case SQL_ROWS_FEW:
        return times * 10;
    case SQL_ROWS_TOPICS:
        return times * (double)(sql->topics_seen > 0 ? sql->topics_seen : 100);
    case SQL_ROWS_PARTITIONS:
        return times * (double)(sql->partitions_seen > 0 ? sql->partitions_seen : 1000);
    case SQL_ROWS_GROUPS:
        return times * (double)(sql->groups_seen > 0 ? sql->groups_seen : 50);
    }
    return times;
}

static bool
has_term(const Plan *plan, int16_t column, SqlOp op)
{
    for (int32_t i = 0; i < plan->term_count; i++)
        if (plan->terms[i].column == column && plan->terms[i].op == op)
            return true;
    return false;
}

/* Takes constraint i if the table can use it. */
static bool
take_constraint(const SqlTable *table, sqlite3_index_info *info, int i, Plan *plan)
{
    int column = info->aConstraint[i].iColumn;
    PlanTerm *term = &plan->terms[plan->term_count];
    SqlOp op;
    const char *collation;

    if (!info->aConstraint[i].usable || column < 0 || column >= table->column_count ||
        plan->term_count == SQL_KEYS_MAX ||
        !op_of(&table->columns[column], info->aConstraint[i].op, &op) ||
        has_term(plan, (int16_t)column, op))
        return false;
    collation = sqlite3_vtab_collation(info, i);
    if (collation != NULL && sqlite3_stricmp(collation, "BINARY") != 0)
        return false;
    term->column = (int16_t)column;
    term->op = (uint8_t)op;
    term->in = op == SQL_OP_EQ && (table->columns[column].flags & SQL_COLUMN_ONE) == 0 &&
               sqlite3_vtab_in(info, i, 1) != 0;
    plan->term_count++;
    info->aConstraintUsage[i].argvIndex = plan->term_count;
    return true;
}

/* LIMIT holds for the rows that a table gives only when nobody drops any of them afterwards. */
static void
take_limit(sqlite3_index_info *info, Plan *plan, bool takes_all)
{
    int limit = -1;
    int offset = -1;
    int next = plan->term_count;

    for (int i = 0; i < info->nConstraint; i++) {
        if (!info->aConstraint[i].usable)
            continue;
        if (info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_LIMIT)
            limit = i;
        else if (info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_OFFSET)
            offset = i;
    }
    if (limit < 0 || !takes_all || (info->nOrderBy > 0 && !plan->ordered))
        return;
    plan->limit = true;
    info->aConstraintUsage[limit].argvIndex = ++next;
    if (offset >= 0) {
        plan->offset = true;
        info->aConstraintUsage[offset].argvIndex = ++next;
    }
}

static void
take_order(const SqlTable *table, sqlite3_index_info *info, Plan *plan)
{
    if (table->next == NULL || table->order_column < 0 || info->nOrderBy != 1 ||
        info->aOrderBy[0].iColumn != table->order_column || info->aOrderBy[0].desc)
        return;
    for (int32_t i = 0; i < plan->term_count; i++) {
        if ((plan->terms[i].column == table->order_key ||
             (table->order_key_too > 0 && plan->terms[i].column == table->order_key_too)) &&
            plan->terms[i].op == SQL_OP_EQ && !plan->terms[i].in) {
            plan->ordered = true;
            info->orderByConsumed = 1;
        }
    }
}

/* The argument that constraint i became. */
static int
constraint_of(const sqlite3_index_info *info, int argument)
{
    for (int i = 0; i < info->nConstraint; i++)
        if (info->aConstraintUsage[i].argvIndex == argument)
            return i;
    return 0;
}

static char *
plan_text(const SqlTable *table, sqlite3_index_info *info, const Plan *plan)
{
    sqlite3_str *text = sqlite3_str_new(NULL);

    sqlite3_str_appendall(text, table->name);
    for (int32_t i = 0; i < plan->term_count; i++) {
        const PlanTerm *term = &plan->terms[i];

        sqlite3_str_appendf(text, " %s%s", table->columns[term->column].name,
                            term->in ? "[]" : op_texts[term->op]);
        if (!term->in)
            show_constant(text, info, constraint_of(info, i + 1));
    }
    if (plan->ordered)
        sqlite3_str_appendall(text, " ordered");
    if (plan->limit)
        sqlite3_str_appendall(text, " limit");
    if (plan->offset)
        sqlite3_str_appendall(text, " offset");
    sqlite3_str_appendf(text, " #%llx", (unsigned long long)plan->used);
    return sqlite3_str_finish(text);
}

/* SQLITE_CONSTRAINT: a key without which nothing can be read is not known yet in this order of the tables. */
static int
look_at_required(const SqlTable *table, const sqlite3_index_info *info, const Plan *plan)
{
    for (int i = 0; i < info->nConstraint; i++) {
        int column = info->aConstraint[i].iColumn;

        if (info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ && column >= 0 &&
            column < table->column_count && !info->aConstraint[i].usable &&
            (table->columns[column].flags & SQL_COLUMN_REQUIRED) != 0 &&
            !has_term(plan, (int16_t)column, SQL_OP_EQ))
            return SQLITE_CONSTRAINT;
    }
    return SQLITE_OK;
}

int
plan_best(Sql *sql, const SqlTable *table, sqlite3_index_info *info)
{
    Plan plan = {.used = info->colUsed};
    double rows = rows_of(sql, table);
    bool takes_all = true;
    bool keyed = false;

    for (int i = 0; i < info->nConstraint; i++) {
        int op = info->aConstraint[i].op;

        if (op != SQLITE_INDEX_CONSTRAINT_LIMIT && op != SQLITE_INDEX_CONSTRAINT_OFFSET &&
            !take_constraint(table, info, i, &plan))
            takes_all = false;
    }
    if (look_at_required(table, info, &plan) != SQLITE_OK)
        return SQLITE_CONSTRAINT;
    take_order(table, info, &plan);
    take_limit(info, &plan, takes_all);
    for (int32_t i = 0; i < plan.term_count; i++) {
        bool equal = plan.terms[i].op == SQL_OP_EQ;

        rows /= equal && !plan.terms[i].in ? 20 : 4;
        keyed = keyed || equal;
    }
    if (rows < 1)
        rows = 1;
    info->estimatedRows = (sqlite3_int64)rows;
    info->estimatedCost = (keyed ? 10 : 100) + rows * 2;
    info->idxStr = plan_text(table, info, &plan);
    info->needToFreeIdxStr = 1;
    return info->idxStr == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

/* ---- reading a plan ---- */

static int32_t
find_column(const SqlTable *table, const char *name, size_t len)
{
    for (int32_t i = 0; i < table->column_count; i++)
        if (strlen(table->columns[i].name) == len && memcmp(table->columns[i].name, name, len) == 0)
            return i;
    return -1;
}

/* Behind a constant: quoted text may hold blanks. */
static const char *
skip_constant(const char *p)
{
    if (*p != '\'')
        return p + strcspn(p, " ");
    for (p++; *p != '\0'; p++) {
        if (*p == '\'' && p[1] == '\'')
            p++;
        else if (*p == '\'')
            return p + 1;
    }
    return p;
}

/* One constraint, "topic='x'". NULL: none. */
static const char *
read_term(const SqlTable *table, const char *p, Plan *plan)
{
    size_t len = strcspn(p, "=<>[ ");
    int32_t column = find_column(table, p, len);
    PlanTerm *term = &plan->terms[plan->term_count];

    if (column < 0 || plan->term_count == SQL_KEYS_MAX)
        return NULL;
    p += len;
    *term = (PlanTerm){.column = (int16_t)column, .op = SQL_OP_EQ, .in = *p == '['};
    if (term->in) {
        p += 2;
    } else if (*p == '=') {
        p = skip_constant(p + 1);
    } else if (*p == '<' || *p == '>') {
        bool equal = p[1] == '=';

        if (*p == '<')
            term->op = equal ? SQL_OP_LE : SQL_OP_LT;
        else
            term->op = equal ? SQL_OP_GE : SQL_OP_GT;
        p = skip_constant(p + (equal ? 2 : 1));
    } else {
        return NULL;
    }
    plan->term_count++;
    return p;
}

bool
plan_read(const SqlTable *table, const char *text, Plan *ret)
{
    size_t name_len = strlen(table->name);
    const char *p = text;

    *ret = (Plan){.used = 0};
    if (text == NULL || strncmp(text, table->name, name_len) != 0 || text[name_len] != ' ')
        return false;
    for (p += name_len; *p == ' ';) {
        p++;
        if (*p == '#') {
            char *end;

            ret->used = strtoull(p + 1, &end, 16);
            return true;
        }
        if (strncmp(p, "ordered ", 8) == 0) {
            ret->ordered = true;
            p += 7;
        } else if (strncmp(p, "limit ", 6) == 0) {
            ret->limit = true;
            p += 5;
        } else if (strncmp(p, "offset #", 8) == 0) {
            ret->offset = true;
            p += 6;
        } else {
            p = read_term(table, p, ret);
            if (p == NULL)
                return false;
        }
    }
    return false;
}
