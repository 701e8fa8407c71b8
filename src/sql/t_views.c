/*
 * t_views.c - what nodes of ours show of themselves: each view is a table, found by the view of views
 *
 * A view has the name of its table, or node_ before it where the catalogue has a table of that name. Equal values are
 * filtered by the node. node_id says which nodes are asked: without it the one of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"
#include "sql/cache_int.h"
#include "sql/tables_int.h"

#define NODES_MAX  1024 /* that one statement asks */
#define FILTER_MAX 32   /* bytes of a number as text */

typedef struct ViewScan {
    SqlScan *scan;
    const char *const *asked; /* columns, in the order of the answer */
    int32_t asked_count;
    const int32_t *place; /* the column of the table for each of them */
    int32_t node_id;
} ViewScan;

static const char node_column[] = "node_id";

/* ---- reading ---- */

/* Columns that mean a point in time have text and "_ms" twins; here the node tells milliseconds. */
static void
set_cell(ViewScan *v, SqlValue *row, int32_t column, const ClientStatCell *cell)
{
    SqlScan *scan = v->scan;

    if (cell->null)
        return;
    switch (cell->type) {
    case CLIENT_STAT_INTEGER:
        if (module_kind(scan->table->columns[column].declared) == SQL_KIND_TIME)
            row_time(scan, row, column, cell->number);
        else
            row_int(scan, row, column, cell->number);
        break;
    case CLIENT_STAT_REAL:
        row_real(scan, row, column, cell->real);
        break;
    case CLIENT_STAT_BOOLEAN:
        row_bool(scan, row, column, cell->number != 0);
        break;
    case CLIENT_STAT_TEXT: {
        char *copy = arena_strdup(scan->arena, cell->text);

        if (copy == NULL)
            scan->no_memory = true;
        else
            row_text(scan, row, column, (StrView){copy, cell->text.len});
        break;
    }
    }
}

static int
take_row(void *arg, const ClientStatCell *cells, int32_t count)
{
    ViewScan *v = arg;
    SqlScan *scan = v->scan;
    SqlValue *row = scan_row(scan);

    if (row == NULL)
        return 1;
    if ((scan->table->columns[scan->table->column_count - 1].flags & SQL_COLUMN_HIDDEN) != 0)
        row_int(scan, row, scan->table->column_count - 1, v->node_id);
    for (int32_t i = 0; i < count && i < v->asked_count; i++) {
        int32_t place = v->place[i];

        set_cell(v, row, place, &cells[i]);
        if (place + 1 < scan->table->column_count &&
            module_kind(scan->table->columns[place].declared) == SQL_KIND_TIME && !cells[i].null)
            row_int(scan, row, place + 1, cells[i].number); /* the twin */
    }
    return 0;
}

/* Which nodes: those of the constraint, else the one of the connection. -1: fault. */
static int
list_nodes(SqlScan *scan, Client *client, int32_t *nodes, Fault *f)
{
    int32_t column = scan->table->column_count;
    const SqlKey *key = NULL;
    const DescribeClusterResponse *cluster;
    int count = 0;

    while (column > 0 && strcmp(scan->table->columns[column - 1].name, node_column) != 0)
        column--;
    key = column == 0 ? NULL : scan_key(scan, column - 1);
    if (key == NULL) {
        int32_t here = client_info(client)->node_id;

        nodes[0] = here;
        return 1;
    }
    if (cache_cluster(scan->sql, &cluster, f) != 0)
        return -1;
    for (int32_t i = 0; i < cluster->brokers_count && count < NODES_MAX; i++)
        for (int32_t k = 0; k < key->count; k++)
            if (key->values[k].integer == cluster->brokers[i].broker_id &&
                !cluster->brokers[i].is_fenced)
                nodes[count++] = cluster->brokers[i].broker_id;
    return count;
}

/* Columns that are used, without twins and the hidden column. */
static int32_t
list_columns(const SqlScan *scan, const char **names, int32_t *places)
{
    const SqlTable *table = scan->table;
    int32_t count = 0;

    for (int32_t i = 0; i < table->column_count; i++) {
        bool twin = i > 0 && module_kind(table->columns[i - 1].declared) == SQL_KIND_TIME;
        bool timed = module_kind(table->columns[i].declared) == SQL_KIND_TIME;
        bool used =
            scan_uses(scan, i) || (timed && i + 1 < table->column_count && scan_uses(scan, i + 1));

        if (twin || (table->columns[i].flags & SQL_COLUMN_HIDDEN) != 0 || !used)
            continue;
        names[count] = table->columns[i].name;
        places[count++] = i;
    }
    if (count == 0) { /* count(*): any column will do */
        names[0] = table->columns[0].name;
        places[count++] = 0;
    }
    return count;
}

/* Constraints with one value, as the node filters. */
static int32_t
list_filters(SqlScan *scan, ClientStatFilter *filters)
{
    int32_t count = 0;

    for (int32_t i = 0; i < scan->key_count; i++) {
        const SqlKey *key = &scan->keys[i];
        const SqlColumnDef *column = &scan->table->columns[key->column];
        char *text;

        if (key->op != SQL_OP_EQ || key->count != 1 || (column->flags & SQL_COLUMN_HIDDEN) != 0 ||
            module_kind(column->declared) == SQL_KIND_TIME)
            continue;
        filters[count].column = column->name;
        if (key->values[0].type == SQL_TEXT) {
            filters[count++].value = key->values[0].bytes;
        } else if (key->values[0].type == SQL_INTEGER) {
            text = arena_printf(scan->arena, "%lld", (long long)key->values[0].integer);
            if (text != NULL)
                filters[count++].value = strview_from(text);
        }
    }
    return count;
}

static int
scan_view(SqlScan *scan, Fault *f)
{
    Client *client = sql_client(scan->sql, f);
    const char *names[SQL_COLUMNS_MAX];
    int32_t places[SQL_COLUMNS_MAX];
    ClientStatFilter filters[SQL_KEYS_MAX];
    int32_t *nodes = arena_calloc(scan->sql->arena, NODES_MAX, sizeof *nodes);
    ViewScan v = {.scan = scan, .asked = names, .place = places};
    ClientStatQuery query = {.view = scan->table->data, .columns = names, .filters = filters};
    int count;

    if (client == NULL)
        return -1;
    if (nodes == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    query.column_count = v.asked_count = list_columns(scan, names, places);
    query.filter_count = list_filters(scan, filters);
    count = list_nodes(scan, client, nodes, f);
    for (int i = 0; i < count; i++) {
        bool here = nodes[i] == client_info(client)->node_id;

        v.node_id = nodes[i];
        if (client_stat(client, here ? CLIENT_HERE : nodes[i], &query, take_row, &v, f) != 0)
            return -1;
    }
    return count < 0 ? -1 : scan_end(scan, f);
}

/* ---- finding views ---- */

typedef struct ViewColumn {
    const char *view;
    const char *column;
    const char *type;
} ViewColumn;

typedef struct ViewList {
    Sql *sql;
    ViewColumn *columns;
    int32_t count;
    int32_t size;
    bool failed;
} ViewList;

static int
take_column(void *arg, const ClientStatCell *cells, int32_t count)
{
    ViewList *list = arg;
    Arena *lasting = list->sql->lasting;
    ViewColumn *c;

    if (count < 3)
        return 0;
    if (list->count == list->size) {
        int32_t size = list->size * 2 + 256;
        ViewColumn *columns = arena_calloc(list->sql->arena, (size_t)size, sizeof *columns);

        if (columns == NULL) {
            list->failed = true;
            return 1;
        }
        if (list->count > 0)
            memcpy(columns, list->columns, (size_t)list->count * sizeof *columns);
        list->columns = columns;
        list->size = size;
    }
    c = &list->columns[list->count++];
    c->view = arena_strdup(lasting, cells[0].text);
    c->column = arena_strdup(lasting, cells[1].text);
    c->type = arena_strdup(lasting, cells[2].text);
    list->failed = list->failed || c->view == NULL || c->column == NULL || c->type == NULL;
    return list->failed;
}

static bool
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Points in time by name: the node knows integers, texts and booleans alone. */
static bool
is_time(const char *name)
{
    static const char *const names[] = {"started",         "connected",       "created",
                                        "state_since",     "request_started", "session_expires",
                                        "throttled_until", "deletable_from",  "ts",
                                        "stats_reset",     "last_error_at"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return ends_with(name, "_timestamp");
}

static const char *
declared_of(const ViewColumn *c)
{
    if (strcmp(c->type, "boolean") == 0)
        return SQL_DECL_BOOLEAN;
    if (strcmp(c->type, "integer") == 0) {
        if (is_time(c->column))
            return SQL_DECL_TIME;
        if (ends_with(c->column, "_bytes") || strncmp(c->column, "bytes_", 6) == 0)
            return SQL_DECL_BYTES;
        if (ends_with(c->column, "_ms"))
            return SQL_DECL_MILLIS;
        return SQL_DECL_INTEGER;
    }
    if (strcmp(c->type, "real") == 0)
        return SQL_DECL_REAL; /* as text it would be compared as text */
    return SQL_DECL_TEXT;
}

/* The table of count columns of one view. NULL: no memory, or more columns than a table has. */
static SqlTable *
make_table(Sql *sql, const ViewColumn *from, int32_t count)
{
    Arena *a = sql->lasting;
    SqlTable *table = arena_calloc(a, 1, sizeof *table);
    SqlColumnDef *columns = arena_calloc(a, (size_t)count * 2 + 1, sizeof *columns);
    static const SqlCallDef calls[] = {{"OttlaStat", 0}};
    bool taken = catalogue_find(sql, strview_from(from->view)) != NULL;
    bool has_node = false;
    int32_t n = 0;

    if (table == NULL || columns == NULL || count * 2 + 1 > SQL_COLUMNS_MAX)
        return NULL;
    for (int32_t i = 0; i < count; i++) {
        has_node = has_node || strcmp(from[i].column, node_column) == 0;
        columns[n++] = (SqlColumnDef){from[i].column, declared_of(&from[i]), SQL_COLUMN_KEY};
        if (strcmp(from[i].type, "real") == 0)
            columns[n - 1].flags = 0; /* equal as SQL has it, not as texts are */
        if (module_kind(columns[n - 1].declared) == SQL_KIND_TIME) {
            const char *twin = arena_printf(a, "%s_ms", from[i].column);

            columns[n - 1].flags = 0;
            columns[n++] = (SqlColumnDef){twin, SQL_DECL_INTEGER, 0};
            if (twin == NULL)
                return NULL;
        }
    }
    if (!has_node)
        columns[n++] =
            (SqlColumnDef){node_column, SQL_DECL_INTEGER, SQL_COLUMN_KEY | SQL_COLUMN_HIDDEN};
    *table = (SqlTable){.name = taken ? arena_printf(a, "node_%s", from->view) : from->view,
                        .help = "a view of the node",
                        .columns = columns,
                        .column_count = n,
                        SQL_CALLS(calls),
                        .rows_guess = 10,
                        .scan = scan_view,
                        .data = from->view};
    return table->name == NULL ? NULL : table;
}

/* Forgets the views of another server: their modules stay with SQLite until others of the name replace them. */
static int
forget_views(Sql *sql, Fault *f)
{
    while (sql->table_count > sql->own_table_count) {
        const char *name = sql->tables[--sql->table_count]->name;

        if (sqlite3_create_module_v2(sql->db, name, NULL, NULL, NULL) != SQLITE_OK)
            return fault_set(f, FAULT_INTERNAL, "table \"%s\": %s", name, sqlite3_errmsg(sql->db));
    }
    sql->discovered_for[0] = '\0';
    return 0;
}

int
views_discover(Sql *sql, bool *ret_new, Fault *f)
{
    static const char *const columns[] = {"view", "column", "type"};
    ClientStatQuery query = {.view = "columns", .columns = columns, .column_count = 3};
    Client *client = sql_client(sql, f);
    ViewList list = {.sql = sql};
    char server[sizeof sql->discovered_for];

    *ret_new = false;
    if (client == NULL)
        return -1;
    (void)snprintf(server, sizeof server, "%s/%d/%lld", client_info(client)->cluster_id,
                   (int)client_info(client)->node_id, (long long)client_info(client)->connected_ms);
    if (strcmp(server, sql->discovered_for) == 0)
        return 0;
    if (forget_views(sql, f) != 0)
        return -1;
    arena_reset(sql->lasting);
    if (!client_info(client)->is_ottla)
        return 0;
    if (client_stat(client, CLIENT_HERE, &query, take_column, &list, f) != 0)
        return -1;
    for (int32_t i = 0, n; !list.failed && i < list.count; i += n) {
        SqlTable *table;

        for (n = 1;
             i + n < list.count && strcmp(list.columns[i].view, list.columns[i + n].view) == 0;
             n++) {
        }
        table = make_table(sql, &list.columns[i], n);
        if (table == NULL)
            list.failed = true;
        else if (module_register(sql, table, f) != 0)
            return -1;
    }
    if (list.failed)
        return fault_set(f, FAULT_NO_MEMORY, "the views of the node do not fit into memory");
    (void)snprintf(sql->discovered_for, sizeof sql->discovered_for, "%s", server);
    *ret_new = true;
    return 0;
}

/* ---- all_nodes('view'): every node's rows, as JSON ---- */

enum { ALL_NODE, ALL_ROW, ALL_VIEW };

static const SqlColumnDef all_columns[] = {
    [ALL_NODE] = {"node_id", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [ALL_ROW] = {"data", SQL_DECL_JSON, 0},
    [ALL_VIEW] = {"view", SQL_DECL_TEXT,
                  SQL_COLUMN_KEY | SQL_COLUMN_HIDDEN | SQL_COLUMN_REQUIRED | SQL_COLUMN_ONE},
};

static const SqlCallDef all_calls[] = {{"DescribeCluster", 0}, {"OttlaStat", 0}};

static void
add_real(StrBuf *text, double real)
{
    char number[TEXT_DOUBLE_MAX] = "null"; /* JSON has no word for those that are no number */

    if (isfinite(real))
        text_from_double(real, number);
    strbuf_add_cstr(text, number);
}

static int
take_json(void *arg, const ClientStatCell *cells, int32_t count)
{
    ViewScan *v = arg;
    SqlScan *scan = v->scan;
    SqlValue *row = scan_row(scan);
    StrBuf text;

    if (row == NULL)
        return 1;
    row_int(scan, row, ALL_NODE, v->node_id);
    row_text(scan, row, ALL_VIEW, scan_key(scan, ALL_VIEW)->values[0].bytes);
    if (!scan_uses(scan, ALL_ROW))
        return 0;
    strbuf_init(&text, 1 << 20, scan->arena);
    for (int32_t i = 0; i < count; i++) {
        strbuf_add_char(&text, i == 0 ? '{' : ',');
        strbuf_add_json(&text, cells[i].name);
        strbuf_add_char(&text, ':');
        if (cells[i].null)
            strbuf_add_cstr(&text, "null");
        else if (cells[i].type == CLIENT_STAT_REAL)
            add_real(&text, cells[i].real);
        else if (cells[i].type == CLIENT_STAT_INTEGER)
            strbuf_printf(&text, "%lld", (long long)cells[i].number);
        else if (cells[i].type == CLIENT_STAT_BOOLEAN)
            strbuf_add_cstr(&text, cells[i].number != 0 ? "true" : "false");
        else
            strbuf_add_json(&text, cells[i].text);
    }
    strbuf_add_char(&text, '}');
    if (strbuf_failed(&text))
        scan->no_memory = true;
    else
        row_text(scan, row, ALL_ROW, strbuf_view(&text));
    return 0;
}

static int
scan_all_nodes(SqlScan *scan, Fault *f)
{
    const SqlKey *view = scan_key(scan, ALL_VIEW);
    Client *client = sql_client(scan->sql, f);
    const DescribeClusterResponse *cluster;
    ViewScan v = {.scan = scan};
    ClientStatQuery query = {.columns = NULL};

    if (client == NULL)
        return -1;
    if (view == NULL || view->count != 1) {
        fault_set(f, FAULT_SYNTAX, "all_nodes needs the name of a view");
        fault_hint(f, "SELECT node_id, data->>'pid' FROM all_nodes('processes')");
        return -1;
    }
    query.view = view->values[0].bytes.ptr; /* zero-terminated: a copy of the arena */
    if (cache_cluster(scan->sql, &cluster, f) != 0)
        return -1;
    for (int32_t i = 0; i < cluster->brokers_count; i++) {
        v.node_id = cluster->brokers[i].broker_id;
        if (!cluster->brokers[i].is_fenced && scan_admits_int(scan, ALL_NODE, v.node_id) &&
            client_stat(client, v.node_id, &query, take_json, &v, f) != 0)
            return -1;
    }
    return scan_end(scan, f);
}

const SqlTable table_all_nodes = {.name = "all_nodes",
                                  .help = "a view of every node: all_nodes('processes')",
                                  SQL_COLUMNS(all_columns),
                                  SQL_CALLS(all_calls),
                                  .rows_guess = 10,
                                  .scan = scan_all_nodes};
