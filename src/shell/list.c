/*
 * list.c - how queries of backslash commands are put together and run
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "list_int.h"

#define QUERY_MAX 65536 /* bytes */

void
list_begin(List *list, CommandCall *call)
{
    *list = (List){.call = call};
    strbuf_init(&list->sql, QUERY_MAX, NULL);
    strbuf_add_cstr(&list->sql, "SELECT ");
}

void
list_add(List *list, const char *text)
{
    strbuf_add_cstr(&list->sql, text);
}

void
list_where(List *list, const char *format, ...)
{
    va_list args;

    strbuf_add_cstr(&list->sql, list->where ? "\n  AND " : "\nWHERE ");
    list->where = true;
    va_start(args, format);
    strbuf_vprintf(&list->sql, format, args);
    va_end(args);
}

static void
add_literal(StrBuf *sql, const char *text)
{
    strbuf_add_char(sql, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            strbuf_add_char(sql, '\'');
        strbuf_add_char(sql, *text);
    }
    strbuf_add_char(sql, '\'');
}

bool
list_is_name(const char *pattern)
{
    return strpbrk(pattern, "*?\"") == NULL;
}

void
list_equal(List *list, const char *column, const char *text)
{
    list_where(list, "%s = ", column);
    add_literal(&list->sql, text);
}

void
list_pattern(List *list, const char *column, const char *pattern)
{
    if (pattern == NULL)
        return;
    if (list_is_name(pattern)) {
        list_equal(list, column, pattern);
        return;
    }
    list_where(list, "glob_match(");
    add_literal(&list->sql, pattern);
    strbuf_printf(&list->sql, ", %s)", column);
}

Arena *
list_arena(CommandCall *call)
{
    Arena *arena = arena_new(65536, SHELL_RESULT_BYTES_MAX);

    if (arena == NULL)
        (void)command_fail(call, "no memory"); /* its result is for callers that end with it */
    return arena;
}

CommandResult
list_fault(CommandCall *call, const Fault *f)
{
    shell_report(call->shell, f, (StrView){NULL, 0});
    return COMMAND_FAILED;
}

int
list_fetch(List *list, Arena *arena, PrintTable *ret, Fault *f)
{
    int rc;

    print_table_init(ret, arena, (StrView){NULL, 0});
    if (strbuf_failed(&list->sql))
        rc = fault_set(f, FAULT_LIMIT, "the arguments of \\%s are too long", list->call->name);
    else
        rc = shell_query(list->call->shell, list->sql.ptr, ret, f);
    strbuf_release(&list->sql);
    return rc;
}

CommandResult
list_run(List *list, const char *title)
{
    CommandCall *call = list->call;
    CommandResult result = COMMAND_DONE;
    Arena *arena = list_arena(call);
    PrintTable table;
    Fault f;
    int rc;

    if (arena == NULL) {
        strbuf_release(&list->sql);
        return COMMAND_FAILED;
    }
    rc = list_fetch(list, arena, &table, &f);
    table.title = strview_from(title);
    if (rc < 0)
        result = list_fault(call, &f);
    else if (rc == 0 && shell_print(call->shell, &table) != 0)
        result = COMMAND_FAILED;
    arena_free(arena);
    return result;
}

const char *
list_cell(const PrintTable *table, int64_t row, int32_t column)
{
    char *text = arena_strdup(table->arena, print_table_cell(table, row, column));

    return text == NULL ? "" : text;
}
