/*
 * cmd_list_config.c - \dc \dconfig \dm \dM: settings and client metrics
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "list_int.h"

#include <inttypes.h>

#include "ottla/common/text.h"

/* Kinds of resources as they are typed, and as the table has them. */
static const char *
resource_type(const char *word)
{
    static const char *const types[] = {"topic", "broker", "group", "logger", "client_metrics"};

    for (size_t i = 0; word != NULL && i < sizeof types / sizeof types[0]; i++)
        if (text_equal_nocase(strview_from(word), strview_from(types[i])))
            return types[i];
    return word != NULL && text_equal_nocase(strview_from(word), STRVIEW("metrics")) ? types[4]
                                                                                     : NULL;
}

static CommandResult
list_settings(CommandCall *call, const char *type, const char *name, const char *pattern)
{
    char title[400];
    List list;

    list_begin(&list, call);
    list_add(&list, "name AS \"Name\", value AS \"Value\"");
    if (call->plus)
        list_add(&list, ", source AS \"Source\", type AS \"Type\",\n  read_only AS \"Read-only\","
                        " synonyms AS \"Synonyms\", documentation AS \"Documentation\"");
    list_add(&list, "\nFROM configs");
    list_equal(&list, "resource_type", type);
    list_equal(&list, "resource_name", name);
    if (!call->system && pattern == NULL)
        list_where(&list, "NOT is_default");
    list_pattern(&list, "name", pattern);
    list_add(&list, "\nORDER BY 1");
    (void)snprintf(title, sizeof title, "Settings of %s \"%s\"", type, name);
    return list_run(&list, title);
}

/* \dc, \dc [topic T | broker N | broker default | group G | logger N | metrics M] [PATTERN] */
CommandResult
cmd_list_configs(CommandCall *call)
{
    char *first = command_word_copy(call);
    const char *type = resource_type(first);
    char *name = type == NULL ? NULL : command_word_copy(call);
    const char *pattern = name == NULL ? NULL : command_word(call);
    char here[16];
    CommandResult result;

    if (call->bad) {
        result = COMMAND_FAILED;
    } else if (type == NULL) {
        int32_t node = call->shell->client == NULL ? -1 : client_info(call->shell->client)->node_id;

        (void)snprintf(here, sizeof here, "%" PRId32, node);
        result = list_settings(call, "broker", here, first);
    } else if (name == NULL) {
        result = command_fail(call, "missing the name of the %s", type);
    } else {
        bool whole = strcmp(type, "broker") == 0 && strcmp(name, "default") == 0;

        result = list_settings(call, type, whole ? "" : name, pattern);
    }
    free(name);
    free(first);
    return result;
}

/* \dconfig: what the node itself knows of its settings. */
CommandResult
cmd_list_node_settings(CommandCall *call)
{
    const char *pattern = command_word(call);
    List list;

    list_begin(&list, call);
    list_add(&list,
             "name AS \"Name\", setting AS \"Value\", unit AS \"Unit\", source AS \"Source\","
             " sourcefile AS \"File\",\n  sourceline AS \"Line\"");
    if (call->plus)
        list_add(&list, ",\n  context AS \"Context\", vartype AS \"Type\", boot_val AS \"Default\","
                        " pending_restart AS \"Needs restart\",\n  cluster_value AS \"Cluster's\","
                        " short_desc AS \"Meaning\"");
    list_add(&list, "\nFROM settings");
    if (pattern == NULL && !call->system)
        list_where(&list, "source <> 'default'");
    list_pattern(&list, "name", pattern);
    list_add(&list, "\nORDER BY name");
    return list_run(&list, "Settings of the node");
}

CommandResult
cmd_list_client_metrics(CommandCall *call)
{
    const char *pattern = command_word(call);
    List list;

    list_begin(&list, call);
    list_add(&list, "name AS \"Name\", metrics AS \"Metrics\", interval_ms AS \"Interval\","
                    " match AS \"Match\"\nFROM client_metrics");
    list_pattern(&list, "name", pattern);
    list_add(&list, "\nORDER BY 1");
    return list_run(&list, "List of client metrics subscriptions");
}

CommandResult
cmd_list_client_instances(CommandCall *call)
{
    List list;

    list_begin(&list, call);
    list_add(&list, "* FROM client_instances ORDER BY 1");
    return list_run(&list, "List of client instances");
}
