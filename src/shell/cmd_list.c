/*
 * cmd_list.c - \l and its kin: what there is, as queries over the catalogue
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

/* Runs the query and prints its result. */
static CommandResult
list(CommandCall *call, const char *title, const char *sql)
{
    Arena *arena = arena_new(65536, SHELL_RESULT_BYTES_MAX);
    CommandResult result = COMMAND_DONE;
    PrintTable table;
    Fault f;
    int rc;

    if (arena == NULL)
        return command_fail(call, "no memory");
    print_table_init(&table, arena, strview_from(title));
    rc = shell_query(call->shell, sql, &table, &f);
    if (rc < 0) {
        shell_report(call->shell, &f, (StrView){NULL, 0});
        result = COMMAND_FAILED;
    } else if (rc == 0 && shell_print(call->shell, &table) != 0) {
        result = COMMAND_FAILED;
    }
    arena_free(arena);
    return result;
}

CommandResult
cmd_list_topics(CommandCall *call)
{
    return list(call, "List of topics",
                "SELECT topic AS \"Topic\", partitions AS \"Partitions\" FROM topics ORDER BY 1");
}
