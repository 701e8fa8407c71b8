/*
 * cmd_list.c - \l \dp \dr \dR \dP \offsets: topics and their parts, as queries over the catalogue
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "list_int.h"

CommandResult
cmd_list_topics(CommandCall *call)
{
    const char *pattern = command_word(call);
    List list;

    list_begin(&list, call);
    list_add(&list,
             "topic AS \"Topic\", partitions AS \"Partitions\", replication_factor AS \"Factor\",\n"
             "  under_replicated AS \"Under-repl.\", size_bytes AS \"Size\"");
    if (call->plus)
        list_add(&list, ",\n  leaderless AS \"Leaderless\", topic_id AS \"Id\", retention_ms AS "
                        "\"Retention\",\n"
                        "  cleanup_policy AS \"Cleanup\", min_isr AS \"Min ISR\","
                        " records_estimate AS \"Records\",\n  overrides AS \"Overrides\"");
    list_add(&list, "\nFROM topics");
    if (pattern == NULL && !call->system)
        list_where(&list, "NOT internal");
    list_pattern(&list, "topic", pattern);
    list_add(&list, "\nORDER BY 1");
    return list_run(&list, "List of topics");
}

/* \dp, and those of \dpu, \dpo, \dpm that are in trouble. */
CommandResult
cmd_list_partitions(CommandCall *call)
{
    const char *pattern = command_word(call);
    List list;

    list_begin(&list, call);
    list_add(&list, "topic AS \"Topic\", partition AS \"Partition\", leader AS \"Leader\",\n"
                    "  replicas AS \"Replicas\", isr AS \"ISR\", offline AS \"Offline\"");
    if (call->plus)
        list_add(&list, ",\n  leader_epoch AS \"Epoch\", elr AS \"ELR\", last_known_elr AS \"Last "
                        "known ELR\",\n"
                        "  start_offset AS \"Start\", end_offset AS \"End\", max_timestamp AS "
                        "\"Last record\",\n"
                        "  size_bytes AS \"Size\"");
    list_add(&list, "\nFROM partitions");
    if (strncmp(call->name, "dpu", 3) == 0)
        list_where(&list, "under_replicated");
    else if (strncmp(call->name, "dpo", 3) == 0)
        list_where(&list, "leader IS NULL");
    else if (strncmp(call->name, "dpm", 3) == 0)
        list_where(&list, "under_min_isr");
    if (pattern == NULL && !call->system)
        list_where(&list, "topic NOT IN (SELECT topic FROM topics WHERE internal)");
    list_pattern(&list, "topic", pattern);
    list_add(&list, "\nORDER BY 1, 2");
    return list_run(&list, "List of partitions");
}

CommandResult
cmd_list_replicas(CommandCall *call)
{
    const char *pattern = command_word(call);
    List list;

    list_begin(&list, call);
    list_add(
        &list,
        "topic AS \"Topic\", partition AS \"Partition\", broker_id AS \"Broker\",\n"
        "  CASE WHEN is_future THEN 'moving in' WHEN is_leader THEN 'leader' ELSE 'follower' END"
        " AS \"Role\",\n  in_isr AS \"In ISR\", lag_records AS \"Lag\", size_bytes AS \"Size\"");
    if (call->plus)
        list_add(&list,
                 ",\n  log_end_offset AS \"End\", directory AS \"Directory\", adding AS \"Adding\","
                 " removing AS \"Removing\"");
    list_add(&list, "\nFROM replicas");
    if (pattern == NULL && !call->system)
        list_where(&list, "topic NOT IN (SELECT topic FROM topics WHERE internal)");
    list_pattern(&list, "topic", pattern);
    list_add(&list, "\nORDER BY 1, 2, 3");
    return list_run(&list, "List of replicas");
}

CommandResult
cmd_list_reassignments(CommandCall *call)
{
    List list;

    list_begin(&list, call);
    list_add(&list,
             "topic AS \"Topic\", partition AS \"Partition\", replicas AS \"Replicas\",\n"
             "  adding AS \"Adding\", removing AS \"Removing\", bytes_done AS \"Done\","
             " bytes_total AS \"Total\", eta_ms AS \"Left\"\nFROM reassignments\nORDER BY 1, 2");
    return list_run(&list, "List of reassignments");
}

CommandResult
cmd_list_producers(CommandCall *call)
{
    const char *pattern = command_word(call);
    List list;

    list_begin(&list, call);
    list_add(
        &list,
        "topic AS \"Topic\", partition AS \"Partition\", producer_id AS \"Producer\","
        " epoch AS \"Epoch\",\n  last_sequence AS \"Sequence\", last_timestamp AS \"Last batch\","
        " txn_start_offset AS \"Transaction from\"\nFROM producers");
    list_pattern(&list, "topic", pattern);
    list_add(&list, "\nORDER BY 1, 2, 3");
    return list_run(&list, "List of producers");
}

CommandResult
cmd_list_transactions(CommandCall *call)
{
    const char *pattern = command_word(call);
    List list;

    list_begin(&list, call);
    list_add(&list, "transactional_id AS \"Transactional id\", state AS \"State\","
                    " coordinator AS \"Coordinator\",\n  producer_id AS \"Producer\","
                    " producer_epoch AS \"Epoch\", started AS \"Started\", age_ms AS \"Age\","
                    " partitions AS \"Partitions\"\nFROM transactions");
    list_pattern(&list, "transactional_id", pattern);
    list_add(&list, "\nORDER BY 1");
    return list_run(&list, "List of transactions");
}

/* \offsets TOPIC [TIME] */
CommandResult
cmd_list_offsets(CommandCall *call)
{
    char *topic = command_word_copy(call);
    const char *time = topic == NULL ? NULL : command_word(call);
    CommandResult result;
    List list;

    if (topic == NULL)
        return call->bad ? COMMAND_FAILED : command_fail(call, "missing required argument");
    list_begin(&list, call);
    list_add(&list, "partition AS \"Partition\", start_offset AS \"Start\", end_offset AS \"End\"");
    if (time == NULL) {
        list_add(&list, "\nFROM partitions");
        list_equal(&list, "topic", topic);
    } else {
        list_add(&list, ",\n  o.\"offset\" AS \"At time\"\nFROM partitions JOIN offsets_at o USING "
                        "(topic, partition)");
        list_equal(&list, "topic", topic);
        list_equal(&list, "o.at_time", time);
    }
    list_add(&list, "\nORDER BY 1");
    result = list_run(&list, "Offsets");
    free(topic);
    return result;
}
