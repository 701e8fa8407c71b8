/*
 * send_sql.c - statements of SQL: rows become a table that is printed as one, or in pieces
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "send_int.h"

#include <inttypes.h>
#include <math.h>

#include "interrupt_int.h"
#include "ottla/print/print.h"
#include "output_int.h"

/* Takes rows into a table. */
typedef struct Rows {
    Sending *sending; /* NULL: rows are only collected */
    PrintTable *table;
    SqlKind kinds[PRINT_COLUMNS_MAX];
    bool json;          /* the format is one of JSON */
    int64_t piece_rows; /* FETCH_COUNT; 0: all at once */
    int64_t printed;    /* rows in earlier pieces */
} Rows;

/* ---- settings ---------------------------------------------------------------------------------- */

static SqlFormat
format_of(const Shell *shell, const char *variable)
{
    static const struct {
        const char *name;
        SqlFormat format;
    } rows[] = {{"auto", SQL_FORMAT_AUTO},
                {"text", SQL_FORMAT_TEXT},
                {"hex", SQL_FORMAT_HEX},
                {"base64", SQL_FORMAT_BASE64},
                {"json", SQL_FORMAT_JSON}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (variables_is(shell->vars, variable, rows[i].name))
            return rows[i].format;
    return SQL_FORMAT_AUTO;
}

Sql *
shell_sql(Shell *shell, Fault *f)
{
    bool is_new = shell->sql == NULL;

    shell->sql_env = (SqlEnv){.client = &shell->client,
                              .timezone = variables_get(shell->vars, STRVIEW("TIMEZONE")),
                              .scan_limit = variables_number(shell->vars, "SCAN_LIMIT", 1000000),
                              .key_format = format_of(shell, "KEY_FORMAT"),
                              .value_format = format_of(shell, "VALUE_FORMAT")};
    if (is_new && sql_open(&shell->sql_env, &shell->sql, f) != 0)
        shell->sql = NULL;
    interrupt_target(shell->client, shell->sql);
    if (is_new && shell->sql != NULL &&
        shell_interrupted()) /* while there was nothing to tell it to */
        sql_interrupt(shell->sql);
    return shell->sql;
}

/* ---- values as text ---------------------------------------------------------------------------- */

static void
add_real(PrintTable *table, double value)
{
    char text[40];

    if (isinf(value)) {
        print_table_add_text(table, value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    (void)snprintf(text, sizeof text, "%.15g", value);
    if (strpbrk(text, ".en") == NULL)
        print_table_printf(table, "%s.0", text);
    else
        print_table_add_text(table, text);
}

/* Bytes as "\x" and hex digits. */
static void
add_blob(PrintTable *table, StrView bytes)
{
    StrBuf text;

    strbuf_init(&text, (size_t)bytes.len * 2 + 3, NULL);
    strbuf_add_cstr(&text, "\\x");
    strbuf_add_hex(&text, (BytesView){(const uint8_t *)bytes.ptr, bytes.len});
    if (strbuf_failed(&text))
        table->failed = true;
    else
        print_table_add_cell(table, strbuf_view(&text));
    strbuf_release(&text);
}

static void
add_value(Rows *rows, int32_t column, const SqlValue *value)
{
    PrintTable *table = rows->table;

    switch (value->type) {
    case SQL_NULL:
        print_table_add_null(table);
        break;
    case SQL_INTEGER:
        if (rows->kinds[column] != SQL_KIND_BOOLEAN)
            print_table_add_int(table, value->integer);
        else if (rows->json)
            print_table_add_text(table, value->integer != 0 ? "true" : "false");
        else
            print_table_add_bool(table, value->integer != 0);
        break;
    case SQL_REAL:
        add_real(table, value->real);
        break;
    case SQL_TEXT:
        print_table_add_cell(table, value->bytes);
        break;
    case SQL_BLOB:
        add_blob(table, value->bytes);
        break;
    case SQL_TYPE_COUNT:
        break;
    }
}

/* ---- the sink ---------------------------------------------------------------------------------- */

static int
take_columns(void *arg, const SqlColumn *columns, int32_t count)
{
    Rows *rows = arg;

    for (int32_t i = 0; i < count && i < PRINT_COLUMNS_MAX; i++) {
        SqlKind kind = columns[i].kind;

        rows->kinds[i] = kind;
        print_table_add_column(rows->table, strview_from(columns[i].name),
                               columns[i].number ? 'r' : 'l');
        if (kind == SQL_KIND_BYTES)
            print_table_column_unit(rows->table, PRINT_UNIT_BYTES);
        if (kind == SQL_KIND_MILLIS)
            print_table_column_unit(rows->table, PRINT_UNIT_MS);
        if (kind == SQL_KIND_JSON || (kind == SQL_KIND_BOOLEAN && rows->json))
            print_table_column_json(rows->table);
    }
    if (rows->sending != NULL)
        rows->sending->is_query = true;
    return 0;
}

/* The same columns again, for the next piece. */
static void
begin_piece(Rows *rows)
{
    Arena *arena = arena_new(1 << 16, SHELL_RESULT_BYTES_MAX);
    PrintTable old = *rows->table;

    if (arena == NULL) {
        rows->table->failed = true;
        return;
    }
    print_table_init(rows->table, arena, (StrView){NULL, 0});
    for (int32_t i = 0; i < old.column_count; i++) {
        print_table_add_column(rows->table, old.columns[i].name, old.columns[i].align);
        print_table_column_unit(rows->table, old.columns[i].unit);
        if (old.columns[i].json)
            print_table_column_json(rows->table);
    }
    arena_free(old.arena);
    rows->sending->arena = arena;
}

/* The table as text without the blank line that ends one, to where output goes. */
static int
print_open_ended(Shell *shell, const PrintTable *table, const PrintOptions *options)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    int rc = file == NULL ? -1 : print_table(table, options, file);

    if (file != NULL && fclose(file) != 0)
        rc = -1;
    if (rc != 0)
        (void)shell_error(shell, FAULT_NO_MEMORY, "the result does not fit into memory");
    else if (len >= 2 && text[len - 1] == '\n' && text[len - 2] == '\n')
        text[len - 1] = '\0';
    if (rc == 0)
        shell_say(shell, "%s", text);
    free(text);
    return rc;
}

/* Prints what there is as a part of the whole: the head only once, the count only at the end. */
static int
print_piece(Rows *rows, bool last)
{
    Shell *shell = rows->sending->shell;
    PrintOptions options = shell->plan.has_options ? shell->plan.options : shell->pset;
    int64_t count = print_table_rows(rows->table);
    bool footer = last && options.row_count && !options.tuples_only &&
                  options.format != PRINT_CSV && options.format != PRINT_JSONL;
    int rc = 0;

    rows->table->no_row_count = true;
    if (rows->printed > 0)
        options.tuples_only = true;
    if (count > 0 || rows->printed == 0)
        rc = print_open_ended(shell, rows->table, &options);
    rows->printed += count;
    rows->sending->rows += count;
    if (rc == 0 && footer)
        shell_say(shell, "(%" PRId64 " row%s)\n%s", rows->printed, rows->printed == 1 ? "" : "s",
                  options.format == PRINT_UNALIGNED ? "" : "\n");
    rows->sending->print_failed = rc != 0;
    if (!last)
        begin_piece(rows);
    return rc;
}

static int
take_row(void *arg, const SqlValue *values, int32_t count)
{
    Rows *rows = arg;

    for (int32_t i = 0; i < count && i < PRINT_COLUMNS_MAX; i++)
        add_value(rows, i, &values[i]);
    if (count == 0)
        rows->table->empty_rows++;
    if (rows->piece_rows > 0 && print_table_rows(rows->table) >= rows->piece_rows)
        return print_piece(rows, false);
    return rows->table->failed ? -1 : 0;
}

/* In pieces only where a table can go on. */
static int64_t
piece_rows(const Sending *sending)
{
    const Shell *shell = sending->shell;
    PrintFormat format = shell->plan.has_options ? shell->plan.options.format : shell->pset.format;
    PrintSwitch expanded =
        shell->plan.has_options ? shell->plan.options.expanded : shell->pset.expanded;

    if (sending->hidden || shell->plan.way != RESULT_PRINT || expanded != PRINT_OFF ||
        (format != PRINT_ALIGNED && format != PRINT_UNALIGNED && format != PRINT_CSV &&
         format != PRINT_JSONL))
        return 0;
    return variables_number(shell->vars, "FETCH_COUNT", 0);
}

static bool
is_json(const Shell *shell)
{
    PrintFormat format = shell->plan.has_options ? shell->plan.options.format : shell->pset.format;

    return format == PRINT_JSON || format == PRINT_JSONL;
}

/* ---- \gdesc ------------------------------------------------------------------------------------ */

static int
take_description(void *arg, const SqlColumn *columns, int32_t count)
{
    PrintTable *table = arg;

    for (int32_t i = 0; i < count; i++) {
        print_table_add_text(table, columns[i].name);
        print_table_add_text(table, columns[i].declared);
    }
    return 0;
}

static int
describe(Sending *sending, Sql *sql, StrView text, Fault *f)
{
    PrintTable table;
    const SqlSink sink = {.columns = take_description, .arg = &table};

    print_table_init(&table, sending->arena, (StrView){NULL, 0});
    print_table_add_column(&table, STRVIEW("Column"), 'l');
    print_table_add_column(&table, STRVIEW("Type"), 'l');
    if (sql_describe(sql, text, &sink, f) != 0)
        return -1;
    sending->is_query = true;
    if (print_table_rows(&table) == 0) {
        shell_say(sending->shell, "The command has no result, or the result has no columns.\n");
        return 0;
    }
    return send_deliver(sending, &table, f);
}

/* ---- statements -------------------------------------------------------------------------------- */

int
send_sql(Sending *sending, StrView text, Fault *f)
{
    Shell *shell = sending->shell;
    Sql *sql = shell_sql(shell, f);
    PrintTable table;
    Rows rows = {.sending = sending,
                 .table = &table,
                 .json = is_json(shell),
                 .piece_rows = piece_rows(sending)};
    const SqlSink sink = {take_columns, take_row, &rows};
    int rc;

    if (sql == NULL)
        return -1;
    if (shell->plan.way == RESULT_DESCRIBE)
        return describe(sending, sql, text, f);
    print_table_init(&table, sending->arena, (StrView){NULL, 0});
    rc = sql_run(sql, text, &sink, sending->tag, f);
    if (rc == 0 && sending->is_query && !sending->print_failed) {
        if (rows.piece_rows > 0 && !table.failed) {
            sending->tables = 1;
            sending->print_failed = print_piece(&rows, true) != 0;
            return 0;
        }
        rc = send_deliver(sending, &table, f);
    }
    return rc;
}

int
shell_query(Shell *shell, const char *sql, PrintTable *ret, Fault *f)
{
    const char *hidden = variables_get(shell->vars, STRVIEW("ECHO_HIDDEN"));
    Rows rows = {.table = ret, .json = is_json(shell)};
    const SqlSink sink = {take_columns, take_row, &rows};
    Sql *session;
    char tag[SQL_TAG_MAX];

    if (strcmp(hidden, "off") != 0) {
        printf("********* QUERY **********\n%s\n**************************\n\n", sql);
        fflush(stdout);
        output_log_statement(shell, strview_from(sql));
        if (strcmp(hidden, "noexec") == 0)
            return 1;
    }
    session = shell_sql(shell, f);
    if (session == NULL)
        return -1;
    if (!shell_wake_connection(shell))
        return fault_set(f, FAULT_CONNECTION_LOST, "there is no connection any more");
    return sql_run(session, strview_from(sql), &sink, tag, f);
}
