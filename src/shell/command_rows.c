/*
 * command_rows.c - the backslash commands: a row each
 *
 * In the order in which \? lists them. Of two rows that fit a name the first is taken, so that longer names
 * stand before those that they begin with (COMMAND_SUFFIX). Rows without usage are other names of the one above.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#define GENERAL "General"
#define BUFFER  "Statement in the making"
#define INPUT   "Input and output"
#define LISTS   "What there is"
#define STREAMS "Messages"
#define BRANCH  "Branches"
#define FORMAT  "Formatting"
#define CONNECT "Connection"
#define SYSTEM  "Variables and system"

#define LISTING (COMMAND_SUFFIX | COMMAND_REPEAT)

const CommandRow command_rows[] = {
    /* General */
    {"g", 0, cmd_g, GENERAL, "\\g [(OPTIONS)] [FILE]",
     "run the statement; result to a file or |command"},
    {"gx", 0, cmd_gx, GENERAL, "\\gx [(OPTIONS)] [FILE]", "as \\g, expanded"},
    {"gset", 0, cmd_gset, GENERAL, "\\gset [PREFIX]",
     "run it; the columns of its row become variables"},
    {"gexec", 0, cmd_gexec, GENERAL, "\\gexec", "run it, then run each value of its result"},
    {"gdesc", 0, cmd_gdesc, GENERAL, "\\gdesc", "describe its result, without running it"},
    {"watch", 0, cmd_watch, GENERAL, "\\watch [i=SEC] [c=N] [m=MIN]",
     "repeat it every SEC seconds, N times, while it has MIN rows"},
    {"errverbose", 0, cmd_errverbose, GENERAL, "\\errverbose",
     "the last error with everything known of it"},
    {"q", 0, cmd_quit, GENERAL, "\\q", "quit"},
    {"quit", 0, cmd_quit, GENERAL, NULL, NULL},
    {"?", 0, cmd_commands, GENERAL, "\\? [TOPIC]",
     "help: commands, options, variables, tables, formats"},
    {"h", COMMAND_LINE, cmd_help, GENERAL, "\\h [STATEMENT]", "syntax of statements"},
    {"help", COMMAND_LINE, cmd_help, GENERAL, NULL, NULL},
    {"copyright", 0, cmd_copyright, GENERAL, "\\copyright", "the licence"},

    /* the buffer */
    {"e", COMMAND_UNSAFE, cmd_edit, BUFFER, "\\e [FILE] [LINE]", "edit the statement, or a file"},
    {"edit", COMMAND_UNSAFE, cmd_edit, BUFFER, NULL, NULL},
    {"p", 0, cmd_print_buffer, BUFFER, "\\p", "show it"},
    {"print", 0, cmd_print_buffer, BUFFER, NULL, NULL},
    {"r", 0, cmd_reset_buffer, BUFFER, "\\r", "forget it"},
    {"w", COMMAND_UNSAFE, cmd_write_buffer, BUFFER, "\\w FILE", "write it to a file or |command"},
    {"write", COMMAND_UNSAFE, cmd_write_buffer, BUFFER, NULL, NULL},

    /* what there is */
    {"l", LISTING, cmd_list_topics, LISTS, "\\l[S+] [PATTERN]", "topics"},
    {"dt", LISTING, cmd_list_topics, LISTS, "\\dt[S+] [PATTERN]", "topics"},
    {"dpu", LISTING, cmd_list_partitions, LISTS, "\\dpu[+] [PATTERN]",
     "under-replicated partitions"},
    {"dpo", LISTING, cmd_list_partitions, LISTS, "\\dpo[+] [PATTERN]", "partitions without leader"},
    {"dpm", LISTING, cmd_list_partitions, LISTS, "\\dpm[+] [PATTERN]", "partitions under min ISR"},
    {"dp", LISTING, cmd_list_partitions, LISTS, "\\dp[S+] [PATTERN]", "partitions"},
    {"dr", LISTING, cmd_list_replicas, LISTS, "\\dr[S+] [PATTERN]", "replicas"},
    {"dR", LISTING, cmd_list_reassignments, LISTS, "\\dR", "reassignments that are under way"},
    {"dg", LISTING, cmd_list_groups, LISTS, "\\dg[+] [PATTERN]",
     "groups; of one group its members and offsets"},
    {"dG", LISTING, cmd_list_transactions, LISTS, "\\dG [PATTERN]", "transactions"},
    {"dP", LISTING, cmd_list_producers, LISTS, "\\dP [PATTERN]", "producers by partition"},
    {"dconfig", LISTING, cmd_list_node_settings, LISTS, "\\dconfig[S+] [PATTERN]",
     "settings of the node, and which file says so"},
    {"dc", LISTING, cmd_list_configs, LISTS, "\\dc[S+] [KIND NAME] [PATTERN]",
     "settings of a topic, broker, group, logger, or of client metrics"},
    {"da", LISTING, cmd_list_acls, LISTS, "\\da [PATTERN | TOPIC NAME | USER NAME]",
     "access control lists"},
    {"du", LISTING, cmd_list_users, LISTS, "\\du[+] [PATTERN]", "users"},
    {"dq", LISTING, cmd_list_quotas, LISTS, "\\dq [PATTERN]", "quotas"},
    {"db", LISTING, cmd_list_brokers, LISTS, "\\db[+]", "brokers"},
    {"dk", LISTING, cmd_list_quorum, LISTS, "\\dk[+]", "the metadata quorum"},
    {"dm", LISTING, cmd_list_client_metrics, LISTS, "\\dm [PATTERN]",
     "subscriptions of client metrics"},
    {"dM", LISTING, cmd_list_client_instances, LISTS, "\\dM", "clients that send metrics"},
    {"ds", LISTING, cmd_list_sessions, LISTS, "\\ds[S+]", "sessions of the node"},
    {"dw", LISTING, cmd_list_workers, LISTS, "\\dw[+]", "worker processes of the node"},
    {"d", LISTING, cmd_describe, LISTS, "\\d[S+] [TOPIC]", "a topic; without name as \\l"},
    {"reset", COMMAND_LINE, cmd_reset, LISTS, "\\reset GROUP [TOPICS] TO WHERE",
     "set the offsets of a group, as ALTER GROUP ... RESET OFFSETS"},
    {"offsets", COMMAND_REPEAT, cmd_list_offsets, LISTS, "\\offsets TOPIC [TIME]",
     "first and last offsets, and those at a time"},

    /* messages */
    {"consume", 0, cmd_consume, STREAMS,
     "\\consume [-o OFF] [-p P] [-c N] [-e] [-g GROUP] [-f FMT] [-J] [-D DELIM] [-K DELIM] [-Z] "
     "[-u] [-X NAME=VALUE] TOPIC",
     "messages as a stream"},
    {"produce", 0, cmd_produce, STREAMS,
     "\\produce [-k KEY] [-K DELIM] [-D DELIM] [-H NAME=VALUE] [-p P] [-P PARTITIONER] [-Z] [-z "
     "CODEC] [-l FILE] [-T FILE] "
     "[-X NAME=VALUE] [--transactional-id ID] TOPIC",
     "lines as messages"},
    {"copy", COMMAND_LINE | COMMAND_UNSAFE, cmd_copy, STREAMS,
     "\\copy TOPIC|(QUERY) FROM|TO FILE|PROGRAM 'CMD'|STDIN|STDOUT|PSTDIN|PSTDOUT [(OPTIONS)]",
     "messages from or to files: csv, jsonl, raw, segment"},
    {"tail", 0, cmd_tail, STREAMS,
     "\\tail [-f] [-n N] [-p P] [-o OFF] [-g GROUP] [-F FMT] [-J] [-k RE] [-v RE] [TOPIC...]",
     "the last messages of topics; -f follows"},

    /* input and output */
    {"echo", 0, cmd_echo, INPUT, "\\echo [-n] [TEXT]", "write to standard output"},
    {"i", COMMAND_UNSAFE, cmd_i, INPUT, "\\i FILE", "run a file"},
    {"include", COMMAND_UNSAFE, cmd_i, INPUT, NULL, NULL},
    {"ir", COMMAND_UNSAFE, cmd_ir, INPUT, "\\ir FILE", "run a file, relative to the present one"},
    {"include_relative", COMMAND_UNSAFE, cmd_ir, INPUT, NULL, NULL},
    {"o", COMMAND_UNSAFE, cmd_o, INPUT, "\\o [FILE]", "send results to a file or |command"},
    {"out", COMMAND_UNSAFE, cmd_o, INPUT, NULL, NULL},
    {"qecho", 0, cmd_qecho, INPUT, "\\qecho [-n] [TEXT]", "write to where results go"},
    {"s", COMMAND_UNSAFE, cmd_history, INPUT, "\\s [FILE]",
     "show the history, or write it to a file"},
    {"sf", 0, cmd_dump, INPUT, "\\sf TOPIC|*|users|acls|quotas",
     "show the statements that make it anew"},
    {"warn", 0, cmd_warn, INPUT, "\\warn [-n] [TEXT]", "write to standard error"},

    /* branches */
    {"if", COMMAND_FLOW, cmd_if, BRANCH, "\\if EXPR",
     "begin a branch: a boolean, or A = B, <>, <, >"},
    {"elif", COMMAND_FLOW, cmd_elif, BRANCH, "\\elif EXPR", "another one"},
    {"else", COMMAND_FLOW, cmd_else, BRANCH, "\\else", "the last one"},
    {"endif", COMMAND_FLOW, cmd_endif, BRANCH, "\\endif", "end of the branches"},

    /* formatting */
    {"a", 0, cmd_unaligned, FORMAT, "\\a", "turn between aligned and unaligned"},
    {"C", 0, cmd_title, FORMAT, "\\C [TEXT]", "set the title of tables, or unset it"},
    {"f", 0, cmd_field_separator, FORMAT, "\\f [TEXT]", "set the field separator of unaligned"},
    {"H", 0, cmd_html, FORMAT, "\\H", "turn between HTML and aligned"},
    {"html", 0, cmd_html, FORMAT, NULL, NULL},
    {"pset", 0, cmd_pset, FORMAT, "\\pset [NAME [VALUE]]",
     "set an option of printing, or show all"},
    {"t", 0, cmd_tuples_only, FORMAT, "\\t [on|off]", "show only rows"},
    {"T", 0, cmd_table_attributes, FORMAT, "\\T [TEXT]",
     "set attributes of HTML's table tag, or unset them"},
    {"x", 0, cmd_expanded, FORMAT, "\\x [on|off|auto]", "a line for each column"},

    /* connection */
    {"connect", COMMAND_UNSAFE, cmd_connect, CONNECT, NULL, NULL},
    {"c", COMMAND_UNSAFE, cmd_connect, CONNECT, "\\c TARGET|-|topic NAME",
     "connect anew; or choose the topic of \\tail and \\produce"},
    {"conninfo", COMMAND_REPEAT, cmd_conninfo, CONNECT, "\\conninfo", "the connection"},
    {"password", COMMAND_UNSAFE, cmd_password, CONNECT, "\\password [USER]",
     "change the password of a user"},
    {"api", COMMAND_LINE, cmd_api, CONNECT, "\\api [NAME [vN] [JSON]]",
     "send a request given as JSON; without a name list the APIs"},
    {"kill", 0, cmd_kill, CONNECT, "\\kill PID", "end a backend of the node"},
    {"cancel", 0, cmd_cancel, CONNECT, "\\cancel PID", "cancel what it waits for"},
    {"encoding", 0, cmd_encoding, CONNECT, "\\encoding", "the encoding: UTF8"},

    /* variables and system */
    {"set", 0, cmd_set, SYSTEM, "\\set [NAME [VALUE]]", "set a variable, or list all"},
    {"unset", 0, cmd_unset, SYSTEM, "\\unset NAME", "unset it"},
    {"prompt", 0, cmd_prompt, SYSTEM, "\\prompt [TEXT] NAME", "ask for the value of a variable"},
    {"getenv", 0, cmd_getenv, SYSTEM, "\\getenv NAME ENVVAR", "take it from the environment"},
    {"setenv", COMMAND_UNSAFE, cmd_setenv, SYSTEM, "\\setenv NAME [VALUE]", "set the environment"},
    {"cd", COMMAND_UNSAFE, cmd_cd, SYSTEM, "\\cd [DIR]", "change the working directory"},
    {"timing", 0, cmd_timing, SYSTEM, "\\timing [on|off]", "show how long statements take"},
    {"!", COMMAND_LINE | COMMAND_UNSAFE, cmd_system, SYSTEM, "\\! [COMMAND]",
     "run a command of the system"},
    {"restrict", 0, cmd_restrict, SYSTEM, "\\restrict KEY", "refuse commands that reach outside"},
    {"unrestrict", 0, cmd_unrestrict, SYSTEM, "\\unrestrict KEY", "allow them again"},
};
const int command_rows_count = (int)(sizeof command_rows / sizeof command_rows[0]);
