/*
 * cmd_list_groups.c - \dg: groups; one group with its members and offsets
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "list_int.h"

/* *ret_count: how many there are. */
static CommandResult
list_groups(CommandCall *call, const char *pattern, int64_t *ret_count)
{
    CommandResult result = COMMAND_DONE;
    Arena *arena = list_arena(call);
    PrintTable table;
    List list;
    Fault f;
    int rc;

    *ret_count = 0;
    if (arena == NULL)
        return COMMAND_FAILED;
    list_begin(&list, call);
    list_add(&list,
             "group_id AS \"Group\", type AS \"Type\", state AS \"State\","
             " coordinator AS \"Coordinator\",\n  members AS \"Members\", protocol AS \"Assignor\","
             " total_lag AS \"Lag\"");
    if (call->plus)
        list_add(&list,
                 ",\n  protocol_type AS \"Protocol\", epoch AS \"Epoch\", topics AS \"Topics\","
                 " is_simple AS \"Simple\"");
    list_add(&list, "\nFROM groups");
    list_pattern(&list, "group_id", pattern);
    list_add(&list, "\nORDER BY 1");
    rc = list_fetch(&list, arena, &table, &f);
    table.title = STRVIEW("List of groups");
    *ret_count = rc == 0 ? print_table_rows(&table) : 0;
    if (rc == 0 && pattern != NULL && *ret_count == 0)
        rc = fault_set(&f, "42704", "no group fits \"%s\"", pattern);
    if (rc < 0)
        result = list_fault(call, &f);
    else if (rc == 0 && shell_print(call->shell, &table) != 0)
        result = COMMAND_FAILED;
    arena_free(arena);
    return result;
}

static CommandResult
list_members(CommandCall *call, const char *group)
{
    char title[400];
    List list;

    list_begin(&list, call);
    list_add(&list, "member_id AS \"Member\", instance_id AS \"Instance\", client_id AS \"Client\","
                    " host AS \"Host\",\n  n_assigned AS \"Partitions\", assigned AS \"Assigned\"");
    if (call->plus)
        list_add(&list,
                 ",\n  rack AS \"Rack\", member_epoch AS \"Epoch\", subscribed AS \"Subscribed\","
                 " target AS \"Target\"");
    list_add(&list, "\nFROM group_members");
    list_equal(&list, "group_id", group);
    list_add(&list, "\nORDER BY 1");
    (void)snprintf(title, sizeof title, "Members of group \"%s\"", group);
    return list_run(&list, title);
}

static CommandResult
list_lag(CommandCall *call, const char *group)
{
    char title[400];
    List list;

    list_begin(&list, call);
    list_add(
        &list,
        "topic AS \"Topic\", partition AS \"Partition\", committed AS \"Committed\","
        " end_offset AS \"End\",\n  lag AS \"Lag\", client_id AS \"Client\", host AS \"Host\"");
    if (call->plus)
        list_add(&list, ",\n  lag_ms AS \"Behind\", start_offset AS \"Start\","
                        " behind_start AS \"Behind start\", member_id AS \"Member\"");
    list_add(&list, "\nFROM group_lag");
    list_equal(&list, "group_id", group);
    list_add(&list, "\nORDER BY 1, 2");
    (void)snprintf(title, sizeof title, "Offsets of group \"%s\"", group);
    return list_run(&list, title);
}

CommandResult
cmd_list_groups(CommandCall *call)
{
    char *pattern = command_word_copy(call);
    bool one = pattern != NULL && list_is_name(pattern);
    CommandResult result;
    int64_t count;

    if (pattern == NULL && call->bad)
        return COMMAND_FAILED;
    result = list_groups(call, pattern, &count);
    if (one && count == 1 && result == COMMAND_DONE)
        result = list_members(call, pattern);
    if (one && count == 1 && result == COMMAND_DONE)
        result = list_lag(call, pattern);
    free(pattern);
    return result;
}
