/*
 * commands_int.h - backslash commands: the table of them, and how one is called
 *
 * A command is a row and a function in a file of its family (cmd_*.c), declared at the end of this header. Its
 * arguments are read one by one by command_word() and its kin; what it leaves is an error of its own making or
 * is warned of ("extra argument ignored").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_COMMANDS_INT_H
#define OTTLA_SHELL_COMMANDS_INT_H

#include "input_int.h"

typedef enum CommandResult {
    COMMAND_DONE,
    COMMAND_FAILED, /* and reported */
    COMMAND_SEND,   /* the query buffer is to be run */
    COMMAND_EDITED, /* the query buffer is to be read again */
    COMMAND_QUIT,   /* this input ends */
} CommandResult;

/* Flags of a row. */
#define COMMAND_SUFFIX 0x01u /* the name may be followed by any of "S+" */
#define COMMAND_FLOW   0x02u /* runs in branches of \if that do not count, too */
#define COMMAND_LINE   0x04u /* takes the rest of the line as it stands */
#define COMMAND_REPEAT 0x08u /* \watch behind it repeats it */
#define COMMAND_UNSAFE 0x10u /* refused between \restrict and \unrestrict */

typedef struct CommandCall CommandCall;

typedef struct CommandRow {
    const char *name;
    unsigned flags;
    CommandResult (*fn)(CommandCall *call);
    const char *section; /* of \?; rows of one section stand together */
    const char *usage;   /* "\\d[S+] [TOPIC]"; NULL: not in \? (an alias) */
    const char *help;
} CommandRow;

struct CommandCall {
    Shell *shell;
    Lexer *lexer;
    CondStack *conds; /* of the input it stands in */
    const CommandRow *row;
    const char *name; /* as typed, without the backslash */
    bool plus;        /* the suffix had '+' */
    bool system;      /* ... 'S' */
    StrBuf word;      /* of the last command_word() */
    bool bad;         /* an argument was not readable, and that has been reported */
};

extern const CommandRow command_rows[];
extern const int command_rows_count;

/* Behind the backslash: reads name and arguments, runs the command unless its branch does not count. */
CommandResult command_dispatch(Shell *shell, Lexer *lexer, CondStack *conds);

/* Runs a command once more (\watch): the text behind its backslash. */
CommandResult command_repeat(Shell *shell, const char *text);

/* The next argument, valid until the next one is asked for; NULL: none (or call->bad). */
const char *command_word(CommandCall *call);
const char *command_pipe_word(CommandCall *call);
const char *command_rest(CommandCall *call);

/* A copy of the next argument; NULL: none. To be freed. */
char *command_word_copy(CommandCall *call);

/* Reports "\name: text"; COMMAND_FAILED. */
CommandResult command_fail(CommandCall *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- the commands, by file ---- */

/* cmd_api.c */
CommandResult cmd_api(CommandCall *call);

/* cmd_dump.c */
CommandResult cmd_dump(CommandCall *call);

/* cmd_node.c */
CommandResult cmd_kill(CommandCall *call);
CommandResult cmd_cancel(CommandCall *call);

/* cmd_reset.c */
CommandResult cmd_reset(CommandCall *call);

/* cmd_password.c */
CommandResult cmd_password(CommandCall *call);

/* cmd_buffer.c */
CommandResult cmd_print_buffer(CommandCall *call);
CommandResult cmd_reset_buffer(CommandCall *call);
CommandResult cmd_write_buffer(CommandCall *call);
CommandResult cmd_g(CommandCall *call);
CommandResult cmd_gx(CommandCall *call);
CommandResult cmd_gset(CommandCall *call);
CommandResult cmd_gexec(CommandCall *call);
CommandResult cmd_gdesc(CommandCall *call);
CommandResult cmd_edit(CommandCall *call);

/* cmd_connect.c */
CommandResult cmd_connect(CommandCall *call);
CommandResult cmd_conninfo(CommandCall *call);

/* cmd_flow.c */
CommandResult cmd_if(CommandCall *call);
CommandResult cmd_elif(CommandCall *call);
CommandResult cmd_else(CommandCall *call);
CommandResult cmd_endif(CommandCall *call);
CommandResult cmd_quit(CommandCall *call);

/* cmd_format.c */
CommandResult cmd_pset(CommandCall *call);
CommandResult cmd_expanded(CommandCall *call);
CommandResult cmd_tuples_only(CommandCall *call);
CommandResult cmd_title(CommandCall *call);
CommandResult cmd_field_separator(CommandCall *call);
CommandResult cmd_table_attributes(CommandCall *call);
CommandResult cmd_unaligned(CommandCall *call);
CommandResult cmd_html(CommandCall *call);

/* cmd_help.c */
CommandResult cmd_commands(CommandCall *call);
CommandResult cmd_help(CommandCall *call);
CommandResult cmd_copyright(CommandCall *call);
CommandResult cmd_errverbose(CommandCall *call);

/* cmd_list.c */
CommandResult cmd_list_topics(CommandCall *call);
CommandResult cmd_list_partitions(CommandCall *call);
CommandResult cmd_list_replicas(CommandCall *call);
CommandResult cmd_list_reassignments(CommandCall *call);
CommandResult cmd_list_producers(CommandCall *call);
CommandResult cmd_list_transactions(CommandCall *call);
CommandResult cmd_list_offsets(CommandCall *call);

/* cmd_list_groups.c, cmd_list_config.c, cmd_list_security.c, cmd_list_nodes.c */
CommandResult cmd_list_groups(CommandCall *call);
CommandResult cmd_list_configs(CommandCall *call);
CommandResult cmd_list_node_settings(CommandCall *call);
CommandResult cmd_list_client_metrics(CommandCall *call);
CommandResult cmd_list_client_instances(CommandCall *call);
CommandResult cmd_list_acls(CommandCall *call);
CommandResult cmd_list_users(CommandCall *call);
CommandResult cmd_list_quotas(CommandCall *call);
CommandResult cmd_list_brokers(CommandCall *call);
CommandResult cmd_list_quorum(CommandCall *call);
CommandResult cmd_list_sessions(CommandCall *call);
CommandResult cmd_list_workers(CommandCall *call);

/* cmd_describe.c */
CommandResult cmd_describe(CommandCall *call);

/* cmd_history.c */
CommandResult cmd_history(CommandCall *call);

/* cmd_io.c */
CommandResult cmd_echo(CommandCall *call);
CommandResult cmd_qecho(CommandCall *call);
CommandResult cmd_warn(CommandCall *call);
CommandResult cmd_o(CommandCall *call);
CommandResult cmd_i(CommandCall *call);
CommandResult cmd_ir(CommandCall *call);
CommandResult cmd_cd(CommandCall *call);
CommandResult cmd_system(CommandCall *call);

/* cmd_consume.c, cmd_produce.c */
CommandResult cmd_consume(CommandCall *call);
CommandResult cmd_produce(CommandCall *call);

/* cmd_copy.c */
CommandResult cmd_copy(CommandCall *call);

/* cmd_tail.c */
CommandResult cmd_tail(CommandCall *call);

/* cmd_vars.c */
CommandResult cmd_set(CommandCall *call);
CommandResult cmd_unset(CommandCall *call);
CommandResult cmd_prompt(CommandCall *call);
CommandResult cmd_getenv(CommandCall *call);
CommandResult cmd_setenv(CommandCall *call);
CommandResult cmd_timing(CommandCall *call);
CommandResult cmd_encoding(CommandCall *call);
CommandResult cmd_restrict(CommandCall *call);
CommandResult cmd_unrestrict(CommandCall *call);

/* cmd_watch.c */
CommandResult cmd_watch(CommandCall *call);

#endif
