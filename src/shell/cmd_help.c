/*
 * cmd_help.c - \?, \h, \copyright, \errverbose, and what --help prints
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "help_int.h"

#include "commands_int.h"
#include "ottla/sql/sql.h"
#include "ottla/statement/parse.h"
#include "pager_int.h"

/* ---- lists ------------------------------------------------------------------------------------- */

void
help_commands(FILE *out)
{
    const char *section = "";

    for (int i = 0; i < command_rows_count; i++) {
        const CommandRow *row = &command_rows[i];

        if (row->usage == NULL)
            continue;
        if (strcmp(section, row->section) != 0) {
            fprintf(out, "%s%s\n", i == 0 ? "" : "\n", row->section);
            section = row->section;
        }
        if (strlen(row->usage) > 26)
            fprintf(out, "  %s\n  %-26s %s\n", row->usage, "", row->help);
        else
            fprintf(out, "  %-26s %s\n", row->usage, row->help);
    }
}

void
help_variables(FILE *out)
{
    fputs("Variables with a meaning; set by \\set NAME VALUE or -v NAME=VALUE\n", out);
    for (int i = 0; i < special_vars_count; i++) {
        const SpecialVar *row = &special_vars[i];

        fprintf(out, "  %-20s %s\n", row->name, row->help);
        if (row->choices != NULL)
            fprintf(out, "  %-20s [%s]\n", "", row->choices);
    }
    fputs("\nSettings of output; set by \\pset NAME VALUE or -P NAME=VALUE\n", out);
    for (int i = 0; print_option_name(i) != NULL; i++)
        fprintf(out, "  %-24s %s\n", print_option_name(i), print_option_values(i));
    fputs("\nEnvironment\n"
          "  OTTLA_HOST, OTTLA_PORT, OTTLA_USER, OTTLA_PASSWORD, OTTLA_PASSFILE,\n"
          "  OTTLA_SERVICE, OTTLA_SERVICEFILE, OTTLA_SSLMODE, OTTLA_SSLROOTCERT,\n"
          "  OTTLA_SSLCERT, OTTLA_SSLKEY, OTTLA_MECHANISM, OTTLA_CONNECT_TIMEOUT,\n"
          "  OTTLA_CLIENT_ID      where and how to connect\n"
          "  OTTLA_PAGER, PAGER   pager of long results; OTTLA_WATCH_PAGER for \\watch\n"
          "  OTTLA_EDITOR, EDITOR, VISUAL\n"
          "                       editor of \\e\n"
          "  OTTLA_HISTORY        file of the history\n"
          "  OTTLARC              file read at the start, instead of ~/.ottlarc\n"
          "  SHELL                shell of \\!\n",
          out);
}

static void
help_formats(FILE *out)
{
    fputs("Tokens of formats of messages (\\tail, \\consume; MESSAGE_FORMAT)\n"
          "  %t topic        %p partition      %o offset\n"
          "  %k key          %K its length     %s value         %S its length (-1: null)\n"
          "  %R length of the value as 4 bytes, big endian\n"
          "  %T timestamp in ms                %h headers name=value,...\n"
          "  %{ts:FORMAT} %{hex:k} %{base64:v} %{json:v} %{lag} %{epoch} %{pid}\n"
          "  %% a percent sign; \\n \\t \\xNN\n",
          out);
}

/* One table of the catalogue and its columns. */
typedef struct Tables {
    FILE *out;
    Sql *sql;
    int column;
} Tables;

static void
print_column(void *arg, const char *table, const char *column, const char *declared)
{
    Tables *tables = arg;
    int len = (int)strlen(column);

    (void)table;
    (void)declared;
    if (tables->column == 0 || tables->column + len + 2 > 78) {
        fprintf(tables->out, "%s      %s", tables->column == 0 ? "" : ",\n", column);
        tables->column = 6 + len;
    } else {
        fprintf(tables->out, ", %s", column);
        tables->column += len + 2;
    }
}

static void
print_table_name(void *arg, const char *table, const char *column, const char *declared)
{
    Tables *tables = arg;

    (void)column;
    (void)declared;
    fprintf(tables->out, "  %s\n", table);
    tables->column = 0;
    sql_columns(tables->sql, table, print_column, tables);
    fputc('\n', tables->out);
}

static CommandResult
help_tables(CommandCall *call, FILE *out)
{
    Tables tables = {.out = out};
    Fault f;

    tables.sql = shell_sql(call->shell, &f);
    if (tables.sql == NULL) {
        shell_report(call->shell, &f, (StrView){NULL, 0});
        return COMMAND_FAILED;
    }
    fputs("Tables of the catalogue; SELECT ... FROM them\n", out);
    sql_tables(tables.sql, print_table_name, &tables);
    return COMMAND_DONE;
}

/* ---- the commands ------------------------------------------------------------------------------ */

/* \? [commands|options|variables|tables|formats] */
CommandResult
cmd_commands(CommandCall *call)
{
    const char *word = command_word(call);
    CommandResult result = COMMAND_DONE;
    FILE *out = pager_open(call->shell);

    if (word == NULL || strcmp(word, "commands") == 0)
        help_commands(out);
    else if (strcmp(word, "options") == 0)
        help_options(out);
    else if (strcmp(word, "variables") == 0)
        help_variables(out);
    else if (strcmp(word, "tables") == 0)
        result = help_tables(call, out);
    else if (strcmp(word, "formats") == 0)
        help_formats(out);
    else
        result = command_fail(
            call, "\"%s\" is none of commands, options, variables, tables, formats", word);
    pager_close(call->shell, out);
    return result;
}

static void
list_statements(FILE *out)
{
    const char *names[STATEMENT_NAMES_MAX];
    int32_t count = statement_names(names, STATEMENT_NAMES_MAX);
    int32_t rows = (count + 1) / 2;

    fputs("Available help:\n", out);
    for (int32_t i = 0; i < rows; i++)
        fprintf(out, "  %-36s%s\n", names[i], i + rows < count ? names[i + rows] : "");
    fputs("SELECT, WITH, VALUES and INSERT are SQL: \\? tables\n", out);
}

/* \h [STATEMENT] */
CommandResult
cmd_help(CommandCall *call)
{
    const char *words = command_rest(call);
    CommandResult result = COMMAND_DONE;
    StrView wanted = words == NULL ? (StrView){NULL, 0} : strview_from(words);
    StrBuf text;
    FILE *out;

    while (wanted.len > 0 &&
           (wanted.ptr[wanted.len - 1] == ';' || wanted.ptr[wanted.len - 1] == ' '))
        wanted.len--;
    if (wanted.len == 1 && wanted.ptr[0] == '*')
        wanted = (StrView){"", 0};
    strbuf_init(&text, 4 << 20, NULL);
    if (words != NULL && !statement_help(wanted, &text)) {
        result = command_fail(call, "no help for \"%s\"; try \\h with no arguments", words);
    } else {
        out = pager_open(call->shell);
        if (words == NULL)
            list_statements(out);
        else
            fputs(text.ptr, out);
        pager_close(call->shell, out);
    }
    strbuf_release(&text);
    return result;
}

CommandResult
cmd_copyright(CommandCall *call)
{
    (void)call;
    puts("Ottla, a log server that speaks Kafka's protocol.\n"
         "Licensed under the Apache License, Version 2.0; see LICENSE.\n"
         "Apache Kafka is a trademark of the Apache Software Foundation.");
    return COMMAND_DONE;
}

CommandResult
cmd_errverbose(CommandCall *call)
{
    shell_report_verbose(call->shell);
    return COMMAND_DONE;
}
