/*
 * cmd_describe.c - \d TOPIC: a topic with its partitions, and below them what else is to be said of it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "list_int.h"

/* One kind of thing below the partitions: its heading, and what a row of the query becomes. */
typedef struct Below {
    const char *heading;
    const char *columns; /* of one text column; %s in condition is the quoted topic */
    const char *condition;
} Below;

static const Below belows[] = {
    {"Settings:", "name || ' = ' || coalesce(value, '')\nFROM configs",
     "resource_type = 'topic' AND resource_name = %s AND source = 'topic')\nORDER BY name"},
    {"Being moved:",
     "'partition ' || partition || ', adding ' || adding || ', removing ' || removing\nFROM "
     "reassignments",
     "topic = %s)\nORDER BY partition"},
    {"Groups:", "group_id || ', lag ' || coalesce(sum(lag), '-')\nFROM group_lag",
     "topic = %s)\nGROUP BY group_id\nORDER BY group_id"},
    {"Access:",
     "principal || ' ' || permission || ' ' || operation ||\n"
     "  CASE pattern_type WHEN 'literal' THEN '' ELSE ' by prefix ' || resource_name END ||\n"
     "  CASE host WHEN '*' THEN '' ELSE ' from ' || host END\nFROM acls",
     "resource_type = 'topic' AND (pattern_type = 'literal' AND resource_name IN (%s, '*')\n"
     "    OR pattern_type = 'prefixed' AND substr(%s, 1, length(resource_name)) = resource_name))\n"
     "ORDER BY principal, operation"},
};

/* The condition, which closes a parenthesis, with the topic in the places of %s. */
static void
add_condition(List *list, const char *condition, const char *topic)
{
    list_where(list, "(");
    for (const char *p = condition; *p != '\0'; p++) {
        if (p[0] != '%' || p[1] != 's') {
            strbuf_add_char(&list->sql, *p);
            continue;
        }
        strbuf_add_char(&list->sql, '\'');
        for (const char *t = topic; *t != '\0'; t++)
            strbuf_printf(&list->sql, *t == '\'' ? "''" : "%c", *t);
        strbuf_add_char(&list->sql, '\'');
        p++;
    }
}

/* Adds a kind of thing as footers. What we may not see, or the cluster does not have, is left out. */
static int
add_below(CommandCall *call, const Below *below, const char *topic, PrintTable *table, Fault *f)
{
    PrintTable found;
    List list;

    list_begin(&list, call);
    list_add(&list, below->columns);
    add_condition(&list, below->condition, topic);
    if (list_fetch(&list, table->arena, &found, f) != 0)
        return strcmp(f->sqlstate, FAULT_NOT_SUPPORTED) == 0 || strcmp(f->sqlstate, "42501") == 0
                   ? 0
                   : -1;
    for (int64_t i = 0; i < print_table_rows(&found); i++) {
        if (i == 0)
            print_table_add_footer(table, "%s", below->heading);
        print_table_add_footer(table, "    %s", list_cell(&found, i, 0));
    }
    return 0;
}

static void
begin_partitions(List *list, CommandCall *call, const char *topic)
{
    list_begin(list, call);
    list_add(
        list,
        "partition AS \"Partition\", leader AS \"Leader\", replicas AS \"Replicas\","
        " isr AS \"ISR\",\n  elr AS \"ELR\", offline AS \"Offline\", start_offset AS \"Start\","
        " end_offset AS \"End\", size_bytes AS \"Size\"");
    if (call->plus)
        list_add(list, ",\n  leader_epoch AS \"Epoch\", last_stable_offset AS \"Last stable\","
                       " max_timestamp AS \"Last record\"");
    list_add(list, "\nFROM partitions");
    list_equal(list, "topic", topic);
    list_add(list, "\nORDER BY 1");
}

static CommandResult
describe_topic(CommandCall *call, const char *topic)
{
    Arena *arena = list_arena(call);
    CommandResult result = COMMAND_DONE;
    PrintTable table;
    List list;
    Fault f;
    int rc;

    if (arena == NULL)
        return COMMAND_FAILED;
    begin_partitions(&list, call, topic);
    rc = list_fetch(&list, arena, &table, &f);
    table.title = strview_from(arena_printf(arena, "Topic \"%s\"", topic));
    for (size_t i = 0; rc == 0 && i < sizeof belows / sizeof belows[0]; i++)
        rc = add_below(call, &belows[i], topic, &table, &f);
    if (rc < 0)
        result = list_fault(call, &f);
    else if (rc == 0 && shell_print(call->shell, &table) != 0)
        result = COMMAND_FAILED;
    arena_free(arena);
    return result;
}

/* All topics that fit. */
static CommandResult
describe_fitting(CommandCall *call, const char *pattern)
{
    Arena *arena = list_arena(call);
    CommandResult result = COMMAND_DONE;
    PrintTable topics;
    List list;
    Fault f;
    int rc;

    if (arena == NULL)
        return COMMAND_FAILED;
    list_begin(&list, call);
    list_add(&list, "topic FROM topics");
    list_pattern(&list, "topic", pattern);
    list_add(&list, "\nORDER BY 1");
    rc = list_fetch(&list, arena, &topics, &f);
    if (rc < 0)
        result = list_fault(call, &f);
    else if (rc == 0 && print_table_rows(&topics) == 0) {
        fault_set(&f, "42P01", "no topic fits \"%s\"", pattern);
        result = list_fault(call, &f);
    }
    for (int64_t i = 0; rc == 0 && result == COMMAND_DONE && i < print_table_rows(&topics); i++)
        result = describe_topic(call, list_cell(&topics, i, 0));
    arena_free(arena);
    return result;
}

CommandResult
cmd_describe(CommandCall *call)
{
    char *pattern = command_word_copy(call);
    CommandResult result;

    if (pattern == NULL)
        return call->bad ? COMMAND_FAILED : cmd_list_topics(call);
    result = describe_fitting(call, pattern);
    free(pattern);
    return result;
}
