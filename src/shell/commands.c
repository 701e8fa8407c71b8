/*
 * commands.c - runs backslash commands: names, arguments, suffixes, branches that do not count
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include <stdarg.h>

#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"

static bool
row_fits(const CommandRow *row, StrView name, bool *ret_plus, bool *ret_system)
{
    int32_t len = (int32_t)strlen(row->name);
    bool plus = false;
    bool system = false;

    if (name.len < len || memcmp(name.ptr, row->name, (size_t)len) != 0)
        return false;
    for (int32_t i = len; i < name.len; i++) {
        plus = plus || name.ptr[i] == '+';
        system = system || name.ptr[i] == 'S';
        if ((row->flags & COMMAND_SUFFIX) == 0 || (name.ptr[i] != '+' && name.ptr[i] != 'S'))
            return false;
    }
    *ret_plus = plus;
    *ret_system = system;
    return true;
}

/* The row of a name as it was typed; NULL: none. */
static const CommandRow *
command_find(StrView name, bool *ret_plus, bool *ret_system)
{
    for (int i = 0; i < command_rows_count; i++)
        if (row_fits(&command_rows[i], name, ret_plus, ret_system))
            return &command_rows[i];
    return NULL;
}

/* NULL: none is near. */
static const char *
command_nearest(StrView name)
{
    const char *nearest = NULL;
    int least = 3;

    for (int i = 0; i < command_rows_count; i++) {
        int distance = text_distance(name, strview_from(command_rows[i].name), least);

        if (distance < least && distance * 2 < (int)strlen(command_rows[i].name)) {
            least = distance;
            nearest = command_rows[i].name;
        }
    }
    return nearest;
}

/* ---- arguments -------------------------------------------------------------------------------- */

static const char *
argument(CommandCall *call, LexArg kind)
{
    LexFound found = call->bad ? LEX_NONE : lexer_argument(call->lexer, kind, &call->word);

    if (found == LEX_UNTERMINATED || strbuf_failed(&call->word)) {
        call->bad = true;
        (void)command_fail(call, found == LEX_UNTERMINATED ? "unterminated quoted string"
                                                           : "an argument is too long");
    }
    return found == LEX_FOUND && !call->bad ? call->word.ptr : NULL;
}

const char *
command_word(CommandCall *call)
{
    return argument(call, LEX_ARG_WORD);
}

const char *
command_pipe_word(CommandCall *call)
{
    return argument(call, LEX_ARG_PIPE);
}

const char *
command_rest(CommandCall *call)
{
    return argument(call, LEX_ARG_REST);
}

char *
command_word_copy(CommandCall *call)
{
    const char *word = command_word(call);

    return word == NULL ? NULL : strdup(word);
}

CommandResult
command_fail(CommandCall *call, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    (void)shell_error(call->shell, FAULT_SYNTAX, "\\%s: %s", call->name, text);
    return COMMAND_FAILED;
}

/* ---- running ---------------------------------------------------------------------------------- */

static CommandResult
unknown(Shell *shell, const char *name)
{
    const char *nearest = command_nearest(strview_from(name));
    Fault f;

    (void)fault_set(&f, FAULT_SYNTAX, "unknown backslash command \\%s", name);
    if (nearest != NULL)
        fault_hint(&f, "Do you mean \\%s? Try \\? for help.", nearest);
    else
        fault_hint(&f, "Try \\? for help.");
    shell_report(shell, &f, (StrView){NULL, 0});
    return COMMAND_FAILED;
}

/* What was not read; told only when the command itself went well. */
static void
leave_arguments(CommandCall *call, CommandResult result)
{
    const char *word;

    if ((call->row->flags & COMMAND_LINE) != 0 || call->bad)
        return;
    while (result != COMMAND_FAILED && (word = command_word(call)) != NULL)
        shell_notice(call->shell, "WARNING", "\\%s: extra argument \"%s\" ignored", call->name,
                     word);
    if (result == COMMAND_FAILED)
        lexer_skip_arguments(call->lexer, false);
}

/* So that \watch behind it can repeat it. */
static void
keep_for_watch(CommandCall *call, size_t begin)
{
    Shell *shell = call->shell;
    StrBuf *line = &call->lexer->line;

    if ((call->row->flags & COMMAND_REPEAT) == 0 || begin > call->lexer->pos)
        return;
    strbuf_clear(&shell->previous_command);
    strbuf_add(&shell->previous_command, line->ptr + begin, call->lexer->pos - begin);
}

/* -E: the requests behind a command. */
static void
show_request(void *arg, int16_t api_key, int16_t version, int32_t node_id)
{
    const ApiInfo *api = api_find(api_key);

    (void)arg;
    printf("--> %s v%d to ", api == NULL ? "?" : api->name, version);
    if (node_id < 0)
        puts("the node of this connection");
    else
        printf("node %d\n", (int)node_id);
    fflush(stdout);
}

static void
trace(Shell *shell, bool on)
{
    bool shown = on && !variables_is(shell->vars, "ECHO_HIDDEN", "off");

    if (shell->client != NULL)
        client_trace(shell->client, shown ? show_request : NULL, NULL);
}

static CommandResult
run(CommandCall *call, size_t begin)
{
    CommandResult result;

    if ((call->row->flags & COMMAND_UNSAFE) != 0 && call->shell->restricted != NULL) {
        lexer_skip_arguments(call->lexer, (call->row->flags & COMMAND_LINE) != 0);
        return command_fail(call, "not allowed between \\restrict and \\unrestrict");
    }
    trace(call->shell, true);
    result = call->row->fn(call);
    trace(call->shell, false);
    if (call->bad)
        result = COMMAND_FAILED;
    leave_arguments(call, result);
    keep_for_watch(call, begin);
    lexer_end_command(call->lexer);
    return result;
}

CommandResult
command_dispatch(Shell *shell, Lexer *lexer, CondStack *conds)
{
    CommandCall call = {.shell = shell, .lexer = lexer, .conds = conds};
    CommandResult result = COMMAND_DONE;
    size_t begin = lexer->pos;
    StrBuf name;

    strbuf_init(&name, 256, NULL);
    strbuf_init(&call.word, LEX_LINE_BYTES_MAX, NULL);
    lexer_command_name(lexer, &name);
    call.name = name.ptr;
    call.row = command_find(strbuf_view(&name), &call.plus, &call.system);
    if (!cond_active(conds) && (call.row == NULL || (call.row->flags & COMMAND_FLOW) == 0)) {
        if (shell->interactive && shell->input_depth == 1)
            shell_notice(shell, "WARNING",
                         "\\%s command ignored; use \\endif or Ctrl-C to exit current \\if block",
                         name.ptr);
        lexer_skip_arguments(lexer, call.row != NULL && (call.row->flags & COMMAND_LINE) != 0);
        lexer_end_command(lexer);
    } else if (call.row == NULL) {
        lexer_skip_arguments(lexer, true); /* who knows what they mean */
        result = unknown(shell, name.ptr);
    } else {
        result = run(&call, begin);
    }
    strbuf_release(&call.word);
    strbuf_release(&name);
    return result;
}

CommandResult
command_repeat(Shell *shell, const char *text)
{
    CondStack conds = {.depth = 0};
    CommandResult result = COMMAND_FAILED;
    Lexer lexer;

    lexer_init(&lexer, &shell->input->lexer.env);
    if (lexer_start_line(&lexer, strview_from(text)))
        result = command_dispatch(shell, &lexer, &conds);
    lexer_fini(&lexer);
    return result;
}
