/*
 * cmd_list_nodes.c - \db \dk \ds \dw: brokers, the quorum, sessions and processes of a node
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "list_int.h"

static CommandResult
list_directories(CommandCall *call)
{
    List list;

    list_begin(&list, call);
    list_add(&list,
             "broker_id AS \"Broker\", directory AS \"Directory\", used_bytes AS \"Used\",\n"
             "  usable_bytes AS \"Free\", total_bytes AS \"Total\", partitions AS \"Partitions\","
             " error AS \"Error\"\nFROM log_dirs\nORDER BY 1, 2");
    return list_run(&list, "List of log directories");
}

CommandResult
cmd_list_brokers(CommandCall *call)
{
    CommandResult result;
    List list;

    list_begin(&list, call);
    list_add(&list,
             "node_id AS \"Id\", host || ':' || port AS \"Address\", rack AS \"Rack\","
             " is_controller AS \"Controller\",\n  fenced AS \"Fenced\", leaders AS \"Leaders\","
             " replicas AS \"Replicas\", size_bytes AS \"Size\", version AS \"Version\"\n"
             "FROM brokers\nORDER BY 1");
    result = list_run(&list, "List of brokers");
    return result == COMMAND_DONE && call->plus ? list_directories(call) : result;
}

CommandResult
cmd_list_quorum(CommandCall *call)
{
    List list;

    list_begin(&list, call);
    list_add(&list,
             "node_id AS \"Id\", role AS \"Role\", log_end_offset AS \"Log end\", lag AS \"Lag\",\n"
             "  last_fetch AS \"Last fetch\", last_caught_up AS \"Last caught up\","
             " epoch AS \"Epoch\", high_watermark AS \"High watermark\"");
    if (call->plus)
        list_add(&list, ", directory_id AS \"Directory\"");
    list_add(&list, "\nFROM quorum\nORDER BY role <> 'leader', role, 1");
    return list_run(&list, "Metadata quorum");
}

CommandResult
cmd_list_sessions(CommandCall *call)
{
    List list;

    list_begin(&list, call);
    list_add(&list,
             "pid AS \"PID\", principal AS \"Principal\", client_id AS \"Client\","
             " client_addr AS \"Address\",\n  state AS \"State\", wait_event AS \"Waits for\","
             " api AS \"API\", topic AS \"Topic\", requests AS \"Requests\"");
    if (call->plus)
        list_add(&list, ",\n  listener AS \"Listener\", client_software AS \"Software\","
                        " connected AS \"Connected\", errors AS \"Errors\", bytes_in AS \"In\","
                        " bytes_out AS \"Out\", rss_bytes AS \"Memory\"");
    list_add(&list, "\nFROM activity");
    if (!call->system)
        list_where(&list, "connected IS NOT NULL");
    list_add(&list, "\nORDER BY connected_ms, pid");
    return list_run(&list, "List of sessions");
}

CommandResult
cmd_list_workers(CommandCall *call)
{
    List list;

    list_begin(&list, call);
    list_add(&list, call->plus ? "*"
                               : "pid AS \"PID\", kind AS \"Kind\", state AS \"State\","
                                 " activity AS \"Activity\", started AS \"Started\",\n"
                                 "  restarts AS \"Restarts\", wait_event AS \"Waits for\"");
    list_add(&list, "\nFROM workers\nORDER BY kind, pid");
    return list_run(&list, "List of worker processes");
}
